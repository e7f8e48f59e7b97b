//! A file that is written.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::{Path, PathBuf};

use vmcore_format::WriteAt;

use crate::errno::code_of;

/// What to do when the output is already there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum IfExists {
    /// Leave it alone and fail with [`io::ErrorKind::AlreadyExists`].
    Refuse,
    /// Empty it and write over it. A device is written over without being emptied.
    Overwrite,
}

/// A regular file or a block device, written at any offset.
#[derive(Debug)]
pub struct Output {
    file: File,
    path: PathBuf,
    is_regular: bool,
    written: u64,
}

impl Output {
    /// Opens `path` for writing. None of `inputs` ([`Input::identity`](crate::Input::identity)) is ever overwritten.
    ///
    /// # Errors
    /// The operating system's; [`io::ErrorKind::AlreadyExists`] as `if_exists` says; [`io::ErrorKind::InvalidInput`]
    /// when `path` is one of the inputs.
    pub fn create(path: &Path, if_exists: IfExists, inputs: &[(u64, u64)]) -> io::Result<Self> {
        let mut options = OpenOptions::new();
        options.write(true);
        match if_exists {
            IfExists::Refuse => options.create_new(true),
            IfExists::Overwrite => options.create(true).truncate(false),
        };
        let file = options.open(path)?;
        let metadata = file.metadata()?;
        if inputs.contains(&(metadata.dev(), metadata.ino())) {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "is also the input"));
        }
        let is_regular = metadata.file_type().is_file();
        if is_regular {
            file.set_len(0)?;
        }
        Ok(Self { file, path: path.to_owned(), is_regular, written: 0 })
    }

    /// Where the file is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The number of bytes written so far, counting a byte as often as it was written.
    #[must_use]
    pub fn written(&self) -> u64 {
        self.written
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
        self.file.write_all_at(bytes, offset).map_err(|error| code_of(&error))?;
        self.written = self.written.saturating_add(u64::try_from(bytes.len()).unwrap_or(u64::MAX));
        Ok(())
    }

    fn sync(&mut self) -> Result<(), i32> {
        self.file.sync_all().map_err(|error| code_of(&error))
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
        assert_eq!(output.written(), 3);
        output.discard().unwrap();
        assert!(!path.exists());
    }

    #[test]
    fn the_input_is_never_overwritten() {
        let path = scratch("same");
        let link = scratch("link");
        fs::write(&path, b"vmcore").unwrap();
        fs::hard_link(&path, &link).unwrap();
        let input = Input::open(&path).unwrap();
        let refused = Output::create(&link, IfExists::Overwrite, &[input.identity()]).unwrap_err();
        assert_eq!(refused.kind(), io::ErrorKind::InvalidInput);
        assert_eq!(fs::read(&path).unwrap(), b"vmcore");
        fs::remove_file(path).unwrap();
        fs::remove_file(link).unwrap();
    }
}
