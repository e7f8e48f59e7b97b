//! `kdump_sub_header`: the start of block 1 of a kdump-compressed file.

use super::abi::{Abi, DataModel, StructReader, StructWriter};
use crate::{Error, Field, Pfn};

/// A region of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Region {
    /// Where it starts, in bytes from the start of the file.
    pub offset: u64,
    /// Its size in bytes; 0 when the file has no such region.
    pub len: u64,
}

/// The sub-header, in the terms of version 6. What an older version lacks is 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct SubHeader {
    /// The kernel's `phys_base` as a two's complement number (version 1). QEMU writes a wrong one: trust VMCOREINFO.
    pub phys_base: u64,
    /// The dump level: which kinds of pages were left out (version 1).
    pub dump_level: u32,
    /// Whether the file is one of a split set (version 2). Only then the next two fields mean anything.
    pub split: bool,
    /// The first PFN whose page this file holds (version 2, whole since version 6).
    pub start_pfn: Pfn,
    /// The PFN after the last one (version 2, whole since version 6).
    pub end_pfn: Pfn,
    /// The VMCOREINFO text, which is also part of the notes (version 3).
    pub vmcoreinfo: Region,
    /// The contents of the `PT_NOTE` segment (version 4).
    pub notes: Region,
    /// The text that says what was erased (version 5).
    pub eraseinfo: Region,
    /// The number of PFNs that a bitmap describes (version 6).
    pub max_mapnr: u64,
}

impl SubHeader {
    /// The most bytes that the sub-header has in any ABI.
    pub const MAX_LEN: usize = 104;

    /// The size of a version 6 sub-header in the file, in bytes. The notes follow it.
    #[must_use]
    pub const fn encoded_len(abi: Abi) -> usize {
        match abi.model {
            DataModel::Lp64 => 104,
            DataModel::Ilp32 | DataModel::Ilp32Time64 => 96,
            DataModel::I386 | DataModel::I386Time64 => 80,
        }
    }

    /// Reads the sub-header of a file whose ABI and `header_version` are known. Nothing is checked.
    ///
    /// # Errors
    /// [`Error::Corrupt`] when `bytes` is shorter than the version's fields; the offset counts from the start of `bytes`.
    pub fn parse(bytes: &[u8], abi: Abi, header_version: u32) -> Result<Self, Error> {
        let mut fields = StructReader::new(bytes, abi);
        read(&mut fields, header_version).ok_or(Error::Corrupt { field: Field::KdumpSubHeader, offset: 0 })
    }

    /// Writes the sub-header, in version 6, into the start of `out` and returns its size in bytes.
    ///
    /// # Errors
    /// [`Error::BufferTooSmall`]; [`Error::Unsupported`] when `phys_base` or the size of a region does not fit in 32 bits where the
    /// ABI has no more.
    pub fn encode(&self, abi: Abi, out: &mut [u8]) -> Result<usize, Error> {
        let len = Self::encoded_len(abi);
        let small = Error::BufferTooSmall { needed: u64::try_from(len).unwrap_or(u64::MAX) };
        let out = out.get_mut(..len).ok_or(small)?;
        out.fill(0);
        let mut fields = StructWriter::new(out, abi);
        fields.long(self.phys_base).ok_or(too_wide(Field::PhysBase, self.phys_base))?;
        let mut range = || {
            fields.int(self.dump_level)?;
            fields.int(self.split.into())?;
            fields.long(low_half(self.start_pfn))?;
            fields.long(low_half(self.end_pfn))
        };
        range().ok_or(small)?;
        put_region(&mut fields, self.vmcoreinfo, Field::OffsetVmcoreinfo)?;
        put_region(&mut fields, self.notes, Field::OffsetNote)?;
        put_region(&mut fields, self.eraseinfo, Field::OffsetEraseinfo)?;
        let mut whole = [self.start_pfn.0, self.end_pfn.0, self.max_mapnr].into_iter();
        whole.try_for_each(|number| fields.long_long(number)).ok_or(small)?;
        Ok(len)
    }
}

fn read(fields: &mut StructReader<'_>, version: u32) -> Option<SubHeader> {
    let mut sub = SubHeader { phys_base: fields.long()?, dump_level: fields.int()?, ..SubHeader::default() };
    if version >= 2 {
        sub.split = fields.int()? != 0;
        sub.start_pfn = Pfn(fields.long()?);
        sub.end_pfn = Pfn(fields.long()?);
    }
    if version >= 3 {
        sub.vmcoreinfo = region(fields)?;
    }
    if version >= 4 {
        sub.notes = region(fields)?;
    }
    if version >= 5 {
        sub.eraseinfo = region(fields)?;
    }
    if version >= 6 {
        sub.start_pfn = Pfn(fields.long_long()?);
        sub.end_pfn = Pfn(fields.long_long()?);
        sub.max_mapnr = fields.long_long()?;
    }
    Some(sub)
}

fn region(fields: &mut StructReader<'_>) -> Option<Region> {
    Some(Region { offset: fields.long_long()?, len: fields.long()? })
}

fn put_region(fields: &mut StructWriter<'_>, region: Region, field: Field) -> Result<(), Error> {
    fields.long_long(region.offset).ok_or(too_wide(field, region.offset))?;
    fields.long(region.len).ok_or(too_wide(field, region.len))
}

fn too_wide(field: Field, value: u64) -> Error {
    Error::Unsupported { field, value }
}

/// The obsolete fields keep the low half, as every writer has it.
fn low_half(pfn: Pfn) -> u64 {
    pfn.0 & u64::from(u32::MAX)
}
