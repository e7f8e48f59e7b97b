//! Faults put into the whole pipeline: reads that fail, memory that cannot be read, writes that fail or fall short.
//!
//! Whatever happens, no page is wrong, no live page is missing without the report saying so, and what was written opens.

use std::cell::Cell;
use std::collections::BTreeSet;
use std::ops::Range;

use crate::files::{Opened, Out, pages, with_opened};
use crate::kit::{KitMemory, every};
use page_filter::dump::{Dumper, Error, Format, Options, Outcome, Phase, Report};
use page_filter::{Fault, Kernel, Level, PhysMemory};
use testkit::{Era, Machine, MemModel};
use vmcore_format::flattened::{Extent, Flattened, Writer};
use vmcore_format::kdump::Compression;
use vmcore_format::{PageSize, Pfn, PhysAddr, ReadAt, WriteAt};

const CODECS: [Compression; 5] =
    [Compression::Raw, Compression::Zlib, Compression::Lzo, Compression::Snappy, Compression::Zstd];

const FULL: i32 = 28;
const FAILED: i32 = 5;

/// 256 KiB, in words: many chunks and many writes.
const WORDS: usize = 1 << 15;

/// 5 MiB of every kind of page.
fn small() -> Machine {
    Machine::x86_64(Era::V6_12)
        .model(MemModel::Vmemmap { huge: false, optimised: false })
        .ranges(&[(0x1000, 0x9_f800), (0x10_0000, 0x50_0000)])
        .build()
}

fn options(level: u8, compression: Compression, format: Format) -> Options {
    Options { level: Level::from_bits(level).unwrap(), compression, format, ..Options::default() }
}

/// All formats and codecs.
fn outputs(level: u8) -> impl Iterator<Item = Options> {
    let elf = options(level, Compression::Raw, Format::Elf);
    CODECS.into_iter().map(move |codec| options(level, codec, Format::Kdump)).chain([elf])
}

/// A memory of which every `every`th read fails, with one code or another.
struct Flaky<'m> {
    inner: &'m mut KitMemory,
    every: u64,
    reads: u64,
}

impl PhysMemory for Flaky<'_> {
    fn page_size(&self) -> PageSize {
        self.inner.page_size()
    }

    fn read(&mut self, addr: PhysAddr, buf: &mut [u8]) -> Result<(), Fault> {
        self.reads += 1;
        if self.every > 0 && self.reads.is_multiple_of(self.every) {
            // What was there before the failure is of no use to anybody.
            buf.fill(0xbd);
            return Err(Fault::Code(FAILED));
        }
        self.inner.read(addr, buf)
    }

    fn next_known(&mut self, from: Pfn) -> Result<Option<Range<Pfn>>, Fault> {
        self.inner.next_known(from)
    }
}

/// Dumps `machine`, whose memory is `memory`, step by step.
fn dump(
    machine: &Machine,
    memory: &mut dyn PhysMemory,
    options: Options,
    out: &mut dyn WriteAt,
) -> (Result<(), Error>, Report) {
    let elf = machine.elf();
    let mut head = vec![0; 0x2000];
    assert!(elf.read_at(0, &mut head));
    let head = head.as_slice();
    with_opened(&[&head], |Opened { mut source, .. }| {
        // The file's size would say that it was cut off.
        source.incomplete = false;
        let of = page_filter::Machine { e_machine: source.e_machine, layout: source.layout };
        let mut kernel = Kernel::open(&source.vmcoreinfo.unwrap(), of, source.loads, memory).ok();
        let mut words = vec![0; WORDS];
        let mut dumper = Dumper::new(source, kernel.as_mut(), options, &mut words).unwrap();
        for _ in 0..200_000 {
            match dumper.step(memory, out) {
                Ok(progress) if progress.phase == Phase::Finished => return (Ok(()), *dumper.report()),
                Ok(_) => {}
                Err(error) => {
                    let _ = dumper.abandon(out);
                    return (Err(error), *dumper.report());
                }
            }
        }
        unreachable!("the dump does not end")
    })
    .unwrap()
}

/// The page frames of a finished dump whose bytes are lost. Everything else is as it was in the machine.
fn check(machine: &Machine, out: &[u8], report: &Report, what: &str) -> BTreeSet<u64> {
    let level = report.options.level.bits();
    let got = pages(&[&out], machine.page_size());
    let named: Vec<u64> = report.faults.iter().flatten().map(|(pfn, _)| pfn.0).collect();
    assert!(named.is_sorted(), "{what}: {named:x?}");
    assert_eq!(named.is_empty(), report.lost == 0, "{what}: {} lost, {named:x?}", report.lost);
    assert_eq!(report.saved + report.lost, report.kept, "{what}");
    assert_eq!(report.outcome() == Outcome::Incomplete, report.lost > 0, "{what}");
    let content = |pfn: u64| machine.content(pfn);
    let lost: BTreeSet<u64> = match report.options.format {
        Format::Kdump => {
            assert_eq!(report.kept, got.len() as u64, "{what}");
            for pfn in machine.expected_dumpable(level) {
                assert!(got.contains_key(&pfn), "{what}: {pfn:#x} {:?} is gone", machine.use_of(pfn));
            }
            let lost: BTreeSet<u64> =
                got.iter().filter(|(_, page)| page.is_empty()).map(|(pfn, _)| *pfn).collect();
            assert_eq!(lost.len() as u64, report.lost, "{what}");
            lost
        }
        Format::Elf => {
            for pfn in machine.expected_kept(level) {
                assert!(got.contains_key(&pfn), "{what}: {pfn:#x} {:?} is gone", machine.use_of(pfn));
            }
            // Zeros stand for what is lost, and for what is left out between kept pages.
            let kept = machine.expected_kept(level);
            let is_lost = |pfn: &u64| kept.contains(pfn) && got[pfn] != content(*pfn);
            let lost: BTreeSet<u64> =
                got.keys().copied().filter(is_lost).chain(named.iter().copied()).collect();
            assert!(lost.len() as u64 <= report.lost, "{what}: {} of {}", lost.len(), report.lost);
            lost
        }
    };
    for (pfn, page) in &got {
        let right = *page == content(*pfn)
            || (page.iter().all(|byte| *byte == 0) && report.options.format == Format::Elf);
        assert!(right || lost.contains(pfn) && page.is_empty(), "{what}: {pfn:#x} is wrong");
    }
    assert!(named.iter().all(|pfn| lost.contains(pfn)), "{what}: {named:x?} of {lost:x?}");
    lost
}

#[test]
fn every_nth_read_fails() {
    let machine = small();
    let mut memory = KitMemory::new(&machine);
    let few = self::every(2) > 1;
    for every in [1, 2, 3, 5, 7, 11, 64, 1000] {
        for (i, options) in outputs(31).chain(outputs(1)).chain(outputs(0)).enumerate() {
            if (every > 7 || few) && !(i as u64 + every).is_multiple_of(3) {
                continue;
            }
            let what = format!("every {every}: {options:?}");
            let mut memory = Flaky { inner: &mut memory, every, reads: 0 };
            let mut out = Out::default();
            let (result, report) = dump(&machine, &mut memory, options, &mut out);
            assert_eq!(result, Ok(()), "{what}");
            let lost = check(&machine, &out.0, &report, &what);
            if every == 1 {
                assert_eq!((report.saved, lost.is_empty()), (0, false), "{what}");
            }
        }
    }
}

#[test]
fn every_nth_read_of_a_stream_fails() {
    let machine = small();
    let mut memory = KitMemory::new(&machine);
    for (every, options) in [2, 3, 5, 7, 50, 300].into_iter().zip(outputs(31)) {
        let what = format!("every {every}: {options:?}");
        let mut memory = Flaky { inner: &mut memory, every, reads: 0 };
        let mut out = Writer::new(Out::default()).unwrap();
        let (result, report) = dump(&machine, &mut memory, options, &mut out);
        assert_eq!(result, Ok(()), "{what}");
        let sent = out.finish().unwrap().0;
        check(&machine, &unflattened(&sent).unwrap().0, &report, &what);
    }
}

/// What a stream rebuilds, and whether it has its end.
fn unflattened(sent: &[u8]) -> Option<(Vec<u8>, bool)> {
    let mut table = vec![Extent::EMPTY; 20_000];
    let flat = Flattened::open(&sent, &mut table).ok()?;
    let mut file = vec![0; flat.size()? as usize];
    // A record that was cut off has its first bytes.
    for (at, byte) in file.iter_mut().enumerate() {
        let mut one = [0];
        *byte = flat.read_at(at as u64, &mut one).map_or(0, |()| one[0]);
    }
    Some((file, flat.complete()))
}

#[test]
fn every_page_in_turn_cannot_be_read() {
    let machine = small();
    let mut memory = KitMemory::new(&machine);
    // Of each page once, with formats and codecs in turn; an emulated processor takes some of them.
    let step = if cfg!(target_endian = "big") { 41 } else { every(7) };
    let outputs: Vec<Options> = outputs(31).chain(outputs(1)).collect();
    for (i, pfn) in machine.pfns().into_iter().enumerate().step_by(step) {
        memory.faults = BTreeSet::from([pfn]);
        // Raw pages are quick; the others see every sixteenth.
        let options = if i % 16 < 14 { outputs[[0, 5, 6, 11][i % 4]] } else { outputs[i / 16 % 12] };
        let what = format!("{pfn:#x} {:?}: {options:?}", machine.use_of(pfn));
        let mut out = Out::default();
        let (result, report) = dump(&machine, &mut memory, options, &mut out);
        assert_eq!(result, Ok(()), "{what}");
        let lost = check(&machine, &out.0, &report, &what);
        assert!(lost.is_empty() || lost == BTreeSet::from([pfn]), "{what}: {lost:x?}");
        assert!(report.lost <= 1, "{what}");
        let level = report.options.level.bits();
        if machine.expected_kept(level).contains(&pfn) {
            assert_eq!(report.lost, 1, "{what}");
            assert_eq!(report.faults[0].map(|(pfn, _)| pfn), Some(Pfn(pfn)), "{what}");
        }
    }
}

#[test]
fn every_stretch_in_turn_cannot_be_read() {
    let machine = small();
    let mut memory = KitMemory::new(&machine);
    let outputs: Vec<Options> = outputs(31).chain(outputs(0)).collect();
    for (i, stretch) in machine.pfns().chunks(37).enumerate() {
        memory.faults = stretch.iter().copied().collect();
        let options = outputs[i % outputs.len()];
        let what = format!("{:x?}: {options:?}", stretch[0]);
        let mut out = Out::default();
        let (result, report) = dump(&machine, &mut memory, options, &mut out);
        assert_eq!(result, Ok(()), "{what}");
        let lost = check(&machine, &out.0, &report, &what);
        assert!(lost.is_subset(&memory.faults), "{what}");
        let gone = machine.expected_kept(options.level.bits()).intersection(&memory.faults).count() as u64;
        assert!((gone..=37).contains(&report.lost), "{what}: {} of {gone}", report.lost);
    }
}

/// How an output fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Trouble {
    /// Once; what comes later is written.
    Once,
    /// From then on.
    Full,
    /// As `Full`, and half of the write that failed was taken.
    Short,
}

/// A file of which write number `at` fails.
struct Failing {
    out: Out,
    trouble: Trouble,
    at: u64,
    writes: u64,
}

impl Failing {
    fn new(trouble: Trouble, at: u64) -> Self {
        Self { out: Out::default(), trouble, at, writes: 0 }
    }
}

impl WriteAt for Failing {
    fn write_at(&mut self, offset: u64, bytes: &[u8]) -> Result<(), i32> {
        let number = self.writes;
        self.writes += 1;
        if number == self.at && self.trouble == Trouble::Short {
            self.out.write_at(offset, &bytes[..bytes.len() / 2])?;
        }
        let fails = if self.trouble == Trouble::Once { number == self.at } else { number >= self.at };
        if fails { Err(FULL) } else { self.out.write_at(offset, bytes) }
    }

    fn sync(&mut self) -> Result<(), i32> {
        if self.trouble != Trouble::Once && self.writes > self.at { Err(FULL) } else { Ok(()) }
    }
}

/// Whether what a dump that failed left behind says that it is incomplete, where it opens at all; no page of it is wrong.
fn check_rest(machine: &Machine, out: &[u8], last: bool, what: &str) -> usize {
    let incomplete = with_opened(&[&out], |opened| opened.source.incomplete);
    let Ok(incomplete) = incomplete else { return 0 };
    // The last write says that all is there, and all is.
    assert!(incomplete || last, "{what}: it looks whole");
    let mut found = 0;
    let wrong = with_opened(&[&out], |Opened { memory, .. }| {
        let mut from = Pfn(0);
        let mut page = vec![0; memory.page_size().len()];
        while let Ok(Some(run)) = memory.next_held(from) {
            for pfn in run.start.0..run.end.0 {
                if memory.read(PhysAddr(pfn * 0x1000), &mut page).is_ok() {
                    let zero = page.iter().all(|byte| *byte == 0);
                    if !zero && page != machine.content(pfn) {
                        return Some(pfn);
                    }
                    found += usize::from(!zero);
                }
            }
            from = run.end;
        }
        None
    });
    assert_eq!(wrong.ok().flatten(), None, "{what}: a page is wrong");
    found
}

#[test]
fn every_write_in_turn_fails() {
    let machine = small();
    let mut memory = KitMemory::new(&machine);
    let mut rescued = 0;
    for (i, options) in outputs(31).chain(outputs(1)).enumerate() {
        let mut counting = Failing::new(Trouble::Once, u64::MAX);
        dump(&machine, &mut memory, options, &mut counting).0.unwrap();
        let step = if cfg!(target_endian = "big") { 9 } else { every(5) + i % 3 };
        for at in (0..counting.writes).step_by(step) {
            for trouble in [Trouble::Once, Trouble::Full, Trouble::Short] {
                let what = format!("write {at} of {}, {trouble:?}: {options:?}", counting.writes);
                let mut out = Failing::new(trouble, at);
                let (result, _) = dump(&machine, &mut memory, options, &mut out);
                assert_eq!(result, Err(Error::Io { code: FULL }), "{what}");
                rescued += check_rest(&machine, &out.out.0, at + 1 == counting.writes, &what);
            }
        }
    }
    assert!(rescued > 2000, "{rescued}");
}

/// A pipe that closes after so many bytes, in the middle of a write.
struct Closing {
    out: Out,
    left: Cell<usize>,
}

impl WriteAt for Closing {
    fn write_at(&mut self, offset: u64, bytes: &[u8]) -> Result<(), i32> {
        let taken = self.left.get().min(bytes.len());
        self.left.set(self.left.get() - taken);
        self.out.write_at(offset, &bytes[..taken])?;
        if taken < bytes.len() { Err(32) } else { Ok(()) }
    }
}

#[test]
fn a_stream_ends_anywhere() {
    let machine = small();
    let mut memory = KitMemory::new(&machine);
    for options in outputs(31) {
        let mut whole = Writer::new(Out::default()).unwrap();
        dump(&machine, &mut memory, options, &mut whole).0.unwrap();
        let len = whole.finish().unwrap().0.len();
        for left in
            [4096, 4100, 4112, 5000, 20_000, len / 3, len / 2, len - 5000, len - 600, len - 20, len - 1]
        {
            let what = format!("{left} of {len}: {options:?}");
            let closing = Closing { out: Out::default(), left: Cell::new(left) };
            let mut out = Writer::new(closing).unwrap();
            let (result, _) = dump(&machine, &mut memory, options, &mut out);
            if result.is_ok() {
                // Only the end record is missing.
                assert!(left > len - 17, "{what}");
                assert!(out.finish().is_err(), "{what}");
                continue;
            }
            assert_eq!(result, Err(Error::Io { code: 32 }), "{what}");
            assert_eq!(out.finish().err(), Some(32), "{what}");
        }
    }
}
