//! Whether a machine is ready for a crash, a kexec or a live update: rules over what the caller collected.

use core::ffi::{c_char, c_void};
use core::fmt::{self, Write as _};
use core::ptr::null;

use kexec_core::map::Span;
use kexec_core::preflight::{
    Check, Facts, FileKind, Finding, Kho, LiveUpdateDevice, OpenFile, Process, Purpose, Snapshot, Target,
    Verdict, check, ram_digest,
};

use crate::error::{answer, kcap_error};
use crate::map::{kcap_memory_map, kcap_span};
use crate::ptr::{self, Growing, Work, room};
use crate::status::{Failure, KCAP_ERR_IO, KCAP_ERR_NULL, io, kcap_status};
use crate::text::utf8;

/// A crash: the kernel that was loaded for it captures the machine's memory.
pub const KCAP_FOR_KDUMP: u32 = 0;
/// Leaving the running kernel for another one; processes end.
pub const KCAP_FOR_KEXEC: u32 = 1;
/// The same, with memory and devices handed over.
pub const KCAP_FOR_LIVE_UPDATE: u32 = 2;

/// As it should be.
pub const KCAP_VERDICT_OK: u32 = 0;
/// Worth knowing.
pub const KCAP_VERDICT_INFO: u32 = 1;
/// Something will be lost, or may go wrong.
pub const KCAP_VERDICT_WARN: u32 = 2;
/// What is about to be done cannot work, or is not safe.
pub const KCAP_VERDICT_BLOCK: u32 = 3;

/// Is a crash kernel loaded?
pub const KCAP_CHECK_CRASH_IMAGE: u32 = 1;
/// Is enough memory set aside for it?
pub const KCAP_CHECK_RESERVATION: u32 = 2;
/// Does it know the memory that there is?
pub const KCAP_CHECK_MEMORY_MAP: u32 = 3;
/// Can memory of a kernel be taken away?
pub const KCAP_CHECK_REMOVABLE_MEMORY: u32 = 4;
/// May a kernel be loaded?
pub const KCAP_CHECK_LOADING: u32 = 5;
/// Who has special files open?
pub const KCAP_CHECK_OPEN_FILE: u32 = 6;
/// Who locks or pins memory?
pub const KCAP_CHECK_LOCKED_MEMORY: u32 = 7;
/// How much memory is in pools of huge pages?
pub const KCAP_CHECK_HUGE_PAGES: u32 = 8;
/// Is `/dev/liveupdate` free?
pub const KCAP_CHECK_LIVE_UPDATE: u32 = 9;
/// Is kexec handover on?
pub const KCAP_CHECK_KHO: u32 = 10;
/// Can the dump be written?
pub const KCAP_CHECK_DUMP_TARGET: u32 = 11;
/// Could every process be looked at?
pub const KCAP_CHECK_UNSEEN: u32 = 12;
/// Another question, of a newer library.
pub const KCAP_CHECK_OTHER: u32 = 255;

/// The machine does not say it.
pub const KCAP_NOT_SAID: u32 = 0;
/// It says no.
pub const KCAP_SAID_NO: u32 = 1;
/// It says yes.
pub const KCAP_SAID_YES: u32 = 2;

/// Bits of `kcap_preflight.known`: `crash_size` is known.
pub const KCAP_KNOWN_CRASH_SIZE: u32 = 1;
/// `crash_least` and `crash_safe` are.
pub const KCAP_KNOWN_CRASH_NEEDS: u32 = 2;
/// `map_loaded` is.
pub const KCAP_KNOWN_MAP_LOADED: u32 = 4;
/// `map_now` is.
pub const KCAP_KNOWN_MAP_NOW: u32 = 8;
/// `limit_panic` is.
pub const KCAP_KNOWN_LIMIT_PANIC: u32 = 0x10;
/// `limit_reboot` is.
pub const KCAP_KNOWN_LIMIT_REBOOT: u32 = 0x20;
/// `ram` and `hugetlb` are.
pub const KCAP_KNOWN_RAM: u32 = 0x40;
/// `kho_scratch` is.
pub const KCAP_KNOWN_KHO_SCRATCH: u32 = 0x80;
/// `target_free` is: else the folder cannot be reached.
pub const KCAP_KNOWN_TARGET_FREE: u32 = 0x100;
/// `dump_least` and `dump_most` are.
pub const KCAP_KNOWN_DUMP_NEEDS: u32 = 0x200;
/// `service_manager` is.
pub const KCAP_KNOWN_SERVICE_MANAGER: u32 = 0x400;

/// A process.
#[derive(Debug, Clone, Copy)]
#[repr(C)]
pub struct kcap_process {
    /// Its name or command line, in UTF-8.
    pub command: *const c_char,
    /// The service it belongs to, in UTF-8, where that is known (on Linux by its cgroup); else NULL. A login session is none.
    pub unit: *const c_char,
    /// Memory that must not be swapped out, in bytes.
    pub locked: u64,
    /// Memory that must not move, in bytes.
    pub pinned: u64,
    /// Its number.
    pub pid: u32,
    /// Its parent's number, 0 for none.
    pub parent: u32,
    /// Not 0: the service manager lists `unit`, or without one the process itself, as active.
    pub active: u32,
    /// 0.
    pub reserved: u32,
}

/// An open file is neither of the next two.
pub const KCAP_FILE_OTHER: u32 = 0;
/// It is a character device.
pub const KCAP_FILE_CHAR_DEVICE: u32 = 1;
/// It lies on `hugetlbfs`.
pub const KCAP_FILE_HUGETLB: u32 = 2;

/// A file that a process has open.
#[derive(Debug, Clone, Copy)]
#[repr(C)]
pub struct kcap_open_file {
    /// Its path in UTF-8, as `/proc/PID/fd` links to it.
    pub path: *const c_char,
    /// The process.
    pub pid: u32,
    /// What it is: a `KCAP_FILE_` number.
    pub kind: u32,
    /// Of a device: the driver's number.
    pub major: u32,
    /// Of a device: its own.
    pub minor: u32,
    /// Not 0: a live-update session keeps it.
    pub preserved: u32,
    /// 0.
    pub reserved: u32,
}

/// Bytes of a SHA-256 digest of a map of RAM.
pub const KCAP_RAM_DIGEST_LEN: usize = 32;

/// A machine at one moment. Set `size`; members of 0 say nothing.
#[derive(Debug, Clone, Copy)]
#[repr(C)]
pub struct kcap_preflight {
    /// `sizeof(kcap_preflight)`.
    pub size: usize,
    /// All processes, in the order of their numbers.
    pub processes: *const kcap_process,
    /// How many.
    pub process_count: usize,
    /// Files that they have open; those that are not special may be left out.
    pub files: *const kcap_open_file,
    /// How many.
    pub file_count: usize,
    /// Where a crash kernel is loaded: what is set aside for it.
    pub crash_segments: *const kcap_span,
    /// How many.
    pub crash_segment_count: usize,
    /// Where an ordinary kernel will be, as far as it is known.
    pub segments: *const kcap_span,
    /// How many.
    pub segment_count: usize,
    /// Memory that may be taken away.
    pub removable: *const kcap_span,
    /// How many.
    pub removable_count: usize,
    /// The folder for dumps in UTF-8, or NULL.
    pub target: *const c_char,
    /// Bytes set aside for a crash kernel.
    pub crash_size: u64,
    /// Bytes that it needs at least.
    pub crash_least: u64,
    /// Bytes that it needs to be safe.
    pub crash_safe: u64,
    /// How often a crash kernel may still be loaded; -1: without limit.
    pub limit_panic: i64,
    /// How often an ordinary one may.
    pub limit_reboot: i64,
    /// Bytes of RAM.
    pub ram: u64,
    /// Bytes of all pools of huge pages.
    pub hugetlb: u64,
    /// Bytes that the next kernel starts in (KHO).
    pub kho_scratch: u64,
    /// Free bytes in `target`.
    pub target_free: u64,
    /// Bytes of a dump at `-d 31`, at least.
    pub dump_least: u64,
    /// Bytes of a dump at `-d 31`, at most.
    pub dump_most: u64,
    /// Processes whose open files could not be looked at.
    pub unseen: u64,
    /// SHA-256 of the map of RAM that the crash kernel was loaded with: `kcap_memory_map_ram_digest`.
    pub map_loaded: [u8; KCAP_RAM_DIGEST_LEN],
    /// SHA-256 of the map of RAM now.
    pub map_now: [u8; KCAP_RAM_DIGEST_LEN],
    /// `KCAP_KNOWN_` bits: which of the numbers above say something.
    pub known: u32,
    /// The process that starts and stops services: 1 where systemd runs.
    pub service_manager: u32,
    /// Not 0: processes are to go on in the next kernel, so that each must be one that can be checkpointed.
    pub checkpoint: u32,
    /// Whether the kernel has kexec: one of `KCAP_NOT_SAID`, `KCAP_SAID_NO`, `KCAP_SAID_YES`, as the following.
    pub has_kexec: u32,
    /// Whether a crash kernel is loaded.
    pub crash_loaded: u32,
    /// Whether an ordinary kernel is loaded.
    pub loaded: u32,
    /// Whether the kernel itself tells the crash kernel of memory that comes and goes (`crash_hotplug`).
    pub map_updated: u32,
    /// Whether loading is switched off (`kexec_load_disabled`).
    pub load_disabled: u32,
    /// Whether the kernel is locked down.
    pub locked_down: u32,
    /// Whether kexec handover is on.
    pub kho_on: u32,
    /// Whether what is handed over is complete.
    pub kho_finalized: u32,
    /// Whether there is a `/dev/liveupdate`.
    pub live_update: u32,
    /// Whether somebody has it.
    pub live_update_busy: u32,
    /// Not 0: a part of the reservation is lent to user space (`crashkernel=SIZE,cma`).
    pub crash_cma: u32,
    /// Not 0: `target` lies on an encrypted device.
    pub target_encrypted: u32,
    /// Not 0: the crash kernel is given the keys of it.
    pub target_keys: u32,
}

// SAFETY: `repr(C)`, begins with a `usize`, holds nothing but integers, and pointers that are sound as NULL.
unsafe impl Growing for kcap_preflight {}

/// Bytes of the texts of a `kcap_finding`, their NUL among them.
pub const KCAP_FINDING_TEXT: usize = 256;

/// One finding. Its pointers are those of the snapshot.
#[derive(Debug, Clone, Copy)]
#[repr(C)]
pub struct kcap_finding {
    /// The process it is about, of `kcap_preflight.processes`; NULL for none.
    pub process: *const kcap_process,
    /// The file it is about, not NUL-terminated, of `path_len` bytes.
    pub path: *const c_char,
    /// 0 for none.
    pub path_len: usize,
    /// The question: a `KCAP_CHECK_` number.
    pub check: u32,
    /// How bad it is: a `KCAP_VERDICT_` number.
    pub verdict: u32,
    /// 1: the service manager can stop the process and start it again.
    pub managed: u32,
    /// 0.
    pub reserved: u32,
    /// Why.
    pub reason: [c_char; KCAP_FINDING_TEXT],
    /// What to do; empty for nothing.
    pub remedy: [c_char; KCAP_FINDING_TEXT],
}

/// Who takes findings.
#[derive(Debug, Clone, Copy)]
#[repr(C)]
pub struct kcap_finding_sink {
    /// Given to the callback as it is.
    pub ctx: *mut c_void,
    /// Takes a finding, which is used until the callback returns: 0, or the caller's own code, after which it is called no more. May
    /// not be NULL.
    pub found: Option<unsafe extern "C" fn(ctx: *mut c_void, finding: *const kcap_finding) -> i32>,
}

/// The memory that `kcap_preflight_check` needs, in bytes.
#[unsafe(no_mangle)]
pub extern "C" fn kcap_preflight_work(process_count: usize, file_count: usize) -> usize {
    room::<Process<'static>>(process_count).saturating_add(room::<OpenFile<'static>>(file_count))
}

/// Looks at `machine` for a purpose, a `KCAP_FOR_` number: each finding goes to `sink`, and the worst verdict to `verdict`.
///
/// `work`, aligned to 8, has `kcap_preflight_work` bytes and no content that matters. `error` may be NULL.
///
/// Errors: `KCAP_ERR_INVALID` (purpose, kind of a file, a text that is not UTF-8), `KCAP_ERR_BUFFER_TOO_SMALL` (work), `KCAP_ERR_IO` (the
/// sink's own code), `KCAP_ERR_NULL`, `KCAP_ERR_LENGTH`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kcap_preflight_check(
    machine: *const kcap_preflight,
    purpose: u32,
    work: *mut c_void,
    work_len: usize,
    sink: *const kcap_finding_sink,
    verdict: *mut u32,
    error: *mut kcap_error,
) -> kcap_status {
    answer(error, || {
        let machine = ptr::read_growing(machine)?;
        let sink = *ptr::get(sink)?;
        let place = ptr::out(verdict)?;
        let take = sink.found.ok_or(KCAP_ERR_NULL)?;
        let purpose = match purpose {
            KCAP_FOR_KDUMP => Purpose::Kdump,
            KCAP_FOR_KEXEC => Purpose::Kexec,
            KCAP_FOR_LIVE_UPDATE => Purpose::LiveUpdate,
            other => return Err(Failure::invalid("purpose", other.into())),
        };
        let given = ptr::slice(machine.processes, machine.process_count)?;
        let needed = kcap_preflight_work(machine.process_count, machine.file_count);
        let mut work = Work::new(work, work_len, needed)?;
        let processes = processes(given, &mut work)?;
        let files = files(ptr::slice(machine.files, machine.file_count)?, &mut work)?;
        let facts = facts(&machine)?;
        let snapshot = Snapshot {
            facts: &facts,
            processes,
            files,
            service_manager: known(&machine, KCAP_KNOWN_SERVICE_MANAGER, machine.service_manager),
            checkpoint: machine.checkpoint != 0,
        };
        let mut code = 0;
        let worst = check(&snapshot, purpose, &mut |finding| {
            if code == 0 {
                let finding = described(finding, given);
                // SAFETY: whoever filled in the table vouches for the function; the finding is there until it returns.
                code = unsafe { take(sink.ctx, &raw const finding) };
            }
        });
        if code != 0 {
            return Err(io(KCAP_ERR_IO, code));
        }
        place.put(verdict_number(worst));
        Ok(())
    })
}

/// Writes a digest of the RAM of `map` that a dump holds to the `digest_len` bytes at `digest`, `KCAP_RAM_DIGEST_LEN` of them: the same for
/// the same RAM, however a source cuts its ranges.
///
/// Errors: `KCAP_ERR_BUFFER_TOO_SMALL`, `KCAP_ERR_NULL`, `KCAP_ERR_LENGTH`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kcap_memory_map_ram_digest(
    map: *const kcap_memory_map,
    digest: *mut u8,
    digest_len: usize,
) -> kcap_status {
    answer(core::ptr::null_mut(), || {
        let found = ram_digest(&ptr::get(map)?.map);
        let place = ptr::slice_mut(digest, digest_len)?;
        place.first_chunk_mut().map(|place| *place = found).ok_or(Failure::too_small(KCAP_RAM_DIGEST_LEN))
    })
}

fn processes(given: &[kcap_process], work: &mut Work) -> Result<&'static [Process<'static>], Failure> {
    let nobody = Process { pid: 0, parent: 0, command: "", unit: None, active: false, locked: 0, pinned: 0 };
    let table = work.table(given.len(), nobody)?;
    for (to, from) in table.iter_mut().zip(given) {
        let unit = if from.unit.is_null() { None } else { Some(utf8(from.unit, "unit")?) };
        *to = Process {
            pid: from.pid,
            parent: from.parent,
            command: utf8(from.command, "command")?,
            unit,
            active: from.active != 0,
            locked: from.locked,
            pinned: from.pinned,
        };
    }
    Ok(table)
}

fn files(given: &[kcap_open_file], work: &mut Work) -> Result<&'static [OpenFile<'static>], Failure> {
    let none = OpenFile { pid: 0, path: "", kind: FileKind::Other, preserved: false };
    let table = work.table(given.len(), none)?;
    for (to, from) in table.iter_mut().zip(given) {
        let kind = match from.kind {
            KCAP_FILE_OTHER => FileKind::Other,
            KCAP_FILE_CHAR_DEVICE => FileKind::CharDevice { major: from.major, minor: from.minor },
            KCAP_FILE_HUGETLB => FileKind::Hugetlb,
            other => return Err(Failure::invalid("kind", other.into())),
        };
        *to =
            OpenFile { pid: from.pid, path: utf8(from.path, "path")?, kind, preserved: from.preserved != 0 };
    }
    Ok(table)
}

fn known<T>(machine: &kcap_preflight, bit: u32, value: T) -> Option<T> {
    (machine.known & bit != 0).then_some(value)
}

/// What was said: nothing for any other number too.
const fn said(answer: u32) -> Option<bool> {
    match answer {
        KCAP_SAID_NO => Some(false),
        KCAP_SAID_YES => Some(true),
        _ => None,
    }
}

fn spans(spans: *const kcap_span, count: usize) -> Result<&'static [Span], Failure> {
    ptr::slice(spans.cast::<Span>(), count)
}

fn facts(machine: &kcap_preflight) -> Result<Facts<'static>, Failure> {
    let target = if machine.target.is_null() {
        None
    } else {
        Some(Target {
            path: utf8(machine.target, "target")?,
            free: known(machine, KCAP_KNOWN_TARGET_FREE, machine.target_free),
            needs: known(machine, KCAP_KNOWN_DUMP_NEEDS, (machine.dump_least, machine.dump_most)),
            encrypted: machine.target_encrypted != 0,
            keys: machine.target_keys != 0,
        })
    };
    let live_update = match (said(machine.live_update), said(machine.live_update_busy)) {
        (Some(false), _) => Some(LiveUpdateDevice::Absent),
        (_, Some(true)) => Some(LiveUpdateDevice::Busy),
        (_, Some(false)) => Some(LiveUpdateDevice::Free),
        _ => None,
    };
    Ok(Facts {
        has_kexec: said(machine.has_kexec),
        crash_loaded: said(machine.crash_loaded),
        crash_size: known(machine, KCAP_KNOWN_CRASH_SIZE, machine.crash_size),
        crash_needs: known(machine, KCAP_KNOWN_CRASH_NEEDS, (machine.crash_least, machine.crash_safe)),
        crash_cma: machine.crash_cma != 0,
        loaded: said(machine.loaded),
        map_loaded: known(machine, KCAP_KNOWN_MAP_LOADED, machine.map_loaded),
        map_now: known(machine, KCAP_KNOWN_MAP_NOW, machine.map_now),
        map_updated: said(machine.map_updated),
        crash_segments: spans(machine.crash_segments, machine.crash_segment_count)?,
        segments: spans(machine.segments, machine.segment_count)?,
        removable: spans(machine.removable, machine.removable_count)?,
        load_disabled: said(machine.load_disabled),
        limit_panic: known(machine, KCAP_KNOWN_LIMIT_PANIC, machine.limit_panic),
        limit_reboot: known(machine, KCAP_KNOWN_LIMIT_REBOOT, machine.limit_reboot),
        locked_down: said(machine.locked_down),
        ram: known(machine, KCAP_KNOWN_RAM, machine.ram),
        hugetlb: known(machine, KCAP_KNOWN_RAM, machine.hugetlb),
        live_update,
        kho: Kho {
            on: said(machine.kho_on),
            finalized: said(machine.kho_finalized),
            scratch: known(machine, KCAP_KNOWN_KHO_SCRATCH, machine.kho_scratch),
        },
        target,
        unseen: machine.unseen,
    })
}

const fn verdict_number(verdict: Verdict) -> u32 {
    match verdict {
        Verdict::Ok => KCAP_VERDICT_OK,
        Verdict::Info => KCAP_VERDICT_INFO,
        Verdict::Warn => KCAP_VERDICT_WARN,
        Verdict::Block => KCAP_VERDICT_BLOCK,
    }
}

const fn check_number(check: Check) -> u32 {
    match check {
        Check::CrashImage => KCAP_CHECK_CRASH_IMAGE,
        Check::Reservation => KCAP_CHECK_RESERVATION,
        Check::MemoryMap => KCAP_CHECK_MEMORY_MAP,
        Check::RemovableMemory => KCAP_CHECK_REMOVABLE_MEMORY,
        Check::Loading => KCAP_CHECK_LOADING,
        Check::OpenFile => KCAP_CHECK_OPEN_FILE,
        Check::LockedMemory => KCAP_CHECK_LOCKED_MEMORY,
        Check::HugePages => KCAP_CHECK_HUGE_PAGES,
        Check::LiveUpdate => KCAP_CHECK_LIVE_UPDATE,
        Check::Kho => KCAP_CHECK_KHO,
        Check::DumpTarget => KCAP_CHECK_DUMP_TARGET,
        Check::Unseen => KCAP_CHECK_UNSEEN,
        _ => KCAP_CHECK_OTHER,
    }
}

fn described(finding: &Finding<'_>, given: &[kcap_process]) -> kcap_finding {
    let process = finding.process.and_then(|process| given.iter().find(|given| given.pid == process.pid));
    kcap_finding {
        process: process.map_or(null(), core::ptr::from_ref),
        path: finding.path.as_ptr().cast(),
        path_len: finding.path.len(),
        check: check_number(finding.check),
        verdict: verdict_number(finding.verdict),
        managed: finding.owner.is_managed().into(),
        reserved: 0,
        reason: text(&finding.reason),
        remedy: text(&finding.remedy),
    }
}

/// Bytes of a text, as many as there is room for.
struct Cut {
    bytes: [u8; KCAP_FINDING_TEXT],
    len: usize,
}

impl fmt::Write for Cut {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let free = self.bytes.iter_mut().skip(self.len);
        free.zip(text.bytes()).for_each(|(to, from)| *to = from);
        self.len = self.len.saturating_add(text.len());
        Ok(())
    }
}

fn text(what: &dyn fmt::Display) -> [c_char; KCAP_FINDING_TEXT] {
    let mut cut = Cut { bytes: [0; KCAP_FINDING_TEXT], len: 0 };
    // It takes every text.
    let _ = write!(cut, "{what}");
    ptr::chars(&cut.bytes)
}

#[cfg(test)]
mod tests;
