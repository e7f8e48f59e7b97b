//! Damage for hostile tests, the same in every run.

use std::ops::Range;

/// Values that overflow, wrap or point nowhere, for a field of a file of `len` bytes.
fn extremes(len: u64) -> [u64; 15] {
    [
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
    ]
}

/// One field of a file, damaged.
#[derive(Debug, Clone, Copy)]
pub struct Swept {
    /// Where it stands, in bytes.
    pub at: usize,
    /// Its size in bytes.
    pub width: usize,
    /// What it says now, in the one byte order or the other.
    pub value: u64,
    /// Most significant byte first.
    pub big: bool,
}

/// Hands `meet` a copy of `bytes` for each aligned field of 1, 2, 4 and 8 bytes in `range` and each value that overflows,
/// wraps or points nowhere.
pub fn sweep(bytes: &[u8], range: Range<usize>, mut meet: impl FnMut(Swept, &[u8])) {
    let mut damaged = bytes.to_vec();
    let range = range.start..range.end.min(bytes.len());
    for width in [1, 2, 4, 8] {
        for at in (range.start.next_multiple_of(width)..range.end).step_by(width) {
            let Some(whole) = bytes.get(at..at + width) else { break };
            for value in extremes(bytes.len() as u64) {
                for big in [false, true] {
                    let field = if big { value.to_be_bytes() } else { value.to_le_bytes() };
                    let from = if big { 8 - width } else { 0 };
                    damaged[at..at + width].copy_from_slice(&field[from..from + width]);
                    meet(Swept { at, width, value, big }, &damaged);
                }
            }
            damaged[at..at + width].copy_from_slice(whole);
        }
    }
}

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
        let values = extremes(bytes.len() as u64);
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
