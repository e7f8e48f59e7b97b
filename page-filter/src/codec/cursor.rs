//! The two ends of a byte-wise codec: bytes taken from the front of an input, bytes added to an output.

use super::DecodeError;

/// Bytes that a copy in steps of a fixed size may write beyond its end.
const SLACK: usize = 16;

/// How much of a repetition is copied in such steps.
const LONG: usize = 256;

/// What is left of an input.
#[derive(Debug)]
pub(super) struct Input<'a> {
    rest: &'a [u8],
}

impl<'a> Input<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }

    pub(super) fn rest(&self) -> &'a [u8] {
        self.rest
    }

    pub(super) fn peek(&self) -> Option<u8> {
        self.rest.first().copied()
    }

    pub(super) fn byte(&mut self) -> Result<u8, DecodeError> {
        let (&first, rest) = self.rest.split_first().ok_or(DecodeError::Truncated)?;
        self.rest = rest;
        Ok(first)
    }

    pub(super) fn take(&mut self, len: usize) -> Result<&'a [u8], DecodeError> {
        let (taken, rest) = self.rest.split_at_checked(len).ok_or(DecodeError::Truncated)?;
        self.rest = rest;
        Ok(taken)
    }

    pub(super) fn array<const N: usize>(&mut self) -> Result<[u8; N], DecodeError> {
        let (&taken, rest) = self.rest.split_first_chunk::<N>().ok_or(DecodeError::Truncated)?;
        self.rest = rest;
        Ok(taken)
    }

    /// An unsigned number of `len` bytes, at most 8, the lowest first.
    pub(super) fn number(&mut self, len: usize) -> Result<u64, DecodeError> {
        Ok(self.take(len)?.iter().rev().fold(0, |number, &byte| number << 8 | u64::from(byte)))
    }
}

/// A buffer and how much of its front is filled.
#[derive(Debug)]
pub(super) struct Output<'a> {
    bytes: &'a mut [u8],
    len: usize,
}

impl<'a> Output<'a> {
    pub(super) fn new(bytes: &'a mut [u8]) -> Self {
        Self { bytes, len: 0 }
    }

    /// How many bytes are filled.
    pub(super) fn len(&self) -> usize {
        self.len
    }

    /// How many bytes are not.
    pub(super) fn room(&self) -> usize {
        self.bytes.len().saturating_sub(self.len)
    }

    /// Adds `bytes`, or returns `None` and adds nothing when they do not fit.
    pub(super) fn extend(&mut self, bytes: &[u8]) -> Option<()> {
        let end = self.len.checked_add(bytes.len())?;
        self.bytes.get_mut(self.len..end)?.copy_from_slice(bytes);
        self.len = end;
        Some(())
    }

    /// Takes `len` bytes off `input` and adds them.
    #[inline]
    pub(super) fn take_from(&mut self, input: &mut Input<'_>, len: usize) -> Result<(), DecodeError> {
        let bytes = input.rest();
        let taken = input.take(len)?;
        if len <= SLACK {
            let room = self.bytes.get_mut(self.len..).unwrap_or_default();
            if let (Some(step), Some(room)) = (bytes.first_chunk::<SLACK>(), room.first_chunk_mut()) {
                *room = *step;
                self.advance(len);
                return Ok(());
            }
        }
        self.extend(taken).ok_or(DecodeError::WrongLength)
    }

    /// Adds `byte`, or returns `None` when it does not fit.
    pub(super) fn push(&mut self, byte: u8) -> Option<()> {
        *self.bytes.get_mut(self.len)? = byte;
        self.len = self.len.checked_add(1)?;
        Some(())
    }

    /// The last `BACK` filled bytes and what follows them, `LEN` bytes in all.
    pub(super) fn around_end<const BACK: usize, const LEN: usize>(&mut self) -> Option<&mut [u8; LEN]> {
        self.bytes.get_mut(self.len.checked_sub(BACK)?..)?.first_chunk_mut()
    }

    /// Counts `len` bytes more as filled.
    pub(super) fn advance(&mut self, len: usize) {
        self.len = self.len.saturating_add(len);
    }

    /// Adds `len` times `byte`, or returns `None` when they do not fit.
    pub(super) fn fill(&mut self, byte: u8, len: usize) -> Option<()> {
        let end = self.len.checked_add(len)?;
        self.bytes.get_mut(self.len..end)?.fill(byte);
        self.len = end;
        Some(())
    }

    /// The filled byte `back` bytes before the end.
    pub(super) fn byte_before_end(&mut self, back: usize) -> Option<&mut u8> {
        self.bytes.get_mut(self.len.checked_sub(back)?)
    }

    /// Repeats `len` bytes from `distance` bytes back; they may overlap what they add.
    #[inline]
    pub(super) fn repeat(&mut self, distance: usize, len: usize) -> Result<(), DecodeError> {
        self.repeat_before_end(0, distance, len)
    }

    /// As [`repeat`](Self::repeat), but for the last `kept` bytes of the buffer.
    #[inline]
    pub(super) fn repeat_before_end(
        &mut self,
        kept: usize,
        distance: usize,
        len: usize,
    ) -> Result<(), DecodeError> {
        let start = match self.len.checked_sub(distance) {
            Some(start) if distance > 0 => start,
            _ => return Err(DecodeError::Corrupt),
        };
        let room = self.room().saturating_sub(kept);
        if len > room {
            return Err(DecodeError::WrongLength);
        }
        let end = self.len.saturating_add(len);
        // Short copies are faster in steps of a fixed size, where there is room for what they write too much.
        let first = end.min(self.len.saturating_add(LONG));
        let copied = match room.saturating_sub(len) {
            ..SLACK => None,
            _ if distance >= 16 => self.copy_wide_steps(start, first),
            _ if distance >= 8 => self.copy_steps(start, first),
            _ => self.copy_pattern(start, distance, first),
        };
        let copied = if copied.is_some() { first } else { self.len };
        self.copy_periods(start, distance, copied, end);
        self.len = end;
        Ok(())
    }

    /// Copies sixteen bytes at a time from `from` on to the end of what is filled, up to `end` and at most 15 bytes beyond.
    /// `from` is sixteen bytes or more before.
    #[inline]
    fn copy_wide_steps(&mut self, mut from: usize, end: usize) -> Option<()> {
        let mut to = self.len;
        loop {
            let bytes: [u8; 16] = *self.bytes.get(from..)?.first_chunk()?;
            *self.bytes.get_mut(to..)?.first_chunk_mut()? = bytes;
            from = from.saturating_add(16);
            to = to.saturating_add(16);
            if to >= end {
                return Some(());
            }
        }
    }

    /// Copies eight bytes at a time, two times a round, from `from` on to the end of what is filled, up to `end` and at
    /// most 16 bytes beyond. `from` is eight bytes or more before.
    #[inline]
    fn copy_steps(&mut self, mut from: usize, end: usize) -> Option<()> {
        let mut to = self.len;
        loop {
            for step in [0, 8] {
                let (from, to) = (from.saturating_add(step), to.saturating_add(step));
                let bytes: [u8; 8] = *self.bytes.get(from..)?.first_chunk()?;
                *self.bytes.get_mut(to..)?.first_chunk_mut()? = bytes;
            }
            from = from.saturating_add(16);
            to = to.saturating_add(16);
            if to >= end {
                return Some(());
            }
        }
    }

    /// Repeats the last `period` bytes filled, which are fewer than 8, up to `end` and at most 7 bytes beyond.
    #[inline]
    fn copy_pattern(&mut self, start: usize, period: usize, end: usize) -> Option<()> {
        let bits = u32::try_from(period).ok()?.checked_mul(8)?;
        let whole = u64::from_le_bytes(*self.bytes.get(start..)?.first_chunk()?);
        let mut pattern = whole & 1u64.checked_shl(bits)?.wrapping_sub(1);
        let mut filled = bits;
        while let Some(more) = pattern.checked_shl(filled) {
            pattern |= more;
            filled = filled.saturating_mul(2);
        }
        // As many whole periods as fit in eight bytes.
        let step = 8usize.saturating_sub(8usize.checked_rem(period)?);
        let mut to = self.len;
        while to < end {
            *self.bytes.get_mut(to..)?.first_chunk_mut()? = pattern.to_le_bytes();
            to = to.saturating_add(step);
        }
        Some(())
    }

    /// Repeats what stands from `start` up to `to`, once `period` or more, up to exactly `end`.
    #[inline]
    fn copy_periods(&mut self, start: usize, period: usize, mut to: usize, end: usize) {
        while to < end {
            // As many whole periods as there are: their number grows with each round.
            let filled = to.saturating_sub(start);
            let periods = filled.saturating_sub(filled.checked_rem(period).unwrap_or(0));
            let from = to.saturating_sub(periods);
            let len = periods.min(end.saturating_sub(to));
            // Periods that are there already, and room right behind them: they do not overlap.
            let window = self.bytes.get_mut(from..).unwrap_or_default();
            let Some((source, room)) = window.split_at_mut_checked(periods) else { return };
            let (Some(source), Some(room)) = (source.get(..len), room.get_mut(..len)) else { return };
            room.copy_from_slice(source);
            to = to.saturating_add(len);
        }
    }

    /// The last `len` bytes of the buffer, or `None` when some of them are filled.
    pub(super) fn last(&mut self, len: usize) -> Option<&mut [u8]> {
        let start = self.bytes.len().checked_sub(len).filter(|&start| start >= self.len)?;
        self.bytes.get_mut(start..)
    }

    /// Adds the `len` bytes that begin `back` bytes before the end of the buffer, or returns `None` when they
    /// do not lie there or would come from what is filled.
    #[inline]
    pub(super) fn move_from_end(&mut self, back: usize, len: usize) -> Option<()> {
        let start = self.bytes.len().checked_sub(back).filter(|&start| start >= self.len && len <= back)?;
        let window = self.bytes.get_mut(self.len..)?;
        let (room, source) = window.split_at_mut_checked(start.checked_sub(self.len)?)?;
        match (room.first_chunk_mut::<SLACK>(), source.first_chunk::<SLACK>()) {
            (Some(room), Some(source)) if len <= SLACK => *room = *source,
            _ => {
                let back = room.len();
                window.get_mut(..back.checked_add(len)?)?.copy_within(back.., 0);
            }
        }
        self.len = self.len.checked_add(len)?;
        Some(())
    }

    /// Checks that the whole buffer is filled.
    pub(super) fn complete(&self) -> Result<(), DecodeError> {
        if self.room() == 0 { Ok(()) } else { Err(DecodeError::WrongLength) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn repetitions_of_every_distance_and_length_are_exact() {
        const FILLED: usize = 40;
        for distance in 1..=FILLED {
            for len in (0..80).chain([255, 256, 257, 300, 600]) {
                for room in [0, 1, 7, 8, 15, 16, 17, 40] {
                    let mut bytes = [0xa5; 700];
                    for (at, byte) in bytes[..FILLED].iter_mut().enumerate() {
                        *byte = u8::try_from(at).unwrap() + 1;
                    }
                    let mut expected = bytes;
                    for at in FILLED..FILLED + len {
                        expected[at] = expected[at - distance];
                    }
                    let end = FILLED + len;
                    // What is kept behind the room stays as it is.
                    let kept = bytes.len().min(end + room + 20) - (end + room).min(bytes.len());
                    let whole = bytes.len().min(end + room + 20);
                    let mut out = Output { bytes: &mut bytes[..whole], len: FILLED };
                    assert_eq!(out.repeat_before_end(kept, distance, len), Ok(()));
                    assert_eq!(out.len, end);
                    assert_eq!(bytes[..end], expected[..end], "{distance} {len} {room}");
                    assert_eq!(bytes[whole - kept..], expected[whole - kept..], "{distance} {len} {room}");
                }
            }
        }
    }

    #[test]
    fn repetitions_end_where_the_room_does() {
        let mut bytes = [1; 24];
        let mut out = Output { bytes: &mut bytes, len: 4 };
        assert_eq!(out.repeat_before_end(10, 4, 11), Err(DecodeError::WrongLength));
        assert_eq!(out.repeat_before_end(10, 5, 1), Err(DecodeError::Corrupt));
        assert_eq!(out.repeat_before_end(10, 0, 1), Err(DecodeError::Corrupt));
        assert_eq!(out.repeat_before_end(10, 4, 10), Ok(()));
    }
}
