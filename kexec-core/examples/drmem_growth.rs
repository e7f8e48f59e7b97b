//! What it costs to remove memory blocks (LMBs) from the list of a pseries machine, as the list grows: where it lies, beside a list
//! that is built anew once for a request, and once for each LMB. Prints a section of `docs/performance.md`.
#![expect(
    clippy::unwrap_used,
    clippy::arithmetic_side_effects,
    clippy::as_conversions,
    clippy::indexing_slicing,
    reason = "a program that measures"
)]

use core::hint::black_box;
use core::time::Duration;
use std::time::Instant;

use kexec_core::drmem::{Change, DRCONF_MEM_ASSIGNED, DynamicMemory, Layout, Lmb, NO_ASSOCIATIVITY, Table};
use vmcore_format::PhysAddr;

const LMB: u64 = 1 << 28;
const COUNTS: [u64; 5] = [1000, 10_000, 32_000, 100_000, 1_000_000];
/// Above it the list that is built once for each LMB takes too long: its times are computed.
const MEASURED_PER_LMB: u64 = 32_000;

const HEADING: &str = "\
## Lists of memory blocks

Removing k of n memory blocks (LMBs) from `ibm,dynamic-memory` (v1) or `-v2` in a flattened device tree of a pseries machine. `ours`
changes the list where it lies: every LMB is looked up by its DRC index, and the batch applied. Beside it the list is built anew from
an array of all LMBs, searched once from its start for all k: once for a request, as Linux does, and once for each LMB, as a
patch did that was refused for it. These two are plain models of the algorithms in Rust, not the kernel's code. `opening` reads the tree
once for as long as it is held, and is not in the times. `again` is the same change once more, after the LMBs were put back: what it looks at
is in the processor's caches then, as far as it fits. `growth` is that time per k log2 n, 1.00 in the first row of its kind: k log n stays at
1.00. Removing every second LMB is the worst for v2: four sets become as many as there are LMBs. In
v2 of n/2 sets five changes move the bytes of the sets behind the first one, once, as a flattened tree is one piece: no set is read,
and that is more than k log n. Where k is near n, a list that is built once is quicker, by
what k log n is above n: a ratio below 1. Medians; `*` is computed: the time that
was measured for 32,000 LMBs, times as many lists, times as long.

| list | n | k | opening µs | ours µs | again µs | growth | once a request µs | ratio | once an LMB µs | ratio |
|---|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|
";

/// How the list looks before.
#[derive(Clone, Copy, PartialEq)]
enum Start {
    V1,
    /// Everything is there: few sets.
    V2,
    /// Two LMBs in a set: as many sets as go.
    V2Pairs,
}

fn main() {
    print!("{HEADING}");
    for (start, half, name) in [
        (Start::V1, false, "v1, five apart"),
        (Start::V1, true, "v1, every second"),
        (Start::V2, false, "v2, five apart"),
        (Start::V2, true, "v2, every second"),
        (Start::V2Pairs, false, "v2 in n/2 sets, five apart"),
    ] {
        let (mut first, mut measured) = (None, Duration::ZERO);
        for count in COUNTS {
            let removed: Vec<u64> = match half {
                true => (0..count).step_by(2).collect(),
                false => (1..=5).map(|n| (count * n / 6) | 1).collect(),
            };
            let (opening, ours, again) = ours(start, count, &removed);
            let per = again.as_secs_f64() / (removed.len() as f64 * (count as f64).log2());
            let growth = per / *first.get_or_insert(per);
            let once = anew(start, count, &removed, false);
            let (each, computed) = match count <= MEASURED_PER_LMB {
                true => (anew(start, count, &removed, true), ""),
                false => {
                    // As many lists as LMBs are removed, each as long as all LMBs.
                    let longer = count as f64 / MEASURED_PER_LMB as f64;
                    let more = if half { longer } else { 1.0 };
                    (measured.mul_f64(more * longer), "*")
                }
            };
            measured = if computed.is_empty() { each } else { measured };
            let ratio = |time: Duration| time.as_secs_f64() / ours.as_secs_f64();
            println!(
                "| {name} | {count} | {} | {} | {} | {} | {growth:.2} | {} | **{:.1}** | {}{computed} | **{:.0}** |",
                removed.len(),
                micros(opening),
                micros(ours),
                micros(again),
                micros(once),
                ratio(once),
                micros(each),
                ratio(each),
            );
        }
    }
}

fn micros(time: Duration) -> String {
    let micros = time.as_secs_f64() * 1e6;
    if micros < 100.0 { format!("{micros:.2}") } else { format!("{micros:.0}") }
}

fn list(start: Start, count: u64) -> Vec<Lmb> {
    let aa_index = |n: u64| if start == Start::V2Pairs { (n / 2 % 2) as u32 } else { (n * 4 / count) as u32 };
    let lmb = |n: u64| Lmb {
        base_addr: PhysAddr(n * LMB),
        drc_index: 0x8000_0000 + n as u32,
        aa_index: aa_index(n),
        flags: DRCONF_MEM_ASSIGNED,
    };
    (0..count).map(lmb).collect()
}

/// The value of v1, entry by entry.
fn entries(lmbs: &[Lmb]) -> Vec<u8> {
    let mut value = (lmbs.len() as u32).to_be_bytes().to_vec();
    for lmb in lmbs {
        value.extend(lmb.base_addr.0.to_be_bytes());
        for word in [lmb.drc_index, 0, lmb.aa_index, lmb.flags] {
            value.extend(word.to_be_bytes());
        }
    }
    value
}

/// The value of v2, set by set.
fn sets(lmbs: &[Lmb]) -> Vec<u8> {
    let mut value = vec![0; 4];
    let alike = |a: &Lmb, b: &Lmb| (a.aa_index, a.flags) == (b.aa_index, b.flags);
    let mut count = 0_u32;
    for set in lmbs.chunk_by(alike) {
        count += 1;
        value.extend((set.len() as u32).to_be_bytes());
        value.extend(set[0].base_addr.0.to_be_bytes());
        for word in [set[0].drc_index, set[0].aa_index, set[0].flags] {
            value.extend(word.to_be_bytes());
        }
    }
    value[..4].copy_from_slice(&count.to_be_bytes());
    value
}

fn value(start: Start, lmbs: &[Lmb]) -> Vec<u8> {
    if start == Start::V1 { entries(lmbs) } else { sets(lmbs) }
}

/// A tree with the list and nothing else, and room behind it.
fn tree(start: Start, lmbs: &[Lmb], room: usize) -> Vec<u8> {
    let name = if start == Start::V1 { "ibm,dynamic-memory\0" } else { "ibm,dynamic-memory-v2\0" };
    let strings = format!("ibm,lmb-size\0{name}");
    let value = value(start, lmbs);
    let words = |words: &[u32]| words.iter().flat_map(|word| word.to_be_bytes()).collect::<Vec<u8>>();
    let mut structure = words(&[1, 0, 1]);
    structure.extend(b"ibm,dynamic-reconfiguration-memory\0\0");
    structure.extend(words(&[3, 8, 0]));
    structure.extend(LMB.to_be_bytes());
    structure.extend(words(&[3, value.len() as u32, 13]));
    structure.extend(value);
    structure.extend(words(&[2, 2, 9]));
    let strings_at = 56 + structure.len() as u32;
    let total = strings_at + strings.len() as u32;
    let mut blob = words(&[
        0xd00d_feed,
        total,
        56,
        strings_at,
        40,
        17,
        16,
        0,
        strings.len() as u32,
        structure.len() as u32,
    ]);
    blob.extend([0; 16]);
    blob.extend(structure);
    blob.extend(strings.bytes());
    blob.resize(blob.len() + room, 0);
    blob
}

fn rounds(count: u64) -> usize {
    if count > 100_000 { 5 } else { 21 }
}

fn median(mut times: Vec<Duration>) -> Duration {
    times.sort();
    times[times.len() / 2]
}

/// The time to open the tree, that of the batch, and that of the same batch again.
fn ours(start: Start, count: u64, removed: &[u64]) -> (Duration, Duration, Duration) {
    let lmbs = list(start, count);
    let whole = tree(start, &lmbs, 24 * (2 * removed.len() + 2));
    let layout = if start == Start::V1 { Layout::V1 } else { Layout::V2 };
    let mut expected = lmbs.clone();
    removed.iter().for_each(|&n| remove(&mut expected[n as usize]));
    let expected = value(start, &expected);
    let put_back = |&n: &u64| {
        let Lmb { base_addr, aa_index, .. } = lmbs[n as usize];
        Change { base_addr, seq_lmbs: 1, clear: 0, set: DRCONF_MEM_ASSIGNED, aa_index: Some(aa_index) }
    };
    let (mut openings, mut times, mut again) = (Vec::new(), Vec::new(), Vec::new());
    let mut changes = Vec::with_capacity(removed.len());
    let mut blob = whole.clone();
    for _ in 0..rounds(count) {
        blob.copy_from_slice(&whole);
        let begin = Instant::now();
        let mut memory = DynamicMemory::open(black_box(&mut blob)).unwrap();
        openings.push(begin.elapsed());
        times.push(batch(&mut memory, removed, &mut changes));
        let mut back: Vec<Change> = removed.iter().map(put_back).collect();
        memory.apply(&mut back).unwrap();
        again.push(batch(&mut memory, removed, &mut changes));
        assert!(memory.value() == expected, "the list is another one");
        assert!(Table::read(layout, LMB, memory.value()).is_ok());
    }
    (median(openings), median(times), median(again))
}

fn batch(memory: &mut DynamicMemory<'_>, removed: &[u64], changes: &mut Vec<Change>) -> Duration {
    changes.clear();
    let begin = Instant::now();
    let table = memory.table();
    changes.extend(removed.iter().map(|&n| {
        let lmb = table.find_drc(black_box(0x8000_0000 + n as u32)).unwrap();
        Change::release(lmb.base_addr, 1)
    }));
    memory.apply(changes).unwrap();
    begin.elapsed()
}

fn remove(lmb: &mut Lmb) {
    (lmb.flags, lmb.aa_index) = (lmb.flags & !DRCONF_MEM_ASSIGNED, NO_ASSOCIATIVITY);
}

/// The time with an array of all LMBs and a property that is built from it, once for all or once for each LMB removed.
fn anew(start: Start, count: u64, removed: &[u64], each: bool) -> Duration {
    let lmbs = list(start, count);
    // One search from the start is O(n): for half of a million it would hide what is compared, so it goes on from the last hit.
    let rounds = if each { 1 } else { rounds(count) };
    let mut times = Vec::new();
    for _ in 0..rounds {
        let mut lmbs = lmbs.clone();
        let begin = Instant::now();
        let mut from = 0;
        for &n in removed {
            let drc = 0x8000_0000 + n as u32;
            from += lmbs[from..].iter().position(|lmb| lmb.drc_index == drc).unwrap();
            remove(&mut lmbs[from]);
            if each {
                black_box(value(start, black_box(&lmbs)));
            }
        }
        if !each {
            black_box(value(start, black_box(&lmbs)));
        }
        times.push(begin.elapsed());
    }
    median(times)
}
