//! Notes of a dump: found one after the other, and read.

use core::ffi::c_char;

use vmcore_format::elf::CoreNotes;
use vmcore_format::note::{DeviceDump, Note, NoteKind, NoteRegion, Notes};
use vmcore_format::{Endian, Error, ReadAt};

use crate::callback::{kcap_read_at, reader};
use crate::elf::kcap_elf_core;
use crate::error::{answer, kcap_error};
use crate::kdump::kcap_kdump;
use crate::machine::endian;
use crate::ptr;
use crate::status::{Failure, KCAP_END, KCAP_ERR_NOT_FOUND, KCAP_ERR_STATE, kcap_status};

/// Another note; copy it or skip it.
pub const KCAP_NOTE_OTHER: u32 = 0;
/// A CPU's registers: "CORE", `NT_PRSTATUS`. See `kcap_prstatus_parse`.
pub const KCAP_NOTE_PRSTATUS: u32 = 1;
/// The kernel's facts about itself: "VMCOREINFO". See `kcap_vmcoreinfo_init`.
pub const KCAP_NOTE_VMCOREINFO: u32 = 2;
/// The same of the Xen hypervisor: `VMCOREINFO_XEN`.
pub const KCAP_NOTE_VMCOREINFO_XEN: u32 = 3;
/// Facts about the Xen hypervisor. See `kcap_xen_crash_info_parse`.
pub const KCAP_NOTE_XEN_CRASH_INFO: u32 = 4;
/// A CPU's control registers under Xen. See `kcap_xen_crash_regs_parse`.
pub const KCAP_NOTE_XEN_CRASH_REGS: u32 = 5;
/// A virtual CPU's state: "QEMU", type 0. See `kcap_qemu_cpu_state_parse`.
pub const KCAP_NOTE_QEMU_CPU_STATE: u32 = 6;
/// A device driver's dump: "LINUX", `NT_VMCOREDD`. See `kcap_notes_get_device_dump`.
pub const KCAP_NOTE_DEVICE_DUMP: u32 = 7;
/// makedumpfile's log of erased data, text: "ERASEINFO".
pub const KCAP_NOTE_ERASEINFO: u32 = 8;
/// The memory map that the header was made of: "KCAPTURE", `KCAP_NT_MAP_NOTE`. See `kcap_map_note_parse`.
pub const KCAP_NOTE_MAP_VERSION: u32 = 9;

const fn kind_number(kind: NoteKind) -> u32 {
    match kind {
        NoteKind::Prstatus => KCAP_NOTE_PRSTATUS,
        NoteKind::VmcoreInfo => KCAP_NOTE_VMCOREINFO,
        NoteKind::VmcoreInfoXen => KCAP_NOTE_VMCOREINFO_XEN,
        NoteKind::XenCrashInfo => KCAP_NOTE_XEN_CRASH_INFO,
        NoteKind::XenCrashRegs => KCAP_NOTE_XEN_CRASH_REGS,
        NoteKind::QemuCpuState => KCAP_NOTE_QEMU_CPU_STATE,
        NoteKind::DeviceDump => KCAP_NOTE_DEVICE_DUMP,
        NoteKind::EraseInfo => KCAP_NOTE_ERASEINFO,
        NoteKind::MapVersion => KCAP_NOTE_MAP_VERSION,
        _ => KCAP_NOTE_OTHER,
    }
}

/// A walk over the notes of a dump, in file order.
#[derive(Debug)]
pub struct kcap_notes {
    walk: Walk,
    source: Source,
    note: Option<Note>,
}

#[derive(Debug)]
#[expect(clippy::large_enum_variant, reason = "the caller's memory has room for either")]
enum Walk {
    None,
    Core(CoreNotes<'static>),
    Region(Notes<'static>),
}

/// The file that the notes stand in.
struct Source(Option<&'static dyn ReadAt>);

impl core::fmt::Debug for Source {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("Source")
    }
}

impl kcap_notes {
    fn of_region(input: &'static dyn ReadAt, region: NoteRegion, endian: Endian) -> Self {
        let walk = Walk::Region(Notes::new(input, region, endian));
        Self { walk, source: Source(Some(input)), note: None }
    }

    fn step(&mut self) -> Option<Result<Note, Error>> {
        match &mut self.walk {
            Walk::None => None,
            Walk::Core(notes) => notes.next(),
            Walk::Region(notes) => notes.next(),
        }
    }

    /// The note that the walk stands at, and its file.
    fn current(&self) -> Result<(&Note, &'static dyn ReadAt), Failure> {
        Ok(self.note.as_ref().zip(self.source.0).ok_or(KCAP_ERR_STATE)?)
    }
}

/// The size of a `kcap_notes`, in bytes.
#[unsafe(no_mangle)]
pub extern "C" fn kcap_notes_size() -> usize {
    size_of::<kcap_notes>()
}

/// What the address of a `kcap_notes` must be a multiple of.
#[unsafe(no_mangle)]
pub extern "C" fn kcap_notes_align() -> usize {
    align_of::<kcap_notes>()
}

/// Starts before the first note of `core`, whose input and table are used for as long as the object is, in the `notes_len` bytes
/// at `notes`. `error` may be NULL.
///
/// Errors: `KCAP_ERR_BUFFER_TOO_SMALL`, `KCAP_ERR_NULL`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kcap_notes_init_elf(
    notes: *mut kcap_notes,
    notes_len: usize,
    core: *const kcap_elf_core,
    error: *mut kcap_error,
) -> kcap_status {
    answer(error, || {
        let place = ptr::object(notes, notes_len)?;
        let core = ptr::get(core)?.core;
        place.put(kcap_notes {
            walk: Walk::Core(core.notes()),
            source: Source(Some(core.input())),
            note: None,
        });
        Ok(())
    })
}

/// Starts before the first note of `kdump`, whose inputs are used for as long as the object is, in the `notes_len` bytes at
/// `notes`. Files before version 4 have none. `error` may be NULL.
///
/// Errors: `KCAP_ERR_BUFFER_TOO_SMALL`, `KCAP_ERR_NULL`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kcap_notes_init_kdump(
    notes: *mut kcap_notes,
    notes_len: usize,
    kdump: *const kcap_kdump,
    error: *mut kcap_error,
) -> kcap_status {
    answer(error, || {
        let place = ptr::object(notes, notes_len)?;
        let file = &ptr::get(kdump)?.file;
        let found = file.notes().and_then(|(part, region)| Some((file.parts().get(part)?.input(), region)));
        place.put(match found {
            Some((input, region)) => {
                let region = NoteRegion { offset: region.offset, len: region.len, align: 4 };
                kcap_notes::of_region(input, region, file.layout().endian)
            }
            None => kcap_notes { walk: Walk::None, source: Source(None), note: None },
        });
        Ok(())
    })
}

/// Starts before the first note in the `len` bytes that start `offset` bytes into `input`, which is used for as long as the object
/// is, in the `notes_len` bytes at `notes`. `align` is `p_align` of the `PT_NOTE`, 0 if unknown. `error` may be NULL.
///
/// Errors: `KCAP_ERR_BUFFER_TOO_SMALL`, `KCAP_ERR_INVALID`, `KCAP_ERR_NULL`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kcap_notes_init_region(
    notes: *mut kcap_notes,
    notes_len: usize,
    input: *const kcap_read_at,
    offset: u64,
    len: u64,
    align: u64,
    big_endian: u32,
    error: *mut kcap_error,
) -> kcap_status {
    answer(error, || {
        let place = ptr::object(notes, notes_len)?;
        let input = reader(input)?;
        let endian = endian(big_endian)?;
        place.put(kcap_notes::of_region(input, NoteRegion { offset, len, align }, endian));
        Ok(())
    })
}

/// Bytes of the name in a `kcap_note`, its NUL among them.
pub const KCAP_NOTE_NAME_LEN: usize = 24;

/// One note: its header, and where its descriptor stands.
#[derive(Debug, Clone, Copy)]
#[repr(C)]
pub struct kcap_note {
    /// Where the note's header starts, in bytes from the start of the file.
    pub offset: u64,
    /// Where the descriptor starts, in bytes from the start of the file.
    pub desc_offset: u64,
    /// `n_descsz`: the length of the descriptor in bytes.
    pub desc_len: u32,
    /// `n_type`, whose meaning depends on the name.
    pub n_type: u32,
    /// `n_namesz`: the length of the name with its NUL, in bytes.
    pub n_namesz: u32,
    /// What the note is: one of the `KCAP_NOTE_` numbers.
    pub kind: u32,
    /// The name, cut after 16 characters; `n_namesz` tells whether it was.
    pub name: [c_char; KCAP_NOTE_NAME_LEN],
}

impl From<&Note> for kcap_note {
    fn from(note: &Note) -> Self {
        Self {
            offset: note.offset,
            desc_offset: note.desc_offset,
            desc_len: note.desc_len,
            n_type: note.n_type,
            n_namesz: note.n_namesz,
            kind: kind_number(note.kind()),
            name: ptr::chars(note.name()),
        }
    }
}

/// Goes to the next note and writes it to `note`. `error` may be NULL.
///
/// After an error the walk goes on with the next region of notes, if there is one: call until `KCAP_END`.
///
/// Errors: `KCAP_END` after the last note, `KCAP_ERR_CORRUPT`, `KCAP_ERR_UNSUPPORTED`, `KCAP_ERR_IO`, `KCAP_ERR_NULL`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kcap_notes_next(
    notes: *mut kcap_notes,
    note: *mut kcap_note,
    error: *mut kcap_error,
) -> kcap_status {
    answer(error, || {
        let notes = ptr::get_mut(notes)?;
        let place = ptr::out(note)?;
        let found = notes.step();
        notes.note = found.as_ref().and_then(|found| found.as_ref().ok()).copied();
        place.put((&found.ok_or(KCAP_END)??).into());
        Ok(())
    })
}

/// Reads the descriptor of the note that the walk stands at, `desc_len` bytes, to the front of the `buf_len` bytes at `buf`,
/// whose content is unspecified after an error. `error` may be NULL.
///
/// Errors: `KCAP_ERR_STATE` (before the first and after the last note), `KCAP_ERR_BUFFER_TOO_SMALL`, `KCAP_ERR_CORRUPT` (the file
/// ends before), `KCAP_ERR_IO`, `KCAP_ERR_NULL`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kcap_notes_read(
    notes: *const kcap_notes,
    buf: *mut u8,
    buf_len: usize,
    error: *mut kcap_error,
) -> kcap_status {
    answer(error, || {
        let notes = ptr::get(notes)?;
        let buf = ptr::slice_mut(buf, buf_len)?;
        let (note, input) = notes.current()?;
        note.read_desc(input, buf)?;
        Ok(())
    })
}

/// A device driver's dump. Its data may be hundreds of MiB and stay in the file.
#[derive(Debug, Clone, Copy)]
#[repr(C)]
pub struct kcap_device_dump {
    /// Where the data starts, in bytes from the start of the file.
    pub data_offset: u64,
    /// The length of the data in bytes.
    pub data_len: u32,
    /// What the driver calls the dump.
    pub name: [c_char; 44],
}

/// Writes the head of the device dump that the walk stands at to `dump`. `error` may be NULL.
///
/// Errors: `KCAP_ERR_STATE` (before the first and after the last note), `KCAP_ERR_NOT_FOUND` (the note is no device dump),
/// `KCAP_ERR_CORRUPT`, `KCAP_ERR_IO`, `KCAP_ERR_NULL`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kcap_notes_get_device_dump(
    notes: *const kcap_notes,
    dump: *mut kcap_device_dump,
    error: *mut kcap_error,
) -> kcap_status {
    answer(error, || {
        let (note, input) = ptr::get(notes)?.current()?;
        let place = ptr::out(dump)?;
        if note.kind() != NoteKind::DeviceDump {
            return Err(KCAP_ERR_NOT_FOUND.into());
        }
        let found = DeviceDump::read(note, input)?;
        let (data_offset, data_len) = (found.data_offset, found.data_len);
        place.put(kcap_device_dump { data_offset, data_len, name: ptr::chars(found.name()) });
        Ok(())
    })
}

#[cfg(test)]
mod tests;
