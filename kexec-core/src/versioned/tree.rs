//! Ranges as a balanced tree (AVL) whose versions share what they have in common.
//!
//! Everything is made of `join` and `split`, which keep the tree balanced. Source: Blelloch, Ferizovic, Sun: Just Join for
//! Parallel Ordered Sets (SPAA 2016). Recursion is as deep as the tree: at most 46 for 2^32 ranges.

use super::arena::{Arena, Index, NONE};
use crate::map::Range;
use vmcore_format::PhysAddr;

/// The deepest tree that 2^32 nodes make: 1.44 * 32.
pub(super) const MOST_HEIGHT: usize = 47;

impl Arena<'_> {
    /// The first range that ends above `address`.
    pub(super) fn first_above(&self, root: Index, address: PhysAddr) -> Option<Range> {
        let mut at = root;
        let mut best = None;
        while at != NONE {
            let node = self.node(at);
            if node.range.end > address {
                best = Some(node.range);
                at = node.left;
            } else {
                at = node.right;
            }
        }
        best
    }

    /// The last range that starts below `address`.
    pub(super) fn last_below(&self, root: Index, address: PhysAddr) -> Option<Range> {
        let mut at = root;
        let mut best = None;
        while at != NONE {
            let node = self.node(at);
            if node.range.start < address {
                best = Some(node.range);
                at = node.right;
            } else {
                at = node.left;
            }
        }
        best
    }

    /// One tree of all ranges of `left`, the one of node `middle` and all of `right`, which are in ascending order.
    pub(super) fn join(&mut self, left: Index, middle: Index, right: Index) -> Index {
        let (left_height, right_height) = (self.height(left), self.height(right));
        if left_height > right_height.saturating_add(1) {
            let top = self.own(left);
            let node = self.node(top);
            let joined = self.join(node.right, middle, right);
            self.balance(top, node.left, joined)
        } else if right_height > left_height.saturating_add(1) {
            let top = self.own(right);
            let node = self.node(top);
            let joined = self.join(left, middle, node.left);
            self.balance(top, joined, node.right)
        } else {
            let middle = self.own(middle);
            self.set_children(middle, left, right);
            middle
        }
    }

    /// One tree of all ranges of `left` and all of `right`, which are in ascending order.
    pub(super) fn concatenate(&mut self, left: Index, right: Index) -> Index {
        if left == NONE {
            return right;
        }
        let (left, last) = self.take_last(left);
        self.join(left, last, right)
    }

    /// The ranges that start below `address`, and the others.
    pub(super) fn split(&mut self, root: Index, address: PhysAddr) -> (Index, Index) {
        if root == NONE {
            return (NONE, NONE);
        }
        let top = self.own(root);
        let node = self.node(top);
        if node.range.start < address {
            let (below, above) = self.split(node.right, address);
            (self.join(node.left, top, below), above)
        } else {
            let (below, above) = self.split(node.left, address);
            (below, self.join(above, top, node.right))
        }
    }

    /// All but the last range, and the node of that one.
    pub(super) fn take_last(&mut self, root: Index) -> (Index, Index) {
        if root == NONE {
            return (NONE, NONE);
        }
        let top = self.own(root);
        let node = self.node(top);
        if node.right == NONE {
            return (node.left, top);
        }
        let (rest, last) = self.take_last(node.right);
        (self.balance(top, node.left, rest), last)
    }

    /// The first range's node, and all the others.
    pub(super) fn take_first(&mut self, root: Index) -> (Index, Index) {
        if root == NONE {
            return (NONE, NONE);
        }
        let top = self.own(root);
        let node = self.node(top);
        if node.left == NONE {
            return (top, node.right);
        }
        let (first, rest) = self.take_first(node.left);
        (first, self.balance(top, rest, node.right))
    }

    /// Does without all ranges of a tree; how many those were.
    pub(super) fn discard_all(&mut self, root: Index) -> usize {
        if root == NONE {
            return 0;
        }
        let node = self.node(root);
        let others = self.discard_all(node.left).saturating_add(self.discard_all(node.right));
        self.discard(root);
        others.saturating_add(1)
    }

    /// Puts `top` above two trees whose heights differ by two at most.
    fn balance(&mut self, top: Index, left: Index, right: Index) -> Index {
        let (left_height, right_height) = (self.height(left), self.height(right));
        if left_height > right_height.saturating_add(1) {
            let left = self.own(left);
            let node = self.node(left);
            if self.height(node.left) >= self.height(node.right) {
                self.set_children(top, node.right, right);
                self.set_children(left, node.left, top);
                return left;
            }
            let middle = self.own(node.right);
            let between = self.node(middle);
            self.set_children(left, node.left, between.left);
            self.set_children(top, between.right, right);
            self.set_children(middle, left, top);
            return middle;
        }
        if right_height > left_height.saturating_add(1) {
            let right = self.own(right);
            let node = self.node(right);
            if self.height(node.right) >= self.height(node.left) {
                self.set_children(top, left, node.left);
                self.set_children(right, top, node.right);
                return right;
            }
            let middle = self.own(node.left);
            let between = self.node(middle);
            self.set_children(top, left, between.left);
            self.set_children(right, between.right, node.right);
            self.set_children(middle, top, right);
            return middle;
        }
        self.set_children(top, left, right);
        top
    }
}
