//! The C functions, called by a program of bytes: lengths too short and too long, NULL where it may be, objects in any order.
//!
//! The contract is kept: an object is used only if its `init` succeeded, what it keeps stays where it is, and nothing that is
//! written overlaps what is read. Every block has exactly the length that is said, so that `AddressSanitizer` sees each byte
//! too far.
#![expect(unsafe_code, reason = "calls of C functions")]

use core::ffi::c_void;
use core::ptr::null_mut;

use capi::callback::{kcap_read_at, kcap_write_at};
use capi::chunk::{kcap_chunk, kcap_encoded};
use capi::codec::kcap_page_decoder;
use capi::dump::kcap_dumper;
use capi::elf::kcap_elf_core;
use capi::error::kcap_error;
use capi::filter::kcap_filter;
use capi::flattened::kcap_flattened;
use capi::image::kcap_image;
use capi::kdump::kcap_kdump;
use capi::kernel::kcap_kernel;
use capi::map::kcap_memory_map;
use capi::memory::kcap_memory;
use capi::note::kcap_notes;
use capi::object::kcap_object;
use capi::redact::kcap_redaction;
use capi::scan::kcap_scanner;
use capi::source::kcap_source;
use capi::verify::kcap_verifier;
use capi::vmcoreinfo::kcap_vmcoreinfo;
use vmcore_format::ReadAt;

use blocks::Blocks;

use crate::files::Patched;
use crate::input::Input;
use crate::machines::{logs, machines};

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
    redaction: Option<*mut kcap_redaction>,
    scanner: Option<*mut kcap_scanner>,
    verifier: Option<*mut kcap_verifier>,
    versions: Option<versions::Versions>,
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

/// Calls that came later have numbers from the last multiple of 34 on.
const VERSIONS: u8 = 238;
const PATCHED: u8 = 250;

mod blocks;
mod dump;
mod first_kernel;
mod held;
mod inputs;
mod kernel;
mod patched;
mod pieces;
mod plan;
mod readers;
mod tables;
mod versions;

/// The file, then the calls.
pub fn run(data: &[u8]) {
    let mut input = Input::new(data);
    let number = input.below(machines().len() + logs().len());
    let laid = machines().iter().chain(logs()).nth(number).expect("a number below their count");
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
    let error = match input.u8() {
        how if how & 1 == 0 => null_mut(),
        0..192 => blocks.sized(size_of::<kcap_error>()),
        how => blocks.sized(8 + usize::from(how & 31)),
    };
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
        match self.input.u8() {
            VERSIONS..PATCHED => self.versions(),
            PATCHED.. => self.patched(),
            number => self.older(number % 34),
        }
    }

    /// What the numbers mean stays, for the inputs that there are.
    fn older(&mut self, number: u8) {
        match number {
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
            23 => self.redaction(),
            24 => self.spans(),
            25 => self.sections(),
            26 => self.verifier(),
            27 => self.pages_of_kdump(),
            28 => self.plan(),
            29 => self.digest(),
            30 => self.command_line(),
            31 => self.boot_params(),
            32 => self.elfcorehdr(),
            _ => self.log(),
        }
    }
}

/// A whole dump from each file by steps and by chunks, and each other call.
pub fn seeds() -> Vec<Vec<u8>> {
    let mut seeds = patched::seeds(VERSIONS, PATCHED);
    // Three that are dumped, and each architecture's first and last kind of log.
    for machine in [0, 1, 2, 7, 9, 10, 12, 13, 15] {
        for (how, open) in [(0_u8, 0_u8), (2, 1)] {
            // Open with one input, source, memory, kernel: lengths as they should be.
            let mut seed = vec![machine, 0, how, 0, 1, open];
            seed.extend(if open == 0 { vec![0; 5] } else { vec![0, 1, 0, 0, 0, 0] });
            seed.extend([3, 0, 0, 0, 0, 0, 4, 0, 0, 0, 0, 0, 6, 0]);
            let mut steps = seed.clone();
            steps.extend([9, 1, 0, 5]);
            steps.extend([0, 0, 0, 0, 0, 0, 0, 0, 0]);
            steps.extend([10, 255, 10, 255, 10, 255, 16, 0, 0, 0]);
            // Spans in place of the scan, and something hidden.
            let mut hidden = seed.clone();
            hidden.extend([9, 1, 0, 5]);
            hidden.extend([0; 9]);
            hidden.extend([23, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x40, 0, 0, 0, 0]);
            hidden.extend([24, 0, 0, 0, 0, 0, 0, 0, 0, 0, 10, 255, 10, 255, 16, 0, 0, 0]);
            seeds.push(hidden);
            seeds.push(steps);
            for call in 0..34 {
                let mut seed = seed.clone();
                seed.push(call);
                seed.extend((0..50_u8).map(|at| if call & 1 == 0 { 0 } else { at.wrapping_mul(call) }));
                seeds.push(seed);
            }
        }
    }
    seeds
}
