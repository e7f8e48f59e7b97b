//! Changes to the version in the making.

use super::arena::{Arena, Index, NONE};
use crate::map::{Range, RangeKind, Span};

/// The tree of a version, and how many ranges it has.
#[derive(Debug, Clone, Copy)]
pub(super) struct Root {
    pub(super) top: Index,
    pub(super) len: usize,
}

impl Root {
    pub(super) const EMPTY: Self = Self { top: NONE, len: 0 };
}

impl Arena<'_> {
    /// The most nodes that one change to this version takes before it gives some back: a few paths through the tree.
    pub(super) fn most_taken(&self, root: Root) -> usize {
        Self::most_taken_at(usize::from(self.height(root.top)))
    }

    /// The same for a tree of a height.
    pub(super) fn most_taken_at(height: usize) -> usize {
        height.saturating_mul(PATHS).saturating_add(MORE)
    }

    /// Whether `span` is of this kind already, or of none.
    pub(super) fn is_already(&self, root: Root, span: Span, kind: Option<RangeKind>) -> bool {
        let first = self.first_above(root.top, span.start);
        match (first, kind) {
            _ if span.is_empty() => true,
            (Some(range), Some(kind)) => {
                range.start <= span.start && range.end >= span.end && range.kind == kind
            }
            (Some(range), None) => range.start >= span.end,
            (None, kind) => kind.is_none(),
        }
    }

    /// Gives `span` one kind, or none. Neighbours of that kind become one range with it.
    pub(super) fn paint(&mut self, root: Root, span: Span, kind: Option<RangeKind>) -> Root {
        let mut whole = span;
        let mut len = root.len;
        // What is left of a range that starts before the span's end and reaches beyond it.
        let mut rest = None;
        let (mut before, others) = self.split(root.top, span.start);
        let (within, mut after) = self.split(others, span.end);
        if let Some(last) = self.last_below(before, span.start) {
            let same = Some(last.kind) == kind;
            if last.end >= span.start && same {
                whole.start = last.start;
                whole.end = whole.end.max(last.end);
                let (others, node) = self.take_last(before);
                self.discard(node);
                before = others;
                len = len.saturating_sub(1);
            } else if last.end > span.start {
                if last.end > span.end {
                    rest = Some(Range { start: span.end, ..last });
                }
                let (others, node) = self.take_last(before);
                self.set_range(node, Range { end: span.start, ..last });
                before = self.join(others, node, NONE);
            }
        }
        if let Some(last) = self.last_below(within, span.end).filter(|last| last.end > span.end) {
            if Some(last.kind) == kind {
                whole.end = last.end;
            } else {
                rest = Some(Range { start: span.end, ..last });
            }
        }
        len = len.saturating_sub(self.discard_all(within));
        let next = self.first_above(after, span.start);
        if let Some(next) = next.filter(|next| next.start == whole.end && Some(next.kind) == kind) {
            whole.end = next.end;
            let (node, others) = self.take_first(after);
            self.discard(node);
            after = others;
            len = len.saturating_sub(1);
        }
        for range in [kind.map(|kind| Range::new(whole, kind)), rest].into_iter().flatten() {
            let node = self.take(range);
            before = self.join(before, node, NONE);
            len = len.saturating_add(1);
        }
        Root { top: self.concatenate(before, after), len }
    }
}

/// The paths through the tree, and the nodes besides, that [`Arena::paint`] may take before it gives some back: two splits and
/// six joins, each of which copies the nodes of a path that no earlier step copied.
const PATHS: usize = 8;
const MORE: usize = 8;
