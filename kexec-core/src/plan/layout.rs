//! The places of the segments, one after the other, and why each is where it is.

use heapless::Vec;
use vmcore_format::PhysAddr;

use crate::check::Refusal;
use crate::hole::{self, Direction, Want};
use crate::map::{MemoryMap, Span};
use crate::segment::{Extent, PAGE, SEGMENT_MAX, SegmentKind};

use super::memory::placeable;
use super::{PlanError, Segment, Source};

/// Why a segment may only be at some places.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Reason {
    /// `elfcorehdr=` gives its address, and the kernel looks for the header at the segment's first byte.
    HeaderAddress,
    /// The object is linked at its own address.
    LinkedInPlace,
    /// The kernel reads it before it has page tables of its own.
    EarlyBoot,
    /// The kernel's `kernel_alignment`, and its `pref_address`: below it the kernel would move itself up.
    KernelHeader,
    /// The kernel can not be moved: it runs at its `pref_address` only.
    NotRelocatable,
    /// Anywhere above the memory of old boot loaders.
    AboveLowMemory,
}

/// Where a segment could be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Placement {
    /// What its address is a multiple of, in bytes.
    pub align: u64,
    /// Where it had to be: what the caller, the region and the segment itself allow.
    pub limits: Span,
    /// Which place was taken.
    pub direction: Direction,
    /// What set the alignment and the limits.
    pub reason: Reason,
}

/// A segment that has no place yet.
#[derive(Debug, Clone, Copy)]
pub(super) struct Part<'a> {
    pub(super) kind: SegmentKind,
    pub(super) source: Source<'a>,
    pub(super) bufsz: u64,
    pub(super) memsz: u64,
    pub(super) align: u64,
    /// The lowest and the highest address that the segment itself allows.
    pub(super) limits: Span,
    pub(super) reason: Reason,
}

/// The segments that have their places.
#[derive(Debug)]
pub(super) struct Layout<'a> {
    memory: &'a MemoryMap<'a>,
    /// The crash region, if the segments go there.
    region: Option<Span>,
    /// Memory that is the running kernel's own: not for a segment.
    reserved: Option<Span>,
    /// What the caller and the region allow.
    limits: Span,
    segments: Vec<Segment<'a>, SEGMENT_MAX>,
}

impl<'a> Layout<'a> {
    pub(super) const fn new(
        memory: &'a MemoryMap<'a>,
        region: Option<Span>,
        limits: Span,
        reserved: Option<Span>,
    ) -> Self {
        Self { memory, region, reserved, limits, segments: Vec::new() }
    }

    /// Places `part` at the highest place that is free, and says where.
    pub(super) fn place(&mut self, part: Part<'a>) -> Result<PhysAddr, PlanError> {
        let align = part.align.max(PAGE);
        let mut limits = part.limits.intersection(self.limits);
        if let Some(region) = self.region {
            limits = limits.intersection(region);
        }
        let no_room = PlanError::NoRoom { kind: part.kind, size: part.memsz, align, limits };
        let memsz = part.memsz.checked_next_multiple_of(PAGE).ok_or(no_room)?;
        let mut taken: Vec<Span, TAKEN_MAX> = Vec::new();
        taken.extend(self.segments.iter().map(Segment::span));
        taken.extend(self.reserved);
        let direction = Direction::TopDown;
        let want = Want { size: memsz, align, limits, direction };
        let ram = self.memory.merged(placeable).take_while(|_| self.region.is_none());
        let mem = hole::find(ram.chain(self.region), &taken, want).ok_or(no_room)?;
        let segment = Segment {
            kind: part.kind,
            extent: Extent { mem, memsz, bufsz: part.bufsz },
            source: part.source,
            placement: Placement { align, limits, direction, reason: part.reason },
        };
        let count = u64::try_from(SEGMENT_MAX).unwrap_or(u64::MAX).saturating_add(1);
        self.segments.push(segment).map_err(|_| Refusal::TooManySegments { count })?;
        Ok(mem)
    }

    pub(super) fn into_segments(self) -> Vec<Segment<'a>, SEGMENT_MAX> {
        self.segments
    }
}

/// Every segment, and the kernel's own memory.
const TAKEN_MAX: usize = 17;
