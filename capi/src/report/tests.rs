//! What a dump tells of itself, and of pages that it could not read.

use core::ffi::c_void;
use core::ptr::{null, null_mut};
use std::vec::Vec;

use testkit::Kind;

use super::*;
use crate::callback::{KCAP_FAULT_LOST, kcap_phys_memory};
use crate::chunk::*;
use crate::dump::*;
use crate::filter::{KCAP_DOUBT_NONE, KCAP_KIND_FREE, KCAP_KIND_SLAB, KCAP_KIND_USER};
use crate::memory::{kcap_memory, kcap_memory_init_callbacks};
use crate::status::*;
use crate::testing::{Memory, Room, Setup, input, machine, output, sized, vmcore};

#[test]
fn pages_are_counted_by_kind() {
    let machine = machine();
    let mut setup = Setup::new(input(vmcore()));
    let (mut dumper, _work) = setup.dumper(31);
    let (at, memory) = (dumper.at(), setup.memory.at());
    let (mut counts, mut findings): (kcap_counts, kcap_findings) = (sized(), sized());
    let mut progress = kcap_progress::default();
    let mut file = Vec::new();
    let out = output(&mut file);
    // SAFETY: all pointers are to what they say, or NULL.
    unsafe {
        assert_eq!(kcap_dumper_get_findings(at, &raw mut findings), KCAP_ERR_NOT_FOUND);
        assert_eq!(kcap_dumper_get_progress(at, &raw mut progress), KCAP_OK);
        assert_eq!((progress.phase, progress.done), (KCAP_PHASE_SCAN, 0));
        while kcap_dumper_step(at, memory, &raw const out, null_mut(), null_mut()) == KCAP_OK {}
        assert_eq!(kcap_dumper_get_progress(at, &raw mut progress), KCAP_OK);
        assert_eq!(progress.phase, KCAP_PHASE_FINISHED);
        assert_eq!(kcap_dumper_get_progress(null(), &raw mut progress), KCAP_ERR_NULL);
        assert_eq!(kcap_dumper_get_progress(at, null_mut()), KCAP_ERR_NULL);
        assert_eq!(kcap_dumper_get_counts(at, &raw mut counts), KCAP_OK);
        assert_eq!(kcap_dumper_get_findings(at, &raw mut findings), KCAP_OK);
        assert_eq!(kcap_dumper_get_counts(null(), &raw mut counts), KCAP_ERR_NULL);
        assert_eq!(kcap_dumper_get_counts(at, null_mut()), KCAP_ERR_NULL);
        assert_eq!(kcap_dumper_get_findings(null(), &raw mut findings), KCAP_ERR_NULL);
        assert_eq!(kcap_dumper_get_findings(at, null_mut()), KCAP_ERR_NULL);
        let mut short: kcap_counts = sized();
        short.size = 0;
        assert_eq!(kcap_dumper_get_counts(at, &raw mut short), KCAP_ERR_LENGTH);
    }
    assert_eq!(counts.total, machine.pfns().len() as u64);
    for (number, kind) in
        [(KCAP_KIND_FREE, Kind::Free), (KCAP_KIND_SLAB, Kind::Slab), (KCAP_KIND_USER, Kind::User)]
    {
        let expected = machine.pfns().iter().filter(|&&pfn| machine.kind_by_use(pfn) == kind).count();
        assert_eq!(counts.pages[number as usize], expected as u64, "{kind:?}");
        let left_out = if kind == Kind::Slab { 0 } else { expected as u64 };
        assert_eq!(counts.left_out[number as usize], left_out, "{kind:?}");
    }
    assert_eq!((findings.doubt, findings.no_mem_map.reason), (KCAP_DOUBT_NONE, 0));
}

unsafe extern "C" fn lost(_: *mut c_void, _: u64, _: *mut u8, _: usize) -> i32 {
    KCAP_FAULT_LOST
}

unsafe extern "C" fn all(_: *mut c_void, from: u64, start: *mut u64, end: *mut u64) -> i32 {
    // SAFETY: the library's own pointers.
    unsafe { (*start, *end) = (from, from + 1) };
    0
}

/// A chunk whose pages no reader can read any more: they are lost, and named.
#[test]
fn pages_that_cannot_be_read_are_named() {
    let mut setup = Setup::new(input(vmcore()));
    let (mut dumper, _work) = setup.dumper(31);
    let (at, memory) = (dumper.at(), setup.memory.at());
    let broken = kcap_phys_memory {
        ctx: null_mut(),
        page_size: 4096,
        read: Some(lost),
        view: None,
        next_known: Some(all),
        next_held: None,
    };
    let (mut unreadable, mut chunk, mut encoded) =
        (Room::<kcap_memory>::new(), Room::<kcap_chunk>::new(), Room::<kcap_encoded>::new());
    let (mut params, mut facts, mut fault) = (sized(), kcap_chunk_facts::default(), kcap_fault::default());
    let mut file = Vec::new();
    let out = output(&mut file);
    // SAFETY: all pointers are to what they say, or NULL.
    unsafe {
        let len = Room::<kcap_memory>::LEN;
        assert_eq!(kcap_memory_init_callbacks(unreadable.at(), len, &raw const broken, null_mut()), KCAP_OK);
        assert_eq!(kcap_dumper_get_params(at, &raw mut params), KCAP_OK);
        let mut next = KCAP_NEXT_AGAIN;
        let len = Room::<kcap_chunk>::LEN;
        while next == KCAP_NEXT_AGAIN {
            let got = kcap_dumper_next_chunk(
                at,
                memory,
                &raw const out,
                chunk.at(),
                len,
                &raw mut next,
                null_mut(),
            );
            assert_eq!(got, KCAP_OK);
        }
        assert_eq!(next, KCAP_NEXT_CHUNK);
        assert_eq!(kcap_chunk_get_facts(chunk.at(), &raw mut facts), KCAP_OK);
        let (mut scratch, mut bytes) =
            (Memory::new(params.scratch_bytes as usize), Memory::new(params.out_bytes as usize));
        let (space, space_len, buf, buf_len) = (scratch.at(), scratch.len(), bytes.at().cast(), bytes.len());
        let (reader, len) = (unreadable.at(), Room::<kcap_encoded>::LEN);
        let packed = kcap_chunk_encode(
            chunk.at(),
            &raw const params,
            reader,
            space,
            space_len,
            buf,
            buf_len,
            encoded.at(),
            len,
            null_mut(),
        );
        assert_eq!(packed, KCAP_OK);
        assert_eq!(kcap_encoded_get_fault(encoded.at(), 0, &raw mut fault), KCAP_OK);
        let lowest = facts.pages.iter().position(|&word| word != 0).unwrap();
        let first = facts.first + 64 * lowest as u64 + u64::from(facts.pages[lowest].trailing_zeros());
        assert_eq!((fault.pfn, fault.status), (first, KCAP_ERR_LOST));
        assert_eq!(kcap_encoded_get_fault(encoded.at(), usize::MAX, &raw mut fault), KCAP_ERR_NOT_FOUND);
        assert_eq!(kcap_encoded_get_fault(null(), 0, &raw mut fault), KCAP_ERR_NULL);
        assert_eq!(kcap_encoded_get_fault(encoded.at(), 0, null_mut()), KCAP_ERR_NULL);
        let len = kcap_encoded_bytes(encoded.at());
        let output = &raw const out;
        let commit = kcap_dumper_commit_chunk(at, chunk.at(), encoded.at(), buf, len, output, null_mut());
        assert_eq!(commit, KCAP_OK);
        let mut report: kcap_report = sized();
        assert_eq!(kcap_dumper_get_report(at, &raw mut report), KCAP_OK);
        assert_eq!((report.lost, report.outcome), (facts.count, KCAP_OUTCOME_INCOMPLETE));
        assert_eq!((report.faults[0].pfn, report.faults[0].status), (first, KCAP_ERR_LOST));
        assert_eq!(kcap_dumper_abandon(at, output, null_mut()), KCAP_OK);
    }
}
