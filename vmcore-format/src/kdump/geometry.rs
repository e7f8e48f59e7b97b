//! Where the pieces of a kdump-compressed file stand.

use super::abi::Abi;
use super::header::DiskDumpHeader;
use super::page_desc::PageDesc;
use super::sub_header::SubHeader;
use crate::{Error, Field, PageSize};

/// The places of a file's pieces, in bytes from its start. Readers and writers share it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Geometry {
    block_size: PageSize,
    sub_hdr_size: u32,
    bitmap_blocks: u32,
}

impl Geometry {
    /// The geometry of a file to be written, for `max_mapnr` PFNs and `notes_len` bytes of notes.
    ///
    /// # Errors
    /// [`Error::Unsupported`] when the format's 32-bit counts of blocks cannot say it.
    pub fn new(abi: Abi, block_size: PageSize, max_mapnr: u64, notes_len: u64) -> Result<Self, Error> {
        let too_many = Error::Unsupported { field: Field::MaxMapnr, value: max_mapnr };
        let half = u32::try_from(max_mapnr.div_ceil(8).div_ceil(block_size.bytes())).map_err(|_| too_many)?;
        let bitmap_blocks = half.checked_mul(2).ok_or(too_many)?;
        let sub_header_len = u64::try_from(SubHeader::encoded_len(abi)).unwrap_or_default();
        let sub_hdr_size = notes_len
            .checked_add(sub_header_len)
            .and_then(|len| u32::try_from(len.div_ceil(block_size.bytes())).ok())
            .ok_or(Error::Unsupported { field: Field::OffsetNote, value: notes_len })?;
        let geometry = Self { block_size, sub_hdr_size, bitmap_blocks };
        if max_mapnr > last_mapnr(block_size) { Err(too_many) } else { Ok(geometry) }
    }

    /// The geometry of a file that was written; `max_mapnr` is the whole one, from the sub-header where it has it.
    ///
    /// # Errors
    /// [`Error::Corrupt`] when `bitmap_blocks` is odd, or the bitmaps are too small for `max_mapnr`.
    pub fn of_header(header: &DiskDumpHeader, abi: Abi, max_mapnr: u64) -> Result<Self, Error> {
        let offset = super::header::block_size_offset(abi);
        let bitmap = Error::Corrupt { field: Field::BitmapBlocks, offset: offset.saturating_add(8) };
        let mapnr = Error::Corrupt { field: Field::MaxMapnr, offset: offset.saturating_add(12) };
        let &DiskDumpHeader { block_size, sub_hdr_size, bitmap_blocks, .. } = header;
        let geometry = Self { block_size, sub_hdr_size, bitmap_blocks };
        if bitmap_blocks % 2 != 0 {
            return Err(bitmap);
        }
        let too_large = max_mapnr.div_ceil(8) > geometry.bitmap_len() || max_mapnr > last_mapnr(block_size);
        if too_large { Err(mapnr) } else { Ok(geometry) }
    }

    /// The unit of the format's counts, in bytes: the page size.
    #[must_use]
    pub fn block_size(&self) -> PageSize {
        self.block_size
    }

    /// The size of sub-header and notes together, in blocks, as the header has it.
    #[must_use]
    pub fn sub_hdr_size(&self) -> u32 {
        self.sub_hdr_size
    }

    /// The size of both bitmaps together, in blocks, as the header has it.
    #[must_use]
    pub fn bitmap_blocks(&self) -> u32 {
        self.bitmap_blocks
    }

    /// Where the sub-header starts.
    #[must_use]
    pub fn sub_header(&self) -> u64 {
        self.block_size.bytes()
    }

    /// Where a version 6 writer puts the notes: directly after the sub-header.
    #[must_use]
    pub fn notes(&self, abi: Abi) -> u64 {
        self.sub_header().saturating_add(u64::try_from(SubHeader::encoded_len(abi)).unwrap_or_default())
    }

    /// Where bitmap 1 starts (PFNs that the machine had).
    #[must_use]
    pub fn bitmap_1(&self) -> u64 {
        self.blocks(u64::from(self.sub_hdr_size).saturating_add(1))
    }

    /// Where bitmap 2 starts (PFNs that were dumped).
    #[must_use]
    pub fn bitmap_2(&self) -> u64 {
        self.bitmap_1().saturating_add(self.bitmap_len())
    }

    /// The size of each bitmap, in bytes.
    #[must_use]
    pub fn bitmap_len(&self) -> u64 {
        self.blocks(u64::from(self.bitmap_blocks >> 1))
    }

    /// Where the descriptors start.
    #[must_use]
    pub fn page_descs(&self) -> u64 {
        self.bitmap_2().saturating_add(self.bitmap_len())
    }

    /// Where the descriptor of the page with the given rank starts: rank 0 is the first page of the file.
    ///
    /// `None` when that is beyond what a file offset can say.
    #[must_use]
    pub fn page_desc(&self, rank: u64) -> Option<u64> {
        let before = rank.checked_mul(u64::try_from(PageDesc::ENCODED_LEN).ok()?)?;
        self.page_descs().checked_add(before).filter(|&offset| i64::try_from(offset).is_ok())
    }

    /// Where a writer puts the first byte of the pages' data, after `held` descriptors. In a split set every part
    /// leaves room for the descriptors of the whole set.
    ///
    /// # Errors
    /// [`Error::Unsupported`] when that is beyond what a file offset can say.
    pub fn data(&self, held: u64) -> Result<u64, Error> {
        self.page_desc(held).ok_or(Error::Unsupported { field: Field::PageDesc, value: held })
    }

    /// Less than 2^32 blocks of at most 2^16 bytes.
    fn blocks(&self, count: u64) -> u64 {
        count.saturating_mul(self.block_size.bytes())
    }
}

/// The number of PFNs in a 64-bit address space.
fn last_mapnr(block_size: PageSize) -> u64 {
    (u64::MAX >> block_size.shift()).saturating_add(1)
}
