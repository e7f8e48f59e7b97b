//! Where the segments of ELF output are cut.

use core::ops::Range;

use vmcore_format::Pfn;

/// Excluded frames between two kept ones that are written as zeros rather than end the segment, if they are fewer
/// than this: makedumpfile's number.
///
/// Tried on a Linux 6.1 vmcore of 370 MB at level 31: 256 gives 20 segments and 70 MB, 16 gives 62 and 64 MB, 1 gives 387 and
/// 61 MB; `crash` 8.0 and `gdb` 13 read them all. Readers search segments one by one, and a large machine has many more.
pub const EXCLUDED_RUN: u64 = 256;

/// A stretch of memory that becomes one segment: data first, then memory that the file does not hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Extent {
    pub(super) start: Pfn,
    /// The end of the frames that are written, `start` if there are none.
    pub(super) data_end: Pfn,
    pub(super) end: Pfn,
    /// Frames written before this extent.
    pub(super) position: u64,
}

/// Makes extents of the runs of known frames, which come in ascending order.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Extents {
    current: Option<Extent>,
    /// Frames written in the extents before the current one.
    written: u64,
}

impl Extents {
    /// Takes a run of excluded frames; answers with the extent that ends before it.
    pub(super) fn exclude(&mut self, run: Range<Pfn>) -> Option<Extent> {
        if let Some(extent) = self.current.as_mut().filter(|extent| extent.end == run.start) {
            extent.end = run.end;
            return None;
        }
        self.begin(Extent { start: run.start, data_end: run.start, end: run.end, position: 0 })
    }

    /// Takes a run of kept frames; answers with the extent that ends before it.
    pub(super) fn keep(&mut self, run: Range<Pfn>) -> Option<Extent> {
        if self.joins(run.start)
            && let Some(extent) = &mut self.current
        {
            (extent.data_end, extent.end) = (run.end, run.end);
            return None;
        }
        self.begin(Extent { start: run.start, data_end: run.end, end: run.end, position: 0 })
    }

    /// Whether a kept run that starts at `start` comes into the extent of the runs before it.
    pub(super) fn joins(&self, start: Pfn) -> bool {
        self.current.is_some_and(|extent| {
            extent.end == start
                && extent.data_end > extent.start
                && start.0.saturating_sub(extent.data_end.0) < EXCLUDED_RUN
        })
    }

    /// The place of kept frame `pfn` of the run that came last, counted in frames written before it.
    pub(super) fn position(&self, pfn: Pfn) -> u64 {
        let (position, start) = self.current.map_or((0, pfn.0), |extent| (extent.position, extent.start.0));
        position.saturating_add(pfn.0.saturating_sub(start))
    }

    /// The frames written in all, gaps filled with zeros among them.
    pub(super) fn written(&self) -> u64 {
        let current = self.current.map_or(0, |extent| extent.data_end.0.saturating_sub(extent.start.0));
        self.written.saturating_add(current)
    }

    /// Ends the last extent.
    pub(super) fn finish(&mut self) -> Option<Extent> {
        self.written = self.written();
        self.current.take()
    }

    fn begin(&mut self, extent: Extent) -> Option<Extent> {
        let before = self.finish();
        self.current = Some(Extent { position: self.written, ..extent });
        before
    }
}

#[cfg(test)]
mod tests {
    extern crate std;
    use super::*;
    use std::vec::Vec;

    /// The extents of `runs` (kept?, first frame, frame after the last), as (start, data end, end, position).
    fn extents(runs: &[(bool, u64, u64)]) -> Vec<(u64, u64, u64, u64)> {
        let mut extents = Extents::default();
        let mut all = Vec::new();
        for &(kept, start, end) in runs {
            let run = Pfn(start)..Pfn(end);
            all.extend(if kept { extents.keep(run) } else { extents.exclude(run) });
        }
        all.extend(extents.finish());
        all.iter().map(|e| (e.start.0, e.data_end.0, e.end.0, e.position)).collect()
    }

    #[test]
    fn an_excluded_run_is_the_tail_of_what_stands_before_it() {
        assert_eq!(
            extents(&[(true, 0, 4), (false, 4, 300), (true, 300, 301)]),
            [(0, 4, 300, 0), (300, 301, 301, 4)]
        );
        assert_eq!(extents(&[(true, 1, 4), (false, 4, 9)]), [(1, 4, 9, 0)]);
    }

    #[test]
    fn a_short_excluded_run_is_filled_and_a_long_one_is_not() {
        let filled = [(true, 0, 1), (false, 1, 256), (true, 256, 257)];
        assert_eq!(extents(&filled), [(0, 257, 257, 0)]);
        let cut = [(true, 0, 1), (false, 1, 257), (true, 257, 258)];
        assert_eq!(extents(&cut), [(0, 1, 257, 0), (257, 258, 258, 1)]);
        let in_pieces = [(true, 0, 1), (false, 1, 200), (false, 200, 257), (true, 257, 258)];
        assert_eq!(extents(&in_pieces), extents(&cut));
    }

    #[test]
    fn a_leading_excluded_run_has_no_data_and_a_hole_always_cuts() {
        let runs = [(false, 0, 2), (true, 2, 3), (true, 4, 5), (false, 5, 6), (false, 7, 8)];
        assert_eq!(extents(&runs), [(0, 0, 2, 0), (2, 3, 3, 0), (4, 5, 6, 1), (7, 7, 8, 2)]);
    }

    #[test]
    fn positions_count_filled_frames() {
        let mut extents = Extents::default();
        extents.keep(Pfn(10)..Pfn(12));
        extents.exclude(Pfn(12)..Pfn(20));
        extents.keep(Pfn(20)..Pfn(22));
        assert_eq!(extents.position(Pfn(21)), 11);
        assert_eq!(extents.written(), 12);
        extents.keep(Pfn(100)..Pfn(101));
        assert_eq!(extents.position(Pfn(100)), 12);
    }
}
