//! The sequences of a block, decoded and carried out: RFC 8878, 3.1.1.3.2 and 3.1.1.4.

#![expect(clippy::as_conversions, reason = "a block has at most 2^20 literals")]

use super::bit_reader::BackwardBits;
use super::distribution::Distribution;
use super::fse::MAX_STATES;
use super::fse_decode::{Cell, DecodeTable};
use super::sequence_codes::{Kind, LITERAL_LENGTHS, MATCH_LENGTHS, OFFSETS, RepeatOffsets};
use crate::codec::DecodeError;
use crate::codec::cursor::{Input, Output};

/// The tables that no stream sends.
static PREDEFINED_LITERAL_LENGTHS: DecodeTable<64> = predefined(&LITERAL_LENGTHS);
static PREDEFINED_OFFSETS: DecodeTable<64> = predefined(&OFFSETS);
static PREDEFINED_MATCH_LENGTHS: DecodeTable<64> = predefined(&MATCH_LENGTHS);

const fn predefined(kind: &Kind) -> DecodeTable<64> {
    DecodeTable::of(&kind.predefined, kind.codes)
}

/// The three tables of sequences.
#[derive(Debug, Default)]
pub(super) struct SequenceTables {
    literal_lengths: DecodeTable<MAX_STATES>,
    offsets: DecodeTable<256>,
    match_lengths: DecodeTable<MAX_STATES>,
}

impl SequenceTables {
    /// Forgets the tables of the frame before.
    pub(super) fn forget(&mut self) {
        self.literal_lengths.known = false;
        self.offsets.known = false;
        self.match_lengths.known = false;
    }
}

/// Decodes the rest of a block, from `start` on. `literals` of them stand at the end of the page.
pub(super) fn decode(
    block: &[u8],
    start: usize,
    page: &mut Output<'_>,
    literals: usize,
    repeats: &mut RepeatOffsets,
    tables: &mut SequenceTables,
) -> Result<(), DecodeError> {
    let mut src = Input::new(block.get(start..).unwrap_or_default());
    let count = count(&mut src)?;
    let mut literals_at = page.end().saturating_sub(literals as u32);
    if count > 0 {
        let modes = src.byte()?;
        if modes & 3 != 0 {
            return Err(DecodeError::Corrupt);
        }
        let SequenceTables { literal_lengths, offsets, match_lengths } = tables;
        let literal_modes = (modes >> 6, &LITERAL_LENGTHS, &PREDEFINED_LITERAL_LENGTHS);
        read_table(literal_modes, literal_lengths, &mut src)?;
        read_table((modes >> 4 & 3, &OFFSETS, &PREDEFINED_OFFSETS), offsets, &mut src)?;
        read_table((modes >> 2 & 3, &MATCH_LENGTHS, &PREDEFINED_MATCH_LENGTHS), match_lengths, &mut src)?;
        let start = block.len().saturating_sub(src.rest().len());
        sequences(count, (block, start), tables, repeats, page, &mut literals_at)?;
    } else if !src.is_empty() {
        return Err(DecodeError::Corrupt);
    }
    let left = page.end().saturating_sub(literals_at);
    page.pull(&mut literals_at, left)
}

/// `Number_of_Sequences`, in one to three bytes.
fn count(src: &mut Input<'_>) -> Result<usize, DecodeError> {
    let first = usize::from(src.byte()?);
    match first {
        0..128 => Ok(first),
        128..255 => Ok((first & 127) << 8 | usize::from(src.byte()?)),
        _ => Ok(usize::from(u16::from_le_bytes(src.array()?)).saturating_add(0x7f00)),
    }
}

fn read_table<const CELLS: usize>(
    (mode, kind, predefined): (u8, &Kind, &DecodeTable<64>),
    table: &mut DecodeTable<CELLS>,
    src: &mut Input<'_>,
) -> Result<(), DecodeError> {
    match mode {
        0 => table.copy(predefined),
        1 => {
            let code = src.byte()?;
            let &value = kind.codes.get(usize::from(code)).ok_or(DecodeError::Corrupt)?;
            table.build_single(value);
        }
        2 => {
            let (distribution, taken) = Distribution::read(src.rest(), kind.codes(), kind.max_log)?;
            src.take(taken)?;
            table.build(&distribution, kind.codes);
        }
        _ if table.known => {}
        _ => return Err(DecodeError::Corrupt),
    }
    Ok(())
}

/// Decodes `count` sequences, each of which adds three bytes or more to the page, or fails; they are the bits from `start` of
/// `block` on. Their literals stand at `literals_at` of the page.
fn sequences(
    count: usize,
    (block, start): (&[u8], usize),
    tables: &SequenceTables,
    repeats: &mut RepeatOffsets,
    page: &mut Output<'_>,
    literals_at: &mut u32,
) -> Result<(), DecodeError> {
    let mut bits = BackwardBits::new(block, start)?;
    let mut literal_length = tables.literal_lengths.start(&mut bits);
    let mut offset = tables.offsets.start(&mut bits);
    let mut match_length = tables.match_lengths.start(&mut bits);
    // In registers: bytes written to the page might be anything else's.
    let (mut out, mut at, mut latest) = (page.reborrow(), *literals_at, *repeats);
    let mut state_bits = 0;
    for _ in 0..count {
        let cells = [
            tables.offsets.cell(offset),
            tables.match_lengths.cell(match_length),
            tables.literal_lengths.cell(literal_length),
        ];
        bits.refill();
        // The three states take at most 26 bits.
        let [value, length, literals] = match cells.iter().map(|cell| u32::from(cell.extra_bits)).sum() {
            ..=30u32 => cells.map(|cell| cell.value(&mut bits)),
            _ => {
                let values;
                (values, bits) = long_values(cells, bits);
                values
            }
        };
        let before = bits.used();
        literal_length = cells[2].next(&mut bits);
        match_length = cells[1].next(&mut bits);
        offset = cells[0].next(&mut bits);
        state_bits = bits.used().wrapping_sub(before);
        let distance = latest.offset(value, literals);
        out.pull(&mut at, literals)?;
        // A match must leave room for the literals that are left: they are on the page as well.
        out.repeat_before(at, distance, length)?;
    }
    let added = out.len().saturating_sub(page.len());
    page.advance(added);
    (*literals_at, *repeats) = (at, latest);
    // No states follow the last sequence.
    bits.unread(state_bits);
    bits.finish()
}

/// Reads the values of `cells`, whose extra bits are more than one refill makes ready beside those of the states.
#[cold]
fn long_values(cells: [Cell; 3], mut bits: BackwardBits<'_>) -> ([u32; 3], BackwardBits<'_>) {
    let values = cells.map(|cell| {
        let value = cell.value(&mut bits);
        bits.refill();
        value
    });
    (values, bits)
}
