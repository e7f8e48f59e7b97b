use std::fs;

use kexec_core::preflight::{Check, Purpose, Verdict, check};

use super::*;

/// A copy of a machine with two that read `/proc/kcore`.
fn copy() -> PathBuf {
    let root = std::env::temp_dir().join(format!("kcapture-preflight-{}", std::process::id()));
    let put = |path: &str, text: &str| {
        let path = root.join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    };
    put("proc/iomem", "00001000-3fffffff : System RAM\n  30000000-37ffffff : Crash kernel\n");
    put("proc/meminfo", "MemTotal:        1000 kB\nHugetlb:          500 kB\n");
    put("proc/cmdline", "crashkernel=128M crashkernel=64M,cma\n");
    put("proc/sys/kernel/osrelease", "6.12.1\n");
    put("proc/sys/kernel/kexec_load_limit_panic", "0\n");
    put("sys/kernel/kexec_crash_loaded", "1\n");
    put("sys/kernel/kexec_crash_size", "134217728\n");
    put("sys/kernel/security/lockdown", "none [integrity] confidentiality\n");
    put("sys/devices/system/memory/block_size_bytes", "8000000\n");
    put("sys/devices/system/memory/memory6/valid_zones", "Movable\n");
    put("sys/devices/system/memory/memory5/valid_zones", "Normal\n");
    put("run/systemd/system/x", "");
    put("run/systemd/units/invocation:reader.service", "");
    for (pid, cgroup) in
        [("1", "/init.scope"), ("20", "/system.slice/reader.service"), ("3", "/user.slice/session-1.scope")]
    {
        put(&format!("proc/{pid}/status"), "Name:\treader\nPPid:\t1\n");
        put(&format!("proc/{pid}/cgroup"), &format!("0::{cgroup}\n"));
        let fd = root.join(format!("proc/{pid}/fd"));
        fs::create_dir_all(&fd).unwrap();
        std::os::unix::fs::symlink("/proc/kcore", fd.join("3")).unwrap();
    }
    put("proc/99/comm", "gone\n");
    note_map(&root, [7; 32]).unwrap();
    root
}

#[test]
fn a_machine_is_collected() {
    let root = copy();
    let machine = Machine::collect(&root, Memory::read(&root), Wanted::default());
    fs::remove_dir_all(&root).unwrap();
    let told = |purpose| {
        machine.with_snapshot(|snapshot| {
            let mut told = Vec::new();
            check(snapshot, purpose, &mut |finding| {
                let pid = finding.process.map(|process| process.pid);
                told.push((finding.check, finding.verdict, pid, finding.owner.unit().map(str::to_owned)));
            });
            told
        })
    };
    let of_machine = |check, verdict| (check, verdict, None, None);
    let reader = Some("reader.service".to_owned());
    assert_eq!(
        told(Purpose::LiveUpdate),
        [
            of_machine(Check::CrashImage, Verdict::Ok),
            of_machine(Check::Reservation, Verdict::Info),
            of_machine(Check::MemoryMap, Verdict::Warn),
            of_machine(Check::Loading, Verdict::Block),
            of_machine(Check::LiveUpdate, Verdict::Warn),
            of_machine(Check::Kho, Verdict::Block),
            of_machine(Check::HugePages, Verdict::Warn),
            (Check::OpenFile, Verdict::Warn, Some(1), None),
            (Check::OpenFile, Verdict::Warn, Some(3), None),
            (Check::OpenFile, Verdict::Info, Some(20), reader),
        ]
    );
    assert_eq!(
        told(Purpose::Kdump).first_chunk(),
        Some(&[
            of_machine(Check::CrashImage, Verdict::Ok),
            of_machine(Check::Reservation, Verdict::Info),
            of_machine(Check::MemoryMap, Verdict::Block),
            of_machine(Check::RemovableMemory, Verdict::Warn),
            of_machine(Check::Loading, Verdict::Info),
            of_machine(Check::Loading, Verdict::Info),
        ])
    );
}

#[test]
fn a_machine_that_shows_nothing_is_no_error() {
    let root = Path::new("/no/such/folder");
    let machine = Machine::collect(root, Memory::read(root), Wanted::default());
    assert_eq!(machine.process_count(), 0);
    machine.with_snapshot(|snapshot| {
        let mut checks = Vec::new();
        check(snapshot, Purpose::Kexec, &mut |finding| checks.push((finding.check, finding.verdict)));
        assert_eq!(checks, [(Check::Loading, Verdict::Block)]);
    });
}

#[test]
fn kexec_without_crash_support_is_no_crash_kernel() {
    let root = std::env::temp_dir().join(format!("kcapture-no-crash-{}", std::process::id()));
    fs::create_dir_all(root.join("sys/kernel")).unwrap();
    fs::write(root.join("sys/kernel/kexec_loaded"), "0\n").unwrap();
    let machine = Machine::collect(&root, Memory::read(&root), Wanted::default());
    fs::remove_dir_all(&root).unwrap();
    machine.with_snapshot(|snapshot| {
        let mut checks = Vec::new();
        let verdict = check(snapshot, Purpose::Kdump, &mut |finding| checks.push(finding.check));
        assert_eq!((verdict, checks), (Verdict::Block, vec![Check::CrashImage]));
    });
}
