//! LZO1X's encoder.
#![expect(
    clippy::arithmetic_side_effects,
    clippy::as_conversions,
    clippy::indexing_slicing,
    reason = "distances and lengths are at most 2^16; each cast to u8 keeps the low byte on purpose or a \
              value bounded right there; a short sequence takes at most 2 + 1 + 16 + 4 of 24 bytes"
)]

use super::FAR;
use crate::codec::cursor::Output;
use crate::codec::match_finder::{Positions, Sink, find_matches};

/// Encodes `page`, at most 2^16 bytes, to the front of `out`.
pub(super) fn encode(page: &[u8], out: &mut [u8], positions: &mut Positions) -> Option<usize> {
    let mut instructions = Instructions { out: Output::new(out) };
    let rest = find_matches(page, positions, &mut instructions)?;
    instructions.literals(rest)?;
    instructions.out.extend(&[0x11, 0, 0])?;
    Some(instructions.out.len())
}

struct Instructions<'a> {
    out: Output<'a>,
}

impl Instructions<'_> {
    fn literals(&mut self, literals: &[u8]) -> Option<()> {
        let count = literals.len();
        match count {
            0 => {}
            // At the start only: everywhere else a match stands before.
            1..239 if self.out.len() == 0 => self.out.push(17 + count as u8)?,
            // In the low bits of the match's last byte but one, whatever its instruction.
            1..4 => *self.out.byte_before_end(2)? |= count as u8,
            4.. => self.opcode(0, count - 3, 15)?,
        }
        self.out.extend(literals)
    }

    /// An opcode with `length` in its low bits, which hold 1 to `most`; a greater length in further bytes.
    fn opcode(&mut self, opcode: u8, length: usize, most: usize) -> Option<()> {
        if length <= most {
            return self.out.push(opcode | length as u8);
        }
        self.out.push(opcode)?;
        let beyond = length - most;
        let zeros = (beyond - 1) / 255;
        self.out.fill(0, zeros)?;
        self.out.push((beyond - 255 * zeros) as u8)
    }
}

impl Sink for Instructions<'_> {
    /// The longest distance of an instruction.
    const MAX_DISTANCE: usize = 0xbfff;
    const SKIP: usize = 40;
    const REPEATED: usize = 6;
    const RECORD_ENDS: bool = false;

    #[inline]
    fn sequence(&mut self, rest: &[u8], literals: usize, distance: usize, length: usize) -> Option<()> {
        let short = literals <= 16 && length <= 33 && distance <= usize::from(FAR);
        if short && self.short_sequence(rest, literals, distance, length).is_some() {
            return Some(());
        }
        self.any_sequence(rest.get(..literals)?, distance, length)
    }
}

impl Instructions<'_> {
    #[cold]
    fn any_sequence(&mut self, literals: &[u8], distance: usize, length: usize) -> Option<()> {
        self.literals(literals)?;
        if distance <= 0x800 && length <= 8 {
            return self.out.extend(&near_match(distance, length));
        }
        let operand = if distance <= usize::from(FAR) {
            self.opcode(0b0010_0000, length - 2, 31)?;
            distance - 1
        } else {
            let beyond = distance - usize::from(FAR);
            self.opcode(0b0001_0000 | (beyond >> 11 & 8) as u8, length - 2, 7)?;
            beyond & 0x3fff
        };
        self.out.extend(&((operand << 2) as u16).to_le_bytes())
    }
}

/// A match of at most 8 bytes from at most 0x800 back: 01LDDDSS for 3 and 4 bytes and 1LLDDDSS for 5 to 8 are
/// one rule.
fn near_match(distance: usize, length: usize) -> [u8; 2] {
    let less_one = distance - 1;
    let opcode = (length - 1) << 5 | (less_one & 7) << 2;
    [opcode as u8, (less_one >> 3) as u8]
}

impl Instructions<'_> {
    /// At most 16 literals, then at most 33 bytes from at most `FAR` back: nearly every sequence. Writes more
    /// than it adds, as copies of a fixed size are faster; `None` where that, or a match before, is missing.
    #[inline]
    fn short_sequence(&mut self, rest: &[u8], literals: usize, distance: usize, length: usize) -> Option<()> {
        let (from, out) = (rest.first_chunk::<16>()?, self.out.around_end::<2, 24>()?);
        // Without a branch: how many they are is hard to predict.
        let few = literals < 4;
        out[0] |= if few { literals as u8 } else { 0 };
        out[2] = (literals as u8).wrapping_sub(3);
        let at = if few { 2 } else { 3 };
        out[at..at + 16].copy_from_slice(from);
        let at = at + literals;
        let near = u16::from_le_bytes(near_match(distance, length));
        let far = 0b0010_0000 | (length - 2) as u32 | (distance as u32 - 1) << 10;
        let is_near = distance <= 0x800 && length <= 8;
        let instruction = if is_near { u32::from(near) } else { far };
        out[at..at + 4].copy_from_slice(&instruction.to_le_bytes());
        self.out.advance(at - 2 + if is_near { 2 } else { 3 });
        Some(())
    }
}
