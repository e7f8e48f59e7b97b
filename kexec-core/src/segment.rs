//! What a segment of a loaded kernel is, and whether its bytes may change after the load.

use core::fmt;

use vmcore_format::PhysAddr;

/// The most segments that `kexec_load` takes (`KEXEC_SEGMENT_MAX`, `include/uapi/linux/kexec.h`, Linux 6.12).
pub const SEGMENT_MAX: usize = 16;

/// The size in bytes of the pages in which an x86 kernel counts segments.
pub const PAGE: u64 = 4096;

/// A segment whose bytes stay as they were loaded: only such a segment can be put in the digest.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Fixed {
    /// The protected-mode part of the kernel image, or one `PT_LOAD` of a `vmlinux`.
    Kernel,
    /// CPU microcode: an initrd that stands right before the other.
    Microcode,
    /// The initial RAM disk.
    Initrd,
    /// `boot_params`, the command line and all `setup_data`.
    BootBlock,
    /// The ELF core header, when the first kernel does not keep it up to date.
    Elfcorehdr,
}

/// A segment whose bytes change after the load, by right: it can not be put in the digest.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Mutable {
    /// The code that checks the digest: it holds the digest and its own stack.
    Purgatory,
    /// The ELF core header, when the first kernel rewrites it as CPUs and memory come and go.
    Elfcorehdr,
    /// Room for low memory, which purgatory copies before the capture kernel uses it.
    Backup,
    /// The device tree, which the first kernel rewrites as memory comes and goes (ppc64, Linux 6.12).
    DeviceTree,
}

/// What a segment holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SegmentKind {
    /// Bytes that stay.
    Fixed(Fixed),
    /// Bytes that change.
    Mutable(Mutable),
}

impl SegmentKind {
    /// What the segment holds, in the field's words.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Fixed(Fixed::Kernel) => "kernel",
            Self::Fixed(Fixed::Microcode) => "microcode",
            Self::Fixed(Fixed::Initrd) => "initrd",
            Self::Fixed(Fixed::BootBlock) => "boot_params",
            Self::Fixed(Fixed::Elfcorehdr) | Self::Mutable(Mutable::Elfcorehdr) => "elfcorehdr",
            Self::Mutable(Mutable::Purgatory) => "purgatory",
            Self::Mutable(Mutable::Backup) => "backup",
            Self::Mutable(Mutable::DeviceTree) => "device tree",
        }
    }
}

impl fmt::Display for SegmentKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// The place of a segment, as `struct kexec_segment` gives it to the kernel (`include/uapi/linux/kexec.h`, Linux 6.12).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(C)]
pub struct Extent {
    /// The first byte's address.
    pub mem: PhysAddr,
    /// The bytes of memory taken; those after the first `bufsz` are zero.
    pub memsz: u64,
    /// The bytes that are loaded.
    pub bufsz: u64,
}

impl Extent {
    /// The address after the last byte, or `None` past the end of the address space.
    #[must_use]
    pub fn end(&self) -> Option<PhysAddr> {
        self.mem.checked_add(self.memsz)
    }
}
