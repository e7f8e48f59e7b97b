//! Why no plan could be made.

use core::fmt;

use crate::Error;
use crate::check::Refusal;
use crate::map::Span;
use crate::segment::SegmentKind;

/// Why no plan could be made, or its bytes not be written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum PlanError {
    /// An input could not be read, or the caller's buffer is too small.
    Input(Error),
    /// The memory map has no crash region: the machine was started without `crashkernel=`.
    NoCrashRegion,
    /// The elfcorehdr is no ELF header: the capture kernel would find no memory of the first one.
    NoElfcorehdr,
    /// The kernel image is none of those that this machine's loader can place.
    KernelKind,
    /// The kernel is an ELF kernel of which nothing says that it is Linux: how it is entered is not known.
    NoLinux,
    /// The caller's command line has an `elfcorehdr=`, and the plan has to add its own.
    ElfcorehdrGiven,
    /// The machine runs with 5-level page tables, with which this kernel can not be entered, or does not say that it can:
    /// a `vmlinux` never says.
    FiveLevelPaging,
    /// No free memory is left for a segment.
    NoRoom {
        /// The segment.
        kind: SegmentKind,
        /// The bytes it needs.
        size: u64,
        /// What its address must be a multiple of.
        align: u64,
        /// Where it may be.
        limits: Span,
    },
    /// A segment begins with the ELF magic: the kernel would take it for the elfcorehdr, and write over it.
    ElfMagic {
        /// The segment.
        kind: SegmentKind,
    },
    /// The running kernel would refuse the plan.
    Refused {
        /// Why.
        refusal: Refusal,
        /// What the refused segment holds, where it is one segment.
        kind: Option<SegmentKind>,
    },
}

impl PlanError {
    /// The stable number of the error's kind, as the C ABI reports it.
    #[must_use]
    pub const fn code(self) -> i32 {
        match self {
            Self::Input(error) => error.code(),
            Self::NoCrashRegion => 40,
            Self::NoElfcorehdr => 41,
            Self::KernelKind => 42,
            Self::FiveLevelPaging => 43,
            Self::NoRoom { .. } => 44,
            Self::ElfMagic { .. } => 45,
            Self::Refused { .. } => 46,
            Self::NoLinux => 47,
            Self::ElfcorehdrGiven => 48,
        }
    }
}

impl From<Error> for PlanError {
    fn from(error: Error) -> Self {
        Self::Input(error)
    }
}

impl From<Refusal> for PlanError {
    fn from(refusal: Refusal) -> Self {
        Self::Refused { refusal, kind: None }
    }
}

impl fmt::Display for PlanError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Input(error) => error.fmt(f),
            Self::NoCrashRegion => f.write_str("no memory is set aside for a crash kernel (crashkernel=)"),
            Self::NoElfcorehdr => f.write_str("the elfcorehdr does not begin with the ELF magic"),
            Self::KernelKind => f.write_str("the kernel image is of a kind that can not be placed"),
            Self::NoLinux => f.write_str("the ELF kernel has no note of Linux: how it is entered is not known"),
            Self::ElfcorehdrGiven => f.write_str(
                "the command line has an elfcorehdr= of its own: the plan adds that of the header that is loaded",
            ),
            Self::FiveLevelPaging => f.write_str(
                "this machine runs with 5-level page tables, the kernel does not say that it can be entered with them",
            ),
            Self::NoRoom { kind, size, align, limits } => {
                write!(f, "no room for the {kind}: {size:#x} bytes on a multiple of {align:#x} in {limits}")
            }
            Self::ElfMagic { kind } => {
                write!(f, "the {kind} begins with the ELF magic: the kernel would take it for the elfcorehdr")
            }
            Self::Refused { refusal, kind } => {
                write!(f, "the running kernel would refuse this: {refusal}")?;
                match (kind, refusal.segment()) {
                    (Some(kind), Some(segment)) => write!(f, " (segment {segment} is the {kind})"),
                    _ => Ok(()),
                }
            }
        }
    }
}

impl core::error::Error for PlanError {}
