//! The dump itself: two passes over memory, driven from outside.

mod hand_out;
mod scan;

use core::mem;
use core::ops::Range;

use vmcore_format::kdump::Compression;
use vmcore_format::{Field, Pfn, WriteAt};

use super::duplicates::Duplicates;
use super::elf::{ElfWriter, Loads};
use super::encode::too_small;
use super::extent::Extents;
use super::kdump::KdumpWriter;
use super::span::ScanParams;
use super::workspace::Workspace;
use super::{
    Buffer, Chunk, EncodeParams, Encoded, Error, Format, Frames, Options, Phase, Progress, Reason, Report,
    Scanned, Scanner, Source, Span, Split, encode_chunk,
};
use crate::judge::Carry;
use crate::redact::Redaction;
use crate::witness::Witness;
use crate::{Kernel, Level, PageKind, PhysMemory};

/// The highest `max_mapnr`: 52 bits of physical address in pages of 4 KiB.
const MOST_FRAMES: u64 = 1 << 40;

/// The most page frames of memory, in pages of 4 KiB 256 TiB: four times the largest machine. Each takes a bit of the
/// output and a moment to pass over, also where nothing but a number in the input says that it is there.
const MOST_KNOWN: u64 = 1 << 36;

/// What to do next.
#[derive(Debug, Clone, Copy)]
pub enum Next {
    /// Some work was done; ask again.
    Again(Progress),
    /// Pages to be encoded, and committed in order.
    Chunk(Chunk),
    /// Every chunk was handed out. When all are committed, [`Dumper::finish`] completes the output.
    Done,
}

/// Where in a slice of memory the pass that writes stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    /// The slice that starts at this frame is next.
    Select(u64),
    /// The frames to be kept are known.
    Ready,
    /// Pages from this frame on are to be handed out.
    HandOut(u64),
}

/// Where the pass that tells pages apart stands.
#[derive(Debug)]
struct Pass {
    /// The frame after those that were handed out.
    next: u64,
    /// The frame after those that were committed.
    done: u64,
    handed_out: u64,
    committed: u64,
    /// What the committed frames leave to the next.
    carry: Carry,
    /// The first of the kernel's own pages that was left out.
    witness: Option<(Pfn, Witness, PageKind)>,
}

/// What memory is gone through for in the phase that writes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Round {
    /// Kdump-compressed: the first bitmap, then the second one, with the share of a part of a split set. On a stream
    /// their records do not depend on how memory is sliced.
    KnownBitmap,
    KeptBitmap,
    /// ELF: program headers.
    Segments,
    /// Pages. On a file, where remembering every frame takes more memory than there is, the second bitmap comes with them,
    /// slice by slice.
    Pages,
}

#[derive(Debug)]
#[expect(clippy::large_enum_variant, reason = "a dump has one of them")]
enum Writer<'a> {
    /// Nothing is written before all is counted.
    Waiting(Buffer<'a>, Buffer<'a>),
    Kdump(KdumpWriter<'a>),
    Elf(ElfWriter<'a>),
    /// An error came while headers were written.
    Gone,
}

/// Saves the memory of a machine.
///
/// The caller owns the loop: [`next_chunk`](Self::next_chunk) hands out pages, [`encode_chunk`](super::encode_chunk)
/// packs them on any thread, [`commit_chunk`](Self::commit_chunk) takes the results in order, and
/// [`finish`](Self::finish) completes the output. [`step`](Self::step) is all of it for one thread. To cancel, and after an
/// error, call [`abandon`](Self::abandon): the output stays marked as incomplete.
///
/// Threads tell pages apart in the same way: [`next_scan`](Self::next_scan) hands out page frames,
/// [`Scanner::scan`] judges them on any thread, [`commit_scan`](Self::commit_scan) takes the results in order.
///
/// The first pass tells pages apart and counts them; the second one writes. If the workspace has room for one bit for each
/// page frame the first pass is remembered, otherwise pages are told apart again, slice by slice.
#[derive(Debug)]
pub struct Dumper<'a> {
    source: Source<'a>,
    kernel: Option<&'a mut Kernel>,
    scan_params: ScanParams,
    pass: Pass,
    params: EncodeParams<'a>,
    phase: Phase,
    round: Round,
    stage: Stage,
    frames: Frames<'a>,
    filter_scratch: &'a mut [u8],
    scratch: &'a mut [u64],
    chunk_bytes: &'a mut [u8],
    writer: Writer<'a>,
    duplicates: Duplicates<'a>,
    /// ELF output: where segments are cut, and the `PT_LOAD`s of the input.
    extents: Extents,
    loads: Loads<'a>,
    segments: u64,
    /// The share of this output, by rank among all kept pages, and the rank of the next one.
    part: Range<u64>,
    rank: u64,
    /// The frames of this output, and how many of them are kept.
    pfns: Range<Pfn>,
    here: u64,
    handed_out: u64,
    committed: u64,
    report: Report,
}

impl<'a> Dumper<'a> {
    /// A dump of the machine that `source` describes.
    ///
    /// `kernel` tells pages apart; without it all pages are kept but those of zeros. `words` is all the memory that the
    /// dump uses, whatever the size of the machine. The least is 128 KiB for pages of 4 KiB, 192 KiB for 16 KiB, 512 KiB for
    /// 64 KiB, with any codec (duplicates shared: 128 KiB more; ELF output: and 4 bytes for each `PT_LOAD` of the input); 1 MiB (131072 words) makes for
    /// large writes; 1 MiB more for each 32 GiB of memory (pages of 4 KiB) saves looking at pages twice.
    ///
    /// # Errors
    /// - [`Error::BufferTooSmall`] with the number of words needed;
    /// - [`Error::Unsupported`]: page frames above 2^40 ([`Field::MaxMapnr`]); a split that is not one, or of an ELF
    ///   core ([`Field::Split`]).
    pub fn new(
        mut source: Source<'a>,
        kernel: Option<&'a mut Kernel>,
        options: Options,
        words: &'a mut [u64],
    ) -> Result<Self, Error> {
        if source.end.0 > MOST_FRAMES {
            return Err(Error::Unsupported { field: Field::MaxMapnr, value: source.end.0 });
        }
        if let Some(Split { part, parts }) = options.split
            && (part >= parts || options.format == Format::Elf)
        {
            return Err(Error::Unsupported { field: Field::Split, value: parts.into() });
        }
        let kdump = options.format == Format::Kdump;
        if kdump {
            // The format has no way to say that there is no memory at all.
            source.end = source.end.max(Pfn(1));
        }
        let mut params = EncodeParams {
            page_size: source.page_size,
            compression: if kdump { options.compression } else { Compression::Raw },
            fast: options.fast,
            find_zero: kdump && options.level.contains(Level::ZERO),
            share_duplicates: kdump && options.share_duplicates,
            chunk_pages: 1,
            redaction: Redaction::NONE,
        };
        let parts = Workspace::divide(words, params, &options, source.end.0, source.loads.len())?;
        params.chunk_pages = parts.chunk.len().checked_div(params.page_bytes()).unwrap_or(0).min(256);
        let mut report = Report::new(options, source.left_out, source.incomplete);
        report.sections = kernel.as_deref().and_then(|kernel| kernel.sections().copied());
        if kernel.is_none() {
            report.keep_all(if source.vmcoreinfo.is_some() {
                Reason::NoKernel
            } else {
                Reason::NoVmcoreInfo
            });
        }
        Ok(Self {
            source,
            kernel,
            scan_params: ScanParams {
                page_size: source.page_size,
                level: options.level,
                drops_zero: !kdump && options.level.contains(Level::ZERO),
            },
            pass: Pass { next: 0, done: 0, handed_out: 0, committed: 0, carry: Carry::NONE, witness: None },
            params,
            phase: Phase::Scan,
            round: Round::Pages,
            stage: Stage::Select(0),
            frames: Frames::new(parts.known, parts.kept, parts.whole, source.end),
            filter_scratch: parts.filter,
            scratch: parts.scratch,
            chunk_bytes: parts.chunk,
            writer: Writer::Waiting(parts.tables, parts.data),
            duplicates: Duplicates::new(parts.duplicates),
            extents: Extents::default(),
            loads: Loads::new(source.loads, parts.loads, source.page_size),
            segments: 0,
            part: 0..0,
            rank: 0,
            pfns: if options.split.is_some() { source.end..source.end } else { Pfn(0)..source.end },
            here: 0,
            handed_out: 0,
            committed: 0,
            report,
        })
    }

    /// Hides `redaction` in the output, and says so in its log of erased data. [`params`](Self::params) carries it to
    /// whoever encodes chunks: ask for it afterwards.
    ///
    /// # Errors
    /// [`Error::OutOfOrder`] once a dump has begun: pages may have been handed out.
    pub fn redact(&mut self, redaction: Redaction<'a>) -> Result<(), Error> {
        if self.phase != Phase::Scan || self.pass.next != 0 {
            return Err(Error::OutOfOrder { expected: 0 });
        }
        self.params.redaction = redaction;
        Ok(())
    }

    /// How to encode chunks.
    #[must_use]
    pub fn params(&self) -> EncodeParams<'a> {
        self.params
    }

    /// How far the dump is.
    #[must_use]
    pub fn progress(&self) -> Progress {
        let (done, total) = match self.phase {
            Phase::Scan => (self.pass.done, self.frames.end()),
            _ => (
                self.report.saved.saturating_add(self.report.lost),
                self.part.end.saturating_sub(self.part.start),
            ),
        };
        // The share of a part is met within a block of frames.
        Progress { phase: self.phase, done: done.min(total), total }
    }

    /// What the dump did so far.
    #[must_use]
    pub fn report(&self) -> &Report {
        &self.report
    }

    /// Does some of the work up to the next chunk: a few milliseconds' worth.
    ///
    /// Chunks may be handed out before earlier ones are committed; the output does not depend on how many are.
    ///
    /// # Errors
    /// [`Error::OutOfOrder`] while spans of [`next_scan`](Self::next_scan) are not committed, those of `out`, of the
    /// tables of page frames, and values that the output's format cannot hold; [`Error::Unsupported`]
    /// ([`Field::MaxMapnr`]) for more than 2^36 page frames of memory, and for memory above frame 2^35 where `out` has to
    /// be told of holes byte by byte ([`WriteAt::starts_as_zeros`]). None can be retried.
    pub fn next_chunk(&mut self, memory: &mut dyn PhysMemory, out: &mut dyn WriteAt) -> Result<Next, Error> {
        match (self.phase, self.stage) {
            (Phase::Written | Phase::Finished, _) => return Ok(Next::Done),
            (Phase::Scan, _) => self.scan_some(memory, out)?,
            (Phase::Write, Stage::Select(start)) if start >= self.frames.end() => {
                return self.end_round(out);
            }
            (Phase::Write, Stage::Select(start)) => self.select(start, memory, out)?,
            (Phase::Write, Stage::Ready) => self.write_tables(out)?,
            (Phase::Write, Stage::HandOut(from)) => {
                let next = if let Writer::Kdump(_) = self.writer {
                    self.hand_out(from)
                } else {
                    self.hand_out_extent(from)
                };
                if let Next::Chunk(_) = next {
                    self.handed_out = self.handed_out.saturating_add(1);
                }
                return Ok(next);
            }
        }
        Ok(Next::Again(self.progress()))
    }

    /// What a thread scans spans with: good for all of the dump.
    #[must_use]
    pub fn scanner(&self) -> Scanner {
        Scanner::new(self.scan_params, self.kernel.as_deref().cloned())
    }

    /// The next page frames to be told apart; `None` when all of this pass are handed out. The pass ends in
    /// [`next_chunk`](Self::next_chunk), once all are committed: what it found may be a reason for another one.
    ///
    /// # Errors
    /// [`Error::Frames`] when the table of page frames cannot be read.
    pub fn next_scan(&mut self, memory: &mut dyn PhysMemory) -> Result<Option<Span>, Error> {
        if self.phase != Phase::Scan {
            return Ok(None);
        }
        let span = self.next_span(memory)?;
        if span.is_some() {
            self.pass.handed_out = self.pass.handed_out.saturating_add(1);
        }
        Ok(span)
    }

    /// Takes what became of a span; `words` is what [`Scanner::scan`] wrote to its buffer. Where the frames before left
    /// something else than it had to assume, the span is scanned again.
    ///
    /// # Errors
    /// [`Error::OutOfOrder`]; [`Error::BufferTooSmall`] when `words` are not those of the span; those of a scan.
    pub fn commit_scan(
        &mut self,
        span: &Span,
        scanned: &Scanned,
        words: &[u64],
        memory: &mut dyn PhysMemory,
    ) -> Result<(), Error> {
        if self.phase != Phase::Scan || span.sequence != self.pass.committed {
            return Err(Error::OutOfOrder { expected: self.pass.committed });
        }
        self.take_span(span, scanned, words, memory)
    }

    /// Writes an encoded chunk; `bytes` is what [`encode_chunk`](super::encode_chunk) wrote to its buffer.
    ///
    /// # Errors
    /// [`Error::OutOfOrder`], [`Error::BufferTooSmall`] when `bytes` are fewer than [`Encoded::bytes`], [`Error::Changed`], and
    /// those of `out`.
    pub fn commit_chunk(
        &mut self,
        chunk: &Chunk,
        encoded: &Encoded,
        bytes: &[u8],
        out: &mut dyn WriteAt,
    ) -> Result<(), Error> {
        if chunk.sequence != self.committed {
            return Err(Error::OutOfOrder { expected: self.committed });
        }
        let needed = encoded.bytes();
        let bytes = bytes.get(..needed).ok_or_else(|| too_small(needed))?;
        match &mut self.writer {
            Writer::Kdump(writer) => {
                writer.commit(chunk, encoded, bytes, &mut self.duplicates, out)?;
                (self.report.duplicates, self.report.duplicate_bytes) = self.duplicates.found();
            }
            Writer::Elf(writer) => writer.commit(chunk, encoded, bytes, out)?,
            Writer::Waiting(..) | Writer::Gone => return Err(Error::OutOfOrder { expected: 0 }),
        }
        self.committed = self.committed.saturating_add(1);
        self.report.add(chunk, encoded);
        self.report.add_redacted(chunk, encoded, &self.params);
        Ok(())
    }

    /// Completes the output when every chunk was committed.
    ///
    /// # Errors
    /// [`Error::OutOfOrder`] if chunks are missing, and those of `out`.
    pub fn finish(&mut self, out: &mut dyn WriteAt) -> Result<&Report, Error> {
        if self.phase == Phase::Finished {
            return Ok(&self.report);
        }
        if self.phase != Phase::Written || self.committed != self.handed_out {
            return Err(Error::OutOfOrder { expected: self.committed });
        }
        let incomplete = self.report.incomplete || self.report.lost > 0;
        match &mut self.writer {
            Writer::Kdump(writer) => {
                writer.finish(incomplete, out)?;
                self.report.written = writer.written();
            }
            Writer::Elf(writer) => {
                writer.finish(incomplete, out)?;
                self.report.written = writer.written();
            }
            Writer::Waiting(..) | Writer::Gone => return Err(Error::OutOfOrder { expected: 0 }),
        }
        self.phase = Phase::Finished;
        Ok(&self.report)
    }

    /// Ends a dump early, because the caller wants to or because the storage is full: writes what is held, so that the
    /// output describes the pages that were committed and are in it; [`Report::saved`] counts those. It stays marked as
    /// incomplete, and nothing more can be done with it. A stream gets its mark, if it still takes it.
    ///
    /// # Errors
    /// Those of `out`. What could be written is written all the same.
    // Inlined into the C ABI, LLVM 22 makes a trap of the kinds of errors that the outputs cannot have.
    #[inline(never)]
    pub fn abandon(&mut self, out: &mut dyn WriteAt) -> Result<(), Error> {
        if self.phase == Phase::Finished {
            return Ok(());
        }
        match mem::replace(&mut self.writer, Writer::Gone) {
            Writer::Kdump(mut writer) => {
                let result = writer.abandon(out);
                let pages = writer.in_file();
                (self.report.saved, self.report.zero) = (pages.saved, pages.zero);
                self.report.written = writer.written();
                result
            }
            Writer::Elf(mut writer) => {
                let result = writer.abandon(out);
                self.report.saved = writer.saved();
                self.report.written = writer.written();
                result
            }
            Writer::Waiting(..) | Writer::Gone => Ok(()),
        }
    }

    /// Does some of the work on this thread; the phase is [`Phase::Finished`] when the output is whole.
    ///
    /// # Errors
    /// Those of [`next_chunk`](Self::next_chunk), [`commit_chunk`](Self::commit_chunk) and [`finish`](Self::finish).
    pub fn step(&mut self, memory: &mut dyn PhysMemory, out: &mut dyn WriteAt) -> Result<Progress, Error> {
        match self.next_chunk(memory, out)? {
            Next::Again(_) => {}
            Next::Chunk(chunk) => {
                let encoded = encode_chunk(&self.params, &chunk, memory, self.scratch, self.chunk_bytes)?;
                let bytes = mem::take(&mut self.chunk_bytes);
                let result = self.commit_chunk(&chunk, &encoded, bytes, out);
                self.chunk_bytes = bytes;
                result?;
            }
            Next::Done => {
                self.finish(out)?;
            }
        }
        Ok(self.progress())
    }
}
