//! What differs between two versions.

use super::arena::{Arena, Index, NONE};
use super::tree::MOST_HEIGHT;
use crate::map::{Range, RangeKind, Span};
use vmcore_format::PhysAddr;

/// Memory whose kind is another one than before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Change {
    /// The memory.
    pub span: Span,
    /// What it was; `None`: the map said nothing of it.
    pub before: Option<RangeKind>,
    /// What it is.
    pub after: Option<RangeKind>,
}

impl Change {
    /// No change, to fill a table with.
    pub const EMPTY: Self = Self { span: Span::new(0, 0), before: None, after: None };
}

/// A part of a version that is still to be looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Part {
    /// All ranges of the tree at this node.
    Tree(Index),
    /// The range of this node alone.
    One(Index),
}

/// Each level of a tree leaves a range and a tree to the right of it.
const MOST_PARTS: usize = 2 * MOST_HEIGHT + 2;

/// The parts of a version, the one with the lowest addresses last.
#[derive(Debug, Clone)]
struct Cursor<'m> {
    arena: &'m Arena<'m>,
    parts: heapless::Vec<Part, MOST_PARTS>,
    /// The first range is looked at from here on.
    from: PhysAddr,
}

impl<'m> Cursor<'m> {
    /// The parts from the address `from` on. Trees that lie above it are not looked at.
    fn new(arena: &'m Arena<'m>, root: Index, from: PhysAddr) -> Self {
        let mut cursor = Self { arena, parts: heapless::Vec::new(), from };
        if from == PhysAddr(0) {
            cursor.push(Part::Tree(root));
            return cursor;
        }
        let mut at = root;
        while at != NONE {
            let node = arena.node(at);
            at = if node.range.end > from {
                cursor.push(Part::Tree(node.right));
                cursor.push(Part::One(at));
                node.left
            } else {
                node.right
            };
        }
        cursor
    }

    fn push(&mut self, part: Part) {
        if !matches!(part, Part::Tree(NONE)) {
            // There is room for the deepest tree.
            let _ = self.parts.push(part);
        }
    }

    /// The height of the tree that comes next; 0 where a single range does, or nothing.
    fn height(&self) -> u8 {
        match self.parts.last() {
            Some(Part::Tree(root)) => self.arena.height(*root),
            _ => 0,
        }
    }

    /// Takes the next tree apart.
    fn open(&mut self) {
        if let Some(Part::Tree(root)) = self.parts.last().copied() {
            self.parts.pop();
            let node = self.arena.node(root);
            self.push(Part::Tree(node.right));
            self.push(Part::One(root));
            self.push(Part::Tree(node.left));
        }
    }

    /// What is left of the range that comes next.
    fn range(&self) -> Option<Range> {
        match self.parts.last() {
            Some(Part::One(at)) => {
                let range = self.arena.node(*at).range;
                Some(Range { start: range.start.max(self.from), ..range })
            }
            _ => None,
        }
    }

    /// Goes on after what lies below `address`.
    fn advance(&mut self, address: PhysAddr) {
        self.from = address;
        if self.range().is_some_and(|range| range.start >= range.end) {
            self.parts.pop();
        }
    }
}

/// The memory that differs between two versions, in ascending order. What both share is not looked at: the time follows the
/// number of changes, not the size of the map.
#[derive(Debug, Clone)]
pub struct Changes<'m> {
    before: Cursor<'m>,
    after: Cursor<'m>,
}

impl<'m> Changes<'m> {
    pub(super) fn new(arena: &'m Arena<'m>, before: Index, after: Index, from: PhysAddr) -> Self {
        Self { before: Cursor::new(arena, before, from), after: Cursor::new(arena, after, from) }
    }

    /// The next piece of memory that either version has a kind for, both as far as they say the same.
    fn piece(&mut self) -> Option<Change> {
        loop {
            let (before, after) = (self.before.height(), self.after.height());
            match (before, after) {
                (0, 0) => break,
                _ if self.before.parts.last() == self.after.parts.last() => {
                    self.before.parts.pop();
                    self.after.parts.pop();
                }
                _ if before >= after => self.before.open(),
                _ => self.after.open(),
            }
        }
        let (before, after) = (self.before.range(), self.after.range());
        let start = |range: Option<Range>| range.map_or(PhysAddr(u64::MAX), |range| range.start);
        let from = start(before).min(start(after));
        let here = |range: Option<Range>| range.filter(|range| range.start == from);
        // A range that starts later ends the piece too.
        let border = |range: Option<Range>| match range {
            Some(range) if range.start == from => range.end,
            Some(range) => range.start,
            None => PhysAddr(u64::MAX),
        };
        before.or(after)?;
        let end = border(before).min(border(after));
        let kind = |range: Option<Range>| here(range).map(|range| range.kind);
        let piece = Change { span: Span { start: from, end }, before: kind(before), after: kind(after) };
        if piece.before.is_some() {
            self.before.advance(end);
        }
        if piece.after.is_some() {
            self.after.advance(end);
        }
        Some(piece)
    }
}

impl Iterator for Changes<'_> {
    type Item = Change;

    fn next(&mut self) -> Option<Change> {
        loop {
            let piece = self.piece()?;
            if piece.before != piece.after {
                return Some(piece);
            }
        }
    }
}
