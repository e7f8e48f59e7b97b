//! The literals of a block, encoded: RFC 8878, 3.1.1.3.1.
#![expect(
    clippy::arithmetic_side_effects,
    clippy::as_conversions,
    reason = "there are at most 2^16 literals, and coded they are fewer bytes; header fields are cut to \
              bytes on purpose"
)]

use super::huffman_encode::HuffmanCode;

/// From how many literals on they are split into four streams, which decoders read side by side.
const FOUR_STREAMS_FROM: usize = 256;

/// Writes the literals section to the front of `out` and returns its length. `code` is all zero.
pub(super) fn encode(literals: &[u8], code: &mut HuffmanCode, out: &mut [u8]) -> Option<usize> {
    if let Some((first, rest)) = literals.split_first()
        && rest.iter().all(|literal| literal == first)
        && !rest.is_empty()
    {
        return plain(1, literals.len(), &[*first], out);
    }
    // The jump table and the streams' last bytes take up to 10 bytes more, the header 2.
    let coded = code.fit(literals).filter(|coded| coded + 12 < literals.len());
    match coded {
        Some(_) => compressed(literals, code, out),
        None => plain(0, literals.len(), literals, out),
    }
}

/// A section of kind 0, raw, or 1, one byte repeated.
fn plain(kind: u32, len: usize, bytes: &[u8], out: &mut [u8]) -> Option<usize> {
    let number = len as u32;
    let (header, header_len) = match len {
        0..32 => (number << 3, 1),
        32..4096 => (number << 4 | 1 << 2, 2),
        _ => (number << 4 | 3 << 2, 3),
    };
    let (head, body) = out.split_at_mut_checked(header_len)?;
    head.copy_from_slice((header | kind).to_le_bytes().get(..header_len)?);
    body.get_mut(..bytes.len())?.copy_from_slice(bytes);
    Some(header_len + bytes.len())
}

/// A section of kind 2, coded with a tree of its own.
fn compressed(literals: &[u8], code: &HuffmanCode, out: &mut [u8]) -> Option<usize> {
    let split = literals.len() >= FOUR_STREAMS_FROM;
    // The format, the header's length, and the bits of each number in it.
    let (format, header_len, bits) = match literals.len() {
        0..0x400 => (u64::from(split), 3, 10),
        0x400..0x4000 => (2, 4, 14),
        _ => (3, 5, 18),
    };
    let (head, body) = out.split_at_mut_checked(header_len)?;
    let (tree, streams) = body.split_at_mut_checked(code.description().len())?;
    tree.copy_from_slice(code.description());
    let streams_len =
        if split { four_streams(literals, code, streams)? } else { code.write(literals, streams)?.0 };
    let coded_len = tree.len() + streams_len;
    let header = 2 | format << 2 | (literals.len() as u64) << 4 | (coded_len as u64) << (4 + bits);
    head.copy_from_slice(header.to_le_bytes().get(..header_len)?);
    Some(header_len + coded_len)
}

/// The lengths of the first three streams, then the four streams.
fn four_streams(literals: &[u8], code: &HuffmanCode, out: &mut [u8]) -> Option<usize> {
    let (lens, mut rest) = out.split_at_mut_checked(6)?;
    let (lens, _) = lens.as_chunks_mut::<2>();
    let mut lens = lens.iter_mut();
    let mut total = 6;
    for part in literals.chunks(literals.len().div_ceil(4)) {
        let (len, after) = code.write(part, rest)?;
        if let Some(field) = lens.next() {
            *field = u16::try_from(len).ok()?.to_le_bytes();
        }
        total += len;
        rest = after;
    }
    Some(total)
}
