//! ELF cores: `/proc/vmcore`, and what gdb, QEMU and makedumpfile -E write.

use core::ffi::c_void;

use vmcore_format::elf::{ElfCore, ProgramHeader};
use vmcore_format::{Class, Endian};

use crate::callback::{kcap_read_at, reader};
use crate::error::{answer, kcap_error};
use crate::ptr::{self, Growing};
use crate::status::{Failure, KCAP_ERR_NOT_FOUND, kcap_status};

/// An ELF core, read in place. It keeps its input, and the memory for its program headers.
///
/// Threads may use one object at once: nothing of it changes after its init.
#[derive(Debug)]
pub struct kcap_elf_core {
    pub(crate) core: ElfCore<'static>,
}

/// The size of a `kcap_elf_core`, in bytes.
#[unsafe(no_mangle)]
pub extern "C" fn kcap_elf_core_size() -> usize {
    size_of::<kcap_elf_core>()
}

/// What the address of a `kcap_elf_core` must be a multiple of.
#[unsafe(no_mangle)]
pub extern "C" fn kcap_elf_core_align() -> usize {
    align_of::<kcap_elf_core>()
}

/// Opens the ELF core that `input` holds, in the `core_len` bytes at `core`.
///
/// `table`, of `table_len` bytes and aligned to 8, takes the `PT_LOAD`s: 64 bytes do for each. `input` and `table` are used for as
/// long as `core` is. A file that ends before its data does still opens. `error` may be NULL.
///
/// Errors: `KCAP_ERR_BUFFER_TOO_SMALL` (`value`: bytes for `core`, or for `table`), `KCAP_ERR_CORRUPT`,
/// `KCAP_ERR_UNSUPPORTED` (no core, unknown class or byte order), `KCAP_ERR_IO`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kcap_elf_core_init(
    core: *mut kcap_elf_core,
    core_len: usize,
    input: *const kcap_read_at,
    table: *mut c_void,
    table_len: usize,
    error: *mut kcap_error,
) -> kcap_status {
    answer(error, || {
        let place = ptr::object(core, core_len)?;
        let table = ptr::table(table, table_len, ProgramHeader::default())?;
        let core = ElfCore::open(reader(input)?, table)
            .map_err(|error| Failure::from(error).in_entries_of::<ProgramHeader>())?;
        place.put(kcap_elf_core { core });
        Ok(())
    })
}

/// What the header of an ELF core says. Set `size` before the call.
#[derive(Debug, Clone, Copy)]
#[repr(C)]
pub struct kcap_elf_header {
    /// `sizeof(kcap_elf_header)`.
    pub size: usize,
    /// The byte order of the file: 1 for big-endian, 0 for little-endian.
    pub big_endian: u32,
    /// The bits of an address in the file: 32 or 64.
    pub bits: u32,
    /// `e_machine`, a `KCAP_EM_` number.
    pub e_machine: u32,
    /// `e_flags`.
    pub e_flags: u32,
    /// The number of program headers, `PN_XNUM` resolved.
    pub phnum: u32,
    /// The number of `PT_LOAD`s.
    pub load_count: u32,
    /// The first physical address above all memory, in bytes.
    pub memory_end: u64,
    /// Bytes of `PT_LOAD`s that the headers announce and the file no longer holds.
    pub missing_bytes: u64,
}

// SAFETY: `repr(C)`, begins with a `usize`, holds nothing but integers.
unsafe impl Growing for kcap_elf_header {}

/// Writes what the header of `core` says to `header`, whose `size` is set.
///
/// Errors: `KCAP_ERR_NULL`, `KCAP_ERR_LENGTH`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kcap_elf_core_get_header(
    core: *const kcap_elf_core,
    header: *mut kcap_elf_header,
) -> kcap_status {
    answer(core::ptr::null_mut(), || {
        let core = &ptr::get(core)?.core;
        let found = core.header();
        ptr::out_growing(header)?.put(&kcap_elf_header {
            size: 0,
            big_endian: u32::from(found.layout.endian == Endian::Big),
            bits: if found.layout.class == Class::Bits64 { 64 } else { 32 },
            e_machine: found.e_machine.into(),
            e_flags: found.e_flags,
            phnum: found.phnum,
            load_count: u32::try_from(core.loads().len()).unwrap_or(u32::MAX),
            memory_end: core.memory_end(),
            missing_bytes: core.missing_bytes(),
        });
        Ok(())
    })
}

/// A program header, of class 32 or 64 and of any byte order.
#[derive(Debug, Clone, Copy, Default)]
#[repr(C)]
pub struct kcap_program_header {
    /// `p_type`: 1 for `PT_LOAD`, 4 for `PT_NOTE`.
    pub p_type: u32,
    /// `p_flags`: `PF_` bits.
    pub p_flags: u32,
    /// Where the segment's bytes start in the file.
    pub p_offset: u64,
    /// The kernel virtual address of the first byte; 0 in dumps of firmware and hypervisors.
    pub p_vaddr: u64,
    /// The physical address of the first byte.
    pub p_paddr: u64,
    /// Bytes of the segment in the file.
    pub p_filesz: u64,
    /// Bytes of the segment in memory; those past `p_filesz` were left out of the file.
    pub p_memsz: u64,
    /// Alignment in bytes; 0 and 1 mean none.
    pub p_align: u64,
}

impl From<&ProgramHeader> for kcap_program_header {
    fn from(phdr: &ProgramHeader) -> Self {
        Self {
            p_type: phdr.p_type,
            p_flags: phdr.p_flags,
            p_offset: phdr.p_offset,
            p_vaddr: phdr.p_vaddr,
            p_paddr: phdr.p_paddr,
            p_filesz: phdr.p_filesz,
            p_memsz: phdr.p_memsz,
            p_align: phdr.p_align,
        }
    }
}

/// Writes `PT_LOAD` number `index` of `core`, in file order and from 0, to `load`.
///
/// Errors: `KCAP_ERR_NOT_FOUND` past the last one, `KCAP_ERR_NULL`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kcap_elf_core_get_load(
    core: *const kcap_elf_core,
    index: usize,
    load: *mut kcap_program_header,
) -> kcap_status {
    answer(core::ptr::null_mut(), || {
        let core = &ptr::get(core)?.core;
        let place = ptr::out(load)?;
        let found = core.loads().get(index).ok_or(KCAP_ERR_NOT_FOUND)?;
        place.put(found.into());
        Ok(())
    })
}

#[cfg(test)]
mod tests;
