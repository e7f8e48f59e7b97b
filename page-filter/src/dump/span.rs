//! A run of page frames on its way from memory to the bitmap of frames to be kept.

use core::ops::Range;

use vmcore_format::{PageSize, Pfn};

use super::chunk::is_zero;
use super::frames::mark;
use super::{Error, Filter};
use crate::filter::{Window, judge, leave_out_removed};
use crate::judge::{Carry, Judged};
use crate::{Kernel, Level, PhysMemory, bits};

/// The most page frames of a [`Span`].
pub const SPAN_FRAMES: u64 = 1 << 15;
/// The most page frames of a span whose pages are read, too.
const READ_SPAN_FRAMES: u64 = 1 << 12;
/// The size of the bitmaps of a span in words of 8 bytes: frames that the machine had, and frames to be kept.
pub const SPAN_WORDS: usize = 1024;

/// Page frames to be told apart: nothing but numbers, to be sent to whichever thread is free.
#[derive(Debug, Clone, Copy)]
pub struct Span {
    /// Spans are committed in the order of these numbers, from 0.
    pub sequence: u64,
    pub(super) first: u64,
    pub(super) end: u64,
    /// Whether pages are told apart; if not, all that are held are kept but those of removed memory.
    pub(super) filtered: bool,
    /// What the frames before leave to it, where that is known.
    pub(super) carry: Option<Carry>,
}

impl Span {
    /// The page frames, of which some may be holes.
    #[must_use]
    pub fn frames(&self) -> Range<Pfn> {
        Pfn(self.first)..Pfn(self.end)
    }

    /// The words of one of its bitmaps.
    pub(super) fn words(&self) -> usize {
        usize::try_from(self.end.saturating_sub(self.first).div_ceil(64)).unwrap_or(usize::MAX)
    }
}

/// What became of a span. Its bitmaps are in the buffer that was given to [`Scanner::scan`].
#[derive(Debug, Clone, Copy)]
pub struct Scanned {
    /// Frames that the machine had.
    pub(super) known: u64,
    /// Frames whose bytes the input holds.
    pub(super) held: u64,
    /// Frames to be kept.
    pub(super) kept: u64,
    /// Frames left out because they are zero.
    pub(super) zero: u64,
    /// What was taken for what the frames before leave, and what was found.
    pub(super) judged: Option<(Carry, Judged)>,
}

/// What a scan leaves out.
#[derive(Debug, Clone, Copy)]
pub(super) struct ScanParams {
    pub(super) page_size: PageSize,
    pub(super) level: Level,
    /// Whether zero pages are left out of the bitmap: in a kdump file they are found as they are written.
    pub(super) drops_zero: bool,
}

impl ScanParams {
    /// The frames of a span: as many as a few milliseconds suffice for.
    pub(super) fn span_frames(self) -> u64 {
        if self.drops_zero { READ_SPAN_FRAMES } else { SPAN_FRAMES }
    }
}

/// Both bitmaps of a span, and what pages are read into.
pub(super) struct Room<'b> {
    pub(super) known: &'b mut [u64],
    pub(super) kept: &'b mut [u64],
    pub(super) scratch: &'b mut [u8],
    pub(super) page: &'b mut [u8],
}

/// Finds which frames of a span there are, and which are to be kept.
pub(super) fn scan(
    params: ScanParams,
    kernel: Option<&mut Kernel>,
    span: &Span,
    memory: &mut dyn PhysMemory,
    room: Room<'_>,
) -> Result<Scanned, Error> {
    let frames = span.first..span.end;
    let Room { known, kept, scratch, page } = room;
    mark(known, &frames, |from| memory.next_known(from).map_err(Error::Frames))?;
    mark(kept, &frames, |from| memory.next_held(from).map_err(Error::Frames))?;
    let held = bits::count(kept, 0..u64::MAX);
    let judged = match kernel {
        Some(kernel) if span.filtered => {
            let window = Window { frames, carry: span.carry, dumpable: kept };
            Some(judge(kernel, params.level, memory, window, scratch)?)
        }
        Some(kernel) => {
            leave_out_removed(kernel, memory, &frames, kept);
            None
        }
        None => None,
    };
    let zero =
        if params.drops_zero { drop_zero(params.page_size, span.first, kept, page, memory) } else { 0 };
    Ok(Scanned {
        known: bits::count(known, 0..u64::MAX),
        held,
        kept: bits::count(kept, 0..u64::MAX),
        zero,
        judged,
    })
}

/// Leaves out zero pages: answers how many. One that cannot be read is not known to be zero.
fn drop_zero(
    page_size: PageSize,
    first: u64,
    kept: &mut [u64],
    buffer: &mut [u8],
    memory: &mut dyn PhysMemory,
) -> u64 {
    let Some(page) = buffer.get_mut(..page_size.len()) else { return 0 };
    let (mut zeros, mut from) = (0u64, 0);
    while let Some(bit) = bits::next_set(kept, from..u64::MAX) {
        from = bit.saturating_add(1);
        let addr = page_size.start_of(Pfn(first.saturating_add(bit)));
        let zero = addr.is_some_and(|addr| match memory.view(addr, page_size.len()) {
            Some(page) => is_zero(page),
            None => memory.read(addr, page).is_ok() && is_zero(page),
        });
        if zero {
            bits::clear(kept, bit..from);
            zeros = zeros.saturating_add(1);
        }
    }
    zeros
}

/// Scans spans on any thread; each has its own.
#[derive(Debug, Clone)]
pub struct Scanner {
    params: ScanParams,
    kernel: Option<Kernel>,
}

impl Scanner {
    pub(super) fn new(params: ScanParams, kernel: Option<Kernel>) -> Self {
        Self { params, kernel }
    }

    /// The size of the scratch of [`scan`](Self::scan), in bytes.
    #[must_use]
    pub fn scratch_len(&self) -> usize {
        Filter::SCRATCH_LEN.saturating_add(self.params.page_size.len())
    }

    /// Finds which frames of `span` are to be kept. The result depends on nothing but the crashed machine: `words` takes
    /// the bitmaps, [`SPAN_WORDS`] at most, and `scratch` is for what is read,
    /// [`scratch_len`](Self::scratch_len) bytes.
    ///
    /// # Errors
    /// [`Error::BufferTooSmall`] with what is needed of `words` or `scratch`, and a fault of the tables of page frames.
    pub fn scan(
        &mut self,
        span: &Span,
        memory: &mut dyn PhysMemory,
        words: &mut [u64],
        scratch: &mut [u8],
    ) -> Result<Scanned, Error> {
        let too_small =
            |needed: usize| Error::BufferTooSmall { needed: u64::try_from(needed).unwrap_or(u64::MAX) };
        let (len, both) = (span.words(), span.words().saturating_mul(2));
        let words = words.get_mut(..both).ok_or(too_small(both))?;
        let needed = self.scratch_len();
        let scratch = scratch.get_mut(..needed).ok_or(too_small(needed))?;
        let (known, kept) = words.split_at_mut(len);
        let (scratch, page) = scratch.split_at_mut(Filter::SCRATCH_LEN);
        scan(self.params, self.kernel.as_mut(), span, memory, Room { known, kept, scratch, page })
    }
}
