//! Size and time of a dump.

use core::ops::RangeInclusive;

use vmcore_format::kdump::Compression;
use vmcore_format::{PageSize, Pfn};

use super::codecs::Measured;
use super::live::leaves_out;
use crate::{Counts, Level, PageKind};

/// What a dump would take, at least and at most.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Estimate {
    /// Page frames that the level keeps. Those full of zeros are among them: nobody has looked.
    pub pages: u64,
    /// Bytes of the file.
    pub bytes: RangeInclusive<u64>,
    /// Milliseconds on one core, to a disk of 2 GB/s or of 50 MB/s.
    pub milliseconds: RangeInclusive<u64>,
}

/// Bytes of a page's descriptor (`page_desc_t`).
const PAGE_DESC: u64 = 24;
/// Of a hundred pages that are in use, so many may be full of zeros: of those that dumps of four guests keep at level 31, 16 to 55
/// were.
const MAYBE_ZERO: u64 = 60;
/// Headers and notes: at least the blocks of both headers; VMCOREINFO and notes of very many CPUs.
const HEADERS: RangeInclusive<u64> = 4096..=4 << 20;
/// Nanoseconds in which a page frame is told apart.
const FILTER: (u64, u64) = (10, 400);
/// Nanoseconds in which a byte is written, times 1000.
const WRITE: (u64, u64) = (500, 20_000);

/// Estimates a kdump-compressed dump of this level. `counts` are of the machine's memory, `end` is the page frame after its
/// last one.
#[must_use]
pub fn estimate(
    counts: &Counts,
    end: Pfn,
    page_size: PageSize,
    level: Level,
    compression: Compression,
) -> Estimate {
    let kept_of = |kind: PageKind| if leaves_out(level, kind) { 0 } else { counts.pages(kind) };
    let pages = PageKind::ALL.into_iter().map(kept_of).fold(0, u64::saturating_add);
    let codec = Measured::of(compression);
    let size = page_size.bytes();
    let kernel = [PageKind::Kernel, PageKind::Slab, PageKind::Unknown].map(kept_of);
    let kernel = kernel.into_iter().fold(0, u64::saturating_add);
    let free = kept_of(PageKind::Free);

    // At least: free pages hold zeros, and so do some others; the rest compresses well. What is zeros costs a descriptor, or
    // what the codec makes of it.
    let used = pages.saturating_sub(free);
    let zeros = free.saturating_add(used.saturating_mul(MAYBE_ZERO) / 100);
    let of_zeros = if level.contains(Level::ZERO) { 0 } else { scaled(codec.zeros, size) };
    let others = pages.saturating_sub(zeros);
    let least =
        others.saturating_mul(compressed(size, codec.best)).saturating_add(zeros.saturating_mul(of_zeros));
    // At most: no zeros, and what is not the kernel's does not compress.
    let other = pages.saturating_sub(kernel).saturating_mul(size);
    let most = kernel.saturating_mul(compressed(size, codec.worst_of_kernel)).saturating_add(other);

    let bitmap = end.0.div_ceil(8).div_ceil(size).saturating_mul(size).saturating_mul(2);
    let around = pages.saturating_mul(PAGE_DESC).saturating_add(bitmap);
    let least = least.saturating_add(around).saturating_add(*HEADERS.start());
    let most = most.saturating_add(around).saturating_add(*HEADERS.end());
    Estimate {
        pages,
        bytes: least..=most,
        milliseconds: milliseconds(
            counts.total(),
            FILTER.0,
            others,
            scaled(codec.nanoseconds.0, size),
            least,
            WRITE.0,
        )
            ..=milliseconds(
                counts.total(),
                FILTER.1,
                pages,
                scaled(codec.nanoseconds.1, size),
                most,
                WRITE.1,
            ),
    }
}

/// A figure of a page of 4 KiB, for pages of `size`.
const fn scaled(figure: u64, size: u64) -> u64 {
    figure.saturating_mul(size) / 4096
}

/// A page of `size`, with this ratio in hundredths.
const fn compressed(size: u64, ratio: u64) -> u64 {
    match size.saturating_mul(100).checked_div(ratio) {
        Some(bytes) => bytes,
        None => size,
    }
}

fn milliseconds(frames: u64, filter: u64, pages: u64, page: u64, bytes: u64, write: u64) -> u64 {
    let filter = frames.saturating_mul(filter);
    let pages = pages.saturating_mul(page);
    let write = bytes.saturating_mul(write) / 1000;
    filter.saturating_add(pages).saturating_add(write) / 1_000_000
}

#[cfg(test)]
mod tests {
    use super::*;

    fn machine() -> Counts {
        let mut counts = Counts::default();
        let kinds = [
            (PageKind::Kernel, 10_000),
            (PageKind::Slab, 5_000),
            (PageKind::Cache, 20_000),
            (PageKind::User, 40_000),
            (PageKind::Free, 25_000),
            (PageKind::Offline, 1_000),
        ];
        kinds.into_iter().for_each(|(kind, pages)| counts.add(kind, pages, false));
        counts
    }

    fn at(level: u8, compression: Compression) -> Estimate {
        estimate(&machine(), Pfn(101_000), PageSize::KIB_4, Level::from_bits_truncate(level), compression)
    }

    #[test]
    fn a_level_keeps_what_it_does_not_leave_out() {
        let pages = |level| at(level, Compression::Raw).pages;
        assert_eq!([0, 1, 2, 8, 16, 31].map(pages), [100_000, 100_000, 80_000, 60_000, 75_000, 15_000]);
    }

    #[test]
    fn without_compression_and_zeros_the_size_is_that_of_the_pages() {
        let all = at(0, Compression::Raw);
        let bare = 100_000 * (4096 + 24);
        assert!((bare..bare + (1 << 20)).contains(all.bytes.start()));
        assert!((bare..bare + (6 << 20)).contains(all.bytes.end()));
    }

    #[test]
    fn ranges_are_ranges_and_grow_with_what_is_kept() {
        let all =
            [Compression::Raw, Compression::Zlib, Compression::Lzo, Compression::Snappy, Compression::Zstd];
        for compression in all {
            for level in 0..32 {
                let found = at(level, compression);
                assert!(found.bytes.start() < found.bytes.end() && !found.milliseconds.is_empty());
                let more = at(level & 1, compression);
                assert!(found.bytes.end() <= more.bytes.end() && found.bytes.start() <= more.bytes.start());
            }
        }
    }

    #[test]
    fn a_machine_beyond_all_numbers_is_no_panic() {
        let mut counts = Counts::default();
        PageKind::ALL.into_iter().for_each(|kind| counts.add(kind, u64::MAX, false));
        let found = estimate(&counts, Pfn(u64::MAX), PageSize::KIB_4, Level::empty(), Compression::Zlib);
        assert_eq!(*found.bytes.end(), u64::MAX);
    }
}
