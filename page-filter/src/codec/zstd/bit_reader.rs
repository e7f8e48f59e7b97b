//! Bits read from the end of a stream to its start: RFC 8878, 4.1.
#![expect(
    clippy::arithmetic_side_effects,
    clippy::as_conversions,
    clippy::indexing_slicing,
    reason = "`used` grows by at most 128 for each of at most 2^20 refills; shifts are masked or below 64 as the \
              callers' counts are; places are below 2^32, as blocks are shorter"
)]

use crate::codec::DecodeError;

/// Numbers of so many ones, for each byte, so that no index of a byte is checked; none is above 31.
static MASKS: [u32; 256] = {
    let mut masks = [0; 256];
    let mut count = 0;
    while count < 32 {
        masks[count] = (1 << count) - 1;
        count += 1;
    }
    masks
};

/// A stream of bits. Its last byte holds, above the first bits to read, a one and then zeros.
#[derive(Debug, Clone, Copy)]
pub(super) struct BackwardBits<'a> {
    /// What the stream is the end of: to read a little before its start is faster than to stop short of it.
    bytes: &'a [u8],
    /// Where the stream begins in `bytes`.
    start: u32,
    /// Where the eight bytes of `word` stand in `bytes`. In 32 bits: where a `usize` has more, its sum with 8 cannot overflow, and
    /// needs no check.
    at: u32,
    /// How many bits of `word` were read, from the highest down.
    used: u32,
    /// Eight bytes, or fewer above zeros; the bits that were read have been rotated to the lowest.
    word: u64,
}

impl<'a> BackwardBits<'a> {
    /// The stream that begins at `start` of `bytes` and ends with them.
    pub(super) fn new(bytes: &'a [u8], start: usize) -> Result<Self, DecodeError> {
        let last = bytes.get(start..).and_then(|stream| stream.last()).ok_or(DecodeError::Truncated)?;
        let padding = last.checked_ilog2().ok_or(DecodeError::Corrupt)?;
        Ok(Self::resume(bytes, start, 8 - padding))
    }

    /// As [`new`](Self::new), with `used` bits read at the end, at most 64.
    pub(super) fn resume(bytes: &'a [u8], start: usize, used: u32) -> Self {
        let word = match bytes.last_chunk::<8>() {
            Some(word) => u64::from_le_bytes(*word),
            None => {
                let word = bytes.iter().rev().fold(0, |word, &byte| word << 8 | u64::from(byte));
                word.checked_shl(64 - 8 * bytes.len() as u32).unwrap_or(0)
            }
        };
        let at = bytes.len().saturating_sub(8) as u32;
        Self { bytes, start: start as u32, at, used, word: word.rotate_left(used) }
    }

    /// The eight bytes at the end, those of a shorter stream above zeros; from a stream of which nothing was read.
    pub(super) fn last_word(&self) -> u64 {
        self.word.rotate_right(self.used)
    }

    /// How many bits were read since the end or the last [`refill`](Self::refill), and up to 7 before it.
    #[inline(always)]
    pub(super) fn used(&self) -> u32 {
        self.used
    }

    /// Makes at least 56 bits ready to read, or all that are left.
    #[inline(always)]
    pub(super) fn refill(&mut self) {
        let at = self.at.wrapping_sub(self.used / 8);
        let eight = self.bytes.get(at as usize..(at as usize).wrapping_add(8));
        if let Some(word) = eight.and_then(|eight| eight.first_chunk::<8>()) {
            self.at = at;
            self.used &= 7;
            self.word = u64::from_le_bytes(*word).rotate_left(self.used);
        } else {
            *self = self.at_start();
        }
    }

    /// As [`refill`](Self::refill), where less than eight bytes are left.
    #[cold]
    fn at_start(mut self) -> Self {
        let step = (self.used / 8).min(self.at);
        self.at -= step;
        self.used -= 8 * step;
        if let Some(word) = self.bytes.first_chunk::<8>() {
            self.word = u64::from_le_bytes(*word).rotate_left(self.used);
        }
        self
    }

    /// The next `count` bits, at most 31, as a number whose lowest bit is read last. Of the bits since the
    /// last [`refill`](Self::refill), no more than 56; what is missing reads as anything.
    #[inline(always)]
    pub(super) fn read(&mut self, count: u8) -> u32 {
        self.word = self.word.rotate_left(u32::from(count));
        self.used += u32::from(count);
        self.word as u32 & MASKS[usize::from(count)]
    }

    /// As [`read`](Self::read), without passing the bits.
    #[inline(always)]
    pub(super) fn peek(mut self, count: u8) -> u32 {
        self.read(count)
    }

    /// Takes the last `count` bits back that were read since the last [`refill`](Self::refill).
    pub(super) fn unread(&mut self, count: u32) {
        self.used -= count;
        self.word = self.word.rotate_right(count);
    }

    /// How many bits are left to read, below 0 if more were read than there are.
    #[inline(always)]
    pub(super) fn left(&self) -> i64 {
        let end = i64::from(self.at) + self.bytes.len().min(8) as i64;
        8 * (end - i64::from(self.start)) - i64::from(self.used)
    }

    /// Checks that every bit was read, and none that is not there.
    pub(super) fn finish(self) -> Result<(), DecodeError> {
        match self.left() {
            0 => Ok(()),
            ..0 => Err(DecodeError::Truncated),
            _ => Err(DecodeError::Corrupt),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bits_come_from_the_end() {
        let mut bits = BackwardBits::new(&[0b1010_0101, 0b0001_0110], 0).unwrap();
        assert_eq!(bits.read(2), 0b01);
        assert_eq!(bits.peek(3), 0b101);
        assert_eq!(bits.read(0), 0);
        assert_eq!(bits.read(6), 0b10_1010);
        assert!(bits.finish().is_err());
        assert_eq!(bits.read(4), 0b0101);
        assert!(bits.finish().is_ok());
        assert_eq!(bits.read(1), 0);
        assert_eq!(bits.left(), -1);
        assert!(bits.finish().is_err());
    }

    #[test]
    fn missing_bits_are_noticed() {
        let mut bits = BackwardBits::new(&[0b0000_1101], 0).unwrap();
        assert_eq!(bits.read(3), 0b101);
        assert_eq!(bits.left(), 0);
        bits.read(1);
        assert!(bits.finish().is_err());
        bits.unread(1);
        assert!(bits.finish().is_ok());
    }

    #[test]
    fn long_streams_are_read_across_refills() {
        // The bytes 0 to 31, each read whole, from the last to the first; the mark of the end above them.
        let mut bytes: [u8; 33] = core::array::from_fn(|at| u8::try_from(at).unwrap());
        bytes[32] = 1;
        // As a stream of its own, and as the end of something else.
        for start in 0..32 {
            let mut bits = BackwardBits::new(&bytes, start).unwrap();
            for byte in (u32::try_from(start).unwrap()..32).rev() {
                assert!(bits.finish().is_err());
                bits.refill();
                assert_eq!(bits.read(8), byte);
                assert!(bits.left() >= 0);
            }
            assert!(bits.finish().is_ok());
            bits.refill();
            assert!(bits.finish().is_ok());
            bits.read(1);
            bits.refill();
            assert!(bits.finish().is_err());
        }
    }

    #[test]
    fn an_empty_stream_and_one_without_its_mark_are_refused() {
        assert!(BackwardBits::new(&[], 0).is_err());
        assert!(BackwardBits::new(&[1], 1).is_err());
        assert!(BackwardBits::new(&[1], 2).is_err());
        assert!(BackwardBits::new(&[1, 0], 0).is_err());
    }
}
