//! The pass that tells pages apart, slice by slice of memory.

use core::mem;

use vmcore_format::{Pfn, WriteAt};

use super::{Dumper, Stage, Writer};
use crate::dump::chunk::is_zero;
use crate::dump::elf::ElfWriter;
use crate::dump::extent::{Extent, Extents};
use crate::dump::kdump::KdumpWriter;
use crate::dump::{Error, Format, Phase, Split};
use crate::{Counts, Level, PhysMemory, bits};

/// Pages that are tested for zeros in one go.
const ZERO_TESTS: u64 = 1024;

impl Dumper<'_> {
    /// Whether zero pages are left out of the bitmap: in a kdump file they are found as they are written.
    fn drops_zero(&self) -> bool {
        self.report.options.format == Format::Elf && self.report.options.level.contains(Level::ZERO)
    }

    /// Finds which frames of a slice there are and, unless that is remembered, which are to be kept.
    pub(super) fn select(&mut self, start: u64, memory: &mut dyn PhysMemory) -> Result<(), Error> {
        let counting = self.phase == Phase::Scan;
        // Slices in a hole take no time, however large it is, unless a bitmap of them is to be written or remembered.
        let skips_holes = !self.frames.whole() && (counting || self.report.options.format == Format::Elf);
        let start = if skips_holes { self.after_hole(start, memory)? } else { start };
        let known = self.frames.select(start, memory)?;
        self.stage = Stage::Ready;
        if counting {
            self.report.known = self.report.known.saturating_add(known);
        } else if self.frames.whole() {
            return Ok(());
        }
        let held = self.frames.keep_held(memory)?;
        let slice = self.frames.slice();
        if counting {
            self.report.held = self.report.held.saturating_add(held);
        }
        if let Some(filter) = &mut self.filter {
            let mut again = Counts::default();
            let counts = if counting { &mut self.report.counts } else { &mut again };
            let frames = Pfn(slice.start)..Pfn(slice.end);
            let kept = self.frames.kept_mut();
            filter.scan(memory, frames, kept, counts, self.filter_scratch)?;
        }
        if self.drops_zero() {
            self.stage = Stage::TestZero(slice.start);
        }
        Ok(())
    }

    /// Where a slice may begin: at the next known frame, or at the end of memory. A multiple of 64, but for the end.
    fn after_hole(&self, start: u64, memory: &mut dyn PhysMemory) -> Result<u64, Error> {
        let next = memory.next_known(Pfn(start)).map_err(Error::Frames)?;
        Ok(next.map_or(self.frames.end(), |run| (run.start.0 & !63).max(start)))
    }

    /// Leaves out zero pages from frame `from` on. One that cannot be read is not known to be zero.
    pub(super) fn test_zero(&mut self, from: u64, memory: &mut dyn PhysMemory) {
        let page_size = self.params.page_size;
        let Some(page) = self.chunk_bytes.get_mut(..page_size.len()) else { return };
        let mut at = from;
        for _ in 0..ZERO_TESTS {
            let Some(pfn) = self.frames.next_kept(at) else {
                self.stage = Stage::Ready;
                return;
            };
            let zero =
                page_size.start_of(Pfn(pfn)).is_some_and(|addr| match memory.view(addr, page_size.len()) {
                    Some(page) => is_zero(page),
                    None => memory.read(addr, page).is_ok() && is_zero(page),
                });
            if zero {
                let bit = pfn.saturating_sub(self.frames.slice().start);
                bits::clear(self.frames.kept_mut(), bit..bit.saturating_add(1));
                if self.phase == Phase::Scan {
                    self.report.zero = self.report.zero.saturating_add(1);
                }
            }
            at = pfn.saturating_add(1);
        }
        self.stage = Stage::TestZero(at);
    }

    /// Counts what is to be kept of a slice, and the segments that it makes.
    pub(super) fn count(&mut self) {
        self.report.kept = self.report.kept.saturating_add(bits::count(self.frames.kept(), 0..u64::MAX));
        let slice = self.frames.slice();
        if self.report.options.format == Format::Elf {
            let mut at = slice.start;
            while let Some(run) = self.frames.next_run(at) {
                at = run.frames.end.0;
                let ended =
                    if run.kept { self.extents.keep(run.frames) } else { self.extents.exclude(run.frames) };
                self.count_segments(ended);
            }
        }
        self.stage = Stage::Select(slice.end);
    }

    fn count_segments(&mut self, extent: Option<Extent>) {
        let segments = extent.map_or(0, |extent| self.loads.program_headers(extent).count());
        self.segments = self.segments.saturating_add(u64::try_from(segments).unwrap_or(u64::MAX));
    }

    /// All is counted: judges it, and begins to write.
    pub(super) fn end_scan(
        &mut self,
        memory: &mut dyn PhysMemory,
        out: &mut dyn WriteAt,
    ) -> Result<(), Error> {
        let ended = self.extents.finish();
        self.count_segments(ended);
        let doubted = self.doubted();
        self.loads.rewind();
        self.extents = Extents::default();
        self.stage = Stage::Select(0);
        if doubted {
            self.filter = None;
            self.segments = 0;
            return Ok(());
        }
        if let Some(names) = self.filter.as_mut().and_then(|filter| filter.kernel().utsname(memory)) {
            self.source.utsname = names;
        }
        let kept = self.report.kept;
        self.part = match self.report.options.split {
            Some(Split { part, parts }) => rank(kept, part, parts)..rank(kept, part.saturating_add(1), parts),
            None => 0..kept,
        };
        let Writer::Waiting(tables, data) = mem::replace(&mut self.writer, Writer::Gone) else {
            return Err(Error::OutOfOrder { expected: 0 });
        };
        let options = &self.report.options;
        self.writer = match options.format {
            Format::Kdump => {
                let level = self.report.level;
                let pages = (kept, self.part.end.saturating_sub(self.part.start));
                Writer::Kdump(KdumpWriter::begin(&self.source, options, level, pages, (tables, data), out)?)
            }
            Format::Elf => Writer::Elf(ElfWriter::begin(&self.source, self.segments, (tables, data), out)?),
        };
        self.phase = Phase::Write;
        Ok(())
    }

    /// Whether what the filter found cannot be true. Then all is counted once more, without it.
    fn doubted(&mut self) -> bool {
        let Some(filter) = &self.filter else { return false };
        let whole = self.source.left_out.difference(Level::ZERO).is_empty() && !self.source.incomplete;
        self.report.judge(filter.findings(&self.report.counts, whole))
    }
}

/// The rank of the first page of part `part` of `parts`, of `total` pages.
fn rank(total: u64, part: u32, parts: u32) -> u64 {
    let rank = u128::from(total).saturating_mul(part.into()).checked_div(parts.into());
    rank.and_then(|rank| u64::try_from(rank).ok()).unwrap_or(total)
}
