//! The digest by which purgatory knows that what was loaded is still there.
//!
//! It is the SHA-256 of the file bytes of every segment that must not change, in the order of their addresses. The zeros
//! after the file bytes are left out: the kernel writes over most of them, and they take the most time to hash.

use heapless::Vec;
use sha2::{Digest as _, Sha256};
use vmcore_format::PhysAddr;

use crate::segment::{Fixed, SEGMENT_MAX};

/// Bytes that must not change between the load and the crash.
///
/// A region is made from a [`Fixed`] segment only, so the bytes of a segment that may change are never in a digest:
///
/// ```
/// use kexec_core::{digest::Region, segment::Fixed};
/// use vmcore_format::PhysAddr;
/// let region = Region::new(Fixed::Elfcorehdr, PhysAddr(0x1000), b"\x7fELF");
/// ```
///
/// and this does not compile:
///
/// ```compile_fail,E0308
/// use kexec_core::{digest::Region, segment::Mutable};
/// use vmcore_format::PhysAddr;
/// let region = Region::new(Mutable::Elfcorehdr, PhysAddr(0x1000), b"\x7fELF");
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Region<'a> {
    kind: Fixed,
    start: PhysAddr,
    bytes: &'a [u8],
}

impl<'a> Region<'a> {
    /// The region of `bytes` that are loaded at `start`.
    #[must_use]
    pub const fn new(kind: Fixed, start: PhysAddr, bytes: &'a [u8]) -> Self {
        Self { kind, start, bytes }
    }

    /// What the region holds.
    #[must_use]
    pub const fn kind(&self) -> Fixed {
        self.kind
    }

    /// The address of the first byte.
    #[must_use]
    pub const fn start(&self) -> PhysAddr {
        self.start
    }

    /// The bytes, as they are loaded.
    #[must_use]
    pub const fn bytes(&self) -> &'a [u8] {
        self.bytes
    }
}

/// The regions of a load, in the order of their addresses.
#[derive(Debug, Clone, Default)]
pub struct Regions<'a> {
    sorted: Vec<Region<'a>, SEGMENT_MAX>,
}

impl<'a> Regions<'a> {
    /// No region yet.
    #[must_use]
    pub const fn new() -> Self {
        Self { sorted: Vec::new() }
    }

    /// Adds a region at the place of its address; a region without bytes is left out.
    ///
    /// # Errors
    ///
    /// The region itself, if there are [`SEGMENT_MAX`] already: purgatory's table holds no more.
    pub fn add(&mut self, region: Region<'a>) -> Result<(), Region<'a>> {
        if region.bytes.is_empty() {
            return Ok(());
        }
        self.sorted.push(region)?;
        let mut at = self.sorted.len().saturating_sub(1);
        while let Some(before) = at.checked_sub(1)
            && let Ok([lower, added]) = self.sorted.get_disjoint_mut([before, at])
            && lower.start > added.start
        {
            core::mem::swap(lower, added);
            at = before;
        }
        Ok(())
    }

    /// The regions, in the order of their addresses.
    #[must_use]
    pub fn as_slice(&self) -> &[Region<'a>] {
        &self.sorted
    }

    /// The SHA-256 of all bytes of all regions, in the order of their addresses.
    #[must_use]
    pub fn sha256(&self) -> [u8; 32] {
        let mut hash = Sha256::new();
        for region in &self.sorted {
            hash.update(region.bytes);
        }
        hash.finalize().into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn region(start: u64, bytes: &[u8]) -> Region<'_> {
        Region::new(Fixed::Initrd, PhysAddr(start), bytes)
    }

    /// `printf abc | sha256sum`, also FIPS 180-2, appendix B.1.
    const ABC: [u8; 32] = [
        0xba, 0x78, 0x16, 0xbf, 0x8f, 0x01, 0xcf, 0xea, 0x41, 0x41, 0x40, 0xde, 0x5d, 0xae, 0x22, 0x23, 0xb0,
        0x03, 0x61, 0xa3, 0x96, 0x17, 0x7a, 0x9c, 0xb4, 0x10, 0xff, 0x61, 0xf2, 0x00, 0x15, 0xad,
    ];

    /// `printf '' | sha256sum`.
    const NOTHING: [u8; 32] = [
        0xe3, 0xb0, 0xc4, 0x42, 0x98, 0xfc, 0x1c, 0x14, 0x9a, 0xfb, 0xf4, 0xc8, 0x99, 0x6f, 0xb9, 0x24, 0x27,
        0xae, 0x41, 0xe4, 0x64, 0x9b, 0x93, 0x4c, 0xa4, 0x95, 0x99, 0x1b, 0x78, 0x52, 0xb8, 0x55,
    ];

    #[test]
    fn the_digest_is_of_all_bytes_in_address_order() {
        let mut regions = Regions::new();
        assert_eq!(regions.sha256(), NOTHING);
        regions.add(region(0x3000, b"c")).unwrap();
        regions.add(region(0x1000, b"a")).unwrap();
        regions.add(region(0x4000, b"")).unwrap();
        regions.add(region(0x2000, b"b")).unwrap();
        assert_eq!(regions.sha256(), ABC);
        let starts: std::vec::Vec<u64> = regions.as_slice().iter().map(|r| r.start().0).collect();
        assert_eq!(starts, [0x1000, 0x2000, 0x3000]);
    }

    #[test]
    fn no_more_regions_than_the_table_of_purgatory_holds() {
        let mut regions = Regions::new();
        for index in 0..16 {
            regions.add(region(index * 0x1000, b"x")).unwrap();
        }
        assert_eq!(regions.add(region(0x10_0000, b"x")), Err(region(0x10_0000, b"x")));
        assert_eq!(regions.add(region(0x10_0000, b"")), Ok(()));
        assert_eq!(regions.as_slice().len(), 16);
    }
}
