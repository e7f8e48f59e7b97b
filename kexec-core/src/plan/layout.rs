//! The places of the segments, one after the other, and why each is where it is.

use heapless::Vec;
use vmcore_format::PhysAddr;

use crate::check::Refusal;
use crate::hole::{self, Direction, Want};
use crate::map::{MemoryMap, Span};
use crate::segment::{Extent, PAGE, SEGMENT_MAX, SegmentKind};

use super::blocks::len_of;
use super::memory::placeable;
use super::{PlanError, Request, Segment, Source};

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
    /// A `vmlinux` that does not say that it may be moved.
    ProgramHeaders,
    /// A `vmlinux` that says by how much it may be moved.
    PhysicalAlignment,
    /// The elfcorehdr has its address.
    Backup,
    /// Anywhere above the memory of old boot loaders.
    AboveLowMemory,
    /// It belongs to the segment before it, which has its place.
    NextToTheLast,
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

/// Memory that has no place yet, for one or more segments.
#[derive(Debug, Clone, Copy)]
pub(super) struct Part {
    /// What most of it is.
    pub(super) kind: SegmentKind,
    pub(super) memsz: u64,
    pub(super) align: u64,
    /// The lowest and the highest address that the segment itself allows.
    pub(super) limits: Span,
    pub(super) reason: Reason,
}

/// A segment of a [`Part`].
#[derive(Debug, Clone, Copy)]
pub(super) struct Piece<'a> {
    pub(super) kind: SegmentKind,
    pub(super) source: Source<'a>,
    pub(super) bufsz: u64,
    /// Whole pages, but for the last piece of a part.
    pub(super) memsz: u64,
}

impl<'a> Piece<'a> {
    /// A piece of the bytes of an input.
    pub(super) fn input(kind: SegmentKind, bytes: &'a [u8], memsz: u64) -> Self {
        Self { kind, source: Source::Input(bytes), bufsz: len_of(bytes.len()), memsz }
    }
}

/// The segments that have their places.
#[derive(Debug)]
pub(super) struct Layout<'a> {
    memory: &'a MemoryMap<'a>,
    /// What the next kernel is told is RAM, where that is not `memory`.
    firmware: Option<&'a MemoryMap<'a>>,
    /// The crash region, if the segments go there.
    region: Option<Span>,
    /// Memory that is the running kernel's own: not for a segment.
    reserved: Option<Span>,
    /// What the caller and the region allow.
    limits: Span,
    segments: Vec<Segment<'a>, SEGMENT_MAX>,
}

impl<'a> Layout<'a> {
    pub(super) fn new(
        request: &Request<'a>,
        region: Option<Span>,
        limits: Span,
        reserved: Option<Span>,
    ) -> Self {
        let Request { memory, firmware, .. } = *request;
        Self { memory, firmware, region, reserved, limits, segments: Vec::new() }
    }

    /// Places `part`, a segment of `source`, at the highest place that is free, and says where.
    pub(super) fn place(
        &mut self,
        part: Part,
        source: Source<'a>,
        bufsz: u64,
    ) -> Result<PhysAddr, PlanError> {
        self.place_pieces(part, core::iter::once(Piece { kind: part.kind, source, bufsz, memsz: part.memsz }))
    }

    /// Places `part` at the highest place that is free, as segments that follow each other there, and says where.
    pub(super) fn place_pieces(
        &mut self,
        part: Part,
        pieces: impl Iterator<Item = Piece<'a>>,
    ) -> Result<PhysAddr, PlanError> {
        let align = part.align.max(PAGE);
        let mut limits = part.limits.intersection(self.limits);
        if let Some(region) = self.region {
            limits = limits.intersection(region);
        }
        let no_room = PlanError::NoRoom { kind: part.kind, size: part.memsz, align, limits };
        let memsz = part.memsz.checked_next_multiple_of(PAGE).ok_or(no_room)?;
        let too_many = Refusal::TooManySegments { count: len_of(SEGMENT_MAX).saturating_add(1) };
        let mut taken: Vec<Span, TAKEN_MAX> = Vec::new();
        for span in self.segments.iter().map(Segment::span).chain(self.reserved) {
            taken.push(span).map_err(|_| too_many)?;
        }
        let direction = Direction::TopDown;
        let want = Want { size: memsz, align, limits, direction };
        let ram = self.ram().take_while(|_| self.region.is_none());
        let mem = hole::find(ram.chain(self.region), &taken, want).ok_or(no_room)?;
        let mut placement = Placement { align, limits, direction, reason: part.reason };
        let mut at = mem;
        for piece in pieces {
            let memsz = piece.memsz.checked_next_multiple_of(PAGE).ok_or(no_room)?;
            let extent = Extent { mem: at, memsz, bufsz: piece.bufsz };
            let segment = Segment { kind: piece.kind, extent, source: piece.source, placement };
            self.segments.push(segment).map_err(|_| too_many)?;
            at = at.checked_add(memsz).ok_or(no_room)?;
            let limits = Span { start: at, ..limits };
            placement = Placement {
                align: PAGE,
                limits,
                direction: Direction::BottomUp,
                reason: Reason::NextToTheLast,
            };
        }
        Ok(mem)
    }

    /// The memory that an ordinary kernel may be loaded in: RAM of this kernel and of the next.
    fn ram(&self) -> impl Iterator<Item = Span> {
        let firmware = self.firmware;
        self.memory.merged(placeable).flat_map(move |ram| {
            let both = firmware
                .into_iter()
                .flat_map(move |firmware| firmware.merged(placeable).map(move |next| next.intersection(ram)));
            both.chain(firmware.is_none().then_some(ram))
        })
    }

    pub(super) fn into_segments(self) -> Vec<Segment<'a>, SEGMENT_MAX> {
        self.segments
    }
}

/// Every segment, and the kernel's own memory.
const TAKEN_MAX: usize = 17;
