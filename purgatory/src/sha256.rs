//! SHA-256 in plain integers. Source: FIPS 180-4.

const BLOCK: usize = 64;

const K: [u32; 64] = [
    0x428a_2f98,
    0x7137_4491,
    0xb5c0_fbcf,
    0xe9b5_dba5,
    0x3956_c25b,
    0x59f1_11f1,
    0x923f_82a4,
    0xab1c_5ed5,
    0xd807_aa98,
    0x1283_5b01,
    0x2431_85be,
    0x550c_7dc3,
    0x72be_5d74,
    0x80de_b1fe,
    0x9bdc_06a7,
    0xc19b_f174,
    0xe49b_69c1,
    0xefbe_4786,
    0x0fc1_9dc6,
    0x240c_a1cc,
    0x2de9_2c6f,
    0x4a74_84aa,
    0x5cb0_a9dc,
    0x76f9_88da,
    0x983e_5152,
    0xa831_c66d,
    0xb003_27c8,
    0xbf59_7fc7,
    0xc6e0_0bf3,
    0xd5a7_9147,
    0x06ca_6351,
    0x1429_2967,
    0x27b7_0a85,
    0x2e1b_2138,
    0x4d2c_6dfc,
    0x5338_0d13,
    0x650a_7354,
    0x766a_0abb,
    0x81c2_c92e,
    0x9272_2c85,
    0xa2bf_e8a1,
    0xa81a_664b,
    0xc24b_8b70,
    0xc76c_51a3,
    0xd192_e819,
    0xd699_0624,
    0xf40e_3585,
    0x106a_a070,
    0x19a4_c116,
    0x1e37_6c08,
    0x2748_774c,
    0x34b0_bcb5,
    0x391c_0cb3,
    0x4ed8_aa4a,
    0x5b9c_ca4f,
    0x682e_6ff3,
    0x748f_82ee,
    0x78a5_636f,
    0x84c8_7814,
    0x8cc7_0208,
    0x90be_fffa,
    0xa450_6ceb,
    0xbef9_a3f7,
    0xc671_78f2,
];

/// A SHA-256 in progress.
#[derive(Debug, Clone)]
pub struct Sha256 {
    state: [u32; 8],
    partial: [u8; BLOCK],
    filled: usize,
    bytes: u64,
}

impl Default for Sha256 {
    fn default() -> Self {
        Self::new()
    }
}

impl Sha256 {
    /// The hash of no bytes yet.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            state: [
                0x6a09_e667,
                0xbb67_ae85,
                0x3c6e_f372,
                0xa54f_f53a,
                0x510e_527f,
                0x9b05_688c,
                0x1f83_d9ab,
                0x5be0_cd19,
            ],
            partial: [0; BLOCK],
            filled: 0,
            bytes: 0,
        }
    }

    /// Takes more bytes.
    pub fn update(&mut self, mut bytes: &[u8]) {
        // The standard counts up to 2^61 bytes; no memory holds more.
        self.bytes = self.bytes.wrapping_add(u64::try_from(bytes.len()).unwrap_or(0));
        if self.filled != 0 {
            bytes = self.fill(bytes);
        }
        if self.filled == 0 {
            let (blocks, rest) = bytes.as_chunks::<BLOCK>();
            for block in blocks {
                compress(&mut self.state, block);
            }
            self.fill(rest);
        }
    }

    /// Puts the front of `bytes` behind what waits for a whole block; answers with what did not fit.
    fn fill<'b>(&mut self, bytes: &'b [u8]) -> &'b [u8] {
        let mut taken = 0_usize;
        let room = self.partial.iter_mut().skip(self.filled);
        for (place, byte) in room.zip(bytes) {
            *place = *byte;
            taken = taken.wrapping_add(1);
        }
        self.filled = self.filled.wrapping_add(taken);
        if self.filled == BLOCK {
            compress(&mut self.state, &self.partial);
            self.filled = 0;
        }
        bytes.get(taken..).unwrap_or(&[])
    }

    /// The digest of all bytes taken.
    #[must_use]
    pub fn finish(mut self) -> [u8; 32] {
        let bits = self.bytes.wrapping_mul(8);
        self.fill(&[0x80]);
        // The length takes the last 8 bytes of a block: at most 63 + 8 zeros come before it.
        for _ in 0..BLOCK {
            if self.filled == 56 {
                break;
            }
            self.fill(&[0]);
        }
        self.fill(&bits.to_be_bytes());
        let mut digest = [0; 32];
        for (out, word) in digest.as_chunks_mut::<4>().0.iter_mut().zip(self.state) {
            *out = word.to_be_bytes();
        }
        digest
    }
}

/// The message schedule first, then the rounds: as fast as the compact C that purgatories have.
#[expect(
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    reason = "indices are below 64, as the range says"
)]
fn compress(state: &mut [u32; 8], block: &[u8; BLOCK]) {
    let mut words = [0_u32; 64];
    for (word, bytes) in words.iter_mut().zip(block.as_chunks::<4>().0) {
        *word = u32::from_be_bytes(*bytes);
    }
    for at in 16..64 {
        let (next, last) = (words[at - 15], words[at - 2]);
        let sigma0 = next.rotate_right(7) ^ next.rotate_right(18) ^ (next >> 3);
        let sigma1 = last.rotate_right(17) ^ last.rotate_right(19) ^ (last >> 10);
        words[at] = words[at - 16].wrapping_add(sigma0).wrapping_add(words[at - 7]).wrapping_add(sigma1);
    }
    let [mut a, mut b, mut c, mut d, mut e, mut f, mut g, mut h] = *state;
    for (words, constants) in words.as_chunks::<8>().0.iter().zip(K.as_chunks::<8>().0) {
        let [w0, w1, w2, w3, w4, w5, w6, w7] = *words;
        let [k0, k1, k2, k3, k4, k5, k6, k7] = *constants;
        // The variables change their roles instead of their values: eight rounds bring each back to its own.
        (d, h) = round([a, b, c, d], [e, f, g, h], k0, w0);
        (c, g) = round([h, a, b, c], [d, e, f, g], k1, w1);
        (b, f) = round([g, h, a, b], [c, d, e, f], k2, w2);
        (a, e) = round([f, g, h, a], [b, c, d, e], k3, w3);
        (h, d) = round([e, f, g, h], [a, b, c, d], k4, w4);
        (g, c) = round([d, e, f, g], [h, a, b, c], k5, w5);
        (f, b) = round([c, d, e, f], [g, h, a, b], k6, w6);
        (e, a) = round([b, c, d, e], [f, g, h, a], k7, w7);
    }
    for (sum, word) in state.iter_mut().zip([a, b, c, d, e, f, g, h]) {
        *sum = sum.wrapping_add(word);
    }
}

/// One round: the new values of what was `d`, which takes the role of `e`, and of what was `h`, which takes that of `a`.
#[inline(always)]
fn round([a, b, c, d]: [u32; 4], [e, f, g, h]: [u32; 4], constant: u32, word: u32) -> (u32, u32) {
    let sum1 = e.rotate_right(6) ^ e.rotate_right(11) ^ e.rotate_right(25);
    let choice = ((f ^ g) & e) ^ g;
    // What is known before the other rounds is added first.
    let first = h.wrapping_add(constant).wrapping_add(word).wrapping_add(choice).wrapping_add(sum1);
    let sum0 = a.rotate_right(2) ^ a.rotate_right(13) ^ a.rotate_right(22);
    let majority = ((a | b) & c) | (a & b);
    (d.wrapping_add(first), first.wrapping_add(sum0).wrapping_add(majority))
}

#[cfg(test)]
mod tests {
    use super::*;
    use sha2::Digest;
    use std::vec::Vec;

    fn of(bytes: &[u8]) -> [u8; 32] {
        let mut hash = Sha256::new();
        hash.update(bytes);
        hash.finish()
    }

    fn hex(text: &str) -> Vec<u8> {
        (0..text.len()).step_by(2).map(|at| u8::from_str_radix(&text[at..at + 2], 16).unwrap()).collect()
    }

    /// FIPS 180-4 examples, as NIST publishes them in SHA256.pdf and `SHA2_Additional.pdf`.
    #[test]
    fn nist_vectors() {
        let cases: [(&[u8], &str); 5] = [
            (b"", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"),
            (b"abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"),
            (
                b"abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
                "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1",
            ),
            (&[0xbd], "68325720aabd7c82f30f554b313d0570c95accbb7dc4b5aae11204c08ffe732b"),
            (&[0; 55], "02779466cdec163811d078815c633f21901413081449002f24aa3e80f0b88ef7"),
        ];
        for (bytes, digest) in cases {
            assert_eq!(of(bytes).as_slice(), hex(digest));
        }
        let million = std::vec![b'a'; 1_000_000];
        assert_eq!(
            of(&million).as_slice(),
            hex("cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0")
        );
    }

    #[test]
    fn every_length_agrees_with_sha2() {
        let bytes: Vec<u8> = (0..300_u32).map(|at| (at.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
        for len in 0..bytes.len() {
            assert_eq!(of(&bytes[..len]), <[u8; 32]>::from(sha2::Sha256::digest(&bytes[..len])), "{len}");
        }
    }

    #[test]
    fn pieces_do_not_matter() {
        let bytes: Vec<u8> = (0..=255).collect();
        let whole = of(&bytes);
        for first in 0..=130 {
            for second in [first, first + 1, first + 63, first + 64, first + 65] {
                let mut hash = Sha256::new();
                hash.update(&bytes[..first]);
                hash.update(&bytes[first..second]);
                hash.update(&bytes[second..]);
                assert_eq!(hash.finish(), whole, "{first} {second}");
            }
        }
    }
}
