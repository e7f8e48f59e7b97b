//! Notes as bytes.

use crate::fields::{FieldWriter, too_small};
use crate::{Class, Endian, Error, Field, Layout};

const HEADER_LEN: usize = 12;

/// The length of a note with this name and descriptor, in bytes: a multiple of 4. `None` where it is too large for
/// a note.
#[must_use]
pub fn encoded_len(name: &[u8], desc_len: u32) -> Option<u64> {
    let head = u64::try_from(head_len(name)?).ok()?;
    let padding = u64::try_from(descriptor_padding(desc_len)).ok()?;
    head.checked_add(u64::from(desc_len))?.checked_add(padding)
}

/// The length of a note up to its descriptor, in bytes: the header, the name, its NUL and the padding.
#[must_use]
pub fn head_len(name: &[u8]) -> Option<usize> {
    u32::try_from(name.len()).ok()?.checked_add(1)?;
    HEADER_LEN.checked_add(name.len())?.checked_add(1)?.checked_next_multiple_of(4)
}

/// How many zero bytes follow a descriptor of `desc_len` bytes: 0 to 3.
#[must_use]
pub fn descriptor_padding(desc_len: u32) -> usize {
    match desc_len & 3 {
        3 => 1,
        2 => 2,
        1 => 3,
        _ => 0,
    }
}

/// Writes a note up to its descriptor to the front of `buf` and answers with the length in bytes. `desc_len` bytes
/// and [`descriptor_padding`] are to follow; so is a descriptor written that does not fit in memory.
///
/// `name` comes without its NUL.
///
/// # Errors
/// [`Error::BufferTooSmall`]; [`Error::Unsupported`] for a name of 4 GiB.
pub fn encode_head(
    name: &[u8],
    n_type: u32,
    desc_len: u32,
    endian: Endian,
    buf: &mut [u8],
) -> Result<usize, Error> {
    let too_long = Error::Unsupported { field: Field::NNamesz, value: u64::MAX };
    let len = head_len(name).ok_or(too_long)?;
    let n_namesz = u32::try_from(name.len()).ok().and_then(|len| len.checked_add(1)).ok_or(too_long)?;
    let mut fields = FieldWriter::new(buf, Layout { endian, class: Class::Bits64 }, len)?;
    fields.u32(n_namesz)?;
    fields.u32(desc_len)?;
    fields.u32(n_type)?;
    fields.bytes(name)?;
    Ok(fields.finish())
}

/// Writes a whole note to the front of `buf` and answers with its length in bytes ([`encoded_len`]).
///
/// `name` comes without its NUL.
///
/// # Errors
/// [`Error::BufferTooSmall`]; [`Error::Unsupported`] for a name or descriptor of 4 GiB.
pub fn encode(name: &[u8], n_type: u32, desc: &[u8], endian: Endian, buf: &mut [u8]) -> Result<usize, Error> {
    let too_long = Error::Unsupported { field: Field::NDescsz, value: u64::MAX };
    let desc_len = u32::try_from(desc.len()).map_err(|_| too_long)?;
    let head = head_len(name).ok_or(too_long)?;
    let len = head
        .checked_add(desc.len())
        .and_then(|len| len.checked_add(descriptor_padding(desc_len)))
        .ok_or(too_long)?;
    let note = buf.get_mut(..len).ok_or_else(|| too_small(len))?;
    encode_head(name, n_type, desc_len, endian, note)?;
    let layout = Layout { endian, class: Class::Bits64 };
    let after_head = note.get_mut(head..).unwrap_or_default();
    let mut fields = FieldWriter::new(after_head, layout, len.saturating_sub(head))?;
    fields.bytes(desc)?;
    fields.finish();
    Ok(len)
}

#[cfg(test)]
mod tests {
    extern crate std;

    use super::*;

    #[test]
    fn a_note_is_padded_to_four_bytes() {
        let cases: [(&[u8], &[u8], &[u8]); 5] = [
            (b"CORE", b"abcd", b"\x05\0\0\0\x04\0\0\0\x07\0\0\0CORE\0\0\0\0abcd"),
            (b"Xen", b"abcde", b"\x04\0\0\0\x05\0\0\0\x07\0\0\0Xen\0abcde\0\0\0"),
            (b"VMCOREINFO", b"", b"\x0b\0\0\0\0\0\0\0\x07\0\0\0VMCOREINFO\0\0"),
            (b"", b"ab", b"\x01\0\0\0\x02\0\0\0\x07\0\0\0\0\0\0\0ab\0\0"),
            (b"QE", b"abc", b"\x03\0\0\0\x03\0\0\0\x07\0\0\0QE\0\0abc\0"),
        ];
        for (name, desc, expected) in cases {
            let mut buf = [0xaa; 64];
            let len = expected.len();
            assert_eq!(encode(name, 7, desc, Endian::Little, &mut buf), Ok(len));
            assert_eq!(buf[..len], *expected);
            assert_eq!(buf[len], 0xaa);
            assert_eq!(encoded_len(name, desc.len() as u32), Some(len as u64));
            let tail = len - head_len(name).unwrap();
            assert_eq!(desc.len() + descriptor_padding(desc.len() as u32), tail);
            for short in 0..len {
                let error = encode(name, 7, desc, Endian::Little, &mut buf[..short]);
                assert_eq!(error, Err(Error::BufferTooSmall { needed: len as u64 }));
            }
        }
    }

    #[test]
    fn the_head_of_a_note_whose_descriptor_follows() {
        let mut buf = [0xaa; 32];
        assert_eq!(encode_head(b"LINUX", 0x700, 0x1234_5678, Endian::Big, &mut buf), Ok(20));
        assert_eq!(buf[..21], *b"\0\0\0\x06\x12\x34\x56\x78\0\0\x07\0LINUX\0\0\0\xaa");
        assert_eq!(encoded_len(b"LINUX", u32::MAX), Some(20 + 0x1_0000_0000));
        let error = encode_head(b"LINUX", 0, 0, Endian::Big, &mut buf[..19]);
        assert_eq!(error, Err(Error::BufferTooSmall { needed: 20 }));
    }
}
