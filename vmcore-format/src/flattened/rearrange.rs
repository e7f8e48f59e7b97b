//! Making a plain file of a flattened one.

use super::format::Extent;
use super::read::Flattened;
use crate::{Error, ReadAt, WriteAt};

/// Copies the dump inside a flattened file to a plain one, step by step: the caller sees the progress and may stop after any
/// step.
#[derive(Debug)]
pub struct Rearrange<'a, R: ReadAt + ?Sized = dyn ReadAt + 'a> {
    input: &'a R,
    /// What is left to copy.
    extents: &'a [Extent],
    /// How far the first of them is copied, in bytes of the dump; below its start: not at all.
    at: u64,
    done: u64,
}

impl<'a, R: ReadAt + ?Sized> Rearrange<'a, R> {
    /// Nothing is read or written yet.
    #[must_use]
    pub fn new(flattened: &Flattened<'a, R>) -> Self {
        Self { input: flattened.input(), extents: flattened.extents(), at: 0, done: 0 }
    }

    /// The bytes copied so far.
    #[must_use]
    pub fn done(&self) -> u64 {
        self.done
    }

    /// Copies at most `buf.len()` bytes. Returns true when the output is whole.
    ///
    /// `out` must read as zero where nothing is written, as a new file does. Bytes that the stream was cut off before are not
    /// written.
    ///
    /// # Errors
    /// [`Error::BufferTooSmall`] when `buf` is empty, [`Error::Io`]. A failed step can be tried again.
    pub fn step(&mut self, out: &mut dyn WriteAt, buf: &mut [u8]) -> Result<bool, Error> {
        let Some((extent, others)) = self.extents.split_first() else { return Ok(true) };
        if buf.is_empty() {
            return Err(Error::BufferTooSmall { needed: 1 });
        }
        let range = extent.range();
        let at = self.at.max(range.start);
        let mut until = range.end;
        if extent.source().is_some() {
            let len = usize::try_from(until.saturating_sub(at)).unwrap_or(usize::MAX).min(buf.len());
            let bytes = buf.get_mut(..len).unwrap_or_default();
            self.input.read_at(extent.source_of(at), bytes).map_err(|code| Error::Io { code })?;
            out.write_at(at, bytes).map_err(|code| Error::Io { code })?;
            let len = u64::try_from(len).unwrap_or(u64::MAX);
            self.done = self.done.saturating_add(len);
            until = at.saturating_add(len);
        }
        self.at = until;
        if until >= range.end {
            self.extents = others;
        }
        Ok(self.extents.is_empty())
    }
}
