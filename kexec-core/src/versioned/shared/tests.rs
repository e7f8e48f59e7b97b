use super::*;
use core::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::vec;
use std::vec::Vec;

fn ram(start: u64, end: u64) -> Range {
    Range::new(Span::new(start, end), RangeKind::SystemRam)
}

/// What the version of an epoch says: it is made of the epoch alone.
fn expected(epoch: u64) -> Vec<Range> {
    (0..epoch % 40).map(|at| ram(at * 4, at * 4 + 1 + epoch % 3)).collect()
}

fn make(map: &SharedMap<'_>, epoch: u64) {
    map.begin().unwrap();
    map.remove(Span::new(0, u64::MAX)).unwrap();
    expected(epoch).into_iter().for_each(|range| map.set(range).unwrap());
}

/// Each reader checks every version that it gets hold of, more than once, while the versions go on.
fn read_while_versions_go_on(versions: u64, readers: usize) {
    let mut nodes = vec![Node::EMPTY; VersionedMap::nodes_needed(40, 1, readers + 2)];
    let mut slots = vec![Slot::EMPTY; readers + 2];
    let map = SharedMap::new(&mut nodes, &mut slots).unwrap();
    let done = AtomicBool::new(false);
    let seen: Vec<AtomicU64> = (0..readers).map(|_| AtomicU64::new(0)).collect();
    std::thread::scope(|scope| {
        for seen in &seen {
            scope.spawn(|| {
                let (mut last, mut finished) = (0, false);
                while !finished {
                    // One more, which is the last version then.
                    finished = done.load(Ordering::Acquire);
                    let version = map.snapshot();
                    assert!(version.epoch() >= last);
                    last = version.epoch();
                    seen.fetch_add(1, Ordering::Relaxed);
                    for _ in 0..3 {
                        assert!(version.ranges().eq(expected(last)), "version {last} changed");
                    }
                    drop(version);
                    std::thread::yield_now();
                }
                assert_eq!(last, versions);
            });
        }
        while seen.iter().any(|seen| seen.load(Ordering::Relaxed) == 0) {
            std::thread::yield_now();
        }
        for epoch in 1..=versions {
            make(&map, epoch);
            let mut told = 0;
            let committed = map.commit(&mut |published| {
                told += 1;
                assert_eq!((published.before.epoch(), published.after.epoch()), (epoch - 1, epoch));
            });
            assert_eq!((committed, told), (Ok(epoch), 1));
            std::thread::yield_now();
        }
        done.store(true, Ordering::Release);
    });
    assert!(seen.into_iter().all(|seen| seen.into_inner() > 1));
    assert_eq!(map.epoch(), versions);
    assert!(map.snapshot().ranges().eq(expected(versions)));
}

#[test]
fn readers_keep_their_version_under_threads() {
    // Versions 0 to 39 and each epoch's own lengths: consecutive versions always differ.
    read_while_versions_go_on(if cfg!(miri) { 12 } else { 4_000 }, if cfg!(miri) { 2 } else { 3 });
}

#[test]
fn no_slot_is_free_while_readers_hold_all() {
    let (mut nodes, mut slots) = ([Node::EMPTY; 400], [Slot::EMPTY; 2]);
    assert_eq!(SharedMap::new(&mut nodes, &mut slots[..1]).err(), Some(Error::BufferTooSmall { needed: 2 }));
    let map = SharedMap::new(&mut nodes, &mut slots).unwrap();
    make(&map, 1);
    let first = map.snapshot();
    assert_eq!(map.commit(&mut |_| {}), Ok(1));
    make(&map, 2);
    assert_eq!(map.commit(&mut |_| panic!("it is not published")), Err(Error::Busy));
    assert_eq!((map.epoch(), first.len()), (1, 0));
    drop(first);
    assert_eq!(map.commit(&mut |_| {}), Ok(2));
    assert!(map.snapshot().ranges().eq(expected(2)));
}

#[test]
fn whoever_is_told_may_use_the_map() {
    let (mut nodes, mut slots) = ([Node::EMPTY; 400], [Slot::EMPTY; 3]);
    let map = SharedMap::new(&mut nodes, &mut slots).unwrap();
    make(&map, 5);
    map.commit(&mut |_| {}).unwrap();
    map.begin().unwrap();
    map.set(Range::new(Span::new(1, 6), RangeKind::Reserved)).unwrap();
    let mut told = Vec::new();
    let committed = map.commit(&mut |published| {
        assert_eq!(map.begin(), Err(Error::Busy));
        assert_eq!(map.snapshot().epoch(), 2);
        assert_eq!(published.after.kind_at(PhysAddr(1)), Some(RangeKind::Reserved));
        assert_eq!(published.before.kind_at(PhysAddr(1)), Some(RangeKind::SystemRam));
        let (mut from, mut one) = (PhysAddr(0), [Change::EMPTY; 1]);
        while published.changes(from, &mut one) == 1 {
            told.push((one[0].span.start.0, one[0].span.end.0, one[0].before));
            from = one[0].span.end;
        }
    });
    assert_eq!(committed, Ok(2));
    // Version 5 has [0, 3), [4, 7) and so on.
    let old = Some(RangeKind::SystemRam);
    assert_eq!(told, [(1, 3, old), (3, 4, None), (4, 6, old)]);
    map.begin().unwrap();
    map.abandon();
    map.begin().unwrap();
    assert_eq!(map.commit(&mut |_| panic!("nothing changed")), Ok(2));
}

/// A reader that begins as soon as it may finds the version before released, and its slot free.
#[test]
fn who_can_begin_can_commit() {
    let (mut nodes, mut slots) = ([Node::EMPTY; 400], [Slot::EMPTY; 2]);
    let map = SharedMap::new(&mut nodes, &mut slots).unwrap();
    for epoch in 1..4 {
        make(&map, epoch);
        let committed = map.commit(&mut |published| {
            assert_eq!(published.before.epoch() + 1, published.after.epoch());
            assert_eq!(map.begin(), Err(Error::Busy));
        });
        assert_eq!(committed, Ok(epoch));
    }
    let rounds = if cfg!(miri) { 5 } else { 5_000 };
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                for _ in 0..rounds {
                    while map.begin().is_err() {
                        std::thread::yield_now();
                    }
                    let at = map.epoch() % 2;
                    map.remove(Span::new(0, u64::MAX)).unwrap();
                    map.set(ram(at, at + 1)).unwrap();
                    map.commit(&mut |_| {}).unwrap();
                }
            });
        }
    });
    assert_eq!(map.epoch(), 3 + 2 * rounds);
}
