//! What the running kernel checks when a kernel is loaded, checked before it is asked.
//!
//! A load that fails in the kernel leaves no crash kernel behind: it frees the old one before it looks at the new segments.
//! So each of its refusals is found here first, by the kernel's own rules (`kernel/kexec.c` and `kernel/kexec_core.c`,
//! Linux 6.12), in the kernel's order.

use core::fmt;

use vmcore_format::PhysAddr;

use crate::map::Span;
use crate::segment::{Extent, PAGE, SEGMENT_MAX};

/// `KEXEC_ON_CRASH`: the image is entered when the kernel crashes.
pub const ON_CRASH: u32 = 1;
/// `KEXEC_PRESERVE_CONTEXT`: the image may return.
pub const PRESERVE_CONTEXT: u32 = 2;
/// `KEXEC_UPDATE_ELFCOREHDR`: the kernel may rewrite the elfcorehdr; x86, Linux 6.6.
pub const UPDATE_ELFCOREHDR: u32 = 4;
/// `KEXEC_CRASH_HOTPLUG_SUPPORT`: the kernel may rewrite what hotplug changes; Linux 6.10.
pub const CRASH_HOTPLUG_SUPPORT: u32 = 8;
/// The bits of the flags that are an `e_machine`, shifted left by 16 bits.
pub const ARCH_MASK: u32 = 0xffff_0000;

/// The number of pages that the kernel takes together, on their own boundary, for its control code and its page table.
const CONTROL_CODE_PAGES: u64 = 2;

/// The running kernel, as far as its checks of an image go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Kernel {
    /// The machine, an `e_machine` number (`vmcore_format::elf::EM_*`).
    pub machine: u16,
    /// The flags that the kernel knows, without the machine.
    pub known_flags: u32,
    /// `crashk_res`: the region where a crash kernel goes (not `crashk_low_res`), or `None` without `crashkernel=`.
    pub crash_region: Option<Span>,
    /// The pages of RAM that the kernel uses (`totalram_pages`).
    pub ram_pages: u64,
    /// No segment may end at this address or above it (`KEXEC_DESTINATION_MEMORY_LIMIT`): the physical address space that
    /// the paging mode reaches, minus one.
    pub memory_limit: u64,
    /// The single pages that the kernel takes from the crash region for itself: identity page tables, the safe copy of
    /// vmcoreinfo.
    pub control_pages: u64,
}

/// An image, as `kexec_load` is given it.
#[derive(Debug, Clone, Copy)]
pub struct Image<'a> {
    /// Where the image is entered.
    pub entry: PhysAddr,
    /// The flags of the call, the machine among them.
    pub flags: u32,
    /// The segments, in any order.
    pub segments: &'a [Extent],
}

/// Why the kernel would refuse an image. Segments are counted from 0, in the order given.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Refusal {
    /// The flags have bits that the kernel does not know.
    UnknownFlags {
        /// The unknown bits.
        flags: u32,
    },
    /// There are more than [`SEGMENT_MAX`] segments.
    TooManySegments {
        /// The number of segments.
        count: u64,
    },
    /// The image is for another machine.
    WrongMachine {
        /// The machine in the flags, an `e_machine` number.
        machine: u16,
        /// The running kernel's.
        running: u16,
    },
    /// The kernel has no crash region.
    NoCrashRegion,
    /// The entry of a crash kernel is outside the crash region.
    EntryOutside {
        /// The entry.
        entry: PhysAddr,
    },
    /// A segment goes past the end of the address space.
    Wraps {
        /// The segment.
        segment: usize,
    },
    /// A segment does not begin on a page boundary.
    StartUnaligned {
        /// The segment.
        segment: usize,
        /// Where it begins.
        mem: PhysAddr,
    },
    /// A segment does not end on a page boundary.
    EndUnaligned {
        /// The segment.
        segment: usize,
        /// Where it ends.
        end: PhysAddr,
    },
    /// A segment ends above the memory that the kernel can reach.
    AboveLimit {
        /// The segment.
        segment: usize,
        /// Where it ends.
        end: PhysAddr,
    },
    /// Two segments share memory.
    Overlap {
        /// The segment that comes first in the order given.
        first: usize,
        /// The other.
        second: usize,
    },
    /// A segment has more bytes than memory.
    LargerThanItsMemory {
        /// The segment.
        segment: usize,
    },
    /// A segment takes more than half of RAM.
    MoreThanHalfOfRam {
        /// The segment.
        segment: usize,
    },
    /// All segments together take more than half of RAM.
    AllMoreThanHalfOfRam {
        /// The pages that they take.
        pages: u64,
    },
    /// A segment of a crash kernel is outside the crash region.
    OutsideCrashRegion {
        /// The segment.
        segment: usize,
    },
    /// The crash region has no room left for the pages that the kernel takes for itself.
    NoControlPages {
        /// The pages that the kernel needs.
        needed: u64,
    },
}

/// `EINVAL`, as the kernel returns it.
const EINVAL: i32 = 22;
/// `EADDRNOTAVAIL`, as the kernel returns it.
const EADDRNOTAVAIL: i32 = 99;
/// `ENOMEM`, as the kernel returns it.
const ENOMEM: i32 = 12;

impl Refusal {
    /// The `errno` that the kernel would have returned.
    #[must_use]
    pub const fn errno(self) -> i32 {
        match self {
            Self::UnknownFlags { .. }
            | Self::TooManySegments { .. }
            | Self::WrongMachine { .. }
            | Self::Overlap { .. }
            | Self::LargerThanItsMemory { .. }
            | Self::MoreThanHalfOfRam { .. }
            | Self::AllMoreThanHalfOfRam { .. } => EINVAL,
            Self::NoCrashRegion
            | Self::EntryOutside { .. }
            | Self::Wraps { .. }
            | Self::StartUnaligned { .. }
            | Self::EndUnaligned { .. }
            | Self::AboveLimit { .. }
            | Self::OutsideCrashRegion { .. } => EADDRNOTAVAIL,
            Self::NoControlPages { .. } => ENOMEM,
        }
    }

    /// The segment that is refused, where it is one.
    #[must_use]
    pub const fn segment(self) -> Option<usize> {
        match self {
            Self::Wraps { segment }
            | Self::StartUnaligned { segment, .. }
            | Self::EndUnaligned { segment, .. }
            | Self::AboveLimit { segment, .. }
            | Self::Overlap { first: segment, .. }
            | Self::LargerThanItsMemory { segment }
            | Self::MoreThanHalfOfRam { segment }
            | Self::OutsideCrashRegion { segment } => Some(segment),
            _ => None,
        }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::UnknownFlags { flags } => {
                write!(f, "the running kernel does not know the flags {flags:#x}")
            }
            Self::TooManySegments { count } => {
                write!(f, "{count} segments, the kernel takes at most {SEGMENT_MAX}")
            }
            Self::WrongMachine { machine, running } => {
                write!(f, "the image is for machine {machine}, the running kernel is of machine {running}")
            }
            Self::NoCrashRegion => f.write_str("the running kernel has no crash region (crashkernel=)"),
            Self::EntryOutside { entry } => write!(f, "the entry {entry} is outside the crash region"),
            Self::Wraps { segment } => write!(f, "segment {segment} goes past the end of the address space"),
            Self::StartUnaligned { segment, mem } => {
                write!(f, "segment {segment} begins at {mem}, not on a page boundary")
            }
            Self::EndUnaligned { segment, end } => {
                write!(f, "segment {segment} ends at {end}, not on a page boundary")
            }
            Self::AboveLimit { segment, end } => {
                write!(f, "segment {segment} ends at {end}, above what the kernel reaches")
            }
            Self::Overlap { first, second } => write!(f, "segments {first} and {second} overlap"),
            Self::LargerThanItsMemory { segment } => {
                write!(f, "segment {segment} has more bytes than memory")
            }
            Self::MoreThanHalfOfRam { segment } => write!(f, "segment {segment} takes more than half of RAM"),
            Self::AllMoreThanHalfOfRam { pages } => {
                write!(f, "the segments take {pages} pages, more than half of RAM")
            }
            Self::OutsideCrashRegion { segment } => {
                write!(f, "segment {segment} is outside the crash region")
            }
            Self::NoControlPages { needed } => {
                write!(
                    f,
                    "the crash region has no room for the {needed} pages that the kernel needs for itself"
                )
            }
        }
    }
}

impl core::error::Error for Refusal {}

/// Checks `image` as `kernel` will check it.
///
/// Permission, signatures and a lock held by somebody else are left to the kernel: no plan changes them.
///
/// # Errors
///
/// The first reason for which the kernel would refuse the image.
pub fn kernel_would_accept(image: &Image<'_>, kernel: &Kernel) -> Result<(), Refusal> {
    check_call(image, kernel)?;
    let crash = image.flags & ON_CRASH != 0;
    let region = match (crash, kernel.crash_region) {
        (false, _) => None,
        (true, None) => return Err(Refusal::NoCrashRegion),
        (true, Some(region)) => Some(region),
    };
    if let Some(region) = region
        && (image.entry < region.start || image.entry >= region.end)
    {
        return Err(Refusal::EntryOutside { entry: image.entry });
    }
    for (index, segment) in image.segments.iter().enumerate() {
        check_bounds(index, segment, kernel.memory_limit)?;
    }
    check_overlap(image.segments)?;
    check_sizes(image.segments, kernel.ram_pages)?;
    let Some(region) = region else { return Ok(()) };
    for (index, segment) in image.segments.iter().enumerate() {
        let inside = segment.mem >= region.start && segment.end().is_some_and(|end| end <= region.end);
        if !inside {
            return Err(Refusal::OutsideCrashRegion { segment: index });
        }
    }
    check_control_pages(image.segments, region, kernel.control_pages)
}

/// What the kernel checks before it copies the list of segments.
fn check_call(image: &Image<'_>, kernel: &Kernel) -> Result<(), Refusal> {
    let unknown = image.flags & !ARCH_MASK & !kernel.known_flags;
    if unknown != 0 {
        return Err(Refusal::UnknownFlags { flags: unknown });
    }
    if image.segments.len() > SEGMENT_MAX {
        return Err(Refusal::TooManySegments {
            count: u64::try_from(image.segments.len()).unwrap_or(u64::MAX),
        });
    }
    let machine = machine_of(image.flags);
    if machine != 0 && machine != kernel.machine {
        return Err(Refusal::WrongMachine { machine, running: kernel.machine });
    }
    Ok(())
}

/// The machine in the flags, 0 for the default.
fn machine_of(flags: u32) -> u16 {
    let [_, _, low, high] = flags.to_le_bytes();
    u16::from_le_bytes([low, high])
}

fn check_bounds(index: usize, segment: &Extent, limit: u64) -> Result<(), Refusal> {
    let Some(end) = segment.end() else { return Err(Refusal::Wraps { segment: index }) };
    if !segment.mem.0.is_multiple_of(PAGE) {
        return Err(Refusal::StartUnaligned { segment: index, mem: segment.mem });
    }
    if !end.0.is_multiple_of(PAGE) {
        return Err(Refusal::EndUnaligned { segment: index, end });
    }
    if end.0 >= limit {
        return Err(Refusal::AboveLimit { segment: index, end });
    }
    Ok(())
}

fn check_overlap(segments: &[Extent]) -> Result<(), Refusal> {
    for (second, segment) in segments.iter().enumerate() {
        for (first, other) in segments.iter().enumerate().take(second) {
            if segment.mem.0 < ends_at(other) && other.mem.0 < ends_at(segment) {
                return Err(Refusal::Overlap { first, second });
            }
        }
    }
    Ok(())
}

/// The end of a segment that [`check_bounds`] accepted.
fn ends_at(segment: &Extent) -> u64 {
    segment.mem.0.saturating_add(segment.memsz)
}

fn check_sizes(segments: &[Extent], ram_pages: u64) -> Result<(), Refusal> {
    let half = ram_pages / 2;
    let mut all: u64 = 0;
    for (index, segment) in segments.iter().enumerate() {
        if segment.bufsz > segment.memsz {
            return Err(Refusal::LargerThanItsMemory { segment: index });
        }
    }
    for (index, segment) in segments.iter().enumerate() {
        let pages = segment.memsz.div_ceil(PAGE);
        if pages > half {
            return Err(Refusal::MoreThanHalfOfRam { segment: index });
        }
        all = all.saturating_add(pages);
    }
    if all > half {
        return Err(Refusal::AllMoreThanHalfOfRam { pages: all });
    }
    Ok(())
}

/// The kernel takes its pages from the holes of the crash region, first fit upwards: the pages of the control code
/// together, then single ones.
fn check_control_pages(segments: &[Extent], region: Span, single: u64) -> Result<(), Refusal> {
    let needed = single.saturating_add(CONTROL_CODE_PAGES);
    let refusal = Refusal::NoControlPages { needed };
    let code = CONTROL_CODE_PAGES.saturating_mul(PAGE);
    // The kernel never goes back: what lies below the control code is lost.
    let Some(after_code) = first_fit(segments, region.start.0, region.end.0, code) else {
        return Err(refusal);
    };
    let mut at = after_code;
    let mut free: u64 = 0;
    // A round passes a segment, or the hole before one.
    for _ in 0..=segments.len().saturating_mul(2) {
        if let Some(segment) = segments.iter().find(|segment| covers(segment, at)) {
            at = ends_at(segment);
            continue;
        }
        let next = segments
            .iter()
            .map(|s| s.mem.0)
            .filter(|&mem| mem > at)
            .min()
            .unwrap_or(region.end.0)
            .min(region.end.0);
        free = free.saturating_add(next.saturating_sub(at) / PAGE);
        at = next;
    }
    if free < single { Err(refusal) } else { Ok(()) }
}

fn covers(segment: &Extent, at: u64) -> bool {
    segment.mem.0 <= at && at < ends_at(segment)
}

/// The end of the first hole of `size` bytes on its own boundary, from `from` up to `end`.
fn first_fit(segments: &[Extent], from: u64, end: u64, size: u64) -> Option<u64> {
    let mut at = from.checked_next_multiple_of(size)?;
    for _ in 0..=segments.len() {
        let after = at.checked_add(size)?;
        if after > end {
            return None;
        }
        match segments.iter().find(|segment| segment.mem.0 < after && at < ends_at(segment)) {
            None => return Some(after),
            Some(segment) => at = ends_at(segment).checked_next_multiple_of(size)?,
        }
    }
    None
}

#[cfg(test)]
mod tests;
