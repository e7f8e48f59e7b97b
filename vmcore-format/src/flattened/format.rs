//! The header and the record headers, and the table of extents that both passes of the reader work on.

use core::ops::Range;

/// The size of the stream's header in bytes.
pub(super) const HEADER_LEN: usize = 4096;
/// The size of a record's header in bytes.
pub(super) const RECORD_LEN: usize = 16;
pub(super) const SIGNATURE: [u8; 16] = *b"makedumpfile\0\0\0\0";
/// The only value of `type`.
pub(super) const TYPE_FLAT: u64 = 1;
/// The only value of `version`.
pub(super) const VERSION_FLAT: u64 = 1;
/// `offset` and `size` of the end record: -1.
pub(super) const END: u64 = u64::MAX;

/// The source of an extent whose bytes the stream was cut off before.
pub(super) const CUT_OFF: u64 = u64::MAX;

/// Bytes of the dump that stand together in the stream. An entry of the table that the caller lends to
/// [`Flattened`](super::Flattened); 24 bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Extent {
    /// Half open, in the dump; not empty once read.
    pub(super) start: u64,
    pub(super) end: u64,
    /// Where the bytes stand in the stream, or [`CUT_OFF`].
    pub(super) source: u64,
}

impl Extent {
    /// An entry that is not in use, to make a table of.
    pub const EMPTY: Self = Self { start: 0, end: 0, source: 0 };

    /// The bytes' place in the dump, in bytes from its start.
    #[must_use]
    pub fn range(&self) -> Range<u64> {
        self.start..self.end
    }

    /// The bytes' place in the stream, in bytes from its start; `None` when the stream was cut off before them.
    #[must_use]
    pub fn source(&self) -> Option<u64> {
        (self.source != CUT_OFF).then_some(self.source)
    }

    /// Where the byte `offset` of the dump stands in the stream; `offset` is inside the extent.
    pub(super) fn source_of(&self, offset: u64) -> u64 {
        match self.source {
            CUT_OFF => CUT_OFF,
            source => source.saturating_add(offset.saturating_sub(self.start)),
        }
    }
}
