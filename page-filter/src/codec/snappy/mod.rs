//! Snappy, raw block format: `format_description.txt` of google/snappy (2011-10-05).
//!
//! The uncompressed length in base 128, then elements. The low two bits of an element's tag say what it is: 0
//! literals, 1 a copy of 4 to 11 bytes with an 11-bit offset, 2 and 3 a copy of 1 to 64 bytes with an offset
//! of 2 and 4 bytes.

mod decode;
mod encode;

use super::match_finder::{POSITIONS_WORDS, positions};
use super::{DecodeError, DecodeScratch, PageCodec};

/// Snappy. The encoder's scratch is 2048 words (8 KiB) for every page size.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Snappy;

impl PageCodec for Snappy {
    fn encode_scratch_words(&self, _page_len: usize) -> usize {
        POSITIONS_WORDS
    }

    fn encode(&self, page: &[u8], out: &mut [u8], scratch: &mut [u32]) -> Option<usize> {
        encode::encode(page, out, positions(page, scratch)?)
    }

    fn decode(&self, src: &[u8], page: &mut [u8], _scratch: &mut DecodeScratch) -> Result<(), DecodeError> {
        decode::decode(src, page)
    }
}
