//! A map of memory that lives: changes are published as a whole, and readers keep the version that they hold.

use core::ffi::c_void;

use kexec_core::map::{Range, RangeKind, Span};
use kexec_core::versioned::{Change, Held, Node, Published, SharedMap, Slot, VersionedMap};
use vmcore_format::PhysAddr;

use crate::callback::{self, kcap_map_version, kcap_version_observer};
use crate::error::{answer, kcap_error};
use crate::map::{kcap_memory_map, kcap_range, kcap_range_kind, kcap_span, number_of};
use crate::ptr::{self, Work, room};
use crate::status::{Failure, KCAP_ERR_BUFFER_TOO_SMALL, kcap_status};

/// What is copied under one lock.
const BLOCK: usize = 16;

/// A map of physical memory that changes while others read it.
///
/// Changes go to a version in the making, which nobody sees before `kcap_versioned_map_commit` makes it the current one, with
/// the next epoch. Readers hold a version; no change ever shows in it.
///
/// Several threads may use a map at the same time, once it was made. Each call holds a spin lock, never while a callback runs, and none is
/// to be made from an interrupt, NMI, signal or crash handler: the lock may be held by what it interrupted. A lookup and each 16
/// ranges or changes that are read hold it for O(log n) and a step for each range, of n ranges; `kcap_versioned_map_commit`, `_abandon`,
/// `_release`, and a `_set`, `_add` or `_remove` of much memory, in proportion to what they free or fill.
///
/// One thread makes changes: whoever began, until it commits or abandons. A change takes O(log n) and a step for each range that it
/// swallows, a commit a step for each node that changed. The map keeps the memory that it was given.
#[derive(Debug)]
pub struct kcap_versioned_map {
    pub(crate) map: SharedMap<'static>,
    versions: usize,
}

impl kcap_versioned_map {
    /// A failure of a change, the room needed in bytes.
    fn failure(&self, error: kexec_core::Error) -> Failure {
        let failure = Failure::from(error).in_entries_of::<Node>();
        if failure.status != KCAP_ERR_BUFFER_TOO_SMALL {
            return failure;
        }
        let slots = u64::try_from(room::<Slot>(self.versions)).unwrap_or(u64::MAX);
        Failure { value: failure.value.saturating_add(slots), ..failure }
    }
}

/// Memory whose kind is another one than before.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[repr(C)]
pub struct kcap_map_change {
    /// The first address.
    pub start: u64,
    /// The first address past the end.
    pub end: u64,
    /// What the memory was: a `KCAP_RANGE_` number, or 0 where the map said nothing.
    pub before: kcap_range_kind,
    /// What it is.
    pub after: kcap_range_kind,
}

fn version_of(held: &Held) -> kcap_map_version {
    kcap_map_version { epoch: held.epoch(), slot: u64::try_from(held.slot()).unwrap_or(u64::MAX) }
}

/// The version of `map` at `version`, which must be held: to the map any other is an empty one.
pub(crate) fn held(map: &kcap_versioned_map, version: *const kcap_map_version) -> Result<Held, Failure> {
    let version = ptr::get(version)?;
    let held = Held::from_parts(usize::try_from(version.slot).unwrap_or(usize::MAX), version.epoch);
    if map.map.is_held(&held) { Ok(held) } else { Err(Failure::invalid("version", version.epoch)) }
}

/// The size of a `kcap_versioned_map`, in bytes.
#[unsafe(no_mangle)]
pub extern "C" fn kcap_versioned_map_size() -> usize {
    size_of::<kcap_versioned_map>()
}

/// What the address of a `kcap_versioned_map` must be a multiple of.
#[unsafe(no_mangle)]
pub extern "C" fn kcap_versioned_map_align() -> usize {
    align_of::<kcap_versioned_map>()
}

/// Bytes of memory with which `changes` changes to a map of `ranges` ranges succeed, whatever they are, where `versions` versions that
/// differ everywhere are held, the current one counted. A `kcap_versioned_map_add` counts once for each gap that it fills. Far less
/// does where versions have much in common.
#[unsafe(no_mangle)]
pub extern "C" fn kcap_versioned_map_work_len(ranges: usize, changes: usize, versions: usize) -> usize {
    let nodes = VersionedMap::nodes_needed(ranges, changes, versions);
    room::<Slot>(versions).saturating_add(room::<Node>(nodes))
}

/// Makes an empty map of epoch 0, in the `map_len` bytes at `map`.
///
/// `versions` versions can be held at a time, the current one counted: 2 at least, since who is told of a new version holds the one before.
/// `work`, of `work_len` bytes and aligned to 8, takes the ranges of all versions, and is used for as long as `map` is:
/// `kcap_versioned_map_work_len` says how much is enough. `error` may be NULL.
///
/// Errors: `KCAP_ERR_BUFFER_TOO_SMALL` (`value`: bytes for `map`, or for `work`), `KCAP_ERR_INVALID` (`versions`), `KCAP_ERR_NULL`,
/// `KCAP_ERR_ALIGNMENT`, `KCAP_ERR_LENGTH`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kcap_versioned_map_init(
    map: *mut kcap_versioned_map,
    map_len: usize,
    versions: usize,
    work: *mut c_void,
    work_len: usize,
    error: *mut kcap_error,
) -> kcap_status {
    answer(error, || {
        let place = ptr::object(map, map_len)?;
        if versions < 2 {
            return Err(Failure::invalid("versions", u64::try_from(versions).unwrap_or(u64::MAX)));
        }
        let mut work = Work::new(work, work_len, room::<Slot>(versions))?;
        let slots = work.table(versions, Slot::EMPTY)?;
        let nodes = work.table(work.left().checked_div(size_of::<Node>()).unwrap_or(0), Node::EMPTY)?;
        place.put(kcap_versioned_map { map: SharedMap::new(nodes, slots)?, versions });
        Ok(())
    })
}

/// The epoch of the current version of `map`; 0 for NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kcap_versioned_map_epoch(map: *const kcap_versioned_map) -> u64 {
    ptr::get(map).map_or(0, |map| map.map.epoch())
}

/// Starts a version: what the current one says, for changes.
///
/// Errors: `KCAP_ERR_BUSY` where one is in the making, or somebody is still being told of the last; `KCAP_ERR_NULL`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kcap_versioned_map_begin(map: *const kcap_versioned_map) -> kcap_status {
    answer(core::ptr::null_mut(), || Ok(ptr::get(map)?.map.begin()?))
}

/// Says, in the version in the making, that `range` is of its kind, whatever `map` said of it before. An empty range changes nothing.
///
/// Errors: `KCAP_ERR_NOT_BEGUN`; `KCAP_ERR_BUFFER_TOO_SMALL` (`value`: bytes of memory that the map needs for the change, which is then not
/// made: those before are); `KCAP_ERR_INVALID` (`kind`); `KCAP_ERR_NULL`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kcap_versioned_map_set(
    map: *const kcap_versioned_map,
    range: *const kcap_range,
    error: *mut kcap_error,
) -> kcap_status {
    answer(error, || {
        let (map, range) = (ptr::get(map)?, ptr::get(range)?.read()?);
        map.map.set(range).map_err(|error| map.failure(error))
    })
}

/// Says, in the version in the making, that `range` is of its kind where `map` says nothing yet.
///
/// Errors: as for `kcap_versioned_map_set`; the gaps before the one that failed are filled.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kcap_versioned_map_add(
    map: *const kcap_versioned_map,
    range: *const kcap_range,
    error: *mut kcap_error,
) -> kcap_status {
    answer(error, || {
        let (map, range) = (ptr::get(map)?, ptr::get(range)?.read()?);
        map.map.add(range).map_err(|error| map.failure(error))
    })
}

/// Forgets, in the version in the making, what lies in `span`.
///
/// Errors: as for `kcap_versioned_map_set`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kcap_versioned_map_remove(
    map: *const kcap_versioned_map,
    span: *const kcap_span,
    error: *mut kcap_error,
) -> kcap_status {
    answer(error, || {
        let (map, span) = (ptr::get(map)?, Span::from(*ptr::get(span)?));
        map.map.remove(span).map_err(|error| map.failure(error))
    })
}

/// Makes the version in the making the current one, and then tells `observer` of it, which may be NULL. A version that says the same
/// as the one before is none: the epoch stays, and nobody is told. Writes the epoch to `epoch`, which may be NULL.
///
/// Errors: `KCAP_ERR_NOT_BEGUN`; `KCAP_ERR_BUSY` where readers hold as many versions as there is room for: the version stays in the making, to be
/// committed when one was released, or abandoned; `KCAP_ERR_NULL`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kcap_versioned_map_commit(
    map: *const kcap_versioned_map,
    observer: *const kcap_version_observer,
    epoch: *mut u64,
) -> kcap_status {
    answer(core::ptr::null_mut(), || {
        let (map, observer) = (ptr::get(map)?, callback::observer(observer)?);
        let place = if epoch.is_null() { None } else { Some(ptr::out(epoch)?) };
        let mut tell = |published: &Published<'_, '_>| {
            if let Some(observer) = observer {
                observer.tell(version_of(published.before.held()), version_of(published.after.held()));
            }
        };
        let committed = map.map.commit(&mut tell)?;
        if let Some(place) = place {
            place.put(committed);
        }
        Ok(())
    })
}

/// Forgets the version in the making, if there is one.
///
/// Errors: `KCAP_ERR_NULL`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kcap_versioned_map_abandon(map: *const kcap_versioned_map) -> kcap_status {
    answer(core::ptr::null_mut(), || {
        ptr::get(map)?.map.abandon();
        Ok(())
    })
}

/// Holds the current version of `map`, and writes which that is to `version`, for the other functions and at last for one
/// `kcap_versioned_map_release`.
///
/// Errors: `KCAP_ERR_NULL`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kcap_versioned_map_hold(
    map: *const kcap_versioned_map,
    version: *mut kcap_map_version,
) -> kcap_status {
    answer(core::ptr::null_mut(), || {
        let (map, place) = (ptr::get(map)?, ptr::out(version)?);
        place.put(version_of(&map.map.hold()));
        Ok(())
    })
}

/// Gives up a version.
///
/// Errors: `KCAP_ERR_INVALID` where nobody holds it, `KCAP_ERR_NULL`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kcap_versioned_map_release(
    map: *const kcap_versioned_map,
    version: *const kcap_map_version,
) -> kcap_status {
    answer(core::ptr::null_mut(), || {
        let map = ptr::get(map)?;
        map.map.release(held(map, version)?);
        Ok(())
    })
}

/// The number of ranges of a version that is held; 0 for one that is not, and for NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kcap_versioned_map_count(
    map: *const kcap_versioned_map,
    version: *const kcap_map_version,
) -> usize {
    let count = ptr::get(map).and_then(|map| Ok(map.map.view(&held(map, version)?, |view| view.len())));
    count.unwrap_or(0)
}

/// What lies at `address` in a version that is held: a `KCAP_RANGE_` number, 0 where it says nothing, for a version that is not
/// held, and for NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kcap_versioned_map_kind_at(
    map: *const kcap_versioned_map,
    version: *const kcap_map_version,
    address: u64,
) -> kcap_range_kind {
    let kind = |map: &kcap_versioned_map| {
        Ok(map.map.view(&held(map, version)?, |view| view.kind_at(PhysAddr(address))))
    };
    ptr::get(map).and_then(kind).ok().flatten().map_or(0, number_of)
}

/// Fills `table` by blocks, each of which starts where the one before ended; how much of it was filled.
fn fill<T: Copy, C>(
    table: &mut [C],
    from: u64,
    empty: T,
    block: &mut dyn FnMut(PhysAddr, &mut [T]) -> usize,
    of: fn(T) -> (C, PhysAddr),
) -> usize {
    let (mut filled, mut from) = (0_usize, PhysAddr(from));
    for places in table.chunks_mut(BLOCK) {
        let mut found = [empty; BLOCK];
        let room = found.get_mut(..places.len()).unwrap_or_default();
        let count = block(from, room);
        for (place, value) in places.iter_mut().zip(room.iter().take(count)) {
            (*place, from) = of(*value);
        }
        filled = filled.saturating_add(count);
        if count < places.len() {
            break;
        }
    }
    filled
}

/// Writes the ranges of a version that is held, in ascending order and from the address `from` on, to the `capacity` ranges at
/// `ranges`, and their number to `count`. The first is cut at `from`. Fewer than `capacity`: there are no more; else go on from the
/// `end` of the last.
///
/// Errors: `KCAP_ERR_INVALID` where nobody holds the version, `KCAP_ERR_NULL`, `KCAP_ERR_LENGTH`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kcap_versioned_map_read(
    map: *const kcap_versioned_map,
    version: *const kcap_map_version,
    from: u64,
    ranges: *mut kcap_range,
    capacity: usize,
    count: *mut usize,
) -> kcap_status {
    answer(core::ptr::null_mut(), || {
        let map = ptr::get(map)?;
        let (held, place) = (held(map, version)?, ptr::out(count)?);
        let table = ptr::slice_mut(ranges, capacity)?;
        let mut block = |from, ranges: &mut [Range]| map.map.view(&held, |view| view.read(from, ranges));
        place.put(fill(table, from, Range::EMPTY, &mut block, |range| (range.into(), range.end)));
        Ok(())
    })
}

fn change_of(change: Change) -> (kcap_map_change, PhysAddr) {
    let number = |kind: Option<RangeKind>| kind.map_or(0, number_of);
    let span = change.span;
    let (before, after) = (number(change.before), number(change.after));
    (kcap_map_change { start: span.start.0, end: span.end.0, before, after }, span.end)
}

/// Writes what differs between two versions that are held, in ascending order and from the address `from` on, to the `capacity`
/// changes at `changes`, and their number to `count`. Fewer than `capacity`: there are no more; else go on from the `end` of the
/// last. The time follows the number of changes, not the size of the map.
///
/// Errors: `KCAP_ERR_INVALID` where nobody holds one of them, `KCAP_ERR_NULL`, `KCAP_ERR_LENGTH`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kcap_versioned_map_changes(
    map: *const kcap_versioned_map,
    before: *const kcap_map_version,
    after: *const kcap_map_version,
    from: u64,
    changes: *mut kcap_map_change,
    capacity: usize,
    count: *mut usize,
) -> kcap_status {
    answer(core::ptr::null_mut(), || {
        let map = ptr::get(map)?;
        let (before, after) = (held(map, before)?, held(map, after)?);
        let place = ptr::out(count)?;
        let table = ptr::slice_mut(changes, capacity)?;
        let mut block = |from, changes: &mut [Change]| map.map.changes(&before, &after, from, changes);
        place.put(fill(table, from, Change::EMPTY, &mut block, change_of));
        Ok(())
    })
}

/// Makes `copy` say what a version that is held says, and nothing else: for a plan, or a header that is built anew.
///
/// Errors: `KCAP_ERR_BUFFER_TOO_SMALL` (`value`: bytes for the table of `copy`), `KCAP_ERR_INVALID` (`version`: nobody holds it),
/// `KCAP_ERR_NULL`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kcap_versioned_map_copy(
    map: *const kcap_versioned_map,
    version: *const kcap_map_version,
    copy: *mut kcap_memory_map,
    error: *mut kcap_error,
) -> kcap_status {
    answer(error, || {
        let map = ptr::get(map)?;
        let (held, copy) = (held(map, version)?, &mut ptr::get_mut(copy)?.map);
        let len = map.map.view(&held, |view| view.len());
        if copy.capacity() < len {
            return Err(Failure::too_small(room::<Range>(len)));
        }
        copy.clear();
        let (mut block, mut from, mut count) = ([Range::EMPTY; BLOCK], PhysAddr(0), BLOCK);
        while count == BLOCK {
            count = map.map.view(&held, |view| view.read(from, &mut block));
            for range in block.iter().take(count) {
                copy.set(*range).map_err(crate::map::failure)?;
                from = range.end;
            }
        }
        Ok(())
    })
}

#[cfg(test)]
pub(crate) mod tests;
