//! The literals of a block, decoded: RFC 8878, 3.1.1.3.1.

use core::mem;

use super::huffman_decode::HuffmanTable;
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

/// Decodes the literals to the very end of the page, and returns how many they are: the rest of the block
/// fills the page up to there and beyond, never faster than it uses the literals up. So they need no other
/// memory.
pub(super) fn decode(
    src: &mut Input<'_>,
    page: &mut Output<'_>,
    table: &mut HuffmanTable,
) -> Result<usize, DecodeError> {
    let header = header(src)?;
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
            streams(&mut coded, header.streams, literals, table)?;
        }
    }
    Ok(header.len)
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

/// Decodes one stream, or four of which the first three have the same number of literals.
fn streams(
    src: &mut Input<'_>,
    streams: usize,
    mut literals: &mut [u8],
    table: &HuffmanTable,
) -> Result<(), DecodeError> {
    if streams == 4 {
        let each = literals.len().div_ceil(4);
        let mut lens = Input::new(src.take(6)?);
        let mut stream = || src.take(usize::from(u16::from_le_bytes(lens.array()?)));
        let srcs = [stream()?, stream()?, stream()?, src.rest()];
        let mut part = |len| {
            let (part, rest) = mem::take(&mut literals).split_at_mut_checked(len)?;
            literals = rest;
            Some(part)
        };
        let parts = [part(each), part(each), part(each)];
        let [Some(a), Some(b), Some(c)] = parts else { return Err(DecodeError::Corrupt) };
        return table.decode_four(srcs, [a, b, c, literals]);
    }
    table.decode(src.rest(), literals)
}
