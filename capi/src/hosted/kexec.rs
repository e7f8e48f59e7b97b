//! The kexec system calls: what they do, what their errors mean, and what is loaded.

use core::ffi::{CStr, c_char};

use host::kexec::{self, Call, LoadSegment, State};

use super::{errno, root, system};
use crate::error::{answer, kcap_error};
use crate::plan::kcap_plan;
use crate::ptr::{self, Growing};
use crate::status::{Failure, kcap_status};
use crate::text::put_text;

/// A range of physical memory and what the kernel copies there.
#[derive(Debug, Clone, Copy)]
#[repr(C)]
pub struct kcap_load_segment {
    /// The first bytes of the segment; the kernel fills the rest with zeros.
    pub bytes: *const u8,
    /// Their number.
    pub len: usize,
    /// Physical address, page-aligned.
    pub mem: u64,
    /// Size in bytes, a multiple of the page size, not smaller than `len`.
    pub memsz: u64,
}

/// `kexec_load`: the kernel copies the `count` segments at `segments` and will start at `entry`, a physical address. Without
/// segments it forgets the image that it has. `flags` are bits of `KCAP_KEXEC_`, the machine among them.
///
/// Errors: `KCAP_ERR_IO` (`code`: the errno, for `kcap_kexec_explain`), `KCAP_ERR_NULL`, `KCAP_ERR_LENGTH`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kcap_kexec_load(
    entry: u64,
    segments: *const kcap_load_segment,
    count: usize,
    flags: u64,
    error: *mut kcap_error,
) -> kcap_status {
    answer(error, || {
        let segments = ptr::slice(segments, count)?.iter().map(|segment| {
            let bytes = ptr::slice(segment.bytes, segment.len)?;
            Ok(LoadSegment { bytes, mem: segment.mem, memsz: segment.memsz })
        });
        let segments = segments.collect::<Result<Vec<_>, Failure>>()?;
        kexec::kexec_load(entry, &segments, flags).map_err(errno)
    })
}

/// `kexec_load` of `plan`, `scratch` being what `kcap_plan_encode` filled.
///
/// Errors: `KCAP_ERR_IO` (`code`: the errno, for `kcap_kexec_explain`), `KCAP_ERR_BUFFER_TOO_SMALL` for `scratch`,
/// `KCAP_ERR_NULL`, `KCAP_ERR_LENGTH`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kcap_kexec_load_plan(
    plan: *const kcap_plan,
    scratch: *const u8,
    scratch_len: usize,
    error: *mut kcap_error,
) -> kcap_status {
    answer(error, || {
        let scratch = ptr::slice(scratch, scratch_len)?;
        let plan = &ptr::get(plan)?.plan;
        let segments = plan.segments().iter().map(|segment| {
            let bytes = plan.bytes(segment, scratch)?;
            Ok(LoadSegment { bytes, mem: segment.extent.mem.0, memsz: segment.extent.memsz })
        });
        let segments = segments.collect::<Result<Vec<_>, Failure>>()?;
        kexec::kexec_load(plan.entry().0, &segments, plan.flags().into()).map_err(errno)
    })
}

/// Forget the image.
pub const KCAP_KEXEC_FILE_UNLOAD: u64 = 1;
/// The image is entered when the kernel crashes.
pub const KCAP_KEXEC_FILE_ON_CRASH: u64 = 2;
/// There is no initial RAM disk.
pub const KCAP_KEXEC_FILE_NO_INITRAMFS: u64 = 4;

/// `kexec_file_load`: the kernel reads the image and the initial RAM disk from the open files `kernel` and `initrd`, of which -1 is
/// none, and plans itself. `flags` are bits of `KCAP_KEXEC_FILE_`. `command_line` may be NULL.
///
/// Errors: `KCAP_ERR_IO` (`code`: the errno, for `kcap_kexec_explain`).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kcap_kexec_file_load(
    kernel: i32,
    initrd: i32,
    command_line: *const c_char,
    flags: u64,
    error: *mut kcap_error,
) -> kcap_status {
    answer(error, || {
        let line: &CStr = if command_line.is_null() { c"" } else { ptr::string(command_line)? };
        let (kernel, initrd) = (ptr::file(kernel), ptr::file(initrd));
        kexec::kexec_file_load(kernel.as_deref(), initrd.as_deref(), line, flags).map_err(errno)
    })
}

/// `sync`, then `reboot(LINUX_REBOOT_CMD_KEXEC)`: leaves this kernel at once for the loaded one. Nothing is shut down first. It returns
/// only if it fails.
///
/// Errors: `KCAP_ERR_IO` (`code`: the errno, for `kcap_kexec_explain`).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kcap_kexec_reboot(error: *mut kcap_error) -> kcap_status {
    answer(error, || kexec::reboot_into_loaded().map_err(errno))
}

/// `kexec_load`
pub const KCAP_CALL_LOAD: u32 = 1;
/// `kexec_file_load`
pub const KCAP_CALL_FILE_LOAD: u32 = 2;
/// `reboot(LINUX_REBOOT_CMD_KEXEC)`
pub const KCAP_CALL_REBOOT: u32 = 3;

/// Writes what Linux means by the errno `code` of a call, a `KCAP_CALL_` number, NUL-terminated to the `len` bytes at `text`. 512 bytes are
/// enough.
///
/// Errors: `KCAP_ERR_BUFFER_TOO_SMALL` (`value`: bytes for `text`), `KCAP_ERR_INVALID` (`call`), `KCAP_ERR_NULL`,
/// `KCAP_ERR_LENGTH`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kcap_kexec_explain(
    call: u32,
    code: i32,
    text: *mut c_char,
    len: usize,
    error: *mut kcap_error,
) -> kcap_status {
    answer(error, || {
        let call = match call {
            KCAP_CALL_LOAD => Call::Load,
            KCAP_CALL_FILE_LOAD => Call::FileLoad,
            KCAP_CALL_REBOOT => Call::Reboot,
            other => return Err(Failure::invalid("call", other.into())),
        };
        put_text(text, len, kexec::explain(call, code))
    })
}

/// Whether another way to load may do what `kcap_kexec_file_load` refused with the errno `code`: 1 or 0. A refused signature is
/// never worked around.
#[unsafe(no_mangle)]
pub extern "C" fn kcap_kexec_worth_another_way(code: i32) -> i32 {
    kexec::is_worth_another_way(code).into()
}

/// What is neither 0 nor 1: the kernel does not say.
pub const KCAP_UNKNOWN: i32 = -1;

/// Whether the running kernel knows a flag of a crash kernel's `kexec_load`, one of `KCAP_KEXEC_`: 1, 0, or `KCAP_UNKNOWN` where it
/// does not say: without the permission to load, and where a number of loads is left, of which the question would take one
/// (`kexec_load_limit_reboot`). Nothing is loaded, and nothing forgotten.
#[unsafe(no_mangle)]
pub extern "C" fn kcap_kexec_knows_flag(flag: u32) -> i32 {
    kexec::knows_flag(flag).map_or(KCAP_UNKNOWN, i32::from)
}

/// What the kernel says of its images: 1, 0, or `KCAP_UNKNOWN`. Set `size` before the call.
#[derive(Debug, Clone, Copy)]
#[repr(C)]
pub struct kcap_kexec_state {
    /// `sizeof(kcap_kexec_state)`.
    pub size: usize,
    /// Bytes reserved by `crashkernel=`; `UINT64_MAX` where the kernel does not say.
    pub crash_size: u64,
    /// Bytes that the kernel wants of an elfcorehdr that it can bring up to date (6.6); `UINT64_MAX` where it does not say.
    pub elfcorehdr_size: u64,
    /// Whether an ordinary kernel is loaded.
    pub loaded: i32,
    /// Whether a crash kernel is loaded.
    pub crash_loaded: i32,
    /// Whether the kernel itself brings the loaded elfcorehdr up to date when CPUs come and go (6.6).
    pub hotplug_cpu: i32,
    /// The same of memory.
    pub hotplug_memory: i32,
    /// Whether loading is switched off until reboot.
    pub load_disabled: i32,
    /// 0.
    pub reserved: u32,
}

// SAFETY: `repr(C)`, begins with a `usize`, holds nothing but integers.
unsafe impl Growing for kcap_kexec_state {}

/// Writes what the running kernel says of its images to `state`. `root` is the folder of a copy of `/proc` and `/sys`; NULL for the
/// running machine.
///
/// Errors: `KCAP_ERR_IO` (`code`: the errno) if `/sys` is not there at all, `KCAP_ERR_NULL`, `KCAP_ERR_LENGTH`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kcap_kexec_get_state(
    root: *const c_char,
    state: *mut kcap_kexec_state,
    error: *mut kcap_error,
) -> kcap_status {
    answer(error, || {
        let place = ptr::out_growing(state)?;
        let state = State::read_below(self::root(root)?).map_err(|error| system(&error))?;
        let known = |value: Option<bool>| value.map_or(KCAP_UNKNOWN, i32::from);
        place.put(&kcap_kexec_state {
            size: 0,
            crash_size: state.crash_size.unwrap_or(u64::MAX),
            elfcorehdr_size: state.elfcorehdr_size.unwrap_or(u64::MAX),
            loaded: known(state.loaded),
            crash_loaded: known(state.crash_loaded),
            hotplug_cpu: known(state.hotplug_cpu),
            hotplug_memory: known(state.hotplug_memory),
            load_disabled: known(state.load_disabled),
            reserved: 0,
        });
        Ok(())
    })
}

#[cfg(test)]
mod tests {
    #![expect(clippy::undocumented_unsafe_blocks, reason = "pointers to values here, or wrong on purpose")]

    use core::ptr::{null, null_mut};

    use super::*;
    use crate::status::{
        KCAP_ERR_BUFFER_TOO_SMALL, KCAP_ERR_INVALID, KCAP_ERR_IO, KCAP_ERR_LENGTH, KCAP_ERR_NULL, KCAP_OK,
    };
    use crate::testing::{no_error, sized};

    #[test]
    fn errors_are_explained() {
        let mut text = [0; 512];
        let at = text.as_mut_ptr();
        unsafe {
            assert_eq!(kcap_kexec_explain(KCAP_CALL_LOAD, 99, at, 512, null_mut()), KCAP_OK);
            assert_eq!(CStr::from_ptr(at).to_str().unwrap(), kexec::explain(Call::Load, 99));
            assert_eq!(kcap_kexec_explain(9, 99, at, 512, null_mut()), KCAP_ERR_INVALID);
            assert_eq!(kcap_kexec_explain(KCAP_CALL_LOAD, 99, null_mut(), 512, null_mut()), KCAP_ERR_NULL);
            assert_eq!(kcap_kexec_explain(KCAP_CALL_LOAD, 99, at, 0, null_mut()), KCAP_ERR_BUFFER_TOO_SMALL);
        }
        assert_eq!((kcap_kexec_worth_another_way(38), kcap_kexec_worth_another_way(129)), (1, 0));
    }

    /// What the kernel refuses whoever asks, so that nothing is ever loaded here.
    #[test]
    #[cfg_attr(miri, ignore = "Miri has no kexec_load")]
    fn what_the_kernel_refuses_has_its_errno() {
        let mut error = no_error();
        unsafe {
            let status = kcap_kexec_load(0, null(), 0, 0x7ff0_0000_0000, &raw mut error);
            assert_eq!(status, KCAP_ERR_IO);
            assert_ne!(error.code, 0);
            let wrong = kcap_load_segment { bytes: null(), len: 1, mem: 0, memsz: 4096 };
            assert_eq!(kcap_kexec_load(0, &raw const wrong, 1, 0, null_mut()), KCAP_ERR_NULL);
            assert_eq!(kcap_kexec_load(0, null(), 1, 0, null_mut()), KCAP_ERR_NULL);
            assert_eq!(kcap_kexec_load(0, &raw const wrong, usize::MAX, 0, null_mut()), KCAP_ERR_LENGTH);
            assert_eq!(kcap_kexec_load_plan(null(), null(), 0, null_mut()), KCAP_ERR_NULL);
            assert_eq!(kcap_kexec_file_load(-1, -1, null(), u64::MAX << 8, null_mut()), KCAP_ERR_IO);
        }
    }

    #[test]
    fn the_state_is_read_from_a_copy() {
        let folder = std::env::temp_dir().join(format!("kcapture-c-state-{}", std::process::id()));
        let below = folder.join("sys/kernel");
        std::fs::create_dir_all(&below).unwrap();
        std::fs::write(below.join("kexec_crash_loaded"), "1\n").unwrap();
        std::fs::write(below.join("kexec_crash_size"), "201326592\n").unwrap();
        let root = std::ffi::CString::new(folder.to_str().unwrap()).unwrap();
        let mut state: kcap_kexec_state = sized();
        let status = unsafe { kcap_kexec_get_state(root.as_ptr(), &raw mut state, null_mut()) };
        std::fs::remove_dir_all(&folder).unwrap();
        assert_eq!(status, KCAP_OK);
        assert_eq!((state.crash_loaded, state.loaded, state.crash_size), (1, KCAP_UNKNOWN, 192 << 20));
        assert_eq!(state.elfcorehdr_size, u64::MAX);
        let mut error = no_error();
        let status = unsafe { kcap_kexec_get_state(root.as_ptr(), &raw mut state, &raw mut error) };
        assert_eq!((status, error.code), (KCAP_ERR_IO, 2));
        assert_eq!(unsafe { kcap_kexec_get_state(null(), null_mut(), null_mut()) }, KCAP_ERR_NULL);
    }
}
