//! Bytes of a file, as the caller provides them.

/// The code that the byte slices of this crate answer to a read past their end.
pub const END_OF_FILE: i32 = -1;

/// The code that a [`ReadAt`] answers where the hardware reports the memory behind the bytes as broken (`EHWPOISON`, a
/// machine check): they must not be read again.
pub const POISONED: i32 = 0x4000_0004;

/// Positional reads from a file, a block device or memory.
///
/// Reads are all or nothing. The error is the embedder's own code, which comes back in
/// [`Error::Io`](crate::Error::Io) unchanged.
pub trait ReadAt {
    /// Fills `buf` with the bytes that start `offset` bytes into the input.
    ///
    /// # Errors
    /// The embedder's code when any of the bytes cannot be read; `buf` is then unspecified.
    fn read_at(&self, offset: u64, buf: &mut [u8]) -> Result<(), i32>;

    /// The input's size in bytes, where it is known. Parsers then tell a truncated input from a failed read.
    fn size(&self) -> Option<u64> {
        None
    }

    /// The first place at or above `offset` where a byte may be other than zero: all before it read as zero. `offset`
    /// itself where that is not known. A table with holes of terabytes costs no time then.
    fn next_data(&self, offset: u64) -> u64 {
        offset
    }
}

/// Positional writes to a file, a block device or memory.
pub trait WriteAt {
    /// Writes all of `bytes`, `offset` bytes into the output.
    ///
    /// # Errors
    /// The embedder's code when any of the bytes could not be written.
    fn write_at(&mut self, offset: u64, bytes: &[u8]) -> Result<(), i32>;

    /// Whether an offset may be written a second time. A stream cannot: what was sent is gone.
    fn can_rewrite(&self) -> bool {
        true
    }

    /// Whether bytes that are never written read as zero between those that are, as in a new file. A writer may then
    /// leave out what is zero. A device has its old bytes there, and a stream has none. And after a power failure too: who
    /// empties an old file brings that to stable storage before the first write.
    fn starts_as_zeros(&self) -> bool {
        false
    }

    /// Returns when everything written so far is on stable storage.
    ///
    /// # Errors
    /// The embedder's code when the storage did not take it.
    fn sync(&mut self) -> Result<(), i32> {
        Ok(())
    }
}

/// Fills `buf` with bytes of a header, in which those that a stream was cut off before are zero: a mark that was to come last
/// must not cost the rest.
pub(crate) fn read_header<R: ReadAt + ?Sized>(input: &R, offset: u64, buf: &mut [u8]) -> Result<(), i32> {
    match input.read_at(offset, buf) {
        Err(END_OF_FILE) if input.size().is_some() => {}
        result => return result,
    }
    // Without its first byte there is no header.
    let mut first = [0];
    input.read_at(offset, &mut first)?;
    for (byte, at) in buf.iter_mut().zip(offset..) {
        if input.read_at(at, core::slice::from_mut(byte)).is_err() {
            *byte = 0;
        }
    }
    Ok(())
}

impl ReadAt for [u8] {
    fn read_at(&self, offset: u64, buf: &mut [u8]) -> Result<(), i32> {
        let bytes = usize::try_from(offset)
            .ok()
            .and_then(|start| self.get(start..start.checked_add(buf.len())?))
            .ok_or(END_OF_FILE)?;
        buf.copy_from_slice(bytes);
        Ok(())
    }

    fn size(&self) -> Option<u64> {
        u64::try_from(self.len()).ok()
    }
}

impl<T: ReadAt + ?Sized> ReadAt for &T {
    fn read_at(&self, offset: u64, buf: &mut [u8]) -> Result<(), i32> {
        (**self).read_at(offset, buf)
    }

    fn size(&self) -> Option<u64> {
        (**self).size()
    }

    fn next_data(&self, offset: u64) -> u64 {
        (**self).next_data(offset)
    }
}

impl<T: WriteAt + ?Sized> WriteAt for &mut T {
    fn write_at(&mut self, offset: u64, bytes: &[u8]) -> Result<(), i32> {
        (**self).write_at(offset, bytes)
    }

    fn can_rewrite(&self) -> bool {
        (**self).can_rewrite()
    }

    fn starts_as_zeros(&self) -> bool {
        (**self).starts_as_zeros()
    }

    fn sync(&mut self) -> Result<(), i32> {
        (**self).sync()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slice_reads_all_or_nothing() {
        let bytes: &[u8] = &[1, 2, 3, 4];
        let mut two = [0; 2];
        assert_eq!(bytes.read_at(2, &mut two), Ok(()));
        assert_eq!(two, [3, 4]);
        for offset in [3, 4, 5, u64::MAX - 1, u64::MAX] {
            assert_eq!(bytes.read_at(offset, &mut two), Err(END_OF_FILE), "{offset}");
        }
        assert_eq!(bytes.read_at(4, &mut []), Ok(()));
        assert_eq!(ReadAt::size(bytes), Some(4));
    }
}
