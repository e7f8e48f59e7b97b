//! The zlib format, RFC 1950, around one deflate block, RFC 1951.

mod symbols;

mod code_header;

mod block;

use miniz_oxide::inflate::TINFLStatus;
use miniz_oxide::inflate::core::{decompress, inflate_flags};
use zerocopy::{FromBytes, FromZeros, IntoBytes};

use self::block::Tables;
use super::adler32::adler32;
use super::bit_writer::BitWriter;
use super::sequence_finder::{Preferences, Sequence, find_sequences, max_sequences};
use super::{DecodeError, DecodeScratch, MAX_PAGE_LEN, PageCodec};

/// zlib. The encoder's scratch is 6144 words (24 KiB) and two words for every 3 bytes of the page:
/// 35 KiB for 4 KiB, 195 KiB for 64 KiB.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Zlib;

/// Deflate, a window of 32 KiB, no dictionary, the fastest of four classes of compression.
const HEADER: [u8; 2] = [0x78, 0x01];

const PREFERENCES: Preferences = Preferences {
    max_length: 258,
    max_distance: 0x8000,
    max_distance_of_three: 0x1000,
    long_enough: 32,
    repeats: false,
};

impl PageCodec for Zlib {
    fn encode_scratch_words(&self, page_len: usize) -> usize {
        const FIXED: usize = size_of::<Tables>().div_ceil(size_of::<u32>());
        const { assert!(FIXED <= 6144) };
        max_sequences(page_len).saturating_mul(2).saturating_add(6144)
    }

    fn encode(&self, page: &[u8], out: &mut [u8], scratch: &mut [u32]) -> Option<usize> {
        if page.len() > MAX_PAGE_LEN {
            return None;
        }
        let scratch = scratch.get_mut(..self.encode_scratch_words(page.len()))?;
        let (tables, rest) = Tables::mut_from_prefix(scratch.as_mut_bytes()).ok()?;
        let (sequences, _) =
            <[Sequence]>::mut_from_prefix_with_elems(rest, max_sequences(page.len())).ok()?;
        tables.codes.zero();
        let found = find_sequences(page, &mut tables.positions, &PREFERENCES, sequences);

        let (header, body) = out.split_first_chunk_mut::<2>()?;
        *header = HEADER;
        // What the checksum will take is not the block's.
        let (block, _) = body.split_at_mut_checked(body.len().checked_sub(4)?)?;
        let len = block::encode(page, sequences.get(..found)?, &mut tables.codes, BitWriter::new(block))?;
        let end = len.checked_add(4)?;
        body.get_mut(len..end)?.copy_from_slice(&adler32(page).to_be_bytes());
        end.checked_add(HEADER.len())
    }

    fn decode(&self, src: &[u8], page: &mut [u8], scratch: &mut DecodeScratch) -> Result<(), DecodeError> {
        const FLAGS: u32 = inflate_flags::TINFL_FLAG_PARSE_ZLIB_HEADER
            | inflate_flags::TINFL_FLAG_USING_NON_WRAPPING_OUTPUT_BUF;
        scratch.inflate.init();
        let (status, taken, filled) = decompress(&mut scratch.inflate, src, page, 0, FLAGS);
        match status {
            TINFLStatus::Done if filled != page.len() => Err(DecodeError::WrongLength),
            TINFLStatus::Done if taken != src.len() => Err(DecodeError::TrailingBytes),
            TINFLStatus::Done => Ok(()),
            TINFLStatus::HasMoreOutput => Err(DecodeError::WrongLength),
            TINFLStatus::NeedsMoreInput | TINFLStatus::FailedCannotMakeProgress => {
                Err(DecodeError::Truncated)
            }
            TINFLStatus::Adler32Mismatch => Err(DecodeError::WrongChecksum),
            _ => Err(DecodeError::Corrupt),
        }
    }
}
