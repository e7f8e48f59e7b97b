#![expect(
    clippy::undocumented_unsafe_blocks,
    reason = "every pointer is of a value here, or wrong on purpose"
)]

use core::ptr::{null, null_mut};
use std::vec;
use std::vec::Vec;

use super::*;
use crate::elfcorehdr::{kcap_elfcorehdr_encode_with_spare, kcap_kernel_text};
use crate::map::{KCAP_RANGE_RESERVED, KCAP_RANGE_SYSTEM_RAM};
use crate::status::{
    KCAP_ERR_BUFFER_TOO_SMALL, KCAP_ERR_CORRUPT, KCAP_ERR_INVALID, KCAP_ERR_LENGTH, KCAP_ERR_NULL,
    KCAP_ERR_UNSUPPORTED, KCAP_OK,
};
use crate::testing::{Memory, no_error, sized, with_map};
use crate::versioned_map::tests::{hold, set, with_versions};
use crate::versioned_map::{kcap_versioned_map_begin, kcap_versioned_map_commit, kcap_versioned_map_copy};

/// `p_type`, `p_paddr` and `p_memsz` of each program header: the gABI's `Elf64_Phdr`.
fn phdrs(words: &[u64]) -> Vec<(u64, u64, u64)> {
    words[8..].chunks_exact(7).map(|phdr| (phdr[0] & 0xffff_ffff, phdr[3], phdr[5])).collect()
}

#[test]
#[cfg_attr(target_endian = "big", ignore = "reads words of a little-endian header")]
fn a_header_is_patched_in_its_place() {
    with_versions(20, 3, |map| unsafe {
        assert_eq!(kcap_versioned_map_begin(map), KCAP_OK);
        set(map, 0x1000, 0x8000, KCAP_RANGE_SYSTEM_RAM);
        set(map, 0x10000, 0x20000, KCAP_RANGE_SYSTEM_RAM);
        assert_eq!(kcap_versioned_map_commit(map, null(), null_mut()), KCAP_OK);
        let before = hold(map);
        with_map(8, |memory| {
            assert_eq!(kcap_versioned_map_copy(map, &raw const before, memory, null_mut()), KCAP_OK);
            let mut header: kcap_elfcorehdr = sized();
            (header.memory, header.e_machine) = (memory, 62);
            let header = &raw const header;
            let mut words = vec![u64::MAX; 8 + 4 * 7];
            let (at, mut len) = (words.as_mut_ptr(), 0);
            let encoded =
                kcap_elfcorehdr_encode_with_spare(header, at.cast(), 36 * 8, &raw mut len, null_mut());
            assert_eq!((encoded, len), (KCAP_OK, 36 * 8));
            let (low, high) = ((1, 0x1000, 0x7000), (1, 0x10000, 0x10000));
            assert_eq!(phdrs(&words), [low, high, (0, 0, 0), (0, 0, 0)]);

            assert_eq!(kcap_versioned_map_begin(map), KCAP_OK);
            set(map, 0x10000, 0x18000, KCAP_RANGE_RESERVED);
            set(map, 0x30000, 0x40000, KCAP_RANGE_SYSTEM_RAM);
            assert_eq!(kcap_versioned_map_commit(map, null(), null_mut()), KCAP_OK);
            let after = hold(map);
            let mut work = Memory::new(40 * 2);
            let patch = |words: &mut [u64], after, work_len, error| {
                let (at, count) = (words.as_mut_ptr(), words.len());
                kcap_elfcorehdr_patch(
                    header,
                    at,
                    count,
                    map,
                    &raw const before,
                    after,
                    work.at(),
                    work_len,
                    error,
                )
            };
            let mut patch = patch;
            let mut error = no_error();
            let unchanged = words.clone();
            assert_eq!(patch(&mut words, &raw const after, 0, &raw mut error), KCAP_ERR_BUFFER_TOO_SMALL);
            assert_eq!(error.value, 48);
            assert_eq!(patch(&mut words, &raw const after, 47, null_mut()), KCAP_ERR_BUFFER_TOO_SMALL);
            assert_eq!(patch(&mut words, &raw const after, usize::MAX, null_mut()), KCAP_ERR_LENGTH);
            assert_eq!(patch(&mut words[..20], &raw const after, 48, null_mut()), KCAP_ERR_CORRUPT);
            assert_eq!(patch(&mut words, null(), 48, null_mut()), KCAP_ERR_NULL);
            assert_eq!(words, unchanged);
            assert_eq!(patch(&mut words, &raw const after, 48, null_mut()), KCAP_OK);
            let (rest, new) = ((1, 0x18000, 0x8000), (1, 0x30000, 0x10000));
            assert_eq!(phdrs(&words), [low, rest, new, (0, 0, 0)]);
            // The header shows another version now.
            assert_eq!(patch(&mut words, &raw const after, 48, null_mut()), KCAP_ERR_CORRUPT);

            let mut none: [u64; 0] = [];
            assert_eq!(patch(&mut none, &raw const after, 48, null_mut()), KCAP_ERR_CORRUPT);
            let patched = kcap_elfcorehdr_patch(
                null(),
                words.as_mut_ptr(),
                36,
                map,
                &raw const before,
                &raw const after,
                null_mut(),
                0,
                null_mut(),
            );
            assert_eq!(patched, KCAP_ERR_NULL);
        });
    });
}

#[test]
fn a_header_that_must_be_built_anew() {
    with_versions(20, 3, |map| unsafe {
        assert_eq!(kcap_versioned_map_begin(map), KCAP_OK);
        set(map, 0x1000, 0x8000, KCAP_RANGE_SYSTEM_RAM);
        assert_eq!(kcap_versioned_map_commit(map, null(), null_mut()), KCAP_OK);
        let before = hold(map);
        with_map(8, |memory| {
            assert_eq!(kcap_versioned_map_copy(map, &raw const before, memory, null_mut()), KCAP_OK);
            let mut header: kcap_elfcorehdr = sized();
            (header.memory, header.e_machine) = (memory, 62);
            let mut words = vec![0_u64; 8 + 7];
            let mut work = Memory::new(80);
            let (at, work_at) = (words.as_mut_ptr(), work.at());
            let header = &raw const header;
            let encoded = kcap_elfcorehdr_encode_with_spare(header, at.cast(), 120, null_mut(), null_mut());
            assert_eq!(encoded, KCAP_OK);
            let mut error = no_error();
            let before = &raw const before;
            for (start, end, kind, status, field, value) in [
                (0x9000, 0xa000, KCAP_RANGE_SYSTEM_RAM, KCAP_ERR_BUFFER_TOO_SMALL, c"e_phnum", 2),
                (0x1000, 0x2000, KCAP_RANGE_RESERVED, KCAP_ERR_UNSUPPORTED, c"p_type", 0),
            ] {
                assert_eq!(kcap_versioned_map_begin(map), KCAP_OK);
                set(map, start, end, kind);
                assert_eq!(kcap_versioned_map_commit(map, null(), null_mut()), KCAP_OK);
                let after = hold(map);
                let patched = kcap_elfcorehdr_patch(
                    header,
                    at,
                    15,
                    map,
                    before,
                    &raw const after,
                    work_at,
                    80,
                    &raw mut error,
                );
                assert_eq!((patched, error.value), (status, value));
                assert_eq!(core::ffi::CStr::from_ptr(error.field.as_ptr()), field);
                let release = crate::versioned_map::kcap_versioned_map_release;
                assert_eq!(release(map, &raw const after), KCAP_OK);
            }
        });
    });
}

/// The text is the first `PT_LOAD`, so that no other has to stay.
#[test]
fn a_version_that_is_not_held_takes_no_memory_away() {
    with_versions(20, 3, |map| unsafe {
        assert_eq!(kcap_versioned_map_begin(map), KCAP_OK);
        set(map, 0x1000, 0x8000, KCAP_RANGE_SYSTEM_RAM);
        assert_eq!(kcap_versioned_map_commit(map, null(), null_mut()), KCAP_OK);
        let before = hold(map);
        with_map(8, |memory| {
            assert_eq!(kcap_versioned_map_copy(map, &raw const before, memory, null_mut()), KCAP_OK);
            let mut header: kcap_elfcorehdr = sized();
            let text = kcap_kernel_text { vaddr: 0xffff_ffff_8100_0000, paddr: 0x2000, len: 0x1000 };
            (header.memory, header.e_machine, header.text) = (memory, 62, &raw const text);
            let mut words = vec![0_u64; 8 + 3 * 7];
            let (at, len) = (words.as_mut_ptr(), words.len() * 8);
            let header = &raw const header;
            let encoded = kcap_elfcorehdr_encode_with_spare(header, at.cast(), len, null_mut(), null_mut());
            assert_eq!(encoded, KCAP_OK);
            let mut work = Memory::new(80);

            assert_eq!(kcap_versioned_map_begin(map), KCAP_OK);
            set(map, 0x9000, 0xa000, KCAP_RANGE_SYSTEM_RAM);
            assert_eq!(kcap_versioned_map_commit(map, null(), null_mut()), KCAP_OK);
            let after = hold(map);
            let release = crate::versioned_map::kcap_versioned_map_release;
            assert_eq!(release(map, &raw const after), KCAP_OK);
            let unchanged = words.clone();
            let mut patch = |before, after, error| {
                let (at, count) = (words.as_mut_ptr(), words.len());
                kcap_elfcorehdr_patch(header, at, count, map, before, after, work.at(), 80, error)
            };
            // It is the current version still, and then it is gone.
            let mut error = no_error();
            for gone in [false, true] {
                if gone {
                    assert_eq!(kcap_versioned_map_begin(map), KCAP_OK);
                    set(map, 0x9000, 0xa000, KCAP_RANGE_RESERVED);
                    assert_eq!(kcap_versioned_map_commit(map, null(), null_mut()), KCAP_OK);
                }
                for (before, after) in [(before, after), (after, before)] {
                    let patched = patch(&raw const before, &raw const after, &raw mut error);
                    assert_eq!((patched, error.value), (KCAP_ERR_INVALID, 2));
                    assert_eq!(core::ffi::CStr::from_ptr(error.field.as_ptr()), c"version");
                }
            }
            assert_eq!(words, unchanged);
        });
    });
}
