//! The sequences of a block, decoded and carried out: RFC 8878, 3.1.1.3.2 and 3.1.1.4.

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

/// Decodes the rest of a block. `literals` of them stand at the end of the page.
pub(super) fn decode(
    mut src: Input<'_>,
    page: &mut Output<'_>,
    literals: usize,
    repeats: &mut RepeatOffsets,
    tables: &mut SequenceTables,
) -> Result<(), DecodeError> {
    let count = count(&mut src)?;
    let mut execution = Execution { page, literals };
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
        sequences(count, src.rest(), tables, repeats, &mut execution)?;
    } else if !src.is_empty() {
        return Err(DecodeError::Corrupt);
    }
    execution.copy_literals(execution.literals)
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
            table.build_single(code, value);
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

/// Decodes `count` sequences, each of which adds three bytes or more to the page, or fails.
fn sequences(
    count: usize,
    src: &[u8],
    tables: &SequenceTables,
    repeats: &mut RepeatOffsets,
    execution: &mut Execution<'_, '_>,
) -> Result<(), DecodeError> {
    let mut bits = BackwardBits::new(src)?;
    let mut literal_length = tables.literal_lengths.start(&mut bits);
    let mut offset = tables.offsets.start(&mut bits);
    let mut match_length = tables.match_lengths.start(&mut bits);
    for left in (0..count).rev() {
        let literal_cell = tables.literal_lengths.cell(literal_length);
        let match_cell = tables.match_lengths.cell(match_length);
        let offset_cell = tables.offsets.cell(offset);
        // The three states take at most 26 bits.
        let extra_bits = [offset_cell, match_cell, literal_cell].map(|cell| u32::from(cell.extra_bits));
        let many = extra_bits.iter().sum::<u32>() > 30;
        bits.refill();
        let offset_value = value(offset_cell, &mut bits);
        if many {
            bits.refill();
        }
        let length = value(match_cell, &mut bits);
        let literals = value(literal_cell, &mut bits);
        if many {
            bits.refill();
        }
        if left > 0 {
            literal_length = literal_cell.next(&mut bits);
            match_length = match_cell.next(&mut bits);
            offset = offset_cell.next(&mut bits);
        }
        let distance = repeats.offset(offset_value, literals).ok_or(DecodeError::Corrupt)?;
        execution.sequence(literals, distance, length)?;
    }
    bits.finish()
}

/// The value that `cell` stands for and the bits after it: below 2^32 for every code there is.
#[inline]
fn value(cell: Cell, bits: &mut BackwardBits<'_>) -> u32 {
    cell.least.wrapping_add(bits.read(u32::from(cell.extra_bits)))
}

/// The page while its front grows towards the literals at its end.
struct Execution<'o, 'p> {
    page: &'o mut Output<'p>,
    /// How many literals are left.
    literals: usize,
}

impl Execution<'_, '_> {
    fn sequence(&mut self, literals: u32, distance: u32, length: u32) -> Result<(), DecodeError> {
        let size = |number: u32| usize::try_from(number).map_err(|_| DecodeError::Corrupt);
        self.copy_literals(size(literals)?)?;
        // A match must leave room for the literals that are left: they are on the page as well.
        self.page.repeat_before_end(self.literals, size(distance)?, size(length)?)
    }

    fn copy_literals(&mut self, count: usize) -> Result<(), DecodeError> {
        let left = self.literals.checked_sub(count).ok_or(DecodeError::Corrupt)?;
        self.page.move_from_end(self.literals, count).ok_or(DecodeError::WrongLength)?;
        self.literals = left;
        Ok(())
    }
}
