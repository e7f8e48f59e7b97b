//! Reads of `/proc/vmcore` through mappings.
//!
//! A `read` of `/proc/vmcore` maps and unmaps each page in the kernel; a mapping does so once for many. Measured in a capture
//! kernel (Linux 6.1 in QEMU without hardware virtualisation): 13 to 21 ms a mebibyte by `pread`, 2 ms through windows
//! of 4 MiB. Files in the page cache are read faster by `pread`.
//!
//! A page that goes away under a mapping (memory that the hardware gives up, a file that was cut off) raises `SIGBUS`: the
//! read fails then, and nothing else happens ([`Mapping`]).

use std::fs::File;
use std::sync::{Mutex, PoisonError};

use crate::syscall::Mapping;

/// The size of a window, in bytes, and what its offset is a multiple of.
const WINDOW: u64 = 4 << 20;

/// Windows that are kept when no one reads from them: struct pages, page tables and pages to be saved lie apart.
const KEPT: usize = 4;

/// Mapped pieces of a file.
#[derive(Debug, Default)]
pub(crate) struct Windows {
    /// Those that no one reads from, the one that was used last at the end. A thread takes the one that it reads from, so that
    /// there are never more than these and one for each thread.
    idle: Mutex<Vec<Mapping>>,
}

/// Why bytes cannot be had.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Missing {
    /// They cannot be mapped: a file that ends before them, a kernel that does not map them. They may be read otherwise.
    NotMapped,
    /// A page of them is gone. They must not be read otherwise: where memory is broken the kernel might fall over it.
    Gone,
}

impl Windows {
    /// Fills `buf` with what stands at `offset` in `file`, of `size` bytes. Where it fails `buf` is unspecified.
    pub(crate) fn read(&self, file: &File, size: u64, offset: u64, buf: &mut [u8]) -> Result<(), Missing> {
        let mut at = offset;
        let mut rest = buf;
        while !rest.is_empty() {
            let window = self.take(file, size, at).ok_or(Missing::NotMapped)?;
            let skip = at.checked_sub(window.offset()).and_then(|skip| usize::try_from(skip).ok());
            let left = skip.and_then(|skip| window.len().checked_sub(skip)).filter(|&len| len > 0);
            let (skip, left) = skip.zip(left).ok_or(Missing::NotMapped)?;
            let (part, later) = rest.split_at_mut(left.min(rest.len()));
            window.copy(skip, part).ok_or(Missing::Gone)?;
            self.put_back(window);
            at = at.saturating_add(u64::try_from(part.len()).unwrap_or(u64::MAX));
            rest = later;
        }
        Ok(())
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
    fn a_file_that_is_cut_off_under_its_mapping_fails_reads_and_nothing_else() {
        let bytes = bytes(64 << 12);
        let size = bytes.len() as u64;
        let file = file("cut", &bytes);
        let windows = Windows::default();
        let mut page = [0; 4096];
        assert_eq!(windows.read(&file, size, 60 << 12, &mut page), Ok(()));
        file.set_len(10 << 12).unwrap();
        for (pfn, there) in [(9, true), (10, false), (60, false), (0, true), (63, false), (9, true)] {
            let read = windows.read(&file, size, pfn << 12, &mut page);
            assert_eq!(read, if there { Ok(()) } else { Err(Missing::Gone) }, "{pfn}");
            assert!(!there || page == bytes[(pfn << 12) as usize..][..4096], "{pfn}");
        }
        let mut many = vec![0; 20 << 12];
        assert_eq!(windows.read(&file, size, 0, &mut many), Err(Missing::Gone));
        // What comes back is read again.
        file.set_len(size).unwrap();
        assert_eq!(windows.read(&file, size, 60 << 12, &mut page), Ok(()));
        assert_eq!(page, [0; 4096]);
    }

    #[test]
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
                        assert!(read.is_ok() || (read == Err(Missing::Gone) && pfn >= 128), "{pfn}");
                        if pfn < 128 {
                            assert!(page == bytes[(pfn << 12) as usize..][..4096], "{pfn}");
                        }
                    }
                });
            }
            file.set_len(128 << 12).unwrap();
        });
    }
}
