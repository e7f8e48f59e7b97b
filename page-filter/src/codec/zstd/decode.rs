//! A frame, decoded: RFC 8878, 3.1.1.

use super::MAGIC;
use super::huffman_decode::HuffmanTable;
use super::sequence_codes::RepeatOffsets;
use super::sequences_decode::SequenceTables;
use super::xxh64::xxh64;
use super::{literals_decode, sequences_decode};
use crate::codec::DecodeError;
use crate::codec::cursor::{Input, Output};

/// The tables that one block may take over from the block before.
#[derive(Debug, Default)]
pub(in crate::codec) struct Tables {
    literals: HuffmanTable,
    sequences: SequenceTables,
}

/// Decodes one frame to the whole of `page`.
pub(super) fn frame(src: &[u8], page: &mut [u8], tables: &mut Tables) -> Result<(), DecodeError> {
    tables.literals.known = false;
    tables.sequences.forget();
    let mut src = Input::new(src);
    let header = header(&mut src, page.len())?;
    let mut out = Output::new(page);
    let mut repeats = RepeatOffsets::START;
    // Each round takes at least the three bytes of a block's header.
    while block(&mut src, &header, &mut out, &mut repeats, tables)? {}
    out.complete()?;
    if header.checksum {
        let stored = u32::from_le_bytes(src.array()?);
        if u64::from(stored) != xxh64(page) & u64::from(u32::MAX) {
            return Err(DecodeError::WrongChecksum);
        }
    }
    if src.is_empty() { Ok(()) } else { Err(DecodeError::TrailingBytes) }
}

/// What a frame's header says.
struct Header {
    /// Whether a checksum follows the blocks.
    checksum: bool,
    /// The most bytes that a block has, compressed or not.
    block_max: usize,
}

/// The greatest exponent of a window, for 2 GiB: libzstd reads no greater ones. How far a match reaches back in smaller ones is not
/// checked: no further than the page.
const MAX_WINDOW_EXPONENT: u8 = 21;

/// `Block_Maximum_Size` of large windows.
const MAX_BLOCK: u64 = 128 << 10;

fn header(src: &mut Input<'_>, page_len: usize) -> Result<Header, DecodeError> {
    let magic = src.array::<4>()?;
    if magic != MAGIC {
        // Skippable frames have the numbers 0x184D2A50 to 0x184D2A5F.
        let skippable = u32::from_le_bytes(magic) & !15 == 0x184d_2a50;
        return Err(if skippable { DecodeError::Unsupported } else { DecodeError::Corrupt });
    }
    let descriptor = src.byte()?;
    let single_segment = descriptor & 0x20 != 0;
    if descriptor & 0x08 != 0 {
        return Err(DecodeError::Unsupported);
    }
    // The window of a single segment is its content.
    let mut window = MAX_BLOCK;
    if !single_segment {
        let byte = src.byte()?;
        let (exponent, eighths) = (byte >> 3, byte & 7);
        if exponent > MAX_WINDOW_EXPONENT {
            return Err(DecodeError::Unsupported);
        }
        window = (u64::from(eighths | 8) << 7) << exponent;
    }
    let dictionary = match descriptor & 3 {
        0 => 0,
        1 => src.number(1)?,
        2 => src.number(2)?,
        _ => src.number(4)?,
    };
    if dictionary != 0 {
        return Err(DecodeError::Unsupported);
    }
    let content = match descriptor >> 6 {
        0 if single_segment => Some(src.number(1)?),
        0 => None,
        1 => Some(src.number(2)?.saturating_add(256)),
        2 => Some(src.number(4)?),
        _ => Some(src.number(8)?),
    };
    if content.is_some_and(|content| usize::try_from(content) != Ok(page_len)) {
        return Err(DecodeError::WrongLength);
    }
    let block_max = usize::try_from(window.min(MAX_BLOCK)).map_err(|_| DecodeError::Unsupported)?;
    Ok(Header { checksum: descriptor & 0x04 != 0, block_max })
}

/// Decodes one block; returns whether another follows.
fn block(
    src: &mut Input<'_>,
    frame: &Header,
    page: &mut Output<'_>,
    repeats: &mut RepeatOffsets,
    tables: &mut Tables,
) -> Result<bool, DecodeError> {
    let header = src.number(3)?;
    let size = usize::try_from(header >> 3).map_err(|_| DecodeError::Corrupt)?;
    if size > frame.block_max {
        return Err(DecodeError::Corrupt);
    }
    let start_of_block = page.len();
    match header >> 1 & 3 {
        0 => page.extend(src.take(size)?).ok_or(DecodeError::WrongLength)?,
        1 => page.fill(src.byte()?, size).ok_or(DecodeError::WrongLength)?,
        2 => {
            let block = src.take(size)?;
            let (literals, start) = literals_decode::decode(block, page, &mut tables.literals)?;
            sequences_decode::decode(block, start, page, literals, repeats, &mut tables.sequences)?;
        }
        _ => return Err(DecodeError::Corrupt),
    }
    if page.len().saturating_sub(start_of_block) > frame.block_max {
        return Err(DecodeError::Corrupt);
    }
    Ok(header & 1 == 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A frame of `descriptor`, the fields after it, and `blocks`, decoded to seven bytes.
    fn decoded(descriptor: u8, fields: &[u8], blocks: &[u8]) -> Result<[u8; 7], DecodeError> {
        let mut src = [0; 64];
        let mut out = Output::new(&mut src);
        for part in [&MAGIC, &[descriptor][..], fields, blocks] {
            out.extend(part).unwrap();
        }
        let len = out.len();
        let mut page = [0; 7];
        frame(&src[..len], &mut page, &mut Tables::default()).map(|()| page)
    }

    /// A last block, raw, of seven bytes.
    const RAW: [u8; 10] = [7 << 3 | 1, 0, 0, b'a', b'b', b'c', b'a', b'b', b'c', b'a'];

    #[test]
    fn headers_of_every_form() {
        let page = Ok(*b"abcabca");
        assert_eq!(decoded(0x20, &[7], &RAW), page);
        assert_eq!(decoded(0x00, &[0], &RAW), page);
        assert_eq!(decoded(0x03, &[0, 0, 0, 0, 0], &RAW), page);
        assert_eq!(decoded(0xa0, &[7, 0, 0, 0], &RAW), page);
        assert_eq!(decoded(0xc0, &[0, 7, 0, 0, 0, 0, 0, 0, 0], &RAW), page);
        assert_eq!(decoded(0x60, &[7, 0], &RAW), Err(DecodeError::WrongLength));
        assert_eq!(decoded(0x20, &[6], &RAW), Err(DecodeError::WrongLength));
        assert_eq!(decoded(0x21, &[9, 7], &RAW), Err(DecodeError::Unsupported));
        assert_eq!(decoded(0x28, &[7], &RAW), Err(DecodeError::Unsupported));
        assert_eq!(decoded(0x00, &[22 << 3], &RAW), Err(DecodeError::Unsupported));
        let mut page = [0; 7];
        let skippable = [0x5f, 0x2a, 0x4d, 0x18, 0, 0, 0, 0];
        assert_eq!(frame(&skippable, &mut page, &mut Tables::default()), Err(DecodeError::Unsupported));
    }

    #[test]
    fn blocks_are_no_larger_than_the_window_and_128_kib() {
        let mut src = std::vec![0; 0x2_0100];
        let mut page = std::vec![0; 0x2_0001];
        for (window, most) in
            [(0, 1024), (1, 1152), (7, 1920), (1 << 3, 2048), (7 << 3 | 7, 0x2_0000), (9 << 3, 0x2_0000)]
        {
            for (len, is_right) in [(most, true), (most + 1, false)] {
                // Raw, then a byte repeated.
                for kind in [0, 1] {
                    let header: [u8; 8] = (len << 3 | kind << 1 | 1_usize).to_le_bytes();
                    src[..4].copy_from_slice(&MAGIC);
                    src[4..6].copy_from_slice(&[0, window]);
                    src[6..9].copy_from_slice(&header[..3]);
                    let end = 9 + if kind == 0 { len } else { 1 };
                    let result = frame(&src[..end], &mut page[..len], &mut Tables::default());
                    assert_eq!(
                        result,
                        if is_right { Ok(()) } else { Err(DecodeError::Corrupt) },
                        "{window} {len}"
                    );
                }
            }
        }
    }

    #[test]
    fn blocks_of_every_kind() {
        // Three raw bytes, then one byte four times.
        assert_eq!(
            decoded(0x20, &[7], &[3 << 3, 0, 0, 1, 2, 3, 4 << 3 | 3, 0, 0, 9]),
            Ok([1, 2, 3, 9, 9, 9, 9])
        );
        // Three raw literals; one sequence, its three codes the only ones: 3 literals, offset value 4 + 2, length 4.
        let mut compressed = [10 << 3 | 5, 0, 0, 3 << 3, 1, 2, 3, 1, 0b0101_0100, 3, 2, 1, 0b110];
        assert_eq!(decoded(0x20, &[7], &compressed), Ok([1, 2, 3, 1, 2, 3, 1]));
        // From 4 back; a bit too many; a bit too few; no mark of the end.
        for (bits, error) in [
            (0b111, DecodeError::Corrupt),
            (0b1100, DecodeError::Corrupt),
            (0b11, DecodeError::Truncated),
            (0, DecodeError::Corrupt),
        ] {
            compressed[12] = bits;
            assert_eq!(decoded(0x20, &[7], &compressed), Err(error));
        }
        // The reserved kind; one byte short; one byte more.
        assert_eq!(decoded(0x20, &[7], &[7, 0, 0]), Err(DecodeError::Corrupt));
        assert_eq!(decoded(0x20, &[7], &[6 << 3 | 3, 0, 0, 9]), Err(DecodeError::WrongLength));
        assert_eq!(decoded(0x20, &[7], &[8 << 3 | 3, 0, 0, 9]), Err(DecodeError::WrongLength));
        assert_eq!(decoded(0x20, &[7], &[7 << 3 | 3, 0, 0, 9, 9]), Err(DecodeError::TrailingBytes));
    }

    #[test]
    fn four_streams_have_six_literals_or_more() {
        // Each stream has one bit for each of its zeros. What zstd 1.5.4 says of these frames: 6 and 7 decode, 4 do not.
        let literals = |count: u8, streams: [u8; 4]| {
            let mut block =
                [16 << 3 | 5, 0, 0, count << 4 | 6, 0, 3, 0x80, 0x10, 1, 0, 1, 0, 1, 0, 0, 0, 0, 0, 0];
            block[14..18].copy_from_slice(&streams);
            let mut src = [0; 25];
            src[..4].copy_from_slice(&MAGIC);
            src[4..6].copy_from_slice(&[0x20, count]);
            src[6..].copy_from_slice(&block);
            let mut page = [1; 7];
            frame(&src, &mut page[..usize::from(count)], &mut Tables::default()).map(|()| page)
        };
        assert_eq!(literals(7, [4, 4, 4, 2]), Ok([0; 7]));
        assert_eq!(literals(6, [4, 4, 4, 1]), Ok([0, 0, 0, 0, 0, 0, 1]));
        assert_eq!(literals(4, [2, 2, 2, 2]), Err(DecodeError::Corrupt));
    }

    #[test]
    fn tables_of_no_block_before_are_refused() {
        // Literals coded with the tree before; a sequence with the tables before.
        assert_eq!(decoded(0x20, &[7], &[5 << 3 | 5, 0, 0, 0x73, 0x40, 0, 1, 0]), Err(DecodeError::Corrupt));
        let repeated = [7 << 3 | 5, 0, 0, 3 << 3, 1, 2, 3, 1, 0b1111_1100, 1];
        assert_eq!(decoded(0x20, &[7], &repeated), Err(DecodeError::Corrupt));
    }

    #[test]
    fn checksums_are_checked() {
        // What `printf abcabca | zstd --check -c` (1.5.4) ends in.
        let mut blocks = [0; 14];
        blocks[..10].copy_from_slice(&RAW);
        blocks[10..].copy_from_slice(&[0x91, 0x46, 0x5f, 0x58]);
        assert_eq!(decoded(0x24, &[7], &blocks), Ok(*b"abcabca"));
        assert_eq!(decoded(0x24, &[7], &blocks[..13]), Err(DecodeError::Truncated));
        blocks[12] ^= 1;
        assert_eq!(decoded(0x24, &[7], &blocks), Err(DecodeError::WrongChecksum));
    }
}
