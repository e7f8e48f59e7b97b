#![expect(
    clippy::undocumented_unsafe_blocks,
    reason = "every pointer is of a value here, or wrong on purpose"
)]

use core::ptr::{null, null_mut};
use std::vec::Vec;

use super::*;
use crate::map::{KCAP_RANGE_RESERVED, KCAP_RANGE_SYSTEM_RAM, kcap_memory_map_count};
use crate::status::{
    KCAP_ERR_BUSY, KCAP_ERR_INVALID, KCAP_ERR_LENGTH, KCAP_ERR_NOT_BEGUN, KCAP_ERR_NULL, KCAP_OK,
};
use crate::testing::{Memory, Room, no_error, with_map};

pub(crate) fn with_versions(ranges: usize, versions: usize, test: impl FnOnce(*const kcap_versioned_map)) {
    let mut room = Room::<kcap_versioned_map>::new();
    let mut work = Memory::new(kcap_versioned_map_work_len(ranges, ranges, versions));
    let (at, len) = (work.at(), work.len());
    let init = unsafe {
        kcap_versioned_map_init(room.at(), Room::<kcap_versioned_map>::LEN, versions, at, len, null_mut())
    };
    assert_eq!(init, KCAP_OK);
    test(room.at());
}

fn range(start: u64, end: u64, kind: kcap_range_kind) -> kcap_range {
    kcap_range { start, end, kind, reserved: 0 }
}

pub(crate) fn set(map: *const kcap_versioned_map, start: u64, end: u64, kind: kcap_range_kind) {
    let range = range(start, end, kind);
    assert_eq!(unsafe { kcap_versioned_map_set(map, &raw const range, null_mut()) }, KCAP_OK);
}

pub(crate) fn hold(map: *const kcap_versioned_map) -> kcap_map_version {
    let mut version = kcap_map_version::default();
    assert_eq!(unsafe { kcap_versioned_map_hold(map, &raw mut version) }, KCAP_OK);
    version
}

fn ranges(map: *const kcap_versioned_map, version: kcap_map_version, block: usize) -> Vec<kcap_range> {
    let (mut all, mut some) = (Vec::new(), std::vec![kcap_range::default(); block]);
    let mut count = block;
    while count == block {
        let from = all.last().map_or(0, |range: &kcap_range| range.end);
        let read = unsafe {
            kcap_versioned_map_read(map, &raw const version, from, some.as_mut_ptr(), block, &raw mut count)
        };
        assert_eq!(read, KCAP_OK);
        all.extend_from_slice(&some[..count]);
    }
    assert_eq!(all.len(), unsafe { kcap_versioned_map_count(map, &raw const version) });
    all
}

struct Told {
    map: *const kcap_versioned_map,
    versions: Vec<(u64, u64)>,
    changes: Vec<kcap_map_change>,
}

unsafe extern "C" fn published(
    ctx: *mut c_void,
    before: *const kcap_map_version,
    after: *const kcap_map_version,
) {
    let told = ptr::get_mut(ctx.cast::<Told>()).unwrap();
    let epochs = (ptr::get(before).unwrap().epoch, ptr::get(after).unwrap().epoch);
    told.versions.push(epochs);
    let (mut changes, mut count) = ([kcap_map_change::default(); 40], 0);
    unsafe {
        assert_eq!(kcap_versioned_map_begin(told.map), KCAP_ERR_BUSY);
        assert_eq!(kcap_versioned_map_epoch(told.map), epochs.1);
        let at = changes.as_mut_ptr();
        assert_eq!(kcap_versioned_map_changes(told.map, before, after, 0, at, 40, &raw mut count), KCAP_OK);
    }
    told.changes = changes[..count].to_vec();
}

#[test]
fn versions_are_published_held_and_read() {
    with_versions(100, 3, |map| unsafe {
        let mut told = Told { map, versions: Vec::new(), changes: Vec::new() };
        let observer = kcap_version_observer { ctx: (&raw mut told).cast(), published: Some(published) };
        let mut epoch = 7;
        assert_eq!(kcap_versioned_map_begin(map), KCAP_OK);
        assert_eq!(kcap_versioned_map_begin(map), KCAP_ERR_BUSY);
        for at in 0..35 {
            set(map, at * 10, at * 10 + 5, KCAP_RANGE_SYSTEM_RAM);
        }
        assert_eq!(kcap_versioned_map_commit(map, &raw const observer, &raw mut epoch), KCAP_OK);
        assert_eq!((epoch, told.versions.as_slice(), told.changes.len()), (1, &[(0, 1)][..], 35));
        let first = hold(map);
        let expected: Vec<_> = (0..35).map(|at| range(at * 10, at * 10 + 5, KCAP_RANGE_SYSTEM_RAM)).collect();
        for block in [1, 16, 17, 40] {
            assert_eq!(ranges(map, first, block), expected);
        }

        assert_eq!(kcap_versioned_map_begin(map), KCAP_OK);
        let hole = kcap_span { start: 3, end: 12 };
        assert_eq!(kcap_versioned_map_remove(map, &raw const hole, null_mut()), KCAP_OK);
        let gaps = range(0, 20, KCAP_RANGE_RESERVED);
        assert_eq!(kcap_versioned_map_add(map, &raw const gaps, null_mut()), KCAP_OK);
        assert_eq!(kcap_versioned_map_commit(map, &raw const observer, null_mut()), KCAP_OK);
        let change = |start, end, before| kcap_map_change { start, end, before, after: KCAP_RANGE_RESERVED };
        let ram = KCAP_RANGE_SYSTEM_RAM;
        let changes = [change(3, 5, ram), change(5, 10, 0), change(10, 12, ram), change(15, 20, 0)];
        assert_eq!(told.changes, changes);
        assert_eq!(ranges(map, first, 16), expected);
        let second = hold(map);
        assert_eq!(kcap_versioned_map_kind_at(map, &raw const first, 11), ram);
        assert_eq!(kcap_versioned_map_kind_at(map, &raw const second, 11), KCAP_RANGE_RESERVED);
        assert_eq!(kcap_versioned_map_kind_at(map, &raw const second, 999), 0);

        with_map(40, |copy| {
            assert_eq!(kcap_versioned_map_copy(map, &raw const first, copy, null_mut()), KCAP_OK);
            assert_eq!(kcap_memory_map_count(copy), 35);
            let copied = ptr::get_mut(copy).unwrap().map.ranges().iter().copied();
            assert!(copied.map(kcap_range::from).eq(expected.iter().copied()));
        });
        with_map(34, |copy| {
            let mut error = no_error();
            let status = kcap_versioned_map_copy(map, &raw const first, copy, &raw mut error);
            assert_eq!((status, error.value), (KCAP_ERR_BUFFER_TOO_SMALL, 35 * 24));
        });

        // Versions 1 and 2 are held; the third slot is the next one's, and then there is none.
        assert_eq!(kcap_versioned_map_begin(map), KCAP_OK);
        set(map, 1000, 1001, ram);
        assert_eq!(kcap_versioned_map_commit(map, null(), null_mut()), KCAP_OK);
        let third = hold(map);
        assert_eq!(kcap_versioned_map_begin(map), KCAP_OK);
        set(map, 2000, 2001, ram);
        assert_eq!(kcap_versioned_map_commit(map, null(), null_mut()), KCAP_ERR_BUSY);
        assert_eq!(kcap_versioned_map_epoch(map), 3);
        assert_eq!(kcap_versioned_map_release(map, &raw const first), KCAP_OK);
        assert_eq!(kcap_versioned_map_commit(map, null(), &raw mut epoch), KCAP_OK);
        assert_eq!((epoch, ranges(map, third, 16).len()), (4, ranges(map, second, 16).len() + 1));
        assert_eq!(kcap_versioned_map_count(map, &raw const first), 0);
        assert_eq!(kcap_versioned_map_kind_at(map, &raw const first, 11), 0);
        let (mut out, mut change, mut count) = (range(7, 7, 77), kcap_map_change::default(), 7);
        let read = kcap_versioned_map_read(map, &raw const first, 0, &raw mut out, 1, &raw mut count);
        assert_eq!((read, out, count), (KCAP_ERR_INVALID, range(7, 7, 77), 7));
        for (before, after) in [(first, third), (third, first)] {
            let (before, after) = (&raw const before, &raw const after);
            let changes =
                kcap_versioned_map_changes(map, before, after, 0, &raw mut change, 1, &raw mut count);
            assert_eq!((changes, count), (KCAP_ERR_INVALID, 7));
        }
        with_map(40, |copy| {
            let mut error = no_error();
            let copied = kcap_versioned_map_copy(map, &raw const first, copy, &raw mut error);
            assert_eq!((copied, error.value), (KCAP_ERR_INVALID, first.epoch));
            assert_eq!(core::ffi::CStr::from_ptr(error.field.as_ptr()), c"version");
        });
        assert_eq!(kcap_versioned_map_release(map, &raw const first), KCAP_ERR_INVALID);
        assert_eq!(kcap_versioned_map_commit(map, null(), null_mut()), KCAP_ERR_NOT_BEGUN);
    });
}

#[test]
fn a_map_that_is_full_says_how_much_it_needs() {
    let mut len = 1024;
    loop {
        let mut room = Room::<kcap_versioned_map>::new();
        let mut work = Memory::new(len);
        let (map, mut error) = (room.at(), no_error());
        let map_len = Room::<kcap_versioned_map>::LEN;
        unsafe {
            let at = work.at();
            assert_eq!(kcap_versioned_map_init(map, map_len, 2, at, work.len(), null_mut()), KCAP_OK);
            assert_eq!(kcap_versioned_map_begin(map), KCAP_OK);
            let failed = (0..50).find(|at| {
                let range = range(at * 2, at * 2 + 1, KCAP_RANGE_RESERVED);
                kcap_versioned_map_set(map, &raw const range, &raw mut error) == KCAP_ERR_BUFFER_TOO_SMALL
            });
            if failed.is_none() {
                break;
            }
        }
        let needed = usize::try_from(error.value).unwrap();
        assert!(needed > len, "{needed} {len}");
        len = needed;
    }
    assert!(len <= kcap_versioned_map_work_len(50, 50, 2), "{len}");
}

#[test]
fn wrong_pointers_and_lengths_are_found() {
    let (mut room, mut work) = (Room::<kcap_versioned_map>::new(), Memory::new(4096));
    let len = kcap_versioned_map_size();
    assert_eq!(kcap_versioned_map_align(), 8);
    unsafe {
        let (at, work_len) = (work.at(), work.len());
        let init = |map, map_len, versions, work, work_len| {
            kcap_versioned_map_init(map, map_len, versions, work, work_len, null_mut())
        };
        assert_eq!(init(null_mut(), len, 2, at, work_len), KCAP_ERR_NULL);
        assert_eq!(init(room.at(), len - 1, 2, at, work_len), KCAP_ERR_BUFFER_TOO_SMALL);
        assert_eq!(init(room.at(), len, 1, at, work_len), KCAP_ERR_INVALID);
        assert_eq!(init(room.at(), len, 2, null_mut(), work_len), KCAP_ERR_NULL);
        assert_eq!(init(room.at(), len, 2, null_mut(), 0), KCAP_ERR_BUFFER_TOO_SMALL);
        assert_eq!(init(room.at(), len, usize::MAX, at, work_len), KCAP_ERR_BUFFER_TOO_SMALL);
        assert_eq!(init(room.at(), len, 2, at, usize::MAX), KCAP_ERR_LENGTH);
        assert!(room.untouched());
    }
    with_versions(4, 2, |map| unsafe {
        let (some, span) = (range(0, 1, KCAP_RANGE_RESERVED), kcap_span { start: 0, end: 1 });
        let version = hold(map);
        let (mut out, mut change, mut count) = (range(7, 7, 77), kcap_map_change::default(), 7);
        let (some, span, version) = (&raw const some, &raw const span, &raw const version);
        assert_eq!(kcap_versioned_map_epoch(null()), 0);
        assert_eq!(kcap_versioned_map_begin(null()), KCAP_ERR_NULL);
        assert_eq!(kcap_versioned_map_set(null(), some, null_mut()), KCAP_ERR_NULL);
        assert_eq!(kcap_versioned_map_set(map, null(), null_mut()), KCAP_ERR_NULL);
        assert_eq!(kcap_versioned_map_set(map, some, null_mut()), KCAP_ERR_NOT_BEGUN);
        assert_eq!(kcap_versioned_map_add(map, null(), null_mut()), KCAP_ERR_NULL);
        assert_eq!(kcap_versioned_map_remove(map, null(), null_mut()), KCAP_ERR_NULL);
        assert_eq!(kcap_versioned_map_remove(null(), span, null_mut()), KCAP_ERR_NULL);
        assert_eq!(kcap_versioned_map_commit(null(), null(), null_mut()), KCAP_ERR_NULL);
        let nobody = kcap_version_observer { ctx: null_mut(), published: None };
        assert_eq!(kcap_versioned_map_commit(map, &raw const nobody, null_mut()), KCAP_ERR_NULL);
        assert_eq!(kcap_versioned_map_abandon(null()), KCAP_ERR_NULL);
        assert_eq!(kcap_versioned_map_hold(map, null_mut()), KCAP_ERR_NULL);
        assert_eq!(kcap_versioned_map_release(map, null()), KCAP_ERR_NULL);
        assert_eq!(kcap_versioned_map_count(null(), version), 0);
        assert_eq!(kcap_versioned_map_count(map, null()), 0);
        assert_eq!(kcap_versioned_map_kind_at(map, null(), 0), 0);
        let read = |map, version, ranges, capacity, count| {
            kcap_versioned_map_read(map, version, 0, ranges, capacity, count)
        };
        assert_eq!(read(null(), version, &raw mut out, 1, &raw mut count), KCAP_ERR_NULL);
        assert_eq!(read(map, null(), &raw mut out, 1, &raw mut count), KCAP_ERR_NULL);
        assert_eq!(read(map, version, null_mut(), 1, &raw mut count), KCAP_ERR_NULL);
        assert_eq!(read(map, version, &raw mut out, usize::MAX, &raw mut count), KCAP_ERR_LENGTH);
        assert_eq!(read(map, version, &raw mut out, 1, null_mut()), KCAP_ERR_NULL);
        let changes = |before, after, changes, capacity, count| {
            kcap_versioned_map_changes(map, before, after, 0, changes, capacity, count)
        };
        assert_eq!(changes(null(), version, &raw mut change, 1, &raw mut count), KCAP_ERR_NULL);
        assert_eq!(changes(version, null(), &raw mut change, 1, &raw mut count), KCAP_ERR_NULL);
        assert_eq!(changes(version, version, null_mut(), 1, &raw mut count), KCAP_ERR_NULL);
        assert_eq!(changes(version, version, &raw mut change, usize::MAX, &raw mut count), KCAP_ERR_LENGTH);
        assert_eq!(changes(version, version, &raw mut change, 1, null_mut()), KCAP_ERR_NULL);
        assert_eq!(kcap_versioned_map_copy(map, version, null_mut(), null_mut()), KCAP_ERR_NULL);
        assert_eq!((out, count), (range(7, 7, 77), 7));
        assert_eq!(read(map, version, null_mut(), 0, &raw mut count), KCAP_OK);
        assert_eq!(count, 0);
    });
}
