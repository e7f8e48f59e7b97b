//! The system calls: the one file of this crate with `unsafe`.
#![expect(unsafe_code, reason = "what std does not wrap")]

use core::ffi::{CStr, c_int, c_long, c_ulong, c_void};
use core::mem::MaybeUninit;
use core::ptr;
use std::fs::File;
use std::io;
use std::os::fd::AsRawFd;

use crate::errno::{EINVAL, code_of};

/// `struct kexec_segment` of `linux/kexec.h`: words of the native size.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
struct RawSegment {
    buf: *const c_void,
    bufsz: usize,
    mem: *const c_void,
    memsz: usize,
}

/// A range of physical memory and what the kernel copies there.
#[derive(Debug, Clone, Copy)]
pub struct LoadSegment<'a> {
    /// The first bytes of the segment; the kernel fills the rest with zeros.
    pub bytes: &'a [u8],
    /// Physical address, page-aligned.
    pub mem: u64,
    /// Size in bytes, a multiple of the page size, not smaller than `bytes`.
    pub memsz: u64,
}

/// The most segments that the kernel takes (`KEXEC_SEGMENT_MAX` of `linux/kexec.h`).
pub const SEGMENT_MAX: usize = 16;

/// `kexec_load`: the kernel copies the segments and starts at `entry`, a physical address. Without segments it forgets
/// the image that it has. `flags` are those of `linux/kexec.h`: 1 `KEXEC_ON_CRASH`, 4 `KEXEC_UPDATE_ELFCOREHDR`.
///
/// # Errors
/// The errno; [`explain`](crate::kexec::explain) puts it into words.
pub fn kexec_load(entry: u64, segments: &[LoadSegment<'_>], flags: u64) -> Result<(), i32> {
    let word = |value: u64| usize::try_from(value).map_err(|_| EINVAL);
    let mut raw = Vec::with_capacity(segments.len());
    for segment in segments {
        raw.push(RawSegment {
            buf: segment.bytes.as_ptr().cast(),
            bufsz: segment.bytes.len(),
            mem: ptr::without_provenance(word(segment.mem)?),
            memsz: word(segment.memsz)?,
        });
    }
    let (entry, flags) = (word(entry)?, word(flags)?);
    // SAFETY: `raw` holds `raw.len()` valid `struct kexec_segment`; the kernel reads `bufsz` bytes at each `buf`, which
    // are borrowed for the call, and writes nothing of this process. `mem` is a physical address and never followed here.
    let result = unsafe { libc::syscall(libc::SYS_kexec_load, entry, raw.len(), raw.as_ptr(), flags) };
    checked(result)
}

/// `kexec_file_load`: the kernel reads the image and the initial RAM disk from open files and plans itself. `flags` are
/// those of `linux/kexec.h`: 1 `KEXEC_FILE_UNLOAD`, 2 `KEXEC_FILE_ON_CRASH`, 4 `KEXEC_FILE_NO_INITRAMFS`.
///
/// # Errors
/// The errno; [`explain`](crate::kexec::explain) puts it into words.
pub fn kexec_file_load(
    kernel: Option<&File>,
    initrd: Option<&File>,
    command_line: &CStr,
    flags: u64,
) -> Result<(), i32> {
    let number = |file: Option<&File>| c_long::from(file.map_or(-1, |file| file.as_raw_fd()));
    let flags = c_ulong::try_from(flags).map_err(|_| EINVAL)?;
    let line = command_line.to_bytes_with_nul();
    // SAFETY: the kernel reads `line.len()` bytes at `line`, which are borrowed for the call, and the files by their
    // numbers, which are open for the call.
    let result = unsafe {
        libc::syscall(
            libc::SYS_kexec_file_load,
            number(kernel),
            number(initrd),
            line.len(),
            line.as_ptr(),
            flags,
        )
    };
    checked(result)
}

/// `sync`, then `reboot(LINUX_REBOOT_CMD_KEXEC)`: leaves this kernel at once for the loaded one. Nothing is shut down
/// first. It returns only if it fails.
///
/// # Errors
/// The errno; [`explain`](crate::kexec::explain) puts it into words.
pub fn reboot_into_loaded() -> Result<(), i32> {
    const LINUX_REBOOT_CMD_KEXEC: c_int = 0x4558_4543;
    // SAFETY: both calls take no pointer of this process.
    let result = unsafe {
        libc::sync();
        libc::reboot(LINUX_REBOOT_CMD_KEXEC)
    };
    checked(c_long::from(result))
}

/// Takes storage for the `len` bytes at `offset` of `file`, whose size stays as it is.
pub(crate) fn preallocate(file: &File, offset: u64, len: u64) -> Result<(), i32> {
    let number = |value: u64| libc::off_t::try_from(value).map_err(|_| EINVAL);
    let (offset, len) = (number(offset)?, number(len)?);
    // SAFETY: the call takes no pointer, and the file is open for the call.
    let result = unsafe { libc::fallocate(file.as_raw_fd(), libc::FALLOC_FL_KEEP_SIZE, offset, len) };
    checked(c_long::from(result))
}

/// Whether `file` is on a file system that lives in memory (`tmpfs`).
pub(crate) fn is_in_memory(file: &File) -> bool {
    let mut answer = MaybeUninit::<libc::statfs>::zeroed();
    // SAFETY: the kernel writes one `struct statfs`, for which there is room, and the file is open for the call.
    let result = unsafe { libc::fstatfs(file.as_raw_fd(), answer.as_mut_ptr()) };
    // SAFETY: all zeros are a value of the structure, which the kernel may have replaced.
    let answer = unsafe { answer.assume_init() };
    result == 0 && answer.f_type == libc::TMPFS_MAGIC
}

fn checked(result: c_long) -> Result<(), i32> {
    if result < 0 { Err(code_of(&io::Error::last_os_error())) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What kernel and libraries agree on: four words.
    #[test]
    fn a_segment_is_four_words() {
        assert_eq!(size_of::<RawSegment>(), 4 * size_of::<usize>());
    }
}
