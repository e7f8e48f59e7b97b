//! The crashed kernel: its memory, its kinds of pages, its log.

use core::ffi::c_void;

use capi::callback::{kcap_log_reader, kcap_log_record, kcap_log_sink};
use capi::filter::*;
use capi::kernel::*;
use capi::log::*;
use capi::sections::*;
use capi::status::*;

use super::{Program, about};

/// Every byte is read, so that one too far is seen; the record that brings `ctx` to 0 fails.
unsafe extern "C" fn take_record(ctx: *mut c_void, record: *const kcap_log_record) -> i32 {
    // SAFETY: the record and its text are there until the end of the call.
    unsafe { take_text(ctx, (*record).text, (*record).text_len) }
}

unsafe extern "C" fn take_text(ctx: *mut c_void, bytes: *const u8, len: usize) -> i32 {
    // SAFETY: `bytes` is as long as said; `ctx` is a counter that outlives the call.
    let (bytes, left) = unsafe { (core::slice::from_raw_parts(bytes, len), &mut *ctx.cast::<u32>()) };
    core::hint::black_box(bytes.iter().fold(0_u8, |sum, byte| sum.wrapping_add(*byte)));
    *left = left.wrapping_sub(1);
    if *left == 0 { 77 } else { 0 }
}

/// Memory that is the file's first bytes again and again.
unsafe extern "C" fn read_log(ctx: *mut c_void, addr: u64, buf: *mut u8, len: usize) -> i32 {
    // SAFETY: as `read_at` says.
    unsafe { super::read_at(ctx, addr & 0xfff, buf, len) }
}

impl Program<'_> {
    pub(super) fn kernel(&mut self) {
        let (Some(source), Some(memory), error) = (self.objects.source, self.objects.memory, self.error)
        else {
            return;
        };
        init!(self, kernel, kcap_kernel_size(), |at, len| kcap_kernel_init(at, len, source, memory, error));
    }

    pub(super) fn virtual_memory(&mut self) {
        let (Some(kernel), Some(memory), error) = (self.objects.kernel, self.objects.memory, self.error)
        else {
            return;
        };
        let (addr, len) = (self.input.extreme(), self.input.below(9000));
        let (mapping, buf, facts) =
            (self.blocks.out(), self.blocks.bytes(len), self.blocks.growing(&mut self.input));
        let kinds_len = self.input.below(600);
        let kinds = self.blocks.bytes(kinds_len);
        // SAFETY: all pointers are to what they say.
        unsafe {
            kcap_kernel_translate(kernel, memory, addr, mapping, error);
            kcap_kernel_read(kernel, memory, addr, buf, len, error);
            kcap_kernel_get_facts(kernel, facts);
            kcap_kernel_page_kinds(kernel, memory, addr >> 52, kinds, kinds_len, error);
        }
    }

    pub(super) fn filter(&mut self) {
        let error = self.error;
        if let Some(kernel) = self.objects.kernel.take() {
            let level = u32::from(self.input.u8() & 63);
            init!(self, filter, kcap_filter_size(), |at, len| kcap_filter_init(
                at, len, kernel, level, error
            ));
        }
        let (Some(filter), Some(memory)) = (self.objects.filter, self.objects.memory) else { return };
        let start = u64::from(self.input.u16() & 0x7ff);
        let end = start.wrapping_add(self.input.below(2000) as u64).wrapping_sub(1);
        let words = about(&mut self.input, end.saturating_sub(start).div_ceil(64) as usize);
        let scratch_len = about(&mut self.input, 0x8000);
        let (dumpable, scratch) = (self.blocks.bytes(8 * words).cast(), self.blocks.bytes(scratch_len));
        let (counts, findings) = (self.blocks.growing(&mut self.input), self.blocks.growing(&mut self.input));
        // SAFETY: all pointers are to what they say.
        unsafe {
            kcap_filter_scan(filter, memory, start, end, dumpable, words, scratch, scratch_len, error);
            kcap_filter_get_counts(filter, counts);
            kcap_filter_get_findings(filter, 1, findings);
        }
    }

    pub(super) fn sections(&mut self) {
        let Some(kernel) = self.objects.kernel else { return };
        let sections = self.blocks.growing(&mut self.input);
        // SAFETY: all pointers are to what they say.
        unsafe { kcap_kernel_get_sections(kernel, sections) };
    }

    /// The log: its records, its lines, or by a reader of virtual memory of the caller's own.
    pub(super) fn log(&mut self) {
        let (Some(info), error) = (self.objects.info, self.error) else { return };
        let left = self.blocks.out::<u32>();
        // SAFETY: the block is one.
        unsafe { left.write(self.input.u16().into()) };
        let sink = kcap_log_sink { ctx: left.cast(), record: Some(take_record), text: Some(take_text) };
        let text_len = about(&mut self.input, 1024);
        let (text, tally) = (self.blocks.bytes(text_len), self.blocks.growing(&mut self.input));
        let (how, sink) = (self.input.u8() % 3, &raw const sink);
        // SAFETY: all pointers are to what they say, and different ones.
        unsafe {
            match (self.objects.kernel, self.objects.memory, how) {
                (Some(kernel), Some(memory), 0) => {
                    kcap_log_read(info, kernel, memory, text, text_len, sink, tally, error);
                }
                (Some(kernel), Some(memory), 1) => {
                    kcap_log_write(info, kernel, memory, text, text_len, sink, tally, error);
                }
                _ => {
                    let reader = kcap_log_reader { ctx: (*self.reader).ctx, read: Some(read_log) };
                    let bits = [64, 32, 0, 65][self.input.below(4)];
                    let big_endian = u32::from(self.input.u8() & 1);
                    kcap_log_read_with(
                        info,
                        &raw const reader,
                        big_endian,
                        bits,
                        text,
                        text_len,
                        sink,
                        tally,
                        error,
                    );
                }
            }
            let record = kcap_log_record {
                seq: self.input.extreme(),
                ts_nsec: self.input.extreme(),
                text,
                text_len,
                caller_id: self.input.u32(),
                has_seq: 1,
                has_ts: self.input.u8().into(),
                has_caller: self.input.u8().into(),
                cut: 0,
                reserved: 0,
            };
            kcap_log_record_write(&raw const record, sink);
        }
    }
}
