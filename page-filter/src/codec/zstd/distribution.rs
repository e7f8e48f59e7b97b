//! How often each symbol of an FSE code occurs, and how that is stored: RFC 8878, 4.1.1.
#![expect(
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    clippy::as_conversions,
    reason = "symbols are below SYMBOLS, shares at most 2^9 and their sum 2^log, as `read` checks and \
              `fit` makes it"
)]

use crate::codec::DecodeError;

/// More symbols than any kind has.
pub(super) const SYMBOLS: usize = 64;

/// The least accuracy of a distribution, as a logarithm.
pub(super) const MIN_LOG: u32 = 5;

/// Bits of a share's fraction before it is rounded: with those of 2^9 states they fit 31 bits.
const FRACTION: u32 = 22;

/// The shares of the symbols in 2^`log` states.
#[derive(Debug, Clone, Copy)]
pub(super) struct Distribution {
    /// The share of each symbol; -1 is a share of one state with all bits read anew ("less than 1").
    pub(super) shares: [i16; SYMBOLS],
    /// At most 9.
    pub(super) log: u32,
}

impl Distribution {
    /// A distribution that the format defines; at most `SYMBOLS` shares.
    pub(super) const fn predefined(log: u32, given: &[i16]) -> Self {
        let mut shares = [0; SYMBOLS];
        let mut symbol = 0;
        while symbol < given.len() {
            shares[symbol] = given[symbol];
            symbol += 1;
        }
        Self { shares, log }
    }

    /// One more than the greatest symbol that has a share.
    pub(super) const fn symbols(&self) -> usize {
        let mut symbols = SYMBOLS;
        while symbols > 0 && self.shares[symbols - 1] == 0 {
            symbols -= 1;
        }
        symbols
    }

    /// Reads a distribution of at most `symbols` symbols and an accuracy of at most `max_log`; returns it and
    /// the number of bytes that it takes.
    pub(super) fn read(src: &[u8], symbols: usize, max_log: u32) -> Result<(Self, usize), DecodeError> {
        let mut bits = ForwardBits { src, at: 0 };
        let log = bits.read(4) + MIN_LOG;
        if log > max_log {
            return Err(DecodeError::Corrupt);
        }
        let mut shares = [0i16; SYMBOLS];
        let mut left = 1u32 << log;
        let mut symbol = 0;
        while left > 0 {
            if symbol >= symbols.min(SYMBOLS) {
                return Err(DecodeError::Corrupt);
            }
            let share = bits.read_value(left + 1) as i16 - 1;
            shares[symbol] = share;
            symbol += 1;
            left -= u32::from(share.unsigned_abs());
            if share == 0 {
                while symbol < SYMBOLS {
                    let zeros = bits.read(2);
                    symbol += zeros as usize;
                    if zeros < 3 {
                        break;
                    }
                }
            }
        }
        // At the end, as at most two reads for each symbol can go beyond it.
        let taken = bits.at.div_ceil(8);
        if taken > src.len() {
            return Err(DecodeError::Truncated);
        }
        Ok((Self { shares, log }, taken))
    }

    /// The distribution of accuracy `log` that is nearest to `counts`, of which at most 2^`log` and at least
    /// one are not 0.
    pub(super) fn fit(counts: &[u32; SYMBOLS], log: u32) -> Self {
        let total: u32 = counts.iter().sum::<u32>().max(1);
        // A product of 32 bits instead of a division for each symbol: no count is above the total.
        let states_per_count = (1 << (FRACTION + log)) / total;
        let mut shares = [0i16; SYMBOLS];
        let mut missing = 1i32 << log;
        for (share, &count) in shares.iter_mut().zip(counts) {
            let rounded = ((count * states_per_count + (1 << (FRACTION - 1))) >> FRACTION) as i16;
            *share = rounded.max(i16::from(count > 0));
            missing -= i32::from(*share);
        }
        // Rounding leaves less than one state per symbol to correct, where it costs least: at the greatest
        // share.
        while missing != 0 {
            // Share and symbol in one number, of which processors find the greatest of many at once.
            let keys = shares.iter().zip(0..).map(|(&share, symbol)| share.min(0x1ff) << 6 | symbol);
            let greatest = keys.fold(0, i16::max) as usize & (SYMBOLS - 1);
            let step = if missing > 0 { missing } else { -1 };
            shares[greatest] += step as i16;
            missing -= step;
        }
        Self { shares, log }
    }

    /// Calls `field` with each field of the stored form, a number and its bits, the first one lowest.
    pub(super) fn for_each_field(&self, mut field: impl FnMut(u32, u32) -> Option<()>) -> Option<()> {
        field(self.log - MIN_LOG, 4)?;
        let mut left = 1u32 << self.log;
        let mut symbol = 0;
        while left > 0 && symbol < SYMBOLS {
            let share = self.shares[symbol];
            symbol += 1;
            let (value, bits) = value_field((share + 1) as u32, left + 1);
            field(value, bits)?;
            left -= u32::from(share.unsigned_abs());
            if share == 0 {
                let mut zeros = self.shares.iter().skip(symbol).take_while(|&&share| share == 0).count();
                symbol += zeros;
                while zeros >= 3 {
                    field(3, 2)?;
                    zeros -= 3;
                }
                field(zeros as u32, 2)?;
            }
        }
        Some(())
    }

    /// About how many bits the symbols take that occur `counts` times; `None` if one of them has no share.
    pub(super) fn cost(&self, counts: &[u32; SYMBOLS]) -> Option<u32> {
        let mut cost = 0;
        for (&count, &share) in counts.iter().zip(&self.shares) {
            match (count, share.unsigned_abs()) {
                (0, _) => {}
                (_, 0) => return None,
                (count, share) => cost += count * ((self.log << 8) - log2(u32::from(share))),
            }
        }
        Some(cost >> 8)
    }
}

/// The logarithm of `number` to base 2 in units of 1/256, the fraction interpolated.
fn log2(number: u32) -> u32 {
    let whole = (number | 1).ilog2();
    (whole << 8) + ((number << 8 >> whole) & 0xff)
}

/// A value of 0 to `max`: as many bits as `max` has, or one less for the least values.
fn value_field(value: u32, max: u32) -> (u32, u32) {
    let bits = (max | 1).ilog2() + 1;
    let shorter = (1 << bits) - 1 - max;
    if value < shorter {
        (value, bits - 1)
    } else if value < 1 << (bits - 1) {
        (value, bits)
    } else {
        (value + shorter, bits)
    }
}

/// Bits read from the lowest of each byte up.
struct ForwardBits<'a> {
    src: &'a [u8],
    at: usize,
}

impl ForwardBits<'_> {
    /// Sixteen bits or more, without passing them; zeros behind the end.
    #[inline(always)]
    fn peek(&self) -> u32 {
        let bytes = self.src.get(self.at / 8..).unwrap_or_default();
        let word = match bytes.first_chunk::<4>() {
            Some(word) => u32::from_le_bytes(*word),
            None => bytes.iter().rev().fold(0, |word, &byte| word << 8 | u32::from(byte)),
        };
        word >> (self.at % 8)
    }

    /// The next `count` bits, at most 16.
    #[inline(always)]
    fn read(&mut self, count: u32) -> u32 {
        let value = self.peek() & ((1 << count) - 1);
        self.at += count as usize;
        value
    }

    /// The inverse of `value_field`; `max` is at most 2^9 + 1.
    #[inline(always)]
    fn read_value(&mut self, max: u32) -> u32 {
        let bits = (max | 1).ilog2() + 1;
        let half = 1 << (bits - 1);
        let shorter = 2 * half - 1 - max;
        let word = self.peek();
        let (low, whole) = (word & (half - 1), word & (2 * half - 1));
        // Without a branch: which it is is hard to predict.
        let is_short = low < shorter;
        self.at += (bits - u32::from(is_short)) as usize;
        let long = whole - if whole < half { 0 } else { shorter };
        if is_short { low } else { long }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::codec::bit_writer::BitWriter;

    #[test]
    fn values_take_as_many_bits_as_the_specification_says() {
        // RFC 8878's example: 157 is the greatest; 98 values take 7 bits.
        for value in 0..=157 {
            let expected = match value {
                0..98 => (value, 7),
                98..128 => (value, 8),
                _ => (value + 98, 8),
            };
            assert_eq!(value_field(value, 157), expected);
        }
    }

    #[test]
    fn a_stored_distribution_reads_back() {
        let mut counts = [0; SYMBOLS];
        for (symbol, count) in [(0, 1), (1, 900), (7, 3), (8, 44), (30, 1), (52, 7)] {
            counts[symbol] = count;
        }
        for log in 5..=9 {
            let fitted = Distribution::fit(&counts, log);
            assert_eq!(fitted.shares.iter().map(|&share| i32::from(share)).sum::<i32>(), 1 << log);
            let mut out = [0; 64];
            let mut bits = BitWriter::new(&mut out);
            fitted.for_each_field(|value, count| bits.put(value, count)).unwrap();
            let len = bits.finish().unwrap();
            let (read, taken) = Distribution::read(&out[..len], 53, 9).unwrap();
            assert_eq!((read.shares, read.log, taken), (fitted.shares, log, len));
            assert!(Distribution::read(&out[..len], 52, 9).is_err());
            assert!((0..len).all(|cut| Distribution::read(&out[..cut], 53, 9).is_err()));
        }
    }
}
