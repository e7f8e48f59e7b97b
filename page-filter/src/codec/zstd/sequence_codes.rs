//! The three kinds of codes that make a sequence, their baselines, extra bits and predefined distributions:
//! RFC 8878, 3.1.1.3.2.1 and 3.1.1.3.2.2.
#![expect(
    clippy::arithmetic_side_effects,
    clippy::as_conversions,
    clippy::indexing_slicing,
    reason = "tables are made when this is compiled; codes are below 64, values at most 2^17"
)]

use super::distribution::{Distribution, SYMBOLS};

/// How one kind of value is coded: a code, and extra bits added to the code's baseline.
#[derive(Debug)]
pub(super) struct Kind {
    /// The least value and the number of extra bits of each code.
    pub(super) codes: &'static [(u32, u8)],
    /// The distribution of codes when none is sent.
    pub(super) predefined: Distribution,
    /// The greatest accuracy of a distribution that is sent, as a logarithm.
    pub(super) max_log: u32,
}

impl Kind {
    /// How many codes there are.
    pub(super) fn codes(&self) -> usize {
        self.codes.len()
    }

    /// The code of each small value.
    const fn small<const COUNT: usize>(codes: &[(u32, u8)], first: u32) -> [u8; COUNT] {
        let mut small = [0; COUNT];
        let mut code = 0;
        let mut value = 0;
        while value < COUNT {
            while code + 1 < codes.len() && codes[code + 1].0 as usize <= value + first as usize {
                code += 1;
            }
            small[value] = code as u8;
            value += 1;
        }
        small
    }

    /// The number of extra bits of each code.
    pub(super) const fn extra_bits(&self) -> [u8; SYMBOLS] {
        let mut bits = [0; SYMBOLS];
        let mut code = 0;
        while code < self.codes.len() {
            bits[code] = self.codes[code].1;
            code += 1;
        }
        bits
    }
}

/// The code of a number of literals, at most 2^16: above 63 one for each power of two.
#[inline(always)]
pub(super) fn literals_code(literals: u32) -> u8 {
    const SMALL: [u8; 64] = Kind::small(LITERAL_LENGTHS.codes, 0);
    SMALL.get(literals as usize).copied().unwrap_or_else(|| literals.ilog2() as u8 + 19)
}

/// The code of a match's length, 3 to 2^16: above 130 one for each power of two.
#[inline(always)]
pub(super) fn length_code(length: u32) -> u8 {
    const SMALL: [u8; 128] = Kind::small(MATCH_LENGTHS.codes, 3);
    let more = length.saturating_sub(3);
    SMALL.get(more as usize).copied().unwrap_or_else(|| more.ilog2() as u8 + 36)
}

/// The code of an offset value, at least 1.
#[inline(always)]
pub(super) fn offset_code(value: u32) -> u8 {
    (value | 1).ilog2() as u8
}

/// Numbers of literals.
#[rustfmt::skip]
pub(super) const LITERAL_LENGTHS: Kind = Kind {
    codes: &[
        (0, 0), (1, 0), (2, 0), (3, 0), (4, 0), (5, 0), (6, 0), (7, 0), (8, 0), (9, 0), (10, 0),
        (11, 0), (12, 0), (13, 0), (14, 0), (15, 0), (16, 1), (18, 1), (20, 1), (22, 1), (24, 2),
        (28, 2), (32, 3), (40, 3), (48, 4), (64, 6), (128, 7), (256, 8), (512, 9), (1024, 10),
        (2048, 11), (4096, 12), (8192, 13), (16384, 14), (32768, 15), (65536, 16),
    ],
    predefined: Distribution::predefined(
        6,
        &[
            4, 3, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 1, 1, 1, 2, 2, 2, 2, 2, 2, 2, 2, 2, 3, 2, 1, 1, 1, 1, 1,
            -1, -1, -1, -1,
        ],
    ),
    max_log: 9,
};

/// Lengths of matches.
#[rustfmt::skip]
pub(super) const MATCH_LENGTHS: Kind = Kind {
    codes: &[
        (3, 0), (4, 0), (5, 0), (6, 0), (7, 0), (8, 0), (9, 0), (10, 0), (11, 0), (12, 0), (13, 0),
        (14, 0), (15, 0), (16, 0), (17, 0), (18, 0), (19, 0), (20, 0), (21, 0), (22, 0), (23, 0),
        (24, 0), (25, 0), (26, 0), (27, 0), (28, 0), (29, 0), (30, 0), (31, 0), (32, 0), (33, 0),
        (34, 0), (35, 1), (37, 1), (39, 1), (41, 1), (43, 2), (47, 2), (51, 3), (59, 3), (67, 4),
        (83, 4), (99, 5), (131, 7), (259, 8), (515, 9), (1027, 10), (2051, 11), (4099, 12), (8195, 13),
        (16387, 14), (32771, 15), (65539, 16),
    ],
    predefined: Distribution::predefined(
        6,
        &[
            1, 4, 3, 2, 2, 2, 2, 2, 2, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1,
            1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, -1, -1, -1, -1, -1, -1, -1,
        ],
    ),
    max_log: 9,
};

/// Offset values: 1 to 3 repeat an earlier offset, greater ones are an offset and 3.
#[rustfmt::skip]
pub(super) const OFFSETS: Kind = Kind {
    codes: &[
        (1, 0), (1 << 1, 1), (1 << 2, 2), (1 << 3, 3), (1 << 4, 4), (1 << 5, 5), (1 << 6, 6),
        (1 << 7, 7), (1 << 8, 8), (1 << 9, 9), (1 << 10, 10), (1 << 11, 11), (1 << 12, 12),
        (1 << 13, 13), (1 << 14, 14), (1 << 15, 15), (1 << 16, 16), (1 << 17, 17), (1 << 18, 18),
        (1 << 19, 19), (1 << 20, 20), (1 << 21, 21), (1 << 22, 22), (1 << 23, 23), (1 << 24, 24),
        (1 << 25, 25), (1 << 26, 26), (1 << 27, 27), (1 << 28, 28), (1 << 29, 29), (1 << 30, 30),
        (1 << 31, 31),
    ],
    predefined: Distribution::predefined(
        5,
        &[1, 1, 1, 1, 1, 1, 2, 2, 2, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, -1, -1, -1, -1, -1],
    ),
    max_log: 8,
};

/// The three latest offsets, the latest first: RFC 8878, 3.1.1.5. They start as 1, 4, 8.
#[derive(Debug, Clone, Copy)]
pub(super) struct RepeatOffsets([u32; 3]);

impl RepeatOffsets {
    pub(super) const START: Self = Self([1, 4, 8]);

    /// The offset that an offset value stands for, after `literals` literals; 0 is none.
    #[inline(always)]
    pub(super) fn offset(&mut self, value: u32, literals: u32) -> u32 {
        let [first, second, third] = self.0;
        // Without a branch, as which it is is hard to predict, and asked in a way that no compiler makes one of.
        let repeated = value.wrapping_add(u32::from(literals == 0));
        let is_new = value > 3;
        let is_first = !is_new & (repeated == 1);
        let mut offset = if is_new { value.wrapping_sub(3) } else { first.wrapping_sub(1) };
        offset = if !is_new & (repeated == 3) { third } else { offset };
        offset = if !is_new & (repeated == 2) { second } else { offset };
        offset = if is_first { first } else { offset };
        let after_first = if is_first { second } else { first };
        let after_second = if !is_new & (repeated <= 2) { third } else { second };
        self.0 = [offset, after_first, after_second];
        offset
    }

    /// The offset value for `offset`, after `literals` literals. Only the latest offset, after literals, and the second
    /// one are ever repeated: the others seldom would be.
    #[inline(always)]
    pub(super) fn value(&mut self, offset: u32, literals: u32) -> u32 {
        let [first, second, _] = self.0;
        // Without a branch: which it is is hard to predict.
        let latest = (offset == first) & (literals > 0);
        let before = (offset == second) & !latest;
        let repeated = if latest { 1 } else { 1 + u32::from(literals > 0) };
        self.0 = [offset, if latest { second } else { first }, second];
        if latest | before { repeated } else { offset + 3 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_cover_every_value_without_gaps() {
        for kind in [&LITERAL_LENGTHS, &MATCH_LENGTHS, &OFFSETS] {
            for pair in kind.codes.windows(2) {
                assert_eq!(u64::from(pair[0].0) + (1 << pair[0].1), u64::from(pair[1].0));
            }
        }
    }

    #[test]
    fn repeated_offsets_follow_the_specification() {
        // The last three rows of RFC 8878's table of 3.1.1.5 differ by their literals alone.
        for (value, literals, offset, after) in [
            (1114, 11, 1111, [1111, 1, 4]),
            (1, 22, 1, [1, 4, 8]),
            (2, 5, 4, [4, 1, 8]),
            (3, 5, 8, [8, 1, 4]),
            (1, 0, 4, [4, 1, 8]),
            (2, 0, 8, [8, 1, 4]),
        ] {
            let mut repeats = RepeatOffsets::START;
            assert_eq!(repeats.offset(value, literals), offset);
            assert_eq!(repeats.0, after);
        }
        let mut repeats = RepeatOffsets([5, 4, 8]);
        assert_eq!(repeats.offset(3, 0), 4);
        assert_eq!(repeats.0, [4, 5, 4]);
        let mut repeats = RepeatOffsets::START;
        assert_eq!(repeats.offset(3, 0), 0);
    }
}
