//! Traps: struct pages and machines that a careless filter takes for something to leave out.

use std::collections::BTreeSet;

use crate::kit::{KitMemory, Outcome, open, run};
use page_filter::{Doubt, PageKind, Witness};
use testkit::{Era, Machine, MemModel, Population, Use};
use vmcore_format::Pfn;

const FLAGS: u64 = 0;
const PRIVATE: u64 = 40;
const MAPCOUNT: u64 = 48;
const WHOLE: u64 = 1 << 30;

/// A machine of kernel pages with a few others placed.
fn placed(era: Era, places: &[(u64, Use)]) -> Machine {
    let mut builder = Machine::x86_64(era).population(Population::Only(Use::Kernel));
    for (pfn, used) in places {
        builder = builder.place(*pfn, *used);
    }
    builder.build()
}

fn filter(machine: &Machine, level: u8) -> Outcome {
    let mut memory = KitMemory::new(machine);
    let mut kernel = open(machine, &mut memory).unwrap();
    run(&mut kernel, &mut memory, level, WHOLE)
}

fn left_out(machine: &Machine, level: u8) -> BTreeSet<u64> {
    let kept = filter(machine, level).kept;
    machine.pfns().into_iter().filter(|pfn| !kept.contains(pfn)).collect()
}

fn flag(machine: &Machine, key: &str) -> u64 {
    let line = format!("NUMBER({key})=");
    let info = machine.vmcoreinfo();
    1 << info.lines().find_map(|l| l.strip_prefix(&line)).unwrap().parse::<u32>().unwrap()
}

fn set_flags(machine: &mut Machine, pfn: u64, mask: u64) {
    let at = machine.struct_page_phys(pfn).unwrap() + FLAGS;
    let old = u64::from_le_bytes(machine.read(at, 8).try_into().unwrap());
    machine.poke(at, &(old | mask).to_le_bytes());
}

#[test]
fn page_types_may_use_their_low_bits() {
    // Since 6.12 the type is the top byte; the kernel may keep what it likes below.
    let places: Vec<(u64, Use)> = (0..64)
        .map(|i| (0x801 + 2 * i, if i % 2 == 0 { Use::Slab { order: 0 } } else { Use::Table }))
        .collect();
    let mut machine = placed(Era::V6_12, &places);
    for (pfn, used) in &places {
        let at = machine.struct_page_phys(*pfn).unwrap() + MAPCOUNT;
        let value: u32 = if *used == Use::Table { 0xf200_0007 } else { 0xf500_0001 };
        machine.poke(at, &value.to_le_bytes());
    }
    assert_eq!(left_out(&machine, 31), BTreeSet::new());
    assert_eq!(filter(&machine, 31).counts.pages(PageKind::Slab), 33, "32 and the sections' page");
}

#[test]
fn a_type_no_rule_knows_is_kept_whatever_else_it_says() {
    for era in [Era::V6_12, Era::V6_16, Era::V7_1] {
        let mut machine = placed(era, &[(0x900, Use::Anon), (0x901, Use::Cache), (0x902, Use::CachePrivate)]);
        for pfn in 0x900..0x903 {
            let at = machine.struct_page_phys(pfn).unwrap() + MAPCOUNT;
            machine.poke(at, &0xf9ab_cdef_u32.to_le_bytes());
        }
        assert_eq!(left_out(&machine, 31), BTreeSet::new(), "{era:?}");
    }
}

#[test]
fn a_free_block_of_impossible_order_is_kept_and_told() {
    let places: Vec<(u64, Use)> = [11, 52, 63, 64, 1 << 32, u64::MAX]
        .iter()
        .enumerate()
        .map(|(i, _)| (0x1000 + 8 * i as u64, Use::Free { order: 3 }))
        .collect();
    for era in [Era::V4_19, Era::V6_12] {
        let mut machine = placed(era, &places);
        for (order, (pfn, _)) in [11, 52, 63, 64, 1 << 32, u64::MAX].iter().zip(&places) {
            let at = machine.struct_page_phys(*pfn).unwrap() + PRIVATE;
            machine.poke(at, &u64::to_le_bytes(*order));
        }
        // One whose order its own place contradicts.
        let at = machine.struct_page_phys(0x1008).unwrap() + PRIVATE;
        machine.poke(at, &5u64.to_le_bytes());
        assert_eq!(left_out(&machine, 31), BTreeSet::new(), "{era:?}");
        let counts = filter(&machine, 31).counts;
        assert_eq!((counts.bad_orders(), counts.first_bad_order()), (6, Some((Pfn(0x1000), 11))));
    }
}

#[test]
fn broken_memory_is_never_read_whatever_it_was() {
    for era in [Era::V5_10, Era::V6_6, Era::V6_12, Era::V7_1] {
        let mut machine = placed(
            era,
            &[
                (0x1000, Use::Free { order: 4 }),
                (0x1020, Use::Slab { order: 3 }),
                (0x1040, Use::Thp { order: 4 }),
                (0x1060, Use::Anon),
                (0x1061, Use::Kernel),
                (0x1080, Use::KernelCompound { order: 3 }),
            ],
        );
        let broken = [0x1000, 0x1007, 0x1023, 0x1040, 0x1049, 0x1060, 0x1061, 0x1080, 0x1087];
        let mask = flag(&machine, "PG_hwpoison");
        for pfn in broken {
            set_flags(&mut machine, pfn, mask);
        }
        assert_eq!(left_out(&machine, 0), broken.into_iter().collect(), "{era:?}");
        let more: BTreeSet<u64> = broken.into_iter().chain(0x1000..0x1010).chain(0x1040..0x1050).collect();
        assert_eq!(left_out(&machine, 31), more, "{era:?}");
        for window in [1, 3, 16] {
            let mut memory = KitMemory::new(&machine);
            let mut kernel = open(&machine, &mut memory).unwrap();
            let kept = run(&mut kernel, &mut memory, 31, window).kept;
            assert!(more.iter().all(|pfn| !kept.contains(pfn)), "{era:?}, windows of {window}");
            assert_eq!(kept.len(), machine.pfns().len() - more.len(), "{era:?}, windows of {window}");
        }
    }
}

#[test]
fn pages_whose_struct_page_cannot_be_read_are_kept() {
    for model in
        [MemModel::Vmemmap { huge: true, optimised: false }, MemModel::SparseExtreme { pointer: false }]
    {
        let machine = Machine::x86_64(Era::V6_1).model(model).build();
        let mut memory = KitMemory::new(&machine);
        let frame = |pfn: u64| machine.struct_page_phys(pfn).unwrap() >> 12;
        // One page of struct pages: 64 frames.
        memory.faults.insert(frame(0x1000));
        let hidden: BTreeSet<u64> =
            machine.pfns().into_iter().filter(|pfn| frame(*pfn) == frame(0x1000)).collect();
        assert_eq!(hidden.len(), 64);
        let mut kernel = open(&machine, &mut memory).unwrap();
        let outcome = run(&mut kernel, &mut memory, 31, WHOLE);
        assert_eq!(outcome.counts.pages(PageKind::Unknown) + left_of_blocks(&machine, &hidden), 64);
        let expected = machine.expected_dumpable(31);
        assert!(expected.difference(&outcome.kept).next().is_none(), "{model:?}: live pages are lost");
        let extra: BTreeSet<u64> = outcome.kept.difference(&expected).copied().collect();
        // More is kept only there, and behind heads that could not be read.
        for pfn in extra {
            let head = (0..=10).map(|order| pfn >> order << order).any(|head| hidden.contains(&head));
            assert!(head, "{model:?}: {pfn:#x} {:?} is kept", machine.use_of(pfn));
        }
    }
}

/// How many of the frames belong to a block whose first frame is not among them.
fn left_of_blocks(machine: &Machine, frames: &BTreeSet<u64>) -> u64 {
    let covers = |pfn: &&u64| {
        machine
            .blocks()
            .iter()
            .any(|(head, used)| !frames.contains(head) && (*head..*head + (1 << used.order())).contains(*pfn))
    };
    frames.iter().filter(covers).count() as u64
}

/// 80 MiB: large enough to have free and slab pages.
fn large(population: Population) -> Machine {
    Machine::x86_64(Era::V6_12)
        .ranges(&[(0x1000, 0x9_fc00), (0x10_0000, 80 << 20)])
        .population(population)
        .build()
}

#[test]
fn a_machine_without_free_or_slab_pages_is_not_believed() {
    let doubt = |used| filter(&large(Population::Only(used)), 31).findings.doubt();
    let frames = large(Population::Only(Use::Kernel)).pfns().len() as u64;
    assert_eq!(doubt(Use::Slab { order: 0 }), Some(Doubt::NoFreePage { frames }));
    assert_eq!(doubt(Use::Kernel), Some(Doubt::NoFreePage { frames }));
    assert_eq!(filter(&large(Population::Mix(2)), 31).findings.doubt(), None);
}

#[test]
fn a_mem_map_that_would_drop_itself_is_not_believed() {
    let mut machine = large(Population::Mix(6));
    // The kernel's root table, marked free.
    let root = machine.text_phys() / 0x1000
        + (machine.symbol("init_top_pgt").unwrap() - machine.text_virt()) / 0x1000;
    let at = machine.struct_page_phys(root).unwrap();
    machine.poke(at + MAPCOUNT, &0xf000_0000_u32.to_le_bytes());
    machine.poke(at + PRIVATE, &0u64.to_le_bytes());
    let expected =
        Doubt::WitnessLeftOut { pfn: Pfn(root), witness: Witness::PageTables, kind: PageKind::Free };
    assert_eq!(filter(&machine, 31).findings.doubt(), Some(expected));
}
