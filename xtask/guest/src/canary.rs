//! A canary page: bytes that say which kind of page they were written to, so that finding them in a dump, or not,
//! tells whether that kind was kept.
//!
//! Layout, little-endian: magic (8 bytes), kind (u32), index (u32), then one u64 per word:
//! `kind << 48 | index << 16 | word number`.

use std::fs::File;
use std::io::{self, Write};
use std::path::Path;

use crate::Outcome;

/// Bytes of a page of the test machines (x86-64).
pub(crate) const PAGE: usize = 4096;

const MAGIC: &[u8; 8] = b"kcCANARY";

/// What a canary page was used for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Anon,
    Thp,
    Mthp,
    Hugetlb,
    Ksm,
    Tmpfs,
    TmpfsHuge,
    Rootfs,
    Ext4SmallBlocks,
    Ext4,
    Ext4SmallBlocksDirty,
    Ext4Dirty,
    BlockDevice,
    Pipe,
    Freed,
    HwPoison,
    Locked,
}

impl Kind {
    /// Every kind with its name; the number on the page is the position here plus one.
    const NAMES: [(Self, &'static str); 17] = [
        (Self::Anon, "anon"),
        (Self::Thp, "thp"),
        (Self::Mthp, "mthp"),
        (Self::Hugetlb, "hugetlb"),
        (Self::Ksm, "ksm"),
        (Self::Tmpfs, "tmpfs"),
        (Self::TmpfsHuge, "tmpfs-huge"),
        (Self::Rootfs, "rootfs"),
        (Self::Ext4SmallBlocks, "ext4-1k"),
        (Self::Ext4, "ext4-4k"),
        (Self::Ext4SmallBlocksDirty, "ext4-1k-dirty"),
        (Self::Ext4Dirty, "ext4-4k-dirty"),
        (Self::BlockDevice, "bdev"),
        (Self::Pipe, "pipe"),
        (Self::Freed, "freed"),
        (Self::HwPoison, "hwpoison"),
        (Self::Locked, "locked"),
    ];

    pub(crate) fn named(name: &str) -> Option<Self> {
        Self::NAMES.iter().find(|(_, known)| *known == name).map(|(kind, _)| *kind)
    }

    pub(crate) fn name(self) -> &'static str {
        Self::NAMES.iter().find(|(kind, _)| *kind == self).map_or("", |(_, name)| name)
    }

    pub(crate) fn number(self) -> u32 {
        Self::NAMES.iter().position(|(kind, _)| *kind == self).map_or(0, |at| at as u32 + 1)
    }
}

/// Fills one page.
pub(crate) fn write_page(kind: Kind, index: u32, page: &mut [u8]) {
    let number = kind.number();
    for (at, word) in page.chunks_exact_mut(8).enumerate() {
        let value = u64::from(number) << 48 | u64::from(index) << 16 | at as u64;
        word.copy_from_slice(&value.to_le_bytes());
    }
    page[..8].copy_from_slice(MAGIC);
    page[8..12].copy_from_slice(&number.to_le_bytes());
    page[12..16].copy_from_slice(&index.to_le_bytes());
}

/// Fills memory that starts on a page boundary.
pub(crate) fn write_pages(kind: Kind, memory: &mut [u8]) {
    for (page, index) in memory.chunks_exact_mut(PAGE).zip(0..) {
        write_page(kind, index, page);
    }
}

/// Hands out canary pages whose own memory does not start on a page boundary: it would look like a canary itself.
pub(crate) fn for_each_page(
    kind: Kind,
    count: u32,
    mut each: impl FnMut(&[u8]) -> io::Result<()>,
) -> io::Result<()> {
    let mut buffer = vec![0; 2 * PAGE];
    let off_boundary = PAGE - buffer.as_ptr() as usize % PAGE + 64;
    let start = off_boundary % PAGE;
    let page = &mut buffer[start..start + PAGE];
    for index in 0..count {
        write_page(kind, index, page);
        each(page)?;
    }
    page.fill(0);
    Ok(())
}

/// Writes a file of canary pages.
pub(crate) fn write_file(kind: Kind, count: u32, path: &Path) -> Outcome<()> {
    let mut file = File::create(path)?;
    for_each_page(kind, count, |page| file.write_all(page))?;
    Ok(())
}
