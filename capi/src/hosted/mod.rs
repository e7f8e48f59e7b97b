//! What a Linux host adds: files and streams, the kexec system calls, and what the running machine says of itself.

mod errno_str;
mod files;
mod kexec;
mod running;
mod threads;

pub use errno_str::*;
pub use files::*;
pub use kexec::*;
pub use running::*;
pub use threads::*;

use core::ffi::c_char;
use std::ffi::OsStr;
use std::io;
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;

use crate::ptr;
use crate::status::{Failure, KCAP_ERR_IO};

/// A failure of the operating system.
fn errno(code: i32) -> Failure {
    Failure { code, value: i64::from(code).cast_unsigned(), ..KCAP_ERR_IO.into() }
}

/// `EINVAL`: what is refused without asking the kernel.
const EINVAL: i32 = 22;

fn system(error: &io::Error) -> Failure {
    errno(error.raw_os_error().unwrap_or(match error.kind() {
        io::ErrorKind::InvalidInput => EINVAL,
        _ => host::EIO,
    }))
}

/// The folder that holds `/proc` and `/sys`: the running machine's for NULL.
fn root(root: *const c_char) -> Result<&'static Path, Failure> {
    if root.is_null() { Ok(Path::new("/")) } else { Ok(Path::new(OsStr::from_bytes(ptr::text(root)?))) }
}
