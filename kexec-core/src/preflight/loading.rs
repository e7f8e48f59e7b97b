//! Rules on the kernel that is loaded, or is to be: the image, its memory, the map it knows, and whether one may be loaded.

use super::facts::Facts;
use super::finding::{Check, Finding, Reason, Remedy};
use super::verdict::{Purpose, Verdict, Verdicts, of};
use super::{Sink, Snapshot};

const IMAGE: Verdicts = [Some(Verdict::Block), None, Some(Verdict::Warn)];
const STALE: Verdicts = [Some(Verdict::Block), Some(Verdict::Warn), Some(Verdict::Warn)];
const REMOVABLE: Verdicts = [Some(Verdict::Warn), Some(Verdict::Block), Some(Verdict::Block)];
const LOADING: Verdicts = [Some(Verdict::Block), Some(Verdict::Block), Some(Verdict::Block)];

/// Whether a crash kernel is loaded and has room.
pub(super) fn crash_image<'a>(snapshot: &Snapshot<'a>, purpose: Purpose, found: &mut Sink<'_, 'a>) {
    let (Some(verdict), facts) = (of(IMAGE, purpose), snapshot.facts) else { return };
    let mut say = |check, verdict, reason, remedy| {
        found(&Finding { remedy, ..Finding::of_machine(check, verdict, reason) });
    };
    match facts.crash_loaded {
        Some(true) => say(Check::CrashImage, Verdict::Ok, Reason::CrashLoaded, Remedy::None),
        Some(false) => say(Check::CrashImage, verdict, Reason::CrashNotLoaded, Remedy::LoadCrashKernel),
        None => {}
    }
    let room = |bytes: u64| Remedy::Reserve(bytes.div_ceil(1 << 20));
    match (facts.crash_size, facts.crash_needs) {
        (Some(0), needs) => {
            let remedy = room(needs.map_or(256 << 20, |(_, safe)| safe));
            say(Check::Reservation, verdict, Reason::NoReservation, remedy);
        }
        (Some(reserved), Some((least, safe))) if reserved < least => {
            let reason = Reason::ReservationSmall { reserved, needed: least };
            say(Check::Reservation, verdict, reason, room(safe));
        }
        (Some(reserved), Some((_, safe))) if reserved < safe => {
            let reason = Reason::ReservationSmall { reserved, needed: safe };
            say(Check::Reservation, verdict.min(Verdict::Info), reason, room(safe));
        }
        (Some(reserved), Some((_, needed))) => {
            let reason = Reason::ReservationEnough { reserved, needed };
            say(Check::Reservation, Verdict::Ok, reason, Remedy::None);
        }
        _ => {}
    }
    if facts.crash_cma {
        say(Check::Reservation, Verdict::Info, Reason::ReservationCma, Remedy::None);
    }
}

/// Whether the loaded crash kernel knows the memory that there is.
pub(super) fn memory_map<'a>(snapshot: &Snapshot<'a>, purpose: Purpose, found: &mut Sink<'_, 'a>) {
    let (Some(verdict), facts) = (of(STALE, purpose), snapshot.facts) else { return };
    if facts.crash_loaded != Some(true) {
        return;
    }
    let (verdict, reason) = match (facts.map_loaded, facts.map_now) {
        _ if facts.map_updated == Some(true) => (Verdict::Ok, Reason::MapUpdated),
        (Some(loaded), Some(now)) if loaded == now => (Verdict::Ok, Reason::MapSame),
        (Some(_), Some(_)) => (verdict, Reason::MapStale),
        _ => (Verdict::Info, Reason::MapUnknown),
    };
    let remedy = if reason == Reason::MapStale { Remedy::Reload } else { Remedy::None };
    found(&Finding { remedy, ..Finding::of_machine(Check::MemoryMap, verdict, reason) });
}

/// Whether memory of a loaded kernel can be taken away.
pub(super) fn removable_memory<'a>(snapshot: &Snapshot<'a>, purpose: Purpose, found: &mut Sink<'_, 'a>) {
    let (Some(verdict), facts) = (of(REMOVABLE, purpose), snapshot.facts) else { return };
    let segments = if purpose == Purpose::Kdump { facts.crash_segments } else { facts.segments };
    for segment in segments {
        if let Some(lost) = facts.removable.iter().find(|removable| removable.overlaps(*segment)) {
            let reason = Reason::InRemovableMemory(segment.intersection(*lost));
            let finding = Finding::of_machine(Check::RemovableMemory, verdict, reason);
            found(&Finding { remedy: Remedy::KeepMemory, ..finding });
        }
    }
}

/// Whether a kernel may be loaded. One that is loaded already stays so: then it is worth knowing, for the day on which it is
/// to be loaded again.
pub(super) fn loading<'a>(snapshot: &Snapshot<'a>, purpose: Purpose, found: &mut Sink<'_, 'a>) {
    let (Some(verdict), facts) = (of(LOADING, purpose), snapshot.facts) else { return };
    let Facts { crash_loaded, limit_panic, limit_reboot, .. } = *facts;
    let (is_loaded, limit) = match purpose {
        Purpose::Kdump => (crash_loaded, limit_panic),
        Purpose::Kexec | Purpose::LiveUpdate => (facts.loaded, limit_reboot),
    };
    let loaded = is_loaded == Some(true);
    let verdict = if loaded { Verdict::Info } else { verdict };
    let mut say = |reason, remedy| {
        let remedy = if loaded { Remedy::None } else { remedy };
        found(&Finding { remedy, ..Finding::of_machine(Check::Loading, verdict, reason) });
    };
    if facts.has_kexec == Some(false) {
        say(Reason::NoKexec, Remedy::BootWithKexec);
    }
    if facts.load_disabled == Some(true) {
        say(Reason::LoadDisabled { loaded }, Remedy::Reboot);
    }
    if limit == Some(0) {
        say(Reason::LoadLimit { loaded }, Remedy::Reboot);
    }
    if facts.locked_down == Some(true) {
        say(Reason::LockedDown { loaded }, Remedy::LoadSigned);
    }
}
