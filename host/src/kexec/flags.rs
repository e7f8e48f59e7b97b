//! Which flags the running kernel's `kexec_load` knows.

use core::ffi::c_ulong;

use super::running::Running;
use crate::errno::{EFAULT, EINVAL};
use crate::syscall::refusal_of_no_segment;

/// Whether the running kernel knows a flag of `kexec_load`, by its answer to a call that cannot load anything; `None` where it
/// does not answer: without the permission to load, without the call, and where a number of loads is left, of which such a call
/// would take one (`kexec_load_limit_reboot`, Linux 6.3). It asks as for an ordinary kernel: before Linux 5.15 a call for a crash
/// kernel makes the kernel forget the one that is loaded before it looks at the segments.
///
/// Distributions bring features to older releases: the version says less.
#[must_use]
pub fn knows_flag(flag: u32) -> Option<bool> {
    const ON_CRASH: u32 = 1;
    let limit = Running::here().read("proc/sys/kernel/kexec_load_limit_reboot");
    if limit.is_ok_and(|limit| limit.trim_ascii() != b"-1") {
        return None;
    }
    match refusal_of_no_segment(c_ulong::from(flag & !ON_CRASH)) {
        EFAULT => Some(true),
        EINVAL => Some(false),
        _ => None,
    }
}
