use super::*;
use crate::Error;
use std::vec::Vec;
use vmcore_format::PhysAddr;

const UNITS: usize = 24;
const UNIT: u64 = 0x1000;
/// The lowest addresses, some above 4 GiB, and the highest.
const BASES: [u64; 3] = [0, 0x1_0000_0000, u64::MAX - UNITS as u64 * UNIT];
const KINDS: [RangeKind; 3] = [RangeKind::SystemRam, RangeKind::Reserved, RangeKind::CrashKernel];

/// The map as one kind for each unit of memory.
#[derive(Clone, Copy, PartialEq, Debug)]
struct Units([Option<RangeKind>; UNITS]);

impl Units {
    fn ranges(&self, base: u64) -> Vec<Range> {
        let mut ranges: Vec<Range> = Vec::new();
        for (unit, kind) in self.0.iter().enumerate() {
            let Some(kind) = *kind else { continue };
            let start = base + unit as u64 * UNIT;
            let end = PhysAddr(start + UNIT);
            match ranges.last_mut() {
                Some(last) if last.end.0 == start && last.kind == kind => last.end = end,
                _ => ranges.push(Range { start: PhysAddr(start), end, kind }),
            }
        }
        ranges
    }
}

/// xorshift64.
struct Random(u64);

impl Random {
    fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) as usize % limit
    }
}

#[test]
fn every_operation_does_to_the_ranges_what_it_does_to_the_units() {
    let mut random = Random(0x9e37_79b9_7f4a_7c15);
    let (mut refused, mut done) = (0, 0);
    for round in 0..3000 {
        let base = BASES[round % BASES.len()];
        let mut table = [Range::EMPTY; 12];
        let capacity = random.below(table.len() + 1);
        let mut map = MemoryMap::new(&mut table[..capacity]);
        let mut units = Units([None; UNITS]);
        for _ in 0..24 {
            let (from, to) = (random.below(UNITS + 1), random.below(UNITS + 1));
            let kind = KINDS[random.below(KINDS.len())];
            let span = Span::new(base + from as u64 * UNIT, base + to as u64 * UNIT);
            let mut expected = units;
            let chosen = expected.0.get_mut(from..to).unwrap_or_default();
            let result = match random.below(8) {
                0..=2 => {
                    chosen.fill(Some(kind));
                    map.set(Range::new(span, kind))
                }
                3 | 4 => {
                    chosen.iter_mut().filter(|unit| unit.is_none()).for_each(|unit| *unit = Some(kind));
                    map.add(Range::new(span, kind))
                }
                5 | 6 => {
                    chosen.fill(None);
                    map.remove(span)
                }
                _ => {
                    let by = KINDS[random.below(KINDS.len())];
                    expected
                        .0
                        .iter_mut()
                        .filter(|unit| **unit == Some(kind))
                        .for_each(|unit| *unit = Some(by));
                    map.replace_kind(kind, by);
                    Ok(())
                }
            };
            let needed = expected.ranges(base).len();
            if needed <= capacity {
                assert_eq!(result, Ok(()));
                units = expected;
                done += 1;
            } else {
                assert_eq!(result, Err(Error::BufferTooSmall { needed: needed as u64 }));
                refused += 1;
            }
            assert_eq!(map.ranges(), units.ranges(base));
            check_questions(&map, &units, base);
        }
    }
    assert!(refused > 1000 && done > 10000, "{refused} {done}");
}

fn check_questions(map: &MemoryMap<'_>, units: &Units, base: u64) {
    for (unit, kind) in units.0.iter().enumerate() {
        let start = base + unit as u64 * UNIT;
        assert_eq!(map.kind_at(PhysAddr(start)), *kind);
        assert_eq!(map.kind_at(PhysAddr(start + UNIT - 1)), *kind);
    }
    assert_eq!(map.kind_at(PhysAddr(base + UNITS as u64 * UNIT)), None);
    for kind in KINDS {
        let count = units.0.iter().filter(|unit| **unit == Some(kind)).count();
        assert_eq!(map.total(kind), count as u64 * UNIT);
        assert!(map.iter_kind(kind).all(|range| range.kind == kind));
    }
    let mut dumped = *units;
    for unit in &mut dumped.0 {
        *unit = unit.filter(|kind| kind.is_ram()).map(|_| RangeKind::SystemRam);
    }
    let expected: Vec<Span> = dumped.ranges(base).iter().map(|range| range.span()).collect();
    assert_eq!(map.merged(RangeKind::is_ram).collect::<Vec<_>>(), expected);
}

#[test]
fn single_bytes_and_the_ends_of_the_address_space() {
    let mut table = [Range::EMPTY; 4];
    let mut map = MemoryMap::new(&mut table);
    map.set(Range::new(Span::new(0, u64::MAX), RangeKind::Reserved)).unwrap();
    map.set(Range::new(Span::new(0, 1), RangeKind::SystemRam)).unwrap();
    map.set(Range::new(Span::new(u64::MAX - 1, u64::MAX), RangeKind::SystemRam)).unwrap();
    assert_eq!(map.ranges().len(), 3);
    assert_eq!(map.kind_at(PhysAddr(u64::MAX)), None);
    assert_eq!(map.kind_at(PhysAddr(u64::MAX - 1)), Some(RangeKind::SystemRam));
    assert_eq!(map.total(RangeKind::Reserved), u64::MAX - 2);
    map.remove(Span::new(0, u64::MAX)).unwrap();
    assert!(map.is_empty());
}

#[test]
fn empty_and_inverted_ranges_change_nothing() {
    let mut table = [Range::EMPTY; 1];
    let mut map = MemoryMap::new(&mut table);
    map.set(Range::new(Span::new(0x1000, 0x3000), RangeKind::SystemRam)).unwrap();
    for (start, end) in [(0x2000, 0x2000), (0x2800, 0x1800), (0x5000, 0x5000), (u64::MAX, 0)] {
        let span = Span::new(start, end);
        assert_eq!((span.is_empty(), span.len()), (true, 0));
        map.set(Range::new(span, RangeKind::Reserved)).unwrap();
        map.add(Range::new(span, RangeKind::Reserved)).unwrap();
        map.remove(span).unwrap();
        assert_eq!(map.ranges(), [Range::new(Span::new(0x1000, 0x3000), RangeKind::SystemRam)]);
    }
}

#[test]
fn a_table_of_no_entries() {
    let mut map = MemoryMap::new(&mut []);
    let range = Range::new(Span::new(0, 1), RangeKind::SystemRam);
    assert_eq!(map.set(range), Err(Error::BufferTooSmall { needed: 1 }));
    assert_eq!(map.add(range), Err(Error::BufferTooSmall { needed: 1 }));
    assert_eq!(map.remove(range.span()), Ok(()));
    assert_eq!((map.capacity(), map.is_empty(), map.merged(RangeKind::is_ram).next()), (0, true, None));
}

#[test]
fn spans_meet_and_overlap() {
    let span = Span::new(0x1000, 0x2000);
    assert!(!span.overlaps(Span::new(0x2000, 0x3000)) && !span.overlaps(Span::new(0, 0x1000)));
    assert!(span.overlaps(Span::new(0x1fff, 0x3000)) && span.overlaps(Span::new(0, u64::MAX)));
    assert_eq!(span.intersection(Span::new(0x1800, 0x4000)), Span::new(0x1800, 0x2000));
    assert_eq!(Span::inclusive(0, 0x9_fbff), Span::new(0, 0x9_fc00));
    assert_eq!(Span::inclusive(1, u64::MAX), Span::new(1, u64::MAX));
    assert_eq!(Span::with_len(u64::MAX, 1), None);
    assert_eq!(Span::with_len(u64::MAX, 0), Some(Span::new(u64::MAX, u64::MAX)));
    assert!(!span.contains(PhysAddr(0x2000)) && span.contains(PhysAddr(0x1000)));
    assert_eq!(std::format!("{span} {}", RangeKind::CrashKernel), "0x1000..0x2000 Crash kernel");
}
