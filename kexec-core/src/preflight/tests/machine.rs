//! The rules on what the machine says of itself.

use std::vec::Vec;

use super::*;
use crate::map::{MemoryMap, Range, RangeKind, Span};

const MIB: u64 = 1 << 20;

fn verdicts(facts: &Facts<'_>, purpose: Purpose) -> Vec<(Check, Verdict)> {
    let snapshot = Snapshot { facts, processes: &[], files: &[], service_manager: None, checkpoint: false };
    found(&snapshot, purpose).iter().map(|finding| (finding.check, finding.verdict)).collect()
}

fn all(facts: &Facts<'_>) -> [Vec<(Check, Verdict)>; 3] {
    [Purpose::Kdump, Purpose::Kexec, Purpose::LiveUpdate].map(|purpose| verdicts(facts, purpose))
}

#[test]
fn a_machine_that_says_nothing_is_not_accused() {
    assert_eq!(all(&Facts::default()), [const { Vec::new() }; 3]);
}

#[test]
fn no_crash_kernel_blocks_a_crash_alone() {
    let facts = Facts { crash_loaded: Some(false), crash_size: Some(0), ..Facts::default() };
    let at = |verdict| Vec::from([(Check::CrashImage, verdict), (Check::Reservation, verdict)]);
    assert_eq!(all(&facts), [at(Verdict::Block), Vec::new(), at(Verdict::Warn)]);
}

#[test]
fn a_reservation_is_compared_with_what_is_needed() {
    for (reserved, verdict) in
        [(99, Verdict::Block), (100, Verdict::Info), (199, Verdict::Info), (200, Verdict::Ok)]
    {
        let facts = Facts {
            crash_size: Some(reserved * MIB),
            crash_needs: Some((100 * MIB, 200 * MIB)),
            ..Facts::default()
        };
        assert_eq!(verdicts(&facts, Purpose::Kdump), [(Check::Reservation, verdict)]);
    }
    let lent = Facts { crash_cma: true, ..Facts::default() };
    assert_eq!(verdicts(&lent, Purpose::Kdump), [(Check::Reservation, Verdict::Info)]);
}

#[test]
fn a_stale_map_blocks_a_crash() {
    let loaded = Facts { crash_loaded: Some(true), ..Facts::default() };
    let map = |facts: &Facts<'_>, purpose| {
        let found = verdicts(facts, purpose);
        found.into_iter().find(|(check, _)| *check == Check::MemoryMap).map(|(_, verdict)| verdict)
    };
    let stale = Facts { map_loaded: Some([1; 32]), map_now: Some([2; 32]), ..loaded };
    assert_eq!(map(&stale, Purpose::Kdump), Some(Verdict::Block));
    assert_eq!(map(&stale, Purpose::Kexec), Some(Verdict::Warn));
    assert_eq!(map(&stale, Purpose::LiveUpdate), Some(Verdict::Warn));
    let same = Facts { map_now: Some([1; 32]), ..stale };
    let kept = Facts { map_updated: Some(true), ..stale };
    let unknown = Facts { map_loaded: None, ..stale };
    assert_eq!(
        [same, kept, unknown].map(|it| map(&it, Purpose::Kdump)),
        [Some(Verdict::Ok), Some(Verdict::Ok), Some(Verdict::Info)]
    );
    assert_eq!(map(&Facts { crash_loaded: Some(false), ..stale }, Purpose::Kdump), None);
}

#[test]
fn a_digest_is_of_ram_and_not_of_how_it_is_cut() {
    let digest = |ranges: &[(u64, u64, RangeKind)]| {
        let mut table = [Range::EMPTY; 16];
        let mut map = MemoryMap::new(&mut table);
        for (start, end, kind) in ranges {
            map.set(Range::new(Span::new(*start, *end), *kind)).unwrap();
        }
        ram_digest(&map)
    };
    let whole = digest(&[(0x1000, 0x9000, RangeKind::SystemRam)]);
    let cut = digest(&[
        (0x1000, 0x4000, RangeKind::SystemRam),
        (0x4000, 0x9000, RangeKind::ReservedRam),
        (0xa000, 0xb000, RangeKind::Reserved),
    ]);
    assert_eq!(whole, cut);
    assert_ne!(whole, digest(&[(0x1000, 0x8000, RangeKind::SystemRam)]));
    // `printf '\0\x10\0\0\0\0\0\0\0\x90\0\0\0\0\0\0' | sha256sum`
    assert_eq!(whole[..4], [0x29, 0xe5, 0x7b, 0x52]);
}

#[test]
fn memory_of_a_kernel_that_can_be_taken_away() {
    let (segments, removable) = ([Span::new(16, 32)], [Span::new(0, 16), Span::new(31, 40)]);
    let facts =
        Facts { crash_segments: &segments, segments: &segments, removable: &removable, ..Facts::default() };
    let at = |verdict| Vec::from([(Check::RemovableMemory, verdict)]);
    assert_eq!(all(&facts), [at(Verdict::Warn), at(Verdict::Block), at(Verdict::Block)]);
    let apart = Facts { removable: &removable[..1], ..facts };
    assert_eq!(all(&apart), [const { Vec::new() }; 3]);
    let crash = Facts { segments: &[], ..facts };
    assert_eq!(all(&crash), [at(Verdict::Warn), Vec::new(), Vec::new()]);
}

#[test]
fn what_forbids_loading_matters_until_it_is_loaded() {
    let loading = |facts: &Facts<'_>, purpose| {
        let all = verdicts(facts, purpose);
        let found = all.into_iter().filter(|(check, _)| *check == Check::Loading);
        found.map(|(_, verdict)| verdict).collect::<Vec<_>>()
    };
    let disabled = Facts { load_disabled: Some(true), ..Facts::default() };
    let locked = Facts { locked_down: Some(true), ..Facts::default() };
    let without = Facts { has_kexec: Some(false), ..Facts::default() };
    for purpose in [Purpose::Kdump, Purpose::Kexec, Purpose::LiveUpdate] {
        assert_eq!(loading(&without, purpose), [Verdict::Block]);
        assert_eq!(loading(&disabled, purpose), [Verdict::Block]);
        assert_eq!(loading(&locked, purpose), [Verdict::Block]);
    }
    let panic = Facts { limit_panic: Some(0), limit_reboot: Some(-1), ..Facts::default() };
    assert_eq!(loading(&panic, Purpose::Kdump), [Verdict::Block]);
    assert!(loading(&panic, Purpose::Kexec).is_empty());
    let hardened = Facts { crash_loaded: Some(true), ..disabled };
    assert_eq!(loading(&hardened, Purpose::Kdump), [Verdict::Info]);
    assert_eq!(loading(&hardened, Purpose::Kexec), [Verdict::Block]);
}

#[test]
fn a_live_update_needs_handover_and_its_device() {
    let on = Kho { on: Some(true), finalized: Some(true), scratch: Some(MIB) };
    let kho = |kho| verdicts(&Facts { kho, ..Facts::default() }, Purpose::LiveUpdate);
    assert!(kho(on).is_empty());
    for bad in [
        Kho { on: Some(false), ..Kho::default() },
        Kho { finalized: Some(false), ..on },
        Kho { scratch: Some(0), ..on },
    ] {
        assert_eq!(kho(bad), [(Check::Kho, Verdict::Block)]);
    }
    let device = |device| {
        let facts = Facts { live_update: Some(device), kho: on, ..Facts::default() };
        assert!(verdicts(&facts, Purpose::Kexec).is_empty());
        verdicts(&facts, Purpose::LiveUpdate)
    };
    assert_eq!(device(LiveUpdateDevice::Busy), [(Check::LiveUpdate, Verdict::Block)]);
    assert_eq!(device(LiveUpdateDevice::Absent), [(Check::LiveUpdate, Verdict::Warn)]);
    assert!(device(LiveUpdateDevice::Free).is_empty());
    let facts = Facts { has_kexec: Some(true), ..Facts::default() };
    let unknown = Facts { live_update: Some(LiveUpdateDevice::Free), ..Facts::default() };
    for facts in [facts, unknown] {
        assert_eq!(verdicts(&facts, Purpose::LiveUpdate), [(Check::Kho, Verdict::Info)]);
        assert!(verdicts(&facts, Purpose::Kexec).is_empty());
    }
}

#[test]
fn large_pools_of_huge_pages_are_told() {
    let pool = |hugetlb| all(&Facts { ram: Some(1000), hugetlb: Some(hugetlb), ..Facts::default() });
    let at = |verdict| Vec::from([(Check::HugePages, verdict)]);
    assert_eq!(pool(100), [at(Verdict::Info), at(Verdict::Warn), at(Verdict::Warn)]);
    assert_eq!(pool(99), [const { Vec::new() }; 3]);
    assert_eq!(pool(0), [const { Vec::new() }; 3]);
}

#[test]
fn a_dump_needs_room_and_a_key() {
    let target =
        Target { path: "/var/crash", free: Some(100), needs: Some((10, 90)), encrypted: false, keys: false };
    let at = |target| verdicts(&Facts { target: Some(target), ..Facts::default() }, Purpose::Kdump);
    let told = |verdict| Vec::from([(Check::DumpTarget, verdict)]);
    assert_eq!(at(target), told(Verdict::Ok));
    assert_eq!(at(Target { free: Some(89), ..target }), told(Verdict::Warn));
    assert_eq!(at(Target { free: Some(9), ..target }), told(Verdict::Block));
    assert_eq!(at(Target { free: None, ..target }), told(Verdict::Block));
    let encrypted = Target { encrypted: true, needs: None, ..target };
    assert_eq!(at(encrypted), told(Verdict::Block));
    assert!(at(Target { keys: true, ..encrypted }).is_empty());
    assert!(verdicts(&Facts { target: Some(encrypted), ..Facts::default() }, Purpose::Kexec).is_empty());
}

#[test]
fn what_could_not_be_seen_is_said() {
    let facts = Facts { unseen: 3, ..Facts::default() };
    let at = |verdict| Vec::from([(Check::Unseen, verdict)]);
    assert_eq!(all(&facts), [at(Verdict::Info), at(Verdict::Warn), at(Verdict::Warn)]);
}
