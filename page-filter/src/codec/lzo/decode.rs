//! LZO1X's decoder: every instruction, the end marker required.

use super::FAR;
use crate::codec::DecodeError;
use crate::codec::cursor::{Input, Output};

/// How many literals the instruction before copied; instructions below 16 depend on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Before {
    None,
    OneToThree,
    FourOrMore,
}

/// A match, and how many literals follow it.
struct Match {
    distance: usize,
    length: usize,
    literals: usize,
}

/// Decodes one stream to the whole of `page`.
pub(super) fn decode(src: &[u8], page: &mut [u8]) -> Result<(), DecodeError> {
    let mut src = Input::new(src);
    let mut page = Output::new(page);
    let mut before = Before::None;
    if let Some(count) = src.peek().and_then(|first| first.checked_sub(17)).filter(|&count| count > 0) {
        src.byte()?;
        literals(usize::from(count), &mut src, &mut page)?;
        before = if count < 4 { Before::OneToThree } else { Before::FourOrMore };
    }
    // Each round takes at least one byte of the input.
    loop {
        let opcode = src.byte()?;
        if opcode < 16 && before == Before::None {
            let count = length(opcode, 15, &mut src)?.saturating_add(3);
            literals(count, &mut src, &mut page)?;
            before = Before::FourOrMore;
            continue;
        }
        let found = match_of(opcode, before, &mut src)?;
        if found.distance == FAR && opcode & 0xf0 == 0x10 {
            return end(&found, &src, &page);
        }
        page.repeat(found.distance, found.length)?;
        literals(found.literals, &mut src, &mut page)?;
        before = if found.literals == 0 { Before::None } else { Before::OneToThree };
    }
}

/// The end of the stream is a match of length 3, and nothing after it.
fn end(found: &Match, src: &Input<'_>, page: &Output<'_>) -> Result<(), DecodeError> {
    if found.length != 3 || found.literals != 0 {
        return Err(DecodeError::Corrupt);
    }
    if !src.is_empty() {
        return Err(DecodeError::TrailingBytes);
    }
    page.complete()
}

fn literals(count: usize, src: &mut Input<'_>, page: &mut Output<'_>) -> Result<(), DecodeError> {
    page.extend(src.take(count)?).ok_or(DecodeError::WrongLength)
}

fn match_of(opcode: u8, before: Before, src: &mut Input<'_>) -> Result<Match, DecodeError> {
    let bits = usize::from(opcode);
    let (base, length) = match opcode {
        0..16 if before == Before::OneToThree => (1, 2),
        0..16 => (0x801, 3),
        16..32 => return far_match(FAR.saturating_add((bits & 8) << 11), length(opcode & 7, 7, src)?, src),
        32..64 => return far_match(1, length(opcode & 31, 31, src)?, src),
        64..128 => (1, (bits >> 5 & 1).saturating_add(3)),
        128.. => (1, (bits >> 5 & 3).saturating_add(5)),
    };
    let high = usize::from(src.byte()?);
    let distance = if opcode < 16 { high << 2 | bits >> 2 & 3 } else { high << 3 | bits >> 2 & 7 };
    Ok(Match { distance: distance.saturating_add(base), length, literals: bits & 3 })
}

/// A match whose distance less `base` stands in two bytes, above two bits for the literals.
fn far_match(base: usize, length: usize, src: &mut Input<'_>) -> Result<Match, DecodeError> {
    let operand = usize::from(u16::from_le_bytes(src.array()?));
    let length = length.saturating_add(2);
    Ok(Match { distance: base.saturating_add(operand >> 2), length, literals: operand & 3 })
}

/// A length that stands in the opcode's low bits unless they are 0; then it is `most`, the most that they hold, and as much as the
/// following bytes say: 255 for each zero byte, and the first byte that is not zero.
fn length(low_bits: u8, most: usize, src: &mut Input<'_>) -> Result<usize, DecodeError> {
    if low_bits != 0 {
        return Ok(usize::from(low_bits));
    }
    let mut length = most;
    loop {
        let byte = src.byte()?;
        if byte != 0 {
            return Ok(length.saturating_add(usize::from(byte)));
        }
        length = length.saturating_add(255);
    }
}
