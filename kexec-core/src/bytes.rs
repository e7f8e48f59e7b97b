//! Structures and ranges in the bytes of an input, with the error that names what is missing.

use crate::{Error, Field};
use zerocopy::{FromBytes, Immutable, KnownLayout, Unaligned};

/// The bytes `offset..offset + len` of `input`: [`Error::Corrupt`] in `field`, which stands at `field_offset`, where
/// they do not all lie in it.
pub(crate) fn range(
    input: &[u8],
    offset: u64,
    len: u64,
    field: Field,
    field_offset: u64,
) -> Result<&[u8], Error> {
    let end = offset.checked_add(len).and_then(|end| usize::try_from(end).ok());
    usize::try_from(offset)
        .ok()
        .zip(end)
        .and_then(|(start, end)| input.get(start..end))
        .ok_or(Error::Corrupt { field, offset: field_offset })
}

/// The structure `offset` bytes into `input`: [`Error::Corrupt`] in `field` where the input ends inside it.
pub(crate) fn structure<T>(input: &[u8], offset: u64, field: Field) -> Result<&T, Error>
where
    T: FromBytes + KnownLayout + Immutable + Unaligned,
{
    let bytes = range(input, offset, len_of(size_of::<T>()), field, offset)?;
    T::ref_from_bytes(bytes).map_err(|_| Error::Corrupt { field, offset })
}

/// Whether `input` has `magic` at `offset`.
pub(crate) fn has_magic(input: &[u8], offset: usize, magic: &[u8]) -> bool {
    input.get(offset..).is_some_and(|rest| rest.starts_with(magic))
}

/// A length in memory as a length in a file.
pub(crate) fn len_of(len: usize) -> u64 {
    u64::try_from(len).unwrap_or(u64::MAX)
}

/// The text before the first NUL of `bytes`, all of it where there is none.
pub(crate) fn until_nul(bytes: &[u8]) -> &[u8] {
    bytes.split(|&byte| byte == 0).next().unwrap_or_default()
}

/// The error of a buffer that must hold `len` bytes and does not.
pub(crate) fn too_small(len: usize) -> Error {
    Error::BufferTooSmall { needed: len_of(len) }
}

/// Moves the items `from..end` to `to`; `None`, with nothing moved, where one of the two places does not exist. It is
/// `copy_within` in such words that the compiler sees that it cannot panic.
pub(crate) fn move_within<T: Copy>(items: &mut [T], from: usize, end: usize, to: usize) -> Option<()> {
    if to <= from {
        let distance = from.checked_sub(to)?;
        let window = items.get_mut(to..end)?;
        if distance <= window.len() {
            window.copy_within(distance.., 0);
        }
        return Some(());
    }
    let distance = to.checked_sub(from)?;
    let window = items.get_mut(from..end.checked_add(distance)?)?;
    let count = window.len().checked_sub(distance)?;
    window.copy_within(..count, distance);
    Some(())
}
