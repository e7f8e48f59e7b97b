//! What the pages of the running machine are used for.

use std::fs::{self, File};
use std::io;
use std::os::unix::fs::FileExt as _;
use std::path::Path;

use kexec_core::map::Span;
use page_filter::estimate::LivePages;
use page_filter::{Counts, PageKind};
use vmcore_format::Pfn;

use crate::kexec::State;
use crate::memory::kib_field;

/// Words of `/proc/kpageflags` that are read at a time: 1 MiB.
const BATCH: usize = 1 << 17;

/// Counts the pages of `ram`, in order of its addresses, by `/proc/kpageflags` below `root`: 8 bytes are read for each page frame
/// of `page_size` bytes.
///
/// # Errors
/// The operating system's: it is there for `CAP_SYS_ADMIN` alone. [`io::ErrorKind::InvalidInput`] for a `page_size` of 0.
pub fn live_pages(root: &Path, ram: &[Span], page_size: u64) -> io::Result<LivePages> {
    if page_size == 0 {
        return Err(io::ErrorKind::InvalidInput.into());
    }
    let file = File::open(root.join("proc/kpageflags"))?;
    let mut pages = LivePages::new();
    let mut buf = vec![0; BATCH.saturating_mul(8)];
    for span in ram {
        let frame = |address: u64| address.checked_div(page_size).unwrap_or(0);
        let (mut at, end) = (span.start.0.div_ceil(page_size), frame(span.end.0));
        while at < end {
            let words = usize::try_from(end.saturating_sub(at)).unwrap_or(BATCH).min(BATCH);
            let batch = buf.get_mut(..words.saturating_mul(8)).unwrap_or_default();
            let read = file.read_at(batch, at.saturating_mul(8))?;
            let (words, _) = batch.get(..read).unwrap_or_default().as_chunks::<8>();
            if words.is_empty() {
                // The kernel has no page frames from here on.
                break;
            }
            pages.add(Pfn(at), words.iter().map(|word| u64::from_ne_bytes(*word)));
            at = at.saturating_add(u64::try_from(words.len()).unwrap_or(u64::MAX));
        }
    }
    Ok(pages)
}

/// The same, less exactly, by `/proc/zoneinfo` and `/proc/meminfo` below `root`, which everybody may read. What is reserved for a
/// crash kernel is no page of the machine.
///
/// # Errors
/// The operating system's, and [`io::ErrorKind::InvalidData`] without `MemTotal` and `MemFree`.
pub fn pages_by_counters(root: &Path, page_size: u64) -> io::Result<Counts> {
    let text = fs::read_to_string(root.join("proc/meminfo"))?;
    let in_pages = |bytes: u64| bytes.checked_div(page_size).unwrap_or(0);
    let pages = |name| kib_field(&text, name).map(in_pages);
    let known = |name| pages(name).unwrap_or(0);
    let (Some(managed), Some(free)) = (pages("MemTotal:"), pages("MemFree:")) else {
        return Err(io::ErrorKind::InvalidData.into());
    };
    let zones = fs::read_to_string(root.join("proc/zoneinfo")).unwrap_or_default();
    let reserved = State::read_below(root).ok().and_then(|state| state.crash_size).map_or(0, in_pages);
    // `MemTotal` lacks what the kernel took for itself before it counted.
    let total = managed.max(present(&zones).saturating_sub(reserved));
    let user = known("AnonPages:").saturating_add(known("Hugetlb:"));
    let cache = ["Cached:", "Buffers:", "SwapCached:"].map(known).into_iter().fold(0, u64::saturating_add);
    let slab = known("Slab:");
    let told = [free, user, cache, slab].into_iter().fold(0, u64::saturating_add);
    let mut counts = Counts::default();
    for (kind, pages) in [
        (PageKind::Free, free),
        (PageKind::User, user),
        (PageKind::Cache, cache),
        (PageKind::Slab, slab),
        (PageKind::Kernel, total.saturating_sub(told)),
    ] {
        counts.add(kind, pages, false);
    }
    Ok(counts)
}

/// The pages of all zones, whoever has them: `present` of `/proc/zoneinfo`.
fn present(zones: &str) -> u64 {
    let pages = |line: &str| line.trim_start().strip_prefix("present ")?.trim().parse().ok();
    zones.lines().filter_map(pages).fold(0, u64::saturating_add)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn copy(name: &str, files: &[(&str, &[u8])]) -> std::path::PathBuf {
        let root = std::env::temp_dir().join(format!("kcapture-{name}-{}", std::process::id()));
        fs::create_dir_all(root.join("proc")).unwrap();
        for (path, bytes) in files {
            fs::write(root.join(path), bytes).unwrap();
        }
        root
    }

    #[test]
    fn pages_of_ram_are_counted_and_others_are_not() {
        let (free, hole) = (1_u64 << 10, 1_u64 << 20);
        let words: Vec<u8> =
            [hole, free, 0, free, free, 0].iter().flat_map(|word: &u64| word.to_ne_bytes()).collect();
        let root = copy("live-pages", &[("proc/kpageflags", &words)]);
        let ram = [Span::new(0, 0x2fff), Span::new(0x3001, 0x1_0000_0000)];
        let pages = live_pages(&root, &ram, 4096).unwrap();
        let without = live_pages(&root, &ram, 0).map_err(|error| error.kind());
        assert_eq!(without.err(), Some(io::ErrorKind::InvalidInput));
        fs::remove_dir_all(&root).unwrap();
        let counts = pages.counts();
        // Frame 1 of the first range; 4 and 5 of the second: where a frame is not whole it is not RAM.
        assert_eq!((counts.pages(PageKind::Free), counts.pages(PageKind::Kernel)), (2, 1));
        assert_eq!(pages.end(), Pfn(6));
        assert!(live_pages(&root, &ram, 4096).is_err());
    }

    #[test]
    fn counters_tell_kinds_too() {
        let text = b"MemTotal: 4000 kB\nMemFree: 400 kB\nBuffers: 40 kB\nCached: 80 kB\nSwapCached: 0 kB\n\
            AnonPages: 800 kB\nSlab: 200 kB\nHugetlb: 80 kB\n";
        let root = copy("meminfo", &[("proc/meminfo", text)]);
        let kinds = || {
            let counts = pages_by_counters(&root, 4096).unwrap();
            [PageKind::Free, PageKind::Cache, PageKind::User, PageKind::Slab, PageKind::Kernel]
                .map(|kind| counts.pages(kind))
        };
        assert_eq!(kinds(), [100, 30, 220, 50, 600]);
        // Two zones, of which a crash kernel has 10 pages.
        let zones = "Node 0, zone      DMA\n        spanned  4095\n        present  100\n        managed  90\n\
            Node 0, zone   Normal\n        present  1000\n        managed  910\n";
        fs::write(root.join("proc/zoneinfo"), zones).unwrap();
        assert_eq!(kinds(), [100, 30, 220, 50, 700]);
        fs::create_dir_all(root.join("sys/kernel")).unwrap();
        fs::write(root.join("sys/kernel/kexec_crash_size"), "40960\n").unwrap();
        assert_eq!(kinds(), [100, 30, 220, 50, 690]);
        fs::write(root.join("proc/meminfo"), "MemTotal: 4000 kB\n").unwrap();
        assert!(pages_by_counters(&root, 4096).is_err());
        fs::remove_dir_all(&root).unwrap();
    }
}
