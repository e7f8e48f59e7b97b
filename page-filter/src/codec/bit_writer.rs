//! Bits written from the lowest of each byte up, as deflate and zstd pack them.
#![expect(
    clippy::arithmetic_side_effects,
    clippy::as_conversions,
    reason = "`held` is below 64, as `add` says; lengths are differences of one slice and its tail"
)]

/// Writes bits to a buffer.
///
/// What is added waits in a word of 64 bits. A flush moves the whole bytes of it to the buffer and leaves at most 7
/// bits, so that 56 bits may be added before the next one.
#[derive(Debug)]
pub(super) struct BitWriter<'a> {
    /// What is left of the buffer.
    rest: &'a mut [u8],
    /// The length of the whole buffer.
    whole: usize,
    /// The bits that are not yet in the buffer, the first one lowest.
    bits: u64,
    /// How many they are.
    held: u32,
}

impl<'a> BitWriter<'a> {
    pub(super) fn new(out: &'a mut [u8]) -> Self {
        Self { whole: out.len(), rest: out, bits: 0, held: 0 }
    }

    /// How many bytes more the buffer has room for, those of bits not yet in it included.
    pub(super) fn room(&self) -> usize {
        self.rest.len()
    }

    /// Adds the low `count` bits of `value`; the bits above them must be clear. At most 56 bits between flushes.
    #[inline(always)]
    pub(super) fn add(&mut self, value: u64, count: u32) {
        debug_assert!(count <= 56 && value >> count == 0, "value wider than count");
        debug_assert!(self.held + count < 64, "too many bits without a flush");
        self.bits |= value << (self.held & 63);
        self.held += count;
    }

    /// Moves whole bytes to the buffer; `None` when it is full.
    #[inline(always)]
    pub(super) fn flush(&mut self) -> Option<()> {
        let whole_bytes = ((self.held & 63) >> 3) as usize;
        let rest = core::mem::take(&mut self.rest);
        if let Some(next) = rest.first_chunk_mut::<8>() {
            *next = self.bits.to_le_bytes();
        } else {
            fill_end(rest, self.bits, whole_bytes)?;
        }
        self.rest = rest.get_mut(whole_bytes..)?;
        self.bits >>= self.held & 0x38;
        self.held &= 7;
        Some(())
    }

    /// Adds the low `count` bits of `value`, at most 32, and flushes; the bits above them must be clear.
    #[inline]
    pub(super) fn put(&mut self, value: u32, count: u32) -> Option<()> {
        self.add(u64::from(value), count);
        self.flush()
    }

    /// Fills the last byte with zero bits.
    pub(super) fn align(&mut self) -> Option<()> {
        self.held = self.held.next_multiple_of(8);
        self.flush()
    }

    /// Adds whole bytes after an aligned position.
    pub(super) fn extend(&mut self, bytes: &[u8]) -> Option<()> {
        let (next, rest) = core::mem::take(&mut self.rest).split_at_mut_checked(bytes.len())?;
        next.copy_from_slice(bytes);
        self.rest = rest;
        Some(())
    }

    /// Fills the last byte with zero bits and returns how many bytes were written.
    pub(super) fn finish(self) -> Option<usize> {
        self.finish_and_split().map(|(len, _)| len)
    }

    /// As [`finish`](Self::finish), and returns the rest of the buffer as well.
    pub(super) fn finish_and_split(mut self) -> Option<(usize, &'a mut [u8])> {
        self.align()?;
        Some((self.whole - self.rest.len(), self.rest))
    }
}

/// Writes the first `count` bytes of `bits` where less than a word is free.
#[cold]
fn fill_end(out: &mut [u8], bits: u64, count: usize) -> Option<()> {
    out.get_mut(..count)?.copy_from_slice(bits.to_le_bytes().get(..count)?);
    Some(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bits_fill_bytes_from_the_lowest() {
        for room in 5..16 {
            let mut out = [0xee; 16];
            let mut bits = BitWriter::new(&mut out[..room]);
            bits.put(0b1, 1).unwrap();
            bits.put(0b01, 2).unwrap();
            bits.put(0xffff_ffff, 32).unwrap();
            bits.put(0, 0).unwrap();
            bits.put(0b10, 2).unwrap();
            assert_eq!(bits.finish(), Some(5));
            assert_eq!(out[..5], [0b1111_1011, 0xff, 0xff, 0xff, 0b1_0111]);
            assert_eq!(out[room..], [0xee; 16][room..]);
        }
    }

    #[test]
    fn a_flush_takes_what_was_added_since_the_last() {
        let mut out = [0; 24];
        let mut bits = BitWriter::new(&mut out);
        bits.add(0x7f, 7);
        bits.flush().unwrap();
        bits.add(0x00ff_ffff_ffff_fffe, 56);
        bits.flush().unwrap();
        bits.add(1, 1);
        bits.align().unwrap();
        bits.extend(b"ab").unwrap();
        assert_eq!(bits.finish(), Some(10));
        assert_eq!(out[..10], [0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, b'a', b'b']);
    }

    #[test]
    fn a_full_buffer_is_none() {
        for room in 0..4 {
            let mut out = [0; 3];
            let mut bits = BitWriter::new(&mut out[..room.min(3)]);
            let written = (0..4).try_for_each(|_| bits.put(0x7f, 8)).and_then(|()| bits.finish());
            assert_eq!(written, None);
        }
    }
}
