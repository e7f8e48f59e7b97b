//! Memory that the input has and the kernel does not, and the other way around; tables of the kernel that cannot be read.

use std::collections::BTreeSet;
use std::ops::Range;

use crate::kit::{KitMemory, assert_same, open, run};
use page_filter::{Fault, FrameRanges, PageKind, Sections};
use testkit::{Era, Machine, MemModel, Population, Use};

const WHOLE: u64 = 1 << 30;
const MIB: u64 = 1 << 20;
/// Where memory was, as page frames: two sections of 128 MiB.
const DIMM: Range<u64> = 0x20_0000..0x21_0000;

const MODELS: [MemModel; 3] = [
    MemModel::Vmemmap { huge: true, optimised: false },
    MemModel::Vmemmap { huge: false, optimised: false },
    MemModel::SparseExtreme { pointer: true },
];

fn named(ranges: &FrameRanges) -> Vec<Range<u64>> {
    ranges.named().map(|range| range.start.0..range.end.0).collect()
}

fn sections(machine: &Machine, memory: &mut KitMemory) -> Sections {
    *open(machine, memory).unwrap().sections().unwrap()
}

/// About 40 MiB, in two sections.
fn machine(model: MemModel) -> Machine {
    let model_takes = if matches!(model, MemModel::SparseExtreme { .. }) { 40 * MIB } else { 28 * MIB };
    Machine::x86_64(Era::V6_1)
        .model(model)
        .ranges(&[(0x1000, 0x9_fc00), (MIB, model_takes), (4 << 30, (4 << 30) + 12 * MIB)])
        .build()
}

#[test]
fn removed_memory_is_neither_read_nor_kept_and_nothing_else_is_lost() {
    for model in [MODELS[0], MODELS[1]] {
        let machine = machine(model);
        let few = DIMM.start..DIMM.start + 0x400;
        for fault in [None, Some(Fault::Code(5)), Some(Fault::Poison)] {
            let mut memory = KitMemory::new(&machine);
            memory.add(few.clone(), 0xff);
            if let Some(fault) = fault {
                memory.faults.extend(few.clone());
                memory.fault = fault;
            }
            let mut kernel = open(&machine, &mut memory).unwrap();
            let sections = *kernel.sections().unwrap();
            assert_eq!(named(&sections.removed), std::slice::from_ref(&few), "{model:?}");
            assert_eq!((sections.believed, sections.removed.frames()), (true, 0x400), "{model:?}");
            assert!(sections.tells_online && sections.offline.is_empty() && sections.unreadable.is_empty());
            assert!(sections.missing.is_empty(), "{:?}", sections.missing);
            for level in [0, 31] {
                let outcome = run(&mut kernel, &mut memory, level, WHOLE);
                assert_same(&machine, &outcome.kept, &machine.expected_dumpable(level), "removed");
                assert_eq!(outcome.counts.pages(PageKind::Removed), 0x400);
                assert_eq!(outcome.findings.doubt(), None);
            }
            assert!(memory.reads.range(few.clone()).next().is_none(), "removed memory is read, {model:?}");
        }
    }
}

/// Without one virtual array of all `struct page`s nothing but a bit says that memory is gone.
#[test]
fn memory_that_one_table_denies_is_kept() {
    let machine = machine(MODELS[2]);
    let few = DIMM.start..DIMM.start + 0x400;
    let mut memory = KitMemory::new(&machine);
    memory.add(few.clone(), 0xff);
    let mut kernel = open(&machine, &mut memory).unwrap();
    let found = *kernel.sections().unwrap();
    assert_eq!(named(&found.unreadable), std::slice::from_ref(&few));
    assert!(found.removed.is_empty() && found.offline.is_empty() && found.missing.is_empty());
    for level in [0, 31] {
        let outcome = run(&mut kernel, &mut memory, level, WHOLE);
        let mut expected = machine.expected_dumpable(level);
        expected.extend(few.clone());
        assert_same(&machine, &outcome.kept, &expected, "denied by one table");
        assert_eq!(outcome.counts.pages(PageKind::Removed), 0);
    }
}

/// As in an ELF file that has zeros for a lost page, and where one bit of a section was lost.
#[test]
fn a_damaged_table_drops_no_memory() {
    // Whether arrays of their own follow one another (sections 0 and 1) or not, and which section is damaged.
    let (near, far) = (128 * MIB, 64 << 30);
    for (high, damaged) in [(near, 1), (far, far >> 27)] {
        for zeros in [false, true] {
            for model in
                [MemModel::SparseExtreme { pointer: true }, MemModel::SparseExtreme { pointer: false }]
            {
                let machine = Machine::x86_64(Era::V6_1)
                    .model(model)
                    .ranges(&[(0x1000, 0x9_fc00), (MIB, 48 * MIB), (high, high + 12 * MIB)])
                    .build();
                let mut memory = KitMemory::new(&machine);
                let what = format!("{model:?}, section {damaged:#x}, zeros {zeros}");
                let at = section(&machine, &mut memory, damaged);
                let page = memory.page_mut(at >> 12);
                let entry = &mut page[(at & 0xfff) as usize..][..8];
                assert_eq!(entry[0] & 1, 1, "{what}");
                if zeros {
                    page.fill(0);
                } else {
                    entry[0] &= !1;
                }
                let mut kernel = open(&machine, &mut memory).unwrap();
                let outcome = run(&mut kernel, &mut memory, 31, WHOLE);
                let lost: Vec<_> = machine.expected_dumpable(31).difference(&outcome.kept).copied().collect();
                assert!(lost.is_empty(), "{what}: {} {:x?}", lost.len(), lost.first());
                assert_eq!(outcome.counts.pages(PageKind::Removed), 0, "{what}");
            }
        }
    }
}

#[test]
fn a_table_that_denies_half_of_memory_or_the_kernels_own_is_not_believed() {
    let machine = machine(MODELS[0]);
    // More than all other memory.
    let mut memory = KitMemory::new(&machine);
    let half = machine.pfns().len() as u64;
    memory.add(DIMM.start..DIMM.start + half + 1, 0xff);
    let mut kernel = open(&machine, &mut memory).unwrap();
    let found = *kernel.sections().unwrap();
    assert_eq!((found.believed, found.removed.frames()), (false, half + 1));
    let outcome = run(&mut kernel, &mut memory, 31, WHOLE);
    assert!((DIMM.start..DIMM.start + half + 1).all(|pfn| outcome.kept.contains(&pfn)));
    assert_eq!(outcome.counts.pages(PageKind::Unknown), half + 1);
    // The section of the kernel's text; its struct pages are still mapped, which alone is reason for doubt.
    for model in MODELS {
        let machine = self::machine(model);
        let mut memory = KitMemory::new(&machine);
        clear_first_section(&machine, &mut memory);
        let mut kernel = open(&machine, &mut memory).unwrap();
        let found = *kernel.sections().unwrap();
        assert!(!found.believed, "{model:?}");
        assert!(found.removed.frames() + found.unreadable.frames() > 0x1000, "{model:?}");
        let outcome = run(&mut kernel, &mut memory, 31, WHOLE);
        let low = machine.pfns().into_iter().filter(|pfn| *pfn < 0x8000);
        assert!(low.into_iter().all(|pfn| outcome.kept.contains(&pfn)), "{model:?}");
    }
}

/// Section 0 is not present any more.
fn clear_first_section(machine: &Machine, memory: &mut KitMemory) {
    let at = section(machine, memory, 0);
    memory.page_mut(at >> 12)[(at & 0xfff) as usize..][..8].fill(0);
}

/// Where the descriptor of a section stands in memory: 16 bytes, 256 of them behind each pointer.
fn section(machine: &Machine, memory: &mut KitMemory, number: u64) -> u64 {
    let linear = machine.linear(0);
    let table = machine.symbol("mem_section").unwrap();
    let word = |memory: &mut KitMemory, addr: u64| {
        let at = (addr & 0xfff) as usize;
        u64::from_le_bytes(memory.page_mut(addr >> 12)[at..at + 8].try_into().unwrap())
    };
    let text = machine.text_virt();
    let table = if table >= text {
        word(memory, table - text + machine.text_phys()) - linear
    } else {
        table - linear
    };
    word(memory, table + number / 256 * 8) - linear + number % 256 * 16
}

#[test]
fn offline_memory_is_kept_and_its_struct_pages_are_not_trusted() {
    for model in MODELS {
        let start = 4 << 30;
        let mut machine = Machine::x86_64(Era::V6_12)
            .model(model)
            .ranges(&[(0x1000, 0x9_fc00), (MIB, 48 * MIB), (start, start + 4 * MIB)])
            .offline(start, start + 128 * MIB)
            .build();
        let offline = start >> 12..(start >> 12) + 0x400;
        // Struct pages as nobody initialised them: they say free, all of them.
        for pfn in offline.clone() {
            let at = machine.struct_page_phys(pfn).unwrap();
            machine.poke(at + 48, &0xf000_0000_u32.to_le_bytes());
            machine.poke(at + 40, &0_u64.to_le_bytes());
        }
        let mut memory = KitMemory::new(&machine);
        let mut kernel = open(&machine, &mut memory).unwrap();
        let found = *kernel.sections().unwrap();
        assert_eq!(named(&found.offline), std::slice::from_ref(&offline), "{model:?}");
        assert!(found.removed.is_empty() && found.missing.is_empty());
        let outcome = run(&mut kernel, &mut memory, 31, WHOLE);
        assert!(offline.clone().all(|pfn| outcome.kept.contains(&pfn)), "{model:?}");
        assert_eq!(outcome.counts.pages(PageKind::Unknown), 0x400, "{model:?}");
        let others: BTreeSet<u64> = outcome.kept.into_iter().filter(|pfn| !offline.contains(pfn)).collect();
        let expected =
            machine.expected_dumpable(31).into_iter().filter(|pfn| !offline.contains(pfn)).collect();
        assert_same(&machine, &others, &expected, "beside offline memory");
    }
}

/// The kernel's tables are at the end of memory, its text at the start: what is between can be missing.
fn with_middle(model: MemModel, population: Population) -> Machine {
    let (middle, high) = (4 << 30, 8 << 30);
    Machine::x86_64(Era::V6_1)
        .model(model)
        .ranges(&[(0x1000, 0x9_fc00), (MIB, 28 * MIB), (middle, middle + 12 * MIB), (high, high + 40 * MIB)])
        .population(population)
        .build()
}

const MIDDLE: Range<u64> = 0x10_0000..0x10_0c00;

#[test]
fn memory_in_use_that_the_input_does_not_have_is_named() {
    for model in MODELS {
        let machine = with_middle(model, Population::Mix(1));
        let mut memory = KitMemory::new(&machine);
        memory.remove(MIDDLE);
        let mut kernel = open(&machine, &mut memory).unwrap();
        let found = *kernel.sections().unwrap();
        let expected = MIDDLE.start..MIDDLE.start + 0x8000;
        assert_eq!(named(&found.missing), core::slice::from_ref(&expected), "{model:?}");
        assert!(found.removed.is_empty() && found.offline.is_empty());
        let outcome = run(&mut kernel, &mut memory, 31, WHOLE);
        let expected =
            machine.expected_dumpable(31).into_iter().filter(|pfn| !MIDDLE.contains(pfn)).collect();
        assert_same(&machine, &outcome.kept, &expected, "beside missing memory");
        // One frame of it in the input is enough: no section is missing as a whole.
        memory.add(MIDDLE.start..MIDDLE.start + 1, 0);
        assert!(sections(&machine, &mut memory).missing.is_empty());
    }
}

#[test]
fn memory_that_is_set_aside_is_not_missing() {
    for model in MODELS {
        let machine = with_middle(model, Population::Only(Use::Kernel));
        let mut memory = KitMemory::new(&machine);
        memory.remove(MIDDLE);
        assert!(sections(&machine, &mut memory).missing.is_empty(), "{model:?}");
    }
}

/// Every page of the kernel's tables in turn, every way of failing: live pages are kept, and what is left out is what would be.
#[test]
fn tables_that_cannot_be_read_cost_precision_and_no_page() {
    for model in MODELS {
        let machine = machine(model);
        let expected = machine.expected_dumpable(31);
        let mut memory = KitMemory::new(&machine);
        let struct_pages: BTreeSet<u64> = machine
            .pfns()
            .into_iter()
            .filter_map(|pfn| machine.struct_page_phys(pfn))
            .map(|at| at >> 12)
            .collect();
        let tables = machine.pfns().into_iter().filter(|pfn| machine.use_of(*pfn) == Some(Use::Table));
        let slabs =
            machine.pfns().into_iter().filter(|pfn| machine.use_of(*pfn) == Some(Use::Slab { order: 0 }));
        let broken: Vec<u64> =
            struct_pages.into_iter().step_by(23).chain(tables).chain(slabs.take(3)).collect();
        let mut opened = 0;
        for (turn, pfn) in broken.into_iter().enumerate() {
            memory.faults = BTreeSet::from([pfn]);
            memory.fault = [Fault::Hole, Fault::Code(14), Fault::Poison, Fault::Lost][turn % 4];
            let Ok(mut kernel) = open(&machine, &mut memory) else { continue };
            opened += 1;
            let found = kernel.sections().copied();
            assert!(found.is_none_or(|found| found.removed.is_empty()), "{model:?} {pfn:#x}: {found:?}");
            let outcome = run(&mut kernel, &mut memory, 31, WHOLE);
            let lost: Vec<_> = expected.difference(&outcome.kept).collect();
            assert!(lost.is_empty(), "{model:?} {pfn:#x} {:?}: {lost:x?}", memory.fault);
            assert_eq!(outcome.counts.total(), machine.pfns().len() as u64);
            if machine.use_of(pfn) == Some(Use::Kernel) {
                let unknown = outcome.counts.pages(PageKind::Unknown);
                assert!(unknown <= 64, "{model:?} {pfn:#x}: {unknown} frames for a page of 64 struct pages");
            }
        }
        assert!(opened > 5, "{model:?}: {opened}");
    }
}
