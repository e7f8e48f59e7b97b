//! Processes, and who can stop them and start them again.

/// A process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Process<'a> {
    /// Its number.
    pub pid: u32,
    /// Its parent's number, 0 for none.
    pub parent: u32,
    /// Its name, or command line.
    pub command: &'a str,
    /// The service it belongs to, as the service manager names it (`cron.service`), where the collector can tell: on Linux by
    /// its cgroup. A login session is none.
    pub unit: Option<&'a str>,
    /// Whether the service manager lists `unit` as active, or where no unit is known the process itself.
    pub active: bool,
    /// Memory that must not be swapped out, in bytes (`VmLck`).
    pub locked: u64,
    /// Memory that must not move, in bytes (`VmPin`): a device may be writing there.
    pub pinned: u64,
}

/// Who can stop a process and start it again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Owner<'a> {
    /// The service manager, as this unit.
    Unit(&'a str),
    /// The service manager, which started the process and lists it as active; the unit's name is not known.
    ServiceManager,
    /// Nobody: it was started by hand, or its service is not active any more.
    Nobody,
}

impl<'a> Owner<'a> {
    /// Who owns `process`, by its unit, or by its parents up to the service manager `manager`. `processes` are in the order of
    /// their numbers.
    #[must_use]
    pub fn of(process: &Process<'a>, processes: &[Process<'a>], manager: Option<u32>) -> Self {
        match process.unit {
            _ if !process.active => Self::Nobody,
            Some(unit) => Self::Unit(unit),
            None if is_below(process, processes, manager) => Self::ServiceManager,
            None => Self::Nobody,
        }
    }

    /// Whether somebody can stop it and start it again.
    #[must_use]
    pub const fn is_managed(self) -> bool {
        !matches!(self, Self::Nobody)
    }

    /// The unit's name, where it has one.
    #[must_use]
    pub const fn unit(self) -> Option<&'a str> {
        match self {
            Self::Unit(unit) => Some(unit),
            _ => None,
        }
    }
}

/// Whether an ancestor of `process` is `manager`. A table that was read while processes came and went may have a loop.
fn is_below(process: &Process<'_>, processes: &[Process<'_>], manager: Option<u32>) -> bool {
    let Some(manager) = manager else { return false };
    let mut parent = process.parent;
    for _ in processes {
        if parent == manager {
            return true;
        }
        match find(processes, parent) {
            Some(found) if found.pid != 0 => parent = found.parent,
            _ => return false,
        }
    }
    parent == manager
}

/// The process `pid` of a table in the order of the numbers.
pub(super) fn find<'p, 'a>(processes: &'p [Process<'a>], pid: u32) -> Option<&'p Process<'a>> {
    let at = processes.binary_search_by_key(&pid, |process| process.pid).ok()?;
    processes.get(at)
}
