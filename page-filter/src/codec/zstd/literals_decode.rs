//! The literals of a block, decoded: RFC 8878, 3.1.1.3.1.

use core::mem;

use super::huffman_decode::HuffmanTable;
use super::word_reader::WordReader;
use crate::codec::DecodeError;
use crate::codec::cursor::{Input, Output};

/// What a literals section's header says.
struct Header {
    /// `Literals_Block_Type`: 0 raw, 1 one byte repeated, 2 coded with a tree of their own, 3 with the tree
    /// before.
    kind: u8,
    /// How many literals there are.
    len: usize,
    /// How many bytes they take, a tree included, for kinds 2 and 3.
    coded_len: usize,
    streams: usize,
}

/// Decodes the literals of `block` to the very end of the page, and returns how many they are and where in the block they end: the
/// rest of the block fills the page up to there and beyond, never faster than it uses the literals up. So they need no other memory.
pub(super) fn decode(
    block: &[u8],
    page: &mut Output<'_>,
    table: &mut HuffmanTable,
) -> Result<(usize, usize), DecodeError> {
    let mut src = Input::new(block);
    let header = header(&mut src)?;
    let literals = page.last(header.len).ok_or(DecodeError::WrongLength)?;
    match header.kind {
        0 => literals.copy_from_slice(src.take(header.len)?),
        1 => literals.fill(src.byte()?),
        _ => {
            let mut coded = Input::new(src.take(header.coded_len)?);
            if header.kind == 2 {
                table.read(&mut coded)?;
            } else if !table.known {
                return Err(DecodeError::Corrupt);
            }
            // With what stands before them.
            let streams = block.get(..block.len().saturating_sub(src.rest().len())).unwrap_or_default();
            decode_streams(streams, coded.rest().len(), header.streams, literals, table)?;
        }
    }
    Ok((header.len, block.len().saturating_sub(src.rest().len())))
}

fn header(src: &mut Input<'_>) -> Result<Header, DecodeError> {
    let first = src.peek().ok_or(DecodeError::Truncated)?;
    let kind = first & 3;
    let format = first >> 2 & 3;
    // The size of the header in bytes, the bits of each length, and how far up in the header they begin.
    let (bytes, bits, at) = match (kind, format) {
        (0 | 1, 0 | 2) => (1, 5, 3),
        (0 | 1, 1) => (2, 12, 4),
        (0 | 1, _) => (3, 20, 4),
        (_, 0 | 1) => (3, 10, 4),
        (_, 2) => (4, 14, 4),
        (_, _) => (5, 18, 4),
    };
    let fields = src.number(bytes)? >> at;
    let mask = (1u64 << bits).wrapping_sub(1);
    let field = |value: u64| usize::try_from(value & mask).map_err(|_| DecodeError::Corrupt);
    let streams = if format == 0 { 1 } else { 4 };
    Ok(Header { kind, len: field(fields)?, coded_len: field(fields >> bits)?, streams })
}

/// The fewest literals of four streams: libzstd refuses fewer.
const FEWEST_OF_FOUR: usize = 6;

/// Decodes one stream, or four of which the first three have the same number of literals: the last `len` bytes of `bytes`.
fn decode_streams(
    bytes: &[u8],
    len: usize,
    streams: usize,
    mut literals: &mut [u8],
    table: &HuffmanTable,
) -> Result<(), DecodeError> {
    let start = bytes.len().saturating_sub(len);
    if streams == 1 {
        return table.decode(WordReader::new(bytes, start)?, literals);
    }
    if literals.len() < FEWEST_OF_FOUR {
        return Err(DecodeError::Corrupt);
    }
    let mut lens = Input::new(bytes.get(start..).unwrap_or_default());
    let mut start = start.saturating_add(6);
    let mut stream = || {
        let end = start.saturating_add(usize::from(u16::from_le_bytes(lens.array()?)));
        let bytes = bytes.get(..end).ok_or(DecodeError::Truncated)?;
        WordReader::new(bytes, mem::replace(&mut start, end))
    };
    let words = [stream()?, stream()?, stream()?, WordReader::new(bytes, start)?];
    let each = literals.len().div_ceil(4);
    let mut part = |len| {
        let (part, rest) = mem::take(&mut literals).split_at_mut_checked(len)?;
        literals = rest;
        Some(part)
    };
    let parts = [part(each), part(each), part(each)];
    let [Some(a), Some(b), Some(c)] = parts else { return Err(DecodeError::Corrupt) };
    table.decode_four(words, [a, b, c, literals])
}
