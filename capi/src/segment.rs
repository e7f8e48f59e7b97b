//! What a segment of a loaded kernel is, and whether its bytes may change after the load.

use core::ffi::{CStr, c_char};

use kexec_core::segment::{Extent, Fixed, Mutable, SEGMENT_MAX, SegmentKind};

use crate::status::Failure;

/// The most segments that `kexec_load` takes.
pub const KCAP_SEGMENT_MAX: usize = 16;

const _: () = assert!(KCAP_SEGMENT_MAX == SEGMENT_MAX);

/// What a segment holds: one of the `KCAP_SEGMENT_` numbers.
pub type kcap_segment_kind = u32;

/// The protected-mode part of the kernel image, or one `PT_LOAD` of a `vmlinux`. Its bytes stay: they can be in the digest.
pub const KCAP_SEGMENT_KERNEL: kcap_segment_kind = 1;
/// The initial RAM disk. Its bytes stay.
pub const KCAP_SEGMENT_INITRD: kcap_segment_kind = 2;
/// `boot_params`, the command line and all `setup_data`. Its bytes stay.
pub const KCAP_SEGMENT_BOOT_PARAMS: kcap_segment_kind = 3;
/// The ELF core header, where the first kernel does not keep it up to date. Its bytes stay.
pub const KCAP_SEGMENT_ELFCOREHDR: kcap_segment_kind = 4;
/// CPU microcode: an initrd that stands right before the other. Its bytes stay.
pub const KCAP_SEGMENT_MICROCODE: kcap_segment_kind = 5;
/// The code that checks the digest: it holds the digest and its own stack, so its bytes change.
pub const KCAP_SEGMENT_PURGATORY: kcap_segment_kind = 0x100;
/// The ELF core header, where the first kernel rewrites it as CPUs and memory come and go: its bytes change.
pub const KCAP_SEGMENT_ELFCOREHDR_KEPT: kcap_segment_kind = 0x101;
/// Room for low memory, which purgatory copies before the capture kernel uses it: its bytes change.
pub const KCAP_SEGMENT_BACKUP: kcap_segment_kind = 0x102;
/// The device tree, which the first kernel rewrites as memory comes and goes: its bytes change.
pub const KCAP_SEGMENT_DEVICE_TREE: kcap_segment_kind = 0x103;

const FIXED: [(kcap_segment_kind, Fixed); 5] = [
    (KCAP_SEGMENT_KERNEL, Fixed::Kernel),
    (KCAP_SEGMENT_INITRD, Fixed::Initrd),
    (KCAP_SEGMENT_BOOT_PARAMS, Fixed::BootBlock),
    (KCAP_SEGMENT_ELFCOREHDR, Fixed::Elfcorehdr),
    (KCAP_SEGMENT_MICROCODE, Fixed::Microcode),
];

const MUTABLE: [(kcap_segment_kind, Mutable); 4] = [
    (KCAP_SEGMENT_PURGATORY, Mutable::Purgatory),
    (KCAP_SEGMENT_ELFCOREHDR_KEPT, Mutable::Elfcorehdr),
    (KCAP_SEGMENT_BACKUP, Mutable::Backup),
    (KCAP_SEGMENT_DEVICE_TREE, Mutable::DeviceTree),
];

/// The number of a kind; 0 for one that has none.
pub(crate) fn number_of(kind: SegmentKind) -> kcap_segment_kind {
    let found = match kind {
        SegmentKind::Fixed(kind) => FIXED.iter().find(|(_, known)| *known == kind).map(|(number, _)| *number),
        SegmentKind::Mutable(kind) => {
            MUTABLE.iter().find(|(_, known)| *known == kind).map(|(number, _)| *number)
        }
    };
    found.unwrap_or(0)
}

/// The kind of a segment whose bytes stay, by the number that C gave as `kind`.
pub(crate) fn fixed_of(number: kcap_segment_kind) -> Result<Fixed, Failure> {
    let known = FIXED.iter().find(|(known, _)| *known == number);
    known.map(|&(_, kind)| kind).ok_or(Failure::invalid("kind", number.into()))
}

/// What a segment holds, in the field's words: a string of the library's own, "unknown" for a number that is no kind.
#[unsafe(no_mangle)]
pub extern "C" fn kcap_segment_kind_str(kind: kcap_segment_kind) -> *const c_char {
    let name: &CStr = match kind {
        KCAP_SEGMENT_KERNEL => c"kernel",
        KCAP_SEGMENT_INITRD => c"initrd",
        KCAP_SEGMENT_BOOT_PARAMS => c"boot_params",
        KCAP_SEGMENT_ELFCOREHDR | KCAP_SEGMENT_ELFCOREHDR_KEPT => c"elfcorehdr",
        KCAP_SEGMENT_PURGATORY => c"purgatory",
        KCAP_SEGMENT_MICROCODE => c"microcode",
        KCAP_SEGMENT_BACKUP => c"backup",
        KCAP_SEGMENT_DEVICE_TREE => c"device tree",
        _ => c"unknown",
    };
    name.as_ptr()
}

/// The place of a segment, as `struct kexec_segment` gives it to the kernel.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[repr(C)]
pub struct kcap_extent {
    /// The first byte's physical address.
    pub mem: u64,
    /// The bytes of memory taken; those after the first `bufsz` are zero.
    pub memsz: u64,
    /// The bytes that are loaded.
    pub bufsz: u64,
}

const _: () = {
    use core::mem::offset_of;
    assert!(size_of::<kcap_extent>() == size_of::<Extent>());
    assert!(offset_of!(kcap_extent, memsz) == offset_of!(Extent, memsz));
    assert!(offset_of!(kcap_extent, bufsz) == offset_of!(Extent, bufsz));
};

impl From<Extent> for kcap_extent {
    fn from(extent: Extent) -> Self {
        Self { mem: extent.mem.0, memsz: extent.memsz, bufsz: extent.bufsz }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds_have_the_names_of_the_crate() {
        let fixed = FIXED.iter().map(|&(number, kind)| (number, SegmentKind::Fixed(kind)));
        let mutable = MUTABLE.iter().map(|&(number, kind)| (number, SegmentKind::Mutable(kind)));
        for (number, kind) in fixed.chain(mutable) {
            assert_eq!(number_of(kind), number);
            // SAFETY: the library's own string.
            let name = unsafe { CStr::from_ptr(kcap_segment_kind_str(number)) };
            assert_eq!(name.to_str().unwrap(), kind.name());
        }
        // What changes is refused for a digest.
        assert!(MUTABLE.iter().all(|&(number, _)| fixed_of(number).is_err()) && fixed_of(0).is_err());
    }
}
