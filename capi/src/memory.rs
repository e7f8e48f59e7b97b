//! The memory of the crashed machine, whatever it is read from.

use core::ffi::c_void;
use core::ops::Range;

use page_filter::codec::DecodeScratch;
use page_filter::{ElfMemory, Fault, KdumpMemory, LoadSlot, PhysMemory, Regions};
use vmcore_format::kdump::{KdumpFile, Part};
use vmcore_format::{PageSize, Pfn, PhysAddr, ReadAt};

use crate::callback::{kcap_phys_memory, phys_memory};
use crate::elf::kcap_elf_core;
use crate::error::{answer, kcap_error};
use crate::kdump::{INDEX, kcap_kdump, reopen};
use crate::machine::{self, kcap_pfn_range};
use crate::ptr::{self, Work, room};
use crate::status::{Failure, KCAP_END, KCAP_ERR_CORRUPT, kcap_status};

/// Bytes of the crashed machine, by physical address: of an ELF core, of a kdump-compressed file, of regions of the
/// caller's own memory, or of the caller's callbacks.
///
/// One thread at a time; every thread makes one of its own, by `kcap_memory_init_again`.
#[derive(Debug)]
pub struct kcap_memory {
    of: Memory,
}

#[derive(Debug)]
#[expect(clippy::large_enum_variant, reason = "the caller's memory has room for any")]
enum Memory {
    Elf(Input, ElfMemory<'static>),
    Kdump { memory: KdumpMemory<'static>, gaps: bool },
    Regions(Regions<'static>),
    Callbacks(kcap_phys_memory),
}

#[derive(Clone, Copy)]
struct Input(&'static dyn ReadAt);

impl core::fmt::Debug for Input {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("Input")
    }
}

impl kcap_memory {
    fn get(&self) -> &dyn PhysMemory {
        match &self.of {
            Memory::Elf(_, memory) => memory,
            Memory::Kdump { memory, .. } => memory,
            Memory::Regions(memory) => memory,
            Memory::Callbacks(memory) => memory,
        }
    }

    fn get_mut(&mut self) -> &mut dyn PhysMemory {
        match &mut self.of {
            Memory::Elf(_, memory) => memory,
            Memory::Kdump { memory, .. } => memory,
            Memory::Regions(memory) => memory,
            Memory::Callbacks(memory) => memory,
        }
    }
}

impl PhysMemory for kcap_memory {
    fn page_size(&self) -> PageSize {
        self.get().page_size()
    }

    fn read(&mut self, addr: PhysAddr, buf: &mut [u8]) -> Result<(), Fault> {
        self.get_mut().read(addr, buf)
    }

    fn view(&self, addr: PhysAddr, len: usize) -> Option<&[u8]> {
        self.get().view(addr, len)
    }

    fn next_known(&mut self, from: Pfn) -> Result<Option<Range<Pfn>>, Fault> {
        self.get_mut().next_known(from)
    }

    fn next_held(&mut self, from: Pfn) -> Result<Option<Range<Pfn>>, Fault> {
        self.get_mut().next_held(from)
    }
}

/// The size of a `kcap_memory`, in bytes.
#[unsafe(no_mangle)]
pub extern "C" fn kcap_memory_size() -> usize {
    size_of::<kcap_memory>()
}

/// What the address of a `kcap_memory` must be a multiple of.
#[unsafe(no_mangle)]
pub extern "C" fn kcap_memory_align() -> usize {
    align_of::<kcap_memory>()
}

/// The memory that `kcap_memory_init_elf` needs for `core`, in bytes; 0 for NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kcap_memory_elf_work(core: *const kcap_elf_core) -> usize {
    ptr::get(core).map_or(0, |core| room::<LoadSlot>(core.core.loads().len()))
}

/// The memory that `core` holds, in the `memory_len` bytes at `memory`. Where `PT_LOAD`s overlap the first in file order counts;
/// bytes of a page that no `PT_LOAD` has read as zero if it has others.
///
/// `page_size` is the page size of the crashed machine (`kcap_source_facts` has it). `work`, of `work_len` bytes (see
/// `kcap_memory_elf_work`) and aligned to 8, and the input and table of `core` are used for as long as the object is; `core` itself
/// is not. `error` may be NULL.
///
/// Errors: `KCAP_ERR_BUFFER_TOO_SMALL` (bytes for `memory`, or for `work`), `KCAP_ERR_INVALID` (page size), `KCAP_ERR_NULL`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kcap_memory_init_elf(
    memory: *mut kcap_memory,
    memory_len: usize,
    core: *const kcap_elf_core,
    page_size: u64,
    work: *mut c_void,
    work_len: usize,
    error: *mut kcap_error,
) -> kcap_status {
    answer(error, || {
        let place = ptr::object(memory, memory_len)?;
        let core = ptr::get(core)?.core;
        let page_size = machine::page_size(page_size)?;
        let loads = core.loads();
        let mut work = Work::new(work, work_len, room::<LoadSlot>(loads.len()))?;
        let slots = work.table(loads.len(), LoadSlot::default())?;
        let memory = ElfMemory::new(core.input(), loads, slots, page_size)?;
        place.put(kcap_memory { of: Memory::Elf(Input(core.input()), memory) });
        Ok(())
    })
}

/// The pages that are kept, and one as the file has it. Miri takes a second to clear so many, byte by byte.
const PAGES: usize = if cfg!(miri) { 3 } else { 17 };

/// The least and the best memory for a reader of `file`.
fn kdump_work(file: &KdumpFile<'static>) -> (usize, usize) {
    let page = file.page_size().len();
    let tables = room::<Part<'static>>(file.parts().len()).saturating_add(room::<DecodeScratch>(1));
    let least = tables.saturating_add(page.saturating_mul(2));
    (least, tables.saturating_add(page.saturating_mul(PAGES)).saturating_add(room::<u64>(INDEX)))
}

/// A reader of `file`'s files, in `work`.
fn kdump_memory(
    file: &KdumpFile<'static>,
    gaps: bool,
    work: *mut c_void,
    work_len: usize,
) -> Result<kcap_memory, Failure> {
    let mut work = Work::new(work, work_len, kdump_work(file).0)?;
    let page = file.page_size().len();
    let decode = work.one(DecodeScratch::new())?;
    let tables = room::<Part<'static>>(file.parts().len());
    let pages = work.left().saturating_sub(tables).checked_div(page).unwrap_or(0).min(PAGES);
    let buffer = work.table(pages.saturating_mul(page), 0_u8)?;
    let file = reopen(file, gaps, &mut work)?;
    let memory = KdumpMemory::new(file, decode, buffer)?;
    Ok(kcap_memory { of: Memory::Kdump { memory, gaps } })
}

/// The memory that `kcap_memory_init_kdump` is best given for `kdump`, in bytes; 0 for NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kcap_memory_kdump_work(kdump: *const kcap_kdump) -> usize {
    ptr::get(kdump).map_or(0, |kdump| kdump_work(&kdump.file).1)
}

/// The memory that `kdump` holds, in the `memory_len` bytes at `memory`.
///
/// `work`, of `work_len` bytes (see `kcap_memory_kdump_work`) and aligned to 8, and the inputs of `kdump` are used for as long as the
/// object is; `kdump` itself is not. `error` may be NULL.
///
/// Errors: `KCAP_ERR_BUFFER_TOO_SMALL` (bytes for `memory`; for `work`, at the least), those of `kcap_kdump_init`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kcap_memory_init_kdump(
    memory: *mut kcap_memory,
    memory_len: usize,
    kdump: *const kcap_kdump,
    work: *mut c_void,
    work_len: usize,
    error: *mut kcap_error,
) -> kcap_status {
    answer(error, || {
        let place = ptr::object(memory, memory_len)?;
        let kdump = ptr::get(kdump)?;
        place.put(kdump_memory(&kdump.file, kdump.gaps(), work, work_len)?);
        Ok(())
    })
}

/// Memory of the crashed machine that lies in the caller's own.
#[derive(Debug, Clone, Copy)]
#[repr(C)]
pub struct kcap_memory_region {
    /// The physical address of the first byte.
    pub start: u64,
    /// The bytes. May be NULL if `len` is 0.
    pub bytes: *const u8,
    /// The number of bytes.
    pub len: usize,
}

type RegionSlot = (PhysAddr, &'static [u8]);

/// The memory that `kcap_memory_init_regions` needs for `count` regions, in bytes.
#[unsafe(no_mangle)]
pub extern "C" fn kcap_memory_regions_work(count: usize) -> usize {
    room::<RegionSlot>(count)
}

/// The memory that the `count` regions at `regions` are, in the `memory_len` bytes at `memory`: a hypervisor's guest, a
/// firmware's system. They stand in ascending order and do not overlap. Bytes of a page that no region has read as zero if it
/// has others.
///
/// `work`, of `work_len` bytes (see `kcap_memory_regions_work`) and aligned to 8, and the regions' bytes are used for as long as the
/// object is; `regions` itself is not. `error` may be NULL.
///
/// Errors: `KCAP_ERR_BUFFER_TOO_SMALL` (bytes for `memory`, or for `work`), `KCAP_ERR_INVALID` (page size),
/// `KCAP_ERR_CORRUPT` (the regions' order), `KCAP_ERR_NULL`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kcap_memory_init_regions(
    memory: *mut kcap_memory,
    memory_len: usize,
    regions: *const kcap_memory_region,
    count: usize,
    page_size: u64,
    work: *mut c_void,
    work_len: usize,
    error: *mut kcap_error,
) -> kcap_status {
    answer(error, || {
        let place = ptr::object(memory, memory_len)?;
        let regions = ptr::slice(regions, count)?;
        let page_size = machine::page_size(page_size)?;
        let mut work = Work::new(work, work_len, room::<RegionSlot>(count))?;
        let table = work.table::<RegionSlot>(count, (PhysAddr(0), &[]))?;
        for (slot, region) in table.iter_mut().zip(regions) {
            *slot = (PhysAddr(region.start), ptr::slice(region.bytes, region.len)?);
        }
        let order = Failure { field: "regions", ..KCAP_ERR_CORRUPT.into() };
        let regions = Regions::new(table, page_size).ok_or(order)?;
        place.put(kcap_memory { of: Memory::Regions(regions) });
        Ok(())
    })
}

/// The memory that the caller's `callbacks` read, which are copied, in the `memory_len` bytes at `memory`. `error` may be
/// NULL.
///
/// Errors: `KCAP_ERR_BUFFER_TOO_SMALL`, `KCAP_ERR_INVALID` (page size), `KCAP_ERR_NULL`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kcap_memory_init_callbacks(
    memory: *mut kcap_memory,
    memory_len: usize,
    callbacks: *const kcap_phys_memory,
    error: *mut kcap_error,
) -> kcap_status {
    answer(error, || {
        let place = ptr::object(memory, memory_len)?;
        let callbacks = phys_memory(callbacks)?;
        machine::page_size(callbacks.page_size)?;
        place.put(kcap_memory { of: Memory::Callbacks(callbacks) });
        Ok(())
    })
}

/// The memory that `kcap_memory_init_again` is best given for `memory`, in bytes: 0 but for kdump-compressed files.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kcap_memory_again_work(memory: *const kcap_memory) -> usize {
    match ptr::get(memory) {
        Ok(kcap_memory { of: Memory::Kdump { memory, .. } }) => kdump_work(memory.file()).1,
        _ => 0,
    }
}

/// Another reader of what `other` reads, for another thread, in the `memory_len` bytes at `memory`.
///
/// `work`, of `work_len` bytes (see `kcap_memory_again_work`) and aligned to 8, and what `other` was made from are used for as long as
/// the object is; `other` itself is not (but the `work` of one that reads an ELF core or regions is). `error` may be NULL.
///
/// Errors: `KCAP_ERR_BUFFER_TOO_SMALL` (bytes for `memory`; for `work`, at the least), those of `kcap_kdump_init`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kcap_memory_init_again(
    memory: *mut kcap_memory,
    memory_len: usize,
    other: *const kcap_memory,
    work: *mut c_void,
    work_len: usize,
    error: *mut kcap_error,
) -> kcap_status {
    answer(error, || {
        let place = ptr::object(memory, memory_len)?;
        let again = match &ptr::get(other)?.of {
            Memory::Elf(input, memory) => {
                let again = ElfMemory::with_index(input.0, memory.index());
                kcap_memory { of: Memory::Elf(*input, again) }
            }
            Memory::Kdump { memory, gaps } => kdump_memory(memory.file(), *gaps, work, work_len)?,
            Memory::Regions(regions) => kcap_memory { of: Memory::Regions(*regions) },
            Memory::Callbacks(callbacks) => kcap_memory { of: Memory::Callbacks(*callbacks) },
        };
        place.put(again);
        Ok(())
    })
}

/// The page size of the crashed machine in bytes; 0 for NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kcap_memory_page_size(memory: *const kcap_memory) -> u64 {
    ptr::get(memory).map_or(0, |memory| memory.page_size().bytes())
}

/// The page frame after the highest one that `memory` has: of an ELF core and of regions; `max_mapnr` of a kdump-compressed file.
/// 0 where only asking tells it, of the caller's callbacks, and for NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kcap_memory_end(memory: *const kcap_memory) -> u64 {
    match ptr::get(memory).map(|memory| &memory.of) {
        Ok(Memory::Elf(_, memory)) => memory.index().end().0,
        Ok(Memory::Regions(memory)) => memory.end().0,
        Ok(Memory::Kdump { memory, .. }) => memory.file().max_mapnr(),
        _ => 0,
    }
}

/// Fills the `len` bytes at `buf` with the bytes at physical address `addr`; they may span pages. What `buf` holds after an
/// error is unspecified. `error` may be NULL.
///
/// Errors, of the first page that has one: `KCAP_ERR_HOLE`, `KCAP_ERR_EXCLUDED`, `KCAP_ERR_LOST`, `KCAP_ERR_IO`;
/// `KCAP_ERR_NULL`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kcap_memory_read(
    memory: *mut kcap_memory,
    addr: u64,
    buf: *mut u8,
    len: usize,
    error: *mut kcap_error,
) -> kcap_status {
    answer(error, || {
        let memory = ptr::get_mut(memory)?;
        Ok(memory.read(PhysAddr(addr), ptr::slice_mut(buf, len)?)?)
    })
}

/// The `len` bytes at physical address `addr` in place, until the next use of `memory`; NULL where they are not in memory, or
/// not together: read them then.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kcap_memory_bytes(memory: *const kcap_memory, addr: u64, len: usize) -> *const u8 {
    let memory = ptr::get(memory).ok();
    memory
        .and_then(|memory| memory.view(PhysAddr(addr), len))
        .map_or(core::ptr::null(), |bytes| bytes.as_ptr())
}

/// Writes the first run of page frames at or above `from` that the machine had, readable or not, to `run`. Neighbouring runs
/// may come in pieces, never twice. `error` may be NULL.
///
/// Errors: `KCAP_END` if there are no more; those of `kcap_memory_read` if the table of page frames cannot be read;
/// `KCAP_ERR_NULL`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kcap_memory_next_known(
    memory: *mut kcap_memory,
    from: u64,
    run: *mut kcap_pfn_range,
    error: *mut kcap_error,
) -> kcap_status {
    answer(error, || {
        let memory = ptr::get_mut(memory)?;
        let place = ptr::out(run)?;
        place.put(memory.next_known(Pfn(from))?.ok_or(KCAP_END)?.into());
        Ok(())
    })
}

/// As `kcap_memory_next_known`, for the page frames whose bytes are there to be read.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kcap_memory_next_held(
    memory: *mut kcap_memory,
    from: u64,
    run: *mut kcap_pfn_range,
    error: *mut kcap_error,
) -> kcap_status {
    answer(error, || {
        let memory = ptr::get_mut(memory)?;
        let place = ptr::out(run)?;
        place.put(memory.next_held(Pfn(from))?.ok_or(KCAP_END)?.into());
        Ok(())
    })
}

#[cfg(test)]
mod tests;
