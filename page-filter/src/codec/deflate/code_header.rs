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

/// The number of extra bits of each of them, and of others that never occur: words are made for as many.
const EXTRA_BITS: [u8; 32] = {
    let mut bits = [0; 32];
    bits[16] = 2;
    bits[17] = 3;
    bits[18] = 7;
    bits
};

/// Runs shorter than this are looked up.
const SHORT_RUNS: usize = 16;

/// The most kinds that a short run takes.
const MOST_KINDS: usize = 5;

/// Stands for the length itself.
const LENGTH: u16 = u16::MAX;

/// What a short run becomes.
#[derive(Debug, Clone, Copy)]
struct ShortRun {
    /// Kinds of runs and, shifted left by 5, extra bits, or [`LENGTH`].
    kinds: [u16; MOST_KINDS],
    /// How many they are.
    len: u8,
    /// How many of them are [`LENGTH`].
    lengths: u8,
    /// What the others are.
    kind: u8,
}

/// Those of lengths other than 0, and those of 0.
static SHORT_RUN: [[ShortRun; SHORT_RUNS]; 2] = {
    let empty = ShortRun { kinds: [LENGTH; MOST_KINDS], len: 0, lengths: 0, kind: 16 };
    let mut runs = [[empty; SHORT_RUNS]; 2];
    let mut run = 1;
    while run < SHORT_RUNS {
        let [other, zero] = &mut runs;
        let (other, zero) = (&mut other[run], &mut zero[run]);
        // The length itself, then repetitions of three to six; what is left is repeated as it is.
        let repeated = run - 1;
        other.len = 1;
        let mut left = repeated;
        while left >= 3 {
            let part = if left < 6 { left } else { 6 };
            other.kinds[other.len as usize] = 16 | (part as u16 - 3) << 5;
            other.len += 1;
            left -= part;
        }
        other.lengths = 1 + left as u8;
        other.len += left as u8;
        match run {
            0..3 => (zero.len, zero.lengths) = (run as u8, run as u8),
            3..11 => (zero.len, zero.kind, zero.kinds[0]) = (1, 17, 17 | (run as u16 - 3) << 5),
            _ => (zero.len, zero.kind, zero.kinds[0]) = (1, 18, 18 | (run as u16 - 11) << 5),
        }
        run += 1;
    }
    runs
};

/// A prepared header.
#[derive(Debug)]
pub(super) struct CodeHeader {
    /// The code lengths of literals, then of distances, as symbols and, shifted left by 5, extra bits.
    runs: [u16; SYMBOLS + MOST_KINDS],
    runs_len: usize,
    literals: usize,
    distances: usize,
    /// How many entries of `ORDER` are stored.
    stored: usize,
    kind_lengths: [u8; 32],
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
            runs: [0; SYMBOLS + MOST_KINDS],
            runs_len: 0,
            literals,
            distances,
            stored: 4,
            kind_lengths: [0; 32],
            bits: 14,
        };
        let mut counts = [0; 32];
        header.find_runs(&joined, &mut counts);
        let kinds = Used::<FEW_PLACES>::new(&counts[..KINDS]);
        let coded = code_lengths(&kinds, 7, &mut header.kind_lengths);
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
            let run = equal_at(lengths, at, length);
            at += run;
            let run = if run < SHORT_RUNS { run } else { self.shortened(length, run, counts) };
            let short = &SHORT_RUN[usize::from(length == 0)][run & (SHORT_RUNS - 1)];
            // Always as many: how many it takes is hard to predict.
            if let Some(slots) = self.runs.get_mut(self.runs_len..).and_then(<[u16]>::first_chunk_mut) {
                *slots = short.kinds.map(|kind| if kind == LENGTH { length.into() } else { kind });
            }
            self.runs_len += usize::from(short.len);
            counts[usize::from(length) & 31] += u32::from(short.lengths);
            counts[usize::from(short.kind) & 31] += u32::from(short.len - short.lengths);
        }
    }

    /// Takes from a long run of `length` what leaves a short one, and returns that.
    #[cold]
    fn shortened(&mut self, length: u8, mut run: usize, counts: &mut [u32; 32]) -> usize {
        let mut push = |kind: u8, extra: usize| {
            if let Some(slot) = self.runs.get_mut(self.runs_len) {
                *slot = u16::from(kind) | (extra as u16) << 5;
                self.runs_len += 1;
            }
            counts[usize::from(kind) & 31] += 1;
        };
        if length == 0 {
            while run >= SHORT_RUNS {
                let part = run.min(138);
                push(18, part - 11);
                run -= part;
            }
            return run;
        }
        push(length, 0);
        run -= 1;
        while run >= 6 {
            push(16, 3);
            run -= 6;
        }
        if run >= 3 {
            push(16, run - 3);
            run = 0;
        }
        run
    }

    pub(super) fn write(&self, out: &mut BitWriter<'_>) -> Option<()> {
        let sizes = (self.literals - 257) | (self.distances - 1) << 5 | (self.stored - 4) << 10;
        out.put(sizes as u32, 14)?;
        for kinds in ORDER.get(..self.stored)?.chunks(10) {
            let length = |(kind, at): (&usize, u32)| u64::from(self.kind_lengths[kind & 31]) << (3 * at);
            out.add(
                kinds.iter().zip(0..).map(length).fold(0, |all, length| all | length),
                3 * kinds.len() as u32,
            );
            out.flush()?;
        }
        let mut words = [CodeWord::default(); 32];
        assign(&self.kind_lengths, &EXTRA_BITS, &mut words);
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
