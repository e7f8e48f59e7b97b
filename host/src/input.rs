//! A file that is read.

use std::fs::File;
use std::io::{self, Seek, SeekFrom};
use std::os::unix::fs::{FileExt, FileTypeExt, MetadataExt};
use std::path::Path;

use vmcore_format::{POISONED, ReadAt};

use crate::errno::{ENXIO, code_of};
use crate::syscall::{is_in_proc, next_data};
use crate::windows::{Missing, Windows};

/// The memory of a page of the file is broken.
const EHWPOISON: i32 = libc::EHWPOISON;

/// A regular file, a block device or `/proc/vmcore`, read at any offset. `/proc/vmcore` is mapped, where it can be.
///
/// Where a page is gone from under its mapping it is read once more, by `pread`. Broken memory answers [`POISONED`], and is not read
/// again.
#[derive(Debug)]
pub struct Input {
    file: File,
    size: Option<u64>,
    identity: (u64, u64),
    /// Where mappings are faster.
    windows: Option<Windows>,
}

impl Input {
    /// Opens `path` for reading.
    ///
    /// # Errors
    /// The operating system's; [`io::ErrorKind::InvalidInput`] for what cannot be read at an offset (a directory, a
    /// pipe, a terminal).
    pub fn open(path: &Path) -> io::Result<Self> {
        let mut file = File::open(path)?;
        let metadata = file.metadata()?;
        let kind = metadata.file_type();
        let size = if kind.is_file() {
            Some(metadata.len())
        } else if kind.is_block_device() {
            Some(file.seek(SeekFrom::End(0))?)
        } else if kind.is_dir() {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "is a directory"));
        } else if kind.is_fifo() || kind.is_socket() || kind.is_char_device() {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "cannot be read at an offset"));
        } else {
            None
        };
        let windows = is_in_proc(&file).then(Windows::default);
        Ok(Self { file, size, identity: (metadata.dev(), metadata.ino()), windows })
    }

    /// As [`open`](Self::open), and read through mappings whatever it is.
    #[cfg(test)]
    pub(crate) fn mapped(path: &Path) -> io::Result<Self> {
        Ok(Self { windows: Some(Windows::default()), ..Self::open(path)? })
    }

    /// Device and inode number: equal for two names of one file.
    #[must_use]
    pub fn identity(&self) -> (u64, u64) {
        self.identity
    }
}

impl ReadAt for Input {
    fn read_at(&self, offset: u64, buf: &mut [u8]) -> Result<(), i32> {
        let mapped = self.windows.as_ref().zip(self.size);
        match mapped.map(|(windows, size)| windows.read(&self.file, size, offset, buf)) {
            Some(Ok(())) => return Ok(()),
            Some(Err(Missing::Poisoned)) => return Err(POISONED),
            Some(Err(Missing::NotMapped | Missing::Gone)) | None => {}
        }
        self.file.read_exact_at(buf, offset).map_err(|error| match code_of(&error) {
            EHWPOISON => POISONED,
            code => code,
        })
    }

    fn size(&self) -> Option<u64> {
        self.size
    }

    fn next_data(&self, offset: u64) -> u64 {
        if self.windows.is_some() {
            return offset;
        }
        let end = self.size.unwrap_or(offset);
        let found = match next_data(&self.file, offset) {
            Err(ENXIO) => end,
            found => found.unwrap_or(offset),
        };
        found.max(offset)
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use vmcore_format::END_OF_FILE;

    use super::*;

    #[test]
    #[cfg_attr(miri, ignore = "Miri has no fstatfs")]
    fn a_file_reads_all_or_nothing() {
        let path = std::env::temp_dir().join(format!("kcapture-input-{}", std::process::id()));
        fs::write(&path, b"0123456789").unwrap();
        let input = Input::open(&path).unwrap();
        fs::remove_file(&path).unwrap();
        assert_eq!(input.size(), Some(10));
        let mut buf = [0; 4];
        assert_eq!(input.read_at(6, &mut buf), Ok(()));
        assert_eq!(&buf, b"6789");
        assert_eq!(input.read_at(7, &mut buf), Err(END_OF_FILE));
        assert_eq!(input.read_at(u64::MAX, &mut buf), Err(crate::errno::EINVAL));
    }

    #[test]
    #[cfg_attr(miri, ignore = "Miri has no fstatfs")]
    fn holes_are_passed_over() {
        let path = std::env::temp_dir().join(format!("kcapture-holes-{}", std::process::id()));
        let file = File::create(&path).unwrap();
        file.write_all_at(b"x", 1 << 30).unwrap();
        file.set_len(1 << 40).unwrap();
        let input = Input::open(&path).unwrap();
        fs::remove_file(&path).unwrap();
        // A file system without holes answers with what was asked.
        assert!([0, 1 << 30].contains(&input.next_data(0)));
        assert_eq!(input.next_data(1 << 30), 1 << 30);
        assert!([1 << 35, 1 << 40].contains(&input.next_data(1 << 35)));
        assert!(input.next_data(1 << 41) >= 1 << 41);
    }

    #[test]
    fn what_has_no_offsets_is_refused() {
        for path in ["/", "/dev/zero"] {
            assert_eq!(
                Input::open(Path::new(path)).unwrap_err().kind(),
                io::ErrorKind::InvalidInput,
                "{path}"
            );
        }
    }
}
