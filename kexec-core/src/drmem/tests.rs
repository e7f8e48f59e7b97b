use super::*;
use crate::fdt::laid::Laid;
use crate::fdt::{Token, Tree};
use crate::map::{MemoryMap, Range, RangeKind, Span};
use crate::{Error, Field};
use std::string::String;
use std::vec::Vec;
use testkit::Random;
use vmcore_format::PhysAddr;

mod guest;
mod hostile;
mod model;

use model::{lmb, naive, value};

const LMB: u64 = 0x1000_0000;

/// How the blocks of a tree lie: as dtc has them, or as Linux has them when it boots from Open Firmware.
#[derive(Clone, Copy, PartialEq)]
enum Order {
    StructFirst,
    /// In version 16, which does not say how long the structure is.
    StringsFirst,
}

/// A tree with the node between others, in a buffer with `room` bytes behind it.
fn tree(layout: Layout, value: &[u8], order: Order, room: usize) -> Vec<u8> {
    let mut laid = Laid::with_cells(2, 2);
    laid.begin("cpus");
    laid.property("#size-cells", &[0, 0, 0, 0]);
    laid.u32(2);
    laid.begin("ibm,dynamic-reconfiguration-memory");
    laid.property("ibm,lmb-size", &LMB.to_be_bytes());
    laid.property(layout.name(), value);
    laid.property("ibm,memory-flags-mask", &[0, 0, 0, 0xff]);
    laid.u32(2);
    laid.begin("rtas");
    laid.property("linux,rtas-base", &[1, 2, 3]);
    laid.u32(2);
    let mut blob = laid.blob();
    if order == Order::StringsFirst {
        blob = strings_first(&blob);
    }
    blob.resize(blob.len() + room, 0xee);
    blob
}

/// The same tree with the strings before the structure, and room behind each, as Linux leaves it.
fn strings_first(blob: &[u8]) -> Vec<u8> {
    let word = |at: usize| u32::from_be_bytes(blob[at..at + 4].try_into().unwrap()) as usize;
    let structure = &blob[word(8)..word(8) + word(36)];
    let strings = &blob[word(12)..word(12) + word(32)];
    let mut moved = blob[..word(8)].to_vec();
    let strings_at = moved.len();
    moved.extend(strings);
    moved.resize(moved.len().next_multiple_of(8) + 16, 0);
    let struct_at = moved.len();
    moved.extend(structure);
    moved.resize(moved.len().next_multiple_of(8) + 40, 0);
    let total = moved.len();
    for (at, value) in [(4, total), (8, struct_at), (12, strings_at), (20, 16), (36, 0)] {
        moved[at..at + 4].copy_from_slice(&(value as u32).to_be_bytes());
    }
    moved
}

/// Everything in a tree, property by property.
fn spelled(blob: &[u8]) -> Vec<(String, Vec<u8>)> {
    let tokens = Tree::new(blob).unwrap();
    let text = |name: &[u8]| String::from_utf8(name.to_vec()).unwrap();
    tokens
        .tokens()
        .map(|token| match token.unwrap() {
            Token::BeginNode { name } => (text(name), Vec::new()),
            Token::EndNode => ("}".into(), Vec::new()),
            Token::Property(property) => (text(property.name), property.value.to_vec()),
        })
        .collect()
}

/// What must not change: all but the list and what is usable of it.
fn others(blob: &[u8]) -> Vec<(String, Vec<u8>)> {
    let ours = |name: &str| name.starts_with("ibm,dynamic-memory") || name == "linux,drconf-usable-memory";
    spelled(blob).into_iter().filter(|(name, _)| !ours(name)).collect()
}

fn ten() -> Vec<Lmb> {
    let mut lmbs: Vec<Lmb> = (0..10).map(|n| lmb(n, DRCONF_MEM_ASSIGNED, 0)).collect();
    lmbs.iter_mut().skip(7).for_each(|lmb| (lmb.flags, lmb.aa_index) = (0, NO_ASSOCIATIVITY));
    lmbs
}

#[test]
fn both_layouts_say_the_same() {
    for layout in [Layout::V1, Layout::V2] {
        let value = value(&ten(), layout);
        let table = Table::read(layout, LMB, &value).unwrap();
        assert_eq!(table.lmbs().collect::<Vec<_>>(), ten());
        assert_eq!((table.lmb_count(), table.set_count()), (10, if layout == Layout::V1 { 10 } else { 2 }));
        for expected in ten() {
            for address in [expected.base_addr.0, expected.base_addr.0 + LMB - 1] {
                assert_eq!(table.find(PhysAddr(address)), Some(expected));
            }
            assert_eq!(table.find_drc(expected.drc_index), Some(expected));
        }
        assert_eq!(
            (table.find(PhysAddr(10 * LMB)), table.find_drc(99), table.find_drc(0)),
            (None, None, None)
        );
    }
}

#[test]
fn drc_indexes_in_any_order_are_found() {
    let mut lmbs = ten();
    lmbs.iter_mut().for_each(|lmb| lmb.drc_index = 1000 - lmb.drc_index % 1000);
    for layout in [Layout::V1, Layout::V2] {
        let value = value(&lmbs, layout);
        let table = Table::read(layout, LMB, &value).unwrap();
        assert!(lmbs.iter().all(|lmb| table.find_drc(lmb.drc_index) == Some(*lmb)));
    }
}

#[test]
fn each_layout_becomes_the_other() {
    for from in [Layout::V1, Layout::V2] {
        for to in [Layout::V1, Layout::V2] {
            let (before, after) = (value(&ten(), from), value(&ten(), to));
            let table = Table::read(from, LMB, &before).unwrap();
            assert_eq!(table.encoded_len(to), after.len() as u64);
            let mut out = [0xaa; 300];
            assert_eq!(table.encode(to, &mut out), Ok(after.len()));
            assert_eq!(out[..after.len()], after);
            for room in 0..after.len() {
                let needed = after.len() as u64;
                assert_eq!(table.encode(to, &mut out[..room]), Err(Error::BufferTooSmall { needed }));
            }
        }
    }
}

#[test]
fn a_set_is_split_and_joined_again() {
    for order in [Order::StructFirst, Order::StringsFirst] {
        let mut blob = tree(Layout::V2, &value(&ten(), Layout::V2), order, 256);
        let before = others(&blob);
        let mut memory = DynamicMemory::open(&mut blob).unwrap();
        memory.apply(&mut [Change::release(PhysAddr(3 * LMB), 1)]).unwrap();
        let mut expected = ten();
        (expected[3].flags, expected[3].aa_index) = (0, NO_ASSOCIATIVITY);
        assert_eq!(memory.value(), value(&expected, Layout::V2));
        assert_eq!(memory.table().set_count(), 4);
        memory.apply(&mut [Change::assign(PhysAddr(3 * LMB), 1, 0)]).unwrap();
        assert_eq!(memory.value(), value(&ten(), Layout::V2));
        assert_eq!(others(&blob), before);
    }
}

#[test]
fn without_room_it_says_how_much_is_needed() {
    for order in [Order::StructFirst, Order::StringsFirst] {
        let full = tree(Layout::V2, &value(&ten(), Layout::V2), order, 0);
        let mut changes = [Change::release(PhysAddr(LMB), 1), Change::release(PhysAddr(3 * LMB), 1)];
        let mut blob = full.clone();
        let result = DynamicMemory::open(&mut blob).unwrap().apply(&mut changes);
        let Err(Error::BufferTooSmall { needed }) = result else { panic!("{result:?}") };
        assert_eq!(blob, full);
        // Four sets more; Linux leaves 40 bytes, and a block begins at a multiple of 8.
        let slack = if order == Order::StructFirst { 0 } else { 40 };
        assert!((needed as usize - full.len()).abs_diff(4 * 24 - slack) < 8, "{needed} {}", full.len());
        blob.resize(needed as usize, 0);
        DynamicMemory::open(&mut blob).unwrap().apply(&mut changes).unwrap();
        assert_eq!(others(&blob), others(&full));
    }
}

#[test]
fn a_batch_is_done_or_not_begun() {
    for layout in [Layout::V1, Layout::V2] {
        let whole = tree(layout, &value(&ten(), layout), Order::StructFirst, 512);
        let mut blob = whole.clone();
        let mut memory = DynamicMemory::open(&mut blob).unwrap();
        let release = |at: u64, count| Change::release(PhysAddr(at), count);
        let missing = |value| Err(Error::NotFound { field: Field::LmbBaseAddr, value });
        assert_eq!(memory.apply(&mut [release(0, 1), release(10 * LMB, 1)]), missing(10 * LMB));
        assert_eq!(memory.apply(&mut [release(LMB + 1, 1), release(0, 1)]), missing(LMB + 1));
        assert_eq!(memory.apply(&mut [release(8 * LMB, 3)]), missing(10 * LMB));
        assert_eq!(memory.apply(&mut [release(8 * LMB, u32::MAX)]), missing(10 * LMB));
        let twice = Err(Error::Unsupported { field: Field::LmbBaseAddr, value: 2 * LMB });
        assert_eq!(memory.apply(&mut [release(2 * LMB, 2), release(LMB, 2)]), twice);
        assert_eq!(memory.apply(&mut []), Ok(()));
        assert_eq!(memory.apply(&mut [release(u64::MAX, 0)]), Ok(()));
        assert_eq!(blob, whole);
    }
}

#[test]
fn a_tree_takes_the_other_layout_and_back() {
    for order in [Order::StructFirst, Order::StringsFirst] {
        for (from, to) in [(Layout::V1, Layout::V2), (Layout::V2, Layout::V1)] {
            let full = tree(from, &value(&ten(), from), order, 0);
            let mut blob = full.clone();
            if let Err(Error::BufferTooSmall { needed }) = DynamicMemory::open(&mut blob).unwrap().convert(to)
            {
                assert_eq!(blob, full);
                blob.resize(needed as usize, 0xee);
                DynamicMemory::open(&mut blob).unwrap().convert(to).unwrap();
            }
            let mut memory = DynamicMemory::open(&mut blob).unwrap();
            assert_eq!((memory.table().layout(), memory.value()), (to, &*value(&ten(), to)));
            memory.convert(from).unwrap();
            assert_eq!(memory.value(), value(&ten(), from));
            assert_eq!(spelled(&blob), spelled(&full));
        }
    }
}

/// Every LMB with what may be used of it.
type Usable = Vec<(Lmb, Vec<Span>)>;

fn usable_of(memory: &DynamicMemory<'_>) -> Usable {
    let entries = memory.usable_memory().unwrap().unwrap();
    let spans = |ranges: &[UsableRange]| ranges.iter().map(|range| range.span().unwrap()).collect();
    entries.map(|entry| entry.map(|(lmb, ranges)| (lmb, spans(ranges))).unwrap()).collect()
}

#[test]
fn what_is_usable_is_said_of_every_lmb() {
    let spans = [
        Span::new(LMB / 2, LMB / 2 + 4096),
        Span::new(LMB - 4096, 2 * LMB + 1),
        Span::new(9 * LMB, 30 * LMB),
    ];
    let expected: Usable = ten()
        .into_iter()
        .map(|lmb| {
            let whole = Span::with_len(lmb.base_addr.0, LMB).unwrap();
            let parts = spans.iter().map(|span| span.intersection(whole)).filter(|span| !span.is_empty());
            (lmb, parts.collect())
        })
        .collect();
    for (layout, order) in [
        (Layout::V1, Order::StructFirst),
        (Layout::V2, Order::StringsFirst),
        (Layout::V2, Order::StructFirst),
    ] {
        let mut table = [Range::EMPTY; 8];
        let mut usable = MemoryMap::new(&mut table);
        spans.iter().for_each(|span| usable.set(Range::new(*span, RangeKind::SystemRam)).unwrap());
        usable.set(Range::new(Span::new(3 * LMB, 4 * LMB), RangeKind::Reserved)).unwrap();
        let full = tree(layout, &value(&ten(), layout), order, 0);
        let mut blob = full.clone();
        let result = DynamicMemory::open(&mut blob).unwrap().set_usable_memory(&usable);
        let Err(Error::BufferTooSmall { needed }) = result else { panic!("{result:?}") };
        assert_eq!(blob, full);
        blob.resize(needed as usize, 0xee);
        let mut memory = DynamicMemory::open(&mut blob).unwrap();
        assert!(memory.usable_memory().unwrap().is_none());
        memory.set_usable_memory(&usable).unwrap();
        assert_eq!(usable_of(&memory), expected);
        // Again, with less; and it is no matter to it how the list changes.
        usable.clear();
        memory.set_usable_memory(&usable).unwrap();
        assert!(usable_of(&memory).iter().all(|(_, spans)| spans.is_empty()));
        memory.apply(&mut [Change::release(PhysAddr(0), 7)]).unwrap();
        assert_eq!(usable_of(&memory).len(), 10);
        memory.clear_usable_memory().unwrap();
        memory.apply(&mut [Change::assign(PhysAddr(0), 7, 0)]).unwrap();
        assert_eq!(spelled(&blob), spelled(&full));
    }
}

#[test]
fn random_batches_leave_what_a_naive_list_has() {
    let mut random = Random::new(7);
    let mut batches = 0;
    for round in 0..300 {
        let count = 1 + random.number() % 60;
        let mut lmbs = naive(&mut random, count);
        let layout = if round % 4 == 0 { Layout::V1 } else { Layout::V2 };
        let order = if round % 2 == 0 { Order::StructFirst } else { Order::StringsFirst };
        let mut blob = tree(layout, &value(&lmbs, layout), order, 8000);
        let before = others(&blob);
        let mut memory = DynamicMemory::open(&mut blob).unwrap();
        for _ in 0..40 {
            let mut changes = model::batch(&mut random, &lmbs);
            model::change(&mut lmbs, &changes);
            memory.apply(&mut changes).unwrap();
            assert_eq!(memory.value(), value(&lmbs, memory.table().layout()), "{changes:x?}");
            batches += 1;
            if random.number().is_multiple_of(16) {
                let to = if memory.table().layout() == Layout::V1 { Layout::V2 } else { Layout::V1 };
                memory.convert(to).unwrap();
                assert_eq!(memory.value(), value(&lmbs, to));
            }
        }
        assert!(lmbs.iter().all(|lmb| memory.table().find(lmb.base_addr) == Some(*lmb)));
        assert_eq!(others(&blob), before);
    }
    assert_eq!(batches, 12_000);
}

/// Only the sets at a change are rewritten, whatever lies elsewhere: two sets that could be one stay two.
#[test]
fn sets_that_no_change_meets_keep_their_bytes() {
    let set = |first: u64, count: u32| {
        let lmb = lmb(first, DRCONF_MEM_ASSIGNED, 0);
        [&count.to_be_bytes()[..], &model::v2_tail(&lmb)].concat()
    };
    let sets: Vec<u8> = [4_u32.to_be_bytes().to_vec(), set(0, 2), set(2, 2), set(8, 4), set(20, 9)].concat();
    let mut blob = tree(Layout::V2, &sets, Order::StructFirst, 100);
    let mut memory = DynamicMemory::open(&mut blob).unwrap();
    memory.apply(&mut [Change::release(PhysAddr(24 * LMB), 1)]).unwrap();
    assert_eq!(memory.table().set_count(), 6);
    assert_eq!(memory.value()[4..76], sets[4..76]);
}
