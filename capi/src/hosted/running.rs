//! What a loader must know of the running machine, as `/proc` and `/sys` tell it.
//!
//! `root` is the folder of a copy of `/proc` and `/sys`; NULL for the running machine. Lists and texts go to buffers of the
//! caller's: where one is too small, nothing is written, and `KCAP_ERR_BUFFER_TOO_SMALL` comes with what is needed in `value`.

use core::ffi::c_char;
use std::io;

use host::kexec::Running;
use kexec_core::boot_params::EfiMemoryDescriptor;
use kexec_core::sources::firmware_memmap::{self, Entry};
use vmcore_format::PhysAddr;
use zerocopy::IntoBytes as _;

use super::{root, system};
use crate::boot_params::KCAP_EFI_DESCRIPTOR_LEN;
use crate::elfcorehdr::kcap_note_buffer;
use crate::error::{answer, kcap_error};
use crate::map::{failure, kcap_memory_map};
use crate::ptr;
use crate::status::{Failure, KCAP_ERR_CORRUPT, KCAP_ERR_NOT_FOUND, kcap_status};
use crate::text::utf8;

fn machine(root: *const c_char) -> Result<Running, Failure> {
    Ok(Running::below(self::root(root)?))
}

/// Copies `found` to the `capacity` values at `list`, and its number to `count`; on too few, `value` has the number needed.
fn put_list<T: Copy + 'static>(
    found: &[T],
    list: *mut T,
    capacity: usize,
    count: *mut usize,
) -> Result<(), Failure> {
    let place = ptr::out(count)?;
    put_values(found, list, capacity)?;
    place.put(found.len());
    Ok(())
}

fn put_values<T: Copy + 'static>(found: &[T], list: *mut T, capacity: usize) -> Result<(), Failure> {
    let list = ptr::slice_mut(list, capacity)?;
    let front = list.get_mut(..found.len()).ok_or(Failure::too_small(found.len()))?;
    front.copy_from_slice(found);
    Ok(())
}

fn put_file(
    found: io::Result<Vec<u8>>,
    buf: *mut u8,
    buf_len: usize,
    len: *mut usize,
) -> Result<(), Failure> {
    put_list(&found.map_err(|error| system(&error))?, buf, buf_len, len)
}

/// Reads the file `path`, from `root` and without the first slash, to the `buf_len` bytes at `buf`, and its length to `len`.
/// A file of `/proc` may be another one at the next call: give some bytes more than were needed.
///
/// Errors: `KCAP_ERR_IO` (`code`: the errno), `KCAP_ERR_BUFFER_TOO_SMALL` (`value`: bytes), `KCAP_ERR_NULL`, `KCAP_ERR_LENGTH`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kcap_running_read(
    root: *const c_char,
    path: *const c_char,
    buf: *mut u8,
    buf_len: usize,
    len: *mut usize,
    error: *mut kcap_error,
) -> kcap_status {
    answer(error, || put_file(machine(root)?.read(utf8(path, "path")?), buf, buf_len, len))
}

/// Reads `/proc/iomem`, for `kcap_memory_map_read_iomem`. Without `CAP_SYS_ADMIN` its addresses are all zero.
///
/// Errors: as for `kcap_running_read`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kcap_running_iomem(
    root: *const c_char,
    buf: *mut c_char,
    buf_len: usize,
    len: *mut usize,
    error: *mut kcap_error,
) -> kcap_status {
    answer(error, || put_file(machine(root)?.iomem(), buf.cast(), buf_len, len))
}

/// Reads `/proc/cmdline` without its line end, and with a NUL that `len` does not count.
///
/// Errors: as for `kcap_running_read`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kcap_running_command_line(
    root: *const c_char,
    buf: *mut c_char,
    buf_len: usize,
    len: *mut usize,
    error: *mut kcap_error,
) -> kcap_status {
    answer(error, || {
        let place = ptr::out(len)?;
        let mut line = machine(root)?.command_line().map_err(|error| system(&error))?;
        let end = line.len();
        line.push(0);
        put_values(&line, buf.cast::<u8>(), buf_len)?;
        place.put(end);
        Ok(())
    })
}

/// Writes major and minor number of the running kernel's version to `major` and `minor`.
///
/// Errors: `KCAP_ERR_NOT_FOUND` where the kernel does not say it, `KCAP_ERR_NULL`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kcap_running_version(
    root: *const c_char,
    major: *mut u32,
    minor: *mut u32,
) -> kcap_status {
    answer(core::ptr::null_mut(), || {
        let (major, minor) = (ptr::out(major)?, ptr::out(minor)?);
        let version = machine(root)?.version().ok_or(KCAP_ERR_NOT_FOUND)?;
        major.put(version.0);
        minor.put(version.1);
        Ok(())
    })
}

/// Paints `/sys/firmware/memmap`, the firmware's memory map before the kernel changed it, over `map`. Where there is none, `map` stays as
/// it was.
///
/// Errors: as for `kcap_memory_map_read_firmware`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kcap_running_firmware(
    root: *const c_char,
    map: *mut kcap_memory_map,
    error: *mut kcap_error,
) -> kcap_status {
    answer(error, || {
        let entries = machine(root)?.firmware_memmap();
        let entries =
            entries.iter().map(|entry| Entry { start: &entry.start, end: &entry.end, kind: &entry.kind });
        firmware_memmap::parse(entries, &mut ptr::get_mut(map)?.map).map_err(failure)
    })
}

/// Where a CPU leaves its registers when the machine crashes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[repr(C)]
pub struct kcap_crash_notes {
    /// Its notes.
    pub notes: kcap_note_buffer,
    /// The CPU's number.
    pub cpu: u32,
    /// 0.
    pub reserved: u32,
}

/// Writes each CPU's notes to the `capacity` values at `list`, and their number to `count`. A CPU that the kernel keeps none for is
/// not listed.
///
/// Errors: `KCAP_ERR_BUFFER_TOO_SMALL` (`value`: the number of CPUs), `KCAP_ERR_NULL`, `KCAP_ERR_LENGTH`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kcap_running_crash_notes(
    root: *const c_char,
    list: *mut kcap_crash_notes,
    capacity: usize,
    count: *mut usize,
    error: *mut kcap_error,
) -> kcap_status {
    answer(error, || {
        let notes = machine(root)?.crash_notes();
        let found: Vec<kcap_crash_notes> = notes
            .iter()
            .map(|notes| kcap_crash_notes {
                notes: kcap_note_buffer { paddr: notes.area.paddr, len: notes.area.len },
                cpu: notes.cpu,
                reserved: 0,
            })
            .collect();
        put_list(&found, list, capacity, count)
    })
}

/// Writes where the running kernel keeps the note of VMCOREINFO to `notes`.
///
/// Errors: `KCAP_ERR_NOT_FOUND` where the kernel does not say it, `KCAP_ERR_NULL`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kcap_running_vmcoreinfo(
    root: *const c_char,
    notes: *mut kcap_note_buffer,
) -> kcap_status {
    answer(core::ptr::null_mut(), || {
        let place = ptr::out(notes)?;
        let area = machine(root)?.vmcoreinfo().ok_or(KCAP_ERR_NOT_FOUND)?;
        place.put(kcap_note_buffer { paddr: area.paddr, len: area.len });
        Ok(())
    })
}

/// Writes the address of the kernel's symbol `name`, by `/proc/kallsyms`, to `address`.
///
/// Errors: `KCAP_ERR_NOT_FOUND` for one that the kernel does not have or hides, `KCAP_ERR_INVALID` (`name`), `KCAP_ERR_NULL`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kcap_running_symbol(
    root: *const c_char,
    name: *const c_char,
    address: *mut u64,
) -> kcap_status {
    answer(core::ptr::null_mut(), || {
        let place = ptr::out(address)?;
        let [found] = machine(root)?.symbols([utf8(name, "name")?]);
        place.put(found.ok_or(KCAP_ERR_NOT_FOUND)?);
        Ok(())
    })
}

/// A `PT_LOAD` of `/proc/kcore`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[repr(C)]
pub struct kcap_kcore_load {
    /// `p_vaddr`
    pub vaddr: u64,
    /// `p_paddr`: all ones where memory is not mapped in one piece.
    pub paddr: u64,
    /// `p_memsz`
    pub len: u64,
}

/// Writes the `PT_LOAD`s of `/proc/kcore` to the `capacity` values at `list`, and their number to `count`: 0 where it may not be read
/// (lockdown).
///
/// Errors: `KCAP_ERR_BUFFER_TOO_SMALL` (`value`: their number), `KCAP_ERR_NULL`, `KCAP_ERR_LENGTH`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kcap_running_kcore_loads(
    root: *const c_char,
    list: *mut kcap_kcore_load,
    capacity: usize,
    count: *mut usize,
    error: *mut kcap_error,
) -> kcap_status {
    answer(error, || {
        let loads = machine(root)?.kcore_loads();
        let found: Vec<kcap_kcore_load> = loads
            .iter()
            .map(|load| kcap_kcore_load { vaddr: load.vaddr, paddr: load.paddr, len: load.size })
            .collect();
        put_list(&found, list, capacity, count)
    })
}

/// Reads the `boot_params` that the running kernel was given (x86) to the `buf_len` bytes at `buf`, `KCAP_BOOT_PARAMS_LEN` of
/// them, and their number to `len`.
///
/// Errors: `KCAP_ERR_NOT_FOUND` where the kernel does not say them, `KCAP_ERR_BUFFER_TOO_SMALL` (`value`: bytes), `KCAP_ERR_NULL`,
/// `KCAP_ERR_LENGTH`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kcap_running_boot_params(
    root: *const c_char,
    buf: *mut u8,
    buf_len: usize,
    len: *mut usize,
    error: *mut kcap_error,
) -> kcap_status {
    answer(error, || {
        let params = machine(root)?.boot_params().ok_or(KCAP_ERR_NOT_FOUND)?;
        put_list(&params, buf, buf_len, len)
    })
}

/// Writes a number of `/sys/firmware/efi`, such as `fw_vendor`, `runtime`, `config_table`, to `number`.
///
/// Errors: `KCAP_ERR_NOT_FOUND`, `KCAP_ERR_INVALID` (`name`), `KCAP_ERR_NULL`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kcap_running_efi_number(
    root: *const c_char,
    name: *const c_char,
    number: *mut u64,
) -> kcap_status {
    answer(core::ptr::null_mut(), || {
        let place = ptr::out(number)?;
        place.put(machine(root)?.efi_number(utf8(name, "name")?).ok_or(KCAP_ERR_NOT_FOUND)?);
        Ok(())
    })
}

/// Writes an address of `/sys/firmware/efi/systab`, such as `ACPI20`, `ACPI`, `SMBIOS`, to `address`.
///
/// Errors: `KCAP_ERR_NOT_FOUND`, `KCAP_ERR_INVALID` (`name`), `KCAP_ERR_NULL`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kcap_running_efi_table(
    root: *const c_char,
    name: *const c_char,
    address: *mut u64,
) -> kcap_status {
    answer(core::ptr::null_mut(), || {
        let place = ptr::out(address)?;
        place.put(machine(root)?.efi_table(utf8(name, "name")?).ok_or(KCAP_ERR_NOT_FOUND)?);
        Ok(())
    })
}

/// Writes `/sys/firmware/efi/runtime-map`, descriptors of `KCAP_EFI_DESCRIPTOR_LEN` bytes as `kcap_efi_runtime` takes them, to
/// the `buf_len` bytes at `buf`, and the number of descriptors to `count`: 0 without EFI.
///
/// Errors: `KCAP_ERR_BUFFER_TOO_SMALL` (`value`: bytes), `KCAP_ERR_CORRUPT` for a type of more than 32 bits, `KCAP_ERR_NULL`,
/// `KCAP_ERR_LENGTH`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kcap_running_efi_runtime_map(
    root: *const c_char,
    buf: *mut u8,
    buf_len: usize,
    count: *mut usize,
    error: *mut kcap_error,
) -> kcap_status {
    answer(error, || {
        let place = ptr::out(count)?;
        let mut bytes = Vec::new();
        for [kind, phys, virt, pages, attribute] in machine(root)?.efi_runtime_map() {
            let kind = u32::try_from(kind).map_err(|_| KCAP_ERR_CORRUPT)?;
            let entry = EfiMemoryDescriptor::new(kind, PhysAddr(phys), virt, pages, attribute);
            bytes.extend_from_slice(entry.as_bytes());
        }
        put_values(&bytes, buf, buf_len)?;
        place.put(bytes.len().checked_div(KCAP_EFI_DESCRIPTOR_LEN).unwrap_or(0));
        Ok(())
    })
}

/// The most memory that this process ever had resident, in bytes; 0 where the kernel does not say it.
#[unsafe(no_mangle)]
pub extern "C" fn kcap_peak_memory() -> u64 {
    host::peak_memory().unwrap_or(0)
}

/// Memory that can be had without swapping, in bytes; 0 where the kernel does not say it.
#[unsafe(no_mangle)]
pub extern "C" fn kcap_available_memory() -> u64 {
    host::available_memory().unwrap_or(0)
}

#[cfg(test)]
mod tests;
