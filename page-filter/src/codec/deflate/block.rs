//! One page as one deflate block, in the cheapest of the three forms of RFC 1951, 3.2.3.
#![expect(
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    clippy::as_conversions,
    reason = "symbols come from `symbols` and from bytes and are below the arrays' lengths; a page has at \
              most 2^16 bytes, so that no count reaches 2^17 and no cost in bits 2^22"
)]

use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

use super::code_header::{CodeHeader, assign_codes};
use super::symbols::{DISTANCES, END_OF_BLOCK, LITERALS, of_distance, of_length};
use crate::codec::bit_writer::BitWriter;
use crate::codec::code_lengths::code_lengths;
use crate::codec::sequence_finder::{Positions, Sequence};

/// The encoder's tables but for the sequences.
#[repr(C)]
#[derive(FromBytes, IntoBytes, KnownLayout, Immutable)]
pub(super) struct Tables {
    pub(super) positions: Positions,
    pub(super) codes: Codes,
}

/// The two codes of a block.
#[repr(C)]
#[derive(FromBytes, IntoBytes, KnownLayout, Immutable)]
pub(super) struct Codes {
    literal_counts: [u32; LITERALS],
    distance_counts: [u32; DISTANCES],
    literal_codes: [u16; LITERALS],
    distance_codes: [u16; DISTANCES],
    literal_lengths: [u8; LITERALS],
    distance_lengths: [u8; DISTANCES],
}

/// The longest stored block, in bytes.
const MAX_STORED: usize = 0xffff;

/// Writes `page`, taken apart into `sequences` and the literals after them, and returns the bytes written.
pub(super) fn encode(
    page: &[u8],
    sequences: &[Sequence],
    codes: &mut Codes,
    mut out: BitWriter<'_>,
) -> Option<usize> {
    let extra_bits = codes.count(page, sequences);
    let fixed = 3 + extra_bits + codes.fix().cost();
    let header = codes.fit();
    let dynamic = 3 + extra_bits + header.bits + codes.cost();
    let coded = fixed.min(dynamic).div_ceil(8) as usize;
    if page.len() + 5 * page.len().div_ceil(MAX_STORED) < coded {
        return store(page, out);
    }
    if coded > out.room() {
        return None;
    }
    // The last block; then its kind.
    if dynamic < fixed {
        out.put(0b101, 3)?;
        header.write(&mut out)?;
    } else {
        codes.fix();
        out.put(0b011, 3)?;
    }
    codes.assign();
    codes.write(page, sequences, &mut out)?;
    out.finish()
}

/// Writes `page` as it is, in blocks of up to 65535 bytes.
fn store(page: &[u8], mut out: BitWriter<'_>) -> Option<usize> {
    let mut left = page.len();
    for block in page.chunks(MAX_STORED) {
        left -= block.len();
        out.put(u32::from(left == 0), 8)?;
        let len = block.len() as u16;
        out.put(u32::from(len), 16)?;
        out.put(u32::from(!len), 16)?;
        block.iter().try_for_each(|&byte| out.put(u32::from(byte), 8))?;
    }
    out.finish()
}

impl Codes {
    /// Counts the symbols and returns the number of extra bits.
    fn count(&mut self, page: &[u8], sequences: &[Sequence]) -> u32 {
        let mut extra_bits = 0;
        let mut rest = page;
        for sequence in sequences {
            let (literals, after) = rest.split_at(usize::from(sequence.literals));
            for &literal in literals {
                self.literal_counts[usize::from(literal)] += 1;
            }
            let length = of_length(sequence.length);
            let distance = of_distance(sequence.distance);
            self.literal_counts[length.symbol] += 1;
            self.distance_counts[distance.symbol] += 1;
            extra_bits += length.extra_bits + distance.extra_bits;
            rest = &after[usize::from(sequence.length)..];
        }
        for &literal in rest {
            self.literal_counts[usize::from(literal)] += 1;
        }
        self.literal_counts[END_OF_BLOCK] = 1;
        extra_bits
    }

    /// Makes the lengths those of the fixed codes: RFC 1951, 3.2.6.
    fn fix(&mut self) -> &Self {
        self.literal_lengths[..144].fill(8);
        self.literal_lengths[144..256].fill(9);
        self.literal_lengths[256..280].fill(7);
        self.literal_lengths[280..].fill(8);
        self.distance_lengths.fill(5);
        self
    }

    /// Makes the lengths those that fit the counts best.
    fn fit(&mut self) -> CodeHeader {
        code_lengths(&self.literal_counts, 15, &mut self.literal_lengths);
        code_lengths(&self.distance_counts, 15, &mut self.distance_lengths);
        // Decoders may refuse a code of fewer than two words.
        at_least_two(&mut self.literal_lengths);
        at_least_two(&mut self.distance_lengths);
        CodeHeader::new(&self.literal_lengths, &self.distance_lengths)
    }

    /// The number of bits of all symbols.
    fn cost(&self) -> u32 {
        let cost = |counts: &[u32], lengths: &[u8]| -> u32 {
            counts.iter().zip(lengths).map(|(&count, &length)| count * u32::from(length)).sum()
        };
        cost(&self.literal_counts, &self.literal_lengths)
            + cost(&self.distance_counts, &self.distance_lengths)
    }

    fn assign(&mut self) {
        assign_codes(&self.literal_lengths, &mut self.literal_codes);
        assign_codes(&self.distance_lengths, &mut self.distance_codes);
    }

    fn write(&self, page: &[u8], sequences: &[Sequence], out: &mut BitWriter<'_>) -> Option<()> {
        let mut rest = page;
        for sequence in sequences {
            let (literals, after) = rest.split_at(usize::from(sequence.literals));
            literals.iter().try_for_each(|&literal| self.write_literal(usize::from(literal), out))?;
            let length = of_length(sequence.length);
            self.write_literal(length.symbol, out)?;
            out.put(length.extra, length.extra_bits)?;
            let distance = of_distance(sequence.distance);
            let code = u32::from(self.distance_codes[distance.symbol]);
            out.put(code, u32::from(self.distance_lengths[distance.symbol]))?;
            out.put(distance.extra, distance.extra_bits)?;
            rest = &after[usize::from(sequence.length)..];
        }
        rest.iter().try_for_each(|&literal| self.write_literal(usize::from(literal), out))?;
        self.write_literal(END_OF_BLOCK, out)
    }

    fn write_literal(&self, symbol: usize, out: &mut BitWriter<'_>) -> Option<()> {
        out.put(u32::from(self.literal_codes[symbol]), u32::from(self.literal_lengths[symbol]))
    }
}

/// Gives the first symbols words of one bit if fewer than two symbols have words.
fn at_least_two(lengths: &mut [u8]) {
    let missing = 2usize.saturating_sub(lengths.iter().filter(|&&length| length > 0).count());
    lengths.iter_mut().filter(|length| **length == 0).take(missing).for_each(|length| *length = 1);
}
