//! Code words from code lengths: RFC 1951, 3.2.2.
#![expect(
    clippy::arithmetic_side_effects,
    clippy::as_conversions,
    clippy::indexing_slicing,
    reason = "code lengths are at most 15 and masked, extra bits at most 13"
)]

use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

use crate::codec::bit_writer::BitWriter;
use crate::codec::code_lengths::{LANES, Used};

/// A symbol's word in the low 16 bits, its first bit lowest; its length in the next 8; the length with the extra bits
/// in the last 8.
#[repr(transparent)]
#[derive(Debug, Clone, Copy, Default, FromBytes, IntoBytes, KnownLayout, Immutable)]
pub(super) struct CodeWord(u32);

impl CodeWord {
    /// Adds the word and its extra bits, at most 28 in all.
    #[inline(always)]
    pub(super) fn write(self, extra: u32, out: &mut BitWriter<'_>) {
        let value = u64::from(self.0 & 0xffff) | u64::from(extra) << ((self.0 >> 16) & 63);
        out.add(value, self.0 >> 24);
    }
}

/// Gives each symbol of `used` its word; its length is in `lengths`, the number of its extra bits in `extra_bits`.
/// Returns the most bits that one of them takes with its extra bits.
#[inline(always)]
pub(super) fn assign<const PLACES: usize>(
    used: &Used<PLACES>,
    lengths: &[u8],
    extra_bits: &[u8],
    words: &mut [CodeWord],
) -> u32 {
    let mut next = [[0u32; LANES]; 16];
    let length_of = |symbol| lengths.get(symbol).map_or(0, |length| length & 15);
    used.for_each_symbol_in_lanes(|symbol, lane| next[usize::from(length_of(symbol))][lane] += 1);
    let mut word = 0;
    for of_length in &mut next[1..] {
        word <<= 1;
        for in_lane in of_length {
            word += core::mem::replace(in_lane, word);
        }
    }
    let mut most = 0;
    used.for_each_symbol_in_lanes(|symbol, lane| {
        let length = u32::from(length_of(symbol));
        let next = &mut next[length as usize][lane];
        let word = CodeWord::new(*next, length, extra_bits.get(symbol).copied().unwrap_or(0));
        if let Some(place) = words.get_mut(symbol) {
            *place = word;
        }
        most = most.max(word.0);
        *next += 1;
    });
    most >> 24
}

impl CodeWord {
    /// The word of `length` bits, at most 15, that is `bits` read from its first bit on.
    #[inline(always)]
    pub(super) const fn new(bits: u32, length: u32, extra_bits: u8) -> Self {
        Self(reversed(bits) >> (16 - length) | length << 16 | (length + extra_bits as u32) << 24)
    }
}

/// The low 16 bits in the opposite order.
#[inline(always)]
const fn reversed(bits: u32) -> u32 {
    const BYTES: [u8; 256] = {
        let mut bytes = [0; 256];
        let mut byte = 0;
        while byte < 256 {
            bytes[byte] = (byte as u8).reverse_bits();
            byte += 1;
        }
        bytes
    };
    (BYTES[(bits & 0xff) as usize] as u32) << 8 | BYTES[(bits >> 8 & 0xff) as usize] as u32
}
