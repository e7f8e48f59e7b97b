//! The sequences of a block, encoded: RFC 8878, 3.1.1.3.2.
#![expect(
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    clippy::as_conversions,
    reason = "codes are below SYMBOLS = 64; there are fewer than 2^15 sequences; header fields are cut to \
              bytes on purpose"
)]

use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

use super::MIN_MATCH;
use super::distribution::{Distribution, MIN_LOG, SYMBOLS};
use super::fse::EncodeTable;
use super::sequence_codes::{
    Kind, LITERAL_LENGTHS, MATCH_LENGTHS, OFFSETS, RepeatOffsets, length_code, literals_code, offset_code,
};
use super::sequences::Sequence;
use crate::codec::bit_writer::BitWriter;
use crate::codec::cursor::Output;

/// So few sequences may be coded best with the predefined distributions.
const FEW: u32 = 64;

/// How many bits follow each code.
const LITERALS_BITS: [u8; SYMBOLS] = LITERAL_LENGTHS.extra_bits();
const LENGTH_BITS: [u8; SYMBOLS] = MATCH_LENGTHS.extra_bits();

/// One kind of value: how often each code occurs, and the code's table.
#[repr(C)]
#[derive(Debug, FromBytes, IntoBytes, KnownLayout, Immutable)]
pub(super) struct Codes {
    counts: [u32; SYMBOLS],
    table: EncodeTable,
}

/// The three kinds of values.
#[repr(C)]
#[derive(Debug, FromBytes, IntoBytes, KnownLayout, Immutable)]
pub(super) struct SequenceCodes {
    literal_lengths: Codes,
    offsets: Codes,
    match_lengths: Codes,
}

/// Writes the sequences section to the front of `out` and returns its length. Distances become offset values.
/// `codes` is all zero.
pub(super) fn encode(sequences: &mut [Sequence], codes: &mut SequenceCodes, out: &mut [u8]) -> Option<usize> {
    let mut head = Output::new(out);
    let count = sequences.len();
    match count {
        0..128 => head.push(count as u8)?,
        128..0x7f00 => head.extend(&[128 | (count >> 8) as u8, count as u8])?,
        _ => return None,
    }
    if count == 0 {
        return Some(1);
    }
    let mut repeats = RepeatOffsets::START;
    for sequence in &mut *sequences {
        let offset = repeats.value(sequence.distance, u32::from(sequence.literals));
        let literals = literals_code(u32::from(sequence.literals));
        let length = length_code(u32::from(sequence.length));
        codes.literal_lengths.count(literals);
        codes.offsets.count(offset_code(offset));
        codes.match_lengths.count(length);
        sequence.distance = offset | u32::from(literals) << 20 | u32::from(length) << 26;
    }
    head.push(0)?;
    let literal_lengths = codes.literal_lengths.choose(&LITERAL_LENGTHS, &mut head)?;
    let offsets = codes.offsets.choose(&OFFSETS, &mut head)?;
    let match_lengths = codes.match_lengths.choose(&MATCH_LENGTHS, &mut head)?;
    let head_len = head.len();
    let modes_at = if count < 128 { 1 } else { 2 };
    *out.get_mut(modes_at)? = literal_lengths << 6 | offsets << 4 | match_lengths << 2;
    Some(head_len + codes.write(sequences, BitWriter::new(out.get_mut(head_len..)?))?)
}

impl Codes {
    #[inline(always)]
    fn count(&mut self, code: u8) {
        self.counts[usize::from(code) & (SYMBOLS - 1)] += 1;
    }

    /// Chooses the cheapest distribution, writes its description and returns its mode.
    fn choose(&mut self, kind: &Kind, out: &mut Output<'_>) -> Option<u8> {
        let mut occurring = self.counts.iter().enumerate().filter(|&(_, &count)| count > 0);
        let (first, _) = occurring.next()?;
        let distinct = 1 + occurring.count();
        if distinct == 1 {
            self.table.build_single(first as u8);
            out.push(first as u8)?;
            return Some(1);
        }
        let total: u32 = self.counts.iter().sum();
        // As fine as the numbers are worth: some four occurrences for each state.
        let log = (total.max(4).ilog2() - 2).max(MIN_LOG).min(kind.max_log).max(distinct.ilog2() + 1);
        let distribution = Distribution::fit(&self.counts, log);
        let mut stored = [0; SYMBOLS];
        let mut bits = BitWriter::new(&mut stored);
        distribution.for_each_field(|value, count| bits.put(value, count))?;
        let len = bits.finish()?;
        // Only few codes can be worth less than the description of their own distribution.
        if total < FEW
            && let Some(predefined) = kind.predefined.cost(&self.counts)
            && predefined <= distribution.cost(&self.counts)? + 8 * len as u32
        {
            self.table.build(&kind.predefined);
            return Some(0);
        }
        out.extend(stored.get(..len)?)?;
        self.table.build(&distribution);
        Some(2)
    }
}

impl SequenceCodes {
    /// Writes the sequences from the last to the first, as they are read from the end.
    fn write(&self, sequences: &[Sequence], mut out: BitWriter<'_>) -> Option<usize> {
        let (last, before) = sequences.split_last()?;
        let values = Values::of(last);
        let mut offset_state = self.offsets.table.start(values.offset_code);
        let mut length_state = self.match_lengths.table.start(values.length_code);
        let mut literals_state = self.literal_lengths.table.start(values.literals_code);
        values.add_extra(&mut out)?;
        for sequence in before.iter().rev() {
            let values = Values::of(sequence);
            offset_state = self.offsets.table.before(offset_state, values.offset_code, &mut out);
            length_state = self.match_lengths.table.before(length_state, values.length_code, &mut out);
            literals_state =
                self.literal_lengths.table.before(literals_state, values.literals_code, &mut out);
            values.add_extra(&mut out)?;
        }
        self.match_lengths.table.finish(length_state, &mut out)?;
        self.offsets.table.finish(offset_state, &mut out)?;
        self.literal_lengths.table.finish(literals_state, &mut out)?;
        out.put(1, 1)?;
        out.finish()
    }
}

/// A sequence's values, less the match's shortest length, and their codes.
struct Values {
    literals: u32,
    length: u32,
    offset: u32,
    literals_code: u8,
    length_code: u8,
    offset_code: u8,
}

impl Values {
    #[inline(always)]
    fn of(sequence: &Sequence) -> Self {
        let offset = sequence.distance & 0xf_ffff;
        Self {
            literals: u32::from(sequence.literals),
            length: u32::from(sequence.length) - MIN_MATCH,
            offset,
            literals_code: (sequence.distance >> 20) as u8 & 63,
            length_code: (sequence.distance >> 26) as u8,
            offset_code: offset_code(offset),
        }
    }

    /// Adds the extra bits, at most 16 each, to at most 26 bits, and flushes.
    #[inline(always)]
    fn add_extra(&self, out: &mut BitWriter<'_>) -> Option<()> {
        let literals_bits = u32::from(LITERALS_BITS[usize::from(self.literals_code) & (SYMBOLS - 1)]);
        let length_bits = u32::from(LENGTH_BITS[usize::from(self.length_code) & (SYMBOLS - 1)]);
        let offset_bits = u32::from(self.offset_code);
        // The least value of a code, less that of all codes, is a multiple of the number of its values.
        let low = |value: u32, bits: u32| u64::from(value & ((1 << bits) - 1));
        let extra = low(self.literals, literals_bits) | low(self.length, length_bits) << literals_bits;
        if literals_bits + length_bits > 12 {
            out.flush()?;
        }
        out.add(extra, literals_bits + length_bits);
        out.add(low(self.offset, offset_bits), offset_bits);
        out.flush()
    }
}
