use super::*;

#[test]
fn every_era_and_model_can_be_built() {
    for era in Era::ALL {
        let m = Machine::x86_64(era).kaslr(0x1be0_0000).build();
        assert_eq!(
            m.expected_dumpable(0).len()
                + m.pfns()
                    .iter()
                    .filter(|p| matches!(m.kind_by_use(**p), Kind::HwPoison | Kind::Offline))
                    .count(),
            m.pfns().len()
        );
        for kind in [Kind::Slab, Kind::Cache, Kind::CachePrivate, Kind::User, Kind::Free, Kind::HwPoison] {
            assert!(m.pfns().iter().any(|p| m.kind_by_use(*p) == kind), "{era:?} {kind:?}");
        }
    }
    for model in [
        MemModel::SparseStatic,
        MemModel::SparseExtreme { pointer: false },
        MemModel::SparseExtreme { pointer: true },
        MemModel::Vmemmap { huge: false, optimised: false },
        MemModel::Vmemmap { huge: false, optimised: true },
    ] {
        for five in [false, true] {
            let mut b = Machine::x86_64(Era::V6_12).model(model);
            if five {
                b = b.five_levels();
            }
            assert!(b.build().max_pfn() > 1 << 20);
        }
    }
    for arch in [Arch::I386, Arch::Arm64, Arch::Ppc64, Arch::Ppc64Le, Arch::S390x, Arch::Ppc] {
        let m = Machine::of(arch, Era::V6_1).build();
        assert!(m.elf().size() > 20 << 20);
    }
}

#[test]
fn logs_of_every_generation_wrap() {
    for generation in [Generation::Ringbuffer, Generation::Records, Generation::Flat] {
        for arch in [Arch::X86_64, Arch::I386, Arch::S390x] {
            for count in [0, 1, 20, 63, 64, 65, 300] {
                let m = Machine::of(arch, Era::V5_10)
                    .population(Population::Only(Use::Kernel))
                    .log(generation, LogRecord::sample(count))
                    .build();
                let log = m.expected_log().unwrap();
                assert_eq!(log.is_empty(), count == 0, "{generation:?} {arch:?} {count}");
            }
        }
    }
}

#[test]
fn removed_memory_is_in_the_file_alone() {
    let start = 8 << 30;
    let machine = Machine::x86_64(Era::V6_1).removed(start, start + 0x10_0000).build();
    assert_eq!(machine.ranges().last(), Some(&(start, start + 0x10_0000)));
    assert_eq!(machine.content(start >> 12), vec![0xee; 0x1000]);
    assert!(machine.pfns().last().unwrap() < &(start >> 12));
    assert!(machine.elf().to_vec().windows(0x1000).any(|page| page.iter().all(|byte| *byte == 0xee)));
}
