//! Bits read from the end of a stream to its start: RFC 8878, 4.1.
#![expect(
    clippy::arithmetic_side_effects,
    clippy::as_conversions,
    reason = "`used` grows by at most 32 for each of at most 2^20 reads; shifts are masked or below 64 as the \
              callers' counts are; `at` is below the stream's length"
)]

use crate::codec::DecodeError;

/// A stream of bits. Its last byte holds, above the first bits to read, a one and then zeros.
#[derive(Debug, Clone, Copy)]
pub(super) struct BackwardBits<'a> {
    bytes: &'a [u8],
    /// Where `word` stands in `bytes`.
    at: usize,
    /// Eight bytes of the stream; those of a shorter one, above zeros.
    word: u64,
    /// How many bits of `word` were read, from the highest down.
    used: u32,
    /// How many bits `word` has at `at` 0.
    present: u32,
}

impl<'a> BackwardBits<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Result<Self, DecodeError> {
        let last = bytes.last().ok_or(DecodeError::Truncated)?;
        let padding = last.checked_ilog2().ok_or(DecodeError::Corrupt)?;
        let (at, word, present) = match bytes.last_chunk::<8>() {
            Some(word) => (bytes.len() - 8, u64::from_le_bytes(*word), 64),
            None => {
                let word = bytes.iter().rev().fold(0, |word, &byte| word << 8 | u64::from(byte));
                let present = 8 * bytes.len() as u32;
                (0, word << (64 - present), present)
            }
        };
        Ok(Self { bytes, at, word, used: 8 - padding, present })
    }

    /// Makes at least 56 bits ready to read, or all that are left.
    #[inline]
    pub(super) fn refill(&mut self) {
        let step = (self.used as usize / 8).min(self.at);
        self.at -= step;
        self.used -= 8 * step as u32;
        if let Some(word) = self.bytes.get(self.at..).and_then(|bytes| bytes.first_chunk::<8>()) {
            self.word = u64::from_le_bytes(*word);
        }
    }

    /// The next `count` bits, at most 32, as a number whose lowest bit is read last. Of the bits since the
    /// last [`refill`](Self::refill), no more than 56; what is missing reads as anything.
    #[inline]
    pub(super) fn read(&mut self, count: u32) -> u32 {
        let value = self.peek(count);
        self.used += count;
        value
    }

    /// As [`read`](Self::read), without passing the bits.
    #[inline]
    pub(super) fn peek(&self, count: u32) -> u32 {
        // In two shifts, as `count` may be 0.
        ((self.word << (self.used & 63)) >> 1 >> (63 - (count & 63))) as u32
    }

    /// As [`peek`](Self::peek) for at least one bit: the first 64 − `others` of them.
    #[inline]
    pub(super) fn peek_all_but(&self, others: u32) -> usize {
        ((self.word << (self.used & 63)) >> (others & 63)) as usize
    }

    #[inline]
    pub(super) fn skip(&mut self, count: u32) {
        self.used += count;
    }

    /// Whether more bits were read than there are.
    pub(super) fn overrun(&self) -> bool {
        self.at == 0 && self.used > self.present
    }

    /// Checks that every bit was read, and none that is not there.
    pub(super) fn finish(mut self) -> Result<(), DecodeError> {
        self.refill();
        if self.overrun() {
            return Err(DecodeError::Truncated);
        }
        if self.at == 0 && self.used == self.present { Ok(()) } else { Err(DecodeError::Corrupt) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bits_come_from_the_end() {
        let mut bits = BackwardBits::new(&[0b1010_0101, 0b0001_0110]).unwrap();
        assert_eq!(bits.read(2), 0b01);
        assert_eq!(bits.peek(3), 0b101);
        assert_eq!(bits.read(0), 0);
        assert_eq!(bits.read(6), 0b10_1010);
        assert!(bits.finish().is_err());
        assert_eq!(bits.read(4), 0b0101);
        assert!(bits.finish().is_ok());
        assert_eq!(bits.read(1), 0);
        assert!(bits.overrun());
        assert!(bits.finish().is_err());
    }

    #[test]
    fn missing_bits_are_noticed() {
        let mut bits = BackwardBits::new(&[0b0000_1101]).unwrap();
        assert_eq!(bits.read(3), 0b101);
        assert!(!bits.overrun());
        bits.skip(1);
        assert!(bits.overrun());
        assert!(bits.finish().is_err());
    }

    #[test]
    fn long_streams_are_read_across_refills() {
        // The bytes 0 to 31, each read whole, from the last to the first; the mark of the end above them.
        let mut bytes: [u8; 33] = core::array::from_fn(|at| u8::try_from(at).unwrap());
        bytes[32] = 1;
        let mut bits = BackwardBits::new(&bytes).unwrap();
        for left in (0..32).rev() {
            assert!(bits.finish().is_err());
            bits.refill();
            assert_eq!(bits.read(8), left);
            assert!(!bits.overrun());
        }
        assert!(bits.finish().is_ok());
    }

    #[test]
    fn an_empty_stream_and_one_without_its_mark_are_refused() {
        assert!(BackwardBits::new(&[]).is_err());
        assert!(BackwardBits::new(&[1, 0]).is_err());
    }
}
