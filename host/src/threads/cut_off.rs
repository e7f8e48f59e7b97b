//! A file that is cut off under its mappings, while threads read it.

use core::cell::Cell;
use std::collections::BTreeSet;
use std::fs::{self, File};

use page_filter::dump::{Format, Options, Outcome, Report, Source};
use page_filter::{ElfMemory, Kernel, Level, LoadIndex, LoadSlot, Machine};
use testkit::Era;
use vmcore_format::elf::{ElfCore, ProgramHeader};
use vmcore_format::kdump::{Compression, KdumpFile, PageDesc, Part};
use vmcore_format::{Field, Pfn, ReadAt, WriteAt};

use super::*;
use crate::Input;

struct Out(Vec<u8>);

impl WriteAt for Out {
    fn write_at(&mut self, offset: u64, bytes: &[u8]) -> Result<(), i32> {
        let end = offset as usize + bytes.len();
        if self.0.len() < end {
            self.0.resize(end, 0);
        }
        self.0[offset as usize..end].copy_from_slice(bytes);
        Ok(())
    }
}

/// When the file is cut off.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum When {
    /// After its headers and the kernel's tables were read.
    Opened,
    Scanning,
    Writing,
}

/// Dumps a vmcore, through mappings, that is cut to `len` bytes; the pages lost are where the input ends, too.
fn dump(machine: &testkit::Machine, len: u64, when: When, threads: usize, level: u8) {
    let name = format!("kcapture-cut-{len}-{when:?}-{threads}-{level}-{}", std::process::id());
    let path = std::env::temp_dir().join(name);
    fs::write(&path, machine.elf().to_vec()).unwrap();
    let input = Input::mapped(&path).unwrap();
    let file = File::options().write(true).open(&path).unwrap();
    fs::remove_file(&path).unwrap();

    let mut table = vec![ProgramHeader::default(); 16];
    let core = ElfCore::open(&input, &mut table).unwrap();
    let mut text = vec![0; 0x1_0000];
    let source = Source::of_elf(&core, &mut text).unwrap();
    let mut slots = vec![LoadSlot::default(); 16];
    let index = LoadIndex::new(core.loads(), &mut slots, source.page_size, input.size()).unwrap();
    let mut memory = ElfMemory::with_index(&input, index);
    let of = Machine { e_machine: source.e_machine, layout: source.machine_layout() };
    let mut kernel = Kernel::open(&source.vmcoreinfo.unwrap(), of, source.loads, &mut memory).unwrap();
    let options = Options {
        level: Level::from_bits_truncate(level),
        compression: Compression::Raw,
        format: Format::Kdump,
        ..Options::default()
    };
    let mut words = vec![0; 1 << 17];
    let mut dumper = Dumper::new(source, Some(&mut kernel), options, &mut words).unwrap();
    let mut out = Out(Vec::new());
    let lend = |lend: &mut dyn FnMut(&mut dyn PhysMemory)| lend(&mut ElfMemory::with_index(&input, index));
    let cut = Cell::new(false);
    let cut_off = || {
        if !cut.replace(true) {
            file.set_len(len).unwrap();
        }
    };
    if when == When::Opened {
        cut_off();
    }
    let mut told = |progress: Progress| {
        match progress.phase {
            Phase::Scan if when == When::Scanning => cut_off(),
            Phase::Write if when == When::Writing && progress.done > 0 => cut_off(),
            _ => {}
        }
        Ok(())
    };
    finish_on_threads(&mut dumper, &mut memory, &lend, threads, &mut out, &mut told).unwrap();
    assert!(cut.get());
    let report = *dumper.report();
    let there = |pfn: u64| {
        core.loads().iter().any(|load| {
            let (start, end) = (pfn << 12, (pfn + 1) << 12);
            (load.p_paddr..load.p_paddr + load.p_filesz).contains(&start.max(load.p_paddr))
                && load.p_paddr < end
                && load.p_offset + end.min(load.p_paddr + load.p_filesz) - load.p_paddr <= len
        })
    };
    check(machine, &report, &out.0, when, level, there);
}

fn check(
    machine: &testkit::Machine,
    report: &Report,
    out: &[u8],
    when: When,
    level: u8,
    there: impl Fn(u64) -> bool,
) {
    assert_eq!(report.outcome(), Outcome::Incomplete, "{when:?}");
    assert!(report.lost > 0 && report.saved > 0, "{report:?}");
    assert_eq!(report.lost + report.saved, report.kept);
    let mut parts = [Part::new(&out)];
    let mut index = vec![0; 4096];
    let mut kdump = KdumpFile::open(&mut parts, &mut index).unwrap();
    assert!(kdump.incomplete());
    let expected = machine.expected_dumpable(level);
    let mut lost = BTreeSet::new();
    for pfn in machine.pfns() {
        let (part, offset) = match kdump.page_desc(Pfn(pfn)) {
            Ok(Some((part, PageDesc { offset, size: 4096, .. }))) => (part, offset),
            Ok(found) => {
                assert!(found.is_none() && !expected.contains(&pfn), "{pfn:#x} {when:?}: {found:?}");
                continue;
            }
            // Its descriptor has no data.
            Err(vmcore_format::Error::Corrupt { field: Field::PageLost, .. }) => {
                lost.insert(pfn);
                continue;
            }
            Err(error) => unreachable!("{pfn:#x} {when:?}: {error:?}"),
        };
        let mut page = vec![0; 4096];
        kdump.read_raw(part, offset, &mut page).unwrap();
        assert!(page == machine.content(pfn), "{pfn:#x} {when:?}");
    }
    assert_eq!(lost.len() as u64, report.lost);
    assert!(lost.iter().all(|&pfn| !there(pfn)), "a page that is there is lost, {when:?}");
    if when != When::Writing {
        let gone = expected.iter().filter(|&&pfn| !there(pfn));
        assert!(gone.clone().count() > 0 && gone.clone().all(|pfn| lost.contains(pfn)), "{when:?}");
    }
    assert!(report.faults[0].is_some());
}

#[test]
#[cfg_attr(miri, ignore = "Miri maps no files")]
fn a_vmcore_that_is_cut_off_while_it_is_mapped_loses_what_is_gone_and_nothing_else() {
    let machine = testkit::Machine::x86_64(Era::V6_1).build();
    let whole = machine.elf().to_vec().len() as u64;
    for (at, when) in [When::Opened, When::Scanning, When::Writing].into_iter().enumerate() {
        for (threads, level) in [(1, 31), (3, 0)] {
            // The second in the middle of struct pages and page tables.
            for part in [7, 3 + at as u64] {
                dump(&machine, (whole * part / 8) & !0xfff, when, threads, level);
            }
        }
    }
}
