//! Finds free memory for a segment: in some ranges, around what is placed already.

use vmcore_format::PhysAddr;

use crate::map::Span;
use crate::segment::PAGE;

/// From which end of memory a place is looked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Direction {
    /// The highest place that fits.
    TopDown,
    /// The lowest place that fits.
    BottomUp,
}

/// What a place must be like.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Want {
    /// Bytes; whole pages are taken.
    pub(crate) size: u64,
    /// A power of two; at least a page is taken.
    pub(crate) align: u64,
    /// Where the place may be.
    pub(crate) limits: Span,
    /// Which place is taken.
    pub(crate) direction: Direction,
}

/// The address of a free place in `ranges` (in any order, disjoint), with nothing of `taken` in it.
pub(crate) fn find(ranges: impl Iterator<Item = Span>, taken: &[Span], want: Want) -> Option<PhysAddr> {
    let align = want.align.max(PAGE);
    let size = want.size.checked_next_multiple_of(PAGE)?;
    if size == 0 || !align.is_power_of_two() {
        return None;
    }
    let places = ranges.filter_map(|range| {
        let range = range.intersection(want.limits);
        match want.direction {
            Direction::TopDown => highest(range, taken, size, align),
            Direction::BottomUp => lowest(range, taken, size, align),
        }
    });
    match want.direction {
        Direction::TopDown => places.max().map(PhysAddr),
        Direction::BottomUp => places.min().map(PhysAddr),
    }
}

fn highest(range: Span, taken: &[Span], size: u64, align: u64) -> Option<u64> {
    let mut end = range.end.0;
    // A round passes one of the spans that are taken, or ends.
    for _ in 0..=taken.len() {
        let start = round_down(end.checked_sub(size)?, align);
        let place = Span::with_len(start, size)?;
        if start < range.start.0 {
            return None;
        }
        match taken.iter().find(|span| span.overlaps(place)) {
            None => return Some(start),
            Some(span) => end = span.start.0,
        }
    }
    None
}

fn lowest(range: Span, taken: &[Span], size: u64, align: u64) -> Option<u64> {
    let mut from = range.start.0;
    for _ in 0..=taken.len() {
        let start = from.checked_next_multiple_of(align)?;
        let place = Span::with_len(start, size)?;
        if place.end > range.end {
            return None;
        }
        match taken.iter().find(|span| span.overlaps(place)) {
            None => return Some(start),
            Some(span) => from = span.end.0,
        }
    }
    None
}

/// `value` rounded down to a multiple of `align`, a power of two.
pub(crate) const fn round_down(value: u64, align: u64) -> u64 {
    value & !align.wrapping_sub(1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::vec::Vec;

    const ALL: Span = Span::new(0, u64::MAX);

    fn want(size: u64, align: u64, direction: Direction) -> Want {
        Want { size, align, limits: ALL, direction }
    }

    fn spans(list: &[(u64, u64)]) -> Vec<Span> {
        list.iter().map(|&(start, end)| Span::new(start, end)).collect()
    }

    #[test]
    fn the_highest_and_the_lowest_place_around_what_is_taken() {
        let ram = spans(&[(0x1000, 0x9_f000), (0x10_0000, 0x40_0000)]);
        let taken = spans(&[(0x3f_e000, 0x40_0000), (0x1000, 0x3000)]);
        let find = |size, align, direction| {
            find(ram.iter().copied(), &taken, want(size, align, direction)).map(|at| at.0)
        };
        assert_eq!(find(0x1000, 0x1000, Direction::TopDown), Some(0x3f_d000));
        assert_eq!(find(1, 1, Direction::TopDown), Some(0x3f_d000));
        assert_eq!(find(0x1000, 0x20_0000, Direction::TopDown), Some(0x20_0000));
        assert_eq!(find(0x1000, 0x1000, Direction::BottomUp), Some(0x3000));
        assert_eq!(find(0x1000, 0x1_0000, Direction::BottomUp), Some(0x1_0000));
        assert_eq!(find(0x20_0000, 0x10_0000, Direction::BottomUp), Some(0x10_0000));
        assert_eq!(find(0x2f_e000, 0x1000, Direction::TopDown), Some(0x10_0000));
        assert_eq!(find(0x2f_e001, 0x1000, Direction::TopDown), None);
        assert_eq!(find(0, 0x1000, Direction::TopDown), None);
        assert_eq!(find(u64::MAX, 0x1000, Direction::TopDown), None);
        assert_eq!(find(0x1000, 0x3000, Direction::TopDown), None);
    }

    #[test]
    fn a_place_keeps_to_its_limits() {
        let ram = spans(&[(0, 0x10_0000)]);
        let limits = Span::new(0x8800, 0xa800);
        for direction in [Direction::TopDown, Direction::BottomUp] {
            let fits = Want { size: 0x1000, align: 0x1000, limits, direction };
            assert_eq!(find(ram.iter().copied(), &[], fits), Some(PhysAddr(0x9000)));
            assert_eq!(find(ram.iter().copied(), &[], Want { size: 0x2000, ..fits }), None);
        }
    }

    #[test]
    fn the_ends_of_the_address_space_do_not_wrap() {
        let top = [Span::new(u64::MAX - 0xfff, u64::MAX), Span::new(0, 0x800)];
        for direction in [Direction::TopDown, Direction::BottomUp] {
            assert_eq!(find(top.into_iter(), &[], want(0x1000, 0x1000, direction)), None);
        }
    }

    /// Every page of a small space is tried.
    #[test]
    fn agrees_with_trying_every_page() {
        let mut seed = 1_u64;
        let mut random = |below: u64| {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (seed >> 33) % below
        };
        for _ in 0..2000 {
            let ranges = spans(&[
                (random(20) * 0x800, 0x4000 + random(40) * 0x800),
                (0x2_0000, 0x2_0000 + random(64) * 0x800),
            ]);
            let taken: Vec<Span> = (0..random(5))
                .map(|_| {
                    let start = random(0x30) * 0x1000;
                    Span::new(start, start + (1 + random(4)) * 0x1000)
                })
                .collect();
            let size = 1 + random(0x5000);
            let align = 0x400 << random(6);
            let fits = |start: u64| {
                let place = Span::new(start, start + size.next_multiple_of(PAGE));
                start.is_multiple_of(align)
                    && ranges.iter().any(|range| range.start <= place.start && place.end <= range.end)
                    && !taken.iter().any(|span| span.start < place.end && place.start < span.end)
            };
            let all: Vec<u64> = (0..0x80).map(|page| page * PAGE).filter(|&start| fits(start)).collect();
            let found =
                |direction| find(ranges.iter().copied(), &taken, want(size, align, direction)).map(|at| at.0);
            assert_eq!(found(Direction::BottomUp), all.first().copied());
            assert_eq!(found(Direction::TopDown), all.last().copied());
        }
    }
}
