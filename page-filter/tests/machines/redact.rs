//! What is hidden is in no form of a dump, and everything else is as it would be without.
//!
//! The files are taken apart here, by the offsets of the formats' documents, and their pages are decoded by the C
//! libraries.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::slice::from_ref;

use page_filter::dump::{Dumper, Error, Format, Options, Phase, Report, Source, Split};
use page_filter::redact::{FILL, Redaction, Secret, SecretPages, Secrets};
use page_filter::{Kernel, Level, PhysMemory, Regions};
use testkit::{ElfOptions, Era, Machine, Use};
use vmcore_format::elf::{ElfCore, ProgramHeader};
use vmcore_format::flattened::Writer;
use vmcore_format::kdump::Compression;
use vmcore_format::{PageSize, Pfn, PhysAddr, ReadAt, WriteAt};

use crate::c_libraries;
use crate::files::{MIB, Out};
use crate::kit::KitMemory;

const PAGE: u64 = 0x1000;
const KEY: &[u8; 32] = b"\x9d\x01k3y\xfe\x80-of-32-bytes,\0\0\xff01234567\n";

/// Where the key stands: in a page; over the end of one; in a page of zeros; in two pages that are alike.
const PLACES: [u64; 5] = [0x100_0123, 0x100_2ff0, 0x100_5800, 0x100_7000, 0x100_9000];
/// A page of which everything is hidden.
const WHOLE: u64 = 0x100_b000;
/// A page of zeros of which some is hidden, and one that level 31 leaves out.
const ZERO: u64 = 0x100_c000;
const FREE: u64 = 0x110_0000;

fn machine() -> Machine {
    let mut builder = Machine::x86_64(Era::V6_1)
        .ranges(&[(0x1000, 0x9_fc00), (0x10_0000, 0x180_0000)])
        .place(FREE / PAGE, Use::Free { order: 4 });
    for pfn in 0x1000..0x1010 {
        builder = builder.place(pfn, Use::Kernel);
    }
    let mut machine = builder.build();
    for page in [0x100_5000, 0x100_7000, 0x100_9000, ZERO] {
        machine.poke(page, &[0; 0x1000]);
    }
    for place in PLACES.into_iter().chain([WHOLE + 0x400]) {
        machine.poke(place, KEY);
    }
    machine
}

/// Half-open byte ranges, the first one named.
fn ranges() -> Vec<Range<u64>> {
    let keys = PLACES.map(|place| place..place + 32);
    keys.into_iter().chain([WHOLE..WHOLE + PAGE, ZERO..ZERO + 16, FREE..FREE + 8]).collect()
}

fn secrets<'a>(slots: &'a mut Vec<Secret<'a>>, ranges: &[Range<u64>]) -> Redaction<'a> {
    slots.resize(ranges.len(), Secret::EMPTY);
    let mut secrets = Secrets::new(slots);
    for range in ranges {
        let name = if range.start == PLACES[0] { "first" } else { "" };
        secrets.push(PhysAddr(range.start)..PhysAddr(range.end), name).unwrap();
    }
    secrets.into_redaction(None)
}

const LOG: &str = "erase first@0x1000123 size 32\nerase 0x1002ff0 size 32\nerase 0x1005800 size 32\n\
    erase 0x1007000 size 32\nerase 0x1009000 size 32\nerase 0x100b000 size 4096\nerase 0x100c000 size 16\n\
    erase 0x1100000 size 8\n";

/// How a dump is written.
#[derive(Debug, Clone, Copy)]
struct Form {
    format: Format,
    compression: Compression,
    flattened: bool,
    split: Option<Split>,
    /// Pages that are alike are written once.
    shares: bool,
}

fn options(form: Form) -> Options {
    Options {
        level: Level::all(),
        compression: form.compression,
        format: form.format,
        split: form.split,
        share_duplicates: form.shares,
        ..Options::default()
    }
}

/// Dumps the machine of the ELF core `file`, whose memory is read through `memory`.
fn dump(file: &[u8], memory: &mut dyn PhysMemory, form: Form, hidden: Redaction<'_>) -> (Vec<u8>, Report) {
    let mut table = vec![ProgramHeader::default(); 64];
    let core = ElfCore::open(&file, &mut table).unwrap();
    let mut text = vec![0; 0x1_0000];
    let source = Source::of_elf(&core, &mut text).unwrap();
    write(source, memory, form, hidden)
}

fn write(
    source: Source<'_>,
    memory: &mut dyn PhysMemory,
    form: Form,
    hidden: Redaction<'_>,
) -> (Vec<u8>, Report) {
    let machine = page_filter::Machine { e_machine: source.e_machine, layout: source.layout };
    let mut kernel = Kernel::open(&source.vmcoreinfo.unwrap(), machine, source.loads, memory).unwrap();
    let mut words = vec![0; MIB];
    let mut dumper = Dumper::new(source, Some(&mut kernel), options(form), &mut words).unwrap();
    dumper.redact(hidden).unwrap();
    let mut finish = |out: &mut dyn WriteAt| {
        while dumper.step(memory, out).unwrap().phase != Phase::Finished {}
        *dumper.report()
    };
    if form.flattened {
        let mut stream = Writer::new(Out::default()).unwrap();
        let report = finish(&mut stream);
        return (stream.finish().unwrap().0, report);
    }
    let mut out = Out::default();
    let report = finish(&mut out);
    (out.0, report)
}

fn number<const N: usize>(bytes: &[u8], at: usize) -> u64 {
    bytes[at..at + N].iter().rev().fold(0, |number, &byte| number << 8 | u64::from(byte))
}

/// The file that a flattened stream describes.
fn rearranged(stream: &[u8]) -> Vec<u8> {
    let mut at = 4096;
    let mut file = Vec::new();
    loop {
        let word = |at: usize| u64::from_be_bytes(stream[at..at + 8].try_into().unwrap());
        let (offset, size) = (word(at), word(at + 8) as usize);
        if offset == u64::MAX {
            return file;
        }
        let end = offset as usize + size;
        file.resize(file.len().max(end), 0);
        file[offset as usize..end].copy_from_slice(&stream[at + 16..at + 16 + size]);
        at += 16 + size;
    }
}

/// What a file says, taken apart.
#[derive(Default)]
struct Contents {
    pages: BTreeMap<u64, Vec<u8>>,
    /// Bitmap 2 of a kdump-compressed file.
    kept: Vec<u8>,
    log: String,
}

/// A kdump-compressed file of a 64-bit little-endian machine (makedumpfile's `diskdump_mod.h`, version 6).
fn kdump(file: &[u8], codec: &str, contents: &mut Contents) {
    let block = number::<4>(file, 428) as usize;
    let (sub_blocks, bitmap_blocks) = (number::<4>(file, 432) as usize, number::<4>(file, 436) as usize);
    let split = number::<4>(file, block + 12) != 0;
    let (first, end) = (number::<8>(file, block + 80), number::<8>(file, block + 88));
    let (log, log_len) = (number::<8>(file, block + 64) as usize, number::<8>(file, block + 72) as usize);
    contents.log = String::from_utf8(file[log..log + log_len].to_vec()).unwrap();
    let bitmap = (1 + sub_blocks + bitmap_blocks / 2) * block;
    let mut desc = (1 + sub_blocks + bitmap_blocks) * block;
    contents.kept = file[bitmap..desc].to_vec();
    let kept =
        contents.kept.iter().zip(0..).flat_map(|(byte, at)| {
            (0..8).filter(move |bit| byte >> bit & 1 == 1).map(move |bit| at * 8 + bit)
        });
    let (mut packed, mut pfns) = (Vec::new(), Vec::new());
    for pfn in kept.filter(|pfn| !split || (first..end).contains(pfn)) {
        let (offset, size) = (number::<8>(file, desc) as usize, number::<4>(file, desc + 8) as usize);
        let bytes = file[offset..offset + size].to_vec();
        if number::<4>(file, desc + 12) == 0 {
            contents.pages.insert(pfn, bytes);
        } else {
            pfns.push(pfn);
            packed.push((block, bytes));
        }
        desc += 24;
    }
    if !packed.is_empty() {
        let decoded = c_libraries::decode(codec, &packed).into_iter().map(Option::unwrap);
        contents.pages.extend(pfns.into_iter().zip(decoded));
    }
}

/// An ELF core of class 64.
fn elf(file: &[u8], contents: &mut Contents) {
    let headers = number::<8>(file, 32) as usize;
    for header in (0..number::<2>(file, 56) as usize).map(|index| headers + index * 56) {
        let (offset, addr) = (number::<8>(file, header + 8) as usize, number::<8>(file, header + 24));
        let bytes = &file[offset..offset + number::<8>(file, header + 32) as usize];
        match number::<4>(file, header) {
            1 => contents.pages.extend((addr / PAGE..).zip(bytes.chunks(4096).map(<[u8]>::to_vec))),
            4 => contents.log = log_of_notes(bytes),
            other => unreachable!("p_type {other}"),
        }
    }
}

/// The text of the note `ERASEINFO`, of which there is one at most: the last.
fn log_of_notes(notes: &[u8]) -> String {
    let (mut at, mut logs) = (0, Vec::new());
    while at < notes.len() {
        let (name_len, desc_len) = (number::<4>(notes, at) as usize, number::<4>(notes, at + 4) as usize);
        assert!(logs.is_empty(), "the log is the last note");
        let desc = at + 12 + name_len.next_multiple_of(4);
        if &notes[at + 12..at + 12 + name_len] == b"ERASEINFO\0" {
            assert_eq!(number::<4>(notes, at + 8), 0, "n_type");
            logs.push(String::from_utf8(notes[desc..desc + desc_len].to_vec()).unwrap());
        }
        at = desc + desc_len.next_multiple_of(4);
    }
    logs.pop().unwrap_or_default()
}

fn contents(files: &[Vec<u8>], form: Form) -> Contents {
    let mut contents = Contents::default();
    let codec = format!("{:?}", form.compression).to_lowercase();
    for file in files {
        let file = if form.flattened { rearranged(file) } else { file.clone() };
        match form.format {
            Format::Kdump => kdump(&file, &codec, &mut contents),
            Format::Elf => elf(&file, &mut contents),
        }
    }
    contents
}

/// Where in physical memory the key stands, over the ends of pages too.
fn places(pages: &BTreeMap<u64, Vec<u8>>) -> BTreeSet<u64> {
    let mut found = BTreeSet::new();
    let none = vec![0; 4096];
    for (pfn, page) in pages {
        let next = pages.get(&(pfn + 1)).unwrap_or(&none);
        let both = [&page[..], &next[..31]].concat();
        found.extend(
            (0..).zip(both.windows(32)).filter(|(_, bytes)| bytes == KEY).map(|(at, _)| pfn * PAGE + at),
        );
    }
    found
}

fn has_key(bytes: &[u8]) -> bool {
    // Half of it is secret enough: no part may be left where a page ends.
    bytes.windows(16).any(|some| *some == KEY[..16] || *some == KEY[16..])
}

/// The hidden dump has what the control has, but for what is hidden. An ELF core has no page for one of zeros, or fills a gap
/// with it.
fn compare(control: &Contents, hidden: &Contents, ranges: &[Range<u64>], what: &str) {
    let elf = control.kept.is_empty();
    assert!(control.kept == hidden.kept, "{what}: bitmap 2");
    assert!(control.pages.keys().eq(hidden.pages.keys()), "{what}: other pages");
    for (pfn, page) in &control.pages {
        let no_page = elf && page.iter().all(|&byte| byte == 0);
        let ranges = if no_page { &[] } else { ranges };
        let expected: Vec<u8> = (pfn * PAGE..)
            .zip(page)
            .map(|(at, byte)| if ranges.iter().any(|range| range.contains(&at)) { b'X' } else { *byte })
            .collect();
        assert!(hidden.pages[pfn] == expected, "{what}: page {pfn:#x}");
    }
}

fn forms() -> Vec<Vec<Form>> {
    use Compression::{Lzo, Raw, Snappy, Zlib, Zstd};
    let mut forms = Vec::new();
    for compression in [Raw, Zlib, Lzo, Snappy, Zstd] {
        let kdump = Form { format: Format::Kdump, compression, flattened: false, split: None, shares: false };
        let part = |part| Form { split: Some(Split { part, parts: 2 }), ..kdump };
        let shares = Form { shares: true, ..kdump };
        forms.extend([
            vec![kdump],
            vec![shares],
            vec![Form { flattened: true, ..kdump }],
            vec![part(0), part(1)],
        ]);
    }
    let elf = Form { format: Format::Elf, compression: Raw, flattened: false, split: None, shares: false };
    forms.extend([vec![elf], vec![Form { flattened: true, ..elf }]]);
    forms
}

/// Memory that is looked at in place.
struct InPlace(Vec<(u64, Vec<u8>)>);

impl InPlace {
    fn new(machine: &Machine) -> Self {
        let of = |(start, end): &(u64, u64)| (*start, machine.read(*start, (end - start) as usize));
        Self(machine.ranges().iter().map(of).collect())
    }

    fn regions(&self) -> Vec<(PhysAddr, &[u8])> {
        self.0.iter().map(|(start, bytes)| (PhysAddr(*start), bytes.as_slice())).collect()
    }
}

#[test]
fn a_key_is_in_no_form_of_a_dump() {
    let machine = machine();
    let file = machine.elf().to_vec();
    let ranges = ranges();
    let mut slots = Vec::new();
    let redaction = secrets(&mut slots, &ranges);
    let (bytes, mut read) = (InPlace::new(&machine), KitMemory::new(&machine));
    let regions = bytes.regions();
    let mut in_place = Regions::new(&regions, PageSize::KIB_4).unwrap();
    let mut expected: BTreeSet<u64> = PLACES.into_iter().collect();
    expected.insert(WHOLE + 0x400);
    for (index, set) in forms().into_iter().enumerate() {
        let what = format!("{:?}", set[0]);
        // Each form is read in one way, and raw ones in both.
        let ways = if set[0].compression == Compression::Raw { 0..2 } else { index % 2..index % 2 + 1 };
        for way in ways {
            let memory: &mut dyn PhysMemory = if way == 0 { &mut in_place } else { &mut read };
            let mut dumps = |hidden| -> (Vec<Vec<u8>>, Vec<Report>) {
                set.iter().map(|&form| dump(&file, memory, form, hidden)).unzip()
            };
            let (control_files, control_reports) = dumps(Redaction::NONE);
            let (hidden_files, reports) = dumps(redaction);
            let (control, hidden) = (contents(&control_files, set[0]), contents(&hidden_files, set[0]));
            assert_eq!(places(&control.pages), expected, "{what}");
            assert_eq!(places(&hidden.pages), BTreeSet::new(), "{what}");
            if set[0].compression == Compression::Raw {
                assert!(control_files.iter().any(|file| has_key(file)), "{what}");
            }
            assert!(!hidden_files.iter().any(|file| has_key(file)), "{what}");
            compare(&control, &hidden, &ranges, &what);
            assert!(hidden.pages[&(WHOLE / PAGE)].iter().all(|&byte| byte == FILL), "{what}");
            assert_eq!((control.log.as_str(), hidden.log.as_str()), ("", LOG), "{what}");
            check_counts(&control_reports, &reports, set[0].format);
            // The two pages with the key alone are alike, before it is hidden and after.
            let shared = [&control_reports, &reports].map(|reports| reports[0].duplicates > 0);
            assert_eq!(shared, [set[0].shares; 2], "{what}");
        }
    }
}

/// The free page is not in the dump, and an ELF core has no page for one of zeros.
fn check_counts(control: &[Report], hidden: &[Report], format: Format) {
    let sum = |reports: &[Report], count: fn(&Report) -> u64| reports.iter().map(count).sum::<u64>();
    let (zero_pages, zero_bytes) = if format == Format::Elf { (0, 0) } else { (1, 16) };
    assert_eq!(sum(hidden, |report| report.redacted_bytes), 5 * 32 + 4096 + zero_bytes);
    assert_eq!(sum(hidden, |report| report.redacted_pages), 6 + 1 + zero_pages);
    assert_eq!(sum(control, |report| report.redacted_bytes + report.redacted_pages), 0);
    assert_eq!(sum(control, |report| report.saved), sum(hidden, |report| report.saved));
    assert_eq!(sum(control, |report| report.kept), sum(hidden, |report| report.kept));
    assert_eq!(control[0].counts, hidden[0].counts);
}

#[test]
fn pages_are_hidden_by_a_bitmap() {
    let machine = machine();
    let file = machine.elf().to_vec();
    let mut memory = KitMemory::new(&machine);
    // Frames 0x1000, 0x1002, 0x1003, 0x1005, 0x1007, 0x1009, 0x100b.
    let bits = [0b1010_1101, 0b0000_1010];
    let pages = SecretPages::new(Pfn(0x1000), &bits, "memaction").unwrap();
    let redaction = Secrets::new(&mut []).into_redaction(Some(pages));
    let frames = [0x1000, 0x1002, 0x1003, 0x1005, 0x1007, 0x1009, 0x100b];
    let ranges = frames.map(|pfn| pfn * PAGE..(pfn + 1) * PAGE);
    for format in [Format::Kdump, Format::Elf] {
        let form =
            Form { format, compression: Compression::Raw, flattened: false, split: None, shares: false };
        let (control, _) = dump(&file, &mut memory, form, Redaction::NONE);
        let (hidden, report) = dump(&file, &mut memory, form, redaction);
        assert!(has_key(&control) && !has_key(&hidden));
        assert_eq!((report.redacted_pages, report.redacted_bytes), (7, 7 * PAGE));
        let (control, hidden) = (contents(&[control], form), contents(&[hidden], form));
        compare(&control, &hidden, &ranges, &format!("{format:?}"));
        let first = "erase memaction@0x1000000 size 4096\nerase memaction@0x1002000 size 8192\n";
        assert!(hidden.log.starts_with(first) && hidden.log.lines().count() == 6, "{}", hidden.log);
    }
}

#[test]
fn ranges_that_have_no_memory_hide_nothing() {
    let machine = machine();
    let file = machine.elf().to_vec();
    let mut memory = KitMemory::new(&machine);
    let form = Form {
        format: Format::Kdump,
        compression: Compression::Lzo,
        flattened: false,
        split: None,
        shares: false,
    };
    let ranges = [0xa_0000..0xb_0000, u64::MAX - 8..u64::MAX, 1 << 40..1 << 60];
    let mut slots = Vec::new();
    let redaction = secrets(&mut slots, &ranges);
    let (control, hidden) =
        (dump(&file, &mut memory, form, Redaction::NONE).0, dump(&file, &mut memory, form, redaction));
    assert_eq!((hidden.1.redacted_bytes, hidden.1.redacted_pages), (0, 0));
    let (control, hidden) = (contents(&[control], form), contents(&[hidden.0], form));
    compare(&control, &hidden, &ranges, "no memory");
    assert_eq!(hidden.log.lines().count(), 3);
}

/// The header repeats the kernel's names: what is hidden of them is so there, too.
#[test]
fn the_header_shows_no_more_than_memory() {
    let mut machine = machine();
    let names = machine.symbol("init_uts_ns").unwrap() - machine.text_virt() + machine.text_phys();
    let nodename = b"secret-host.example";
    machine.poke(names + 65, nodename);
    let file = machine.elf().to_vec();
    let mut memory = KitMemory::new(&machine);
    let form = Form {
        format: Format::Kdump,
        compression: Compression::Raw,
        flattened: false,
        split: None,
        shares: false,
    };
    let mut slots = Vec::new();
    let redaction = secrets(&mut slots, from_ref(&(names + 65..names + 130)));
    let expected = machine.read(names, 6 * 65);
    let has = |file: &[u8]| file.windows(nodename.len()).any(|some| some == nodename);
    let (control, _) = dump(&file, &mut memory, form, Redaction::NONE);
    assert!(control[12..12 + 390] == expected && has(&control));
    let (hidden, _) = dump(&file, &mut memory, form, redaction);
    assert!(hidden[12..12 + 390] == [&expected[..65], &[FILL; 65], &expected[130..]].concat());
    assert!(!has(&hidden));
}

#[test]
fn everything_can_be_hidden() {
    let machine = machine();
    let file = machine.elf().to_vec();
    let mut memory = KitMemory::new(&machine);
    let form = Form {
        format: Format::Kdump,
        compression: Compression::Zlib,
        flattened: false,
        split: None,
        shares: false,
    };
    let mut slots = Vec::new();
    let redaction = secrets(&mut slots, from_ref(&(0..u64::MAX)));
    let (hidden, report) = dump(&file, &mut memory, form, redaction);
    assert_eq!(report.redacted_pages, report.saved);
    let hidden = contents(&[hidden], form);
    assert!(hidden.pages.values().flatten().all(|&byte| byte == FILL));
    assert_eq!(hidden.pages.len() as u64, report.kept);
}

#[test]
fn a_dump_that_has_begun_cannot_hide_more() {
    let machine = machine();
    let file = machine.elf().to_vec();
    let mut memory = KitMemory::new(&machine);
    let mut table = vec![ProgramHeader::default(); 64];
    let bytes = file.as_slice();
    let core = ElfCore::open(&bytes, &mut table).unwrap();
    let mut text = vec![0; 0x1_0000];
    let source = Source::of_elf(&core, &mut text).unwrap();
    let mut words = vec![0; MIB];
    let mut dumper = Dumper::new(source, None, Options::default(), &mut words).unwrap();
    dumper.step(&mut memory, &mut Out::default()).unwrap();
    let error = dumper.redact(Redaction::NONE).unwrap_err();
    assert_eq!(error, Error::OutOfOrder { expected: 0 });
}

/// A dump of a dump, by way of the library's own readers.
fn again(file: &[u8], format: Format, hidden: Redaction<'_>) -> Vec<u8> {
    use page_filter::codec::DecodeScratch;
    use page_filter::{ElfMemory, KdumpMemory, LoadSlot};
    use vmcore_format::kdump::{KdumpFile, Part, is_kdump};
    let form =
        Form { format, compression: Compression::Snappy, flattened: false, split: None, shares: false };
    let mut text = vec![0; 0x1_0000];
    let file: &dyn ReadAt = &file;
    if is_kdump(file) {
        let (mut index, mut parts) = ([0; 64], [Part::new(file)]);
        let kdump = KdumpFile::open(&mut parts, &mut index).unwrap();
        let source = Source::of_kdump(&kdump, &mut text).unwrap();
        let (mut scratch, mut pages) = (DecodeScratch::new(), vec![0; 17 * 4096]);
        let mut memory = KdumpMemory::new(kdump, &mut scratch, &mut pages).unwrap();
        return write(source, &mut memory, form, hidden).0;
    }
    let mut table = vec![ProgramHeader::default(); 4096];
    let core = ElfCore::open(file, &mut table).unwrap();
    let source = Source::of_elf(&core, &mut text).unwrap();
    let mut slots = vec![LoadSlot::default(); core.loads().len()];
    let mut memory = ElfMemory::new(file, core.loads(), &mut slots, PageSize::KIB_4).unwrap();
    write(source, &mut memory, form, hidden).0
}

fn log(file: &[u8], format: Format) -> String {
    let form =
        Form { format, compression: Compression::Snappy, flattened: false, split: None, shares: false };
    contents(&[file.to_vec()], form).log
}

#[test]
fn the_log_of_the_input_is_kept_and_continued() {
    let machine = machine();
    let theirs = "erase init_task.comm size 16\nerase x size 3";
    // Trailing notes, as makedumpfile has them, and one with other notes behind it.
    let note = |name: &str, desc: &str| (name.to_owned(), 0, desc.as_bytes().to_vec());
    let cases = [
        (vec![note("ERASEINFO", theirs)], format!("{theirs}\n")),
        (vec![note("ERASEINFO", "erase y size 1\n")], "erase y size 1\n".to_owned()),
        (Vec::new(), String::new()),
    ];
    let (mut first, mut second) = (Vec::new(), Vec::new());
    let one = secrets(&mut first, from_ref(&(0x100_0000..0x100_0010)));
    let two = secrets(&mut second, from_ref(&(0x100_1000..0x100_1008)));
    for (extra_notes, before) in cases {
        let file = machine.elf_with(&ElfOptions { extra_notes, ..ElfOptions::default() }).to_vec();
        for format in [Format::Kdump, Format::Elf] {
            let hidden = again(&file, format, one);
            let expected = format!("{before}erase 0x1000000 size 16\n");
            assert_eq!(log(&hidden, format), expected);
            for next in [Format::Kdump, Format::Elf] {
                // Nothing more is hidden: the log is what it was.
                assert_eq!(log(&again(&hidden, next, Redaction::NONE), next), expected);
                let more = format!("{expected}erase 0x1001000 size 8\n");
                assert_eq!(log(&again(&hidden, next, two), next), more);
            }
        }
        // What is kept as it was is not changed, either.
        let before = before.strip_suffix('\n').filter(|text| *text == theirs).unwrap_or(&before);
        for format in [Format::Kdump, Format::Elf] {
            assert_eq!(log(&again(&file, format, Redaction::NONE), format), before);
        }
    }
}
