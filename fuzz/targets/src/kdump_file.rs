//! kdump-compressed files, alone and in split sets: headers, bitmaps, descriptors, pages, and the set joined to one file.

use std::collections::{BTreeMap, BTreeSet};

use page_filter::codec::DecodeScratch;
use page_filter::dump::Source;
use page_filter::{Fault, KdumpMemory, PhysMemory};
use testkit::{Abi, Codec, Kdump};
use vmcore_format::kdump::{DiskDumpHeader, Join, KdumpFile, Part, SubHeader};
use vmcore_format::{PageSize, Pfn, ReadAt};

use crate::files::Out;
use crate::input::Input;

/// Most runs of frames, and most bytes of an output, that are looked at.
const RUNS: usize = 64;
const OUT: usize = 1 << 18;

/// The first byte says how many parts there are, and whether gaps are allowed; then the length of each part but the last, in
/// 32 bits, and the parts.
pub fn run(data: &[u8]) {
    let mut input = Input::new(data);
    let how = input.u8();
    let lens: Vec<usize> = (0..how & 3).map(|_| input.u32() as usize).collect();
    let mut files: Vec<&[u8]> = lens.into_iter().map(|len| input.bytes(len)).collect();
    files.push(input.rest());
    let gaps = how & 4 != 0;
    with(&files, gaps, walk);
    memory(&files, gaps);
    with(&files, gaps, join);
}

fn with(files: &[&[u8]], gaps: bool, what: impl FnOnce(KdumpFile<'_>)) {
    let mut index = [0; 8];
    let mut parts: Vec<Part<'_>> = files.iter().map(|file| Part::new(file as &dyn ReadAt)).collect();
    let open = if gaps { KdumpFile::open_with_gaps } else { KdumpFile::open };
    if let Ok(file) = open(&mut parts, &mut index) {
        what(file);
    }
}

fn walk(mut file: KdumpFile<'_>) {
    headers(&file);
    let (mut from, mut held) = (Pfn(0), 0);
    let mut bytes = vec![0; file.page_size().len()];
    for _ in 0..RUNS {
        let Ok(Some(run)) = file.next_held(from) else { break };
        assert!(run.start >= from && run.end > run.start && run.end.0 <= file.max_mapnr());
        for pfn in [run.start, Pfn(run.end.0 - 1)] {
            let Ok(Some((part, desc))) = file.page_desc(pfn) else { continue };
            let read = file.read_raw(part, desc.offset, &mut bytes[..desc.size as usize]);
            assert!(desc.size as usize <= bytes.len());
            let _ = read;
        }
        if let Ok(below) = file.held_below(run.start) {
            assert_eq!(below, held);
        }
        held += run.end.0 - run.start.0;
        from = run.end;
    }
    let far = Pfn(u64::MAX);
    let _far = (file.page_desc(far), file.next_known(far), file.held_below(far));
    for (part, region) in [file.notes(), file.vmcoreinfo(), file.eraseinfo()].into_iter().flatten() {
        let mut bytes = vec![0; region.len.min(1 << 12) as usize];
        let _read = file.read_raw(part, region.offset, &mut bytes);
    }
}

/// What was read is written again as it was read.
fn headers(file: &KdumpFile<'_>) {
    let abi = file.abi();
    let mut bytes = [0; DiskDumpHeader::MAX_LEN];
    let len = file.header().encode(abi, &mut bytes).expect("it was read in this ABI");
    assert_eq!(DiskDumpHeader::parse(&bytes[..len], abi).as_ref(), Ok(file.header()));
    let sub = file.sub_header();
    let mut bytes = [0; SubHeader::MAX_LEN];
    if let Ok(len) = sub.encode(abi, &mut bytes) {
        assert!(SubHeader::parse(&bytes[..len], abi, 6).is_ok());
    }
}

/// Every page through the decoders, twice and in pieces: always the same bytes.
fn memory(files: &[&[u8]], gaps: bool) {
    let (mut text, mut index, mut scratch) = (vec![0; 0x1000], [0; 8], DecodeScratch::new());
    let mut buffer = Vec::new();
    let mut parts: Vec<Part<'_>> = files.iter().map(|file| Part::new(file as &dyn ReadAt)).collect();
    let open = if gaps { KdumpFile::open_with_gaps } else { KdumpFile::open };
    let Ok(file) = open(&mut parts, &mut index) else { return };
    let _source = Source::of_kdump(&file, &mut text).is_ok();
    let page_size = file.page_size();
    buffer.resize(3 * page_size.len(), 0);
    let mut memory = KdumpMemory::new(file, &mut scratch, &mut buffer).expect("three pages suffice");
    let (mut page, mut again) = (vec![0; page_size.len()], vec![0; page_size.len()]);
    let mut from = Pfn(0);
    let budget = 8 * files.len();
    for _ in 0..budget {
        let Ok(Some(run)) = memory.next_held(from) else { break };
        for pfn in run.start.0..run.end.0.min(run.start.0 + 4) {
            let at = page_size.start_of(Pfn(pfn)).expect("such a frame has an address");
            let whole = memory.read(at, &mut page);
            let (front, back) = again.split_at_mut(page_size.len() / 2);
            let half = at.checked_add(front.len() as u64).expect("the page ends after it begins");
            let pieces = memory.read(at, front).and(memory.read(half, back));
            assert_eq!(whole, pieces);
            assert!(whole.is_err() || page == again);
            assert!(!matches!(whole, Err(Fault::Hole | Fault::Excluded)));
        }
        from = run.end;
    }
}

/// The joined file holds what the set held.
fn join(file: KdumpFile<'_>) {
    let page_size = file.page_size();
    let mut join = Join::new(file);
    let mut out = Out::new(OUT);
    let mut buf = vec![0; 0x1000.max(DiskDumpHeader::MAX_LEN)];
    for _ in 0..2000 {
        match join.step(&mut out, &mut buf) {
            Ok(true) => {
                let joined = out.bytes.as_slice();
                with(&[joined], false, |file| assert_eq!(file.page_size(), page_size));
                return;
            }
            Ok(false) => {}
            Err(_) => return,
        }
    }
}

fn small(abi: Abi, big: bool, version: u32, codec: Codec) -> Kdump {
    let page = |pfn: u64| (0..4096u64).map(|i| (i * pfn / 64) as u8).collect();
    let pages: BTreeMap<u64, Vec<u8>> = [0, 3, 4, 5, 70].into_iter().map(|pfn| (pfn, page(pfn))).collect();
    Kdump {
        version,
        abi,
        big,
        block_size: 4096,
        max_mapnr: 80,
        known: (0..75).collect(),
        pages,
        lost: BTreeSet::from([4]),
        dump_level: 31,
        codec,
        notes: Vec::new(),
        vmcoreinfo: b"OSRELEASE=6.1.0\nPAGESIZE=4096\n".to_vec(),
        eraseinfo: b"erase nothing\n".to_vec(),
        phys_base: 0,
        incomplete: false,
    }
}

/// One file of each ABI, version and codec, and a split set.
pub fn seeds() -> Vec<Vec<u8>> {
    assert_eq!(PageSize::KIB_4.len(), 4096);
    let mut seeds = Vec::new();
    let mut add = |kdump: Kdump| {
        let mut seed = vec![0];
        seed.extend(kdump.to_vec());
        seeds.push(seed);
    };
    for codec in [Codec::Raw, Codec::Zlib, Codec::Lzo, Codec::Snappy, Codec::Zstd, Codec::Mixed] {
        let mut kdump = small(Abi::Lp64, false, 6, codec);
        // Pages as they are would be most of the input.
        kdump.pages.retain(|pfn, _| codec != Codec::Raw || *pfn == 3);
        kdump.lost.retain(|_| codec != Codec::Raw);
        add(kdump);
    }
    for version in 1..6 {
        add(small(Abi::Lp64, version % 2 == 0, version, Codec::Zlib));
    }
    for abi in [Abi::Ilp32 { time64: false }, Abi::I386 { time64: true }, Abi::Ilp32 { time64: true }] {
        add(small(abi, abi == Abi::Ilp32 { time64: false }, 6, Codec::Zstd));
    }
    let parts = small(Abi::Lp64, false, 6, Codec::Zlib).split(&[0..4, 4..80]);
    for how in [1, 5] {
        let mut seed = vec![how];
        seed.extend((parts[0].len() as u32).to_le_bytes());
        seed.extend(parts.concat());
        seeds.push(seed);
    }
    seeds
}
