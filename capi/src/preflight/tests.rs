use core::ptr::null_mut;
use std::ffi::CString;
use std::string::{String, ToString};
use std::vec::Vec;

use super::*;
use crate::status::{KCAP_ERR_BUFFER_TOO_SMALL, KCAP_ERR_INVALID, KCAP_OK};

const NO_MACHINE: kcap_preflight = {
    // SAFETY: all zeros are a value of the struct: that is what `Growing` asks.
    let zeros: kcap_preflight = unsafe { core::mem::zeroed() };
    kcap_preflight { size: size_of::<kcap_preflight>(), ..zeros }
};

fn process(pid: u32, parent: u32, command: &'static core::ffi::CStr, active: u32) -> kcap_process {
    let (command, unit) = (command.as_ptr(), null());
    kcap_process { command, unit, locked: 0, pinned: 0, pid, parent, active, reserved: 0 }
}

fn file(pid: u32, path: &'static core::ffi::CStr) -> kcap_open_file {
    let kind = KCAP_FILE_OTHER;
    kcap_open_file { path: path.as_ptr(), pid, kind, major: 0, minor: 0, preserved: 0, reserved: 0 }
}

/// What a sink was told: process, verdict, managed, remedy.
type Told = Vec<(u32, u32, u32, String)>;

unsafe extern "C" fn tell(ctx: *mut c_void, finding: *const kcap_finding) -> i32 {
    let (told, finding) = (ptr::get_mut(ctx.cast::<Told>()).unwrap(), ptr::get(finding).unwrap());
    let remedy = core::str::from_utf8(ptr::text(finding.remedy.as_ptr()).unwrap()).unwrap();
    let pid = ptr::get(finding.process).map_or(0, |process| process.pid);
    told.push((pid, finding.verdict, finding.managed, remedy.to_string()));
    0
}

unsafe extern "C" fn refuse(_: *mut c_void, _: *const kcap_finding) -> i32 {
    -7
}

fn run(machine: &kcap_preflight, purpose: u32) -> (kcap_status, u32, Told) {
    let mut told = Told::new();
    let sink = kcap_finding_sink { ctx: (&raw mut told).cast(), found: Some(tell) };
    let mut work = [0_u64; 512];
    let mut verdict = u32::MAX;
    let (memory, len) = (work.as_mut_ptr().cast(), size_of_val(&work));
    // SAFETY: every pointer is to something that lives for the call.
    let status = unsafe {
        kcap_preflight_check(machine, purpose, memory, len, &raw const sink, &raw mut verdict, null_mut())
    };
    (status, verdict, told)
}

/// The field report of AIX: of both that hold `/dev/kmem` the one that the SRC did not start blocks.
#[test]
fn what_the_service_manager_did_not_start_blocks() {
    let processes = [
        process(1, 0, c"init", 0),
        process(3_146_084, 1, c"srcmstr", 0),
        process(3_670_514, 3_146_084, c"syslogd", 1),
        process(5_308_846, 1, c"sendmail: Queue runner", 0),
        process(5_505_494, 3_146_084, c"portmap", 1),
        process(5_833_208, 3_146_084, c"sendmail: accepting connections", 1),
    ];
    let files = [file(5_308_846, c"/dev/kmem"), file(5_833_208, c"/dev/kmem")];
    let machine = kcap_preflight {
        processes: processes.as_ptr(),
        process_count: processes.len(),
        files: files.as_ptr(),
        file_count: files.len(),
        known: KCAP_KNOWN_SERVICE_MANAGER,
        service_manager: 3_146_084,
        checkpoint: 1,
        ..NO_MACHINE
    };
    let (status, verdict, told) = run(&machine, KCAP_FOR_LIVE_UPDATE);
    assert_eq!((status, verdict), (KCAP_OK, KCAP_VERDICT_BLOCK));
    let stop = "stop it (kill 5308846) or run it under the service manager".to_string();
    let manager = "have the service manager stop it, and start it again after".to_string();
    assert_eq!(told, [(5_308_846, KCAP_VERDICT_BLOCK, 0, stop), (5_833_208, KCAP_VERDICT_WARN, 1, manager)]);
}

#[test]
fn what_a_machine_says_goes_through() {
    let name = CString::new("/var/crash").unwrap();
    let segments = [kcap_span { start: 0, end: 16 }];
    let machine = kcap_preflight {
        crash_segments: segments.as_ptr(),
        crash_segment_count: 1,
        removable: segments.as_ptr(),
        removable_count: 1,
        target: name.as_ptr(),
        known: KCAP_KNOWN_CRASH_SIZE | KCAP_KNOWN_LIMIT_PANIC,
        has_kexec: KCAP_SAID_YES,
        crash_loaded: KCAP_SAID_NO,
        load_disabled: KCAP_SAID_YES,
        locked_down: KCAP_SAID_NO,
        unseen: 4,
        ..NO_MACHINE
    };
    let (status, verdict, told) = run(&machine, KCAP_FOR_KDUMP);
    assert_eq!((status, verdict), (KCAP_OK, KCAP_VERDICT_BLOCK));
    let verdicts: Vec<u32> = told.iter().map(|told| told.1).collect();
    // No image, no reservation, removable memory, loading switched off, limit reached, target unreachable, unseen.
    assert_eq!(verdicts, [3, 3, 2, 3, 3, 3, 1]);
    assert_eq!(run(&NO_MACHINE, KCAP_FOR_KEXEC), (KCAP_OK, KCAP_VERDICT_OK, Told::new()));
}

#[test]
fn what_cannot_be_is_refused() {
    assert_eq!(run(&NO_MACHINE, 3).0, KCAP_ERR_INVALID);
    let processes = [process(1, 0, c"init\xff", 0)];
    let machine = kcap_preflight { processes: processes.as_ptr(), process_count: 1, ..NO_MACHINE };
    assert_eq!(run(&machine, KCAP_FOR_KEXEC).0, KCAP_ERR_INVALID);
    let files = [kcap_open_file { kind: 9, ..file(1, c"/dev/mem") }];
    let machine = kcap_preflight { files: files.as_ptr(), file_count: 1, ..NO_MACHINE };
    assert_eq!(run(&machine, KCAP_FOR_KEXEC).0, KCAP_ERR_INVALID);
    let machine = kcap_preflight { files: files.as_ptr(), file_count: 1000, ..NO_MACHINE };
    assert_eq!(run(&machine, KCAP_FOR_KEXEC).0, KCAP_ERR_BUFFER_TOO_SMALL);
    let sink = kcap_finding_sink { ctx: null_mut(), found: Some(refuse) };
    let (mut verdict, machine) = (7, kcap_preflight { unseen: 1, ..NO_MACHINE });
    // SAFETY: every pointer is to something that lives for the call.
    let status = unsafe {
        kcap_preflight_check(
            &raw const machine,
            0,
            null_mut(),
            0,
            &raw const sink,
            &raw mut verdict,
            null_mut(),
        )
    };
    assert_eq!((status, verdict), (KCAP_ERR_IO, 7));
}
