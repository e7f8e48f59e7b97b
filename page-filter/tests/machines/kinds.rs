//! The filter on machines of every kernel era and memory model, laid out without this crate.

use std::collections::BTreeMap;

use crate::kit::{KitMemory, assert_same, every, kind, machine_of, open, open_with, run};
use page_filter::{Counts, Filter, Kernel, KernelError, Level, MemoryModel, PageKind};
use testkit::{Arch, Builder, Era, Machine, MemModel, Population, Use};
use vmcore_format::kdump::UtsField;
use vmcore_format::{Pfn, VirtAddr};

const LEVELS: [u8; 12] = [0, 1, 2, 3, 4, 6, 8, 15, 16, 24, 30, 31];

/// Every level keeps what the uses of the machine say, and counts what they say.
fn check(builder: Builder, levels: &[u8], what: &str) {
    let machine = builder.build();
    let mut memory = KitMemory::new(&machine);
    let mut kernel = open(&machine, &mut memory).unwrap();
    let mut by_kind: BTreeMap<PageKind, u64> = BTreeMap::new();
    for pfn in machine.pfns() {
        *by_kind.entry(kind(machine.kind_by_use(pfn))).or_default() += 1;
    }
    for level in levels {
        let what = format!("{what}, level {level}");
        let outcome = run(&mut kernel, &mut memory, *level, 0x2000);
        assert_same(&machine, &outcome.kept, &machine.expected_dumpable(*level), &what);
        for one in PageKind::ALL {
            assert_eq!(outcome.counts.pages(one), by_kind.get(&one).copied().unwrap_or(0), "{what} {one:?}");
        }
        assert_eq!(outcome.findings.doubt(), None, "{what}");
        assert_eq!(outcome.counts.bad_orders(), 0, "{what}");
        assert_eq!(outcome.findings.keeps_more().count(), 0, "{what}");
    }
}

#[test]
fn every_era_keeps_what_the_uses_say() {
    for (era, seed) in Era::ALL.into_iter().zip(1..) {
        let builder = Machine::x86_64(era).kaslr(0x1be0_0000).population(Population::Mix(seed));
        check(builder, &LEVELS, &format!("{era:?}"));
    }
}

#[test]
fn every_memory_model_keeps_what_the_uses_say() {
    let models = [
        MemModel::SparseStatic,
        MemModel::SparseExtreme { pointer: false },
        MemModel::SparseExtreme { pointer: true },
        MemModel::Vmemmap { huge: true, optimised: false },
        MemModel::Vmemmap { huge: false, optimised: false },
    ];
    for model in models {
        for five in [false, true] {
            let mut builder = Machine::x86_64(Era::V6_12).kaslr(0x600_0000).model(model);
            if five {
                builder = builder.five_levels().sme_mask(1 << 51);
            }
            // An array of all sections of a 52-bit machine would not be static.
            if !(five && model == MemModel::SparseStatic) {
                check(builder, &[0, 31], &format!("{model:?}, five levels {five}"));
            }
        }
    }
    let flat = Machine::x86_64(Era::V6_1)
        .model(MemModel::Flat)
        .ranges(&[(0x1000, 0x9_fc00), (0x10_0000, 0x1ff_0800)]);
    check(flat, &[0, 31], "Flat");
}

#[test]
fn hugetlb_pages_without_tails_of_their_own_are_user_memory() {
    for (era, five) in
        [(Era::V6_1, false), (Era::V6_3, true), (Era::V6_9, false), (Era::V6_16, true), (Era::V7_1, true)]
    {
        let mut builder = Machine::x86_64(era)
            .model(MemModel::Vmemmap { huge: false, optimised: true })
            .place(0x1000, Use::Hugetlb { order: 9 })
            .place(0x1200, Use::Hugetlb { order: 9 })
            .place(0x1800, Use::Hugetlb { order: 9 });
        if five {
            builder = builder.five_levels();
        }
        let machine = builder.clone().build();
        if era < Era::V7_1 {
            let head = machine.struct_page_phys(0x1000);
            assert_eq!(machine.struct_page_phys(0x1040), head, "the kit shows the head again");
        }
        check(builder, &[0, 8, 23, 31], &format!("optimised {era:?}"));
    }
}

#[test]
fn windows_of_any_size_answer_the_same() {
    for era in [Era::V4_19, Era::V6_6, Era::V7_1] {
        let machine = Machine::x86_64(era).population(Population::Mix(77)).build();
        let mut memory = KitMemory::new(&machine);
        let mut kernel = open(&machine, &mut memory).unwrap();
        let whole = run(&mut kernel, &mut memory, 31, 1 << 30);
        assert_same(&machine, &whole.kept, &machine.expected_dumpable(31), "whole");
        for window in [1, 7, 64, 511, 512, 513, 1000, 4096] {
            let outcome = run(&mut kernel, &mut memory, 31, window);
            assert_same(&machine, &outcome.kept, &whole.kept, &format!("{era:?}, windows of {window}"));
            assert_eq!(outcome.counts, whole.counts, "{era:?}, windows of {window}");
        }
    }
}

#[test]
fn frames_left_out_before_stay_out_and_hide_nothing() {
    // Heads of blocks are missing from the bitmap, as when a dump is filtered again.
    for era in [Era::V4_19, Era::V6_3, Era::V6_12, Era::V7_1] {
        let machine = Machine::x86_64(era).population(Population::Mix(5)).build();
        let mut memory = KitMemory::new(&machine);
        let mut kernel = open(&machine, &mut memory).unwrap();
        left_out_before(&machine, &mut kernel, &mut memory);
    }
}

fn left_out_before(machine: &Machine, kernel: &mut Kernel, memory: &mut KitMemory) {
    let mut scratch = vec![0; Filter::SCRATCH_LEN];
    let expected = machine.expected_dumpable(31);
    for (start, end) in [(0x1000u64, 0x1800u64), (0x10_0000, 0x10_0bff)] {
        for gap in [2, 3, 64] {
            let mut dumpable = vec![0u64; (end - start).div_ceil(64) as usize];
            let asked: Vec<u64> = (start..end).filter(|pfn| pfn % gap != 0).collect();
            for pfn in &asked {
                dumpable[(pfn - start) as usize / 64] |= 1 << ((pfn - start) % 64);
            }
            let mut filter = Filter::new(kernel, Level::all());
            let window = Pfn(start)..Pfn(end);
            filter.scan(memory, window, &mut dumpable, &mut Counts::default(), &mut scratch).unwrap();
            for pfn in start..end {
                let bit = (pfn - start) as usize;
                let kept = dumpable[bit / 64] >> (bit % 64) & 1 != 0;
                let wanted = pfn % gap != 0 && expected.contains(&pfn);
                assert_eq!(kept, wanted, "{pfn:#x} {:?} gap {gap} {:?}", machine.use_of(pfn), machine.era());
            }
        }
    }
}

#[test]
fn a_kernel_without_memory_failure_keeps_offline_pages_at_level_0() {
    let builder = Machine::x86_64(Era::V6_1).without_memory_failure();
    check(builder, &LEVELS, "without PG_hwpoison");
}

#[test]
fn each_missing_key_keeps_more_and_loses_nothing() {
    let eras = [Era::V4_19, Era::V6_1, Era::V6_3, Era::V6_6, Era::V6_9, Era::V6_12, Era::V7_1];
    for (number, era) in eras.into_iter().enumerate() {
        let machine = Machine::x86_64(era).population(Population::Mix(9)).build();
        let mut memory = KitMemory::new(&machine);
        let info = machine.vmcoreinfo();
        // Another third of the keys in each era: most are in all of them.
        for line in info.lines().skip(number % every(3)).step_by(every(3)) {
            let without: String = info.lines().filter(|l| *l != line).flat_map(|l| [l, "\n"]).collect();
            for level in [2, 8, 31] {
                let Ok(mut kernel) = open_with(&machine, &mut memory, &without, true) else { continue };
                let outcome = run(&mut kernel, &mut memory, level, 1 << 30);
                let expected = machine.expected_dumpable(level);
                let lost: Vec<u64> = expected.difference(&outcome.kept).copied().take(4).collect();
                let uses: Vec<_> = lost.iter().map(|pfn| machine.use_of(*pfn)).collect();
                assert!(
                    lost.is_empty() || outcome.findings.doubt().is_some(),
                    "{era:?} without {line}, level {level}: lost {lost:x?} {uses:?}"
                );
                if outcome.kept != expected {
                    let says =
                        outcome.findings.no_mem_map().is_some() || outcome.findings.missing().count() > 0;
                    assert!(says, "{era:?} without {line}, level {level}: more is kept and nothing says why");
                }
            }
        }
    }
}

#[test]
fn virtual_addresses_lead_to_their_bytes() {
    for five in [false, true] {
        for with_loads in [false, true] {
            let mut builder = Machine::x86_64(Era::V6_12).kaslr(0x1be0_0000).text_phys(0x60_0000);
            if five {
                builder = builder.five_levels().sme_mask(1 << 47);
            }
            let machine = builder.build();
            let mut memory = KitMemory::new(&machine);
            let mut kernel = open_with(&machine, &mut memory, &machine.vmcoreinfo(), with_loads).unwrap();
            let mut buf = vec![0; 9000];
            let mut check = |virt: u64, phys: u64| {
                kernel.read_virt(&mut memory, VirtAddr(virt), &mut buf).unwrap();
                assert!(buf == machine.read(phys, buf.len()), "{virt:#x} {phys:#x} five {five}");
            };
            for phys in [
                0x1000,
                0x1_2345,
                0x10_0000,
                0x1f_f000,
                0x3f_f123,
                0x1b0_0001,
                4 << 30,
                (4 << 30) + 0xb0_0007,
            ] {
                check(machine.linear(phys), phys);
            }
            check(machine.text_virt(), machine.text_phys());
            check(
                machine.symbol("init_uts_ns").unwrap(),
                machine.text_phys() + machine.symbol("init_uts_ns").unwrap() - machine.text_virt(),
            );
            for pfn in [0x1, 0x100, 0x1000, 0x10_0000, 0x10_0b00] {
                let virt = machine.struct_page_virt(pfn).unwrap();
                let mut page = [0; 64];
                kernel.read_virt(&mut memory, VirtAddr(virt), &mut page).unwrap();
                assert_eq!(page, *machine.read(machine.struct_page_phys(pfn).unwrap(), 64));
            }
            for hole in [0, 0x1000, machine.linear(2 << 30), 0xffff_ffff_ffff_fff8, 0x8000_0000_0000] {
                assert!(kernel.read_virt(&mut memory, VirtAddr(hole), &mut buf).is_err(), "{hole:#x}");
            }
            assert_eq!(kernel.memory_model(), Some(MemoryModel::SparseExtreme));
            assert_eq!(kernel.utsname(&mut memory).unwrap().get(UtsField::Release), b"6.12.0-kit");
        }
    }
}

#[test]
fn machines_whose_page_tables_are_not_read_are_refused_not_guessed() {
    for arch in [Arch::I386, Arch::Arm64, Arch::Ppc64, Arch::Ppc64Le, Arch::S390x, Arch::Ppc] {
        let machine = Machine::of(arch, Era::V6_1).build();
        let mut memory = KitMemory::new(&machine);
        assert!(matches!(open(&machine, &mut memory), Err(KernelError::Unsupported { .. })), "{arch:?}");
        assert_eq!(machine_of(&machine).e_machine, arch.e_machine());
    }
}
