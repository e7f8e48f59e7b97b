//! What an x86 kernel is told: `boot_params`, the command line and the `setup_data` chain, in one segment.
//!
//! `boot_params` itself is 4096 bytes of the caller's, laid out as the kernel's own `struct boot_params`
//! (`asm/bootparam.h`), every number little-endian.

use core::ffi::c_char;

use kexec_core::boot_params::{
    BootParams, BootParamsSegment, E820Entry, EfiMemoryDescriptor, EfiRuntime, SetupData,
};
use kexec_core::image::Image;
use vmcore_format::PhysAddr;

use crate::error::{answer, kcap_error};
use crate::image::kcap_image;
use crate::map::kcap_range;
use crate::ptr::{self, Growing};
use crate::status::{Failure, KCAP_ERR_NOT_FOUND, KCAP_ERR_STATE, kcap_status};

/// The length of `boot_params`, in bytes.
pub const KCAP_BOOT_PARAMS_LEN: usize = 4096;

const _: () = assert!(KCAP_BOOT_PARAMS_LEN == BootParams::LEN);

/// `type` of an item of `setup_data` with more entries of the memory map.
pub const KCAP_SETUP_E820_EXT: u32 = 1;
/// `type` of an item of `setup_data` with a flattened device tree.
pub const KCAP_SETUP_DTB: u32 = 2;
/// `type` of an item of `setup_data` with EFI tables' addresses.
pub const KCAP_SETUP_EFI: u32 = 4;
/// `type` of an item of `setup_data` with random bytes, which the kernel erases once it has read them. Linux 6.0.
pub const KCAP_SETUP_RNG_SEED: u32 = 9;

/// The most items of `setup_data` that may be given.
pub const KCAP_SETUP_DATA_MAX: usize = 16;

/// The 4096 bytes at `params`; alignment 1 is enough.
fn params_mut(params: *mut u8) -> Result<&'static mut BootParams, Failure> {
    ptr::get_mut(params.cast::<BootParams>())
}

pub(crate) fn params(params: *const u8) -> Result<&'static BootParams, Failure> {
    ptr::get(params.cast::<BootParams>())
}

/// Writes to the 4096 bytes at `params` what a loader starts from for the bzImage in `image`: zeros, the image's setup header,
/// `type_of_loader` 0xd0 (kexec), `loadflags` 0. For an x86 `vmlinux`, which brings no setup header: one of protocol 2.15
/// whose kernel may lie above 4 GiB and takes a command line of 2047 bytes.
///
/// Errors: `KCAP_ERR_STATE` for an image of another kind, `KCAP_ERR_NULL`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kcap_boot_params_of_image(image: *const kcap_image, params: *mut u8) -> kcap_status {
    answer(core::ptr::null_mut(), || {
        let place = ptr::out(params.cast::<BootParams>())?;
        let params = match &ptr::get(image)?.image {
            Image::BzImage(image) => BootParams::of_bzimage(image),
            Image::Elf(_) => BootParams::of_vmlinux(),
            _ => return Err(KCAP_ERR_STATE.into()),
        };
        place.put(params);
        Ok(())
    })
}

/// Takes over in the 4096 bytes at `params` what only the setup code could find out, from those of the running kernel at
/// `running`: screen, monitor, the BIOS's disks, the kind of machine, Secure Boot, ACPI's RSDP. EFI is not:
/// `kcap_efi_runtime`.
///
/// Errors: `KCAP_ERR_NULL`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kcap_boot_params_take_over(params: *mut u8, running: *const u8) -> kcap_status {
    answer(core::ptr::null_mut(), || {
        let running = *self::params(running)?;
        params_mut(params)?.take_over(&running);
        Ok(())
    })
}

/// What `boot_params` say of other places in memory. Set `size` before the call.
#[derive(Debug, Clone, Copy)]
#[repr(C)]
pub struct kcap_boot_places {
    /// `sizeof(kcap_boot_places)`.
    pub size: usize,
    /// The initrd's physical address.
    pub initrd: u64,
    /// Its length in bytes; 0 for none.
    pub initrd_len: u64,
    /// The command line's physical address; 0 for none.
    pub command_line: u64,
    /// The EFI system table's physical address; 0 for none.
    pub efi_systab: u64,
    /// The EFI memory map's physical address; 0 for none.
    pub efi_memmap: u64,
    /// Its length in bytes.
    pub efi_memmap_size: u32,
    /// Bytes from one EFI memory descriptor to the next.
    pub efi_memdesc_size: u32,
    /// The version of an EFI memory descriptor: 1.
    pub efi_memdesc_version: u32,
    /// `EL64` or `EL32`, and zeros where EFI did not start the kernel.
    pub efi_loader_signature: [u8; 4],
    /// The entries of the memory map that are in `boot_params`: `kcap_boot_params_get_e820`.
    pub e820_count: u32,
    /// 0.
    pub reserved: u32,
}

// SAFETY: `repr(C)`, begins with a `usize`, holds nothing but integers.
unsafe impl Growing for kcap_boot_places {}

/// Writes what the 4096 bytes at `params` say of other places in memory to `places`.
///
/// Errors: `KCAP_ERR_NULL`, `KCAP_ERR_LENGTH`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kcap_boot_params_get_places(
    params: *const u8,
    places: *mut kcap_boot_places,
) -> kcap_status {
    answer(core::ptr::null_mut(), || {
        let place = ptr::out_growing(places)?;
        let params = self::params(params)?;
        let (initrd, initrd_len) = params.initrd().unwrap_or((PhysAddr(0), 0));
        let efi = &params.efi_info;
        place.put(&kcap_boot_places {
            size: 0,
            initrd: initrd.0,
            initrd_len,
            command_line: params.command_line().0,
            efi_systab: efi.systab().0,
            efi_memmap: efi.memmap().0,
            efi_memmap_size: efi.memmap_size.get(),
            efi_memdesc_size: efi.memdesc_size.get(),
            efi_memdesc_version: efi.memdesc_version.get(),
            efi_loader_signature: efi.loader_signature,
            e820_count: u32::try_from(params.e820().len()).unwrap_or(u32::MAX),
            reserved: 0,
        });
        Ok(())
    })
}

/// Writes entry number `index`, from 0, of the memory map in the 4096 bytes at `params` to `range`. Its `kind` is a
/// `KCAP_RANGE_` number.
///
/// Errors: `KCAP_ERR_NOT_FOUND` past the last one that is here, `KCAP_ERR_NULL`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kcap_boot_params_get_e820(
    params: *const u8,
    index: usize,
    range: *mut kcap_range,
) -> kcap_status {
    answer(core::ptr::null_mut(), || {
        let place = ptr::out(range)?;
        let entry = self::params(params)?.e820().get(index).ok_or(KCAP_ERR_NOT_FOUND)?;
        place.put(kcap_range {
            start: entry.addr.get(),
            end: entry.addr.get().saturating_add(entry.size.get()),
            kind: crate::sources::kcap_e820_kind(entry.kind.get()),
            reserved: 0,
        });
        Ok(())
    })
}

/// Says in the 4096 bytes at `params` where the initrd is: `len` bytes from `address`. Length 0 is none.
///
/// Errors: `KCAP_ERR_NULL`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kcap_boot_params_set_initrd(params: *mut u8, address: u64, len: u64) -> kcap_status {
    answer(core::ptr::null_mut(), || {
        params_mut(params)?.set_initrd(PhysAddr(address), len);
        Ok(())
    })
}

/// Says in the 4096 bytes at `params` where the command line is.
///
/// Errors: `KCAP_ERR_NULL`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kcap_boot_params_set_command_line(params: *mut u8, address: u64) -> kcap_status {
    answer(core::ptr::null_mut(), || {
        params_mut(params)?.set_command_line(PhysAddr(address));
        Ok(())
    })
}

/// Says in the 4096 bytes at `params` where the EFI system table and the EFI memory map are.
///
/// Errors: `KCAP_ERR_NULL`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kcap_boot_params_set_efi(params: *mut u8, systab: u64, memmap: u64) -> kcap_status {
    answer(core::ptr::null_mut(), || {
        let efi = &mut params_mut(params)?.efi_info;
        efi.set_systab(PhysAddr(systab));
        efi.set_memmap(PhysAddr(memmap));
        Ok(())
    })
}

/// An item of the `setup_data` chain.
#[derive(Debug, Clone, Copy)]
#[repr(C)]
pub struct kcap_setup_data {
    /// The data.
    pub data: *const u8,
    /// Its length in bytes, at most 4 GiB.
    pub len: usize,
    /// Its type: a `KCAP_SETUP_` number.
    pub kind: u32,
    /// 0.
    pub reserved: u32,
}

/// The `count` items at `items`: in the front of a table, and their number.
pub(crate) fn items(
    items: *const kcap_setup_data,
    count: usize,
) -> Result<([SetupData<'static>; KCAP_SETUP_DATA_MAX], usize), Failure> {
    let mut table = [SetupData { kind: 0, data: &[] }; KCAP_SETUP_DATA_MAX];
    let items = ptr::slice(items, count)?;
    let too_many = Failure::invalid("setup_data_count", u64::try_from(count).unwrap_or(u64::MAX));
    let front = table.get_mut(..count).ok_or(too_many)?;
    for (to, from) in front.iter_mut().zip(items) {
        *to = SetupData { kind: from.kind, data: ptr::slice(from.data, from.len)? };
    }
    Ok((table, count))
}

/// The length of an EFI memory descriptor of version 1, in bytes.
pub const KCAP_EFI_DESCRIPTOR_LEN: usize = 40;

const _: () = assert!(KCAP_EFI_DESCRIPTOR_LEN == size_of::<EfiMemoryDescriptor>());

/// EFI's runtime services as the next kernel takes them over: firmware may be moved to virtual addresses once only, so the next
/// kernel must use the same ones. Set `size`.
#[derive(Debug, Clone, Copy)]
#[repr(C)]
pub struct kcap_efi_runtime {
    /// `sizeof(kcap_efi_runtime)`.
    pub size: usize,
    /// `/sys/firmware/efi/runtime-map` as EFI's own `efi_memory_desc_t` of 40 bytes each, little-endian: type (4 bytes), 4 of
    /// padding, physical address (8), virtual address (8), number of 4-KiB pages (8), attributes (8). Any alignment.
    pub runtime_map: *const u8,
    /// The number of descriptors, not 0.
    pub runtime_map_count: usize,
    /// The system table: `efi_systab` of the running kernel's `boot_params`.
    pub systab: u64,
    /// `/sys/firmware/efi/fw_vendor`.
    pub fw_vendor: u64,
    /// `/sys/firmware/efi/runtime`; newer kernels do not read it.
    pub runtime: u64,
    /// `/sys/firmware/efi/config_table`.
    pub config_table: u64,
    /// `SMBIOS=` in `/sys/firmware/efi/systab`, 0 where it is not there.
    pub smbios: u64,
    /// `EL64` or `EL32`: `efi_loader_signature` of the running kernel's `boot_params`.
    pub loader_signature: [u8; 4],
    /// 0.
    pub reserved: u32,
}

// SAFETY: `repr(C)`, begins with a `usize`, holds nothing but integers and a pointer, which is sound as NULL.
unsafe impl Growing for kcap_efi_runtime {}

/// What is at `efi`; `None` for NULL.
pub(crate) fn runtime(efi: *const kcap_efi_runtime) -> Result<Option<EfiRuntime<'static>>, Failure> {
    if efi.is_null() {
        return Ok(None);
    }
    let efi = ptr::read_growing(efi)?;
    Ok(Some(EfiRuntime {
        loader_signature: efi.loader_signature,
        systab: PhysAddr(efi.systab),
        fw_vendor: PhysAddr(efi.fw_vendor),
        runtime: PhysAddr(efi.runtime),
        config_table: PhysAddr(efi.config_table),
        smbios: PhysAddr(efi.smbios),
        runtime_map: ptr::slice(efi.runtime_map.cast::<EfiMemoryDescriptor>(), efi.runtime_map_count)?,
    }))
}

/// A range of the memory map that a kernel is told of.
#[derive(Debug, Clone, Copy)]
#[repr(C)]
pub struct kcap_e820_entry {
    /// The first byte's address.
    pub start: u64,
    /// The address behind the last byte.
    pub end: u64,
    /// 1 RAM, 2 reserved, 3 ACPI tables, 4 ACPI NVS, 5 unusable, 7 persistent memory, 12 legacy persistent memory
    /// (`kcap_e820_type`).
    pub kind: u32,
    /// 0.
    pub reserved: u32,
}

/// All that an x86 kernel is told, as one segment. Set `size`. Everything is read during each call, and nothing is kept.
///
/// The segment is `boot_params`, then the command line and its NUL, the EFI runtime map, and `setup_data`: more of the memory
/// map, EFI, the caller's, each aligned to 16 bytes.
#[derive(Debug, Clone, Copy)]
#[repr(C)]
pub struct kcap_boot_segment {
    /// `sizeof(kcap_boot_segment)`.
    pub size: usize,
    /// 4096 bytes: the setup header, and what was taken over from the running kernel. Command line, initrd, memory map, EFI and
    /// `setup_data` in it are replaced.
    pub boot_params: *const u8,
    /// The command line, everything appended; NULL for none.
    pub command_line: *const c_char,
    /// The memory map, in any order.
    pub e820: *const kcap_e820_entry,
    /// The number of ranges there.
    pub e820_count: usize,
    /// EFI's runtime services, or NULL.
    pub efi: *const kcap_efi_runtime,
    /// Further items of the chain.
    pub setup_data: *const kcap_setup_data,
    /// Their number, at most `KCAP_SETUP_DATA_MAX`.
    pub setup_data_count: usize,
    /// The initrd's physical address.
    pub initrd: u64,
    /// Its length in bytes; 0 for none.
    pub initrd_len: u64,
}

// SAFETY: `repr(C)`, begins with a `usize`, holds nothing but integers and pointers, which are sound as NULL.
unsafe impl Growing for kcap_boot_segment {}

/// The text at `line`, empty for NULL.
pub(crate) fn line_or_empty(line: *const c_char) -> Result<&'static [u8], Failure> {
    if line.is_null() { Ok(&[]) } else { ptr::text(line) }
}

/// Calls `work` with the segment that `segment` describes.
fn with_segment<T>(
    segment: *const kcap_boot_segment,
    work: impl FnOnce(
        &BootParamsSegment<
            '_,
            core::iter::Map<core::slice::Iter<'_, kcap_e820_entry>, fn(&kcap_e820_entry) -> E820Entry>,
        >,
    ) -> Result<T, kexec_core::Error>,
) -> Result<T, Failure> {
    let segment = ptr::read_growing(segment)?;
    let (table, count) = items(segment.setup_data, segment.setup_data_count)?;
    let entry: fn(&kcap_e820_entry) -> E820Entry =
        |entry| E820Entry { start: PhysAddr(entry.start), end: PhysAddr(entry.end), kind: entry.kind };
    let block = BootParamsSegment {
        boot_params: params(segment.boot_params)?,
        command_line: line_or_empty(segment.command_line)?,
        initrd: (segment.initrd_len > 0).then_some((PhysAddr(segment.initrd), segment.initrd_len)),
        e820: ptr::slice(segment.e820, segment.e820_count)?.iter().map(entry),
        efi: runtime(segment.efi)?,
        setup_data: table.get(..count).unwrap_or_default(),
    };
    Ok(work(&block)?)
}

/// Writes the segment's length in bytes to `len`. It does not depend on where anything is loaded.
///
/// Errors: `KCAP_ERR_UNSUPPORTED` where it does not fit in memory, `KCAP_ERR_INVALID` (`setup_data_count`), `KCAP_ERR_NULL`,
/// `KCAP_ERR_LENGTH`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kcap_boot_segment_len(
    segment: *const kcap_boot_segment,
    len: *mut usize,
    error: *mut kcap_error,
) -> kcap_status {
    answer(error, || {
        let place = ptr::out(len)?;
        place.put(with_segment(segment, |segment| segment.encoded_len())?);
        Ok(())
    })
}

/// Writes the segment to the front of the `out_len` bytes at `out`, for the physical address `at`, which becomes `rsi` at the
/// kernel's entry, and its length in bytes to `len`, which may be NULL. On an error of the segment itself the bytes at `out`
/// are unspecified.
///
/// Errors: `KCAP_ERR_BUFFER_TOO_SMALL` (`value`: bytes for `out`); `KCAP_ERR_COMMAND_LINE_TOO_LONG`; `KCAP_ERR_CORRUPT` for an
/// empty range in the memory map (`offset`: its number); `KCAP_ERR_UNSUPPORTED` where the kernel takes nothing above 4 GiB or
/// no EFI and is given some, for a memory map of fewer than 2 entries, which Linux ignores, for EFI without a runtime map, and at
/// the end of the address space; `KCAP_ERR_INVALID` (`setup_data_count`).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kcap_boot_segment_encode(
    segment: *const kcap_boot_segment,
    at: u64,
    out: *mut u8,
    out_len: usize,
    len: *mut usize,
    error: *mut kcap_error,
) -> kcap_status {
    answer(error, || {
        let place = if len.is_null() { None } else { Some(ptr::out(len)?) };
        let out = ptr::slice_mut(out, out_len)?;
        let written = with_segment(segment, |segment| segment.encode(PhysAddr(at), out))?;
        if let Some(place) = place {
            place.put(written);
        }
        Ok(())
    })
}

#[cfg(test)]
mod tests;
