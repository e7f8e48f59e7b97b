//! Dumps of a machine whose kernel tells pages apart: x86_64, 64 MiB.

use vmcore_format::vmcoreinfo::VmcoreInfo;

use super::*;
use crate::test_machine::{ANON, BUDDY, CACHE, FRAMES, PLAIN, Page, TestMachine};
use crate::{Doubt, Kernel, PageKind};

/// The PFNs whose bit is set in bitmap 2 of a file with one block of notes and one block a bitmap.
fn held(file: &File) -> Vec<u64> {
    (0..FRAMES).filter(|pfn| file.bytes[3 * 4096 + *pfn as usize / 8] >> (pfn % 8) & 1 == 1).collect()
}

/// Dumps the machine with the least memory or plenty of it.
fn save(machine: &mut TestMachine, options: Options, plenty: bool) -> (Report, File) {
    let text = machine.info.join("\n");
    let info = VmcoreInfo::new(text.as_bytes());
    let mut source = source(&Machine::default(), FRAMES);
    source.vmcoreinfo = Some(info);
    let who = crate::Machine { e_machine: 62, layout: Layout::LE64 };
    let mut kernel = Kernel::open(&info, who, &[], &mut machine.memory).unwrap();
    let size = if plenty { 1 << 18 } else { least_words(source, options) };
    let mut words = vec![0; size];
    let mut out = File::default();
    let report = run(
        Dumper::new(source, Some(&mut kernel), options, &mut words).unwrap(),
        &mut machine.memory,
        &mut out,
    );
    (report, out)
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
