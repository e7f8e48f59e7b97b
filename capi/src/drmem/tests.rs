#![expect(clippy::undocumented_unsafe_blocks, reason = "pointers to values here, or wrong on purpose")]

use core::ptr::{null, null_mut};
use std::vec::Vec;

use super::*;
use crate::map::{KCAP_RANGE_SYSTEM_RAM, kcap_memory_map_set, kcap_range};
use crate::status::{
    KCAP_ERR_BUFFER_TOO_SMALL, KCAP_ERR_CORRUPT, KCAP_ERR_INVALID, KCAP_ERR_LENGTH, KCAP_ERR_NULL,
    KCAP_ERR_UNSUPPORTED, KCAP_OK,
};
use crate::testing::{Memory, Room, no_error, with_map};

const LMB: u64 = 0x1000_0000;

/// A tree with ten LMBs, all there, and room for `room` bytes.
fn tree(room: usize) -> Vec<u8> {
    let words = |words: &[u32]| words.iter().flat_map(|word| word.to_be_bytes()).collect::<Vec<u8>>();
    let mut structure = words(&[1, 0, 1]);
    structure.extend(b"ibm,dynamic-reconfiguration-memory\0\0");
    structure.extend(words(&[3, 8, 0, 0, 0x1000_0000, 3, 28, 13, 1, 10, 0, 0, 0x8000_0000, 0, 8, 2, 2, 9]));
    let strings = b"ibm,lmb-size\0ibm,dynamic-memory-v2\0";
    let (len, strings_len) = (structure.len() as u32, strings.len() as u32);
    let mut blob =
        words(&[0xd00d_feed, 56 + len + strings_len, 56, 56 + len, 40, 17, 16, 0, strings_len, len]);
    blob.extend([0; 16]);
    blob.extend(structure);
    blob.extend(strings);
    blob.resize(blob.len() + room, 0);
    blob
}

fn open(room: &mut Room<kcap_drmem>, blob: &mut [u8]) -> *mut kcap_drmem {
    let (at, len) = (blob.as_mut_ptr(), blob.len());
    let status = unsafe { kcap_drmem_init(room.at(), Room::<kcap_drmem>::LEN, at, len, null_mut()) };
    assert_eq!(status, KCAP_OK);
    room.at()
}

fn release(lmb: u64) -> kcap_lmb_change {
    let base_addr = lmb * LMB;
    let aa_index = KCAP_LMB_NO_ASSOCIATIVITY;
    let clear = KCAP_LMB_ASSIGNED;
    kcap_lmb_change { base_addr, seq_lmbs: 1, clear, set: 0, aa_index, has_aa_index: 1, reserved: 0 }
}

#[test]
fn a_batch_splits_sets_and_says_what_it_needs() {
    let mut blob = tree(200);
    let mut room = Room::new();
    let drmem = open(&mut room, &mut blob);
    let mut work = Memory::new(kcap_drmem_apply_work(2));
    let mut error = no_error();
    let changes = [release(5), release(2)];
    unsafe {
        let len = work.len() - 8;
        let status = kcap_drmem_apply(drmem, changes.as_ptr(), 2, work.at(), len, &raw mut error);
        assert_eq!((status, error.value), (KCAP_ERR_BUFFER_TOO_SMALL, kcap_drmem_apply_work(2) as u64));
        let (at, len) = (work.at(), work.len());
        assert_eq!(kcap_drmem_apply(drmem, changes.as_ptr(), 2, at, len, null_mut()), KCAP_OK);
        let mut sets = Vec::new();
        let mut set = kcap_lmb_set::default();
        while kcap_drmem_get_set(drmem, sets.len(), &raw mut set) == KCAP_OK {
            sets.push((set.base_addr / LMB, set.seq_lmbs, set.drc_index, set.aa_index, set.flags));
        }
        let there = |first: u32, count| (u64::from(first), count, 0x8000_0000 + first, 0, 8);
        let gone = |at: u32| (u64::from(at), 1, 0x8000_0000 + at, u32::MAX, 0);
        assert_eq!(sets, [there(0, 2), gone(2), there(3, 2), gone(5), there(6, 4)]);
        assert_eq!((kcap_drmem_set_count(drmem), kcap_drmem_lmb_count(drmem)), (5, 10));
        assert_eq!(kcap_drmem_find(drmem, 5 * LMB + 7, &raw mut set), KCAP_OK);
        assert_eq!((set.base_addr, set.seq_lmbs, set.flags), (5 * LMB, 1, 0));
        assert_eq!(kcap_drmem_find_drc(drmem, 0x8000_0009, &raw mut set), KCAP_OK);
        assert_eq!(set.base_addr, 9 * LMB);
        let missing = [release(10)];
        let status = kcap_drmem_apply(drmem, missing.as_ptr(), 1, at, len, &raw mut error);
        assert_eq!((status, error.value), (KCAP_ERR_NOT_FOUND, 10 * LMB));
        let twice = [release(1), release(1)];
        assert_eq!(kcap_drmem_apply(drmem, twice.as_ptr(), 2, at, len, null_mut()), KCAP_ERR_UNSUPPORTED);
        assert_eq!(kcap_drmem_find(drmem, 10 * LMB, &raw mut set), KCAP_ERR_NOT_FOUND);
        assert_eq!(kcap_drmem_find_drc(drmem, 1, &raw mut set), KCAP_ERR_NOT_FOUND);
    }
}

#[test]
fn layouts_and_usable_memory() {
    let before = tree(0);
    let mut blob = before.clone();
    let mut room = Room::new();
    let drmem = open(&mut room, &mut blob);
    let mut error = no_error();
    unsafe {
        assert_eq!(kcap_drmem_convert(drmem, 3, null_mut()), KCAP_ERR_INVALID);
        assert_eq!(kcap_drmem_convert(drmem, KCAP_DRMEM_V1, &raw mut error), KCAP_ERR_BUFFER_TOO_SMALL);
    }
    assert_eq!(blob, before);
    blob.resize(usize::try_from(error.value).unwrap() + 400, 0);
    let drmem = open(&mut room, &mut blob);
    unsafe {
        assert_eq!(kcap_drmem_get_layout(drmem), KCAP_DRMEM_V2);
        assert_eq!(kcap_drmem_convert(drmem, KCAP_DRMEM_V1, null_mut()), KCAP_OK);
        assert_eq!((kcap_drmem_get_layout(drmem), kcap_drmem_set_count(drmem)), (KCAP_DRMEM_V1, 10));
        assert_eq!(kcap_drmem_lmb_size(drmem), LMB);
        let len = kcap_drmem_tree_len(drmem);
        with_map(1, |map| {
            let range = kcap_range { start: LMB, end: LMB + 4096, kind: KCAP_RANGE_SYSTEM_RAM, reserved: 0 };
            assert_eq!(kcap_memory_map_set(map, &raw const range, null_mut()), KCAP_OK);
            assert_eq!(kcap_drmem_set_usable(drmem, map, null_mut()), KCAP_OK);
        });
        assert!(kcap_drmem_tree_len(drmem) >= len + 10 * 8 + 16);
        assert_eq!(kcap_drmem_set_usable(drmem, null(), null_mut()), KCAP_OK);
        assert_eq!(kcap_drmem_convert(drmem, KCAP_DRMEM_V2, null_mut()), KCAP_OK);
        assert_eq!(kcap_drmem_set_count(drmem), 1);
    }
    let usable = b"\0\0\0\0\0\0\0\x01\0\0\0\0\x10\0\0\0\0\0\0\0\0\0\x10\0";
    assert!(!blob.windows(usable.len()).any(|window| window == usable));
}

#[test]
fn wrong_pointers_and_trees_are_found() {
    let mut blob = tree(0);
    let (at, len) = (blob.as_mut_ptr(), blob.len());
    let mut room = Room::<kcap_drmem>::new();
    let object = Room::<kcap_drmem>::LEN;
    unsafe {
        assert_eq!(kcap_drmem_init(null_mut(), object, at, len, null_mut()), KCAP_ERR_NULL);
        assert_eq!(kcap_drmem_init(room.at(), object, null_mut(), 1, null_mut()), KCAP_ERR_NULL);
        assert_eq!(kcap_drmem_init(room.at(), object, at, usize::MAX, null_mut()), KCAP_ERR_LENGTH);
        assert_eq!(kcap_drmem_init(room.at(), object - 1, at, len, null_mut()), KCAP_ERR_BUFFER_TOO_SMALL);
        assert_eq!(kcap_drmem_init(room.at(), object, at, 40, null_mut()), KCAP_ERR_CORRUPT);
        assert!(room.untouched());
        assert_eq!((kcap_drmem_get_layout(null()), kcap_drmem_lmb_size(null())), (0, 0));
        assert_eq!((kcap_drmem_lmb_count(null()), kcap_drmem_set_count(null())), (0, 0));
        assert_eq!(kcap_drmem_tree_len(null()), 0);
        let drmem = open(&mut room, &mut blob);
        for drmem in [drmem.cast_const(), null()] {
            assert_eq!(kcap_drmem_get_set(drmem, 0, null_mut()), KCAP_ERR_NULL);
            assert_eq!(kcap_drmem_find(drmem, 0, null_mut()), KCAP_ERR_NULL);
            assert_eq!(kcap_drmem_find_drc(drmem, 0x8000_0000, null_mut()), KCAP_ERR_NULL);
        }
        assert_eq!(kcap_drmem_apply(drmem, null(), 1, null_mut(), 0, null_mut()), KCAP_ERR_NULL);
        assert_eq!(kcap_drmem_apply(drmem, null(), 0, null_mut(), 0, null_mut()), KCAP_OK);
        assert_eq!(kcap_drmem_convert(null_mut(), KCAP_DRMEM_V1, null_mut()), KCAP_ERR_NULL);
        assert_eq!(kcap_drmem_set_usable(null_mut(), null(), null_mut()), KCAP_ERR_NULL);
    }
}
