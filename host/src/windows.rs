//! Reads of `/proc/vmcore` through mappings.
//!
//! A `read` of `/proc/vmcore` maps and unmaps each page in the kernel; a mapping does so once for many. Measured in a capture
//! kernel (Linux 6.1 in QEMU without hardware virtualisation): 13 to 21 ms a mebibyte by `pread`, 2 ms through windows
//! of 4 MiB. Files in the page cache are read faster by `pread`.
//!
//! A page that goes away under a mapping (a file that was cut off, memory that breaks) raises `SIGBUS`: the read fails then, and
//! nothing else happens ([`Mapping`]). Windows that failed are not mapped again: what is in them is read by `pread`, where an error
//! costs one system call. Broken memory is not touched a second time, neither way: through `pread` the kernel might fall over it. The
//! last 4096 windows and pieces that failed are remembered; one that was forgotten is touched again.

use core::sync::atomic::{AtomicBool, Ordering};
use std::fs::File;
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::syscall::{Broken, Mapping};

/// The size of a window, in bytes, and what its offset is a multiple of.
const WINDOW: u64 = 4 << 20;

/// Windows that are kept when no one reads from them: struct pages, page tables and pages to be saved lie apart.
const KEPT: usize = 4;

/// Windows and pages that failed, each as many as are remembered; the oldest are forgotten.
const REMEMBERED: usize = 4096;
/// Broken memory is given up in pieces of this size, the smallest page there is.
const BROKEN: u64 = 4096;

/// Mapped pieces of a file.
#[derive(Debug, Default)]
pub(crate) struct Windows {
    /// Those that no one reads from, the one that was used last at the end. A thread takes the one that it reads from, so that
    /// there are never more than these and one for each thread.
    idle: Mutex<Vec<Mapping>>,
    /// Whether `bad` is not empty.
    any_bad: AtomicBool,
    bad: Mutex<Bad>,
}

/// What failed, by its offset in the file.
#[derive(Debug, Default)]
struct Bad {
    /// Windows in which a page was gone.
    windows: Vec<u64>,
    /// Pieces of broken memory.
    poisoned: Vec<u64>,
}

impl Bad {
    fn remember(list: &mut Vec<u64>, offset: u64) {
        if list.contains(&offset) {
            return;
        }
        if list.len() >= REMEMBERED {
            list.remove(0);
        }
        list.push(offset);
    }
}

/// Why bytes cannot be had.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Missing {
    /// They cannot be mapped: a file that ends before them, a kernel that does not map them. They may be read otherwise.
    NotMapped,
    /// A page of them is gone. They may be read otherwise: that fails as well, or they are there again.
    Gone,
    /// The memory that they are in is broken. They must not be read otherwise.
    Poisoned,
}

impl Windows {
    /// Fills `buf` with what stands at `offset` in `file`, of `size` bytes. Where it fails `buf` is unspecified.
    pub(crate) fn read(&self, file: &File, size: u64, offset: u64, buf: &mut [u8]) -> Result<(), Missing> {
        self.check(offset, buf.len())?;
        let mut at = offset;
        let mut rest = buf;
        while !rest.is_empty() {
            let window = self.take(file, size, at).ok_or(Missing::NotMapped)?;
            let skip = at.checked_sub(window.offset()).and_then(|skip| usize::try_from(skip).ok());
            let left = skip.and_then(|skip| window.len().checked_sub(skip)).filter(|&len| len > 0);
            let (skip, left) = skip.zip(left).ok_or(Missing::NotMapped)?;
            let (part, later) = rest.split_at_mut(left.min(rest.len()));
            if let Err(broken) = window.copy(skip, part) {
                return Err(self.note(window.offset(), broken));
            }
            self.put_back(window);
            at = at.saturating_add(u64::try_from(part.len()).unwrap_or(u64::MAX));
            rest = later;
        }
        Ok(())
    }

    fn bad(&self) -> MutexGuard<'_, Bad> {
        self.bad.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether something of `len` bytes at `offset` failed before.
    fn check(&self, offset: u64, len: usize) -> Result<(), Missing> {
        if !self.any_bad.load(Ordering::Acquire) {
            return Ok(());
        }
        let end = offset.saturating_add(u64::try_from(len).unwrap_or(u64::MAX));
        let meets = |start: &u64, size: u64| *start < end && offset < start.saturating_add(size);
        let bad = self.bad();
        if bad.poisoned.iter().any(|start| meets(start, BROKEN)) {
            return Err(Missing::Poisoned);
        }
        if bad.windows.iter().any(|start| meets(start, WINDOW)) { Err(Missing::Gone) } else { Ok(()) }
    }

    /// Takes note of what failed in the window at `start`.
    fn note(&self, start: u64, broken: Broken) -> Missing {
        let mut bad = self.bad();
        let missing = match broken {
            Broken::Outside => return Missing::NotMapped,
            Broken::Gone => {
                Bad::remember(&mut bad.windows, start);
                Missing::Gone
            }
            Broken::Poisoned(skip) => {
                let at = start.saturating_add(u64::try_from(skip).unwrap_or(u64::MAX));
                Bad::remember(&mut bad.poisoned, at & !BROKEN.saturating_sub(1));
                Missing::Poisoned
            }
        };
        self.any_bad.store(true, Ordering::Release);
        missing
    }

    /// The window over `offset`: one that is there, or a new one.
    fn take(&self, file: &File, size: u64, offset: u64) -> Option<Mapping> {
        let start = offset.checked_sub(offset.checked_rem(WINDOW)?)?;
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(found) = idle.iter().position(|window| window.offset() == start) {
            return Some(idle.remove(found));
        }
        drop(idle);
        let len = size.checked_sub(start)?.min(WINDOW);
        Mapping::new(file, start, usize::try_from(len).ok()?)
    }

    fn put_back(&self, window: Mapping) {
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        let oldest = (idle.len() >= KEPT).then(|| idle.remove(0));
        idle.push(window);
        drop(idle);
        // Unmapped without the lock.
        drop(oldest);
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::thread;

    use super::*;

    fn file(name: &str, bytes: &[u8]) -> File {
        let path = std::env::temp_dir().join(format!("kcapture-windows-{name}-{}", std::process::id()));
        fs::write(&path, bytes).unwrap();
        let file = File::options().read(true).write(true).open(&path).unwrap();
        fs::remove_file(path).unwrap();
        file
    }

    fn bytes(len: usize) -> Vec<u8> {
        (0..len).map(|at| (at * 7 + at / 4096) as u8).collect()
    }

    #[test]
    #[cfg_attr(miri, ignore = "Miri maps no files")]
    fn what_is_read_is_what_stands_there() {
        let bytes = bytes(2 * WINDOW as usize + 5000);
        let size = bytes.len() as u64;
        let file = file("reads", &bytes);
        let windows = Windows::default();
        let border = WINDOW as usize;
        for (at, len) in [(0, 10), (border - 3, 6), (border, border + 5000), (1, bytes.len() - 1), (5, 0)] {
            let mut buf = vec![0; len];
            assert_eq!(windows.read(&file, size, at as u64, &mut buf), Ok(()));
            assert!(buf == bytes[at..at + len], "{at} {len}");
        }
        let mut two = [0; 2];
        for at in [size - 1, size, u64::MAX] {
            assert_eq!(windows.read(&file, size, at, &mut two), Err(Missing::NotMapped), "{at}");
        }
        assert!(windows.idle.lock().unwrap().len() <= KEPT);
    }

    #[test]
    #[cfg_attr(miri, ignore = "Miri maps no files")]
    fn a_file_that_is_cut_off_under_its_mapping_fails_reads_and_nothing_else() {
        let bytes = bytes(64 << 12);
        let size = bytes.len() as u64;
        let file = file("cut", &bytes);
        let windows = Windows::default();
        let mut page = [0; 4096];
        assert_eq!(windows.read(&file, size, 60 << 12, &mut page), Ok(()));
        file.set_len(10 << 12).unwrap();
        assert_eq!(windows.read(&file, size, 9 << 12, &mut page), Ok(()));
        assert!(page == bytes[9 << 12..][..4096]);
        // From the first page that is gone on the window is not used, for any page.
        for pfn in [10, 60, 0, 63, 9] {
            assert_eq!(windows.read(&file, size, pfn << 12, &mut page), Err(Missing::Gone), "{pfn}");
        }
        assert!(windows.idle.lock().unwrap().is_empty());
        let mut many = vec![0; 20 << 12];
        assert_eq!(windows.read(&file, size, 0, &mut many), Err(Missing::Gone));
    }

    #[test]
    #[cfg_attr(miri, ignore = "Miri maps no files")]
    fn broken_memory_is_not_touched_again() {
        let bytes = bytes(64 << 12);
        let size = bytes.len() as u64;
        let file = file("broken", &bytes);
        let windows = Windows::default();
        assert_eq!(windows.note(0, Broken::Poisoned((9 << 12) + 0x123)), Missing::Poisoned);
        let mut page = [0; 4096];
        for (at, len, read) in [
            (9 << 12, 4096, Err(Missing::Poisoned)),
            ((10 << 12) - 1, 1, Err(Missing::Poisoned)),
            ((9 << 12) - 1, 2, Err(Missing::Poisoned)),
            (8 << 12, 4096, Ok(())),
            (10 << 12, 4096, Ok(())),
        ] {
            assert_eq!(windows.read(&file, size, at, &mut page[..len]), read, "{at:x} {len}");
        }
    }

    #[test]
    #[cfg_attr(miri, ignore = "Miri maps no files")]
    fn threads_read_side_by_side_while_pages_go_away() {
        let bytes = bytes(256 << 12);
        let size = bytes.len() as u64;
        let file = file("threads", &bytes);
        let windows = Windows::default();
        thread::scope(|scope| {
            for first in 0..6_u64 {
                let (windows, file, bytes) = (&windows, &file, &bytes);
                scope.spawn(move || {
                    let mut page = [0; 4096];
                    for pfn in (0..2000).map(|turn| (first * 40 + turn * 7) % 256) {
                        let read = windows.read(file, size, pfn << 12, &mut page);
                        assert!(read.is_ok() || read == Err(Missing::Gone), "{pfn}");
                        if read.is_ok() && pfn < 128 {
                            assert!(page == bytes[(pfn << 12) as usize..][..4096], "{pfn}");
                        }
                    }
                });
            }
            file.set_len(128 << 12).unwrap();
        });
    }
}
