//! What a dump is made of: pages, notes, VMCOREINFO; and whether it is whole.

use capi::codec::*;
use capi::error::kcap_error;
use capi::note::*;
use capi::status::*;
use capi::verify::*;
use capi::vmcoreinfo::*;

use super::{Program, about};

impl Program<'_> {
    pub(super) fn pages(&mut self) {
        let error = self.error;
        let (codec, page_len) = (u32::from(self.input.u8() % 8), about(&mut self.input, 4096));
        let pattern = self.input.u8();
        let page: Vec<u8> = (0..page_len).map(|i| (i as u8) & pattern).collect();
        let page = self.blocks.copy(&page);
        let scratch_len = about(&mut self.input, kcap_page_encode_scratch(codec, page_len));
        let scratch = self.blocks.bytes(scratch_len).cast();
        let out_len = about(&mut self.input, page_len);
        let (out, packed) = (self.blocks.bytes(out_len), self.blocks.out::<usize>());
        init!(self, decoder, kcap_page_decoder_size(), |at, len| kcap_page_decoder_init(at, len, error));
        // SAFETY: all pointers are to what they say.
        unsafe {
            let status =
                kcap_page_encode(codec, page, page_len, out, out_len, scratch, scratch_len, packed, error);
            let len = if status == KCAP_OK { *packed } else { out_len };
            assert!(len <= out_len);
            let Some(decoder) = self.objects.decoder else { return };
            let again_len = about(&mut self.input, page_len);
            let again = self.blocks.bytes(again_len);
            kcap_page_decode(decoder, codec, out, len, again, again_len, error);
        }
    }

    pub(super) fn notes(&mut self) {
        let (reader, error) = (self.reader, self.error);
        match (self.objects.elf, self.objects.kdump, self.input.u8() % 3) {
            (Some(elf), _, 0) => {
                init!(self, notes, kcap_notes_size(), |at, len| kcap_notes_init_elf(at, len, elf, error));
            }
            (_, Some(kdump), 1) => {
                init!(self, notes, kcap_notes_size(), |at, len| kcap_notes_init_kdump(at, len, kdump, error));
            }
            _ => {
                let (offset, len_of) = (self.input.extreme(), self.input.extreme());
                init!(self, notes, kcap_notes_size(), |at, len| kcap_notes_init_region(
                    at, len, reader, offset, len_of, 4, 0, error
                ));
            }
        }
        let Some(notes) = self.objects.notes else { return };
        for _ in 0..40 {
            let note = self.blocks.out();
            let len = about(&mut self.input, 336);
            let buf = self.blocks.bytes(len);
            // SAFETY: all pointers are to what they say.
            unsafe {
                if kcap_notes_next(notes, note, error) != KCAP_OK {
                    break;
                }
                kcap_notes_read(notes, buf, len, error);
            }
        }
    }

    pub(super) fn info(&mut self) {
        let error = self.error;
        if self.input.u8() & 1 == 0 {
            let len = usize::from(self.input.u8());
            let text = self.input.bytes(len).to_vec();
            let text_at = self.blocks.copy(&text);
            init!(self, info, kcap_vmcoreinfo_size(), |at, len| kcap_vmcoreinfo_init(
                at,
                len,
                text_at,
                text.len(),
                error
            ));
        }
        let Some(info) = self.objects.info else { return };
        let (text, value, number) = (self.blocks.out(), self.blocks.out(), self.blocks.out());
        let (position, facts) = (self.blocks.out::<usize>(), self.blocks.growing(&mut self.input));
        let key = self.blocks.out();
        // SAFETY: all pointers are to what they say.
        unsafe {
            kcap_vmcoreinfo_text(info, text);
            kcap_vmcoreinfo_get(info, c"OSRELEASE".as_ptr(), text);
            kcap_vmcoreinfo_get_symbol(info, c"mem_map".as_ptr(), value);
            kcap_vmcoreinfo_get_number(info, c"PG_lru".as_ptr(), number);
            kcap_vmcoreinfo_get_facts(info, facts);
            *position = self.input.below(5000);
            for _ in 0..20 {
                if kcap_vmcoreinfo_next(info, position, key, text) != KCAP_OK {
                    break;
                }
            }
        }
    }

    pub(super) fn verifier(&mut self) {
        let error = self.error;
        if let (Some(kdump), 0) = (self.objects.kdump, self.input.u8() & 1) {
            let pages = self.input.below(300);
            // SAFETY: the object is one.
            let work_len = about(&mut self.input, unsafe { kcap_verifier_kdump_work(kdump, pages) });
            let work = self.blocks.bytes(work_len).cast();
            init!(self, verifier, kcap_verifier_size(), |at, len| kcap_verifier_init_kdump(
                at, len, kdump, work, work_len, error
            ));
        } else if let Some(memory) = self.objects.memory.take() {
            // Nothing else uses it from now on.
            let (truncated, page_len) = (u32::from(self.input.u8() & 1), about(&mut self.input, 4096));
            let page = self.blocks.bytes(page_len);
            init!(self, verifier, kcap_verifier_size(), |at, len| kcap_verifier_init(
                at, len, memory, truncated, page, page_len, error
            ));
        }
        let Some(verifier) = self.objects.verifier else { return };
        let (verified, pfn) = (self.blocks.growing(&mut self.input), self.blocks.out());
        let (flaw, index) = (self.blocks.growing::<kcap_error>(&mut self.input), self.input.below(70));
        // SAFETY: all pointers are to what they say.
        unsafe {
            for _ in 0..self.input.u8() {
                if kcap_verifier_step(verifier, error) != KCAP_OK {
                    break;
                }
            }
            kcap_verifier_get_verified(verifier, verified);
            kcap_verifier_get_flaw(verifier, index, pfn, flaw);
        }
    }
}
