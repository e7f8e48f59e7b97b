use core::ops::Range;
use std::collections::BTreeMap;
use std::vec;
use std::vec::Vec;

use vmcore_format::elf::ProgramHeader;
use vmcore_format::kdump::Compression;
use vmcore_format::note::NoteRegion;
use vmcore_format::{Layout, PageSize, Pfn, PhysAddr, WriteAt};

use super::*;
use crate::{Fault, Level, PhysMemory};

mod duplicates;
mod elf;
mod filter;
mod hostile;
mod kdump;
mod salvage;

const PAGE: u64 = 4096;

/// What a page frame of the machine holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Frame {
    /// This byte in every place.
    Bytes(u8),
    /// It cannot be read.
    Broken(i32),
    /// It was left out before.
    Excluded,
}

/// A machine with a few page frames.
#[derive(Debug, Clone, Default)]
struct Machine(BTreeMap<u64, Frame>);

impl Machine {
    fn new(frames: impl IntoIterator<Item = (u64, Frame)>) -> Self {
        Self(frames.into_iter().collect())
    }

    fn next(&self, from: Pfn, wanted: impl Fn(&Frame) -> bool) -> Option<Range<Pfn>> {
        let (&pfn, _) = self.0.range(from.0..).find(|(_, frame)| wanted(frame))?;
        Some(Pfn(pfn)..Pfn(pfn + 1))
    }
}

impl PhysMemory for Machine {
    fn page_size(&self) -> PageSize {
        PageSize::KIB_4
    }

    fn read(&mut self, addr: PhysAddr, buf: &mut [u8]) -> Result<(), Fault> {
        assert!(
            addr.0.is_multiple_of(PAGE) && buf.len().is_multiple_of(PAGE as usize),
            "the dumper reads whole pages"
        );
        for (page, pfn) in buf.chunks_mut(PAGE as usize).zip(addr.0 / PAGE..) {
            match self.0.get(&pfn) {
                Some(Frame::Bytes(byte)) => page.fill(*byte),
                Some(Frame::Broken(code)) => return Err(Fault::Code(*code)),
                Some(Frame::Excluded) => return Err(Fault::Excluded),
                None => return Err(Fault::Hole),
            }
        }
        Ok(())
    }

    fn next_known(&mut self, from: Pfn) -> Result<Option<Range<Pfn>>, Fault> {
        Ok(self.next(from, |_| true))
    }

    fn next_held(&mut self, from: Pfn) -> Result<Option<Range<Pfn>>, Fault> {
        Ok(self.next(from, |frame| *frame != Frame::Excluded))
    }
}

/// A file in memory that remembers which bytes were written how often.
#[derive(Debug, Clone, Default)]
struct File {
    bytes: Vec<u8>,
    writes: Vec<u8>,
    stream: bool,
}

impl WriteAt for File {
    fn write_at(&mut self, offset: u64, bytes: &[u8]) -> Result<(), i32> {
        let range = offset as usize..offset as usize + bytes.len();
        if self.bytes.len() < range.end {
            self.bytes.resize(range.end, 0);
            self.writes.resize(range.end, 0);
        }
        self.bytes[range.clone()].copy_from_slice(bytes);
        self.writes[range].iter_mut().for_each(|count| *count += 1);
        Ok(())
    }

    fn can_rewrite(&self) -> bool {
        !self.stream
    }
}

impl File {
    fn u16(&self, at: usize) -> u16 {
        u16::from_le_bytes(self.bytes[at..at + 2].try_into().unwrap())
    }

    fn u32(&self, at: usize) -> u32 {
        u32::from_le_bytes(self.bytes[at..at + 4].try_into().unwrap())
    }

    fn u64(&self, at: usize) -> u64 {
        u64::from_le_bytes(self.bytes[at..at + 8].try_into().unwrap())
    }
}

/// 40 bytes of notes with a VMCOREINFO text in the middle.
const NOTES: &[u8] = b"0123456789abCRASHTIME=7\nOSRELEASE=9\n....";

fn source(machine: &Machine, end: u64) -> Source<'static> {
    let region = NoteRegion { offset: 0, len: NOTES.len() as u64, align: 4 };
    let mut source = Source::empty(Layout::LE64, NoteBytes::Region(&NOTES, region));
    source.e_machine = 62;
    source.end = Pfn(end);
    source.vmcoreinfo = Some(vmcore_format::vmcoreinfo::VmcoreInfo::new(&NOTES[12..36]));
    source.vmcoreinfo_offset = 12;
    source.crash_time = 0x1234_5678_9abc;
    source.nr_cpus = 3;
    source.phys_base = 0x0100_0000;
    assert!(machine.0.keys().all(|&pfn| pfn < end));
    source
}

fn options(level: u8, format: Format) -> Options {
    Options {
        level: Level::from_bits(level).unwrap(),
        compression: Compression::Raw,
        format,
        ..Options::default()
    }
}

/// Dumps step by step; the report.
fn dump(source: Source<'_>, options: Options, words: usize, machine: &mut Machine, out: &mut File) -> Report {
    let mut words = vec![0xdead_beef; words];
    run(Dumper::new(source, None, options, &mut words).unwrap(), machine, out)
}

fn run(mut dumper: Dumper<'_>, memory: &mut dyn PhysMemory, out: &mut File) -> Report {
    let mut last = dumper.progress();
    for _ in 0..1_000_000 {
        let progress = dumper.step(memory, out).unwrap();
        assert!(progress.done <= progress.total, "{progress:?}");
        let doubted = dumper.report().more_kept == Some(Reason::Doubt);
        let forward = progress.phase != last.phase || progress.done >= last.done;
        assert!(forward || doubted, "{last:?} {progress:?}");
        if progress.phase == Phase::Finished {
            let written: u64 = out.writes.iter().map(|&count| u64::from(count)).sum();
            assert_eq!(dumper.report().written, written);
            return *dumper.report();
        }
        last = progress;
    }
    panic!("the dump does not end")
}

/// The words that are just enough.
fn least_words(source: Source<'_>, options: Options) -> usize {
    match Dumper::new(source, None, options, &mut []) {
        Err(Error::BufferTooSmall { needed }) => needed as usize,
        other => panic!("{other:?}"),
    }
}

/// Frames in three places far apart, some of them zero, some left out.
fn scattered() -> (Machine, u64) {
    let frame = |pfn: u64| {
        let frame = match pfn % 11 {
            0 | 1 => Frame::Bytes(0),
            2 if pfn.is_multiple_of(3) => Frame::Excluded,
            _ => Frame::Bytes((pfn % 250 + 1) as u8),
        };
        (pfn, frame)
    };
    let frames = (3..700).chain(4000..4200).chain(20_000..20_300).filter(|pfn| pfn % 97 != 5);
    (Machine::new(frames.map(frame)), 20_300)
}

#[test]
fn chunks_may_be_encoded_in_any_order_and_are_committed_in_theirs() {
    let (mut machine, end) = scattered();
    for format in [Format::Kdump, Format::Elf] {
        let options = options(1, format);
        let mut expected = File::default();
        let whole = dump(source(&machine, end), options, 1 << 16, &mut machine, &mut expected);

        let mut words = vec![0; 1 << 16];
        let mut dumper = Dumper::new(source(&machine, end), None, options, &mut words).unwrap();
        let params = dumper.params();
        let mut out = File::default();
        let mut chunks = Vec::new();
        loop {
            match dumper.next_chunk(&mut machine, &mut out).unwrap() {
                Next::Again(_) => {}
                Next::Chunk(chunk) => chunks.push(chunk),
                Next::Done => break,
            }
        }
        assert!(chunks.len() > 3);
        assert_eq!(dumper.finish(&mut out).unwrap_err(), Error::OutOfOrder { expected: 0 });
        let mut encoded: Vec<_> = chunks
            .iter()
            .rev()
            .map(|chunk| {
                let mut scratch = vec![7; params.scratch_words()];
                let mut bytes = vec![7; params.out_bytes()];
                let mut reader = machine.clone();
                let encoded = encode_chunk(&params, chunk, &mut reader, &mut scratch, &mut bytes).unwrap();
                (chunk, encoded, bytes)
            })
            .collect();
        let (first, last) = (&encoded[encoded.len() - 1], &encoded[0]);
        let early = dumper.commit_chunk(last.0, &last.1, &last.2, &mut out);
        assert_eq!(early, Err(Error::OutOfOrder { expected: first.0.sequence }));
        encoded.reverse();
        for (chunk, encoded, bytes) in &encoded {
            dumper.commit_chunk(chunk, encoded, bytes, &mut out).unwrap();
        }
        let report = *dumper.finish(&mut out).unwrap();
        assert!(out.bytes == expected.bytes);
        assert_eq!((report.saved, report.zero, report.lost), (whole.saved, whole.zero, 0));
    }
}

#[test]
fn a_chunk_with_too_few_bytes_is_refused_and_can_be_committed_still() {
    let (mut machine, end) = scattered();
    for format in [Format::Kdump, Format::Elf] {
        let mut words = vec![0; 1 << 16];
        let mut dumper = Dumper::new(source(&machine, end), None, options(1, format), &mut words).unwrap();
        let params = dumper.params();
        let mut out = File::default();
        let chunk = loop {
            match dumper.next_chunk(&mut machine, &mut out).unwrap() {
                Next::Again(_) => {}
                Next::Chunk(chunk) => break chunk,
                Next::Done => unreachable!("there are pages"),
            }
        };
        let mut scratch = vec![0; params.scratch_words()];
        let mut bytes = vec![0; params.out_bytes()];
        let encoded = encode_chunk(&params, &chunk, &mut machine, &mut scratch, &mut bytes).unwrap();
        let len = encoded.bytes();
        assert!(len > 0 && len.is_multiple_of(PAGE as usize));
        let short = dumper.commit_chunk(&chunk, &encoded, &bytes[..len - 1], &mut out);
        assert_eq!(short, Err(Error::BufferTooSmall { needed: len as u64 }), "{format:?}");
        assert_eq!(dumper.report().saved, 0);
        dumper.commit_chunk(&chunk, &encoded, &bytes[..len], &mut out).unwrap();
    }
}

#[test]
fn the_first_lost_pages_are_named_whatever_the_memory() {
    let (mut machine, end) = scattered();
    let broken: Vec<u64> = machine.0.keys().copied().filter(|pfn| pfn % 11 == 7).collect();
    for pfn in &broken {
        machine.0.insert(*pfn, Frame::Broken(-3));
    }
    let expected: Vec<_> = broken[..16].iter().map(|pfn| Some((Pfn(*pfn), Fault::Code(-3)))).collect();
    for format in [Format::Kdump, Format::Elf] {
        let options = options(0, format);
        let least = least_words(source(&machine, end), options);
        for words in [least, 1 << 20] {
            let report = dump(source(&machine, end), options, words, &mut machine, &mut File::default());
            assert_eq!(report.lost, broken.len() as u64);
            assert_eq!(report.faults.as_slice(), expected, "{format:?}, {words} words");
        }
    }
}

#[test]
fn the_least_memory_gives_the_same_dump_as_plenty() {
    let (mut machine, end) = scattered();
    for format in [Format::Kdump, Format::Elf] {
        for level in [0, 1] {
            let options = options(level, format);
            let least = least_words(source(&machine, end), options);
            let (mut small, mut large) = (File::default(), File::default());
            let in_small = dump(source(&machine, end), options, least, &mut machine, &mut small);
            let in_large = dump(source(&machine, end), options, 1 << 20, &mut machine, &mut large);
            assert!(small.bytes == large.bytes, "{format:?} {level}");
            let counts = |report: Report| (report.known, report.held, report.kept, report.saved, report.zero);
            assert_eq!(counts(in_small), counts(in_large));
        }
    }
}

#[test]
fn a_stream_gets_each_byte_once_and_the_same_bytes() {
    let (mut machine, end) = scattered();
    for format in [Format::Kdump, Format::Elf] {
        let options = options(1, format);
        let mut expected = File::default();
        dump(source(&machine, end), options, 1 << 16, &mut machine, &mut expected);
        let mut stream = File { stream: true, ..File::default() };
        dump(source(&machine, end), options, 1 << 16, &mut machine, &mut stream);
        assert!(stream.bytes == expected.bytes);
        assert!(stream.writes.iter().all(|&count| count <= 1), "{format:?}");
        // On a file only the headers and the room of the descriptors are written twice.
        let twice = expected.writes.iter().rposition(|&count| count > 1).unwrap() as u64;
        let end = if format == Format::Kdump { kdump::descs_end(&expected, end) } else { 2 * PAGE };
        assert!(twice < end, "{format:?} {twice}");
    }
}

/// A stream: what is written, and where, in order.
#[derive(Default, PartialEq)]
struct Records(Vec<(u64, Vec<u8>)>);

impl WriteAt for Records {
    fn write_at(&mut self, offset: u64, bytes: &[u8]) -> Result<(), i32> {
        self.0.push((offset, bytes.to_vec()));
        Ok(())
    }

    fn can_rewrite(&self) -> bool {
        false
    }
}

impl Records {
    /// Dumps in `words` of memory; up to `ahead` chunks are handed out before the first of them is committed.
    fn of(machine: &Machine, end: u64, options: Options, words: usize, ahead: usize) -> Self {
        let (mut machine, mut out) = (machine.clone(), Self::default());
        let mut words = vec![0; words];
        let mut dumper = Dumper::new(source(&machine, end), None, options, &mut words).unwrap();
        let params = dumper.params();
        let mut chunks = std::collections::VecDeque::new();
        loop {
            let next = dumper.next_chunk(&mut machine, &mut out).unwrap();
            match next {
                Next::Again(_) => {}
                Next::Chunk(chunk) => chunks.push_back(chunk),
                Next::Done => {}
            }
            let all = matches!(next, Next::Done);
            while chunks.len() > if all { 0 } else { ahead } {
                let chunk = chunks.pop_front().unwrap();
                let mut scratch = vec![7; params.scratch_words()];
                let mut bytes = vec![7; params.out_bytes()];
                let encoded = encode_chunk(&params, &chunk, &mut machine, &mut scratch, &mut bytes).unwrap();
                dumper.commit_chunk(&chunk, &encoded, &bytes, &mut out).unwrap();
            }
            if matches!(next, Next::Done) {
                dumper.finish(&mut out).unwrap();
                return out;
            }
        }
    }
}

#[test]
fn the_records_of_a_stream_depend_on_nothing_but_the_pages() {
    let (machine, end) = scattered();
    // Enough frames for several slices, and for several records of descriptors.
    let far = (300_000..301_500).filter(|pfn| pfn % 700 > 300).map(|pfn| (pfn, Frame::Bytes(pfn as u8)));
    let machine = Machine::new(machine.0.into_iter().chain(far));
    let end = end.max(301_500);
    for (format, compression) in [
        (Format::Kdump, Compression::Raw),
        (Format::Kdump, Compression::Lzo),
        (Format::Elf, Compression::Raw),
    ] {
        let options = Options { compression, ..options(1, format) };
        let least = least_words(source(&machine, end), options);
        let expected = Records::of(&machine, end, options, least, 0);
        assert!(expected.0.len() > 20);
        for (words, ahead) in [(least, 1), (least + 3000, 0), (least + 3000, 7), (1 << 17, 0), (1 << 17, 50)]
        {
            let found = Records::of(&machine, end, options, words, ahead);
            assert!(found == expected, "{format:?} {compression:?} {words} {ahead}");
        }
    }
}

#[test]
fn a_dump_that_stops_early_says_so() {
    let (mut machine, end) = scattered();
    for format in [Format::Kdump, Format::Elf] {
        let mut words = vec![0; 1 << 16];
        let mut out = File::default();
        let mut dumper = Dumper::new(source(&machine, end), None, options(1, format), &mut words).unwrap();
        while dumper.step(&mut machine, &mut out).unwrap().phase != Phase::Written {
            if out.bytes.len() > 1000 {
                let marked = if format == Format::Kdump { out.u32(424) & 8 } else { out.u32(48) & 1 };
                assert_ne!(marked, 0);
            }
        }
    }
}

#[test]
fn a_machine_without_memory_is_an_empty_dump() {
    for format in [Format::Kdump, Format::Elf] {
        let mut machine = Machine::default();
        let mut out = File::default();
        let report = dump(source(&machine, 0), options(31, format), 1 << 16, &mut machine, &mut out);
        assert_eq!((report.kept, report.saved), (0, 0));
        assert_eq!(report.outcome(), Outcome::MoreKept, "the kernel was not given, and level 31 asks for it");
    }
}

#[test]
fn what_cannot_be_is_refused() {
    let machine = Machine::default();
    let mut words = vec![0; 1 << 16];
    let too_large = Dumper::new(source(&machine, (1 << 40) + 1), None, Options::default(), &mut words);
    assert!(matches!(too_large, Err(Error::Unsupported { .. })));
    for (format, part, parts) in [(Format::Kdump, 2, 2), (Format::Kdump, 0, 0), (Format::Elf, 0, 2)] {
        let options = Options { split: Some(Split { part, parts }), ..options(1, format) };
        assert!(matches!(
            Dumper::new(source(&machine, 1), None, options, &mut words),
            Err(Error::Unsupported { .. })
        ));
    }
}

#[test]
fn errors_of_the_output_come_back() {
    struct Full(u32);
    impl WriteAt for Full {
        fn write_at(&mut self, _offset: u64, _bytes: &[u8]) -> Result<(), i32> {
            self.0 = self.0.checked_sub(1).ok_or(28)?;
            Ok(())
        }
    }
    let (mut machine, end) = scattered();
    for format in [Format::Kdump, Format::Elf] {
        for writes in 0..8 {
            let mut words = vec![0; 1 << 15];
            let mut out = Full(writes);
            let mut dumper =
                Dumper::new(source(&machine, end), None, options(0, format), &mut words).unwrap();
            let error = loop {
                match dumper.step(&mut machine, &mut out) {
                    Ok(progress) => assert_ne!(progress.phase, Phase::Finished, "{format:?} {writes}"),
                    Err(error) => break error,
                }
            };
            assert_eq!(error, Error::Io { code: 28 });
        }
    }
}
