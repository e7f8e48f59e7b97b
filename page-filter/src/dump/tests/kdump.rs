//! Kdump-compressed output, read back at the offsets of the format's own structures (64-bit, little-endian).

use super::*;

/// Where the tables of a file with 40 bytes of notes and `blocks` blocks a bitmap stand.
fn bitmap_2(blocks: u32) -> usize {
    (2 + blocks as usize) * 4096
}

fn descs(blocks: u32) -> usize {
    (2 + 2 * blocks as usize) * 4096
}

fn bit(file: &File, bitmap: usize, pfn: u64) -> bool {
    file.bytes[bitmap + pfn as usize / 8] >> (pfn % 8) & 1 == 1
}

/// Offset, size and flags of a descriptor.
fn desc(file: &File, blocks: u32, rank: usize) -> (u64, u32, u32) {
    let at = descs(blocks) + 24 * rank;
    assert_eq!(file.u64(at + 16), 0);
    (file.u64(at), file.u32(at + 8), file.u32(at + 12))
}

/// Where the descriptors of a file of `end` frames end.
pub(super) fn descs_end(file: &File, end: u64) -> u64 {
    let kept = (0..end).filter(|&pfn| bit(file, bitmap_2(1), pfn)).count();
    (descs(1) + 24 * kept) as u64
}

fn small() -> (Machine, u64) {
    use Frame::{Broken, Bytes, Excluded};
    let frames =
        [(1, Bytes(5)), (2, Bytes(0)), (3, Broken(-9)), (6, Excluded), (9, Bytes(0)), (10, Bytes(6))];
    (Machine::new(frames), 11)
}

#[test]
fn headers_stand_where_the_format_has_them() {
    let (mut machine, end) = small();
    let mut out = File::default();
    let mut source = source(&machine, end);
    source.left_out = Level::USER;
    source.utsname.set(vmcore_format::kdump::UtsField::Release, b"6.1.0");
    dump(source, options(1, Format::Kdump), 1 << 16, &mut machine, &mut out);
    assert_eq!(&out.bytes[..8], b"KDUMP   ");
    assert_eq!(out.u32(8), 6);
    assert_eq!(&out.bytes[12 + 130..][..6], b"6.1.0\0");
    assert_eq!((out.u64(408), out.u64(416)), (0x1234_5678_9abc, 0));
    let expected =
        [(428, 4096), (432, 1), (436, 2), (440, 11), (444, 0), (448, 0), (452, 0), (456, 0), (460, 3)];
    for (at, value) in expected {
        assert_eq!(out.u32(at), value, "{at}");
    }
    let sub = 4096;
    assert_eq!((out.u64(sub), out.u32(sub + 8), out.u32(sub + 12)), (0x0100_0000, 9, 0));
    assert_eq!((out.u64(sub + 32), out.u64(sub + 40)), (4096 + 104 + 12, 24));
    assert_eq!((out.u64(sub + 48), out.u64(sub + 56)), (4096 + 104, 40));
    assert_eq!((out.u64(sub + 64), out.u64(sub + 72)), (0, 0));
    assert_eq!(out.u64(sub + 96), 11);
    assert_eq!(&out.bytes[sub + 104..][..40], NOTES);
}

#[test]
fn a_page_that_cannot_be_read_is_lost_and_the_dump_incomplete() {
    let (mut machine, end) = small();
    let mut out = File::default();
    let report = dump(source(&machine, end), options(1, Format::Kdump), 1 << 16, &mut machine, &mut out);
    for pfn in 0..end {
        assert_eq!(bit(&out, 2 * 4096, pfn), [1, 2, 3, 6, 9, 10].contains(&pfn), "{pfn}");
        assert_eq!(bit(&out, bitmap_2(1), pfn), [1, 2, 3, 9, 10].contains(&pfn), "{pfn}");
    }
    let zero = descs(1) as u64 + 5 * 24;
    let expected =
        [(zero + 4096, 4096, 0), (zero, 4096, 0), (0, 0, 0), (zero, 4096, 0), (zero + 8192, 4096, 0)];
    for (rank, expected) in expected.into_iter().enumerate() {
        assert_eq!(desc(&out, 1, rank), expected, "{rank}");
    }
    let data = &out.bytes[zero as usize..];
    assert_eq!(data.len(), 3 * 4096);
    assert!(data.chunks(4096).zip([0, 5, 6]).all(|(page, byte)| page.iter().all(|&b| b == byte)));
    assert_eq!(out.u32(424), 8, "readers take a descriptor without data for a lost page only if this is set");
    assert_eq!((report.known, report.held, report.kept), (6, 5, 5));
    assert_eq!((report.saved, report.zero, report.lost), (4, 2, 1));
    assert_eq!(report.faults[0], Some((Pfn(3), Fault::Code(-9))));
    assert_eq!(report.faults[1], None);
    assert_eq!(report.outcome(), Outcome::Incomplete);
}

#[test]
fn without_level_1_zero_pages_are_pages() {
    let (mut machine, end) = small();
    machine.0.remove(&3);
    let mut out = File::default();
    let report = dump(source(&machine, end), options(0, Format::Kdump), 1 << 16, &mut machine, &mut out);
    let data = descs(1) as u64 + 4 * 24;
    for rank in 0..4 {
        assert_eq!(desc(&out, 1, rank), (data + 4096 * rank as u64, 4096, 0));
    }
    assert_eq!((report.saved, report.zero, report.lost), (4, 0, 0));
    assert_eq!(report.outcome(), Outcome::Complete);
    assert_eq!(out.u32(424), 0);
}

#[test]
fn packed_pages_say_how_and_others_are_raw() {
    let mut machine = Machine::new([(0, Frame::Bytes(1)), (1, Frame::Bytes(0)), (2, Frame::Bytes(2))]);
    for (compression, flag) in
        [(Compression::Zlib, 1), (Compression::Lzo, 2), (Compression::Snappy, 4), (Compression::Zstd, 0x20)]
    {
        let mut out = File::default();
        let options = Options { compression, ..options(1, Format::Kdump) };
        dump(source(&machine, 3), options, 1 << 16, &mut machine, &mut out);
        assert_eq!(out.u32(424), flag);
        let (start, size, flags) = desc(&out, 1, 0);
        assert!(size < 400 && flags == flag, "{compression:?}");
        assert_eq!(desc(&out, 1, 1), (start - 4096, 4096, 0));
        let (next, last_size, _) = desc(&out, 1, 2);
        assert_eq!((next, out.bytes.len() as u64), (start + u64::from(size), next + u64::from(last_size)));
        let mut page = [0; 4096];
        let packed = &out.bytes[next as usize..];
        let codec = crate::codec::codec(compression);
        codec.decode(packed, &mut page, &mut crate::codec::DecodeScratch::new()).unwrap();
        assert!(page.iter().all(|&byte| byte == 2));
    }
}

#[test]
fn memory_in_place_gives_the_same_dump_as_memory_that_is_read() {
    let bytes: Vec<u8> = (0..5).flat_map(|page| [page; 4096]).collect();
    let regions: [(PhysAddr, &[u8]); 2] = [(PhysAddr(0x1000), &bytes), (PhysAddr(0x9000), &bytes[4096..])];
    let frames = (1..6).map(|pfn| (pfn, Frame::Bytes(pfn as u8 - 1)));
    let mut machine = Machine::new(frames.chain((9..13).map(|pfn| (pfn, Frame::Bytes(pfn as u8 - 8)))));
    let mut memory = crate::Regions::new(&regions, PageSize::KIB_4).unwrap();
    for (format, compression) in [
        (Format::Kdump, Compression::Raw),
        (Format::Kdump, Compression::Lzo),
        (Format::Elf, Compression::Raw),
    ] {
        let options = Options { compression, ..options(1, format) };
        let (mut read, mut in_place) = (File::default(), File::default());
        dump(source(&machine, 13), options, 1 << 16, &mut machine, &mut read);
        let mut words = vec![0; 1 << 16];
        let dumper = Dumper::new(source(&machine, 13), None, options, &mut words).unwrap();
        let report = run(dumper, &mut memory, &mut in_place);
        assert_eq!((report.known, report.zero), (9, 1));
        assert!(read.bytes == in_place.bytes, "{options:?}");
    }
}

/// The ranks of the kept pages below `end` in blocks of 64 frames whose first kept page has a rank in `share`.
fn ranks_of_blocks(whole: &File, end: u64, share: &Range<u64>) -> Range<u64> {
    let kept: Vec<u64> = (0..end).filter(|&pfn| bit(whole, bitmap_2(1), pfn)).collect();
    let next_block = |rank: u64| {
        let first_of_block = |first: u64| kept.iter().position(|&pfn| pfn / 64 == kept[first as usize] / 64);
        (rank..kept.len() as u64).find(|&rank| first_of_block(rank) == Some(rank as usize))
    };
    next_block(share.start).unwrap_or(kept.len() as u64)..next_block(share.end).unwrap_or(kept.len() as u64)
}

#[test]
fn parts_of_a_set_share_blocks_by_rank() {
    let (mut machine, end) = scattered();
    let mut whole = File::default();
    let kept = dump(source(&machine, end), options(1, Format::Kdump), 1 << 16, &mut machine, &mut whole).kept;
    for parts in [1, 2, 3, 7] {
        let mut next_pfn = 0;
        let mut next_rank = 0;
        for part in 0..parts {
            let split = Some(Split { part, parts });
            let options = Options { split, ..options(1, Format::Kdump) };
            // Both with all frames in memory and slice by slice.
            let least = least_words(source(&machine, end), options);
            let mut out = File::default();
            let report = dump(source(&machine, end), options, 1 << 16, &mut machine, &mut out);
            let mut small = File::default();
            dump(source(&machine, end), options, least, &mut machine, &mut small);
            assert!(small.bytes == out.bytes);

            let share =
                kept * u64::from(part) / u64::from(parts)..kept * u64::from(part + 1) / u64::from(parts);
            let ranks = ranks_of_blocks(&whole, end, &share);
            assert_eq!(report.saved, ranks.end - ranks.start);
            assert_eq!(out.u32(4096 + 12), 1);
            let (start, end_pfn) = (out.u64(4096 + 80), out.u64(4096 + 88));
            assert_eq!(start, next_pfn);
            assert!(start % 64 == 0);
            next_pfn = end_pfn;
            let tables = 2 * 4096..bitmap_2(1) + 4096;
            assert_eq!(out.bytes[tables.clone()], whole.bytes[tables]);
            for (slot, rank) in ranks.clone().enumerate() {
                let (in_part, _, _) = desc(&out, 1, slot);
                let (in_whole, _, _) = desc(&whole, 1, rank as usize);
                assert!(in_part >= descs(1) as u64 + 24 * kept);
                let page = |file: &File, at: u64| file.bytes[at as usize..][..4096].to_vec();
                assert_eq!(page(&out, in_part), page(&whole, in_whole));
            }
            let held = (start..end_pfn).filter(|&pfn| bit(&out, bitmap_2(1), pfn)).count() as u64;
            assert_eq!((next_rank, held), (ranks.start, ranks.end - ranks.start));
            next_rank = ranks.end;
        }
        assert_eq!(next_pfn, end);
    }
}

#[test]
fn a_big_endian_32_bit_machine_gets_its_own_layout() {
    let mut machine = Machine::new([(2, Frame::Bytes(1))]);
    let mut source = source(&machine, 3);
    source.layout = Layout::BE32;
    source.e_machine = 20;
    source.crash_time = 0x1234_5678;
    let mut out = File::default();
    dump(source, options(0, Format::Kdump), 1 << 16, &mut machine, &mut out);
    assert_eq!(out.bytes[8..12], [0, 0, 0, 6]);
    // timeval of two 32-bit words, so status stands at 412 and block_size at 416.
    assert_eq!(out.bytes[404..408], [0x12, 0x34, 0x56, 0x78]);
    assert_eq!(out.bytes[416..420], [0, 0, 0x10, 0]);
    assert_eq!(out.bytes[448..452], [0, 0, 0, 3]);
    // The bitmaps are bytes whatever the byte order.
    assert_eq!(out.bytes[bitmap_2(1)], 4);
    let data = descs(1) as u64 + 24;
    assert_eq!(out.bytes[descs(1)..][..12], [data.to_be_bytes().as_slice(), &[0, 0, 0x10, 0]].concat());
}
