//! The memory that the kernel is told of, and the memory that a plan may use.

use vmcore_format::PhysAddr;

use crate::map::{MemoryMap, Range, RangeKind, Span};
use crate::segment::PAGE;

/// Where a capture kernel may use the first kernel's RAM: the code by which it starts CPUs must lie there, and the
/// first kernel keeps nothing there.
const LOW_MEMORY: Span = Span::new(0, 0x10_0000);

/// The memory that one page of page tables maps, in bytes.
const GIB: u64 = 1 << 30;

/// The single pages that the running kernel takes for itself, and some to spare.
const CONTROL_PAGES: u64 = 64;

/// The memory that a kernel is told of, in ascending order; ranges of one kind that touch are one.
///
/// A capture kernel may use low memory and the crash regions, but not the elfcorehdr; it is told of all memory that is
/// no RAM. Any other kernel is told of the machine as it is.
#[derive(Debug, Clone)]
pub struct Told<'a> {
    ranges: core::slice::Iter<'a, Range>,
    /// The elfcorehdr of a capture kernel.
    capture: Option<Span>,
    /// The rest of a range that the elfcorehdr cut in two.
    rest: Option<Range>,
    next: Option<Range>,
}

impl<'a> Told<'a> {
    pub(super) fn of(memory: &'a MemoryMap<'_>, capture: Option<Span>) -> Self {
        Self { ranges: memory.ranges().iter(), capture, rest: None, next: None }
    }

    /// The next piece, merged with nothing.
    fn piece(&mut self) -> Option<Range> {
        if let Some(rest) = self.rest.take() {
            return Some(rest);
        }
        loop {
            let range = *self.ranges.next()?;
            if range.kind == RangeKind::DriverManagedRam {
                continue;
            }
            let Some(elfcorehdr) = self.capture else {
                let kind = if range.kind.is_ram() { RangeKind::SystemRam } else { range.kind };
                return Some(Range { kind, ..range });
            };
            match range.kind {
                RangeKind::SystemRam | RangeKind::ReservedRam => {
                    let low = range.span().intersection(LOW_MEMORY);
                    if !low.is_empty() {
                        return Some(Range::new(low, RangeKind::SystemRam));
                    }
                }
                RangeKind::CrashKernel => {
                    let below = Span { start: range.start, end: range.end.min(elfcorehdr.start) };
                    let above = Span { start: range.start.max(elfcorehdr.end), end: range.end };
                    let above = (!above.is_empty()).then(|| Range::new(above, RangeKind::SystemRam));
                    if below.is_empty() {
                        if above.is_some() {
                            return above;
                        }
                    } else {
                        // Where the elfcorehdr lies elsewhere, one of the two is the whole range.
                        self.rest = above.filter(|_| below.end < range.end);
                        return Some(Range::new(below, RangeKind::SystemRam));
                    }
                }
                _ => return Some(range),
            }
        }
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
