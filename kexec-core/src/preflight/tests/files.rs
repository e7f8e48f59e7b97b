//! The table of special files, as the field report's analysis has it.

use std::string::ToString;
use std::vec::Vec;

use super::*;

const PURPOSES: [Purpose; 3] = [Purpose::Kdump, Purpose::Kexec, Purpose::LiveUpdate];

/// One process with one file, for each purpose; `None` where nothing is said.
fn verdicts(file: OpenFile<'_>, unit: Option<&str>, checkpoint: bool) -> [Option<Verdict>; 3] {
    let processes = [SYSTEMD, process(file.pid, 1, "holder", unit)];
    let facts = Facts::default();
    let files = [file];
    PURPOSES.map(|purpose| {
        let snapshot = Snapshot {
            facts: &facts,
            processes: &processes,
            files: &files,
            service_manager: Some(1),
            checkpoint,
        };
        let all = found(&snapshot, purpose);
        assert!(all.len() < 2);
        all.first().map(|finding| finding.verdict)
    })
}

const fn device(major: u32, minor: u32) -> OpenFile<'static> {
    let kind = FileKind::CharDevice { major, minor };
    OpenFile { pid: 7, path: "/dev/by-another-name", kind, preserved: false }
}

#[test]
fn the_table_is_the_references() {
    let (info, warn, block) = (Some(Verdict::Info), Some(Verdict::Warn), Some(Verdict::Block));
    let memory = [info, warn, warn];
    for path in ["/dev/mem", "/dev/kmem", "/dev/port", "/dev/crash", "/proc/kcore", "/dev/dax0.0"] {
        assert_eq!(verdicts(file(7, path), None, false), memory, "{path}");
    }
    for (major, minor) in [(1, 1), (1, 2), (1, 4)] {
        assert_eq!(verdicts(device(major, minor), None, false), memory);
    }
    let devices = [
        "/dev/vfio/12",
        "/dev/vfio/devices/vfio0",
        "anon_inode:[vfio-device]",
        "/dev/iommu",
        "/dev/infiniband/uverbs0",
        "/dev/uio3",
        "anon_inode:kvm-vm",
    ];
    for path in devices {
        assert_eq!(verdicts(file(7, path), None, false), [info, warn, block], "{path}");
        let kept = OpenFile { preserved: true, ..file(7, path) };
        assert_eq!(verdicts(kept, None, false), [info, warn, Some(Verdict::Ok)], "{path}");
    }
    assert_eq!(verdicts(device(231, 192), None, false), [info, warn, block]);
    let shmem = file(7, "/memfd:buffer (deleted)");
    assert_eq!(verdicts(shmem, None, false), [None, None, Some(Verdict::Ok)]);
    let hugetlb = OpenFile { kind: FileKind::Hugetlb, ..shmem };
    for lost in [hugetlb, file(7, "/secretmem (deleted)"), OpenFile { preserved: true, ..hugetlb }] {
        assert_eq!(verdicts(lost, None, false), [None, None, block]);
    }
    assert_eq!(verdicts(file(7, "/dev/liveupdate"), None, false), [None, None, block]);
}

#[test]
fn ordinary_files_are_not_special() {
    let null = OpenFile { kind: FileKind::CharDevice { major: 1, minor: 3 }, ..file(7, "/dev/null") };
    let huge_file = OpenFile { kind: FileKind::Hugetlb, ..file(7, "/dev/hugepages/vm") };
    let secret = file(7, "/secretmem-data/x");
    for ordinary in [null, huge_file, secret, file(7, "/dev/memory"), file(7, "/home/dev/mem"), file(7, "")] {
        assert_eq!(ordinary.class(), None, "{ordinary:?}");
    }
}

#[test]
fn a_service_is_less_severe_than_a_process_of_nobody() {
    let unit = Some("reader.service");
    let (info, warn, block) = (Some(Verdict::Info), Some(Verdict::Warn), Some(Verdict::Block));
    assert_eq!(verdicts(file(7, "/dev/mem"), unit, false), [info, info, info]);
    assert_eq!(verdicts(file(7, "/dev/vfio/1"), unit, false), [info, info, warn]);
    assert_eq!(verdicts(file(7, "/dev/mem"), unit, true), [info, info, warn]);
    assert_eq!(verdicts(file(7, "/dev/mem"), None, true), [info, warn, block]);
}

#[test]
fn a_finding_names_the_process_the_unit_and_what_to_do() {
    let processes = [SYSTEMD, process(7, 1, "reader", Some("reader.service")), process(8, 1, "dd", None)];
    let files = [file(7, "/proc/kcore"), file(8, "/dev/mem"), file(9, "/dev/mem")];
    let facts = Facts::default();
    let snapshot = Snapshot {
        facts: &facts,
        processes: &processes,
        files: &files,
        service_manager: Some(1),
        checkpoint: false,
    };
    let told: Vec<_> = found(&snapshot, Purpose::LiveUpdate)
        .iter()
        .map(|it| {
            (it.process.map(|it| it.command), it.owner.unit(), it.path, it.verdict, it.remedy.to_string())
        })
        .collect();
    let by_hand = |pid: u32| std::format!("stop it (kill {pid}) or run it under the service manager");
    let unit = "systemctl stop reader.service".to_string();
    assert_eq!(
        told,
        [
            (Some("reader"), Some("reader.service"), "/proc/kcore", Verdict::Info, unit),
            (Some("dd"), None, "/dev/mem", Verdict::Warn, by_hand(8)),
            // It ended between the two looks.
            (None, None, "/dev/mem", Verdict::Warn, by_hand(9)),
        ]
    );
}

#[test]
fn locked_memory_counts_from_64_mib_and_pinned_memory_always() {
    let mut processes =
        [SYSTEMD, process(7, 1, "daemon", None), process(8, 1, "db", None), process(9, 1, "rdma", None)];
    processes[1].locked = (64 << 20) - 1;
    processes[2].locked = 64 << 20;
    processes[3].pinned = 4096;
    let facts = Facts::default();
    let snapshot = Snapshot {
        facts: &facts,
        processes: &processes,
        files: &[],
        service_manager: Some(1),
        checkpoint: false,
    };
    for (purpose, verdict) in PURPOSES.into_iter().zip([Verdict::Info, Verdict::Warn, Verdict::Warn]) {
        let all = found(&snapshot, purpose);
        let pids: Vec<u32> = all.iter().filter_map(|it| it.process).map(|it| it.pid).collect();
        assert_eq!(pids, [8, 9]);
        assert!(all.iter().all(|it| it.verdict == verdict));
    }
}
