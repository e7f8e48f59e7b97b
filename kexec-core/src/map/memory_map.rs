//! Disjoint ranges, and the arithmetic on them.

use super::{Range, RangeKind, Span};
use crate::Error;
use core::fmt;
use vmcore_format::PhysAddr;

/// The physical memory of a machine: ranges in ascending order, none empty, none overlapping, and no two that touch
/// of the same kind.
///
/// The ranges live in a slice of the caller's, whose length is the limit. Every operation that fails leaves the map
/// as it was.
pub struct MemoryMap<'a> {
    table: &'a mut [Range],
    len: usize,
}

impl<'a> MemoryMap<'a> {
    /// An empty map that keeps its ranges in `table`. What `table` holds is not read.
    #[must_use]
    pub fn new(table: &'a mut [Range]) -> Self {
        Self { table, len: 0 }
    }

    /// The ranges, in ascending order.
    #[must_use]
    pub fn ranges(&self) -> &[Range] {
        self.table.get(..self.len).unwrap_or_default()
    }

    /// How many ranges the table has room for.
    #[must_use]
    pub fn capacity(&self) -> usize {
        self.table.len()
    }

    /// Whether the map says nothing about any address.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Forgets every range.
    pub fn clear(&mut self) {
        self.len = 0;
    }

    /// What lies at `address`; `None` where the map says nothing.
    #[must_use]
    pub fn kind_at(&self, address: PhysAddr) -> Option<RangeKind> {
        let before = self.ranges().partition_point(|range| range.end <= address);
        let range = self.ranges().get(before)?;
        range.span().contains(address).then_some(range.kind)
    }

    /// The ranges of one kind, in ascending order.
    #[must_use]
    pub fn iter_kind(&self, kind: RangeKind) -> impl DoubleEndedIterator<Item = Range> + Clone {
        self.ranges().iter().copied().filter(move |range| range.kind == kind)
    }

    /// The addresses of all ranges whose kind `wanted` takes, in ascending order; ranges that touch come as one.
    #[must_use]
    pub fn merged(&self, wanted: fn(RangeKind) -> bool) -> Merged<'_> {
        Merged { ranges: self.ranges(), wanted }
    }

    /// How many bytes are of this kind.
    #[must_use]
    pub fn total(&self, kind: RangeKind) -> u64 {
        self.iter_kind(kind).map(Range::len).fold(0, u64::saturating_add)
    }

    /// Says that `range` is of its kind, whatever the map said of it before. An empty range changes nothing.
    ///
    /// # Errors
    /// [`Error::BufferTooSmall`]: the number of ranges that the map would have.
    pub fn set(&mut self, range: Range) -> Result<(), Error> {
        self.paint(range.span(), Some(range.kind))
    }

    /// Forgets what lies in `span`.
    ///
    /// # Errors
    /// [`Error::BufferTooSmall`], where a range is split: the number of ranges that the map would have.
    pub fn remove(&mut self, span: Span) -> Result<(), Error> {
        self.paint(span, None)
    }

    /// Says that `range` is of its kind where the map says nothing yet.
    ///
    /// # Errors
    /// [`Error::BufferTooSmall`]: the number of ranges that the map would have.
    pub fn add(&mut self, range: Range) -> Result<(), Error> {
        let kind = range.kind;
        let (mut more, mut fewer) = (0_usize, 0_usize);
        let mut at = range.start;
        while let Some(gap) = self.gap(at, range.end) {
            match self.touching(gap, kind) {
                0 => more = more.saturating_add(1),
                2 => fewer = fewer.saturating_add(1),
                _ => {}
            }
            at = gap.end;
        }
        self.check_room(self.len.saturating_add(more).saturating_sub(fewer))?;
        // The gaps that join two ranges first: so the table never holds more ranges than before or after.
        for least_touching in [1, 0] {
            let mut at = range.start;
            while let Some(gap) = self.gap(at, range.end) {
                if self.touching(gap, kind) >= least_touching {
                    self.paint(gap, Some(kind))?;
                }
                at = gap.end;
            }
        }
        Ok(())
    }

    /// Says that all memory of the kind `from` is of the kind `to`.
    pub fn replace_kind(&mut self, from: RangeKind, to: RangeKind) {
        let mut kept = 0_usize;
        for index in 0..self.len {
            let Some(mut range) = self.table.get(index).copied() else { break };
            if range.kind == from {
                range.kind = to;
            }
            let joined = kept.checked_sub(1).and_then(|last| self.table.get_mut(last));
            match joined {
                Some(last) if last.end == range.start && last.kind == range.kind => last.end = range.end,
                _ => {
                    if let Some(entry) = self.table.get_mut(kept) {
                        *entry = range;
                    }
                    kept = kept.saturating_add(1);
                }
            }
        }
        self.len = kept;
    }

    /// The first part of `at..end` that the map says nothing about.
    fn gap(&self, at: PhysAddr, end: PhysAddr) -> Option<Span> {
        let mut start = at;
        let before = self.ranges().partition_point(|range| range.end <= at);
        for range in self.ranges().get(before..).unwrap_or_default() {
            if range.start > start {
                let gap = Span { start, end: end.min(range.start) };
                return (!gap.is_empty()).then_some(gap);
            }
            start = range.end;
        }
        let gap = Span { start, end };
        (!gap.is_empty()).then_some(gap)
    }

    /// How many ranges of this kind end where `gap` starts or start where it ends.
    fn touching(&self, gap: Span, kind: RangeKind) -> usize {
        let from = self.ranges().partition_point(|range| range.end < gap.start);
        let near = self.ranges().get(from..).unwrap_or_default().iter();
        near.take_while(|range| range.start <= gap.end).filter(|range| range.kind == kind).count()
    }

    /// Gives `span` one kind, or none: the ranges that it overlaps, or touches and has the kind of, are replaced by at
    /// most three.
    fn paint(&mut self, span: Span, kind: Option<RangeKind>) -> Result<(), Error> {
        if span.is_empty() {
            return Ok(());
        }
        let ranges = self.ranges();
        let first = ranges.partition_point(|range| range.end < span.start);
        let past = ranges.partition_point(|range| range.start <= span.end);
        let touched = ranges.get(first..past).unwrap_or_default();
        let mut whole = span;
        let (mut left, mut right) = (None, None);
        if let Some(range) = touched.first().filter(|range| range.start < span.start) {
            if Some(range.kind) == kind {
                whole.start = range.start;
            } else {
                left = Some(Range { end: range.end.min(span.start), ..*range });
            }
        }
        if let Some(range) = touched.last().filter(|range| range.end > span.end) {
            if Some(range.kind) == kind {
                whole.end = range.end;
            } else {
                right = Some(Range { start: range.start.max(span.end), ..*range });
            }
        }
        let middle = kind.map(|kind| Range::new(whole, kind));
        self.splice(first, past, [left, middle, right])
    }

    /// Replaces the ranges `first..past` by those given.
    fn splice(&mut self, first: usize, past: usize, by: [Option<Range>; 3]) -> Result<(), Error> {
        let tail = first.saturating_add(by.iter().flatten().count());
        let len = tail.saturating_add(self.len.saturating_sub(past));
        self.check_room(len)?;
        // From the end at which no entry is written over before it was moved.
        let mut move_one = |from: usize| {
            let to = from.saturating_sub(past).saturating_add(tail);
            if let Some(&range) = self.table.get(from)
                && let Some(place) = self.table.get_mut(to)
            {
                *place = range;
            }
        };
        if tail > past {
            (past..self.len).rev().for_each(&mut move_one);
        } else {
            (past..self.len).for_each(&mut move_one);
        }
        let entries = self.table.get_mut(first..).unwrap_or_default();
        for (entry, range) in entries.iter_mut().zip(by.into_iter().flatten()) {
            *entry = range;
        }
        self.len = len;
        Ok(())
    }

    fn check_room(&self, len: usize) -> Result<(), Error> {
        if len > self.table.len() {
            return Err(Error::BufferTooSmall { needed: u64::try_from(len).unwrap_or(u64::MAX) });
        }
        Ok(())
    }
}

impl fmt::Debug for MemoryMap<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.ranges()).finish()
    }
}

/// Ranges of several kinds, those that touch as one; see [`MemoryMap::merged`].
#[derive(Clone)]
pub struct Merged<'a> {
    ranges: &'a [Range],
    wanted: fn(RangeKind) -> bool,
}

impl Iterator for Merged<'_> {
    type Item = Span;

    fn next(&mut self) -> Option<Span> {
        let wanted = self.wanted;
        let mut ranges = self.ranges.iter();
        let mut span = ranges.find(|range| wanted(range.kind))?.span();
        self.ranges = ranges.as_slice();
        while let Some((range, rest)) = self.ranges.split_first()
            && range.start == span.end
            && wanted(range.kind)
        {
            span.end = range.end;
            self.ranges = rest;
        }
        Some(span)
    }
}

impl fmt::Debug for Merged<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.clone()).finish()
    }
}
