//! The walk over a region of notes.

use super::{
    NT_KCAPTURE_MAP_VERSION, NT_PRSTATUS, NT_VMCOREDD, XEN_ELFNOTE_CRASH_INFO, XEN_ELFNOTE_CRASH_REGS,
};
use crate::fields::{self, FieldReader, too_small};
use crate::{Class, Endian, Error, Field, Layout, ReadAt};
use core::fmt;

/// `n_namesz`, `n_descsz`, `n_type`.
pub(super) const HEADER_LEN: u64 = 12;
const NAME_LEN: usize = 16;
/// The notes that are read ahead to find out how they are padded.
const MOST_TRIED: usize = 1 << 12;

/// A region of notes in a file: the bytes of a PT_NOTE, or of a kdump-compressed file's `offset_note`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NoteRegion {
    /// Where the region starts, in bytes from the start of the file.
    pub offset: u64,
    /// Its length in bytes.
    pub len: u64,
    /// `p_align` of its PT_NOTE, in bytes; 0 where none is known. See [`Notes`] for what it decides.
    pub align: u64,
}

/// One note: its header, and where its descriptor stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Note {
    /// `n_type`, whose meaning depends on the name.
    pub n_type: u32,
    /// `n_namesz`: the length of the name with its NUL, in bytes.
    pub n_namesz: u32,
    /// Where the note's header starts, in bytes from the start of the file.
    pub offset: u64,
    /// Where the descriptor starts, in bytes from the start of the file.
    pub desc_offset: u64,
    /// `n_descsz`: the length of the descriptor in bytes.
    pub desc_len: u32,
    name: [u8; NAME_LEN],
}

/// What a note is, by its name and `n_type`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum NoteKind {
    /// A CPU's registers, read by [`Prstatus`](super::Prstatus): "CORE", `NT_PRSTATUS`.
    Prstatus,
    /// The kernel's facts about itself, read by [`VmcoreInfo`](crate::vmcoreinfo::VmcoreInfo): "VMCOREINFO".
    VmcoreInfo,
    /// The same of the Xen hypervisor: `VMCOREINFO_XEN`.
    VmcoreInfoXen,
    /// Facts about the Xen hypervisor, read by [`XenCrashInfo`](super::XenCrashInfo).
    XenCrashInfo,
    /// A CPU's control registers under Xen, read by [`XenCrashRegs`](super::XenCrashRegs).
    XenCrashRegs,
    /// A virtual CPU's state, read by [`QemuCpuState`](super::QemuCpuState): "QEMU", type 0.
    QemuCpuState,
    /// A device driver's dump, read by [`DeviceDump`](super::DeviceDump): "LINUX", `NT_VMCOREDD`.
    DeviceDump,
    /// makedumpfile's log of erased data, text: "ERASEINFO".
    EraseInfo,
    /// The version of the memory map that the header was made of, read by [`MapVersion`](super::MapVersion): "KCAPTURE",
    /// `NT_KCAPTURE_MAP_VERSION`.
    MapVersion,
    /// Another note; copy it or skip it.
    Other,
}

impl Note {
    /// The name without its NUL, cut after 16 bytes; [`n_namesz`](Self::n_namesz) tells whether it was.
    #[must_use]
    pub fn name(&self) -> &[u8] {
        let held = usize::try_from(self.n_namesz).unwrap_or(NAME_LEN).min(NAME_LEN);
        let name = self.name.get(..held).unwrap_or_default();
        name.split(|&byte| byte == 0).next().unwrap_or_default()
    }

    /// What the note is.
    #[must_use]
    pub fn kind(&self) -> NoteKind {
        match (self.name(), self.n_type) {
            (b"CORE", NT_PRSTATUS) => NoteKind::Prstatus,
            (b"VMCOREINFO", _) => NoteKind::VmcoreInfo,
            (b"VMCOREINFO_XEN", _) => NoteKind::VmcoreInfoXen,
            (b"Xen", XEN_ELFNOTE_CRASH_INFO) => NoteKind::XenCrashInfo,
            (b"Xen", XEN_ELFNOTE_CRASH_REGS) => NoteKind::XenCrashRegs,
            (b"QEMU", 0) => NoteKind::QemuCpuState,
            (b"LINUX", NT_VMCOREDD) => NoteKind::DeviceDump,
            (b"ERASEINFO", _) => NoteKind::EraseInfo,
            (b"KCAPTURE", NT_KCAPTURE_MAP_VERSION) => NoteKind::MapVersion,
            _ => NoteKind::Other,
        }
    }

    /// Reads the descriptor into the front of `buf` and answers with these bytes.
    ///
    /// # Errors
    /// [`Error::BufferTooSmall`]; [`Error::Corrupt`] where a known end of `input` cuts the descriptor off;
    /// [`Error::Io`] from `input`.
    pub fn read_desc<'b>(&self, input: &dyn ReadAt, buf: &'b mut [u8]) -> Result<&'b mut [u8], Error> {
        let len = usize::try_from(self.desc_len).unwrap_or(usize::MAX);
        let desc = buf.get_mut(..len).ok_or_else(|| too_small(len))?;
        fields::read(input, Field::NoteDesc, self.desc_offset, desc)?;
        Ok(desc)
    }
}

/// The notes of one region, in order, read from the file one header at a time.
///
/// Name and descriptor are padded to 4 bytes, as Linux, Xen and QEMU do in both classes. Only where `p_align` is 8
/// and the region makes no sense that way is it read with 8-byte padding, as the gABI has it for class 64.
///
/// An all-zero header ends the region: the kernel ends each CPU's note buffer so, and the rest is unused.
/// A header that contradicts the region's length is [`Error::Corrupt`], and the iterator is then at its end.
#[derive(Clone)]
pub struct Notes<'a> {
    input: &'a dyn ReadAt,
    endian: Endian,
    next: u64,
    end: u64,
    align: Align,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Align {
    Bytes4,
    Bytes8,
    /// To be found out: `p_align` says 8.
    Unknown,
}

impl<'a> Notes<'a> {
    /// The notes of `region` of `input`, whose headers have byte order `endian`.
    #[must_use]
    pub fn new(input: &'a dyn ReadAt, region: NoteRegion, endian: Endian) -> Self {
        let align = if region.align == 8 { Align::Unknown } else { Align::Bytes4 };
        let end = region.offset.saturating_add(region.len);
        Self { input, endian, next: region.offset, end, align }
    }

    /// Whether the rest of the region (its first few thousand notes) holds whole notes and nothing else when padded to
    /// `align`.
    fn makes_sense(&self, align: Align) -> bool {
        Self { align, ..self.clone() }.take(MOST_TRIED).all(|note| note.is_ok())
    }

    fn padded(&self, len: u64) -> u64 {
        let mask = if self.align == Align::Bytes8 { 7 } else { 3_u64 };
        len.saturating_add(mask) & !mask
    }

    fn read_next(&mut self) -> Result<Option<Note>, Error> {
        let left = self.end.saturating_sub(self.next);
        if left < HEADER_LEN {
            return self.read_rest(left);
        }
        let mut bytes = [0; 12];
        fields::read(self.input, Field::NoteHeader, self.next, &mut bytes)?;
        if bytes == [0; 12] {
            return Ok(None);
        }
        let layout = Layout { endian: self.endian, class: Class::Bits64 };
        let mut header = FieldReader::new(&bytes, layout, Field::NoteHeader, self.next);
        let (n_namesz, n_descsz, n_type) = (header.u32()?, header.u32()?, header.u32()?);
        self.place(n_namesz, n_descsz, n_type, left).map(Some)
    }

    /// Checks that name and descriptor lie in the `left` bytes of the region, reads the name and steps over both.
    fn place(&mut self, n_namesz: u32, n_descsz: u32, n_type: u32, left: u64) -> Result<Note, Error> {
        let offset = self.next;
        let unpadded_name_end = HEADER_LEN.saturating_add(u64::from(n_namesz));
        if unpadded_name_end > left {
            return Err(Error::Corrupt { field: Field::NNamesz, offset });
        }
        let desc = self.padded(unpadded_name_end);
        let desc_end = desc.saturating_add(u64::from(n_descsz));
        // Padding may be missing at the very end, an empty descriptor needs none before it either.
        if desc_end > left && n_descsz != 0 {
            return Err(Error::Corrupt { field: Field::NDescsz, offset });
        }
        let mut name = [0; NAME_LEN];
        let held = usize::try_from(n_namesz).unwrap_or(NAME_LEN).min(NAME_LEN);
        let buf = name.get_mut(..held).unwrap_or_default();
        fields::read(self.input, Field::NNamesz, offset.saturating_add(HEADER_LEN), buf)?;
        self.next = offset.saturating_add(self.padded(desc_end)).min(self.end);
        let desc_offset = offset.saturating_add(desc);
        Ok(Note { n_type, n_namesz, offset, desc_offset, desc_len: n_descsz, name })
    }

    /// The end of a region is padding if it is too short for a header.
    fn read_rest(&self, left: u64) -> Result<Option<Note>, Error> {
        let mut bytes = [0; 12];
        let rest = usize::try_from(left).ok().and_then(|left| bytes.get_mut(..left)).unwrap_or_default();
        fields::read(self.input, Field::NoteHeader, self.next, rest)?;
        if rest.iter().all(|&byte| byte == 0) {
            Ok(None)
        } else {
            Err(Error::Corrupt { field: Field::NoteHeader, offset: self.next })
        }
    }
}

impl Iterator for Notes<'_> {
    type Item = Result<Note, Error>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.align == Align::Unknown {
            let only_8 = !self.makes_sense(Align::Bytes4) && self.makes_sense(Align::Bytes8);
            self.align = if only_8 { Align::Bytes8 } else { Align::Bytes4 };
        }
        if self.next >= self.end {
            return None;
        }
        let note = self.read_next().transpose();
        if !matches!(note, Some(Ok(_))) {
            self.next = self.end;
        }
        note
    }
}

impl fmt::Debug for Notes<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Notes")
            .field("endian", &self.endian)
            .field("next", &self.next)
            .field("end", &self.end)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    extern crate std;

    use super::*;
    use std::vec::Vec;

    /// A note by hand: `n_namesz` and `n_descsz` as given, name and descriptor as they come.
    fn raw(n_namesz: u32, n_descsz: u32, n_type: u32, rest: &[u8]) -> Vec<u8> {
        let words = [n_namesz, n_descsz, n_type].map(u32::to_le_bytes);
        [words.as_flattened(), rest].concat()
    }

    fn walk(bytes: &[u8], align: u64) -> Vec<Result<Note, Error>> {
        let region = NoteRegion { offset: 0, len: bytes.len() as u64, align };
        Notes::new(&bytes, region, Endian::Little).collect()
    }

    fn corrupt(field: Field, offset: u64) -> Result<Note, Error> {
        Err(Error::Corrupt { field, offset })
    }

    fn places(notes: &[Result<Note, Error>]) -> Vec<(u64, u32)> {
        notes.iter().map(|note| note.unwrap()).map(|note| (note.desc_offset, note.desc_len)).collect()
    }

    #[test]
    fn names_and_types_make_the_kind() {
        let kinds: [(&[u8], u32, NoteKind); 14] = [
            (b"CORE\0\0\0\0", 1, NoteKind::Prstatus),
            (b"CORE\0\0\0\0", 2, NoteKind::Other),
            (b"VMCOREINFO\0\0", 0, NoteKind::VmcoreInfo),
            (b"VMCOREINFO_XEN\0\0", 0, NoteKind::VmcoreInfoXen),
            (b"Xen\0", 0x100_0001, NoteKind::XenCrashInfo),
            (b"Xen\0", 0x100_0002, NoteKind::XenCrashRegs),
            (b"Xen\0", 18, NoteKind::Other),
            (b"QEMU\0\0\0\0", 0, NoteKind::QemuCpuState),
            (b"LINUX\0\0\0", 0x700, NoteKind::DeviceDump),
            (b"LINUX\0\0\0", 0x300, NoteKind::Other),
            (b"ERASEINFO\0\0\0", 0, NoteKind::EraseInfo),
            (b"KCAPTURE\0\0\0\0", 0x4b43_0001, NoteKind::MapVersion),
            (b"KCAPTURE\0\0\0\0", 1, NoteKind::Other),
            (b"VMCOREINFO_XENON", 0, NoteKind::Other),
        ];
        for (name, n_type, kind) in kinds {
            let note = walk(&raw(name.len() as u32, 0, n_type, name), 4)[0].unwrap();
            assert_eq!((note.kind(), note.n_type), (kind, n_type), "{:?}", note.name());
        }
    }

    #[test]
    fn a_long_name_is_cut_and_skipped_right() {
        let name = [b'n'; 1001];
        let first = raw(1001, 2, 5, &[&name[..], b"\0\0\0", b"ab\0\0"].concat());
        let bytes = [first, raw(1, 1, 6, b"\0\0\0\0z\0\0\0")].concat();
        let notes = walk(&bytes, 0);
        assert_eq!(places(&notes), [(12 + 1004, 2), (12 + 1008 + 16, 1)]);
        let first = notes[0].unwrap();
        assert_eq!((first.name(), first.n_namesz), (&[b'n'; 16][..], 1001));
        let mut buf = [0; 2];
        assert_eq!(first.read_desc(&bytes.as_slice(), &mut buf).unwrap(), b"ab");
        let small = first.read_desc(&bytes.as_slice(), &mut buf[..1]);
        assert_eq!(small, Err(Error::BufferTooSmall { needed: 2 }));
        assert_eq!(notes[1].unwrap().name(), b"");
    }

    #[test]
    fn a_zero_header_ends_the_region() {
        let core = raw(5, 4, 1, b"CORE\0\0\0\0desc");
        assert_eq!(walk(&[&core[..], &[0; 12], &core].concat(), 4).len(), 1);
        // Zeros too short for a header, as QEMU and the kernel leave them at the end.
        for rest in 1..12 {
            assert_eq!(walk(&[&core[..], &[0; 11][..rest]].concat(), 4).len(), 1);
            let odd = [&core[..], &[0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1][12 - rest..]].concat();
            assert_eq!(walk(&odd, 4)[1], corrupt(Field::NoteHeader, 24));
        }
        // A note without a name is a note.
        assert_eq!(places(&walk(&raw(0, 4, 0, b"desc"), 4)), [(12, 4)]);
        assert!(walk(&[], 4).is_empty());
    }

    #[test]
    fn lengths_past_the_region_are_corrupt() {
        let good = raw(5, 4, 1, b"CORE\0\0\0\0desc");
        let cases = [
            (Field::NNamesz, raw(9, 0, 1, b"CORE\0\0\0\0")),
            (Field::NNamesz, raw(u32::MAX, u32::MAX, 1, b"CORE\0\0\0\0")),
            (Field::NNamesz, raw(1, 0, 0, b"")),
            (Field::NDescsz, raw(5, 5, 1, b"CORE\0\0\0\0desc")),
            (Field::NDescsz, raw(5, u32::MAX, 1, b"CORE\0\0\0\0desc")),
            (Field::NDescsz, raw(0, 1, 0, b"")),
        ];
        for (field, bad) in cases {
            let notes = walk(&[&good[..], &bad].concat(), 4);
            assert_eq!(places(&notes[..1]), [(20, 4)]);
            assert_eq!(notes[1..], [corrupt(field, 24)]);
        }
    }

    #[test]
    fn every_cut_ends_in_an_error_or_at_a_note() {
        let whole = [raw(5, 4, 1, b"CORE\0\0\0\0desc"), raw(11, 3, 0, b"VMCOREINFO\0\0A=1\0")].concat();
        for len in 0..=whole.len() {
            let notes = walk(&whole[..len], 4);
            // Without the padding at its end the second note is still whole.
            let (good, bad) = match len {
                0 => (0, 0),
                1..24 => (0, 1),
                24 => (1, 0),
                25..51 => (1, 1),
                _ => (2, 0),
            };
            assert_eq!(notes.iter().filter(|note| note.is_ok()).count(), good, "{len}");
            assert_eq!(notes.len(), good + bad, "{len}");
        }
        // The region goes on where the file ends: headers that are there are listed, cut descriptors do not read.
        let file = &whole[..48];
        let region = NoteRegion { offset: 0, len: 52, align: 4 };
        let notes: Vec<_> = Notes::new(&file, region, Endian::Little).collect();
        assert_eq!(places(&notes), [(20, 4), (48, 3)]);
        let cut = notes[1].unwrap().read_desc(&file, &mut [0; 3]).map(|_| ());
        assert_eq!(cut, Err(Error::Corrupt { field: Field::NoteDesc, offset: 48 }));
    }

    #[test]
    fn p_align_8_is_believed_only_where_it_fits() {
        let by_4 = [raw(5, 4, 1, b"CORE\0\0\0\0desc"), raw(11, 3, 0, b"VMCOREINFO\0\0A=1\0")].concat();
        let by_8 = [
            raw(5, 4, 1, b"CORE\0\0\0\0\0\0\0\0desc\0\0\0\0"),
            raw(11, 3, 0, b"VMCOREINFO\0\0A=1\0\0\0\0\0"),
        ]
        .concat();
        assert_eq!(places(&walk(&by_4, 8)), [(20, 4), (48, 3)]);
        assert_eq!(places(&walk(&by_8, 8)), [(24, 4), (56, 3)]);
        assert_eq!(places(&walk(&by_8, 4)[..1]), [(20, 4)]);
        // Neither fits: read as Linux writes.
        let broken = [&by_4[..], b"?"].concat();
        let notes = walk(&broken, 8);
        assert_eq!(places(&notes[..2]), [(20, 4), (48, 3)]);
        assert_eq!(notes[2], corrupt(Field::NoteHeader, 52));
    }

    #[test]
    fn a_region_at_the_end_of_the_address_space_is_no_trap() {
        let bytes: &[u8] = &[0; 64];
        for (offset, len) in [(u64::MAX, u64::MAX), (u64::MAX - 5, 5), (60, u64::MAX), (u64::MAX - 12, 20)] {
            let region = NoteRegion { offset, len, align: 8 };
            assert!(Notes::new(&bytes, region, Endian::Big).count() <= 1);
        }
        let region = NoteRegion { offset: 0, len: u64::MAX, align: 4 };
        assert_eq!(Notes::new(&bytes, region, Endian::Big).count(), 0);
    }
}
