//! Reading a kdump-compressed file, or a split set of them.

use core::ops::Range;

use super::abi::Abi;
use super::bitmap::{Bitmap, Rank};
use super::geometry::Geometry;
use super::header::{DiskDumpHeader, SIGNATURE};
use super::page_desc::{Compression, PageDesc};
use super::part::{Part, Set, missing, open_set};
use super::sub_header::{Region, SubHeader};
use super::window::Window;
use crate::{Error, Field, Layout, PageSize, Pfn, ReadAt};

/// The descriptors that are kept, in bytes: 32 of them.
const KEPT: usize = 768;

/// A dump of one file, or of several that hold a range of PFNs each.
///
/// Look-ups take `&mut self` because the reader keeps the last bytes of each table (5 KiB in all, inside this value).
/// Threads use a reader each, over the same files. Nothing is read ahead when the dump is opened.
///
/// In a file that was cut off after its bitmaps, the pages whose descriptor and data are there are read as ever; a descriptor
/// of zeros is that of a lost page.
#[derive(Debug)]
pub struct KdumpFile<'a> {
    parts: &'a mut [Part<'a>],
    set: Set,
    known: Bitmap,
    held: Bitmap,
    rank: Rank<'a>,
    descs: Window<KEPT>,
    /// The part that `descs` comes from.
    descs_part: usize,
}

/// Whether the input starts with the signature of a kdump-compressed file. An input that cannot be read does not.
#[must_use]
pub fn is_kdump(input: &dyn ReadAt) -> bool {
    let mut signature = [0; 8];
    input.read_at(0, &mut signature).is_ok() && signature == SIGNATURE
}

impl<'a> KdumpFile<'a> {
    /// Opens a dump: one file, or all parts of a split set in any order. `parts` is sorted by PFN; part numbers are
    /// positions in it from then on.
    ///
    /// `index` takes the number of pages before regular PFNs, filled as it is needed. Its length changes the speed of
    /// look-ups only: one that goes back to a lower PFN reads `max_mapnr` / `index.len()` bits of a bitmap at most.
    ///
    /// # Errors
    /// - [`Error::Unsupported`]: no kdump-compressed file (`signature`), a `header_version` outside 1 to 6, headers that
    ///   make sense in several ABIs, or a part of the set that was not given ([`Field::MissingPart`], with its first PFN);
    /// - [`Error::Corrupt`]: headers that make no sense, `max_mapnr` larger than the bitmaps, parts of different dumps or
    ///   with a PFN in common;
    /// - [`Error::BufferTooSmall`]: `parts` is empty;
    /// - [`Error::Io`].
    pub fn open(parts: &'a mut [Part<'a>], index: &'a mut [u64]) -> Result<Self, Error> {
        let set = open_set(parts, false)?;
        Ok(Self::of_set(parts, index, set))
    }

    /// As [`open`](Self::open), for a split set of which parts are lost. Their pages are errors of
    /// [`page_desc`](Self::page_desc).
    ///
    /// # Errors
    /// As [`open`](Self::open), except for missing parts.
    pub fn open_with_gaps(parts: &'a mut [Part<'a>], index: &'a mut [u64]) -> Result<Self, Error> {
        let set = open_set(parts, true)?;
        Ok(Self::of_set(parts, index, set))
    }

    fn of_set(parts: &'a mut [Part<'a>], index: &'a mut [u64], set: Set) -> Self {
        let bits = set.max_mapnr;
        Self {
            parts,
            set,
            known: Bitmap::new(set.geometry.bitmap_1(), bits),
            held: Bitmap::new(set.geometry.bitmap_2(), bits),
            rank: Rank::new(index, bits),
            descs: Window::new(),
            descs_part: 0,
        }
    }

    /// The main header, with the `status` bits of all parts.
    #[must_use]
    pub fn header(&self) -> &DiskDumpHeader {
        &self.set.header
    }

    /// The sub-header of the first part.
    #[must_use]
    pub fn sub_header(&self) -> SubHeader {
        self.parts.first().map_or(SubHeader::default(), |part| part.sub)
    }

    /// The ABI of the program that wrote the file.
    #[must_use]
    pub fn abi(&self) -> Abi {
        self.set.abi
    }

    /// Byte order and word size of the program that wrote the file: those of the dumped machine, except that QEMU
    /// writes big-endian headers for little-endian ppc64 guests.
    #[must_use]
    pub fn layout(&self) -> Layout {
        self.abi().layout()
    }

    /// Where the pieces of each part stand.
    #[must_use]
    pub fn geometry(&self) -> &Geometry {
        &self.set.geometry
    }

    /// The page size of the dumped machine.
    #[must_use]
    pub fn page_size(&self) -> PageSize {
        self.set.header.block_size
    }

    /// The number of PFNs that the bitmaps describe: all PFNs of the dump are below it.
    #[must_use]
    pub fn max_mapnr(&self) -> u64 {
        self.set.max_mapnr
    }

    /// Whether the dump says that it was cut short.
    #[must_use]
    pub fn incomplete(&self) -> bool {
        self.set.header.status.incomplete()
    }

    /// The files, in the order of their PFNs.
    #[must_use]
    pub fn parts(&self) -> &[Part<'a>] {
        self.parts
    }

    /// The ranges of PFNs that no part has, in ascending order: their pages are lost.
    pub fn gaps(&self) -> impl Iterator<Item = Range<Pfn>> {
        let ends = self.parts.iter().map(|part| part.pfns.1);
        let starts = self.parts.iter().map(|part| part.pfns.0).chain([Pfn(self.set.max_mapnr)]);
        core::iter::once(Pfn(0))
            .chain(ends)
            .zip(starts)
            .map(|(end, start)| end..start)
            .filter(|gap| !gap.is_empty())
    }

    /// The contents of the `PT_NOTE` segment, and the part that has them; `None` before version 4.
    #[must_use]
    pub fn notes(&self) -> Option<(usize, Region)> {
        self.region(|sub| sub.notes)
    }

    /// The VMCOREINFO text and the part that has it; `None` before version 3 and when the kernel had none.
    #[must_use]
    pub fn vmcoreinfo(&self) -> Option<(usize, Region)> {
        self.region(|sub| sub.vmcoreinfo)
    }

    /// The text that says what was erased, and the part that has it; `None` before version 5 and when nothing was.
    #[must_use]
    pub fn eraseinfo(&self) -> Option<(usize, Region)> {
        self.region(|sub| sub.eraseinfo)
    }

    fn region(&self, field: impl Fn(&SubHeader) -> Region) -> Option<(usize, Region)> {
        let regions = self.parts.iter().map(|part| field(&part.sub));
        regions.enumerate().find(|(_, region)| region.len != 0 && region.offset != 0)
    }

    /// The first run of PFNs at or above `from` that the machine had (bitmap 1). Runs never touch.
    ///
    /// # Errors
    /// [`Error::Corrupt`] when the file ends in the bitmap, [`Error::Io`].
    pub fn next_known(&mut self, from: Pfn) -> Result<Option<Range<Pfn>>, Error> {
        let Some(part) = self.parts.first() else { return Ok(None) };
        self.known.next_run(part.input, from)
    }

    /// The first run of PFNs at or above `from` that were dumped (bitmap 2). Runs never touch.
    ///
    /// # Errors
    /// [`Error::Corrupt`] when the file ends in the bitmap, [`Error::Io`].
    pub fn next_held(&mut self, from: Pfn) -> Result<Option<Range<Pfn>>, Error> {
        let Some(part) = self.parts.first() else { return Ok(None) };
        self.held.next_run(part.input, from)
    }

    /// The number of dumped PFNs below `pfn`: all of them for a `pfn` of `max_mapnr` or more.
    ///
    /// # Errors
    /// [`Error::Corrupt`] when the file ends in the bitmap, [`Error::Io`].
    pub fn held_below(&mut self, pfn: Pfn) -> Result<u64, Error> {
        let Some(part) = self.parts.first() else { return Ok(0) };
        self.rank.of(&mut self.held, part.input, pfn)
    }

    /// The descriptor of a page and the part that has its data; `None` when the page was not dumped.
    ///
    /// The descriptor that comes back has a known compression and data inside the file, as far as the file's size is
    /// known.
    ///
    /// # Errors
    /// For this page alone:
    /// - [`Error::Corrupt`]: the page was to be dumped and its data are not there ([`Field::PageLost`]: offset or size
    ///   0), the descriptor points outside the file or has more data than a page, or the file ends before the
    ///   descriptor;
    /// - [`Error::Unsupported`]: unknown `page_desc.flags`, or the page is in a part that was not given.
    ///
    /// [`Error::Io`].
    pub fn page_desc(&mut self, pfn: Pfn) -> Result<Option<(usize, PageDesc)>, Error> {
        let Some(first) = self.parts.first() else { return Ok(None) };
        if !self.held.is_set(first.input, pfn)? {
            return Ok(None);
        }
        let number = self.parts.partition_point(|part| part.pfns.1 <= pfn);
        if self.parts.get(number).is_none_or(|part| part.pfns.0 > pfn) {
            return Err(missing(pfn));
        }
        let before = self.first_rank(number)?;
        let rank = self.held_below(pfn)?.saturating_sub(before);
        let desc = self.desc_of(number, rank)?;
        Ok(Some((number, desc)))
    }

    /// The rank of a part's first page in the whole set.
    fn first_rank(&mut self, number: usize) -> Result<u64, Error> {
        let Some(part) = self.parts.get(number) else { return self.held_below(Pfn(u64::MAX)) };
        if let Some(rank) = part.first_rank {
            return Ok(rank);
        }
        let rank = self.held_below(part.pfns.0)?;
        if let Some(part) = self.parts.get_mut(number) {
            part.first_rank = Some(rank);
        }
        Ok(rank)
    }

    /// The ranks of a part's first page and of the page after its last, or `None` past the last part.
    pub(super) fn ranks(&mut self, number: usize) -> Result<Option<(u64, u64)>, Error> {
        let Some(part) = self.parts.get(number) else { return Ok(None) };
        let (known, end) = (part.end_rank, part.pfns.1);
        let first = self.first_rank(number)?;
        let end = known.map_or_else(|| self.held_below(end), Ok)?;
        if let Some(part) = self.parts.get_mut(number) {
            part.end_rank = Some(end);
        }
        Ok(Some((first, end)))
    }

    pub(super) fn parts_mut(&mut self) -> &mut [Part<'a>] {
        self.parts
    }

    /// The descriptor at position `rank` of a part's table.
    pub(super) fn desc_of(&mut self, number: usize, rank: u64) -> Result<PageDesc, Error> {
        let table = self.set.geometry.page_descs();
        let corrupt = Error::Corrupt { field: Field::PageDesc, offset: table };
        let offset = self.set.geometry.page_desc(rank).ok_or(corrupt)?;
        let &Part { input, size, .. } = self.parts.get(number).ok_or(corrupt)?;
        if self.descs_part != number {
            self.descs.clear();
            self.descs_part = number;
        }
        let endian = self.set.abi.endian;
        let bytes = self.descs.at(input, table, offset, PageDesc::ENCODED_LEN, Field::PageDesc)?;
        let desc = PageDesc::parse(bytes, endian)?;
        self.check(&desc, offset, size)?;
        Ok(desc)
    }

    /// `at` is the offset of the descriptor in the file.
    fn check(&self, desc: &PageDesc, at: u64, size: u64) -> Result<(), Error> {
        let corrupt = |field, into: u64| Err(Error::Corrupt { field, offset: at.saturating_add(into) });
        if desc.offset == 0 || desc.size == 0 {
            return corrupt(Field::PageLost, 0);
        }
        let Some(compression) = desc.compression() else {
            return Err(Error::Unsupported { field: Field::PageDescFlags, value: desc.flags.into() });
        };
        let page = self.page_size().bytes();
        let len = u64::from(desc.size);
        if len > page || (compression == Compression::Raw && len != page) {
            return corrupt(Field::PageDescSize, 8);
        }
        let end = desc.offset.checked_add(len).filter(|&end| i64::try_from(end).is_ok());
        let inside = end.is_some_and(|end| end <= size);
        if !inside || desc.offset < self.set.geometry.page_descs() {
            return corrupt(Field::PageDescOffset, 0);
        }
        Ok(())
    }

    /// Fills `buf` with bytes of a part's file: a page's data, compressed, or a region.
    ///
    /// # Errors
    /// [`Error::Corrupt`] when the file is known to end before, or there is no such part; [`Error::Io`].
    pub fn read_raw(&self, part: usize, offset: u64, buf: &mut [u8]) -> Result<(), Error> {
        let part = self.parts.get(part).ok_or(Error::Corrupt { field: Field::Split, offset })?;
        part.read(offset, buf, Field::PageDescOffset)
    }
}
