//! Code words of literals, read from the end of a stream to its start: RFC 8878, 4.2.2.
#![expect(
    clippy::as_conversions,
    clippy::indexing_slicing,
    reason = "a word read has at most 63 bits shifted out, as a cell has at most MAX_BITS and a turn TURN of them; what is shifted \
              right by 64 - MAX_BITS is an index of cells"
)]

use super::bit_reader::BackwardBits;
use crate::codec::DecodeError;

/// The longest code word, in bits.
pub(super) const MAX_BITS: u32 = 11;

/// How many words are read between refills: they take at most 55 bits.
pub(super) const TURN: usize = 5;

/// For the next bits, the length of the word that they begin with, in bits, and above it its symbol.
pub(super) type Cell = u16;

/// A stream like that of [`BackwardBits`], read faster: it does not count its bits, and may be read beyond its start.
#[derive(Debug)]
pub(super) struct WordReader<'a> {
    /// What the stream is the end of, up to the end of `word`.
    bytes: &'a [u8],
    /// Where the stream begins.
    start: usize,
    /// Eight bytes, without the bits that were read; the lowest one that is set tells how many these were.
    word: u64,
}

impl<'a> WordReader<'a> {
    /// The stream that begins at `start` of `bytes` and ends with them.
    pub(super) fn new(bytes: &'a [u8], start: usize) -> Result<Self, DecodeError> {
        let bits = BackwardBits::new(bytes, start)?;
        Ok(Self { bytes, start, word: (bits.last_word() | 1) << bits.used() })
    }

    /// Whether there may be too little left for another turn.
    #[inline(always)]
    pub(super) fn is_short(&self) -> bool {
        self.bytes.len() < 16
    }

    /// Makes the bits of a turn ready to read, of a stream that is not short.
    #[inline(always)]
    pub(super) fn refill(&mut self) {
        let used = self.word.trailing_zeros();
        self.bytes = self.bytes.get(..self.bytes.len().wrapping_sub(used as usize / 8)).unwrap_or_default();
        let word = self.bytes.last_chunk::<8>().copied().unwrap_or_default();
        self.word = (u64::from_le_bytes(word) | 1) << (used % 8);
    }

    /// Reads the next symbol.
    #[inline(always)]
    pub(super) fn symbol(&mut self, cells: &[Cell; 1 << MAX_BITS]) -> u8 {
        let cell = cells[(self.word >> (64 - MAX_BITS)) as usize];
        self.word <<= cell & 63;
        (cell >> 8) as u8
    }

    /// What is left.
    pub(super) fn rest(&self) -> BackwardBits<'a> {
        BackwardBits::resume(self.bytes, self.start, self.word.trailing_zeros())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_read_as_their_bits_are() {
        // Words of one to eleven bits, whose symbols are themselves.
        let cells: [Cell; 1 << MAX_BITS] =
            core::array::from_fn(|bits| ((bits % 251) << 8 | (bits % 11 + 1)) as Cell);
        let bytes: [u8; 100] = core::array::from_fn(|at| (at * 151 % 255 + 1) as u8);
        for start in 0..100 {
            let mut words = WordReader::new(&bytes, start).unwrap();
            let mut bits = BackwardBits::new(&bytes, start).unwrap();
            let mut read = 0;
            while !words.is_short() && bits.left() >= 55 {
                words.refill();
                bits.refill();
                for _ in 0..TURN {
                    let cell = cells[bits.peek(MAX_BITS as u8) as usize];
                    bits.read(cell as u8);
                    assert_eq!(words.symbol(&cells), (cell >> 8) as u8);
                }
                assert_eq!(words.rest().left(), bits.left());
                read += TURN;
            }
            assert!(read > 0 || start > 90);
        }
    }
}
