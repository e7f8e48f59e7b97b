//! Lengths of the code words of a Huffman code that has no word longer than a limit.
#![expect(
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    clippy::as_conversions,
    reason = "counts are below 2^17 (a page has at most 2^16 bytes), symbols below MAX_SYMBOLS = 288; the \
              tree's indices are below the number of symbols used, as argued in `count_leaves`"
)]

/// The most symbols any alphabet here has.
pub(super) const MAX_SYMBOLS: usize = 288;

/// Depths of leaves that are told apart: a tree over 2^17 occurrences is at most 25 deep (Fibonacci counts).
const DEPTHS: usize = 32;

/// Writes to `lengths` the code length in bits of each symbol, 0 for those that do not occur.
///
/// At least two symbols must occur for the code to be complete; a single one gets length 1. `counts` has as
/// many entries as `lengths`, at most [`MAX_SYMBOLS`], each below 2^17; `limit` is at most 15 and 2^limit at
/// least the number of symbols.
pub(super) fn code_lengths(counts: &[u32], limit: u8, lengths: &mut [u8]) {
    lengths.fill(0);
    let mut keys = [0u32; MAX_SYMBOLS];
    let mut used = 0;
    for (symbol, &count) in counts.iter().enumerate().take(MAX_SYMBOLS) {
        if count > 0 {
            keys[used] = count << 9 | symbol as u32;
            used += 1;
        }
    }
    let keys = &mut keys[..used];
    keys.sort_unstable();
    if used < 3 {
        for &mut key in keys {
            lengths[(key & 0x1ff) as usize] = 1;
        }
        return;
    }
    let mut leaves = count_leaves(keys);
    limit_depth(&mut leaves, usize::from(limit).min(DEPTHS - 1));
    // The rarest symbols get the longest words.
    let mut rarest_first = keys.iter();
    for (depth, &leaves) in leaves.iter().enumerate().rev() {
        for &key in rarest_first.by_ref().take(leaves as usize) {
            lengths[(key & 0x1ff) as usize] = depth as u8;
        }
    }
}

/// How many leaves the tree of minimal redundancy has at each depth, by Moffat and Katajainen's method
/// ("In-place calculation of minimum-redundancy codes", 1995): `nodes` first holds the weights of leaves and
/// of inner nodes, then the inner nodes' parents, then their depths. `keys` are at least two counts,
/// ascending, shifted left by 9.
fn count_leaves(keys: &[u32]) -> [u32; DEPTHS] {
    let used = keys.len();
    let mut nodes = [0u32; MAX_SYMBOLS];
    for (node, key) in nodes.iter_mut().zip(keys) {
        *node = key >> 9;
    }
    let nodes = &mut nodes[..used];

    // Inner node `next` joins the two lightest of the leaves from `leaf` on and of the inner nodes from
    // `root` up to `next`. `root` never passes `next`: each round makes one inner node and uses at most two.
    let (mut leaf, mut root) = (0, 0);
    for next in 0..used - 1 {
        let mut weight = 0;
        for _ in 0..2 {
            if leaf >= used || (root < next && nodes[root] < nodes[leaf]) {
                weight += nodes[root];
                nodes[root] = next as u32;
                root += 1;
            } else {
                weight += nodes[leaf];
                leaf += 1;
            }
        }
        // Only here: the place of inner node `next` is that of a leaf already used, as `leaf` is now above
        // `next`.
        nodes[next] = weight;
    }

    // The last inner node is the root; each other one has a parent after itself.
    let mut inner = [0u32; DEPTHS];
    nodes[used - 2] = 0;
    inner[0] = 1;
    for node in (0..used - 2).rev() {
        let depth = (nodes[nodes[node] as usize] + 1).min(DEPTHS as u32 - 2);
        nodes[node] = depth;
        inner[depth as usize] += 1;
    }
    let mut leaves = [0u32; DEPTHS];
    for depth in 1..DEPTHS {
        leaves[depth] = (2 * inner[depth - 1]).saturating_sub(inner[depth]);
    }
    leaves
}

/// Moves the leaves below `limit` up to it, then lengthens shorter words until the code is complete again.
fn limit_depth(leaves: &mut [u32; DEPTHS], limit: usize) {
    let deeper: u32 = leaves[limit + 1..].iter().sum();
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
