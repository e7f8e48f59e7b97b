//! A split set, opened in any order, joined, and with a gap.

use core::ptr::{null, null_mut};
use std::vec::Vec;

use testkit::kdump_of;

use super::*;
use crate::status::*;
use crate::testing::{Memory, Room, input, machine, output};

fn open(inputs: &[*const kcap_read_at], flags: u32) -> (Room<kcap_kdump>, Memory, kcap_status) {
    let (mut kdump, mut work) = (Room::<kcap_kdump>::new(), Memory::new(kcap_kdump_work(inputs.len())));
    let len = Room::<kcap_kdump>::LEN;
    // SAFETY: all pointers are to what they say.
    let status = unsafe {
        let count = inputs.len();
        kcap_kdump_init(kdump.at(), len, inputs.as_ptr(), count, flags, work.at(), work.len(), null_mut())
    };
    (kdump, work, status)
}

#[test]
fn a_split_set_is_read_and_joined() {
    let machine = machine();
    let whole = kdump_of(machine, 31);
    let end = machine.max_pfn();
    let third = (end / 3) & !63;
    let files = whole.split(&[0..third, third..2 * third, 2 * third..end]);
    let inputs: Vec<_> = files.into_iter().map(|file| &raw const *input(file)).collect();
    let shuffled = [inputs[2], inputs[0], inputs[1]];
    let (mut kdump, _work, status) = open(&shuffled, 0);
    assert_eq!(status, KCAP_OK);
    let mut joined = Vec::new();
    // SAFETY: all pointers are to what they say; sizes of structs are set first.
    unsafe {
        let mut header = Room::<kcap_kdump_header>::new();
        (*header.at()).size = size_of::<kcap_kdump_header>();
        assert_eq!(kcap_kdump_get_header(kdump.at(), header.at()), KCAP_OK);
        let told = *header.at();
        assert_eq!((told.max_mapnr, told.parts, told.header_version, told.split), (end, 3, 6, 1));
        assert_eq!(
            (told.block_size, told.dump_level, told.bits, told.model),
            (4096, 31, 64, KCAP_MODEL_LP64)
        );
        let mut part = Room::<kcap_kdump_part>::new();
        (*part.at()).size = size_of::<kcap_kdump_part>();
        for (number, input) in inputs.iter().enumerate() {
            assert_eq!(kcap_kdump_get_part(kdump.at(), number, part.at()), KCAP_OK);
            assert_eq!((*part.at()).input, *input);
            assert_eq!((*part.at()).pfns.start, number as u64 * third);
        }
        assert_eq!(kcap_kdump_get_part(kdump.at(), 3, part.at()), KCAP_ERR_NOT_FOUND);
        let mut region = kcap_kdump_region::default();
        assert_eq!(kcap_kdump_get_region(kdump.at(), KCAP_KDUMP_VMCOREINFO, &raw mut region), KCAP_OK);
        let mut text = std::vec![0; usize::try_from(region.len).unwrap()];
        let file = usize::try_from(region.part).unwrap();
        let read =
            kcap_kdump_read(kdump.at(), file, region.offset, text.as_mut_ptr(), text.len(), null_mut());
        assert_eq!((read, text), (KCAP_OK, machine.vmcoreinfo().into_bytes()));
        assert_eq!(
            kcap_kdump_get_region(kdump.at(), KCAP_KDUMP_ERASEINFO, &raw mut region),
            KCAP_ERR_NOT_FOUND
        );
        assert_eq!(kcap_kdump_get_region(kdump.at(), 3, &raw mut region), KCAP_ERR_INVALID);
        let mut count = 0;
        assert_eq!(kcap_kdump_held_below(kdump.at(), u64::MAX, &raw mut count, null_mut()), KCAP_OK);
        assert_eq!(count, whole.pages.len() as u64);
        let mut run = kcap_pfn_range::default();
        let mut known = Vec::new();
        while kcap_kdump_next_known(kdump.at(), run.end, &raw mut run, null_mut()) == KCAP_OK {
            known.extend(run.start..run.end);
        }
        assert_eq!(known, machine.pfns());
        let (mut number, mut desc) = (9, kcap_page_desc::default());
        let some = *whole.pages.keys().last().unwrap();
        let found = kcap_kdump_get_page_desc(kdump.at(), some, &raw mut number, &raw mut desc, null_mut());
        assert_eq!((found, number), (KCAP_OK, 2));
        let found = kcap_kdump_get_page_desc(kdump.at(), end, &raw mut number, &raw mut desc, null_mut());
        assert_eq!(found, KCAP_ERR_NOT_FOUND);

        let mut join = Room::<kcap_kdump_join>::new();
        let mut work = Memory::new(kcap_kdump_work(3));
        let len = Room::<kcap_kdump_join>::LEN;
        let begun = kcap_kdump_join_init(join.at(), len, kdump.at(), work.at(), work.len(), null_mut());
        assert_eq!(begun, KCAP_OK);
        let out = output(&mut joined);
        let mut buf = [0_u8; 5000];
        let mut step =
            |len| kcap_kdump_join_step(join.at(), &raw const out, buf.as_mut_ptr(), len, null_mut());
        assert_eq!(step(463), KCAP_ERR_BUFFER_TOO_SMALL);
        while step(5000) == KCAP_OK {}
        assert_eq!(step(5000), KCAP_END);
    }
    let inputs = [&raw const *input(joined)];
    let (mut kdump, _work, status) = open(&inputs, 0);
    assert_eq!(status, KCAP_OK);
    let (mut run, mut held) = (kcap_pfn_range::default(), Vec::new());
    // SAFETY: all pointers are to what they say.
    while unsafe { kcap_kdump_next_held(kdump.at(), run.end, &raw mut run, null_mut()) } == KCAP_OK {
        held.extend(run.start..run.end);
    }
    assert_eq!(held, whole.pages.into_keys().collect::<Vec<_>>());
}

#[test]
fn a_missing_file_needs_the_flag() {
    let machine = machine();
    let end = machine.max_pfn();
    let files = kdump_of(machine, 31).split(&[0..1024, 1024..end]);
    let first = [&raw const *input(files[0].clone())];
    let (kdump, _work, status) = open(&first, 0);
    assert_eq!(status, KCAP_ERR_UNSUPPORTED);
    assert!(kdump.untouched());
    assert_eq!(open(&first, KCAP_KDUMP_GAPS).2, KCAP_OK);
    assert_eq!(open(&first, 2).2, KCAP_ERR_INVALID);
    assert_eq!(open(&[], 0).2, KCAP_ERR_INVALID);
    assert_eq!(open(&[null()], 0).2, KCAP_ERR_NULL);
}

#[test]
fn null_and_lengths_are_found() {
    let machine = machine();
    let inputs = [&raw const *input(kdump_of(machine, 31).to_vec())];
    let (mut kdump, mut work) = (Room::<kcap_kdump>::new(), Memory::new(kcap_kdump_work(1)));
    let (memory, memory_len, len) = (work.at(), work.len(), Room::<kcap_kdump>::LEN);
    // SAFETY: all pointers are to what they say, or NULL.
    unsafe {
        let init = |kdump, len, inputs, count, work, work_len| {
            kcap_kdump_init(kdump, len, inputs, count, 0, work, work_len, null_mut())
        };
        let (at, files) = (kdump.at(), inputs.as_ptr());
        assert_eq!(init(null_mut(), len, files, 1, memory, memory_len), KCAP_ERR_NULL);
        assert_eq!(init(at, len, null(), 1, memory, memory_len), KCAP_ERR_NULL);
        assert_eq!(init(at, len, files, 1, null_mut(), memory_len), KCAP_ERR_NULL);
        assert_eq!(init(at, 0, files, 1, memory, memory_len), KCAP_ERR_BUFFER_TOO_SMALL);
        assert_eq!(init(at, usize::MAX, files, 1, memory, memory_len), KCAP_ERR_LENGTH);
        assert_eq!(init(at, len, files, usize::MAX, memory, memory_len), KCAP_ERR_LENGTH);
        assert_eq!(init(at, len, files, 1, memory, 0), KCAP_ERR_BUFFER_TOO_SMALL);
        assert_eq!(init(at, len, files, 1, memory, usize::MAX), KCAP_ERR_LENGTH);
        assert!(kdump.untouched());
        assert_eq!(kcap_kdump_get_header(null(), null_mut()), KCAP_ERR_NULL);
        assert_eq!(kcap_kdump_get_part(null(), 0, null_mut()), KCAP_ERR_NULL);
        assert_eq!(kcap_kdump_get_region(null(), 0, null_mut()), KCAP_ERR_NULL);
        assert_eq!(kcap_kdump_next_known(null_mut(), 0, null_mut(), null_mut()), KCAP_ERR_NULL);
        assert_eq!(kcap_kdump_next_held(null_mut(), 0, null_mut(), null_mut()), KCAP_ERR_NULL);
        assert_eq!(kcap_kdump_held_below(null_mut(), 0, null_mut(), null_mut()), KCAP_ERR_NULL);
        assert_eq!(kcap_kdump_read(null(), 0, 0, null_mut(), 0, null_mut()), KCAP_ERR_NULL);
        assert_eq!(
            kcap_kdump_get_page_desc(null_mut(), 0, null_mut(), null_mut(), null_mut()),
            KCAP_ERR_NULL
        );
        assert_eq!(kcap_kdump_join_get_progress(null(), null_mut()), KCAP_ERR_NULL);
    }
}
