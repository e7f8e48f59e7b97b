use core::ops::Range;
use core::panic::AssertUnwindSafe;
use core::time::Duration;
use std::collections::BTreeMap;
use std::panic::catch_unwind;
use std::thread::ThreadId;

use page_filter::dump::{Format, Options, Outcome, Report, Source};
use page_filter::redact::{Secret, Secrets};
use page_filter::{ElfMemory, Fault, Kernel, Level, LoadIndex, LoadSlot, Machine};
use testkit::{Era, Use};
use vmcore_format::elf::{ElfCore, ProgramHeader};
use vmcore_format::flattened::Writer;
use vmcore_format::kdump::Compression;
use vmcore_format::{PageSize, Pfn, PhysAddr};

use super::*;

/// 1 MiB: more than one chunk, less than all of the machine's bitmap and buffers.
const WORDS: usize = if cfg!(miri) { 1 << 15 } else { 1 << 17 };

/// A file in memory that is full at `limit`.
struct Out {
    bytes: Vec<u8>,
    limit: usize,
}

impl Out {
    fn new() -> Self {
        Self { bytes: Vec::new(), limit: usize::MAX }
    }
}

impl WriteAt for Out {
    fn write_at(&mut self, offset: u64, bytes: &[u8]) -> Result<(), i32> {
        let range = offset as usize..offset as usize + bytes.len();
        if range.end > self.limit {
            return Err(28);
        }
        if self.bytes.len() < range.end {
            self.bytes.resize(range.end, 0);
        }
        self.bytes[range].copy_from_slice(bytes);
        Ok(())
    }
}

/// What a reader does besides reading.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Habit {
    /// Nothing.
    None,
    /// It takes its time, longer the lower the page is: chunks are done in another order than theirs.
    Slow,
    /// It fails at every thirteenth page.
    Faulty,
    /// It panics, unless it is the first thread's.
    Panics,
}

struct Reader<'a> {
    inner: ElfMemory<'a>,
    habit: Habit,
    first_thread: ThreadId,
}

impl PhysMemory for Reader<'_> {
    fn page_size(&self) -> PageSize {
        self.inner.page_size()
    }

    fn read(&mut self, addr: PhysAddr, buf: &mut [u8]) -> Result<(), Fault> {
        let pfn = addr.0 / 4096;
        let other = thread::current().id() != self.first_thread;
        match self.habit {
            Habit::Slow if other => thread::sleep(Duration::from_micros(500 - pfn % 500)),
            Habit::Faulty if buf.len() >= 4096 => {
                let pages = pfn..pfn + buf.len() as u64 / 4096;
                if pages.into_iter().any(|pfn| pfn.is_multiple_of(13)) {
                    return Err(Fault::Code(5));
                }
            }
            Habit::Panics => assert!(!other, "a reader that panics"),
            _ => {}
        }
        self.inner.read(addr, buf)
    }

    fn next_known(&mut self, from: Pfn) -> Result<Option<Range<Pfn>>, Fault> {
        self.inner.next_known(from)
    }

    fn next_held(&mut self, from: Pfn) -> Result<Option<Range<Pfn>>, Fault> {
        self.inner.next_held(from)
    }
}

/// What every dump hides: the kernel's image and some of the page before it.
const HIDDEN: Range<PhysAddr> = PhysAddr(0x1f_ff80)..PhysAddr(0x24_0000);

/// Dumps the vmcore in `file` with `words` of memory on `threads` threads (0: without this module).
fn dump(
    file: &Vec<u8>,
    options: Options,
    words: usize,
    threads: usize,
    habit: Habit,
    out: &mut dyn WriteAt,
) -> (Result<(), Error>, Report) {
    let file = file.as_slice();
    let mut table = vec![ProgramHeader::default(); 16];
    let core = ElfCore::open(&file, &mut table).unwrap();
    let mut text = vec![0; 0x1_0000];
    let source = Source::of_elf(&core, &mut text).unwrap();
    let mut slots = vec![LoadSlot::default(); 16];
    let index = LoadIndex::new(core.loads(), &mut slots, source.page_size, None).unwrap();
    let first_thread = thread::current().id();
    let reader = || Reader { inner: ElfMemory::with_index(&file, index), habit, first_thread };
    let mut memory = reader();
    let machine = Machine { e_machine: source.e_machine, layout: source.machine_layout() };
    let info = source.vmcoreinfo.unwrap();
    let mut kernel = Kernel::open(&info, machine, source.loads, &mut memory).unwrap();
    let (mut slots, mut words) = ([Secret::EMPTY; 1], vec![0; words]);
    let mut secrets = Secrets::new(&mut slots);
    secrets.push(HIDDEN, "").unwrap();
    let mut dumper = Dumper::new(source, Some(&mut kernel), options, &mut words).unwrap();
    dumper.redact(secrets.into_redaction(None)).unwrap();
    if threads == 0 {
        while dumper.step(&mut memory, out).unwrap().phase != Phase::Finished {}
        return (Ok(()), *dumper.report());
    }
    let lend = |work: &mut dyn FnMut(&mut dyn PhysMemory)| work(&mut reader());
    let mut last = 0;
    let mut told = |progress: Progress| {
        if progress.phase == Phase::Write {
            assert!(progress.done >= last && progress.done <= progress.total, "{progress:?} after {last}");
            last = progress.done;
        }
        Ok(())
    };
    let result = finish_on_threads(&mut dumper, &mut memory, &lend, threads, out, &mut told);
    if result.is_err() {
        let _ = dumper.abandon(out);
    }
    (result, *dumper.report())
}

/// A machine with pages of every kind, as an ELF core.
fn vmcore() -> Vec<u8> {
    let zero = if cfg!(miri) { 0x211 } else { 0x900 };
    testkit::Machine::x86_64(Era::V6_12).place(zero, Use::Zero).build().elf().to_vec()
}

fn options(format: Format, compression: Compression) -> Options {
    Options { level: Level::ZERO | Level::FREE, compression, format, ..Options::default() }
}

const FORMATS: [(Format, Compression); 4] = [
    (Format::Kdump, Compression::Raw),
    (Format::Kdump, Compression::Zlib),
    (Format::Kdump, Compression::Lzo),
    (Format::Elf, Compression::Raw),
];

#[test]
#[cfg_attr(miri, ignore = "dozens of dumps: Miri takes an hour")]
fn the_output_is_the_same_on_any_number_of_threads_and_in_any_memory() {
    let file = vmcore();
    let mut forms = FORMATS.map(|(format, compression)| options(format, compression)).to_vec();
    forms.push(Options { share_duplicates: true, ..options(Format::Kdump, Compression::Lzo) });
    for options in forms {
        let mut expected = Out::new();
        let (_, alone) = dump(&file, options, 1 << 20, 0, Habit::None, &mut expected);
        // What is hidden is alike.
        assert_eq!(alone.duplicates >= 63, options.share_duplicates, "{}", alone.duplicates);
        assert!(alone.saved > 500 && alone.outcome() == Outcome::Complete, "{}", alone.saved);
        assert!(alone.redacted_pages >= 64, "{}", alone.redacted_pages);
        for (threads, words, habit) in [
            (1, WORDS, Habit::None),
            (2, 1 << 20, Habit::None),
            (3, WORDS / 4, Habit::Slow),
            (8, WORDS, Habit::None),
            (8, WORDS / 4, Habit::Slow),
        ] {
            let mut out = Out::new();
            let (result, report) = dump(&file, options, words, threads, habit, &mut out);
            assert_eq!(result, Ok(()));
            assert!(out.bytes == expected.bytes, "{options:?} {threads} {words} {habit:?}");
            let counts = |report: &Report| {
                let hidden = (report.redacted_pages, report.redacted_bytes);
                (report.saved, report.zero, report.lost, report.kept, report.duplicates, hidden)
            };
            assert_eq!(counts(&report), counts(&alone));
        }
    }
}

#[test]
#[cfg_attr(miri, ignore = "dozens of dumps: Miri takes an hour")]
fn a_stream_is_the_same_on_any_number_of_threads_and_in_any_memory() {
    let file = vmcore();
    for (format, compression) in FORMATS {
        let options = options(format, compression);
        let stream = |words, threads, habit| {
            let mut writer = Writer::new(Out::new()).unwrap();
            assert_eq!(dump(&file, options, words, threads, habit, &mut writer).0, Ok(()));
            writer.finish().unwrap().bytes
        };
        let expected = stream(1 << 20, 0, Habit::None);
        for (threads, words) in [(1, WORDS / 4), (2, WORDS), (3, WORDS / 4), (8, 1 << 20)] {
            let found = stream(words, threads, Habit::Slow);
            assert!(found == expected, "{format:?} {compression:?} {threads} {words}");
        }
    }
}

#[test]
#[cfg_attr(miri, ignore = "dozens of dumps: Miri takes an hour")]
fn pages_that_cannot_be_read_are_lost_on_any_thread() {
    let file = vmcore();
    for (format, compression) in FORMATS {
        let options = Options { level: Level::empty(), ..options(format, compression) };
        let mut expected = Out::new();
        let (_, alone) = dump(&file, options, WORDS, 0, Habit::Faulty, &mut expected);
        assert_eq!(alone.outcome(), Outcome::Incomplete);
        let lost = alone.kept / 13;
        assert!((lost - 1..=lost + 8).contains(&alone.lost), "{} of {}", alone.lost, alone.kept);
        // Which pages are read at once depends on the workspace; which ones are lost must not.
        for (threads, words) in
            [(0, WORDS / 4), (0, 1 << 20), (2, WORDS), (8, WORDS), (2, 1 << 20), (8, 1 << 20)]
        {
            let mut out = Out::new();
            let (result, report) = dump(&file, options, words, threads, Habit::Faulty, &mut out);
            let what = format!("{format:?} {compression:?} {threads} {words}");
            assert_eq!((result, report.lost, report.faults), (Ok(()), alone.lost, alone.faults), "{what}");
            assert!(out.bytes == expected.bytes, "{what}");
        }
    }
}

#[test]
#[cfg_attr(miri, ignore = "dozens of dumps: Miri takes an hour")]
fn a_full_disk_ends_all_threads_and_leaves_the_pages_before_it() {
    let file = vmcore();
    for (format, compression) in FORMATS {
        let mut whole = Out::new();
        let (_, all) = dump(&file, options(format, compression), WORDS, 0, Habit::None, &mut whole);
        for threads in [1, 2, 8] {
            let mut out = Out { limit: whole.bytes.len() * 3 / 4, ..Out::new() };
            let (result, report) =
                dump(&file, options(format, compression), WORDS, threads, Habit::Slow, &mut out);
            assert_eq!(result, Err(Error::Io { code: 28 }));
            assert!(report.saved < all.saved, "{format:?} {compression:?} {threads}");
            // The mark of an incomplete dump: `status` of the kdump header, `e_flags` of an ELF header.
            let mark = if format == Format::Kdump { out.bytes[424] & 8 } else { out.bytes[48] & 1 };
            assert_ne!(mark, 0, "{format:?} {compression:?} {threads}");
        }
    }
}

#[test]
fn a_thread_that_panics_does_not_hold_up_the_others() {
    let file = vmcore();
    for threads in if cfg!(miri) { [2, 3] } else { [2, 8] } {
        let mut out = Out::new();
        let options = options(Format::Kdump, Compression::Raw);
        // Where the first thread is faster than all others there is nothing to panic about.
        let result = catch_unwind(AssertUnwindSafe(|| {
            dump(&file, options, WORDS / 4, threads, Habit::Panics, &mut out).0
        }));
        assert!(result.is_err() || result.is_ok_and(|result| result.is_ok()));
    }
}

#[test]
fn without_readers_for_others_the_first_thread_does_all() {
    let file = vmcore();
    let mut expected = Out::new();
    let options = options(Format::Kdump, Compression::Raw);
    assert_eq!(dump(&file, options, WORDS, 0, Habit::None, &mut expected).0, Ok(()));
    let bytes = file.as_slice();
    let mut table = vec![ProgramHeader::default(); 16];
    let core = ElfCore::open(&bytes, &mut table).unwrap();
    let mut text = vec![0; 0x1_0000];
    let source = Source::of_elf(&core, &mut text).unwrap();
    let mut slots = vec![LoadSlot::default(); 16];
    let mut memory = ElfMemory::new(&bytes, core.loads(), &mut slots, source.page_size).unwrap();
    let machine = Machine { e_machine: source.e_machine, layout: source.machine_layout() };
    let info = source.vmcoreinfo.unwrap();
    let mut kernel = Kernel::open(&info, machine, source.loads, &mut memory).unwrap();
    let mut words = vec![0; WORDS];
    let mut dumper = Dumper::new(source, Some(&mut kernel), options, &mut words).unwrap();
    let mut slots = [Secret::EMPTY; 1];
    let mut secrets = Secrets::new(&mut slots);
    secrets.push(HIDDEN, "").unwrap();
    dumper.redact(secrets.into_redaction(None)).unwrap();
    let mut out = Out::new();
    let mut phases = BTreeMap::new();
    let mut told = |progress: Progress| {
        phases.insert(format!("{:?}", progress.phase), progress.done);
        Ok(())
    };
    finish_on_threads(&mut dumper, &mut memory, &|_| (), 4, &mut out, &mut told).unwrap();
    assert!(out.bytes == expected.bytes);
    assert!(phases.keys().eq(["Finished", "Scan", "Write", "Written"]), "{phases:?}");
}
