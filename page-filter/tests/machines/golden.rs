//! The same bytes everywhere: whatever the workspace, the number of chunks under way, the host's byte order and word size.
//!
//! The checksums are regression values, not expected ones. What they stand for was judged when they were taken: each of the 50
//! dumps was written to a file, the streams put in order by `makedumpfile -R`, and every page of the input read from it by
//! libkdumpfile 0.5.1, which inflates with zlib, LZO, snappy and Zstandard in C. No page was other than the input's; those not there
//! were the ones that the level leaves out, in number (`dump` and `kinds` say which these are). Those of LZO and snappy were taken later:
//! liblzo2 and libsnappy inflated each page to what the raw dump of the same level holds. A change of an encoder or of the order
//! in which a stream is sent changes them; a failure prints the table as it would have to be, to be judged in the same way.

use std::collections::VecDeque;
use std::fmt::Write as _;

use crate::files::{Opened, Out, with_opened};
use crate::kit::every;
use page_filter::dump::{Dumper, Format, Next, Options, Phase, SPAN_WORDS, encode_chunk};
use page_filter::{Level, PhysMemory};
use testkit::{Arch, Era, FlattenOptions, Machine, MemModel, flatten};
use vmcore_format::flattened::Writer;
use vmcore_format::kdump::Compression;
use vmcore_format::{ReadAt, WriteAt};

const CODECS: [Compression; 5] =
    [Compression::Raw, Compression::Zlib, Compression::Lzo, Compression::Snappy, Compression::Zstd];

/// The size of each dump in bytes, and the FNV-1a sum (64 bits) of its bytes.
const GOLDENS: &[(&str, usize, u64)] = &[
    ("x86_64 kdump Raw 0", 7757864, 0x55c0c0869a69a1a2),
    ("x86_64 kdump Zlib 0", 1498113, 0x9e9f742998e2ffef),
    ("x86_64 kdump Lzo 0", 815451, 0x8b51ee1ddf7936e4),
    ("x86_64 kdump Snappy 0", 1182865, 0x09935de127b97899),
    ("x86_64 kdump Zstd 0", 1160310, 0x82689b9249f7599f),
    ("x86_64 ELF 0", 7995392, 0x264a70014e505e8c),
    ("x86_64 kdump Raw 1", 6783016, 0x17320102345f0c63),
    ("x86_64 stream kdump Raw 1", 6794040, 0x6f4d8046a5fe1f9e),
    ("x86_64 kdump Zlib 1", 1495995, 0x494f4cabaa2a2b17),
    ("x86_64 stream kdump Zlib 1", 1501883, 0xfa5f7c1a45ea2211),
    ("x86_64 kdump Lzo 1", 813811, 0x85948e08ea51e484),
    ("x86_64 stream kdump Lzo 1", 819043, 0xcdb008b4ed8010a2),
    ("x86_64 kdump Snappy 1", 1140117, 0xc9755485fba955fd),
    ("x86_64 stream kdump Snappy 1", 1145669, 0xf04a949784d417a1),
    ("x86_64 kdump Zstd 1", 1161777, 0x892cb5852fe7ef6a),
    ("x86_64 stream kdump Zstd 1", 1167361, 0x402ae315f3713020),
    ("x86_64 ELF 1", 7991296, 0x26782757131734b8),
    ("x86_64 stream ELF 1", 8003296, 0x9f929a53c0556b6c),
    ("x86_64 kdump Raw 31", 3648672, 0x4db7aba5594f76da),
    ("x86_64 kdump Zlib 31", 797014, 0xe387c7a0ca67672a),
    ("x86_64 kdump Lzo 31", 443055, 0xdfcb9bc3264a09f2),
    ("x86_64 kdump Snappy 31", 617492, 0xc7123ab0528959eb),
    ("x86_64 kdump Zstd 31", 621289, 0xb0e5691d599b4bc5),
    ("x86_64 ELF 31", 7991296, 0x34b73e19c1e2d399),
    ("x86_64 kdump fast Zlib 31", 799448, 0xfd2539aafff45afb),
    ("s390x kdump Raw 0", 4362984, 0x998b8f12f0e68f4c),
    ("s390x kdump Zlib 0", 885771, 0x978ed578eea9a36a),
    ("s390x kdump Lzo 0", 482731, 0x5ad09e40459a6aed),
    ("s390x kdump Snappy 0", 689425, 0x732a7bc777ba665a),
    ("s390x kdump Zstd 0", 687793, 0xc7146a4aad97aaf5),
    ("s390x ELF 0", 4325376, 0xb92fcc8203beeb62),
    ("s390x kdump Raw 1", 3990248, 0xa062c979b34fe6e5),
    ("s390x stream kdump Raw 1", 3998472, 0x39b1cc550c801ef5),
    ("s390x kdump Zlib 1", 887475, 0x7b35cee9fe628ab6),
    ("s390x stream kdump Zlib 1", 892675, 0x84c6d2e86a91d9c9),
    ("s390x kdump Lzo 1", 484619, 0x0693660a925058b6),
    ("s390x stream kdump Lzo 1", 489435, 0xe83e9c0ae776cacd),
    ("s390x kdump Snappy 1", 675489, 0xa4582c7d6ad832ac),
    ("s390x stream kdump Snappy 1", 680481, 0xd118ecaae58b1b13),
    ("s390x kdump Zstd 1", 690877, 0xec961af00fa0f538),
    ("s390x stream kdump Zstd 1", 695885, 0x09102e77ab9c76ca),
    ("s390x ELF 1", 4321280, 0xcf41b1a0c51d7f67),
    ("s390x stream ELF 1", 4329696, 0x40b95193c450555f),
    ("s390x kdump Raw 31", 3990248, 0xa062c979b34fe6e5),
    ("s390x kdump Zlib 31", 887475, 0x7b35cee9fe628ab6),
    ("s390x kdump Lzo 31", 484619, 0x0693660a925058b6),
    ("s390x kdump Snappy 31", 675489, 0xa4582c7d6ad832ac),
    ("s390x kdump Zstd 31", 690877, 0xec961af00fa0f538),
    ("s390x ELF 31", 4321280, 0xcf41b1a0c51d7f67),
    ("s390x kdump fast Zlib 31", 889969, 0xb6e93f29d2616352),
];

/// A machine of every kind of page: 8 MiB of x86_64, and as little of big-endian s390x.
fn machines() -> [(&'static str, Machine); 2] {
    let ranges = [(0x1000, 0x9_f800), (0x10_0000, 0x80_0000)];
    let x86_64 = Machine::x86_64(Era::V6_12).model(MemModel::Vmemmap { huge: false, optimised: false });
    [("x86_64", x86_64.ranges(&ranges).build()), ("s390x", Machine::tiny(Arch::S390x).build())]
}

fn fnv(bytes: &[u8]) -> u64 {
    bytes
        .iter()
        .fold(0xcbf2_9ce4_8422_2325, |sum, byte| (sum ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3))
}

/// Each format, codec and level that has a golden.
fn all_options() -> Vec<(String, Options)> {
    let mut all = Vec::new();
    for level in [0, 1, 31] {
        let level = Level::from_bits(level).unwrap();
        for compression in CODECS {
            let options = Options { level, compression, format: Format::Kdump, ..Options::default() };
            all.push((format!("kdump {compression:?} {}", level.bits()), options));
        }
        let options = Options { level, format: Format::Elf, ..Options::default() };
        all.push((format!("ELF {}", level.bits()), options));
    }
    let fast =
        Options { level: Level::all(), compression: Compression::Zlib, fast: true, ..Options::default() };
    all.push(("kdump fast Zlib 31".to_owned(), fast));
    all
}

/// How a dump is driven.
#[derive(Debug, Clone, Copy)]
struct Drive {
    /// The workspace, in words.
    words: usize,
    /// Chunks handed out before the first of them is committed.
    chunks: usize,
    /// Spans of the first pass handed out before the first of them is committed; none for a pass by the dumper itself.
    spans: usize,
}

const KIB: usize = 1 << 7;
const PLAIN: Drive = Drive { words: 1024 * KIB, chunks: 1, spans: 0 };

/// Runs `dumper` to its end as several threads would, whose results come in as late as `drive` allows.
fn drive(mut dumper: Dumper<'_>, memory: &mut dyn PhysMemory, out: &mut dyn WriteAt, drive: Drive) {
    while drive.spans > 0 && dumper.progress().phase == Phase::Scan {
        let mut scanner = dumper.scanner();
        let mut spans = VecDeque::new();
        loop {
            let next = dumper.next_scan(memory).unwrap();
            let none = next.is_none();
            if let Some(span) = next {
                let mut words = vec![7; SPAN_WORDS];
                let mut scratch = vec![7; scanner.scratch_len()];
                let scanned = scanner.scan(&span, memory, &mut words, &mut scratch).unwrap();
                spans.push_back((span, scanned, words));
            }
            while spans.len() > if none { 0 } else { drive.spans } {
                let (span, scanned, words) = spans.pop_front().unwrap();
                dumper.commit_scan(&span, &scanned, &words, memory).unwrap();
            }
            if none {
                break;
            }
        }
        dumper.next_chunk(memory, out).unwrap();
    }
    let params = dumper.params();
    let mut under_way = VecDeque::new();
    loop {
        let next = dumper.next_chunk(memory, out).unwrap();
        if let Next::Chunk(chunk) = next {
            let mut scratch = vec![7; params.scratch_words()];
            let mut bytes = vec![7; params.out_bytes()];
            let encoded = encode_chunk(&params, &chunk, memory, &mut scratch, &mut bytes).unwrap();
            under_way.push_back((chunk, encoded, bytes));
        }
        let all = !matches!(next, Next::Chunk(_) | Next::Again(_));
        while under_way.len() >= if all { 1 } else { drive.chunks } {
            let (chunk, encoded, bytes) = under_way.pop_front().unwrap();
            dumper.commit_chunk(&chunk, &encoded, &bytes, out).unwrap();
        }
        if matches!(next, Next::Done) {
            dumper.finish(out).unwrap();
            return;
        }
    }
}

fn dump(input: &dyn ReadAt, options: Options, how: Drive) -> Vec<u8> {
    let mut out = Out::default();
    with_opened(&[input], |Opened { source, kernel, memory }| {
        let mut words = vec![0xdead_beef; how.words];
        drive(Dumper::new(source, kernel, options, &mut words).unwrap(), memory, &mut out, how);
    })
    .unwrap();
    out.0
}

fn stream(input: &dyn ReadAt, options: Options, how: Drive) -> Vec<u8> {
    let mut out = Writer::new(Out::default()).unwrap();
    with_opened(&[input], |Opened { source, kernel, memory }| {
        let mut words = vec![0xdead_beef; how.words];
        drive(Dumper::new(source, kernel, options, &mut words).unwrap(), memory, &mut out, how);
    })
    .unwrap();
    out.finish().unwrap().0
}

#[test]
fn dumps_are_what_they_were() {
    let mut found = Vec::new();
    for (name, machine) in machines() {
        let file = machine.elf().to_vec();
        let file = file.as_slice();
        for (what, options) in all_options() {
            let out = dump(&file, options, PLAIN);
            found.push((format!("{name} {what}"), out.len(), fnv(&out)));
            if what.ends_with(" 1") {
                let out = stream(&file, options, PLAIN);
                found.push((format!("{name} stream {what}"), out.len(), fnv(&out)));
            }
        }
    }
    let expected = GOLDENS.iter().map(|(name, len, sum)| ((*name).to_owned(), *len, *sum));
    if !found.iter().cloned().eq(expected) {
        let mut table = String::new();
        for (name, len, sum) in &found {
            writeln!(table, "    ({name:?}, {len}, {sum:#018x}),").unwrap();
        }
        unreachable!(
            "other bytes; if they are meant to be, and libkdumpfile reads them, these are the goldens:\n{table}"
        );
    }
}

#[test]
fn memory_and_threads_change_no_byte() {
    for (name, machine) in machines() {
        let file = machine.elf().to_vec();
        let file = file.as_slice();
        for (number, (what, options)) in all_options().into_iter().enumerate() {
            let expected = dump(&file, options, PLAIN);
            let sent = stream(&file, options, PLAIN);
            let sizes = [128, 192, 256, 512, 2048, 8192].map(|kib| kib * KIB);
            // Every size with some number of chunks and spans, over all the options each with each.
            let first = if every(2) > 1 { number % 3 } else { 0 };
            for (i, words) in sizes.into_iter().enumerate().skip(first).step_by(every(3)) {
                let turn = i + what.len();
                let how = Drive { words, chunks: [1, 2, 3, 8][turn % 4], spans: [0, 1, 3][turn % 3] };
                assert!(dump(&file, options, how) == expected, "{name} {what} {how:?}");
                if i % 2 == turn % 4 / 2 {
                    assert!(stream(&file, options, how) == sent, "{name} stream {what} {how:?}");
                }
            }
        }
    }
}

#[test]
fn the_form_of_the_input_changes_no_byte() {
    let [(_, machine), _] = machines();
    let file = machine.elf().to_vec();
    let options = FlattenOptions { record: 70_000, shuffled: true, stale: true, ..FlattenOptions::default() };
    let sent = flatten(&file, &options);
    let sent = sent.as_slice();
    let mut table = vec![vmcore_format::flattened::Extent::EMPTY; 2000];
    let flat = vmcore_format::flattened::Flattened::open(&sent, &mut table).unwrap();
    for (what, options) in all_options() {
        assert!(dump(&flat, options, PLAIN) == dump(&file.as_slice(), options, PLAIN), "{what}");
    }
}
