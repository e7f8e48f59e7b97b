//! The pass that writes: chunks handed out, slice by slice of memory.

use core::ops::Range;

use vmcore_format::{Pfn, WriteAt};

use super::{Dumper, Next, Round, Stage, Writer};
use crate::bits;
use crate::dump::extent::Extent;
use crate::dump::{CHUNK_FRAMES, Chunk, Error, Phase, Split, window};
use crate::judge::Carry;

/// The frames that parts of a split set share out as one: crash 8.0.2 takes the pages of a part that begins inside such
/// a block for missing.
const SPLIT_FRAMES: u64 = 64;

impl Dumper<'_> {
    /// Memory was gone through once.
    pub(super) fn end_round(&mut self, out: &mut dyn WriteAt) -> Result<Next, Error> {
        self.round = match self.round {
            Round::KnownBitmap => Round::KeptBitmap,
            Round::KeptBitmap => Round::Pages,
            Round::Pages if !out.can_rewrite() && self.is_uncommitted() => return Ok(Next::Wait),
            Round::Pages => {
                self.end_write(out)?;
                return Ok(Next::Again(self.progress()));
            }
        };
        self.pass.carry = Carry::NONE;
        self.stage = Stage::Select(0);
        Ok(Next::Again(self.progress()))
    }

    /// All was handed out.
    fn end_write(&mut self, out: &mut dyn WriteAt) -> Result<(), Error> {
        let ended = self.extents.finish();
        self.write_segments(ended, out)?;
        let end = Pfn(self.frames.end());
        let pfns = self.report.options.split.map(|split| self.part_pfns(split, end));
        if let (Writer::Kdump(writer), Some(pfns)) = (&mut self.writer, pfns) {
            writer.set_pfns(pfns);
        }
        self.phase = Phase::Written;
        Ok(())
    }

    /// Whether chunks are handed out that are not committed.
    fn is_uncommitted(&self) -> bool {
        self.committed != self.handed_out
    }

    /// Writes what this round writes of the bitmaps of a slice.
    pub(super) fn write_bitmaps(&mut self, out: &mut dyn WriteAt) -> Result<(), Error> {
        let slice = self.frames.slice();
        let (is_file, round) = (out.can_rewrite(), self.round);
        if let Writer::Kdump(writer) = &mut self.writer {
            if is_file || round == Round::KnownBitmap {
                writer.known_bitmap(&self.frames, out)?;
            }
            if is_file || round == Round::KeptBitmap {
                writer.kept_bitmap(&self.frames, out)?;
            }
            if is_file {
                writer.end_bitmaps(out)?;
            }
        }
        self.stage =
            if round == Round::Pages { Stage::HandOut(slice.start) } else { Stage::Select(slice.end) };
        Ok(())
    }

    /// The frames of this part of a split set, of those below `end`.
    pub(super) fn part_pfns(&self, split: Split, end: Pfn) -> Range<Pfn> {
        let start = if split.part == 0 { Pfn(0) } else { self.pfns.start };
        start..self.pfns.end.min(end)
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
        let split = self.report.options.split.is_some();
        let span = if split { SPLIT_FRAMES } else { CHUNK_FRAMES };
        let mut at = from;
        while let Some(next) = self.frames.next_kept(at) {
            let (first, mut pages) = self.frames.window(next);
            if split && next >= self.decided {
                self.decide(first);
            }
            let most = if self.takes { self.params.chunk_pages } else { usize::MAX };
            let end = self.frames.slice().end.saturating_sub(first).min(span);
            window::truncate(&mut pages, u64::try_from(most).unwrap_or(u64::MAX), end);
            let last = window::ones(pages).last().unwrap_or(0);
            at = first.saturating_add(last).saturating_add(1);
            self.rank = self.rank.saturating_add(bits::count(&pages, 0..CHUNK_FRAMES));
            if self.takes {
                self.stage = Stage::HandOut(at);
                let chunk = Chunk { sequence: self.handed_out, first: Pfn(first), pages, position: 0 };
                return Next::Chunk(chunk);
            }
        }
        self.stage = Stage::Select(self.frames.slice().end);
        Next::Again(self.progress())
    }

    /// Decides whether this part of a split set takes the frames from `first` on: if the rank of the next page to be
    /// kept is in its share.
    fn decide(&mut self, first: u64) {
        let takes = self.part.contains(&self.rank);
        match (self.takes, takes) {
            (false, true) => self.pfns.start = Pfn(first),
            (true, false) => self.pfns.end = Pfn(first),
            _ => {}
        }
        self.takes = takes;
        self.decided = first.saturating_add(SPLIT_FRAMES);
    }

    /// The next pages of the slice that stand together in one segment, as many as a chunk holds. Program headers of the
    /// segments that end before them are written, on a stream after all pages of those.
    pub(super) fn hand_out_extent(&mut self, from: u64, out: &mut dyn WriteAt) -> Result<Next, Error> {
        let is_stream = !out.can_rewrite();
        let mut at = from;
        let mut chunk: Option<Chunk> = None;
        while let Some(run) = self.frames.next_run(at) {
            let (start, end) = (run.frames.start, run.frames.end);
            if is_stream
                && (chunk.is_some() || self.is_uncommitted())
                && self.extents.ends_before(start, run.kept)
            {
                self.stage = Stage::HandOut(start.0);
                return Ok(chunk.map_or(Next::Wait, Next::Chunk));
            }
            if !run.kept {
                let ended = self.extents.exclude(run.frames);
                self.write_segments(ended, out)?;
                at = end.0;
                continue;
            }
            let first = chunk.map_or(start.0 & !63, |chunk| chunk.first.0);
            let room = self.params.chunk_pages.saturating_sub(chunk.map_or(0, |chunk| chunk.len()));
            let room = start.0.saturating_add(u64::try_from(room).unwrap_or(u64::MAX));
            let end = Pfn(end.0.min(first.saturating_add(CHUNK_FRAMES)).min(room));
            if end <= start || (chunk.is_some() && !self.extents.joins(start)) {
                self.stage = Stage::HandOut(start.0);
                return Ok(self.chunk_or_again(chunk));
            }
            let ended = self.extents.keep(start..end);
            self.write_segments(ended, out)?;
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
        Ok(self.chunk_or_again(chunk))
    }

    fn chunk_or_again(&self, chunk: Option<Chunk>) -> Next {
        chunk.map_or_else(|| Next::Again(self.progress()), Next::Chunk)
    }
}
