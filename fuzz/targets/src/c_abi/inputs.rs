//! Files, and the memory in them.

use capi::callback::kcap_read_at;
use capi::elf::*;
use capi::flattened::*;
use capi::input_kind::kcap_input_kind;
use capi::kdump::*;
use capi::machine::kcap_pfn_range;
use capi::memory::*;
use capi::source::*;
use capi::status::*;
use capi::vmcoreinfo::kcap_vmcoreinfo_size;

use super::{Program, about};

impl Program<'_> {
    pub(super) fn open_elf(&mut self) {
        let (reader, error) = (self.reader, self.error);
        // SAFETY: the table outlives the call.
        let _kind = unsafe { kcap_input_kind(reader) };
        let table_len = about(&mut self.input, 56 * 16);
        let table = self.blocks.bytes(table_len).cast();
        init!(self, elf, kcap_elf_core_size(), |at, len| kcap_elf_core_init(
            at, len, reader, table, table_len, error
        ));
        let Some(elf) = self.objects.elf else { return };
        let header = self.blocks.growing(&mut self.input);
        let (index, load) = (self.input.below(20), self.blocks.out());
        // SAFETY: all pointers are to what they say.
        unsafe {
            kcap_elf_core_get_header(elf, header);
            kcap_elf_core_get_load(elf, index, load);
        }
    }

    pub(super) fn open_kdump(&mut self) {
        let (reader, error) = (self.reader, self.error);
        let inputs = [reader, reader];
        let (count, flags) = (self.input.below(3), u32::from(self.input.u8() & 1));
        let work_len = about(&mut self.input, kcap_kdump_work(count));
        let work = self.blocks.bytes(work_len).cast();
        init!(self, kdump, kcap_kdump_size(), |at, len| kcap_kdump_init(
            at,
            len,
            inputs.as_ptr(),
            count,
            flags,
            work,
            work_len,
            error
        ));
    }

    pub(super) fn pages_of_kdump(&mut self) {
        let (Some(kdump), error) = (self.objects.kdump, self.error) else { return };
        let (pfn, run, count, part) =
            (self.input.extreme(), self.blocks.out(), self.blocks.out(), self.blocks.out());
        let (desc, header) = (self.blocks.out(), self.blocks.growing(&mut self.input));
        // SAFETY: all pointers are to what they say.
        unsafe {
            kcap_kdump_next_known(kdump, pfn, run, error);
            kcap_kdump_next_held(kdump, pfn, run, error);
            kcap_kdump_held_below(kdump, pfn, count, error);
            kcap_kdump_get_page_desc(kdump, pfn, part, desc, error);
            kcap_kdump_get_header(kdump, header);
        }
    }

    pub(super) fn stream(&mut self) {
        let (reader, error) = (self.reader, self.error);
        let table_len = about(&mut self.input, 24 * 64);
        let table = self.blocks.bytes(table_len).cast();
        init!(self, flattened, kcap_flattened_size(), |at, len| kcap_flattened_init(
            at, len, reader, table, table_len, error
        ));
        let Some(flattened) = self.objects.flattened else { return };
        let inner = self.blocks.out::<kcap_read_at>();
        let (offset, len) = (self.input.extreme(), self.input.below(300));
        let buf = self.blocks.bytes(len);
        // SAFETY: all pointers are to what they say.
        unsafe {
            if kcap_flattened_reader(flattened, inner) == KCAP_OK
                && let Some(read_at) = (*inner).read_at
            {
                read_at((*inner).ctx, offset, buf, len);
            }
        }
    }

    pub(super) fn source(&mut self) {
        let (elf, kdump, error) = (self.objects.elf, self.objects.kdump, self.error);
        let text_len = about(&mut self.input, 0x2000);
        let text = self.blocks.bytes(text_len);
        if let (Some(elf), true) = (elf, self.input.u8() & 1 == 0 || kdump.is_none()) {
            init!(self, source, kcap_source_size(), |at, len| kcap_source_init_elf(
                at, len, elf, text, text_len, error
            ));
        } else if let Some(kdump) = kdump {
            init!(self, source, kcap_source_size(), |at, len| kcap_source_init_kdump(
                at, len, kdump, text, text_len, error
            ));
        }
        let Some(source) = self.objects.source else { return };
        let facts = self.blocks.growing(&mut self.input);
        // SAFETY: all pointers are to what they say.
        unsafe { kcap_source_get_facts(source, facts, error) };
        init!(self, info, kcap_vmcoreinfo_size(), |at, len| kcap_source_vmcoreinfo(source, at, len));
    }

    pub(super) fn memory(&mut self) {
        let (elf, kdump, error) = (self.objects.elf, self.objects.kdump, self.error);
        let page_size = [4096, 0x1_0000, 0, 4097, u64::MAX][self.input.below(40).saturating_sub(35)];
        if let (Some(elf), true) = (elf, self.input.u8() & 1 == 0 || kdump.is_none()) {
            // SAFETY: the object is one.
            let work_len = about(&mut self.input, unsafe { kcap_memory_elf_work(elf) });
            let work = self.blocks.bytes(work_len).cast();
            init!(self, memory, kcap_memory_size(), |at, len| kcap_memory_init_elf(
                at, len, elf, page_size, work, work_len, error
            ));
        } else if let Some(kdump) = kdump {
            // SAFETY: the object is one.
            let work_len = about(&mut self.input, unsafe { kcap_memory_kdump_work(kdump) });
            let work = self.blocks.bytes(work_len).cast();
            init!(self, memory, kcap_memory_size(), |at, len| kcap_memory_init_kdump(
                at, len, kdump, work, work_len, error
            ));
        }
    }

    pub(super) fn read(&mut self) {
        let (Some(memory), error) = (self.objects.memory, self.error) else { return };
        let (addr, len) = (self.input.extreme(), self.input.below(9000));
        let (buf, run) = (self.blocks.bytes(len), self.blocks.out::<kcap_pfn_range>());
        // SAFETY: all pointers are to what they say.
        unsafe {
            kcap_memory_read(memory, addr, buf, len, error);
            kcap_memory_next_known(memory, addr >> 12, run, error);
            kcap_memory_next_held(memory, addr, run, error);
            kcap_memory_end(memory);
            kcap_memory_bytes(memory, addr, len);
        }
    }
}
