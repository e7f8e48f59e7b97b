//! XXH64 with seed 0, of whose value a frame's checksum is the low half: RFC 8878, 3.1.1 names it, the xxHash
//! specification 0.1.1 (`doc/xxhash_spec.md`) defines it.

const PRIME_1: u64 = 0x9e37_79b1_85eb_ca87;
const PRIME_2: u64 = 0xc2b2_ae3d_27d4_eb4f;
const PRIME_3: u64 = 0x1656_67b1_9e37_79f9;
const PRIME_4: u64 = 0x85eb_ca77_c2b2_ae63;
const PRIME_5: u64 = 0x27d4_eb2f_1656_67c5;

fn round(sum: u64, lane: u64) -> u64 {
    sum.wrapping_add(lane.wrapping_mul(PRIME_2)).rotate_left(31).wrapping_mul(PRIME_1)
}

/// The hash of `bytes`.
pub(super) fn xxh64(bytes: &[u8]) -> u64 {
    let (stripes, rest) = bytes.as_chunks::<32>();
    let mut hash = PRIME_5;
    if !stripes.is_empty() {
        let mut sums = [PRIME_1.wrapping_add(PRIME_2), PRIME_2, 0, PRIME_1.wrapping_neg()];
        for stripe in stripes {
            for (sum, lane) in sums.iter_mut().zip(stripe.as_chunks::<8>().0) {
                *sum = round(*sum, u64::from_le_bytes(*lane));
            }
        }
        hash =
            sums.iter().zip([1, 7, 12, 18]).fold(0, |hash, (sum, by)| hash.wrapping_add(sum.rotate_left(by)));
        for sum in sums {
            hash = (hash ^ round(0, sum)).wrapping_mul(PRIME_1).wrapping_add(PRIME_4);
        }
    }
    hash = hash.wrapping_add(u64::try_from(bytes.len()).unwrap_or(0));

    let (lanes, rest) = rest.as_chunks::<8>();
    for lane in lanes {
        hash ^= round(0, u64::from_le_bytes(*lane));
        hash = hash.rotate_left(27).wrapping_mul(PRIME_1).wrapping_add(PRIME_4);
    }
    let (halves, rest) = rest.as_chunks::<4>();
    for half in halves {
        hash ^= u64::from(u32::from_le_bytes(*half)).wrapping_mul(PRIME_1);
        hash = hash.rotate_left(23).wrapping_mul(PRIME_2).wrapping_add(PRIME_3);
    }
    for &byte in rest {
        hash ^= u64::from(byte).wrapping_mul(PRIME_5);
        hash = hash.rotate_left(11).wrapping_mul(PRIME_1);
    }
    hash = (hash ^ hash >> 33).wrapping_mul(PRIME_2);
    hash = (hash ^ hash >> 29).wrapping_mul(PRIME_3);
    hash ^ hash >> 32
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_hashes() {
        // The low halves are what `printf a | zstd --check -c` (1.5.4) and the like end in.
        assert_eq!(xxh64(b""), 0xef46_db37_51d8_e999);
        assert_eq!(xxh64(b"a"), 0xd24e_c4f1_a98c_6e5b);
        assert_eq!(xxh64(b"abc"), 0x44bc_2cf5_ad77_0999);
    }
}
