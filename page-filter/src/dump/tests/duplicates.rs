//! Pages that share the bytes of earlier ones.

use super::*;
use crate::codec::{self, DecodeScratch};

/// Frames of seven patterns in turns, one that occurs once, some of zeros, some lost.
fn repetitive() -> (Machine, u64) {
    let frame = |pfn: u64| {
        let frame = match pfn {
            777 => Frame::Bytes(0xee),
            _ if pfn % 50 == 3 => Frame::Broken(-5),
            _ if pfn.is_multiple_of(13) => Frame::Bytes(0),
            _ => Frame::Bytes(1 + (pfn % 7) as u8),
        };
        (pfn, frame)
    };
    (Machine::new((10..900).chain(5000..5400).map(frame)), 5400)
}

fn shared(compression: Compression) -> Options {
    Options { compression, share_duplicates: true, ..options(1, Format::Kdump) }
}

/// Offset, size and flags of each descriptor, for each page of a file whose bitmaps are one block each, with its frame.
fn descs(file: &File, end: u64) -> Vec<(u64, u64, u32, u32)> {
    let kept = (0..end).filter(|&pfn| file.bytes[3 * 4096 + pfn as usize / 8] >> (pfn % 8) & 1 == 1);
    let desc = |(rank, pfn)| {
        let at = 4 * 4096 + 24 * rank;
        (pfn, file.u64(at), file.u32(at + 8), file.u32(at + 12))
    };
    kept.enumerate().map(desc).collect()
}

#[test]
fn pages_that_are_the_same_stand_in_one_place() {
    use Compression::{Lzo, Raw, Snappy, Zlib, Zstd};
    for compression in [Raw, Zlib, Lzo, Snappy, Zstd] {
        let (mut machine, end) = repetitive();
        let mut out = File::default();
        let report = dump(source(&machine, end), shared(compression), 1 << 17, &mut machine, &mut out);
        let mut places = BTreeMap::new();
        let (mut saved, mut lost) = (0, 0);
        for (pfn, offset, size, flags) in descs(&out, end) {
            let byte = match machine.0[&pfn] {
                Frame::Bytes(byte) => byte,
                other => {
                    assert_eq!((other, offset), (Frame::Broken(-5), 0));
                    lost += 1;
                    continue;
                }
            };
            saved += 1;
            let stored = &out.bytes[offset as usize..][..size as usize];
            let mut page = [0x55; PAGE as usize];
            if flags == 0 {
                page.copy_from_slice(stored);
            } else {
                codec::codec(compression).decode(stored, &mut page, &mut DecodeScratch::new()).unwrap();
            }
            assert!(page.iter().all(|&found| found == byte), "{compression:?} {pfn}");
            assert_eq!(*places.entry(byte).or_insert(offset), offset, "{compression:?} {pfn}");
        }
        // Seven patterns, the one that occurs once, and zeros.
        assert_eq!(places.len(), 9);
        assert_eq!((report.saved, report.lost), (saved, lost));
        assert_eq!(report.duplicates, saved - report.zero - 8);
        let mut plain = File::default();
        let options = Options { share_duplicates: false, ..shared(compression) };
        let without = dump(source(&machine, end), options, 1 << 17, &mut machine, &mut plain);
        assert_eq!((without.duplicates, without.duplicate_bytes), (0, 0));
        assert_eq!(out.bytes.len() as u64 + report.duplicate_bytes, plain.bytes.len() as u64);
        assert_eq!(report.written + report.duplicate_bytes, without.written);
    }
}

#[test]
fn which_pages_are_shared_depends_on_the_pages_alone() {
    let (machine, end) = repetitive();
    for compression in [Compression::Raw, Compression::Lzo] {
        let least = least_words(source(&machine, end), shared(compression));
        let mut expected = File::default();
        dump(source(&machine, end), shared(compression), least, &mut machine.clone(), &mut expected);
        for words in [least + 1, least + 5000, 1 << 17, 1 << 20] {
            let mut out = File::default();
            dump(source(&machine, end), shared(compression), words, &mut machine.clone(), &mut out);
            assert!(out.bytes == expected.bytes, "{compression:?} {words}");
        }
        let records = Records::of(&machine, end, shared(compression), least, 0);
        for (words, ahead) in [(least, 3), (1 << 17, 0), (1 << 20, 50)] {
            let found = Records::of(&machine, end, shared(compression), words, ahead);
            assert!(found == records, "{compression:?} {words} {ahead}");
        }
        let mut stream = vec![0; expected.bytes.len()];
        for (at, bytes) in &records.0 {
            stream[*at as usize..][..bytes.len()].copy_from_slice(bytes);
        }
        assert!(stream == expected.bytes);
    }
}

#[test]
fn each_part_of_a_set_has_all_its_pages() {
    let (mut machine, end) = repetitive();
    for part in 0..3 {
        let options = Options { split: Some(Split { part, parts: 3 }), ..shared(Compression::Raw) };
        let mut out = File::default();
        let report = dump(source(&machine, end), options, 1 << 17, &mut machine, &mut out);
        let (start, stop) = (out.u64(4096 + 80), out.u64(4096 + 88));
        let descs = descs(&out, end).into_iter().filter(|(pfn, ..)| (start..stop).contains(pfn)).enumerate();
        let mut saved = 0;
        for (rank, (pfn, ..)) in descs {
            let at = 4 * 4096 + 24 * rank;
            let (offset, size) = (out.u64(at) as usize, out.u32(at + 8));
            if let Frame::Bytes(byte) = machine.0[&pfn] {
                assert_eq!(size, PAGE as u32);
                assert!(
                    out.bytes[offset..][..PAGE as usize].iter().all(|&found| found == byte),
                    "{part} {pfn}"
                );
                saved += 1;
            }
        }
        assert_eq!(report.saved, saved);
        assert!(report.duplicates > 100, "{part}: {report:?}");
    }
}

#[test]
fn an_elf_core_shares_nothing() {
    let (mut machine, end) = repetitive();
    let plain = options(1, Format::Elf);
    let (mut one, mut other) = (File::default(), File::default());
    dump(source(&machine, end), plain, 1 << 16, &mut machine, &mut one);
    let options = Options { share_duplicates: true, ..plain };
    assert_eq!(least_words(source(&machine, end), options), least_words(source(&machine, end), plain));
    let report = dump(source(&machine, end), options, 1 << 16, &mut machine, &mut other);
    assert!(one.bytes == other.bytes);
    assert_eq!(report.duplicates, 0);
}
