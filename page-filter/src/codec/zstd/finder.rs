//! Takes a page apart into literals and matches of four bytes and more, as fast as is worth it.
//!
//! One probe per position in a table of four-byte hashes, and a look at the next position before a short match is
//! taken.
#![expect(
    clippy::arithmetic_side_effects,
    clippy::as_conversions,
    clippy::indexing_slicing,
    reason = "positions, distances and lengths are at most the page's length, 2^16; a candidate is a position \
              recorded before, so below the one probed; hashes are shifted below the table's length"
)]

use core::mem;

use super::sequences::Sequences;
use crate::codec::match_finder::equal_bytes;

/// Bits of a hash of four bytes.
const HASH_BITS: u32 = 12;

/// The last position of each hash; 0, a candidate as good as any other, where there is none.
pub(super) type Positions = [u16; 1 << HASH_BITS];

/// After every 2^SKIP bytes without a match the step between positions grows by one.
const SKIP: u32 = 6;

/// A match of this length is taken without a look at the next position.
const LONG_ENOUGH: usize = 8;

/// So many equal bytes at the end of the eight after a match are taken as its continuation.
const REPEATED: usize = 4;

/// Gives `parts` the whole page, at most 2^16 bytes.
pub(super) fn find_sequences(page: &[u8], positions: &mut Positions, parts: &mut Sequences<'_>) {
    positions.fill(0);
    let mut literals_at = 0;
    // Nothing stands before the first byte; and 0 is what unused entries hold.
    let mut at = 1;
    while let Some(word) = eight_bytes(page, at) {
        let candidate = replace(positions, word, at);
        let Some(earlier) = eight_bytes(page, candidate) else { break };
        let differing = earlier ^ word;
        if differing << 32 != 0 {
            at += 1 + ((at - literals_at) >> SKIP);
            continue;
        }
        let mut candidate = candidate;
        let mut length = equal_bytes_in(page, candidate, at, differing);
        if length < LONG_ENOUGH
            && let Some(word) = eight_bytes(page, at + 1)
        {
            let next = replace(positions, word, at + 1);
            let differing = eight_bytes(page, next).map_or(!0, |earlier| earlier ^ word);
            let next_length = equal_bytes_in(page, next, at + 1, differing);
            if next_length > length {
                (at, candidate, length) = (at + 1, next, next_length);
            }
        }
        let distance = at - candidate;
        // The match may begin before the position that was probed.
        let back = equal_bytes_before(page, candidate, at).min(at - literals_at);
        parts.sequence(from(page, literals_at), at - back - literals_at, length + back, distance);
        at += length;
        literals_at = at;
        if let Some(word) = eight_bytes(page, at - 2) {
            replace(positions, word, at - 2);
        }
        // Arrays of structures: a few bytes differ, then the same distance goes on.
        while let (Some(word), Some(earlier)) = (eight_bytes(page, at), eight_bytes(page, at - distance)) {
            let equal = ((word ^ earlier).leading_zeros() / 8) as usize;
            if equal < REPEATED {
                break;
            }
            replace(positions, word, at);
            length = equal + extend(page, at + 8 - distance, at + 8);
            parts.sequence(from(page, literals_at), 8 - equal, length, distance);
            at += 8 - equal + length;
            literals_at = at;
        }
    }
    parts.rest(from(page, literals_at));
}

/// The page from `at` on.
#[inline(always)]
fn from(page: &[u8], at: usize) -> &[u8] {
    page.get(at..).unwrap_or_default()
}

/// How many bytes from `earlier` on equal those from `later` on; in the first eight, `differing` has the bits that differ.
#[inline(always)]
fn equal_bytes_in(page: &[u8], earlier: usize, later: usize, differing: u64) -> usize {
    match differing {
        0 => 8 + extend(page, earlier + 8, later + 8),
        _ => (differing.trailing_zeros() / 8) as usize,
    }
}

/// How many bytes before `earlier` equal those before `later`, at most 8; 0 in the first bytes of the page.
#[inline(always)]
fn equal_bytes_before(page: &[u8], earlier: usize, later: usize) -> usize {
    let Some(before) = earlier.checked_sub(8) else { return 0 };
    match (eight_bytes(page, before), eight_bytes(page, later - 8)) {
        (Some(a), Some(b)) => ((a ^ b).leading_zeros() / 8) as usize,
        _ => 0,
    }
}

/// How many bytes from `earlier` on equal those from `later` on.
#[inline(always)]
fn extend(page: &[u8], earlier: usize, later: usize) -> usize {
    match (eight_bytes(page, earlier), eight_bytes(page, later)) {
        (Some(a), Some(b)) if a != b => ((a ^ b).trailing_zeros() / 8) as usize,
        _ => extend_far(page, earlier, later),
    }
}

/// The same where eight bytes are equal, or the page ends. Apart, so that it takes no registers from the loop.
#[inline(never)]
fn extend_far(page: &[u8], earlier: usize, later: usize) -> usize {
    equal_bytes(page, earlier, later)
}

/// Records position `at` under the hash of the first four bytes of `word`, and returns the one recorded there before.
#[inline(always)]
fn replace(positions: &mut Positions, word: u64, at: usize) -> usize {
    let hash = (word as u32).wrapping_mul(0x9e37_79b1) >> (32 - HASH_BITS);
    usize::from(mem::replace(&mut positions[hash as usize], at as u16))
}

/// The eight bytes of `page` from `at` on, the first one lowest.
#[inline(always)]
fn eight_bytes(page: &[u8], at: usize) -> Option<u64> {
    page.get(at..at + 8)?.first_chunk::<8>().map(|bytes| u64::from_le_bytes(*bytes))
}
