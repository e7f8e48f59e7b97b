//! Telling pages apart on threads of the program's own: the first pass of a dump, beside the chunks of the second.

use core::ffi::c_void;

use page_filter::dump::{Scanned, Scanner, Span};

use crate::dump::kcap_dumper;
use crate::error::{answer, kcap_error};
use crate::memory::kcap_memory;
use crate::ptr;
use crate::status::{Failure, KCAP_END, kcap_status};

/// Words of 8 bytes for the bitmaps of a span.
pub const KCAP_SPAN_WORDS: usize = 1024;
const _: () = assert!(KCAP_SPAN_WORDS == page_filter::dump::SPAN_WORDS);

/// Page frames to be told apart: nothing but numbers, which may be copied and sent to whichever thread is free.
#[derive(Debug)]
pub struct kcap_scan_span {
    span: Span,
}

/// The size of a `kcap_scan_span`, in bytes.
#[unsafe(no_mangle)]
pub extern "C" fn kcap_scan_span_size() -> usize {
    size_of::<kcap_scan_span>()
}

/// What the address of a `kcap_scan_span` must be a multiple of.
#[unsafe(no_mangle)]
pub extern "C" fn kcap_scan_span_align() -> usize {
    align_of::<kcap_scan_span>()
}

/// What a span says.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[repr(C)]
pub struct kcap_scan_span_facts {
    /// Spans are committed in the order of these numbers, from 0.
    pub sequence: u64,
    /// The first page frame.
    pub start: u64,
    /// The page frame after the last one.
    pub end: u64,
}

/// Writes what `span` says to `facts`.
///
/// Errors: `KCAP_ERR_NULL`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kcap_scan_span_get_facts(
    span: *const kcap_scan_span,
    facts: *mut kcap_scan_span_facts,
) -> kcap_status {
    answer(core::ptr::null_mut(), || {
        let span = &ptr::get(span)?.span;
        let frames = span.frames();
        let found =
            kcap_scan_span_facts { sequence: span.sequence, start: frames.start.0, end: frames.end.0 };
        ptr::out(facts)?.put(found);
        Ok(())
    })
}

/// What became of a span: numbers, which may be copied. Its bitmaps are in the words that were given to `kcap_scanner_scan`.
#[derive(Debug)]
pub struct kcap_scanned {
    scanned: Scanned,
}

/// The size of a `kcap_scanned`, in bytes.
#[unsafe(no_mangle)]
pub extern "C" fn kcap_scanned_size() -> usize {
    size_of::<kcap_scanned>()
}

/// What the address of a `kcap_scanned` must be a multiple of.
#[unsafe(no_mangle)]
pub extern "C" fn kcap_scanned_align() -> usize {
    align_of::<kcap_scanned>()
}

/// Scans spans on any thread; each thread has its own, for all of a dump.
#[derive(Debug)]
pub struct kcap_scanner {
    scanner: Scanner,
}

/// The size of a `kcap_scanner`, in bytes.
#[unsafe(no_mangle)]
pub extern "C" fn kcap_scanner_size() -> usize {
    size_of::<kcap_scanner>()
}

/// What the address of a `kcap_scanner` must be a multiple of.
#[unsafe(no_mangle)]
pub extern "C" fn kcap_scanner_align() -> usize {
    align_of::<kcap_scanner>()
}

/// What a thread scans spans of `dumper` with, in the `scanner_len` bytes at `scanner`. It keeps nothing of `dumper`. `error` may be
/// NULL.
///
/// Errors: `KCAP_ERR_BUFFER_TOO_SMALL` (`value`: bytes for `scanner`), `KCAP_ERR_NULL`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kcap_scanner_init(
    scanner: *mut kcap_scanner,
    scanner_len: usize,
    dumper: *const kcap_dumper,
    error: *mut kcap_error,
) -> kcap_status {
    answer(error, || {
        let place = ptr::object(scanner, scanner_len)?;
        place.put(kcap_scanner { scanner: ptr::get(dumper)?.dumper.scanner() });
        Ok(())
    })
}

/// The scratch that `kcap_scanner_scan` needs, in bytes; 0 for NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kcap_scanner_scratch(scanner: *const kcap_scanner) -> usize {
    ptr::get(scanner).map_or(0, |scanner| scanner.scanner.scratch_len())
}

/// Finds which frames of `span` are to be kept, on any thread that has a `memory` of its own; what became of it goes to the
/// `scanned_len` bytes at `scanned`, and its bitmaps to the `word_count` words at `words`, `KCAP_SPAN_WORDS` at most.
///
/// `scratch`, of `scratch_len` bytes, has no content that matters. `error` may be NULL.
///
/// Errors: `KCAP_ERR_BUFFER_TOO_SMALL` (`scanned`, `words` in words, `scratch` in bytes), `KCAP_ERR_FRAMES`, `KCAP_ERR_NULL`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kcap_scanner_scan(
    scanner: *mut kcap_scanner,
    span: *const kcap_scan_span,
    memory: *mut kcap_memory,
    words: *mut u64,
    word_count: usize,
    scratch: *mut c_void,
    scratch_len: usize,
    scanned: *mut kcap_scanned,
    scanned_len: usize,
    error: *mut kcap_error,
) -> kcap_status {
    answer(error, || {
        let place = ptr::object(scanned, scanned_len)?;
        let (scanner, memory) = (&mut ptr::get_mut(scanner)?.scanner, ptr::get_mut(memory)?);
        let span = &ptr::get(span)?.span;
        let words = ptr::slice_mut(words, word_count)?;
        let scratch = ptr::slice_mut(scratch.cast::<u8>(), scratch_len)?;
        let scanned = scanner.scan(span, memory, words, scratch).map_err(Failure::from)?;
        place.put(kcap_scanned { scanned });
        Ok(())
    })
}

/// Writes the next page frames that are to be told apart to the `span_len` bytes at `span`. `error` may be NULL.
///
/// Spans are scanned on any thread and committed in order. `KCAP_END`: all of this pass are handed out; when they are
/// committed too, `kcap_dumper_next_chunk` ends the pass, which may be followed by another one where what was found
/// cannot be true. A program that does not ask for spans need not: `kcap_dumper_next_chunk` scans by itself.
///
/// Errors: `KCAP_ERR_FRAMES`, `KCAP_ERR_BUFFER_TOO_SMALL` (`span`), `KCAP_ERR_NULL`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kcap_dumper_next_span(
    dumper: *mut kcap_dumper,
    memory: *mut kcap_memory,
    span: *mut kcap_scan_span,
    span_len: usize,
    error: *mut kcap_error,
) -> kcap_status {
    answer(error, || {
        let place = ptr::object(span, span_len)?;
        let (dumper, memory) = (&mut ptr::get_mut(dumper)?.dumper, ptr::get_mut(memory)?);
        let span = dumper.next_scan(memory)?.ok_or(KCAP_END)?;
        place.put(kcap_scan_span { span });
        Ok(())
    })
}

/// Takes what became of a span; `words`, of `word_count`, are what `kcap_scanner_scan` wrote. `error` may be NULL.
///
/// Errors: `KCAP_ERR_OUT_OF_ORDER` (`value`: the number of the span that is due), `KCAP_ERR_BUFFER_TOO_SMALL` (`words` are not those
/// of the span), `KCAP_ERR_FRAMES`, `KCAP_ERR_NULL`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kcap_dumper_commit_span(
    dumper: *mut kcap_dumper,
    span: *const kcap_scan_span,
    scanned: *const kcap_scanned,
    words: *const u64,
    word_count: usize,
    memory: *mut kcap_memory,
    error: *mut kcap_error,
) -> kcap_status {
    answer(error, || {
        let (dumper, memory) = (&mut ptr::get_mut(dumper)?.dumper, ptr::get_mut(memory)?);
        let (span, scanned) = (&ptr::get(span)?.span, &ptr::get(scanned)?.scanned);
        let words = ptr::slice(words, word_count)?;
        Ok(dumper.commit_scan(span, scanned, words, memory)?)
    })
}

#[cfg(test)]
mod tests;
