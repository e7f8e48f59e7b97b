//! Lengths of the code words of a Huffman code that has no word longer than a limit.
#![expect(
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    clippy::as_conversions,
    reason = "counts are below 2^17 (a page has at most 2^16 bytes), symbols below MAX_SYMBOLS = 288; places are masked \
              by PLACES, depths by DEPTHS"
)]

use vmcore_format::sort_by_key;

/// The most symbols any alphabet here has.
pub(super) const MAX_SYMBOLS: usize = 288;

/// Places for the symbols of any alphabet.
pub(super) const PLACES: usize = MAX_SYMBOLS.next_power_of_two();

/// Places for the symbols of an alphabet of at most 32.
pub(super) const FEW_PLACES: usize = 64;

/// Depths of leaves that are told apart: a tree over 2^17 occurrences is at most 25 deep (Fibonacci counts).
const DEPTHS: usize = 32;

/// Counts that are sorted by counting: most symbols of a page occur less often.
const BINS: usize = 64;

/// More keys than these are not sorted by insertion.
const INSERTED: usize = 64;

/// Stretches of the symbols that are visited in turns.
const LANES: usize = 4;

/// A symbol that occurs: its count, shifted left by 9, and its number.
type Key = u32;

/// The symbols that occur. `PLACES` is a power of two, so that no bound is checked, and at least two more than there are symbols.
#[derive(Debug)]
pub(super) struct Used<const PLACES: usize> {
    keys: [Key; PLACES],
    len: usize,
}

impl<const PLACES: usize> Used<PLACES> {
    /// Those of `counts`, each below 2^17.
    #[inline(always)]
    pub(super) fn new(counts: &[u32]) -> Self {
        let mut keys = [0; PLACES];
        let mut len = 0;
        for (&count, symbol) in counts.iter().zip(0..) {
            // Without a branch: whether a symbol occurs is hard to predict.
            keys[len & (PLACES - 1)] = count << 9 | symbol;
            len += usize::from(count > 0);
        }
        Self { keys, len: len.min(PLACES - 2) }
    }

    /// How many they are.
    pub(super) fn len(&self) -> usize {
        self.len
    }

    /// Their numbers, ascending.
    pub(super) fn symbols(&self) -> impl DoubleEndedIterator<Item = usize> {
        self.keys().iter().map(|key| (key & 0x1ff) as usize)
    }

    /// Calls `visit` with each key and its lane.
    ///
    /// The lanes are stretches of the symbols, visited in turns: neighbours often have the same count, and what is
    /// added to something for one of them would wait for what was added for the one before.
    #[inline(always)]
    fn for_each_in_lanes(&self, mut visit: impl FnMut(Key, usize)) {
        let stretch = self.len / LANES;
        for at in 0..stretch {
            for lane in 0..LANES {
                visit(self.keys[(lane * stretch + at) & (PLACES - 1)], lane);
            }
        }
        for &key in self.keys().get(LANES * stretch..).unwrap_or_default() {
            visit(key, LANES - 1);
        }
    }

    fn keys(&self) -> &[Key] {
        self.keys.get(..self.len).unwrap_or_default()
    }
}

/// Writes to `lengths` the code length in bits of each symbol of `used`, and returns the number of bits of all
/// occurrences; what stands there for other symbols stays.
///
/// At least two symbols must occur for the code to be complete; a single one gets length 1. `limit` is at most 15
/// and 2^limit at least the number of symbols.
pub(super) fn code_lengths<const PLACES: usize>(used: &Used<PLACES>, limit: u8, lengths: &mut [u8]) -> u32 {
    let mut bits = 0;
    if used.len < 3 {
        for &key in used.keys() {
            if let Some(length) = lengths.get_mut((key & 0x1ff) as usize) {
                *length = 1;
            }
            bits += key >> 9;
        }
        return bits;
    }
    let sorted = used.sorted();
    let mut rarest_first = sorted.get(..used.len).unwrap_or_default();
    let mut leaves = count_leaves(&sorted, used.len);
    limit_depth(&mut leaves, usize::from(limit).min(DEPTHS - 1));
    // The rarest symbols get the longest words.
    for (depth, &leaves) in leaves.iter().enumerate().rev() {
        let (at_depth, rest) = rarest_first.split_at((leaves as usize).min(rarest_first.len()));
        let mut occurrences = 0;
        for &key in at_depth {
            if let Some(length) = lengths.get_mut((key & 0x1ff) as usize) {
                *length = depth as u8;
            }
            occurrences += key >> 9;
        }
        bits += occurrences * depth as u32;
        rarest_first = rest;
    }
    bits
}

impl<const PLACES: usize> Used<PLACES> {
    /// The keys, the rarest symbol first, equally rare ones in their order; then keys that are above all.
    fn sorted(&self) -> [Key; PLACES] {
        let keys = self.keys();
        let mut sorted = [Key::MAX; PLACES];
        if keys.len() <= 20 {
            sorted.iter_mut().zip(keys).for_each(|(sorted, &key)| *sorted = key);
            sort(sorted.get_mut(..keys.len()).unwrap_or_default());
            return sorted;
        }
        let bin = |key: Key| ((key >> 9) as usize).min(BINS - 1);
        let mut ends = [[0u32; LANES]; BINS];
        self.for_each_in_lanes(|key, lane| ends[bin(key)][lane] += 1);
        let mut end = 0;
        for in_lane in ends.as_flattened_mut() {
            end += core::mem::replace(in_lane, end);
        }
        let frequent = ends[BINS - 1][0] as usize;
        self.for_each_in_lanes(|key, lane| {
            let next = &mut ends[bin(key)][lane];
            sorted[*next as usize & (PLACES - 1)] = key;
            *next += 1;
        });
        sort(sorted.get_mut(frequent..keys.len()).unwrap_or_default());
        sorted
    }
}

/// Sorts few keys by insertion, many with a heap.
fn sort(keys: &mut [Key]) {
    if keys.len() > INSERTED {
        sort_by_key(keys, |&key| key);
        return;
    }
    for len in 2..=keys.len() {
        let Some([before @ .., last]) = keys.get_mut(..len) else { return };
        let key = *last;
        let mut hole = last;
        for place in before.iter_mut().rev() {
            if *place <= key {
                break;
            }
            *hole = *place;
            hole = place;
        }
        *hole = key;
    }
}

/// How many leaves the tree of minimal redundancy has at each depth. Its leaves are the first `len` of `keys`, at least two, the
/// rarest first; the others are above all.
///
/// Huffman's algorithm with two queues, as both leaves and inner nodes come up in ascending order (van Leeuwen, 1976).
fn count_leaves<const PLACES: usize>(keys: &[Key; PLACES], len: usize) -> [u32; DEPTHS] {
    // What no queue holds is heavier than anything, so that neither queue's end needs a test.
    let weight = |leaf: usize| keys[leaf & (PLACES - 1)] >> 9;
    let mut nodes = [u32::MAX; PLACES];
    // How many inner nodes have a parent, as of each inner node.
    let mut joined = [0u32; PLACES];
    // Each round joins the two lightest of the leaves from `leaf` on and of the inner nodes from `node` on.
    let inner = len - 1;
    let (mut leaf, mut node, mut next) = (0, 0, 0);
    // Until a leaf is heavier than the first inner node, only leaves are joined: where many symbols are rare, half the
    // rounds.
    let first = weight(0) + weight(1);
    while weight(leaf + 1) <= first {
        nodes[next & (PLACES - 1)] = weight(leaf) + weight(leaf + 1);
        leaf += 2;
        next += 1;
    }
    while next < inner && leaf < len {
        let (leaf_1, leaf_2) = (weight(leaf), weight(leaf + 1));
        let (node_1, node_2) = (nodes[node & (PLACES - 1)], nodes[(node + 1) & (PLACES - 1)]);
        // Without a branch: which it is is hard to predict.
        let two_leaves = leaf_2 <= node_1;
        let two_nodes = node_2 < leaf_1;
        let one = if two_nodes { node_2 } else { leaf_1 };
        let other = if two_leaves { leaf_2 } else { node_1 };
        nodes[next & (PLACES - 1)] = one + other;
        let leaves_taken = 1 + usize::from(two_leaves) - usize::from(two_nodes);
        leaf += leaves_taken;
        node += 2 - leaves_taken;
        joined[next & (PLACES - 1)] = node as u32;
        next += 1;
    }
    // No leaf is left.
    while next < inner {
        nodes[next & (PLACES - 1)] = nodes[node & (PLACES - 1)] + nodes[(node + 1) & (PLACES - 1)];
        node += 2;
        joined[next & (PLACES - 1)] = node as u32;
        next += 1;
    }

    // The last inner node is the root. As nodes are joined in their order, those of one depth are neighbours, and
    // those of the next depth stand right before them.
    let mut leaves_at = [0u32; DEPTHS];
    let (mut start, mut end) = (inner - 1, inner);
    for leaves in &mut leaves_at[1..] {
        let children = 2 * (end - start);
        end = start;
        start = start.checked_sub(1).map_or(0, |before| joined[before & (PLACES - 1)] as usize);
        *leaves = (children - (end - start)) as u32;
    }
    leaves_at
}

/// Moves the leaves below `limit` up to it, then lengthens shorter words until the code is complete again.
fn limit_depth(leaves: &mut [u32; DEPTHS], limit: usize) {
    let deeper: u32 = leaves[limit + 1..].iter().sum();
    if deeper == 0 {
        return;
    }
    leaves[limit + 1..].fill(0);
    leaves[limit] += deeper;
    let mut space: u32 = (1..=limit).map(|depth| leaves[depth] << (limit - depth)).sum();
    while space > 1 << limit {
        // One leaf of the limit goes below a shorter one, which moves down with it: this frees one word of
        // the limit's length.
        let Some(depth) = (1..limit).rev().find(|&depth| leaves[depth] > 0) else { return };
        leaves[limit] -= 1;
        leaves[depth] -= 1;
        leaves[depth + 1] += 2;
        space -= 1;
    }
}
