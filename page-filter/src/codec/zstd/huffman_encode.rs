//! Huffman codes of literals, made and described: RFC 8878, 4.2.
#![expect(
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    clippy::as_conversions,
    reason = "symbols are bytes; code lengths are at most MAX_BITS and weights at most MAX_BITS; counts \
              are at most 2^16"
)]

use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

use super::distribution::{Distribution, MIN_LOG, SYMBOLS};
use super::fse::EncodeTable;
use crate::codec::bit_writer::BitWriter;
use crate::codec::code_lengths::{PLACES, Used, code_lengths};

/// The longest code word, in bits.
const MAX_BITS: u8 = 11;

/// The longest description of a tree: a header below 128 counts the bytes after it.
const MAX_DESCRIPTION: usize = 128;

/// A code, and its description.
#[repr(C)]
#[derive(Debug, FromBytes, IntoBytes, KnownLayout, Immutable)]
pub(super) struct HuffmanCode {
    counts: [u32; 256],
    /// Each symbol's word, shifted left by 4, and its length.
    words: [u16; 256],
    lengths: [u8; 256],
    description: [u8; MAX_DESCRIPTION],
    description_len: u32,
    weights_table: EncodeTable,
}

impl HuffmanCode {
    /// Makes the code that fits `literals` best; returns the size in bytes of its description and of the
    /// coded literals, or `None` if there is no such code or no description of it.
    pub(super) fn fit(&mut self, literals: &[u8]) -> Option<usize> {
        for &literal in literals {
            self.counts[usize::from(literal)] += 1;
        }
        let used = Used::<PLACES>::new(&self.counts);
        if used.len() < 2 {
            return None;
        }
        let bits = code_lengths(&used, MAX_BITS, &mut self.lengths);
        let mut of_length = [0u16; 16];
        for symbol in used.symbols() {
            of_length[usize::from(self.lengths[symbol & 255]) & 15] += 1;
        }
        let longest = of_length.iter().rposition(|&count| count > 0)? as u8;
        self.assign(&used, &of_length);
        // The last symbol's weight is implied.
        let last = used.symbols().next_back()? & 255;
        let mut counts = [0; SYMBOLS];
        let lengths = of_length.get(1..=usize::from(longest))?;
        for (count, &of_length) in counts[1..].iter_mut().zip(lengths.iter().rev()) {
            *count = u32::from(of_length);
        }
        counts[usize::from(longest + 1 - self.lengths[last]) & 15] -= 1;
        counts[0] = (last + 1 - used.len()) as u32;
        let weights = self.lengths.map(|length| if length == 0 { 0 } else { longest + 1 - length });
        self.description_len = self.describe(weights.get(..last)?, &counts)? as u32;
        Some(self.description_len as usize + bits.div_ceil(8) as usize)
    }

    pub(super) fn description(&self) -> &[u8] {
        self.description.get(..self.description_len as usize).unwrap_or_default()
    }

    /// Gives each symbol its word: the longest words are the lowest numbers, equally long ones are in the
    /// symbols' order.
    fn assign(&mut self, used: &Used<PLACES>, of_length: &[u16; 16]) {
        let mut next = [0u16; 16];
        let mut word = 0;
        for (next, &count) in next.iter_mut().zip(of_length).skip(1).rev() {
            *next = word;
            word = (word + count) >> 1;
        }
        for symbol in used.symbols() {
            let length = self.lengths[symbol & 255];
            let next = &mut next[usize::from(length & 15)];
            self.words[symbol & 255] = *next << 4 | u16::from(length);
            *next += 1;
        }
    }

    /// Writes the description and returns its length: the shorter of coded weights and, where there are few
    /// enough, plain ones.
    fn describe(&mut self, weights: &[u8], counts: &[u32; SYMBOLS]) -> Option<usize> {
        let plain = weights.len().div_ceil(2);
        if let Some(coded) =
            self.describe_coded(weights, counts).filter(|&coded| coded < plain || weights.len() > 128)
        {
            self.description[0] = coded as u8;
            return Some(1 + coded);
        }
        if weights.len() > 128 {
            return None;
        }
        self.description[0] = 127 + weights.len() as u8;
        for (byte, pair) in self.description[1..].iter_mut().zip(weights.chunks(2)) {
            let weight = |place| pair.get(place).copied().unwrap_or(0);
            *byte = weight(0) << 4 | weight(1);
        }
        Some(1 + plain)
    }

    /// Writes weights, of which each occurs `counts` times, coded by finite state entropy after the description's first
    /// byte, with two states that take turns.
    fn describe_coded(&mut self, weights: &[u8], counts: &[u32; SYMBOLS]) -> Option<usize> {
        let (before, [other, last]) = weights.split_last_chunk::<2>()?;
        if counts.iter().filter(|&&count| count > 0).count() < 2 {
            return None;
        }
        // What a finer distribution saves, its description costs where there are few weights.
        let log = if weights.len() < 64 { MIN_LOG } else { MIN_LOG + 1 };
        let distribution = Distribution::fit(counts, log);
        let table = &mut self.weights_table;
        table.build(&distribution);

        let mut out = BitWriter::new(&mut self.description[1..]);
        distribution.for_each_field(|value, bits| out.put(value, bits))?;
        let (header, rest) = out.finish_and_split()?;
        let mut out = BitWriter::new(rest);
        let mut last = table.start(*last);
        let mut other = table.start(*other);
        // Eight times at most 6 bits.
        let (odd, eights) = before.as_rchunks::<8>();
        for eight in eights.iter().rev() {
            for pair in eight.as_chunks::<2>().0.iter().rev() {
                last = table.before(last, pair[1], &mut out);
                other = table.before(other, pair[0], &mut out);
            }
            out.flush()?;
        }
        for &weight in odd.iter().rev() {
            last = table.before(last, weight, &mut out);
            (last, other) = (other, last);
        }
        out.flush()?;
        // The first weight is the first state's, which is written last.
        table.finish(last, &mut out)?;
        table.finish(other, &mut out)?;
        out.put(1, 1)?;
        Some(header + out.finish()?)
    }

    /// Writes one stream to the front of `out` and returns its length and what follows it.
    pub(super) fn write<'a>(&self, literals: &[u8], out: &'a mut [u8]) -> Option<(usize, &'a mut [u8])> {
        let mut bits = BitWriter::new(out);
        let add = |literal: u8, bits: &mut BitWriter<'_>| {
            let word = self.words[usize::from(literal)];
            bits.add(u64::from(word >> 4), u32::from(word & 15));
        };
        // Five words are at most 55 bits.
        let (odd, fives) = literals.as_rchunks::<5>();
        for five in fives.iter().rev() {
            five.iter().rev().for_each(|&literal| add(literal, &mut bits));
            bits.flush()?;
        }
        odd.iter().rev().for_each(|&literal| add(literal, &mut bits));
        bits.flush()?;
        bits.put(1, 1)?;
        bits.finish_and_split()
    }
}
