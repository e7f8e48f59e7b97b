//! Snappy's encoder.
#![expect(
    clippy::arithmetic_side_effects,
    clippy::as_conversions,
    clippy::indexing_slicing,
    reason = "distances and lengths are at most 2^16; each cast to u8 keeps the low byte on purpose or a \
              value bounded right there; a short sequence takes at most 1 + 16 + 3 of 20 bytes"
)]

use crate::codec::cursor::Output;
use crate::codec::match_finder::{Positions, Sink, find_matches};

/// Encodes `page`, at most 2^16 bytes, to the front of `out`.
pub(super) fn encode(page: &[u8], out: &mut [u8], positions: &mut Positions) -> Option<usize> {
    let mut elements = Elements { out: Output::new(out) };
    let mut length = page.len();
    while length >= 0x80 {
        elements.out.push(length as u8 | 0x80)?;
        length >>= 7;
    }
    elements.out.push(length as u8)?;
    let rest = find_matches(page, positions, &mut elements)?;
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
        if is_short(offset, length) {
            self.out.extend(&short_copy(offset, length))
        } else {
            self.out.extend(&long_copy(offset, length))
        }
    }
}

impl Sink for Elements<'_> {
    /// Of offsets of two bytes: no page has longer ones.
    const MAX_DISTANCE: usize = 0xffff;
    const SKIP: usize = 20;
    const REPEATED: usize = 6;
    const RECORD_ENDS: bool = true;

    #[inline]
    fn sequence(&mut self, rest: &[u8], literals: usize, distance: usize, length: usize) -> Option<()> {
        let short = literals <= 16 && length <= 64;
        if short && self.short_sequence(rest, literals, distance, length).is_some() {
            return Some(());
        }
        self.any_sequence(rest.get(..literals)?, distance, length)
    }
}

impl Elements<'_> {
    #[cold]
    fn any_sequence(&mut self, literals: &[u8], distance: usize, mut length: usize) -> Option<()> {
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

impl Elements<'_> {
    /// At most 16 literals, then a copy of at most 64 bytes: nearly every sequence. Writes more than it adds,
    /// as copies of a fixed size are faster; `None` where there is no room for that.
    #[inline]
    fn short_sequence(&mut self, rest: &[u8], literals: usize, offset: usize, length: usize) -> Option<()> {
        let (from, out) = (rest.first_chunk::<16>()?, self.out.around_end::<0, 20>()?);
        let mut at = 0;
        if literals > 0 {
            out[0] = (literals as u8 - 1) << 2;
            out[1..17].copy_from_slice(from);
            at = 1 + literals;
        }
        if is_short(offset, length) {
            out[at..at + 2].copy_from_slice(&short_copy(offset, length));
            at += 2;
        } else {
            out[at..at + 3].copy_from_slice(&long_copy(offset, length));
            at += 3;
        }
        self.out.advance(at);
        Some(())
    }
}

/// Whether a copy may be coded in two bytes.
fn is_short(offset: usize, length: usize) -> bool {
    (4..12).contains(&length) && offset < 0x800
}

fn short_copy(offset: usize, length: usize) -> [u8; 2] {
    [1 | ((length - 4) << 2 | offset >> 8 << 5) as u8, offset as u8]
}

fn long_copy(offset: usize, length: usize) -> [u8; 3] {
    [2 | ((length - 1) << 2) as u8, offset as u8, (offset >> 8) as u8]
}
