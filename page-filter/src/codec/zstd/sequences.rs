//! A page taken apart, as literals and the matches between them.
#![expect(
    clippy::arithmetic_side_effects,
    clippy::as_conversions,
    reason = "there are at most as many literals as the page has bytes, 2^16, which only a literal before the first match \
              or a match uses up, so that lengths fit 16 bits"
)]

use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

use super::MIN_MATCH;

/// Literals, then a match.
#[repr(C)]
#[derive(Debug, Clone, Copy, PartialEq, Eq, FromBytes, IntoBytes, KnownLayout, Immutable)]
pub(super) struct Sequence {
    /// How many literals stand before the match.
    pub(super) literals: u16,
    /// How many bytes the match has.
    pub(super) length: u16,
    /// How many bytes before it they have stood already; later the offset value for that, and in the high bits the codes
    /// of the other two.
    pub(super) distance: u32,
}

/// How many sequences a page of `page_len` bytes may have.
pub(super) const fn max_sequences(page_len: usize) -> usize {
    page_len / MIN_MATCH as usize
}

/// Sequences being collected.
#[derive(Debug)]
pub(super) struct Sequences<'a> {
    sequences: &'a mut [Sequence],
    len: usize,
    literals: &'a mut [u8],
    literals_len: usize,
}

impl<'a> Sequences<'a> {
    /// None yet. `sequences` has room for [`max_sequences`], `literals` for the page.
    pub(super) fn new(sequences: &'a mut [Sequence], literals: &'a mut [u8]) -> Self {
        Self { sequences, len: 0, literals, literals_len: 0 }
    }

    /// The sequences, and all literals, those after the last match as well.
    pub(super) fn finish(self) -> (&'a mut [Sequence], &'a [u8]) {
        let sequences = self.sequences.get_mut(..self.len).unwrap_or_default();
        (sequences, self.literals.get(..self.literals_len).unwrap_or_default())
    }
}

impl Sequences<'_> {
    /// Adds the first `literals` bytes of `rest`, then a match.
    #[inline(always)]
    pub(super) fn sequence(&mut self, rest: &[u8], literals: usize, length: usize, distance: usize) {
        let room = self.literals.get_mut(self.literals_len..).unwrap_or_default();
        // Few bytes are copied faster if their number is fixed.
        match (rest.first_chunk::<16>(), room.first_chunk_mut::<16>()) {
            (Some(from), Some(to)) if literals <= 16 => {
                *to = *from;
                self.literals_len += literals;
            }
            _ => self.rest(rest.get(..literals).unwrap_or_default()),
        }
        if let Some(slot) = self.sequences.get_mut(self.len) {
            *slot = Sequence { literals: literals as u16, length: length as u16, distance: distance as u32 };
            self.len += 1;
        }
    }

    /// Adds literals.
    pub(super) fn rest(&mut self, literals: &[u8]) {
        let end = self.literals_len + literals.len();
        if let Some(room) = self.literals.get_mut(self.literals_len..end) {
            room.copy_from_slice(literals);
            self.literals_len = end;
        }
    }
}
