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
    /// The protected-mode part of the kernel image.
    Kernel,
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
            Self::Fixed(Fixed::Initrd) => "initrd",
            Self::Fixed(Fixed::BootBlock) => "boot_params",
            Self::Fixed(Fixed::Elfcorehdr) | Self::Mutable(Mutable::Elfcorehdr) => "elfcorehdr",
            Self::Mutable(Mutable::Purgatory) => "purgatory",
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

/// Physical addresses from `start` up to, and without, `end`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Span {
    /// The first address.
    pub start: PhysAddr,
    /// The address after the last one.
    pub end: PhysAddr,
}

impl Span {
    /// Every address but the last.
    pub const ALL: Self = Self { start: PhysAddr(0), end: PhysAddr(u64::MAX) };

    /// The part that lies in `other` too, or `None` if there is none.
    #[must_use]
    pub fn within(self, other: Self) -> Option<Self> {
        let both = Self { start: self.start.max(other.start), end: self.end.min(other.end) };
        (both.start < both.end).then_some(both)
    }

    /// Whether some address lies in both.
    #[must_use]
    pub fn overlaps(self, other: Self) -> bool {
        self.within(other).is_some()
    }

    /// Its size in bytes; 0 if it ends before it starts.
    #[must_use]
    pub const fn size(self) -> u64 {
        self.end.0.saturating_sub(self.start.0)
    }
}

impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.start, self.end)
    }
}
