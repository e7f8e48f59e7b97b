//! Kernels in ELF.

use kexec_core::image::{ElfKernel, Image};
use vmcore_format::{Class, Endian};

use super::{KCAP_NOT_STATED, kcap_image, of_kind, parts};
use crate::error::answer;
use crate::map::kcap_span;
use crate::ptr::{self, Growing};
use crate::status::{KCAP_ERR_NOT_FOUND, kcap_status};

/// What a kernel in ELF is. Set `size` before the call.
#[derive(Debug, Clone, Copy)]
#[repr(C)]
pub struct kcap_elf_kernel {
    /// `sizeof(kcap_elf_kernel)`.
    pub size: usize,
    /// The physical addresses from the first to the last byte of all segments. A kernel that is moved moves as a whole.
    pub memory: kcap_span,
    /// The physical address of the entry.
    pub entry: u64,
    /// `e_entry` as it stands in the file.
    pub e_entry: u64,
    /// The PVH entry, 32-bit protected mode: `XEN_ELFNOTE_PHYS32_ENTRY`; `KCAP_NOT_STATED` for none.
    pub pvh_entry: u64,
    /// `XEN_ELFNOTE_PHYS32_RELOC`, the lowest address that a kernel with a PVH entry may be moved to.
    pub pvh_reloc_min: u64,
    /// The highest address of its last byte.
    pub pvh_reloc_max: u64,
    /// The alignment of its start in bytes; 0 says that the kernel may not be moved.
    pub pvh_reloc_align: u32,
    /// The byte order: 1 for big-endian, 0 for little-endian.
    pub big_endian: u32,
    /// The bits of an address in the file: 32 or 64.
    pub bits: u32,
    /// 1 for `ET_DYN`, 0 for `ET_EXEC`.
    pub position_independent: u32,
    /// 1 where a note says that this is Linux, which notes do since 4.20; else 0.
    pub is_linux: u32,
    /// 0.
    pub reserved: u32,
}

// SAFETY: `repr(C)`, begins with a `usize`, holds nothing but integers.
unsafe impl Growing for kcap_elf_kernel {}

fn elf(image: &'static Image<'static>) -> Option<&'static ElfKernel<'static>> {
    if let Image::Elf(kernel) = image { Some(kernel) } else { None }
}

/// Writes what the ELF kernel in `image` is to `kernel`.
///
/// Errors: `KCAP_ERR_STATE` for an image of another kind, `KCAP_ERR_NULL`, `KCAP_ERR_LENGTH`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kcap_image_get_elf(
    image: *const kcap_image,
    kernel: *mut kcap_elf_kernel,
) -> kcap_status {
    answer(core::ptr::null_mut(), || {
        let place = ptr::out_growing(kernel)?;
        let kernel = of_kind(image, elf)?;
        let memory = kernel.memory();
        let reloc = kernel.pvh_reloc();
        place.put(&kcap_elf_kernel {
            size: 0,
            memory: kcap_span { start: memory.start.0, end: memory.end.0 },
            entry: kernel.entry()?.0,
            e_entry: kernel.e_entry(),
            pvh_entry: kernel.pvh_entry().map_or(KCAP_NOT_STATED, |entry| entry.0),
            pvh_reloc_min: reloc.map_or(0, |reloc| reloc.min.0),
            pvh_reloc_max: reloc.map_or(0, |reloc| reloc.max.0),
            pvh_reloc_align: reloc.map_or(0, |reloc| reloc.align),
            big_endian: u32::from(kernel.layout().endian == Endian::Big),
            bits: if kernel.layout().class == Class::Bits64 { 64 } else { 32 },
            position_independent: kernel.is_position_independent().into(),
            is_linux: kernel.is_linux().into(),
            reserved: 0,
        });
        Ok(())
    })
}

/// A `PT_LOAD` of a kernel in ELF that has a length in memory.
#[derive(Debug, Clone, Copy)]
#[repr(C)]
pub struct kcap_elf_load {
    /// `p_paddr`.
    pub paddr: u64,
    /// `p_vaddr`.
    pub vaddr: u64,
    /// `p_memsz`: the length in memory, in bytes. Past `data` it is zero.
    pub memsz: u64,
    /// `p_align` in bytes.
    pub align: u64,
    /// The bytes of the file.
    pub data: *const u8,
    /// `p_filesz`: their number.
    pub data_len: usize,
}

/// Writes segment number `index` of the ELF kernel in `image`, by physical address upwards and from 0, to `load`.
///
/// Errors: `KCAP_ERR_NOT_FOUND` past the last one, `KCAP_ERR_STATE` for an image of another kind, `KCAP_ERR_NULL`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kcap_image_elf_load(
    image: *const kcap_image,
    index: usize,
    load: *mut kcap_elf_load,
) -> kcap_status {
    answer(core::ptr::null_mut(), || {
        let place = ptr::out(load)?;
        let load = of_kind(image, elf)?.loads().nth(index).ok_or(KCAP_ERR_NOT_FOUND)?;
        let (data, data_len) = parts(Some(load.data));
        place.put(kcap_elf_load {
            paddr: load.paddr.0,
            vaddr: load.vaddr,
            memsz: load.memsz,
            align: load.align,
            data,
            data_len,
        });
        Ok(())
    })
}
