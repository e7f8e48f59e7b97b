//! How large a dump of a running machine would be, how long it would take, and what a crash kernel needs.

use page_filter::estimate::{LivePages, crash_kernel, estimate};
use page_filter::{Counts, Level, PageKind};
use vmcore_format::{PageSize, Pfn};

use crate::codec::{compression, kcap_compression};
use crate::error::{answer, kcap_error};
use crate::filter::{kcap_counts, pages_of};
use crate::ptr::{self, Growing};
use crate::source::kcap_level;
use crate::status::{Failure, kcap_status};

/// Counts the pages of a running machine by kind.
///
/// One thread at a time.
#[derive(Debug)]
pub struct kcap_live_pages {
    pages: LivePages,
}

/// The size of a `kcap_live_pages`, in bytes.
#[unsafe(no_mangle)]
pub extern "C" fn kcap_live_pages_size() -> usize {
    size_of::<kcap_live_pages>()
}

/// What the address of a `kcap_live_pages` must be a multiple of.
#[unsafe(no_mangle)]
pub extern "C" fn kcap_live_pages_align() -> usize {
    align_of::<kcap_live_pages>()
}

/// Begins to count, in the `pages_len` bytes at `pages`.
///
/// Errors: `KCAP_ERR_BUFFER_TOO_SMALL` (`pages_len`), `KCAP_ERR_NULL`, `KCAP_ERR_ALIGNMENT`, `KCAP_ERR_LENGTH`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kcap_live_pages_init(pages: *mut kcap_live_pages, pages_len: usize) -> kcap_status {
    answer(core::ptr::null_mut(), || {
        ptr::object(pages, pages_len)?.put(kcap_live_pages { pages: LivePages::new() });
        Ok(())
    })
}

/// Counts `count` page frames from `first` on by their words of `/proc/kpageflags`, 64 bits each. Frames come in order of their numbers;
/// of those that are no RAM none need be given.
///
/// Errors: `KCAP_ERR_NULL`, `KCAP_ERR_ALIGNMENT`, `KCAP_ERR_LENGTH`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kcap_live_pages_add(
    pages: *mut kcap_live_pages,
    first: u64,
    words: *const u64,
    count: usize,
) -> kcap_status {
    answer(core::ptr::null_mut(), || {
        let words = ptr::slice(words, count)?;
        ptr::get_mut(pages)?.pages.add(Pfn(first), words.iter().copied());
        Ok(())
    })
}

/// Writes the pages of each kind to `counts` (whose `size` is set; NULL for none), and the page frame after the last one to `end` (NULL
/// for none). Zero pages are none of them: what is in a page is not known.
///
/// Errors: `KCAP_ERR_NULL`, `KCAP_ERR_LENGTH`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kcap_live_pages_get(
    pages: *const kcap_live_pages,
    counts: *mut kcap_counts,
    end: *mut u64,
) -> kcap_status {
    answer(core::ptr::null_mut(), || {
        let pages = &ptr::get(pages)?.pages;
        let end = if end.is_null() { None } else { Some(ptr::out(end)?) };
        if !counts.is_null() {
            ptr::out_growing(counts)?.put(&pages.counts().into());
        }
        if let Some(place) = end {
            place.put(pages.end().0);
        }
        Ok(())
    })
}

/// What a dump would take. Set `size` before the call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(C)]
pub struct kcap_estimate {
    /// `sizeof(kcap_estimate)`.
    pub size: usize,
    /// Page frames that the level keeps, those full of zeros among them.
    pub pages: u64,
    /// Bytes of the file, at least.
    pub least_bytes: u64,
    /// Bytes of the file, at most.
    pub most_bytes: u64,
    /// Milliseconds on one core, at least: to a disk that takes 2 GB/s.
    pub least_milliseconds: u64,
    /// Milliseconds, at most: to one that takes 50 MB/s.
    pub most_milliseconds: u64,
}

// SAFETY: `repr(C)`, begins with a `usize`, holds nothing but integers.
unsafe impl Growing for kcap_estimate {}

/// Estimates a kdump-compressed dump of `level` (`KCAP_LEVEL_` bits), packed by `compression`, of a machine whose `counts->pages` are
/// known, with pages of `page_size` bytes; `end` is the page frame after its last one. It is no promise: what is in the pages is not
/// known, and memory changes until the crash. `error` may be NULL.
///
/// Errors: `KCAP_ERR_INVALID` (page size, level, compression), `KCAP_ERR_NULL`, `KCAP_ERR_LENGTH`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kcap_dump_estimate(
    counts: *const kcap_counts,
    end: u64,
    page_size: u64,
    level: kcap_level,
    compression: kcap_compression,
    found: *mut kcap_estimate,
    error: *mut kcap_error,
) -> kcap_status {
    answer(error, || {
        let place = ptr::out_growing(found)?;
        let given = ptr::read_growing(counts)?;
        let mut counts = Counts::default();
        PageKind::ALL.into_iter().for_each(|kind| counts.add(kind, pages_of(&given, kind), false));
        let size = PageSize::new(page_size).ok_or(Failure::invalid("page_size", page_size))?;
        let bits = u8::try_from(level).ok().and_then(Level::from_bits);
        let level = bits.ok_or(Failure::invalid("level", level.into()))?;
        let dump = estimate(&counts, Pfn(end), size, level, self::compression(compression)?);
        place.put(&kcap_estimate {
            size: 0,
            pages: dump.pages,
            least_bytes: *dump.bytes.start(),
            most_bytes: *dump.bytes.end(),
            least_milliseconds: *dump.milliseconds.start(),
            most_milliseconds: *dump.milliseconds.end(),
        });
        Ok(())
    })
}

/// Writes what `crashkernel=` should set aside on a machine with `ram` bytes, whose kernel takes `kernel` bytes (code, data and bss): the
/// bytes below which it is not enough to `least`, and those that suffice for a distribution's RAM disk to `safe`.
///
/// Errors: `KCAP_ERR_NULL`, `KCAP_ERR_ALIGNMENT`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kcap_crash_kernel_needs(
    ram: u64,
    kernel: u64,
    least: *mut u64,
    safe: *mut u64,
) -> kcap_status {
    answer(core::ptr::null_mut(), || {
        let (least, safe) = (ptr::out(least)?, ptr::out(safe)?);
        let needs = crash_kernel(ram, kernel);
        least.put(needs.least);
        safe.put(needs.safe);
        Ok(())
    })
}

#[cfg(test)]
mod tests;
