//! IBM's example: `1020-154 Resource /dev/kmem is not checkpointable (pid: 5308846) (pname: sendmail)`.

use std::string::ToString;
use std::vec::Vec;

use super::*;

const SRCMSTR: u32 = 3_146_084;
const QUEUE_RUNNER: u32 = 5_308_846;
const ACCEPTING: u32 = 5_833_208;

/// The processes in the order of their numbers; `lssrc -a` lists those below the SRC as active.
fn processes(named: bool) -> [Process<'static>; 6] {
    let listed = |pid, command, unit| Process {
        active: true,
        unit: named.then_some(unit),
        ..process(pid, SRCMSTR, command, None)
    };
    [
        process(1, 0, "init", None),
        process(SRCMSTR, 1, "srcmstr", None),
        listed(3_670_514, "syslogd", "syslogd"),
        process(QUEUE_RUNNER, 1, "sendmail: Queue runner", None),
        listed(5_505_494, "portmap", "portmap"),
        listed(ACCEPTING, "sendmail: accepting connections", "sendmail"),
    ]
}

fn look(
    processes: &[Process<'static>; 6],
    checkpoint: bool,
) -> Vec<(u32, Verdict, std::string::String, std::string::String)> {
    let files = [file(QUEUE_RUNNER, "/dev/kmem"), file(ACCEPTING, "/dev/kmem")];
    let facts = Facts::default();
    let snapshot =
        Snapshot { facts: &facts, processes, files: &files, service_manager: Some(SRCMSTR), checkpoint };
    let all = found(&snapshot, Purpose::LiveUpdate);
    let row = |finding: &Finding<'_>| {
        assert_eq!((finding.check, finding.path), (Check::OpenFile, "/dev/kmem"));
        let pid = finding.process.unwrap().pid;
        (pid, finding.verdict, finding.reason.to_string(), finding.remedy.to_string())
    };
    all.iter().map(row).collect()
}

#[test]
fn what_the_service_manager_did_not_start_blocks() {
    for named in [false, true] {
        let rows = look(&processes(named), true);
        let [(queue, worst, _, stop), (accepting, lesser, why, managed)] = rows.as_slice() else {
            panic!("{rows:?}")
        };
        assert_eq!((*queue, *worst), (QUEUE_RUNNER, Verdict::Block));
        assert_eq!(stop, "stop it (kill 5308846) or run it under the service manager");
        assert_eq!((*accepting, *lesser), (ACCEPTING, Verdict::Warn));
        assert!(why.ends_with("the service manager can stop and start it again"), "{why}");
        let expected = if named {
            "systemctl stop sendmail"
        } else {
            "have the service manager stop it, and start it again after"
        };
        assert_eq!(managed, expected);
    }
}

#[test]
fn where_processes_just_end_nothing_blocks() {
    let verdicts: Vec<Verdict> = look(&processes(false), false).iter().map(|row| row.1).collect();
    assert_eq!(verdicts, [Verdict::Warn, Verdict::Info]);
}

#[test]
fn a_service_that_is_not_listed_as_active_owns_nothing() {
    let mut processes = processes(true);
    processes[5].active = false;
    assert!(look(&processes, true).iter().all(|row| row.1 == Verdict::Block));
}

#[test]
fn a_process_that_the_manager_did_not_start_is_not_its_own() {
    let mut processes = processes(false);
    processes[3].active = true;
    assert_eq!(look(&processes, true)[0].1, Verdict::Block);
    // A grandchild is.
    processes[5].parent = 5_505_494;
    assert_eq!(look(&processes, true)[1].1, Verdict::Warn);
}

#[test]
fn parents_that_run_in_a_circle_have_no_end_and_no_manager() {
    let mut processes = processes(false);
    processes[3] = Process { active: true, parent: ACCEPTING, ..processes[3] };
    processes[5].parent = QUEUE_RUNNER;
    assert!(look(&processes, true).iter().all(|row| row.1 == Verdict::Block));
}
