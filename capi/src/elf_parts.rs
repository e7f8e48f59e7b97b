//! The parts of an ELF core beyond its memory: all program headers, note regions, what a cut file still holds.

use vmcore_format::elf::ProgramHeaders;

use crate::elf::{kcap_elf_core, kcap_program_header};
use crate::error::{answer, kcap_error};
use crate::ptr;
use crate::status::{KCAP_ERR_NOT_FOUND, kcap_status};

/// Writes program header number `index` of `core`, of any type, in file order and from 0, to `phdr`; it is read from the
/// file. `error` may be NULL.
///
/// Errors: `KCAP_ERR_NOT_FOUND` past the last one, `KCAP_ERR_CORRUPT`, `KCAP_ERR_IO`, `KCAP_ERR_NULL`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kcap_elf_core_get_program_header(
    core: *const kcap_elf_core,
    index: u32,
    phdr: *mut kcap_program_header,
    error: *mut kcap_error,
) -> kcap_status {
    answer(error, || {
        let core = &ptr::get(core)?.core;
        let place = ptr::out(phdr)?;
        let mut phdrs = ProgramHeaders::new(core.input(), *core.header(), index)?;
        let (found, _) = phdrs.next().ok_or(KCAP_ERR_NOT_FOUND)??;
        place.put((&found).into());
        Ok(())
    })
}

/// Where notes stand in a file.
#[derive(Debug, Clone, Copy, Default)]
#[repr(C)]
pub struct kcap_elf_notes {
    /// Where the region starts, in bytes from the start of the file.
    pub offset: u64,
    /// Its length in bytes.
    pub len: u64,
    /// `p_align` of its `PT_NOTE`, in bytes.
    pub align: u64,
}

/// Writes where note region number `index` of `core`, in file order and from 0, stands to `region`: one for each `PT_NOTE`. `error` may
/// be NULL.
///
/// Errors: `KCAP_ERR_NOT_FOUND` past the last one, `KCAP_ERR_CORRUPT`, `KCAP_ERR_IO`, `KCAP_ERR_NULL`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kcap_elf_core_get_note_region(
    core: *const kcap_elf_core,
    index: usize,
    region: *mut kcap_elf_notes,
    error: *mut kcap_error,
) -> kcap_status {
    answer(error, || {
        let core = &ptr::get(core)?.core;
        let place = ptr::out(region)?;
        let found = core.note_regions().nth(index).ok_or(KCAP_ERR_NOT_FOUND)??;
        place.put(kcap_elf_notes { offset: found.offset, len: found.len, align: found.align });
        Ok(())
    })
}

/// Writes how many of the `p_filesz` bytes of `PT_LOAD` number `index` the file really holds to `held`.
///
/// Errors: `KCAP_ERR_NOT_FOUND` past the last one, `KCAP_ERR_NULL`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kcap_elf_core_get_held(
    core: *const kcap_elf_core,
    index: usize,
    held: *mut u64,
) -> kcap_status {
    answer(core::ptr::null_mut(), || {
        let core = &ptr::get(core)?.core;
        let place = ptr::out(held)?;
        place.put(core.held_filesz(core.loads().get(index).ok_or(KCAP_ERR_NOT_FOUND)?));
        Ok(())
    })
}
