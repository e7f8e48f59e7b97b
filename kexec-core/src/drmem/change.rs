//! A batch of changes to sets, in one pass over those it meets.

use super::lmb::{CellV1, CellV2, Cells, DRCONF_MEM_ASSIGNED, LmbSet, NO_ASSOCIATIVITY};
use crate::bytes::move_within;
use crate::{Error, Field};
use vmcore_format::PhysAddr;

/// New flags for some LMBs one behind the other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Change {
    /// The first LMB's address.
    pub base_addr: PhysAddr,
    /// How many LMBs; with 0 nothing changes.
    pub seq_lmbs: u32,
    /// `DRCONF_MEM_` bits that are cleared.
    pub clear: u32,
    /// `DRCONF_MEM_` bits that are set, after the others are cleared.
    pub set: u32,
    /// The new associativity index; `None` leaves it.
    pub aa_index: Option<u32>,
}

impl Change {
    /// LMBs were added, with this associativity index: as Linux 6.1 writes it.
    #[must_use]
    pub const fn assign(base_addr: PhysAddr, seq_lmbs: u32, aa_index: u32) -> Self {
        Self { base_addr, seq_lmbs, clear: 0, set: DRCONF_MEM_ASSIGNED, aa_index: Some(aa_index) }
    }

    /// LMBs were removed: as Linux 6.1 writes it.
    #[must_use]
    pub const fn release(base_addr: PhysAddr, seq_lmbs: u32) -> Self {
        let aa_index = Some(NO_ASSOCIATIVITY);
        Self { base_addr, seq_lmbs, clear: DRCONF_MEM_ASSIGNED, set: 0, aa_index }
    }

    fn apply(&self, set: LmbSet) -> LmbSet {
        let mut changed = set;
        changed.first.flags = set.first.flags & !self.clear | self.set;
        changed.first.aa_index = self.aa_index.unwrap_or(set.first.aa_index);
        changed
    }
}

fn no_such_lmb(address: PhysAddr) -> Error {
    Error::NotFound { field: Field::LmbBaseAddr, value: address.0 }
}

/// What a pass works on: sets that are read in ascending order, and a place that new ones are written to.
trait Sets {
    /// The sets that were there before; those that the pass has read need not be there any more.
    fn cells(&self) -> Cells<'_>;
    /// Writes a set behind those written before. Sets up to number `read` are not needed any more.
    fn put(&mut self, set: LmbSet, read: usize);
    /// Writes the sets `from..to` as they are.
    fn keep(&mut self, from: usize, to: usize);
}

/// What a pass has done to the sets from `first` on.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Extent {
    /// The first set that it touched.
    pub(super) first: usize,
    /// How many sets it read, from there on.
    pub(super) read: usize,
    /// How many it wrote in their place.
    pub(super) written: usize,
    /// By how many, at most, those written were more than those read.
    pub(super) ahead: usize,
}

/// Looks what `changes`, which are in the order of their addresses, would do to `cells`: nothing is written.
pub(super) fn plan(cells: Cells<'_>, changes: &[Change], lmb_size: u64) -> Result<Extent, Error> {
    let Some(first) = changes.iter().find(|change| change.seq_lmbs > 0) else { return Ok(Extent::default()) };
    // The set before the one that changes first may become one with it.
    let first = cells.partition_point(|set| set.first.base_addr <= first.base_addr).saturating_sub(2);
    let cells = match cells {
        Cells::V1(cells) => Cells::V1(cells.get(first..).unwrap_or_default()),
        Cells::V2(cells) => Cells::V2(cells.get(first..).unwrap_or_default()),
    };
    let mut dry = Dry { cells, written: 0, ahead: 0 };
    let read = Pass { lmb_size, next: 0, rest: None, pending: None }.run(&mut dry, changes)?;
    Ok(Extent { first, read, written: dry.written, ahead: dry.ahead })
}

/// Changes `cells`, of which the first `gap` are room; `changes` were planned, with `ahead` not above `gap`.
pub(super) fn perform(
    cells: &mut [CellV2],
    gap: usize,
    changes: &[Change],
    lmb_size: u64,
) -> Result<(), Error> {
    let mut wet = Wet { cells, gap, written: 0 };
    Pass { lmb_size, next: 0, rest: None, pending: None }.run(&mut wet, changes).map(drop)
}

/// Changes entries of v1, each in its place; `changes` were planned.
pub(super) fn perform_v1(cells: &mut [CellV1], changes: &[Change]) {
    let mut from = 0_usize;
    for change in changes.iter().filter(|change| change.seq_lmbs > 0) {
        let behind = Cells::V1(cells).partition_point_from(from, change.base_addr);
        let at = behind.saturating_sub(1);
        from = at;
        let count = usize::try_from(change.seq_lmbs).unwrap_or(usize::MAX);
        for cell in cells.get_mut(at..).unwrap_or_default().iter_mut().take(count) {
            let changed = change.apply((*cell).into()).first;
            cell.flags = changed.flags.into();
            cell.aa_index = changed.aa_index.into();
        }
    }
}

struct Dry<'a> {
    cells: Cells<'a>,
    written: usize,
    ahead: usize,
}

impl Sets for Dry<'_> {
    fn cells(&self) -> Cells<'_> {
        self.cells
    }

    fn put(&mut self, _: LmbSet, read: usize) {
        self.written = self.written.saturating_add(1);
        self.ahead = self.ahead.max(self.written.saturating_sub(read));
    }

    fn keep(&mut self, from: usize, to: usize) {
        self.written = self.written.saturating_add(to.saturating_sub(from));
    }
}

struct Wet<'a> {
    cells: &'a mut [CellV2],
    gap: usize,
    written: usize,
}

impl Sets for Wet<'_> {
    fn cells(&self) -> Cells<'_> {
        Cells::V2(self.cells.get(self.gap..).unwrap_or_default())
    }

    fn put(&mut self, set: LmbSet, _: usize) {
        if let Some(place) = self.cells.get_mut(self.written) {
            *place = set.into();
        }
        self.written = self.written.saturating_add(1);
    }

    fn keep(&mut self, from: usize, to: usize) {
        let (from, to) = (self.gap.saturating_add(from), self.gap.saturating_add(to));
        // Equal where no set was split or joined yet.
        if from == self.written || move_within(self.cells, from, to, self.written).is_some() {
            self.written = self.written.saturating_add(to.saturating_sub(from));
        }
    }
}

/// The pass itself.
struct Pass {
    lmb_size: u64,
    /// The next set to read.
    next: usize,
    /// What is left of the set read last.
    rest: Option<LmbSet>,
    /// What will be written next, if nothing joins it.
    pending: Option<LmbSet>,
}

impl Pass {
    /// Gives the number of sets that were read.
    fn run(mut self, sets: &mut impl Sets, changes: &[Change]) -> Result<usize, Error> {
        let mut changed_end = PhysAddr(0);
        for change in changes.iter().filter(|change| change.seq_lmbs > 0) {
            if change.base_addr < changed_end {
                return Err(Error::Unsupported { field: Field::LmbBaseAddr, value: change.base_addr.0 });
            }
            self.go_to(sets, change.base_addr)?;
            changed_end = self.change(sets, change)?;
        }
        let rest = self.rest.take();
        self.emit(sets, rest);
        // The set behind may become one with what was changed.
        let behind = self.read(sets);
        self.emit(sets, behind);
        self.flush(sets);
        Ok(self.next)
    }

    fn read(&mut self, sets: &impl Sets) -> Option<LmbSet> {
        let set = sets.cells().get(self.next)?;
        self.next = self.next.saturating_add(1);
        Some(set)
    }

    fn emit(&mut self, sets: &mut impl Sets, set: Option<LmbSet>) {
        let Some(set) = set else { return };
        self.pending = Some(match self.pending {
            Some(pending) => pending.join(set, self.lmb_size).unwrap_or_else(|| {
                sets.put(pending, self.next);
                set
            }),
            None => set,
        });
    }

    fn flush(&mut self, sets: &mut impl Sets) {
        if let Some(pending) = self.pending.take() {
            sets.put(pending, self.next);
        }
    }

    /// Goes on to the LMB that starts at `address`: it is the first of `rest`.
    fn go_to(&mut self, sets: &mut impl Sets, address: PhysAddr) -> Result<(), Error> {
        let holds = |set: &LmbSet| set.index_of(address, self.lmb_size).is_some();
        if !self.rest.as_ref().is_some_and(holds) {
            let rest = self.rest.take();
            self.emit(sets, rest);
            let behind = sets.cells().partition_point_from(self.next, address);
            let at = behind.checked_sub(1).filter(|&at| at >= self.next).ok_or(no_such_lmb(address))?;
            // The sets between are as they were; the first and the last of them may become one with what changes.
            if self.next < at {
                let first = self.read(sets);
                self.emit(sets, first);
            }
            if let Some(last) = at.checked_sub(1).filter(|&last| last > self.next) {
                self.flush(sets);
                sets.keep(self.next, last);
                self.next = last;
            }
            if self.next < at {
                let last = self.read(sets);
                self.emit(sets, last);
            }
            self.rest = self.read(sets);
        }
        let set = self.rest.take().ok_or(no_such_lmb(address))?;
        let index = set.index_of(address, self.lmb_size).ok_or(no_such_lmb(address))?;
        if set.get(index, self.lmb_size).is_none_or(|lmb| lmb.base_addr != address) {
            return Err(no_such_lmb(address));
        }
        let (before, rest) = set.split(index, self.lmb_size);
        self.emit(sets, before);
        self.rest = rest;
        Ok(())
    }

    /// Changes the LMBs from the first of `rest` on; gives the address behind the last one.
    fn change(&mut self, sets: &mut impl Sets, change: &Change) -> Result<PhysAddr, Error> {
        let mut left = change.seq_lmbs;
        let mut at = change.base_addr;
        while left > 0 {
            if self.rest.is_none() {
                self.rest = self.read(sets);
            }
            let set = self.rest.take().filter(|set| set.first.base_addr == at).ok_or(no_such_lmb(at))?;
            let (changed, rest) = set.split(left, self.lmb_size);
            let changed = changed.ok_or(no_such_lmb(at))?;
            left = left.saturating_sub(changed.seq_lmbs);
            at = PhysAddr(changed.end(self.lmb_size).ok_or(no_such_lmb(at))?);
            self.emit(sets, Some(change.apply(changed)));
            self.rest = rest;
        }
        Ok(at)
    }
}
