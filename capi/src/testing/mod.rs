//! What a C program has at hand: memory for objects, structs, files and callbacks.

pub(crate) mod images;
mod setup;

pub(crate) use setup::{Setup, WORK};

use core::ffi::c_void;
use core::marker::PhantomData;
use core::mem::MaybeUninit;
use core::ptr::null_mut;
use std::boxed::Box;
use std::sync::{Mutex, OnceLock};
use std::vec::Vec;

use testkit::{Era, Machine};

use crate::callback::{kcap_read_at, kcap_write_at};
use crate::error::kcap_error;
use crate::map::{kcap_memory_map, kcap_memory_map_init, kcap_memory_map_size};
use crate::ptr;
use crate::status::KCAP_OK;

/// Memory for an object, and what it held before it was one.
pub(crate) struct Room<T>(Vec<u64>, PhantomData<T>);

const BEFORE: u64 = 0xa5a5_5a5a_1234_5678;

/// Copied by halves: Miri takes a second to fill a MiB word by word.
fn before(bytes: usize) -> Vec<u64> {
    [BEFORE].repeat(bytes.div_ceil(8))
}

impl<T> Room<T> {
    pub(crate) const LEN: usize = size_of::<T>();

    pub(crate) fn new() -> Self {
        assert!(align_of::<T>() <= 8);
        Self(before(size_of::<T>()), PhantomData)
    }

    pub(crate) fn at(&mut self) -> *mut T {
        self.0.as_mut_ptr().cast()
    }

    pub(crate) fn untouched(&self) -> bool {
        self.0.iter().all(|&word| word == BEFORE)
    }
}

/// Memory for tables.
pub(crate) struct Memory(pub(crate) Vec<u64>);

impl Memory {
    pub(crate) fn new(bytes: usize) -> Self {
        Self(before(bytes))
    }

    pub(crate) fn at(&mut self) -> *mut c_void {
        self.0.as_mut_ptr().cast()
    }

    pub(crate) fn len(&self) -> usize {
        self.0.len() * 8
    }
}

/// The code of a read past the end.
pub(crate) const PAST_END: i32 = -77;

unsafe extern "C" fn read_at(ctx: *mut c_void, offset: u64, buf: *mut u8, len: usize) -> i32 {
    let bytes = ptr::get(ctx.cast_const().cast::<&[u8]>()).unwrap();
    let start = usize::try_from(offset).unwrap_or(usize::MAX);
    match bytes.get(start..).and_then(|bytes| bytes.get(..len)) {
        Some(bytes) => {
            ptr::slice_mut(buf, len).unwrap().copy_from_slice(bytes);
            0
        }
        None => PAST_END,
    }
}

unsafe extern "C" fn size(ctx: *mut c_void) -> u64 {
    ptr::get(ctx.cast_const().cast::<&[u8]>()).unwrap().len() as u64
}

/// Files that no test gives back; what is reachable from here is no leak to Miri.
static INPUTS: Mutex<Vec<Input>> = Mutex::new(Vec::new());

struct Input(#[expect(dead_code, reason = "it is kept, not read")] &'static kcap_read_at);

// SAFETY: its functions read bytes that nobody changes.
unsafe impl Send for Input {}

/// A file that holds `bytes`, for as long as the test runs.
pub(crate) fn input(bytes: Vec<u8>) -> &'static kcap_read_at {
    let bytes: &'static [u8] = Vec::leak(bytes);
    let ctx = Box::into_raw(Box::new(bytes)).cast();
    let input = Box::leak(Box::new(kcap_read_at { ctx, read_at: Some(read_at), size: Some(size) }));
    INPUTS.lock().unwrap().push(Input(input));
    input
}

/// The machine that most tests ask: laid out once.
pub(crate) fn machine() -> &'static Machine {
    static MACHINE: OnceLock<Machine> = OnceLock::new();
    MACHINE.get_or_init(|| Machine::x86_64(Era::V6_1).build())
}

/// Its ELF core.
pub(crate) fn vmcore() -> Vec<u8> {
    static VMCORE: OnceLock<Vec<u8>> = OnceLock::new();
    VMCORE.get_or_init(|| machine().elf().to_vec()).clone()
}

unsafe extern "C" fn write_at(ctx: *mut c_void, offset: u64, bytes: *const u8, len: usize) -> i32 {
    let file = ptr::get_mut(ctx.cast::<Vec<u8>>()).unwrap();
    let start = usize::try_from(offset).unwrap();
    // Not `resize`, which goes byte by byte: that would be slow where every step is interpreted.
    file.extend_from_slice(&std::vec![0; (start + len).saturating_sub(file.len())]);
    file[start..start + len].copy_from_slice(ptr::slice(bytes, len).unwrap());
    0
}

/// A file that is written.
pub(crate) fn output(file: &mut Vec<u8>) -> kcap_write_at {
    kcap_write_at { ctx: (&raw mut *file).cast(), write_at: Some(write_at), sync: None, write_once: 0 }
}

/// An output whose every write fails with 28.
pub(crate) fn full() -> kcap_write_at {
    unsafe extern "C" fn fail(_: *mut c_void, _: u64, _: *const u8, _: usize) -> i32 {
        28
    }
    kcap_write_at { ctx: null_mut(), write_at: Some(fail), sync: None, write_once: 0 }
}

/// All bytes 0, as C programs start with, but for the size.
pub(crate) fn sized<T: Copy>() -> T {
    let mut value = MaybeUninit::<T>::zeroed();
    // SAFETY: there is room for the size, and zeros are a value of every struct of C.
    unsafe {
        value.as_mut_ptr().cast::<usize>().write(size_of::<T>());
        value.assume_init()
    }
}

/// An error to be filled in.
pub(crate) fn no_error() -> kcap_error {
    sized()
}

/// An empty map with room for `entries` ranges.
pub(crate) fn with_map(entries: usize, test: impl FnOnce(*mut kcap_memory_map)) {
    let mut table = std::vec![0_u64; entries * 3];
    let mut map = MaybeUninit::<kcap_memory_map>::uninit();
    let len = kcap_memory_map_size();
    // SAFETY: pointers to values here.
    let status = unsafe {
        kcap_memory_map_init(map.as_mut_ptr(), len, table.as_mut_ptr().cast(), entries * 24, null_mut())
    };
    assert_eq!(status, KCAP_OK);
    test(map.as_mut_ptr());
}
