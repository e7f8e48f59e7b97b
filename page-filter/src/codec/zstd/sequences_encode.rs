//! The sequences of a block, encoded: RFC 8878, 3.1.1.3.2.
#![expect(
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    clippy::as_conversions,
    reason = "codes are below SYMBOLS = 64; there are fewer than 2^15 sequences; header fields are cut to \
              bytes on purpose"
)]

use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

use super::distribution::{Distribution, MIN_LOG, SYMBOLS};
use super::fse::EncodeTable;
use super::sequence_codes::{Kind, LITERAL_LENGTHS, MATCH_LENGTHS, OFFSETS, RepeatOffsets};
use super::sequences::Sequence;
use crate::codec::bit_writer::BitWriter;
use crate::codec::cursor::Output;

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
        sequence.distance = repeats.value(sequence.distance, u32::from(sequence.literals));
        codes.literal_lengths.count(&LITERAL_LENGTHS, u32::from(sequence.literals));
        codes.offsets.count(&OFFSETS, sequence.distance);
        codes.match_lengths.count(&MATCH_LENGTHS, u32::from(sequence.length));
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
    fn count(&mut self, kind: &Kind, value: u32) {
        let (code, _, _) = kind.code_of(value);
        self.counts[usize::from(code)] += 1;
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
        let max_log = kind.max_log.min(total.ilog2() + 2);
        let logs = (MIN_LOG..=max_log).filter(|&log| distinct <= 1 << log);
        let fitted = logs
            .filter_map(|log| {
                let distribution = Distribution::fit(&self.counts, log);
                let cost = distribution.cost(&self.counts)? + 8 * distribution.stored_len() as u32;
                Some((cost, distribution))
            })
            .min_by_key(|&(cost, _)| cost);
        match (fitted, kind.predefined.cost(&self.counts)) {
            (Some((cost, distribution)), predefined)
                if predefined.is_none_or(|predefined| cost < predefined) =>
            {
                let mut stored = [0; SYMBOLS];
                let mut bits = BitWriter::new(&mut stored);
                distribution.for_each_field(|value, count| bits.put(value, count))?;
                let len = bits.finish()?;
                out.extend(&stored[..len])?;
                self.table.build(&distribution);
                Some(2)
            }
            (_, predefined) => {
                predefined?;
                self.table.build(&kind.predefined);
                Some(0)
            }
        }
    }
}

impl SequenceCodes {
    /// Writes the sequences from the last to the first, as they are read from the end.
    fn write(&self, sequences: &[Sequence], mut out: BitWriter<'_>) -> Option<usize> {
        let mut states: Option<[u32; 3]> = None;
        for sequence in sequences.iter().rev() {
            let literals = LITERAL_LENGTHS.code_of(u32::from(sequence.literals));
            let offset = OFFSETS.code_of(sequence.distance);
            let length = MATCH_LENGTHS.code_of(u32::from(sequence.length));
            states = Some(match states {
                None => [
                    self.offsets.table.start(offset.0),
                    self.match_lengths.table.start(length.0),
                    self.literal_lengths.table.start(literals.0),
                ],
                Some([offset_state, length_state, literals_state]) => [
                    self.offsets.table.before(offset_state, offset.0, &mut out)?,
                    self.match_lengths.table.before(length_state, length.0, &mut out)?,
                    self.literal_lengths.table.before(literals_state, literals.0, &mut out)?,
                ],
            });
            for (_, extra, extra_bits) in [literals, length, offset] {
                out.put(extra, extra_bits)?;
            }
        }
        let [offset_state, length_state, literals_state] = states?;
        self.match_lengths.table.finish(length_state, &mut out)?;
        self.offsets.table.finish(offset_state, &mut out)?;
        self.literal_lengths.table.finish(literals_state, &mut out)?;
        out.put(1, 1)?;
        out.finish()
    }
}
