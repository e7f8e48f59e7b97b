//! Bits read from the end of a stream to its start: RFC 8878, 4.1.

use crate::codec::DecodeError;

/// A stream of bits. Its last byte holds, above the first bits to read, a one and then zeros.
#[derive(Debug)]
pub(super) struct BackwardBits<'a> {
    bytes: &'a [u8],
    /// How many bits are left to read: those at the front of `bytes`.
    left: usize,
    /// Whether more bits were read than there are. The missing ones read as zero.
    overrun: bool,
}

impl<'a> BackwardBits<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Result<Self, DecodeError> {
        let (&last, before) = bytes.split_last().ok_or(DecodeError::Truncated)?;
        let padding = last.checked_ilog2().ok_or(DecodeError::Corrupt)?;
        let left = before.len().saturating_mul(8).saturating_add(usize::try_from(padding).unwrap_or(0));
        Ok(Self { bytes, left, overrun: false })
    }

    /// The next `count` bits, at most 32, as a number whose lowest bit is read last.
    pub(super) fn read(&mut self, count: u32) -> u32 {
        let value = self.peek(count);
        self.skip(count);
        value
    }

    /// As [`read`](Self::read), without passing the bits.
    pub(super) fn peek(&self, count: u32) -> u32 {
        let wanted = usize::try_from(count).unwrap_or(0);
        let (start, missing) = match self.left.checked_sub(wanted) {
            Some(start) => (start, 0),
            None => (0, wanted.saturating_sub(self.left)),
        };
        let bytes = self.bytes.get(start >> 3..).unwrap_or(&[]);
        let word = match bytes.first_chunk::<8>() {
            Some(word) => u64::from_le_bytes(*word),
            None => bytes.iter().rev().fold(0, |word, &byte| word << 8 | u64::from(byte)),
        };
        // At most 7 + 32 bits of the word are used.
        let present = wanted.saturating_sub(missing) & 63;
        let value = (word >> (start & 7)) & (1u64 << present).wrapping_sub(1);
        u32::try_from(value << (missing & 63)).unwrap_or(0)
    }

    pub(super) fn skip(&mut self, count: u32) {
        match self.left.checked_sub(usize::try_from(count).unwrap_or(0)) {
            Some(left) => self.left = left,
            None => {
                self.left = 0;
                self.overrun = true;
            }
        }
    }

    pub(super) fn overrun(&self) -> bool {
        self.overrun
    }

    /// Checks that every bit was read, and none that is not there.
    pub(super) fn finish(&self) -> Result<(), DecodeError> {
        if self.overrun {
            return Err(DecodeError::Truncated);
        }
        if self.left > 0 { Err(DecodeError::Corrupt) } else { Ok(()) }
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
    fn missing_bits_are_zero() {
        let mut bits = BackwardBits::new(&[0b0000_1101]).unwrap();
        assert_eq!(bits.peek(32), 0b101 << 29);
        assert_eq!(bits.read(5), 0b10100);
        assert!(bits.overrun());
    }

    #[test]
    fn an_empty_stream_and_one_without_its_mark_are_refused() {
        assert!(BackwardBits::new(&[]).is_err());
        assert!(BackwardBits::new(&[1, 0]).is_err());
    }
}
