//! Snappy, raw block format: `format_description.txt` of google/snappy (2011-10-05).
//!
//! The uncompressed length in base 128, then elements. The low two bits of an element's tag say what it is: 0
//! literals, 1 a copy of 4 to 11 bytes with an 11-bit offset, 2 and 3 a copy of 1 to 64 bytes with an offset
//! of 2 and 4 bytes.

mod decode;
mod encode;

use zerocopy::{FromBytes, IntoBytes};

use super::match_finder::Positions;
use super::{DecodeError, DecodeScratch, MAX_PAGE_LEN, PageCodec};

/// Snappy. The encoder's scratch is 2048 words (8 KiB) for every page size.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Snappy;

impl PageCodec for Snappy {
    fn encode_scratch_words(&self, _page_len: usize) -> usize {
        size_of::<Positions>().div_ceil(size_of::<u32>())
    }

    fn encode(&self, page: &[u8], out: &mut [u8], scratch: &mut [u32]) -> Option<usize> {
        if page.len() > MAX_PAGE_LEN {
            return None;
        }
        let scratch = scratch.get_mut(..self.encode_scratch_words(page.len()))?;
        let (positions, _) = Positions::mut_from_prefix(scratch.as_mut_bytes()).ok()?;
        encode::encode(page, out, positions)
    }

    fn decode(&self, src: &[u8], page: &mut [u8], _scratch: &mut DecodeScratch) -> Result<(), DecodeError> {
        decode::decode(src, page)
    }
}
