//! A pass over a run of page frames: their `struct page`s in large batches, in place where memory is mapped.

use core::ops::Range;

use vmcore_format::{Pfn, VirtAddr};

use crate::block::Blocks;
use crate::judge::{Carry, Judge, Judged, Stop};
use crate::kernel::Kernel;
use crate::mem_map::Described;
use crate::rules::Rules;
use crate::struct_page::MAX_STRUCT_PAGE;
use crate::{Level, PageKind, PhysMemory};

/// How many `struct page`s are read at a time, where the scratch buffer holds as many.
pub(crate) const BATCH: usize = 512;

/// A run of page frames, and what their `struct page`s are read with.
pub(crate) struct Pass<'a> {
    pub(crate) kernel: &'a mut Kernel,
    pub(crate) memory: &'a mut dyn PhysMemory,
    pub(crate) rules: &'a Rules,
    pub(crate) window: Range<u64>,
    pub(crate) scratch: &'a mut [u8],
}

impl Pass<'_> {
    /// Judges the frames that are set in `dumpable`, and clears those that `level` leaves out.
    pub(crate) fn run(&mut self, level: Level, carry: Carry, dumpable: &mut [u64]) -> Judged {
        let witnesses = self.kernel.witnesses.clone();
        let mut judge = Judge::new(self.rules, level, self.window.clone(), dumpable, witnesses, carry);
        let mut careful = false;
        let mut at = self.window.start;
        while let Some(pfn) = judge.next_to_look_at(at) {
            at = match self.kernel.describe(self.memory, pfn) {
                Described::At { first, until } => {
                    let until = until.min(self.window.end);
                    self.judge(&mut judge, pfn..until, first, &mut careful)
                }
                Described::Absent { until } => {
                    let until = until.min(self.window.end);
                    judge.settle(pfn..until, PageKind::Unknown);
                    until
                }
                Described::Removed { until } => {
                    let until = until.min(self.window.end);
                    judge.settle(pfn..until, PageKind::Removed);
                    until
                }
            };
        }
        judge.finish()
    }

    /// What the frames before the window leave to it, as far as memory alone says: nearly always what a pass over them
    /// comes to.
    pub(crate) fn guess(&mut self) -> Carry {
        let start = self.window.start;
        let Some(before) = start.checked_sub(1) else { return Carry::NONE };
        let held = self.memory.next_held(Pfn(before));
        if !held.is_ok_and(|run| run.is_some_and(|run| run.start.0 == before)) {
            return Carry::NONE;
        }
        let mut buf = [0; MAX_STRUCT_PAGE];
        if self.kernel.struct_page(self.memory, before, &mut buf).is_none() {
            return Carry::NONE;
        }
        let mut blocks = Blocks { kernel: self.kernel, memory: self.memory, rules: self.rules };
        Carry::after_frame(start, blocks.block_over(start).as_ref())
    }

    /// Judges frames of a run whose `struct page`s start at `first`: answers the first that is not judged. Where some of a batch
    /// cannot be read (then it is `careful`) the mem_map is read page by page: a page that fails makes the frames that it describes
    /// unknown, and no others.
    fn judge(&mut self, judge: &mut Judge<'_>, run: Range<u64>, first: VirtAddr, careful: &mut bool) -> u64 {
        let pfn = run.start;
        // An aligned batch, so that most lie in whole pages of the mem_map.
        let aligned = BATCH.saturating_sub(usize::try_from(pfn).unwrap_or(0) & BATCH.wrapping_sub(1));
        let left = usize::try_from(run.end.saturating_sub(pfn)).unwrap_or(usize::MAX);
        let frames = left.min(aligned);
        if let Some(stop) = self.judge_in_place(judge, pfn, first, frames) {
            return self.go_on(judge, stop);
        }
        let size = self.rules.size;
        let room = self.scratch.len().checked_div(size).unwrap_or(0);
        let in_page = self.in_page(first);
        let frames = frames.min(room).min(if *careful { in_page } else { usize::MAX });
        let len = frames.saturating_mul(size);
        let bytes = self.scratch.get_mut(..len).unwrap_or_default();
        if self.kernel.read_virt(self.memory, first, bytes).is_err() {
            *careful = true;
            if frames > in_page {
                return pfn;
            }
            let next = pfn.saturating_add(u64::try_from(frames).unwrap_or(u64::MAX).max(1));
            judge.settle(pfn..next, PageKind::Unknown);
            return next;
        }
        *careful = false;
        let mut at = pfn;
        loop {
            let skip = usize::try_from(at.saturating_sub(pfn)).unwrap_or(usize::MAX).saturating_mul(size);
            let bytes = self.scratch.get(skip..len).unwrap_or_default();
            if bytes.is_empty() {
                return at;
            }
            let stop = judge.judge(at, bytes);
            at = self.go_on(judge, stop);
        }
    }

    /// How many `struct page`s from `first` on end in its page of the mem_map, or 1.
    fn in_page(&self, first: VirtAddr) -> usize {
        let page = self.memory.page_size().bytes();
        let left = page.saturating_sub(first.0 & page.wrapping_sub(1));
        usize::try_from(left).ok().and_then(|left| left.checked_div(self.rules.size)).unwrap_or(0).max(1)
    }

    /// Judges frames whose `struct page`s are mapped; `None` if they are not.
    fn judge_in_place(
        &mut self,
        judge: &mut Judge<'_>,
        pfn: u64,
        first: VirtAddr,
        frames: usize,
    ) -> Option<Stop> {
        let size = self.rules.size;
        let mapping = self.kernel.translate(self.memory, first).ok()?;
        let mapped = usize::try_from(mapping.len).unwrap_or(usize::MAX).checked_div(size)?;
        let len = frames.min(mapped).checked_mul(size).filter(|len| *len > 0)?;
        Some(judge.judge(pfn, self.memory.view(mapping.phys, len)?))
    }

    /// Looks at the frame that the judge stopped at: answers the first frame that is not judged.
    fn go_on(&mut self, judge: &mut Judge<'_>, stop: Stop) -> u64 {
        let pfn = match stop {
            Stop::Before(pfn) => return pfn,
            Stop::At(pfn) => pfn,
        };
        let next = pfn.saturating_add(1);
        let mut buf = [0; MAX_STRUCT_PAGE];
        let Some((addr, page)) = self.kernel.struct_page(self.memory, pfn, &mut buf) else {
            judge.settle(pfn..next, PageKind::Unknown);
            return next;
        };
        let poisoned = self.rules.is_poisoned(page);
        if !judge.go_on_in_block(pfn, poisoned) {
            let known = judge.knows(pfn);
            let mut blocks = Blocks { kernel: self.kernel, memory: self.memory, rules: self.rules };
            let block = blocks.block_of(pfn, addr, page, None, known);
            judge.enter(pfn, &block, poisoned);
        }
        next
    }
}
