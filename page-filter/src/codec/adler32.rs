//! The Adler-32 checksum of RFC 1950.
#![expect(
    clippy::arithmetic_side_effects,
    reason = "both sums stay below 2^32 for a run of RUN bytes, see there; a chunk's sums are below 255 * \
              16 * 17"
)]

/// The largest prime below 2^16.
const MODULUS: u32 = 65521;

/// How many bytes may be summed before the sums are reduced: the largest multiple of `CHUNK` for which
/// `255 * n * (n + 1) / 2 + (n + 1) * (MODULUS - 1)` is below 2^32 (n = 5552 is the largest number).
const RUN: usize = 5552;

/// Bytes per step of the inner loop, written so that the compiler makes vectors of it.
const CHUNK: usize = 16;

/// The Adler-32 checksum of `bytes`.
pub(super) fn adler32(bytes: &[u8]) -> u32 {
    let mut low = 1u32;
    let mut high = 0u32;
    for run in bytes.chunks(RUN) {
        let (chunks, rest) = run.as_chunks::<CHUNK>();
        for chunk in chunks {
            let mut sum = 0u32;
            let mut weighted = 0u32;
            for (weight, &byte) in (1..=16u32).rev().zip(chunk) {
                sum += u32::from(byte);
                weighted += weight * u32::from(byte);
            }
            high += 16 * low + weighted;
            low += sum;
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
