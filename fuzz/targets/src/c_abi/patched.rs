//! An elfcorehdr with spare program headers, patched from version to version of a map.

use core::ptr::null_mut;

use capi::callback::kcap_map_version;
use capi::elfcorehdr::*;
use capi::elfcorehdr_patch::kcap_elfcorehdr_patch;
use capi::map::kcap_memory_map;
use capi::status::*;
use capi::versioned_map::kcap_versioned_map_copy;
use vmcore_format::elf::{ElfCore, ProgramHeader};

use super::held::differences;
use super::versions::Versions;
use super::{Program, about};

/// `Elf64_Phdr`, in bytes.
const PHDR: usize = 56;

/// The first addresses and those past the end of a header's `PT_LOAD`s but for the first `fixed`, neighbours as one.
fn loads(header: &[u8], fixed: usize) -> Vec<(u64, u64)> {
    let mut table = vec![ProgramHeader::default(); header.len() / 32];
    let core = ElfCore::open(&header, &mut table).expect("the library wrote it");
    assert!(core.loads().iter().all(|load| load.p_filesz == load.p_memsz));
    let spans = core.loads()[fixed..].iter().map(|load| load.memory());
    let mut spans: Vec<(u64, u64)> = spans.map(|span| (span.start, span.end)).collect();
    spans.sort_unstable();
    assert!(spans.windows(2).all(|two| two[0].1 <= two[1].0), "memory is there twice");
    spans.dedup_by(|next, last| {
        let one = last.1 == next.0;
        if one {
            last.1 = next.1;
        }
        one
    });
    spans
}

impl Program<'_> {
    pub(super) fn patched(&mut self) {
        if let Some(versions) = self.objects.versions.take() {
            self.patch(&versions);
            self.objects.versions = Some(versions);
        }
    }

    /// What a version that is held says, as a map.
    fn memory_of(&mut self, versions: &Versions, version: *const kcap_map_version) -> *mut kcap_memory_map {
        let ranges = versions.holds.find(version).map_or(0, |hold| hold.ranges.len());
        let copy = self.empty_map(ranges);
        // SAFETY: all pointers are to what they say.
        let status = unsafe { kcap_versioned_map_copy(versions.map, version, copy, null_mut()) };
        assert_eq!(status, KCAP_OK);
        copy
    }

    /// The header of other memory.
    fn anew(&mut self, header: *mut kcap_elfcorehdr, memory: *const kcap_memory_map) -> Vec<u8> {
        let (lengths, len) = (self.blocks.out::<kcap_elfcorehdr_lengths>(), self.blocks.out::<usize>());
        // SAFETY: all pointers are to what they say; a header that was encoded is long enough for its `memory`.
        unsafe {
            (&raw mut (*header).memory).write(memory);
            (*lengths).size = size_of::<kcap_elfcorehdr_lengths>();
            assert_eq!(kcap_elfcorehdr_measure(header, lengths, null_mut()), KCAP_OK);
            let mut buf = vec![0; (*lengths).encoded_len as usize];
            assert_eq!(kcap_elfcorehdr_encode(header, buf.as_mut_ptr(), buf.len(), len, null_mut()), KCAP_OK);
            assert_eq!(*len, buf.len());
            buf
        }
    }

    fn patch(&mut self, versions: &Versions) {
        let (error, mut shown) = (self.error, self.version(&versions.holds));
        if versions.holds.find(shown).is_none() {
            return;
        }
        let memory = self.memory_of(versions, shown);
        let header = self.elfcorehdr_of(memory);
        let lengths = self.blocks.out::<kcap_elfcorehdr_lengths>();
        let spare = PHDR * usize::from(self.input.u8() & 15);
        // SAFETY: all pointers are to what they say.
        let (measured, least) = unsafe {
            (*lengths).size = size_of::<kcap_elfcorehdr_lengths>();
            (kcap_elfcorehdr_measure(header, lengths, error), (*lengths).encoded_len as usize)
        };
        let buf_len = about(&mut self.input, least + spare);
        let (buf, len) = (self.blocks.bytes(buf_len), self.blocks.out::<usize>());
        // SAFETY: as above.
        unsafe {
            if kcap_elfcorehdr_encode_with_spare(header, buf, buf_len, len, error) != KCAP_OK {
                return;
            }
            assert!(measured == KCAP_OK && (least..=buf_len).contains(&*len) && buf_len - *len < PHDR);
        }
        // SAFETY: the block is as long, and only the library writes it from now on, and this function in between.
        let bytes = |at: *const u8| unsafe { core::slice::from_raw_parts(at, buf_len) };
        let empty = self.empty_map(0);
        let none = self.anew(header, empty);
        let mut table = vec![ProgramHeader::default(); none.len() / 32];
        let fixed = ElfCore::open(&none.as_slice(), &mut table).expect("the library wrote it").loads().len();
        // Once it is none of the library's any more, only the status is looked at.
        let mut sound = self.input.u8() & 31 != 31;
        if !sound && buf_len > 0 {
            let (at, value) = (self.input.below(buf_len), self.input.u8());
            // SAFETY: the block is longer.
            unsafe { buf.add(at).write(value) };
        }
        for _ in 0..=self.input.u8() & 3 {
            let before = if self.input.u8() < 224 { shown } else { self.version(&versions.holds) };
            let after = self.version(&versions.holds);
            let whole = self.input.u8() < 232;
            let words = if whole { buf_len / 8 } else { self.input.below(buf_len / 8 + 1) };
            let held = (versions.holds.find(before), versions.holds.find(after));
            let changes = match held {
                (Some(before), Some(after)) => differences(&before.ranges, &after.ranges, 0).len(),
                _ => 0,
            };
            let work_len = about(&mut self.input, 24 * changes);
            let work = self.blocks.bytes(work_len).cast();
            let as_it_was = bytes(buf).to_vec();
            // SAFETY: all pointers are to what they say.
            let status = unsafe {
                let (map, words_at) = (versions.map, buf.cast());
                kcap_elfcorehdr_patch(header, words_at, words, map, before, after, work, work_len, error)
            };
            assert!(status == KCAP_OK || bytes(buf) == as_it_was);
            let expected = match (versions.holds.status(before), versions.holds.status(after)) {
                (KCAP_OK, KCAP_OK) if work_len < 24 * changes => KCAP_ERR_BUFFER_TOO_SMALL,
                (KCAP_OK, other) | (other, _) => other,
            };
            assert!(expected == KCAP_OK || status == expected);
            // SAFETY: NULL, or a version.
            let is_shown = unsafe { before.as_ref() == shown.as_ref() };
            assert!(status != KCAP_ERR_CORRUPT || !(sound && is_shown && whole));
            sound &= status != KCAP_OK || is_shown;
            if status == KCAP_OK && sound {
                let memory = self.memory_of(versions, after);
                let anew = self.anew(header, memory);
                // SAFETY: it was encoded.
                let len = unsafe { *len };
                assert_eq!(loads(&bytes(buf)[..len], fixed), loads(&anew, fixed));
                shown = after;
            }
        }
    }
}

/// A map of four versions, each held and looked at, and headers of them: `versions` and `patched` are the numbers of the calls.
pub(super) fn seeds(versions: u8, patched: u8) -> Vec<Vec<u8>> {
    let (begin, hold, from_0) = ([0], [12, 0], [0, 128]);
    let of = |version: u8| [0, version, 0];
    let change = |how: u8, kind: u8, start: u8, len: u8| [2, how, kind, start, len];
    // Work for 40 changes, room for 4 versions; then the number of steps, less one.
    let mut steps = vec![versions, 40, 2, 0, 0, 0, 8];
    steps.extend(begin);
    for (kind, start, len) in [(1, 1, 8), (1, 16, 16), (5, 40, 8), (1, 64, 16)] {
        steps.extend(change(0, kind, start, len));
    }
    steps.extend([8, 0]);
    steps.extend(hold);
    steps.extend([&[12, 4][..], &of(0), &from_0, &[20]].concat());
    steps.extend([&[12, 7][..], &of(0), &[20, 0]].concat());
    for (how, kind, start, len) in [(0, 5, 18, 4), (5, 1, 30, 34), (6, 1, 70, 4)] {
        // No new map, and steps.
        steps.extend([versions, 0, 7]);
        steps.extend(begin);
        steps.extend(change(how, kind, start, len));
        // Its observer reads, then holds.
        steps.extend([&[8, 7, 2, 4][..], &of(0), &from_0, &[20, 0]].concat());
        steps.extend(hold);
        for (before, after) in [(0, 1), (1, 0), (0, 2)] {
            steps.extend([&[12, 6][..], &of(before), &of(after), &from_0, &[20]].concat());
        }
        // A version that never was is released.
        steps.extend([12, 3, 240, 0, 0]);
    }
    let mut seeds = vec![[&[0, 0, 0, 0, 1], &steps[..], &[versions, 0, 0, 11, 255]].concat()];
    // With a text, a backup, notes; with fewer; with none.
    for (first, how, no_backup) in [(0, 0, 0), (1, 0x80, 1), (2, 0x43, 0), (3, 0xe0, 1)] {
        let notes = 1 + usize::from(how & 7);
        for spare in [3, 15] {
            let mut seed = [&[0, 0, 0, 0, 1], &steps[..], &[patched], &of(first), &[how]].concat();
            seed.extend(vec![0; 4 * notes + 20]);
            // Bits, byte order, size.
            seed.extend([no_backup, 0, 0, 0]);
            // The length and the bytes as they should be, four patches.
            seed.extend([spare, 0, 0, 3]);
            for after in [1, 3, 0, 2] {
                seed.extend([&[0][..], &of(after), &[0, 0]].concat());
            }
            seeds.push(seed);
        }
    }
    seeds
}
