//! The lengths of a dynamic block's codes, as they stand before the block: RFC 1951, 3.2.7.
#![expect(
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    clippy::as_conversions,
    reason = "code lengths are at most 15, symbols of code lengths at most 18; runs are at most SYMBOLS = 320 lengths"
)]

use super::code_words::{CodeWord, assign};
use super::symbols::{LITERALS, SYMBOLS};
use crate::codec::bit_writer::BitWriter;
use crate::codec::code_lengths::{FEW_PLACES, Used, code_lengths};

/// Symbols of code lengths: 0 to 15, and three kinds of runs.
const KINDS: usize = 19;

/// The order in which their own code lengths, of at most 7, are stored.
const ORDER: [usize; KINDS] = [16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15];

/// The number of extra bits of each of them.
const EXTRA_BITS: [u8; KINDS] = [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2, 3, 7];

/// A run of a length other than 0 below this is stored as so many lengths, as is one of 0 that is shorter by one.
const SHORT: usize = 4;

/// A prepared header.
#[derive(Debug)]
pub(super) struct CodeHeader {
    /// The code lengths of literals, then of distances, as symbols and, shifted left by 5, extra bits.
    runs: [u16; SYMBOLS + SHORT],
    runs_len: usize,
    literals: usize,
    distances: usize,
    /// How many entries of `ORDER` are stored.
    stored: usize,
    kinds: Used<FEW_PLACES>,
    kind_lengths: [u8; KINDS],
    /// The size of the whole header, in bits.
    pub(super) bits: u32,
}

impl CodeHeader {
    pub(super) fn new(lengths: &[u8; SYMBOLS]) -> Self {
        let literals = used(&lengths[..LITERALS]).max(257);
        let distances = used(&lengths[LITERALS..]).max(1);
        // One sequence, in which runs reach from literals to distances; then zeros that no run reaches.
        let mut joined = [0xff; SYMBOLS + 8];
        joined[..LITERALS].copy_from_slice(&lengths[..LITERALS]);
        let behind = joined.get_mut(literals..).unwrap_or_default();
        behind.iter_mut().zip(&lengths[LITERALS..]).for_each(|(to, &length)| *to = length);
        if let Some(end) = behind.get_mut(distances) {
            *end = 0xff;
        }

        let mut header = Self {
            runs: [0; SYMBOLS + SHORT],
            runs_len: 0,
            literals,
            distances,
            stored: 4,
            kinds: Used::new(&[]),
            kind_lengths: [0; KINDS],
            bits: 14,
        };
        let mut counts = [0; 32];
        header.find_runs(&joined, &mut counts);
        header.kinds = Used::new(&counts[..KINDS]);
        let coded = code_lengths(&header.kinds, 7, &mut header.kind_lengths);
        if let Some(last) =
            ORDER.iter().rposition(|&kind| header.kind_lengths.get(kind).is_some_and(|&length| length > 0))
        {
            header.stored = header.stored.max(last + 1);
        }
        let extra: u32 = counts.iter().zip(EXTRA_BITS).map(|(&count, bits)| count * u32::from(bits)).sum();
        header.bits += 3 * header.stored as u32 + coded + extra;
        header
    }

    /// Takes the lengths up to the first that is 0xff apart into runs, and counts their kinds.
    fn find_runs(&mut self, lengths: &[u8; SYMBOLS + 8], counts: &mut [u32; 32]) {
        let mut at = 0;
        let end = self.literals + self.distances;
        while at < end {
            let Some(&length) = lengths.get(at) else { return };
            let mut run = equal_at(lengths, at, length);
            at += run;
            if run + usize::from(length == 0) < SHORT {
                // Always as many: how many it takes is hard to predict.
                if let Some(slots) = self.runs.get_mut(self.runs_len..).and_then(<[u16]>::first_chunk_mut) {
                    *slots = [u16::from(length); SHORT];
                }
                self.runs_len += run;
                counts[usize::from(length) & 31] += run as u32;
                continue;
            }
            let mut push = |kind: u32, extra: usize| {
                if let Some(slot) = self.runs.get_mut(self.runs_len) {
                    *slot = kind as u16 | (extra as u16) << 5;
                    self.runs_len += 1;
                }
                counts[kind as usize & 31] += 1;
            };
            if length == 0 {
                while run >= 11 {
                    let part = run.min(138);
                    push(18, part - 11);
                    run -= part;
                }
                if run >= 3 {
                    push(17, run - 3);
                    run = 0;
                }
            } else {
                push(u32::from(length), 0);
                run -= 1;
                while run >= 3 {
                    let part = run.min(6);
                    push(16, part - 3);
                    run -= part;
                }
            }
            for _ in 0..run {
                push(u32::from(length), 0);
            }
        }
    }

    pub(super) fn write(&self, out: &mut BitWriter<'_>) -> Option<()> {
        let sizes = (self.literals - 257) | (self.distances - 1) << 5 | (self.stored - 4) << 10;
        out.put(sizes as u32, 14)?;
        for &kind in ORDER.iter().take(self.stored) {
            out.put(u32::from(*self.kind_lengths.get(kind)?), 3)?;
        }
        let mut words = [CodeWord::default(); 32];
        assign(&self.kinds, &self.kind_lengths, &EXTRA_BITS, &mut words);
        let word = |run: u16| words[usize::from(run & 31)];
        let (groups, rest) = self.runs.get(..self.runs_len)?.as_chunks::<4>();
        for group in groups {
            // At most 14 bits each.
            for &run in group {
                word(run).write(u32::from(run >> 5), out);
            }
            out.flush()?;
        }
        for &run in rest {
            word(run).write(u32::from(run >> 5), out);
            out.flush()?;
        }
        Some(())
    }
}

/// How many lengths there are up to the last one that is not 0.
fn used(lengths: &[u8]) -> usize {
    lengths.iter().rposition(|&length| length > 0).map_or(0, |last| last + 1)
}

/// How many lengths from `at` on are `length`.
fn equal_at(lengths: &[u8; SYMBOLS + 8], at: usize, length: u8) -> usize {
    let mut run = 0;
    for word in lengths.get(at..).unwrap_or_default().as_chunks::<8>().0 {
        let differing = u64::from_le_bytes(*word) ^ u64::from_ne_bytes([length; 8]);
        if differing != 0 {
            return run + (differing.trailing_zeros() / 8) as usize;
        }
        run += 8;
    }
    run
}
