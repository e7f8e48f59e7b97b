//! Which symbol, and which extra bits, stand for a length or a distance: RFC 1951, 3.2.5.
#![expect(
    clippy::arithmetic_side_effects,
    clippy::as_conversions,
    reason = "lengths are 3 to 258 and distances 1 to 32768, as the finder is told"
)]

/// Symbols of literals and lengths: 256 bytes, the end of the block, 29 lengths; 2 that never occur.
pub(super) const LITERALS: usize = 288;

/// Symbols of distances; the last 2 never occur.
pub(super) const DISTANCES: usize = 32;

/// The symbol that ends a block.
pub(super) const END_OF_BLOCK: usize = 256;

/// A symbol and the bits that follow its code.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Symbol {
    pub(super) symbol: usize,
    pub(super) extra: u32,
    pub(super) extra_bits: u32,
}

/// The symbol of a match's length, 3 to 258 bytes.
pub(super) fn of_length(length: u16) -> Symbol {
    let less_three = u32::from(length) - 3;
    match less_three {
        0..8 => Symbol { symbol: 257 + less_three as usize, extra: 0, extra_bits: 0 },
        255.. => Symbol { symbol: 285, extra: 0, extra_bits: 0 },
        // Groups of four symbols; each next group has one more extra bit.
        8..255 => {
            let extra_bits = less_three.ilog2() - 2;
            let symbol = 257 + (extra_bits << 2) + (less_three >> extra_bits);
            Symbol { symbol: symbol as usize, extra: less_three & ((1 << extra_bits) - 1), extra_bits }
        }
    }
}

/// The symbol of a distance, 1 to 32768 bytes.
pub(super) fn of_distance(distance: u32) -> Symbol {
    let less_one = distance - 1;
    if less_one < 2 {
        return Symbol { symbol: less_one as usize, extra: 0, extra_bits: 0 };
    }
    // Groups of two symbols.
    let extra_bits = less_one.ilog2() - 1;
    let symbol = (extra_bits << 1) + (less_one >> extra_bits);
    Symbol { symbol: symbol as usize, extra: less_one & ((1 << extra_bits) - 1), extra_bits }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 1951's table: the first length of each symbol from 257 on.
    const LENGTHS: [u16; 29] = [
        3, 4, 5, 6, 7, 8, 9, 10, 11, 13, 15, 17, 19, 23, 27, 31, 35, 43, 51, 59, 67, 83, 99, 115, 131, 163,
        195, 227, 258,
    ];

    /// RFC 1951's table: the first distance of each symbol.
    const DISTANCES: [u32; 30] = [
        1, 2, 3, 4, 5, 7, 9, 13, 17, 25, 33, 49, 65, 97, 129, 193, 257, 385, 513, 769, 1025, 1537, 2049,
        3073, 4097, 6145, 8193, 12289, 16385, 24577,
    ];

    #[test]
    fn lengths_follow_the_table() {
        for length in 3..=258 {
            let symbol = LENGTHS.iter().rposition(|&first| first <= length).unwrap();
            let found = of_length(length);
            assert_eq!(
                (found.symbol, found.extra),
                (257 + symbol, u32::from(length - LENGTHS[symbol])),
                "{length}"
            );
            assert!(found.extra < 1 << found.extra_bits);
        }
        assert_eq!(of_length(257).extra_bits, 5);
        assert_eq!(of_length(258).extra_bits, 0);
    }

    #[test]
    fn distances_follow_the_table() {
        for distance in 1..=32768 {
            let symbol = DISTANCES.iter().rposition(|&first| first <= distance).unwrap();
            let found = of_distance(distance);
            assert_eq!((found.symbol, found.extra), (symbol, distance - DISTANCES[symbol]), "{distance}");
            assert!(found.extra < 1 << found.extra_bits);
        }
    }
}
