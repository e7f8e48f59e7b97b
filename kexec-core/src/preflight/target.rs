//! Rules on where a dump goes.

use super::finding::{Check, Finding, Reason, Remedy};
use super::verdict::{Purpose, Verdict};
use super::{Sink, Snapshot};

/// Whether a dump can be written there, and has room. Only a crash writes one.
pub(super) fn dump_target<'a>(snapshot: &Snapshot<'a>, purpose: Purpose, found: &mut Sink<'_, 'a>) {
    let (Some(target), Purpose::Kdump) = (snapshot.facts.target, purpose) else { return };
    let mut say = |verdict, reason, remedy| {
        let finding = Finding::of_machine(Check::DumpTarget, verdict, reason);
        found(&Finding { path: target.path, remedy, ..finding });
    };
    let Some(free) = target.free else {
        say(Verdict::Block, Reason::TargetUnreachable, Remedy::MountTarget);
        return;
    };
    match target.needs {
        Some((needed, _)) if free < needed => {
            let remedy = Remedy::FreeSpace(needed.saturating_sub(free));
            say(Verdict::Block, Reason::TargetSmall { free, needed }, remedy);
        }
        Some((_, needed)) if free < needed => {
            let remedy = Remedy::FreeSpace(needed.saturating_sub(free));
            say(Verdict::Warn, Reason::TargetSmall { free, needed }, remedy);
        }
        Some((_, needed)) => say(Verdict::Ok, Reason::TargetEnough { free, needed }, Remedy::None),
        None => {}
    }
    if target.encrypted && !target.keys {
        say(Verdict::Block, Reason::TargetLocked, Remedy::GiveKeys);
    }
}
