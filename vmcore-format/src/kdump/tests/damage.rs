//! Files that are cut off, damaged or made to mislead.

use super::join::Grown;
use super::pages::Sizeless;
use super::*;
use crate::kdump::{Join, KdumpFile, Part};
use crate::{END_OF_FILE, Error, Field, Pfn, ReadAt};

/// Where the data of each page of [`file`] end.
fn data_ends() -> [usize; 9] {
    let mut end = DESCS + 24 * HELD.len();
    HELD.map(|pfn| {
        end += data(pfn).0.len();
        end
    })
}

/// Reads every page of a file cut at `cut` and checks that exactly those are there whose bytes are.
fn check_cut(input: &dyn ReadAt, cut: usize, sizeless: bool) {
    let cut_off = |field, offset| match sizeless {
        true => Error::Io { code: END_OF_FILE },
        false => Error::Corrupt { field, offset },
    };
    let (mut parts, mut index) = ([Part::new(input)], [0; 2]);
    let mut dump = match KdumpFile::open(&mut parts, &mut index) {
        Ok(dump) => dump,
        Err(error) => {
            assert!(cut < 4096 + 104, "{cut}: {error}");
            let header = cut_off(Field::DiskDumpHeader, 0);
            assert_eq!(error, if cut < 464 { header } else { cut_off(Field::KdumpSubHeader, 4096) });
            return;
        }
    };
    assert!(cut >= 4096 + 104, "{cut}");
    for (rank, (pfn, data_end)) in HELD.into_iter().zip(data_ends()).enumerate() {
        let found = dump.page_desc(Pfn(pfn));
        let word_end = BITMAP_2 + (pfn as usize / 64 + 1) * 8;
        let desc = DESCS + 24 * rank;
        if cut < word_end {
            let first = (0..=pfn as usize / 64).map(|word| BITMAP_2 + word * 8).find(|word| cut < word + 8);
            let at = cut_off(Field::Bitmap, first.unwrap() as u64);
            let own = cut_off(Field::Bitmap, (word_end - 8) as u64);
            assert!(found == Err(at) || found == Err(own), "{cut} {pfn} {found:?}");
        } else if cut < desc + 24 {
            assert_eq!(found, Err(cut_off(Field::PageDesc, desc as u64)), "{cut} {pfn}");
        } else if cut < data_end {
            let (part, desc) = match found {
                Err(error) => {
                    let offset = desc as u64;
                    return assert_eq!(error, Error::Corrupt { field: Field::PageDescOffset, offset });
                }
                Ok(found) => found.unwrap(),
            };
            assert!(sizeless, "{cut} {pfn}");
            let mut page = std::vec![0; desc.size as usize];
            assert!(dump.read_raw(part, desc.offset, &mut page).is_err());
        } else {
            let (part, desc) = found.unwrap().unwrap();
            let mut page = std::vec![0; desc.size as usize];
            dump.read_raw(part, desc.offset, &mut page).unwrap();
            assert_eq!((page, desc.flags), data(pfn));
        }
    }
}

#[test]
fn a_file_cut_at_any_length_gives_the_pages_that_are_there() {
    let bytes = file(LP64, 6, None);
    assert_eq!(bytes.len(), data_ends()[8]);
    for cut in 0..=bytes.len() {
        check_cut(&&bytes[..cut], cut, false);
        check_cut(&Sizeless(&bytes[..cut]), cut, true);
    }
}

/// Opens a file with the first page's descriptor changed, and asks for that page.
fn first_page(offset: u64, size: u64, flags: u64) -> Result<Option<(usize, crate::kdump::PageDesc)>, Error> {
    let mut bytes = file(LP64, 6, None);
    put(&mut bytes, DESCS, 8, Endian::Little, offset);
    put(&mut bytes, DESCS + 8, 4, Endian::Little, size);
    put(&mut bytes, DESCS + 12, 4, Endian::Little, flags);
    let bytes = &bytes[..];
    let (mut parts, mut index) = ([Part::new(&bytes)], [0; 2]);
    let mut dump = KdumpFile::open(&mut parts, &mut index).unwrap();
    assert!(dump.page_desc(Pfn(2)).unwrap().is_some(), "the next page is not concerned");
    dump.page_desc(Pfn(1))
}

#[test]
fn a_descriptor_that_cannot_be_costs_its_page_only() {
    let data = (DESCS + 24 * 9) as u64;
    let end = data_ends()[8] as u64;
    let corrupt = |field, into: u64| Err(Error::Corrupt { field, offset: DESCS as u64 + into });
    assert!(first_page(data, 11, 2).unwrap().is_some());
    assert!(first_page(end - 4096, 4096, 0).unwrap().is_some());
    assert!(first_page(end - 4096, 4096, 1).unwrap().is_some(), "a page may not shrink");
    assert_eq!(first_page(0, 0, 0), corrupt(Field::PageLost, 0));
    assert_eq!(first_page(0, 11, 2), corrupt(Field::PageLost, 0));
    assert_eq!(first_page(data, 0, 2), corrupt(Field::PageLost, 0));
    assert_eq!(first_page(data, 4097, 2), corrupt(Field::PageDescSize, 8));
    assert_eq!(first_page(data, 0xffff_ffff, 2), corrupt(Field::PageDescSize, 8));
    assert_eq!(first_page(data, 11, 0), corrupt(Field::PageDescSize, 8));
    assert_eq!(first_page(end - 4095, 4096, 0), corrupt(Field::PageDescOffset, 0));
    assert_eq!(first_page(4096, 4096, 0), corrupt(Field::PageDescOffset, 0));
    for offset in [u64::MAX, u64::MAX - 4096, 1 << 63, i64::MAX as u64] {
        assert_eq!(first_page(offset, 4096, 0), corrupt(Field::PageDescOffset, 0));
    }
    for flags in [3, 5, 6, 7, 8, 0x10, 0x21, 0x40, 0x8000_0001] {
        let unknown = Error::Unsupported { field: Field::PageDescFlags, value: flags };
        assert_eq!(first_page(data, 11, flags), Err(unknown));
    }
}

#[test]
fn counts_that_mislead_end_in_errors() {
    // Each count alone at its highest: sub_hdr_size, bitmap_blocks.
    for (at, value) in [(432, 0xffff_ffff), (436, 0xffff_fffe), (432, 0x8000_0000)] {
        let mut bytes = file(LP64, 6, None);
        put(&mut bytes, at, 4, Endian::Little, value);
        let bytes = &bytes[..];
        let (mut parts, mut index) = ([Part::new(&bytes)], [0; 2]);
        let mut dump = KdumpFile::open(&mut parts, &mut index).unwrap();
        assert_eq!(dump.page_desc(Pfn(1)).unwrap_err().code(), 2);
        assert_eq!(dump.held_below(Pfn(150)).unwrap_err().code(), 2);
        assert_eq!(dump.next_held(Pfn(0)).unwrap_err().code(), 2);
    }
}

#[test]
fn no_byte_of_the_headers_makes_a_reader_fail() {
    for shape in shapes() {
        let good = file(shape, 6, Some((0, MAX_MAPNR)));
        for at in (8..12).chain(400..470).chain(4096..4210) {
            for value in [0, 1, 0x7f, 0x80, 0xff] {
                let mut bytes = good.clone();
                bytes[at] = value;
                let bytes = &bytes[..];
                let (mut parts, mut index) = ([Part::new(&bytes)], [0; 2]);
                let Ok(mut dump) = KdumpFile::open_with_gaps(&mut parts, &mut index) else { continue };
                for pfn in [0, 1, 64, 149, 150, u64::MAX] {
                    let _: Result<_, Error> = dump.page_desc(Pfn(pfn));
                }
                let _: Result<_, Error> = dump.next_known(Pfn(0));
            }
        }
    }
}

#[test]
fn random_damage_ends_in_errors() {
    let mut random = super::pages::Random(0x1234_5678_9abc_def1);
    for round in 0..3000 {
        let shape = shapes()[round % 10];
        let mut files = [(0, 64), (64, 128), (128, MAX_MAPNR)].map(|range| file(shape, 6, Some(range)));
        for _ in 0..1 + random.below(4) {
            let damaged = &mut files[random.below(3) as usize];
            let places = [464, 4220, BITMAP_1 + 24, DESCS + 24 * 9, damaged.len()];
            let end = places[random.below(5) as usize].min(damaged.len());
            let at = end - 1 - random.below(120) as usize;
            damaged[at] = [0, 0xff, 1 << random.below(8), random.below(256) as u8][random.below(4) as usize];
            if random.below(8) == 0 {
                damaged.truncate(at);
            }
        }
        let inputs = [&files[0][..], &files[1], &files[2]];
        let (mut parts, mut index) = ([0, 1, 2].map(|n| Part::new(&inputs[n])), [0; 2]);
        let Ok(mut dump) = KdumpFile::open_with_gaps(&mut parts, &mut index) else { continue };
        // More PFNs than there are would take longer than the test has.
        if dump.max_mapnr() > 1 << 20 {
            continue;
        }
        let (mut at, mut runs) = (Pfn(0), 0);
        while let Ok(Some(run)) = dump.next_held(at) {
            assert!(at <= run.start && run.start < run.end && run.end.0 <= dump.max_mapnr());
            (at, runs) = (run.end, runs + 1);
            if let Ok(Some((part, desc))) = dump.page_desc(run.start) {
                let mut page = std::vec![0; desc.size as usize];
                dump.read_raw(part, desc.offset, &mut page).unwrap();
            }
        }
        assert!(runs <= 1 << 20);
        let mut join = Join::new(dump);
        let (mut out, mut buf) = (Grown::default(), [0; 4096]);
        let steps = (0..100_000).find(|_| !matches!(join.step(&mut out, &mut buf), Ok(false)));
        assert!(steps.is_some());
    }
}
