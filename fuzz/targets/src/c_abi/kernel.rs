//! The crashed kernel: its memory, its kinds of pages, its log.

use capi::filter::*;
use capi::kernel::*;
use capi::sections::*;
use capi::status::*;

use super::{Program, about};

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
}
