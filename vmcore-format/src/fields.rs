//! Fields of structures whose layout depends on the dumped machine, one after the other.

use crate::{Class, Error, Field, Layout, ReadAt, io};
use scroll::{Pread, Pwrite};

/// Fills `buf` from `input`. What lies past a known end of the input is [`Error::Corrupt`] in `field`,
/// any other failure is the caller's own code.
pub(crate) fn read(input: &dyn ReadAt, field: Field, offset: u64, buf: &mut [u8]) -> Result<(), Error> {
    check_end(input, field, offset, buf)?;
    input.read_at(offset, buf).map_err(|code| Error::Io { code })
}

/// As [`read`], for a header of which a stream may have been cut off before some bytes.
pub(crate) fn read_header(
    input: &dyn ReadAt,
    field: Field,
    offset: u64,
    buf: &mut [u8],
) -> Result<(), Error> {
    check_end(input, field, offset, buf)?;
    io::read_header(input, offset, buf).map_err(|code| Error::Io { code })
}

fn check_end(input: &dyn ReadAt, field: Field, offset: u64, buf: &[u8]) -> Result<(), Error> {
    let end = u64::try_from(buf.len()).ok().and_then(|len| offset.checked_add(len));
    let past_end = match (end, input.size()) {
        (Some(end), Some(size)) => end > size,
        (None, _) => true,
        (Some(_), None) => false,
    };
    if past_end { Err(Error::Corrupt { field, offset }) } else { Ok(()) }
}

/// Takes the fields of one structure out of its bytes, in order.
#[derive(Debug)]
pub(crate) struct FieldReader<'a> {
    bytes: &'a [u8],
    at: usize,
    layout: Layout,
    structure: Field,
    start: u64,
}

impl<'a> FieldReader<'a> {
    /// Reads `structure`, whose bytes stand `start` bytes into the input.
    pub(crate) fn new(bytes: &'a [u8], layout: Layout, structure: Field, start: u64) -> Self {
        Self { bytes, at: 0, layout, structure, start }
    }

    fn corrupt(&self) -> Error {
        let at = u64::try_from(self.at).unwrap_or(u64::MAX);
        Error::Corrupt { field: self.structure, offset: self.start.saturating_add(at) }
    }

    pub(crate) fn bytes(&mut self, len: usize) -> Result<&'a [u8], Error> {
        let end = self.at.checked_add(len);
        let taken = end.and_then(|end| self.bytes.get(self.at..end)).ok_or_else(|| self.corrupt())?;
        self.at = self.at.saturating_add(len);
        Ok(taken)
    }

    pub(crate) fn u16(&mut self) -> Result<u16, Error> {
        let mut at = self.at;
        let value = self.bytes.gread_with(&mut at, self.layout.endian.into()).map_err(|_| self.corrupt())?;
        self.at = at;
        Ok(value)
    }

    pub(crate) fn u32(&mut self) -> Result<u32, Error> {
        let mut at = self.at;
        let value = self.bytes.gread_with(&mut at, self.layout.endian.into()).map_err(|_| self.corrupt())?;
        self.at = at;
        Ok(value)
    }

    pub(crate) fn u64(&mut self) -> Result<u64, Error> {
        let mut at = self.at;
        let value = self.bytes.gread_with(&mut at, self.layout.endian.into()).map_err(|_| self.corrupt())?;
        self.at = at;
        Ok(value)
    }

    /// A `long` or pointer of the dumped machine.
    pub(crate) fn word(&mut self) -> Result<u64, Error> {
        match self.layout.class {
            Class::Bits32 => self.u32().map(u64::from),
            Class::Bits64 => self.u64(),
        }
    }
}

/// Puts the fields of one structure into the caller's buffer, in order.
#[derive(Debug)]
pub(crate) struct FieldWriter<'a> {
    buf: &'a mut [u8],
    at: usize,
    layout: Layout,
}

impl<'a> FieldWriter<'a> {
    /// Writes a structure of `len` bytes to the front of `buf`.
    pub(crate) fn new(buf: &'a mut [u8], layout: Layout, len: usize) -> Result<Self, Error> {
        let buf = buf.get_mut(..len).ok_or_else(|| too_small(len))?;
        Ok(Self { buf, at: 0, layout })
    }

    fn full(&self) -> Error {
        too_small(self.buf.len().saturating_add(1))
    }

    pub(crate) fn bytes(&mut self, bytes: &[u8]) -> Result<(), Error> {
        let full = self.full();
        let end = self.at.checked_add(bytes.len()).ok_or(full)?;
        self.buf.get_mut(self.at..end).ok_or(full)?.copy_from_slice(bytes);
        self.at = end;
        Ok(())
    }

    pub(crate) fn u16(&mut self, value: u16) -> Result<(), Error> {
        let full = self.full();
        self.buf.gwrite_with(value, &mut self.at, self.layout.endian.into()).map_err(|_| full)?;
        Ok(())
    }

    pub(crate) fn u32(&mut self, value: u32) -> Result<(), Error> {
        let full = self.full();
        self.buf.gwrite_with(value, &mut self.at, self.layout.endian.into()).map_err(|_| full)?;
        Ok(())
    }

    pub(crate) fn u64(&mut self, value: u64) -> Result<(), Error> {
        let full = self.full();
        self.buf.gwrite_with(value, &mut self.at, self.layout.endian.into()).map_err(|_| full)?;
        Ok(())
    }

    /// A `long` or pointer of the dumped machine: [`Error::Unsupported`] in `field` where it does not fit.
    pub(crate) fn word(&mut self, field: Field, value: u64) -> Result<(), Error> {
        match self.layout.class {
            Class::Bits32 => self.u32(u32::try_from(value).map_err(|_| Error::Unsupported { field, value })?),
            Class::Bits64 => self.u64(value),
        }
    }

    /// Zeros up to the end of the structure; answers with the structure's length.
    pub(crate) fn finish(self) -> usize {
        if let Some(rest) = self.buf.get_mut(self.at..) {
            rest.fill(0);
        }
        self.buf.len()
    }
}

/// The error of a buffer that must hold `len` bytes and does not.
pub(crate) fn too_small(len: usize) -> Error {
    Error::BufferTooSmall { needed: u64::try_from(len).unwrap_or(u64::MAX) }
}
