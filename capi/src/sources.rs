//! Where memory maps come from: what kernels and firmware say of physical memory.
//!
//! Every source paints over what the map says already. After an error the map is empty, so that half of a description is not
//! taken for the whole.

use core::ffi::c_char;

use kexec_core::map::Span;
use kexec_core::sources::firmware_memmap::Entry;
use kexec_core::sources::iomem::KernelImage;
use kexec_core::sources::{e820, efi, fdt, firmware_memmap, iomem};

use crate::error::{answer, kcap_error};
use crate::map::{failure, kcap_memory_map, kcap_range_kind, kcap_span, kind_of, number_of};
use crate::ptr::{self, Growing};
use crate::status::{Failure, kcap_status};

/// Where the running kernel's own image lies, as far as `/proc/iomem` says. A part that it does not name is empty, from 0
/// to 0. Set `size` before the call.
#[derive(Debug, Clone, Copy)]
#[repr(C)]
pub struct kcap_kernel_image {
    /// `sizeof(kcap_kernel_image)`.
    pub size: usize,
    /// `Kernel image`, on riscv: all of the following.
    pub image: kcap_span,
    /// `Kernel code`.
    pub code: kcap_span,
    /// `Kernel rodata`.
    pub rodata: kcap_span,
    /// `Kernel data`.
    pub data: kcap_span,
    /// `Kernel bss`.
    pub bss: kcap_span,
}

// SAFETY: `repr(C)`, begins with a `usize`, holds nothing but integers.
unsafe impl Growing for kcap_kernel_image {}

impl From<KernelImage> for kcap_kernel_image {
    fn from(kernel: KernelImage) -> Self {
        let part = |span: Option<Span>| span.map_or(kcap_span::default(), kcap_span::from);
        Self {
            size: 0,
            image: part(kernel.image),
            code: part(kernel.code),
            rodata: part(kernel.rodata),
            data: part(kernel.data),
            bss: part(kernel.bss),
        }
    }
}

/// Paints what the `text_len` bytes at `text`, those of `/proc/iomem`, say of memory over `map`, and writes to `kernel`
/// where the kernel lies. `kernel` and `error` may be NULL.
///
/// Errors: `KCAP_ERR_ADDRESSES_HIDDEN` where every address reads 0; `KCAP_ERR_CORRUPT` for a line that is none, with its
/// offset; `KCAP_ERR_BUFFER_TOO_SMALL` (`value`: bytes of the map's table that are enough). The map is then empty.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kcap_memory_map_read_iomem(
    map: *mut kcap_memory_map,
    text: *const c_char,
    text_len: usize,
    kernel: *mut kcap_kernel_image,
    error: *mut kcap_error,
) -> kcap_status {
    answer(error, || {
        let text = ptr::slice(text.cast::<u8>(), text_len)?;
        let place = if kernel.is_null() { None } else { Some(ptr::out_growing(kernel)?) };
        let found = iomem::parse(text, &mut ptr::get_mut(map)?.map).map_err(failure)?;
        if let Some(place) = place {
            place.put(&found.into());
        }
        Ok(())
    })
}

/// An entry of `/sys/firmware/memmap`, each text as its file has it and NUL-terminated.
#[derive(Debug, Clone, Copy)]
#[repr(C)]
pub struct kcap_firmware_entry {
    /// `start`: the first address, `0x` and hexadecimal digits.
    pub start: *const c_char,
    /// `end`: the last address, which is included.
    pub end: *const c_char,
    /// `type`: `System RAM`, `Reserved`, `ACPI Tables` ...
    pub kind: *const c_char,
}

impl kcap_firmware_entry {
    fn read(&self) -> Result<Entry<'static>, Failure> {
        Ok(Entry { start: ptr::text(self.start)?, end: ptr::text(self.end)?, kind: ptr::text(self.kind)? })
    }
}

/// Paints the `count` entries at `entries`, in any order, over `map`. Where they overlap, RAM yields.
///
/// Errors: `KCAP_ERR_CORRUPT` where an address is no number or an entry ends before it starts; `KCAP_ERR_BUFFER_TOO_SMALL`
/// (`value`: bytes of the map's table that are enough); `KCAP_ERR_NULL`. But for `KCAP_ERR_NULL` the map is then empty.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kcap_memory_map_read_firmware(
    map: *mut kcap_memory_map,
    entries: *const kcap_firmware_entry,
    count: usize,
    error: *mut kcap_error,
) -> kcap_status {
    answer(error, || {
        let entries = ptr::slice(entries, count)?;
        entries.iter().try_for_each(|entry| entry.read().map(drop))?;
        let entries = entries.iter().filter_map(|entry| entry.read().ok());
        firmware_memmap::parse(entries, &mut ptr::get_mut(map)?.map).map_err(failure)
    })
}

/// The length of an entry of the E820 map, in bytes.
pub const KCAP_E820_ENTRY_LEN: usize = 20;

const _: () = assert!(KCAP_E820_ENTRY_LEN == e820::ENTRY_LEN);

/// Paints the E820 map in the `len` bytes at `entries` over `map`: entries of 20 bytes, each `addr` (8 bytes), `size` (8),
/// `type` (4), little-endian, as in `boot_params`. Where entries overlap, the higher type holds.
///
/// Errors: `KCAP_ERR_CORRUPT` where the last entry is cut off or one runs past the end of the address space;
/// `KCAP_ERR_BUFFER_TOO_SMALL` (`value`: bytes of the map's table that are enough). The map is then empty.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kcap_memory_map_read_e820(
    map: *mut kcap_memory_map,
    entries: *const u8,
    len: usize,
    error: *mut kcap_error,
) -> kcap_status {
    answer(error, || {
        let entries = ptr::slice(entries, len)?;
        e820::parse(entries, &mut ptr::get_mut(map)?.map).map_err(failure)
    })
}

/// The kind of memory that an E820 type stands for; types that Linux does not know are reserved.
#[unsafe(no_mangle)]
pub extern "C" fn kcap_e820_kind(e820_type: u32) -> kcap_range_kind {
    number_of(e820::kind(e820_type))
}

/// The E820 type that tells a kernel of this kind of memory; 0 for a number that is no kind.
#[unsafe(no_mangle)]
pub extern "C" fn kcap_e820_type(kind: kcap_range_kind) -> u32 {
    kind_of(kind).map_or(0, e820::e820_type)
}

/// Paints the EFI memory map in the `len` bytes at `memmap` over `map`: descriptors `memdesc_size` bytes apart, of version
/// `memdesc_version` (1), as `GetMemoryMap()` gives them. What the boot services held is RAM. Where descriptors overlap,
/// RAM yields.
///
/// Errors: `KCAP_ERR_UNSUPPORTED` for another version and for descriptors of less than 40 bytes; `KCAP_ERR_CORRUPT` where
/// the last descriptor is cut off or one runs past the end of the address space; `KCAP_ERR_BUFFER_TOO_SMALL` (`value`: bytes
/// of the map's table that are enough). The map is then empty.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kcap_memory_map_read_efi(
    map: *mut kcap_memory_map,
    memmap: *const u8,
    len: usize,
    memdesc_size: u32,
    memdesc_version: u32,
    error: *mut kcap_error,
) -> kcap_status {
    answer(error, || {
        let memmap = ptr::slice(memmap, len)?;
        let map = &mut ptr::get_mut(map)?.map;
        efi::parse(memmap, memdesc_size, memdesc_version, map).map_err(failure)
    })
}

/// Paints what the flattened device tree in the `len` bytes at `blob`, which may be longer than the tree, says of memory over
/// `map`: memory nodes, reservations, and in a capture kernel's tree what it may use.
///
/// Errors: `KCAP_ERR_CORRUPT` for no tree or a damaged one; `KCAP_ERR_UNSUPPORTED` for a version, cells or usable ranges
/// that are not known; `KCAP_ERR_BUFFER_TOO_SMALL` (`value`: bytes of the map's table that are enough). The map is then
/// empty.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kcap_memory_map_read_fdt(
    map: *mut kcap_memory_map,
    blob: *const u8,
    len: usize,
    error: *mut kcap_error,
) -> kcap_status {
    answer(error, || {
        let blob = ptr::slice(blob, len)?;
        fdt::parse(blob, &mut ptr::get_mut(map)?.map).map_err(failure)
    })
}

#[cfg(test)]
mod tests {
    #![expect(clippy::undocumented_unsafe_blocks, reason = "pointers to values here, or wrong on purpose")]

    use core::ptr::{null, null_mut};

    use super::*;
    use crate::map::{
        KCAP_RANGE_CRASH_KERNEL, KCAP_RANGE_RESERVED, KCAP_RANGE_SYSTEM_RAM, kcap_memory_map_count,
        kcap_memory_map_kind_at,
    };
    use crate::status::{
        KCAP_ERR_ADDRESSES_HIDDEN, KCAP_ERR_BUFFER_TOO_SMALL, KCAP_ERR_CORRUPT, KCAP_ERR_LENGTH,
        KCAP_ERR_NULL, KCAP_ERR_UNSUPPORTED, KCAP_OK,
    };
    use crate::testing::{no_error, with_map};

    const IOMEM: &str = "00001000-0009fbff : System RAM\n00100000-1fffffff : System RAM\n  \
        01000000-01ffffff : Kernel code\n  02000000-024fffff : Kernel data\n  10000000-17ffffff : Crash kernel\n";

    fn kernel() -> kcap_kernel_image {
        let part = kcap_span { start: 7, end: 7 };
        let size = size_of::<kcap_kernel_image>();
        kcap_kernel_image { size, image: part, code: part, rodata: part, data: part, bss: part }
    }

    #[test]
    fn iomem_says_where_memory_and_kernel_are() {
        with_map(16, |map| unsafe {
            let mut kernel = kernel();
            let (text, len) = (IOMEM.as_ptr().cast(), IOMEM.len());
            assert_eq!(kcap_memory_map_read_iomem(map, text, len, &raw mut kernel, null_mut()), KCAP_OK);
            assert_eq!(kernel.code, kcap_span { start: 0x100_0000, end: 0x200_0000 });
            assert_eq!(kernel.bss, kcap_span::default());
            assert_eq!(kcap_memory_map_kind_at(map, 0x1000_0000), KCAP_RANGE_CRASH_KERNEL);
            assert_eq!(kcap_memory_map_kind_at(map, 0x100_0000), KCAP_RANGE_SYSTEM_RAM);
            let hidden = "00000000-00000000 : System RAM\n";
            let status =
                kcap_memory_map_read_iomem(map, hidden.as_ptr().cast(), hidden.len(), null_mut(), null_mut());
            assert_eq!((status, kcap_memory_map_count(map)), (KCAP_ERR_ADDRESSES_HIDDEN, 0));
        });
    }

    #[test]
    fn a_small_table_says_how_many_bytes_are_enough() {
        with_map(1, |map| unsafe {
            let mut kernel = kernel();
            let mut error = no_error();
            let (text, len) = (IOMEM.as_ptr().cast(), IOMEM.len());
            let status = kcap_memory_map_read_iomem(map, text, len, &raw mut kernel, &raw mut error);
            assert_eq!(status, KCAP_ERR_BUFFER_TOO_SMALL);
            assert_eq!(kernel.code.start, 7);
            with_map(usize::try_from(error.value).unwrap() / 24, |map| {
                assert_eq!(kcap_memory_map_read_iomem(map, text, len, null_mut(), null_mut()), KCAP_OK);
            });
        });
    }

    #[test]
    fn firmware_speaks_in_texts_entries_and_descriptors() {
        with_map(16, |map| unsafe {
            let entry = |start: &'static core::ffi::CStr,
                         end: &'static core::ffi::CStr,
                         kind: &'static core::ffi::CStr| {
                kcap_firmware_entry { start: start.as_ptr(), end: end.as_ptr(), kind: kind.as_ptr() }
            };
            let entries =
                [entry(c"0x0\n", c"0x9fbff\n", c"System RAM\n"), entry(c"0x9fc00", c"0x9ffff", c"Reserved")];
            assert_eq!(kcap_memory_map_read_firmware(map, entries.as_ptr(), 2, null_mut()), KCAP_OK);
            assert_eq!(kcap_memory_map_kind_at(map, 0x9_fc00), KCAP_RANGE_RESERVED);
            let broken = [entry(c"0x0", c"none", c"System RAM")];
            assert_eq!(kcap_memory_map_read_firmware(map, broken.as_ptr(), 1, null_mut()), KCAP_ERR_CORRUPT);
            assert_eq!(kcap_memory_map_count(map), 0);

            let mut e820 = [0_u8; 20];
            e820[2] = 0x10;
            e820[10] = 0x20;
            e820[16] = 1;
            assert_eq!(kcap_memory_map_read_e820(map, e820.as_ptr(), 20, null_mut()), KCAP_OK);
            assert_eq!(kcap_memory_map_kind_at(map, 0x10_0000), KCAP_RANGE_SYSTEM_RAM);
            assert_eq!(kcap_memory_map_read_e820(map, e820.as_ptr(), 19, null_mut()), KCAP_ERR_CORRUPT);

            let mut memmap = [0_u8; 48];
            (memmap[0], memmap[10], memmap[24], memmap[32]) = (7, 0x10, 1, 8);
            assert_eq!(kcap_memory_map_read_efi(map, memmap.as_ptr(), 48, 48, 1, null_mut()), KCAP_OK);
            assert_eq!(kcap_memory_map_kind_at(map, 0x10_0fff), KCAP_RANGE_SYSTEM_RAM);
            assert_eq!(kcap_memory_map_kind_at(map, 0x10_1000), 0);
            assert_eq!(
                kcap_memory_map_read_efi(map, memmap.as_ptr(), 48, 48, 2, null_mut()),
                KCAP_ERR_UNSUPPORTED
            );
            assert_eq!(kcap_memory_map_read_fdt(map, memmap.as_ptr(), 48, null_mut()), KCAP_ERR_CORRUPT);
        });
        assert_eq!((kcap_e820_kind(1), kcap_e820_type(KCAP_RANGE_SYSTEM_RAM)), (KCAP_RANGE_SYSTEM_RAM, 1));
        assert_eq!((kcap_e820_kind(99), kcap_e820_type(99)), (KCAP_RANGE_RESERVED, 0));
    }

    #[test]
    fn wrong_pointers_and_lengths_are_found() {
        with_map(1, |map| unsafe {
            let byte = 0_u8;
            let (at, none) = (&raw const byte, null_mut());
            for (len, expected) in [(1, KCAP_ERR_NULL), (usize::MAX, KCAP_ERR_NULL)] {
                assert_eq!(kcap_memory_map_read_iomem(map, null(), len, null_mut(), none), expected);
                assert_eq!(kcap_memory_map_read_firmware(map, null(), len, none), expected);
                assert_eq!(kcap_memory_map_read_e820(map, null(), len, none), expected);
                assert_eq!(kcap_memory_map_read_efi(map, null(), len, 48, 1, none), expected);
                assert_eq!(kcap_memory_map_read_fdt(map, null(), len, none), expected);
            }
            for (len, expected) in [(0, KCAP_ERR_NULL), (usize::MAX, KCAP_ERR_LENGTH)] {
                assert_eq!(
                    kcap_memory_map_read_iomem(null_mut(), at.cast(), len, null_mut(), none),
                    expected
                );
                assert_eq!(kcap_memory_map_read_e820(null_mut(), at, len, none), expected);
                assert_eq!(kcap_memory_map_read_efi(null_mut(), at, len, 48, 1, none), expected);
                assert_eq!(kcap_memory_map_read_fdt(null_mut(), at, len, none), expected);
            }
            let nothing = kcap_firmware_entry { start: null(), end: null(), kind: null() };
            assert_eq!(kcap_memory_map_read_firmware(map, &raw const nothing, 1, none), KCAP_ERR_NULL);
            assert_eq!(kcap_memory_map_read_firmware(null_mut(), &raw const nothing, 0, none), KCAP_ERR_NULL);
            assert_eq!(
                kcap_memory_map_read_firmware(map, &raw const nothing, usize::MAX, none),
                KCAP_ERR_LENGTH
            );
        });
    }
}
