//! The walk over a region of notes.

use super::{NT_PRSTATUS, NT_VMCOREDD, XEN_ELFNOTE_CRASH_INFO, XEN_ELFNOTE_CRASH_REGS};
use crate::fields::{self, FieldReader, too_small};
use crate::{Class, Endian, Error, Field, Layout, ReadAt};
use core::fmt;

/// `n_namesz`, `n_descsz`, `n_type`.
pub(super) const HEADER_LEN: u64 = 12;
const NAME_LEN: usize = 16;

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

    /// Whether the rest of the region holds whole notes and nothing else when padded to `align`.
    fn makes_sense(&self, align: Align) -> bool {
        Self { align, ..self.clone() }.all(|note| note.is_ok())
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
