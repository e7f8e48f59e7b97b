//! What the next kernel finds in memory: its command line, `boot_params`, the header of the core to come.

use core::ffi::c_char;
use core::ptr::{null, null_mut};

use capi::boot_params::*;
use capi::command_line::*;
use capi::elfcorehdr::*;
use capi::map::{kcap_memory_map, kcap_range, kcap_span};
use capi::status::*;

use super::{Program, about};

impl Program<'_> {
    /// A text of at most 63 bytes, or none.
    pub(super) fn text(&mut self) -> *const c_char {
        let len = usize::from(self.input.u8());
        if len > 192 {
            return null();
        }
        let mut text = self.input.bytes(len & 63).to_vec();
        text.push(0);
        self.blocks.copy(&text).cast_const().cast()
    }

    pub(super) fn command_line(&mut self) {
        let error = self.error;
        let (len, buf_len) = (about(&mut self.input, kcap_command_line_size()), usize::from(self.input.u8()));
        let (line, buf) = (self.blocks.bytes(len).cast(), self.blocks.bytes(buf_len).cast());
        let (text, line_len) = (self.text(), self.blocks.out::<usize>());
        // SAFETY: all pointers are to what they say.
        unsafe {
            if kcap_command_line_init(line, len, buf, buf_len, text, error) != KCAP_OK {
                return;
            }
            for _ in 0..self.input.u8() & 7 {
                let (name, value) = (self.text(), self.text());
                kcap_command_line_add(line, name, value, error);
                kcap_command_line_add_text(line, value, error);
                if !name.is_null() {
                    kcap_command_line_has(line, name);
                }
            }
            let at = kcap_command_line_bytes(line, line_len);
            assert!(*line_len <= buf_len && (*line_len == 0 || at == buf.cast_const()));
            kcap_command_line_check(line, self.input.extreme(), error);
        }
    }

    pub(super) fn boot_params(&mut self) {
        let error = self.error;
        let (params, running) =
            (self.blocks.bytes(KCAP_BOOT_PARAMS_LEN), self.blocks.bytes(KCAP_BOOT_PARAMS_LEN));
        for block in [params, running] {
            for _ in 0..self.input.u8() & 15 {
                let (at, value) = (self.input.below(KCAP_BOOT_PARAMS_LEN), self.input.u8());
                // SAFETY: the block is as long.
                unsafe { block.add(at).write(value) };
            }
        }
        let (address, len) = (self.input.extreme(), self.input.extreme());
        let (places, range) = (self.blocks.growing(&mut self.input), self.blocks.out::<kcap_range>());
        // SAFETY: all pointers are to what they say.
        unsafe {
            if let Some(image) = self.objects.image {
                kcap_boot_params_of_image(image, params);
            }
            kcap_boot_params_take_over(params, running);
            kcap_boot_params_set_initrd(params, address, len);
            kcap_boot_params_set_command_line(params, address);
            kcap_boot_params_set_efi(params, address, len);
            kcap_boot_params_get_places(params, places);
            kcap_boot_params_get_e820(params, self.input.below(140), range);
        }
        let count = usize::from(self.input.u8() & 7);
        let descriptors = self.input.bytes(count * KCAP_EFI_DESCRIPTOR_LEN).to_vec();
        let descriptors_at = self.blocks.copy(&descriptors);
        let efi = self.blocks.out::<kcap_efi_runtime>();
        let (setup_data, setup_data_count) = self.setup_data();
        let segment = self.blocks.out::<kcap_boot_segment>();
        let command_line = self.text();
        // SAFETY: all pointers are to what they say.
        unsafe {
            (*efi).runtime_map = descriptors_at;
            (*efi).runtime_map_count = descriptors.len() / KCAP_EFI_DESCRIPTOR_LEN;
            (*efi).loader_signature = *b"EL64";
            let efi = self.blocks.resized(&mut self.input, efi);
            (*segment).boot_params = params;
            (*segment).command_line = command_line;
            (*segment).efi = if self.input.u8() & 1 == 0 { null() } else { efi };
            ((*segment).setup_data, (*segment).setup_data_count) = (setup_data, setup_data_count);
            ((*segment).initrd, (*segment).initrd_len) = (address, len);
            let segment = self.blocks.resized(&mut self.input, segment);
            let needed = self.blocks.out::<usize>();
            let measured = kcap_boot_segment_len(segment, needed, error);
            let out_len = about(&mut self.input, *needed);
            let (out, written) = (self.blocks.bytes(out_len), self.blocks.out::<usize>());
            let at = self.input.extreme();
            if kcap_boot_segment_encode(segment, at, out, out_len, written, error) == KCAP_OK {
                assert_eq!((measured, *written), (KCAP_OK, *needed));
            }
        }
    }

    /// What a header of this memory is made of, in a struct of any size.
    pub(super) fn elfcorehdr_of(&mut self, memory: *const kcap_memory_map) -> *mut kcap_elfcorehdr {
        let how = self.input.u8();
        let cpus = usize::from(how & 7);
        let notes = self.blocks.bytes((cpus + 1) * size_of::<kcap_note_buffer>()).cast::<kcap_note_buffer>();
        for at in 0..=cpus {
            let note = kcap_note_buffer { paddr: self.input.extreme(), len: self.input.u16().into() };
            // SAFETY: the block has room for them.
            unsafe { notes.add(at).write(note) };
        }
        let excluded = usize::from(how >> 3 & 3);
        let exclude = self.blocks.bytes(excluded * size_of::<kcap_span>()).cast::<kcap_span>();
        for at in 0..excluded {
            let span = kcap_span { start: self.input.extreme(), end: self.input.extreme() };
            // SAFETY: the block has room for them.
            unsafe { exclude.add(at).write(span) };
        }
        let offset = self.input.extreme();
        let maps = [
            kcap_direct_map_x86_64(offset),
            kcap_direct_map_i386(),
            kcap_direct_map_arm64(offset, self.input.extreme()),
            kcap_direct_map_riscv64(offset, self.input.extreme()),
            kcap_direct_map_ppc64(offset),
        ];
        let map = self.blocks.out::<kcap_direct_map>();
        // SAFETY: the block has room for it.
        unsafe { map.write(self.input.pick(&maps)) };
        let (address, virt) = (self.input.extreme(), self.blocks.out());
        let text = self.blocks.out::<kcap_kernel_text>();
        let backup = self.blocks.out::<kcap_backup>();
        let header = self.blocks.out::<kcap_elfcorehdr>();
        let e_machine = [62, 3, 183, 243, 21, 22, 40, self.input.u16().into()][self.input.below(8)];
        // SAFETY: all pointers are to what they say.
        unsafe {
            kcap_direct_map_virt(map, address, virt);
            *text = kcap_kernel_text { vaddr: address, paddr: self.input.extreme(), len: offset };
            (*backup).source = kcap_span { start: self.input.extreme(), end: self.input.extreme() };
            (*backup).copy = address;
            let header = &mut *header;
            (header.memory, header.cpu_notes, header.cpu_notes_count) = (memory, notes, cpus);
            header.vmcoreinfo = if how & 0x20 == 0 { notes.add(cpus) } else { null() };
            header.text = if how & 0x40 == 0 { text } else { null() };
            header.direct_map = if how & 0x80 == 0 { map } else { null() };
            (header.exclude, header.exclude_count) = (exclude, excluded);
            header.backup = if self.input.u8() & 3 == 0 { backup } else { null() };
            header.e_machine = e_machine;
            header.bits = match self.input.u8() & 7 {
                0..4 => kcap_elfcorehdr_bits(e_machine, memory),
                4 => 32,
                5 => 64,
                _ => self.input.u8().into(),
            };
            header.big_endian = u32::from(self.input.u8() == 1);
            self.blocks.resized(&mut self.input, header)
        }
    }

    pub(super) fn elfcorehdr(&mut self) {
        let (memory, error) = (self.memory_map(), self.error);
        let header = self.elfcorehdr_of(memory);
        // SAFETY: all pointers are to what they say.
        unsafe {
            let (omitted, lengths) = (self.blocks.out(), self.blocks.out::<kcap_elfcorehdr_lengths>());
            (*lengths).size = size_of::<kcap_elfcorehdr_lengths>();
            kcap_elfcorehdr_get_omitted(header, omitted, error);
            let measured = kcap_elfcorehdr_measure(header, lengths, error);
            let buf_len = about(&mut self.input, (*lengths).encoded_len as usize);
            let (buf, len) = (self.blocks.bytes(buf_len), self.blocks.out::<usize>());
            if kcap_elfcorehdr_encode(header, buf, buf_len, len, error) == KCAP_OK {
                assert_eq!((measured, *len as u64), (KCAP_OK, (*lengths).encoded_len));
            }
            kcap_elfcorehdr_encode(header, null_mut(), 0, len, error);
        }
    }
}
