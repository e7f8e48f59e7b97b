//! The naive list: every LMB by itself, and each layout written from it LMB by LMB.

use super::*;

pub(super) fn lmb(number: u64, flags: u32, aa_index: u32) -> Lmb {
    Lmb { base_addr: PhysAddr(number * LMB), drc_index: 0x8000_0000 + number as u32, aa_index, flags }
}

/// What stands behind the number of LMBs in a set of v2.
pub(super) fn v2_tail(lmb: &Lmb) -> Vec<u8> {
    let words = [lmb.drc_index, lmb.aa_index, lmb.flags].map(u32::to_be_bytes);
    [&lmb.base_addr.0.to_be_bytes()[..], &words.concat()].concat()
}

/// The property's value.
pub(super) fn value(lmbs: &[Lmb], layout: Layout) -> Vec<u8> {
    let mut bytes = vec_of(&[0]);
    let mut count = 0_u32;
    if layout == Layout::V1 {
        for lmb in lmbs {
            count += 1;
            bytes.extend(lmb.base_addr.0.to_be_bytes());
            bytes.extend(vec_of(&[lmb.drc_index, 0, lmb.aa_index, lmb.flags]));
        }
    } else {
        let goes_on = |a: &Lmb, b: &Lmb| {
            b.base_addr.0 == a.base_addr.0 + LMB
                && b.drc_index == a.drc_index.wrapping_add(1)
                && (a.aa_index, a.flags) == (b.aa_index, b.flags)
        };
        for set in lmbs.chunk_by(goes_on) {
            count += 1;
            bytes.extend(vec_of(&[set.len() as u32]));
            bytes.extend(v2_tail(&set[0]));
        }
    }
    bytes[..4].copy_from_slice(&count.to_be_bytes());
    bytes
}

fn vec_of(words: &[u32]) -> Vec<u8> {
    words.iter().flat_map(|word| word.to_be_bytes()).collect()
}

/// LMBs with holes between them, some of them alike.
pub(super) fn naive(random: &mut Random, count: u64) -> Vec<Lmb> {
    let mut number = random.number() % 3;
    let mut drc = 0;
    (0..count)
        .map(|_| {
            number += if random.number().is_multiple_of(9) { 2 } else { 1 };
            drc += if random.number().is_multiple_of(9) { 3 } else { 1 };
            let flags = if random.number().is_multiple_of(3) { 0 } else { DRCONF_MEM_ASSIGNED };
            Lmb { drc_index: drc, ..lmb(number, flags, (random.number() % 2) as u32) }
        })
        .collect()
}

/// Changes that do not overlap, in any order.
pub(super) fn batch(random: &mut Random, lmbs: &[Lmb]) -> Vec<Change> {
    let mut changes = Vec::new();
    let mut at = 0;
    let step = 1 + random.number() % 30;
    while at < lmbs.len() {
        at += (random.number() % step) as usize;
        let mut count = 0;
        let wanted = 1 + random.number() % 5;
        while count < wanted as usize
            && at + count < lmbs.len()
            && lmbs[at + count].base_addr.0 == lmbs[at].base_addr.0 + count as u64 * LMB
        {
            count += 1;
        }
        if count > 0 {
            let base = lmbs[at].base_addr;
            changes.push(match random.number() % 4 {
                0 => Change::assign(base, count as u32, (random.number() % 2) as u32),
                1 => Change::release(base, count as u32),
                2 => Change {
                    clear: DRCONF_MEM_RESERVED,
                    set: DRCONF_MEM_HOTREMOVABLE,
                    aa_index: None,
                    ..Change::release(base, count as u32)
                },
                _ => Change {
                    clear: u32::MAX,
                    set: DRCONF_MEM_AI_INVALID,
                    aa_index: Some(1),
                    ..Change::release(base, count as u32)
                },
            });
        }
        at += count.max(1);
    }
    for place in (1..changes.len()).rev() {
        changes.swap(place, (random.number() % (place as u64 + 1)) as usize);
    }
    changes
}

pub(super) fn change(lmbs: &mut [Lmb], changes: &[Change]) {
    for change in changes {
        let end = change.base_addr.0 + u64::from(change.seq_lmbs) * LMB;
        for lmb in lmbs.iter_mut().filter(|lmb| (change.base_addr.0..end).contains(&lmb.base_addr.0)) {
            lmb.flags = lmb.flags & !change.clear | change.set;
            lmb.aa_index = change.aa_index.unwrap_or(lmb.aa_index);
        }
    }
}
