//! What a C program hides is not in the file that it writes.

use core::ptr::{null, null_mut};
use std::sync::OnceLock;
use std::vec::Vec;

use testkit::{Era, Machine, Use};

use super::*;
use crate::chunk::*;
use crate::dump::*;
use crate::report::{kcap_dumper_get_report, kcap_report};
use crate::status::*;
use crate::testing::{Memory, Room, Setup, input, no_error, output, sized};

const KEY: &[u8; 32] = b"0123456789-a key of 32 bytes-\x01\x02\x03";
/// Over the end of a page.
const PLACE: u64 = 0x1_0ff0;
/// Further frames that a bitmap names: the second of these two.
const PAGES: u64 = 0x14;

fn machine() -> &'static Machine {
    static MACHINE: OnceLock<Machine> = OnceLock::new();
    MACHINE.get_or_init(|| {
        let mut builder = Machine::x86_64(Era::V6_1);
        for pfn in 0x10..0x18 {
            builder = builder.place(pfn, Use::Kernel);
        }
        let mut machine = builder.build();
        machine.poke(PLACE, KEY);
        machine.poke((PAGES + 1) << 12, KEY);
        machine
    })
}

/// A redaction and its memory.
struct Hidden {
    redaction: Room<kcap_redaction>,
    _work: Memory,
}

const BITS: [u8; 1] = [2];

/// Hides the key at its virtual address, and a page.
fn hidden(setup: &mut Setup, machine: &Machine, work_len: usize) -> (Hidden, kcap_status, u64) {
    let mut hidden = Hidden { redaction: Room::new(), _work: Memory::new(4096) };
    let secrets =
        [secret(machine.linear(PLACE), 32, 1, c"key".as_ptr()), secret(0x1000_0000_0000, 1, 0, null())];
    let pages = kcap_secret_pages { bits: BITS.as_ptr(), len: 1, first: PAGES, name: c"page".as_ptr() };
    let mut error = no_error();
    // SAFETY: all pointers are to what they say.
    let status = unsafe {
        kcap_redaction_init(
            hidden.redaction.at(),
            Room::<kcap_redaction>::LEN,
            secrets.as_ptr(),
            secrets.len(),
            &raw const pages,
            setup.kernel.at(),
            setup.memory.at(),
            hidden._work.at(),
            work_len,
            &raw mut error,
        )
    };
    (hidden, status, error.value)
}

fn secret(start: u64, len: u64, is_virtual: u32, name: *const c_char) -> kcap_secret {
    kcap_secret { start, len, name, is_virtual, reserved: 0 }
}

/// Miri keeps account of every slice that is made of the file: few are.
fn has(file: &[u8], bytes: &[u8]) -> bool {
    const LEN: usize = 64;
    let first = bytes[0];
    let places = file.chunks(LEN).zip((0..).step_by(LEN)).filter(|(chunk, _)| chunk.contains(&first));
    places.into_iter().any(|(chunk, start)| {
        let mut at = start..start + chunk.len();
        at.any(|at| file[at] == first && file[at..].starts_with(bytes))
    })
}

const LOG: &[u8] = b"erase key@0x10ff0 size 32\nerase 0x100000000000 size 1\nerase page@0x15000 size 4096\n";

#[test]
fn what_is_hidden_is_not_in_the_file() {
    let machine = machine();
    let vmcore = input(machine.elf().to_vec());
    for hides in [false, true] {
        let mut setup = Setup::new(vmcore);
        let (mut secrets, status, _) = hidden(&mut setup, machine, 4096);
        assert_eq!(status, KCAP_OK);
        let (mut dumper, _work) = setup.dumper(31);
        let (at, memory) = (dumper.at(), setup.memory.at());
        let mut file = Vec::new();
        let out = output(&mut file);
        let mut report: kcap_report = sized();
        // SAFETY: all pointers are to what they say, or NULL.
        unsafe {
            if hides {
                assert_eq!(kcap_dumper_set_redaction(at, secrets.redaction.at(), null_mut()), KCAP_OK);
            }
            while kcap_dumper_step(at, memory, &raw const out, null_mut(), null_mut()) == KCAP_OK {}
            assert_eq!(kcap_dumper_get_report(at, &raw mut report), KCAP_OK);
            let late = kcap_dumper_set_redaction(at, secrets.redaction.at(), null_mut());
            assert_eq!(late, KCAP_ERR_OUT_OF_ORDER);
            assert_eq!(kcap_dumper_set_redaction(at, null(), null_mut()), KCAP_ERR_NULL);
            assert_eq!(
                kcap_dumper_set_redaction(null_mut(), secrets.redaction.at(), null_mut()),
                KCAP_ERR_NULL
            );
        }
        let counts = if hides { (3, 32 + 4096) } else { (0, 0) };
        assert_eq!((report.redacted_pages, report.redacted_bytes), counts);
        assert_eq!((has(&file, &KEY[..16]), has(&file, &KEY[16..])), (!hides, !hides));
        assert_eq!((has(&file, LOG), has(&file, &[KCAP_REDACTION_FILL; 4096])), (hides, hides));
    }
}

/// Chunks that are encoded elsewhere get the redaction with the parameters, and no program can miss it.
#[test]
fn parameters_carry_what_is_hidden() {
    let machine = machine();
    let mut setup = Setup::new(input(machine.elf().to_vec()));
    let (mut secrets, status, _) = hidden(&mut setup, machine, 4096);
    assert_eq!(status, KCAP_OK);
    let (mut dumper, _work) = setup.dumper(31);
    let (at, memory) = (dumper.at(), setup.memory.at());
    let mut file = Vec::new();
    let out = output(&mut file);
    let mut params: kcap_encode_params = sized();
    let (mut chunk, mut encoded) = (Room::<kcap_chunk>::new(), Room::<kcap_encoded>::new());
    // SAFETY: all pointers are to what they say, or NULL.
    unsafe {
        assert_eq!(kcap_dumper_get_params(at, &raw mut params), KCAP_OK);
        assert!(params.redaction.is_null());
        assert_eq!(kcap_dumper_set_redaction(at, secrets.redaction.at(), null_mut()), KCAP_OK);
        let mut old: kcap_encode_params = sized();
        old.size = core::mem::offset_of!(kcap_encode_params, redaction);
        assert_eq!(kcap_dumper_get_params(at, &raw mut old), KCAP_ERR_LENGTH);
        assert_eq!(kcap_dumper_get_params(at, &raw mut params), KCAP_OK);
        // The caller's own: no thread reads what the dumper's thread changes.
        assert!(core::ptr::eq(params.redaction, secrets.redaction.at()));
        let mut scratch = Memory::new(params.scratch_bytes as usize);
        let mut bytes = Memory::new(params.out_bytes as usize);
        let mut next = KCAP_NEXT_AGAIN;
        while next != KCAP_NEXT_DONE {
            let len = Room::<kcap_chunk>::LEN;
            let (out, next_at) = (&raw const out, &raw mut next);
            let got = kcap_dumper_next_chunk(at, memory, out, chunk.at(), len, next_at, null_mut());
            assert_eq!(got, KCAP_OK);
            if next != KCAP_NEXT_CHUNK {
                continue;
            }
            let status = kcap_chunk_encode(
                chunk.at(),
                &raw const params,
                memory,
                scratch.at(),
                scratch.len(),
                bytes.at().cast(),
                bytes.len(),
                encoded.at(),
                Room::<kcap_encoded>::LEN,
                null_mut(),
            );
            assert_eq!(status, KCAP_OK);
            let (bytes, len) = (bytes.at().cast(), kcap_encoded_bytes(encoded.at()));
            let status = kcap_dumper_commit_chunk(at, chunk.at(), encoded.at(), bytes, len, out, null_mut());
            assert_eq!(status, KCAP_OK);
        }
        assert_eq!(kcap_dumper_finish(at, &raw const out, null_mut()), KCAP_OK);
    }
    assert!(has(&file, LOG) && !has(&file, &KEY[..16]) && !has(&file, &KEY[16..]));
}

#[test]
fn what_would_not_be_hidden_is_refused() {
    let machine = machine();
    let mut setup = Setup::new(input(machine.elf().to_vec()));
    let (_, status, needed) = hidden(&mut setup, machine, kcap_redaction_work(2) - 8);
    assert_eq!((status, needed), (KCAP_ERR_BUFFER_TOO_SMALL, kcap_redaction_work(2) as u64));
    assert_eq!(hidden(&mut setup, machine, kcap_redaction_work(2)).1, KCAP_OK);
    let (kernel, memory) = (setup.kernel.at(), setup.memory.at());
    let mut work = Memory::new(4096);
    let mut room = Room::<kcap_redaction>::new();
    let mut init = |secret: kcap_secret, kernel, pages: *const kcap_secret_pages| {
        let (at, len) = (room.at(), Room::<kcap_redaction>::LEN);
        // SAFETY: all pointers are to what they say, or NULL.
        let status = unsafe {
            kcap_redaction_init(
                at,
                len,
                &raw const secret,
                1,
                pages,
                kernel,
                memory,
                work.at(),
                work.len(),
                null_mut(),
            )
        };
        assert!(status == KCAP_OK || room.untouched());
        status
    };
    let at = machine.linear(PLACE);
    let pages = |bits: *const u8, first| kcap_secret_pages { bits, len: 1, first, name: null() };
    assert_eq!(init(secret(0, 0, 0, null()), kernel, null()), KCAP_ERR_INVALID);
    assert_eq!(init(secret(u64::MAX, 2, 0, null()), kernel, null()), KCAP_ERR_INVALID);
    assert_eq!(init(secret(at, 0, 1, null()), kernel, null()), KCAP_ERR_INVALID);
    assert_eq!(init(secret(0x1000, 8, 1, null()), kernel, null()), KCAP_ERR_NOT_MAPPED);
    assert_eq!(init(secret(at, 8, 1, null()), null_mut(), null()), KCAP_ERR_NULL);
    assert_eq!(init(secret(1, 1, 0, c"a b".as_ptr()), kernel, null()), KCAP_ERR_INVALID);
    assert_eq!(init(secret(1, 1, 0, c"\xff".as_ptr()), kernel, null()), KCAP_ERR_INVALID);
    assert_eq!(init(secret(1, 1, 0, null()), kernel, core::ptr::from_ref(&pages(null(), 0))), KCAP_ERR_NULL);
    let bits = BITS.as_ptr();
    assert_eq!(
        init(secret(1, 1, 0, null()), kernel, core::ptr::from_ref(&pages(bits, u64::MAX))),
        KCAP_ERR_INVALID
    );
    assert_eq!(init(secret(1, 1, 0, null()), null_mut(), core::ptr::from_ref(&pages(bits, 0))), KCAP_OK);
    assert!(kcap_redaction_size() >= Room::<kcap_redaction>::LEN && kcap_redaction_align() == 8);
}
