//! The pages of a dump, by range and by kind.

use core::ops::Range;

use page_filter::dump::Source;
use page_filter::{Counts, Fault, Filter, Findings, Kernel, Level, PageKind, PhysMemory};
use serde_json::{Value, json};
use vmcore_format::{Error, Pfn};

use crate::ranges::Ranges;
use crate::words;

/// The frames of a window of the scan: a bitmap of 128 KiB.
const WINDOW: u64 = 1 << 20;
/// Ranges that a report lists.
const LISTED: usize = 1024;

/// Page frames and the ranges they stand in.
#[derive(Debug, Default)]
pub(crate) struct Extent {
    /// How many.
    pub(crate) frames: u64,
    /// The first ranges, in the order of addresses.
    pub(crate) ranges: Vec<Range<Pfn>>,
    /// How many ranges there are.
    pub(crate) count: u64,
}

impl Extent {
    /// Walks over one table of a memory.
    pub(crate) fn collect(mut ranges: Ranges, memory: &mut dyn PhysMemory) -> Result<Self, Fault> {
        let mut extent = Self::default();
        while let Some(range) = ranges.next(memory)? {
            extent.frames = extent.frames.saturating_add(range.end.0.saturating_sub(range.start.0));
            extent.count = extent.count.saturating_add(1);
            if extent.ranges.len() < LISTED {
                extent.ranges.push(range);
            }
        }
        Ok(extent)
    }

    /// The gaps between the ranges, and before the first one.
    pub(crate) fn holes(&self) -> impl Iterator<Item = Range<Pfn>> {
        let starts = self.ranges.iter().map(|range| range.start);
        let ends = core::iter::once(Pfn(0)).chain(self.ranges.iter().map(|range| range.end));
        ends.zip(starts).map(|(from, to)| from..to).filter(|hole| hole.start < hole.end)
    }
}

/// Ranges of page frames as JSON: half-open, in hexadecimal.
pub(crate) fn ranges_json(ranges: impl Iterator<Item = Range<Pfn>>) -> Value {
    ranges.map(|range| json!([format!("{:#x}", range.start.0), format!("{:#x}", range.end.0)])).collect()
}

/// Tells all pages that `memory` holds apart, without leaving any out.
pub(crate) fn by_kind(
    machine: &Source<'_>,
    kernel: &mut Kernel,
    memory: &mut dyn PhysMemory,
) -> Result<(Counts, Findings), Error> {
    let mut counts = Counts::default();
    let mut filter = Filter::new(kernel, Level::empty());
    let words = usize::try_from(WINDOW >> 6).unwrap_or(0);
    let mut held = vec![0_u64; words];
    let mut scratch = vec![0; Filter::SCRATCH_LEN];
    let table = |_| Error::Io { code: host::EIO };
    let mut from = Pfn(0);
    while let Some(range) = memory.next_held(from).map_err(table)? {
        let start = range.start.0;
        let end = start.saturating_add(WINDOW).min(machine.end.0.max(range.end.0));
        mark_held(memory, start..end, &mut held).map_err(table)?;
        filter.scan(memory, Pfn(start)..Pfn(end), &mut held, &mut counts, &mut scratch)?;
        from = Pfn(end);
    }
    let findings = filter.findings(&counts, false);
    Ok((counts, findings))
}

/// Sets the bits of the frames of `window` that are held, and clears the others.
fn mark_held(memory: &mut dyn PhysMemory, window: Range<u64>, bits: &mut [u64]) -> Result<(), Fault> {
    bits.fill(0);
    let mut from = Pfn(window.start);
    while let Some(range) = memory.next_held(from)? {
        if range.start.0 >= window.end {
            break;
        }
        let bit_of = |pfn: Pfn| pfn.0.clamp(window.start, window.end).saturating_sub(window.start);
        set_bits(bits, bit_of(range.start)..bit_of(range.end));
        from = range.end;
    }
    Ok(())
}

/// Sets the bits of `range`.
fn set_bits(bits: &mut [u64], range: Range<u64>) {
    let below = |bit: u64| 1_u64.wrapping_shl(u32::try_from(bit & 63).unwrap_or(0)).wrapping_sub(1);
    let mut at = range.start;
    while at < range.end {
        let next = (at | 63).saturating_add(1);
        let upper = if next <= range.end { u64::MAX } else { below(range.end) };
        if let Some(word) = bits.get_mut(usize::try_from(at >> 6).unwrap_or(usize::MAX)) {
            *word |= upper & !below(at);
        }
        at = next;
    }
}

/// Every kind with its pages.
pub(crate) fn kinds_json(counts: &Counts, page_size: u64) -> Value {
    let kinds = PageKind::ALL.into_iter().filter(|kind| *kind != PageKind::Zero);
    kinds
        .map(|kind| {
            let (pages, left_out) = (counts.pages(kind), counts.left_out(kind));
            json!({
                "kind": words::kind(kind),
                "pages": pages,
                "bytes": pages.saturating_mul(page_size),
                "kept": pages.saturating_sub(left_out),
                "left_out": left_out,
            })
        })
        .collect()
}

/// Page frames as JSON.
pub(crate) fn pages_json(pages: u64, page_size: u64) -> Value {
    json!({ "pages": pages, "bytes": pages.saturating_mul(page_size) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bits_are_set_across_words() {
        for (range, expected) in [
            (0..0, [0, 0]),
            (0..1, [1, 0]),
            (63..65, [1 << 63, 1]),
            (0..64, [u64::MAX, 0]),
            (4..128, [u64::MAX << 4, u64::MAX]),
            (64..66, [0, 3]),
        ] {
            let mut bits = [0; 2];
            set_bits(&mut bits, range.clone());
            assert_eq!(bits, expected, "{range:?}");
        }
    }

    #[test]
    fn holes_are_what_stands_between_ranges() {
        let extent = Extent { ranges: vec![Pfn(1)..Pfn(3), Pfn(5)..Pfn(6)], ..Extent::default() };
        assert!(extent.holes().eq([Pfn(0)..Pfn(1), Pfn(3)..Pfn(5)]));
    }
}
