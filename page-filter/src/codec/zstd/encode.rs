//! A frame of one block, encoded: RFC 8878, 3.1.1.

use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

use super::MAGIC;
use super::finder::Positions;
use super::huffman_encode::HuffmanCode;
use super::sequences::Sequence;
use super::sequences_encode::SequenceCodes;
use super::{literals_encode, sequences_encode};
use crate::codec::cursor::Output;

/// The encoder's tables but for the sequences and the literals.
#[repr(C)]
#[derive(FromBytes, IntoBytes, KnownLayout, Immutable)]
pub(super) struct Tables {
    pub(super) positions: Positions,
    pub(super) block: BlockTables,
}

/// The codes of a block.
#[repr(C)]
#[derive(Debug, FromBytes, IntoBytes, KnownLayout, Immutable)]
pub(super) struct BlockTables {
    literals: HuffmanCode,
    sequences: SequenceCodes,
}

/// `Block_Type`.
const RAW: usize = 0;
const RLE: usize = 1;
const COMPRESSED: usize = 2;

/// Writes a frame to the front of `out` and returns its length. `page`, at most 2^16 bytes, is taken apart into `sequences`
/// and `literals`; `tables` is all zero.
pub(super) fn frame(
    page: &[u8],
    sequences: &mut [Sequence],
    literals: &[u8],
    tables: &mut BlockTables,
    out: &mut [u8],
) -> Option<usize> {
    let mut head = Output::new(out);
    head.extend(&MAGIC)?;
    // A single segment, with its length in one byte, or less 256 in two.
    match page.len().checked_sub(256) {
        None => head.extend(&[0x20, u8::try_from(page.len()).ok()?])?,
        Some(less) => {
            head.push(0x60)?;
            head.extend(&u16::try_from(less).ok()?.to_le_bytes())?;
        }
    }
    let header_at = head.len();
    let body = out.get_mut(header_at..)?;
    let (header, body) = body.split_first_chunk_mut::<3>()?;
    let (kind, size, len) = match page.split_first() {
        Some((&first, rest)) if rest.iter().all(|&byte| byte == first) => {
            *body.first_mut()? = first;
            (RLE, page.len(), 1)
        }
        _ => match compressed(sequences, literals, tables, body) {
            Some(len) if len < page.len() => (COMPRESSED, len, len),
            _ => {
                body.get_mut(..page.len())?.copy_from_slice(page);
                (RAW, page.len(), page.len())
            }
        },
    };
    // The only block is the last one.
    let fields = u32::try_from(size << 3 | kind << 1 | 1).ok()?.to_le_bytes();
    header.copy_from_slice(fields.first_chunk::<3>()?);
    header_at.checked_add(header.len())?.checked_add(len)
}

/// Writes the content of a compressed block.
fn compressed(
    sequences: &mut [Sequence],
    literals: &[u8],
    tables: &mut BlockTables,
    out: &mut [u8],
) -> Option<usize> {
    let len = literals_encode::encode(literals, &mut tables.literals, out)?;
    let sequences_len = sequences_encode::encode(sequences, &mut tables.sequences, out.get_mut(len..)?)?;
    len.checked_add(sequences_len)
}
