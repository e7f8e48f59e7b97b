//! The memory that the kernel is told of, and the memory that a plan may use.

use vmcore_format::PhysAddr;

use crate::elfcorehdr::Backup;
use crate::hole::{self, Direction, Want};
use crate::map::{MemoryMap, Range, RangeKind, Span};
use crate::segment::PAGE;

/// Where a capture kernel may use the first kernel's RAM: the code by which it starts CPUs must lie there, and the
/// first kernel keeps nothing there.
const LOW_MEMORY: Span = Span::new(0, 0x10_0000);

/// The end of the RAM that a BIOS counts as conventional.
const CONVENTIONAL_END: u64 = 0xa_0000;

/// The memory that one page of page tables maps, in bytes.
const GIB: u64 = 1 << 30;

/// The single pages that the running kernel takes for itself, and some to spare.
const CONTROL_PAGES: u64 = 64;

/// What a capture kernel finds in the crash regions and may not use; spans that are not there are empty.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Capture {
    pub(super) elfcorehdr: Span,
    /// Where the purgatory copied low memory to.
    pub(super) backup: Span,
}

/// The memory that a kernel is told of, in ascending order; ranges of one kind that touch are one.
///
/// A capture kernel may use low memory and the crash regions, but not the elfcorehdr and the backup of low memory; it is
/// told of all memory that is no RAM but the soft reserved: its driver would make RAM of that and write there, where the
/// crashed kernel may have had RAM too. Any other kernel is told of the machine as it is. RAM that a driver brought is
/// told as what firmware says of it.
#[derive(Debug, Clone)]
pub struct Told<'a> {
    ranges: core::slice::Iter<'a, Range>,
    /// For a capture kernel.
    capture: Option<Capture>,
    /// What is left of a crash region.
    left: Span,
    next: Option<Range>,
}

impl<'a> Told<'a> {
    pub(super) fn of(memory: &'a MemoryMap<'_>, capture: Option<Capture>) -> Self {
        Self { ranges: memory.ranges().iter(), capture, left: Span::default(), next: None }
    }

    /// The next piece, merged with nothing.
    fn piece(&mut self) -> Option<Range> {
        loop {
            if let Some(free) = self.free_piece() {
                return Some(Range::new(free, RangeKind::SystemRam));
            }
            let range = *self.ranges.next()?;
            let kind = match range.kind {
                RangeKind::DriverManagedRam(beneath) => beneath.kind(),
                kind => Some(kind),
            };
            match kind {
                None => {}
                Some(RangeKind::SoftReserved) if self.capture.is_some() => {}
                Some(kind) if !kind.is_ram() => return Some(Range { kind, ..range }),
                _ if self.capture.is_none() => return Some(Range { kind: RangeKind::SystemRam, ..range }),
                Some(RangeKind::CrashKernel) => self.left = range.span(),
                _ => {
                    let low = range.span().intersection(LOW_MEMORY);
                    if !low.is_empty() {
                        return Some(Range::new(low, RangeKind::SystemRam));
                    }
                }
            }
        }
    }

    /// The next part of a crash region that a capture kernel may use.
    fn free_piece(&mut self) -> Option<Span> {
        let Capture { elfcorehdr, backup } = self.capture?;
        let mut start = self.left.start;
        // Every pass steps past one of the two, and none twice.
        while let Some(used) = [elfcorehdr, backup].into_iter().find(|used| used.contains(start)) {
            start = used.end;
        }
        let cuts = [elfcorehdr, backup].map(|used| used.start).into_iter().filter(|&cut| cut > start);
        let end = cuts.fold(self.left.end, Ord::min);
        let piece = Span { start, end };
        self.left.start = end.max(start);
        (!piece.is_empty()).then_some(piece)
    }
}

impl Iterator for Told<'_> {
    type Item = Range;

    fn next(&mut self) -> Option<Range> {
        let mut range = self.next.take().or_else(|| self.piece())?;
        while let Some(piece) = self.piece() {
            if piece.kind != range.kind || piece.start != range.end {
                self.next = Some(piece);
                break;
            }
            range.end = piece.end;
        }
        Some(range)
    }
}

/// The crash region that a kernel is loaded in: the highest, and how many there are.
pub(super) fn crash_region(memory: &MemoryMap<'_>) -> Option<(Span, usize)> {
    let regions = memory.iter_kind(RangeKind::CrashKernel).map(Range::span);
    Some((regions.clone().next_back()?, regions.count()))
}

/// Memory at the top of the crash region for what the kernel keeps in its first 640 KiB, where a capture kernel boots:
/// needed where the running kernel does not keep that memory out of its own use (x86 before Linux 5.5).
///
/// `None` where there is no such RAM, no crash region, or no room in it, `limits` kept.
#[must_use]
pub fn low_memory_backup(memory: &MemoryMap<'_>, limits: Span) -> Option<Backup> {
    let low = || memory.merged(RangeKind::is_ram).filter(|span| span.end.0 <= CONVENTIONAL_END);
    let source = Span { start: low().next()?.start, end: low().last()?.end };
    let (region, _) = crash_region(memory)?;
    let want = Want { size: source.len(), align: PAGE, limits, direction: Direction::TopDown };
    let copy = hole::find(core::iter::once(region), &[], want)?;
    Some(Backup { source, copy })
}

/// The memory that an ordinary kernel may be loaded in: it is written when the running kernel is gone.
pub(super) fn placeable(kind: RangeKind) -> bool {
    matches!(kind, RangeKind::SystemRam | RangeKind::CrashKernel)
}

/// The single pages that the running kernel takes from the crash region: identity page tables for all RAM, and a copy
/// of vmcoreinfo.
///
/// Source: `init_transition_pgtable` and `init_pgtable`, `arch/x86/kernel/machine_kexec_64.c` (Linux 6.12): RAM is
/// mapped in pieces of 1 GiB, or of 2 MiB where the CPU can not do that.
pub(super) fn control_pages(memory: &MemoryMap<'_>, gib_pages: bool) -> u64 {
    let tables = |unit: u64| {
        let mut end = 0_u64;
        let mut count = 0_u64;
        for range in memory.ranges().iter().filter(|range| mapped(range.kind)) {
            // The first unit of a range may be the last of the one before.
            let first = range.start.0.checked_div(unit).unwrap_or(0).max(end);
            let after = range.end.0.div_ceil(unit);
            count = count.saturating_add(after.saturating_sub(first));
            end = end.max(after);
        }
        count
    };
    let per_gib = if gib_pages { 0 } else { tables(GIB) };
    CONTROL_PAGES.saturating_add(tables(GIB << 9)).saturating_add(per_gib)
}

/// Whether the running kernel maps this memory for the kernel that it enters.
const fn mapped(kind: RangeKind) -> bool {
    kind.is_ram() || matches!(kind, RangeKind::AcpiTables | RangeKind::AcpiNvs)
}

/// `pages` pages from `start` on; `None` past the end of the address space.
pub(super) fn pages_from(start: PhysAddr, pages: u64) -> Option<Span> {
    Span::with_len(start.0, pages.checked_mul(PAGE)?)
}
