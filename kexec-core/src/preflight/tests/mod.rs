mod aix;
mod files;
mod machine;

use std::vec::Vec;

use super::*;

const SYSTEMD: Process<'_> =
    Process { pid: 1, parent: 0, command: "systemd", unit: None, active: false, locked: 0, pinned: 0 };

fn process<'a>(pid: u32, parent: u32, command: &'a str, unit: Option<&'a str>) -> Process<'a> {
    Process { pid, parent, command, unit, active: unit.is_some(), ..SYSTEMD }
}

fn file(pid: u32, path: &str) -> OpenFile<'_> {
    OpenFile { pid, path, kind: FileKind::Other, preserved: false }
}

fn found<'a>(snapshot: &Snapshot<'a>, purpose: Purpose) -> Vec<Finding<'a>> {
    let mut all = Vec::new();
    let worst = check(snapshot, purpose, &mut |finding| all.push(*finding));
    assert_eq!(worst, all.iter().map(|finding| finding.verdict).max().unwrap_or_default());
    all
}
