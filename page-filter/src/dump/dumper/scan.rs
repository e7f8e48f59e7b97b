//! The pass that tells pages apart, slice by slice of memory.

use core::mem;

use vmcore_format::kdump::UtsName;
use vmcore_format::{Field, Pfn, WriteAt};

use super::{Dumper, MOST_KNOWN, Pass, Round, Stage, Writer};
use crate::dump::elf::ElfWriter;
use crate::dump::eraseinfo::EraseInfo;
use crate::dump::extent::{Extent, Extents};
use crate::dump::kdump::KdumpWriter;
use crate::dump::span::{Room, scan};
use crate::dump::{Error, Format, Phase, Reason, Scanned, Span, Split};
use crate::judge::Carry;
use crate::sanity::Findings;
use crate::{Level, PhysMemory};

impl Dumper<'_> {
    /// Scans a span on this thread, or ends the pass.
    pub(super) fn scan_some(
        &mut self,
        memory: &mut dyn PhysMemory,
        out: &mut dyn WriteAt,
    ) -> Result<(), Error> {
        if self.pass.committed != self.pass.handed_out {
            return Err(Error::OutOfOrder { expected: self.pass.committed });
        }
        let Some(span) = self.next_scan(memory)? else { return self.end_scan(memory, out) };
        self.frames.begin(span.first..span.end, self.pass.done);
        let scanned = self.scan_here(&span, memory)?;
        self.count(&span, &scanned);
        Ok(())
    }

    /// The span after those that were handed out. Holes take no time, however large they are.
    pub(super) fn next_span(&mut self, memory: &mut dyn PhysMemory) -> Result<Option<Span>, Error> {
        let end = self.frames.end();
        self.check_known(memory)?;
        let first = if self.pass.next < end { self.after_hole(self.pass.next, memory)? } else { end };
        let most = self.scan_params.span_frames().min(self.frames.room());
        let last = first.saturating_add(most.saturating_sub(first.checked_rem(most).unwrap_or(0)));
        self.pass.next = last.min(end);
        let carry = (self.pass.handed_out == self.pass.committed).then_some(self.pass.carry);
        let span = Span {
            sequence: self.pass.handed_out,
            first,
            end: self.pass.next,
            filtered: self.filters(),
            carry,
        };
        Ok((first < end).then_some(span))
    }

    /// Refuses more memory than a machine can have, before it is gone through.
    fn check_known(&self, memory: &mut dyn PhysMemory) -> Result<(), Error> {
        let next = memory.next_known(Pfn(self.pass.next)).map_err(Error::Frames)?;
        let frames = next.map_or(0, |run| run.end.0.min(self.frames.end()).saturating_sub(run.start.0));
        let value = self.report.known.saturating_add(frames);
        let too_many = Error::Unsupported { field: Field::MaxMapnr, value };
        if value > MOST_KNOWN { Err(too_many) } else { Ok(()) }
    }

    /// Takes in the bitmaps of a span that was scanned elsewhere.
    pub(super) fn take_span(
        &mut self,
        span: &Span,
        scanned: &Scanned,
        words: &[u64],
        memory: &mut dyn PhysMemory,
    ) -> Result<(), Error> {
        let len = span.words();
        let needed = u64::try_from(len).unwrap_or(u64::MAX).saturating_mul(2);
        let words = words.split_at_checked(len).and_then(|(known, rest)| Some((known, rest.get(..len)?)));
        let words = words.ok_or(Error::BufferTooSmall { needed })?;
        self.frames.begin(span.first..span.end, self.pass.done);
        let left = self.pass.carry.at(span.first);
        let foreseen = scanned.judged.is_none_or(|(assumed, _)| assumed.at(span.first) == left);
        let scanned = if foreseen {
            let (known, kept) = self.frames.bitmaps_mut();
            for (to, from) in [(known, words.0), (kept, words.1)] {
                let to = to.get_mut(..from.len()).ok_or(Error::BufferTooSmall { needed })?;
                to.copy_from_slice(from);
            }
            *scanned
        } else {
            self.scan_here(&Span { carry: Some(left), ..*span }, memory)?
        };
        self.count(span, &scanned);
        Ok(())
    }

    /// Scans the current slice.
    fn scan_here(&mut self, span: &Span, memory: &mut dyn PhysMemory) -> Result<Scanned, Error> {
        let (known, kept) = self.frames.bitmaps_mut();
        let room = Room { known, kept, scratch: self.filter_scratch, page: self.chunk_bytes };
        scan(self.scan_params, self.kernel.as_deref_mut(), span, memory, room)
    }

    /// Finds which frames of a slice are to be written, unless that is remembered.
    pub(super) fn select(
        &mut self,
        start: u64,
        memory: &mut dyn PhysMemory,
        out: &dyn WriteAt,
    ) -> Result<(), Error> {
        // A bitmap has holes, too, and the output may have to be told; segments have none.
        let elf = self.report.options.format == Format::Elf;
        let skips = elf || out.starts_as_zeros();
        let start = if skips { self.after_hole(start, memory)? } else { start };
        let most = if elf { self.scan_params.span_frames() } else { u64::MAX };
        self.frames.go_to(start, most);
        self.stage = Stage::Ready;
        if self.frames.whole() || self.round == Round::KnownBitmap {
            return self.frames.find_known(memory);
        }
        let slice = self.frames.slice();
        let carry = Some(self.pass.carry);
        let span = Span { sequence: 0, first: slice.start, end: slice.end, filtered: self.filters(), carry };
        let scanned = self.scan_here(&span, memory)?;
        self.pass.carry = scanned.judged.map_or(Carry::NONE, |(_, judged)| judged.carry);
        Ok(())
    }

    /// Where a slice may begin: at the next known frame, or at the end of memory. A multiple of 64, but for the end.
    fn after_hole(&self, start: u64, memory: &mut dyn PhysMemory) -> Result<u64, Error> {
        let next = memory.next_known(Pfn(start)).map_err(Error::Frames)?;
        Ok(next.map_or(self.frames.end(), |run| (run.start.0 & !63).max(start)))
    }

    /// Counts what is to be kept of a span, and the segments that it makes.
    fn count(&mut self, span: &Span, scanned: &Scanned) {
        let report = &mut self.report;
        for (total, found) in [
            (&mut report.known, scanned.known),
            (&mut report.held, scanned.held),
            (&mut report.kept, scanned.kept),
            (&mut report.zero, scanned.zero),
            (&mut self.pass.committed, 1),
        ] {
            *total = total.saturating_add(found);
        }
        if let Some((_, judged)) = &scanned.judged {
            report.counts.add_all(&judged.counts);
            self.pass.witness = self.pass.witness.or(judged.witness);
            self.pass.carry = judged.carry;
        }
        self.pass.done = span.end;
        if self.report.options.format == Format::Elf {
            let mut at = span.first;
            while let Some(run) = self.frames.next_run(at) {
                at = run.frames.end.0;
                let ended =
                    if run.kept { self.extents.keep(run.frames) } else { self.extents.exclude(run.frames) };
                self.count_segments(ended);
            }
        }
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
        let end = self.frames.end();
        self.frames.begin(end..end, self.pass.done);
        let ended = self.extents.finish();
        self.count_segments(ended);
        let doubted = self.doubts();
        self.pass = Pass { next: 0, done: 0, carry: Carry::NONE, witness: None, ..self.pass };
        self.loads.rewind();
        self.extents = Extents::default();
        self.stage = Stage::Select(0);
        if doubted {
            self.segments = 0;
            return Ok(());
        }
        if let Some(names) = self.names(memory) {
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
        let erased = EraseInfo::new(&self.source, self.params.redaction)?;
        let options = &self.report.options;
        self.writer = match options.format {
            Format::Kdump => {
                self.round = Round::KnownBitmap;
                let level = self.report.level;
                Writer::Kdump(KdumpWriter::begin(
                    &self.source,
                    options,
                    level,
                    kept,
                    &erased,
                    (tables, data),
                    out,
                )?)
            }
            Format::Elf => {
                self.round = Round::Segments;
                Writer::Elf(ElfWriter::begin(&self.source, self.segments, &erased, (tables, data), out)?)
            }
        };
        self.phase = Phase::Write;
        Ok(())
    }

    /// Whether pages are told apart: there is a kernel, and it is not in doubt.
    fn filters(&self) -> bool {
        self.kernel.is_some() && self.report.more_kept != Some(Reason::Doubt)
    }

    /// The kernel's names for the header, as the dump shows them.
    fn names(&mut self, memory: &mut dyn PhysMemory) -> Option<UtsName> {
        let kernel = self.kernel.as_deref_mut()?;
        let (at, mut bytes) = kernel.names(memory)?;
        self.params.redaction.hide_virt(kernel, memory, at, &mut bytes);
        Some(UtsName::from_bytes(bytes))
    }

    /// Whether what the filter found cannot be true. Then all is counted once more, without it.
    fn doubts(&mut self) -> bool {
        let Some(kernel) = self.kernel.as_deref().filter(|_| self.filters()) else { return false };
        let whole = self.source.left_out.difference(Level::ZERO).is_empty() && !self.source.incomplete;
        let level = self.scan_params.level;
        let findings = Findings::new(kernel, level, &self.report.counts, whole, self.pass.witness);
        self.report.judge(findings)
    }
}

/// The rank of the first page of part `part` of `parts`, of `total` pages.
fn rank(total: u64, part: u32, parts: u32) -> u64 {
    let rank = u128::from(total).saturating_mul(part.into()).checked_div(parts.into());
    rank.and_then(|rank| u64::try_from(rank).ok()).unwrap_or(total)
}
