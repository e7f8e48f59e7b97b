//! LZO1X, as `Documentation/staging/lzo.rst` of Linux 6.1 describes the stream (its version 0, without
//! run-length codes).
//!
//! Instructions of one to three bytes, by the bits of the first:
//!
//! | first byte | meaning | after it |
//! |---|---|---|
//! | `0000LLLL` after a match without literals | 4 or more literals | length extension if L is 0, the literals |
//! | `0000DDSS` after 1 to 3 literals | 2 bytes from up to 1 KiB back | `HHHHHHHH` |
//! | `0000DDSS` after 4 or more literals | 3 bytes from 2 to 3 KiB back | `HHHHHHHH` |
//! | `0001HLLL` | from 16 to 48 KiB back, or the end of the stream | length extension if L is 0, `DDDDDDSS DDDDDDDD` |
//! | `001LLLLL` | from up to 16 KiB back | length extension if L is 0, `DDDDDDSS DDDDDDDD` |
//! | `01LDDDSS` | 3 or 4 bytes from up to 2 KiB back | `HHHHHHHH` |
//! | `1LLDDDSS` | 5 to 8 bytes from up to 2 KiB back | `HHHHHHHH` |
//!
//! S literals, 0 to 3, follow a match. A stream may begin with a byte above 17: 17 less than it is a number
//! of literals.

mod decode;
mod encode;

use super::match_finder::{POSITIONS_WORDS, positions};
use super::{DecodeError, DecodeScratch, PageCodec};

/// LZO1X. The encoder's scratch is 2048 words (8 KiB) for every page size.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Lzo1x;

/// Where the distances of `0001HLLL` begin; the end of the stream is a match of this very distance.
const FAR: u16 = 0x4000;

impl PageCodec for Lzo1x {
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
