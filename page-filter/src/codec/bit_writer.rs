//! Bits written from the lowest of each byte up, as deflate and zstd pack them.

/// Writes bits to a buffer.
#[derive(Debug)]
pub(super) struct BitWriter<'a> {
    out: &'a mut [u8],
    len: usize,
    /// The bits that are not yet in `out`, the first one lowest.
    bits: u64,
    /// How many they are: fewer than 32 between calls.
    held: u32,
}

impl<'a> BitWriter<'a> {
    pub(super) fn new(out: &'a mut [u8]) -> Self {
        Self { out, len: 0, bits: 0, held: 0 }
    }

    /// How many bytes more the buffer has room for, those of bits not yet in it included.
    pub(super) fn room(&self) -> usize {
        self.out.len().saturating_sub(self.len)
    }

    /// Adds the low `count` bits of `value`, at most 32; the bits above them must be clear.
    pub(super) fn put(&mut self, value: u32, count: u32) -> Option<()> {
        debug_assert!(count <= 32 && u64::from(value) >> count == 0, "value wider than count");
        self.bits |= u64::from(value) << (self.held & 31);
        self.held = self.held.wrapping_add(count);
        if self.held >= 32 {
            let end = self.len.checked_add(4)?;
            self.out.get_mut(self.len..end)?.copy_from_slice(self.bits.to_le_bytes().first_chunk::<4>()?);
            self.len = end;
            self.bits >>= 32;
            self.held = self.held.wrapping_sub(32);
        }
        Some(())
    }

    /// Fills the last byte with zero bits and returns how many bytes were written.
    pub(super) fn finish(self) -> Option<usize> {
        self.finish_and_split().map(|(len, _)| len)
    }

    /// As [`finish`](Self::finish), and returns the rest of the buffer as well.
    pub(super) fn finish_and_split(self) -> Option<(usize, &'a mut [u8])> {
        let count = usize::try_from(self.held.div_ceil(8)).ok()?;
        let end = self.len.checked_add(count)?;
        let (written, rest) = self.out.split_at_mut_checked(end)?;
        written.get_mut(self.len..)?.copy_from_slice(self.bits.to_le_bytes().get(..count)?);
        Some((end, rest))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bits_fill_bytes_from_the_lowest() {
        let mut out = [0xee; 8];
        let mut bits = BitWriter::new(&mut out);
        bits.put(0b1, 1).unwrap();
        bits.put(0b01, 2).unwrap();
        bits.put(0xffff_ffff, 32).unwrap();
        bits.put(0, 0).unwrap();
        bits.put(0b10, 2).unwrap();
        assert_eq!(bits.finish(), Some(5));
        assert_eq!(out, [0b1111_1011, 0xff, 0xff, 0xff, 0b1_0111, 0xee, 0xee, 0xee]);
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
