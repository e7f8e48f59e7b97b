//! A plan of a kernel, and the hash of what it loads.

use core::ptr::{null, null_mut};

use capi::boot_params::kcap_setup_data;
use capi::check::kcap_refusal;
use capi::digest::*;
use capi::elfcorehdr::kcap_backup;
use capi::image::kcap_image_size;
use capi::map::*;
use capi::plan::*;
use capi::status::*;

use super::{Program, about};
use crate::kernels;

impl Program<'_> {
    /// A map of 1 GiB with a region for a crash kernel, or the map that there is.
    pub(super) fn memory_map(&mut self) -> *const kcap_memory_map {
        if let (Some(map), 3) = (self.objects.map, self.input.u8() & 3) {
            return map;
        }
        let (table, map) = (self.blocks.bytes(24 * 8), self.blocks.bytes(kcap_memory_map_size()).cast());
        let ranges = [
            (0x1000, 0x9_f000, KCAP_RANGE_SYSTEM_RAM),
            (0x10_0000, 0x4000_0000, KCAP_RANGE_SYSTEM_RAM),
            (0x2000_0000, 0x2a00_0000, KCAP_RANGE_CRASH_KERNEL),
        ];
        // SAFETY: all pointers are to what they say.
        unsafe {
            let len = kcap_memory_map_size();
            assert_eq!(kcap_memory_map_init(map, len, table.cast(), 24 * 8, null_mut()), KCAP_OK);
            for (start, end, kind) in ranges {
                let range = kcap_range { start, end, kind, reserved: 0 };
                assert_eq!(kcap_memory_map_set(map, &raw const range, null_mut()), KCAP_OK);
            }
        }
        map
    }

    /// A kernel of a kind of the input's choice, some of its bytes changed, or any bytes.
    fn kernel_file(&mut self) -> (*const u8, usize) {
        let mut file = match self.input.u8() & 7 {
            0..3 => kernels::bzimage(&kernels::DEBIAN),
            3 => kernels::uki(&kernels::bzimage(&kernels::DEBIAN), b""),
            4 => kernels::vmlinux(&[(0x10_0000, 0x1000)], true),
            5 => kernels::arm64(),
            6 => kernels::riscv(),
            _ => self.input.clone().rest().to_vec(),
        };
        for _ in 0..self.input.u8() & 3 {
            let (at, value) = (usize::from(self.input.u16()), self.input.u8());
            if let Some(byte) = file.get_mut(at) {
                *byte = value;
            }
        }
        (self.blocks.copy(&file), file.len())
    }

    /// What else the next kernel is given.
    pub(super) fn setup_data(&mut self) -> (*const kcap_setup_data, usize) {
        let count = self.input.below(4);
        let items = self.blocks.bytes(count * size_of::<kcap_setup_data>()).cast::<kcap_setup_data>();
        for at in 0..count {
            let (kind, len) = (u32::from(self.input.u8() & 15), usize::from(self.input.u8()));
            let bytes = self.input.bytes(len).to_vec();
            let item =
                kcap_setup_data { data: self.blocks.copy(&bytes), len: bytes.len(), kind, reserved: 0 };
            // SAFETY: the block has room for `count` of them.
            unsafe { items.add(at).write(item) };
        }
        (items, count)
    }

    pub(super) fn plan(&mut self) {
        let error = self.error;
        let (memory, how) = (self.memory_map(), self.input.u8());
        let (kernel, kernel_len) = self.kernel_file();
        let initrd = self.input.bytes(usize::from(how & 0x30)).to_vec();
        let elfcorehdr = *b"\x7fELF\x02\x01\x01\0\0\0\0\0\0\0\0\0\x04\0\x3e\0\x01\0\0\0";
        let (initrd_at, elfcorehdr_at) = (self.blocks.copy(&initrd), self.blocks.copy(&elfcorehdr));
        let command_line = self.text();
        let (setup_data, setup_data_count) = self.setup_data();
        let (backup, limits) = (self.blocks.out::<kcap_backup>(), self.blocks.out::<kcap_span>());
        let request = self.blocks.out::<kcap_plan_request>();
        let purgatory = self.blocks.growing(&mut self.input);
        let running = self.blocks.growing(&mut self.input);
        // SAFETY: all pointers are to what they say.
        let request = unsafe {
            (*limits).end = u64::MAX;
            let found = kcap_plan_low_memory_backup(memory, limits, backup) == KCAP_OK;
            let request = &mut *request;
            (request.kernel, request.kernel_len) = (kernel, kernel_len);
            (request.initrd, request.initrd_len) = (initrd_at, initrd.len());
            (request.memory, request.command_line) = (memory, command_line);
            (request.setup_data, request.setup_data_count) = (setup_data, setup_data_count);
            if how & 1 == 0 {
                request.load = KCAP_LOAD_CRASH;
                (request.elfcorehdr, request.elfcorehdr_len) = (elfcorehdr_at, elfcorehdr.len());
                request.elfcorehdr_room = if how & 8 == 0 { 0 } else { self.input.extreme() };
                request.backup = if how & 2 != 0 && found { backup } else { null() };
            }
            request.firmware = if how & 4 == 0 { null() } else { memory };
            request.purgatory = if self.input.u8() & 3 == 0 { purgatory } else { null() };
            request.running = if self.input.u8() & 3 == 0 { running } else { null() };
            if self.input.u8() & 3 == 0 {
                request.limits = kcap_span { start: self.input.extreme(), end: self.input.extreme() };
            }
            request.acpi_rsdp = self.input.u16().into();
            self.blocks.resized(&mut self.input, request)
        };
        let work_len = about(&mut self.input, KCAP_PLAN_MEMORY);
        let (work, len) = (self.blocks.bytes(work_len).cast(), about(&mut self.input, kcap_plan_size()));
        let plan = self.blocks.bytes(len).cast();
        let refusal = self.blocks.growing::<kcap_refusal>(&mut self.input);
        // SAFETY: all pointers are to what they say.
        let status = unsafe { kcap_plan_init(plan, len, request, work, work_len, refusal, error) };
        assert!(status != KCAP_OK || len >= kcap_plan_size());
        if status == KCAP_OK {
            self.planned(plan);
        }
    }

    /// What a plan says and writes.
    fn planned(&mut self, plan: *mut kcap_plan) {
        let error = self.error;
        let (line_len, digest) = (self.blocks.out(), self.blocks.bytes(32));
        let (bytes, bytes_len) = (self.blocks.out(), self.blocks.out());
        let (text_len, image_len) = (usize::from(self.input.u8()), about(&mut self.input, kcap_image_size()));
        let (text, image) = (self.blocks.bytes(text_len).cast(), self.blocks.bytes(image_len).cast());
        // SAFETY: the object is one.
        let scratch_len = about(&mut self.input, unsafe { kcap_plan_scratch_len(plan) });
        let scratch = self.blocks.bytes(scratch_len);
        let regions_len = about(&mut self.input, kcap_regions_size());
        let (regions, range) = (self.blocks.bytes(regions_len).cast(), self.blocks.out());
        let segment = self.blocks.growing(&mut self.input);
        // SAFETY: all pointers are to what they say; objects are used only if they were made.
        unsafe {
            kcap_plan_entry(plan);
            kcap_plan_kernel_entry(plan);
            kcap_plan_flags(plan);
            kcap_plan_cmdline_size(plan);
            kcap_plan_command_line(plan, line_len);
            kcap_plan_kernel(plan, image, image_len, error);
            let count = kcap_plan_segment_count(plan);
            for index in 0..=count {
                let status = kcap_plan_get_segment(plan, index, segment);
                assert!(status != KCAP_OK || index < count);
                kcap_plan_told(plan, index, range);
                kcap_plan_explain(plan, index, text, text_len, error);
            }
            if kcap_plan_encode(plan, scratch, scratch_len, digest, error) != KCAP_OK {
                return;
            }
            for index in 0..=count {
                kcap_plan_bytes(plan, index, scratch, scratch_len, bytes, bytes_len);
            }
            if kcap_plan_regions(plan, scratch, scratch_len, regions, regions_len, error) == KCAP_OK {
                let hashed = self.blocks.bytes(32);
                assert_eq!(kcap_regions_sha256(regions, hashed), KCAP_OK);
                assert_eq!(core::slice::from_raw_parts(hashed, 32), core::slice::from_raw_parts(digest, 32));
            }
        }
    }

    /// Regions in any order; a hash in pieces and of all regions.
    pub(super) fn digest(&mut self) {
        let error = self.error;
        let (hash_len, regions_len) =
            (about(&mut self.input, kcap_sha256_size()), about(&mut self.input, kcap_regions_size()));
        let (hash, regions) = (self.blocks.bytes(hash_len).cast(), self.blocks.bytes(regions_len).cast());
        let (digest, found) = (self.blocks.bytes(32), self.blocks.out());
        // SAFETY: all pointers are to what they say; an object is used only if it was made.
        unsafe {
            let hashes = kcap_sha256_init(hash, hash_len) == KCAP_OK;
            let lists = kcap_regions_init(regions, regions_len) == KCAP_OK;
            for _ in 0..self.input.u8() & 31 {
                let (start, len) = (self.input.extreme(), usize::from(self.input.u8()));
                let bytes = self.input.bytes(len).to_vec();
                let at = self.blocks.copy(&bytes);
                let kind = u32::from(self.input.u8() & 15);
                let region = kcap_region { start, bytes: at, len: bytes.len(), kind, reserved: 0 };
                if hashes {
                    kcap_sha256_update(hash, at, bytes.len());
                }
                if lists {
                    kcap_regions_add(regions, &raw const region, error);
                }
            }
            if hashes {
                kcap_sha256_finish(hash, digest);
            }
            if lists {
                kcap_regions_get(regions, self.input.below(20), found);
                assert!(kcap_regions_count(regions) <= capi::segment::KCAP_SEGMENT_MAX);
                kcap_regions_sha256(regions, digest);
            }
        }
    }
}
