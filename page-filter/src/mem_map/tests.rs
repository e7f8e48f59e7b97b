//! Section tables laid out by hand.

use std::string::String;

use vmcore_format::{Pfn, VirtAddr};

use super::{Described, MemoryModel, NoMemMap};
use crate::keys::Key;
use crate::test_machine::{CACHE, FRAMES, LINEAR, MEM_MAP, TestMachine};
use crate::{Counts, Filter, Level, PageKind};

/// Sections of 32 MiB: two are present. The table is at 0x6000, a pointer to it at 0x5800, its first page at 0x8000.
fn machine(keys: &str) -> TestMachine {
    let mut machine = TestMachine::new().without("SYMBOL(mem_map)").with(keys);
    machine.memory.put(0x5800, LINEAR + 0x6000);
    machine.memory.put(0x6000, LINEAR + 0x8000);
    machine.memory.put(0x8000, (LINEAR + MEM_MAP) | 0b1111);
    machine.memory.put(0x8010, (LINEAR + MEM_MAP) | 0b11_0011);
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

#[test]
fn frames_of_absent_sections_are_kept() {
    let mut machine = machine(&[EXTREME, ENTRY].concat());
    machine.memory.put(0x8000, (LINEAR + MEM_MAP) | 0b11);
    machine.memory.put(0x8010, 0b1110);
    let mut kernel = machine.open().unwrap();
    let mut filter = Filter::new(&mut kernel, Level::all());
    let mut counts = Counts::default();
    let mut bits = [u64::MAX; FRAMES as usize / 64];
    filter.scan(&mut machine.memory, Pfn(0)..Pfn(FRAMES), &mut bits, &mut counts, &mut [0; 4096]).unwrap();
    assert_eq!(counts.pages(PageKind::Unknown), 0x2000);
    assert_eq!(bits, [u64::MAX; FRAMES as usize / 64]);
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
