//! From a file of a crashed machine to a dump of it and back: whatever is damaged, no page of the output is a wrong one.

use std::cell::RefCell;

use page_filter::codec::DecodeScratch;
use page_filter::dump::{
    Chunk, Dumper, Encoded, Format, Next, Options, Phase, Report, SPAN_WORDS, Source, Split, encode_chunk,
};
use page_filter::{ElfMemory, Fault, KdumpMemory, Kernel, Level, LoadSlot, Machine, PhysMemory};
use vmcore_format::elf::{ElfCore, ProgramHeader};
use vmcore_format::flattened::{Extent, Flattened, Writer, is_flattened};
use vmcore_format::kdump::{Compression, KdumpFile, Part, is_kdump};
use vmcore_format::{Pfn, ReadAt, WriteAt};

use crate::files::{Out, Patched};
use crate::input::Input;
use crate::machines::{Laid, machines};

/// Most steps of a dump, and most bytes of its output: a damaged header may ask for terabytes.
const STEPS: u32 = 1500;
const OUT: usize = 16 << 20;
/// Of the machines, those that are small enough to be dumped many times a second.
const DUMPED: usize = 6;
/// Most pages that are compared.
const PAGES: usize = 6000;

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
}

/// The machine and its file, how it is dumped, and what is changed in the file.
pub fn run(data: &[u8]) {
    let mut input = Input::new(data);
    let laid = &machines()[input.below(DUMPED)];
    let from = input.u8();
    let base = if from & 1 == 0 { &laid.elf } else { &laid.kdump };
    let how = how(&mut input);
    let mut file = Patched { base, edits: Vec::new(), len: base.len() as u64 };
    damage(&mut input, laid, from & 1 != 0, &mut file);
    if from & 2 != 0 {
        file.len = input.u64() % (base.len() as u64 + 1);
    }
    let Some((first, report)) = dump(&file, how) else { return };
    // A file of no page frames is none: readers cannot tell what wrote it.
    if report.known == 0 {
        return;
    }
    compare(&file, &first, how, &report);
    // Threads and slices of memory make no difference to the bytes.
    if from & 4 != 0 {
        let other = How { ahead: if how.ahead == 0 { 3 } else { 0 }, scans: !how.scans, ..how };
        let (second, _) =
            dump(&file, other).unwrap_or_else(|| panic!("{how:?} dumps and {other:?} does not"));
        assert!(first == second, "{how:?} and {other:?} differ");
    }
}

fn how(input: &mut Input<'_>) -> How {
    use Compression::{Lzo, Raw, Snappy, Zlib, Zstd};
    let (format, level, compression) = (input.u8(), input.u8(), input.u8());
    let elf = format & 3 == 0;
    let split = (!elf && format & 0x30 == 0x30).then(|| Split { part: u32::from(input.u8() & 3), parts: 3 });
    let ahead = input.u8();
    How {
        options: Options {
            level: Level::from_bits_truncate(level),
            compression: [Raw, Zlib, Lzo, Snappy, Zstd][usize::from(compression % 5)],
            fast: compression & 0x80 != 0,
            share_duplicates: !elf && compression & 0x40 != 0,
            format: if elf { Format::Elf } else { Format::Kdump },
            split,
            limit: None,
        },
        words: 0x2000 + (usize::from(input.u16()) << 1),
        stream: format & 3 == 3,
        ahead: usize::from(ahead & 7),
        order: ahead >> 3,
        scans: format & 4 != 0,
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
fn compare(file: &Patched<'_>, dump: &[u8], how: How, report: &Report) {
    let mut table = vec![Extent::EMPTY; 0];
    let flat;
    let output: &dyn ReadAt = if is_flattened(&dump) {
        table.resize(4000, Extent::EMPTY);
        flat = Flattened::open(&dump, &mut table).expect("what was written opens");
        assert!(flat.complete());
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
                    match (read, expected) {
                        (Ok(()), Ok(())) => {
                            let zeros =
                                how.options.format == Format::Elf && ours.iter().all(|&byte| byte == 0);
                            assert!(ours == theirs || zeros, "page {pfn:#x} is another one, {how:?}");
                        }
                        (Ok(()), Err(_)) => {
                            assert!(
                                ours.iter().all(|&byte| byte == 0),
                                "page {pfn:#x} cannot be read, {how:?}"
                            );
                        }
                        (Err(Fault::Lost), Err(_)) => {}
                        // In another part of the set.
                        (Err(Fault::Lost), Ok(())) if how.options.split.is_some() => {}
                        (Err(fault), _) => panic!("page {pfn:#x} of the output: {fault:?}, {how:?}"),
                    }
                    saved.set(saved.get() + u64::from(read.is_ok()));
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

fn dump(file: &dyn ReadAt, how: How) -> Option<(Vec<u8>, Report)> {
    with_memory(file, |memory, source| {
        let mut out = Out::new(OUT);
        if how.stream {
            let mut writer = Writer::new(out).expect("there is room");
            let report = drive(memory, source, how, &mut writer)?;
            let mut out = writer.finish().expect("there is room");
            Some((core::mem::take(&mut out.bytes), report))
        } else {
            let report = drive(memory, source, how, &mut out)?;
            Some((out.bytes, report))
        }
    })
    .flatten()
}

fn drive(memory: &mut dyn PhysMemory, source: Source<'_>, how: How, out: &mut dyn WriteAt) -> Option<Report> {
    thread_local! {
        static WORDS: RefCell<Vec<u64>> = const { RefCell::new(Vec::new()) };
    }
    let machine = Machine { e_machine: source.e_machine, layout: source.layout };
    let mut kernel =
        source.vmcoreinfo.and_then(|info| Kernel::open(&info, machine, source.loads, memory).ok());
    WORDS.with_borrow_mut(|words| {
        // What an earlier dump left in the workspace must make no difference.
        words.resize(words.len().max(how.words), 0x5a5a);
        let mut dumper = Dumper::new(source, kernel.as_mut(), how.options, &mut words[..how.words]).ok()?;
        let result = steps(&mut dumper, memory, how, out);
        if result.is_none() {
            let _abandoned = dumper.abandon(out);
        }
        result
    })
}

/// A chunk that is out, and what became of it.
struct Handed {
    chunk: Chunk,
    encoded: Option<(Encoded, Vec<u8>)>,
}

fn steps(
    dumper: &mut Dumper<'_>,
    memory: &mut dyn PhysMemory,
    how: How,
    out: &mut dyn WriteAt,
) -> Option<Report> {
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
            if dumper.step(memory, out).ok()?.phase == Phase::Finished {
                return Some(*dumper.report());
            }
            continue;
        }
        let mut settle = waiting.len() > how.ahead;
        if !settle {
            match dumper.next_chunk(memory, out).ok()? {
                Next::Again(_) => {}
                Next::Chunk(chunk) => waiting.push(Handed { chunk, encoded: None }),
                Next::Done if waiting.is_empty() => {
                    return dumper.finish(out).ok().copied();
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
                    let encoded =
                        encode_chunk(&params, &handed.chunk, memory, &mut scratch, &mut bytes).ok()?;
                    handed.encoded = Some((encoded, bytes));
                }
            }
            while let Some(Handed { chunk, encoded: Some((encoded, bytes)) }) = waiting.first() {
                dumper.commit_chunk(chunk, encoded, bytes, out).ok()?;
                waiting.remove(0);
            }
        }
    }
    None
}

/// All spans of a pass, two at a time, the second one first.
fn scan(dumper: &mut Dumper<'_>, memory: &mut dyn PhysMemory, how: How) -> Option<()> {
    let mut scanners = [dumper.scanner(), dumper.scanner()];
    let mut scratch = vec![0; scanners[0].scratch_len()];
    for _ in 0..64 {
        let Some(first) = dumper.next_scan(memory).ok()? else { return Some(()) };
        let second = dumper.next_scan(memory).ok()?;
        let spans: Vec<_> = [Some(first), second].into_iter().flatten().collect();
        let mut found: Vec<_> = Vec::new();
        for (span, scanner) in spans.iter().zip(&mut scanners).rev() {
            let mut words = vec![u64::from(how.order); SPAN_WORDS];
            let scanned = scanner.scan(span, memory, &mut words, &mut scratch).ok()?;
            found.push((*span, scanned, words));
        }
        for (span, scanned, words) in found.into_iter().rev() {
            dumper.commit_scan(&span, &scanned, &words, memory).ok()?;
        }
    }
    None
}

/// Every machine, from both files, to each format.
pub fn seeds() -> Vec<Vec<u8>> {
    let mut seeds = Vec::new();
    for machine in 0..DUMPED as u8 {
        for (number, format) in [0, 1, 3, 4, 5, 7, 0x31].into_iter().enumerate() {
            let from = (number as u8 + machine) & 1 | 4;
            let mut seed = vec![machine, 0, from, format, 31, number as u8 + machine];
            if format == 0x31 {
                seed.push(1);
            }
            seed.extend([(number as u8) * 9, 0xff, 0x7f]);
            seeds.push(seed.clone());
            seed.extend(
                (0..12 * number as u32).map(|i| (i.wrapping_mul(u32::from(machine) + 79) >> 1) as u8),
            );
            seeds.push(seed);
        }
    }
    seeds
}
