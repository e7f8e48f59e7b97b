//! Takes a page apart into literals and matches for the codecs that code them in bits, deflate and zstd.
//!
//! One probe per position in a table of four-byte hashes, one in a table of three-byte hashes, and a look at
//! the next position before a match is taken.
#![expect(
    clippy::arithmetic_side_effects,
    clippy::as_conversions,
    reason = "positions, distances and lengths are at most the page's length, 2^16, which only a match at \
              position 1 or later or a literal uses up, so that lengths fit 16 bits; hashes are shifted \
              below the table's length"
)]

use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

use super::match_finder::{equal_bytes, four_bytes};

const HASH_BITS: u32 = 12;

/// The shortest match, in bytes.
pub(super) const MIN_MATCH: usize = 3;

/// After every 2^SKIP bytes without a match the step between positions grows by one.
const SKIP: u32 = 7;

/// The last position of each hash; 0, a candidate as good as any other, where there is none.
#[repr(C)]
#[derive(FromBytes, IntoBytes, KnownLayout, Immutable)]
pub(super) struct Positions {
    of_four: [u16; 1 << HASH_BITS],
    of_three: [u16; 1 << HASH_BITS],
}

/// Literals, then a match.
#[repr(C)]
#[derive(Debug, Clone, Copy, PartialEq, Eq, FromBytes, IntoBytes, KnownLayout, Immutable)]
pub(super) struct Sequence {
    /// How many bytes of the page stand before the match.
    pub(super) literals: u16,
    /// How many bytes the match has, at least [`MIN_MATCH`].
    pub(super) length: u16,
    /// How many bytes before it they have stood already.
    pub(super) distance: u32,
}

/// How many sequences a page of `page_len` bytes may have.
pub(super) const fn max_sequences(page_len: usize) -> usize {
    page_len / MIN_MATCH
}

/// What a format can express and what it is good at.
#[derive(Debug)]
pub(super) struct Preferences {
    /// The longest match, in bytes.
    pub(super) max_length: usize,
    /// The longest distance, in bytes.
    pub(super) max_distance: usize,
    /// The longest distance that is still worth a match of three bytes.
    pub(super) max_distance_of_three: usize,
    /// A match of this length is taken without a look at the next position.
    pub(super) long_enough: usize,
    /// Whether the distance of the match before is cheap to repeat.
    pub(super) repeats: bool,
}

#[derive(Debug, Clone, Copy, Default)]
struct Match {
    length: usize,
    distance: usize,
    /// The length, and one more for a cheap distance.
    worth: usize,
}

struct Finder<'a> {
    page: &'a [u8],
    positions: &'a mut Positions,
    preferences: &'a Preferences,
    last_distance: usize,
}

/// Writes the page's sequences to the front of `sequences`, whose length is [`max_sequences`], and returns
/// how many they are; what follows them is literals. `page` is at most 2^16 bytes.
pub(super) fn find_sequences(
    page: &[u8],
    positions: &mut Positions,
    preferences: &Preferences,
    sequences: &mut [Sequence],
) -> usize {
    positions.of_four.fill(0);
    positions.of_three.fill(0);
    let mut finder = Finder { page, positions, preferences, last_distance: 0 };
    let mut found = 0;
    let mut literals_at = 0;
    let mut at = 1;
    for slot in sequences {
        let Some((start, matched)) = finder.next(literals_at, at) else { break };
        *slot = Sequence {
            literals: (start - literals_at) as u16,
            length: matched.length as u16,
            distance: matched.distance as u32,
        };
        found += 1;
        finder.last_distance = matched.distance;
        at = start + matched.length;
        literals_at = at;
    }
    found
}

impl Finder<'_> {
    /// The first match worth taking from `at` on and where it begins; positions up to its end are recorded.
    fn next(&mut self, literals_at: usize, mut at: usize) -> Option<(usize, Match)> {
        loop {
            let mut best = self.probe(at, literals_at)?;
            if best.length == 0 {
                at += 1 + ((at - literals_at) >> SKIP);
                continue;
            }
            let mut probed = at;
            while best.length < self.preferences.long_enough {
                probed += 1;
                match self.probe(probed, literals_at) {
                    Some(next) if next.worth > best.worth => (at, best) = (probed, next),
                    _ => break,
                }
            }
            for skipped in probed + 1..at + best.length {
                self.record(skipped);
            }
            return Some((at, best));
        }
    }

    /// The best match at `at`, of length 0 if there is none; `None` near the end of the page.
    fn probe(&mut self, at: usize, literals_at: usize) -> Option<Match> {
        let word = four_bytes(self.page, at)?;
        let (four, three) = self.record(at)?;
        let mut best = Match::default();
        if self.preferences.repeats && at > literals_at && self.last_distance > 0 {
            let length = self.length(at - self.last_distance, at);
            if length >= MIN_MATCH {
                best = Match { length, distance: self.last_distance, worth: length + 1 };
            }
        }
        if four_bytes(self.page, four) == Some(word) && at - four <= self.preferences.max_distance {
            let length = self.length(four, at);
            if length > best.worth {
                best = Match { length, distance: at - four, worth: length };
            }
        }
        if best.length == 0 && at - three <= self.preferences.max_distance_of_three {
            let length = self.length(three, at);
            if length >= MIN_MATCH {
                best = Match { length, distance: at - three, worth: length };
            }
        }
        Some(best)
    }

    fn length(&self, earlier: usize, later: usize) -> usize {
        equal_bytes(self.page, earlier, later).min(self.preferences.max_length)
    }

    /// Records position `at` and returns the positions recorded before under its hashes of four and of three
    /// bytes.
    fn record(&mut self, at: usize) -> Option<(usize, usize)> {
        let word = four_bytes(self.page, at)?;
        let hash = word.wrapping_mul(0x9e37_79b1) >> (32 - HASH_BITS);
        let four = self.positions.of_four.get_mut(hash as usize)?;
        let hash = (word << 8).wrapping_mul(0x9e37_79b1) >> (32 - HASH_BITS);
        let three = self.positions.of_three.get_mut(hash as usize)?;
        let before = (usize::from(*four), usize::from(*three));
        *four = at as u16;
        *three = at as u16;
        Some(before)
    }
}
