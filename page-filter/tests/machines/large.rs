//! Machines too large to lay out: what a scan finds is what their memory was given to.

use page_filter::{Counts, Kernel, Level};
use testkit::{Kind, LargeMachine, Mix};

use crate::kit::kind;
use crate::simulated::{Simulated, WORDS, X86_64, scan, source};

const KINDS: [Kind; 8] = [
    Kind::Kernel,
    Kind::Slab,
    Kind::Cache,
    Kind::CachePrivate,
    Kind::User,
    Kind::Free,
    Kind::HwPoison,
    Kind::Offline,
];

fn counts(machine: &LargeMachine, level: Level, in_place: bool, words: usize) -> Counts {
    let source = source(machine);
    let mut memory = Simulated { machine, in_place };
    let mut kernel = Kernel::open(&source.vmcoreinfo.unwrap(), X86_64, &[], &mut memory).unwrap();
    let report = scan(source, &mut kernel, &mut memory, level, &mut vec![0; words]);
    let left_out: u64 = KINDS.into_iter().map(|one| report.counts.left_out(kind(one))).sum();
    assert_eq!((report.held, report.kept), (machine.frames(), machine.frames() - left_out));
    report.counts
}

#[test]
fn a_scan_finds_what_memory_was_given_to() {
    for mix in [Mix::Server, Mix::Scattered] {
        // Over the hole below 4 GiB, with struct pages that repeat and that do not.
        let machine = LargeMachine::new(7 << 29, mix, 4 << 20);
        assert_eq!(KINDS.into_iter().map(|kind| machine.pages(kind)).sum::<u64>(), machine.frames());
        for level in [Level::empty(), Level::all()] {
            let found = counts(&machine, level, true, WORDS);
            for one in KINDS {
                assert_eq!(found.pages(kind(one)), machine.pages(one), "{mix:?} {one:?}");
            }
            let gone = |one| if level.is_empty() { 0 } else { machine.pages(one) };
            assert_eq!(found.left_out(kind(Kind::User)), gone(Kind::User));
            assert_eq!(counts(&machine, level, false, WORDS), found);
            assert_eq!(counts(&machine, level, true, 1 << 20), found, "with a bitmap of all memory");
        }
    }
}
