//! Error codes.

use std::io;

use vmcore_format::END_OF_FILE;

/// Interrupted by a signal.
pub const EINTR: i32 = 4;
/// Input/output error: also stands in for an error that has no number of its own.
pub const EIO: i32 = 5;
/// Cannot allocate memory.
pub const ENOMEM: i32 = 12;
/// Device or resource busy.
pub(crate) const EBUSY: i32 = 16;
/// No such address: what `lseek` says where only a hole follows.
pub(crate) const ENXIO: i32 = 6;
/// Bad file descriptor.
pub(crate) const EBADF: i32 = 9;
/// Bad address.
pub(crate) const EFAULT: i32 = 14;
/// Invalid argument.
pub(crate) const EINVAL: i32 = 22;
/// No space left on device.
pub(crate) const ENOSPC: i32 = 28;

/// The errno of `error`.
pub(crate) fn code_of(error: &io::Error) -> i32 {
    error.raw_os_error().unwrap_or(match error.kind() {
        io::ErrorKind::UnexpectedEof => END_OF_FILE,
        io::ErrorKind::WriteZero => ENOSPC,
        _ => EIO,
    })
}

/// A code of this crate in words.
#[must_use]
pub fn describe(code: i32) -> String {
    if code == END_OF_FILE { "end of file".into() } else { io::Error::from_raw_os_error(code).to_string() }
}
