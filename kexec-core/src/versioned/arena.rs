//! The nodes of all versions of a map, in one slice of the caller's.

use core::mem;

use crate::map::Range;

/// The number of a node. [`NONE`] stands for no node.
pub(super) type Index = u32;
pub(super) const NONE: Index = u32::MAX;

/// Room for one range in one or more versions of a map.
#[derive(Debug, Clone, Copy)]
pub struct Node {
    pub(super) range: Range,
    pub(super) left: Index,
    pub(super) right: Index,
    /// The next of the list that the node is in: of those that are free, or that later versions do without.
    next: Index,
    /// The nodes from here to the farthest leaf, this one and that one counted.
    pub(super) height: u8,
    /// The version that the node was made in: there alone it may be changed.
    born: u64,
}

impl Node {
    /// An unused node, to fill an arena with.
    pub const EMPTY: Self =
        Self { range: Range::EMPTY, left: NONE, right: NONE, next: NONE, height: 0, born: 0 };
}

impl Default for Node {
    fn default() -> Self {
        Self::EMPTY
    }
}

/// Nodes that some version uses and later ones do without.
#[derive(Debug, Clone, Copy)]
pub(super) struct Dead {
    first: Index,
    last: Index,
}

impl Dead {
    pub(super) const NONE: Self = Self { first: NONE, last: NONE };
}

/// Nodes in use, and those that are not. A version is a tree of nodes; a later version shares with it what did not change.
#[derive(Debug)]
pub(super) struct Arena<'a> {
    nodes: &'a mut [Node],
    /// The nodes from here on were never used.
    fresh: Index,
    /// Those that were used and are free again.
    free: Index,
    free_len: usize,
    /// Those that the version in the making does without.
    dying: Dead,
    /// The number of the version in the making.
    version: u64,
    /// The fewest nodes there were to be had.
    #[cfg(test)]
    pub(super) least: usize,
}

impl<'a> Arena<'a> {
    pub(super) fn new(nodes: &'a mut [Node]) -> Self {
        Self {
            nodes,
            fresh: 0,
            free: NONE,
            free_len: 0,
            dying: Dead::NONE,
            version: 0,
            #[cfg(test)]
            least: usize::MAX,
        }
    }

    pub(super) fn len(&self) -> usize {
        self.nodes.len()
    }

    /// How many nodes can be had.
    pub(super) fn available(&self) -> usize {
        self.nodes.len().saturating_sub(position(self.fresh)).saturating_add(self.free_len)
    }

    /// A node by its number; an empty one for [`NONE`].
    pub(super) fn node(&self, at: Index) -> Node {
        self.nodes.get(position(at)).copied().unwrap_or(Node::EMPTY)
    }

    pub(super) fn height(&self, at: Index) -> u8 {
        self.node(at).height
    }

    /// Begins a version.
    pub(super) fn begin(&mut self, version: u64) {
        self.version = version;
        self.dying = Dead::NONE;
    }

    /// The version in the making is made. What the one before has and it has not.
    pub(super) fn end(&mut self) -> Dead {
        mem::replace(&mut self.dying, Dead::NONE)
    }

    /// A version is gone, and `dead` is what no later one has: what the version before, `earlier`, has of it. The rest is free.
    pub(super) fn settle(&mut self, dead: Dead, earlier: Option<u64>) -> Dead {
        let mut kept = Dead::NONE;
        let mut at = dead.first;
        while at != NONE {
            let node = self.node(at);
            if earlier.is_some_and(|earlier| node.born <= earlier) {
                kept = self.with(kept, at);
            } else {
                self.release(at);
            }
            at = node.next;
        }
        kept
    }

    /// Both lists as one.
    pub(super) fn with_all(&mut self, dead: Dead, more: Dead) -> Dead {
        if dead.first == NONE {
            return more;
        }
        if more.first == NONE {
            return dead;
        }
        self.link(dead.last, more.first);
        Dead { last: more.last, ..dead }
    }

    fn with(&mut self, dead: Dead, at: Index) -> Dead {
        self.link(at, NONE);
        self.with_all(dead, Dead { first: at, last: at })
    }

    /// The version in the making, whose tree has this root, is not to be: its own nodes are free, and the others as they were.
    pub(super) fn cancel(&mut self, root: Index) {
        let node = self.node(root);
        // Above a node of this version stand nodes of this version only.
        if root != NONE && node.born == self.version {
            self.cancel(node.left);
            self.cancel(node.right);
            self.release(root);
        }
        self.dying = Dead::NONE;
    }

    /// A new node without children, or [`NONE`].
    pub(super) fn take(&mut self, range: Range) -> Index {
        let at = if self.free == NONE { self.fresh } else { self.free };
        let version = self.version;
        let fresh = self.free == NONE;
        let Some(node) = self.nodes.get_mut(position(at)) else {
            return NONE;
        };
        let next = node.next;
        *node = Node { range, height: 1, born: version, ..Node::EMPTY };
        if fresh {
            self.fresh = at.saturating_add(1);
        } else {
            self.free = next;
            self.free_len = self.free_len.saturating_sub(1);
        }
        #[cfg(test)]
        {
            self.least = self.least.min(self.available());
        }
        at
    }

    /// The node itself if it is of the version in the making; otherwise a copy that takes its place there.
    pub(super) fn own(&mut self, at: Index) -> Index {
        let node = self.node(at);
        if at == NONE || node.born == self.version {
            return at;
        }
        let copy = self.take(node.range);
        self.set_children(copy, node.left, node.right);
        self.discard(at);
        copy
    }

    /// The version in the making does without this node.
    pub(super) fn discard(&mut self, at: Index) {
        if self.node(at).born == self.version {
            self.release(at);
        } else {
            self.dying = self.with(self.dying, at);
        }
    }

    pub(super) fn set_range(&mut self, at: Index, range: Range) {
        if let Some(node) = self.nodes.get_mut(position(at)) {
            node.range = range;
        }
    }

    pub(super) fn set_children(&mut self, at: Index, left: Index, right: Index) {
        let height = self.height(left).max(self.height(right)).saturating_add(1);
        if let Some(node) = self.nodes.get_mut(position(at)) {
            (node.left, node.right, node.height) = (left, right, height);
        }
    }

    fn link(&mut self, from: Index, to: Index) {
        if let Some(node) = self.nodes.get_mut(position(from)) {
            node.next = to;
        }
    }

    fn release(&mut self, at: Index) {
        let free = self.free;
        if let Some(node) = self.nodes.get_mut(position(at)) {
            *node = Node { next: free, ..Node::EMPTY };
            self.free = at;
            self.free_len = self.free_len.saturating_add(1);
        }
    }
}

fn position(at: Index) -> usize {
    usize::try_from(at).unwrap_or(usize::MAX)
}
