//! From a file of a crashed machine to a dump of it and back: whatever is damaged, no page of the output is a wrong one.

use std::cell::RefCell;
use std::io::BufRead;
use std::ops::Range;

use page_filter::codec::DecodeScratch;
use page_filter::dump::{
    Chunk, Dumper, Encoded, Error, Format, Next, Options, Phase, Report, SPAN_WORDS, Source, Split,
    encode_chunk,
};
use page_filter::redact::{FILL, Secret, Secrets};
use page_filter::{ElfMemory, Fault, KdumpMemory, Kernel, Level, LoadSlot, Machine, PhysMemory};
use vmcore_format::elf::{ElfCore, ProgramHeader};
use vmcore_format::flattened::{Extent, Flattened, Writer, is_flattened};
use vmcore_format::kdump::{Compression, KdumpFile, Part, is_kdump};
use vmcore_format::{Pfn, PhysAddr, ReadAt, WriteAt};

use crate::files::{Out, Patched};
use crate::input::Input;
use crate::machines::{Laid, machines};

/// Most steps of a dump, and most bytes of its output: a damaged header may ask for terabytes.
const STEPS: u32 = 500;
const OUT: usize = 4 << 20;
/// Of the machines, those that are small enough to be dumped many times a second.
const DUMPED: usize = 6;
/// Most ranges that are hidden.
const HIDDEN: usize = 3;
/// Most pages that are compared.
const PAGES: usize = 1000;

/// How a dump is driven.
#[derive(Debug, Clone, Copy)]
struct How {
    options: Options,
    /// Words of the workspace.
    words: usize,
    stream: bool,
    /// Chunks that are out at a time; 0: by `step`.
    ahead: usize,
    /// Which of the chunks that are out is encoded next.
    order: u8,
    /// Spans are scanned by scanners, in odd orders too.
    scans: bool,
    /// Physical memory that is hidden: starts and lengths, none of a length of 0.
    hidden: [(u64, u64); HIDDEN],
}

impl How {
    fn hidden(&self) -> impl Iterator<Item = Range<u64>> {
        self.hidden.into_iter().filter(|(_, len)| *len != 0).map(|(start, len)| start..start + len)
    }

    /// What the output has of the page at `start`.
    fn hide(&self, start: u64, page: &mut [u8]) {
        for range in self.hidden() {
            let end = start + page.len() as u64;
            let (from, to) = (range.start.max(start), range.end.min(end));
            if from < to {
                page[(from - start) as usize..(to - start) as usize].fill(FILL);
            }
        }
    }
}

/// A dump that came to its end.
struct Dumped {
    bytes: Vec<u8>,
    report: Report,
    /// It is the front of one, for the rest was over the limit.
    cut: bool,
}

/// The machine and its file, how it is dumped, and what is changed in the file.
pub fn run(data: &[u8]) {
    let mut input = Input::new(data);
    let laid = &machines()[input.below(DUMPED)];
    let from = input.u8();
    let base = match from & 0x61 {
        1 => &laid.kdump,
        bits if bits & 1 == 0 => &laid.elf,
        _ => &laid.raw_kdump,
    };
    let how = how(&mut input, laid);
    let mut file = Patched { base, edits: Vec::new(), len: base.len() as u64 };
    damage(&mut input, laid, from & 1 != 0, &mut file);
    if from & 2 != 0 {
        file.len = input.u64() % (base.len() as u64 + 1);
    }
    let Ok(first) = dump(&file, how) else { return };
    // A file of no page frames is none: readers cannot tell what wrote it.
    if first.report.known == 0 {
        return;
    }
    compare(&file, &first, how);
    // Threads and slices of memory make no difference to the bytes.
    if from & 0x1c == 4 && !first.cut {
        let words = how.words + (1 << 17);
        let other = How { ahead: if how.ahead == 0 { 3 } else { 0 }, scans: !how.scans, words, ..how };
        match dump(&file, other) {
            Ok(second) => {
                assert!(first.bytes == second.bytes && !second.cut, "{how:?} and {other:?} differ");
            }
            // A header may ask for more spans than slices: too many steps.
            Err(None) => {}
            Err(Some(error)) => panic!("{how:?} dumps, and {other:?} does not: {error:?}"),
        }
    }
}

fn how(input: &mut Input<'_>, laid: &Laid) -> How {
    use Compression::{Lzo, Raw, Snappy, Zlib, Zstd};
    let (format, level, compression) = (input.u8(), input.u8(), input.u8());
    let elf = format & 3 == 0;
    let split = (!elf && format & 0x30 == 0x30).then(|| Split { part: u32::from(input.u8() & 3), parts: 3 });
    let ahead = input.u8();
    let words = 0x2000 + (usize::from(input.u16()) << 1);
    let limit = (format & 0x40 != 0).then(|| u64::from(input.u16()) << 4);
    let mut hidden = [(0, 0); HIDDEN];
    if format & 0x80 != 0 {
        let size = laid.machine.page_size();
        for range in hidden.iter_mut().take(1 + input.below(HIDDEN)) {
            let run = &laid.runs[input.below(laid.runs.len())];
            let pfn = run.start + input.u64() % (run.end - run.start);
            *range = (pfn * size + u64::from(input.u16()) % size, 1 + u64::from(input.u16()) % (2 * size));
        }
    }
    How {
        options: Options {
            level: Level::from_bits_truncate(level),
            // Codecs have targets of their own; here they take most of the time.
            compression: [Raw, Zlib, Lzo, Snappy, Zstd, Raw, Raw, Raw][usize::from(compression & 7)],
            fast: compression & 0x80 != 0,
            share_duplicates: !elf && compression & 0x40 != 0,
            format: if elf { Format::Elf } else { Format::Kdump },
            split,
            limit,
        },
        words,
        stream: format & 3 == 3,
        ahead: usize::from(ahead & 7),
        order: ahead >> 3,
        scans: format & 4 != 0,
        hidden,
    }
}

/// Changes bytes: of the headers, of the machine's tables, or anywhere.
fn damage(input: &mut Input<'_>, laid: &Laid, kdump: bool, file: &mut Patched<'_>) {
    let len = file.base.len() as u64;
    for _ in 0..40 {
        if input.is_empty() {
            break;
        }
        let how = input.u8();
        let width = 1_u64 << (how & 3);
        let at = match how >> 2 & 3 {
            0 if kdump => u64::from(input.u16()) % 0x1100,
            0 => u64::from(input.u16()) % 0x400,
            1 => u64::from(input.u16()) * 2,
            2 if !kdump => {
                // A word of the tables, where the first PT_LOAD that holds it has it.
                let phys = input.pick(&laid.tables) * laid.machine.page_size() + u64::from(input.u16() & !7);
                let load = laid.loads.iter().find(|load| load.memory().contains(&phys));
                load.map_or(0, |load| phys - load.p_paddr + load.p_offset)
            }
            _ => u64::from(input.u32()),
        };
        let at = (at % len) & !(width - 1);
        let value = if how & 0x10 == 0 { input.extreme() } else { input.u64() };
        let bytes = if how & 0x20 == 0 { value.to_le_bytes() } else { value.reverse_bits().to_be_bytes() };
        file.edits.push((at, bytes[..width as usize].to_vec()));
    }
}

/// Every page of the output is the input's, or (ELF) zeros in place of one that was left out.
fn compare(file: &Patched<'_>, dumped: &Dumped, how: How) {
    let Dumped { bytes: dump, report, cut } = dumped;
    let (dump, cut) = (dump.as_slice(), *cut);
    // Of which nothing fits there is nothing to open.
    if cut && report.saved == 0 {
        return;
    }
    let mut expected_all = Vec::new();
    let mut table = vec![Extent::EMPTY; 0];
    let flat;
    let output: &dyn ReadAt = if is_flattened(&dump) {
        table.resize(4000, Extent::EMPTY);
        flat = Flattened::open(&dump, &mut table).expect("what was written opens");
        assert!(flat.complete() || cut);
        &flat
    } else {
        &dump
    };
    let saved = std::cell::Cell::new(0_u64);
    let opened = with_memory(file, |input, _| {
        with_memory(output, |output, _| {
            let size = output.page_size();
            assert_eq!(size, input.page_size());
            let (mut ours, mut theirs) = (vec![0; size.len()], vec![0; size.len()]);
            let zeros = vec![0; size.len()];
            let mut from = Pfn(0);
            let mut compared = 0;
            while let Ok(Some(run)) = output.next_held(from) {
                for pfn in run.start.0..run.end.0 {
                    compared += 1;
                    if compared > PAGES {
                        return;
                    }
                    let at = size.start_of(Pfn(pfn)).expect("a frame of a dump has an address");
                    let read = output.read(at, &mut ours);
                    let expected = input.read(at, &mut theirs);
                    let is_elf = how.options.format == Format::Elf;
                    // Memory may end inside a page: what is behind it is hidden in no ELF file, and reads as zeros.
                    let beyond = |at: usize| (ours[at], theirs[at]) == (0, 0);
                    let last = if is_elf && how.hidden[0].1 != 0 { size.len() } else { 0 };
                    let kept: Vec<usize> = (0..last).filter(|at| beyond(*at)).collect();
                    how.hide(at.0, &mut theirs);
                    for at in kept {
                        theirs[at] = 0;
                    }
                    match (read, expected) {
                        (Ok(()), Ok(())) => {
                            let left_out = is_elf && ours == zeros;
                            assert!(ours == theirs || left_out, "page {pfn:#x} is another one, {how:?}");
                        }
                        (Ok(()), Err(_)) => {
                            assert!(ours == zeros, "page {pfn:#x} cannot be read, {how:?}");
                        }
                        (Err(Fault::Lost), Err(_)) => {}
                        (Err(Fault::Lost), Ok(())) if cut => {}
                        // In another part of the set.
                        (Err(Fault::Lost), Ok(())) if how.options.split.is_some() => {}
                        (Err(fault), _) => panic!("page {pfn:#x} of the output: {fault:?}, {how:?}"),
                    }
                    saved.set(saved.get() + u64::from(read.is_ok()));
                    if how.hidden[0].1 != 0 && expected.is_ok() {
                        expected_all.extend_from_slice(&theirs);
                    }
                }
                from = run.end;
            }
            if how.options.format == Format::Kdump && how.options.split.is_none() {
                assert_eq!(saved.get(), report.saved, "{how:?}");
            }
        })
        .unwrap_or_else(|| {
            let mut index = [0; 16];
            let error =
                KdumpFile::open_with_gaps(&mut [Part::new(output)], &mut index).map(|file| *file.header());
            panic!("what was written does not open: {how:?}, {error:?}")
        });
    });
    assert!(opened.is_some());
    if how.hidden[0].1 != 0 {
        search(file, dump, how, &expected_all);
    }
}

/// The first bytes of each range that is hidden are nowhere in the output, unless they are elsewhere in memory or in the file's headers.
fn search(file: &Patched<'_>, dump: &[u8], how: How, pages: &[u8]) {
    const LEN: usize = 24;
    // The standard library's search for a byte is not slowed by the fuzzer.
    let has = |bytes: &[u8], needle: &[u8; LEN]| {
        let mut rest = bytes;
        while rest.skip_until(needle[0]).is_ok_and(|passed| passed != 0) {
            if rest.starts_with(&needle[1..]) && bytes[bytes.len() - rest.len() - 1] == needle[0] {
                return true;
            }
        }
        false
    };
    let mut headers = vec![0; (file.len as usize).min(0x4000)];
    file.read_at(0, &mut headers).expect("it is as long");
    let originals = with_memory(file, |memory, _| {
        let mut originals = Vec::new();
        for range in how.hidden().filter(|range| range.end - range.start >= LEN as u64) {
            let mut bytes = [0; LEN];
            if memory.read(PhysAddr(range.start), &mut bytes).is_ok() {
                originals.push(bytes);
            }
        }
        originals
    });
    for needle in originals.expect("it was opened before") {
        let values: std::collections::BTreeSet<u8> = needle.into_iter().collect();
        if values.len() >= LEN / 2 && has(dump, &needle) {
            assert!(has(pages, &needle) || has(&headers, &needle), "{needle:x?} is not hidden, {how:?}");
        }
    }
}

/// Opens a file as a source and its memory.
fn with_memory<T>(file: &dyn ReadAt, what: impl FnOnce(&mut dyn PhysMemory, Source<'_>) -> T) -> Option<T> {
    let mut text = vec![0; 0x2000];
    let mut scratch = DecodeScratch::new();
    let mut buffer = Vec::new();
    if is_kdump(file) {
        let mut index = [0; 16];
        let mut parts = [Part::new(file)];
        let file = KdumpFile::open_with_gaps(&mut parts, &mut index).ok()?;
        let source = Source::of_kdump(&file, &mut text).ok()?;
        buffer.resize(8 * file.page_size().len(), 0);
        let mut memory = KdumpMemory::new(file, &mut scratch, &mut buffer).ok()?;
        return Some(what(&mut memory, source));
    }
    let mut table = vec![ProgramHeader::default(); 600];
    let core = ElfCore::open(file, &mut table).ok()?;
    let source = Source::of_elf(&core, &mut text).ok()?;
    let mut slots = vec![LoadSlot::default(); core.loads().len()];
    let mut memory = ElfMemory::new(file, core.loads(), &mut slots, source.page_size).ok()?;
    Some(what(&mut memory, source))
}

/// No error: there is nothing to dump, or it takes too many steps.
fn dump(file: &dyn ReadAt, how: How) -> Result<Dumped, Option<Error>> {
    with_memory(file, |memory, source| {
        let mut out = Out::new(OUT);
        if how.stream {
            let mut writer = Writer::new(out).expect("there is room");
            let (report, cut) = drive(memory, source, how, &mut writer)?;
            let mut out = writer.finish().expect("there is room");
            Ok(Dumped { bytes: core::mem::take(&mut out.bytes), report, cut })
        } else {
            let (report, cut) = drive(memory, source, how, &mut out)?;
            let limit = how.options.limit.unwrap_or(u64::MAX);
            assert!(out.bytes.len() as u64 <= limit, "{} bytes, {how:?}", out.bytes.len());
            Ok(Dumped { bytes: out.bytes, report, cut })
        }
    })
    .unwrap_or(Err(None))
}

/// The report of a dump that ended, and whether it ended at its limit.
fn drive(
    memory: &mut dyn PhysMemory,
    source: Source<'_>,
    how: How,
    out: &mut dyn WriteAt,
) -> Result<(Report, bool), Option<Error>> {
    thread_local! {
        static WORDS: RefCell<Vec<u64>> = const { RefCell::new(Vec::new()) };
    }
    let machine = Machine { e_machine: source.e_machine, layout: source.layout };
    let mut kernel =
        source.vmcoreinfo.and_then(|info| Kernel::open(&info, machine, source.loads, memory).ok());
    WORDS.with_borrow_mut(|words| {
        // What an earlier dump left in the workspace must make no difference.
        words.resize(words.len().max(how.words), 0x5a5a);
        let mut dumper =
            Dumper::new(source, kernel.as_mut(), how.options, &mut words[..how.words]).map_err(Some)?;
        let mut slots = [Secret::EMPTY; HIDDEN];
        let mut secrets = Secrets::new(&mut slots);
        for range in how.hidden() {
            secrets.push(PhysAddr(range.start)..PhysAddr(range.end), "").expect("there is room");
        }
        dumper.redact(secrets.into_redaction(None)).expect("it has not begun");
        match steps(&mut dumper, memory, how, out) {
            Ok(report) => Ok((report, false)),
            Err(error) => {
                let abandoned = dumper.abandon(out);
                if error != Some(Error::Limit) {
                    return Err(error);
                }
                assert!(matches!(abandoned, Ok(()) | Err(Error::Limit)), "{abandoned:?}, {how:?}");
                Ok((*dumper.report(), true))
            }
        }
    })
}

/// A chunk that is out, and what became of it.
struct Handed {
    chunk: Chunk,
    encoded: Option<(Encoded, Vec<u8>)>,
}

/// No error: it takes too many steps.
fn steps(
    dumper: &mut Dumper<'_>,
    memory: &mut dyn PhysMemory,
    how: How,
    out: &mut dyn WriteAt,
) -> Result<Report, Option<Error>> {
    let mut waiting: Vec<Handed> = Vec::new();
    let params = dumper.params();
    let mut scratch = vec![0; params.scratch_words()];
    // A chunk that is handed out and one that is committed are two steps here.
    let most = if how.ahead == 0 { STEPS } else { 3 * STEPS };
    for step in 0..most {
        if how.scans && dumper.progress().phase == Phase::Scan {
            scan(dumper, memory, how)?;
        }
        if how.ahead == 0 {
            if dumper.step(memory, out).map_err(Some)?.phase == Phase::Finished {
                return Ok(*dumper.report());
            }
            continue;
        }
        let mut settle = waiting.len() > how.ahead;
        if !settle {
            match dumper.next_chunk(memory, out).map_err(Some)? {
                Next::Again(_) => {}
                Next::Chunk(chunk) => waiting.push(Handed { chunk, encoded: None }),
                Next::Done if waiting.is_empty() => {
                    return dumper.finish(out).copied().map_err(Some);
                }
                Next::Done => settle = true,
            }
        }
        if settle && !waiting.is_empty() {
            // Any of them is encoded; those at the front are committed.
            let at = (usize::from(how.order) + step as usize) % waiting.len();
            for at in [at, 0] {
                let handed = &mut waiting[at];
                if handed.encoded.is_none() {
                    let mut bytes = vec![0x5a; params.out_bytes()];
                    let encoded = encode_chunk(&params, &handed.chunk, memory, &mut scratch, &mut bytes)
                        .map_err(Some)?;
                    handed.encoded = Some((encoded, bytes));
                }
            }
            while let Some(Handed { chunk, encoded: Some((encoded, bytes)) }) = waiting.first() {
                dumper.commit_chunk(chunk, encoded, bytes, out).map_err(Some)?;
                waiting.remove(0);
            }
        }
    }
    Err(None)
}

/// All spans of a pass, two at a time, the second one first.
fn scan(dumper: &mut Dumper<'_>, memory: &mut dyn PhysMemory, how: How) -> Result<(), Option<Error>> {
    let mut scanners = [dumper.scanner(), dumper.scanner()];
    let mut scratch = vec![0; scanners[0].scratch_len()];
    for _ in 0..64 {
        let Some(first) = dumper.next_scan(memory).map_err(Some)? else { return Ok(()) };
        let second = dumper.next_scan(memory).map_err(Some)?;
        let spans: Vec<_> = [Some(first), second].into_iter().flatten().collect();
        let mut found: Vec<_> = Vec::new();
        for (span, scanner) in spans.iter().zip(&mut scanners).rev() {
            let mut words = vec![u64::from(how.order); SPAN_WORDS];
            let scanned = scanner.scan(span, memory, &mut words, &mut scratch).map_err(Some)?;
            found.push((*span, scanned, words));
        }
        for (span, scanned, words) in found.into_iter().rev() {
            dumper.commit_scan(&span, &scanned, &words, memory).map_err(Some)?;
        }
    }
    Err(None)
}

/// Every machine, from both files, to each format.
pub fn seeds() -> Vec<Vec<u8>> {
    let mut seeds = Vec::new();
    for machine in 0..DUMPED as u8 {
        for (number, format) in
            [0, 1, 3, 4, 5, 7, 0x31, 0x41, 0x44, 0x43, 0x81, 0x84, 0xc5].into_iter().enumerate()
        {
            // Every file and codec with every format at some machine; one in four is dumped a second time.
            let from =
                (number as u8 + machine) & 1 | [4, 0x20, 0, 8][(number / 2 + usize::from(machine)) % 4];
            let mut seed = vec![machine, 0, from, format, 31, number as u8 + machine];
            if format == 0x31 {
                seed.push(1);
            }
            seed.extend([(number as u8) * 9, 0xff, 0x7f]);
            if format & 0x40 != 0 {
                seed.extend([0, 0x30]);
            }
            if format & 0x80 != 0 {
                // Of the last frames but three of the second piece: the kernel's image.
                seed.extend([0, 0, 1, 0, 3, 0, 0, 0, 0, 0, 0, 0, 0x10, 0, 0x40, 0]);
            }
            seeds.push(seed.clone());
            seed.extend(
                (0..12 * number as u32).map(|i| (i.wrapping_mul(u32::from(machine) + 79) >> 1) as u8),
            );
            seeds.push(seed);
        }
    }
    seeds
}
