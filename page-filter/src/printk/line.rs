//! A record as a line, the way vmcore-dmesg prints it.

use core::fmt::{self, Write};

use super::record::Record;

/// Writes `record` as text: `[    1.234567] text` and a newline.
///
/// A text of several lines is passed on as it is (`makedumpfile --dump-dmesg` indents it from the second line on).
/// Bytes that are neither printable ASCII nor white space become `\xNN` (two digits; makedumpfile sign-extends those
/// from 0x80 to eight). Flat text is passed on as it is, without prefix, escapes or newline.
pub fn write_line(record: &Record<'_>, out: &mut dyn FnMut(&[u8])) {
    let Some(ts_nsec) = record.ts_nsec else {
        out(record.text);
        return;
    };
    let mut prefix = Prefix { bytes: [0; Prefix::LONGEST], len: 0 };
    // Cannot fail: the longest time stamp fits.
    let _ = write!(prefix, "[{:5}.{:06}] ", ts_nsec / NSEC_PER_SEC, ts_nsec % NSEC_PER_SEC / NSEC_PER_USEC);
    let prefix = prefix.bytes.get(..prefix.len).unwrap_or_default();
    out(prefix);
    write_escaped(record.text, out);
    out(b"\n");
}

const NSEC_PER_SEC: u64 = 1_000_000_000;
const NSEC_PER_USEC: u64 = 1_000;

fn write_escaped(text: &[u8], out: &mut dyn FnMut(&[u8])) {
    let mut rest = text;
    while let Some((&byte, after)) = rest.split_first() {
        let plain = rest.iter().take_while(|&&byte| is_plain(byte)).count();
        rest = match rest.split_at_checked(plain) {
            Some((run, others)) if plain > 0 => {
                out(run);
                others
            }
            _ => {
                out(&[b'\\', b'x', hex_digit(byte >> 4), hex_digit(byte & 0xf)]);
                after
            }
        };
    }
}

fn is_plain(byte: u8) -> bool {
    matches!(byte, b' '..=b'~' | b'\t'..=b'\r')
}

fn hex_digit(nibble: u8) -> u8 {
    char::from_digit(u32::from(nibble), 16).and_then(|digit| u8::try_from(digit).ok()).unwrap_or(b'?')
}

/// The time stamp's text.
struct Prefix {
    bytes: [u8; Self::LONGEST],
    len: usize,
}

impl Prefix {
    /// `[18446744073.709551] `, the last moment of 64 bits of nanoseconds.
    const LONGEST: usize = 21;
}

impl fmt::Write for Prefix {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let end = self.len.checked_add(text.len()).ok_or(fmt::Error)?;
        self.bytes.get_mut(self.len..end).ok_or(fmt::Error)?.copy_from_slice(text.as_bytes());
        self.len = end;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    extern crate std;
    use std::vec::Vec;

    use super::*;

    fn line(ts_nsec: Option<u64>, text: &[u8]) -> Vec<u8> {
        let record = Record { seq: None, ts_nsec, caller_id: Some(7), text, cut: false };
        let mut out = Vec::new();
        write_line(&record, &mut |bytes| out.extend_from_slice(bytes));
        out
    }

    /// Expected: what vmcore-dmesg prints for the same bytes in a hand-laid vmcore.
    #[test]
    fn lines_are_printed_as_vmcore_dmesg_prints_them() {
        assert_eq!(line(Some(0), b"first"), b"[    0.000000] first\n");
        assert_eq!(line(Some(99_999_999_999_999), b""), b"[99999.999999] \n");
        assert_eq!(
            line(Some(1_234_567_890_123), b"two\nlines\tand\x01\x7f\x80\xff\\x\r\x0b\x0c."),
            b"[ 1234.567890] two\nlines\tand\\x01\\x7f\\x80\\xff\\x\r\x0b\x0c.\n"
        );
        assert_eq!(line(Some(5_000_000_000), b"tail\n"), b"[    5.000000] tail\n\n");
        assert_eq!(line(None, b"<4>wor\x01\x80ld\nno end"), b"<4>wor\x01\x80ld\nno end");
    }

    #[test]
    fn the_widest_time_stamp_fits() {
        assert_eq!(line(Some(u64::MAX), b"a\nb"), b"[18446744073.709551] a\nb\n");
    }
}
