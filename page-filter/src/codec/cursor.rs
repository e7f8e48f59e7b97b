//! The two ends of a byte-wise codec: bytes taken from the front of an input, bytes added to an output.
#![expect(
    clippy::as_conversions,
    reason = "places in an output are below 2^32, as `place_after` and `complete` see to it; those made of what the input says are \
              checked before they are used"
)]

use super::DecodeError;
use super::copies::{LONG, STEP, copy_down, copy_steps, move_down, repeat_slowly};

/// The longest output that is ever complete: the sum of two places in it has 32 bits.
const MOST: usize = 1 << 31;

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
    /// In 32 bits, like every place in `bytes` that something is copied from or to: where a `usize` has more, its sum with a length
    /// that is known cannot overflow, and needs no check.
    len: u32,
}

impl<'a> Output<'a> {
    pub(super) fn new(bytes: &'a mut [u8]) -> Self {
        Self { bytes, len: 0 }
    }

    /// The same output, for a loop to keep in registers: what it adds is to be given to [`advance`](Self::advance) afterwards.
    pub(super) fn reborrow(&mut self) -> Output<'_> {
        Output { bytes: self.bytes, len: self.len }
    }

    /// How many bytes are filled.
    pub(super) fn len(&self) -> usize {
        self.len as usize
    }

    /// How many bytes are not.
    pub(super) fn room(&self) -> usize {
        self.bytes.len().saturating_sub(self.len())
    }

    /// The end of the buffer.
    pub(super) fn end(&self) -> u32 {
        u32::try_from(self.bytes.len()).unwrap_or(u32::MAX)
    }

    /// The place after `len` bytes more, or `None` when they do not fit.
    fn place_after(&self, len: usize) -> Option<u32> {
        let end = self.len().checked_add(len).filter(|&end| end <= self.bytes.len())?;
        u32::try_from(end).ok()
    }

    /// Adds `bytes`, or returns `None` and adds nothing when they do not fit.
    pub(super) fn extend(&mut self, bytes: &[u8]) -> Option<()> {
        let end = self.place_after(bytes.len())?;
        self.bytes.get_mut(self.len()..end as usize)?.copy_from_slice(bytes);
        self.len = end;
        Some(())
    }

    /// Takes `len` bytes off `input` and adds them.
    #[inline]
    pub(super) fn take_from(&mut self, input: &mut Input<'_>, len: usize) -> Result<(), DecodeError> {
        let bytes = input.rest();
        let taken = input.take(len)?;
        if len <= STEP {
            let room = self.bytes.get_mut(self.len()..self.len().wrapping_add(STEP));
            if let (Some(step), Some(room)) =
                (bytes.first_chunk::<STEP>(), room.and_then(|room| room.first_chunk_mut()))
            {
                *room = *step;
                self.advance(len);
                return Ok(());
            }
        }
        self.extend(taken).ok_or(DecodeError::WrongLength)
    }

    /// Adds `byte`, or returns `None` when it does not fit.
    pub(super) fn push(&mut self, byte: u8) -> Option<()> {
        *self.bytes.get_mut(self.len())? = byte;
        self.len = self.len.checked_add(1)?;
        Some(())
    }

    /// The last `BACK` filled bytes and what follows them, `LEN` bytes in all.
    pub(super) fn around_end<const BACK: usize, const LEN: usize>(&mut self) -> Option<&mut [u8; LEN]> {
        self.bytes.get_mut(self.len().checked_sub(BACK)?..)?.first_chunk_mut()
    }

    /// Counts `len` bytes more as filled, of those that are there.
    pub(super) fn advance(&mut self, len: usize) {
        self.len = self.len.saturating_add(len as u32);
    }

    /// Adds `len` times `byte`, or returns `None` when they do not fit.
    pub(super) fn fill(&mut self, byte: u8, len: usize) -> Option<()> {
        let end = self.place_after(len)?;
        self.bytes.get_mut(self.len()..end as usize)?.fill(byte);
        self.len = end;
        Some(())
    }

    /// The filled byte `back` bytes before the end.
    pub(super) fn byte_before_end(&mut self, back: usize) -> Option<&mut u8> {
        self.bytes.get_mut(self.len().checked_sub(back)?)
    }

    /// Repeats `len` bytes from `distance` bytes back; they may overlap what they add.
    #[inline]
    pub(super) fn repeat(&mut self, distance: u32, len: u32) -> Result<(), DecodeError> {
        self.repeat_before(self.end(), distance, len)
    }

    /// As [`repeat`](Self::repeat), up to `limit` of the buffer at most.
    #[inline(always)]
    pub(super) fn repeat_before(&mut self, limit: u32, distance: u32, len: u32) -> Result<(), DecodeError> {
        let end = self.len.wrapping_add(len);
        // Most are short and from not too near: they are copied in steps, where there is room for what these write too much.
        let fits = (end as usize).wrapping_add(STEP) <= limit as usize;
        let in_steps = distance >= 8 && len <= LONG && fits;
        let start = self.len.wrapping_sub(distance);
        if !in_steps || copy_steps(self.bytes, start, self.len, end).is_none() {
            repeat_slowly(self.bytes, self.len(), limit as usize, distance as usize, len as usize)?;
        }
        self.len = end;
        Ok(())
    }

    /// The last `len` bytes of the buffer, or `None` when some of them are filled.
    pub(super) fn last(&mut self, len: usize) -> Option<&mut [u8]> {
        let start = self.bytes.len().checked_sub(len).filter(|&start| start >= self.len())?;
        self.bytes.get_mut(start..)
    }

    /// Adds the `len` bytes that stand at `from`, which lies behind what is filled, and moves `from` behind them.
    #[inline(always)]
    pub(super) fn pull(&mut self, from: &mut u32, len: u32) -> Result<(), DecodeError> {
        let end = self.len.wrapping_add(len);
        let after = from.wrapping_add(len);
        let (mut to, mut at) = (self.len, *from);
        // What a step writes too much lies before what is still to move.
        let in_steps = len <= LONG && self.len().wrapping_add(STEP) <= at as usize;
        while in_steps && copy_down(self.bytes, at, to).is_some() {
            (at, to) = (at.wrapping_add(STEP as u32), to.wrapping_add(STEP as u32));
            if to >= end {
                (self.len, *from) = (end, after);
                return Ok(());
            }
        }
        move_down(self.bytes, at as usize, to as usize, end.wrapping_sub(to) as usize)?;
        (self.len, *from) = (end, after);
        Ok(())
    }

    /// Checks that the whole buffer is filled.
    pub(super) fn complete(&self) -> Result<(), DecodeError> {
        let is_full = self.room() == 0 && self.bytes.len() <= MOST;
        if is_full { Ok(()) } else { Err(DecodeError::WrongLength) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// An output of `bytes`, the first `len` of them filled.
    fn output(bytes: &mut [u8], len: usize) -> Output<'_> {
        let mut out = Output::new(bytes);
        out.advance(len);
        out
    }

    #[test]
    fn repetitions_of_every_distance_and_length_are_exact() {
        const FILLED: usize = 40;
        for distance in 1..=FILLED {
            for len in (0..80).chain([271, 272, 273, 300, 600]) {
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
                    // What is behind the limit stays as it is.
                    let limit = (end + room).min(bytes.len());
                    let whole = bytes.len().min(end + room + 20);
                    let mut out = output(&mut bytes[..whole], FILLED);
                    assert_eq!(out.repeat_before(limit as u32, distance as u32, len as u32), Ok(()));
                    assert_eq!(out.len(), end);
                    assert_eq!(bytes[..end], expected[..end], "{distance} {len} {room}");
                    assert_eq!(bytes[limit..whole], expected[limit..whole], "{distance} {len} {room}");
                }
            }
        }
    }

    #[test]
    fn repetitions_end_where_the_room_does() {
        let mut bytes = [1; 24];
        let mut out = output(&mut bytes, 4);
        assert_eq!(out.repeat_before(14, 4, 11), Err(DecodeError::WrongLength));
        assert_eq!(out.repeat_before(14, 5, 1), Err(DecodeError::Corrupt));
        assert_eq!(out.repeat_before(14, 0, 1), Err(DecodeError::Corrupt));
        assert!((5..40).chain(u32::MAX - 40..=u32::MAX).all(|distance| {
            (1..40).all(|len| out.repeat_before(24, distance, len) == Err(DecodeError::Corrupt))
        }));
        assert_eq!(out.repeat_before(14, 4, u32::MAX), Err(DecodeError::WrongLength));
        assert_eq!(out.repeat_before(14, 4, 10), Ok(()));
    }

    #[test]
    fn what_is_pulled_from_behind_is_exact() {
        let source: [u8; 700] = core::array::from_fn(|at| (at % 251) as u8);
        for gap in (0..40).chain([300]) {
            for len in (0..70).chain([271, 272, 273, 300]) {
                for rest in [0, 1, 15, 16, 40] {
                    let mut bytes = source;
                    let whole = 8 + gap + len + rest;
                    let mut out = output(&mut bytes[..whole], 8);
                    let mut from = 8 + gap as u32;
                    assert_eq!(out.pull(&mut from, len as u32), Ok(()));
                    assert_eq!((out.len(), from as usize), (8 + len, 8 + gap + len));
                    assert_eq!(bytes[..8], source[..8]);
                    assert_eq!(bytes[8..8 + len], source[8 + gap..8 + gap + len], "{gap} {len} {rest}");
                    assert_eq!(bytes[8 + gap + len..], source[8 + gap + len..], "{gap} {len} {rest}");
                }
            }
        }
    }

    #[test]
    fn no_more_is_pulled_than_there_is() {
        for len in [5, 21, 300, u32::MAX] {
            let mut bytes = [1; 40];
            let mut from = 36;
            assert_eq!(output(&mut bytes, 4).pull(&mut from, len), Err(DecodeError::Corrupt), "{len}");
        }
        let mut bytes = [1; 40];
        assert_eq!(output(&mut bytes, 4).pull(&mut 3, 1), Err(DecodeError::WrongLength));
    }
}
