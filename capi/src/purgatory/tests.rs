#![expect(clippy::undocumented_unsafe_blocks, reason = "pointers to values here, or wrong on purpose")]

use core::ffi::c_void;
use core::ptr::{null, null_mut};

use super::*;
use crate::status::{KCAP_ERR_BUFFER_TOO_SMALL, KCAP_ERR_INVALID, KCAP_ERR_LENGTH, KCAP_ERR_NULL, KCAP_OK};
use crate::testing::{no_error, sized};

const BASE: u64 = 0x10_0000;
static BYTES: [u8; 3] = *b"abc";
/// `printf abc | sha256sum`.
const ABC: [u8; 32] = [
    0xba, 0x78, 0x16, 0xbf, 0x8f, 0x01, 0xcf, 0xea, 0x41, 0x41, 0x40, 0xde, 0x5d, 0xae, 0x22, 0x23, 0xb0,
    0x03, 0x61, 0xa3, 0x96, 0x17, 0x7a, 0x9c, 0xb4, 0x10, 0xff, 0x61, 0xf2, 0x00, 0x15, 0xad,
];

unsafe extern "C" fn bytes(_: *mut c_void, start: u64, len: u64) -> *const u8 {
    if start == BASE && len <= 3 { BYTES.as_ptr() } else { null() }
}

const MEMORY: kcap_physical_bytes = kcap_physical_bytes { ctx: null_mut(), bytes: Some(bytes) };

fn parameters() -> kcap_purgatory_parameters {
    let mut parameters: kcap_purgatory_parameters = sized();
    (parameters.entry, parameters.boot_params, parameters.stack) = (0x200, 0x4000, 0x9000);
    parameters.regions[3] = kcap_purgatory_region { start: BASE, len: 3 };
    parameters.backup_source = kcap_purgatory_region { start: 0x1000, len: 0x9_e000 };
    parameters.backup_copy = 0x2000_0000;
    (parameters.on_mismatch, parameters.vga) = (2, 1);
    (parameters.serial_port, parameters.serial_baud) = (0x3f8, 115_200);
    parameters
}

#[test]
fn the_object_and_its_symbols_are_those_of_the_crate() {
    let mut len = 0;
    unsafe {
        let object = kcap_purgatory_x86_64(&raw mut len);
        assert_eq!(core::slice::from_raw_parts(object, len), X86_64);
        assert!(kcap_purgatory_x86_64(null_mut()).is_null());
        let symbol = CStr::from_ptr(kcap_purgatory_parameters_symbol());
        assert_eq!(symbol.to_bytes(), purgatory::PARAMETERS_SYMBOL);
        assert_eq!(CStr::from_ptr(kcap_purgatory_entry_symbol()).to_bytes(), purgatory::ENTRY_SYMBOL);
    }
}

#[test]
fn a_block_is_written_and_read_back() {
    let given = parameters();
    let len = kcap_purgatory_parameters_len();
    let mut block = std::vec![0x55_u8; len + 1];
    unsafe {
        let status = kcap_purgatory_parameters_encode(&raw const given, block.as_mut_ptr(), len, null_mut());
        assert_eq!((status, block[len]), (KCAP_OK, 0x55));
        assert_eq!(&block[..8], b"kcappurg");
        let mut found: kcap_purgatory_parameters = sized();
        let status = kcap_purgatory_parameters_read(block.as_ptr(), len, &raw mut found, null_mut());
        assert_eq!((status, found), (KCAP_OK, given));
        block[0] = 0;
        let status = kcap_purgatory_parameters_read(block.as_ptr(), len, &raw mut found, null_mut());
        assert_eq!(status, KCAP_ERR_CORRUPT);
    }
}

#[test]
fn the_check_finds_what_the_object_finds() {
    let mut given = parameters();
    let (mut verdict, mut digest, mut found) = (99, [0; 32], [0; 32]);
    unsafe {
        let verify = |given: &kcap_purgatory_parameters, verdict, found| {
            kcap_purgatory_verify(&raw const *given, &MEMORY, verdict, found, null_mut())
        };
        let at = digest.as_mut_ptr();
        assert_eq!(kcap_purgatory_digest(&raw const given, &MEMORY, at, null_mut()), KCAP_OK);
        assert_eq!(digest, ABC);
        assert_eq!(verify(&given, &raw mut verdict, found.as_mut_ptr()), KCAP_OK);
        assert_eq!((verdict, found), (KCAP_VERDICT_MISMATCH, ABC));
        given.digest = ABC;
        assert_eq!(verify(&given, &raw mut verdict, null_mut()), KCAP_OK);
        assert_eq!(verdict, KCAP_VERDICT_MATCH);
        given.regions[0] = kcap_purgatory_region { start: 0x7000, len: 1 };
        assert_eq!(verify(&given, &raw mut verdict, null_mut()), KCAP_OK);
        assert_eq!(verdict, KCAP_VERDICT_UNREADABLE);
        assert_eq!(kcap_purgatory_digest(&raw const given, &MEMORY, at, null_mut()), KCAP_ERR_HOLE);
        given.skip_check = 7;
        assert_eq!(verify(&given, &raw mut verdict, null_mut()), KCAP_OK);
        assert_eq!(verdict, KCAP_VERDICT_SKIPPED);
    }
}

#[test]
fn wrong_pointers_lengths_and_numbers_are_found() {
    let given = parameters();
    let mut block = [0x55_u8; 16];
    let (at, none) = (block.as_mut_ptr(), null_mut());
    let mut error = no_error();
    let mut verdict = 99;
    let view = MEMORY;
    let empty = kcap_physical_bytes { ctx: null_mut(), bytes: None };
    unsafe {
        let encode = |given: &kcap_purgatory_parameters, at, len, error| {
            kcap_purgatory_parameters_encode(&raw const *given, at, len, error)
        };
        assert_eq!(encode(&given, at, 16, &raw mut error), KCAP_ERR_BUFFER_TOO_SMALL);
        assert_eq!(usize::try_from(error.value), Ok(kcap_purgatory_parameters_len()));
        assert_eq!(encode(&given, null_mut(), 16, none), KCAP_ERR_NULL);
        assert_eq!(encode(&given, at, usize::MAX, none), KCAP_ERR_LENGTH);
        for wrong in [
            kcap_purgatory_parameters { on_mismatch: 3, ..given },
            kcap_purgatory_parameters { on_mismatch: 0x102, ..given },
            kcap_purgatory_parameters { serial_port: 0x1_0000, ..given },
        ] {
            assert_eq!(encode(&wrong, at, 16, none), KCAP_ERR_INVALID);
        }
        assert_eq!(encode(&kcap_purgatory_parameters { size: 7, ..given }, at, 16, none), KCAP_ERR_LENGTH);
        assert_eq!(kcap_purgatory_parameters_encode(null(), at, 16, none), KCAP_ERR_NULL);
        let mut out = given;
        assert_eq!(kcap_purgatory_parameters_read(null(), 1, &raw mut out, none), KCAP_ERR_NULL);
        assert_eq!(kcap_purgatory_parameters_read(at, 0, &raw mut out, none), KCAP_ERR_CORRUPT);
        assert_eq!(kcap_purgatory_parameters_read(at, usize::MAX, &raw mut out, none), KCAP_ERR_LENGTH);
        assert_eq!(kcap_purgatory_parameters_read(at, 16, null_mut(), none), KCAP_ERR_NULL);
        assert_eq!(out, given);
        let (given, memory, out) = (&raw const given, &raw const view, &raw mut verdict);
        assert_eq!(kcap_purgatory_verify(null(), memory, out, null_mut(), none), KCAP_ERR_NULL);
        assert_eq!(kcap_purgatory_verify(given, null(), out, null_mut(), none), KCAP_ERR_NULL);
        assert_eq!(kcap_purgatory_verify(given, &raw const empty, out, null_mut(), none), KCAP_ERR_NULL);
        assert_eq!(kcap_purgatory_verify(given, memory, null_mut(), null_mut(), none), KCAP_ERR_NULL);
        assert_eq!(kcap_purgatory_digest(given, memory, null_mut(), none), KCAP_ERR_NULL);
        let mut digest = [0x55; 32];
        assert_eq!(kcap_purgatory_digest(null(), memory, digest.as_mut_ptr(), none), KCAP_ERR_NULL);
        assert_eq!((verdict, block, digest), (99, [0x55; 16], [0x55; 32]));
    }
}
