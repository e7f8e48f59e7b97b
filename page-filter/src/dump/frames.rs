//! Which page frames there are, and which of them are to be kept.

use core::ops::Range;

use vmcore_format::Pfn;

use super::{Error, window};
use crate::{PhysMemory, bits};

/// The bitmaps of known and kept frames, for one slice of memory at a time.
#[derive(Debug)]
pub(super) struct Frames<'a> {
    known: &'a mut [u64],
    kept: &'a mut [u64],
    /// Whether `kept` is of all memory.
    whole: bool,
    /// The slice: its start is a multiple of 64.
    slice: Range<u64>,
    /// The frame after the last one of the machine.
    end: u64,
}

/// Neighbouring frames of a slice that are alike.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Run {
    pub(super) kept: bool,
    pub(super) frames: Range<Pfn>,
}

impl<'a> Frames<'a> {
    pub(super) fn new(known: &'a mut [u64], kept: &'a mut [u64], whole: bool, end: Pfn) -> Self {
        Self { known, kept, whole, slice: 0..0, end: end.0 }
    }

    /// Whether the kept frames of every slice are remembered.
    pub(super) fn whole(&self) -> bool {
        self.whole
    }

    /// The frame after the last one of the machine.
    pub(super) fn end(&self) -> u64 {
        self.end
    }

    /// The frames of the slice.
    pub(super) fn slice(&self) -> Range<u64> {
        self.slice.clone()
    }

    /// Goes to the slice of at most `len` frames that starts at `start`, none past the end.
    pub(super) fn go_to(&mut self, start: u64, len: u64) {
        self.slice = start.min(self.end)..start.saturating_add(len.min(self.room())).min(self.end);
    }

    /// Finds the known frames of the slice.
    pub(super) fn find_known(&mut self, memory: &mut dyn PhysMemory) -> Result<(), Error> {
        let slice = self.slice();
        mark(self.bitmaps_mut().0, &slice, |from| memory.next_known(from).map_err(Error::Frames))
    }

    /// Goes to the slice `frames`, in a pass that finds which frames to keep. Those passed over since `done` are not.
    pub(super) fn begin(&mut self, frames: Range<u64>, done: u64) {
        if self.whole {
            bits::clear(self.kept, done..frames.start);
        }
        self.slice = frames;
    }

    /// The most frames of a slice.
    pub(super) fn room(&self) -> u64 {
        u64::try_from(self.known.len()).unwrap_or(u64::MAX).saturating_mul(64)
    }

    /// The bitmaps of the slice: known frames, and those to be kept.
    pub(super) fn bitmaps_mut(&mut self) -> (&mut [u64], &mut [u64]) {
        let (first, len) = (self.first_word(), self.slice_words());
        let kept = self.kept.get_mut(first..).and_then(|kept| kept.get_mut(..len)).unwrap_or_default();
        (self.known.get_mut(..len).unwrap_or_default(), kept)
    }

    /// The known frames of the slice, lowest bit first.
    pub(super) fn known(&self) -> &[u64] {
        self.known.get(..self.slice_words()).unwrap_or_default()
    }

    /// The frames of the slice to be kept, lowest bit first.
    pub(super) fn kept(&self) -> &[u64] {
        self.kept.get(self.first_word()..).and_then(|kept| kept.get(..self.slice_words())).unwrap_or_default()
    }

    /// The first frame to be kept at or above `from` in the slice.
    pub(super) fn next_kept(&self, from: u64) -> Option<u64> {
        let start = self.slice.start;
        let at =
            bits::next_set(self.kept(), from.saturating_sub(start)..self.slice.end.saturating_sub(start))?;
        Some(start.saturating_add(at))
    }

    /// The frames to be kept from `from` on in a window of four words; its first frame, a multiple of 64, and its bits.
    pub(super) fn window(&self, from: u64) -> (u64, [u64; 4]) {
        (from & !63, window::window(self.kept(), from.saturating_sub(self.slice.start)))
    }

    /// The run of known frames at or above `from` in the slice.
    pub(super) fn next_run(&self, from: u64) -> Option<Run> {
        let base = self.slice.start;
        let end = self.slice.end.saturating_sub(base);
        let start = bits::next_set(self.known(), from.saturating_sub(base)..end)?;
        let known_end = bits::run_end(self.known(), start..end, true);
        let kept = bits::is_set(self.kept(), start);
        let run_end = bits::run_end(self.kept(), start..known_end, kept);
        let pfn = |at: u64| Pfn(base.saturating_add(at));
        Some(Run { kept, frames: pfn(start)..pfn(run_end) })
    }

    fn first_word(&self) -> usize {
        if self.whole { usize::try_from(self.slice.start >> 6).unwrap_or(usize::MAX) } else { 0 }
    }

    fn slice_words(&self) -> usize {
        let frames = self.slice.end.saturating_sub(self.slice.start);
        usize::try_from(frames.div_ceil(64)).unwrap_or(usize::MAX)
    }
}

/// Sets the bits of the frames of `slice` that are in the runs that `next` gives, and clears the others.
pub(super) fn mark(
    words: &mut [u64],
    slice: &Range<u64>,
    mut next: impl FnMut(Pfn) -> Result<Option<Range<Pfn>>, Error>,
) -> Result<(), Error> {
    words.fill(0);
    let mut from = slice.start;
    while from < slice.end {
        let Some(run) = next(Pfn(from))? else { break };
        let (start, end) = (run.start.0.clamp(from, slice.end), run.end.0.min(slice.end));
        bits::set(words, start.saturating_sub(slice.start)..end.saturating_sub(slice.start));
        // A memory that answers with an empty run has nothing to say about the frame asked for.
        from = run.end.0.max(from.saturating_add(1));
    }
    Ok(())
}
