//! Regions and callbacks as memory.

use core::ptr::{null, null_mut};
use std::vec::Vec;

use testkit::kdump_of;

use super::*;
use crate::callback::{KCAP_FAULT_EXCLUDED, KCAP_FAULT_HOLE, KCAP_FAULT_LOST};
use crate::error::*;
use crate::kdump::{kcap_kdump_init, kcap_kdump_work};
use crate::status::*;
use crate::testing::{Memory as Work, Room, input, machine};

const LEN: usize = Room::<kcap_memory>::LEN;

#[test]
fn regions_are_read_in_place() {
    let (low, high) = (std::vec![1_u8; 4096], std::vec![2_u8; 100]);
    let region =
        |start, bytes: &Vec<u8>| kcap_memory_region { start, bytes: bytes.as_ptr(), len: bytes.len() };
    let regions = [region(0x1000, &low), region(0x8000, &high)];
    let reversed = [regions[1], regions[0]];
    let (mut memory, mut again) = (Room::<kcap_memory>::new(), Room::<kcap_memory>::new());
    let mut work = Work::new(kcap_memory_regions_work(2));
    let mut page = [9; 4096];
    // SAFETY: all pointers are to what they say, or NULL.
    unsafe {
        let (at, table, table_len) = (memory.at(), work.at(), work.len());
        let init = |memory, len, regions: *const kcap_memory_region, count, page_bytes, work, work_len| {
            kcap_memory_init_regions(memory, len, regions, count, page_bytes, work, work_len, null_mut())
        };
        let two = regions.as_ptr();
        assert_eq!(init(at, LEN, reversed.as_ptr(), 2, 4096, table, table_len), KCAP_ERR_CORRUPT);
        assert_eq!(init(at, LEN, two, 2, 4000, table, table_len), KCAP_ERR_INVALID);
        assert_eq!(init(at, LEN, two, 2, 4096, table, table_len - 8), KCAP_ERR_BUFFER_TOO_SMALL);
        assert_eq!(init(at, LEN, two, 2, 4096, null_mut(), table_len), KCAP_ERR_NULL);
        assert_eq!(init(at, LEN, null(), 2, 4096, table, table_len), KCAP_ERR_NULL);
        assert_eq!(init(at, LEN, two, usize::MAX, 4096, table, table_len), KCAP_ERR_LENGTH);
        assert_eq!(init(at, LEN, two, 2, 4096, table, usize::MAX), KCAP_ERR_LENGTH);
        assert_eq!(init(at, 0, two, 2, 4096, table, table_len), KCAP_ERR_BUFFER_TOO_SMALL);
        assert_eq!(init(null_mut(), LEN, two, 2, 4096, table, table_len), KCAP_ERR_NULL);
        assert!(memory.untouched());
        assert_eq!(init(memory.at(), LEN, two, 2, 4096, table, table_len), KCAP_OK);
        let at = memory.at();
        assert_eq!(
            (kcap_memory_page_size(at), kcap_memory_end(at), kcap_memory_again_work(at)),
            (4096, 9, 0)
        );
        assert_eq!(kcap_memory_init_again(again.at(), LEN, at, null_mut(), 0, null_mut()), KCAP_OK);
        assert_eq!(kcap_memory_read(again.at(), 0x8000, page.as_mut_ptr(), 4096, null_mut()), KCAP_OK);
        assert!(page[..100] == [2; 100] && page[100..] == [0; 3996]);
        assert_eq!(kcap_memory_read(at, 0x2000, page.as_mut_ptr(), 1, null_mut()), KCAP_ERR_HOLE);
        assert_eq!(kcap_memory_bytes(at, 0x1010, 16), low.as_ptr().add(16));
        assert_eq!(kcap_memory_bytes(at, 0x1010, 4096), null());
        let mut run = kcap_pfn_range::default();
        assert_eq!(kcap_memory_next_known(at, 2, &raw mut run, null_mut()), KCAP_OK);
        assert_eq!(run, kcap_pfn_range { start: 8, end: 9 });
        assert_eq!(kcap_memory_next_held(at, 9, &raw mut run, null_mut()), KCAP_END);
        assert_eq!(run, kcap_pfn_range { start: 8, end: 9 });
        assert_eq!(kcap_memory_next_known(null_mut(), 0, &raw mut run, null_mut()), KCAP_ERR_NULL);
        assert_eq!(kcap_memory_next_held(at, 0, null_mut(), null_mut()), KCAP_ERR_NULL);
        assert_eq!(kcap_memory_read(null_mut(), 0, page.as_mut_ptr(), 1, null_mut()), KCAP_ERR_NULL);
        assert_eq!(kcap_memory_read(at, 0x1000, null_mut(), 1, null_mut()), KCAP_ERR_NULL);
        assert_eq!(kcap_memory_read(at, 0x1000, page.as_mut_ptr(), usize::MAX, null_mut()), KCAP_ERR_LENGTH);
        assert_eq!(kcap_memory_init_again(again.at(), LEN, null(), null_mut(), 0, null_mut()), KCAP_ERR_NULL);
    }
}

/// Page 1 is there, 2 to 4 fail each in its way.
unsafe extern "C" fn read(_: *mut c_void, addr: u64, buf: *mut u8, len: usize) -> i32 {
    match addr >> 12 {
        1 => {
            ptr::slice_mut(buf, len).unwrap().fill(7);
            0
        }
        2 => KCAP_FAULT_EXCLUDED,
        3 => KCAP_FAULT_LOST,
        4 => -5,
        _ => KCAP_FAULT_HOLE,
    }
}

unsafe extern "C" fn next_known(_: *mut c_void, from: u64, start: *mut u64, end: *mut u64) -> i32 {
    // SAFETY: the library's own pointers.
    unsafe { (*start, *end) = (from.max(1), from.max(5)) };
    0
}

#[test]
fn callbacks_say_why() {
    let table = kcap_phys_memory {
        ctx: null_mut(),
        page_size: 4096,
        read: Some(read),
        view: None,
        next_known: Some(next_known),
        next_held: None,
    };
    let mut memory = Room::<kcap_memory>::new();
    let mut error = Room::<kcap_error>::new();
    let mut byte = 0;
    // SAFETY: all pointers are to what they say, or NULL; the error's size is set first.
    unsafe {
        (*error.at()).size = size_of::<kcap_error>();
        let init = |memory, len, table: &kcap_phys_memory| {
            kcap_memory_init_callbacks(memory, len, &raw const *table, null_mut())
        };
        let at = memory.at();
        assert_eq!(init(at, LEN, &kcap_phys_memory { page_size: 5, ..table }), KCAP_ERR_INVALID);
        assert_eq!(init(at, LEN, &kcap_phys_memory { read: None, ..table }), KCAP_ERR_NULL);
        assert_eq!(init(at, LEN, &kcap_phys_memory { next_known: None, ..table }), KCAP_ERR_NULL);
        assert_eq!(init(at, 0, &table), KCAP_ERR_BUFFER_TOO_SMALL);
        assert_eq!(kcap_memory_init_callbacks(at, LEN, null(), null_mut()), KCAP_ERR_NULL);
        assert!(memory.untouched());
        assert_eq!(init(memory.at(), LEN, &table), KCAP_OK);
        let expected = [KCAP_ERR_HOLE, KCAP_OK, KCAP_ERR_EXCLUDED, KCAP_ERR_LOST, KCAP_ERR_IO, KCAP_ERR_HOLE];
        for (pfn, status) in (0..).zip(expected) {
            let got = kcap_memory_read(memory.at(), pfn << 12, &raw mut byte, 1, error.at());
            assert_eq!(got, status, "{pfn}");
            if status == KCAP_ERR_IO {
                assert_eq!((*error.at()).code, -5);
            }
        }
        assert_eq!(byte, 7);
        let mut run = kcap_pfn_range::default();
        assert_eq!(kcap_memory_next_held(memory.at(), 3, &raw mut run, null_mut()), KCAP_OK);
        assert_eq!(run, kcap_pfn_range { start: 3, end: 5 });
        assert_eq!(kcap_memory_next_known(memory.at(), 5, &raw mut run, null_mut()), KCAP_END);
    }
}

#[test]
fn a_kdump_file_is_read_again_for_another_thread() {
    let machine = machine();
    let whole = kdump_of(machine, 31);
    let inputs = [&raw const *input(whole.to_vec())];
    let (mut kdump, mut work) = (Room::<kcap_kdump>::new(), Work::new(kcap_kdump_work(1)));
    let (mut memory, mut again) = (Room::<kcap_memory>::new(), Room::<kcap_memory>::new());
    let mut page = [0_u8; 4096];
    // SAFETY: all pointers are to what they say, or NULL.
    unsafe {
        let len = Room::<kcap_kdump>::LEN;
        let opened =
            kcap_kdump_init(kdump.at(), len, inputs.as_ptr(), 1, 0, work.at(), work.len(), null_mut());
        assert_eq!(opened, KCAP_OK);
        let mut pages = Work::new(kcap_memory_kdump_work(kdump.at()));
        let made = kcap_memory_init_kdump(memory.at(), LEN, kdump.at(), pages.at(), pages.len(), null_mut());
        assert_eq!(made, KCAP_OK);
        let at = memory.at();
        assert_eq!((kcap_memory_end(at), kcap_memory_page_size(at)), (machine.max_pfn(), 4096));
        assert_eq!(kcap_memory_again_work(at), pages.len());
        let mut more = Work::new(kcap_memory_again_work(at));
        let (table, table_len) = (more.at(), more.len());
        let init = |again, len, other, work, work_len| {
            kcap_memory_init_again(again, len, other, work, work_len, null_mut())
        };
        assert_eq!(init(again.at(), LEN, at, table, 4096), KCAP_ERR_BUFFER_TOO_SMALL);
        assert_eq!(init(again.at(), LEN, at, null_mut(), table_len), KCAP_ERR_NULL);
        assert_eq!(init(again.at(), LEN, at, table, usize::MAX), KCAP_ERR_LENGTH);
        assert_eq!(init(again.at(), 0, at, table, table_len), KCAP_ERR_BUFFER_TOO_SMALL);
        assert!(again.untouched());
        assert_eq!(init(again.at(), LEN, at, table, table_len), KCAP_OK);
        // What the first was made in is not used by the second.
        (kdump, memory) = (Room::new(), Room::new());
        pages.0.fill(0);
        assert!(kdump.untouched() && memory.untouched());
        for &pfn in whole.pages.keys() {
            assert_eq!(kcap_memory_read(again.at(), pfn << 12, page.as_mut_ptr(), 4096, null_mut()), KCAP_OK);
            assert_eq!(page[..], machine.content(pfn), "{pfn:#x}");
        }
    }
}
