//! kdump-compressed files and flattened streams that were laid out without this crate.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::as_conversions,
    clippy::arithmetic_side_effects,
    clippy::std_instead_of_core,
    reason = "a test that goes wrong panics, as it should"
)]

use std::collections::BTreeSet;

use testkit::{Abi, Arch, Codec, FlattenOptions, Kdump, Machine, flatten, kdump_of, lzo, snappy, zlib, zstd};
use vmcore_format::flattened::{Extent, Flattened, is_flattened};
use vmcore_format::kdump::{Compression, DataModel, KdumpFile, Part, is_kdump};
use vmcore_format::{Endian, Error, Field, Pfn, ReadAt};

const ABIS: [(Abi, DataModel); 5] = [
    (Abi::Lp64, DataModel::Lp64),
    (Abi::Ilp32 { time64: false }, DataModel::Ilp32),
    (Abi::Ilp32 { time64: true }, DataModel::Ilp32Time64),
    (Abi::I386 { time64: false }, DataModel::I386),
    (Abi::I386 { time64: true }, DataModel::I386Time64),
];

fn tiny() -> Machine {
    Machine::tiny(Arch::X86_64).build()
}

/// Opens the files as a set and compares everything with what they were made of.
fn check(kdump: &Kdump, files: &[Vec<u8>], index_len: usize) {
    let slices: Vec<&[u8]> = files.iter().map(Vec::as_slice).collect();
    let mut parts: Vec<Part<'_>> = slices.iter().rev().map(|file| Part::new(file as &dyn ReadAt)).collect();
    let mut index = vec![0; index_len];
    let mut file = KdumpFile::open(&mut parts, &mut index).unwrap();
    assert_eq!(file.max_mapnr(), kdump.max_mapnr);
    assert_eq!(file.page_size().len(), kdump.block_size);
    assert_eq!(file.header().header_version, kdump.version);
    assert_eq!(file.sub_header().dump_level, kdump.dump_level);
    assert_eq!(file.sub_header().phys_base, kdump.phys_base);
    assert_eq!(file.abi().endian == Endian::Big, kdump.big);
    assert_eq!(file.incomplete(), kdump.incomplete);
    let read = |file: &KdumpFile<'_>, region: Option<(usize, vmcore_format::kdump::Region)>| {
        let (part, region) = region?;
        let mut bytes = vec![0; region.len as usize];
        file.read_raw(part, region.offset, &mut bytes).unwrap();
        Some(bytes)
    };
    if kdump.version >= 4 {
        assert_eq!(read(&file, file.notes()).as_ref(), Some(&kdump.notes));
    }
    if kdump.version >= 3 {
        assert_eq!(read(&file, file.vmcoreinfo()).as_ref(), Some(&kdump.vmcoreinfo));
    }
    if kdump.version >= 5 && !kdump.eraseinfo.is_empty() {
        assert_eq!(read(&file, file.eraseinfo()).as_ref(), Some(&kdump.eraseinfo));
    }
    assert_eq!(runs(|from| file.next_known(from)), kdump.known);
    assert_eq!(runs(|from| file.next_held(from)), kdump.pages.keys().copied().collect());
    // Backwards, so that the index has to be used.
    for pfn in (0..kdump.max_mapnr + 2).rev() {
        let page = match file.page_desc(Pfn(pfn)) {
            Ok(page) => page,
            Err(Error::Corrupt { field: Field::PageLost, .. }) => {
                assert!(kdump.lost.contains(&pfn), "{pfn:#x}");
                continue;
            }
            Err(error) => unreachable!("{pfn:#x}: {error}"),
        };
        assert_eq!(page.is_some(), kdump.pages.contains_key(&pfn), "{pfn:#x}");
        let Some((part, desc)) = page else { continue };
        let mut bytes = vec![0; desc.size as usize];
        file.read_raw(part, desc.offset, &mut bytes).unwrap();
        let content = &kdump.pages[&pfn];
        let expected = match desc.compression().unwrap() {
            Compression::Raw => content.clone(),
            Compression::Zlib => zlib(content),
            Compression::Lzo => lzo(content),
            Compression::Snappy => snappy(content),
            Compression::Zstd => zstd(content),
        };
        assert_eq!(bytes, expected, "{pfn:#x}");
    }
}

fn runs(mut next: impl FnMut(Pfn) -> Result<Option<std::ops::Range<Pfn>>, Error>) -> BTreeSet<u64> {
    let mut set = BTreeSet::new();
    let mut from = Pfn(0);
    while let Some(run) = next(from).unwrap() {
        assert!(run.start >= from && run.start < run.end);
        set.extend(run.start.0..run.end.0);
        from = run.end;
    }
    set
}

#[test]
fn every_version_abi_and_byte_order_is_read() {
    let m = tiny();
    for (abi, model) in ABIS {
        for big in [false, true] {
            // A 64-bit time_t on a 32-bit machine is younger than version 6.
            let oldest = if matches!(model, DataModel::Ilp32Time64 | DataModel::I386Time64) { 6 } else { 1 };
            for version in oldest..=6 {
                let mut kdump = kdump_of(&m, 31);
                (kdump.abi, kdump.big, kdump.version) = (abi, big, version);
                kdump.phys_base = 0x1234_5000;
                kdump.eraseinfo = b"erase init_task.comm size 16\n".to_vec();
                let file = kdump.to_vec();
                assert!(is_kdump(&file.as_slice()));
                check(&kdump, std::slice::from_ref(&file), 16);
                let slice = file.as_slice();
                let mut parts = [Part::new(&slice)];
                let mut index = [0; 1];
                let found = KdumpFile::open(&mut parts, &mut index).unwrap().abi().model;
                // Versions 1 and 2 are the same in both 32-bit ABIs.
                if version > 2 || model != DataModel::I386 {
                    assert_eq!(found, model, "{abi:?} {big} {version}");
                }
            }
        }
    }
}

#[test]
fn every_codec_level_page_size_and_index_is_read() {
    for (arch, page_size) in
        [(Arch::X86_64, 0x1000), (Arch::Ppc64, 0x1_0000), (Arch::Arm64, 0x4000), (Arch::S390x, 0x1000)]
    {
        let m = Machine::tiny(arch).page_size(page_size).build();
        for codec in [Codec::Raw, Codec::Zlib, Codec::Lzo, Codec::Snappy, Codec::Zstd, Codec::Mixed] {
            for (level, index) in [(0, 1), (1, 3), (31, 1000)] {
                let mut kdump = kdump_of(&m, level);
                kdump.codec = codec;
                check(&kdump, &[kdump.to_vec()], index);
            }
        }
    }
}

#[test]
fn split_sets_lost_pages_and_incomplete_files_are_read() {
    let m = tiny();
    let mut kdump = kdump_of(&m, 23);
    kdump.codec = Codec::Mixed;
    kdump.incomplete = true;
    kdump.lost = kdump.pages.keys().copied().step_by(7).collect();
    check(&kdump, &[kdump.to_vec()], 4);
    let max = kdump.max_mapnr;
    for cuts in [vec![0, max], vec![0, 1, max], vec![0, 300, 700, max], vec![0, 0x123, 0x124, 0x400, max]] {
        let ranges: Vec<_> = cuts.windows(2).map(|w| w[0]..w[1]).collect();
        check(&kdump, &kdump.split(&ranges), 5);
    }
}

#[test]
fn a_split_set_without_a_part_is_refused_or_has_a_gap() {
    let kdump = kdump_of(&tiny(), 0);
    let files = kdump.split(&[0..300, 300..600, 600..kdump.max_mapnr]);
    let (first, last) = (files[0].as_slice(), files[2].as_slice());
    let mut index = [0; 9];
    let mut parts = [Part::new(&last), Part::new(&first)];
    let error = KdumpFile::open(&mut parts, &mut index).unwrap_err();
    assert_eq!(error, Error::Unsupported { field: Field::MissingPart, value: 300 });
    let mut parts = [Part::new(&last), Part::new(&first)];
    let mut file = KdumpFile::open_with_gaps(&mut parts, &mut index).unwrap();
    for pfn in kdump.pages.keys() {
        assert_eq!(file.page_desc(Pfn(*pfn)).is_ok(), !(300..600).contains(pfn), "{pfn:#x}");
    }
}

#[test]
fn flattened_files_read_as_the_file_they_came_from() {
    let file = kdump_of(&tiny(), 31).to_vec();
    for record in [700, 5000, 1 << 20] {
        for bits in 0..8u32 {
            let options = FlattenOptions {
                record,
                shuffled: bits & 1 != 0,
                stale: bits & 2 != 0,
                gaps: bits & 2 == 0,
                end: bits & 4 == 0,
            };
            let stream = flatten(&file, &options);
            let stream = stream.as_slice();
            assert!(is_flattened(&stream));
            let mut table = vec![Extent::EMPTY; 4 * (file.len() / record + 2)];
            let flat = Flattened::open(&stream, &mut table).unwrap();
            assert_eq!(flat.complete(), options.end);
            assert_eq!(flat.size(), Some(file.len() as u64), "{options:?}");
            let mut back = vec![0xaa; file.len()];
            flat.read_at(0, &mut back).unwrap();
            assert!(back == file, "{options:?}");
            let mut some = [0; 3001];
            for offset in (0..file.len() - some.len()).step_by(1777) {
                flat.read_at(offset as u64, &mut some).unwrap();
                assert!(some == file[offset..offset + 3001], "{options:?} {offset}");
            }
        }
    }
}
