//! Dumps that were cut off: every prefix of every output is no dump yet, or says that it is incomplete and lies about no page.

use std::collections::BTreeSet;

use vmcore_format::elf::ElfCore;
use vmcore_format::flattened::{self, Extent as Record, Flattened};
use vmcore_format::kdump::{KdumpFile, Part};
use vmcore_format::{END_OF_FILE, ReadAt};

use super::*;
use crate::codec::DecodeScratch;
use crate::{ElfMemory, KdumpMemory, LoadSlot};

/// The code of storage that is full.
const FULL: i32 = 28;

/// What was written, in order, and how often it was brought to storage meanwhile.
#[derive(Debug, Clone, Default)]
struct Log {
    writes: Vec<(u64, Vec<u8>)>,
    /// The number of writes before each call of `sync`.
    syncs: Vec<usize>,
    /// Whether there was nothing before.
    is_new: bool,
}

impl WriteAt for Log {
    fn write_at(&mut self, offset: u64, bytes: &[u8]) -> Result<(), i32> {
        self.writes.push((offset, bytes.to_vec()));
        Ok(())
    }

    fn starts_as_zeros(&self) -> bool {
        self.is_new
    }

    fn sync(&mut self) -> Result<(), i32> {
        self.syncs.push(self.writes.len());
        Ok(())
    }
}

/// A file of memory, that only grows at its end or anywhere.
#[derive(Debug, Clone, Default)]
struct Bytes(Vec<u8>);

impl WriteAt for Bytes {
    fn write_at(&mut self, offset: u64, bytes: &[u8]) -> Result<(), i32> {
        let (start, end) = (offset as usize, offset as usize + bytes.len());
        self.0.resize(self.0.len().max(end), 0);
        self.0[start..end].copy_from_slice(bytes);
        Ok(())
    }
}

/// Storage on which the write with this number, and every later one to where nothing was written yet, fails; of the first of
/// them `torn` bytes are there all the same.
struct Disk {
    file: Bytes,
    writes: usize,
    fails_at: usize,
    torn: usize,
    high: usize,
}

impl WriteAt for Disk {
    fn write_at(&mut self, offset: u64, bytes: &[u8]) -> Result<(), i32> {
        self.writes += 1;
        let end = offset as usize + bytes.len();
        if self.writes > self.fails_at && end > self.high {
            if self.writes == self.fails_at + 1 {
                self.file.write_at(offset, &bytes[..self.torn.min(bytes.len())])?;
            }
            return Err(FULL);
        }
        self.high = self.high.max(end);
        self.file.write_at(offset, bytes)
    }
}

/// What a reader finds in a file.
struct Found {
    incomplete: bool,
    /// Kept pages that read as they are in the machine.
    right: BTreeSet<u64>,
    /// Pages that the file admits to have lost.
    lost: BTreeSet<u64>,
}

/// Reads every page of a file that opens, and none of them is another than the machine's.
fn read_all(input: &dyn ReadAt, machine: &Machine, end: u64, (format, level): (Format, u8)) -> Option<Found> {
    match format {
        Format::Kdump => {
            let mut parts = [Part::new(input)];
            let mut index = [0; 64];
            let file = KdumpFile::open(&mut parts, &mut index).ok()?;
            let incomplete = file.incomplete();
            let mut decode = DecodeScratch::new();
            let mut pages = vec![0; 3 * PAGE as usize];
            let mut memory = KdumpMemory::new(file, &mut decode, &mut pages).unwrap();
            Some(read_pages(&mut memory, machine, end, incomplete, None))
        }
        Format::Elf => {
            let mut loads = vec![ProgramHeader::default(); 64];
            let core = ElfCore::open(input, &mut loads).ok()?;
            let incomplete = core.header().is_incomplete();
            let mut slots = vec![LoadSlot::default(); core.loads().len()];
            let mut memory = ElfMemory::new(input, core.loads(), &mut slots, PageSize::KIB_4).unwrap();
            Some(read_pages(&mut memory, machine, end, incomplete, Some(level)))
        }
    }
}

fn read_pages(
    memory: &mut dyn PhysMemory,
    machine: &Machine,
    end: u64,
    incomplete: bool,
    elf_level: Option<u8>,
) -> Found {
    let mut found = Found { incomplete, right: BTreeSet::new(), lost: BTreeSet::new() };
    let mut page = [0; PAGE as usize];
    for pfn in 0..end {
        match (memory.read(PhysAddr(pfn * PAGE), &mut page), machine.0.get(&pfn)) {
            (Ok(()), Some(Frame::Bytes(byte))) => {
                assert!(page == [*byte; PAGE as usize], "page {pfn:#x}");
                // Zeros fill what is left out of an ELF core.
                if *byte != 0 || elf_level.is_none_or(|level| level & 1 == 0) {
                    found.right.insert(pfn);
                }
            }
            (Ok(()), Some(_)) => assert!(elf_level.is_some() && page == [0; PAGE as usize], "page {pfn:#x}"),
            (Ok(()), None) => panic!("page {pfn:#x} is nowhere"),
            (Err(Fault::Lost | Fault::Code(END_OF_FILE)), _) => drop(found.lost.insert(pfn)),
            (Err(Fault::Excluded | Fault::Hole), _) => {}
            (Err(other), _) => panic!("page {pfn:#x}: {other:?}"),
        }
    }
    found
}

/// The pages of `machine` that are kept.
fn kept(machine: &Machine, format: Format, level: u8) -> BTreeSet<u64> {
    let left_out = |frame: &Frame| match frame {
        Frame::Bytes(0) => format == Format::Elf && level & 1 == 1,
        Frame::Bytes(_) => false,
        _ => true,
    };
    machine.0.iter().filter(|(_, frame)| !left_out(frame)).map(|(&pfn, _)| pfn).collect()
}

/// The dumps that are looked at: format, compression, level, and whether in the least memory.
const CASES: [(Format, Compression, u8, bool); 7] = [
    (Format::Kdump, Compression::Raw, 1, false),
    (Format::Kdump, Compression::Lzo, 1, true),
    (Format::Kdump, Compression::Zstd, 0, true),
    (Format::Kdump, Compression::Raw, 0, true),
    (Format::Elf, Compression::Raw, 0, true),
    (Format::Elf, Compression::Raw, 1, true),
    (Format::Elf, Compression::Raw, 1, false),
];

/// A machine of few pages, with a hole and a long run of zero pages.
fn few() -> (Machine, u64) {
    let frame = |pfn: u64| match pfn % 11 {
        0 | 1 => Frame::Bytes(0),
        2 if pfn.is_multiple_of(3) => Frame::Excluded,
        _ if (200..470).contains(&pfn) => Frame::Bytes(0),
        _ => Frame::Bytes((pfn % 250 + 1) as u8),
    };
    let frames = (3..150).chain(190..560).chain(700..760).filter(|pfn| pfn % 97 != 5);
    (Machine::new(frames.map(|pfn| (pfn, frame(pfn)))), 760)
}

fn words_for(machine: &Machine, end: u64, options: Options, least: bool) -> usize {
    if least { least_words(source(machine, end), options) } else { 1 << 15 }
}

fn dump_to(machine: &Machine, end: u64, options: Options, least: bool, out: &mut dyn WriteAt) -> Report {
    let mut words = vec![0; words_for(machine, end, options, least)];
    let mut dumper = Dumper::new(source(machine, end), None, options, &mut words).unwrap();
    let mut memory = machine.clone();
    while dumper.step(&mut memory, out).unwrap().phase != Phase::Finished {}
    *dumper.report()
}

#[test]
fn every_prefix_of_the_writes_is_no_dump_yet_or_an_incomplete_one() {
    for (format, compression, level, least) in CASES {
        let (machine, end) = few();
        let options = Options { compression, ..options(level, format) };
        let mut log = Log::default();
        let report = dump_to(&machine, end, options, least, &mut log);
        let all = kept(&machine, format, level);
        assert_eq!(report.saved as usize, all.len());
        // In the least memory the second bitmap comes with the pages.
        let knows_lost = format == Format::Elf || !least;
        let mut file = Bytes::default();
        let mut most = 0;
        for (number, (offset, bytes)) in log.writes.iter().enumerate() {
            // As much of the write as a page more, or a few bytes, as storage may take of it.
            for torn in [1, 9, 10, 11, 13, bytes.len() / 2, bytes.len() - 1, bytes.len()] {
                let mut cut = file.clone();
                cut.write_at(*offset, &bytes[..torn.min(bytes.len())]).unwrap();
                let whole = number + 1 == log.writes.len() && torn == bytes.len();
                let Some(found) = read_all(&&cut.0[..], &machine, end, (format, level)) else {
                    assert!(number < log.syncs[0], "{format:?} {number}");
                    continue;
                };
                // The last write clears the mark, in one byte.
                let last = number + 1 == log.writes.len();
                assert!(found.incomplete || last, "{format:?} {number} {torn}");
                assert!(!whole || !found.incomplete);
                assert!(found.right.is_subset(&all), "{format:?}");
                assert!(!whole || found.right == all);
                if knows_lost && number >= log.syncs[0] {
                    assert!(all.iter().all(|pfn| found.right.contains(pfn) || found.lost.contains(pfn)));
                }
                if torn == bytes.len() {
                    assert!(found.right.len() >= most, "a page that was there is gone");
                    most = found.right.len();
                }
            }
            file.write_at(*offset, bytes).unwrap();
        }
        // The mark is on storage before the first page, and all pages are before it is cleared.
        assert_eq!(log.syncs[1..], [log.writes.len() - 1, log.writes.len()]);
        let before: Vec<_> = log.writes[..log.syncs[0]].iter().map(|(at, _)| *at).collect();
        assert_eq!(before[0], 0);
        assert!(!knows_lost || log.writes[log.syncs[0]].0 > *before.iter().max().unwrap());
        assert!(log.writes.len() > 5, "{format:?} {}", log.writes.len());
    }
}

#[test]
fn a_small_dump_in_a_new_file_waits_for_storage_at_its_end_alone() {
    for (format, compression, level, least) in CASES {
        let (machine, end) = few();
        let options = Options { compression, ..options(level, format) };
        let mut log = Log { is_new: true, ..Log::default() };
        dump_to(&machine, end, options, least, &mut log);
        assert_eq!(log.syncs, [log.writes.len() - 1, log.writes.len()]);
        // What is in the file before may be pages and no header, and is no dump then.
        let (mut headless, mut file) = (Bytes::default(), Bytes::default());
        for (offset, bytes) in &log.writes[..log.syncs[0]] {
            file.write_at(*offset, bytes).unwrap();
            if *offset > 0 {
                headless.write_at(*offset, bytes).unwrap();
            }
            assert!(read_all(&&headless.0[..], &machine, end, (format, level)).is_none(), "{format:?}");
        }
        let found = read_all(&&file.0[..], &machine, end, (format, level)).unwrap();
        assert!(found.incomplete && found.right == kept(&machine, format, level));
    }
}

#[test]
fn a_file_cut_at_any_length_gives_the_pages_that_are_there() {
    for (format, compression, level, least) in CASES {
        let (machine, end) = few();
        let options = Options { compression, ..options(level, format) };
        let mut whole = Bytes::default();
        dump_to(&machine, end, options, least, &mut whole);
        let all = kept(&machine, format, level);
        let mut last = 0;
        for len in (0..=whole.0.len()).step_by(997).chain([whole.0.len()]) {
            let Some(found) = read_all(&&whole.0[..len], &machine, end, (format, level)) else { continue };
            assert!(found.right.len() >= last, "{format:?} {len}");
            last = found.right.len();
        }
        assert_eq!(last, all.len());
    }
}

#[test]
fn storage_that_fails_at_any_write_has_what_the_report_says() {
    for (format, compression, level, least) in CASES {
        let (machine, end) = few();
        let options = Options { compression, ..options(level, format) };
        let mut log = Log::default();
        dump_to(&machine, end, options, least, &mut log);
        for fails_at in 0..log.writes.len() {
            for torn in [0, 5000] {
                let mut words = vec![0; words_for(&machine, end, options, least)];
                let mut disk = Disk { file: Bytes::default(), writes: 0, fails_at, torn, high: 0 };
                let mut memory = machine.clone();
                let mut dumper = Dumper::new(source(&machine, end), None, options, &mut words).unwrap();
                let stopped = loop {
                    match dumper.step(&mut memory, &mut disk) {
                        Ok(progress) if progress.phase == Phase::Finished => break None,
                        Ok(_) => {}
                        Err(error) => break Some(error),
                    }
                };
                // Bytes that are written again have their room.
                let Some(error) = stopped else { continue };
                assert_eq!(error, Error::Io { code: FULL });
                assert!(matches!(dumper.abandon(&mut disk), Ok(()) | Err(Error::Io { code: FULL })));
                assert_eq!(dumper.abandon(&mut disk), Ok(()), "nothing is left to do");
                assert!(matches!(dumper.finish(&mut disk), Err(Error::OutOfOrder { .. })));
                let found = read_all(&&disk.file.0[..], &machine, end, (format, level));
                let Some(found) = found else {
                    assert_eq!(dumper.report().saved, 0);
                    continue;
                };
                assert!(found.incomplete);
                // Bytes of a write that failed may be there all the same.
                let saved = dumper.report().saved as usize;
                assert!(found.right.len() >= saved, "{format:?} {fails_at} {torn}");
                let more = found.right.len() - saved;
                assert!(
                    more <= if torn == 0 { 0 } else { 2 },
                    "{format:?} {level} {least} {fails_at} {torn} {saved} {more}"
                );
                assert!(format == Format::Elf || found.right.len() == saved);
            }
        }
    }
}

#[test]
fn a_size_limit_is_kept_and_used_up() {
    for (format, compression, level, least) in CASES {
        let (machine, end) = few();
        let options = Options { compression, ..options(level, format) };
        let mut whole = Bytes::default();
        let report = dump_to(&machine, end, options, least, &mut whole);
        let mut last = 0;
        for limit in (0..whole.0.len() as u64).step_by(1300) {
            let options = Options { limit: Some(limit), ..options };
            let mut words = vec![0; words_for(&machine, end, options, least)];
            let mut memory = machine.clone();
            let mut dumper = Dumper::new(source(&machine, end), None, options, &mut words).unwrap();
            let mut out = Bytes::default();
            let stopped =
                core::iter::repeat_with(|| dumper.step(&mut memory, &mut out)).find_map(Result::err);
            assert_eq!(stopped, Some(Error::Limit));
            assert!(matches!(dumper.abandon(&mut out), Ok(()) | Err(Error::Limit)));
            assert!(out.0.len() as u64 <= limit);
            let found = read_all(&&out.0[..], &machine, end, (format, level));
            let right = found.map_or(0, |found| found.right.len());
            assert_eq!(right as u64, dumper.report().saved, "{format:?} {limit}");
            assert!(right >= last);
            last = right;
        }
        // All but what a piece of 4 KiB and a step may hold, where pages are not packed.
        assert!(last > 0);
        let packed = matches!(compression, Compression::Lzo | Compression::Zstd);
        assert!(packed || report.saved as usize - last <= 3, "{format:?} {last}");
        let options = Options { limit: Some(whole.0.len() as u64), ..options };
        assert_eq!(dump_to(&machine, end, options, least, &mut Bytes::default()).saved, report.saved);
    }
}

/// The pages of a cut stream, read in place; `None` where it does not open.
fn read_stream(stream: &[u8], machine: &Machine, end: u64, case: (Format, u8)) -> Option<(bool, Found)> {
    let mut table = vec![Record::EMPTY; 2000];
    let flattened = Flattened::open(stream, &mut table).ok()?;
    let complete = flattened.complete();
    read_all(&flattened, machine, end, case).map(|found| (complete, found))
}

#[test]
fn a_stream_cut_anywhere_gives_the_pages_that_were_sent() {
    for (format, compression, level, least) in CASES {
        let (machine, end) = few();
        let options = Options { compression, ..options(level, format) };
        let mut sent = Bytes::default();
        let mut stream = flattened::Writer::new(&mut sent).unwrap();
        dump_to(&machine, end, options, least, &mut stream);
        stream.finish().unwrap();
        let all = kept(&machine, format, level);
        let (mut most, mut opened) = (0, usize::MAX);
        let end_of = sent.0.len();
        // All of the last records are cut in every place.
        for len in (4096..end_of - 60).step_by(1201).chain(end_of - 60..=end_of) {
            let Some((complete, found)) = read_stream(&sent.0[..len], &machine, end, (format, level)) else {
                continue;
            };
            opened = opened.min(len);
            assert_eq!(complete, len == sent.0.len());
            assert!(found.right.len() >= most, "{format:?} {len}");
            most = found.right.len();
        }
        assert_eq!(most, all.len());
        // The tables come first: 7 pages of them, and their records' headers.
        assert!(opened < 4096 + 12 * 4096, "{format:?} {opened}");
    }
}

#[test]
fn an_abandoned_stream_is_marked_where_it_still_can_be() {
    for (format, compression, level, least) in CASES {
        let (machine, end) = few();
        let options = Options { compression, ..options(level, format) };
        let mut words = vec![0; words_for(&machine, end, options, least)];
        let mut dumper = Dumper::new(source(&machine, end), None, options, &mut words).unwrap();
        let mut sent = Bytes::default();
        let mut stream = flattened::Writer::new(&mut sent).unwrap();
        let mut memory = machine.clone();
        while dumper.report().saved < 150 {
            dumper.step(&mut memory, &mut stream).unwrap();
        }
        dumper.abandon(&mut stream).unwrap();
        stream.finish().unwrap();
        let (complete, found) = read_stream(&sent.0, &machine, end, (format, level)).unwrap();
        assert!(complete && found.incomplete);
        assert_eq!(found.right.len() as u64, dumper.report().saved);
        assert!(found.right.len() >= 150);
    }
}

#[test]
fn a_part_that_was_cut_off_leaves_the_set_whole() {
    let (machine, end) = scattered();
    for parts in [2_u32, 3, 5] {
        for cut in 0..parts {
            let mut files = Vec::new();
            let mut saved = 0;
            for part in 0..parts {
                let split = Some(Split { part, parts });
                let options = Options { split, ..options(0, Format::Kdump) };
                let limit = (part == cut).then_some(300_000);
                let options = Options { limit, ..options };
                let mut words =
                    vec![
                        0;
                        if part % 2 == 0 { 1 << 15 } else { least_words(source(&machine, end), options) }
                    ];
                let mut out = Bytes::default();
                let mut dumper = Dumper::new(source(&machine, end), None, options, &mut words).unwrap();
                let mut memory = machine.clone();
                let ended = loop {
                    match dumper.step(&mut memory, &mut out) {
                        Ok(progress) if progress.phase == Phase::Finished => break Ok(()),
                        Ok(_) => {}
                        Err(error) => break Err(error),
                    }
                };
                assert_eq!(ended, if part == cut { Err(Error::Limit) } else { Ok(()) });
                let _ = dumper.abandon(&mut out);
                saved += dumper.report().saved;
                files.push(out.0);
            }
            let inputs: Vec<&[u8]> = files.iter().map(Vec::as_slice).collect();
            let mut parts: Vec<Part<'_>> = inputs.iter().map(|input| Part::new(input)).collect();
            let mut index = [0; 64];
            let file = KdumpFile::open(&mut parts, &mut index).unwrap();
            assert!(file.incomplete());
            let mut decode = DecodeScratch::new();
            let mut pages = vec![0; 3 * PAGE as usize];
            let mut memory = KdumpMemory::new(file, &mut decode, &mut pages).unwrap();
            let found = read_pages(&mut memory, &machine, end, true, None);
            assert_eq!(found.right.len() as u64, saved);
            let all = kept(&machine, Format::Kdump, 0);
            assert!(all.iter().all(|pfn| found.right.contains(pfn) != found.lost.contains(pfn)));
            assert!(found.right.len() < all.len());
        }
    }
}

#[test]
fn sets_of_more_parts_than_pages_are_whole() {
    for pages in 0..4 {
        let machine = Machine::new((0..pages).map(|n| (100 + 64 * n, Frame::Bytes(7))));
        let files: Vec<Vec<u8>> = (0..5)
            .map(|part| {
                let split = Some(Split { part, parts: 5 });
                let mut out = Bytes::default();
                dump_to(&machine, 400, Options { split, ..options(0, Format::Kdump) }, false, &mut out);
                out.0
            })
            .collect();
        let inputs: Vec<&[u8]> = files.iter().map(Vec::as_slice).collect();
        let mut parts: Vec<Part<'_>> = inputs.iter().map(|input| Part::new(input)).collect();
        let mut index = [0; 64];
        let file = KdumpFile::open(&mut parts, &mut index).unwrap();
        let mut decode = DecodeScratch::new();
        let mut buffer = vec![0; 3 * PAGE as usize];
        let mut memory = KdumpMemory::new(file, &mut decode, &mut buffer).unwrap();
        assert_eq!(read_pages(&mut memory, &machine, 400, false, None).right.len() as u64, pages);
    }
}
