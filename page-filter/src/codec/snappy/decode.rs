//! Snappy's decoder.

use crate::codec::DecodeError;
use crate::codec::cursor::{Input, Output};

/// Decodes one raw block to the whole of `page`.
pub(super) fn decode(src: &[u8], page: &mut [u8]) -> Result<(), DecodeError> {
    let mut src = Input::new(src);
    if usize::try_from(length(&mut src)?) != Ok(page.len()) {
        return Err(DecodeError::WrongLength);
    }
    let mut page = Output::new(page);
    while !src.is_empty() {
        element(&mut src, &mut page)?;
    }
    page.complete()
}

/// The uncompressed length: 7 bits a byte, the lowest first, at most 32 in all.
fn length(src: &mut Input<'_>) -> Result<u32, DecodeError> {
    let mut length = 0u64;
    for shift in [0u32, 7, 14, 21, 28] {
        let byte = src.byte()?;
        length |= u64::from(byte & 0x7f) << shift;
        if byte < 0x80 {
            return u32::try_from(length).map_err(|_| DecodeError::Corrupt);
        }
    }
    Err(DecodeError::Corrupt)
}

fn element(src: &mut Input<'_>, page: &mut Output<'_>) -> Result<(), DecodeError> {
    let tag = src.byte()?;
    let upper = u32::from(tag >> 2);
    let (offset, length) = match tag & 3 {
        0 => return literals(tag >> 2, src, page),
        1 => (u32::from(tag >> 5) << 8 | u32::from(src.byte()?), (upper & 7).saturating_add(4)),
        2 => (u32::from(u16::from_le_bytes(src.array()?)), upper.saturating_add(1)),
        _ => (u32::from_le_bytes(src.array()?), upper.saturating_add(1)),
    };
    page.repeat(offset, length)
}

/// Up to 60 literals are counted in the tag, more in one to four bytes after it; each count is one less than
/// the number.
fn literals(upper: u8, src: &mut Input<'_>, page: &mut Output<'_>) -> Result<(), DecodeError> {
    let upper = usize::from(upper);
    let less_one = match upper.checked_sub(59) {
        None | Some(0) => upper,
        Some(bytes) => usize::try_from(src.number(bytes)?).map_err(|_| DecodeError::Corrupt)?,
    };
    page.take_from(src, less_one.saturating_add(1))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decodes(src: &[u8], expected: &[u8]) {
        let mut page = [0; 64];
        let page = &mut page[..expected.len()];
        assert_eq!(decode(src, page), Ok(()));
        assert_eq!(page, expected);
        assert!((0..src.len()).all(|cut| decode(&src[..cut], page).is_err()));
    }

    #[test]
    fn every_element() {
        // Lengths of literals in one to four bytes; the low six bits of a copy's tag or three of them are its length.
        decodes(&[4, 3 << 2, b'a', b'b', b'c', b'd'], b"abcd");
        decodes(&[2, 60 << 2, 1, b'a', b'b'], b"ab");
        decodes(&[2, 61 << 2, 1, 0, b'a', b'b'], b"ab");
        decodes(&[2, 62 << 2, 1, 0, 0, b'a', b'b'], b"ab");
        decodes(&[2, 63 << 2, 1, 0, 0, 0, b'a', b'b'], b"ab");
        decodes(&[7, 1 << 2, b'a', b'b', 1 << 2 | 1, 2], b"abababa");
        decodes(&[7, 1 << 2, b'a', b'b', 4 << 2 | 2, 1, 0], b"abbbbbb");
        decodes(&[7, 1 << 2, b'a', b'b', 4 << 2 | 3, 2, 0, 0, 0], b"abababa");
    }

    #[test]
    fn wrong_lengths_and_offsets_are_refused() {
        let mut page = [0; 7];
        for (src, error) in [
            (&[7, 1 << 2, b'a', b'b', 1 << 2 | 1, 3][..], DecodeError::Corrupt),
            (&[7, 1 << 2, b'a', b'b', 1 << 2 | 1, 0], DecodeError::Corrupt),
            (&[7, 1 << 2, b'a', b'b', 4 << 2 | 3, 2, 0, 0, 0x80], DecodeError::Corrupt),
            (&[7, 1 << 2, b'a', b'b', 2 << 2 | 1, 2], DecodeError::WrongLength),
            (&[7, 1 << 2, b'a', b'b', 1, 2], DecodeError::WrongLength),
            (&[8, 1 << 2, b'a', b'b', 2 << 2 | 1, 2], DecodeError::WrongLength),
            (&[7, 63 << 2, 0xff, 0xff, 0xff, 0xff, b'a'], DecodeError::Truncated),
            (&[0x87, 0x80, 0x80, 0x80, 0x10, 0], DecodeError::Corrupt),
            (&[0x87, 0x80, 0x80, 0x80, 0x80, 0], DecodeError::Corrupt),
        ] {
            assert_eq!(decode(src, &mut page), Err(error), "{src:x?}");
        }
    }
}
