//! Judging page frames whose `struct page`s are at hand, a word of the bitmap at a time.

use core::ops::Range;

use vmcore_format::Pfn;

use crate::block::{Block, CONFIRMED_ORDER};
use crate::classify::Look;
use crate::counts::Counts;
use crate::rules::Rules;
use crate::slices::{Slicer, Slices};
use crate::struct_page::StructPage;
use crate::witness::{Witness, Witnesses};
use crate::{Level, PageKind, bits};

/// What a run of page frames leaves to the one after it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Carry {
    /// Frames below this one belong to the block met last.
    until: u64,
    /// The kind of that block.
    kind: PageKind,
    /// The frame before this one was judged, so a block that it belongs to is known.
    judged: u64,
}

impl Carry {
    /// Nothing is known of the frames before.
    pub(crate) const NONE: Self = Self { until: 0, kind: PageKind::Kernel, judged: u64::MAX };

    /// The frame before `pfn` was judged; `block` goes on at `pfn`, if there is one.
    pub(crate) fn after_frame(pfn: u64, block: Option<&Block>) -> Self {
        let (until, kind) = block.map_or((0, PageKind::Kernel), |block| (block.frames.end, block.kind));
        Self { until, kind, judged: pfn }
    }

    /// As much of it as matters to the run that starts at `pfn`.
    pub(crate) fn at(self, pfn: u64) -> Self {
        let none = Self::NONE;
        let covers = self.until > pfn;
        Self {
            until: if covers { self.until } else { none.until },
            kind: if covers { self.kind } else { none.kind },
            judged: if self.judged == pfn { pfn } else { none.judged },
        }
    }
}

/// What a run of page frames was found to be.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Judged {
    pub(crate) counts: Counts,
    /// The first witness that was left out.
    pub(crate) witness: Option<(Pfn, Witness, PageKind)>,
    pub(crate) carry: Carry,
}

/// Judges frames, in ascending order.
pub(crate) struct Judge<'a> {
    rules: &'a Rules,
    slicer: Slicer<'a>,
    level: Level,
    window: Range<u64>,
    dumpable: &'a mut [u64],
    witnesses: Witnesses,
    next_witness: u64,
    judged: Judged,
}

/// Where a run of `struct page`s was judged to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stop {
    /// Up to this frame; it may lie past the run.
    Before(u64),
    /// This frame needs a look at others' `struct page`s.
    At(u64),
}

impl<'a> Judge<'a> {
    pub(crate) fn new(
        rules: &'a Rules,
        level: Level,
        window: Range<u64>,
        dumpable: &'a mut [u64],
        witnesses: Witnesses,
        carry: Carry,
    ) -> Self {
        let next_witness = witnesses.first_from(window.start);
        let judged = Judged { counts: Counts::default(), witness: None, carry };
        let slicer = Slicer::new(rules);
        Self { rules, slicer, level, window, dumpable, witnesses, next_witness, judged }
    }

    pub(crate) fn finish(self) -> Judged {
        self.judged
    }

    /// Whether the frame before `pfn` was judged.
    pub(crate) fn knows(&self, pfn: u64) -> bool {
        self.judged.carry.judged == pfn
    }

    /// Whether pages of `kind` are left out.
    fn leaves_out(&self, kind: PageKind) -> bool {
        let any_of = |levels| self.level.intersects(levels);
        match kind {
            PageKind::Cache => any_of(Level::CACHE.union(Level::CACHE_PRIVATE)),
            PageKind::CachePrivate => any_of(Level::CACHE_PRIVATE),
            PageKind::User => any_of(Level::USER),
            PageKind::Free => any_of(Level::FREE),
            PageKind::HwPoison | PageKind::Removed => true,
            PageKind::Offline => self.rules.hwpoison.is_some() || any_of(Level::ZERO.complement()),
            PageKind::Kernel | PageKind::Zero | PageKind::Slab | PageKind::Unknown => false,
        }
    }

    /// Whether each frame of the current block must be looked at: it is to be dumped, so it will be read, and one frame
    /// may be broken.
    fn looks_for_poison(&self) -> bool {
        self.rules.hwpoison.is_some() && !self.leaves_out(self.judged.carry.kind)
    }

    /// The first frame from `pfn` on whose `struct page` is to be read. Frames before it are settled.
    pub(crate) fn next_to_look_at(&mut self, pfn: u64) -> Option<u64> {
        let mut at = pfn;
        loop {
            let to = self.skip_block(at);
            let bits =
                to.saturating_sub(self.window.start)..self.window.end.saturating_sub(self.window.start);
            let held = bits::next_set(self.dumpable, bits)?.saturating_add(self.window.start);
            if held == at {
                return Some(held);
            }
            at = held;
        }
    }

    /// Settles the rest of the current block, as far as the window goes, where that needs no look at each frame.
    fn skip_block(&mut self, pfn: u64) -> u64 {
        let end = self.judged.carry.until.min(self.window.end);
        if end <= pfn || self.looks_for_poison() {
            return pfn;
        }
        self.settle(pfn..end, self.judged.carry.kind);
        self.judged.carry.judged = end;
        end
    }

    /// Counts the held frames of a run as `kind`, and takes them out of the dump where the level says so.
    pub(crate) fn settle(&mut self, run: Range<u64>, kind: PageKind) {
        let bits = run.start.saturating_sub(self.window.start)..run.end.saturating_sub(self.window.start);
        let held = bits::count(self.dumpable, bits.clone());
        let left_out = self.leaves_out(kind);
        self.judged.counts.add(kind, held, left_out);
        if run.end > self.next_witness {
            self.meet_witnesses(run, kind, left_out);
        }
        if left_out {
            bits::clear(self.dumpable, bits);
        }
    }

    /// Takes note of the first witness that is left out. That memory broke says nothing against the rules, whatever it
    /// held.
    fn meet_witnesses(&mut self, run: Range<u64>, kind: PageKind, left_out: bool) {
        while self.next_witness < run.end {
            let pfn = self.next_witness;
            let held = pfn >= run.start && bits::is_set(self.dumpable, pfn.saturating_sub(self.window.start));
            if held && left_out && kind != PageKind::HwPoison && self.judged.witness.is_none() {
                let witness = self.witnesses.first_in(pfn..run.end);
                self.judged.witness = witness.map(|(pfn, witness)| (Pfn(pfn), witness, kind));
            }
            self.next_witness = self.witnesses.first_from(pfn.saturating_add(1));
        }
    }

    /// Judges `pfn` as the first frame met of `block`.
    pub(crate) fn enter(&mut self, pfn: u64, block: &Block, poisoned: bool) {
        let counts = &mut self.judged.counts;
        match block.bad_order {
            Some(order) => counts.add_bad_order(pfn, order),
            None if block.frames.end.saturating_sub(block.frames.start) > 1 => counts.add_block(),
            None => {}
        }
        let end = pfn.saturating_add(1);
        let poisoned = poisoned && block.kind != PageKind::HwPoison;
        self.settle(pfn..end, if poisoned { PageKind::HwPoison } else { block.kind });
        self.judged.carry = Carry { until: block.frames.end, kind: block.kind, judged: end };
    }

    /// Judges `pfn` as a later frame of the current block, if it is one.
    pub(crate) fn go_on_in_block(&mut self, pfn: u64, poisoned: bool) -> bool {
        let Carry { until, kind, .. } = self.judged.carry;
        if until <= pfn {
            return false;
        }
        let poisoned = poisoned && self.looks_for_poison();
        let end = pfn.saturating_add(1);
        self.settle(pfn..end, if poisoned { PageKind::HwPoison } else { kind });
        self.judged.carry.judged = end;
        true
    }

    /// Judges the frames from `pfn` on whose `struct page`s are in `bytes`.
    pub(crate) fn judge(&mut self, pfn: u64, bytes: &[u8]) -> Stop {
        let size = self.rules.size;
        let frames = bytes.len().checked_div(size).and_then(|frames| u64::try_from(frames).ok()).unwrap_or(0);
        let end = pfn.saturating_add(frames);
        let mut at = pfn;
        while at < end {
            at = self.skip_block(at);
            if at >= end {
                break;
            }
            let bit = at.saturating_sub(self.window.start) & 63;
            let group = (64u64.wrapping_sub(bit)).min(end.saturating_sub(at));
            let after = at.saturating_add(group);
            let offset = |pfn: u64| usize::try_from(pfn).unwrap_or(usize::MAX).saturating_mul(size);
            let bytes = bytes.get(offset(at.saturating_sub(pfn))..).unwrap_or_default();
            // The page after the last one of a group says how many belong to it.
            let (pages, next) = bytes.split_at_checked(offset(group)).unwrap_or((bytes, &[]));
            if let Some(stop) = self.judge_group(at, pages, next) {
                return Stop::At(stop);
            }
            at = after;
        }
        Stop::Before(at)
    }

    /// Judges the frames from `pfn` on, which share a word of the bitmap; answers the one that needs a look at others.
    fn judge_group(&mut self, pfn: u64, pages: &[u8], next: &[u8]) -> Option<u64> {
        let bit = pfn.saturating_sub(self.window.start);
        let index = usize::try_from(bit >> 6).unwrap_or(usize::MAX);
        let word = self.dumpable.get(index).copied().unwrap_or(0);
        let start = u32::try_from(bit & 63).unwrap_or(0);
        let count = pages.len().checked_div(self.rules.size).and_then(|count| u32::try_from(count).ok());
        let end = start.saturating_add(count.unwrap_or(0)).min(64);
        let held = word & between(start, end);
        if held == 0 {
            return None;
        }
        let base = pfn.saturating_sub(u64::from(start));
        let group = Group { base, start, end, held, pages, next };
        let slices = self.slicer.slices(pages).shifted(start);
        let mut found = Found { singles: 0, left_out: 0 };
        let stop = self.walk(&group, &slices, &mut found);
        self.settle_singles(&slices, &mut found);
        if let Some(word) = self.dumpable.get_mut(index) {
            *word &= !found.left_out;
        }
        stop
    }

    /// Goes through a group from block to block.
    fn walk(&mut self, group: &Group<'_>, slices: &Slices, found: &mut Found) -> Option<u64> {
        let Group { base, start, end, held, .. } = *group;
        let pfn_of = |at: u32| base.saturating_add(u64::from(at));
        let mut blocks = slices.heads | slices.free;
        // Where one of the kernel's own pages is, what becomes of it is looked at closely.
        if self.next_witness < pfn_of(end) {
            let witness = self.witnesses.first_from(pfn_of(start));
            self.next_witness = witness;
            blocks |= witness.checked_sub(base).filter(|at| *at < 64).map_or(0, |at| 1 << at);
        }
        let unnamed = slices.tails | (slices.kernel() & !slices.heads);
        let mut at = start;
        while at < end {
            let here = pfn_of(at);
            if self.judged.carry.until > here {
                let covered = self.judged.carry.until.saturating_sub(base).min(u64::from(end));
                let covered = u32::try_from(covered).unwrap_or(end);
                if pfn_of(at) <= self.next_witness && self.next_witness < pfn_of(covered) {
                    return Some(here);
                }
                self.cover(held & between(at, covered), slices, found);
                at = covered;
                self.judged.carry.judged = pfn_of(at);
                continue;
            }
            // A frame that follows a judged one is in no earlier block: only its own words count.
            let known = held.wrapping_shl(1) | if self.knows(here) { 1 << at } else { 0 };
            let stops = held & between(at, end) & (blocks | (unnamed & !known));
            let stop = stops.trailing_zeros().min(end);
            found.singles |= held & between(at, stop);
            if stop > at {
                let last = held & between(stop.wrapping_sub(1), stop);
                self.judged.carry.judged = if last != 0 { pfn_of(stop) } else { u64::MAX };
            }
            if stop == end {
                return None;
            }
            let here = pfn_of(stop);
            let Some(block) = self.block_at(group, slices, stop).filter(|_| here != self.next_witness) else {
                return Some(here);
            };
            self.judged.carry = Carry { until: block.frames.end, kind: block.kind, judged: here };
            if block.frames.end.saturating_sub(here) > 1 {
                self.judged.counts.add_block();
            }
            at = stop;
            // The first frame met is looked at whatever becomes of the block.
            let first = 1 << stop;
            if slices.poison & first != 0 {
                self.count(PageKind::HwPoison, first, found);
                at = stop.wrapping_add(1);
                self.judged.carry.judged = here.saturating_add(1);
            }
        }
        None
    }

    /// The block that starts at bit `at`, where its own words and the next page's are all it takes.
    fn block_at(&self, group: &Group<'_>, slices: &Slices, at: u32) -> Option<Block> {
        let bit = 1u64.wrapping_shl(at);
        if (slices.heads | slices.free) & bit == 0 {
            return None;
        }
        let is_free = slices.free & bit != 0;
        let size = self.rules.size;
        let offset = usize::try_from(at.wrapping_sub(group.start)).ok()?.checked_mul(size)?;
        let page = StructPage::new(group.pages.get(offset..)?.get(..size)?, self.rules.layout);
        let after = offset.checked_add(size)?;
        let next = group.pages.get(after..).and_then(|pages| pages.get(..size)).or(group.next.get(..size));
        let next = next.map(|next| StructPage::new(next, self.rules.layout));
        if next.is_none() && !is_free {
            return None;
        }
        let pfn = group.base.saturating_add(u64::from(at));
        let Look::Block { kind, order } = self.rules.look(pfn, page, next) else { return None };
        let simple = is_free || ((1..=CONFIRMED_ORDER).contains(&order) && slices.poison & bit == 0);
        let frames = 1u64.checked_shl(order).filter(|_| simple)?;
        Some(Block { frames: pfn..pfn.checked_add(frames)?, kind, bad_order: None })
    }

    /// Counts frames of the current block.
    fn cover(&mut self, frames: u64, slices: &Slices, found: &mut Found) {
        let broken = if self.looks_for_poison() { frames & slices.poison } else { 0 };
        self.count(PageKind::HwPoison, broken, found);
        self.count(self.judged.carry.kind, frames & !broken, found);
    }

    /// Counts the frames that are in no block.
    fn settle_singles(&mut self, slices: &Slices, found: &mut Found) {
        let singles = found.singles;
        if singles == 0 {
            return;
        }
        let sound = singles & !slices.poison;
        let tails = slices.tails;
        self.count(PageKind::HwPoison, singles & slices.poison, found);
        self.count(PageKind::Kernel, sound & (slices.kernel() | tails), found);
        self.count(PageKind::Slab, sound & slices.slab & !tails, found);
        self.count(PageKind::Cache, sound & slices.cache, found);
        self.count(PageKind::CachePrivate, sound & slices.cache_private, found);
        self.count(PageKind::User, sound & slices.user, found);
        self.count(PageKind::Offline, sound & slices.offline, found);
        self.count(PageKind::Unknown, sound & slices.unknown, found);
    }

    fn count(&mut self, kind: PageKind, frames: u64, found: &mut Found) {
        if frames == 0 {
            return;
        }
        let left_out = self.leaves_out(kind);
        self.judged.counts.add(kind, u64::from(frames.count_ones()), left_out);
        if left_out {
            found.left_out |= frames;
        }
    }
}

/// Frames that share a word of the bitmap.
#[derive(Debug, Clone, Copy)]
struct Group<'p> {
    /// The frame of bit 0.
    base: u64,
    /// The first and the last but one of the bits.
    start: u32,
    end: u32,
    /// Those of them that are to be dumped.
    held: u64,
    /// Their `struct page`s.
    pages: &'p [u8],
    /// Those that follow.
    next: &'p [u8],
}

/// What a group was found to be, by bit.
#[derive(Debug, Clone, Copy)]
struct Found {
    /// Frames that are in no block.
    singles: u64,
    left_out: u64,
}

/// The bits from `start` on below `end`, which is at most 64.
fn between(start: u32, end: u32) -> u64 {
    let below = |bit: u32| 1u64.checked_shl(bit).map_or(u64::MAX, |bit| bit.wrapping_sub(1));
    below(end) & !below(start)
}
