//! ELF core output.

use core::mem;
use core::ops::Range;

use vmcore_format::elf::{self, Header, PF_R, PF_W, PF_X, PT_LOAD, PT_NOTE, ProgramHeader};
use vmcore_format::{Class, PageSize, PhysAddr, WriteAt, sort_by_key};

use super::chunk::{Chunk, Encoded, EncodedPage};
use super::eraseinfo::{EraseInfo, copy};
use super::extent::Extent;
use super::stable::{HeadersFirst, sync};
use super::workspace::{DATA_RECORD, TABLES_RECORD};
use super::{Buffer, Error, Source};
use crate::bits;

/// `PT_LOAD`s that go on from one extent into the next and have a program header in both, at most. What a kernel maps twice or
/// three times has all of them; a file that maps its memory again and again would have as many headers as the product of both.
const MOST_CARRIED: usize = 16;

/// The input's `PT_LOAD`s, in the order of `p_paddr`, gone through once as extents ascend.
#[derive(Debug)]
pub(super) struct Loads<'a> {
    loads: &'a [ProgramHeader],
    /// Numbers of `loads`: from `met` to `next` those that may go on in extents to come, then those to come.
    order: &'a mut [u32],
    page_size: PageSize,
    met: usize,
    next: usize,
}

impl<'a> Loads<'a> {
    /// `order` has one entry for each of `loads`.
    pub(super) fn new(loads: &'a [ProgramHeader], order: &'a mut [u32], page_size: PageSize) -> Self {
        let mut all = Self { loads, order, page_size, met: 0, next: 0 };
        all.rewind();
        all
    }

    /// Starts again.
    pub(super) fn rewind(&mut self) {
        (self.met, self.next) = (0, 0);
        self.order.iter_mut().zip(0..).for_each(|(number, at)| *number = at);
        let loads = self.loads;
        sort_by_key(self.order, |&number| (start_of(loads, number), number));
    }

    /// The program headers of an extent: one for each input `PT_LOAD` that it meets, cut to what they share. Offsets
    /// count from the start of the pages.
    ///
    /// Of those that have a header already, for an earlier extent, the [`MOST_CARRIED`] that reach farthest have another one:
    /// no memory is without a header, and what it takes is bounded by the `PT_LOAD`s and the extents.
    pub(super) fn program_headers(&mut self, extent: Extent) -> impl Iterator<Item = ProgramHeader> {
        let page_size = self.page_size;
        let addr = move |pfn| page_size.start_of(pfn).map_or(u64::MAX, |PhysAddr(addr)| addr);
        let memory = addr(extent.start)..addr(extent.end);
        let data_end = addr(extent.data_end);
        let offset = extent.position.saturating_mul(page_size.bytes());
        let loads = self.loads;
        self.carry(memory.start);
        let come = self.order.get(self.next..).unwrap_or_default();
        let come = come.iter().take_while(|&&number| start_of(loads, number) < memory.end).count();
        self.next = self.next.saturating_add(come);
        let whole = ProgramHeader {
            p_type: PT_LOAD,
            p_flags: PF_R | PF_W | PF_X,
            p_paddr: memory.start,
            p_memsz: memory.end.saturating_sub(memory.start),
            ..ProgramHeader::default()
        };
        let met = self.order.get(self.met..self.next).unwrap_or_default().iter();
        let met = met.filter_map(move |&number| load_of(loads, number)).copied();
        let alone = self.order.is_empty().then_some(whole);
        met.chain(alone).filter_map(move |load| share(&load, &memory, data_end, offset))
    }

    /// Lets go of those that end at or below `start`, and of all but a few of the rest.
    fn carry(&mut self, start: u64) {
        let loads = self.loads;
        let end_of = |number| load_of(loads, number).map_or(0, |load| load.memory().end);
        let met = self.order.get_mut(self.met..self.next).unwrap_or_default();
        let mut gone = met.len();
        for at in (0..met.len()).rev() {
            if let Some(&number) = met.get(at)
                && end_of(number) > start
            {
                gone = gone.saturating_sub(1);
                let other = met.get(gone).copied().unwrap_or(number);
                for (at, number) in [(at, other), (gone, number)] {
                    if let Some(slot) = met.get_mut(at) {
                        *slot = number;
                    }
                }
            }
        }
        let carried = met.get_mut(gone..).unwrap_or_default();
        if let Some(too_many) = carried.len().checked_sub(MOST_CARRIED).filter(|&count| count > 0) {
            sort_by_key(carried, |&number| (end_of(number), number));
            let carried = carried.get_mut(too_many..).unwrap_or_default();
            sort_by_key(carried, |&number| (start_of(loads, number), number));
            gone = gone.saturating_add(too_many);
        }
        self.met = self.met.saturating_add(gone);
    }
}

fn load_of(loads: &[ProgramHeader], number: u32) -> Option<&ProgramHeader> {
    usize::try_from(number).ok().and_then(|number| loads.get(number))
}

fn start_of(loads: &[ProgramHeader], number: u32) -> u64 {
    load_of(loads, number).map_or(0, |load| load.p_paddr)
}

/// What `load` and an extent share: the extent's memory, with data up to `data_end` that start at `offset`.
fn share(load: &ProgramHeader, memory: &Range<u64>, data_end: u64, offset: u64) -> Option<ProgramHeader> {
    let start = load.p_paddr.max(memory.start);
    let end = load.memory().end.min(memory.end);
    let p_memsz = end.checked_sub(start).filter(|&size| size > 0)?;
    let p_filesz = data_end.min(end).saturating_sub(start);
    // A kernel without virtual addresses in its headers has none in ours.
    let has_vaddr = load.p_vaddr != 0;
    let vaddr = load.p_vaddr.wrapping_add(start.wrapping_sub(load.p_paddr));
    Some(ProgramHeader {
        p_offset: offset.saturating_add(start.saturating_sub(memory.start)),
        p_vaddr: if has_vaddr { vaddr } else { 0 },
        p_paddr: start,
        p_filesz,
        p_memsz,
        ..*load
    })
}

/// Page-sized places of the data that are remembered: more than are ever held back or on their way in one chunk.
const RECENT: u64 = 1024;

/// Writes an ELF core: headers, notes, and from the next page boundary on the pages.
///
/// All headers come before the pages, which come in the order of the file: what is past the end of a file that was cut off is
/// lost, and nothing else. A file is marked as incomplete from its first byte on, and is brought to stable storage
/// [early](HeadersFirst), and again before the mark is cleared. A stream gets each byte once: its `e_flags` come last.
#[derive(Debug)]
pub(super) struct ElfWriter<'a> {
    header: Header,
    page_size: PageSize,
    next_header: u64,
    headers_end: u64,
    /// Where the pages start.
    pages: u64,
    /// Where the next page of data goes if nothing is left out before it.
    next_data: u64,
    tables: Buffer<'a>,
    data: Buffer<'a>,
    is_stream: bool,
    headers_first: HeadersFirst,
    /// Pages put, and which of the last places have one: bit `place % RECENT`.
    saved: u64,
    recent: [u64; 16],
    /// The place after the last one of which is known what it has.
    noted: u64,
}

impl<'a> ElfWriter<'a> {
    /// Writes all that stands before the pages, but the program headers of memory: there will be `loads` of them.
    pub(super) fn begin(
        source: &Source<'a>,
        loads: u64,
        erased: &EraseInfo<'a>,
        buffers: (Buffer<'a>, Buffer<'a>),
        out: &mut dyn WriteAt,
    ) -> Result<Self, Error> {
        let (mut tables, mut data) = buffers;
        let is_stream = !out.can_rewrite();
        if is_stream {
            tables.limit(TABLES_RECORD);
            data.limit(DATA_RECORD);
        }
        let too_many = Error::Unsupported { field: vmcore_format::Field::EPhnum, value: loads };
        let phnum = u32::try_from(loads).ok().and_then(|loads| loads.checked_add(1)).ok_or(too_many)?;
        let mut header = Header::core(source.layout, source.e_machine, phnum);
        header.e_flags = source.e_flags;
        if header.has_section_header() && source.layout.class == Class::Bits32 {
            return Err(too_many);
        }
        // The log of erased data comes last, in place of the input's.
        let others = if erased.len() == 0 { source.notes.size()? } else { source.notes_before_log()? };
        let notes_len = others.saturating_add(erased.note_len()?);
        let notes = header.headers_len();
        let page = source.page_size.bytes();
        let pages = notes.saturating_add(notes_len).div_ceil(page).saturating_mul(page);
        let headers_end =
            header.headers_len().saturating_sub(u64::try_from(header.section_header_len()).unwrap_or(0));
        let mut writer = Self {
            header,
            page_size: source.page_size,
            next_header: header.e_phoff,
            headers_end,
            pages,
            next_data: pages,
            tables,
            data,
            is_stream,
            headers_first: HeadersFirst::new(out),
            saved: 0,
            recent: [0; 16],
            noted: 0,
        };
        writer.write_header(out)?;
        writer.write_section_header(out)?;
        let others_end = notes.saturating_add(others);
        let end = copy(&mut writer.tables, &source.notes, others, notes, out)?;
        writer.tables.zeros(end, others_end, out)?;
        let end = erased.write_note(&mut writer.tables, source.layout.endian, others_end, out)?;
        writer.tables.zeros(end, pages, out)?;
        let note = ProgramHeader {
            p_type: PT_NOTE,
            p_offset: notes,
            p_filesz: notes_len,
            p_memsz: notes_len,
            ..ProgramHeader::default()
        };
        writer.append_header(&note, out)?;
        Ok(writer)
    }

    /// Appends the program header of a stretch of memory; its `p_offset` counts from the start of the pages.
    pub(super) fn segment(&mut self, header: &ProgramHeader, out: &mut dyn WriteAt) -> Result<(), Error> {
        let p_offset = self.pages.saturating_add(header.p_offset);
        // Virtual addresses wrap where the machine's do.
        let p_vaddr = match self.header.layout.class {
            Class::Bits32 => header.p_vaddr & u64::from(u32::MAX),
            Class::Bits64 => header.p_vaddr,
        };
        self.append_header(&ProgramHeader { p_offset, p_vaddr, ..*header }, out)
    }

    /// Ends what stands before the pages.
    pub(super) fn begin_pages(&mut self, out: &mut dyn WriteAt) -> Result<(), Error> {
        self.tables.zeros(self.next_header, self.headers_end, out)?;
        self.tables.flush(out)?;
        self.headers_first.keep(0, out)
    }

    /// Writes the pages of a chunk, and zeros for what is left out before them.
    pub(super) fn commit(
        &mut self,
        chunk: &Chunk,
        encoded: &Encoded,
        bytes: &[u8],
        out: &mut dyn WriteAt,
    ) -> Result<(), Error> {
        let page = self.page_size.bytes();
        let Some(first) = chunk.pfns().next() else { return Ok(()) };
        let mut rest = bytes;
        // Bytes of `rest` that follow those that were written.
        let mut due = 0_usize;
        for (pfn, encoded) in chunk.pfns().zip(encoded.pages()) {
            let position = chunk.position.saturating_add(pfn.0.saturating_sub(first.0));
            let at = self.pages.saturating_add(position.saturating_mul(page));
            let EncodedPage::Data(_) = encoded else {
                rest = self.append(rest, &mut due, out)?;
                self.fill(at.saturating_add(page), out)?;
                continue;
            };
            if at != self.next_data.saturating_add(u64::try_from(due).unwrap_or(0)) {
                rest = self.append(rest, &mut due, out)?;
                self.fill(at, out)?;
            }
            self.note(position, true);
            due = due.saturating_add(self.page_size.len());
        }
        self.append(rest, &mut due, out)?;
        self.headers_first.keep(self.data.written(), out)
    }

    /// Appends the first `due` of `bytes` to the pages; the others.
    fn append<'b>(
        &mut self,
        bytes: &'b [u8],
        due: &mut usize,
        out: &mut dyn WriteAt,
    ) -> Result<&'b [u8], Error> {
        let (now, later) = bytes.split_at(mem::take(due).min(bytes.len()));
        self.data.put(self.next_data, now, out)?;
        self.next_data = self.next_data.saturating_add(u64::try_from(now.len()).unwrap_or(0));
        Ok(later)
    }

    /// Appends zeros up to offset `end`.
    fn fill(&mut self, end: u64, out: &mut dyn WriteAt) -> Result<(), Error> {
        for place in self.place(self.next_data)..self.place(end) {
            self.note(place, false);
        }
        self.data.zeros(self.next_data, end, out)?;
        self.next_data = end;
        Ok(())
    }

    /// Which page of the data stands at `offset`.
    fn place(&self, offset: u64) -> u64 {
        offset.saturating_sub(self.pages) >> self.page_size.shift()
    }

    /// Takes note of what is at a place of the data: a page, or nothing but filling.
    fn note(&mut self, place: u64, is_page: bool) {
        let at = place & RECENT.wrapping_sub(1);
        bits::clear(&mut self.recent, at..at.wrapping_add(1));
        if is_page {
            bits::set(&mut self.recent, at..at.wrapping_add(1));
            self.saved = self.saved.saturating_add(1);
        }
        self.noted = place.saturating_add(1);
    }

    /// Writes what is still held, then `e_flags`.
    pub(super) fn finish(&mut self, incomplete: bool, out: &mut dyn WriteAt) -> Result<(), Error> {
        self.data.flush(out)?;
        if !self.is_stream {
            sync(out)?;
        }
        if self.is_stream || !incomplete {
            self.write_flags(incomplete, out)?;
        }
        sync(out)
    }

    /// Writes what is still held of a dump that ends here.
    pub(super) fn abandon(&mut self, out: &mut dyn WriteAt) -> Result<(), Error> {
        let pages = self.data.flush_what_fits(out);
        // Places of which the output does not have all bytes.
        for place in self.place(self.data.start())..self.noted {
            let is_page = bits::is_set(&self.recent, place & RECENT.wrapping_sub(1));
            self.saved = self.saved.saturating_sub(u64::from(is_page));
        }
        let tables = self.tables.flush(out);
        let flags = if self.is_stream { self.write_flags(true, out) } else { Ok(()) };
        // Pages that do not fit hide no other failure.
        tables?;
        flags?;
        pages
    }

    /// The pages that are written, once the dump is finished or abandoned.
    pub(super) fn saved(&self) -> u64 {
        self.saved
    }

    /// Bytes handed to the output so far.
    pub(super) fn written(&self) -> u64 {
        self.tables.written().saturating_add(self.data.written())
    }

    fn append_header(&mut self, header: &ProgramHeader, out: &mut dyn WriteAt) -> Result<(), Error> {
        let mut bytes = [0; 56];
        let len = header.encode(self.header.layout, &mut bytes)?;
        let at = self.next_header;
        self.next_header = at.saturating_add(u64::try_from(len).unwrap_or(0));
        if self.next_header > self.headers_end {
            return Err(Error::Changed);
        }
        self.tables.put(at, bytes.get(..len).unwrap_or_default(), out)
    }

    /// Writes the ELF header; on a stream all of it but `e_flags`, where these may turn out to be others.
    fn write_header(&mut self, out: &mut dyn WriteAt) -> Result<(), Error> {
        let header = Header { e_flags: self.flags(true), ..self.header };
        let mut bytes = [0; 64];
        let len = header.encode(&mut bytes)?;
        let bytes = bytes.get(..len).unwrap_or_default();
        if self.is_stream && header.has_incomplete_flag() {
            let at = header.e_flags_offset();
            let parts = usize::try_from(at).ok().and_then(|at| bytes.split_at_checked(at));
            let (before, rest) = parts.unwrap_or_default();
            self.tables.put(0, before, out)?;
            return self.tables.put(at.saturating_add(4), rest.get(4..).unwrap_or_default(), out);
        }
        self.tables.put(0, bytes, out)
    }

    fn write_flags(&mut self, incomplete: bool, out: &mut dyn WriteAt) -> Result<(), Error> {
        if !self.header.has_incomplete_flag() {
            return Ok(());
        }
        let word = self.header.layout.endian.u32_bytes(self.flags(incomplete));
        self.tables.put(self.header.e_flags_offset(), &word, out)?;
        self.tables.flush(out)
    }

    fn flags(&self, incomplete: bool) -> u32 {
        let flags = self.header.e_flags;
        match (self.header.has_incomplete_flag(), incomplete) {
            (false, _) => flags,
            (true, false) => flags & !elf::INCOMPLETE,
            (true, true) => flags | elf::INCOMPLETE,
        }
    }

    fn write_section_header(&mut self, out: &mut dyn WriteAt) -> Result<(), Error> {
        let mut bytes = [0; 64];
        let len = self.header.encode_section_header(&mut bytes)?;
        self.tables.put(self.header.e_shoff, bytes.get(..len).unwrap_or_default(), out)
    }
}

#[cfg(test)]
mod tests {
    extern crate std;
    use super::*;
    use std::vec;
    use std::vec::Vec;
    use vmcore_format::Pfn;

    const PAGE: u64 = 0x1000;

    /// Every other page frame below `frames`, one extent each.
    fn extents(frames: u64) -> impl Iterator<Item = Extent> {
        (0..frames).step_by(2).map(|pfn| Extent {
            start: Pfn(pfn),
            data_end: Pfn(pfn + 1),
            end: Pfn(pfn + 1),
            position: pfn / 2,
        })
    }

    fn load(first: u64, frames: u64, p_vaddr: u64) -> ProgramHeader {
        let (p_paddr, p_memsz) = (first * PAGE, frames * PAGE);
        ProgramHeader { p_type: PT_LOAD, p_vaddr, p_paddr, p_memsz, ..ProgramHeader::default() }
    }

    /// The headers of all extents below `frames`, which come a second time as they came the first time.
    fn headers(loads: &[ProgramHeader], frames: u64) -> Vec<ProgramHeader> {
        let mut order = vec![0; loads.len()];
        let mut all = Loads::new(loads, &mut order, PageSize::KIB_4);
        let mut once = || {
            all.rewind();
            extents(frames).flat_map(|extent| all.program_headers(extent).collect::<Vec<_>>()).collect()
        };
        let headers: Vec<_> = once();
        assert_eq!(headers, once());
        headers
    }

    #[test]
    fn loads_inside_a_large_one_each_have_their_header() {
        const FRAMES: u64 = 400_000;
        let inner = (0..FRAMES / 2).map(|i| load(2 * i, 1, 0x1000));
        let loads: Vec<_> = [load(0, FRAMES, 0x7000)].into_iter().chain(inner).collect();
        let found = headers(&loads, FRAMES);
        assert_eq!(found.len() as u64, FRAMES);
        for (i, both) in found.chunks(2).enumerate() {
            let paddr = 2 * i as u64 * PAGE;
            assert!(both.iter().all(|header| (header.p_paddr, header.p_memsz) == (paddr, PAGE)));
            assert_eq!([both[0].p_vaddr, both[1].p_vaddr], [0x7000 + paddr, 0x1000]);
        }
    }

    #[test]
    fn loads_of_the_same_memory_take_no_more_headers_than_they_and_the_extents_are() {
        const FRAMES: u64 = 2000;
        // The further a load reaches, the later it stands in the file.
        let loads: Vec<_> = (0..1000).map(|i| load(0, FRAMES - 1000 + i, 1 + i)).collect();
        let found = headers(&loads, FRAMES);
        assert!(found.len() <= 1000 + MOST_CARRIED * 1000, "{}", found.len());
        // The first extent has them all, and each that the last load reaches has one.
        assert_eq!(found.iter().filter(|header| header.p_paddr == 0).count(), 1000);
        for extent in extents(FRAMES - 1) {
            let start = extent.start.0 * PAGE;
            assert!(found.iter().any(|header| header.p_paddr == start), "{start:#x}");
        }
    }
}
