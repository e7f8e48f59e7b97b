//! Dumps of a machine whose kernel tells pages apart: x86_64, 64 MiB.

use vmcore_format::vmcoreinfo::VmcoreInfo;

use super::*;
use crate::test_machine::{ANON, BUDDY, CACHE, FRAMES, MEM_MAP, PLAIN, Page, SLAB, TestMachine, TestMemory};
use crate::{Doubt, Kernel, PageKind};

/// The PFNs whose bit is set in bitmap 2 of a file with one block of notes and one block a bitmap.
fn held(file: &File) -> Vec<u64> {
    (0..FRAMES).filter(|pfn| file.bytes[3 * 4096 + *pfn as usize / 8] >> (pfn % 8) & 1 == 1).collect()
}

/// Dumps the machine with the least memory or plenty of it.
fn save(machine: &mut TestMachine, options: Options, plenty: bool) -> (Report, File) {
    save_with(machine, options, plenty, |_, _| ())
}

/// As [`save`]; `scan` may do the first pass.
fn save_with(
    machine: &mut TestMachine,
    options: Options,
    plenty: bool,
    scan: impl FnOnce(&mut Dumper<'_>, &mut TestMemory),
) -> (Report, File) {
    let text = machine.info.join("\n");
    let info = VmcoreInfo::new(text.as_bytes());
    let mut source = source(&Machine::default(), FRAMES);
    source.vmcoreinfo = Some(info);
    let who = crate::Machine { e_machine: 62, layout: Layout::LE64 };
    let mut kernel = Kernel::open(&info, who, &[], &mut machine.memory).unwrap();
    let size = if plenty { 1 << 18 } else { least_words(source, options) };
    let mut words = vec![0; size];
    let mut out = File::default();
    let mut dumper = Dumper::new(source, Some(&mut kernel), options, &mut words).unwrap();
    scan(&mut dumper, &mut machine.memory);
    let report = run(dumper, &mut machine.memory, &mut out);
    (report, out)
}

/// Scans all spans but the first from the last to the first, as threads might, and commits them in order.
fn scan_backwards(dumper: &mut Dumper<'_>, memory: &mut TestMemory) {
    let mut scanner = dumper.scanner();
    let mut scratch = vec![0; scanner.scratch_len()];
    let mut spans = Vec::new();
    while let Some(span) = dumper.next_scan(memory).unwrap() {
        spans.push((span, vec![0; SPAN_WORDS], None));
    }
    assert!(matches!(
        dumper.next_chunk(memory, &mut File::default()),
        Err(Error::OutOfOrder { expected: 0 })
    ));
    for (span, words, scanned) in spans.iter_mut().rev() {
        *scanned = Some(scanner.scan(span, memory, words, &mut scratch).unwrap());
    }
    for (span, words, scanned) in &spans {
        let scanned = scanned.as_ref().unwrap();
        dumper.commit_scan(span, scanned, words, memory).unwrap();
        let again = dumper.commit_scan(span, scanned, words, memory);
        assert_eq!(again.unwrap_err(), Error::OutOfOrder { expected: span.sequence + 1 });
    }
}

#[test]
fn spans_scanned_in_any_order_make_the_same_dump() {
    let mut plain = machine();
    plain.page(0x1300, Page { flags: 1 << 20, ..PLAIN });
    plain.memory.faults.insert((MEM_MAP + 0x2000 * 64) >> 12);
    // A compound page over three spans of 4096 frames.
    let mut huge = machine();
    huge.compound(0x2000, 13, ANON);
    // One whose tails are none where spans begin: what they look like is not what they are.
    let mut odd = machine();
    odd.compound(0x2000, 13, ANON);
    odd.page(0x3000, CACHE);
    odd.page(0x3001, Page { mapcount: BUDDY, private: 3, ..PLAIN });
    // A kept one, with a broken page in the middle.
    let mut slab = machine();
    slab.compound(0x2000, 13, Page { mapcount: SLAB, ..PLAIN });
    slab.page(0x3000, Page { flags: 1 << 20, mapcount: BUDDY, ..PLAIN });
    for mut machine in [plain, huge, odd, slab] {
        for level in [0, 1, 8, 31] {
            for format in [Format::Kdump, Format::Elf] {
                let options = options(level, format);
                machine.memory.mapped = false;
                let (report, out) = save(&mut machine, options, true);
                for plenty in [false, true] {
                    machine.memory.mapped = plenty;
                    let (again, same) = save_with(&mut machine, options, plenty, scan_backwards);
                    assert_eq!(std::format!("{again:?}"), std::format!("{report:?}"), "{level} {format:?}");
                    assert!(same.bytes == out.bytes, "{level} {format:?} {plenty}");
                }
            }
        }
    }
}

#[test]
fn buffers_of_a_scan_that_are_too_small_say_what_is_needed() {
    let mut machine = machine();
    save_with(&mut machine, options(31, Format::Kdump), true, |dumper, memory| {
        let mut scanner = dumper.scanner();
        let span = dumper.next_scan(memory).unwrap().unwrap();
        let words = (FRAMES / 64 * 2) as usize;
        let mut scratch = vec![0; scanner.scratch_len()];
        let (short, scanned) = scratch.split_at_mut(1);
        let few = scanner.scan(&span, memory, &mut vec![0; words - 1], scanned);
        assert_eq!(few.unwrap_err(), Error::BufferTooSmall { needed: words as u64 });
        let needed = scanner.scratch_len() as u64;
        let few = scanner.scan(&span, memory, &mut vec![0; words], short);
        assert_eq!(few.unwrap_err(), Error::BufferTooSmall { needed });
        let mut bits = vec![0; words];
        let scanned = scanner.scan(&span, memory, &mut bits, &mut scratch).unwrap();
        let few = dumper.commit_scan(&span, &scanned, &bits[1..], memory);
        assert_eq!(few.unwrap_err(), Error::BufferTooSmall { needed: words as u64 });
        dumper.commit_scan(&span, &scanned, &bits, memory).unwrap();
        assert!(dumper.next_scan(memory).unwrap().is_none());
    });
}

fn machine() -> TestMachine {
    let mut machine = TestMachine::new();
    for pfn in 0x1000..0x1400 {
        machine.page(pfn, if pfn < 0x1200 { CACHE } else { ANON });
    }
    // A free block of 2^10 pages over the end of a slice of 4096 frames and of one of 64.
    machine.page(0x0c20, Page { mapcount: BUDDY, private: 5, ..PLAIN });
    machine.page(0x1800, Page { mapcount: BUDDY, private: 10, ..PLAIN });
    machine
}

#[test]
fn the_filter_decides_what_is_kept_whatever_the_memory() {
    let mut machine = machine();
    let excluded = [(2, 0x1000..0x1200_u64), (8, 0x1200..0x1400), (16, 0x1800..0x1c00)];
    for level in [0, 1, 2, 8, 16, 31] {
        let kdump = options(level, Format::Kdump);
        let (report, out) = save(&mut machine, kdump, true);
        let left_out = |pfn: u64| {
            let free = level & 16 != 0 && (0xc20..0xc40).contains(&pfn);
            free || excluded.iter().any(|(bit, frames)| level & bit != 0 && frames.contains(&pfn))
        };
        assert!(held(&out).into_iter().eq((0..FRAMES).filter(|&pfn| !left_out(pfn))), "{level}");
        assert_eq!((report.more_kept, report.outcome()), (None, Outcome::Complete));
        assert_eq!(report.counts.pages(PageKind::Free), 0x420);
        assert!(save(&mut machine, kdump, false).1.bytes == out.bytes);
        let elf = options(level, Format::Elf);
        assert!(save(&mut machine, elf, false).1.bytes == save(&mut machine, elf, true).1.bytes);
    }
}

#[test]
fn what_cannot_be_true_keeps_every_page() {
    // No page is free: on a live machine there always is one.
    let mut machine = TestMachine::new();
    machine.page(0x1000, CACHE);
    for (format, plenty) in
        [(Format::Kdump, true), (Format::Kdump, false), (Format::Elf, true), (Format::Elf, false)]
    {
        let (report, out) = save(&mut machine, options(30, format), plenty);
        assert!(matches!(report.findings.unwrap().doubt(), Some(Doubt::NoFreePage { .. })));
        assert_eq!((report.more_kept, report.outcome()), (Some(Reason::Doubt), Outcome::MoreKept));
        assert_eq!((report.known, report.held, report.kept, report.saved), (FRAMES, FRAMES, FRAMES, FRAMES));
        assert_eq!((report.level, report.options.level.bits()), (Level::empty(), 30));
        if format == Format::Kdump {
            assert_eq!(held(&out).len() as u64, FRAMES);
            assert_eq!(out.u32(4096 + 8), 0, "the header tells the level that was used");
        }
    }
    let (report, _) = save(&mut machine, options(31, Format::Elf), false);
    assert_eq!(report.level, Level::ZERO);
    assert_eq!(report.kept + report.zero, FRAMES);
}
