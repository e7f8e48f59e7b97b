//! Code words from code lengths: RFC 1951, 3.2.2.
#![expect(
    clippy::arithmetic_side_effects,
    clippy::as_conversions,
    clippy::indexing_slicing,
    reason = "code lengths are at most 15 and masked, extra bits at most 13"
)]

use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

use crate::codec::bit_writer::BitWriter;

/// A symbol's word in the low 16 bits, its first bit lowest; its length in the next 8; the length with the extra bits
/// in the last 8.
#[repr(transparent)]
#[derive(Debug, Clone, Copy, Default, FromBytes, IntoBytes, KnownLayout, Immutable)]
pub(super) struct CodeWord(u32);

impl CodeWord {
    /// The word of the `length` highest bits of `in_order`, at most 15, the highest one first.
    #[inline(always)]
    pub(super) const fn new(in_order: u16, length: u8, extra_bits: u8) -> Self {
        Self(in_order.reverse_bits() as u32 | (length as u32) << 16 | ((length + extra_bits) as u32) << 24)
    }

    /// Adds the word and its extra bits, at most 28 in all.
    #[inline(always)]
    pub(super) fn write(self, extra: u32, out: &mut BitWriter<'_>) {
        let value = u64::from(self.0 & 0xffff) | u64::from(extra) << ((self.0 >> 16) & 63);
        out.add(value, self.0 >> 24);
    }
}

/// Stretches of the symbols that are visited in turns: neighbours often have the same length, and the next word of that length
/// would wait for the one before.
const LANES: usize = 4;

/// Gives each symbol its word; its length is in `lengths`, 0 if it does not occur, the number of its extra bits in `extra_bits`.
/// `N` is a multiple of LANES. Returns the most bits that one of them takes with its extra bits.
///
/// Symbols that do not occur take part, to no effect: a loop without exceptions is the fastest.
#[inline(always)]
pub(super) fn assign<const N: usize>(
    lengths: &[u8; N],
    extra_bits: &[u8; N],
    words: &mut [CodeWord; N],
) -> u32 {
    let stretch = const { N / LANES };
    let mut next = [[0u32; LANES]; 16];
    for at in 0..stretch {
        for lane in 0..LANES {
            next[usize::from(lengths[lane * stretch + at] & 15)][lane] += 1;
        }
    }
    // Words stand at the high end of 16 bits, so that their bits in the opposite order stand at the low end.
    let mut word = 0;
    for (of_length, length) in next.iter_mut().zip(0..).skip(1) {
        for in_lane in of_length {
            word += core::mem::replace(in_lane, word) << (16 - length);
        }
    }
    let mut in_order = [0u16; N];
    for at in 0..stretch {
        for lane in 0..LANES {
            let length = lengths[lane * stretch + at] & 15;
            let next = &mut next[usize::from(length)][lane];
            in_order[lane * stretch + at] = *next as u16;
            *next += 0x1_0000 >> length;
        }
    }
    let mut most = 0;
    for (((word, in_order), &length), &extra_bits) in
        words.iter_mut().zip(in_order).zip(lengths).zip(extra_bits)
    {
        *word = CodeWord::new(in_order, length, extra_bits);
        most = most.max(if length > 0 { length + extra_bits } else { 0 });
    }
    most.into()
}
