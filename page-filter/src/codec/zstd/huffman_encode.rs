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
        self.lengths.fill(0);
        code_lengths(&Used::new(&self.counts), MAX_BITS, &mut self.lengths);
        let last = self.lengths.iter().rposition(|&length| length > 0)?;
        let longest = self.lengths.iter().copied().max()?;
        if self.lengths.iter().filter(|&&length| length > 0).count() < 2 {
            return None;
        }
        let mut weights = self.lengths.map(|length| if length == 0 { 0 } else { longest + 1 - length });
        // The last weight is implied.
        self.description_len = self.describe(&mut weights[..last])? as u32;
        self.assign(longest);
        let bits: u32 =
            self.counts.iter().zip(&self.lengths).map(|(&count, &length)| count * u32::from(length)).sum();
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
        let mut next = [0u16; MAX_BITS as usize + 1];
        let mut word = 0;
        for length in (1..=usize::from(longest)).rev() {
            next[length] = word;
            word = (word + counts[length]) >> 1;
        }
        for (word, &length) in self.words.iter_mut().zip(&self.lengths) {
            *word = next[usize::from(length)];
            next[usize::from(length)] += 1;
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
        let cost = |log| {
            let distribution = Distribution::fit(&counts, log);
            Some(distribution.stored_len() as u32 * 8 + distribution.cost(&counts)?)
        };
        let log = [MIN_LOG, MIN_LOG + 1].into_iter().min_by_key(|&log| cost(log).unwrap_or(u32::MAX))?;
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
                Some(state) => self.weights_table.before(state, weight, &mut out)?,
            });
        }
        self.weights_table.finish(states[1]?, &mut out)?;
        self.weights_table.finish(states[0]?, &mut out)?;
        out.put(1, 1)?;
        Some(header + out.finish()?)
    }

    /// Writes one stream to the front of `out` and returns its length and what follows it.
    pub(super) fn write<'a>(&self, literals: &[u8], out: &'a mut [u8]) -> Option<(usize, &'a mut [u8])> {
        let mut bits = BitWriter::new(out);
        for &literal in literals.iter().rev() {
            let symbol = usize::from(literal);
            bits.put(u32::from(self.words[symbol]), u32::from(self.lengths[symbol]))?;
        }
        bits.put(1, 1)?;
        bits.finish_and_split()
    }
}
