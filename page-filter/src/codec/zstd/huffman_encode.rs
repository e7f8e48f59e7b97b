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
use crate::codec::code_lengths::{Used, code_lengths};

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
        let used = Used::new(&self.counts);
        if used.len() < 2 {
            return None;
        }
        let bits = code_lengths(&used, MAX_BITS, &mut self.lengths);
        let last = used.symbols().next_back()?;
        let longest = self.lengths.iter().copied().max()?;
        let mut weights = self.lengths.map(|length| if length == 0 { 0 } else { longest + 1 - length });
        // The last weight is implied.
        self.description_len = self.describe(&mut weights[..last])? as u32;
        self.assign(longest);
        Some(self.description_len as usize + bits.div_ceil(8) as usize)
    }

    pub(super) fn description(&self) -> &[u8] {
        &self.description[..self.description_len as usize]
    }

    /// Gives each symbol its word: the longest words are the lowest numbers, equally long ones are in the
    /// symbols' order.
    fn assign(&mut self, longest: u8) {
        let mut counts = [0u16; MAX_BITS as usize + 1];
        for &length in self.lengths.iter().filter(|&&length| length > 0) {
            counts[usize::from(length)] += 1;
        }
        let mut next = [0u16; 16];
        let mut word = 0;
        for length in (1..=usize::from(longest)).rev() {
            next[length] = word;
            word = (word + counts[length]) >> 1;
        }
        for (word, &length) in self.words.iter_mut().zip(&self.lengths) {
            let next = &mut next[usize::from(length & 15)];
            *word = *next << 4 | u16::from(length);
            *next = next.wrapping_add(1);
        }
    }

    /// Writes the description and returns its length: the shorter of coded weights and, where there are few
    /// enough, plain ones.
    fn describe(&mut self, weights: &mut [u8]) -> Option<usize> {
        let plain = weights.len().div_ceil(2);
        if let Some(coded) =
            self.describe_coded(weights).filter(|&coded| coded < plain || weights.len() > 128)
        {
            self.description[0] = coded as u8;
            return Some(1 + coded);
        }
        if weights.len() > 128 {
            return None;
        }
        self.description[0] = 127 + weights.len() as u8;
        for (byte, pair) in self.description[1..].iter_mut().zip(weights.chunks(2)) {
            *byte = pair[0] << 4 | pair.get(1).copied().unwrap_or(0);
        }
        Some(1 + plain)
    }

    /// Writes weights coded by finite state entropy after the description's first byte, with two states that
    /// take turns.
    fn describe_coded(&mut self, weights: &[u8]) -> Option<usize> {
        let mut counts = [0u32; SYMBOLS];
        for &weight in weights {
            counts[usize::from(weight)] += 1;
        }
        if counts.iter().filter(|&&count| count > 0).count() < 2 {
            return None;
        }
        // What a finer distribution saves, its description costs where there are few weights.
        let log = if weights.len() < 64 { MIN_LOG } else { MIN_LOG + 1 };
        let distribution = Distribution::fit(&counts, log);
        self.weights_table.build(&distribution);

        let mut out = BitWriter::new(&mut self.description[1..]);
        distribution.for_each_field(|value, bits| out.put(value, bits))?;
        let (header, rest) = out.finish_and_split()?;
        let mut out = BitWriter::new(rest);
        // The first weight is the first state's, so that the last one is that of the state which its position
        // says.
        let mut states = [None; 2];
        for (position, &weight) in weights.iter().enumerate().rev() {
            let state = &mut states[position & 1];
            *state = Some(match *state {
                None => self.weights_table.start(weight),
                Some(state) => self.weights_table.before(state, weight, &mut out),
            });
            out.flush()?;
        }
        self.weights_table.finish(states[1]?, &mut out)?;
        self.weights_table.finish(states[0]?, &mut out)?;
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
