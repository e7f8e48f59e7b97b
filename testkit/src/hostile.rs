//! Damage for hostile tests, the same in every run.

/// A deterministic generator of numbers and of damage (splitmix64).
#[derive(Debug, Clone)]
pub struct Random(u64);

impl Random {
    /// The sequence that `seed` names.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// The next number, any of 64 bits.
    pub fn number(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// The next number below `bound`, which is not zero.
    pub fn below(&mut self, bound: u64) -> u64 {
        self.number() % bound
    }

    /// Flips one bit of `bytes`.
    pub fn flip(&mut self, bytes: &mut [u8]) {
        if !bytes.is_empty() {
            let at = self.below(bytes.len() as u64) as usize;
            bytes[at] ^= 1 << self.below(8);
        }
    }

    /// Cuts `bytes` at any length up to its own.
    pub fn truncate(&mut self, bytes: &mut Vec<u8>) {
        let len = self.below(bytes.len() as u64 + 1) as usize;
        bytes.truncate(len);
    }

    /// Overwrites an aligned field of 1, 2, 4 or 8 bytes with a value that overflows, wraps or points nowhere.
    pub fn extreme(&mut self, bytes: &mut [u8]) {
        let width = 1usize << self.below(4);
        if bytes.len() < width {
            return;
        }
        let at = self.below((bytes.len() / width) as u64) as usize * width;
        let len = bytes.len() as u64;
        let values = [
            0,
            1,
            u64::MAX,
            u64::MAX - 1,
            1 << 63,
            i64::MAX as u64,
            u64::from(u32::MAX),
            1 << 31,
            i32::MAX as u64,
            u64::from(u16::MAX),
            len,
            len.wrapping_sub(1),
            len + 1,
            u64::MAX - 0xfff,
            1 << 40,
        ];
        let value = values[self.below(values.len() as u64) as usize];
        let field = &mut bytes[at..at + width];
        if self.below(2) == 0 {
            field.copy_from_slice(&value.to_le_bytes()[..width]);
        } else {
            field.copy_from_slice(&value.to_be_bytes()[8 - width..]);
        }
    }

    /// One of the three kinds of damage, flips and extremes more often than a cut.
    pub fn damage(&mut self, bytes: &mut Vec<u8>) {
        match self.below(9) {
            0 => self.truncate(bytes),
            1..=4 => self.flip(bytes),
            _ => self.extreme(bytes),
        }
    }
}
