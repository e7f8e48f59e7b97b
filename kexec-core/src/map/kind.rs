//! A range of physical memory, and what it is.

use core::fmt;
use vmcore_format::PhysAddr;

/// Physical addresses, half open. A span whose end is not above its start is empty.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[repr(C)]
pub struct Span {
    /// The first address.
    pub start: PhysAddr,
    /// The first address past the end.
    pub end: PhysAddr,
}

impl Span {
    /// The addresses from `start` up to, and not including, `end`.
    #[must_use]
    pub const fn new(start: u64, end: u64) -> Self {
        Self { start: PhysAddr(start), end: PhysAddr(end) }
    }

    /// The addresses from `start` to `last`, which is included, as the kernel prints them. The very last byte of the
    /// 64-bit address space has no place in a half-open span and is left out.
    #[must_use]
    pub const fn inclusive(start: u64, last: u64) -> Self {
        Self::new(start, last.saturating_add(1))
    }

    /// The `len` bytes from `start` on; `None` where they run past the end of the address space.
    #[must_use]
    pub fn with_len(start: u64, len: u64) -> Option<Self> {
        Some(Self::new(start, start.checked_add(len)?))
    }

    /// The length in bytes.
    #[must_use]
    pub const fn len(self) -> u64 {
        self.end.0.saturating_sub(self.start.0)
    }

    /// Whether the span holds no byte.
    #[must_use]
    pub const fn is_empty(self) -> bool {
        self.start.0 >= self.end.0
    }

    /// Whether `address` lies in the span.
    #[must_use]
    pub const fn contains(self, address: PhysAddr) -> bool {
        self.start.0 <= address.0 && address.0 < self.end.0
    }

    /// Whether the two spans share a byte.
    #[must_use]
    pub fn overlaps(self, other: Self) -> bool {
        !self.intersection(other).is_empty()
    }

    /// The bytes that both spans hold; empty where there are none.
    #[must_use]
    pub fn intersection(self, other: Self) -> Self {
        Self { start: self.start.max(other.start), end: self.end.min(other.end) }
    }
}

impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:#x}..{:#x}", self.start.0, self.end.0)
    }
}

/// A range of physical memory that is all of one kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Range {
    /// The first address.
    pub start: PhysAddr,
    /// The first address past the end.
    pub end: PhysAddr,
    /// What the memory is.
    pub kind: RangeKind,
}

impl Range {
    /// An empty range, to fill a table with.
    pub const EMPTY: Self = Self { start: PhysAddr(0), end: PhysAddr(0), kind: RangeKind::Reserved };

    /// The addresses of `span`, of this kind.
    #[must_use]
    pub const fn new(span: Span, kind: RangeKind) -> Self {
        Self { start: span.start, end: span.end, kind }
    }

    /// The addresses alone.
    #[must_use]
    pub const fn span(self) -> Span {
        Span { start: self.start, end: self.end }
    }

    /// The length in bytes.
    #[must_use]
    #[expect(clippy::len_without_is_empty, reason = "the ranges of a map are not empty")]
    pub const fn len(self) -> u64 {
        self.span().len()
    }
}

impl Default for Range {
    fn default() -> Self {
        Self::EMPTY
    }
}

/// What a range of physical memory is: the types of the E820 map, and three that a running kernel adds.
///
/// Source: `arch/x86/include/asm/e820/types.h`, `arch/x86/kernel/e820.c` and `kernel/kexec_core.c` (Linux 6.12).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum RangeKind {
    /// RAM that the kernel uses freely: `System RAM`.
    SystemRam,
    /// RAM that a driver brought and may take away: `System RAM (kmem)`, `System RAM (virtio_mem)`. Part of a dump; the
    /// next kernel is told of what lies beneath (a capture kernel of persistent memory alone), and finds the RAM through
    /// the driver, so it is no place for one (`IORESOURCE_SYSRAM_DRIVER_MANAGED`, `include/linux/ioport.h`, Linux 6.12).
    DriverManagedRam(Beneath),
    /// RAM that holds what must stay in place (`reserved` below `System RAM` in `/proc/iomem`, a device tree's
    /// reservations): part of a dump, no place for a kernel.
    ReservedRam,
    /// RAM that was set aside for a crash kernel (`Crash kernel`): the place for one, no part of a dump.
    CrashKernel,
    /// No RAM, or RAM of the firmware (`Reserved`).
    Reserved,
    /// Tables of the firmware, free once they were read (`ACPI Tables`).
    AcpiTables,
    /// Memory of the firmware that must outlive sleep (`ACPI Non-volatile Storage`).
    AcpiNvs,
    /// Memory with errors (`Unusable memory`).
    Unusable,
    /// Persistent memory (`Persistent Memory`, E820 type 7).
    Persistent,
    /// Persistent memory of the kind before NFIT (`Persistent Memory (legacy)`, PRAM, E820 type 12).
    PersistentLegacy,
    /// Memory set aside for a purpose of its own (`Soft Reserved`, `EFI_MEMORY_SP`).
    SoftReserved,
}

/// What memory is to the firmware that a driver made RAM of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Beneath {
    /// Nothing: the hypervisor's driver finds it by itself (virtio-mem).
    Nothing,
    /// [`RangeKind::Persistent`], given to the driver `kmem` as a device of `dax`.
    Persistent,
    /// [`RangeKind::PersistentLegacy`], given in the same way.
    PersistentLegacy,
    /// [`RangeKind::SoftReserved`], which the driver `kmem` takes.
    SoftReserved,
}

impl Beneath {
    /// What memory of this kind is to the firmware, under the RAM that a driver made of it.
    #[must_use]
    pub const fn of(kind: Option<RangeKind>) -> Self {
        match kind {
            Some(RangeKind::Persistent) => Self::Persistent,
            Some(RangeKind::PersistentLegacy) => Self::PersistentLegacy,
            Some(RangeKind::SoftReserved) => Self::SoftReserved,
            Some(RangeKind::DriverManagedRam(beneath)) => beneath,
            _ => Self::Nothing,
        }
    }

    /// The kind of memory that firmware tells of; `None` where it tells of none.
    #[must_use]
    pub const fn kind(self) -> Option<RangeKind> {
        match self {
            Self::Nothing => None,
            Self::Persistent => Some(RangeKind::Persistent),
            Self::PersistentLegacy => Some(RangeKind::PersistentLegacy),
            Self::SoftReserved => Some(RangeKind::SoftReserved),
        }
    }
}

impl RangeKind {
    /// Every kind but driver-managed RAM, of which `/proc/iomem` alone tells. Where a firmware's entries overlap, the kind
    /// that stands later here holds.
    ///
    /// Source: `e820__update_table` (Linux 6.12): the highest type number wins.
    pub const ALL: [Self; 10] = [
        Self::SystemRam,
        Self::ReservedRam,
        Self::CrashKernel,
        Self::Reserved,
        Self::AcpiTables,
        Self::AcpiNvs,
        Self::Unusable,
        Self::Persistent,
        Self::PersistentLegacy,
        Self::SoftReserved,
    ];

    /// Whether the kernel counts this memory as its RAM, whatever is in it now.
    #[must_use]
    pub const fn is_ram(self) -> bool {
        self.is_dumped() || matches!(self, Self::CrashKernel)
    }

    /// Whether a dump of the machine holds this memory: RAM, less what a crash kernel was given.
    #[must_use]
    pub const fn is_dumped(self) -> bool {
        matches!(self, Self::SystemRam | Self::DriverManagedRam(_) | Self::ReservedRam)
    }

    /// The kind's name in `/proc/iomem`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::SystemRam => "System RAM",
            Self::DriverManagedRam(_) => "driver-managed RAM",
            Self::ReservedRam => "reserved RAM",
            Self::CrashKernel => "Crash kernel",
            Self::Reserved => "Reserved",
            Self::AcpiTables => "ACPI Tables",
            Self::AcpiNvs => "ACPI Non-volatile Storage",
            Self::Unusable => "Unusable memory",
            Self::Persistent => "Persistent Memory",
            Self::PersistentLegacy => "Persistent Memory (legacy)",
            Self::SoftReserved => "Soft Reserved",
        }
    }
}

impl fmt::Display for RangeKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
