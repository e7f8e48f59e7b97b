//! `/proc/PID`: status, cgroup, open files.

use std::fs;
use std::io;
use std::path::Path;

use kexec_core::preflight::Process;

use super::files;
use crate::memory::kib_field;

/// A process.
#[derive(Debug)]
pub(super) struct Collected {
    pid: u32,
    parent: u32,
    command: String,
    unit: Option<String>,
    active: bool,
    locked: u64,
    pinned: u64,
}

impl Collected {
    pub(super) fn as_process(&self) -> Process<'_> {
        Process {
            pid: self.pid,
            parent: self.parent,
            command: &self.command,
            unit: self.unit.as_deref(),
            active: self.active,
            locked: self.locked,
            pinned: self.pinned,
        }
    }
}

/// All processes and the special files that they have open.
#[derive(Debug, Default)]
pub(super) struct Found {
    /// In the order of their numbers.
    pub(super) processes: Vec<Collected>,
    pub(super) files: Vec<files::Collected>,
    /// Those whose files this user may not see.
    pub(super) unseen: u64,
}

/// Looks at each process in turn.
pub(super) fn collect(root: &Path) -> Found {
    let mut found = Found::default();
    let Ok(entries) = fs::read_dir(root.join("proc")) else { return found };
    let mut pids: Vec<u32> =
        entries.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok()).collect();
    pids.sort_unstable();
    for pid in pids {
        let folder = root.join("proc").join(pid.to_string());
        let Ok(status) = fs::read(folder.join("status")) else { continue };
        let cgroup = fs::read_to_string(folder.join("cgroup")).unwrap_or_default();
        let unit = service(&cgroup).map(str::to_owned);
        let active = unit.as_deref().is_some_and(|unit| is_active(root, unit));
        found.processes.push(of_status(pid, &String::from_utf8_lossy(&status), unit, active));
        match files::collect(pid, &folder.join("fd")) {
            Ok(files) => found.files.extend(files),
            Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
                found.unseen = found.unseen.saturating_add(1);
            }
            // It is gone.
            Err(_) => {}
        }
    }
    found
}

fn of_status(pid: u32, status: &str, unit: Option<String>, active: bool) -> Collected {
    let field = |name| status.lines().find_map(|line| line.strip_prefix(name)).map(str::trim);
    let bytes = |name| kib_field(status, name).unwrap_or(0);
    Collected {
        pid,
        parent: field("PPid:").and_then(|text| text.parse().ok()).unwrap_or(0),
        command: field("Name:").unwrap_or_default().to_owned(),
        unit,
        active,
        locked: bytes("VmLck:"),
        pinned: bytes("VmPin:"),
    }
}

/// The service of the system's service manager that a process is in, by the text of `/proc/PID/cgroup`: in the one hierarchy
/// of cgroup v2 (`0::`), or in systemd's own of v1. It may lie in any slice, or in none, and may have cgroups of its own below
/// its. What a user's own manager started is below `user.slice`: a part of a login.
fn service(cgroup: &str) -> Option<&str> {
    let path = cgroup.lines().find_map(|line| {
        let mut fields = line.splitn(3, ':');
        let (_, controllers, path) = (fields.next()?, fields.next()?, fields.next()?);
        ["", "name=systemd"].contains(&controllers).then_some(path).filter(|path| path.len() > 1)
    })?;
    let mut units = path.trim_start_matches('/').split('/');
    let unit = units.find(|unit| *unit == "user.slice" || !unit.ends_with(".slice"))?;
    unit.ends_with(".service").then_some(unit)
}

/// Whether systemd has the unit as active: it keeps a link for each that is (`unit_export_state_files`, systemd 240).
/// Where it keeps none, a cgroup with a process in it is all there is to go by.
fn is_active(root: &Path, unit: &str) -> bool {
    let units = root.join("run/systemd/units");
    !units.is_dir() || fs::symlink_metadata(units.join(format!("invocation:{unit}"))).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn services_of_the_system_are_services() {
        for (cgroup, unit) in [
            ("0::/system.slice/cron.service\n", Some("cron.service")),
            ("0::/system.slice/system-getty.slice/getty@tty1.service\n", Some("getty@tty1.service")),
            ("0::/system.slice/docker.service/app/worker\n", Some("docker.service")),
            (
                "0::/machine.slice/systemd-nspawn@c.service/payload/system.slice/x.service\n",
                Some("systemd-nspawn@c.service"),
            ),
            ("0::/own.slice/own-part.slice/x.service\n", Some("x.service")),
            ("0::/x.service\n", Some("x.service")),
            ("0::/machine.slice/machine-vm.scope/x.service\n", None),
            ("0::/docker/abc/x.service\n", None),
            ("12:pids:/x\n1:name=systemd:/system.slice/ssh.service\n0::/\n", Some("ssh.service")),
            ("0::/user.slice/user-0.slice/session-1.scope\n", None),
            ("0::/user.slice/user-0.slice/user@0.service/app.slice/mine.service\n", None),
            ("0::/system.slice/docker-abc.scope\n", None),
            ("0::/system.slice/run-1.scope/x.service\n", None),
            ("0::/init.scope\n", None),
            ("0::/\n", None),
            ("broken", None),
            ("", None),
        ] {
            assert_eq!(service(cgroup), unit, "{cgroup}");
        }
    }

    #[test]
    fn a_status_is_read() {
        let status =
            "Name:\tsend mail\nUmask:\t0022\nPid:\t7\nPPid:\t1\nVmPin:\t     4 kB\nVmLck:\t   8 kB\n";
        let found = of_status(7, status, None, false);
        assert_eq!((found.command.as_str(), found.parent), ("send mail", 1));
        assert_eq!((found.locked, found.pinned), (8192, 4096));
        let thread = of_status(2, "Name:\tkthreadd\nPPid:\t0\n", None, false);
        assert_eq!((thread.locked, thread.pinned), (0, 0));
    }
}
