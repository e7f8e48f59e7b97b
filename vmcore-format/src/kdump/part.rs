//! The files of a split set: read on their own, then compared with each other.

use core::fmt;
use core::ops::Range;

use super::abi::Abi;
use super::detect::{self, Headers};
use super::geometry::Geometry;
use super::header::{DiskDumpHeader, block_size_offset};
use super::sub_header::{Region, SubHeader};
use crate::io::read_header;
use crate::{Error, Field, Pfn, ReadAt, sort_by_key};

/// One file: a whole dump, or a part of a split set.
#[derive(Clone, Copy)]
pub struct Part<'a> {
    pub(super) input: &'a dyn ReadAt,
    /// The file's size, `u64::MAX` when it is not known.
    pub(super) size: u64,
    pub(super) sub: SubHeader,
    /// The PFNs whose pages this file holds.
    pub(super) pfns: (Pfn, Pfn),
    /// The rank in the whole set of this file's first page, and of the next part's. Counted when first needed.
    pub(super) first_rank: Option<u64>,
    pub(super) end_rank: Option<u64>,
    /// Where the data of the pages stand in the file, and where they go when parts are joined.
    pub(super) data: Region,
    pub(super) joined_at: u64,
}

/// What the files of a set have in common.
#[derive(Debug, Clone, Copy)]
pub(super) struct Set {
    pub(super) abi: Abi,
    pub(super) header: DiskDumpHeader,
    pub(super) geometry: Geometry,
    pub(super) max_mapnr: u64,
}

impl<'a> Part<'a> {
    /// A file that has not been looked at.
    #[must_use]
    pub fn new(input: &'a dyn ReadAt) -> Self {
        let (sub, pfns) = (SubHeader::default(), (Pfn(0), Pfn(0)));
        let size = u64::MAX;
        Self {
            input,
            size,
            sub,
            pfns,
            first_rank: None,
            end_rank: None,
            data: Region::default(),
            joined_at: 0,
        }
    }

    /// The file's bytes.
    #[must_use]
    pub fn input(&self) -> &'a dyn ReadAt {
        self.input
    }

    /// The file's own sub-header, once the file is open.
    #[must_use]
    pub fn sub_header(&self) -> &SubHeader {
        &self.sub
    }

    /// The PFNs whose pages this file holds, once the file is open. A part without any has its start at `max_mapnr`.
    #[must_use]
    pub fn pfns(&self) -> Range<Pfn> {
        self.pfns.0..self.pfns.1
    }

    /// Fills `buf`; a file that is known to be too short is corrupt, and any other failure is the embedder's.
    pub(super) fn read(&self, offset: u64, buf: &mut [u8], field: Field) -> Result<(), Error> {
        let end = u64::try_from(buf.len()).ok().and_then(|len| offset.checked_add(len));
        if end.is_none_or(|end| end > self.size) {
            return Err(Error::Corrupt { field, offset });
        }
        self.input.read_at(offset, buf).map_err(|code| Error::Io { code })
    }

    /// As [`read`](Self::read), for the main header.
    fn read_main(&self, buf: &mut [u8]) -> Result<(), Error> {
        if u64::try_from(buf.len()).map_or(true, |len| len > self.size) {
            return Err(Error::Corrupt { field: Field::DiskDumpHeader, offset: 0 });
        }
        read_header(self.input, 0, buf).map_err(|code| Error::Io { code })
    }

    /// Reads both headers.
    fn open(&mut self) -> Result<Set, Error> {
        self.size = self.input.size().unwrap_or(u64::MAX);
        let mut main = [0; DiskDumpHeader::MAX_LEN];
        self.read_main(&mut main)?;
        let (shape, header) = detect::main_header(&main)?;
        let mut block_1 = [0; SubHeader::MAX_LEN];
        self.read(header.block_size.bytes(), &mut block_1, Field::KdumpSubHeader)?;
        let Headers { abi, header, sub } = detect::sub_header(&block_1, shape, header)?;
        let max_mapnr = if header.header_version >= 6 { sub.max_mapnr } else { header.max_mapnr.into() };
        let geometry = Geometry::of_header(&header, abi, max_mapnr)?;
        let pfns = match sub {
            SubHeader { split: false, .. } => (Pfn(0), Pfn(max_mapnr)),
            SubHeader { start_pfn, end_pfn, .. } if start_pfn == end_pfn => (Pfn(max_mapnr), Pfn(max_mapnr)),
            SubHeader { start_pfn, end_pfn, .. } => (start_pfn, end_pfn),
        };
        if pfns.0 > pfns.1 || pfns.1.0 > max_mapnr {
            return Err(Error::Corrupt { field: Field::EndPfn, offset: geometry.sub_header() });
        }
        *self = Self { size: self.size, sub, pfns, ..Self::new(self.input) };
        Ok(Set { abi, header, geometry, max_mapnr })
    }
}

/// Opens every part, puts them in the order of their PFNs and checks that they belong together.
///
/// The set's `status` has the bits of every part.
pub(super) fn open_set(parts: &mut [Part<'_>], gaps: bool) -> Result<Set, Error> {
    let (first, others) = parts.split_first_mut().ok_or(Error::BufferTooSmall { needed: 1 })?;
    let mut set = first.open()?;
    for part in others.iter_mut() {
        let other = part.open()?;
        compare(&set, &other)?;
        if !(first.sub.split && part.sub.split) {
            return Err(Error::Corrupt { field: Field::Split, offset: set.geometry.sub_header() });
        }
        set.header.status.0 |= other.header.status.0;
    }
    sort_by_key(parts, |part| part.pfns);
    check_ranges(parts, &set, gaps)?;
    Ok(set)
}

fn compare(set: &Set, other: &Set) -> Result<(), Error> {
    let block_size = block_size_offset(set.abi);
    let sub_header = set.geometry.sub_header();
    let differs = [
        (set.abi != other.abi, Field::DiskDumpHeader, 0),
        (set.header.header_version != other.header.header_version, Field::HeaderVersion, 8),
        (set.header.utsname != other.header.utsname, Field::Utsname, 12),
        (set.header.timestamp != other.header.timestamp, Field::Timestamp, 402),
        (set.header.block_size != other.header.block_size, Field::BlockSize, block_size),
        (set.geometry != other.geometry, Field::BitmapBlocks, block_size.saturating_add(8)),
        (set.max_mapnr != other.max_mapnr, Field::MaxMapnr, sub_header),
    ];
    let first = differs.into_iter().find(|(differs, ..)| *differs);
    first.map_or(Ok(()), |(_, field, offset)| Err(Error::Corrupt { field, offset }))
}

/// The parts follow each other from PFN 0 to `max_mapnr`.
fn check_ranges(parts: &[Part<'_>], set: &Set, gaps: bool) -> Result<(), Error> {
    let mut next = Pfn(0);
    for part in parts {
        if part.pfns.0 == part.pfns.1 {
            continue;
        }
        if part.pfns.0 < next {
            return Err(Error::Corrupt { field: Field::StartPfn, offset: set.geometry.sub_header() });
        }
        if part.pfns.0 > next && !gaps {
            return Err(missing(next));
        }
        next = part.pfns.1;
    }
    if next.0 < set.max_mapnr && !gaps { Err(missing(next)) } else { Ok(()) }
}

/// No part holds this PFN.
pub(super) fn missing(pfn: Pfn) -> Error {
    Error::Unsupported { field: Field::MissingPart, value: pfn.0 }
}

impl fmt::Debug for Part<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Part").field("sub", &self.sub).field("pfns", &self.pfns).finish()
    }
}
