//! One version, read.

use super::arena::{Arena, Index, NONE};
use super::edit::Root;
use super::tree::MOST_HEIGHT;
use crate::Error;
use crate::map::{MemoryMap, Range, RangeKind};
use vmcore_format::PhysAddr;

/// One version of a map. Nothing in it ever changes.
#[derive(Debug, Clone, Copy)]
pub struct View<'m> {
    arena: &'m Arena<'m>,
    root: Root,
    epoch: u64,
}

impl<'m> View<'m> {
    pub(super) fn new(arena: &'m Arena<'m>, root: Root, epoch: u64) -> Self {
        Self { arena, root, epoch }
    }

    /// The number of the version.
    #[must_use]
    pub fn epoch(&self) -> u64 {
        self.epoch
    }

    /// The number of ranges.
    #[must_use]
    pub fn len(&self) -> usize {
        self.root.len
    }

    /// Whether the version says nothing about any address.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.root.len == 0
    }

    /// What lies at `address`; `None` where the version says nothing. O(log n).
    #[must_use]
    pub fn kind_at(&self, address: PhysAddr) -> Option<RangeKind> {
        let range = self.first_above(address)?;
        range.span().contains(address).then_some(range.kind)
    }

    /// The first range that ends above `address`: the one that holds it, or the next. O(log n).
    #[must_use]
    pub fn first_above(&self, address: PhysAddr) -> Option<Range> {
        self.arena.first_above(self.root.top, address)
    }

    /// Writes the ranges from the address `from` on to `ranges`, as many as it holds, the first one cut at `from`; how many
    /// those are. Takes O(log n) and a step for each.
    pub fn read(&self, from: PhysAddr, ranges: &mut [Range]) -> usize {
        let found = self.ranges_from(from).map(|range| Range { start: range.start.max(from), ..range });
        ranges.iter_mut().zip(found).map(|(place, range)| *place = range).count()
    }

    /// Says in `map` what this version says, and nothing else.
    ///
    /// # Errors
    /// [`Error::BufferTooSmall`]: the number of ranges that `map` needs room for.
    pub fn copy_to(&self, map: &mut MemoryMap<'_>) -> Result<(), Error> {
        if map.capacity() < self.len() {
            return Err(Error::BufferTooSmall { needed: u64::try_from(self.len()).unwrap_or(u64::MAX) });
        }
        map.clear();
        self.ranges().try_for_each(|range| map.set(range))
    }

    /// The ranges that end above `from`, in ascending order.
    #[must_use]
    pub fn ranges_from(&self, from: PhysAddr) -> Ranges<'m> {
        let mut ranges = Ranges { arena: self.arena, path: heapless::Vec::new() };
        let mut at = self.root.top;
        while at != NONE {
            let node = self.arena.node(at);
            if node.range.end > from {
                // There is room for the deepest tree.
                let _ = ranges.path.push(at);
                at = node.left;
            } else {
                at = node.right;
            }
        }
        ranges
    }

    /// The ranges, in ascending order.
    #[must_use]
    pub fn ranges(&self) -> Ranges<'m> {
        self.ranges_from(PhysAddr(0))
    }
}

/// The ranges of a version, in ascending order.
#[derive(Debug, Clone)]
pub struct Ranges<'m> {
    arena: &'m Arena<'m>,
    /// The nodes that are still to come, each with all on its right; the next one last.
    path: heapless::Vec<Index, MOST_HEIGHT>,
}

impl Ranges<'_> {
    fn descend(&mut self, from: Index) {
        let mut at = from;
        // There is room for the deepest tree.
        while at != NONE && self.path.push(at).is_ok() {
            at = self.arena.node(at).left;
        }
    }
}

impl Iterator for Ranges<'_> {
    type Item = Range;

    fn next(&mut self) -> Option<Range> {
        let node = self.arena.node(self.path.pop()?);
        self.descend(node.right);
        Some(node.range)
    }
}
