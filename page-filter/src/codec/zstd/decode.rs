//! A frame, decoded: RFC 8878, 3.1.1.

use super::MAGIC;
use super::huffman_decode::HuffmanTable;
use super::sequence_codes::RepeatOffsets;
use super::sequences_decode::SequenceTables;
use super::xxh64::xxh64;
use super::{literals_decode, sequences_decode};
use crate::codec::DecodeError;
use crate::codec::cursor::{Input, Output};

/// The tables that one block may take over from the block before.
#[derive(Debug, Default)]
pub(in crate::codec) struct Tables {
    literals: HuffmanTable,
    sequences: SequenceTables,
}

/// Decodes one frame to the whole of `page`.
pub(super) fn frame(src: &[u8], page: &mut [u8], tables: &mut Tables) -> Result<(), DecodeError> {
    tables.literals.known = false;
    tables.sequences.forget();
    let mut src = Input::new(src);
    let checksum = header(&mut src, page.len())?;
    let mut out = Output::new(page);
    let mut repeats = RepeatOffsets::START;
    // Each round takes at least the three bytes of a block's header.
    while block(&mut src, &mut out, &mut repeats, tables)? {}
    out.complete()?;
    if checksum {
        let stored = u32::from_le_bytes(src.array()?);
        if u64::from(stored) != xxh64(page) & u64::from(u32::MAX) {
            return Err(DecodeError::WrongChecksum);
        }
    }
    if src.is_empty() { Ok(()) } else { Err(DecodeError::TrailingBytes) }
}

/// Checks the frame's header; returns whether a checksum follows the blocks. The window needs no check: no match can
/// reach back beyond the page.
fn header(src: &mut Input<'_>, page_len: usize) -> Result<bool, DecodeError> {
    let magic = src.array::<4>()?;
    if magic != MAGIC {
        // Skippable frames have the numbers 0x184D2A50 to 0x184D2A5F.
        let skippable = u32::from_le_bytes(magic) & !15 == 0x184d_2a50;
        return Err(if skippable { DecodeError::Unsupported } else { DecodeError::Corrupt });
    }
    let descriptor = src.byte()?;
    let single_segment = descriptor & 0x20 != 0;
    if descriptor & 0x08 != 0 {
        return Err(DecodeError::Unsupported);
    }
    if !single_segment {
        src.byte()?;
    }
    let dictionary = match descriptor & 3 {
        0 => 0,
        1 => src.number(1)?,
        2 => src.number(2)?,
        _ => src.number(4)?,
    };
    if dictionary != 0 {
        return Err(DecodeError::Unsupported);
    }
    let content = match descriptor >> 6 {
        0 if single_segment => Some(src.number(1)?),
        0 => None,
        1 => Some(src.number(2)?.saturating_add(256)),
        2 => Some(src.number(4)?),
        _ => Some(src.number(8)?),
    };
    if content.is_some_and(|content| usize::try_from(content) != Ok(page_len)) {
        return Err(DecodeError::WrongLength);
    }
    Ok(descriptor & 0x04 != 0)
}

/// Decodes one block; returns whether another follows.
fn block(
    src: &mut Input<'_>,
    page: &mut Output<'_>,
    repeats: &mut RepeatOffsets,
    tables: &mut Tables,
) -> Result<bool, DecodeError> {
    let header = src.number(3)?;
    let size = usize::try_from(header >> 3).map_err(|_| DecodeError::Corrupt)?;
    match header >> 1 & 3 {
        0 => page.extend(src.take(size)?).ok_or(DecodeError::WrongLength)?,
        1 => page.fill(src.byte()?, size).ok_or(DecodeError::WrongLength)?,
        2 => {
            let mut block = Input::new(src.take(size)?);
            let literals = literals_decode::decode(&mut block, page, &mut tables.literals)?;
            sequences_decode::decode(block, page, literals, repeats, &mut tables.sequences)?;
        }
        _ => return Err(DecodeError::Corrupt),
    }
    Ok(header & 1 == 0)
}
