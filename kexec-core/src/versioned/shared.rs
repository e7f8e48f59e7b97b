//! A map whose versions several threads read while one changes it.

use super::changes::Change;
use super::versioned_map::{Held, Slot, VersionedMap};
use super::{Node, View};
use crate::Error;
use crate::map::{Range, RangeKind, Span};
use core::fmt;
use spin::{Mutex, MutexGuard};
use vmcore_format::PhysAddr;

/// The ranges that [`Snapshot::ranges`] reads under one lock.
const BLOCK: usize = 16;

/// A [`VersionedMap`] for several threads.
///
/// Each call takes a spin lock, and none is to be made from an interrupt, NMI, signal or crash handler: the lock may be held by what it
/// interrupted. A reader holds a [`Snapshot`], in which no change shows: each read of it locks for one lookup or one block of ranges, and
/// changes go on in between. [`commit`](Self::commit), [`abandon`](Self::abandon), [`release`](Self::release), and a
/// [`set`](Self::set), [`add`](Self::add) or [`remove`](Self::remove) of much memory hold the lock in proportion to what they free or
/// fill. But for [`view`](Self::view), no caller's code runs with it.
///
/// One thread changes the map at a time: whoever called [`begin`](Self::begin), until it commits or abandons.
pub struct SharedMap<'a> {
    state: Mutex<State<'a>>,
}

struct State<'a> {
    map: VersionedMap<'a>,
    /// Whether somebody is being told of a version: the next one waits, so that all are told of in their order.
    telling: bool,
}

impl<'a> SharedMap<'a> {
    /// An empty map, of epoch 0, as [`VersionedMap::new`].
    ///
    /// # Errors
    /// [`Error::BufferTooSmall`]: two slots are needed, for a version and the next.
    pub fn new(nodes: &'a mut [Node], slots: &'a mut [Slot]) -> Result<Self, Error> {
        if slots.len() < 2 {
            return Err(Error::BufferTooSmall { needed: 2 });
        }
        let map = VersionedMap::new(nodes, slots)?;
        Ok(Self { state: Mutex::new(State { map, telling: false }) })
    }

    fn lock(&self) -> MutexGuard<'_, State<'a>> {
        self.state.lock()
    }

    /// The number of the current version.
    #[must_use]
    pub fn epoch(&self) -> u64 {
        self.lock().map.epoch()
    }

    /// The current version, held until the snapshot is dropped.
    #[must_use]
    pub fn snapshot(&self) -> Snapshot<'_, 'a> {
        Snapshot { map: self, held: self.hold() }
    }

    /// Holds the current version, until [`release`](Self::release).
    #[must_use]
    pub fn hold(&self) -> Held {
        self.lock().map.hold()
    }

    /// Gives up a version, as [`VersionedMap::release`].
    pub fn release(&self, held: Held) {
        self.lock().map.release(held);
    }

    /// As [`VersionedMap::is_held`].
    #[must_use]
    pub fn is_held(&self, held: &Held) -> bool {
        self.lock().map.is_held(held)
    }

    /// Looks at a version, as [`VersionedMap::view`], with the map locked: `look` must be short, and use this map in no other way.
    pub fn view<R>(&self, held: &Held, look: impl FnOnce(View<'_>) -> R) -> R {
        look(self.lock().map.view(held))
    }

    /// Writes what differs between two versions, as [`VersionedMap::changes`], from the address `from` on, to `changes`, as much as it
    /// holds; how many those are. To go on, start from the end of the last.
    pub fn changes(&self, before: &Held, after: &Held, from: PhysAddr, changes: &mut [Change]) -> usize {
        let state = self.lock();
        let found = state.map.changes(before, after, from);
        changes.iter_mut().zip(found).map(|(place, change)| *place = change).count()
    }

    /// As [`VersionedMap::begin`].
    ///
    /// # Errors
    /// [`Error::Busy`]: a version is in the making, or somebody is still being told of the last.
    pub fn begin(&self) -> Result<(), Error> {
        let mut state = self.lock();
        if state.telling { Err(Error::Busy) } else { state.map.begin() }
    }

    /// As [`VersionedMap::set`].
    ///
    /// # Errors
    /// As there.
    pub fn set(&self, range: Range) -> Result<(), Error> {
        self.lock().map.set(range)
    }

    /// As [`VersionedMap::add`].
    ///
    /// # Errors
    /// As there.
    pub fn add(&self, range: Range) -> Result<(), Error> {
        self.lock().map.add(range)
    }

    /// As [`VersionedMap::remove`].
    ///
    /// # Errors
    /// As there.
    pub fn remove(&self, span: Span) -> Result<(), Error> {
        self.lock().map.remove(span)
    }

    /// As [`VersionedMap::abandon`].
    pub fn abandon(&self) {
        self.lock().map.abandon();
    }

    /// As [`VersionedMap::commit`], and then tells `published`, with nothing locked: it may take its time, and hold versions. Both
    /// versions are held meanwhile, and no other is begun.
    ///
    /// # Errors
    /// As there.
    pub fn commit(&self, published: &mut dyn FnMut(&Published<'_, 'a>)) -> Result<u64, Error> {
        let mut state = self.lock();
        let before = state.map.hold();
        let committed = state.map.commit(&mut |_, _| {});
        if committed.is_err() || committed == Ok(before.epoch()) {
            state.map.release(before);
            return committed;
        }
        let after = state.map.hold();
        state.telling = true;
        drop(state);
        let [before, after] = [before, after].map(|held| Snapshot { map: self, held });
        published(&Published { before, after, _telling: Telling { map: self } });
        committed
    }
}

impl fmt::Debug for SharedMap<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SharedMap").field("epoch", &self.epoch()).finish_non_exhaustive()
    }
}

/// A version of a [`SharedMap`], held until this is dropped. Nothing in it ever changes.
pub struct Snapshot<'s, 'a> {
    map: &'s SharedMap<'a>,
    held: Held,
}

impl Snapshot<'_, '_> {
    /// The number of the version.
    #[must_use]
    pub fn epoch(&self) -> u64 {
        self.held.epoch()
    }

    /// The number of ranges.
    #[must_use]
    pub fn len(&self) -> usize {
        self.map.view(&self.held, |view| view.len())
    }

    /// Whether the version says nothing about any address.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// What lies at `address`; `None` where the version says nothing. O(log n).
    #[must_use]
    pub fn kind_at(&self, address: PhysAddr) -> Option<RangeKind> {
        self.map.view(&self.held, |view| view.kind_at(address))
    }

    /// The version, as [`SharedMap`]'s own functions name it. It is held until the snapshot is dropped.
    #[must_use]
    pub fn held(&self) -> &Held {
        &self.held
    }

    /// As [`View::read`].
    pub fn read(&self, from: PhysAddr, ranges: &mut [Range]) -> usize {
        self.map.view(&self.held, |view| view.read(from, ranges))
    }

    /// The ranges, in ascending order.
    pub fn ranges(&self) -> impl Iterator<Item = Range> {
        let mut block = [Range::EMPTY; BLOCK];
        let (mut at, mut len, mut from) = (0, 0, PhysAddr(0));
        core::iter::from_fn(move || {
            if at == len {
                (at, len) = (0, self.read(from, &mut block));
            }
            let range = block.get(at..len)?.first().copied()?;
            at = at.saturating_add(1);
            from = range.end;
            Some(range)
        })
    }
}

impl Drop for Snapshot<'_, '_> {
    fn drop(&mut self) {
        self.map.release(Held::from_parts(self.held.slot(), self.held.epoch()));
    }
}

impl fmt::Debug for Snapshot<'_, '_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Snapshot").field("epoch", &self.epoch()).finish_non_exhaustive()
    }
}

/// A version that was just made the current one, and the one before.
#[derive(Debug)]
pub struct Published<'s, 'a> {
    /// The version before.
    pub before: Snapshot<'s, 'a>,
    /// The current version.
    pub after: Snapshot<'s, 'a>,
    /// Dropped last: who can begin the next version finds both of these released.
    _telling: Telling<'s, 'a>,
}

impl Published<'_, '_> {
    /// As [`SharedMap::changes`], between the two versions.
    pub fn changes(&self, from: PhysAddr, changes: &mut [Change]) -> usize {
        self.after.map.changes(&self.before.held, &self.after.held, from, changes)
    }
}

/// Lets the next version begin when it is dropped.
#[derive(Debug)]
struct Telling<'s, 'a> {
    map: &'s SharedMap<'a>,
}

impl Drop for Telling<'_, '_> {
    fn drop(&mut self) {
        self.map.lock().telling = false;
    }
}

#[cfg(test)]
mod tests;
