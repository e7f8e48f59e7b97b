//! Copies within one buffer, in steps of a fixed size where they are short.
#![expect(
    clippy::arithmetic_side_effects,
    clippy::as_conversions,
    reason = "places are below 2^32; an end is computed after it was checked to be in the buffer"
)]

use super::DecodeError;

/// Bytes copied in a step.
pub(super) const STEP: usize = 16;

/// The most that is copied in steps: what deflate repeats at once, 258 bytes, is.
pub(super) const LONG: u32 = 272;

/// Copies a step from `from` to `to`, which is eight bytes or more behind: eight bytes after the other eight, which they may be.
#[inline(always)]
fn copy_step(bytes: &mut [u8], from: u32, to: u32) -> Option<()> {
    let window = bytes.get_mut(from as usize..(to as usize).wrapping_add(STEP))?;
    for half in [0, STEP / 2] {
        let eight: [u8; STEP / 2] = *window.first_chunk::<STEP>()?.get(half..)?.first_chunk()?;
        *window.last_chunk_mut::<STEP>()?.get_mut(half..)?.first_chunk_mut()? = eight;
    }
    Some(())
}

/// Copies from `from` to `to` and on in such steps, up to `end` and at most 15 bytes beyond.
#[inline(always)]
pub(super) fn copy_steps(bytes: &mut [u8], mut from: u32, mut to: u32, end: u32) -> Option<()> {
    loop {
        copy_step(bytes, from, to)?;
        (from, to) = (from.wrapping_add(STEP as u32), to.wrapping_add(STEP as u32));
        if to >= end {
            return Some(());
        }
    }
}

/// Copies a step from `from` to `to`, which lies before.
#[inline(always)]
pub(super) fn copy_down(bytes: &mut [u8], from: u32, to: u32) -> Option<()> {
    let (from, to) = (from as usize, to as usize);
    let step: [u8; STEP] = *bytes.get(from..from.wrapping_add(STEP))?.first_chunk()?;
    *bytes.get_mut(to..to.wrapping_add(STEP))?.first_chunk_mut()? = step;
    Some(())
}

/// Moves the `len` bytes at `from` to `to`, which may not lie behind.
#[inline(never)]
pub(super) fn move_down(bytes: &mut [u8], from: usize, to: usize, len: usize) -> Result<(), DecodeError> {
    let gap = from.checked_sub(to).ok_or(DecodeError::WrongLength)?;
    let whole = gap.checked_add(len).ok_or(DecodeError::Corrupt)?;
    let window = bytes.get_mut(to..).and_then(|bytes| bytes.get_mut(..whole)).ok_or(DecodeError::Corrupt)?;
    if gap > 0 {
        window.copy_within(gap.., 0);
    }
    Ok(())
}

/// Repeats `len` bytes from `distance` bytes before `to`, up to `limit` at most.
#[inline(never)]
pub(super) fn repeat_slowly(
    bytes: &mut [u8],
    to: usize,
    limit: usize,
    distance: usize,
    len: usize,
) -> Result<(), DecodeError> {
    let start = to.checked_sub(distance).filter(|_| distance > 0).ok_or(DecodeError::Corrupt)?;
    let spare = limit.saturating_sub(to).checked_sub(len).ok_or(DecodeError::WrongLength)?;
    let end = to + len;
    let first = end.min(to + LONG as usize);
    let copied = match distance {
        ..8 if spare >= 8 => copy_pattern(bytes, start, distance, to, first),
        8.. if spare >= STEP => copy_steps(bytes, start as u32, to as u32, first as u32),
        _ => None,
    };
    copy_periods(bytes, start, distance, copied.map_or(to, |()| first), end);
    Ok(())
}

/// Repeats the `period` bytes at `start`, which are fewer than 8, from `to` up to `end` and at most 7 bytes beyond.
#[inline]
fn copy_pattern(bytes: &mut [u8], start: usize, period: usize, mut to: usize, end: usize) -> Option<()> {
    let bits = u32::try_from(period).ok()?.checked_mul(8)?;
    let whole = u64::from_le_bytes(*bytes.get(start..)?.first_chunk()?);
    let mut pattern = whole & 1u64.checked_shl(bits)?.wrapping_sub(1);
    let mut filled = bits;
    while let Some(more) = pattern.checked_shl(filled) {
        pattern |= more;
        filled = filled.saturating_mul(2);
    }
    // As many whole periods as fit in eight bytes.
    let step = 8usize.saturating_sub(8usize.checked_rem(period)?);
    while to < end {
        *bytes.get_mut(to..)?.first_chunk_mut()? = pattern.to_le_bytes();
        to = to.saturating_add(step);
    }
    Some(())
}

/// Repeats what stands from `start` up to `to`, once `period` or more, up to exactly `end`.
#[inline]
fn copy_periods(bytes: &mut [u8], start: usize, period: usize, mut to: usize, end: usize) {
    while to < end {
        // As many whole periods as there are: their number grows with each round.
        let filled = to.saturating_sub(start);
        let periods = filled.saturating_sub(filled.checked_rem(period).unwrap_or(0));
        let from = to.saturating_sub(periods);
        let len = periods.min(end.saturating_sub(to));
        // Periods that are there already, and room right behind them: they do not overlap.
        let window = bytes.get_mut(from..).unwrap_or_default();
        let Some((source, room)) = window.split_at_mut_checked(periods) else { return };
        let (Some(source), Some(room)) = (source.get(..len), room.get_mut(..len)) else { return };
        room.copy_from_slice(source);
        to = to.saturating_add(len);
    }
}
