//! The list of memory blocks in a device tree: read, changed, given the other layout, beside a list with each block by itself.

use kexec_core::Error;
use kexec_core::drmem::{Change, DynamicMemory, Layout, Lmb, Table, UsableMemory};
use kexec_core::map::{MemoryMap, Range, RangeKind, Span};
use vmcore_format::PhysAddr;

use crate::input::Input;

/// More blocks than these are not listed one by one.
const LISTED: u64 = 300;

/// The first byte says what the rest is; a tree has 32 bytes of edits before it.
pub fn run(data: &[u8]) {
    let mut input = Input::new(data);
    let kind = input.u8() % 3;
    let layout = [Layout::V1, Layout::V2, Layout::V2][usize::from(kind)];
    if kind < 2 {
        let lmb_size = u64::from(input.u8()) << 24;
        return property(layout, lmb_size, input.rest());
    }
    let room = usize::from(input.u8()) << 4;
    let mut edits = Input::new(input.bytes(32));
    let mut buffer = input.rest().to_vec();
    buffer.resize(buffer.len() + room, 0xee);
    let Ok(mut memory) = DynamicMemory::open(&mut buffer) else { return };
    if memory.table().lmb_count() > LISTED {
        let _ = (memory.convert(Layout::V1), memory.convert(Layout::V2));
        return;
    }
    let mut list: Vec<Lmb> = memory.table().lmbs().collect();
    while !edits.is_empty() {
        let before = memory.value().to_vec();
        match edits.u8() % 6 {
            0 => {
                let layout = if edits.u8() & 1 == 0 { Layout::V1 } else { Layout::V2 };
                unchanged(memory.convert(layout), &memory, &before);
            }
            1 => usable(&mut memory, &mut edits),
            _ => {
                let mut changes = [(); 3].map(|()| change(&mut edits, &list));
                let result = memory.apply(&mut changes);
                if result.is_ok() {
                    changes.iter().for_each(|change| apply(&mut list, change));
                }
                unchanged(result, &memory, &before);
            }
        }
        assert!(memory.table().lmbs().eq(list.iter().copied()));
        assert!(list.iter().all(|lmb| memory.table().find(lmb.base_addr) == Some(*lmb)));
    }
    let value = memory.value().to_vec();
    assert!(DynamicMemory::open(&mut buffer).is_ok_and(|again| again.value() == value));
}

/// A change that failed has changed nothing.
fn unchanged(result: Result<(), Error>, memory: &DynamicMemory<'_>, before: &[u8]) {
    assert!(result.is_ok() || memory.value() == before, "{result:?}");
}

fn property(layout: Layout, lmb_size: u64, value: &[u8]) {
    let Ok(table) = Table::read(layout, lmb_size, value) else { return };
    if table.lmb_count() > LISTED {
        return;
    }
    let list: Vec<Lmb> = table.lmbs().collect();
    assert_eq!(list.len() as u64, table.lmb_count());
    for lmb in &list {
        assert_eq!(table.find(lmb.base_addr), Some(*lmb));
        assert!(table.find_drc(lmb.drc_index).is_some_and(|found| found.drc_index == lmb.drc_index));
    }
    for layout in [Layout::V1, Layout::V2] {
        let mut out = vec![0; table.encoded_len(layout) as usize];
        assert_eq!(table.encode(layout, &mut out), Ok(out.len()));
        assert!(Table::read(layout, lmb_size, &out).is_ok_and(|again| again.lmbs().eq(list.iter().copied())));
    }
    let entries = UsableMemory::new(&table, value).filter_map(Result::ok);
    entries.for_each(|(_, ranges)| {
        assert!(ranges.iter().filter_map(|range| range.span()).count() <= ranges.len())
    });
}

fn change(edits: &mut Input<'_>, list: &[Lmb]) -> Change {
    let base_addr = match edits.u8() {
        0 => PhysAddr(edits.extreme()),
        at => list.get(usize::from(at) % (list.len() + 1)).map_or(PhysAddr(0), |lmb| lmb.base_addr),
    };
    let bits = edits.u8();
    let aa_index = (bits & 1 != 0).then_some(u32::from(bits >> 6));
    Change {
        base_addr,
        seq_lmbs: u32::from(bits >> 1 & 3),
        clear: u32::from(bits & 8),
        set: u32::from(bits >> 1 & 8),
        aa_index,
    }
}

fn apply(list: &mut [Lmb], change: &Change) {
    let from = list.iter().position(|lmb| lmb.base_addr == change.base_addr).unwrap_or(list.len());
    for lmb in list[from..].iter_mut().take(change.seq_lmbs as usize) {
        lmb.flags = lmb.flags & !change.clear | change.set;
        lmb.aa_index = change.aa_index.unwrap_or(lmb.aa_index);
    }
}

fn usable(memory: &mut DynamicMemory<'_>, edits: &mut Input<'_>) {
    let mut ranges = [Range::EMPTY; 3];
    let mut map = MemoryMap::new(&mut ranges);
    let start = u64::from(edits.u8()) << 27;
    let _ =
        map.set(Range::new(Span::new(start, start + (u64::from(edits.u8()) << 26)), RangeKind::SystemRam));
    let lmbs = memory.table().lmb_count();
    if edits.u8() & 3 == 0 {
        assert_eq!(memory.clear_usable_memory(), Ok(()));
    } else if memory.set_usable_memory(&map).is_ok() {
        let said = memory.usable_memory().ok().flatten().map(|usable| usable.filter(Result::is_ok).count());
        assert_eq!(said, Some(lmbs as usize));
    }
}

/// A tree with the list and nothing else.
fn tree(name: &str, value: &[u8]) -> Vec<u8> {
    let words = |words: &[u32]| words.iter().flat_map(|word| word.to_be_bytes()).collect::<Vec<u8>>();
    let strings = format!("ibm,lmb-size\0{name}\0");
    let mut structure = words(&[1, 0, 1]);
    structure.extend(b"ibm,dynamic-reconfiguration-memory\0\0");
    structure.extend(words(&[3, 8, 0, 0, 0x1000_0000, 3, value.len() as u32, 13]));
    structure.extend(value);
    structure.extend(words(&[2, 2, 9]));
    let (len, strings_len) = (structure.len() as u32, strings.len() as u32);
    let mut blob = words(&[
        0xd00d_feed,
        56 + len + strings_len,
        56,
        56 + len,
        40,
        17,
        16,
        0,
        strings_len,
        len,
        0,
        0,
        0,
        0,
    ]);
    blob.extend(structure);
    blob.extend(strings.bytes());
    blob
}

/// Both layouts, alone and in a tree.
pub fn seeds() -> Vec<Vec<u8>> {
    let words = |words: &[u32]| words.iter().flat_map(|word| word.to_be_bytes()).collect::<Vec<u8>>();
    let entry = |n: u32| [0, n << 28, 0x8000_0000 + n, 0, 0, if n < 3 { 8 } else { 0 }];
    let v1 = words(&[[5].to_vec(), (0..5).flat_map(entry).collect()].concat());
    let v2 = words(&[2, 4, 0, 0, 0, u32::MAX, 0xa0, 28, 0, 0x4000_0000, 0x8000_0004, u32::MAX, 0]);
    let edits: Vec<u8> = (0..32).map(|n| (n * 37 % 251) as u8).collect();
    vec![
        [&[0, 16][..], &v1].concat(),
        [&[1, 16][..], &v2].concat(),
        [&[2, 60][..], &edits, &tree("ibm,dynamic-memory", &v1)].concat(),
        [&[2, 60][..], &edits, &tree("ibm,dynamic-memory-v2", &v2)].concat(),
    ]
}
