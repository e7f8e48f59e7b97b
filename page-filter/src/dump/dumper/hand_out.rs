//! The pass that writes: chunks handed out, slice by slice of memory.

use core::ops::Range;

use vmcore_format::{Pfn, WriteAt};

use super::{Dumper, Next, Round, Stage, Writer};
use crate::bits;
use crate::dump::extent::{Extent, Extents};
use crate::dump::{CHUNK_FRAMES, Chunk, Error, Phase, window};
use crate::judge::Carry;

/// The frames that parts of a split set share out as one: crash 8.0.2 takes the pages of a part that begins inside such
/// a block for missing.
const SPLIT_FRAMES: u64 = 64;

impl Dumper<'_> {
    /// Memory was gone through once.
    pub(super) fn end_round(&mut self, out: &mut dyn WriteAt) -> Result<Next, Error> {
        self.round = match self.round {
            Round::KnownBitmap if self.knows_pages_first(out) => Round::KeptBitmap,
            Round::KnownBitmap | Round::KeptBitmap | Round::Segments => {
                self.begin_pages(out)?;
                Round::Pages
            }
            Round::Pages => {
                self.phase = Phase::Written;
                return Ok(Next::Again(self.progress()));
            }
        };
        self.pass.carry = Carry::NONE;
        self.stage = Stage::Select(0);
        Ok(Next::Again(self.progress()))
    }

    /// Whether it is known which pages there will be before the first of them is written: where that costs nothing, and
    /// where it must be.
    fn knows_pages_first(&self, out: &mut dyn WriteAt) -> bool {
        self.frames.whole() || !out.can_rewrite() || self.report.options.split.is_some()
    }

    /// All that stands before the pages is known.
    fn begin_pages(&mut self, out: &mut dyn WriteAt) -> Result<(), Error> {
        let ended = self.extents.finish();
        self.write_segments(ended, out)?;
        self.loads.rewind();
        self.extents = Extents::default();
        let pfns = self.report.options.split.map(|_| self.part_pfns());
        let here = if pfns.is_some() { self.here } else { self.report.kept };
        match &mut self.writer {
            Writer::Kdump(writer) => writer.begin_pages(pfns, here, self.report.level, out),
            Writer::Elf(writer) => writer.begin_pages(out),
            Writer::Waiting(..) | Writer::Gone => Ok(()),
        }
    }

    /// Writes what this round writes of the tables of a slice.
    pub(super) fn write_tables(&mut self, out: &mut dyn WriteAt) -> Result<(), Error> {
        let slice = self.frames.slice();
        let comes_late = self.round == Round::Pages && !self.knows_pages_first(out);
        if let Writer::Kdump(writer) = &mut self.writer {
            if self.round == Round::KnownBitmap {
                writer.known_bitmap(&self.frames, out)?;
            }
            if self.round == Round::KeptBitmap || comes_late {
                writer.kept_bitmap(&self.frames, out)?;
            }
        }
        match self.round {
            Round::KeptBitmap if self.report.options.split.is_some() => self.share_out(),
            Round::Segments => self.write_slice_segments(out)?,
            _ => {}
        }
        self.stage =
            if self.round == Round::Pages { Stage::HandOut(slice.start) } else { Stage::Select(slice.end) };
        Ok(())
    }

    /// The frames of this part of a split set. The part that has the first page begins at frame 0, and so does the first
    /// part of a machine without pages.
    fn part_pfns(&self) -> Range<Pfn> {
        let none = self.report.kept == 0 && self.part.start == 0;
        let is_first = none && self.report.options.split.is_some_and(|split| split.part == 0);
        let start = if self.part.contains(&0) || is_first { Pfn(0) } else { self.pfns.start };
        start..self.pfns.end
    }

    /// Finds which frames of the slice this part of a split set takes: whole blocks, by the rank of their first page.
    fn share_out(&mut self) {
        let slice = self.frames.slice();
        let mut at = slice.start;
        while let Some(next) = self.frames.next_kept(at) {
            let first = next & !SPLIT_FRAMES.wrapping_sub(1);
            let block = first.saturating_sub(slice.start);
            let kept = bits::count(self.frames.kept(), block..block.saturating_add(SPLIT_FRAMES));
            let is_before = self.here == 0;
            if self.part.contains(&self.rank) {
                self.here = self.here.saturating_add(kept);
                if is_before {
                    self.pfns.start = Pfn(first);
                }
            } else if !is_before && self.rank >= self.part.end && self.pfns.end.0 >= self.frames.end() {
                self.pfns.end = Pfn(first);
            }
            self.rank = self.rank.saturating_add(kept);
            at = first.saturating_add(SPLIT_FRAMES);
        }
    }

    /// Writes the program headers of the segments that end in the slice.
    fn write_slice_segments(&mut self, out: &mut dyn WriteAt) -> Result<(), Error> {
        let mut at = self.frames.slice().start;
        while let Some(run) = self.frames.next_run(at) {
            at = run.frames.end.0;
            let ended =
                if run.kept { self.extents.keep(run.frames) } else { self.extents.exclude(run.frames) };
            self.write_segments(ended, out)?;
        }
        Ok(())
    }

    pub(super) fn write_segments(
        &mut self,
        extent: Option<Extent>,
        out: &mut dyn WriteAt,
    ) -> Result<(), Error> {
        if let (Some(extent), Writer::Elf(writer)) = (extent, &mut self.writer) {
            for header in self.loads.program_headers(extent) {
                writer.segment(&header, out)?;
            }
        }
        Ok(())
    }

    /// The next pages of the slice that this output takes, as many as a chunk holds.
    pub(super) fn hand_out(&mut self, from: u64) -> Next {
        let pfns = if self.report.options.split.is_some() { self.part_pfns() } else { self.pfns.clone() };
        let limit = self.frames.slice().end.min(pfns.end.0);
        let next = self.frames.next_kept(from.max(pfns.start.0)).filter(|&next| next < limit);
        let Some(next) = next else {
            self.stage = Stage::Select(self.frames.slice().end);
            return Next::Again(self.progress());
        };
        let (first, mut pages) = self.frames.window(next);
        let end = limit.saturating_sub(first).min(CHUNK_FRAMES);
        window::truncate(&mut pages, u64::try_from(self.params.chunk_pages).unwrap_or(u64::MAX), end);
        let last = window::ones(pages).last().unwrap_or(0);
        self.stage = Stage::HandOut(first.saturating_add(last).saturating_add(1));
        Next::Chunk(Chunk { sequence: self.handed_out, first: Pfn(first), pages, position: 0 })
    }

    /// The next pages of the slice that stand together in one segment, as many as a chunk holds.
    pub(super) fn hand_out_extent(&mut self, from: u64) -> Next {
        let mut at = from;
        let mut chunk: Option<Chunk> = None;
        while let Some(run) = self.frames.next_run(at) {
            let (start, end) = (run.frames.start, run.frames.end);
            if !run.kept {
                self.extents.exclude(run.frames);
                at = end.0;
                continue;
            }
            let first = chunk.map_or(start.0 & !63, |chunk| chunk.first.0);
            let room = self.params.chunk_pages.saturating_sub(chunk.map_or(0, |chunk| chunk.len()));
            let room = start.0.saturating_add(u64::try_from(room).unwrap_or(u64::MAX));
            let end = Pfn(end.0.min(first.saturating_add(CHUNK_FRAMES)).min(room));
            if end <= start || (chunk.is_some() && !self.extents.joins(start)) {
                self.stage = Stage::HandOut(start.0);
                return self.chunk_or_again(chunk);
            }
            self.extents.keep(start..end);
            let position = self.extents.position(start);
            let chunk = chunk.get_or_insert(Chunk {
                sequence: self.handed_out,
                first: Pfn(first),
                pages: [0; 4],
                position,
            });
            bits::set(&mut chunk.pages, start.0.saturating_sub(first)..end.0.saturating_sub(first));
            at = end.0;
        }
        self.stage = Stage::Select(self.frames.slice().end);
        self.chunk_or_again(chunk)
    }

    fn chunk_or_again(&self, chunk: Option<Chunk>) -> Next {
        chunk.map_or_else(|| Next::Again(self.progress()), Next::Chunk)
    }
}
