//! The memory of the crashed machine, page frame by page frame.

use core::ops::Range;

use vmcore_format::{POISONED, PageSize, Pfn, PhysAddr};

mod elf;
mod kdump;
mod regions;

pub use elf::{ElfMemory, LoadIndex, LoadSlot};
pub use kdump::KdumpMemory;
pub use regions::Regions;

/// Why bytes of the crashed machine's memory cannot be had. A fault is data: the dump goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Fault {
    /// No memory is known at the address.
    Hole,
    /// The memory was there and was left out when this dump was made.
    Excluded,
    /// The page was to be dumped and is damaged or missing in the file (its descriptor or its data are broken).
    Lost,
    /// The hardware reports the memory as broken: to read it again may stop the machine.
    Poison,
    /// The embedder's own code for a failed read.
    Code(i32),
}

/// What the code of a failed read of the input means.
const fn fault_of_code(code: i32) -> Fault {
    match code {
        POISONED => Fault::Poison,
        code => Fault::Code(code),
    }
}

/// Bytes of the crashed machine, by physical address.
///
/// Reads take `&mut self`: a reader may keep a page it decompressed. Threads use one reader each, over the same file.
///
/// A read of several pages that fails says nothing about which of them can be read: they are read one by one then. Who reads memory
/// that may be poisoned, remembers where it is, and answers the second time without reading.
pub trait PhysMemory {
    /// The page size of the crashed machine.
    fn page_size(&self) -> PageSize;

    /// Fills `buf` with the bytes at `addr`; `buf` may span pages.
    ///
    /// Bytes of a page frame that only partly holds memory read as zero outside it.
    ///
    /// # Errors
    /// The first fault among the pages touched; `buf` is then unspecified.
    fn read(&mut self, addr: PhysAddr, buf: &mut [u8]) -> Result<(), Fault>;

    /// The bytes at `addr` in place, where memory is mapped and the range is contiguous there.
    fn view(&self, _addr: PhysAddr, _len: usize) -> Option<&[u8]> {
        None
    }

    /// The first run of page frames at or above `from` that the machine had, readable or not; `None` when there
    /// are no more. Neighbouring runs may come in pieces, never twice.
    ///
    /// # Errors
    /// A fault when the table of frames itself cannot be read.
    fn next_known(&mut self, from: Pfn) -> Result<Option<Range<Pfn>>, Fault>;

    /// As [`next_known`](Self::next_known), for the page frames whose bytes are there to be read.
    ///
    /// # Errors
    /// A fault when the table of frames itself cannot be read.
    fn next_held(&mut self, from: Pfn) -> Result<Option<Range<Pfn>>, Fault> {
        self.next_known(from)
    }
}
