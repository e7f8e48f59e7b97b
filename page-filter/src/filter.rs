//! Goes through the mem_map and takes out of the dump's bitmap what the level leaves out.
//!
//! Differences from makedumpfile 1.7, on purpose:
//! - Broken memory (`PG_hwpoison`) is left out at every level, also where it is a tail of a compound page, and all of a
//!   hugetlb page whose head is marked: the mark does not say which of its frames is broken, and reading it stops the machine.
//! - Offline pages hold no data and are left out whenever any kind but zero pages is, or where the kernel has the key
//!   `PG_hwpoison`: at levels 0 and 1 makedumpfile looks at pages only then.
//! - Compound pages of every era are left out with their tails, and a page whose type no rule knows is kept.
//! - A block whose first frame is not in the bitmap (left out before, or in no `PT_LOAD`) is still found from its later ones.

use core::ops::Range;

use vmcore_format::{Error, Pfn, VirtAddr};

use crate::bits;
use crate::block::{Block, Blocks};
use crate::counts::Counts;
use crate::kernel::Kernel;
use crate::mem_map::Described;
use crate::rules::Rules;
use crate::sanity::Findings;
use crate::struct_page::StructPage;
use crate::witness::Witness;
use crate::{Level, PageKind, PhysMemory};

/// Passes over the memory, each window by window in ascending order.
///
/// The result does not depend on where the windows end. A window that starts below the end of the one before starts
/// the next pass.
#[derive(Debug)]
pub struct Filter<'k> {
    kernel: &'k mut Kernel,
    /// Where the last window ended.
    scanned: u64,
    progress: Progress,
}

/// What a pass carries from window to window.
#[derive(Debug, Clone)]
struct Progress {
    level: Level,
    /// The block met last; it may run over the end of its window.
    block: Block,
    /// The frame before this one was judged, so a block that it belongs to is known.
    judged: u64,
    witness: Option<(Pfn, Witness, PageKind)>,
}

/// What a pass works on.
struct Pass<'a> {
    blocks: Blocks<'a>,
    window: Range<u64>,
    dumpable: &'a mut [u64],
    counts: &'a mut Counts,
}

/// How many `struct page`s are read at a time, where the scratch buffer holds as many.
const BATCH: usize = 512;

impl<'k> Filter<'k> {
    /// The size of a scratch buffer that makes scans as fast as they get, in bytes: 512 `struct page`s of 64 bytes.
    pub const SCRATCH_LEN: usize = BATCH * 64;

    /// Leaves out what `level` says of the machine that `kernel` ran on.
    #[must_use]
    pub fn new(kernel: &'k mut Kernel, level: Level) -> Self {
        Self { kernel, scanned: 0, progress: Progress::new(level) }
    }

    /// The kernel whose pages are told apart.
    #[must_use]
    pub fn kernel(&mut self) -> &mut Kernel {
        self.kernel
    }

    /// Judges the page frames of `window` that are set in `dumpable` (bit 0 of word 0 is `window.start`), counts them by
    /// kind, and clears those that the level leaves out.
    ///
    /// `scratch` is for `struct page`s: [`Kernel::struct_page_size`] bytes at least, [`SCRATCH_LEN`](Self::SCRATCH_LEN)
    /// for speed. Pages whose `struct page` cannot be read are kept.
    ///
    /// # Errors
    /// [`Error::BufferTooSmall`] with the bytes needed when `scratch` does not hold one `struct page`, or with the words
    /// needed when `dumpable` is shorter than the window.
    pub fn scan(
        &mut self,
        memory: &mut dyn PhysMemory,
        window: Range<Pfn>,
        dumpable: &mut [u64],
        counts: &mut Counts,
        scratch: &mut [u8],
    ) -> Result<(), Error> {
        let frames = window.end.0.saturating_sub(window.start.0);
        let needed = frames.div_ceil(64);
        if u64::try_from(dumpable.len()).is_ok_and(|words| words < needed) {
            return Err(Error::BufferTooSmall { needed });
        }
        let Some(rules) = self.kernel.rules().cloned() else {
            counts.add(PageKind::Unknown, bits::count(dumpable, 0..frames), false);
            return Ok(());
        };
        if scratch.len() < rules.size {
            return Err(Error::BufferTooSmall { needed: u64::try_from(rules.size).unwrap_or(u64::MAX) });
        }
        if window.start.0 < self.scanned {
            self.progress = Progress::new(self.progress.level);
        }
        self.scanned = window.end.0;
        let window = window.start.0..window.end.0;
        let blocks = Blocks { kernel: self.kernel, memory, rules: &rules };
        let mut pass = Pass { blocks, window, dumpable, counts };
        let mut batch = BATCH;
        let mut pfn = pass.window.start;
        while let Some(held) = pass.next_held(pfn) {
            pfn = self.progress.advance(&mut pass, held, scratch, &mut batch);
        }
        Ok(())
    }

    /// What to make of a complete pass. `whole` says that the input holds every page frame the machine had.
    #[must_use]
    pub fn findings(&self, counts: &Counts, whole: bool) -> Findings {
        Findings::new(self.kernel, self.progress.level, counts, whole, self.progress.witness)
    }
}

impl Progress {
    fn new(level: Level) -> Self {
        let block = Block { frames: 0..0, kind: PageKind::Kernel, bad_order: None };
        Self { level, block, judged: u64::MAX, witness: None }
    }

    /// Whether pages of `kind` are left out, where `rules` could tell them.
    fn leaves_out(&self, kind: PageKind, rules: &Rules) -> bool {
        let any_of = |levels| self.level.intersects(levels);
        match kind {
            PageKind::Cache => any_of(Level::CACHE.union(Level::CACHE_PRIVATE)),
            PageKind::CachePrivate => any_of(Level::CACHE_PRIVATE),
            PageKind::User => any_of(Level::USER),
            PageKind::Free => any_of(Level::FREE),
            PageKind::HwPoison => true,
            PageKind::Offline => rules.hwpoison.is_some() || any_of(Level::ZERO.complement()),
            PageKind::Kernel | PageKind::Zero | PageKind::Slab | PageKind::Unknown => false,
        }
    }

    /// Judges frames from `pfn` on, which is held: answers the first frame that is not judged.
    fn advance(&mut self, pass: &mut Pass<'_>, pfn: u64, scratch: &mut [u8], batch: &mut usize) -> u64 {
        if self.block.frames.contains(&pfn) && !self.looks_for_poison(pass) {
            return self.settle_block(pass, pfn);
        }
        let (first, until) = match pass.blocks.kernel.describe(pass.blocks.memory, pfn) {
            Described::At { first, until } => (first, until.min(pass.window.end)),
            Described::Absent { until } => {
                let until = until.min(pass.window.end);
                self.settle(pass, pfn..until, PageKind::Unknown);
                return until;
            }
        };
        // An aligned batch, so that most lie in whole pages of the mem_map.
        let aligned = u64::try_from(BATCH).unwrap_or(1).saturating_sub(pfn & 511);
        let frames = usize::try_from(until.saturating_sub(pfn).min(aligned)).unwrap_or(1).min(*batch);
        let size = pass.blocks.rules.size;
        let len = frames.saturating_mul(size).min(scratch.len());
        let bytes =
            scratch.get_mut(..len.saturating_sub(len.checked_rem(size).unwrap_or(0))).unwrap_or_default();
        if pass.blocks.kernel.read_virt(pass.blocks.memory, first, bytes).is_err() {
            if bytes.len() > size {
                *batch = bytes.len().checked_div(size.saturating_mul(2)).unwrap_or(1).max(1);
                return pfn;
            }
            let next = pfn.saturating_add(1);
            self.settle(pass, pfn..next, PageKind::Unknown);
            return next;
        }
        *batch = batch.saturating_mul(2).min(BATCH);
        self.judge_batch(pass, pfn, first, bytes)
    }

    fn judge_batch(&mut self, pass: &mut Pass<'_>, start: u64, first: VirtAddr, bytes: &[u8]) -> u64 {
        let layout = pass.blocks.rules.layout;
        let size = pass.blocks.rules.size;
        let mut judged = start;
        let mut pages = bytes.chunks_exact(size).map(|bytes| StructPage::new(bytes, layout)).peekable();
        let mut pfn = start;
        let mut addr = first.0;
        while let Some(page) = pages.next() {
            if pfn >= judged && pass.is_held(pfn) {
                judged = self.judge(pass, pfn, VirtAddr(addr), page, pages.peek().copied());
            }
            pfn = pfn.saturating_add(1);
            addr = addr.wrapping_add(u64::try_from(size).unwrap_or(0));
        }
        judged.max(pfn)
    }

    /// Judges one held frame, and with it the block it belongs to where that needs no look at each frame.
    fn judge(
        &mut self,
        pass: &mut Pass<'_>,
        pfn: u64,
        addr: VirtAddr,
        page: StructPage<'_>,
        next: Option<StructPage<'_>>,
    ) -> u64 {
        if !self.block.frames.contains(&pfn) {
            let known = self.judged == pfn;
            self.block = pass.blocks.block_of(pfn, addr, page, next, known);
            match self.block.bad_order {
                Some(order) => pass.counts.add_bad_order(pfn, order),
                None if self.block.frames.end.saturating_sub(self.block.frames.start) > 1 => {
                    pass.counts.add_block()
                }
                None => {}
            }
        }
        if self.block.kind != PageKind::HwPoison && pass.blocks.rules.is_poisoned(page) {
            let end = pfn.saturating_add(1);
            self.settle(pass, pfn..end, PageKind::HwPoison);
            self.judged = end;
            return end;
        }
        if self.looks_for_poison(pass) {
            let end = pfn.saturating_add(1);
            self.settle(pass, pfn..end, self.block.kind);
            self.judged = end;
            return end;
        }
        self.settle_block(pass, pfn)
    }

    /// Whether each frame of the current block must be looked at: it is to be dumped, so it will be read, and one frame
    /// may be broken.
    fn looks_for_poison(&self, pass: &Pass<'_>) -> bool {
        pass.blocks.rules.hwpoison.is_some() && !self.leaves_out(self.block.kind, pass.blocks.rules)
    }

    /// Settles the rest of the current block, from `pfn` on, as far as the window goes.
    fn settle_block(&mut self, pass: &mut Pass<'_>, pfn: u64) -> u64 {
        let end = self.block.frames.end.min(pass.window.end);
        self.settle(pass, pfn..end, self.block.kind);
        self.judged = end;
        end
    }

    /// Counts the held frames of a run as `kind`, and takes them out of the dump where the level says so.
    fn settle(&mut self, pass: &mut Pass<'_>, run: Range<u64>, kind: PageKind) {
        let bits = run.start.saturating_sub(pass.window.start)..run.end.saturating_sub(pass.window.start);
        let held = bits::count(pass.dumpable, bits.clone());
        let left_out = self.leaves_out(kind, pass.blocks.rules);
        pass.counts.add(kind, held, left_out);
        if !left_out {
            return;
        }
        // That memory broke says nothing against the rules, whatever it held.
        if kind != PageKind::HwPoison && self.witness.is_none() {
            let witness = pass.blocks.kernel.witnesses.first_in(run).filter(|(pfn, _)| pass.is_held(*pfn));
            self.witness = witness.map(|(pfn, witness)| (Pfn(pfn), witness, kind));
        }
        bits::clear(pass.dumpable, bits);
    }
}

impl Pass<'_> {
    /// The first frame from `pfn` on that is still to be dumped.
    fn next_held(&self, pfn: u64) -> Option<u64> {
        let start = self.window.start;
        let bits = pfn.saturating_sub(start)..self.window.end.saturating_sub(start);
        bits::next_set(self.dumpable, bits)?.checked_add(start)
    }

    fn is_held(&self, pfn: u64) -> bool {
        pfn.checked_sub(self.window.start).is_some_and(|bit| bits::is_set(self.dumpable, bit))
    }
}

#[cfg(test)]
mod tests;
