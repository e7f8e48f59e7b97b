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
use crate::classify::Look;
use crate::counts::Counts;
use crate::kernel::Kernel;
use crate::mem_map::Described;
use crate::rules::Rules;
use crate::sanity::Findings;
use crate::struct_page::{MAX_STRUCT_PAGE, StructPage};
use crate::witness::Witness;
use crate::{Level, PageKind, PhysMemory};

/// Compound pages of more than 2^10 frames are believed only when their last frame is a tail: an order that is wrong by
/// one bit could otherwise take gigabytes with it.
const CONFIRMED_ORDER: u32 = 10;
/// How far back in the mem_map a tail can name its head: the largest compound page there is.
const MAX_TAILS: u64 = 1 << 22;

/// One pass over the memory, window by window in ascending order.
///
/// The result does not depend on where the windows end. A second pass needs a new `Filter`.
#[derive(Debug, Clone)]
pub struct Filter {
    level: Level,
    /// The block met last; it may run over the end of its window.
    block: Block,
    /// The frame before this one was judged, so a block that it belongs to is known.
    judged: u64,
    witness: Option<(Pfn, Witness, PageKind)>,
}

/// Page frames that share a kind.
#[derive(Debug, Clone)]
struct Block {
    frames: Range<u64>,
    kind: PageKind,
}

/// What a pass works on.
struct Pass<'a> {
    kernel: &'a mut Kernel,
    memory: &'a mut dyn PhysMemory,
    rules: &'a Rules,
    window: Range<u64>,
    dumpable: &'a mut [u64],
    counts: &'a mut Counts,
}

impl Filter {
    /// How many `struct page`s are read at a time, where the scratch buffer holds as many.
    pub const BATCH: usize = 512;

    /// A pass that leaves out what `level` says.
    #[must_use]
    pub fn new(level: Level) -> Self {
        Self { level, block: Block { frames: 0..0, kind: PageKind::Kernel }, judged: u64::MAX, witness: None }
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

    /// Judges the page frames of `window` that are set in `dumpable` (bit 0 of word 0 is `window.start`), counts them by
    /// kind, and clears those that the level leaves out.
    ///
    /// `scratch` holds `struct page`s: [`Kernel::struct_page_size`] bytes at least, [`Filter::BATCH`] times as many for speed.
    /// Windows come in ascending order and do not overlap. Pages whose `struct page` cannot be read are kept.
    ///
    /// # Errors
    /// [`Error::BufferTooSmall`] with the bytes needed when `scratch` does not hold one `struct page`, or with the words
    /// needed when `dumpable` is shorter than the window.
    pub fn scan(
        &mut self,
        kernel: &mut Kernel,
        memory: &mut dyn PhysMemory,
        window: Range<Pfn>,
        dumpable: &mut [u64],
        scratch: &mut [u8],
        counts: &mut Counts,
    ) -> Result<(), Error> {
        let frames = window.end.0.saturating_sub(window.start.0);
        let needed = frames.div_ceil(64);
        if u64::try_from(dumpable.len()).is_ok_and(|words| words < needed) {
            return Err(Error::BufferTooSmall { needed });
        }
        let Some(rules) = kernel.rules().cloned() else {
            counts.add(PageKind::Unknown, bits::count(dumpable, 0..frames), false);
            return Ok(());
        };
        if scratch.len() < rules.size {
            return Err(Error::BufferTooSmall { needed: u64::try_from(rules.size).unwrap_or(u64::MAX) });
        }
        let window = window.start.0..window.end.0;
        let mut pass = Pass { kernel, memory, rules: &rules, window, dumpable, counts };
        let mut batch = Self::BATCH;
        let mut pfn = pass.window.start;
        while let Some(held) = pass.next_held(pfn) {
            pfn = self.advance(&mut pass, held, scratch, &mut batch);
        }
        Ok(())
    }

    /// What to make of a complete pass. `whole` says that the input holds every page frame the machine had.
    #[must_use]
    pub fn findings(&self, kernel: &Kernel, counts: &Counts, whole: bool) -> Findings {
        Findings::new(kernel, self.level, counts, whole, self.witness)
    }

    /// Judges frames from `pfn` on, which is held: answers the first frame that is not judged.
    fn advance(&mut self, pass: &mut Pass<'_>, pfn: u64, scratch: &mut [u8], batch: &mut usize) -> u64 {
        if self.block.frames.contains(&pfn) && !self.looks_for_poison(pass) {
            return self.settle_block(pass, pfn);
        }
        let (first, until) = match pass.kernel.describe(pass.memory, pfn) {
            Described::At { first, until } => (first, until.min(pass.window.end)),
            Described::Absent { until } => {
                let until = until.min(pass.window.end);
                self.settle(pass, pfn..until, PageKind::Unknown);
                return until;
            }
        };
        // An aligned batch, so that most lie in whole pages of the mem_map.
        let aligned = u64::try_from(Self::BATCH).unwrap_or(1).saturating_sub(pfn & 511);
        let frames = usize::try_from(until.saturating_sub(pfn).min(aligned)).unwrap_or(1).min(*batch);
        let size = pass.rules.size;
        let len = frames.saturating_mul(size).min(scratch.len());
        let bytes =
            scratch.get_mut(..len.saturating_sub(len.checked_rem(size).unwrap_or(0))).unwrap_or_default();
        if pass.kernel.read_virt(pass.memory, first, bytes).is_err() {
            if bytes.len() > size {
                *batch = bytes.len().checked_div(size.saturating_mul(2)).unwrap_or(1).max(1);
                return pfn;
            }
            let next = pfn.saturating_add(1);
            self.settle(pass, pfn..next, PageKind::Unknown);
            return next;
        }
        *batch = batch.saturating_mul(2).min(Self::BATCH);
        self.judge_batch(pass, pfn, first, bytes)
    }

    fn judge_batch(&mut self, pass: &mut Pass<'_>, start: u64, first: VirtAddr, bytes: &[u8]) -> u64 {
        let layout = pass.rules.layout;
        let size = pass.rules.size;
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
            self.block = pass.block_of(pfn, addr, page, next, known);
        }
        if self.block.kind != PageKind::HwPoison && pass.rules.is_poisoned(page) {
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
        pass.rules.hwpoison.is_some() && !self.leaves_out(self.block.kind, pass.rules)
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
        let left_out = self.leaves_out(kind, pass.rules);
        pass.counts.add(kind, held, left_out);
        if !left_out {
            return;
        }
        // That memory broke says nothing against the rules, whatever it held.
        if kind != PageKind::HwPoison && self.witness.is_none() {
            let witness = pass.kernel.witnesses.first_in(run).filter(|(pfn, _)| pass.is_held(*pfn));
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

    /// The block that `pfn` belongs to. Where the frame before was judged (`known`), no earlier block reaches here.
    fn block_of(
        &mut self,
        pfn: u64,
        addr: VirtAddr,
        page: StructPage<'_>,
        next: Option<StructPage<'_>>,
        known: bool,
    ) -> Block {
        let mut buf = [0; MAX_STRUCT_PAGE];
        let next = next.or_else(|| self.second_page(pfn, page, &mut buf));
        let alone = |kind| Block { frames: pfn..pfn.saturating_add(1), kind };
        match self.rules.look(pfn, page, next) {
            Look::Block { kind: PageKind::Kernel, order: 0 } if !known => {
                self.free_block_over(pfn).unwrap_or_else(|| alone(PageKind::Kernel))
            }
            Look::Block { kind, order } => match self.block(pfn, kind, order, page, next) {
                Some(block) => block,
                None => {
                    self.counts.add_bad_order(pfn, u64::from(order));
                    alone(PageKind::Kernel)
                }
            },
            Look::Tail { word } => {
                let block = if known { None } else { self.block_of_tail(pfn, addr, word) };
                block.unwrap_or_else(|| alone(PageKind::Kernel))
            }
            Look::FakeHead { order } => {
                let head = pfn & !below(order);
                let block = if known { None } else { self.block_at(head, pfn) };
                block.unwrap_or_else(|| {
                    self.counts.add_bad_order(pfn, u64::from(order));
                    alone(PageKind::Kernel)
                })
            }
            Look::BadOrder { order } => {
                self.counts.add_bad_order(pfn, order);
                alone(PageKind::Kernel)
            }
        }
    }

    /// The `struct page` after that of a head.
    fn second_page<'b>(
        &mut self,
        pfn: u64,
        page: StructPage<'_>,
        buf: &'b mut [u8],
    ) -> Option<StructPage<'b>> {
        if !self.rules.is_head(page) {
            return None;
        }
        self.kernel.struct_page(self.memory, pfn.checked_add(1)?, buf).map(|(_, page)| page)
    }

    /// The block of 2^`order` frames at `pfn`; `None` when it is too large to be believed.
    fn block(
        &mut self,
        pfn: u64,
        kind: PageKind,
        order: u32,
        page: StructPage<'_>,
        next: Option<StructPage<'_>>,
    ) -> Option<Block> {
        let last = pfn.checked_add(below(order))?;
        if order > CONFIRMED_ORDER && kind != PageKind::Free {
            let mut buf = [0; MAX_STRUCT_PAGE];
            let (_, last) = self.kernel.struct_page(self.memory, last, &mut buf)?;
            if !self.rules.is_tail(last) {
                return None;
            }
        }
        let broken = order > 0 && self.rules.is_poisoned(page) && self.rules.is_hugetlb(page, next);
        let kind = if broken { PageKind::HwPoison } else { kind };
        Some(Block { frames: pfn..last.saturating_add(1), kind })
    }

    /// The block that starts at `head`, where it covers `pfn`.
    fn block_at(&mut self, head: u64, pfn: u64) -> Option<Block> {
        let mut buf = [0; MAX_STRUCT_PAGE];
        let mut next_buf = [0; MAX_STRUCT_PAGE];
        let (_, page) = self.kernel.struct_page(self.memory, head, &mut buf)?;
        let next = self.second_page(head, page, &mut next_buf);
        let Look::Block { kind, order } = self.rules.look(head, page, next) else { return None };
        self.block(head, kind, order, page, next).filter(|block| block.frames.contains(&pfn))
    }

    /// The free block that starts before `pfn` and covers it: frames of a free block do not name its first.
    fn free_block_over(&mut self, pfn: u64) -> Option<Block> {
        let mut tried = pfn;
        for order in 1..self.rules.orders {
            let head = pfn & !below(order);
            if head == tried {
                continue;
            }
            tried = head;
            if let Some(block) = self.block_at(head, pfn).filter(|block| block.kind == PageKind::Free) {
                return Some(block);
            }
        }
        None
    }

    /// The compound page of a tail, whose word is the head's address, or from 7.1 on the mask that leads to it.
    fn block_of_tail(&mut self, pfn: u64, addr: VirtAddr, word: u64) -> Option<Block> {
        let size = u64::try_from(self.rules.size).ok()?;
        let named = word & !1;
        [named, addr.0 & named].into_iter().find_map(|head_addr| {
            let distance = addr.0.checked_sub(head_addr)?;
            let tails = distance.checked_div(size).filter(|tails| (1..MAX_TAILS).contains(tails))?;
            if tails.checked_mul(size)? != distance {
                return None;
            }
            self.block_at(pfn.checked_sub(tails)?, pfn)
        })
    }
}

/// 2^`order` - 1.
fn below(order: u32) -> u64 {
    1u64.checked_shl(order).map_or(u64::MAX, |frames| frames.wrapping_sub(1))
}
