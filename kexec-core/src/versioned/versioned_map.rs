//! Versions of a map: one in the making, and those that readers hold.

use super::arena::{Arena, Dead, Node};
use super::changes::Changes;
use super::edit::Root;
use super::view::View;
use crate::Error;
use crate::map::{Range, RangeKind, Span};
use vmcore_format::PhysAddr;

/// Room for one version that readers may hold.
#[derive(Debug, Clone, Copy)]
pub struct Slot {
    root: Root,
    epoch: u64,
    readers: usize,
    /// What this version has and no later one.
    dead: Dead,
    /// Whether the slot holds a version: the current one, or one with readers.
    used: bool,
}

impl Slot {
    /// An unused slot, to fill a table with.
    pub const EMPTY: Self = Self { root: Root::EMPTY, epoch: 0, readers: 0, dead: Dead::NONE, used: false };
}

impl Default for Slot {
    fn default() -> Self {
        Self::EMPTY
    }
}

/// A version that a reader holds, until [`VersionedMap::release`].
#[derive(Debug, PartialEq, Eq)]
pub struct Held {
    slot: usize,
    epoch: u64,
}

impl Held {
    /// The version that [`slot`](Self::slot) and [`epoch`](Self::epoch) name, for callers that keep a version as two
    /// numbers. They are not checked here: [`VersionedMap::is_held`] says whether the version is held still. To the other functions one
    /// that is not is an empty map, and the changes to an empty map take all memory away.
    #[must_use]
    pub fn from_parts(slot: usize, epoch: u64) -> Self {
        Self { slot, epoch }
    }

    /// The number of the version.
    #[must_use]
    pub fn epoch(&self) -> u64 {
        self.epoch
    }

    /// The place of the version in the table of slots, from 0.
    #[must_use]
    pub fn slot(&self) -> usize {
        self.slot
    }
}

/// A map of physical memory that changes while others read it.
///
/// Changes go to a version in the making ([`begin`](Self::begin), [`set`](Self::set), [`add`](Self::add),
/// [`remove`](Self::remove)), which nobody sees before [`commit`](Self::commit) makes it the current one, with the next
/// epoch. Readers hold a version ([`hold`](Self::hold), [`view`](Self::view)); no change ever shows in it.
///
/// A change takes O(log n) for n ranges and a step for each range that it swallows; a commit a step for each node that changed: versions
/// share what they have in common. All memory is the caller's. See [`nodes_needed`](Self::nodes_needed) for how much that is.
#[derive(Debug)]
pub struct VersionedMap<'a> {
    pub(super) arena: Arena<'a>,
    slots: &'a mut [Slot],
    /// The slot of the current version.
    current: usize,
    /// The version in the making.
    pub(super) working: Option<Root>,
}

impl<'a> VersionedMap<'a> {
    /// An empty map, of epoch 0. What `nodes` and `slots` hold is not read.
    ///
    /// `slots.len()` versions can be held at a time, the current one counted.
    ///
    /// # Errors
    /// [`Error::BufferTooSmall`]: a map has one slot at least; no more than 2^32 - 1 nodes are used.
    pub fn new(nodes: &'a mut [Node], slots: &'a mut [Slot]) -> Result<Self, Error> {
        slots.fill(Slot::EMPTY);
        let first = slots.first_mut().ok_or(Error::BufferTooSmall { needed: 1 })?;
        first.used = true;
        let most = usize::try_from(u32::MAX).unwrap_or(usize::MAX).min(nodes.len());
        let nodes = nodes.get_mut(..most).unwrap_or_default();
        Ok(Self { arena: Arena::new(nodes), slots, current: 0, working: None })
    }

    /// Nodes with which `changes` changes to a map of `ranges` ranges succeed, whatever they are, where `versions` versions
    /// that differ everywhere are held. An [`add`](Self::add) counts once for each gap that it fills. Twice the ranges and some hundreds are plenty for one reader.
    #[must_use]
    pub fn nodes_needed(ranges: usize, changes: usize, versions: usize) -> usize {
        // An AVL tree of n nodes is less than 1.45 log2(n + 2) high; each change adds two ranges at most.
        let ranges = ranges.saturating_add(changes.saturating_mul(2));
        let log = usize::BITS.saturating_sub(ranges.saturating_add(2).leading_zeros());
        let height = usize::try_from(log.saturating_mul(3).div_euclid(2)).unwrap_or(usize::MAX);
        let path = Arena::most_taken_at(height);
        ranges.saturating_mul(versions.saturating_add(1)).saturating_add(path)
    }

    /// The number of the current version.
    #[must_use]
    pub fn epoch(&self) -> u64 {
        self.slot(self.current).epoch
    }

    /// The current version, as long as the map does not change.
    #[must_use]
    pub fn current(&self) -> View<'_> {
        let slot = self.slot(self.current);
        View::new(&self.arena, slot.root, slot.epoch)
    }

    /// Holds the current version.
    #[must_use]
    pub fn hold(&mut self) -> Held {
        let held = Held { slot: self.current, epoch: self.epoch() };
        if let Some(slot) = self.slots.get_mut(held.slot) {
            slot.readers = slot.readers.saturating_add(1);
        }
        held
    }

    /// Whether somebody holds this version of this map.
    #[must_use]
    pub fn is_held(&self, held: &Held) -> bool {
        let slot = self.slot(held.slot);
        slot.used && slot.readers > 0 && slot.epoch == held.epoch
    }

    /// A version that is held; an empty map where it [is not](Self::is_held).
    #[must_use]
    pub fn view(&self, held: &Held) -> View<'_> {
        View::new(&self.arena, self.root(held), held.epoch)
    }

    /// What differs between two versions that are held, from the address `from` on. One that [is not](Self::is_held) is an empty map:
    /// all memory of the other differs.
    #[must_use]
    pub fn changes(&self, before: &Held, after: &Held, from: PhysAddr) -> Changes<'_> {
        Changes::new(&self.arena, self.root(before).top, self.root(after).top, from)
    }

    /// Gives up a version; nothing happens where nobody holds it. Takes a time in proportion to what that version alone had.
    pub fn release(&mut self, held: Held) {
        let current = self.current;
        if !self.is_held(&held) {
            return;
        }
        let Some(slot) = self.slots.get_mut(held.slot) else { return };
        slot.readers = slot.readers.saturating_sub(1);
        if slot.readers == 0 && held.slot != current {
            let dead = slot.dead;
            *slot = Slot::EMPTY;
            self.settle(held.epoch, dead);
        }
    }

    /// Starts a version: what the current one says, for changes.
    ///
    /// # Errors
    /// [`Error::Busy`]: one is in the making.
    pub fn begin(&mut self) -> Result<(), Error> {
        if self.working.is_some() {
            return Err(Error::Busy);
        }
        self.arena.begin(self.epoch().saturating_add(1));
        self.working = Some(self.slot(self.current).root);
        Ok(())
    }

    /// The version in the making, as long as it does not change; `None` outside [`begin`](Self::begin) and
    /// [`commit`](Self::commit). Its epoch is the one that it will have.
    #[must_use]
    pub fn in_the_making(&self) -> Option<View<'_>> {
        self.working.map(|root| View::new(&self.arena, root, self.epoch().saturating_add(1)))
    }

    /// Says that `range` is of its kind, whatever the map said of it before. An empty range changes nothing.
    ///
    /// # Errors
    /// [`Error::NotBegun`]; [`Error::BufferTooSmall`] with the number of nodes that the map needs for the change, which is
    /// then not made: those before are.
    pub fn set(&mut self, range: Range) -> Result<(), Error> {
        self.paint(range.span(), Some(range.kind))
    }

    /// Forgets what lies in `span`.
    ///
    /// # Errors
    /// As for [`set`](Self::set).
    pub fn remove(&mut self, span: Span) -> Result<(), Error> {
        self.paint(span, None)
    }

    /// Says that `range` is of its kind where the map says nothing yet. Takes O(log n) for each gap that it fills.
    ///
    /// # Errors
    /// As for [`set`](Self::set); the gaps before the one that failed are filled.
    pub fn add(&mut self, range: Range) -> Result<(), Error> {
        let mut at = range.start;
        loop {
            let root = self.working.ok_or(Error::NotBegun)?;
            if at >= range.end {
                return Ok(());
            }
            let next = self.arena.first_above(root.top, at);
            let gap_end = next.map_or(range.end, |next| next.start.min(range.end));
            if at < gap_end {
                self.paint(Span { start: at, end: gap_end }, Some(range.kind))?;
            }
            at = match next {
                Some(next) if next.start <= gap_end => next.end,
                _ => range.end,
            };
        }
    }

    /// Makes the version in the making the current one, and tells `published` of it: with it and with what differs. A
    /// version that says the same as the one before is none: the epoch stays, and nobody is told.
    ///
    /// # Errors
    /// - [`Error::NotBegun`].
    /// - [`Error::Busy`]: readers hold a version in each slot. The version stays in the making: commit again when one has
    ///   been released, or [`abandon`](Self::abandon) it.
    pub fn commit(&mut self, published: &mut dyn FnMut(View<'_>, Changes<'_>)) -> Result<u64, Error> {
        let root = self.working.ok_or(Error::NotBegun)?;
        let before = self.slot(self.current);
        if Changes::new(&self.arena, before.root.top, root.top, PhysAddr(0)).next().is_none() {
            self.abandon();
            return Ok(before.epoch);
        }
        let epoch = before.epoch.saturating_add(1);
        let free = if before.readers == 0 {
            self.current
        } else {
            self.slots.iter().position(|slot| !slot.used).ok_or(Error::Busy)?
        };
        let dead = self.arena.end();
        if let Some(slot) = self.slots.get_mut(self.current) {
            slot.dead = dead;
        }
        if let Some(slot) = self.slots.get_mut(free) {
            *slot = Slot { root, epoch, used: true, ..Slot::EMPTY };
        }
        self.current = free;
        self.working = None;
        let changes = Changes::new(&self.arena, before.root.top, root.top, PhysAddr(0));
        published(View::new(&self.arena, root, epoch), changes);
        if before.readers == 0 {
            self.settle(before.epoch, dead);
        }
        Ok(epoch)
    }

    /// Forgets the version in the making, if there is one.
    pub fn abandon(&mut self) {
        if let Some(root) = self.working.take() {
            self.arena.cancel(root.top);
        }
    }

    fn paint(&mut self, span: Span, kind: Option<RangeKind>) -> Result<(), Error> {
        let root = self.working.ok_or(Error::NotBegun)?;
        if self.arena.is_already(root, span, kind) {
            return Ok(());
        }
        let most = self.arena.most_taken(root);
        let available = self.arena.available();
        if most > available {
            let used = self.arena.len().saturating_sub(available);
            let needed = u64::try_from(used.saturating_add(most)).unwrap_or(u64::MAX);
            return Err(Error::BufferTooSmall { needed });
        }
        self.working = Some(self.arena.paint(root, span, kind));
        Ok(())
    }

    /// The version `epoch` is gone, and `dead` is what it had and no later one: what the one before has of it stays.
    fn settle(&mut self, epoch: u64, dead: Dead) {
        let earlier = self.slots.iter_mut().filter(|slot| slot.used && slot.epoch < epoch);
        let earlier = earlier.max_by_key(|slot| slot.epoch);
        let kept = self.arena.settle(dead, earlier.as_deref().map(|slot| slot.epoch));
        if let Some(slot) = earlier {
            slot.dead = self.arena.with_all(slot.dead, kept);
        }
    }

    /// The tree of a version that is held.
    fn root(&self, held: &Held) -> Root {
        if self.is_held(held) { self.slot(held.slot).root } else { Root::EMPTY }
    }

    fn slot(&self, at: usize) -> Slot {
        self.slots.get(at).copied().unwrap_or(Slot::EMPTY)
    }

    /// What lies at `address` in the current version; `None` where it says nothing.
    #[must_use]
    pub fn kind_at(&self, address: PhysAddr) -> Option<RangeKind> {
        self.current().kind_at(address)
    }
}
