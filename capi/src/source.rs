//! What an input says about the machine it came from.

use page_filter::Level;
use page_filter::dump::{NoteBytes, Source};
use vmcore_format::Pfn;
use vmcore_format::kdump::UtsName;
use vmcore_format::note::NoteRegion;

use crate::callback::{kcap_read_at, reader};
use crate::elf::kcap_elf_core;
use crate::error::{answer, kcap_error};
use crate::kdump::kcap_kdump;
use crate::machine::{big_endian, bits, e_machine, kcap_utsname, layout, page_size};
use crate::ptr::{self, Growing};
use crate::status::{Failure, KCAP_ERR_NOT_FOUND, kcap_status};
use crate::vmcoreinfo::kcap_vmcoreinfo;

/// Which kinds of pages a dump leaves out: makedumpfile's `-d` bits, with its meaning.
pub type kcap_level = u32;

/// Zero pages.
pub const KCAP_LEVEL_ZERO: kcap_level = 1;
/// Cache pages without `PG_private`.
pub const KCAP_LEVEL_CACHE: kcap_level = 2;
/// All cache pages. Implies `KCAP_LEVEL_CACHE`.
pub const KCAP_LEVEL_CACHE_PRIVATE: kcap_level = 4;
/// User pages.
pub const KCAP_LEVEL_USER: kcap_level = 8;
/// Free pages.
pub const KCAP_LEVEL_FREE: kcap_level = 16;
/// All of them.
pub const KCAP_LEVEL_ALL: kcap_level = 31;

pub(crate) fn level(bits: kcap_level) -> Result<Level, Failure> {
    let known = u8::try_from(bits).ok().and_then(Level::from_bits);
    known.ok_or(Failure::invalid("level", bits.into()))
}

pub(crate) fn level_bits(level: Level) -> kcap_level {
    level.bits().into()
}

/// What an input says about the machine, and what its dump repeats.
///
/// Threads may use one object at once: nothing of it changes after its init.
#[derive(Debug)]
pub struct kcap_source {
    pub(crate) source: Source<'static>,
}

/// The size of a `kcap_source`, in bytes.
#[unsafe(no_mangle)]
pub extern "C" fn kcap_source_size() -> usize {
    size_of::<kcap_source>()
}

/// What the address of a `kcap_source` must be a multiple of.
#[unsafe(no_mangle)]
pub extern "C" fn kcap_source_align() -> usize {
    align_of::<kcap_source>()
}

/// What `core` says, in the `source_len` bytes at `source`.
///
/// The VMCOREINFO is copied to the `text_len` bytes at `text` (a few KiB: 0x2000 do). `text` and the input and table of `core` are
/// used for as long as the object is; `core` itself is not. Without VMCOREINFO the page size is taken to be 4 KiB. Notes that are
/// corrupt end their region. `error` may be NULL.
///
/// Errors: `KCAP_ERR_BUFFER_TOO_SMALL` (bytes for `source`, or for `text`), `KCAP_ERR_CORRUPT`, `KCAP_ERR_IO`,
/// `KCAP_ERR_NULL`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kcap_source_init_elf(
    source: *mut kcap_source,
    source_len: usize,
    core: *const kcap_elf_core,
    text: *mut u8,
    text_len: usize,
    error: *mut kcap_error,
) -> kcap_status {
    answer(error, || {
        let place = ptr::object(source, source_len)?;
        let core = &ptr::get(core)?.core;
        place.put(kcap_source { source: Source::of_elf(core, ptr::slice_mut(text, text_len)?)? });
        Ok(())
    })
}

/// What `kdump` says, in the `source_len` bytes at `source`.
///
/// The VMCOREINFO is copied to the `text_len` bytes at `text` (a few KiB: 0x2000 do). `text` and the inputs of `kdump` are used
/// for as long as the object is; `kdump` itself is not. `error` may be NULL.
///
/// Errors: `KCAP_ERR_BUFFER_TOO_SMALL` (bytes for `source`, or for `text`), `KCAP_ERR_NULL`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kcap_source_init_kdump(
    source: *mut kcap_source,
    source_len: usize,
    kdump: *const kcap_kdump,
    text: *mut u8,
    text_len: usize,
    error: *mut kcap_error,
) -> kcap_status {
    answer(error, || {
        let place = ptr::object(source, source_len)?;
        let file = &ptr::get(kdump)?.file;
        place.put(kcap_source { source: Source::of_kdump(file, ptr::slice_mut(text, text_len)?)? });
        Ok(())
    })
}

/// What is known of a machine. Set `size` before the call.
#[derive(Debug, Clone, Copy)]
#[repr(C)]
pub struct kcap_source_facts {
    /// `sizeof(kcap_source_facts)`.
    pub size: usize,
    /// The page size of the machine in bytes.
    pub page_size: u64,
    /// The page frame after the highest one of memory: `max_mapnr`.
    pub end: u64,
    /// The size of all notes, in bytes.
    pub notes_len: u64,
    /// Where the VMCOREINFO text starts in the notes, in bytes.
    pub vmcoreinfo_offset: u64,
    /// When the machine crashed, in seconds since 1970; 0 if unknown.
    pub crash_time: i64,
    /// `phys_base` of x86_64 as a two's complement number, 0 elsewhere.
    pub phys_base: u64,
    /// The byte order of the machine: 1 for big-endian, 0 for little-endian.
    pub big_endian: u32,
    /// The bits of an address in the input: 32 or 64.
    pub bits: u32,
    /// The bits of the machine's `long`: 32-bit machines with much memory have 64-bit ELF headers.
    pub machine_bits: u32,
    /// `KCAP_EM_` number, 0 if unknown.
    pub e_machine: u32,
    /// `e_flags` of the input.
    pub e_flags: u32,
    /// The number of CPUs that left an `NT_PRSTATUS` note.
    pub nr_cpus: u32,
    /// `KCAP_LEVEL_` bits of what the input has left out already.
    pub left_out: kcap_level,
    /// 1 if the input says that it is not whole, or ends too early.
    pub incomplete: u32,
    /// 1 if there is VMCOREINFO.
    pub has_vmcoreinfo: u32,
    /// The number of the input's `PT_LOAD`s.
    pub loads: u32,
    /// The kernel's name.
    pub utsname: kcap_utsname,
    /// 0.
    pub reserved: [u8; 2],
}

// SAFETY: `repr(C)`, begins with a `usize`, holds nothing but integers.
unsafe impl Growing for kcap_source_facts {}

/// Writes what is known of the machine to `facts`. `error` may be NULL.
///
/// Errors: `KCAP_ERR_NULL`, `KCAP_ERR_LENGTH`, those of reading the program headers.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kcap_source_get_facts(
    source: *const kcap_source,
    facts: *mut kcap_source_facts,
    error: *mut kcap_error,
) -> kcap_status {
    answer(error, || {
        let source = &ptr::get(source)?.source;
        let place = ptr::out_growing(facts)?;
        place.put(&kcap_source_facts {
            size: 0,
            page_size: source.page_size.bytes(),
            end: source.end.0,
            notes_len: source.notes.size()?,
            vmcoreinfo_offset: source.vmcoreinfo_offset,
            crash_time: source.crash_time,
            phys_base: source.phys_base,
            big_endian: big_endian(source.layout.endian),
            bits: bits(source.layout.class),
            machine_bits: bits(source.machine_layout().class),
            e_machine: source.e_machine.into(),
            e_flags: source.e_flags,
            nr_cpus: source.nr_cpus,
            left_out: level_bits(source.left_out),
            incomplete: source.incomplete.into(),
            has_vmcoreinfo: source.vmcoreinfo.is_some().into(),
            loads: u32::try_from(source.loads.len()).unwrap_or(u32::MAX),
            utsname: (&source.utsname).into(),
            reserved: [0; 2],
        });
        Ok(())
    })
}

/// Says that the input of `source` is not whole, where the caller knows it and the input does not: a flattened stream without its
/// end (`kcap_flattened_facts.complete`), a file that was still being written. A dump of it is then marked as incomplete. Call it
/// before `source` is used.
///
/// Errors: `KCAP_ERR_NULL`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kcap_source_set_incomplete(source: *mut kcap_source) -> kcap_status {
    answer(core::ptr::null_mut(), || {
        ptr::get_mut(source)?.source.incomplete = true;
        Ok(())
    })
}

/// Makes an object for the VMCOREINFO of `source`, whose `text` it uses, in the `info_len` bytes at `info`.
///
/// Errors: `KCAP_ERR_NOT_FOUND` (there is none), `KCAP_ERR_BUFFER_TOO_SMALL`, `KCAP_ERR_NULL`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kcap_source_vmcoreinfo(
    source: *const kcap_source,
    info: *mut kcap_vmcoreinfo,
    info_len: usize,
) -> kcap_status {
    answer(core::ptr::null_mut(), || {
        let place = ptr::object(info, info_len)?;
        let info = ptr::get(source)?.source.vmcoreinfo.ok_or(KCAP_ERR_NOT_FOUND)?;
        place.put(kcap_vmcoreinfo { info });
        Ok(())
    })
}

/// The notes that a machine's own dump is to have: the `len` bytes that start `offset` bytes into `input`.
#[derive(Debug, Clone, Copy)]
#[repr(C)]
pub struct kcap_note_region {
    /// The file or memory that they stand in.
    pub input: *const kcap_read_at,
    /// Where they start, in bytes.
    pub offset: u64,
    /// Their length in bytes.
    pub len: u64,
    /// `p_align` of their `PT_NOTE`; 0 or 4 for those of `kcap_note_encode`.
    pub align: u64,
}

/// A machine of which the caller knows the facts, as who dumps its own memory does; in the `source_len` bytes at `source`.
///
/// Of `facts`, `bits` and `end` must be set. `page_size` 0, `crash_time` 0, `phys_base` 0, `nr_cpus` 0 and an empty `utsname.release`
/// mean what VMCOREINFO and the notes say (the page size 4 KiB if they do not). `machine_bits`, `notes_len`,
/// `vmcoreinfo_offset`, `has_vmcoreinfo` and `loads` are not looked at. `notes` may be NULL: there are none. `core`
/// may be NULL: the dump is of no ELF core, whose `PT_LOAD`s an ELF dump would repeat.
///
/// The VMCOREINFO of the notes is copied to the `text_len` bytes at `text`. `text`, the input of `notes`, and the input and table of
/// `core` are used for as long as the object is. `error` may be NULL.
///
/// Errors: `KCAP_ERR_BUFFER_TOO_SMALL` (bytes for `source`, or for `text`), `KCAP_ERR_INVALID`, `KCAP_ERR_NULL`,
/// `KCAP_ERR_LENGTH`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kcap_source_init(
    source: *mut kcap_source,
    source_len: usize,
    facts: *const kcap_source_facts,
    notes: *const kcap_note_region,
    core: *const kcap_elf_core,
    text: *mut u8,
    text_len: usize,
    error: *mut kcap_error,
) -> kcap_status {
    answer(error, || {
        let place = ptr::object(source, source_len)?;
        let facts = ptr::read_growing(facts)?;
        let text = ptr::slice_mut(text, text_len)?;
        let notes = if notes.is_null() {
            NoteBytes::None
        } else {
            let &kcap_note_region { input, offset, len, align } = ptr::get(notes)?;
            NoteBytes::Region(reader(input)?, NoteRegion { offset, len, align })
        };
        let mut base = Source::empty(layout(facts.big_endian, facts.bits)?, notes);
        base.e_machine = e_machine(facts.e_machine)?;
        base.e_flags = facts.e_flags;
        base.end = Pfn(facts.end);
        base.left_out = level(facts.left_out)?;
        base.incomplete = facts.incomplete != 0;
        if !core.is_null() {
            base.loads = ptr::get(core)?.core.loads();
        }
        let told = (facts.page_size != 0).then(|| page_size(facts.page_size)).transpose()?;
        let mut told_by_notes = base.with_notes(text)?;
        take_told(&mut told_by_notes, &facts);
        told_by_notes.page_size = told.unwrap_or(told_by_notes.page_size);
        place.put(kcap_source { source: told_by_notes });
        Ok(())
    })
}

/// What the caller knows counts more than what the notes say.
fn take_told(source: &mut Source<'static>, facts: &kcap_source_facts) {
    if facts.crash_time != 0 {
        source.crash_time = facts.crash_time;
    }
    if facts.phys_base != 0 {
        source.phys_base = facts.phys_base;
    }
    if facts.nr_cpus != 0 {
        source.nr_cpus = facts.nr_cpus;
    }
    if facts.utsname.release.first() != Some(&0) {
        source.utsname = UtsName::from(&facts.utsname);
    }
}

#[cfg(test)]
mod tests;
