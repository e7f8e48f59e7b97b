//! Pages on their way from memory to the output.

use core::ffi::c_void;

use page_filter::Fault;
use page_filter::dump::{Chunk, EncodeParams, Encoded, encode_chunk};
use vmcore_format::Pfn;

use crate::codec::{compression, kcap_compression};
use crate::error::{answer, kcap_error};
use crate::machine::page_size;
use crate::memory::kcap_memory;
use crate::ptr::{self, Growing};
use crate::redact::kcap_redaction;
use crate::status::{Failure, KCAP_ERR_NOT_FOUND, kcap_status};

/// Pages to be encoded: nothing but numbers, which may be copied and sent to whichever thread is free.
#[derive(Debug)]
pub struct kcap_chunk {
    pub(crate) chunk: Chunk,
}

/// The size of a `kcap_chunk`, in bytes.
#[unsafe(no_mangle)]
pub extern "C" fn kcap_chunk_size() -> usize {
    size_of::<kcap_chunk>()
}

/// What the address of a `kcap_chunk` must be a multiple of.
#[unsafe(no_mangle)]
pub extern "C" fn kcap_chunk_align() -> usize {
    align_of::<kcap_chunk>()
}

/// The most page frames that a chunk spans.
pub const KCAP_CHUNK_FRAMES: usize = 256;
const _: () = assert!(KCAP_CHUNK_FRAMES == 256 && page_filter::dump::CHUNK_FRAMES == 256);

/// What a chunk says.
#[derive(Debug, Clone, Copy, Default)]
#[repr(C)]
pub struct kcap_chunk_facts {
    /// Chunks are committed in the order of these numbers, from 0.
    pub sequence: u64,
    /// The page frame of the lowest bit of `pages`.
    pub first: u64,
    /// Bit `i % 64` of word `i / 64` says whether frame `first + i` is to be saved.
    pub pages: [u64; 4],
    /// The number of pages.
    pub count: u64,
}

/// Writes what `chunk` says to `facts`.
///
/// Errors: `KCAP_ERR_NULL`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kcap_chunk_get_facts(
    chunk: *const kcap_chunk,
    facts: *mut kcap_chunk_facts,
) -> kcap_status {
    answer(core::ptr::null_mut(), || {
        let chunk = &ptr::get(chunk)?.chunk;
        let Chunk { sequence, first, pages, .. } = *chunk;
        let count = u64::try_from(chunk.len()).unwrap_or(0);
        ptr::out(facts)?.put(kcap_chunk_facts { sequence, first: first.0, pages, count });
        Ok(())
    })
}

/// How pages are encoded: the same for every chunk of a dump. Set `size` before the call.
#[derive(Debug, Clone, Copy)]
#[repr(C)]
pub struct kcap_encode_params {
    /// `sizeof(kcap_encode_params)`.
    pub size: usize,
    /// The page size of the dumped machine in bytes.
    pub page_size: u64,
    /// The most pages in a chunk.
    pub chunk_pages: u64,
    /// The output that `kcap_chunk_encode` needs, in bytes.
    pub out_bytes: u64,
    /// The scratch that `kcap_chunk_encode` needs, in bytes.
    pub scratch_bytes: u64,
    /// How pages are packed: a `KCAP_COMPRESSION_` number.
    pub compression: kcap_compression,
    /// 1 if pages of zeros are told from others.
    pub find_zero: u32,
    /// 1 if pages are packed in less time, to more bytes.
    pub fast: u32,
    /// 1 if pages with the same bytes are to be told.
    pub share_duplicates: u32,
    /// What is overwritten before anything else is done with a page: the object that `kcap_dumper_set_redaction` was given, NULL if nothing is.
    pub redaction: *const kcap_redaction,
}

// SAFETY: `repr(C)`, begins with a `usize`, holds integers and a pointer that may be NULL.
unsafe impl Growing for kcap_encode_params {}

impl kcap_encode_params {
    fn read(&self) -> Result<EncodeParams<'static>, Failure> {
        let most = usize::try_from(self.chunk_pages).ok().filter(|&pages| pages <= KCAP_CHUNK_FRAMES);
        Ok(EncodeParams {
            page_size: page_size(self.page_size)?,
            compression: compression(self.compression)?,
            fast: self.fast != 0,
            find_zero: self.find_zero != 0,
            share_duplicates: self.share_duplicates != 0,
            chunk_pages: most.ok_or(Failure::invalid("chunk_pages", self.chunk_pages))?,
            redaction: kcap_redaction::read(self.redaction)?,
        })
    }
}

/// What became of the pages of a chunk: numbers, which may be copied. The bytes are in the buffer that was given to
/// `kcap_chunk_encode`.
#[derive(Debug)]
pub struct kcap_encoded {
    pub(crate) encoded: Encoded,
}

/// The size of a `kcap_encoded`, in bytes.
#[unsafe(no_mangle)]
pub extern "C" fn kcap_encoded_size() -> usize {
    size_of::<kcap_encoded>()
}

/// What the address of a `kcap_encoded` must be a multiple of.
#[unsafe(no_mangle)]
pub extern "C" fn kcap_encoded_align() -> usize {
    align_of::<kcap_encoded>()
}

/// Reads, tests and packs the pages of `chunk`, on any thread that has a `memory` of its own; what became of them goes to the
/// `encoded_len` bytes at `encoded`, and their bytes to the `out_len` bytes at `out`.
///
/// `params` are those of `kcap_dumper_get_params`. `scratch`, of `scratch_len` bytes and aligned to 8, has no content that matters.
/// A page that cannot be read is marked as lost and is no error. `error` may be NULL.
///
/// Errors: `KCAP_ERR_BUFFER_TOO_SMALL` (`encoded`; `field`: "scratch" or "out"), `KCAP_ERR_INVALID` (`params`),
/// `KCAP_ERR_NULL`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kcap_chunk_encode(
    chunk: *const kcap_chunk,
    params: *const kcap_encode_params,
    memory: *mut kcap_memory,
    scratch: *mut c_void,
    scratch_len: usize,
    out: *mut u8,
    out_len: usize,
    encoded: *mut kcap_encoded,
    encoded_len: usize,
    error: *mut kcap_error,
) -> kcap_status {
    answer(error, || {
        let place = ptr::object(encoded, encoded_len)?;
        let chunk = &ptr::get(chunk)?.chunk;
        let params = ptr::read_growing(params)?.read()?;
        let memory = ptr::get_mut(memory)?;
        let out = ptr::slice_mut(out, out_len)?;
        let needed = params.scratch_words().saturating_mul(8);
        let scratch = ptr::slice_mut(scratch.cast::<u64>(), scratch_len >> 3)?;
        if size_of_val(scratch) < needed {
            return Err(Failure { field: "scratch", ..Failure::too_small(needed) });
        }
        let encoded = encode_chunk(&params, chunk, memory, scratch, out)
            .map_err(|error| Failure { field: "out", ..error.into() })?;
        place.put(kcap_encoded { encoded });
        Ok(())
    })
}

/// The number of bytes that `kcap_chunk_encode` wrote to its output; 0 for NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kcap_encoded_bytes(encoded: *const kcap_encoded) -> usize {
    ptr::get(encoded).map_or(0, |object| object.encoded.bytes())
}

/// A page that could not be read.
#[derive(Debug, Clone, Copy, Default)]
#[repr(C)]
pub struct kcap_fault {
    /// The page frame.
    pub pfn: u64,
    /// Why: `KCAP_ERR_HOLE`, `KCAP_ERR_EXCLUDED`, `KCAP_ERR_LOST` or `KCAP_ERR_IO`.
    pub status: kcap_status,
    /// The code of the callback that failed.
    pub code: i32,
}

impl From<(Pfn, Fault)> for kcap_fault {
    fn from((pfn, fault): (Pfn, Fault)) -> Self {
        let Failure { status, code, .. } = fault.into();
        Self { pfn: pfn.0, status, code }
    }
}

/// Writes page number `index`, from 0, of the first few that could not be read to `fault`.
///
/// Errors: `KCAP_ERR_NOT_FOUND` past the last one, `KCAP_ERR_NULL`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kcap_encoded_get_fault(
    encoded: *const kcap_encoded,
    index: usize,
    fault: *mut kcap_fault,
) -> kcap_status {
    answer(core::ptr::null_mut(), || {
        let encoded = &ptr::get(encoded)?.encoded;
        let place = ptr::out(fault)?;
        place.put(encoded.faults().nth(index).ok_or(KCAP_ERR_NOT_FOUND)?.into());
        Ok(())
    })
}
