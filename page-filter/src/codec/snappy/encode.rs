//! Snappy's encoder.
#![expect(
    clippy::arithmetic_side_effects,
    clippy::as_conversions,
    reason = "distances and lengths are at most 2^16; each cast to u8 keeps the low byte on purpose or a \
              value bounded right there"
)]

use crate::codec::cursor::Output;
use crate::codec::match_finder::{Positions, Sink, find_matches};

/// Offsets of two bytes: the longest in use, as a page has no longer distance.
const MAX_DISTANCE: usize = 0xffff;

/// Encodes `page`, at most 2^16 bytes, to the front of `out`.
pub(super) fn encode(page: &[u8], out: &mut [u8], positions: &mut Positions) -> Option<usize> {
    let mut elements = Elements { out: Output::new(out) };
    let mut length = page.len();
    while length >= 0x80 {
        elements.out.push(length as u8 | 0x80)?;
        length >>= 7;
    }
    elements.out.push(length as u8)?;
    let rest = find_matches(page, positions, MAX_DISTANCE, &mut elements)?;
    elements.literals(rest)?;
    Some(elements.out.len())
}

struct Elements<'a> {
    out: Output<'a>,
}

impl Elements<'_> {
    fn literals(&mut self, literals: &[u8]) -> Option<()> {
        let Some(less_one) = literals.len().checked_sub(1) else { return Some(()) };
        match less_one {
            0..60 => self.out.push((less_one as u8) << 2)?,
            60..0x100 => self.out.extend(&[60 << 2, less_one as u8])?,
            _ => self.out.extend(&[61 << 2, less_one as u8, (less_one >> 8) as u8])?,
        }
        self.out.extend(literals)
    }

    /// A copy of 1 to 64 bytes.
    fn copy(&mut self, offset: usize, length: usize) -> Option<()> {
        if (4..12).contains(&length) && offset < 0x800 {
            self.out.extend(&[1 | ((length - 4) << 2 | offset >> 8 << 5) as u8, offset as u8])
        } else {
            self.out.extend(&[2 | ((length - 1) << 2) as u8, offset as u8, (offset >> 8) as u8])
        }
    }
}

impl Sink for Elements<'_> {
    fn sequence(&mut self, literals: &[u8], distance: usize, mut length: usize) -> Option<()> {
        self.literals(literals)?;
        // The last piece is never shorter than 4 bytes, so that it may be coded in two.
        while length >= 68 {
            self.copy(distance, 64)?;
            length -= 64;
        }
        if length > 64 {
            self.copy(distance, 60)?;
            length -= 60;
        }
        self.copy(distance, length)
    }
}
