//! Random changes against a map that is a plain list of pages.

use super::*;
use crate::Error;
use crate::map::{Range, RangeKind, Span};
use std::vec;
use std::vec::Vec;
use testkit::Random;
use vmcore_format::PhysAddr;

const KINDS: [RangeKind; 3] = [RangeKind::SystemRam, RangeKind::CrashKernel, RangeKind::Reserved];

/// What each address is: the map as its definition says it.
#[derive(Clone, PartialEq)]
struct Naive(Vec<Option<RangeKind>>);

impl Naive {
    fn ranges(&self) -> Vec<Range> {
        let mut ranges: Vec<Range> = Vec::new();
        for (at, kind) in self.0.iter().enumerate() {
            let Some(kind) = *kind else { continue };
            let here = Span::new(at as u64, at as u64 + 1);
            match ranges.last_mut() {
                Some(last) if last.end == here.start && last.kind == kind => last.end = here.end,
                _ => ranges.push(Range::new(here, kind)),
            }
        }
        ranges
    }

    fn changes(&self, after: &Self) -> Vec<(u64, Option<RangeKind>, Option<RangeKind>)> {
        let both = self.0.iter().zip(&after.0).enumerate();
        both.filter(|(_, (a, b))| a != b).map(|(at, (a, b))| (at as u64, *a, *b)).collect()
    }
}

fn random_change(random: &mut Random, map: &mut VersionedMap<'_>, naive: &mut Naive) {
    let size = naive.0.len() as u64;
    let start = random.below(size);
    let len = if random.below(4) == 0 { random.below(size) } else { random.below(5) };
    let span = Span::new(start, (start + len).min(size));
    let kind = KINDS[random.below(3) as usize];
    let place = &mut naive.0[span.start.0 as usize..span.end.0.max(span.start.0) as usize];
    match random.below(3) {
        0 => {
            map.set(Range::new(span, kind)).unwrap();
            place.fill(Some(kind));
        }
        1 => {
            map.add(Range::new(span, kind)).unwrap();
            place.iter_mut().for_each(|old| *old = old.or(Some(kind)));
        }
        _ => {
            map.remove(span).unwrap();
            place.fill(None);
        }
    }
}

fn balanced(view: View<'_>) {
    let ranges: Vec<Range> = view.ranges().collect();
    assert_eq!(ranges.len(), view.len());
    for pair in ranges.windows(2) {
        assert!(
            pair[0].end < pair[1].start || (pair[0].end == pair[1].start && pair[0].kind != pair[1].kind)
        );
    }
}

/// `steps` changes in batches; `readers` versions are held for some time each.
fn compare(seed: u64, size: usize, steps: usize, readers: usize) {
    let mut random = Random::new(seed);
    let mut nodes = vec![Node::EMPTY; VersionedMap::nodes_needed(size, 8, readers + 1)];
    let mut slots = vec![Slot::EMPTY; readers + 1];
    let mut map = VersionedMap::new(&mut nodes, &mut slots).unwrap();
    let mut naive = Naive(vec![None; size]);
    let mut held: Vec<(Held, Vec<Range>)> = Vec::new();
    let mut done = 0;
    while done < steps {
        map.begin().unwrap();
        let mut next = naive.clone();
        for _ in 0..=random.below(8) {
            random_change(&mut random, &mut map, &mut next);
            done += 1;
        }
        if random.below(8) == 0 {
            map.abandon();
        } else {
            let expected = naive.changes(&next);
            let mut told = Vec::new();
            let before = map.epoch();
            let epoch = map.commit(&mut |view, changes| {
                assert_eq!(view.epoch(), before + 1);
                for change in changes {
                    let span = change.span.start.0..change.span.end.0;
                    told.extend(span.map(|at| (at, change.before, change.after)));
                }
            });
            assert_eq!(epoch.unwrap(), before + u64::from(!expected.is_empty()));
            assert!(told == expected);
            naive = next;
        }
        balanced(map.current());
        let ranges = naive.ranges();
        assert!(map.current().ranges().eq(ranges.iter().copied()));
        let at = random.below(size as u64);
        assert_eq!(map.kind_at(PhysAddr(at)), naive.0[at as usize]);
        let cut = |range: Range| Range { start: range.start.max(PhysAddr(at)), ..range };
        let mut some = [Range::EMPTY; 3];
        let len = map.current().read(PhysAddr(at), &mut some);
        let from_there = ranges.iter().filter(|range| range.end.0 > at).copied().map(cut).take(3);
        assert!(some[..len].iter().copied().eq(from_there));
        if let Some((older, (newer, _))) = held.first().zip(held.last()) {
            let parts = map.changes(&older.0, newer, PhysAddr(at)).collect::<Vec<_>>();
            let whole = map.changes(&older.0, newer, PhysAddr(0)).filter(|change| change.span.end.0 > at);
            let whole = whole.map(|change| Change {
                span: Span { start: change.span.start.max(PhysAddr(at)), ..change.span },
                ..change
            });
            assert!(parts.into_iter().eq(whole));
        }
        for (version, ranges) in &held {
            assert!(map.view(version).ranges().eq(ranges.iter().copied()), "a version that is held changed");
        }
        if held.len() < readers {
            held.push((map.hold(), ranges));
        } else if random.below(3) == 0 && !held.is_empty() {
            let (version, _) = held.swap_remove(random.below(held.len() as u64) as usize);
            map.release(version);
        }
    }
}

#[test]
fn changes_are_those_of_a_plain_list() {
    for seed in 0..10 {
        compare(seed, 40, 17_000, 3);
        compare(seed, 400, 3_000, 2);
    }
    compare(10, 3_000, 400, 1);
}

#[test]
#[ignore = "minutes: cargo test --release -p kexec-core -- --ignored versioned"]
fn millions_of_changes_are_those_of_a_plain_list() {
    for seed in 100..116 {
        compare(seed, 40, 400_000, 4);
        compare(seed, 400, 200_000, 3);
        compare(seed, 4_000, 25_000, 2);
    }
}

/// What [`VersionedMap`] makes sure of before a change is enough for it, where every node that it touches is copied.
#[test]
fn a_change_takes_no_more_nodes_than_are_asked_for() {
    for (seed, size) in [(0, 30), (1, 300), (2, 3_000), (3, 100_000)] {
        let mut random = Random::new(seed);
        let mut nodes = vec![Node::EMPTY; VersionedMap::nodes_needed(size, 1, 2)];
        let mut slots = [Slot::EMPTY; 2];
        let mut map = VersionedMap::new(&mut nodes, &mut slots).unwrap();
        let mut worst = 0;
        for step in 0..20_000 {
            map.begin().unwrap();
            let most = map.arena.most_taken(map.working.unwrap());
            let before = map.arena.available();
            map.arena.least = before;
            let start = random.below(size as u64 * 4);
            let len = if random.below(50) == 0 { random.below(size as u64) } else { random.below(6) };
            let span = Span::new(start, start + len);
            if step % 3 == 0 && step > size {
                map.remove(span).unwrap();
            } else {
                map.set(Range::new(span, KINDS[random.below(3) as usize])).unwrap();
            }
            let taken = before - map.arena.least;
            assert!(taken <= most, "{taken} of {most}");
            worst = worst.max(taken * 100 / most);
            map.commit(&mut |_, _| {}).unwrap();
        }
        // The bound is not far above what happens.
        assert!(worst > 20, "{worst} %");
    }
}

#[test]
fn all_nodes_come_back() {
    let mut nodes = vec![Node::EMPTY; VersionedMap::nodes_needed(100, 4, 1)];
    let mut slots = [Slot::EMPTY; 2];
    let mut map = VersionedMap::new(&mut nodes, &mut slots).unwrap();
    for round in 0..5_000_u64 {
        map.begin().unwrap();
        for at in 0..4 {
            let start = (round * 7 + at * 31) % 200 * 10;
            let span = Span::new(start, start + 5);
            if round % 2 == 0 {
                map.set(Range::new(span, RangeKind::SystemRam)).unwrap();
            } else {
                map.remove(span).unwrap();
            }
        }
        if round % 3 == 0 {
            map.abandon();
        } else {
            map.commit(&mut |_, _| {}).unwrap();
        }
    }
}

fn ram(start: u64, end: u64) -> Range {
    Range::new(Span::new(start, end), RangeKind::SystemRam)
}

#[test]
fn a_version_that_has_no_slot_waits_for_one() {
    let (mut nodes, mut slots) = ([Node::EMPTY; 200], [Slot::EMPTY; 2]);
    let mut map = VersionedMap::new(&mut nodes, &mut slots).unwrap();
    assert_eq!(map.set(ram(0, 1)), Err(Error::NotBegun));
    assert_eq!(map.add(ram(0, 1)), Err(Error::NotBegun));
    assert_eq!(map.commit(&mut |_, _| {}), Err(Error::NotBegun));
    let empty = map.hold();
    map.begin().unwrap();
    assert_eq!(map.begin(), Err(Error::Busy));
    map.set(ram(10, 20)).unwrap();
    assert_eq!(map.commit(&mut |_, _| {}), Ok(1));
    let first = map.hold();
    map.begin().unwrap();
    map.set(ram(30, 40)).unwrap();
    assert_eq!(map.commit(&mut |_, _| panic!("it is not published")), Err(Error::Busy));
    assert_eq!((map.epoch(), map.current().len()), (1, 1));
    map.release(empty);
    let mut told = Vec::new();
    assert_eq!(map.commit(&mut |_, changes| told.extend(changes)), Ok(2));
    let change = Change { span: Span::new(30, 40), before: None, after: Some(RangeKind::SystemRam) };
    assert_eq!(told, [change]);
    assert!(map.view(&first).ranges().eq([ram(10, 20)]));
    // The current version, which nobody holds, is not held either.
    for (slot, epoch) in [(first.slot(), 0), (1 - first.slot(), 2), (2, 1), (usize::MAX, 1)] {
        let other = Held::from_parts(slot, epoch);
        assert!(!map.is_held(&other) && map.view(&other).is_empty());
        map.release(other);
    }
    let again = Held::from_parts(first.slot(), 1);
    assert!(map.is_held(&first));
    map.release(first);
    assert!(!map.is_held(&again) && map.view(&again).is_empty());
    assert_eq!(map.current().len(), 2);
}

#[test]
fn a_full_arena_says_what_it_needs_and_changes_nothing() {
    let mut len = 1;
    let needed = loop {
        let (mut nodes, mut slots) = (vec![Node::EMPTY; len], [Slot::EMPTY; 1]);
        let mut map = VersionedMap::new(&mut nodes, &mut slots).unwrap();
        map.begin().unwrap();
        let mut made = 0;
        let error = loop {
            match map.set(ram(made * 2, made * 2 + 1)) {
                Ok(()) if made == 100 => break None,
                Ok(()) => made += 1,
                Err(error) => break Some(error),
            }
        };
        assert!(
            map.in_the_making()
                .unwrap()
                .ranges()
                .eq((0..made + u64::from(error.is_none())).map(|at| ram(at * 2, at * 2 + 1)))
        );
        match error {
            None => break len,
            Some(Error::BufferTooSmall { needed }) => {
                assert!(needed > len as u64);
                len = needed as usize;
            }
            Some(other) => panic!("{other}"),
        }
    };
    assert!(needed < 250, "{needed}");
}
