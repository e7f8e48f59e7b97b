//! The sequences of a block, decoded and carried out: RFC 8878, 3.1.1.3.2 and 3.1.1.4.

use super::bit_reader::BackwardBits;
use super::distribution::Distribution;
use super::fse::{DecodeTable, MAX_STATES};
use super::sequence_codes::{Kind, LITERAL_LENGTHS, MATCH_LENGTHS, OFFSETS, RepeatOffsets};
use crate::codec::DecodeError;
use crate::codec::cursor::{Input, Output};

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
        read_table(modes >> 6, &LITERAL_LENGTHS, &mut tables.literal_lengths, &mut src)?;
        read_table(modes >> 4 & 3, &OFFSETS, &mut tables.offsets, &mut src)?;
        read_table(modes >> 2 & 3, &MATCH_LENGTHS, &mut tables.match_lengths, &mut src)?;
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
    mode: u8,
    kind: &Kind,
    table: &mut DecodeTable<CELLS>,
    src: &mut Input<'_>,
) -> Result<(), DecodeError> {
    match mode {
        0 => table.build(&kind.predefined),
        1 => {
            let code = src.byte()?;
            if usize::from(code) >= kind.codes() {
                return Err(DecodeError::Corrupt);
            }
            table.build_single(code);
        }
        2 => {
            let (distribution, taken) = Distribution::read(src.rest(), kind.codes(), kind.max_log)?;
            src.take(taken)?;
            table.build(&distribution);
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
    let bits = &mut BackwardBits::new(src)?;
    let mut literal_length = tables.literal_lengths.start(bits);
    let mut offset = tables.offsets.start(bits);
    let mut match_length = tables.match_lengths.start(bits);
    for left in (0..count).rev() {
        let offset_value = value(&OFFSETS, tables.offsets.symbol(offset), bits)?;
        let length = value(&MATCH_LENGTHS, tables.match_lengths.symbol(match_length), bits)?;
        let literals = value(&LITERAL_LENGTHS, tables.literal_lengths.symbol(literal_length), bits)?;
        let distance = repeats.offset(offset_value, literals).ok_or(DecodeError::Corrupt)?;
        execution.sequence(literals, distance, length)?;
        if left > 0 {
            literal_length = tables.literal_lengths.next(literal_length, bits);
            match_length = tables.match_lengths.next(match_length, bits);
            offset = tables.offsets.next(offset, bits);
        }
    }
    bits.finish()
}

fn value(kind: &Kind, code: u8, bits: &mut BackwardBits<'_>) -> Result<u32, DecodeError> {
    let (least, extra_bits) = kind.baseline(code).ok_or(DecodeError::Corrupt)?;
    least.checked_add(bits.read(extra_bits)).ok_or(DecodeError::Corrupt)
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
        let length = size(length)?;
        if self.page.room().saturating_sub(self.literals) < length {
            return Err(DecodeError::WrongLength);
        }
        self.page.repeat(size(distance)?, length)
    }

    fn copy_literals(&mut self, count: usize) -> Result<(), DecodeError> {
        let left = self.literals.checked_sub(count).ok_or(DecodeError::Corrupt)?;
        self.page.move_from_end(self.literals, count).ok_or(DecodeError::WrongLength)?;
        self.literals = left;
        Ok(())
    }
}
