//! Both headers in every ABI and version, against bytes laid out by hand.

use super::*;
use crate::kdump::{
    Compression, DiskDumpHeader, Geometry, KdumpFile, Part, Region, Status, SubHeader, Timestamp, UtsField,
    UtsName, is_kdump,
};
use crate::{Class, Error, Field, Layout, PageSize, Pfn};

/// Opens `file` and hands over what the headers say.
fn open(file: &[u8]) -> Result<(Abi, DiskDumpHeader, SubHeader, u64), Error> {
    let mut parts = [Part::new(&file)];
    let mut index = [0; 1];
    let file = KdumpFile::open(&mut parts, &mut index)?;
    Ok((file.abi(), *file.header(), file.sub_header(), file.max_mapnr()))
}

#[test]
fn every_abi_is_recognized_in_version_6() {
    for shape in shapes() {
        let bytes = file(shape, 6, None);
        assert!(is_kdump(&&bytes[..]));
        let (abi, header, sub, max_mapnr) = open(&bytes).unwrap();
        assert_eq!(abi, shape.abi);
        assert_eq!(header.header_version, 6);
        assert_eq!(header.utsname.get(UtsField::Sysname), b"Linux");
        assert_eq!(header.utsname.get(UtsField::Release), b"6.1.0-");
        assert_eq!(header.utsname.get(UtsField::Machine), b"");
        assert_eq!(header.timestamp, Timestamp { sec: 0x6543_2100, usec: 0 });
        assert_eq!(header.status.compression(), Some(Compression::Lzo));
        assert!(!header.status.incomplete());
        assert_eq!(header.block_size, PageSize::KIB_4);
        assert_eq!((header.sub_hdr_size, header.bitmap_blocks, header.nr_cpus), (1, 2, 3));
        assert_eq!((header.max_mapnr, max_mapnr, sub.max_mapnr), (150, 150, 150));
        let notes = 4096 + shape.sub_len as u64;
        assert_eq!(sub.notes, Region { offset: notes, len: 32 });
        assert_eq!(sub.vmcoreinfo, Region { offset: notes + 17, len: 15 });
        assert_eq!(sub.eraseinfo, Region::default());
        assert_eq!((sub.dump_level, sub.split), (31, false));
        let phys_base = if shape.long == 8 { 0xffff_ffff_eec0_0000 } else { 0x40_0000 };
        assert_eq!(sub.phys_base, phys_base);
    }
}

#[test]
fn older_versions_lack_the_younger_fields() {
    for (shape, version) in
        [LP64, big(LP64), ILP32, I386, big(ILP32)].into_iter().flat_map(|s| (1..6).map(move |v| (s, v)))
    {
        let bytes = file(shape, version, None);
        let (abi, header, sub, max_mapnr) = open(&bytes).unwrap();
        // Both 32-bit ABIs agree on versions 1 and 2.
        let same = abi == shape.abi || (version < 3 && abi.model == DataModel::Ilp32);
        assert!(same && abi.endian == shape.abi.endian, "{shape:?} {version}");
        assert_eq!(u64::from(header.header_version), version);
        assert_eq!(max_mapnr, 150);
        assert_eq!(sub.max_mapnr, 0);
        assert_eq!(sub.vmcoreinfo.len, if version >= 3 { 15 } else { 0 });
        assert_eq!(sub.notes.len, if version >= 4 { 32 } else { 0 });
        assert_eq!(sub.dump_level, 31);
    }
}

#[test]
fn the_written_headers_are_the_hand_laid_ones() {
    for shape in shapes() {
        let bytes = file(shape, 6, Some((60, 100)));
        let mut utsname = UtsName::EMPTY;
        utsname.set(UtsField::Sysname, b"Linux");
        utsname.set(UtsField::Release, b"6.1.0-");
        let header = DiskDumpHeader {
            header_version: 6,
            utsname,
            timestamp: Timestamp { sec: 0x6543_2100, usec: 0 },
            status: Status::new(Compression::Lzo),
            block_size: PageSize::KIB_4,
            sub_hdr_size: 1,
            bitmap_blocks: 2,
            max_mapnr: 150,
            total_ram_blocks: 0,
            device_blocks: 0,
            written_blocks: 0,
            current_cpu: 0,
            nr_cpus: 3,
        };
        let mut out = [0xff; 512];
        assert_eq!(header.encode(shape.abi, &mut out), Ok(shape.header_len));
        assert_eq!(DiskDumpHeader::encoded_len(shape.abi), shape.header_len);
        assert_eq!(out[..shape.header_len], bytes[..shape.header_len]);
        let notes = 4096 + shape.sub_len as u64;
        let sub = SubHeader {
            phys_base: if shape.long == 8 { 0xffff_ffff_eec0_0000 } else { 0x40_0000 },
            dump_level: 31,
            split: true,
            start_pfn: Pfn(60),
            end_pfn: Pfn(100),
            vmcoreinfo: Region { offset: notes + 17, len: 15 },
            notes: Region { offset: notes, len: 32 },
            eraseinfo: Region::default(),
            max_mapnr: 150,
        };
        assert_eq!(sub.encode(shape.abi, &mut out), Ok(shape.sub_len));
        assert_eq!(SubHeader::encoded_len(shape.abi), shape.sub_len);
        assert_eq!(out[..shape.sub_len], bytes[4096..4096 + shape.sub_len]);
        for len in 0..shape.sub_len {
            let needed = shape.sub_len as u64;
            assert_eq!(sub.encode(shape.abi, &mut out[..len]), Err(Error::BufferTooSmall { needed }));
        }
        for len in 0..shape.header_len {
            let needed = shape.header_len as u64;
            assert_eq!(header.encode(shape.abi, &mut out[..len]), Err(Error::BufferTooSmall { needed }));
        }
    }
}

#[test]
fn pfns_beyond_32_bits_are_written_whole_and_in_half() {
    let sub = SubHeader {
        split: true,
        start_pfn: Pfn(0x1_2345_6789),
        end_pfn: Pfn(0x2_0000_0001),
        max_mapnr: 0x2_0000_0001,
        ..SubHeader::default()
    };
    let mut out = [0; 104];
    sub.encode(LP64.abi, &mut out).unwrap();
    assert_eq!(out[16..32], [0x89, 0x67, 0x45, 0x23, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0]);
    assert_eq!(out[80..88], 0x1_2345_6789_u64.to_le_bytes());
    sub.encode(big(I386).abi, &mut out).unwrap();
    assert_eq!(out[12..20], [0x23, 0x45, 0x67, 0x89, 0, 0, 0, 1]);
    assert_eq!(out[72..80], 0x2_0000_0001_u64.to_be_bytes());
    assert_eq!(SubHeader::parse(&out, big(I386).abi, 6), Ok(sub));
}

#[test]
fn values_too_wide_for_32_bits_are_refused() {
    let mut out = [0; 464];
    let wide = SubHeader { phys_base: 1 << 32, ..SubHeader::default() };
    let refused = Error::Unsupported { field: Field::PhysBase, value: 1 << 32 };
    assert_eq!(wide.encode(ILP32.abi, &mut out), Err(refused));
    let notes = Region { offset: 4192, len: 1 << 32 };
    let refused = Error::Unsupported { field: Field::OffsetNote, value: 1 << 32 };
    assert_eq!(SubHeader { notes, ..SubHeader::default() }.encode(ILP32.abi, &mut out), Err(refused));
    let (_, mut header, ..) = open(&file(I386, 6, None)).unwrap();
    header.timestamp.sec = 1 << 31;
    let refused = Error::Unsupported { field: Field::Timestamp, value: 1 << 31 };
    assert_eq!(header.encode(I386.abi, &mut out), Err(refused));
    assert_eq!(header.encode(I386_TIME64.abi, &mut out), Ok(460));
}

#[test]
fn what_is_no_kdump_file_is_told_apart() {
    let unsupported = |field, value| Err(Error::Unsupported { field, value });
    let good = file(LP64, 6, None);
    let mut other = good.clone();
    other[..8].copy_from_slice(b"DISKDUMP");
    assert_eq!(open(&other), unsupported(Field::Signature, u64::from_be_bytes(*b"DISKDUMP")));
    assert!(!is_kdump(&&other[..]) && !is_kdump(&&other[..7]));
    for version in [0, 7, 0xff] {
        let mut other = good.clone();
        put(&mut other, 8, 4, Endian::Little, version);
        assert_eq!(open(&other), unsupported(Field::HeaderVersion, version));
        put(&mut other, 8, 4, Endian::Big, version);
        assert_eq!(open(&other), unsupported(Field::HeaderVersion, version));
    }
}

#[test]
fn headers_that_fit_no_abi_or_two_are_refused() {
    let mut none = file(LP64, 6, None);
    put(&mut none, 428, 4, Endian::Little, 4095);
    assert_eq!(open(&none), Err(Error::Corrupt { field: Field::DiskDumpHeader, offset: 0 }));
    // The 64-bit tv_usec, read as block_size and sub_hdr_size of the 32-bit ABIs, and max_mapnr in block_size.
    let mut two = file(LP64, 6, None);
    put(&mut two, 416, 4, Endian::Little, 4096);
    put(&mut two, 420, 4, Endian::Little, 1);
    assert_eq!(open(&two), Err(Error::Unsupported { field: Field::DiskDumpHeader, value: 0 }));
    let mut no_sub = file(LP64, 6, None);
    put(&mut no_sub, 4096 + 96, 8, Endian::Little, 151);
    assert_eq!(open(&no_sub), Err(Error::Corrupt { field: Field::KdumpSubHeader, offset: 4096 }));
    // No regions, and both ABIs' max_mapnr_64 right.
    let mut two_subs = file(I386, 6, None);
    two_subs[4096 + 20..4096 + 56].fill(0);
    put(&mut two_subs, 4096 + 88, 8, Endian::Little, 150);
    assert_eq!(open(&two_subs), Err(Error::Unsupported { field: Field::KdumpSubHeader, value: 0 }));
}

#[test]
fn bitmaps_that_cannot_be_are_refused() {
    let blocks = |blocks: u64, max_mapnr: u64| {
        let mut bytes = file(LP64, 6, None);
        put(&mut bytes, 436, 4, Endian::Little, blocks);
        put(&mut bytes, 440, 4, Endian::Little, max_mapnr.min(0xffff_ffff));
        put(&mut bytes, 4096 + 96, 8, Endian::Little, max_mapnr);
        open(&bytes).map(|(.., max_mapnr)| max_mapnr)
    };
    let corrupt = |field, offset| Err(Error::Corrupt { field, offset });
    assert_eq!(blocks(3, 150), corrupt(Field::BitmapBlocks, 436));
    assert_eq!(blocks(2, 8 * 4096), Ok(8 * 4096));
    assert_eq!(blocks(2, 8 * 4096 + 1), corrupt(Field::MaxMapnr, 440));
    assert_eq!(blocks(2, u64::MAX), corrupt(Field::MaxMapnr, 440));
    assert_eq!(blocks(0xffff_fffe, 1 << 33), Ok(1 << 33));
}

#[test]
fn machines_have_their_abi() {
    let abi = |layout, e_machine| Abi::of_machine(layout, e_machine).model;
    assert_eq!(abi(Layout::LE64, 62), DataModel::Lp64);
    assert_eq!(abi(Layout::BE64, 22), DataModel::Lp64);
    assert_eq!(abi(Layout::LE32, 3), DataModel::I386);
    assert_eq!(abi(Layout::LE32, 40), DataModel::Ilp32);
    assert_eq!(abi(Layout::BE32, 20), DataModel::Ilp32);
    assert_eq!(
        Abi::of_machine(Layout::BE32, 20).layout(),
        Layout { endian: Endian::Big, class: Class::Bits32 }
    );
}

#[test]
fn geometry_is_that_of_a_real_file() {
    // makedumpfile 1.7.2 on a guest with 1 GiB around a hole: -d 31 -l.
    let geometry = Geometry::new(LP64.abi, PageSize::KIB_4, 1_146_880, 4020).unwrap();
    assert_eq!((geometry.sub_hdr_size(), geometry.bitmap_blocks()), (2, 70));
    assert_eq!((geometry.sub_header(), geometry.notes(LP64.abi)), (4096, 4200));
    assert_eq!((geometry.bitmap_1(), geometry.bitmap_2()), (12288, 12288 + 35 * 4096));
    assert_eq!(geometry.page_descs(), 12288 + 70 * 4096);
    assert_eq!(geometry.data(36436), Ok(12288 + 70 * 4096 + 24 * 36436));
    let ends = Geometry::new(LP64.abi, PageSize::KIB_4, 1 << 52, 0);
    assert_eq!(ends, Err(Error::Unsupported { field: Field::MaxMapnr, value: 1 << 52 }));
    let large = Geometry::new(LP64.abi, PageSize::KIB_4, 1 << 45, u64::MAX);
    assert_eq!(large, Err(Error::Unsupported { field: Field::OffsetNote, value: u64::MAX }));
    let large = Geometry::new(LP64.abi, PageSize::KIB_4, 1 << 45, 0).unwrap();
    assert_eq!(large.bitmap_len(), 1 << 42);
    assert_eq!(large.page_desc(1 << 59), None);
}
