//! Split sets.

use std::vec::Vec;

use super::*;
use crate::kdump::{KdumpFile, Part};
use crate::{Error, Field, Pfn};

pub(super) fn parts(ranges: &[(u64, u64)]) -> Vec<Vec<u8>> {
    ranges.iter().map(|&range| file(LP64, 6, Some(range))).collect()
}

/// Opens the files as a set and reads every page.
fn read_all(files: &[Vec<u8>], gaps: bool) -> Result<Vec<(u64, usize)>, Error> {
    let inputs: Vec<&[u8]> = files.iter().map(|file| &file[..]).collect();
    let mut parts: Vec<Part<'_>> = inputs.iter().map(|input| Part::new(input)).collect();
    let mut index = [0; 3];
    let open = if gaps { KdumpFile::open_with_gaps } else { KdumpFile::open };
    let mut dump = open(&mut parts, &mut index)?;
    let mut pages = Vec::new();
    // Downwards, so that no part profits from the one before.
    for pfn in (0..MAX_MAPNR).rev() {
        match dump.page_desc(Pfn(pfn)) {
            Ok(Some((part, desc))) => {
                let mut page = std::vec![0; desc.size as usize];
                dump.read_raw(part, desc.offset, &mut page).unwrap();
                assert_eq!((page, desc.flags), data(pfn));
                pages.push((pfn, part));
            }
            Ok(None) => assert!(!HELD.contains(&pfn)),
            Err(error) => {
                assert_eq!(error, Error::Unsupported { field: Field::MissingPart, value: pfn });
                assert!(gaps);
            }
        }
    }
    pages.reverse();
    Ok(pages)
}

#[test]
fn parts_come_in_any_order() {
    let expected = [(1, 0), (2, 0), (60, 0), (63, 0), (64, 1), (65, 1), (127, 1), (128, 2), (149, 2)];
    let mut files = parts(&[(0, 64), (64, 128), (128, 150)]);
    for (a, b) in [(0, 0), (0, 1), (1, 2), (0, 2)] {
        files.swap(a, b);
        assert_eq!(read_all(&files, false).unwrap(), expected);
    }
    assert_eq!(read_all(&parts(&[(0, 150)]), false).unwrap().len(), 9);
}

#[test]
fn empty_parts_are_part_of_the_set_wherever_they_are() {
    for empty in [0, 30, 64, 100, 150] {
        let files = parts(&[(64, 150), (empty, empty), (0, 64), (empty, empty)]);
        let pages = read_all(&files, false).unwrap();
        assert_eq!(pages.len(), 9);
        assert!(pages.iter().all(|&(pfn, part)| part == usize::from(pfn >= 64)));
    }
}

#[test]
fn gaps_and_overlaps_are_refused() {
    let missing = |value| Err(Error::Unsupported { field: Field::MissingPart, value });
    assert_eq!(read_all(&parts(&[(64, 150)]), false), missing(0));
    assert_eq!(read_all(&parts(&[(0, 64), (65, 150)]), false), missing(64));
    assert_eq!(read_all(&parts(&[(0, 64), (64, 149)]), false), missing(149));
    let overlap = Err(Error::Corrupt { field: Field::StartPfn, offset: 4096 });
    assert_eq!(read_all(&parts(&[(0, 65), (64, 150)]), false), overlap);
    assert_eq!(read_all(&parts(&[(0, 150), (0, 150)]), true), overlap);
    let end = Err(Error::Corrupt { field: Field::EndPfn, offset: 4096 });
    assert_eq!(read_all(&parts(&[(0, 151)]), true), end);
    assert_eq!(read_all(&parts(&[(64, 63), (0, 64)]), true), end);
    assert_eq!(read_all(&[], false), Err(Error::BufferTooSmall { needed: 1 }));
}

#[test]
fn what_is_left_of_a_set_can_be_read() {
    let pages = read_all(&parts(&[(64, 127), (149, 150)]), true).unwrap();
    assert_eq!(pages, [(64, 0), (65, 0), (149, 1)]);
}

#[test]
fn parts_of_different_dumps_are_refused() {
    let refused = |field, offset, change: fn(&mut Vec<u8>)| {
        let mut files = parts(&[(0, 64), (64, 150)]);
        change(&mut files[1]);
        assert_eq!(read_all(&files, false), Err(Error::Corrupt { field, offset }));
    };
    refused(Field::Utsname, 12, |file| file[20] = b'x');
    refused(Field::Timestamp, 402, |file| file[408] = 1);
    refused(Field::HeaderVersion, 8, |file| file[8] = 5);
    refused(Field::MaxMapnr, 4096, |file| {
        file[440] = 151;
        file[4096 + 96] = 151;
    });
    refused(Field::BitmapBlocks, 436, |file| file[436] = 4);
    refused(Field::BitmapBlocks, 436, |file| file[432] = 2);
    refused(Field::Split, 4096, |file| file[4096 + 12] = 0);
    refused(Field::DiskDumpHeader, 0, |file| *file = super::file(big(LP64), 6, Some((64, 150))));
}

#[test]
fn one_part_that_is_incomplete_makes_the_set_so() {
    let mut files = parts(&[(0, 64), (64, 150)]);
    files[1][424] |= 8;
    let inputs: Vec<&[u8]> = files.iter().map(|file| &file[..]).collect();
    let mut parts: Vec<Part<'_>> = inputs.iter().map(|input| Part::new(input)).collect();
    assert!(KdumpFile::open(&mut parts, &mut [0; 1]).unwrap().incomplete());
}
