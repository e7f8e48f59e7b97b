//! Section tables laid out by hand.

use core::ops::Range;
use std::string::String;
use std::vec;
use std::vec::Vec;

use vmcore_format::{Pfn, VirtAddr};

use super::{Described, FrameRanges, MemoryModel, NoMemMap, Sections};
use crate::keys::Key;
use crate::test_machine::{CACHE, FRAMES, LINEAR, MEM_MAP, PLAIN, TestMachine};
use crate::{Counts, Filter, Level, PageKind};

/// Sections of 32 MiB: two are present. The table is at 0x6000, a pointer to it at 0x5800, its first page at 0x8000.
fn machine(keys: &str) -> TestMachine {
    let mut machine = TestMachine::new().without("SYMBOL(mem_map)").with(keys);
    machine.memory.put(0x5800, LINEAR + 0x6000);
    machine.memory.put(0x6000, LINEAR + 0x8000);
    machine.memory.put(0x8000, (LINEAR + MEM_MAP) | 0b1111);
    machine.memory.put(0x8010, (LINEAR + MEM_MAP) | 0b11_0111);
    machine.page(0x3000, CACHE);
    machine
}

const ENTRY: &str = " SIZE(mem_section)=16 OFFSET(mem_section.section_mem_map)=0";
const EXTREME: &str = "SYMBOL(mem_section)=ffff888000006000 LENGTH(mem_section)=8192 NUMBER(SECTION_SIZE_BITS)=25 \
    NUMBER(MAX_PHYSMEM_BITS)=46";

fn model(keys: &[&str], without: &str) -> Result<MemoryModel, NoMemMap> {
    let keys: String = keys.iter().flat_map(|keys| [*keys, " "]).collect();
    let mut machine = machine(&keys).without(without);
    let kernel = machine.open().unwrap();
    match (kernel.memory_model(), kernel.no_mem_map()) {
        (Some(model), None) => Ok(model),
        (None, Some(why)) => Err(why),
        both => unreachable!("{both:?}"),
    }
}

#[test]
fn sections_are_found_behind_either_symbol() {
    assert_eq!(model(&[EXTREME, ENTRY], ""), Ok(MemoryModel::SparseExtreme));
    let pointer = EXTREME.replace("06000", "05800");
    assert_eq!(model(&[&pointer, ENTRY], ""), Ok(MemoryModel::SparseExtreme));
    // An array of 32 sections of its own.
    let fixed = "SYMBOL(mem_section)=ffff888000008000 LENGTH(mem_section)=32 NUMBER(SECTION_SIZE_BITS)=25 \
        NUMBER(MAX_PHYSMEM_BITS)=30";
    assert_eq!(model(&[fixed, ENTRY], ""), Ok(MemoryModel::Sparse));
}

#[test]
fn the_size_of_sections_follows_from_the_length_of_their_table() {
    for without in ["NUMBER(SECTION_SIZE_BITS)", "NUMBER(MAX_PHYSMEM_BITS)"] {
        let mut machine = machine(&[EXTREME, ENTRY].concat()).without(without);
        let mut kernel = machine.open().unwrap();
        let described = kernel.describe(&mut machine.memory, 0x2001);
        let first = VirtAddr(LINEAR + MEM_MAP + 0x2001 * 64);
        assert_eq!(described, Described::At { first, until: 0x4000 }, "{without}");
        assert_eq!(kernel.describe(&mut machine.memory, 0x4000), Described::Absent { until: 0x6000 });
        assert_eq!(kernel.describe(&mut machine.memory, u64::MAX), Described::Absent { until: u64::MAX });
    }
}

#[test]
fn what_is_missing_or_out_of_bounds_is_said() {
    for (key, name) in [
        (Key::MemSectionSymbol, "SYMBOL(mem_section)"),
        (Key::MemSectionLength, "LENGTH(mem_section)"),
        (Key::MemSectionSize, "SIZE(mem_section)"),
        (Key::SectionMemMap, "OFFSET(mem_section.section_mem_map)"),
        (Key::PageSize, "SIZE(page)"),
        (Key::PageFlags, "OFFSET(page.flags)"),
    ] {
        assert_eq!(model(&[EXTREME, ENTRY], name), Err(NoMemMap::MissingKey(key)));
    }
    let length = EXTREME.replace("=8192", "=8191");
    assert_eq!(model(&[&length, ENTRY], ""), Err(NoMemMap::Model { length: 8191 }));
    for (from, to) in [("=8192", "=0"), ("=25", "=5"), ("=46", "=24"), ("=46", "=64"), ("=25", "=-1")] {
        assert!(model(&[&EXTREME.replace(from, to), ENTRY], "").is_err(), "{from} {to}");
    }
    for (from, to) in [("=16", "=0"), ("=16", "=8192"), ("map)=0", "map)=9"), ("map)=0", "map)=-1")] {
        assert!(model(&[EXTREME, &ENTRY.replace(from, to)], "").is_err(), "{from} {to}");
    }
    let nowhere = EXTREME.replace("ffff888000006000", "1234");
    assert_eq!(model(&[&nowhere, ENTRY], ""), Err(NoMemMap::NotCredible));
}

const SECOND: Range<u64> = 0x2000..0x4000;

/// What the kernel says of its sections, and what becomes of 64 MiB whose second half has this entry, and 16 MiB above them that
/// have none; of all that is in no section that can be trusted.
fn scanned(second: u64, faults: &[u64]) -> (Sections, Counts, Vec<u64>) {
    let mut machine = machine(&[EXTREME, ENTRY].concat());
    machine.memory.put(0x8010, second);
    machine.memory.faults.extend(faults);
    let mut kernel = machine.open().unwrap();
    let mut filter = Filter::new(&mut kernel, Level::all());
    let mut counts = Counts::default();
    let mut bits = [u64::MAX; FRAMES as usize / 64];
    filter.scan(&mut machine.memory, Pfn(0)..Pfn(FRAMES), &mut bits, &mut counts, &mut [0; 4096]).unwrap();
    let kept = (0..FRAMES).filter(|pfn| bits[*pfn as usize / 64] >> (pfn % 64) & 1 != 0).collect();
    (*kernel.sections().unwrap(), counts, kept)
}

fn named(ranges: &FrameRanges) -> Vec<Range<u64>> {
    ranges.named().map(|range| range.start.0..range.end.0).collect()
}

#[test]
fn memory_whose_section_alone_says_that_it_is_gone_is_kept() {
    // All of the entry, and its mark of presence.
    for second in [0, (LINEAR + MEM_MAP) | 0b11_0110] {
        let (sections, counts, kept) = scanned(second, &[]);
        assert_eq!(named(&sections.unreadable), [SECOND], "{second:x}");
        assert!(sections.tells_online && sections.whole);
        assert!(sections.offline.is_empty() && sections.removed.is_empty() && sections.missing.is_empty());
        assert_eq!((counts.pages(PageKind::Removed), counts.pages(PageKind::Unknown)), (0, 0x2000));
        assert!(SECOND.clone().all(|pfn| kept.contains(&pfn)), "{second:x}");
    }
}

#[test]
fn memory_that_is_offline_or_of_which_nothing_is_known_is_kept() {
    let map = LINEAR + MEM_MAP;
    // Present, with a mem_map, not online; present alone; not a kernel address.
    for (second, list) in [(map | 0b1011, 0), (0b1101, 0), (0x1000 | 0b0111, 2)] {
        let (sections, counts, kept) = scanned(second, &[]);
        let lists = [&sections.offline, &sections.removed, &sections.unreadable].map(named);
        for (at, found) in lists.into_iter().enumerate() {
            assert_eq!(found, if at == list && list < 2 { vec![SECOND] } else { vec![] }, "{second:x}");
        }
        assert_eq!(counts.pages(PageKind::Unknown), 0x2000, "{second:x}");
        assert!(SECOND.clone().all(|pfn| kept.contains(&pfn)), "{second:x}");
    }
    // Its descriptors are in a page that cannot be read, as those of all other sections.
    let mut machine = machine(&[EXTREME, ENTRY].concat());
    machine.memory.faults.insert(8);
    assert_eq!(machine.open().unwrap().no_mem_map(), Some(NoMemMap::NotCredible));
}

#[test]
fn kernels_that_do_not_mark_sections_as_online_have_none_offline() {
    let mut machine = machine(&[EXTREME, ENTRY].concat());
    for entry in [0x8000, 0x8010] {
        machine.memory.put(entry, (LINEAR + MEM_MAP) | 0b11);
    }
    let mut kernel = machine.open().unwrap();
    let sections = *kernel.sections().unwrap();
    assert!(!sections.tells_online && sections.offline.is_empty() && sections.believed);
    let described = kernel.describe(&mut machine.memory, 0x2001);
    assert!(matches!(described, Described::At { .. }));
}

#[test]
fn sections_in_use_that_the_input_does_not_have_are_named() {
    // A third section of 32 MiB, above the 64 MiB that the input has; its struct pages follow those of the others.
    for (used, online, expected) in
        [(true, true, Some(0x4000..0x6000)), (false, true, None), (true, false, None)]
    {
        let mut machine = machine(&[EXTREME, ENTRY].concat());
        machine.memory.put(0x8020, (LINEAR + MEM_MAP) | if online { 0b1111 } else { 0b1011 });
        for pfn in 0x4000..0x6000 {
            machine.page(pfn, PLAIN);
        }
        if used {
            machine.free(0x5000, 10);
        }
        let kernel = machine.open().unwrap();
        assert_eq!(named(&kernel.sections().unwrap().missing), Vec::from_iter(expected), "{used} {online}");
    }
}

#[test]
fn an_array_of_all_frames_is_found_through_its_pointer() {
    let mut machine = TestMachine::new();
    let mut kernel = machine.open().unwrap();
    assert_eq!(kernel.memory_model(), Some(MemoryModel::Flat));
    let first = VirtAddr(LINEAR + MEM_MAP + 64);
    assert_eq!(kernel.describe(&mut machine.memory, 1), Described::At { first, until: u64::MAX });
    // The node's size bounds the array.
    let mut machine = TestMachine::new().with(
        "SYMBOL(contig_page_data)=ffffffff80005100 OFFSET(pglist_data.node_start_pfn)=8 \
        OFFSET(pglist_data.node_spanned_pages)=16",
    );
    machine.memory.put(0x5108, 1);
    machine.memory.put(0x5110, 0x3000);
    let mut kernel = machine.open().unwrap();
    assert_eq!(kernel.describe(&mut machine.memory, 1), Described::At { first, until: 0x3001 });
    assert_eq!(kernel.describe(&mut machine.memory, 0x3001), Described::Absent { until: u64::MAX });
    let mut machine = TestMachine::new();
    machine.memory.put(0x5000, 0x1000);
    assert_eq!(machine.open().unwrap().no_mem_map(), Some(NoMemMap::NotCredible));
}
