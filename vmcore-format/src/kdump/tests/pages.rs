//! Runs, ranks and descriptors.

use std::vec::Vec;

use super::*;
use crate::kdump::{KdumpFile, Part};
use crate::{END_OF_FILE, Error, Pfn, ReadAt};

/// A file whose size is not known.
pub(super) struct Sizeless<'b>(pub(super) &'b [u8]);

impl ReadAt for Sizeless<'_> {
    fn read_at(&self, offset: u64, buf: &mut [u8]) -> Result<(), i32> {
        self.0.read_at(offset, buf)
    }
}

fn runs(mut next: impl FnMut(Pfn) -> Result<Option<core::ops::Range<Pfn>>, Error>) -> Vec<(u64, u64)> {
    let mut all = Vec::new();
    let mut at = Pfn(0);
    while let Some(run) = next(at).unwrap() {
        all.push((run.start.0, run.end.0));
        at = run.end;
    }
    all
}

#[test]
fn every_page_is_found_in_every_abi() {
    for shape in shapes() {
        let bytes = file(shape, 6, None);
        for input in [&&bytes[..] as &dyn ReadAt, &Sizeless(&bytes)] {
            let (mut parts, mut index) = ([Part::new(input)], [0; 2]);
            let mut dump = KdumpFile::open(&mut parts, &mut index).unwrap();
            assert_eq!(runs(|from| dump.next_known(from)), KNOWN);
            let held = [(1, 3), (60, 61), (63, 66), (127, 129), (149, 150)];
            assert_eq!(runs(|from| dump.next_held(from)), held);
            for pfn in (0..160).chain([u64::MAX]) {
                let found = dump.page_desc(Pfn(pfn)).unwrap();
                assert_eq!(found.is_some(), HELD.contains(&pfn), "{pfn}");
                let Some((part, desc)) = found else { continue };
                let mut page = std::vec![0; desc.size as usize];
                dump.read_raw(part, desc.offset, &mut page).unwrap();
                assert_eq!((page, desc.flags), data(pfn));
            }
            let (part, notes) = dump.notes().unwrap();
            let mut read = [0; 32];
            dump.read_raw(part, notes.offset, &mut read).unwrap();
            assert_eq!(read, NOTES);
            let (part, text) = dump.vmcoreinfo().unwrap();
            let mut read = [0; 15];
            dump.read_raw(part, text.offset, &mut read).unwrap();
            assert_eq!(read, b"VMCOREINFO text"[..]);
            assert_eq!(dump.eraseinfo(), None);
        }
    }
}

#[test]
fn a_run_starts_in_the_middle_when_asked_to() {
    let bytes = file(LP64, 6, None);
    let bytes = &bytes[..];
    let (mut parts, mut index) = ([Part::new(&bytes)], [0; 2]);
    let mut dump = KdumpFile::open(&mut parts, &mut index).unwrap();
    assert_eq!(dump.next_known(Pfn(62)), Ok(Some(Pfn(62)..Pfn(70))));
    assert_eq!(dump.next_known(Pfn(149)), Ok(Some(Pfn(149)..Pfn(150))));
    assert_eq!(dump.next_known(Pfn(150)), Ok(None));
    assert_eq!(dump.next_held(Pfn(u64::MAX)), Ok(None));
}

#[test]
fn bits_past_max_mapnr_do_not_count() {
    let mut bytes = file(LP64, 6, None);
    (150..600).for_each(|pfn| {
        set_bit(&mut bytes, BITMAP_1, pfn);
        set_bit(&mut bytes, BITMAP_2, pfn);
    });
    let bytes = &bytes[..];
    let (mut parts, mut index) = ([Part::new(&bytes)], [0; 2]);
    let mut dump = KdumpFile::open(&mut parts, &mut index).unwrap();
    assert_eq!(dump.next_known(Pfn(128)), Ok(Some(Pfn(128)..Pfn(150))));
    assert_eq!(dump.next_held(Pfn(149)), Ok(Some(Pfn(149)..Pfn(150))));
    assert_eq!(dump.page_desc(Pfn(150)), Ok(None));
    assert_eq!(dump.held_below(Pfn(u64::MAX)), Ok(9));
}

/// xorshift64: the same numbers in every run.
pub(super) struct Random(pub(super) u64);

impl Random {
    pub(super) fn below(&mut self, end: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % end
    }
}

/// Bitmaps of 40 blocks: 655,360 PFNs, with runs of all lengths, and `ranks[pfn]` set bits before each.
fn large(random: &mut Random) -> (Vec<u8>, Vec<u64>) {
    let bits = 20 * 4096 * 8 - 13;
    let mut bytes = file(LP64, 6, None)[..8192].to_vec();
    put(&mut bytes, 436, 4, Endian::Little, 40);
    put(&mut bytes, 440, 4, Endian::Little, bits);
    put(&mut bytes, 4096 + 96, 8, Endian::Little, bits);
    let bitmap_2 = 8192 + 20 * 4096;
    bytes.resize(8192 + 40 * 4096, 0);
    let mut ranks = Vec::new();
    let (mut pfn, mut rank) = (0, 0);
    while pfn < bits {
        let longest = [2, 70, 5000, 200_000][random.below(4) as usize];
        let set = random.below(2) == 1;
        let end = bits.min(pfn + 1 + random.below(longest));
        for pfn in pfn..end {
            ranks.push(rank);
            if set {
                set_bit(&mut bytes, bitmap_2, pfn);
                rank += 1;
            }
        }
        pfn = end;
    }
    ranks.push(rank);
    (bytes, ranks)
}

#[test]
fn ranks_and_runs_are_those_of_a_plain_count() {
    let mut random = Random(0x9e37_79b9_7f4a_7c15);
    for _ in 0..4 {
        let (bytes, ranks) = large(&mut random);
        let bits = ranks.len() as u64 - 1;
        for index_len in [0, 1, 2, 7, 100, 5000] {
            let bytes = &bytes[..];
            let (mut parts, mut index) = ([Part::new(&bytes)], std::vec![0; index_len]);
            let mut dump = KdumpFile::open(&mut parts, &mut index).unwrap();
            for _ in 0..100 {
                let pfn = random.below(bits + 1);
                assert_eq!(dump.held_below(Pfn(pfn)), Ok(ranks[pfn as usize]), "{index_len} {pfn}");
            }
            let found = runs(|from| dump.next_held(from));
            let held = found.iter().flat_map(|&(start, end)| start..end);
            let expected = (0..bits).filter(|&pfn| ranks[pfn as usize] != ranks[pfn as usize + 1]);
            assert!(held.eq(expected));
            assert!(found.is_sorted_by(|a, b| a.1 < b.0), "no runs touch");
            assert_eq!(dump.held_below(Pfn(u64::MAX)), Ok(ranks[bits as usize]));
        }
    }
}

/// Counts the reads.
struct Counted<'b>(&'b [u8], core::cell::Cell<u64>);

impl ReadAt for Counted<'_> {
    fn read_at(&self, offset: u64, buf: &mut [u8]) -> Result<(), i32> {
        self.1.set(self.1.get() + 1);
        self.0.read_at(offset, buf)
    }

    fn size(&self) -> Option<u64> {
        self.0.size()
    }
}

#[test]
fn a_walk_over_all_pages_reads_each_table_once() {
    let mut random = Random(77);
    let (mut bytes, ranks) = large(&mut random);
    let held = *ranks.last().unwrap() as usize;
    let mut desc = [0; 24];
    put(&mut desc, 0, 8, Endian::Little, 8192 + 40 * 4096);
    put(&mut desc, 8, 4, Endian::Little, 4096);
    bytes.extend(desc.repeat(held.max(200)));
    let input = Counted(&bytes, core::cell::Cell::new(0));
    let (mut parts, mut index) = ([Part::new(&input)], [0; 1]);
    let mut dump = KdumpFile::open(&mut parts, &mut index).unwrap();
    assert_eq!(input.1.get(), 2, "nothing but the headers is read at first");
    let mut seen = 0;
    for pfn in 0..655_360 {
        seen += usize::from(dump.page_desc(Pfn(pfn)).unwrap().is_some());
    }
    assert_eq!(seen, held);
    // 2 KiB of a bitmap and 32 descriptors at a time; a gap that spans blocks of the bitmap is read again to be counted.
    assert!(input.1.get() <= 2 + 3 * 40 + held as u64 / 32 + 1, "{} reads", input.1.get());
}

#[test]
fn threads_read_the_same_file_with_a_reader_each() {
    let bytes = file(LP64, 6, None);
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                let input = &bytes[..];
                let (mut parts, mut index) = ([Part::new(&input)], [0; 2]);
                let mut dump = KdumpFile::open(&mut parts, &mut index).unwrap();
                assert!(dump.page_desc(Pfn(149)).unwrap().is_some());
            });
        }
    });
}

#[test]
fn a_failed_read_is_passed_on_and_can_be_tried_again() {
    struct Failing<'b>(&'b [u8], core::cell::Cell<bool>);
    impl ReadAt for Failing<'_> {
        fn read_at(&self, offset: u64, buf: &mut [u8]) -> Result<(), i32> {
            if self.1.get() { Err(5) } else { self.0.read_at(offset, buf) }
        }
    }
    let bytes = file(LP64, 6, None);
    let input = Failing(&bytes, core::cell::Cell::new(false));
    let (mut parts, mut index) = ([Part::new(&input)], [0; 2]);
    let mut dump = KdumpFile::open(&mut parts, &mut index).unwrap();
    input.1.set(true);
    assert_eq!(dump.page_desc(Pfn(1)), Err(Error::Io { code: 5 }));
    assert_eq!(dump.next_known(Pfn(0)), Err(Error::Io { code: 5 }));
    input.1.set(false);
    assert!(dump.page_desc(Pfn(1)).unwrap().is_some());
    assert_eq!(dump.read_raw(0, u64::MAX, &mut [0; 2]).unwrap_err().code(), 2);
    assert_eq!(dump.read_raw(0, 1 << 40, &mut [0; 2]), Err(Error::Io { code: END_OF_FILE }));
}
