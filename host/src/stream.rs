//! A stream that is written front to back.

use std::fmt;
use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::os::fd::AsFd;

use vmcore_format::WriteAt;

use crate::errno::{EBADF, EINVAL, code_of};
use crate::syscall::stdout_was_closed;

/// A pipe, a socket or standard output as a [`WriteAt`] whose offsets only grow, without gaps.
pub struct Stream<W: Write> {
    inner: BufWriter<W>,
    position: u64,
}

impl<W: Write> Stream<W> {
    /// A stream at its first byte.
    #[must_use]
    pub fn new(inner: W) -> Self {
        Self { inner: BufWriter::with_capacity(256 << 10, inner), position: 0 }
    }
}

impl Stream<File> {
    /// Standard output, past the buffer of lines that `std` puts before it.
    ///
    /// # Errors
    /// The operating system's; that of a closed file where standard output was closed when the program began.
    pub fn stdout() -> io::Result<Self> {
        if stdout_was_closed() {
            return Err(io::Error::from_raw_os_error(EBADF));
        }
        Ok(Self::new(File::from(io::stdout().as_fd().try_clone_to_owned()?)))
    }
}

impl<W: Write> WriteAt for Stream<W> {
    /// `offset` must be where the last write ended.
    fn write_at(&mut self, offset: u64, bytes: &[u8]) -> Result<(), i32> {
        if offset != self.position {
            return Err(EINVAL);
        }
        self.inner.write_all(bytes).map_err(|error| code_of(&error))?;
        self.position = self.position.saturating_add(u64::try_from(bytes.len()).unwrap_or(u64::MAX));
        Ok(())
    }

    fn can_rewrite(&self) -> bool {
        false
    }

    fn sync(&mut self) -> Result<(), i32> {
        self.inner.flush().map_err(|error| code_of(&error))
    }
}

impl<W: Write> fmt::Debug for Stream<W> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Stream").field("position", &self.position).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stream_takes_neither_gaps_nor_rewrites() {
        let mut sent = Vec::new();
        let mut stream = Stream::new(&mut sent);
        assert!(!stream.can_rewrite());
        assert_eq!(stream.write_at(0, b"abc"), Ok(()));
        assert_eq!(stream.write_at(4, b"x"), Err(EINVAL));
        assert_eq!(stream.write_at(0, b"x"), Err(EINVAL));
        assert_eq!(stream.write_at(3, b"de"), Ok(()));
        assert_eq!(stream.sync(), Ok(()));
        drop(stream);
        assert_eq!(sent, b"abcde");
    }
}
