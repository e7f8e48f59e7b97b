//! The lines that the object prints, and the digits of a digest.

/// The check begins.
pub const CHECKING: &[u8] = b"kcapture purgatory: checking the loaded kernel\n";
/// The check passed, or was not asked for.
pub const ENTERING: &[u8] = b"kcapture purgatory: entering the kernel\n";
/// The digest is another one. The two digests follow.
pub const MISMATCH: &[u8] = b"kcapture purgatory: SHA-256 mismatch, the loaded kernel was changed\n";
/// A region cannot be read.
pub const UNREADABLE: &[u8] = b"kcapture purgatory: a region of the digest cannot be read\n";
/// The parameter block is not one.
pub const NOT_SET: &[u8] = b"kcapture purgatory: no parameters\n";
/// Before the digits of the recorded digest.
pub const EXPECTED: &[u8] = b"expected ";
/// Before the digits of the digest that was found.
pub const FOUND: &[u8] = b"found    ";
/// The policy is to halt.
pub const HALTED: &[u8] = b"kcapture purgatory: halted\n";
/// The policy is to reset.
pub const RESETTING: &[u8] = b"kcapture purgatory: resetting the machine\n";
/// The policy is to go on.
pub const CONTINUING: &[u8] = b"kcapture purgatory: going on all the same\n";

/// The two lower-case hexadecimal digits of a byte.
#[must_use]
pub const fn hex(byte: u8) -> [u8; 2] {
    [digit(byte >> 4), digit(byte & 15)]
}

const fn digit(value: u8) -> u8 {
    let zero = if value < 10 { b'0' } else { 0x57 };
    zero.wrapping_add(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digits() {
        for byte in 0..=255_u8 {
            assert_eq!(hex(byte).as_slice(), std::format!("{byte:02x}").as_bytes());
        }
    }
}
