//! The first pass through the C functions gives the dump that steps give.

use core::ptr::{null, null_mut};
use std::vec::Vec;

use super::*;
use crate::dump::*;
use crate::status::*;
use crate::testing::{Memory, Room, Setup, input, output, vmcore};

#[test]
fn a_dump_by_scans_is_that_by_steps() {
    let vmcore = input(vmcore());
    let (mut by_steps, mut by_scans) = (Vec::new(), Vec::new());
    // SAFETY: all pointers are to what they say, or NULL.
    unsafe {
        let mut setup = Setup::new(vmcore);
        let (mut dump, _work) = setup.dumper(31);
        let out = output(&mut by_steps);
        let memory = setup.memory.at();
        while kcap_dumper_step(dump.at(), memory, &raw const out, null_mut(), null_mut()) == KCAP_OK {}

        let mut setup = Setup::new(vmcore);
        let (mut dump, _work) = setup.dumper(31);
        let out = output(&mut by_scans);
        let (at, memory) = (dump.at(), setup.memory.at());
        let (mut scanner, mut scan, mut scanned) =
            (Room::<kcap_scanner>::new(), Room::<kcap_scan_span>::new(), Room::<kcap_scanned>::new());
        let len = Room::<kcap_scanner>::LEN;
        assert_eq!(kcap_scanner_init(scanner.at(), 0, at, null_mut()), KCAP_ERR_BUFFER_TOO_SMALL);
        assert_eq!(kcap_scanner_init(scanner.at(), len, null(), null_mut()), KCAP_ERR_NULL);
        assert!(scanner.untouched());
        assert_eq!(kcap_scanner_init(scanner.at(), len, at, null_mut()), KCAP_OK);
        assert_eq!(kcap_scanner_scratch(null()), 0);
        let mut scratch = Memory::new(kcap_scanner_scratch(scanner.at()));
        let mut words = [0_u64; KCAP_SPAN_WORDS];
        let (scan_len, scanned_len) = (Room::<kcap_scan_span>::LEN, Room::<kcap_scanned>::LEN);
        assert_eq!(kcap_dumper_next_span(at, memory, scan.at(), 0, null_mut()), KCAP_ERR_BUFFER_TOO_SMALL);
        assert_eq!(kcap_dumper_next_span(null_mut(), memory, scan.at(), scan_len, null_mut()), KCAP_ERR_NULL);
        assert_eq!(kcap_dumper_next_span(at, null_mut(), scan.at(), scan_len, null_mut()), KCAP_ERR_NULL);
        assert!(scan.untouched());
        let (mut count, mut facts) = (0, kcap_scan_span_facts::default());
        while kcap_dumper_next_span(at, memory, scan.at(), scan_len, null_mut()) == KCAP_OK {
            assert_eq!(kcap_scan_span_get_facts(scan.at(), &raw mut facts), KCAP_OK);
            assert!(facts.sequence == count && facts.start < facts.end);
            count += 1;
            let (bits, space) = (words.as_mut_ptr(), scratch.at());
            let mut search = |words, word_count, space, space_len| {
                let (scanner, scan, scanned) = (scanner.at(), scan.at(), scanned.at());
                kcap_scanner_scan(
                    scanner,
                    scan,
                    memory,
                    words,
                    word_count,
                    space,
                    space_len,
                    scanned,
                    scanned_len,
                    null_mut(),
                )
            };
            assert_eq!(search(null_mut(), KCAP_SPAN_WORDS, space, scratch.len()), KCAP_ERR_NULL);
            assert_eq!(search(bits, 0, space, scratch.len()), KCAP_ERR_BUFFER_TOO_SMALL);
            assert_eq!(search(bits, usize::MAX, space, scratch.len()), KCAP_ERR_LENGTH);
            assert_eq!(search(bits, KCAP_SPAN_WORDS, null_mut(), 0), KCAP_ERR_BUFFER_TOO_SMALL);
            assert_eq!(search(bits, KCAP_SPAN_WORDS, space, scratch.len()), KCAP_OK);
            let mut commit = |scan: *const kcap_scan_span, words, count| {
                kcap_dumper_commit_span(at, scan, scanned.at(), words, count, memory, null_mut())
            };
            let bits = words.as_ptr();
            assert_eq!(commit(scan.at(), bits, 0), KCAP_ERR_BUFFER_TOO_SMALL);
            assert_eq!(commit(null(), bits, KCAP_SPAN_WORDS), KCAP_ERR_NULL);
            assert_eq!(commit(scan.at(), bits, KCAP_SPAN_WORDS), KCAP_OK);
            assert_eq!(commit(scan.at(), bits, KCAP_SPAN_WORDS), KCAP_ERR_OUT_OF_ORDER);
        }
        assert!(count > 0);
        while kcap_dumper_step(at, memory, &raw const out, null_mut(), null_mut()) == KCAP_OK {}
    }
    assert!(!by_steps.is_empty() && by_steps == by_scans);
}
