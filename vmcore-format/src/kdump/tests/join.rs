//! Joined sets: the result is read page by page, and the headers are compared with hand-laid ones.

use std::vec::Vec;

use super::*;
use crate::flattened::Writer;
use crate::kdump::{Join, KdumpFile, Part, Region};
use crate::{Error, Field, Pfn, WriteAt};

/// A file that grows, with holes of zeros.
#[derive(Debug, Default)]
pub(super) struct Grown(pub(super) Vec<u8>);

impl WriteAt for Grown {
    fn write_at(&mut self, offset: u64, bytes: &[u8]) -> Result<(), i32> {
        let (start, end) = (offset as usize, offset as usize + bytes.len());
        self.0.resize(self.0.len().max(end), 0);
        self.0[start..end].copy_from_slice(bytes);
        Ok(())
    }
}

/// An output in which no place may be written twice.
struct Once<W: WriteAt>(W, Vec<(u64, u64)>);

impl<W: WriteAt> WriteAt for Once<W> {
    fn write_at(&mut self, offset: u64, bytes: &[u8]) -> Result<(), i32> {
        let end = offset + bytes.len() as u64;
        assert!(self.1.iter().all(|&(start, other)| end <= start || other <= offset));
        self.1.push((offset, end));
        self.0.write_at(offset, bytes)
    }
}

fn join(files: &[Vec<u8>], out: &mut dyn WriteAt, buf_len: usize) -> Result<bool, Error> {
    let inputs: Vec<&[u8]> = files.iter().map(|file| &file[..]).collect();
    let mut parts: Vec<Part<'_>> = inputs.iter().map(|input| Part::new(input)).collect();
    let mut index = [0; 3];
    let mut join = Join::new(KdumpFile::open_with_gaps(&mut parts, &mut index)?);
    let mut buf = std::vec![0; buf_len];
    let mut steps = 0;
    while !join.step(out, &mut buf)? {
        steps += 1;
        assert!(steps < 10_000);
    }
    let (done, total) = join.progress();
    assert_eq!(done, total);
    Ok(join.incomplete())
}

fn check(joined: &[u8], lost: &[u64]) {
    let (mut parts, mut index) = ([Part::new(&joined)], [0; 3]);
    let mut dump = KdumpFile::open(&mut parts, &mut index).unwrap();
    assert!(!dump.sub_header().split);
    assert_eq!(dump.incomplete(), !lost.is_empty());
    assert_eq!(dump.next_known(Pfn(0)), Ok(Some(Pfn(0)..Pfn(3))));
    for pfn in 0..MAX_MAPNR {
        let found = dump.page_desc(Pfn(pfn));
        if lost.contains(&pfn) {
            assert!(matches!(found, Err(Error::Corrupt { field: Field::PageLost, .. })), "{pfn} {found:?}");
            continue;
        }
        assert_eq!(found.unwrap().is_some(), HELD.contains(&pfn));
        let Some((part, desc)) = found.unwrap() else { continue };
        let mut page = std::vec![0; desc.size as usize];
        dump.read_raw(part, desc.offset, &mut page).unwrap();
        assert_eq!((page, desc.flags), data(pfn));
    }
}

#[test]
fn a_joined_set_is_the_file_that_was_never_split() {
    for shape in shapes() {
        let files = [(128, 150), (0, 60), (60, 128), (70, 70)].map(|range| file(shape, 6, Some(range)));
        for buf_len in [464, 1000, 1 << 20] {
            let mut out = Grown::default();
            assert_eq!(join(&files, &mut out, buf_len), Ok(false));
            let whole = file(shape, 6, None);
            let differs = whole.iter().zip(&out.0).position(|(a, b)| a != b);
            assert_eq!((differs, out.0.len()), (None, whole.len()));
        }
    }
    let whole = [file(LP64, 6, None)];
    let mut out = Grown::default();
    join(&whole, &mut out, 500).unwrap();
    assert_eq!(out.0, whole[0]);
}

#[test]
fn a_joined_set_can_be_flattened() {
    let files = [(60, 150), (0, 60)].map(|range| file(LP64, 6, Some(range)));
    let mut out = Grown::default();
    let mut once = Once(Writer::new(&mut out).unwrap(), Vec::new());
    join(&files, &mut once, 500).unwrap();
    once.0.finish().unwrap();
    let stream = &out.0[..];
    let mut table = [crate::flattened::Extent::EMPTY; 1000];
    let plain = crate::flattened::Flattened::open(stream, &mut table).unwrap();
    assert!(plain.complete());
    let mut bytes = std::vec![0; crate::ReadAt::size(&plain).unwrap() as usize];
    crate::ReadAt::read_at(&plain, 0, &mut bytes).unwrap();
    assert_eq!(bytes, file(LP64, 6, None));
}

#[test]
fn pages_of_missing_parts_and_damaged_ones_are_lost() {
    let mut files = [(60, 65), (127, 128)].map(|range| file(LP64, 6, Some(range)));
    files[0][DESCS + 24 + 12] = 0x40;
    let mut out = Grown::default();
    assert_eq!(join(&files, &mut out, 464), Ok(true));
    check(&out.0, &[1, 2, 63, 65, 128, 149]);
    // A file that was cut off.
    let whole = file(LP64, 6, None);
    let cut = whole[..whole.len() - 1].to_vec();
    let mut out = Grown::default();
    assert_eq!(join(&[cut], &mut out, 464), Ok(true));
    check(&out.0, &[149]);
}

#[test]
fn an_old_version_becomes_version_6() {
    for version in 1..6 {
        let mut old = file(LP64, version, None);
        if version == 5 {
            // Erase information at the end of the file, text of 4 bytes.
            let end = old.len() as u64;
            old.extend(b"gone");
            put(&mut old, 4096 + 64, 8, Endian::Little, end);
            put(&mut old, 4096 + 72, 8, Endian::Little, 4);
        }
        let mut out = Grown::default();
        assert_eq!(join(&[old], &mut out, 464), Ok(false));
        check(&out.0, &[]);
        let joined = &out.0[..];
        let (mut parts, mut index) = ([Part::new(&joined)], [0; 3]);
        let dump = KdumpFile::open(&mut parts, &mut index).unwrap();
        assert_eq!(dump.header().header_version, 6);
        let text = if version >= 4 { 4096 + 104 + 17 } else { 4096 + 104 };
        let text = (version >= 3).then_some((0, Region { offset: text, len: 15 }));
        assert_eq!(dump.vmcoreinfo(), text);
        let mut read = [0; 15];
        if let Some((part, region)) = text {
            dump.read_raw(part, region.offset, &mut read).unwrap();
            assert_eq!(read, b"VMCOREINFO text"[..]);
        }
        assert_eq!(dump.notes().is_some(), version >= 4);
        if let Some((part, region)) = dump.eraseinfo() {
            let mut read = [0; 4];
            dump.read_raw(part, region.offset, &mut read).unwrap();
            assert_eq!((version, &read), (5, b"gone"));
        }
    }
}

#[test]
fn a_small_buffer_and_a_full_output_are_told() {
    struct Full(u64);
    impl WriteAt for Full {
        fn write_at(&mut self, _offset: u64, bytes: &[u8]) -> Result<(), i32> {
            self.0 = self.0.checked_sub(bytes.len() as u64).ok_or(28)?;
            Ok(())
        }
    }
    let whole = [file(LP64, 6, None)];
    assert_eq!(join(&whole, &mut Grown::default(), 463), Err(Error::BufferTooSmall { needed: 464 }));
    for space in [0, 100, 4000, 10_000] {
        assert_eq!(join(&whole, &mut Full(space), 464), Err(Error::Io { code: 28 }));
    }
}
