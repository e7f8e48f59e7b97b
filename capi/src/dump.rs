//! The dump: pages told apart, packed and written, in the caller's memory and at the caller's pace.

use core::ffi::c_void;

use page_filter::dump::{Dumper, Format, Next, Options, Phase, Progress, Split};

use crate::callback::{kcap_write_at, writer};
use crate::chunk::{kcap_chunk, kcap_encode_params, kcap_encoded};
use crate::codec::{compression, kcap_compression};
use crate::error::{answer, kcap_error};
use crate::kernel::kcap_kernel;
use crate::memory::kcap_memory;
use crate::ptr::{self, Growing};
use crate::redact::kcap_redaction;
use crate::source::{kcap_level, kcap_source, level};
use crate::status::{Failure, KCAP_END, KCAP_ERR_LENGTH, kcap_status};

/// A kdump-compressed file, header version 6.
pub const KCAP_FORMAT_KDUMP: u32 = 0;
/// An ELF core.
pub const KCAP_FORMAT_ELF: u32 = 1;

/// What the caller asks of a dump. Set `size`, and all other members to 0 or to what they say.
#[derive(Debug, Clone, Copy)]
#[repr(C)]
pub struct kcap_dump_options {
    /// `sizeof(kcap_dump_options)`.
    pub size: usize,
    /// Which pages to leave out: `KCAP_LEVEL_` bits.
    pub level: kcap_level,
    /// How pages are packed: a `KCAP_COMPRESSION_` number. An ELF core holds them as they are.
    pub compression: kcap_compression,
    /// The format of the output: a `KCAP_FORMAT_` number.
    pub format: u32,
    /// The number of this file of a split set, from 0. Kdump-compressed only.
    pub split_part: u32,
    /// The number of files of the split set; 0 for one file that is not part of any.
    pub split_parts: u32,
    /// Not 0: pages are packed in less time, to more bytes (zlib only).
    pub fast: u32,
    /// The most bytes of the output (of a stream: of the dump in it), 0 for any number. Where it would be larger
    /// `KCAP_ERR_LIMIT` is answered, and `kcap_dumper_abandon` leaves what fits.
    pub limit: u64,
    /// Not 0: a page whose bytes were written before is written as a descriptor alone, which points at them. Pages are told the same
    /// by 192 bits of SHA-256 among those of the last few thousand that were seen; this takes 128 KiB more of `work`. Kdump-compressed
    /// only; each part of a split set is by itself.
    pub share_duplicates: u32,
    /// 0.
    pub reserved: u32,
}

// SAFETY: `repr(C)`, begins with a `usize`, holds nothing but integers.
unsafe impl Growing for kcap_dump_options {}

impl kcap_dump_options {
    fn read(&self) -> Result<Options, Failure> {
        Ok(Options {
            level: level(self.level)?,
            compression: compression(self.compression)?,
            fast: self.fast != 0,
            format: match self.format {
                KCAP_FORMAT_KDUMP => Format::Kdump,
                KCAP_FORMAT_ELF => Format::Elf,
                other => return Err(Failure::invalid("format", other.into())),
            },
            share_duplicates: self.share_duplicates != 0,
            split: match (self.split_part, self.split_parts) {
                (0, 0) => None,
                (part, parts) if part < parts => Some(Split { part, parts }),
                (part, _) => return Err(Failure::invalid("split_part", part.into())),
            },
            limit: (self.limit != 0).then_some(self.limit),
        })
    }
}

/// Saves the memory of a machine.
///
/// The caller owns the loop: `kcap_dumper_next_chunk` hands out pages, `kcap_chunk_encode` packs them on any thread,
/// `kcap_dumper_commit_chunk` takes the results in order, and `kcap_dumper_finish` completes the output. `kcap_dumper_step` is all of it
/// for one thread. To cancel, and after an error, call `kcap_dumper_abandon`: the output stays marked as incomplete.
///
/// One thread at a time; chunks are encoded by any.
#[derive(Debug)]
pub struct kcap_dumper {
    pub(crate) dumper: Dumper<'static>,
    /// The caller's own object, for the parameters of chunks, or NULL. A copy in here would be read by other threads while this one
    /// changes the dumper.
    redaction: *const kcap_redaction,
}

/// The size of a `kcap_dumper`, in bytes.
#[unsafe(no_mangle)]
pub extern "C" fn kcap_dumper_size() -> usize {
    size_of::<kcap_dumper>()
}

/// What the address of a `kcap_dumper` must be a multiple of.
#[unsafe(no_mangle)]
pub extern "C" fn kcap_dumper_align() -> usize {
    align_of::<kcap_dumper>()
}

/// A dump of the machine that `source` describes, in the `dumper_len` bytes at `dumper`.
///
/// `kernel` tells pages apart; it may be NULL, and all pages are kept then but those of zeros. `work`, of `work_len` bytes and aligned
/// to 8, is all the memory that the dump uses, whatever the size of the machine: at least 128 KiB for pages of 4 KiB, 192 KiB for
/// 16 KiB, 512 KiB for 64 KiB (duplicates shared: 128 KiB more; ELF output: and 4 bytes for each `PT_LOAD` of the input); 1 MiB makes for large writes; 1 MiB more
/// for each 32 GiB of memory (pages of 4 KiB) saves looking at pages twice.
///
/// `kernel` (by nothing else in the meantime), `work` and what `source` was made from are used for as long as the object is; `source`
/// and `options` are not. `error` may be NULL.
///
/// Errors: `KCAP_ERR_BUFFER_TOO_SMALL` (bytes for `dumper`, or for `work`), `KCAP_ERR_INVALID` (an option), `KCAP_ERR_UNSUPPORTED`
/// (more than 2^40 page frames, a split ELF core), `KCAP_ERR_NULL`, `KCAP_ERR_LENGTH`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kcap_dumper_init(
    dumper: *mut kcap_dumper,
    dumper_len: usize,
    source: *const kcap_source,
    kernel: *mut kcap_kernel,
    options: *const kcap_dump_options,
    work: *mut c_void,
    work_len: usize,
    error: *mut kcap_error,
) -> kcap_status {
    answer(error, || {
        let place = ptr::object(dumper, dumper_len)?;
        let source = ptr::get(source)?.source;
        let options = ptr::read_growing(options)?.read()?;
        let kernel = if kernel.is_null() { None } else { Some(&mut ptr::get_mut(kernel)?.kernel) };
        let words = ptr::table(work, work_len, 0_u64)?;
        let dumper = Dumper::new(source, kernel, options, words)
            .map_err(|error| Failure::from(error).in_entries_of::<u64>())?;
        place.put(kcap_dumper { dumper, redaction: core::ptr::null() });
        Ok(())
    })
}

/// Hides what `redaction` says in the output of `dumper`, and writes it to the log of erased data; `kcap_dumper_get_params` and
/// `kcap_dumper_finish_on_threads` carry it to whoever encodes chunks, so it comes before them. `redaction` stays where it is, unchanged, for
/// as long as the dumper and the parameters are used, and so does what it was made from. `error` may be NULL.
///
/// Errors: `KCAP_ERR_OUT_OF_ORDER` (the dump has begun), `KCAP_ERR_NULL`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kcap_dumper_set_redaction(
    dumper: *mut kcap_dumper,
    redaction: *const kcap_redaction,
    error: *mut kcap_error,
) -> kcap_status {
    answer(error, || {
        let dumper = ptr::get_mut(dumper)?;
        dumper.dumper.redact(ptr::get(redaction)?.redaction)?;
        dumper.redaction = redaction;
        Ok(())
    })
}

/// Telling pages apart and counting them. `done` and `total` are page frames.
pub const KCAP_PHASE_SCAN: u32 = 0;
/// Writing headers, notes, bitmaps and pages. `done` and `total` are pages.
pub const KCAP_PHASE_WRITE: u32 = 1;
/// Everything is written; `kcap_dumper_finish` completes the headers.
pub const KCAP_PHASE_WRITTEN: u32 = 2;
/// The output is whole.
pub const KCAP_PHASE_FINISHED: u32 = 3;

/// How far a dump is. The scan starts again once where what it found cannot be true.
#[derive(Debug, Clone, Copy, Default)]
#[repr(C)]
pub struct kcap_progress {
    /// How much of the phase is done, in its unit.
    pub done: u64,
    /// How much there is to do.
    pub total: u64,
    /// The phase: one of the `KCAP_PHASE_` numbers.
    pub phase: u32,
    /// 0.
    pub reserved: u32,
}

impl From<Progress> for kcap_progress {
    fn from(Progress { phase, done, total }: Progress) -> Self {
        let phase = match phase {
            Phase::Scan => KCAP_PHASE_SCAN,
            Phase::Write => KCAP_PHASE_WRITE,
            Phase::Written => KCAP_PHASE_WRITTEN,
            Phase::Finished => KCAP_PHASE_FINISHED,
        };
        Self { done, total, phase, reserved: 0 }
    }
}

/// Does some of the work on this thread, a few milliseconds' worth, and writes how far it is to `progress`, which may be NULL. The
/// output is whole when `progress` says `KCAP_PHASE_FINISHED`, and then `KCAP_END` is answered. `error` may be NULL.
///
/// Errors, none of which can be retried: those of `output`; `KCAP_ERR_FRAMES`, `KCAP_ERR_CHANGED`, `KCAP_ERR_UNSUPPORTED` (values
/// that the format cannot hold), `KCAP_ERR_OUT_OF_ORDER` (chunks were handed out and not committed), `KCAP_ERR_NULL`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kcap_dumper_step(
    dumper: *mut kcap_dumper,
    memory: *mut kcap_memory,
    output: *const kcap_write_at,
    progress: *mut kcap_progress,
    error: *mut kcap_error,
) -> kcap_status {
    let mut finished = false;
    let status = answer(error, || {
        let (dumper, memory) = (&mut ptr::get_mut(dumper)?.dumper, ptr::get_mut(memory)?);
        let mut output = writer(output)?;
        let place = if progress.is_null() { None } else { Some(ptr::out(progress)?) };
        let reached = dumper.step(memory, &mut output)?;
        finished = reached.phase == Phase::Finished;
        if let Some(place) = place {
            place.put(reached.into());
        }
        Ok(())
    });
    if finished { KCAP_END } else { status }
}

/// Writes how far the dump is to `progress`.
///
/// Errors: `KCAP_ERR_NULL`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kcap_dumper_get_progress(
    dumper: *const kcap_dumper,
    progress: *mut kcap_progress,
) -> kcap_status {
    answer(core::ptr::null_mut(), || {
        let dumper = &ptr::get(dumper)?.dumper;
        ptr::out(progress)?.put(dumper.progress().into());
        Ok(())
    })
}

/// Some work was done; ask again.
pub const KCAP_NEXT_AGAIN: u32 = 0;
/// A chunk was handed out, to be encoded and committed in order.
pub const KCAP_NEXT_CHUNK: u32 = 1;
/// Every chunk was handed out. When all are committed, `kcap_dumper_finish` completes the output.
pub const KCAP_NEXT_DONE: u32 = 2;

/// Does some of the work up to the next chunk, a few milliseconds' worth, and writes what to do next to `next`: a `KCAP_NEXT_` number.
/// With `KCAP_NEXT_CHUNK` the chunk is in the `chunk_len` bytes at `chunk`. `error` may be NULL.
///
/// Errors, none of which can be retried: those of `output`; `KCAP_ERR_FRAMES`, `KCAP_ERR_UNSUPPORTED`. Before anything is done:
/// `KCAP_ERR_BUFFER_TOO_SMALL` (`chunk`), `KCAP_ERR_NULL`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kcap_dumper_next_chunk(
    dumper: *mut kcap_dumper,
    memory: *mut kcap_memory,
    output: *const kcap_write_at,
    chunk: *mut kcap_chunk,
    chunk_len: usize,
    next: *mut u32,
    error: *mut kcap_error,
) -> kcap_status {
    answer(error, || {
        let (dumper, memory) = (&mut ptr::get_mut(dumper)?.dumper, ptr::get_mut(memory)?);
        let mut output = writer(output)?;
        let (place, next) = (ptr::object(chunk, chunk_len)?, ptr::out(next)?);
        next.put(match dumper.next_chunk(memory, &mut output)? {
            Next::Again(_) => KCAP_NEXT_AGAIN,
            Next::Chunk(chunk) => {
                place.put(kcap_chunk { chunk });
                KCAP_NEXT_CHUNK
            }
            Next::Done => KCAP_NEXT_DONE,
        });
        Ok(())
    })
}

/// Writes how the chunks of `dumper` are to be encoded to `params`. They are good for as long as the dumper is.
///
/// Errors: `KCAP_ERR_NULL`, `KCAP_ERR_LENGTH` (also of a `params` without room for the redaction that there is).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kcap_dumper_get_params(
    dumper: *const kcap_dumper,
    params: *mut kcap_encode_params,
) -> kcap_status {
    answer(core::ptr::null_mut(), || {
        let dumper = ptr::get(dumper)?;
        let found = dumper.dumper.params();
        let place = ptr::out_growing(params)?;
        let hides = !found.redaction.is_none();
        if hides && place.size() < size_of::<kcap_encode_params>() {
            return Err(KCAP_ERR_LENGTH.into());
        }
        let bytes = |count: usize| u64::try_from(count).unwrap_or(u64::MAX);
        place.put(&kcap_encode_params {
            size: 0,
            page_size: found.page_size.bytes(),
            chunk_pages: bytes(found.chunk_pages),
            out_bytes: bytes(found.out_bytes()),
            scratch_bytes: bytes(found.scratch_words().saturating_mul(8)),
            compression: found.compression.flag(),
            find_zero: found.find_zero.into(),
            fast: found.fast.into(),
            share_duplicates: found.share_duplicates.into(),
            redaction: if hides { dumper.redaction } else { core::ptr::null() },
        });
        Ok(())
    })
}

/// Writes an encoded chunk to `output`; `bytes`, of `len`, are what `kcap_chunk_encode` wrote. `error` may be NULL.
///
/// Errors: `KCAP_ERR_OUT_OF_ORDER` (`value`: the number of the chunk that is due), `KCAP_ERR_BUFFER_TOO_SMALL` (`len`),
/// `KCAP_ERR_NULL`: nothing was done. `KCAP_ERR_CHANGED`, and those of `output`: they cannot be retried.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kcap_dumper_commit_chunk(
    dumper: *mut kcap_dumper,
    chunk: *const kcap_chunk,
    encoded: *const kcap_encoded,
    bytes: *const u8,
    len: usize,
    output: *const kcap_write_at,
    error: *mut kcap_error,
) -> kcap_status {
    answer(error, || {
        let dumper = &mut ptr::get_mut(dumper)?.dumper;
        let (chunk, encoded) = (&ptr::get(chunk)?.chunk, &ptr::get(encoded)?.encoded);
        let bytes = ptr::slice(bytes, len)?;
        let mut output = writer(output)?;
        let bytes = bytes.get(..encoded.bytes()).ok_or(Failure::too_small(encoded.bytes()))?;
        Ok(dumper.commit_chunk(chunk, encoded, bytes, &mut output)?)
    })
}

/// Completes the output when every chunk was committed. `error` may be NULL.
///
/// Errors: `KCAP_ERR_OUT_OF_ORDER` if chunks are missing, those of `output`, `KCAP_ERR_NULL`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kcap_dumper_finish(
    dumper: *mut kcap_dumper,
    output: *const kcap_write_at,
    error: *mut kcap_error,
) -> kcap_status {
    answer(error, || {
        let dumper = &mut ptr::get_mut(dumper)?.dumper;
        dumper.finish(&mut writer(output)?)?;
        Ok(())
    })
}

/// Ends a dump early, because the caller wants to or because the storage is full: writes what is held, so that the output
/// describes the pages that were committed and are in it; `kcap_report.saved` counts those. It stays marked as incomplete, and
/// nothing more can be done with it. A stream gets its mark, if it still takes it. `error` may be NULL.
///
/// Errors: those of `output` (what could be written is written all the same), `KCAP_ERR_NULL`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kcap_dumper_abandon(
    dumper: *mut kcap_dumper,
    output: *const kcap_write_at,
    error: *mut kcap_error,
) -> kcap_status {
    answer(error, || {
        let dumper = &mut ptr::get_mut(dumper)?.dumper;
        Ok(dumper.abandon(&mut writer(output)?)?)
    })
}

#[cfg(test)]
mod tests;
