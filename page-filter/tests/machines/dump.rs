//! Dumps of simulated machines: from every input to every output, the right pages with the right bytes.

use std::collections::BTreeSet;

use crate::files::{MIB, dump, pages};
use page_filter::dump::{EXCLUDED_RUN, Format, Options, Outcome, Reason, Split};
use page_filter::{Level, PageKind};
use testkit::{
    Arch, Codec, ElfOptions, Era, FlattenOptions, Loads, Machine, MemModel, Population, Use, flatten,
    kdump_of,
};
use vmcore_format::ReadAt;
use vmcore_format::flattened::{Extent, Flattened};
use vmcore_format::kdump::Compression;

const CODECS: [Compression; 5] =
    [Compression::Raw, Compression::Zlib, Compression::Lzo, Compression::Snappy, Compression::Zstd];

fn options(level: u8, compression: Compression, format: Format) -> Options {
    Options { level: Level::from_bits(level).unwrap(), compression, format, ..Options::default() }
}

/// A file of `format` holds what `level` keeps, byte for byte, and nothing else.
fn check(machine: &Machine, files: &[&dyn ReadAt], level: u8, format: Format, what: &str) {
    let got = pages(files, machine.page_size());
    match format {
        Format::Kdump => {
            let want = machine.expected_dumpable(level);
            crate::kit::assert_same(machine, &got.keys().copied().collect(), &want, what);
        }
        Format::Elf => {
            for pfn in machine.expected_kept(level) {
                assert!(got.contains_key(&pfn), "{what}: {pfn:#x} {:?} is lost", machine.use_of(pfn));
            }
            check_gaps(machine, &got.keys().copied().collect(), &machine.expected_kept(level), what);
        }
    }
    let want = machine.expected_kept(level);
    for (pfn, page) in got {
        if want.contains(&pfn) {
            assert!(page == machine.content(pfn), "{what}: {pfn:#x} {:?} differs", machine.use_of(pfn));
        } else {
            // A zero page, or (ELF) one in a short gap.
            assert!(page.iter().all(|b| *b == 0), "{what}: {pfn:#x} {:?} is there", machine.use_of(pfn));
        }
    }
}

/// An ELF core fills gaps that are shorter than the threshold, and no others.
fn check_gaps(machine: &Machine, got: &BTreeSet<u64>, kept: &BTreeSet<u64>, what: &str) {
    for (start, end) in machine.ranges() {
        let range = start >> 12..end.div_ceil(0x1000);
        let mut last = None;
        for pfn in kept.range(range.clone()) {
            let gap = last.map_or(range.start, |last| last + 1)..*pfn;
            let filled = last.is_some() && gap.end - gap.start < EXCLUDED_RUN;
            for between in gap {
                assert_eq!(got.contains(&between), filled, "{what}: {between:#x} in the gap before {pfn:#x}");
            }
            last = Some(*pfn);
        }
    }
}

#[test]
fn every_codec_and_format_at_any_workspace_size() {
    let machine = Machine::x86_64(Era::V6_12).five_levels().kaslr(0x1be0_0000).build();
    let file = machine.elf().to_vec();
    let file = file.as_slice();
    for (i, compression) in CODECS.into_iter().enumerate() {
        for level in [[0, 31], [1, 23], [31, 30], [17, 31], [8, 31]][i] {
            let words = [MIB / 2, MIB, 4 * MIB][i % 3];
            let what = format!("{compression:?}, level {level}");
            let (out, report) = dump(&[&file], options(level, compression, Format::Kdump), words).unwrap();
            assert_eq!(report.outcome(), Outcome::Complete, "{what}");
            assert_eq!(report.known, machine.pfns().len() as u64);
            assert_eq!(report.saved, machine.expected_dumpable(level).len() as u64);
            check(&machine, &[&out.as_slice()], level, Format::Kdump, &what);
        }
    }
    // Long runs of excluded pages.
    let machine = Machine::x86_64(Era::V6_12)
        .place(0x1000, Use::Free { order: 10 })
        .place(0x1400, Use::Free { order: 8 })
        .place(0x1500, Use::Kernel)
        .place(0x1501, Use::Kernel)
        .place(0x1600, Use::Free { order: 8 })
        .place(0x1700, Use::Kernel)
        .place(0x1800, Use::Unaccepted)
        .build();
    let file = machine.elf().to_vec();
    let file = file.as_slice();
    for level in [0, 1, 16, 31] {
        for words in [MIB / 2, 4 * MIB] {
            let (out, report) = dump(&[&file], options(level, Compression::Raw, Format::Elf), words).unwrap();
            assert_eq!(report.outcome(), Outcome::Complete);
            check(&machine, &[&out.as_slice()], level, Format::Elf, &format!("ELF, level {level}"));
        }
    }
}

#[test]
fn every_era_end_to_end() {
    for era in Era::ALL {
        let machine = Machine::x86_64(era).population(Population::Mix(era as u64 + 40)).build();
        let file = machine.elf().to_vec();
        let (out, report) =
            dump(&[&file.as_slice()], options(31, Compression::Lzo, Format::Kdump), MIB).unwrap();
        assert_eq!(report.outcome(), Outcome::Complete, "{era:?} {report:?}");
        let zero = machine.expected_dumpable(31).len() - machine.expected_kept(31).len();
        assert_eq!(report.zero, zero as u64, "{era:?}");
        let free = machine.pfns().iter().filter(|p| machine.kind_by_use(**p) == testkit::Kind::Free).count();
        assert_eq!(report.counts.pages(PageKind::Free), free as u64);
        check(&machine, &[&out.as_slice()], 31, Format::Kdump, &format!("{era:?}"));
    }
}

#[test]
fn every_layout_of_the_input() {
    let machine = Machine::x86_64(Era::V6_1).kaslr(0x20_0000).build();
    let plain = ElfOptions::default;
    for elf in [
        ElfOptions { loads: Loads::Unsorted, ..plain() },
        ElfOptions { loads: Loads::Split(0x7_3800), ..plain() },
        ElfOptions { zero_vaddrs: true, ..plain() },
        ElfOptions { text: false, split_notes: true, ..plain() },
        ElfOptions { xnum: true, ..plain() },
        ElfOptions { qemu: true, ..plain() },
    ] {
        let file = machine.elf_with(&elf).to_vec();
        for format in [Format::Kdump, Format::Elf] {
            let what = format!("{format:?} of {elf:?}");
            let (out, report) =
                dump(&[&file.as_slice()], options(31, Compression::Snappy, format), MIB).unwrap();
            assert_eq!(report.outcome(), Outcome::Complete, "{what}");
            check(&machine, &[&out.as_slice()], 31, format, &what);
        }
    }
}

#[test]
fn memory_that_the_input_lacks_is_not_invented() {
    let machine = Machine::x86_64(Era::V6_1).build();
    let elf = ElfOptions { missing: 0x3_0000, ..ElfOptions::default() };
    let image = machine.elf_with(&elf);
    let (held, file) = (image.held(), image.to_vec());
    let (out, report) = dump(&[&file.as_slice()], options(0, Compression::Raw, Format::Kdump), MIB).unwrap();
    assert_eq!((report.known, report.held), (machine.pfns().len() as u64, held.len() as u64));
    let got = pages(&[&out.as_slice()], 0x1000);
    let dumpable = machine.expected_dumpable(0);
    for pfn in machine.pfns() {
        // What the end of memory holds is struct pages: they are gone, and the pages they describe are kept.
        assert!(got.contains_key(&pfn) || !held.contains(&pfn) || !dumpable.contains(&pfn), "{pfn:#x}");
        assert!(!got.contains_key(&pfn) || held.contains(&pfn), "{pfn:#x}");
    }
}

#[test]
fn dumps_are_filtered_again() {
    let machine = Machine::x86_64(Era::V6_6).build();
    for codec in [Codec::Raw, Codec::Mixed, Codec::Zstd] {
        for first in [0, 1, 16] {
            let mut kdump = kdump_of(&machine, first);
            kdump.codec = codec;
            let file = kdump.to_vec();
            for format in [Format::Kdump, Format::Elf] {
                let what = format!("{format:?} of level {first}, {codec:?}");
                let (out, report) =
                    dump(&[&file.as_slice()], options(31, Compression::Zlib, format), MIB).unwrap();
                assert_eq!(report.outcome(), Outcome::Complete, "{what}");
                check(&machine, &[&out.as_slice()], 31, format, &what);
            }
        }
    }
}

#[test]
fn split_sets_are_read_and_written() {
    let machine = Machine::x86_64(Era::V6_1).build();
    let kdump = kdump_of(&machine, 1);
    let parts = kdump.split(&[0..0x400, 0x400..0x1800, 0x1800..kdump.max_mapnr]);
    let inputs: Vec<&[u8]> = parts.iter().map(Vec::as_slice).collect();
    let inputs: Vec<&dyn ReadAt> = inputs.iter().map(|part| part as &dyn ReadAt).collect();
    for count in [1, 2, 5] {
        let outs: Vec<Vec<u8>> = (0..count)
            .map(|part| {
                let split = Some(Split { part, parts: count });
                let options = Options { split, ..options(31, Compression::Lzo, Format::Kdump) };
                dump(&inputs, options, MIB).unwrap().0
            })
            .collect();
        let outs: Vec<&[u8]> = outs.iter().map(Vec::as_slice).collect();
        let outs: Vec<&dyn ReadAt> = outs.iter().map(|part| part as &dyn ReadAt).collect();
        check(&machine, &outs, 31, Format::Kdump, &format!("{count} parts"));
    }
}

#[test]
fn flattened_inputs_are_dumped_in_place() {
    let machine = Machine::x86_64(Era::V5_10).build();
    let file = kdump_of(&machine, 0).to_vec();
    let options_of =
        FlattenOptions { record: 70_000, shuffled: true, stale: true, ..FlattenOptions::default() };
    let stream = flatten(&file, &options_of);
    let stream = stream.as_slice();
    let mut table = vec![Extent::EMPTY; 1000];
    let flat = Flattened::open(&stream, &mut table).unwrap();
    let (out, _) = dump(&[&flat], options(31, Compression::Zlib, Format::Kdump), MIB).unwrap();
    check(&machine, &[&out.as_slice()], 31, Format::Kdump, "flattened");
}

#[test]
fn lost_pages_are_lost_and_said_so() {
    let machine = Machine::x86_64(Era::V6_1).population(Population::Only(Use::Cache)).build();
    let mut kdump = kdump_of(&machine, 0);
    // Not the tables that lead to the struct pages, or everything is kept.
    kdump.lost = (0x800..0x900).collect();
    let file = kdump.to_vec();
    let (out, report) = dump(&[&file.as_slice()], options(1, Compression::Zlib, Format::Kdump), MIB).unwrap();
    assert_eq!((report.outcome(), report.lost), (Outcome::Incomplete, 256));
    let got = pages(&[&out.as_slice()], 0x1000);
    for (pfn, page) in got {
        assert_eq!(page.is_empty(), kdump.lost.contains(&pfn), "{pfn:#x}");
    }
}

#[test]
fn without_vmcoreinfo_everything_is_kept() {
    let machine = Machine::x86_64(Era::V6_1).build();
    let elf = ElfOptions { vmcoreinfo: false, ..ElfOptions::default() };
    let file = machine.elf_with(&elf).to_vec();
    let (out, report) = dump(&[&file.as_slice()], options(31, Compression::Raw, Format::Kdump), MIB).unwrap();
    assert_eq!((report.outcome(), report.more_kept), (Outcome::MoreKept, Some(Reason::NoVmcoreInfo)));
    let got = pages(&[&out.as_slice()], 0x1000);
    assert!(got.keys().copied().eq(machine.pfns()));
    assert!(got.iter().all(|(pfn, page)| *page == machine.content(*pfn)));
}

#[test]
fn machines_of_every_architecture_are_saved_whole() {
    for arch in [Arch::I386, Arch::Arm64, Arch::Ppc64, Arch::Ppc64Le, Arch::S390x, Arch::Ppc] {
        let machine = Machine::tiny(arch).build();
        let file = machine.elf().to_vec();
        for format in [Format::Kdump, Format::Elf] {
            let words = 8 * MIB;
            let (out, report) =
                dump(&[&file.as_slice()], options(1, Compression::Zlib, format), words).unwrap();
            assert_eq!(report.outcome(), Outcome::Complete, "{arch:?}");
            let got = pages(&[&out.as_slice()], machine.page_size());
            for pfn in machine.pfns() {
                let content = machine.content(pfn);
                let zero = content.iter().all(|b| *b == 0);
                assert!(got.get(&pfn).map_or(zero, |page| *page == content), "{arch:?} {format:?} {pfn:#x}");
            }
        }
    }
}

#[test]
fn struct_pages_far_from_each_other_and_shared_tails() {
    let machine = Machine::x86_64(Era::V6_16)
        .model(MemModel::Vmemmap { huge: false, optimised: true })
        .population(Population::Mix(1234))
        .build();
    let file = machine.elf().to_vec();
    for level in [8, 23, 31] {
        let (out, report) =
            dump(&[&file.as_slice()], options(level, Compression::Zstd, Format::Kdump), MIB / 2).unwrap();
        assert_eq!(report.outcome(), Outcome::Complete);
        check(&machine, &[&out.as_slice()], level, Format::Kdump, &format!("optimised, level {level}"));
    }
}

#[test]
fn what_cannot_be_true_is_saved_whole() {
    // The kernel's root table, marked free.
    let mut machine = Machine::x86_64(Era::V6_12).build();
    let root = machine.symbol("init_top_pgt").unwrap() - machine.text_virt() + machine.text_phys();
    let at = machine.struct_page_phys(root / 0x1000).unwrap();
    machine.poke(at + 48, &0xf000_0000_u32.to_le_bytes());
    machine.poke(at + 40, &0u64.to_le_bytes());
    let file = machine.elf().to_vec();
    for words in [MIB / 2, 8 * MIB] {
        let (out, report) =
            dump(&[&file.as_slice()], options(31, Compression::Lzo, Format::Kdump), words).unwrap();
        assert_eq!((report.outcome(), report.more_kept), (Outcome::MoreKept, Some(Reason::Doubt)));
        assert_eq!((report.kept, report.level), (machine.pfns().len() as u64, Level::ZERO));
        let got = pages(&[&out.as_slice()], 0x1000);
        assert!(machine.pfns().iter().all(|pfn| got[pfn] == machine.content(*pfn)));
    }
}
