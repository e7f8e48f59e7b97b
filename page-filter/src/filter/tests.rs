//! The filter on a machine laid out by hand.

use std::collections::BTreeSet;
use std::vec;
use std::vec::Vec;

use vmcore_format::{Error, Pfn};

use super::Filter;
use crate::test_machine::{
    ANON, BUDDY, CACHE, FRAMES, HEAD, HUGETLB, LINEAR, LRU, MEM_MAP, OFFLINE, PLAIN, POISON, PRIVATE, Page,
    SLAB, TABLE, TestMachine,
};
use crate::{Counts, Doubt, Findings, Level, PageKind, Rule, Witness};

/// The frames left out at `level`, what was counted and what was found, in windows of `window` frames.
fn run(machine: &mut TestMachine, level: u8, window: u64) -> (BTreeSet<u64>, Counts, Findings) {
    let mut kernel = machine.open().unwrap();
    let mut filter = Filter::new(&mut kernel, Level::from_bits(level).unwrap());
    let mut counts = Counts::default();
    let mut left_out = BTreeSet::new();
    let mut scratch = vec![0; 100 * 64];
    for start in (0..FRAMES).step_by(window as usize) {
        let end = (start + window).min(FRAMES);
        let mut bits = vec![u64::MAX; (end - start).div_ceil(64) as usize];
        if !(end - start).is_multiple_of(64) {
            *bits.last_mut().unwrap() = (1 << ((end - start) % 64)) - 1;
        }
        filter.scan(&mut machine.memory, Pfn(start)..Pfn(end), &mut bits, &mut counts, &mut scratch).unwrap();
        left_out.extend(
            (start..end).filter(|pfn| bits[((pfn - start) / 64) as usize] >> ((pfn - start) % 64) & 1 == 0),
        );
    }
    assert_eq!(counts.total(), FRAMES);
    let findings = filter.findings(&counts, true);
    (left_out, counts, findings)
}

fn left_out(machine: &mut TestMachine, level: u8) -> Vec<u64> {
    let whole = run(machine, level, FRAMES);
    for window in [1, 63, 64, 1000] {
        assert_eq!(run(machine, level, window), whole, "windows of {window}");
        machine.memory.mapped = true;
        assert_eq!(run(machine, level, window), whole, "windows of {window} in place");
        machine.memory.mapped = false;
    }
    whole.0.into_iter().collect()
}

#[test]
fn each_level_leaves_out_its_kinds() {
    let mut machine = TestMachine::new();
    machine.free(0x800, 2);
    machine.page(0x810, CACHE);
    machine.page(0x811, Page { flags: LRU | PRIVATE, ..CACHE });
    machine.page(0x812, ANON);
    machine.page(0x813, Page { flags: (1 << 10) | (1 << 17), ..PLAIN });
    machine.page(0x814, Page { flags: 1 << 10, ..PLAIN });
    machine.page(0x815, Page { mapcount: SLAB, ..ANON });
    machine.page(0x816, Page { mapping: 0x1002, ..PLAIN });
    machine.compound(0x820, 3, Page { mapcount: HUGETLB, ..PLAIN });
    machine.compound(0x840, 4, ANON);
    let free: Vec<u64> = (0x800..0x804).collect();
    let user: Vec<u64> = [0x812].into_iter().chain(0x820..0x828).chain(0x840..0x850).collect();
    assert_eq!(left_out(&mut machine, 0), []);
    assert_eq!(left_out(&mut machine, 1), []);
    assert_eq!(left_out(&mut machine, 2), [0x810, 0x813]);
    assert_eq!(left_out(&mut machine, 4), [0x810, 0x811, 0x813]);
    assert_eq!(left_out(&mut machine, 8), user);
    assert_eq!(left_out(&mut machine, 16), free);
    let (all, counts, findings) = run(&mut machine, 31, FRAMES);
    assert_eq!(all.len(), 3 + user.len() + free.len());
    for (kind, pages) in [
        (PageKind::Free, 4),
        (PageKind::Cache, 2),
        (PageKind::CachePrivate, 1),
        (PageKind::User, 25),
        (PageKind::Slab, 2),
        (PageKind::Unknown, 0),
    ] {
        assert_eq!(counts.pages(kind), pages, "{kind:?}");
        assert_eq!(run(&mut machine, 0, FRAMES).1.pages(kind), pages, "{kind:?}");
    }
    assert_eq!(findings.doubt(), None);
    assert_eq!(findings.keeps_more().count(), 0);
}

#[test]
fn a_page_type_that_no_rule_knows_is_the_kernels() {
    let mut machine = TestMachine::new();
    for (pfn, mapcount) in (0x800..).zip([TABLE, 0xf600_0000, 0xf800_0000, 0xfe00_0001, 0x8000_0000]) {
        machine.page(pfn, Page { mapcount, ..ANON });
        machine.page(pfn + 0x20, Page { mapcount, ..CACHE });
    }
    assert_eq!(left_out(&mut machine, 31), []);
}

#[test]
fn the_low_bits_of_a_page_type_are_its_owners() {
    let mut machine = TestMachine::new();
    machine.page(0x800, Page { mapcount: SLAB | 0x1234, ..ANON });
    machine.page(0x802, Page { mapcount: BUDDY | 1, private: 1, ..PLAIN });
    assert_eq!(left_out(&mut machine, 31), [0x802, 0x803]);
}

#[test]
fn a_block_whose_order_cannot_be_right_is_kept() {
    let mut machine = TestMachine::new();
    machine.free(0x800, 11);
    machine.free(0x804, 3);
    machine.free(0x808, u64::MAX);
    machine.free(0x810, 1);
    machine.page(0x813, Page { flags: ANON.flags | 64, ..ANON });
    machine.page(0x814, Page { compound_head: 1, flags: 2, ..PLAIN });
    machine.page(0x820, Page { flags: ANON.flags | 64, ..ANON });
    machine.page(0x821, Page { compound_head: 1, flags: 40, ..PLAIN });
    assert_eq!(left_out(&mut machine, 31), [0x810, 0x811]);
    let (_, counts, _) = run(&mut machine, 31, FRAMES);
    assert_eq!(counts.bad_orders(), 5);
    assert_eq!(counts.first_bad_order(), Some((Pfn(0x800), 11)));
}

#[test]
fn a_compound_page_of_gigabytes_ends_in_a_tail() {
    let mut machine = TestMachine::new();
    machine.compound(0x800, 11, Page { mapcount: HUGETLB, ..PLAIN });
    assert_eq!(left_out(&mut machine, 8), (0x800..0x1000).collect::<Vec<_>>());
    machine.page(0xfff, PLAIN);
    assert_eq!(left_out(&mut machine, 8), []);
    assert_eq!(run(&mut machine, 8, FRAMES).1.bad_orders(), 1);
}

#[test]
fn broken_memory_is_left_out_at_every_level_wherever_it_is() {
    let mut machine = TestMachine::new();
    machine.page(0x800, Page { flags: POISON, ..PLAIN });
    machine.compound(0x810, 3, ANON);
    machine.page(0x813, Page { flags: POISON, compound_head: (LINEAR + MEM_MAP + 0x810 * 64) | 1, ..PLAIN });
    machine.compound(0x820, 2, Page { mapcount: HUGETLB, flags: POISON, ..PLAIN });
    machine.compound(0x830, 1, Page { flags: ANON.flags | POISON, ..ANON });
    let broken = [0x800, 0x813, 0x820, 0x821, 0x822, 0x823, 0x830];
    for level in [0, 1, 2, 16] {
        assert_eq!(left_out(&mut machine, level), broken, "level {level}");
    }
    let user: BTreeSet<u64> = broken.into_iter().chain(0x810..0x818).chain([0x831]).collect();
    assert_eq!(left_out(&mut machine, 8), user.into_iter().collect::<Vec<_>>());
    assert_eq!(run(&mut machine, 0, FRAMES).1.pages(PageKind::HwPoison), 7);
}

#[test]
fn offline_pages_go_where_pages_are_looked_at_anyway() {
    let offline = |mut machine: TestMachine| {
        machine.page(0x800, Page { mapcount: OFFLINE, ..PLAIN });
        machine
    };
    let mut machine = offline(TestMachine::new());
    assert_eq!(left_out(&mut machine, 0), [0x800]);
    let mut machine = offline(TestMachine::new().without("NUMBER(PG_hwpoison)"));
    assert_eq!(left_out(&mut machine, 1), []);
    assert_eq!(left_out(&mut machine, 2), [0x800]);
    let mut machine = offline(TestMachine::new().without("NUMBER(PAGE_OFFLINE_MAPCOUNT_VALUE)"));
    assert_eq!(left_out(&mut machine, 31), []);
}

#[test]
fn pages_without_a_readable_struct_page_are_kept() {
    let mut machine = TestMachine::new();
    for pfn in 0x800..0x900 {
        machine.page(pfn, ANON);
    }
    // The struct pages of frames 0x840 to 0x87f.
    machine.memory.faults.insert((MEM_MAP + 0x840 * 64) >> 12);
    let expected: Vec<u64> = (0x800..0x840).chain(0x880..0x900).collect();
    assert_eq!(left_out(&mut machine, 8), expected);
    assert_eq!(run(&mut machine, 8, FRAMES).1.pages(PageKind::Unknown), 0x40);
}

#[test]
fn without_a_key_a_rule_is_off_and_says_so() {
    for (key, rule, level) in [
        ("NUMBER(PG_lru)", Rule::Cache, 2),
        ("NUMBER(PG_swapbacked)", Rule::SwapCache, 2),
        ("NUMBER(PAGE_SLAB_MAPCOUNT_VALUE)", Rule::User, 8),
        ("OFFSET(page.mapping)", Rule::User, 8),
        ("OFFSET(page.compound_head)", Rule::Cache, 4),
        ("NUMBER(PAGE_BUDDY_MAPCOUNT_VALUE)", Rule::Free, 16),
        ("OFFSET(page.private)", Rule::Free, 16),
        ("LENGTH(zone.free_area)", Rule::Free, 16),
        ("OFFSET(page._mapcount)", Rule::Free, 16),
    ] {
        let mut machine = TestMachine::new().without(key);
        machine.free(0x800, 0);
        machine.page(0x801, ANON);
        machine.page(0x802, if rule == Rule::SwapCache { Page { flags: 0x2_0400, ..PLAIN } } else { CACHE });
        let (out, _, findings) = run(&mut machine, level, FRAMES);
        assert_eq!(out, BTreeSet::new(), "{key}");
        assert!(findings.keeps_more().any(|missing| missing.rule == rule), "{key}");
    }
    // Without the flag every cache page counts as having it.
    let mut machine = TestMachine::new().without("NUMBER(PG_private)");
    machine.page(0x800, CACHE);
    assert_eq!(left_out(&mut machine, 2), []);
    assert_eq!(left_out(&mut machine, 4), [0x800]);
}

#[test]
fn kernel_pages_about_to_be_left_out_are_a_reason_to_doubt() {
    for (pfn, witness) in [
        (0x1, Witness::PageTables),
        (0x10, Witness::KernelText),
        (0x11, Witness::UtsNamespace),
        (0x100, Witness::MemMap),
    ] {
        let mut machine = TestMachine::new();
        machine.free(pfn, 0);
        let doubt = Doubt::WitnessLeftOut { pfn: Pfn(pfn), witness, kind: PageKind::Free };
        assert_eq!(run(&mut machine, 16, FRAMES).2.doubt(), Some(doubt));
        assert_eq!(run(&mut machine, 8, 64).2.doubt(), None);
        machine.page(pfn, Page { flags: POISON, ..PLAIN });
        machine.free(0x800, 0);
        assert_eq!(run(&mut machine, 16, FRAMES).2.doubt(), None);
    }
}

#[test]
fn a_machine_without_free_or_slab_pages_is_not_believed() {
    let mut machine = TestMachine::new();
    assert_eq!(run(&mut machine, 16, FRAMES).2.doubt(), Some(Doubt::NoFreePage { frames: FRAMES }));
    assert_eq!(run(&mut machine, 1, FRAMES).2.doubt(), None, "nothing was to be left out");
    machine.free(0x800, 0);
    assert_eq!(run(&mut machine, 16, FRAMES).2.doubt(), None);
    machine.page(0x3f0, PLAIN);
    assert_eq!(run(&mut machine, 16, FRAMES).2.doubt(), Some(Doubt::NoSlabPage { frames: FRAMES }));
    for pfn in FRAMES / 4..FRAMES {
        machine.page(pfn, Page { flags: POISON, ..PLAIN });
    }
    let pages = FRAMES / 4 * 3;
    machine.page(0x3f0, Page { mapcount: SLAB, ..PLAIN });
    assert_eq!(run(&mut machine, 0, FRAMES).2.doubt(), Some(Doubt::MostlyHwPoison { pages }));
}

#[test]
fn heads_without_tails_are_kept_and_a_machine_full_of_them_is_not_believed() {
    let mut machine = TestMachine::new();
    machine.free(0x7f0, 1);
    for pfn in 0x800..0x802 {
        machine.page(pfn, Page { flags: ANON.flags | HEAD, ..ANON });
    }
    assert_eq!(left_out(&mut machine, 31), [0x7f0, 0x7f1]);
    let (_, counts, findings) = run(&mut machine, 31, FRAMES);
    assert_eq!((counts.blocks(), counts.bad_orders()), (1, 2));
    assert_eq!(findings.doubt(), Some(Doubt::BadOrders { bad: 2, sound: 1 }));
}

#[test]
fn buffers_that_are_too_small_say_what_is_needed() {
    let mut machine = TestMachine::new();
    let mut kernel = machine.open().unwrap();
    let mut filter = Filter::new(&mut kernel, Level::FREE);
    let mut counts = Counts::default();
    let mut scan = |bits: &mut [u64], scratch: &mut [u8]| {
        filter.scan(&mut machine.memory, Pfn(0)..Pfn(65), bits, &mut counts, scratch)
    };
    assert_eq!(scan(&mut [0], &mut [0; 64]), Err(Error::BufferTooSmall { needed: 2 }));
    assert_eq!(scan(&mut [0; 2], &mut [0; 63]), Err(Error::BufferTooSmall { needed: 64 }));
    assert_eq!(scan(&mut [0; 2], &mut [0; 64]), Ok(()));
}

#[test]
fn any_struct_page_bytes_are_judged_without_panic_and_in_the_end() {
    let mut machine = TestMachine::new();
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let mut random = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state
    };
    for pfn in 0x400..0x1000 {
        let types = [u32::MAX, BUDDY, SLAB, HUGETLB, OFFLINE, random() as u32];
        machine.page(
            pfn,
            Page {
                flags: random() & random(),
                compound_head: random(),
                mapping: random(),
                private: random() & 31,
                mapcount: types[random() as usize % 6],
            },
        );
    }
    for level in [0, 16, 31] {
        let whole = run(&mut machine, level, FRAMES);
        for mapped in [true, false] {
            machine.memory.mapped = mapped;
            assert_eq!(run(&mut machine, level, 64), whole);
            assert_eq!(run(&mut machine, level, 37), whole);
        }
    }
}
