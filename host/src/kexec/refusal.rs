//! What the kernel means by an errno of these calls.

/// Which call failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Call {
    /// `kexec_load`
    Load,
    /// `kexec_file_load`
    FileLoad,
    /// `reboot(LINUX_REBOOT_CMD_KEXEC)`
    Reboot,
}

impl Call {
    /// The call's name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Load => "kexec_load",
            Self::FileLoad => "kexec_file_load",
            Self::Reboot => "reboot",
        }
    }
}

/// The errno of a kernel without the call, or with it switched off at build time.
const ENOSYS: i32 = 38;
const ENOEXEC: i32 = 8;
const EINVAL: i32 = 22;
/// `ENOTSUPP` of the kernel's inside, which some architectures let out, and the `EOPNOTSUPP` of user space.
const NOT_SUPPORTED: [i32; 2] = [524, 95];

/// Whether another way to load may do what `kexec_file_load` refused (the choice of `-a`, as kexec-tools has it).
#[must_use]
pub fn is_worth_another_way(code: i32) -> bool {
    [ENOSYS, EINVAL, ENOEXEC].contains(&code) || NOT_SUPPORTED.contains(&code)
}

/// The errno of a call in words: what Linux 6.12 means by it.
#[must_use]
pub fn explain(call: Call, code: i32) -> String {
    let name = call.name();
    let why = match (call, code) {
        (_, 1) => {
            "no permission: CAP_SYS_BOOT is missing, /proc/sys/kernel/kexec_load_disabled is 1, the limit \
            of kexec_load_limit_panic or kexec_load_limit_reboot is reached, or the kernel is locked down (Secure Boot)"
        }
        (_, 16) => "another load or exec is going on",
        (_, ENOSYS) => "this kernel does not have the call",
        (Call::Load, 12) => "no room for the kernel's own pages (control pages, page tables, vmcoreinfo)",
        (Call::Load, 14) => "a segment's bytes cannot be read",
        (Call::Load, EINVAL) => {
            "a flag or the architecture is not known to this kernel, segments overlap, are too many, \
            too large, or hold more bytes than they have room for"
        }
        (Call::Load, 99) => {
            "the entry or a segment lies outside the memory reserved for the crash kernel, beyond the \
            machine's memory, or is not page-aligned"
        }
        (Call::FileLoad, ENOEXEC) => "the kernel does not know the format of the image",
        (Call::FileLoad, EINVAL) => {
            "the kernel does not take this image, command line or flag (the kernel log may say which)"
        }
        (Call::FileLoad, 99) => "no hole in memory is large enough",
        (Call::FileLoad, 129) => "the image's signature was made by a key that is not trusted",
        (Call::FileLoad, 126) => "the image's key is not known",
        (Call::FileLoad, 61 | 65 | 74 | 80 | 90) => "the image's signature is missing or damaged",
        (Call::Reboot, EINVAL) => "no kernel is loaded",
        _ => return format!("{name}: {}", crate::describe(code)),
    };
    format!("{name}: {}: {why}", crate::describe(code))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refusals_name_the_call_and_the_reason() {
        let text = explain(Call::Load, 99);
        assert!(text.starts_with("kexec_load: ") && text.contains("crash kernel"), "{text}");
        assert!(explain(Call::Reboot, EINVAL).ends_with("no kernel is loaded"));
        assert!(explain(Call::FileLoad, 5).starts_with("kexec_file_load: "));
    }

    #[test]
    fn a_signature_is_never_worked_around() {
        for code in [1, 129, 126, 74, 80] {
            assert!(!is_worth_another_way(code), "{code}");
        }
        assert!([ENOSYS, EINVAL, ENOEXEC, 95].into_iter().all(is_worth_another_way));
    }
}
