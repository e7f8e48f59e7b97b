//! The log through callbacks, against what vmcore-dmesg would print.

use core::ffi::c_void;
use core::ptr::{null, null_mut};
use std::string::String;
use std::vec::Vec;

use testkit::{Era, LogRecord, Machine};

use super::*;
use crate::error::*;
use crate::kernel::kcap_kernel_read;
use crate::source::kcap_source_vmcoreinfo;
use crate::status::*;
use crate::testing::Setup;
use crate::testing::{Memory, Room, input};

unsafe extern "C" fn take_text(ctx: *mut c_void, bytes: *const u8, len: usize) -> i32 {
    let text = ptr::get_mut(ctx.cast::<Vec<u8>>()).unwrap();
    text.extend_from_slice(ptr::slice(bytes, len).unwrap());
    0
}

unsafe extern "C" fn stop_at_third(ctx: *mut c_void, record: *const kcap_log_record) -> i32 {
    let seen = ptr::get_mut(ctx.cast::<Vec<u64>>()).unwrap();
    seen.push(ptr::get(record).unwrap().ts_nsec);
    if seen.len() == 3 { -9 } else { 0 }
}

#[test]
fn the_log_is_printed_and_stopped() {
    let mut generations = 0;
    for generation in [testkit::Generation::Ringbuffer, testkit::Generation::Records] {
        let machine = Machine::x86_64(Era::V6_1).log(generation, LogRecord::sample(40)).build();
        let mut setup = Setup::new(input(machine.elf().to_vec()));
        let mut info = Room::<kcap_vmcoreinfo>::new();
        let mut text = Memory::new(KCAP_LOG_TEXT);
        let (mut lines, mut seen) = (Vec::<u8>::new(), Vec::<u64>::new());
        let printer = kcap_log_sink { ctx: (&raw mut lines).cast(), record: None, text: Some(take_text) };
        let stopper = kcap_log_sink { ctx: (&raw mut seen).cast(), record: Some(stop_at_third), text: None };
        let mut tally = Room::<kcap_log_tally>::new();
        // SAFETY: all pointers are to what they say, or NULL; sizes of structs are set first.
        unsafe {
            let len = Room::<kcap_vmcoreinfo>::LEN;
            assert_eq!(kcap_source_vmcoreinfo(setup.source.at(), info.at(), len), KCAP_OK);
            (*tally.at()).size = size_of::<kcap_log_tally>();
            let (kernel, memory) = (setup.kernel.at(), setup.memory.at());
            let (text, text_len) = (text.at().cast(), text.len());
            let info = info.at();
            let printed = kcap_log_write(
                info,
                kernel,
                memory,
                text,
                text_len,
                &raw const printer,
                tally.at(),
                null_mut(),
            );
            assert_eq!(printed, KCAP_OK);
            assert_eq!(((*tally.at()).records, (*tally.at()).lost), (40, 0));
            let mut error = Room::<kcap_error>::new();
            (*error.at()).size = size_of::<kcap_error>();
            let read = |info, kernel, memory, text, len, sink, error| {
                kcap_log_read(info, kernel, memory, text, len, sink, null_mut(), error)
            };
            let stop = &raw const stopper;
            assert_eq!(read(info, kernel, memory, text, text_len, stop, error.at()), KCAP_ERR_IO);
            assert_eq!((*error.at()).code, -9);
            assert_eq!(read(null_mut(), kernel, memory, text, text_len, stop, null_mut()), KCAP_ERR_NULL);
            assert_eq!(read(info, null_mut(), memory, text, text_len, stop, null_mut()), KCAP_ERR_NULL);
            assert_eq!(read(info, kernel, null_mut(), text, text_len, stop, null_mut()), KCAP_ERR_NULL);
            assert_eq!(read(info, kernel, memory, null_mut(), text_len, stop, null_mut()), KCAP_ERR_NULL);
            assert_eq!(read(info, kernel, memory, text, text_len, null(), null_mut()), KCAP_ERR_NULL);
            assert_eq!(read(info, kernel, memory, text, usize::MAX, stop, null_mut()), KCAP_ERR_LENGTH);
        }
        let expected: Vec<_> = LogRecord::sample(3).iter().map(|record| record.ts_nsec).collect();
        assert_eq!(seen, expected);
        assert_eq!(String::from_utf8(lines).unwrap(), machine.expected_log().unwrap());
        generations += 1;
    }
    assert_eq!(generations, 2);
}

/// A kernel's virtual memory, as a program's own callback reads it.
unsafe extern "C" fn read_virt(ctx: *mut c_void, addr: u64, buf: *mut u8, len: usize) -> i32 {
    let setup = ptr::get_mut(ctx.cast::<Setup>()).unwrap();
    // SAFETY: the test's own objects, and the library's buffer.
    unsafe {
        match kcap_kernel_read(setup.kernel.at(), setup.memory.at(), addr, buf, len, null_mut()) {
            KCAP_OK => 0,
            status => status,
        }
    }
}

unsafe extern "C" fn print(ctx: *mut c_void, record: *const kcap_log_record) -> i32 {
    let sink = ptr::get(ctx.cast_const().cast::<kcap_log_sink>()).unwrap();
    // SAFETY: the library's record and the test's sink.
    unsafe { kcap_log_record_write(record, sink) }
}

#[test]
fn records_are_read_by_a_callback_and_printed_one_by_one() {
    let machine =
        Machine::x86_64(Era::V6_1).log(testkit::Generation::Ringbuffer, LogRecord::sample(9)).build();
    let mut setup = Setup::new(input(machine.elf().to_vec()));
    let (mut info, mut text) = (Room::<kcap_vmcoreinfo>::new(), Memory::new(KCAP_LOG_TEXT));
    let mut lines = Vec::<u8>::new();
    let printer = kcap_log_sink { ctx: (&raw mut lines).cast(), record: None, text: Some(take_text) };
    let sink = kcap_log_sink { ctx: (&raw const printer).cast_mut().cast(), record: Some(print), text: None };
    // SAFETY: all pointers are to what they say, or NULL.
    unsafe {
        assert_eq!(
            kcap_source_vmcoreinfo(setup.source.at(), info.at(), Room::<kcap_vmcoreinfo>::LEN),
            KCAP_OK
        );
        let reader = kcap_log_reader { ctx: (&raw mut setup).cast(), read: Some(read_virt) };
        let (text, text_len) = (text.at().cast(), text.len());
        let read = |info, reader: *const kcap_log_reader, big, bits, sink: *const kcap_log_sink| {
            kcap_log_read_with(info, reader, big, bits, text, text_len, sink, null_mut(), null_mut())
        };
        let (info, from, to) = (info.at(), &raw const reader, &raw const sink);
        let no_read = kcap_log_reader { read: None, ..reader };
        assert_eq!(read(null_mut(), from, 0, 64, to), KCAP_ERR_NULL);
        assert_eq!(read(info, null(), 0, 64, to), KCAP_ERR_NULL);
        assert_eq!(read(info, &raw const no_read, 0, 64, to), KCAP_ERR_NULL);
        assert_eq!(read(info, from, 2, 64, to), KCAP_ERR_INVALID);
        assert_eq!(read(info, from, 0, 16, to), KCAP_ERR_INVALID);
        assert_eq!(read(info, from, 0, 64, null()), KCAP_ERR_NULL);
        assert_eq!(read(info, from, 0, 64, &raw const printer), KCAP_ERR_NULL);
        assert!(lines.is_empty());
        assert_eq!(read(info, from, 0, 64, to), KCAP_OK);
        assert_eq!(core::str::from_utf8(&lines).unwrap(), machine.expected_log().unwrap());
        let nothing = core::mem::zeroed::<kcap_log_record>();
        assert_eq!(kcap_log_record_write(null(), &raw const printer), KCAP_ERR_NULL);
        assert_eq!(kcap_log_record_write(&raw const nothing, null()), KCAP_ERR_NULL);
        assert_eq!(kcap_log_record_write(&raw const nothing, to), KCAP_ERR_NULL);
        let endless = kcap_log_record { text: text.cast_const(), text_len: usize::MAX, ..nothing };
        assert_eq!(kcap_log_record_write(&raw const endless, &raw const printer), KCAP_ERR_LENGTH);
    }
}
