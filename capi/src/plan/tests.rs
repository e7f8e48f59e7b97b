#![expect(clippy::undocumented_unsafe_blocks, reason = "pointers to values here, or wrong on purpose")]

use core::mem::MaybeUninit;
use core::ptr::{null, null_mut};
use std::string::ToString;
use std::vec::Vec;

use kexec_core::plan::{Elfcorehdr, Load, MachineFacts, Purgatory, Request, Running, Upkeep};

use super::*;
use crate::boot_params::{KCAP_SETUP_RNG_SEED, kcap_setup_data};
use crate::digest::{kcap_regions_count, kcap_regions_sha256, kcap_regions_size};
use crate::map::{KCAP_RANGE_CRASH_KERNEL, KCAP_RANGE_SYSTEM_RAM, kcap_memory_map, kcap_memory_map_set};
use crate::status::{
    KCAP_ERR_INVALID, KCAP_ERR_LENGTH, KCAP_ERR_NO_CRASH_REGION, KCAP_ERR_NULL, KCAP_ERR_REFUSED, KCAP_OK,
};
use crate::testing::{images, no_error, sized, with_map};

const ELFCOREHDR: &[u8; 64] = b"\x7fELF\x02\x01\x01\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0";
const SEED: [u8; 32] = [0x5a; 32];

/// A machine of 1 GiB with 160 MiB for a crash kernel, or with none.
fn with_memory(crash: bool, test: impl FnOnce(*mut kcap_memory_map)) {
    with_map(8, |map| {
        let mut ranges = std::vec![
            (0x1000, 0x9_f000, KCAP_RANGE_SYSTEM_RAM),
            (0x10_0000, 0x4000_0000, KCAP_RANGE_SYSTEM_RAM)
        ];
        if crash {
            ranges.push((0x2000_0000, 0x2a00_0000, KCAP_RANGE_CRASH_KERNEL));
        }
        for (start, end, kind) in ranges {
            let range = kcap_range { start, end, kind, reserved: 0 };
            assert_eq!(unsafe { kcap_memory_map_set(map, &raw const range, null_mut()) }, KCAP_OK);
        }
        test(map);
    });
}

fn seed() -> kcap_setup_data {
    kcap_setup_data { data: SEED.as_ptr(), len: 32, kind: KCAP_SETUP_RNG_SEED, reserved: 0 }
}

/// A crash kernel with a random seed.
fn request(memory: *const kcap_memory_map, kernel: &[u8], seed: &kcap_setup_data) -> kcap_plan_request {
    let mut request: kcap_plan_request = sized();
    (request.kernel, request.kernel_len) = (kernel.as_ptr(), kernel.len());
    (request.elfcorehdr, request.elfcorehdr_len) = (ELFCOREHDR.as_ptr(), 64);
    (request.memory, request.load) = (memory, KCAP_LOAD_CRASH);
    request.command_line = c"quiet".as_ptr();
    (request.setup_data, request.setup_data_count) = (&raw const *seed, 1);
    request
}

/// Plans, with `memory_len` bytes of memory.
fn plan(
    request: *const kcap_plan_request,
    memory_len: usize,
    error: *mut kcap_error,
    test: impl FnOnce(*const kcap_plan),
) -> kcap_status {
    let mut memory = std::vec![0_u64; memory_len / 8];
    let mut plan = MaybeUninit::<kcap_plan>::uninit();
    let at = plan.as_mut_ptr();
    let memory = memory.as_mut_ptr().cast();
    let len = kcap_plan_size();
    let status = unsafe { kcap_plan_init(at, len, request, memory, memory_len, null_mut(), error) };
    if status == KCAP_OK {
        test(at);
    }
    status
}

#[test]
fn a_plan_is_what_the_crate_plans() {
    with_memory(true, |memory| unsafe {
        let (kernel, seed) = (images::bzimage(), seed());
        let request = request(memory, &kernel, &seed);
        let map = &(*memory).map;
        let rust = Request {
            load: Load::Crash(Elfcorehdr { bytes: ELFCOREHDR, upkeep: Upkeep::Reload, backup: None }),
            kernel: &kernel,
            initrd: &[],
            command_line: b"quiet",
            memory: map,
            firmware: None,
            limits: Request::ANYWHERE,
            purgatory: Purgatory::new(purgatory::X86_64),
            running: Running::x86_64(map),
            machine: MachineFacts { setup_data: &[SetupData::rng_seed(&SEED)], ..MachineFacts::default() },
        };
        let mut line = [0; 2048];
        let rust = Plan::new(rust, &mut line).unwrap();
        let mut expected = std::vec![0; rust.scratch_len()];
        let expected_digest = rust.encode(&mut expected).unwrap();
        let status = plan(&raw const request, KCAP_PLAN_MEMORY, null_mut(), |plan| {
            assert_eq!(kcap_plan_entry(plan), rust.entry().0);
            assert_eq!(kcap_plan_kernel_entry(plan), rust.kernel_entry().0);
            assert_eq!(kcap_plan_flags(plan), rust.flags());
            let mut len = 0;
            let line = kcap_plan_command_line(plan, &raw mut len);
            assert_eq!(core::slice::from_raw_parts(line.cast::<u8>(), len), rust.command_line());
            let scratch_len = kcap_plan_scratch_len(plan);
            let (mut scratch, mut digest) = (std::vec![0; scratch_len], [0; 32]);
            let at = scratch.as_mut_ptr();
            assert_eq!(kcap_plan_encode(plan, at, scratch_len, digest.as_mut_ptr(), null_mut()), KCAP_OK);
            assert_eq!((&scratch, digest), (&expected, expected_digest));

            assert_eq!(kcap_plan_segment_count(plan), rust.segments().len());
            for (index, segment) in rust.segments().iter().enumerate() {
                let mut found: kcap_plan_segment = sized();
                assert_eq!(kcap_plan_get_segment(plan, index, &raw mut found), KCAP_OK);
                assert_eq!(found.extent, segment.extent.into());
                assert_eq!(found.limits, segment.placement.limits.into());
                assert_eq!(found.kind, number_of(segment.kind));
                let words = CStr::from_ptr(kcap_placement_str(found.reason));
                assert_eq!(words.to_str().unwrap(), segment.placement.reason.to_string());
                let (mut bytes, mut len) = (null(), 0);
                let status = kcap_plan_bytes(plan, index, at, scratch_len, &raw mut bytes, &raw mut len);
                assert_eq!(status, KCAP_OK);
                assert_eq!(core::slice::from_raw_parts(bytes, len), rust.bytes(segment, &expected).unwrap());
            }
            let mut image = MaybeUninit::<kcap_image>::uninit();
            let (place, size) = (image.as_mut_ptr(), size_of::<kcap_image>());
            assert_eq!(kcap_plan_kernel(plan, place, size, null_mut()), KCAP_OK);
            assert_eq!(crate::image::kcap_image_kind_of(place), crate::image::KCAP_IMAGE_BZIMAGE);
            assert_eq!(kcap_plan_kernel(plan, place, 0, null_mut()), KCAP_ERR_BUFFER_TOO_SMALL);
            assert_eq!(kcap_plan_kernel(plan, null_mut(), size, null_mut()), KCAP_ERR_NULL);
            assert_eq!(kcap_plan_kernel(null(), place, size, null_mut()), KCAP_ERR_NULL);
            assert_eq!((kcap_plan_cmdline_size(plan), kcap_plan_cmdline_size(null())), (2047, 0));
            let mut regions = MaybeUninit::<kcap_regions>::uninit();
            let (list, size) = (regions.as_mut_ptr(), kcap_regions_size());
            assert_eq!(kcap_plan_regions(plan, at, scratch_len, list, size, null_mut()), KCAP_OK);
            assert_eq!(kcap_regions_sha256(list, digest.as_mut_ptr()), KCAP_OK);
            assert_eq!((digest, kcap_regions_count(list)), (expected_digest, 3));

            let mut told = Vec::new();
            let mut range = kcap_range::default();
            while kcap_plan_told(plan, told.len(), &raw mut range) == KCAP_OK {
                told.push(range);
            }
            assert_eq!(told, rust.told().map(kcap_range::from).collect::<Vec<_>>());
            for (index, words) in rust.explain().enumerate() {
                let mut text = [0; 512];
                assert_eq!(kcap_plan_explain(plan, index, text.as_mut_ptr(), 512, null_mut()), KCAP_OK);
                assert_eq!(CStr::from_ptr(text.as_ptr()).to_str().unwrap(), words.to_string());
            }
            let past = rust.explain().count();
            let mut text = [0; 512];
            let status = kcap_plan_explain(plan, past, text.as_mut_ptr(), 512, null_mut());
            assert_eq!(status, KCAP_ERR_NOT_FOUND);
        });
        assert_eq!(status, KCAP_OK);
    });
}

#[test]
fn a_unified_kernel_image_brings_its_line_and_its_initrd() {
    with_memory(false, |memory| {
        let (kernel, seed) = (images::uki(), seed());
        let mut request = request(memory, &kernel, &seed);
        (request.load, request.command_line, request.setup_data_count) = (KCAP_LOAD_ORDINARY, null(), 0);
        let status = plan(&raw const request, KCAP_PLAN_MEMORY, null_mut(), |plan| unsafe {
            let mut len = 0;
            let line = kcap_plan_command_line(plan, &raw mut len);
            assert_eq!(core::slice::from_raw_parts(line.cast::<u8>(), len), b"quiet");
            assert_eq!(kcap_plan_segment_count(plan), 4);
        });
        assert_eq!(status, KCAP_OK);
    });
}

#[test]
fn a_backup_is_copied_where_the_plan_leaves_room() {
    with_memory(true, |memory| unsafe {
        let all = kcap_span { start: 0, end: u64::MAX };
        let mut backup = kcap_backup::default();
        let find = |memory, limits, backup| kcap_plan_low_memory_backup(memory, limits, backup);
        assert_eq!(find(memory, &raw const all, null_mut()), KCAP_ERR_NULL);
        assert_eq!(find(memory, null(), &raw mut backup), KCAP_ERR_NULL);
        assert_eq!(find(null(), &raw const all, &raw mut backup), KCAP_ERR_NULL);
        assert_eq!(backup, kcap_backup::default());
        assert_eq!(find(memory, &raw const all, &raw mut backup), KCAP_OK);
        assert_eq!(backup.source, kcap_span { start: 0x1000, end: 0x9_f000 });
        let (kernel, seed) = (images::bzimage(), seed());
        let mut request = request(memory, &kernel, &seed);
        (request.backup, request.firmware) = (&raw const backup, memory);
        let status = plan(&raw const request, KCAP_PLAN_MEMORY, null_mut(), |plan| {
            let mut found: kcap_plan_segment = sized();
            let copies = (0..kcap_plan_segment_count(plan)).filter(|&index| {
                assert_eq!(kcap_plan_get_segment(plan, index, &raw mut found), KCAP_OK);
                found.kind == crate::segment::KCAP_SEGMENT_BACKUP && found.extent.mem == backup.copy
            });
            assert_eq!(copies.count(), 1);
        });
        assert_eq!(status, KCAP_OK);
    });
}

#[test]
fn what_can_not_be_planned_says_why() {
    with_memory(false, |memory| {
        let (kernel, seed) = (images::bzimage(), seed());
        let none = |_: *const kcap_plan| unreachable!();
        let good = request(memory, &kernel, &seed);
        assert_eq!(plan(&raw const good, KCAP_PLAN_MEMORY, null_mut(), none), KCAP_ERR_NO_CRASH_REGION);
        let mut ordinary = kcap_plan_request { load: KCAP_LOAD_ORDINARY, ..good };
        let mut running: kcap_plan_running = sized();
        running.ram_pages = 2;
        ordinary.running = &raw const running;
        let mut refusal: kcap_refusal = sized();
        let mut memory = std::vec![0_u64; KCAP_PLAN_MEMORY / 8];
        let mut place = MaybeUninit::<kcap_plan>::uninit();
        let mut error = no_error();
        let status = unsafe {
            let at = memory.as_mut_ptr().cast();
            let len = kcap_plan_size();
            let (refusal, error) = (&raw mut refusal, &raw mut error);
            kcap_plan_init(place.as_mut_ptr(), len, &raw const ordinary, at, KCAP_PLAN_MEMORY, refusal, error)
        };
        assert_eq!((status, error.value, refusal.code), (KCAP_ERR_REFUSED, 22, 22));
        assert_eq!(refusal.kind, crate::check::KCAP_REFUSAL_MORE_THAN_HALF_OF_RAM);
    });
}

#[test]
fn a_short_memory_says_how_much_is_enough() {
    with_memory(true, |memory| {
        let (kernel, seed) = (images::bzimage(), seed());
        let request = request(memory, &kernel, &seed);
        let mut error = no_error();
        for len in [0, 8, ITEMS_LEN, ITEMS_LEN + 8] {
            let none = |_: *const kcap_plan| unreachable!();
            let status = plan(&raw const request, len, &raw mut error, none);
            assert_eq!(status, KCAP_ERR_BUFFER_TOO_SMALL, "{len}");
            let enough = usize::try_from(error.value).unwrap().next_multiple_of(8);
            assert!(enough > len);
        }
        assert_eq!(plan(&raw const request, KCAP_PLAN_MEMORY, null_mut(), |_| {}), KCAP_OK);
    });
}

#[test]
fn wrong_pointers_lengths_and_numbers_are_found() {
    with_memory(true, |memory| {
        let (kernel, seed) = (images::bzimage(), seed());
        let good = request(memory, &kernel, &seed);
        let refused = |request: kcap_plan_request| {
            plan(&raw const request, KCAP_PLAN_MEMORY, null_mut(), |_| unreachable!())
        };
        assert_eq!(plan(null(), KCAP_PLAN_MEMORY, null_mut(), |_| unreachable!()), KCAP_ERR_NULL);
        assert_eq!(refused(kcap_plan_request { size: 0, ..good }), KCAP_ERR_LENGTH);
        assert_eq!(refused(kcap_plan_request { kernel: null(), ..good }), KCAP_ERR_NULL);
        assert_eq!(refused(kcap_plan_request { kernel_len: usize::MAX, ..good }), KCAP_ERR_LENGTH);
        assert_eq!(refused(kcap_plan_request { initrd_len: 1, ..good }), KCAP_ERR_NULL);
        assert_eq!(refused(kcap_plan_request { memory: null(), ..good }), KCAP_ERR_NULL);
        assert_eq!(refused(kcap_plan_request { elfcorehdr: null(), ..good }), KCAP_ERR_NULL);
        assert_eq!(refused(kcap_plan_request { setup_data: null(), ..good }), KCAP_ERR_NULL);
        assert_eq!(refused(kcap_plan_request { load: 2, ..good }), KCAP_ERR_INVALID);
        let many = std::vec![seed; KCAP_SETUP_DATA_MAX + 1];
        let count = many.len();
        let too_many = kcap_plan_request { setup_data: many.as_ptr(), setup_data_count: count, ..good };
        assert_eq!(refused(too_many), KCAP_ERR_INVALID);
        let own: kcap_plan_purgatory = sized();
        for purgatory in [
            kcap_plan_purgatory { profile: 3, ..own },
            kcap_plan_purgatory { on_mismatch: 3, ..own },
            kcap_plan_purgatory { serial_port: 0x1_0000, ..own },
        ] {
            assert_eq!(
                refused(kcap_plan_request { purgatory: &raw const purgatory, ..good }),
                KCAP_ERR_INVALID
            );
        }
        let mut running: kcap_plan_running = sized();
        running.e_machine = 0x1_0000;
        assert_eq!(refused(kcap_plan_request { running: &raw const running, ..good }), KCAP_ERR_INVALID);
        let init = |at, len, memory, memory_len| unsafe {
            kcap_plan_init(at, len, &raw const good, memory, memory_len, null_mut(), null_mut())
        };
        let mut place = MaybeUninit::<kcap_plan>::uninit();
        let (at, len) = (place.as_mut_ptr(), kcap_plan_size());
        let mut words = std::vec![0_u64; KCAP_PLAN_MEMORY / 8];
        let words = words.as_mut_ptr().cast::<c_void>();
        assert_eq!(init(null_mut(), len, words, KCAP_PLAN_MEMORY), KCAP_ERR_NULL);
        assert_eq!(init(at, 0, words, KCAP_PLAN_MEMORY), KCAP_ERR_BUFFER_TOO_SMALL);
        assert_eq!(init(at, usize::MAX, words, KCAP_PLAN_MEMORY), KCAP_ERR_LENGTH);
        assert_eq!(init(at, len, null_mut(), KCAP_PLAN_MEMORY), KCAP_ERR_NULL);
        assert_eq!(init(at, len, words, usize::MAX), KCAP_ERR_LENGTH);
        unsafe {
            assert_eq!((kcap_plan_entry(null()), kcap_plan_kernel_entry(null())), (0, 0));
            assert_eq!((kcap_plan_flags(null()), kcap_plan_scratch_len(null())), (0, 0));
            assert_eq!(kcap_plan_segment_count(null()), 0);
            assert!(kcap_plan_command_line(null(), &mut { 0 }).is_null());
            let mut byte = 0_u8;
            let out = &raw mut byte;
            assert_eq!(kcap_plan_encode(null(), out, 1, null_mut(), null_mut()), KCAP_ERR_NULL);
            assert_eq!(kcap_plan_told(null(), 0, &mut kcap_range::default()), KCAP_ERR_NULL);
            assert_eq!(kcap_plan_explain(null(), 0, out.cast(), 1, null_mut()), KCAP_ERR_NULL);
            let (mut bytes, mut len) = (null(), 0);
            let status = kcap_plan_bytes(null(), 0, out, 1, &raw mut bytes, &raw mut len);
            assert_eq!(status, KCAP_ERR_NULL);
            assert_eq!(byte, 0);
        }
    });
}
