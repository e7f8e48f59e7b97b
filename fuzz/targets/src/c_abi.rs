//! The C functions, called by a program of bytes: lengths too short and too long, NULL where it may be, objects in any order.
//!
//! The contract is kept: an object is used only if its `init` succeeded, what it keeps stays where it is, and nothing that is
//! written overlaps what is read. Every block has exactly the length that is said, so that `AddressSanitizer` sees each byte
//! too far.
#![expect(unsafe_code, reason = "calls of C functions")]

use core::ffi::c_void;
use core::ptr::{null, null_mut};
use std::alloc::{Layout, alloc, dealloc};

use capi::callback::{kcap_read_at, kcap_write_at};
use capi::chunk::*;
use capi::codec::*;
use capi::dump::*;
use capi::elf::*;
use capi::error::kcap_error;
use capi::filter::*;
use capi::flattened::*;
use capi::image::*;
use capi::input_kind::kcap_input_kind;
use capi::kdump::*;
use capi::kernel::*;
use capi::machine::kcap_pfn_range;
use capi::map::*;
use capi::memory::*;
use capi::note::*;
use capi::object::*;
use capi::report::*;
use capi::source::*;
use capi::sources::*;
use capi::status::*;
use capi::vmcoreinfo::*;
use vmcore_format::ReadAt;

use crate::files::Patched;
use crate::input::Input;
use crate::machines::machines;

/// Blocks of memory, each exactly as long as asked for, until the end.
#[derive(Default)]
struct Blocks(Vec<(*mut u8, Layout)>);

impl Blocks {
    fn bytes(&mut self, len: usize) -> *mut u8 {
        let layout = Layout::from_size_align(len.max(1), 16).expect("a sound layout");
        // SAFETY: the size is not 0; all of the block is written before it is read.
        let block = unsafe {
            let block = alloc(layout);
            assert!(!block.is_null());
            block.write_bytes(0x5a, layout.size());
            block
        };
        self.0.push((block, layout));
        block
    }

    fn copy(&mut self, bytes: &[u8]) -> *mut u8 {
        let block = self.bytes(bytes.len());
        // SAFETY: the block is as long, and new.
        unsafe { block.copy_from_nonoverlapping(bytes.as_ptr(), bytes.len()) };
        block
    }

    /// Place for an answer of a fixed layout, zeroed.
    fn out<T>(&mut self) -> *mut T {
        let block = self.bytes(size_of::<T>());
        // SAFETY: it is as long.
        unsafe { block.write_bytes(0, size_of::<T>()) };
        block.cast()
    }

    /// A struct that may grow, of a size of the input's choice, the size at its front.
    fn growing<T>(&mut self, input: &mut Input<'_>) -> *mut T {
        let size = match input.u8() {
            0..192 => size_of::<T>(),
            192..224 => usize::from(input.u8()),
            224..240 => size_of::<T>() + 16,
            _ => 8,
        };
        let block = self.bytes(size.max(8));
        // SAFETY: it has room for its size.
        unsafe {
            block.write_bytes(0, size.max(8));
            block.cast::<usize>().write(size);
        }
        block.cast()
    }
}

impl Drop for Blocks {
    fn drop(&mut self) {
        for (block, layout) in self.0.drain(..) {
            // SAFETY: it was allocated so, and no object lives on.
            unsafe { dealloc(block, layout) };
        }
    }
}

unsafe extern "C" fn read_at(ctx: *mut c_void, offset: u64, buf: *mut u8, len: usize) -> i32 {
    // SAFETY: the table's `ctx` is the file, which outlives every object; `buf` is as long as said.
    let (file, buf) =
        unsafe { (&*ctx.cast::<Patched<'static>>(), core::slice::from_raw_parts_mut(buf, len)) };
    file.read_at(offset, buf).map_or_else(|code| code, |()| 0)
}

unsafe extern "C" fn size(ctx: *mut c_void) -> u64 {
    // SAFETY: as above.
    unsafe { &*ctx.cast::<Patched<'static>>() }.len
}

unsafe extern "C" fn write_at(ctx: *mut c_void, offset: u64, bytes: *const u8, len: usize) -> i32 {
    // SAFETY: `bytes` is as long as said; every one of them is read, so that one too far is seen.
    let bytes = unsafe { core::slice::from_raw_parts(bytes, len) };
    core::hint::black_box(bytes.iter().fold(0_u8, |sum, byte| sum.wrapping_add(*byte)));
    // SAFETY: `ctx` is a limit, which outlives every object.
    let limit = unsafe { *ctx.cast::<u64>() };
    if offset.checked_add(len as u64).is_some_and(|end| end <= limit) { 0 } else { 28 }
}

/// The objects that are there.
#[derive(Default)]
struct Objects {
    elf: Option<*mut kcap_elf_core>,
    kdump: Option<*mut kcap_kdump>,
    flattened: Option<*mut kcap_flattened>,
    source: Option<*mut kcap_source>,
    memory: Option<*mut kcap_memory>,
    kernel: Option<*mut kcap_kernel>,
    filter: Option<*mut kcap_filter>,
    dumper: Option<*mut kcap_dumper>,
    chunk: Option<*mut kcap_chunk>,
    encoded: Option<(*mut kcap_encoded, *mut u8, usize)>,
    notes: Option<*mut kcap_notes>,
    info: Option<*mut kcap_vmcoreinfo>,
    map: Option<*mut kcap_memory_map>,
    image: Option<*mut kcap_image>,
    object: Option<*mut kcap_object>,
    decoder: Option<*mut kcap_page_decoder>,
}

struct Program<'i> {
    input: Input<'i>,
    blocks: Blocks,
    objects: Objects,
    reader: *const kcap_read_at,
    writer: *const kcap_write_at,
    error: *mut kcap_error,
}

/// The length of something of `best` bytes: that, a little or much less, or more. Never so much that it slows the fuzzer.
fn about(input: &mut Input<'_>, best: usize) -> usize {
    let best = best.min(1 << 20);
    match input.u8() {
        0..160 => best,
        160..192 => best.saturating_sub(1 + usize::from(input.u8())),
        192..216 => 0,
        216..232 => best / 2,
        _ => best + usize::from(input.u16()),
    }
}

/// Calls an `init` with place of about the object's size; answers with the object if that succeeded.
macro_rules! init {
    ($program:ident, $slot:ident, $size:expr, |$at:ident, $len:ident| $call:expr) => {{
        let $len = about(&mut $program.input, $size);
        let $at = $program.blocks.bytes($len).cast();
        // SAFETY: all pointers are to what they say, for as long as the program runs.
        let status = unsafe { $call };
        assert!(status != KCAP_OK || $len >= $size);
        if status == KCAP_OK {
            $program.objects.$slot = Some($at);
        }
    }};
}

/// The file, then the calls.
pub fn run(data: &[u8]) {
    let mut input = Input::new(data);
    let laid = &machines()[input.below(machines().len())];
    let how = input.u8();
    let given = input.clone().rest().to_vec();
    let base: &[u8] = match how & 3 {
        0 | 1 => &laid.elf,
        2 => &laid.kdump,
        _ => &given,
    };
    let mut file = Patched { base, edits: Vec::new(), len: base.len() as u64 };
    for _ in 0..how >> 4 {
        let (at, value) = (u64::from(input.u16()), input.extreme());
        file.edits.push((at, value.to_le_bytes()[..1 << (at & 3)].to_vec()));
    }
    let limit: u64 = if how & 8 == 0 { 32 << 20 } else { input.u16().into() };
    let reader = kcap_read_at {
        ctx: (&raw const file).cast_mut().cast(),
        read_at: Some(read_at),
        size: (how & 4 == 0).then_some(size),
    };
    let writer = kcap_write_at {
        ctx: (&raw const limit).cast_mut().cast(),
        write_at: Some(write_at),
        sync: None,
        write_once: i32::from(input.u8() & 7 == 7),
    };
    let mut blocks = Blocks::default();
    let error = if input.u8() & 1 == 0 { null_mut() } else { blocks.out::<kcap_error>() };
    let objects = Objects::default();
    let mut program =
        Program { input, blocks, objects, reader: &raw const reader, writer: &raw const writer, error };
    for _ in 0..64 {
        if program.input.is_empty() {
            break;
        }
        program.call();
    }
}

impl Program<'_> {
    fn call(&mut self) {
        match self.input.u8() % 24 {
            0 => self.open_elf(),
            1 => self.open_kdump(),
            2 => self.stream(),
            3 => self.source(),
            4 => self.memory(),
            5 => self.read(),
            6 => self.kernel(),
            7 => self.virtual_memory(),
            8 => self.filter(),
            9 => self.dumper(),
            10..14 => self.step(),
            14 | 15 => self.chunk(),
            16 => self.end_dump(),
            17 => self.pages(),
            18 => self.notes(),
            19 => self.info(),
            20 => self.map(),
            21 => self.image(),
            22 => self.object(),
            _ => self.pages_of_kdump(),
        }
    }

    fn open_elf(&mut self) {
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

    fn open_kdump(&mut self) {
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

    fn pages_of_kdump(&mut self) {
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

    fn stream(&mut self) {
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

    fn source(&mut self) {
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

    fn memory(&mut self) {
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

    fn read(&mut self) {
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

    fn kernel(&mut self) {
        let (Some(source), Some(memory), error) = (self.objects.source, self.objects.memory, self.error)
        else {
            return;
        };
        init!(self, kernel, kcap_kernel_size(), |at, len| kcap_kernel_init(at, len, source, memory, error));
    }

    fn virtual_memory(&mut self) {
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

    fn filter(&mut self) {
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

    fn dumper(&mut self) {
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

    fn step(&mut self) {
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

    fn chunk(&mut self) {
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

    fn end_dump(&mut self) {
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

    fn pages(&mut self) {
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

    fn notes(&mut self) {
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

    fn info(&mut self) {
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

    fn map(&mut self) {
        let error = self.error;
        if self.objects.map.is_none() || self.input.u8() & 7 == 0 {
            let table_len = about(&mut self.input, 24 * 32);
            let table = self.blocks.bytes(table_len).cast();
            init!(self, map, kcap_memory_map_size(), |at, len| kcap_memory_map_init(
                at, len, table, table_len, error
            ));
        }
        let Some(map) = self.objects.map else { return };
        let (kind, index, range) = (self.input.u8(), self.input.below(40), self.blocks.out::<kcap_range>());
        let len = usize::from(self.input.u8());
        let bytes = self.input.bytes(len).to_vec();
        let at = self.blocks.copy(&bytes);
        let (address, span) = (self.input.extreme(), self.blocks.out());
        // SAFETY: all pointers are to what they say.
        unsafe {
            match kind & 3 {
                0 => kcap_memory_map_read_e820(map, at, len.min(bytes.len()), error),
                1 => kcap_memory_map_read_fdt(map, at, bytes.len(), error),
                2 => kcap_memory_map_read_efi(map, at, bytes.len(), 40 + u32::from(kind >> 4), 1, error),
                _ => kcap_memory_map_read_iomem(map, at.cast(), bytes.len(), null_mut(), error),
            };
            kcap_memory_map_get_range(map, index, range);
            kcap_memory_map_set(map, range, error);
            kcap_memory_map_kind_at(map, address);
            kcap_memory_map_next(map, u32::from(kind), address, span);
            assert!(kcap_memory_map_count(map) <= kcap_memory_map_capacity(map));
        }
    }

    fn image(&mut self) {
        let error = self.error;
        let bytes = self.input.clone().rest().to_vec();
        let file = self.blocks.copy(&bytes);
        init!(self, image, kcap_image_size(), |at, len| kcap_image_init(at, len, file, bytes.len(), error));
        let Some(image) = self.objects.image else { return };
        // SAFETY: all pointers are to what they say.
        unsafe {
            kcap_image_kind_of(image);
            kcap_image_e_machine(image);
        }
    }

    fn object(&mut self) {
        let error = self.error;
        let bytes = if self.input.u8() & 1 == 0 {
            purgatory::X86_64.to_vec()
        } else {
            self.input.clone().rest().to_vec()
        };
        let file = self.blocks.copy(&bytes);
        init!(self, object, kcap_object_size(), |at, len| kcap_object_init(
            at,
            len,
            file,
            bytes.len(),
            error
        ));
        let Some(object) = self.objects.object else { return };
        let (at, len) = (self.input.u64() & !0xfff, about(&mut self.input, 9088));
        let (image, layout, symbol) = (self.blocks.bytes(len), self.blocks.out(), self.blocks.out());
        let parameters = self.blocks.bytes(368);
        // SAFETY: all pointers are to what they say.
        unsafe {
            kcap_object_machine(object);
            kcap_object_get_layout(object, layout, error);
            kcap_object_link(object, at, image, len, error);
            kcap_object_get_symbol(object, c"kcapture_parameters".as_ptr(), symbol, error);
            kcap_object_set_symbol(
                object,
                image,
                len,
                c"kcapture_parameters".as_ptr(),
                parameters,
                368,
                error,
            );
            kcap_object_set_symbol(object, image, len, c"".as_ptr(), null(), 0, error);
        }
    }
}

/// A whole dump from each file by steps and by chunks, and each other call.
pub fn seeds() -> Vec<Vec<u8>> {
    let mut seeds = Vec::new();
    for machine in 0..3_u8 {
        for (how, open) in [(0_u8, 0_u8), (2, 1)] {
            // Open with one input, source, memory, kernel: lengths as they should be.
            let mut seed = vec![machine, 0, how, 0, 1, open];
            seed.extend(if open == 0 { vec![0; 5] } else { vec![0, 1, 0, 0, 0, 0] });
            seed.extend([3, 0, 0, 0, 0, 0, 4, 0, 0, 0, 0, 0, 6, 0]);
            let mut steps = seed.clone();
            steps.extend([9, 1, 0, 5]);
            steps.extend([0, 0, 0, 0, 0, 0, 0, 0, 0]);
            steps.extend([10, 255, 10, 255, 10, 255, 16, 0, 0, 0]);
            seeds.push(steps);
            for call in 0..24 {
                let mut seed = seed.clone();
                seed.push(call);
                seed.extend((0..50_u8).map(|at| if call & 1 == 0 { 0 } else { at.wrapping_mul(call) }));
                seeds.push(seed);
            }
        }
    }
    seeds
}
