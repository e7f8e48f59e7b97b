//! Pages to be hidden, as a bitmap.

use core::ops::Range;

use vmcore_format::eraseinfo::EraseLine;
use vmcore_format::{Class, Endian, Layout, PageSize, Pfn, PhysAddr};

use super::RedactError;

/// The page frame that no bitmap reaches.
const MOST_FRAMES: u64 = 1 << 40;

/// Pages to be hidden: one bit for each page frame, set for those that are secret.
///
/// Bit `i % 8` of byte `i / 8`, counted from the least significant one, is page frame `first + i`. So Linux keeps its
/// bitmaps on little-endian machines; on big-endian ones [`of_longs`](Self::of_longs) puts the bytes in order. A
/// bitmap that the crashed kernel holds is read with [`PhysMemory::read`](crate::PhysMemory::read) or
/// [`Kernel::read_virt`](crate::Kernel::read_virt) first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SecretPages<'a> {
    first: u64,
    bits: &'a [u8],
    name: &'a str,
}

impl<'a> SecretPages<'a> {
    /// The pages whose bits are set; `name` is theirs in the log, and may be "".
    ///
    /// # Errors
    /// [`RedactError::Name`]; [`RedactError::Bitmap`] for page frames of 2^40 or more.
    pub fn new(first: Pfn, bits: &'a [u8], name: &'a str) -> Result<Self, RedactError> {
        let count = u64::try_from(bits.len()).ok().and_then(|len| len.checked_mul(8));
        let end = count.and_then(|count| count.checked_add(first.0));
        if end.is_none_or(|end| end > MOST_FRAMES) {
            return Err(RedactError::Bitmap { first: first.0 });
        }
        if !EraseLine::is_name(name) {
            return Err(RedactError::Name);
        }
        Ok(Self { first: first.0, bits, name })
    }

    /// As [`new`](Self::new), of an array of `unsigned long` as a machine of `layout` has it in memory. `bits` is put in
    /// the order of bytes.
    ///
    /// # Errors
    /// As [`new`](Self::new); [`RedactError::Bitmap`] for a length that is not that of whole words.
    pub fn of_longs(
        first: Pfn,
        bits: &'a mut [u8],
        layout: Layout,
        name: &'a str,
    ) -> Result<Self, RedactError> {
        let word = if layout.class == Class::Bits64 { 8 } else { 4 };
        if !bits.len().is_multiple_of(word) {
            return Err(RedactError::Bitmap { first: first.0 });
        }
        if layout.endian == Endian::Big {
            bits.chunks_exact_mut(word).for_each(<[u8]>::reverse);
        }
        Self::new(first, bits, name)
    }

    /// The first run of secret page frames that ends after `from`, up to `end`.
    fn next_run(&self, from: u64, end: u64) -> Option<Range<u64>> {
        let last = u64::try_from(self.bits.len()).unwrap_or(u64::MAX).saturating_mul(8);
        let end = end.saturating_sub(self.first).min(last);
        let start = self.next_bit(from.saturating_sub(self.first), end, 0);
        if start >= end {
            return None;
        }
        let stop = self.next_bit(start, end, 0xff);
        Some(self.first.saturating_add(start)..self.first.saturating_add(stop))
    }

    /// The first bit from `from` on that is set once the byte is flipped by `flip`; `end` if there is none before.
    fn next_bit(&self, from: u64, end: u64, flip: u8) -> u64 {
        let mut at = from & !7;
        let mut mask = 0xff_u8.wrapping_shl(u32::try_from(from & 7).unwrap_or(0));
        let skip = usize::try_from(from >> 3).unwrap_or(usize::MAX);
        for byte in self.bits.get(skip..).unwrap_or_default() {
            let found = (byte ^ flip) & mask;
            if found != 0 {
                return at.saturating_add(u64::from(found.trailing_zeros())).min(end);
            }
            at = at.saturating_add(8);
            mask = 0xff;
            if at >= end {
                break;
            }
        }
        end
    }

    /// Hands out the secret bytes of `memory`.
    pub(super) fn each(&self, memory: &Range<u64>, page_size: PageSize, act: &mut dyn FnMut(Range<u64>)) {
        let end = page_size.frame_above(PhysAddr(memory.end)).0;
        let mut from = page_size.frame_of(PhysAddr(memory.start)).0;
        while let Some(run) = self.next_run(from, end) {
            let start = start_of(page_size, run.start).max(memory.start);
            act(start..start_of(page_size, run.end).min(memory.end));
            from = run.end;
        }
    }

    /// A line of the log for each run of pages.
    pub(super) fn lines(self, page_size: PageSize) -> impl Iterator<Item = EraseLine<'a>> {
        let mut from = 0;
        core::iter::from_fn(move || {
            let run = self.next_run(from, u64::MAX)?;
            from = run.end;
            let start = start_of(page_size, run.start);
            let len = start_of(page_size, run.end).saturating_sub(start);
            Some(EraseLine { name: self.name, addr: PhysAddr(start), len })
        })
    }
}

fn start_of(page_size: PageSize, frame: u64) -> u64 {
    page_size.start_of(Pfn(frame)).map_or(u64::MAX, |PhysAddr(addr)| addr)
}
