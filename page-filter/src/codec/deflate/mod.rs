//! The zlib format, RFC 1950, around one deflate block, RFC 1951.

mod symbols;

mod tokens;

mod code_words;

mod code_header;

mod block;

mod inflate;

use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

pub(super) use self::inflate::Codes;

use self::block::Words;
use self::tokens::{Counts, Tokens, max_tokens};
use super::adler32::adler32;
use super::bit_writer::BitWriter;
use super::cursor::Output;
use super::sequence_finder::{Positions, Preferences, find_sequences};
use super::{DecodeError, DecodeScratch, MAX_PAGE_LEN, PageCodec};

/// zlib. The encoder's scratch is 5120 words (20 KiB) and a word for each byte of the page and one more:
/// 36 KiB for 4 KiB, 276 KiB for 64 KiB.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Zlib;

/// zlib in about a sixth less time, for about 6 % more bytes of kernel memory: only matches of four bytes or more are
/// looked for, and the first one found is taken. Decoder and scratch are those of [`Zlib`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct FastZlib;

/// The encoder's tables but for the tokens.
#[repr(C)]
#[derive(FromBytes, IntoBytes, KnownLayout, Immutable)]
struct Tables {
    positions: Positions,
    counts: Counts,
    words: Words,
}

/// The words of scratch that do not depend on the page.
const FIXED_WORDS: usize = 5120;

/// Deflate, a window of 32 KiB, no dictionary, the fastest of four classes of compression.
const HEADER: [u8; 2] = [0x78, 0x01];

const PREFERENCES: Preferences =
    Preferences { max_distance: 0x8000, max_distance_of_three: 0x1000, long_enough: 6, repeated: 7 };

const FAST: Preferences =
    Preferences { max_distance: 0x8000, max_distance_of_three: 0, long_enough: 0, repeated: 5 };

/// Compresses a page; inlined, so that each encoder has its preferences built in.
#[inline(always)]
fn encode(page: &[u8], out: &mut [u8], scratch: &mut [u32], preferences: &Preferences) -> Option<usize> {
    if page.len() > MAX_PAGE_LEN {
        return None;
    }
    let scratch = scratch.get_mut(..scratch_words(page.len()))?;
    let (tables, tokens) = scratch.split_at_mut_checked(FIXED_WORDS)?;
    let (tables, _) = Tables::mut_from_prefix(tables.as_mut_bytes()).ok()?;
    let mut tokens = Tokens::new(tokens, &mut tables.counts);
    find_sequences(page, &mut tables.positions, preferences, &mut tokens);
    let (tokens, counts) = tokens.finish();

    let (header, body) = out.split_first_chunk_mut::<2>()?;
    *header = HEADER;
    // What the checksum will take is not the block's.
    let (block, _) = body.split_at_mut_checked(body.len().checked_sub(4)?)?;
    let len = block::encode(page, tokens, counts, &mut tables.words, BitWriter::new(block))?;
    let end = len.checked_add(4)?;
    body.get_mut(len..end)?.copy_from_slice(&adler32(page).to_be_bytes());
    end.checked_add(HEADER.len())
}

fn scratch_words(page_len: usize) -> usize {
    const { assert!(size_of::<Tables>() <= FIXED_WORDS * size_of::<u32>()) };
    max_tokens(page_len).saturating_add(FIXED_WORDS)
}

impl PageCodec for FastZlib {
    fn encode_scratch_words(&self, page_len: usize) -> usize {
        scratch_words(page_len)
    }

    fn encode(&self, page: &[u8], out: &mut [u8], scratch: &mut [u32]) -> Option<usize> {
        encode(page, out, scratch, &FAST)
    }

    fn decode(&self, src: &[u8], page: &mut [u8], scratch: &mut DecodeScratch) -> Result<(), DecodeError> {
        Zlib.decode(src, page, scratch)
    }
}

impl PageCodec for Zlib {
    fn encode_scratch_words(&self, page_len: usize) -> usize {
        scratch_words(page_len)
    }

    fn encode(&self, page: &[u8], out: &mut [u8], scratch: &mut [u32]) -> Option<usize> {
        encode(page, out, scratch, &PREFERENCES)
    }

    fn decode(&self, src: &[u8], page: &mut [u8], scratch: &mut DecodeScratch) -> Result<(), DecodeError> {
        let (&header, body) = src.split_first_chunk::<2>().ok_or(DecodeError::Truncated)?;
        // Deflate, a window of at most 32 KiB, no dictionary.
        let [method, flags] = header;
        if method & 15 != 8 || method >> 4 > 7 || flags & 32 != 0 || u16::from_be_bytes(header) % 31 != 0 {
            return Err(DecodeError::Corrupt);
        }
        let mut out = Output::new(page);
        let rest = inflate::blocks(body, &mut out, &mut scratch.inflate)?;
        out.complete()?;
        let (checksum, rest) = rest.split_first_chunk::<4>().ok_or(DecodeError::Truncated)?;
        if adler32(page) != u32::from_be_bytes(*checksum) {
            return Err(DecodeError::WrongChecksum);
        }
        if rest.is_empty() { Ok(()) } else { Err(DecodeError::TrailingBytes) }
    }
}
