//! Damaged properties and trees.

use super::*;

/// Everything that can be asked of a tree, and every change.
fn exercise(blob: &[u8], random: &mut Random) -> bool {
    let mut blob = blob.to_vec();
    let Ok(mut memory) = DynamicMemory::open(&mut blob) else { return false };
    let table = memory.table();
    let few: Vec<Lmb> = table.lmbs().take(50).collect();
    assert!(few.windows(2).all(|pair| pair[0].base_addr < pair[1].base_addr));
    assert_eq!(table.sets().map(|set| u64::from(set.seq_lmbs)).sum::<u64>(), table.lmb_count());
    let _ = (table.find(PhysAddr(random.number())), table.find_drc(random.number() as u32));
    if let Ok(Some(usable)) = memory.usable_memory() {
        assert!(usable.take(100).count() <= 100);
    }
    let lmb = few[few.len() / 2];
    let (base, count) = (lmb.base_addr, 1 + random.number() as u32 % 4);
    let changed = memory.apply(&mut [Change::release(base, count), Change::assign(few[0].base_addr, 1, 3)]);
    if changed.is_ok() {
        assert_eq!(memory.table().find(base).map(|lmb| lmb.aa_index), Some(NO_ASSOCIATIVITY));
    }
    let lmbs = memory.table().lmb_count();
    for layout in [Layout::V1, Layout::V2] {
        let _ = memory.convert(layout);
        assert_eq!(memory.table().lmb_count(), lmbs);
    }
    let mut ranges = [Range::new(Span::new(0, 1 << 40), RangeKind::SystemRam)];
    let mut usable = MemoryMap::new(&mut ranges);
    usable.set(Range::new(Span::new(0, 1 << 40), RangeKind::SystemRam)).unwrap();
    if memory.set_usable_memory(&usable).is_ok() {
        assert_eq!(memory.usable_memory().unwrap().unwrap().map(Result::unwrap).count() as u64, lmbs);
    }
    let value = memory.value().to_vec();
    // It is still a tree, and says the same to whoever opens it anew.
    assert_eq!(DynamicMemory::open(&mut blob).unwrap().value(), value);
    true
}

#[test]
fn every_field_with_every_extreme_is_read_or_refused() {
    let mut random = Random::new(1);
    for (layout, order) in [(Layout::V1, Order::StringsFirst), (Layout::V2, Order::StructFirst)] {
        let (mut taken, mut refused) = (0, 0);
        let mut lmbs = ten();
        lmbs[4].flags = 0;
        let whole = tree(layout, &value(&lmbs, layout), order, 700);
        assert!(exercise(&whole, &mut random));
        testkit::sweep(&whole, 0..whole.len() - 700, |_, blob| match exercise(blob, &mut random) {
            true => taken += 1,
            false => refused += 1,
        });
        assert!(taken > 1000 && refused > 1000, "{taken} {refused}");
    }
}

#[test]
fn cut_off_anywhere_a_property_is_refused() {
    for layout in [Layout::V1, Layout::V2] {
        let whole = value(&ten(), layout);
        for len in 0..whole.len() {
            let corrupt = Error::Corrupt { field: layout.field(), offset: 0 };
            assert_eq!(Table::read(layout, LMB, &whole[..len]).map(|_| ()), Err(corrupt));
            let blob = tree(layout, &whole[..len], Order::StructFirst, 0);
            let opened = DynamicMemory::open(&mut blob.clone()).map(|_| ());
            assert!(
                matches!(opened, Err(Error::Corrupt { offset, .. }) if offset as usize > 40 && offset as usize + len < blob.len())
            );
        }
        let longer = [&whole[..], &[0; 24]].concat();
        assert!(Table::read(layout, LMB, &longer).is_err());
    }
}

#[test]
fn what_a_list_must_not_say() {
    let refused = |change: fn(&mut Vec<Lmb>), field, offset, layout| {
        let mut lmbs = ten();
        change(&mut lmbs);
        let found = Table::read(layout, LMB, &value(&lmbs, layout)).map(|_| ());
        assert_eq!(found, Err(Error::Corrupt { field, offset }));
    };
    use Field::{LmbBaseAddr, LmbDrcIndex};
    refused(|lmbs| lmbs[1].base_addr.0 -= 1, LmbBaseAddr, 4 + 24, Layout::V1);
    refused(|lmbs| lmbs.swap(4, 5), LmbBaseAddr, 4 + 5 * 24, Layout::V1);
    refused(|lmbs| lmbs.swap(6, 7), LmbBaseAddr, 4 + 2 * 24 + 4, Layout::V2);
    refused(|lmbs| lmbs[9].base_addr.0 = u64::MAX - LMB + 2, LmbBaseAddr, 4 + 9 * 24, Layout::V1);
    refused(
        |lmbs| (0..10).for_each(|n| lmbs[n].drc_index = u32::MAX.wrapping_add(n as u32)),
        LmbDrcIndex,
        4 + 12,
        Layout::V2,
    );
}

#[test]
fn more_lmbs_than_fit_anywhere_cost_nothing() {
    let mut lmbs = ten();
    lmbs.truncate(1);
    let mut one = value(&lmbs, Layout::V2);
    one[4..8].copy_from_slice(&0x7fff_ffff_u32.to_be_bytes());
    let full = tree(Layout::V2, &one, Order::StructFirst, 4096);
    let mut blob = full.clone();
    let mut memory = DynamicMemory::open(&mut blob).unwrap();
    assert_eq!(memory.table().lmb_count(), 0x7fff_ffff);
    assert!(matches!(memory.convert(Layout::V1), Err(Error::BufferTooSmall { .. })));
    let mut table = [Range::EMPTY; 1];
    let usable = MemoryMap::new(&mut table);
    assert!(matches!(memory.set_usable_memory(&usable), Err(Error::BufferTooSmall { .. })));
    memory.apply(&mut [Change::release(PhysAddr(0x3000_0000 * LMB), 0x1000_0000)]).unwrap();
    assert_eq!(memory.table().set_count(), 3);
    memory.apply(&mut [Change::assign(PhysAddr(0x3000_0000 * LMB), 0x1000_0000, 0)]).unwrap();
    assert_eq!(spelled(&blob), spelled(&full));
}

#[test]
fn trees_that_are_not_for_it() {
    let opened = |change: fn(&mut Vec<u8>)| {
        let mut blob = tree(Layout::V2, &value(&ten(), Layout::V2), Order::StructFirst, 0);
        change(&mut blob);
        DynamicMemory::open(&mut blob).map(|_| ()).unwrap_err()
    };
    fn name(blob: &mut [u8], from: &[u8], to: &[u8]) {
        let at = blob.windows(from.len()).position(|window| window == from).unwrap();
        blob[at..at + to.len()].copy_from_slice(to);
    }
    let missing = |field| Error::NotFound { field, value: 0 };
    assert_eq!(opened(|blob| name(blob, b"ibm,dynamic-reconf", b"x")), missing(Field::DrmemNode));
    let mut empty = tree(Layout::V2, &value(&ten(), Layout::V2), Order::StructFirst, 0);
    let size_at = empty.windows(8).position(|window| window == LMB.to_be_bytes()).unwrap();
    empty[size_at..size_at + 8].fill(0);
    let corrupt = Error::Corrupt { field: Field::LmbSize, offset: size_at as u64 };
    assert_eq!(DynamicMemory::open(&mut empty).map(|_| ()).unwrap_err(), corrupt);
    assert_eq!(opened(|blob| name(blob, b"ibm,lmb-size", b"x")), missing(Field::LmbSize));
    assert_eq!(opened(|blob| name(blob, b"ibm,dynamic-memory-v2", b"x")), missing(Field::DynamicMemory));
    let both = opened(|blob| name(blob, b"ibm,memory-flags-mask", b"ibm,dynamic-memory\0"));
    assert!(matches!(both, Error::Unsupported { field: Field::DynamicMemory, .. }));
    // The strings within the structure.
    let overlap = opened(|blob| blob.copy_within(8..12, 12));
    assert!(matches!(overlap, Error::Unsupported { field: Field::FdtBlocks, .. }));
    // 16 bytes of the reservations' end are within the structure.
    let late = opened(|blob| {
        let at = u32::from_be_bytes(blob[8..12].try_into().unwrap()) - 8;
        blob[at as usize..at as usize + 24].fill(0);
        blob[16..20].copy_from_slice(&at.to_be_bytes());
    });
    assert!(matches!(late, Error::Unsupported { field: Field::FdtBlocks, .. }));
}

#[test]
fn usable_memory_that_does_not_fit_its_lmbs() {
    let lmbs = value(&ten()[..2], Layout::V1);
    let table = Table::read(Layout::V1, LMB, &lmbs).unwrap();
    let words = |words: &[u64]| words.iter().flat_map(|word| word.to_be_bytes()).collect::<Vec<u8>>();
    let good = words(&[1, 0, 4096, 2, LMB, 1, LMB + 1, 1]);
    let read = |value: &[u8]| {
        UsableMemory::new(&table, value)
            .map(|entry| entry.map(|(_, ranges)| ranges.len()))
            .collect::<Vec<_>>()
    };
    assert_eq!(read(&good), [Ok(1), Ok(2)]);
    for len in 0..good.len() {
        let found = read(&good[..len]);
        let offset = if len < 24 { 0 } else { 24 };
        assert_eq!(found.last(), Some(&Err(Error::Corrupt { field: Field::DrconfUsableMemory, offset })));
    }
    let longer = [&good[..], &[0]].concat();
    let error = Err(Error::Corrupt { field: Field::DrconfUsableMemory, offset: good.len() as u64 });
    assert_eq!(read(&longer), [Ok(1), Ok(2), error]);
    assert!(read(&words(&[u64::MAX])).last().unwrap().is_err());
    let wraps = words(&[1, u64::MAX, 2, 0]);
    let (_, ranges) = UsableMemory::new(&table, &wraps).next().unwrap().unwrap();
    assert_eq!(ranges[0].span(), None);
}
