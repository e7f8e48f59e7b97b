//! Files and outputs in memory.

use vmcore_format::{END_OF_FILE, ReadAt, WriteAt};

/// A file with some bytes changed, and perhaps cut. The file itself is not copied.
#[derive(Debug)]
pub(crate) struct Patched<'a> {
    pub(crate) base: &'a [u8],
    /// What stands where instead; later ones win.
    pub(crate) edits: Vec<(u64, Vec<u8>)>,
    /// The file's end.
    pub(crate) len: u64,
}

impl ReadAt for Patched<'_> {
    fn read_at(&self, offset: u64, buf: &mut [u8]) -> Result<(), i32> {
        let end = offset.checked_add(buf.len() as u64).filter(|end| *end <= self.len).ok_or(END_OF_FILE)?;
        let start = offset as usize;
        buf.copy_from_slice(self.base.get(start..end as usize).ok_or(END_OF_FILE)?);
        overlay(&self.edits, offset, buf);
        Ok(())
    }

    fn size(&self) -> Option<u64> {
        Some(self.len)
    }
}

/// Lays edits over the bytes that start at `offset`.
pub(crate) fn overlay(edits: &[(u64, Vec<u8>)], offset: u64, buf: &mut [u8]) {
    let end = offset.saturating_add(buf.len() as u64);
    for (at, bytes) in edits {
        let (from, to) = (offset.max(*at), end.min(at.saturating_add(bytes.len() as u64)));
        if from < to {
            let source = &bytes[(from - at) as usize..(to - at) as usize];
            buf[(from - offset) as usize..(to - offset) as usize].copy_from_slice(source);
        }
    }
}

/// An output that is full at `limit` bytes.
#[derive(Debug)]
pub(crate) struct Out {
    pub(crate) bytes: Vec<u8>,
    pub(crate) limit: usize,
}

impl Out {
    pub(crate) fn new(limit: usize) -> Self {
        Self { bytes: Vec::new(), limit }
    }
}

impl WriteAt for Out {
    fn write_at(&mut self, offset: u64, bytes: &[u8]) -> Result<(), i32> {
        let end = offset.checked_add(bytes.len() as u64).filter(|end| *end <= self.limit as u64).ok_or(28)?;
        let (start, end) = (offset as usize, end as usize);
        if self.bytes.len() < end {
            self.bytes.resize(end, 0);
        }
        self.bytes[start..end].copy_from_slice(bytes);
        Ok(())
    }
}
