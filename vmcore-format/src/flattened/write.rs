//! Writing a dump as a flattened stream.

use super::format::{END, HEADER_LEN, RECORD_LEN, SIGNATURE, TYPE_FLAT, VERSION_FLAT};
use crate::{END_OF_FILE, WriteAt};

/// The most data in one record, in bytes: readers may hold a record in memory.
const RECORD_MAX: usize = 1 << 20;

/// A [`WriteAt`] over an output that takes bytes in order only, such as a pipe.
///
/// The inner output is written at offsets that grow from 0 without gaps. Each write becomes one record, or several of at
/// most 1 MiB of data. Writing a place twice is possible and readers take the last write, but crash's reader
/// does not: [`can_rewrite`](WriteAt::can_rewrite) is false. A stream that is dropped without [`finish`](Self::finish) has no
/// end record, so that readers see that it is not whole.
///
/// After a failed write every further one fails with the same code: where the stream stands is not known any more.
#[derive(Debug)]
pub struct Writer<W: WriteAt> {
    inner: W,
    at: u64,
    failed: Option<i32>,
}

impl<W: WriteAt> Writer<W> {
    /// Starts a stream: writes its header of 4096 bytes.
    ///
    /// # Errors
    /// The inner output's code.
    pub fn new(inner: W) -> Result<Self, i32> {
        let mut header = [0; HEADER_LEN];
        let fields = SIGNATURE.into_iter().chain(TYPE_FLAT.to_be_bytes()).chain(VERSION_FLAT.to_be_bytes());
        header.iter_mut().zip(fields).for_each(|(to, from)| *to = from);
        let mut writer = Self { inner, at: 0, failed: None };
        writer.append(&header)?;
        Ok(writer)
    }

    /// Ends the stream with its end record and returns the inner output, which is not synced.
    ///
    /// # Errors
    /// The inner output's code, or that of an earlier write that failed.
    pub fn finish(mut self) -> Result<W, i32> {
        self.append_record_header(END, END)?;
        Ok(self.inner)
    }

    /// The size of the stream so far, in bytes.
    #[must_use]
    pub fn stream_len(&self) -> u64 {
        self.at
    }

    fn append_record_header(&mut self, offset: u64, size: u64) -> Result<(), i32> {
        let mut header = [0; RECORD_LEN];
        let fields = offset.to_be_bytes().into_iter().chain(size.to_be_bytes());
        header.iter_mut().zip(fields).for_each(|(to, from)| *to = from);
        self.append(&header)
    }

    fn append(&mut self, bytes: &[u8]) -> Result<(), i32> {
        if let Some(code) = self.failed {
            return Err(code);
        }
        let written = self.inner.write_at(self.at, bytes);
        self.failed = written.err();
        let len = u64::try_from(bytes.len()).map_err(|_| END_OF_FILE)?;
        self.at = self.at.saturating_add(len);
        written
    }
}

impl<W: WriteAt> WriteAt for Writer<W> {
    /// # Errors
    /// The inner output's code; [`END_OF_FILE`] for bytes past 2^63, which no record can name.
    fn write_at(&mut self, offset: u64, bytes: &[u8]) -> Result<(), i32> {
        let mut at = offset;
        for data in bytes.chunks(RECORD_MAX) {
            let size = u64::try_from(data.len()).map_err(|_| END_OF_FILE)?;
            let end = at.checked_add(size).filter(|&end| i64::try_from(end).is_ok()).ok_or(END_OF_FILE)?;
            self.append_record_header(at, size)?;
            self.append(data)?;
            at = end;
        }
        Ok(())
    }

    fn can_rewrite(&self) -> bool {
        false
    }

    fn sync(&mut self) -> Result<(), i32> {
        self.inner.sync()
    }
}
