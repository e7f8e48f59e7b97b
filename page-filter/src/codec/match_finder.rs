//! Finds earlier copies of a page's bytes fast: one probe per position, for LZO1X and snappy.
#![expect(
    clippy::arithmetic_side_effects,
    clippy::as_conversions,
    reason = "positions, distances and lengths are at most the page's length, 2^16; hashes are shifted \
              below the table's length"
)]

use zerocopy::{FromBytes, IntoBytes};

use super::MAX_PAGE_LEN;

/// Bits of a hash of four bytes.
const HASH_BITS: u32 = 12;

/// The last position of each hash. A position that never was is 0, where a candidate is as good as any other.
pub(super) type Positions = [u16; 1 << HASH_BITS];

/// The size of [`Positions`] in words of a codec's scratch: 2048.
pub(super) const POSITIONS_WORDS: usize = size_of::<Positions>().div_ceil(size_of::<u32>());

/// The positions in a codec's scratch; `None` for too little of it, or a page that has positions past 16 bits.
pub(super) fn positions<'s>(page: &[u8], scratch: &'s mut [u32]) -> Option<&'s mut Positions> {
    let words = scratch.get_mut(..POSITIONS_WORDS).filter(|_| page.len() <= MAX_PAGE_LEN)?;
    let (positions, _) = Positions::mut_from_prefix(words.as_mut_bytes()).ok()?;
    Some(positions)
}

/// The shortest match reported, in bytes.
pub(super) const MIN_MATCH: usize = 4;

/// After every 2^SKIP bytes without a match the step between positions grows by one.
const SKIP: u32 = 5;

/// What takes the page apart.
pub(super) trait Sink {
    /// Takes `literals`, then `length` bytes equal to those `distance` bytes back; `None` when the output is
    /// full.
    fn sequence(&mut self, literals: &[u8], distance: usize, length: usize) -> Option<()>;
}

/// Gives `sink` the whole page but for the literals at its end, and returns those. Matches are [`MIN_MATCH`]
/// bytes or longer and at most `max_distance` back. `page` is at most 2^16 bytes.
pub(super) fn find_matches<'a>(
    page: &'a [u8],
    positions: &mut Positions,
    max_distance: usize,
    sink: &mut impl Sink,
) -> Option<&'a [u8]> {
    positions.fill(0);
    let mut literals_at = 0;
    let mut at = 1;
    while let Some(word) = four_bytes(page, at) {
        let candidate = replace(positions, word, at)?;
        let distance = at - candidate;
        if distance > max_distance || four_bytes(page, candidate) != Some(word) {
            at += 1 + ((at - literals_at) >> SKIP);
            continue;
        }
        let length = MIN_MATCH + equal_bytes(page, candidate + MIN_MATCH, at + MIN_MATCH);
        // The match may begin before the position that was probed.
        let before = page.get(literals_at..at)?.iter().rev();
        let back = before.zip(page.get(..candidate)?.iter().rev()).take_while(|(a, b)| a == b).count();
        at -= back;
        sink.sequence(page.get(literals_at..at)?, distance, length + back)?;
        at += length + back;
        literals_at = at;
        if let Some(word) = four_bytes(page, at - 2) {
            replace(positions, word, at - 2)?;
        }
    }
    page.get(literals_at..)
}

/// Records position `at` of `word` and returns the position recorded before.
fn replace(positions: &mut Positions, word: u32, at: usize) -> Option<usize> {
    let hash = word.wrapping_mul(0x9e37_79b1) >> (32 - HASH_BITS);
    let slot = positions.get_mut(hash as usize)?;
    let before = usize::from(*slot);
    *slot = at as u16;
    Some(before)
}

/// The four bytes of `page` from `at` on, the first one lowest.
pub(super) fn four_bytes(page: &[u8], at: usize) -> Option<u32> {
    page.get(at..)?.first_chunk::<4>().map(|bytes| u32::from_le_bytes(*bytes))
}

/// How many bytes from `earlier` on equal those from `later` on.
pub(super) fn equal_bytes(page: &[u8], earlier: usize, later: usize) -> usize {
    let (Some(a), Some(b)) = (page.get(earlier..), page.get(later..)) else { return 0 };
    let (a_words, _) = a.as_chunks::<8>();
    let (b_words, _) = b.as_chunks::<8>();
    let mut equal = 0;
    for (a_word, b_word) in a_words.iter().zip(b_words) {
        let differing = u64::from_le_bytes(*a_word) ^ u64::from_le_bytes(*b_word);
        if differing != 0 {
            return equal + (differing.trailing_zeros() / 8) as usize;
        }
        equal += 8;
    }
    let rest = a.iter().zip(b).skip(equal);
    equal + rest.take_while(|(a, b)| a == b).count()
}
