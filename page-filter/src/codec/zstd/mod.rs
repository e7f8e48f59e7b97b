//! Zstandard: RFC 8878.
//!
//! A frame: magic number, header, blocks, perhaps a checksum. A compressed block: literals, coded by
//! Huffman's method, then sequences, each of three values coded by finite state entropy.

mod bit_reader;
mod distribution;
mod fse;
mod fse_decode;
mod xxh64;

mod sequence_codes;

mod word_reader;

mod huffman_decode;

mod literals_decode;
mod sequences_decode;

mod decode;

mod sequences;

mod finder;

mod huffman_encode;
mod literals_encode;
mod sequences_encode;

mod encode;

use zerocopy::{FromBytes, FromZeros, IntoBytes};

use self::finder::find_sequences;
use self::sequences::{Sequence, Sequences, max_sequences};
use super::{DecodeError, DecodeScratch, MAX_PAGE_LEN, PageCodec};

pub(super) use self::decode::Tables;

/// zstd. The encoder's scratch is 5632 words (22 KiB), two words for every 3 bytes of the page, and the
/// page's length: 37 KiB for 4 KiB, 257 KiB for 64 KiB.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Zstd;

/// `Magic_Number`, as stored.
const MAGIC: [u8; 4] = [0x28, 0xb5, 0x2f, 0xfd];

/// The shortest match that the format has, in bytes.
const MIN_MATCH: u32 = 3;

/// The bytes of the encoder's scratch that do not depend on the page.
const FIXED_WORDS: usize = 5632;

impl PageCodec for Zstd {
    fn encode_scratch_words(&self, page_len: usize) -> usize {
        const { assert!(size_of::<encode::Tables>() <= FIXED_WORDS * size_of::<u32>()) };
        let sequences = max_sequences(page_len).saturating_mul(2);
        sequences.saturating_add(page_len.div_ceil(4)).saturating_add(FIXED_WORDS)
    }

    fn encode(&self, page: &[u8], out: &mut [u8], scratch: &mut [u32]) -> Option<usize> {
        if page.len() > MAX_PAGE_LEN {
            return None;
        }
        let scratch = scratch.get_mut(..self.encode_scratch_words(page.len()))?;
        let (tables, rest) = encode::Tables::mut_from_prefix(scratch.as_mut_bytes()).ok()?;
        let (sequences, rest) =
            <[Sequence]>::mut_from_prefix_with_elems(rest, max_sequences(page.len())).ok()?;
        let literals = rest.get_mut(..page.len())?;
        tables.block.zero();
        let mut parts = Sequences::new(sequences, literals);
        find_sequences(page, &mut tables.positions, &mut parts);
        let (sequences, literals) = parts.finish();
        encode::frame(page, sequences, literals, &mut tables.block, out)
    }

    fn decode(&self, src: &[u8], page: &mut [u8], scratch: &mut DecodeScratch) -> Result<(), DecodeError> {
        decode::frame(src, page, &mut scratch.zstd)
    }
}
