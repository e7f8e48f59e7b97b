//! The memory of a crashed machine in an ELF core: `/proc/vmcore`, QEMU's `dump-guest-memory`, our own output.

use core::fmt;
use core::ops::Range;

use sha2::{Digest as _, Sha256};
use vmcore_format::elf::ProgramHeader;
use vmcore_format::{Error, PageSize, Pfn, PhysAddr, ReadAt, sort_by_key};

use super::{Fault, PhysMemory, fault_of_code};

mod stretches;

/// A `PT_LOAD` in a [`LoadIndex`]: caller's memory.
///
/// Slots stand in the order of `p_paddr`, those with the same one in file order.
#[derive(Debug, Clone, Copy, Default)]
pub struct LoadSlot {
    /// `p_paddr`.
    start: u64,
    /// End of the bytes that the file holds.
    held_end: u64,
    /// The highest `held_end` of the slots up to this one.
    held_max: u64,
    /// The highest end of memory (`p_memsz`) of the slots up to this one.
    known_max: u64,
    /// The highest end of what the file should hold (`p_filesz`) of the slots up to this one.
    promised_max: u64,
    /// Number of the `PT_LOAD` in the file.
    load: u32,
    /// While the index is made: a slot, as an element of a heap.
    waits: u32,
    /// Two of the stretches of memory: there are up to twice as many as slots.
    stretches: [Stretch; 2],
}

/// Where the bytes come from, up to the next stretch.
#[derive(Debug, Clone, Copy, Default)]
struct Stretch {
    start: u64,
    /// The slot whose bytes they are, [`NOWHERE`] if none has them.
    slot: u32,
}

/// No slot: there are fewer.
const NOWHERE: u32 = u32::MAX;

/// A stretch of physical memory with one answer to "where are these bytes?".
#[derive(Debug, Clone, Copy)]
struct Piece {
    /// Addresses, in bytes.
    range: (u64, u64),
    /// File offset of the first byte; `None` where no byte is held.
    offset: Option<u64>,
}

/// Where the bytes of memory are in an ELF core: nothing but numbers, shared by the readers of all threads.
///
/// * `PT_LOAD`s may overlap and stand in any order: where two hold a byte, the first in file order gives it.
/// * A page frame is held if the file holds any byte of it; its other bytes read as zero.
/// * The tail of a `PT_LOAD` with `p_filesz < p_memsz` is known and not held: [`Fault::Excluded`].
/// * A page frame that lies past the end of a truncated file, wholly or in part, is known and not held:
///   [`Fault::Lost`].
#[derive(Debug, Clone, Copy)]
pub struct LoadIndex<'a> {
    loads: &'a [ProgramHeader],
    slots: &'a [LoadSlot],
    /// The number of [`Stretch`]es.
    stretches: usize,
    page_size: PageSize,
    truncated: bool,
}

impl<'a> LoadIndex<'a> {
    /// The index of `loads`, which takes one of `slots` for each. `file_len` is the size of the file in bytes, where it
    /// is known.
    ///
    /// Memory past the end of the 64-bit address space is cut off.
    ///
    /// # Errors
    /// [`Error::BufferTooSmall`] with the number of slots needed.
    pub fn new(
        loads: &'a [ProgramHeader],
        slots: &'a mut [LoadSlot],
        page_size: PageSize,
        file_len: Option<u64>,
    ) -> Result<Self, Error> {
        let needed = u64::try_from(loads.len()).unwrap_or(u64::MAX);
        let slots = slots.get_mut(..loads.len()).ok_or(Error::BufferTooSmall { needed })?;
        let file_end = file_len.unwrap_or(u64::MAX);
        let mut truncated = false;
        for ((slot, load), number) in slots.iter_mut().zip(loads).zip(0..) {
            let start = load.p_paddr;
            let mut held_end = start.saturating_add(load.p_filesz);
            if load.p_offset.saturating_add(load.p_filesz) > file_end {
                truncated = true;
                let there = start.saturating_add(file_end.saturating_sub(load.p_offset));
                let in_page = page_size.offset_in_page(PhysAddr(there));
                held_end = there.saturating_sub(in_page).max(start);
            }
            let known_end = start.saturating_add(load.p_memsz.max(load.p_filesz));
            let reach = |end: u64| if end > start { end } else { 0 };
            let (held_max, known_max) = (reach(held_end), reach(known_end));
            let promised_max = reach(start.saturating_add(load.p_filesz));
            *slot = LoadSlot {
                start,
                held_end,
                held_max,
                known_max,
                promised_max,
                load: number,
                ..LoadSlot::default()
            };
        }
        sort_by_key(slots, |slot| (slot.start, slot.load));
        let (mut held_max, mut known_max, mut promised_max) = (0, 0, 0);
        for slot in &mut *slots {
            held_max = slot.held_max.max(held_max);
            known_max = slot.known_max.max(known_max);
            promised_max = slot.promised_max.max(promised_max);
            (slot.held_max, slot.known_max, slot.promised_max) = (held_max, known_max, promised_max);
        }
        let stretches = stretches::lay_out(slots);
        Ok(Self { loads, slots, stretches, page_size, truncated })
    }

    /// The end of memory: the frame after the highest one.
    #[must_use]
    pub fn end(&self) -> Pfn {
        let end = self.slots.last().map_or(0, |slot| slot.known_max);
        self.page_size.frame_above(PhysAddr(end))
    }

    /// Whether the file ends before the data that its program headers promise.
    #[must_use]
    pub fn truncated(&self) -> bool {
        self.truncated
    }

    /// The SHA-256 of the memory that the `PT_LOAD`s name, to compare with
    /// [`MapVersion::sha256`](vmcore_format::note::MapVersion::sha256). They agree in what a capture kernel makes of the header; a
    /// dump that was filtered since may name less.
    #[must_use]
    pub fn memory_sha256(&self) -> [u8; 32] {
        let spans = self.slots.iter().filter_map(|slot| {
            let load = usize::try_from(slot.load).ok().and_then(|load| self.loads.get(load))?;
            let end = load.p_paddr.saturating_add(load.p_memsz);
            (end > load.p_paddr).then_some((load.p_paddr, end))
        });
        let mut spans = spans.peekable();
        let mut hash = Sha256::new();
        while let Some((start, mut end)) = spans.next() {
            while let Some((_, next)) = spans.next_if(|(next, _)| *next <= end) {
                end = end.max(next);
            }
            hash.update(start.to_le_bytes());
            hash.update(end.to_le_bytes());
        }
        hash.finalize().into()
    }

    /// The stretch around `addr` that starts at or below it and ends above it.
    fn piece_at(&self, addr: u64) -> Piece {
        let next = stretches::first_after(self.slots, self.stretches, addr);
        let end = stretches::get(self.slots, next).filter(|_| next < self.stretches);
        let end = end.map_or(u64::MAX, |stretch| stretch.start);
        let Some(Stretch { start, slot }) =
            next.checked_sub(1).and_then(|last| stretches::get(self.slots, last))
        else {
            return Piece { range: (0, end), offset: None };
        };
        let Some(slot) = usize::try_from(slot).ok().and_then(|slot| self.slots.get(slot)) else {
            return Piece { range: (start, end), offset: None };
        };
        let load = usize::try_from(slot.load).ok().and_then(|load| self.loads.get(load));
        let offset = load.and_then(|load| load.p_offset.checked_add(addr.wrapping_sub(slot.start)));
        Piece { range: (addr, end), offset }
    }

    /// The first frame touched by `len` bytes at `addr` of which `gap` leaves no byte.
    fn missing_frame(&self, addr: u64, len: u64, gap: (u64, u64)) -> Option<Pfn> {
        let page = self.page_size.bytes();
        let first = addr.wrapping_sub(self.page_size.offset_in_page(PhysAddr(addr)));
        // If the second page touched is not wholly in the gap, none after it is.
        [Some(first), first.checked_add(page).filter(|&second| second.wrapping_sub(addr) < len)]
            .into_iter()
            .flatten()
            .find(|&start| start >= gap.0 && start.saturating_add(page) <= gap.1)
            .map(|start| self.page_size.frame_of(PhysAddr(start)))
    }

    /// Why no byte of `pfn` is there.
    fn fault_of(&self, pfn: Pfn) -> Fault {
        let known = self.run(pfn, |slot| slot.known_max);
        if known.is_none_or(|run| run.start != pfn) {
            return Fault::Hole;
        }
        let promised = self.run(pfn, |slot| slot.promised_max).is_some_and(|run| run.start == pfn);
        if self.truncated && promised { Fault::Lost } else { Fault::Excluded }
    }

    /// The first run of frames at or above `from`, where `max` gives the end that the slots up to one reach.
    ///
    /// The first slot whose `max` passes `from` reaches that far itself, and all after it start no earlier: what it
    /// covers is a run, and the next one is found from its end.
    fn run(&self, from: Pfn, max: impl Fn(&LoadSlot) -> u64) -> Option<Range<Pfn>> {
        let end_of = |slot: &LoadSlot| self.page_size.frame_above(PhysAddr(max(slot)));
        let slot = self.slots.get(self.slots.partition_point(|slot| end_of(slot) <= from))?;
        Some(from.max(self.page_size.frame_of(PhysAddr(slot.start)))..end_of(slot))
    }
}

/// [`PhysMemory`] over the `PT_LOAD`s of an ELF core; see [`LoadIndex`] for what is read where.
pub struct ElfMemory<'a> {
    file: &'a dyn ReadAt,
    index: LoadIndex<'a>,
    /// Sequential reads stay in one piece for long.
    last: Piece,
}

impl<'a> ElfMemory<'a> {
    /// The memory that `loads` describe in `file`. `slots` needs one for each of `loads`.
    ///
    /// # Errors
    /// Those of [`LoadIndex::new`].
    pub fn new(
        file: &'a dyn ReadAt,
        loads: &'a [ProgramHeader],
        slots: &'a mut [LoadSlot],
        page_size: PageSize,
    ) -> Result<Self, Error> {
        Ok(Self::with_index(file, LoadIndex::new(loads, slots, page_size, file.size())?))
    }

    /// A reader of `file`, whose index is known: each thread has one.
    #[must_use]
    pub fn with_index(file: &'a dyn ReadAt, index: LoadIndex<'a>) -> Self {
        Self { file, index, last: Piece { range: (0, 0), offset: None } }
    }

    /// The index, for readers on other threads.
    #[must_use]
    pub fn index(&self) -> LoadIndex<'a> {
        self.index
    }
}

impl PhysMemory for ElfMemory<'_> {
    fn page_size(&self) -> PageSize {
        self.index.page_size
    }

    fn read(&mut self, addr: PhysAddr, mut buf: &mut [u8]) -> Result<(), Fault> {
        let mut addr = addr.0;
        while !buf.is_empty() {
            if !(self.last.range.0..self.last.range.1).contains(&addr) {
                self.last = self.index.piece_at(addr);
            }
            let Piece { range, offset } = self.last;
            let left = usize::try_from(range.1.saturating_sub(addr)).unwrap_or(usize::MAX);
            let (part, rest) = buf.split_at_mut(left.min(buf.len()));
            let len = u64::try_from(part.len()).map_err(|_| Fault::Hole)?;
            // The last byte of the address space belongs to no piece.
            let end = addr.checked_add(len).filter(|&end| end > addr).ok_or(Fault::Hole)?;
            if let Some(offset) = offset {
                let offset = offset.saturating_add(addr.wrapping_sub(range.0));
                self.file.read_at(offset, part).map_err(fault_of_code)?;
            } else if let Some(pfn) = self.index.missing_frame(addr, len, range) {
                return Err(self.index.fault_of(pfn));
            } else {
                part.fill(0);
            }
            addr = end;
            buf = rest;
        }
        Ok(())
    }

    fn next_known(&mut self, from: Pfn) -> Result<Option<Range<Pfn>>, Fault> {
        Ok(self.index.run(from, |slot| slot.known_max))
    }

    fn next_held(&mut self, from: Pfn) -> Result<Option<Range<Pfn>>, Fault> {
        Ok(self.index.run(from, |slot| slot.held_max))
    }
}

impl fmt::Debug for ElfMemory<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ElfMemory").field("index", &self.index).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
