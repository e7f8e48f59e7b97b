//! Takes a page apart into literals and matches for the codecs that code them in bits, deflate and zstd.
//!
//! One probe per position in a table of five-byte hashes, one in a table of three-byte hashes, and a look at
//! the next position before a match is taken.
#![expect(
    clippy::arithmetic_side_effects,
    clippy::as_conversions,
    clippy::indexing_slicing,
    reason = "positions, distances and lengths are at most the page's length, 2^16; a candidate is a position \
              recorded before, so below the one probed; hashes are shifted below the tables' length"
)]

use core::mem;

use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

use super::match_finder::equal_bytes;

const HASH_BITS: u32 = 12;

/// The shortest match, in bytes.
pub(super) const MIN_MATCH: u32 = 3;

/// After every 2^SKIP bytes without a match the step between positions grows by one.
const SKIP: u32 = 5;

/// The last position of each hash; 0, a candidate as good as any other, where there is none.
#[repr(C)]
#[derive(FromBytes, IntoBytes, KnownLayout, Immutable)]
pub(super) struct Positions {
    of_long: [u16; 1 << HASH_BITS],
    of_three: [u16; 1 << HASH_BITS],
}

/// What takes the page apart.
pub(super) trait Sink {
    /// Takes one byte.
    fn literal(&mut self, byte: u8);

    /// Takes `length` bytes, at least [`MIN_MATCH`], equal to those `distance` bytes back.
    fn matched(&mut self, length: u32, distance: u32);

    /// The same where `distance` is that of the match before.
    #[inline(always)]
    fn matched_again(&mut self, length: u32, distance: u32) {
        self.matched(length, distance);
    }
}

/// What a format can express and what it is good at.
#[derive(Debug)]
pub(super) struct Preferences {
    /// The longest distance, in bytes.
    pub(super) max_distance: u32,
    /// The longest distance that is still worth a match of three bytes; 0 if only matches of five are looked for.
    pub(super) max_distance_of_three: u32,
    /// So many equal bytes at the end of the eight after a match are taken as its continuation.
    pub(super) repeated: u32,
    /// A match of this length is taken without a look at the next position.
    pub(super) long_enough: u32,
}

/// Gives `sink` the whole page, at most 2^16 bytes.
#[inline(always)]
pub(super) fn find_sequences(
    page: &[u8],
    positions: &mut Positions,
    preferences: &Preferences,
    sink: &mut impl Sink,
) {
    positions.of_long.fill(0);
    if preferences.max_distance_of_three > 0 {
        positions.of_three.fill(0);
    }
    let Some(&first) = page.first() else { return };
    // Nothing stands before the first byte; and 0 is what unused entries hold.
    sink.literal(first);
    let mut at = 1;
    let mut literals_at = 1;
    let mut last_distance = 0;
    while let Some(word) = eight_bytes(page, at) {
        let Some(mut best) = probe(page, positions, preferences, at, word) else {
            sink.literal(word as u8);
            at += 1;
            let skipped = (at - literals_at) >> SKIP;
            if skipped > 0 {
                let end = page.len().min((at + skipped) as usize);
                let skipped = page.get(at as usize..end).unwrap_or_default();
                skipped.iter().for_each(|&byte| sink.literal(byte));
                at = end as u32;
            }
            continue;
        };
        if best.distance != last_distance {
            while best.length < preferences.long_enough {
                let Some(word) = eight_bytes(page, at + 1) else { break };
                let Some(next) = longer(page, positions, preferences, at + 1, word, best.length) else {
                    break;
                };
                sink.literal(page.get(at as usize).copied().unwrap_or_default());
                at += 1;
                best = next;
            }
        }
        sink.matched(best.length, best.distance);
        last_distance = best.distance;
        at += best.length;
        if let Some(word) = eight_bytes(page, at - 2) {
            positions.record(preferences, word, at - 2);
        }
        at = repeat(page, positions, preferences, at, best.distance, sink);
        literals_at = at;
    }
    if let Some(rest) = page.get(at as usize..) {
        rest.iter().for_each(|&byte| sink.literal(byte));
    }
}

/// Arrays of structures: a few bytes differ, then the same distance goes on. Takes such bytes from `at` on and returns
/// where it stops.
#[inline(always)]
fn repeat(
    page: &[u8],
    positions: &mut Positions,
    preferences: &Preferences,
    mut at: u32,
    distance: u32,
    sink: &mut impl Sink,
) -> u32 {
    let words = |at| Some((eight_bytes(page, at)?, eight_bytes(page, at - distance)?));
    while let Some((mut word, mut earlier)) = words(at) {
        loop {
            let equal = (word ^ earlier).leading_zeros() / 8;
            if equal < preferences.repeated {
                return at;
            }
            positions.record_long(preferences, word, at);
            for byte in word.to_le_bytes().into_iter().take(8 - equal as usize) {
                sink.literal(byte);
            }
            at += 8;
            // Where the next eight bytes begin with one that differs, they need no second look; and where they begin
            // is known before it is known how many of these eight are equal.
            match words(at) {
                Some((next, before)) if (next ^ before) as u8 != 0 => {
                    sink.matched_again(equal, distance);
                    (word, earlier) = (next, before);
                }
                _ => {
                    let more = extend(page, at - distance, at);
                    sink.matched_again(equal + more, distance);
                    at += more;
                    break;
                }
            }
        }
    }
    at
}

#[derive(Debug, Clone, Copy)]
struct Match {
    length: u32,
    distance: u32,
}

/// The best match at `at`, where `word` stands; records the position.
#[inline(always)]
fn probe(
    page: &[u8],
    positions: &mut Positions,
    preferences: &Preferences,
    at: u32,
    word: u64,
) -> Option<Match> {
    let long = positions.record_long(preferences, word, at);
    let (candidate, differing) = if preferences.max_distance_of_three > 0 {
        let three = positions.record_three(word, at);
        let differing_three = eight_bytes(page, three)? ^ word;
        if differing_three << 40 != 0 {
            return None;
        }
        let differing_five = eight_bytes(page, long)? ^ word;
        if differing_five << 24 == 0 { (long, differing_five) } else { (three, differing_three) }
    } else {
        let differing = eight_bytes(page, long)? ^ word;
        if differing << 32 != 0 {
            return None;
        }
        (long, differing)
    };
    let distance = at - candidate;
    let length =
        if differing == 0 { 8 + extend(page, candidate + 8, at + 8) } else { differing.trailing_zeros() / 8 };
    let max = if length == 3 { preferences.max_distance_of_three } else { preferences.max_distance };
    (distance <= max).then_some(Match { length, distance })
}

/// A match at `at`, where `word` stands, if it is longer than `length`; records the position. Only the hash of more
/// than three bytes is asked.
#[inline(always)]
fn longer(
    page: &[u8],
    positions: &mut Positions,
    preferences: &Preferences,
    at: u32,
    word: u64,
    length: u32,
) -> Option<Match> {
    let candidate = positions.record_long(preferences, word, at);
    positions.record_three(word, at);
    let differing = eight_bytes(page, candidate)? ^ word;
    // One test for the bytes hashed and for one more than `length`.
    if differing << (24_u32.min(56_u32.saturating_sub(8 * length)) & 63) != 0 {
        return None;
    }
    let found =
        if differing == 0 { 8 + extend(page, candidate + 8, at + 8) } else { differing.trailing_zeros() / 8 };
    let distance = at - candidate;
    (found > length && distance <= preferences.max_distance).then_some(Match { length: found, distance })
}

/// How many bytes from `earlier` on equal those from `later` on.
#[inline(always)]
fn extend(page: &[u8], earlier: u32, later: u32) -> u32 {
    match (eight_bytes(page, earlier), eight_bytes(page, later)) {
        (Some(a), Some(b)) if a != b => (a ^ b).trailing_zeros() / 8,
        _ => extend_far(page, earlier as usize, later as usize),
    }
}

/// The same where eight bytes are equal, or the page ends. Apart, so that it takes no registers from the loop.
#[inline(never)]
fn extend_far(page: &[u8], earlier: usize, later: usize) -> u32 {
    equal_bytes(page, earlier, later) as u32
}

impl Positions {
    /// Records position `at`, where `word` stands.
    #[inline(always)]
    fn record(&mut self, preferences: &Preferences, word: u64, at: u32) {
        self.record_long(preferences, word, at);
        if preferences.max_distance_of_three > 0 {
            self.record_three(word, at);
        }
    }

    /// Records position `at` under the hash of four or five bytes and returns the one recorded there before.
    #[inline(always)]
    fn record_long(&mut self, preferences: &Preferences, word: u64, at: u32) -> u32 {
        let ignored_bits = if preferences.max_distance_of_three > 0 { 24 } else { 32 };
        let hash = (word << ignored_bits).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> (64 - HASH_BITS);
        u32::from(mem::replace(&mut self.of_long[hash as usize], at as u16))
    }

    /// The same for three bytes.
    #[inline(always)]
    fn record_three(&mut self, word: u64, at: u32) -> u32 {
        let hash = ((word as u32) << 8).wrapping_mul(0x9e37_79b1) >> (32 - HASH_BITS);
        u32::from(mem::replace(&mut self.of_three[hash as usize], at as u16))
    }
}

/// The eight bytes of `page` from `at` on, the first one lowest.
#[inline(always)]
fn eight_bytes(page: &[u8], at: u32) -> Option<u64> {
    let at = at as usize;
    page.get(at..at + 8)?.first_chunk::<8>().map(|bytes| u64::from_le_bytes(*bytes))
}
