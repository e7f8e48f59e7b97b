//! A file that is written.

use core::ops::Range;
use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::{FileExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use vmcore_format::WriteAt;

use crate::errno::{EINVAL, code_of};
use crate::syscall::{is_in_memory, preallocate, start_writeback};

/// What is new is its owner's alone: a dump holds every secret of the machine.
const MODE: u32 = 0o600;

/// Storage is taken in pieces of so many bytes: file systems take large ones sooner than many small ones, and in one place.
const PIECE: u64 = 32 << 20;

/// The size of a write from which on it is one of many, in bytes.
const LARGE: u64 = 128 << 10;

/// So many bytes are written before the kernel is asked to bring them to storage: it does so while the dump goes on, and what
/// waits to be written never fills a small machine's memory.
const WRITEBACK: u64 = 4 << 20;

/// What to do when the output is already there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum IfExists {
    /// Leave it alone and fail with [`io::ErrorKind::AlreadyExists`].
    Refuse,
    /// Empty it and write over it. A device is written over without being emptied.
    Overwrite,
}

/// A regular file or a block device, written at any offset.
///
/// Storage is taken ahead of what is written where the file system knows how; [`sync`](WriteAt::sync) gives back what was
/// not used. The size of the file is never more than what was written.
#[derive(Debug)]
pub struct Output {
    file: File,
    path: PathBuf,
    is_regular: bool,
    identity: (u64, u64),
    /// The end of the storage that was taken; `None` where none is taken ahead.
    taken: Option<u64>,
    /// Whether storage may have been taken that the file has no use for.
    gives_back: bool,
    /// Whether [`sync`](WriteAt::sync) waits for storage.
    waits: bool,
    /// Whether everything written is on stable storage.
    is_synced: bool,
    /// What was written one after the other and is not on its way to storage.
    waiting: Range<u64>,
}

impl Output {
    /// Opens `path` for writing; a new file is readable by its owner alone. None of `in_use`
    /// ([`Input::identity`](crate::Input::identity), [`Output::identity`]) is ever overwritten.
    ///
    /// # Errors
    /// The operating system's; [`io::ErrorKind::AlreadyExists`] as `if_exists` says; [`io::ErrorKind::InvalidInput`]
    /// when `path` is one of those in use.
    pub fn create(path: &Path, if_exists: IfExists, in_use: &[(u64, u64)]) -> io::Result<Self> {
        let mut options = OpenOptions::new();
        options.write(true).mode(MODE);
        match if_exists {
            IfExists::Refuse => options.create_new(true),
            IfExists::Overwrite => options.create(true).truncate(false),
        };
        let file = options.open(path)?;
        let metadata = file.metadata()?;
        let identity = (metadata.dev(), metadata.ino());
        if in_use.contains(&identity) {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "is also the input or another output"));
        }
        let is_regular = metadata.file_type().is_file();
        if is_regular && metadata.len() > 0 {
            file.set_len(0)?;
            // Not every file system forgets the old bytes before it gives their place to new ones: what was a whole dump must not
            // look like one again when the power fails.
            file.sync_all()?;
        }
        // Memory is taken page by page, ahead or not: twice is more work.
        let taken = (is_regular && !is_in_memory(&file)).then_some(0);
        Ok(Self {
            file,
            path: path.to_owned(),
            is_regular,
            identity,
            taken,
            gives_back: false,
            waits: true,
            is_synced: false,
            waiting: 0..0,
        })
    }

    /// Leaves it to the kernel when what is written goes to storage: [`sync`](WriteAt::sync) does not wait for it, and a
    /// machine that loses its power soon after may keep a dump that says that it is whole, and is not.
    #[must_use]
    pub fn unsynced(self) -> Self {
        Self { waits: false, ..self }
    }

    /// Where the file is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Device and inode number: equal for two names of one file.
    #[must_use]
    pub fn identity(&self) -> (u64, u64) {
        self.identity
    }

    /// Takes storage for what is written at `offset` and what comes after it. Where that fails, writing alone says whether
    /// there is room: what is left may still do.
    fn take_storage(&mut self, offset: u64, end: u64) {
        let Some(taken) = self.taken.filter(|&taken| taken < end) else { return };
        let start = taken.max(offset);
        let piece = end.checked_next_multiple_of(PIECE).unwrap_or(end);
        let result = preallocate(&self.file, start, piece.saturating_sub(start));
        self.taken = result.ok().map(|()| piece);
        // A call that failed may have taken some.
        self.gives_back = true;
    }

    /// Takes note of bytes that were written, and starts bringing them to storage where they are many.
    fn start_writeback(&mut self, offset: u64, end: u64) {
        if offset == self.waiting.end {
            self.waiting.end = end;
        } else if end.saturating_sub(offset) >= LARGE {
            // Small pieces between large ones are for the end.
            self.waiting = offset..end;
        }
        let len = self.waiting.end.saturating_sub(self.waiting.start);
        if self.is_regular && self.waits && len >= WRITEBACK {
            // What is not done now is done at the end.
            let _ = start_writeback(&self.file, self.waiting.start, len);
            self.waiting.start = self.waiting.end;
        }
    }

    /// Gives back the storage after the end of the file. Before the last page is on storage this would wait for that page
    /// alone.
    fn give_back_storage(&mut self) -> io::Result<()> {
        if self.gives_back {
            let size = self.file.metadata()?.len();
            self.file.set_len(size)?;
            self.taken = self.taken.map(|_| size);
            self.gives_back = false;
        }
        Ok(())
    }

    /// Gives the output up: a regular file is removed.
    ///
    /// # Errors
    /// The operating system's.
    pub fn discard(self) -> io::Result<()> {
        if self.is_regular { fs::remove_file(&self.path) } else { Ok(()) }
    }
}

impl WriteAt for Output {
    fn write_at(&mut self, offset: u64, bytes: &[u8]) -> Result<(), i32> {
        let end = offset.saturating_add(u64::try_from(bytes.len()).unwrap_or(u64::MAX));
        self.take_storage(offset, end);
        self.is_synced = false;
        self.file.write_all_at(bytes, offset).map_err(|error| code_of(&error))?;
        self.start_writeback(offset, end);
        Ok(())
    }

    fn starts_as_zeros(&self) -> bool {
        self.is_regular
    }

    fn sync(&mut self) -> Result<(), i32> {
        if self.is_synced {
            return Ok(());
        }
        if self.waits {
            // What finds the bytes again comes with them; times may come later.
            match self.file.sync_data().map_err(|error| code_of(&error)) {
                // A device that keeps nothing has nothing to bring to stable storage.
                Err(EINVAL) if !self.is_regular => {}
                result => result?,
            }
        }
        self.is_synced = true;
        self.give_back_storage().map_err(|error| code_of(&error))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Input;

    fn scratch(name: &str) -> PathBuf {
        std::env::temp_dir().join(format!("kcapture-output-{name}-{}", std::process::id()))
    }

    #[test]
    #[cfg_attr(miri, ignore = "Miri has no fstatfs")]
    fn an_existing_file_is_refused_or_emptied() {
        let path = scratch("exists");
        fs::write(&path, b"precious").unwrap();
        let refused = Output::create(&path, IfExists::Refuse, &[]).unwrap_err();
        assert_eq!(refused.kind(), io::ErrorKind::AlreadyExists);
        assert_eq!(fs::read(&path).unwrap(), b"precious");
        let mut output = Output::create(&path, IfExists::Overwrite, &[]).unwrap();
        output.write_at(2, b"new").unwrap();
        output.sync().unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"\0\0new");
        output.discard().unwrap();
        assert!(!path.exists());
    }

    #[test]
    #[cfg_attr(miri, ignore = "Miri has no fstatfs")]
    fn a_new_file_is_its_owners_alone() {
        let path = scratch("mode");
        let output = Output::create(&path, IfExists::Overwrite, &[]).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().mode() & 0o7777, 0o600);
        output.discard().unwrap();
    }

    #[test]
    fn a_device_that_keeps_nothing_can_be_written() {
        let mut output = Output::create(Path::new("/dev/null"), IfExists::Overwrite, &[]).unwrap();
        assert_eq!(output.write_at(4096, b"gone"), Ok(()));
        assert_eq!(output.sync(), Ok(()));
        output.discard().unwrap();
        assert!(Path::new("/dev/null").exists());
    }

    #[test]
    #[cfg_attr(miri, ignore = "Miri has no fstatfs")]
    fn what_is_in_use_is_never_overwritten() {
        let path = scratch("same");
        let link = scratch("link");
        fs::write(&path, b"vmcore").unwrap();
        fs::hard_link(&path, &link).unwrap();
        let input = Input::open(&path).unwrap();
        let refused = Output::create(&link, IfExists::Overwrite, &[input.identity()]).unwrap_err();
        assert_eq!(refused.kind(), io::ErrorKind::InvalidInput);
        assert_eq!(fs::read(&path).unwrap(), b"vmcore");
        let other = Output::create(&scratch("other"), IfExists::Refuse, &[]).unwrap();
        let again = Output::create(other.path(), IfExists::Overwrite, &[other.identity()]).unwrap_err();
        assert_eq!(again.kind(), io::ErrorKind::InvalidInput);
        other.discard().unwrap();
        fs::remove_file(path).unwrap();
        fs::remove_file(link).unwrap();
    }
    #[test]
    #[cfg_attr(miri, ignore = "Miri has no fstatfs")]
    fn storage_taken_ahead_is_given_back() {
        let path = scratch("ahead");
        storage_is_given_back(Output::create(&path, IfExists::Overwrite, &[]).unwrap());
        storage_is_given_back(Output::create(&path, IfExists::Overwrite, &[]).unwrap().unsynced());
    }

    fn storage_is_given_back(mut output: Output) {
        let path = output.path().to_owned();
        output.write_at(0, &[1; 10_000]).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().len(), 10_000);
        output.write_at(100_000, &[2; 10_000]).unwrap();
        output.sync().unwrap();
        let metadata = fs::metadata(&path).unwrap();
        assert_eq!(metadata.len(), 110_000);
        // In units of 512 bytes, whatever the file system's own.
        assert!(metadata.blocks() * 512 < 1 << 20, "{}", metadata.blocks());
        output.write_at(110_000, &[3; 10]).unwrap();
        output.sync().unwrap();
        let mut expected = vec![1; 10_000];
        expected.resize(100_000, 0);
        expected.resize(110_000, 2);
        expected.resize(110_010, 3);
        assert!(fs::read(&path).unwrap() == expected);
        output.discard().unwrap();
    }

    #[test]
    #[cfg_attr(miri, ignore = "Miri has no fstatfs")]
    fn a_full_file_system_keeps_what_fits() {
        let path = scratch("full");
        let mut output = Output::create(&path, IfExists::Overwrite, &[]).unwrap();
        output.write_at(0, &[1; 5000]).unwrap();
        // No file system has room for this; a write there fails too, and the file is as it was.
        let far = i64::MAX.unsigned_abs() - (64 << 20);
        assert!(output.write_at(far, &[1; 10]).is_err());
        output.write_at(5000, &[2; 5000]).unwrap();
        output.sync().unwrap();
        assert_eq!(fs::metadata(&path).unwrap().len(), 10_000);
        output.discard().unwrap();
    }
}
