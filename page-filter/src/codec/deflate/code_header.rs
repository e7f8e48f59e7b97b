//! The lengths of a dynamic block's codes, as they stand before the block: RFC 1951, 3.2.7.
#![expect(
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    clippy::as_conversions,
    reason = "code lengths are at most 15, symbols of code lengths at most 18; runs are at most 320 lengths"
)]

use super::symbols::{DISTANCES, LITERALS};
use crate::codec::bit_writer::BitWriter;
use crate::codec::code_lengths::code_lengths;

/// Symbols of code lengths: 0 to 15, and three kinds of runs.
const SYMBOLS: usize = 19;

/// The order in which their own code lengths, of at most 7, are stored.
const ORDER: [usize; SYMBOLS] = [16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15];

/// A prepared header.
#[derive(Debug)]
pub(super) struct CodeHeader {
    /// The code lengths of literals, then of distances.
    lengths: [u8; LITERALS + DISTANCES],
    literals: usize,
    distances: usize,
    /// How many entries of `ORDER` are stored.
    stored: usize,
    symbol_lengths: [u8; SYMBOLS],
    /// The size of the whole header, in bits.
    pub(super) bits: u32,
}

impl CodeHeader {
    pub(super) fn new(literal_lengths: &[u8; LITERALS], distance_lengths: &[u8; DISTANCES]) -> Self {
        let literals = used(literal_lengths).max(257);
        let distances = used(distance_lengths).max(1);
        let mut lengths = [0; LITERALS + DISTANCES];
        lengths[..literals].copy_from_slice(&literal_lengths[..literals]);
        lengths[literals..literals + distances].copy_from_slice(&distance_lengths[..distances]);

        let mut counts = [0; SYMBOLS];
        let mut extra = 0;
        for_each_run(&lengths[..literals + distances], |symbol, _, extra_bits| {
            counts[symbol] += 1;
            extra += extra_bits;
            Some(())
        });
        let mut symbol_lengths = [0; SYMBOLS];
        code_lengths(&counts, 7, &mut symbol_lengths);
        let stored =
            ORDER.iter().rposition(|&symbol| symbol_lengths[symbol] > 0).map_or(4, |last| (last + 1).max(4));
        let coded: u32 =
            counts.iter().zip(&symbol_lengths).map(|(&count, &length)| count * u32::from(length)).sum();
        let bits = 14 + 3 * stored as u32 + coded + extra;
        Self { lengths, literals, distances, stored, symbol_lengths, bits }
    }

    pub(super) fn write(&self, out: &mut BitWriter<'_>) -> Option<()> {
        out.put(self.literals as u32 - 257, 5)?;
        out.put(self.distances as u32 - 1, 5)?;
        out.put(self.stored as u32 - 4, 4)?;
        for &symbol in &ORDER[..self.stored] {
            out.put(u32::from(self.symbol_lengths[symbol]), 3)?;
        }
        let mut codes = [0; SYMBOLS];
        assign_codes(&self.symbol_lengths, &mut codes);
        for_each_run(&self.lengths[..self.literals + self.distances], |symbol, extra, extra_bits| {
            out.put(u32::from(codes[symbol]), u32::from(self.symbol_lengths[symbol]))?;
            out.put(extra, extra_bits)
        })
    }
}

/// How many lengths there are up to the last one that is not 0.
fn used(lengths: &[u8]) -> usize {
    lengths.iter().rposition(|&length| length > 0).map_or(0, |last| last + 1)
}

/// Calls `run` with each symbol, its extra bits and their number.
fn for_each_run(mut lengths: &[u8], mut run: impl FnMut(usize, u32, u32) -> Option<()>) -> Option<()> {
    while let Some((&length, rest)) = lengths.split_first() {
        let more = rest.iter().take_while(|&&next| next == length).count();
        // How many lengths the symbol stands for.
        let taken = match (length, more + 1) {
            (0, count @ 11..) => {
                let count = count.min(138);
                run(18, count as u32 - 11, 7)?;
                count
            }
            (0, count @ 3..) => {
                run(17, count as u32 - 3, 3)?;
                count
            }
            (1.., count @ 4..) => {
                let repeated = (count - 1).min(6);
                run(usize::from(length), 0, 0)?;
                run(16, repeated as u32 - 3, 2)?;
                repeated + 1
            }
            _ => {
                run(usize::from(length), 0, 0)?;
                1
            }
        };
        lengths = &lengths[taken..];
    }
    Some(())
}

/// Gives each symbol its code word: RFC 1951, 3.2.2, with the first bit lowest. Lengths are at most 15.
pub(super) fn assign_codes(lengths: &[u8], codes: &mut [u16]) {
    let mut counts = [0u16; 16];
    for &length in lengths {
        counts[usize::from(length & 15)] += 1;
    }
    counts[0] = 0;
    let mut next = [0u16; 16];
    for length in 1..16 {
        next[length] = (next[length - 1] + counts[length - 1]) << 1;
    }
    for (&length, code) in lengths.iter().zip(codes) {
        let next = &mut next[usize::from(length & 15)];
        *code = if length == 0 { 0 } else { next.reverse_bits() >> (16 - length.min(15)) };
        *next = next.wrapping_add(1);
    }
}
