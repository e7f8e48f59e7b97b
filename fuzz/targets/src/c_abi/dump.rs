//! A dump: by steps, by chunks and by spans, and what it hides.

use core::ptr::{null, null_mut};

use capi::chunk::*;
use capi::dump::*;
use capi::redact::*;
use capi::report::*;
use capi::scan::*;
use capi::status::*;

use super::{Program, about};

impl Program<'_> {
    pub(super) fn dumper(&mut self) {
        let (Some(source), error) = (self.objects.source, self.error) else { return };
        let kernel = if self.input.u8() & 3 == 0 { None } else { self.objects.kernel.take() };
        let options = self.blocks.growing::<kcap_dump_options>(&mut self.input);
        // SAFETY: the block is as long as its size says, which is where it is.
        unsafe {
            let len = options.cast::<usize>().read().max(8);
            for at in 2..len / 4 {
                let value = u32::from(self.input.u8());
                options.cast::<u32>().add(at).write(if value < 40 { value } else { value & 3 });
            }
        }
        let shift = 15 + self.input.u8() % 5;
        let work_len = about(&mut self.input, 1 << shift);
        let work = self.blocks.bytes(work_len).cast();
        self.objects.dumper = None;
        self.objects.chunk = None;
        self.objects.encoded = None;
        init!(self, dumper, kcap_dumper_size(), |at, len| kcap_dumper_init(
            at,
            len,
            source,
            kernel.unwrap_or(null_mut()),
            options,
            work,
            work_len,
            error
        ));
    }

    pub(super) fn step(&mut self) {
        let (Some(dumper), Some(memory), error) = (self.objects.dumper, self.objects.memory, self.error)
        else {
            return;
        };
        let progress = self.blocks.out();
        for _ in 0..self.input.u8() {
            // SAFETY: all pointers are to what they say.
            if unsafe { kcap_dumper_step(dumper, memory, self.writer, progress, error) } != KCAP_OK {
                break;
            }
        }
    }

    pub(super) fn chunk(&mut self) {
        let (Some(dumper), Some(memory), error) = (self.objects.dumper, self.objects.memory, self.error)
        else {
            return;
        };
        let (writer, next) = (self.writer, self.blocks.out::<u32>());
        let how = self.input.u8();
        for _ in 0..if how & 1 == 0 { 20 } else { 0 } {
            let len = about(&mut self.input, kcap_chunk_size());
            let at = self.blocks.bytes(len).cast();
            // SAFETY: all pointers are to what they say.
            let status = unsafe { kcap_dumper_next_chunk(dumper, memory, writer, at, len, next, error) };
            // SAFETY: it was zeroed, or written by the call.
            if status != KCAP_OK || unsafe { *next } != KCAP_NEXT_AGAIN {
                // SAFETY: as above.
                if status == KCAP_OK && unsafe { *next } == KCAP_NEXT_CHUNK {
                    self.objects.chunk = Some(at);
                }
                break;
            }
        }
        let Some(chunk) = self.objects.chunk else { return };
        let params = self.blocks.out::<kcap_encode_params>();
        // SAFETY: all pointers are to what they say; a struct of its own size is filled in whole.
        let (scratch_len, out_len) = unsafe {
            (*params).size = size_of::<kcap_encode_params>();
            if kcap_dumper_get_params(dumper, params) != KCAP_OK {
                return;
            }
            ((*params).scratch_bytes as usize, (*params).out_bytes as usize)
        };
        let (scratch_len, out_len) = (about(&mut self.input, scratch_len), about(&mut self.input, out_len));
        let (scratch, out) = (self.blocks.bytes(scratch_len).cast(), self.blocks.bytes(out_len));
        let len = about(&mut self.input, kcap_encoded_size());
        let encoded = self.blocks.bytes(len).cast();
        // SAFETY: all pointers are to what they say.
        unsafe {
            let status = kcap_chunk_encode(
                chunk,
                params,
                memory,
                scratch,
                scratch_len,
                out,
                out_len,
                encoded,
                len,
                error,
            );
            if status == KCAP_OK {
                assert!(kcap_encoded_bytes(encoded) <= out_len);
                self.objects.encoded = Some((encoded, out, out_len));
            }
            if let Some((encoded, out, out_len)) = self.objects.encoded {
                let len =
                    if how & 2 == 0 { kcap_encoded_bytes(encoded) } else { self.input.below(out_len + 1) };
                kcap_dumper_commit_chunk(dumper, chunk, encoded, out, len, writer, error);
            }
        }
    }

    pub(super) fn end_dump(&mut self) {
        let (Some(dumper), error) = (self.objects.dumper, self.error) else { return };
        let (report, counts) = (self.blocks.growing(&mut self.input), self.blocks.growing(&mut self.input));
        // SAFETY: all pointers are to what they say.
        unsafe {
            kcap_dumper_get_report(dumper, report);
            kcap_dumper_get_counts(dumper, counts);
            if self.input.u8() & 1 == 0 {
                kcap_dumper_finish(dumper, self.writer, error);
            } else {
                kcap_dumper_abandon(dumper, self.writer, error);
            }
        }
    }

    /// Ranges of physical and virtual memory and a bitmap of pages; a dumper that there is, is to hide them.
    pub(super) fn redaction(&mut self) {
        let error = self.error;
        let (count, how) = (self.input.below(5), self.input.u8());
        let secrets = self.blocks.bytes(count * size_of::<kcap_secret>()).cast::<kcap_secret>();
        for at in 0..count {
            let is_virtual = u32::from(self.input.u8() & 3 == 3);
            let start =
                if how & 1 == 0 { 0x20_0000 + self.input.u64() % 0x5_0000 } else { self.input.extreme() };
            let len = if how & 2 == 0 { u64::from(self.input.u16()) } else { self.input.extreme() };
            let text_len = usize::from(self.input.u8() & 31);
            let mut text = self.input.bytes(text_len).to_vec();
            text.push(0);
            let name = if text_len == 0 { null() } else { self.blocks.copy(&text).cast_const().cast() };
            // SAFETY: the block has room for `count` of them.
            unsafe { secrets.add(at).write(kcap_secret { start, len, name, is_virtual, reserved: 0 }) };
        }
        let bits = self.input.bytes(usize::from(how >> 5)).to_vec();
        let pages = self.blocks.out::<kcap_secret_pages>();
        let first = if how & 4 == 0 { 0x200 } else { self.input.extreme() };
        let bits_at = self.blocks.copy(&bits);
        // SAFETY: the block is one of them.
        unsafe { pages.write(kcap_secret_pages { bits: bits_at, len: bits.len(), first, name: null() }) };
        let pages = if how & 8 == 0 { null_mut() } else { pages };
        let (kernel, memory) = (self.objects.kernel, self.objects.memory);
        let work_len = about(&mut self.input, kcap_redaction_work(count + 2));
        let work = self.blocks.bytes(work_len).cast();
        init!(self, redaction, kcap_redaction_size(), |at, len| kcap_redaction_init(
            at,
            len,
            secrets,
            count,
            pages,
            kernel.unwrap_or(null_mut()),
            memory.unwrap_or(null_mut()),
            work,
            work_len,
            error
        ));
        if let (Some(dumper), Some(redaction)) = (self.objects.dumper, self.objects.redaction) {
            // SAFETY: both are objects, and stay where they are.
            unsafe { kcap_dumper_set_redaction(dumper, redaction, error) };
        }
    }

    /// Spans of a pass, each scanned and committed.
    pub(super) fn spans(&mut self) {
        let (Some(dumper), Some(memory), error) = (self.objects.dumper, self.objects.memory, self.error)
        else {
            return;
        };
        init!(self, scanner, kcap_scanner_size(), |at, len| kcap_scanner_init(at, len, dumper, error));
        let Some(scanner) = self.objects.scanner else { return };
        for _ in 0..4 {
            let span_len = about(&mut self.input, kcap_scan_span_size());
            let scanned_len = about(&mut self.input, kcap_scanned_size());
            // SAFETY: the scanner is one.
            let scratch_len = about(&mut self.input, unsafe { kcap_scanner_scratch(scanner) });
            let count = about(&mut self.input, KCAP_SPAN_WORDS);
            let (span, scanned) = (self.blocks.bytes(span_len).cast(), self.blocks.bytes(scanned_len).cast());
            let (scratch, words) =
                (self.blocks.bytes(scratch_len).cast(), self.blocks.bytes(8 * count).cast());
            let facts = self.blocks.out();
            // SAFETY: all pointers are to what they say; an object is used only if it was made.
            unsafe {
                if kcap_dumper_next_span(dumper, memory, span, span_len, error) != KCAP_OK {
                    return;
                }
                kcap_scan_span_get_facts(span, facts);
                let status = kcap_scanner_scan(
                    scanner,
                    span,
                    memory,
                    words,
                    count,
                    scratch,
                    scratch_len,
                    scanned,
                    scanned_len,
                    error,
                );
                if status != KCAP_OK {
                    return;
                }
                kcap_dumper_commit_span(dumper, span, scanned, words, count, memory, error);
            }
        }
    }
}
