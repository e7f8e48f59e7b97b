//! The log of erased data: the input's, and a line for each piece of memory that this dump hides.

use vmcore_format::eraseinfo::{ERASEINFO, EraseLine};
use vmcore_format::note::{descriptor_padding, encode_head, encoded_len, head_len};
use vmcore_format::{Endian, Error as FormatError, Field, PageSize, WriteAt};

use super::{Buffer, Error, NoteBytes, Source};
use crate::redact::Redaction;

/// The text, of a length that is known before any of it is written.
#[derive(Debug, Clone, Copy)]
pub(super) struct EraseInfo<'a> {
    before: NoteBytes<'a>,
    before_len: u64,
    /// Whether the input's text lacks the newline at its end.
    unfinished: bool,
    redaction: Redaction<'a>,
    page_size: PageSize,
    len: u64,
}

impl<'a> EraseInfo<'a> {
    pub(super) fn new(source: &Source<'a>, redaction: Redaction<'a>) -> Result<Self, Error> {
        let (before, page_size) = (source.erased, source.page_size);
        let before_len = before.size()?;
        let lens = redaction.lines(page_size).map(|line| line.encoded_len());
        let lines = lens.fold(0_u64, |sum, len| sum.saturating_add(u64::try_from(len).unwrap_or(0)));
        let mut last = b'\n';
        if lines > 0 {
            before.for_each(&mut [0; READ_LEN], |piece| {
                last = piece.last().copied().unwrap_or(last);
                Ok::<_, Error>(())
            })?;
        }
        let unfinished = last != b'\n';
        let len = before_len.saturating_add(unfinished.into()).saturating_add(lines);
        Ok(Self { before, before_len, unfinished, redaction, page_size, len })
    }

    /// The length of the text, in bytes; 0 if nothing was ever erased.
    pub(super) fn len(&self) -> u64 {
        self.len
    }

    /// Writes the text to `offset` of the output; where it ends there.
    pub(super) fn write(
        &self,
        to: &mut Buffer<'_>,
        offset: u64,
        out: &mut dyn WriteAt,
    ) -> Result<u64, Error> {
        let mut at = copy(to, &self.before, self.before_len, offset, out)?;
        let mut put = |bytes: &[u8]| {
            let start = at;
            at = at.saturating_add(u64::try_from(bytes.len()).unwrap_or(0));
            to.put(start, bytes, out)
        };
        if self.unfinished {
            put(b"\n")?;
        }
        for line in self.redaction.lines(self.page_size) {
            let mut bytes = [0; EraseLine::MAX_LEN];
            let len = line.encode(&mut bytes)?;
            put(bytes.get(..len).unwrap_or_default())?;
        }
        Ok(at)
    }

    fn desc_len(&self) -> Result<u32, Error> {
        let too_long = FormatError::Unsupported { field: Field::NDescsz, value: self.len };
        Ok(u32::try_from(self.len).map_err(|_| too_long)?)
    }

    /// The length of the note that has the text, in bytes; 0 if there is none.
    pub(super) fn note_len(&self) -> Result<u64, Error> {
        let desc_len = self.desc_len()?;
        Ok(if desc_len == 0 { 0 } else { encoded_len(ERASEINFO, desc_len).unwrap_or(0) })
    }

    /// Writes the note to `offset` of the output; where it ends there.
    pub(super) fn write_note(
        &self,
        to: &mut Buffer<'_>,
        endian: Endian,
        offset: u64,
        out: &mut dyn WriteAt,
    ) -> Result<u64, Error> {
        let desc_len = self.desc_len()?;
        if desc_len == 0 {
            return Ok(offset);
        }
        let mut head = [0; 24];
        let len = encode_head(ERASEINFO, 0, desc_len, endian, &mut head)?;
        to.put(offset, head.get(..len).unwrap_or_default(), out)?;
        let text = offset.saturating_add(u64::try_from(head_len(ERASEINFO).unwrap_or(0)).unwrap_or(0));
        let end = self.write(to, text, out)?;
        let padded = end.saturating_add(u64::try_from(descriptor_padding(desc_len)).unwrap_or(0));
        to.zeros(end, padded, out)?;
        Ok(padded)
    }
}

/// Bytes of notes that are copied in one go.
const READ_LEN: usize = 1 << 10;

/// Copies the first `len` bytes of notes of the input to `offset` of the output; where they end there.
pub(super) fn copy(
    to: &mut Buffer<'_>,
    from: &NoteBytes<'_>,
    len: u64,
    offset: u64,
    out: &mut dyn WriteAt,
) -> Result<u64, Error> {
    let mut at = offset;
    let end = offset.saturating_add(len);
    from.for_each(&mut [0; READ_LEN], |piece| {
        let left = usize::try_from(end.saturating_sub(at)).unwrap_or(usize::MAX);
        let wanted = piece.get(..left).unwrap_or(piece);
        to.put(at, wanted, out)?;
        at = at.saturating_add(u64::try_from(wanted.len()).unwrap_or(0));
        Ok::<_, Error>(())
    })?;
    Ok(at)
}
