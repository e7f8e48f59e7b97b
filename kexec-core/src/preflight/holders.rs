//! Rules on processes: what they have open, what they keep in place.

use super::finding::{Check, Finding, Reason, Remedy};
use super::process::{Owner, Process, find};
use super::special::FileClass;
use super::verdict::{Purpose, Verdict, Verdicts, of};
use super::{Sink, Snapshot};

/// Locked memory is worth a word from here on, in bytes: daemons that lock all of themselves are smaller. Of pinned memory
/// any is.
const MUCH_LOCKED: u64 = 64 << 20;

const LOCKED: Verdicts = [Some(Verdict::Info), Some(Verdict::Warn), Some(Verdict::Warn)];

/// Every special file that a process has open.
pub(super) fn open_files<'a>(snapshot: &Snapshot<'a>, purpose: Purpose, found: &mut Sink<'_, 'a>) {
    for file in snapshot.files {
        let Some(class) = file.class() else { continue };
        let Some(verdict) = verdict_on(class, purpose, snapshot.checkpoint) else { continue };
        let process = find(snapshot.processes, file.pid).copied();
        let owner =
            process.map_or(Owner::Nobody, |it| Owner::of(&it, snapshot.processes, snapshot.service_manager));
        let preserved = file.is_handed_over(class);
        let verdict = match purpose {
            Purpose::LiveUpdate if preserved => Verdict::Ok,
            _ if owner.is_managed() => verdict.if_managed(),
            _ => verdict,
        };
        let managed = owner.is_managed();
        let reason = Reason::Holds { class, purpose, checkpoint: snapshot.checkpoint, preserved, managed };
        // The dump is taken when the machine has crashed: nothing to stop for it.
        let nothing_to_do = verdict == Verdict::Ok || purpose == Purpose::Kdump;
        let remedy = if nothing_to_do { Remedy::None } else { remedy(owner, file.pid) };
        found(&Finding { check: Check::OpenFile, verdict, process, path: file.path, owner, reason, remedy });
    }
}

/// The table's verdict. Where processes are to go on in the next kernel, as with AIX's live kernel update or CRIU, one with a
/// file that is no part of it stops the update; else it just ends.
fn verdict_on(class: FileClass, purpose: Purpose, checkpoint: bool) -> Option<Verdict> {
    let table = of(class.verdicts(), purpose);
    match (purpose, class) {
        (Purpose::LiveUpdate, FileClass::KernelMemory | FileClass::Dax) if checkpoint => Some(Verdict::Block),
        _ => table,
    }
}

fn remedy<'a>(owner: Owner<'a>, pid: u32) -> Remedy<'a> {
    match owner {
        Owner::Unit(unit) => Remedy::StopUnit(unit),
        Owner::ServiceManager => Remedy::StopByServiceManager,
        Owner::Nobody => Remedy::StopOrManage(pid),
    }
}

/// Every process that keeps memory in place.
pub(super) fn locked_memory<'a>(snapshot: &Snapshot<'a>, purpose: Purpose, found: &mut Sink<'_, 'a>) {
    let Some(verdict) = of(LOCKED, purpose) else { return };
    for process in snapshot.processes {
        let Process { pid, locked, pinned, .. } = *process;
        if locked < MUCH_LOCKED && pinned == 0 {
            continue;
        }
        let owner = Owner::of(process, snapshot.processes, snapshot.service_manager);
        let verdict = if owner.is_managed() { verdict.if_managed() } else { verdict };
        found(&Finding {
            check: Check::LockedMemory,
            verdict,
            process: Some(*process),
            path: "",
            owner,
            reason: Reason::Locks { locked, pinned },
            remedy: if purpose == Purpose::Kdump { Remedy::None } else { remedy(owner, pid) },
        });
    }
}

/// What this user could not look at.
pub(super) fn unseen<'a>(snapshot: &Snapshot<'a>, purpose: Purpose, found: &mut Sink<'_, 'a>) {
    let processes = snapshot.facts.unseen;
    if processes == 0 {
        return;
    }
    let verdict = if purpose == Purpose::Kdump { Verdict::Info } else { Verdict::Warn };
    let finding = Finding::of_machine(Check::Unseen, verdict, Reason::Unseen { processes });
    found(&Finding { remedy: Remedy::RunAsRoot, ..finding });
}
