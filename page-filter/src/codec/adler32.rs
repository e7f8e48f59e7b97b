//! The Adler-32 checksum of RFC 1950.
#![expect(
    clippy::arithmetic_side_effects,
    reason = "the sums of a column fit 16 bits for a block of ROWS, those of a block and of all before it 32, see there"
)]

/// The largest prime below 2^16.
const MODULUS: u32 = 65521;

/// The bytes are summed in columns so that the compiler makes vectors of them.
const COLUMNS: usize = 32;

/// Rows of a block: 255 * 16 * 17 / 2, the most that a column's weighted sum can be, is below 2^16.
const ROWS: usize = 16;

/// The Adler-32 checksum of `bytes`.
pub(super) fn adler32(bytes: &[u8]) -> u32 {
    let mut low = 1u32;
    let mut high = 0u32;
    for block in bytes.chunks(ROWS * COLUMNS) {
        let (rows, rest) = block.as_chunks::<COLUMNS>();
        let mut sums = [0u16; COLUMNS];
        // Each byte as often as there are rows from its own on.
        let mut weighted = [0u16; COLUMNS];
        for row in rows {
            for ((sum, weighted), &byte) in sums.iter_mut().zip(&mut weighted).zip(row) {
                *sum += u16::from(byte);
                *weighted += *sum;
            }
        }
        // `low` counts once for each byte, a byte once for itself and once for each one after it: a column's bytes so
        // many times less than full rows as the column's number says. At most 65520 * 513 + 255 * 512 * 513 / 2.
        for _ in rows {
            high += 32 * low;
        }
        for ((&sum, &weighted), column) in sums.iter().zip(&weighted).zip(0u32..) {
            low += u32::from(sum);
            high += 32 * u32::from(weighted) - column * u32::from(sum);
        }
        for &byte in rest {
            low += u32::from(byte);
            high += low;
        }
        low %= MODULUS;
        high %= MODULUS;
    }
    high << 16 | low
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_sums() {
        // RFC 1950 defines the empty sum; the others are zlib 1.2.13's.
        assert_eq!(adler32(b""), 1);
        assert_eq!(adler32(b"Wikipedia"), 0x11e6_0398);
        assert_eq!(adler32(&[0xff; 65536]), 0x7797_0ef2);
        assert_eq!(adler32(&[0xff; 5553]), 0x8e29_9c8b);
    }
}
