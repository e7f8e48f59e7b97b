//! A plan in words: one value per decision.

use core::fmt;

use vmcore_format::PhysAddr;

use crate::hole::Direction;
use crate::map::Span;
use crate::segment::{Mutable, SegmentKind};

use super::layout::{Placement, Reason};

/// One decision of a plan. Its text is one line, without a full stop.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Explanation {
    /// The crash region that the kernel is loaded in.
    Region {
        /// The region.
        region: Span,
        /// How many crash regions there are.
        count: usize,
    },
    /// The start of the crash region is left to the running kernel.
    ControlPages {
        /// What is left free.
        room: Span,
        /// Whether one page per GiB of RAM is among them, as the CPU can not map 1 GiB at once.
        per_gib: bool,
    },
    /// A segment has its place.
    Placed {
        /// The segment.
        kind: SegmentKind,
        /// Its memory.
        span: Span,
        /// The bytes that are loaded there; the rest is zero.
        bufsz: u64,
        /// What decided.
        placement: Placement,
    },
    /// A segment's bytes are in the digest.
    Hashed {
        /// The segment.
        kind: SegmentKind,
        /// The number of bytes.
        len: u64,
    },
    /// A segment's bytes are not in the digest.
    NotHashed {
        /// The segment.
        kind: Mutable,
    },
    /// The kernel is not told of EFI: it can not take over its runtime services.
    EfiLeftOut,
    /// The command line of the kernel.
    CommandLine {
        /// Its length in bytes, without its NUL.
        len: u64,
        /// The longest that the kernel takes.
        max: u64,
        /// The address of the elfcorehdr, which was added to it.
        elfcorehdr: Option<PhysAddr>,
    },
    /// Where the running kernel enters the image.
    Entry {
        /// The entry of purgatory.
        purgatory: PhysAddr,
        /// The 64-bit entry of the kernel, which purgatory enters.
        kernel: PhysAddr,
    },
}

impl fmt::Display for Explanation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Region { region, count: 1 } => write!(f, "crash region: {region}"),
            Self::Region { region, count } => {
                write!(
                    f,
                    "crash region: {region}, the highest of {count}: the kernel takes segments there only"
                )
            }
            Self::ControlPages { room, per_gib } => {
                write!(f, "left free: {room}, for the running kernel's own code and page tables")?;
                if *per_gib {
                    f.write_str(" (a page per GiB of RAM: no 1 GiB pages)")?;
                }
                Ok(())
            }
            Self::Placed { kind, span, bufsz, placement } => {
                write!(f, "{kind}: {span}, {bufsz:#x} bytes of {:#x}, {placement}", span.len())
            }
            Self::Hashed { kind, len } => write!(f, "digest: {len:#x} bytes of the {kind}"),
            Self::NotHashed { kind: Mutable::Purgatory } => {
                f.write_str("digest: nothing of the purgatory, which holds it")
            }
            Self::NotHashed { kind: Mutable::Elfcorehdr } => {
                f.write_str("digest: nothing of the elfcorehdr, which the running kernel keeps up to date")
            }
            Self::NotHashed { kind: Mutable::Backup } => {
                f.write_str("digest: nothing of the backup, to which the purgatory copies low memory")
            }
            Self::NotHashed { kind: Mutable::DeviceTree } => {
                f.write_str("digest: nothing of the device tree, which the running kernel keeps up to date")
            }
            Self::EfiLeftOut => {
                f.write_str("EFI: left out, the kernel can not take over its runtime services")
            }
            Self::CommandLine { len, max, elfcorehdr: None } => {
                write!(f, "command line: {len} of {max} bytes")
            }
            Self::CommandLine { len, max, elfcorehdr: Some(at) } => {
                write!(f, "command line: {len} of {max} bytes, with the elfcorehdr at {at}")
            }
            Self::Entry { purgatory, kernel } => {
                write!(f, "entry: {purgatory} in the purgatory, which enters the kernel at {kernel}")
            }
        }
    }
}

impl fmt::Display for Placement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let direction = match self.direction {
            Direction::TopDown => "highest",
            Direction::BottomUp => "lowest",
        };
        let Self { align, limits, reason, .. } = self;
        write!(f, "{direction} free multiple of {align:#x} in {limits}: {reason}")
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::HeaderAddress => "elfcorehdr= names its first byte",
            Self::LinkedInPlace => "it is linked to run where it lies",
            Self::EarlyBoot => "above the real-mode vectors, in one block",
            Self::KernelHeader => {
                "kernel_alignment, and not below pref_address, where it would move itself up"
            }
            Self::NotRelocatable => "it runs at its pref_address only",
            Self::ProgramHeaders => "its p_paddr, where it was linked to run",
            Self::PhysicalAlignment => {
                "as its note XEN_ELFNOTE_PHYS32_RELOC says that it may be moved, as a whole"
            }
            Self::Backup => "the elfcorehdr says that low memory is there",
            Self::AboveLowMemory => "above 16 MiB, which the kernel may want for itself",
            Self::NextToTheLast => "it goes with the segment before it",
        })
    }
}
