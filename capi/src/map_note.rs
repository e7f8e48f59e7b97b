//! The version of the memory map that a header was made of, in a note: by it the capture side sees a stale one.

use vmcore_format::note::{MapVersion, NT_KCAPTURE_MAP_VERSION};

use crate::error::{answer, kcap_error};
use crate::machine::endian;
use crate::ptr;
use crate::status::kcap_status;

/// `n_type` of the note (name "KCAPTURE").
pub const KCAP_NT_MAP_NOTE: u32 = 0x4b43_0001;
/// The length of the note with the all-zero header behind it that ends the notes of a `PT_NOTE`, in bytes.
pub const KCAP_MAP_NOTE_LEN: usize = 76;

const _: () = {
    assert!(KCAP_NT_MAP_NOTE == NT_KCAPTURE_MAP_VERSION);
    assert!(KCAP_MAP_NOTE_LEN == MapVersion::ENDED_LEN);
};

/// What the note says of the memory map that a header was made of.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[repr(C)]
pub struct kcap_map_note {
    /// The number of the version: a later one has a higher one.
    pub epoch: u64,
    /// The SHA-256 of the memory that the header's `PT_LOAD`s name (`p_paddr`, `p_memsz`): of each range, in ascending order and as
    /// long as it goes without a gap, the first address and the first past the end, 8 bytes each, little-endian.
    pub sha256: [u8; 32],
}

impl From<MapVersion> for kcap_map_note {
    fn from(MapVersion { epoch, sha256 }: MapVersion) -> Self {
        Self { epoch, sha256 }
    }
}

/// Reads the descriptor of a `KCAP_NOTE_MAP_VERSION`, the `len` bytes at `desc`, to `version`. What a later library adds to it is
/// passed over. `error` may be NULL.
///
/// Errors: `KCAP_ERR_CORRUPT` (`desc` ends early), `KCAP_ERR_INVALID` (`big_endian`), `KCAP_ERR_NULL`, `KCAP_ERR_LENGTH`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kcap_map_note_parse(
    desc: *const u8,
    len: usize,
    big_endian: u32,
    version: *mut kcap_map_note,
    error: *mut kcap_error,
) -> kcap_status {
    answer(error, || {
        let (desc, place) = (ptr::slice(desc, len)?, ptr::out(version)?);
        place.put(MapVersion::parse(desc, endian(big_endian)?)?.into());
        Ok(())
    })
}

/// Writes the note, `KCAP_MAP_NOTE_LEN` bytes, to the front of the `buf_len` bytes at `buf`. It is to lie in memory of the
/// crash region that stays, best right behind the elfcorehdr in its segment; the last of the header's `cpu_notes` tells of it.
/// `error` may be NULL.
///
/// Errors: `KCAP_ERR_BUFFER_TOO_SMALL` (`value`: bytes for `buf`), `KCAP_ERR_INVALID` (`big_endian`), `KCAP_ERR_NULL`,
/// `KCAP_ERR_LENGTH`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kcap_map_note_encode(
    version: *const kcap_map_note,
    big_endian: u32,
    buf: *mut u8,
    buf_len: usize,
    error: *mut kcap_error,
) -> kcap_status {
    answer(error, || {
        let &kcap_map_note { epoch, sha256 } = ptr::get(version)?;
        let note = MapVersion { epoch, sha256 }.encode_ended(endian(big_endian)?)?;
        let needed = u64::try_from(note.len()).unwrap_or(u64::MAX);
        let buf = ptr::slice_mut(buf, buf_len)?.get_mut(..note.len());
        buf.ok_or(vmcore_format::Error::BufferTooSmall { needed })?.copy_from_slice(&note);
        Ok(())
    })
}

#[cfg(test)]
mod tests {
    use core::ptr::{null, null_mut};

    use super::*;
    use crate::status::*;

    #[test]
    fn a_note_of_hand_laid_bytes() {
        let version = kcap_map_note { epoch: 0x0102_0304_0506_0708, sha256: [0xd5; 32] };
        let head = b"\x09\0\0\0\x28\0\0\0\x01\0CKKCAPTURE\0\0\0\0\x08\x07\x06\x05\x04\x03\x02\x01";
        let (mut buf, mut read) = ([0xaa; 77], kcap_map_note::default());
        // SAFETY: all pointers are to what they say, or NULL.
        unsafe {
            let mut encode = |version: *const _, big, len| {
                kcap_map_note_encode(version, big, buf.as_mut_ptr(), len, null_mut())
            };
            assert_eq!(encode(&raw const version, 0, 75), KCAP_ERR_BUFFER_TOO_SMALL);
            assert_eq!(encode(&raw const version, 2, 76), KCAP_ERR_INVALID);
            assert_eq!(encode(null(), 0, 76), KCAP_ERR_NULL);
            assert_eq!(encode(&raw const version, 0, 77), KCAP_OK);
            let desc = buf[24..].as_ptr();
            let mut parse = |desc, len, big| kcap_map_note_parse(desc, len, big, &raw mut read, null_mut());
            for short in 0..40 {
                assert_eq!(parse(desc, short, 0), KCAP_ERR_CORRUPT, "{short}");
            }
            assert_eq!(parse(null(), 40, 0), KCAP_ERR_NULL);
            assert_eq!(parse(desc, 40, 2), KCAP_ERR_INVALID);
            assert_eq!(kcap_map_note_parse(desc, 40, 0, null_mut(), null_mut()), KCAP_ERR_NULL);
            assert_eq!(parse(desc, 52, 0), KCAP_OK);
        }
        assert_eq!(buf[..], [&head[..], &[0xd5; 32], &[0; 12], &[0xaa]].concat());
        assert_eq!(read, version);
    }
}
