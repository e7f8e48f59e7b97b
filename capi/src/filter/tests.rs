//! Kinds and bitmaps, against what the synthetic machine says of its pages.

use core::ptr::{null, null_mut};

use testkit::Kind;

use super::*;
use crate::kernel::{kcap_kernel_facts, kcap_kernel_get_facts};
use crate::status::*;
use crate::testing::Setup;
use crate::testing::{Memory, Room, input, machine, vmcore};

fn number(kind: Kind) -> u8 {
    let number = match kind {
        Kind::Slab => KCAP_KIND_SLAB,
        Kind::Cache => KCAP_KIND_CACHE,
        Kind::CachePrivate => KCAP_KIND_CACHE_PRIVATE,
        Kind::User => KCAP_KIND_USER,
        Kind::Free => KCAP_KIND_FREE,
        Kind::HwPoison => KCAP_KIND_HWPOISON,
        Kind::Offline => KCAP_KIND_OFFLINE,
        Kind::Kernel | Kind::Zero => KCAP_KIND_KERNEL,
    };
    u8::try_from(number).unwrap()
}

#[test]
fn every_page_has_its_kind() {
    let machine = machine();
    let mut setup = Setup::new(input(vmcore()));
    let end = usize::try_from(machine.max_pfn()).unwrap() + 3;
    let mut kinds = std::vec![77; end];
    // SAFETY: all pointers are to what they say, or NULL.
    unsafe {
        let (kernel, memory) = (setup.kernel.at(), setup.memory.at());
        let told = kcap_kernel_page_kinds(kernel, memory, 0, kinds.as_mut_ptr(), end, null_mut());
        assert_eq!(told, KCAP_OK);
        let refused =
            |kernel, memory, kinds, len| kcap_kernel_page_kinds(kernel, memory, 0, kinds, len, null_mut());
        assert_eq!(refused(null_mut(), memory, null_mut(), 0), KCAP_ERR_NULL);
        assert_eq!(refused(kernel, null_mut(), null_mut(), 0), KCAP_ERR_NULL);
        assert_eq!(refused(kernel, memory, null_mut(), 1), KCAP_ERR_NULL);
        assert_eq!(refused(kernel, memory, kinds.as_mut_ptr(), usize::MAX), KCAP_ERR_LENGTH);
        assert_eq!(refused(kernel, memory, null_mut(), 0), KCAP_OK);
        let mut facts = Room::<kcap_kernel_facts>::new();
        (*facts.at()).size = size_of::<kcap_kernel_facts>();
        assert_eq!(kcap_kernel_get_facts(kernel, facts.at()), KCAP_OK);
        assert_eq!(((*facts.at()).struct_page_size, (*facts.at()).bits), (64, 64));
        assert_ne!((*facts.at()).memory_model, crate::kernel::KCAP_MEMORY_MODEL_NONE);
    }
    for (pfn, &kind) in (0..).zip(&kinds) {
        let expected =
            machine.use_of(pfn).map_or(KCAP_KIND_ABSENT as u8, |_| number(machine.kind_by_use(pfn)));
        assert_eq!(kind, expected, "{pfn:#x}");
    }
}

#[test]
fn a_scan_clears_what_the_level_leaves_out() {
    let machine = machine();
    let mut setup = Setup::new(input(vmcore()));
    let mut filter = Room::<kcap_filter>::new();
    let end = machine.max_pfn();
    let mut bits = std::vec![0_u64; usize::try_from(end.div_ceil(64)).unwrap()];
    for pfn in machine.pfns() {
        bits[usize::try_from(pfn / 64).unwrap()] |= 1 << (pfn % 64);
    }
    let words = bits.len();
    let mut scratch = Memory::new(KCAP_FILTER_SCRATCH);
    let mut counts = Room::<kcap_counts>::new();
    let mut findings = Room::<kcap_findings>::new();
    // SAFETY: all pointers are to what they say, or NULL; sizes of structs are set first.
    unsafe {
        let (kernel, memory, len) = (setup.kernel.at(), setup.memory.at(), Room::<kcap_filter>::LEN);
        assert_eq!(kcap_filter_init(filter.at(), len, kernel, 32, null_mut()), KCAP_ERR_INVALID);
        assert_eq!(kcap_filter_init(filter.at(), 0, kernel, 31, null_mut()), KCAP_ERR_BUFFER_TOO_SMALL);
        assert_eq!(kcap_filter_init(filter.at(), len, null_mut(), 31, null_mut()), KCAP_ERR_NULL);
        assert!(filter.untouched());
        assert_eq!(kcap_filter_init(filter.at(), len, kernel, 30, null_mut()), KCAP_OK);
        let filter = filter.at();
        let (scratch, scratch_len) = (scratch.at().cast(), scratch.len());
        let scan = |start, end, bits, words, len| {
            kcap_filter_scan(filter, memory, start, end, bits, words, scratch, len, null_mut())
        };
        assert_eq!(scan(0, end, bits.as_mut_ptr(), words - 1, scratch_len), KCAP_ERR_BUFFER_TOO_SMALL);
        assert_eq!(scan(0, end, bits.as_mut_ptr(), words, 1), KCAP_ERR_BUFFER_TOO_SMALL);
        assert_eq!(scan(2, 1, bits.as_mut_ptr(), words, scratch_len), KCAP_ERR_INVALID);
        assert_eq!(scan(0, end, null_mut(), words, scratch_len), KCAP_ERR_NULL);
        assert_eq!(scan(0, end, bits.as_mut_ptr(), usize::MAX, scratch_len), KCAP_ERR_LENGTH);
        assert_eq!(scan(0, end, bits.as_mut_ptr(), words, scratch_len), KCAP_OK);
        (*counts.at()).size = size_of::<kcap_counts>();
        assert_eq!(kcap_filter_get_counts(filter, counts.at()), KCAP_OK);
        assert_eq!(kcap_filter_get_counts(filter, null_mut()), KCAP_ERR_NULL);
        (*findings.at()).size = size_of::<kcap_findings>();
        assert_eq!(kcap_filter_get_findings(filter, 1, findings.at()), KCAP_OK);
        assert_eq!(kcap_filter_get_findings(null(), 1, findings.at()), KCAP_ERR_NULL);
        assert_eq!(((*findings.at()).doubt, (*findings.at()).no_mem_map.reason), (0, 0));
        let counts = *counts.at();
        assert_eq!(counts.total, machine.pfns().len() as u64);
        for kind in [Kind::Slab, Kind::User, Kind::Free, Kind::Cache, Kind::HwPoison] {
            let expected = machine.pfns().iter().filter(|&&pfn| machine.kind_by_use(pfn) == kind).count();
            assert_eq!(counts.pages[usize::from(number(kind))], expected as u64, "{kind:?}");
        }
        assert_eq!(kcap_filter_clear(filter), KCAP_OK);
        assert_eq!(kcap_filter_clear(null_mut()), KCAP_ERR_NULL);
    }
    let kept: std::collections::BTreeSet<_> =
        (0..end).filter(|&pfn| bits[usize::try_from(pfn / 64).unwrap()] >> (pfn % 64) & 1 == 1).collect();
    assert_eq!(kept, machine.expected_dumpable(30));
}
