//! One page as one deflate block, in the cheapest of the three forms of RFC 1951, 3.2.3.
#![expect(
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    clippy::as_conversions,
    reason = "symbols are masked by COUNTS; a page has at most 2^16 bytes, so that no count reaches 2^17 and no cost \
              in bits 2^22"
)]

use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

use super::code_header::CodeHeader;
use super::code_words::{CodeWord, assign};
use super::symbols::{DISTANCES, EXTRA_BITS, LITERALS, SYMBOLS, Token};
use super::tokens::{COUNTS, Counts};
use crate::codec::bit_writer::BitWriter;
use crate::codec::code_lengths::{FEW_PLACES, PLACES, Used, code_lengths};

/// The words of the symbols of both alphabets.
#[repr(C)]
#[derive(Debug, FromBytes, IntoBytes, KnownLayout, Immutable)]
pub(super) struct Words([CodeWord; COUNTS]);

/// The longest stored block, in bytes.
const MAX_STORED: usize = 0xffff;

/// The lengths of the fixed codes: RFC 1951, 3.2.6.
const FIXED_LENGTHS: [(usize, usize, u32); 5] =
    [(0, 144, 8), (144, 256, 9), (256, 280, 7), (280, LITERALS, 8), (LITERALS, SYMBOLS, 5)];

/// Symbols that may have extra bits.
const WITH_EXTRA_BITS: [(usize, usize); 2] = [(265, 285), (LITERALS + 4, SYMBOLS - 2)];

/// The words of the fixed codes, as the same section lists them.
static FIXED_WORDS: Words = {
    let mut words = [CodeWord::new(0, 0, 0); COUNTS];
    let mut symbol = 0;
    while symbol < SYMBOLS {
        let (bits, length) = match symbol {
            0..144 => (0x30 + symbol, 8),
            144..256 => (0x190 + (symbol - 144), 9),
            256..280 => (symbol - 256, 7),
            280..LITERALS => (0xc0 + (symbol - 280), 8),
            _ => (symbol - LITERALS, 5),
        };
        words[symbol] = CodeWord::new((bits << (16 - length)) as u16, length, EXTRA_BITS[symbol]);
        symbol += 1;
    }
    Words(words)
};

/// Writes `page`, taken apart into `tokens`, whose symbols occur `counts` times, and returns the bytes written.
pub(super) fn encode(
    page: &[u8],
    tokens: &[Token],
    counts: &Counts,
    words: &mut Words,
    mut out: BitWriter<'_>,
) -> Option<usize> {
    let extra_bits: u32 = WITH_EXTRA_BITS
        .into_iter()
        .flat_map(|(start, end)| counts[start..end].iter().zip(&EXTRA_BITS[start..end]))
        .map(|(&count, &bits)| count * u32::from(bits))
        .sum();
    let fixed: u32 = FIXED_LENGTHS
        .iter()
        .map(|&(start, end, length)| length * counts[start..end].iter().sum::<u32>())
        .sum();
    let mut lengths = [0; SYMBOLS];
    let (literal_lengths, distance_lengths) = lengths.split_at_mut(LITERALS);
    let literal_bits = fit::<PLACES>(&counts[..LITERALS], literal_lengths);
    let distance_bits = fit::<FEW_PLACES>(&counts[LITERALS..SYMBOLS], distance_lengths);
    let header = CodeHeader::new(&lengths);
    let dynamic = header.bits + literal_bits + distance_bits;
    let coded = (3 + extra_bits + fixed.min(dynamic)).div_ceil(8) as usize;
    if page.len() + 5 * page.len().div_ceil(MAX_STORED) < coded {
        return store(page, out);
    }
    if coded > out.room() {
        return None;
    }
    // The last block; then its kind.
    if fixed <= dynamic {
        out.put(0b011, 3)?;
        // At most 9 bits for a literal, 13 for a length, 18 for a distance.
        return FIXED_WORDS.write::<3>(tokens, out);
    }
    out.put(0b101, 3)?;
    header.write(&mut out)?;
    let (literal, distance) = words.assign(&lengths)?;
    // Every other token may be a distance.
    match literal + literal.max(distance) {
        ..=28 => words.write::<4>(tokens, out),
        two if two + literal.max(distance) <= 56 => words.write::<3>(tokens, out),
        _ => words.write::<2>(tokens, out),
    }
}

/// Makes the lengths, all 0 before, those that fit the counts best; returns the number of bits of all occurrences.
fn fit<const PLACES: usize>(counts: &[u32], lengths: &mut [u8]) -> u32 {
    let used = Used::<PLACES>::new(counts);
    let bits = code_lengths(&used, 15, lengths);
    // Decoders may refuse a code of fewer than two words.
    let missing = 2_usize.saturating_sub(used.len());
    lengths.iter_mut().filter(|length| **length == 0).take(missing).for_each(|length| *length = 1);
    bits
}

/// Writes `page` as it is, in blocks of up to 65535 bytes.
fn store(page: &[u8], mut out: BitWriter<'_>) -> Option<usize> {
    let mut left = page.len();
    for block in page.chunks(MAX_STORED) {
        left -= block.len();
        let len = block.len() as u16;
        out.put(u32::from(left == 0), 8)?;
        out.put(u32::from(len) | u32::from(!len) << 16, 32)?;
        out.extend(block)?;
    }
    out.finish()
}

impl Words {
    /// Makes the words of codes with these lengths; returns the most bits that one of either code takes with its extra bits.
    #[inline(always)]
    fn assign(&mut self, lengths: &[u8; SYMBOLS]) -> Option<(u32, u32)> {
        let (literal_lengths, distance_lengths) = lengths.split_first_chunk::<LITERALS>()?;
        let (literal_extra, distance_extra) = EXTRA_BITS.split_first_chunk()?;
        let (literals, words) = self.0.split_first_chunk_mut()?;
        let distances = words.first_chunk_mut::<DISTANCES>()?;
        let most = assign(literal_lengths, literal_extra, literals);
        Some((most, assign(distance_lengths.first_chunk()?, distance_extra.first_chunk()?, distances)))
    }

    /// Writes `tokens`, of which any `FLUSHED` neighbours take at most 56 bits.
    fn write<const FLUSHED: usize>(&self, tokens: &[Token], mut out: BitWriter<'_>) -> Option<usize> {
        let word = |token: Token| self.0[token as usize & (COUNTS - 1)];
        let (groups, rest) = tokens.as_chunks::<FLUSHED>();
        for group in groups {
            for &token in group {
                word(token).write(token >> 16, &mut out);
            }
            out.flush()?;
        }
        for &token in rest {
            word(token).write(token >> 16, &mut out);
            out.flush()?;
        }
        out.finish()
    }
}
