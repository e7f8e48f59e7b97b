//! Which symbol, and which extra bits, stand for a length or a distance: RFC 1951, 3.2.5.
#![expect(
    clippy::arithmetic_side_effects,
    clippy::as_conversions,
    clippy::indexing_slicing,
    reason = "lengths are 3 to 258 and distances 1 to 32768, as the finder is told; the tables are made when this is \
              compiled"
)]

/// Symbols of literals and lengths: 256 bytes, the end of the block, 29 lengths; 2 that never occur.
pub(super) const LITERALS: usize = 288;

/// Symbols of distances; the last 2 never occur.
pub(super) const DISTANCES: usize = 32;

/// Both alphabets side by side: the symbols of distances follow those of literals and lengths.
pub(super) const SYMBOLS: usize = LITERALS + DISTANCES;

/// The symbol that ends a block.
pub(super) const END_OF_BLOCK: usize = 256;

/// The longest match, in bytes.
pub(super) const MAX_LENGTH: u32 = 258;

/// A symbol of either alphabet in the low half, its extra bits in the high one.
pub(super) type Token = u32;

/// The number of extra bits of each symbol.
pub(super) const EXTRA_BITS: [u8; SYMBOLS] = {
    let mut bits = [0; SYMBOLS];
    // Groups of four symbols of lengths, of two of distances; each next group has one more extra bit. The last length
    // has a symbol of its own.
    let mut symbol = 265;
    while symbol < 285 {
        bits[symbol] = ((symbol - 261) / 4) as u8;
        symbol += 1;
    }
    symbol = LITERALS + 4;
    while symbol < SYMBOLS - 2 {
        bits[symbol] = ((symbol - LITERALS - 2) / 2) as u8;
        symbol += 1;
    }
    bits
};

/// The token of each length, from 3 on.
const LENGTHS: [Token; 256] = {
    let mut tokens = [0; 256];
    let mut symbol = 257;
    let mut length = 0;
    while symbol < 285 {
        let mut extra = 0;
        while extra < 1 << EXTRA_BITS[symbol] {
            tokens[length] = symbol as u32 | extra << 16;
            length += 1;
            extra += 1;
        }
        symbol += 1;
    }
    tokens[255] = 285;
    tokens
};

/// The token of a match's length, 3 to 258 bytes.
#[inline(always)]
pub(super) fn of_length(length: u32) -> Token {
    LENGTHS[(length - 3) as usize & 0xff]
}

/// The token of a distance, 1 to 32768 bytes.
#[inline(always)]
pub(super) fn of_distance(distance: u32) -> Token {
    let less_one = distance - 1;
    // The first four symbols have no extra bits; `| 2` gives the first two those of the next.
    let extra_bits = ((less_one | 2).ilog2() - 1) & 31;
    let leading = less_one >> extra_bits;
    let symbol = LITERALS as u32 + (extra_bits << 1) + leading;
    symbol | (less_one - (leading << extra_bits)) << 16
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 1951's table: the first length of each symbol from 257 on.
    const FIRST_LENGTHS: [usize; 29] = [
        3, 4, 5, 6, 7, 8, 9, 10, 11, 13, 15, 17, 19, 23, 27, 31, 35, 43, 51, 59, 67, 83, 99, 115, 131, 163,
        195, 227, 258,
    ];

    /// RFC 1951's table: the first distance of each symbol.
    const FIRST_DISTANCES: [usize; 30] = [
        1, 2, 3, 4, 5, 7, 9, 13, 17, 25, 33, 49, 65, 97, 129, 193, 257, 385, 513, 769, 1025, 1537, 2049,
        3073, 4097, 6145, 8193, 12289, 16385, 24577,
    ];

    fn check(token: Token, first_symbol: usize, firsts: &[usize], value: usize) {
        let symbol = firsts.iter().rposition(|&first| first <= value).unwrap();
        let expected = (first_symbol + symbol) as u32 | ((value - firsts[symbol]) as u32) << 16;
        assert_eq!(token, expected, "{value}");
        assert!(token >> 16 < 1 << EXTRA_BITS[first_symbol + symbol]);
    }

    #[test]
    fn lengths_follow_the_table() {
        for length in 3..=258 {
            check(of_length(length as u32), 257, &FIRST_LENGTHS, length);
        }
    }

    #[test]
    fn distances_follow_the_table() {
        for distance in 1..=32768 {
            check(of_distance(distance as u32), LITERALS, &FIRST_DISTANCES, distance);
        }
    }

    #[test]
    fn extra_bits_reach_the_next_symbol() {
        for (firsts, end, first_symbol) in
            [(&FIRST_LENGTHS[..28], 259, 257), (&FIRST_DISTANCES[..], 32769, LITERALS)]
        {
            for (at, &first) in firsts.iter().enumerate() {
                let next = firsts.get(at + 1).copied().unwrap_or(end);
                assert_eq!(next - first, 1 << EXTRA_BITS[first_symbol + at]);
            }
        }
        assert_eq!(EXTRA_BITS[285], 0);
    }
}
