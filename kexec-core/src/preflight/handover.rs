//! Rules on what a live update needs, and on pools of huge pages, which it cannot hand over.

use super::facts::{Kho, LiveUpdateDevice};
use super::finding::{Check, Finding, Reason, Remedy};
use super::verdict::{Purpose, Verdict, Verdicts, of};
use super::{Sink, Snapshot};

const HUGE_PAGES: Verdicts = [Some(Verdict::Info), Some(Verdict::Warn), Some(Verdict::Warn)];
/// Pools are large from this share of RAM on: one part in ten.
const LARGE_POOL: u64 = 10;

/// Large pools of huge pages.
pub(super) fn huge_pages<'a>(snapshot: &Snapshot<'a>, purpose: Purpose, found: &mut Sink<'_, 'a>) {
    let (Some(bytes), Some(ram)) = (snapshot.facts.hugetlb, snapshot.facts.ram) else { return };
    let Some(verdict) = of(HUGE_PAGES, purpose) else { return };
    if bytes > 0 && bytes.saturating_mul(LARGE_POOL) >= ram {
        found(&Finding::of_machine(Check::HugePages, verdict, Reason::HugePages { bytes }));
    }
}

/// `/dev/liveupdate` and kexec handover.
pub(super) fn live_update<'a>(snapshot: &Snapshot<'a>, purpose: Purpose, found: &mut Sink<'_, 'a>) {
    if purpose != Purpose::LiveUpdate {
        return;
    }
    let facts = snapshot.facts;
    let mut say = |check, verdict, reason, remedy| {
        found(&Finding { remedy, ..Finding::of_machine(check, verdict, reason) });
    };
    match facts.live_update {
        Some(LiveUpdateDevice::Busy) => {
            say(Check::LiveUpdate, Verdict::Block, Reason::LiveUpdateBusy, Remedy::None);
        }
        Some(LiveUpdateDevice::Absent) => {
            say(Check::LiveUpdate, Verdict::Warn, Reason::LiveUpdateAbsent, Remedy::None);
        }
        Some(LiveUpdateDevice::Free) | None => {}
    }
    let says_something = facts.has_kexec.is_some() || facts.live_update.is_some();
    if facts.kho == Kho::default() && says_something {
        say(Check::Kho, Verdict::Info, Reason::KhoUnknown, Remedy::None);
    }
    if facts.kho.on == Some(false) {
        say(Check::Kho, Verdict::Block, Reason::KhoOff, Remedy::TurnOnKho);
        return;
    }
    if facts.kho.finalized == Some(false) {
        say(Check::Kho, Verdict::Block, Reason::KhoNotFinalized, Remedy::Finalize);
    }
    if facts.kho.scratch == Some(0) {
        say(Check::Kho, Verdict::Block, Reason::KhoNoScratch, Remedy::TurnOnKho);
    }
}
