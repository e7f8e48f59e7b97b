//! The whole path through the C functions, against what the synthetic machine says.

use core::ptr::{null, null_mut};
use std::collections::BTreeSet;
use std::vec::Vec;

use testkit::Machine;

use super::*;
use crate::chunk::*;
use crate::codec::KCAP_COMPRESSION_ZLIB;
use crate::error::*;
use crate::kdump::{kcap_kdump, kcap_kdump_init, kcap_kdump_next_held, kcap_kdump_work};
use crate::machine::kcap_pfn_range;
use crate::memory::{
    kcap_memory_init_again, kcap_memory_init_kdump, kcap_memory_kdump_work, kcap_memory_read,
};
use crate::report::*;
use crate::status::*;
use crate::testing::{Memory, Room, full, input, machine, output, vmcore};
use crate::testing::{Setup, WORK};

/// Miri takes seconds for a page of zlib's, and a second for one of LZO's.
const CODEC: u32 = if cfg!(miri) { 0 } else { KCAP_COMPRESSION_ZLIB };

impl Setup {
    fn dump(&mut self, options: &kcap_dump_options) -> (Dump, kcap_status) {
        let mut dump = Dump { dumper: Room::new(), work: Memory::new(WORK << options.share_duplicates) };
        let (dumper, len) = (dump.dumper.at(), Room::<kcap_dumper>::LEN);
        let (source, kernel) = (self.source.at(), self.kernel.at());
        let (work, work_len) = (dump.work.at(), dump.work.len());
        // SAFETY: all pointers are to what they say.
        let status =
            unsafe { kcap_dumper_init(dumper, len, source, kernel, options, work, work_len, null_mut()) };
        (dump, status)
    }
}

/// A dumper and its memory.
struct Dump {
    dumper: Room<kcap_dumper>,
    work: Memory,
}

/// A dumper of what `setup` says.
fn ready(setup: &mut Setup, options: &kcap_dump_options) -> Dump {
    let (dump, status) = setup.dump(options);
    assert_eq!(status, KCAP_OK);
    dump
}

fn options(level: u32, compression: u32) -> kcap_dump_options {
    let size = size_of::<kcap_dump_options>();
    kcap_dump_options {
        size,
        level,
        compression,
        format: 0,
        split_part: 0,
        split_parts: 0,
        fast: 0,
        limit: 0,
        share_duplicates: 0,
        reserved: 0,
    }
}

fn report(dumper: *const kcap_dumper) -> kcap_report {
    let mut report = Room::<kcap_report>::new();
    // SAFETY: the report is integers, and its size is set first.
    unsafe {
        report.at().write_bytes(0, 1);
        (*report.at()).size = size_of::<kcap_report>();
        assert_eq!(kcap_dumper_get_report(dumper, report.at()), KCAP_OK);
        *report.at()
    }
}

/// The page frames that a kdump-compressed file holds, and whether each reads as the machine's.
fn held(machine: &Machine, file: Vec<u8>) -> BTreeSet<u64> {
    let inputs = [&raw const *input(file)];
    let (mut kdump, mut work) = (Room::<kcap_kdump>::new(), Memory::new(kcap_kdump_work(1)));
    let mut memory = Room::<kcap_memory>::new();
    let mut found = BTreeSet::new();
    // SAFETY: all pointers are to what they say.
    unsafe {
        let len = Room::<kcap_kdump>::LEN;
        let opened =
            kcap_kdump_init(kdump.at(), len, inputs.as_ptr(), 1, 0, work.at(), work.len(), null_mut());
        assert_eq!(opened, KCAP_OK);
        let mut pages = Memory::new(kcap_memory_kdump_work(kdump.at()));
        let len = Room::<kcap_memory>::LEN;
        let opened =
            kcap_memory_init_kdump(memory.at(), len, kdump.at(), pages.at(), pages.len(), null_mut());
        assert_eq!(opened, KCAP_OK);
        let mut run = kcap_pfn_range::default();
        while kcap_kdump_next_held(kdump.at(), run.end, &raw mut run, null_mut()) == KCAP_OK {
            found.extend(run.start..run.end);
        }
        let mut page = [0; 4096];
        for &pfn in &found {
            let read = kcap_memory_read(memory.at(), pfn << 12, page.as_mut_ptr(), 4096, null_mut());
            assert_eq!((read, &page[..]), (KCAP_OK, &machine.content(pfn)[..]), "{pfn:#x}");
        }
    }
    found
}

#[test]
fn a_dump_by_steps_holds_what_the_level_keeps() {
    let machine = machine();
    let levels: &[u32] = if cfg!(miri) { &[31] } else { &[0, 1, 8, 31] };
    for &level in levels {
        let mut setup = Setup::new(input(vmcore()));
        let mut dump = ready(&mut setup, &options(level, CODEC));
        let mut file = Vec::new();
        let out = output(&mut file);
        let mut progress = kcap_progress::default();
        let (dumper, memory) = (dump.dumper.at(), setup.memory.at());
        // SAFETY: all pointers are to what they say.
        unsafe {
            while kcap_dumper_step(dumper, memory, &raw const out, &raw mut progress, null_mut()) == KCAP_OK {
            }
            assert_eq!(progress.phase, KCAP_PHASE_FINISHED);
            assert_eq!(progress.done, progress.total);
        }
        let expected = machine.expected_dumpable(u8::try_from(level).unwrap());
        let told = report(dumper);
        assert_eq!((told.outcome, told.reason, told.lost), (KCAP_OUTCOME_COMPLETE, KCAP_REASON_NONE, 0));
        assert_eq!(told.saved, expected.len() as u64, "{level}");
        assert!(told.written > 0 && told.known >= told.held && told.held >= told.kept);
        assert_eq!(held(machine, file), expected, "{level}");
    }
}

#[test]
#[cfg_attr(miri, ignore = "every page of a machine would be hashed")]
fn pages_that_are_the_same_are_written_once() {
    let machine = machine();
    let dumped = |share_duplicates| {
        let options = kcap_dump_options { share_duplicates, ..options(0, 0) };
        let mut setup = Setup::new(input(vmcore()));
        let mut dump = ready(&mut setup, &options);
        let mut file = Vec::new();
        let out = output(&mut file);
        let (dumper, memory) = (dump.dumper.at(), setup.memory.at());
        // SAFETY: all pointers are to what they say.
        unsafe {
            while kcap_dumper_step(dumper, memory, &raw const out, null_mut(), null_mut()) == KCAP_OK {}
        }
        let told = report(dumper);
        (file, told.duplicates, told.duplicate_bytes)
    };
    let (plain, none, no_bytes) = dumped(0);
    assert_eq!((none, no_bytes), (0, 0));
    let (less, pages, bytes) = dumped(1);
    // Pages of zeros are pages like others without level 1.
    let zero =
        machine.pfns().iter().filter(|&&pfn| machine.content(pfn).iter().all(|&byte| byte == 0)).count();
    assert!(zero > 1 && pages >= zero as u64 - 1);
    assert_eq!((bytes, less.len() as u64 + bytes), (pages * 4096, plain.len() as u64));
    assert_eq!(held(machine, less), machine.expected_dumpable(0));
}

/// As a program with threads does it: chunks, encoded by another reader of the memory, committed in order.
#[test]
fn chunks_give_the_same_bytes_as_steps() {
    let mut by_steps = Vec::new();
    let mut by_chunks = Vec::new();
    let options = options(31, CODEC);
    let vmcore = input(vmcore());
    let mut setup = Setup::new(vmcore);
    let mut dump = ready(&mut setup, &options);
    let out = output(&mut by_steps);
    // SAFETY: all pointers are to what they say.
    unsafe {
        let (dumper, memory) = (dump.dumper.at(), setup.memory.at());
        while kcap_dumper_step(dumper, memory, &raw const out, null_mut(), null_mut()) == KCAP_OK {}

        let mut setup = Setup::new(vmcore);
        let mut dump = ready(&mut setup, &options);
        let out = output(&mut by_chunks);
        let (dumper, memory) = (dump.dumper.at(), setup.memory.at());
        let mut again = Room::<kcap_memory>::new();
        let len = Room::<kcap_memory>::LEN;
        assert_eq!(kcap_memory_init_again(again.at(), len, memory, null_mut(), 0, null_mut()), KCAP_OK);
        let size = size_of::<kcap_encode_params>();
        let mut params = kcap_encode_params {
            size,
            page_size: 0,
            chunk_pages: 0,
            out_bytes: 0,
            scratch_bytes: 0,
            compression: 0,
            find_zero: 0,
            fast: 0,
            share_duplicates: 9,
            redaction: null(),
        };
        assert_eq!(kcap_dumper_get_params(dumper, &raw mut params), KCAP_OK);
        let mut scratch = Memory::new(params.scratch_bytes as usize);
        let mut bytes = Memory::new(params.out_bytes as usize);
        let (mut chunk, mut encoded) = (Room::<kcap_chunk>::new(), Room::<kcap_encoded>::new());
        let (chunk_len, encoded_len) = (Room::<kcap_chunk>::LEN, Room::<kcap_encoded>::LEN);
        let mut next = 9;
        let mut count = 0;
        while next != KCAP_NEXT_DONE {
            let got = kcap_dumper_next_chunk(
                dumper,
                memory,
                &raw const out,
                chunk.at(),
                chunk_len,
                &raw mut next,
                null_mut(),
            );
            assert_eq!(got, KCAP_OK);
            if next != KCAP_NEXT_CHUNK {
                continue;
            }
            let mut facts = kcap_chunk_facts::default();
            assert_eq!(kcap_chunk_get_facts(chunk.at(), &raw mut facts), KCAP_OK);
            assert_eq!(facts.sequence, count);
            count += 1;
            let packed = kcap_chunk_encode(
                chunk.at(),
                &raw const params,
                again.at(),
                scratch.at(),
                scratch.len(),
                bytes.at().cast(),
                bytes.len(),
                encoded.at(),
                encoded_len,
                null_mut(),
            );
            assert_eq!(packed, KCAP_OK);
            let len = kcap_encoded_bytes(encoded.at());
            let bytes = bytes.at().cast();
            let mut commit = |len| {
                kcap_dumper_commit_chunk(
                    dumper,
                    chunk.at(),
                    encoded.at(),
                    bytes,
                    len,
                    &raw const out,
                    null_mut(),
                )
            };
            if let Some(short) = len.checked_sub(1) {
                assert_eq!(commit(short), KCAP_ERR_BUFFER_TOO_SMALL);
            }
            assert_eq!(commit(len), KCAP_OK);
            assert_eq!(commit(len), KCAP_ERR_OUT_OF_ORDER);
        }
        assert_eq!(kcap_dumper_finish(dumper, &raw const out, null_mut()), KCAP_OK);
        assert!(count > 1);
    }
    assert!(!by_steps.is_empty() && by_steps == by_chunks);
}

#[test]
fn what_cannot_be_is_refused_and_nothing_is_written() {
    let mut setup = Setup::new(input(vmcore()));
    let good = options(31, 0);
    let bad = [
        kcap_dump_options { level: 32, ..good },
        kcap_dump_options { compression: 3, ..good },
        kcap_dump_options { format: 2, ..good },
        kcap_dump_options { split_part: 2, split_parts: 2, ..good },
        kcap_dump_options { split_part: 1, ..good },
    ];
    for options in &bad {
        assert_eq!(setup.dump(options).1, KCAP_ERR_INVALID, "{options:?}");
    }
    assert_eq!(setup.dump(&kcap_dump_options { size: 7, ..good }).1, KCAP_ERR_LENGTH);
    let split_elf = kcap_dump_options { format: KCAP_FORMAT_ELF, split_parts: 2, ..good };
    assert_eq!(setup.dump(&split_elf).1, KCAP_ERR_UNSUPPORTED);
    let mut dump = Dump { dumper: Room::new(), work: Memory::new(1 << 20) };
    let (dumper, len) = (dump.dumper.at(), Room::<kcap_dumper>::LEN);
    let (source, work) = (setup.source.at(), dump.work.at());
    let kernel = setup.kernel.at();
    let error = &mut kcap_error {
        size: size_of::<kcap_error>(),
        status: 0,
        code: 0,
        offset: 0,
        value: 0,
        field: [0; KCAP_FIELD_LEN],
    };
    // SAFETY: all pointers are to what they say, or NULL.
    unsafe {
        let mut init = |dumper, len, source, options, work, work_len| {
            kcap_dumper_init(dumper, len, source, kernel, options, work, work_len, error)
        };
        let good = &raw const good;
        assert_eq!(init(null_mut(), len, source, good, work, 1 << 20), KCAP_ERR_NULL);
        assert_eq!(init(dumper, len, null_mut(), good, work, 1 << 20), KCAP_ERR_NULL);
        assert_eq!(init(dumper, len, source, null(), work, 1 << 20), KCAP_ERR_NULL);
        assert_eq!(init(dumper, len, source, good, null_mut(), 1 << 20), KCAP_ERR_NULL);
        assert_eq!(init(dumper, 0, source, good, work, 1 << 20), KCAP_ERR_BUFFER_TOO_SMALL);
        assert_eq!(init(dumper, usize::MAX, source, good, work, 1 << 20), KCAP_ERR_LENGTH);
        assert_eq!(init(dumper, len, source, good, work, usize::MAX), KCAP_ERR_LENGTH);
        assert_eq!(init(dumper, len, source, good, work, 4096), KCAP_ERR_BUFFER_TOO_SMALL);
        let needed = error.value;
        assert!(needed > 4096 && needed <= 96 << 10 && needed.is_multiple_of(8), "{needed}");
        assert!(dump.dumper.untouched());
        let needed = usize::try_from(needed).unwrap();
        let status = kcap_dumper_init(dumper, len, source, kernel, good, work, needed, null_mut());
        assert_eq!(status, KCAP_OK);
    }
}

#[test]
fn the_outputs_own_code_comes_back() {
    let mut setup = Setup::new(input(vmcore()));
    let mut dump = ready(&mut setup, &options(0, 0));
    let out = full();
    let mut error = Room::<kcap_error>::new();
    let mut status = KCAP_OK;
    let mut progress = kcap_progress { phase: 77, ..kcap_progress::default() };
    // SAFETY: all pointers are to what they say, or NULL; the error's size is set first.
    unsafe {
        (*error.at()).size = size_of::<kcap_error>();
        let (dumper, memory) = (dump.dumper.at(), setup.memory.at());
        while status == KCAP_OK {
            progress.phase = 77;
            status = kcap_dumper_step(dumper, memory, &raw const out, &raw mut progress, error.at());
        }
        assert_eq!((status, (*error.at()).code, progress.phase), (KCAP_ERR_IO, 28, 77));
        assert_eq!(kcap_dumper_abandon(null_mut(), &raw const out, null_mut()), KCAP_ERR_NULL);
        assert_eq!(
            kcap_dumper_step(null_mut(), memory, &raw const out, null_mut(), null_mut()),
            KCAP_ERR_NULL
        );
        assert_eq!(
            kcap_dumper_step(dumper, null_mut(), &raw const out, null_mut(), null_mut()),
            KCAP_ERR_NULL
        );
        assert_eq!(kcap_dumper_step(dumper, memory, null(), null_mut(), null_mut()), KCAP_ERR_NULL);
    }
}
