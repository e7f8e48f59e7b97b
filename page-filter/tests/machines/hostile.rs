//! Damaged machines: nothing panics, nothing runs for ever, every page is counted once.

use crate::kit::{KitMemory, every, open_with, run};
use testkit::{Builder, Era, Machine, MemModel, Random, Use};

const SMALL: [MemModel; 4] = [
    MemModel::Flat,
    MemModel::SparseStatic,
    MemModel::SparseExtreme { pointer: true },
    MemModel::Vmemmap { huge: false, optimised: false },
];

fn small(era: Era, model: MemModel) -> Builder {
    let end = if matches!(model, MemModel::SparseStatic | MemModel::SparseExtreme { .. }) {
        0x90_0000
    } else {
        0x60_0000
    };
    Machine::x86_64(era).model(model).ranges(&[(0x1000, 0x9_f800), (0x10_0000, end)])
}

/// Page frames of the machine that hold its tables: page tables, sections, struct pages.
fn tables(machine: &Machine) -> Vec<u64> {
    let mut pfns: Vec<u64> = machine
        .pfns()
        .into_iter()
        .filter_map(|pfn| machine.struct_page_phys(pfn))
        .map(|phys| phys >> 12)
        .collect();
    pfns.extend(machine.pfns().into_iter().filter(|pfn| machine.use_of(*pfn) == Some(Use::Table)));
    pfns.extend((0..4).map(|i| (machine.text_phys() >> 12) + i));
    pfns.sort_unstable();
    pfns.dedup();
    pfns
}

#[test]
fn damaged_tables_and_struct_pages() {
    for (era, model) in [Era::V4_19, Era::V6_1, Era::V6_6, Era::V7_1].into_iter().zip(SMALL) {
        let machine = small(era, model).build();
        let clean = KitMemory::new(&machine);
        let (pfns, info) = (tables(&machine), machine.vmcoreinfo());
        let known = machine.expected_dumpable(0).len();
        let mut opened = 0;
        for seed in (0..250).step_by(every(3)) {
            let mut random = Random::new(seed);
            let mut memory = clean.clone();
            for _ in 0..=random.below(60) {
                let pfn = pfns[random.below(pfns.len() as u64) as usize];
                if random.below(3) == 0 {
                    random.flip(memory.page_mut(pfn));
                } else if random.below(40) == 0 {
                    memory.faults.insert(pfn);
                } else {
                    random.extreme(memory.page_mut(pfn));
                }
            }
            let Ok(mut kernel) = open_with(&machine, &mut memory, &info, seed % 2 == 0) else { continue };
            opened += 1;
            for (level, window) in [(31, 1 << 30), (31, 100), (0, 1000)] {
                let outcome = run(&mut kernel, &mut memory, level, window);
                let counted = outcome.counts.total();
                assert_eq!(counted, machine.pfns().len() as u64, "{era:?} seed {seed}");
                assert!(level != 0 || outcome.kept.len() <= known + 4096);
            }
        }
        assert!(opened > 100 / every(3), "damage that ends everything tests little: {opened}");
    }
}

#[test]
fn damaged_vmcoreinfo() {
    for (era, model) in [Era::V5_4, Era::V6_1, Era::V6_3, Era::V6_12].into_iter().zip(SMALL) {
        let machine = small(era, model).build();
        let mut memory = KitMemory::new(&machine);
        let info = machine.vmcoreinfo();
        let numbers = [
            "0",
            "1",
            "-1",
            "7",
            "63",
            "64",
            "65",
            "4095",
            "4096",
            "65536",
            "2147483647",
            "-2147483648",
            "9223372036854775807",
            "-9223372036854775808",
            "0xffffffffffffffff",
            "ffffffffffffffff",
            "ffff888000000000",
            "ffffffff80000000",
            "18446744073709551615",
            "",
        ];
        let mut opened = 0;
        for seed in (0..600).step_by(every(3)) {
            let mut random = Random::new(seed);
            let mut lines: Vec<String> = info.lines().map(str::to_owned).collect();
            for _ in 0..=random.below(3) {
                let at = random.below(lines.len() as u64) as usize;
                let key = lines[at].split('=').next().unwrap().to_owned();
                lines[at] = format!("{key}={}", numbers[random.below(numbers.len() as u64) as usize]);
            }
            let info: String = lines.iter().flat_map(|line| [line, "\n"]).collect();
            let Ok(mut kernel) = open_with(&machine, &mut memory, &info, seed % 2 == 0) else { continue };
            opened += 1;
            let outcome = run(&mut kernel, &mut memory, 31, 1 << 30);
            assert_eq!(outcome.counts.total(), machine.pfns().len() as u64, "{era:?} seed {seed}");
        }
        assert!(opened > 300 / every(3), "damage that ends everything tests little: {opened}");
    }
}
