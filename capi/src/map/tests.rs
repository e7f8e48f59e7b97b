#![expect(
    clippy::undocumented_unsafe_blocks,
    reason = "every pointer is of a value here, or wrong on purpose"
)]

use core::ptr::{null, null_mut};
use std::vec::Vec;

use super::*;
use crate::status::{
    KCAP_END, KCAP_ERR_BUFFER_TOO_SMALL, KCAP_ERR_INVALID, KCAP_ERR_LENGTH, KCAP_ERR_NULL, KCAP_OK,
};
use crate::testing::{no_error, with_map};

fn range(start: u64, end: u64, kind: kcap_range_kind) -> kcap_range {
    kcap_range { start, end, kind, reserved: 0 }
}

fn ranges(map: *const kcap_memory_map) -> Vec<(u64, u64, kcap_range_kind)> {
    let mut found = Vec::new();
    let mut next = range(0, 0, 0);
    while unsafe { kcap_memory_map_get_range(map, found.len(), &raw mut next) } == KCAP_OK {
        found.push((next.start, next.end, next.kind));
    }
    assert_eq!(found.len(), unsafe { kcap_memory_map_count(map) });
    found
}

#[test]
fn kinds_have_the_numbers_and_names_of_the_crate() {
    let driver_managed = KINDS.iter().map(|&(_, kind)| kind).filter(|kind| !RangeKind::ALL.contains(kind));
    assert_eq!(driver_managed.clone().count(), KINDS.len() - RangeKind::ALL.len());
    for kind in RangeKind::ALL.into_iter().chain(driver_managed) {
        let number = number_of(kind);
        assert_eq!(kind_of(number).unwrap(), kind);
        let name = unsafe { CStr::from_ptr(kcap_range_kind_str(number)) };
        assert_eq!(name.to_str().unwrap(), kind.name());
        assert_eq!(KCAP_RANGES_RAM >> number & 1 == 1, kind.is_ram());
        assert_eq!(KCAP_RANGES_DUMPED >> number & 1 == 1, kind.is_dumped());
    }
    for number in [0, 100, u32::MAX] {
        let failure = kind_of(number).unwrap_err();
        assert_eq!((failure.status, failure.value), (KCAP_ERR_INVALID, number.into()));
        assert_eq!(unsafe { CStr::from_ptr(kcap_range_kind_str(number)) }, c"unknown");
    }
}

#[test]
fn ranges_are_set_and_read_back() {
    with_map(4, |map| unsafe {
        let mut error = no_error();
        for new in [
            range(0x10_0000, 0x4000_0000, KCAP_RANGE_SYSTEM_RAM),
            range(0x1000_0000, 0x1800_0000, KCAP_RANGE_CRASH_KERNEL),
        ] {
            assert_eq!(kcap_memory_map_set(map, &raw const new, &raw mut error), KCAP_OK);
        }
        let low = range(0, 0x20_0000, KCAP_RANGE_RESERVED);
        assert_eq!(kcap_memory_map_add(map, &raw const low, &raw mut error), KCAP_OK);
        let all = [
            (0, 0x10_0000, KCAP_RANGE_RESERVED),
            (0x10_0000, 0x1000_0000, KCAP_RANGE_SYSTEM_RAM),
            (0x1000_0000, 0x1800_0000, KCAP_RANGE_CRASH_KERNEL),
            (0x1800_0000, 0x4000_0000, KCAP_RANGE_SYSTEM_RAM),
        ];
        assert_eq!(ranges(map), all);
        assert_eq!(kcap_memory_map_capacity(map), 4);
        assert_eq!(kcap_memory_map_kind_at(map, 0x1000_0000), KCAP_RANGE_CRASH_KERNEL);
        assert_eq!(kcap_memory_map_kind_at(map, 0x4000_0000), 0);
        assert_eq!(kcap_memory_map_total(map, KCAP_RANGE_CRASH_KERNEL), 0x800_0000);

        let hole = kcap_span { start: 0x2000_0000, end: 0x2000_1000 };
        assert_eq!(kcap_memory_map_remove(map, &raw const hole, &raw mut error), KCAP_ERR_BUFFER_TOO_SMALL);
        assert_eq!(error.value, 5 * 24);
        assert_eq!(ranges(map), all);

        assert_eq!(
            kcap_memory_map_replace_kind(map, KCAP_RANGE_CRASH_KERNEL, KCAP_RANGE_SYSTEM_RAM),
            KCAP_OK
        );
        assert_eq!(kcap_memory_map_count(map), 2);
        assert_eq!(kcap_memory_map_remove(map, &raw const hole, &raw mut error), KCAP_OK);
        assert_eq!(kcap_memory_map_count(map), 3);
        assert_eq!(kcap_memory_map_clear(map), KCAP_OK);
        assert_eq!(kcap_memory_map_count(map), 0);
    });
}

#[test]
fn spans_of_several_kinds_come_as_one() {
    with_map(8, |map| unsafe {
        for new in [
            range(0x1000, 0x2000, KCAP_RANGE_SYSTEM_RAM),
            range(0x2000, 0x3000, KCAP_RANGE_CRASH_KERNEL),
            range(0x3000, 0x4000, KCAP_RANGE_RESERVED),
            range(0x5000, 0x6000, KCAP_RANGE_RESERVED_RAM),
            range(0x7000, 0x8000, KCAP_RANGE_SYSTEM_RAM),
        ] {
            assert_eq!(kcap_memory_map_set(map, &raw const new, null_mut()), KCAP_OK);
        }
        let spans = |kinds| {
            let mut found = Vec::new();
            let (mut from, mut span) = (0, kcap_span::default());
            while kcap_memory_map_next(map, kinds, from, &raw mut span) == KCAP_OK {
                found.push((span.start, span.end));
                from = span.end;
            }
            assert_eq!(kcap_memory_map_next(map, kinds, from, &raw mut span), KCAP_END);
            found
        };
        for (kinds, wanted) in [
            (KCAP_RANGES_RAM, RangeKind::is_ram as fn(RangeKind) -> bool),
            (KCAP_RANGES_DUMPED, RangeKind::is_dumped),
        ] {
            let merged = (*map).map.merged(wanted).map(|span| (span.start.0, span.end.0));
            assert_eq!(spans(kinds), merged.collect::<Vec<_>>());
        }
        assert_eq!(spans(1 << KCAP_RANGE_RESERVED), [(0x3000, 0x4000)]);
        assert_eq!(spans(0), []);
        let mut span = kcap_span::default();
        assert_eq!(kcap_memory_map_next(map, u32::MAX, 0x1800, &raw mut span), KCAP_OK);
        assert_eq!(span, kcap_span { start: 0x1800, end: 0x4000 });
    });
}

#[test]
fn wrong_pointers_and_lengths_are_found() {
    let mut words = [0_u64; 32];
    let at = words.as_mut_ptr();
    let map = at.cast::<kcap_memory_map>();
    let len = kcap_memory_map_size();
    unsafe {
        let mut error = no_error();
        let init = |map, map_len, table, table_len, error| {
            kcap_memory_map_init(map, map_len, table, table_len, error)
        };
        assert_eq!(init(null_mut(), len, at.add(8).cast(), 24, null_mut()), KCAP_ERR_NULL);
        assert_eq!(init(map, 0, at.add(8).cast(), 24, &raw mut error), KCAP_ERR_BUFFER_TOO_SMALL);
        assert_eq!(usize::try_from(error.value), Ok(len));
        assert_eq!(init(map, usize::MAX, at.add(8).cast(), 24, null_mut()), KCAP_ERR_LENGTH);
        assert_eq!(init(map, len, null_mut(), 24, null_mut()), KCAP_ERR_NULL);
        assert_eq!(init(map, len, at.add(8).cast(), usize::MAX, null_mut()), KCAP_ERR_LENGTH);
        assert_eq!(words, [0; 32]);

        let some = range(0, 1, KCAP_RANGE_RESERVED);
        let mut out = range(7, 7, 77);
        let mut span = kcap_span { start: 7, end: 7 };
        assert_eq!(kcap_memory_map_count(null()), 0);
        assert_eq!(kcap_memory_map_capacity(null()), 0);
        assert_eq!(kcap_memory_map_kind_at(null(), 0), 0);
        assert_eq!(kcap_memory_map_total(null(), 1), 0);
        assert_eq!(kcap_memory_map_get_range(null(), 0, &raw mut out), KCAP_ERR_NULL);
        assert_eq!(kcap_memory_map_next(null(), 1, 0, &raw mut span), KCAP_ERR_NULL);
        assert_eq!(kcap_memory_map_set(null_mut(), &raw const some, null_mut()), KCAP_ERR_NULL);
        assert_eq!(kcap_memory_map_add(null_mut(), &raw const some, null_mut()), KCAP_ERR_NULL);
        assert_eq!(kcap_memory_map_remove(null_mut(), &raw const span, null_mut()), KCAP_ERR_NULL);
        assert_eq!(kcap_memory_map_replace_kind(null_mut(), 1, 2), KCAP_ERR_NULL);
        assert_eq!(kcap_memory_map_clear(null_mut()), KCAP_ERR_NULL);
        with_map(0, |map| {
            assert_eq!(kcap_memory_map_set(map, null(), null_mut()), KCAP_ERR_NULL);
            assert_eq!(kcap_memory_map_add(map, null(), null_mut()), KCAP_ERR_NULL);
            assert_eq!(kcap_memory_map_remove(map, null(), null_mut()), KCAP_ERR_NULL);
            assert_eq!(kcap_memory_map_get_range(map, 0, null_mut()), KCAP_ERR_NULL);
            assert_eq!(kcap_memory_map_next(map, 1, 0, null_mut()), KCAP_ERR_NULL);
            assert_eq!(kcap_memory_map_get_range(map, 0, &raw mut out), KCAP_ERR_NOT_FOUND);
            assert_eq!(kcap_memory_map_replace_kind(map, 0, 2), KCAP_ERR_INVALID);
            assert_eq!(kcap_memory_map_set(map, &raw const out, null_mut()), KCAP_ERR_INVALID);
            assert_eq!(kcap_memory_map_set(map, &raw const some, &raw mut error), KCAP_ERR_BUFFER_TOO_SMALL);
            assert_eq!(error.value, 24);
        });
        assert_eq!((out, span), (range(7, 7, 77), kcap_span { start: 7, end: 7 }));
    }
}
