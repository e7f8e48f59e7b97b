//! A bitmap of PFNs in the file: runs of set bits, and counts of them.

use core::ops::Range;

use super::window::Window;
use crate::{Error, Field, Pfn, ReadAt};

/// The bytes of a bitmap that are kept: 16384 PFNs.
const KEPT: usize = 2048;

/// One of the two bitmaps. Bits at and past `bits` are not looked at.
#[derive(Debug)]
pub(super) struct Bitmap {
    offset: u64,
    bits: u64,
    window: Window<KEPT>,
}

/// Counts of the set bits before regular PFNs, so that the rank of a PFN needs no count from 0.
#[derive(Debug)]
pub(super) struct Rank<'a> {
    /// Entry k: the bits set before PFN (k + 1) * stride. Filled from the front, when first needed.
    index: &'a mut [u64],
    filled: usize,
    stride: u64,
    /// The last PFN asked for and its rank: going upwards costs no more than the distance.
    last: (u64, u64),
}

impl Bitmap {
    pub(super) fn new(offset: u64, bits: u64) -> Self {
        Self { offset, bits, window: Window::new() }
    }

    pub(super) fn is_set(&mut self, input: &dyn ReadAt, pfn: Pfn) -> Result<bool, Error> {
        if pfn.0 >= self.bits {
            return Ok(false);
        }
        let word = self.words(input, pfn.0)?.next().unwrap_or_default();
        Ok(word >> (pfn.0 % 64) & 1 == 1)
    }

    /// The first run of set bits at or above `from`.
    pub(super) fn next_run(&mut self, input: &dyn ReadAt, from: Pfn) -> Result<Option<Range<Pfn>>, Error> {
        let Some(start) = self.find(input, from.0, true)? else { return Ok(None) };
        let end = self.find(input, start, false)?.unwrap_or(self.bits);
        Ok(Some(Pfn(start)..Pfn(end)))
    }

    /// The first bit at or above `from` that is `set`. Goes over the bitmap once, a window at a time.
    fn find(&mut self, input: &dyn ReadAt, from: u64, set: bool) -> Result<Option<u64>, Error> {
        let bits = self.bits;
        let flip = if set { 0 } else { u64::MAX };
        let mut first = from & !63;
        let mut mask = u64::MAX << (from % 64);
        while first < bits {
            let from = if set { self.after_hole(input, first) } else { first };
            if from > first {
                (first, mask) = (from, u64::MAX);
                continue;
            }
            for word in self.words(input, first)? {
                let wanted = (word ^ flip) & mask;
                mask = u64::MAX;
                if wanted != 0 {
                    let bit = first.saturating_add(wanted.trailing_zeros().into());
                    return Ok((bit < bits).then_some(bit));
                }
                first = first.saturating_add(64);
            }
        }
        Ok(None)
    }

    /// The number of set bits in `range`, which ends at or before the bitmap's end.
    fn count(&mut self, input: &dyn ReadAt, range: Range<u64>) -> Result<u64, Error> {
        let mut count = 0_u64;
        let mut first = range.start & !63;
        let mut mask = u64::MAX << (range.start % 64);
        while first < range.end {
            let from = self.after_hole(input, first);
            if from > first {
                (first, mask) = (from, u64::MAX);
                continue;
            }
            for word in self.words(input, first)? {
                let left = range.end.saturating_sub(first);
                let below = if left < 64 { !(u64::MAX << left) } else { u64::MAX };
                count = count.saturating_add((word & mask & below).count_ones().into());
                mask = u64::MAX;
                first = first.saturating_add(64);
                if left <= 64 {
                    break;
                }
            }
        }
        Ok(count)
    }

    /// `bit`, the first one of a word, or the first one of a later word before which the file has nothing but a hole.
    fn after_hole(&self, input: &dyn ReadAt, bit: u64) -> u64 {
        let at = self.offset.saturating_add(bit >> 3);
        if self.window.holds(at) {
            return bit;
        }
        let next = input.next_data(at).saturating_sub(self.offset) & !7;
        next.saturating_mul(8).max(bit)
    }

    /// The words from the one that holds `bit` on, as far as they are kept: one at least. Bit i of a word is PFN i of its 64.
    fn words(&mut self, input: &dyn ReadAt, bit: u64) -> Result<impl Iterator<Item = u64>, Error> {
        let offset = self.offset.saturating_add(bit >> 6 << 3);
        let bytes = self.window.at(input, self.offset, offset, 8, Field::Bitmap)?;
        Ok(bytes.as_chunks().0.iter().map(|word| u64::from_le_bytes(*word)))
    }
}

impl<'a> Rank<'a> {
    pub(super) fn new(index: &'a mut [u64], bits: u64) -> Self {
        let pieces = u64::try_from(index.len()).unwrap_or(u64::MAX).saturating_add(1);
        let stride = bits.div_ceil(pieces).max(512).saturating_add(63) & !63;
        Self { index, filled: 0, stride, last: (0, 0) }
    }

    /// The number of bits set in `bitmap` below `pfn`.
    pub(super) fn of(&mut self, bitmap: &mut Bitmap, input: &dyn ReadAt, pfn: Pfn) -> Result<u64, Error> {
        let pfn = pfn.0.min(bitmap.bits);
        let (mut at, mut rank) = self.nearest(pfn);
        while let Some(boundary) = self.next_boundary().filter(|&boundary| boundary <= pfn) {
            rank = rank.saturating_add(bitmap.count(input, at..boundary)?);
            at = boundary;
            if let Some(entry) = self.index.get_mut(self.filled) {
                *entry = rank;
            }
            self.filled = self.filled.saturating_add(1);
        }
        rank = rank.saturating_add(bitmap.count(input, at..pfn)?);
        self.last = (pfn, rank);
        Ok(rank)
    }

    /// The highest PFN at or below `pfn` whose rank is known.
    fn nearest(&self, pfn: u64) -> (u64, u64) {
        let strides = pfn.checked_div(self.stride).unwrap_or(0);
        let known = usize::try_from(strides).unwrap_or(usize::MAX).min(self.filled);
        let entry = known.checked_sub(1).and_then(|entry| self.index.get(entry));
        let start = u64::try_from(known).unwrap_or(u64::MAX).saturating_mul(self.stride);
        let indexed = entry.map_or((0, 0), |&rank| (start, rank));
        if self.last.0 <= pfn && self.last.0 > indexed.0 { self.last } else { indexed }
    }

    /// The PFN of the first entry that is not filled.
    fn next_boundary(&self) -> Option<u64> {
        self.index.get(self.filled)?;
        u64::try_from(self.filled).ok()?.checked_add(1)?.checked_mul(self.stride)
    }
}
