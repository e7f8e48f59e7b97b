//! What the caller asks of a dump.

use vmcore_format::kdump::Compression;

use crate::Level;

/// The format of the output.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// A kdump-compressed file, header version 6.
    Kdump,
    /// An ELF core.
    Elf,
}

/// One file of a split set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Split {
    /// The number of this file, from 0.
    pub part: u32,
    /// The number of files.
    pub parts: u32,
}

/// What the caller asks of a dump.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Options {
    /// Which pages to leave out.
    pub level: Level,
    /// How pages are packed. An ELF core holds them as they are.
    pub compression: Compression,
    /// Whether pages are packed in less time, to more bytes; this makes a difference for [`Compression::Zlib`].
    pub fast: bool,
    /// The format of the output.
    pub format: Format,
    /// Whether a page whose bytes were written before is written as a descriptor alone, which points at them. Pages are told
    /// the same by 192 bits of SHA-256 among those of the last few thousand that were seen, which ones depends on nothing but
    /// the pages; this takes 128 KiB more of the workspace. Kdump-compressed only; each part of a split set is by itself.
    pub share_duplicates: bool,
    /// Which part of the pages this output takes. The share of a part are the ranks `total * part / parts ..
    /// total * (part + 1) / parts` among the kept pages; it takes each block of 64 frames whose first kept page is in it.
    /// Kdump-compressed only.
    pub split: Option<Split>,
    /// The most bytes of the output (of a stream: of the dump in it). No byte is written beyond them: the dump breaks off with
    /// [`Error::Limit`](super::Error::Limit), and [`Dumper::abandon`](super::Dumper::abandon) leaves what fits.
    pub limit: Option<u64>,
}

impl Default for Options {
    /// Everything but zero pages, as they are, in one kdump-compressed file.
    fn default() -> Self {
        Self {
            level: Level::ZERO,
            compression: Compression::Raw,
            fast: false,
            format: Format::Kdump,
            share_duplicates: false,
            split: None,
            limit: None,
        }
    }
}
