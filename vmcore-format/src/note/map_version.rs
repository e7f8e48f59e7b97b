//! The version of the memory map that a header was made of.

use super::{Note, NoteKind, encode};
use crate::fields::{self, FieldReader, FieldWriter};
use crate::{Class, Endian, Error, Field, Layout, ReadAt};

/// `n_type` of a [`MapVersion`] (name "KCAPTURE").
///
/// Some tools (crash 8.0) take every note of type 1 for registers, whatever its name.
pub const NT_KCAPTURE_MAP_VERSION: u32 = 0x4b43_0001;

const NAME: &[u8] = b"KCAPTURE";
const DESC_LEN: usize = 40;
const HEADER_LEN: usize = 12;

/// Which memory map the header of a dump was made of, so that a stale one is seen: a note of this project's own, which others pass
/// over. A header that a kernel wrote has none: nothing is known then.
///
/// The descriptor is `epoch` (8 bytes, in the file's byte order) and `sha256` (32 bytes).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MapVersion {
    /// The number of the version: a later one has a higher one.
    pub epoch: u64,
    /// The SHA-256 of the memory that the header's `PT_LOAD`s name (`p_paddr`, `p_memsz`): of each range, in ascending order and as
    /// long as it goes without a gap, the first address and the first past the end, 8 bytes each, little-endian.
    pub sha256: [u8; 32],
}

impl MapVersion {
    /// The length of the note, in bytes: header, name and descriptor.
    pub const NOTE_LEN: usize = 64;
    /// The length of the note with an all-zero header behind it, in bytes. The kernel ends the notes of each `PT_NOTE` so, and a
    /// capture kernel looks for it.
    pub const ENDED_LEN: usize = Self::NOTE_LEN.saturating_add(HEADER_LEN);

    /// Writes the note to the front of `buf` and answers with its length in bytes ([`NOTE_LEN`](Self::NOTE_LEN)).
    ///
    /// # Errors
    /// [`Error::BufferTooSmall`].
    pub fn encode(&self, endian: Endian, buf: &mut [u8]) -> Result<usize, Error> {
        let mut desc = [0; DESC_LEN];
        let mut fields = FieldWriter::new(&mut desc, Layout { endian, class: Class::Bits64 }, DESC_LEN)?;
        fields.u64(self.epoch)?;
        fields.bytes(&self.sha256)?;
        fields.finish();
        encode(NAME, NT_KCAPTURE_MAP_VERSION, &desc, endian, buf)
    }

    /// As [`encode`](Self::encode), with the header of zeros behind it: what a `PT_NOTE` of its own refers to.
    ///
    /// # Errors
    /// [`Error::BufferTooSmall`].
    pub fn encode_ended(&self, endian: Endian) -> Result<[u8; Self::ENDED_LEN], Error> {
        let mut ended = [0; Self::ENDED_LEN];
        self.encode(endian, &mut ended)?;
        Ok(ended)
    }

    /// Reads the version in `note` from `input`, a file of this byte order. What a later library adds to the descriptor is passed over.
    ///
    /// # Errors
    /// [`Error::Unsupported`] for another kind of note; [`Error::Corrupt`] where the descriptor is too short or cut off;
    /// [`Error::Io`] from `input`.
    pub fn read(note: &Note, input: &dyn ReadAt, endian: Endian) -> Result<Self, Error> {
        if note.kind() != NoteKind::MapVersion {
            return Err(Error::Unsupported { field: Field::NoteHeader, value: u64::from(note.n_type) });
        }
        let corrupt = Error::Corrupt { field: Field::NoteDesc, offset: note.desc_offset };
        let mut desc = [0; DESC_LEN];
        if usize::try_from(note.desc_len).is_ok_and(|len| len < DESC_LEN) {
            return Err(corrupt);
        }
        fields::read(input, Field::NoteDesc, note.desc_offset, &mut desc)?;
        Self::parse_at(&desc, endian, note.desc_offset)
    }

    /// Reads the descriptor `desc`, of a file of this byte order. What a later library adds to it is passed over.
    ///
    /// # Errors
    /// [`Error::Corrupt`] where it ends early.
    pub fn parse(desc: &[u8], endian: Endian) -> Result<Self, Error> {
        Self::parse_at(desc, endian, 0)
    }

    fn parse_at(desc: &[u8], endian: Endian, offset: u64) -> Result<Self, Error> {
        let layout = Layout { endian, class: Class::Bits64 };
        let mut fields = FieldReader::new(desc, layout, Field::NoteDesc, offset);
        let epoch = fields.u64()?;
        let corrupt = Error::Corrupt { field: Field::NoteDesc, offset };
        let sha256 = fields.bytes(32)?.try_into().map_err(|_| corrupt)?;
        Ok(Self { epoch, sha256 })
    }
}

#[cfg(test)]
mod tests {
    extern crate std;

    use super::super::{NoteRegion, Notes};
    use super::*;
    use std::vec::Vec;

    fn walk(bytes: &[u8], endian: Endian) -> Vec<Result<Note, Error>> {
        let region = NoteRegion { offset: 0, len: bytes.len() as u64, align: 4 };
        Notes::new(&bytes, region, endian).collect()
    }

    #[test]
    fn a_note_of_hand_laid_bytes_in_both_orders() {
        let version = MapVersion { epoch: 0x0102_0304_0506_0708, sha256: [0xd5; 32] };
        let little =
            [&b"\x09\0\0\0\x28\0\0\0\x01\0CKKCAPTURE\0\0\0\0"[..], b"\x08\x07\x06\x05\x04\x03\x02\x01"];
        let big = [&b"\0\0\0\x09\0\0\0\x28KC\0\x01KCAPTURE\0\0\0\0"[..], b"\x01\x02\x03\x04\x05\x06\x07\x08"];
        for (endian, head) in [(Endian::Little, little), (Endian::Big, big)] {
            let mut buf = [0xaa; 65];
            assert_eq!(version.encode(endian, &mut buf), Ok(MapVersion::NOTE_LEN));
            assert_eq!(buf[..64], [&head.concat()[..], &[0xd5; 32]].concat());
            assert_eq!(buf[64], 0xaa);
            let note = walk(&buf[..64], endian)[0].unwrap();
            assert_eq!(note.kind(), NoteKind::MapVersion);
            assert_eq!(MapVersion::read(&note, &&buf[..64], endian), Ok(version));
            let ended = version.encode_ended(endian).unwrap();
            assert_eq!(ended, [&buf[..64], &[0; 12]].concat()[..]);
            assert_eq!(walk(&ended, endian), [Ok(note)]);
            for short in 0..64 {
                let error = Err(Error::BufferTooSmall { needed: 64 });
                assert_eq!(version.encode(endian, &mut buf[..short]), error);
            }
            assert_eq!(MapVersion::parse(&ended[24..], endian), Ok(version));
            for short in 0..40 {
                let cut = MapVersion::parse(&ended[24..24 + short], endian);
                assert!(matches!(cut, Err(Error::Corrupt { field: Field::NoteDesc, .. })), "{short}");
            }
            // A file that ends inside the note, and a descriptor that is too short.
            for short in 24..64 {
                let cut = MapVersion::read(&note, &&buf[..short], endian);
                assert!(matches!(cut, Err(Error::Corrupt { field: Field::NoteDesc, .. })), "{short}");
                let mut less = note;
                less.desc_len = short as u32 - 24;
                let corrupt = Err(Error::Corrupt { field: Field::NoteDesc, offset: 24 });
                assert_eq!(MapVersion::read(&less, &&buf[..64], endian), corrupt);
            }
            let mut other = note;
            other.n_type = 2;
            let unsupported = Err(Error::Unsupported { field: Field::NoteHeader, value: 2 });
            assert_eq!(MapVersion::read(&other, &&buf[..64], endian), unsupported);
        }
    }
}
