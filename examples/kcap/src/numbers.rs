//! Numbers on the command line.

use core::ops::Range;

/// Decimal, or hexadecimal after 0x.
pub(crate) fn parse_number(text: &str) -> Result<u64, String> {
    let number = match text.strip_prefix("0x").or_else(|| text.strip_prefix("0X")) {
        Some(hex) => u64::from_str_radix(hex, 16),
        None => text.parse(),
    };
    number.map_err(|error| error.to_string())
}

/// A number with K, M or G (KiB, MiB, GiB) after it, or none.
pub(crate) fn parse_size(text: &str) -> Result<u64, String> {
    let shift = match text.as_bytes().last() {
        Some(b'K' | b'k') => 10,
        Some(b'M' | b'm') => 20,
        Some(b'G' | b'g') => 30,
        _ => return parse_number(text),
    };
    let digits = text.get(..text.len().saturating_sub(1)).unwrap_or_default();
    let bytes = parse_number(digits)?.checked_mul(1 << shift);
    bytes.ok_or_else(|| "number too large".into())
}

/// `start-end`, half-open, hexadecimal.
pub(crate) fn parse_range(text: &str) -> Result<Range<u64>, String> {
    let number = |text: &str| {
        let digits = text.strip_prefix("0x").unwrap_or(text);
        let plain = digits.bytes().all(|byte| byte.is_ascii_hexdigit());
        plain.then(|| u64::from_str_radix(digits, 16).ok()).flatten()
    };
    let range = text.split_once('-').and_then(|(start, end)| Some(number(start)?..number(end)?));
    match range {
        Some(range) if range.start < range.end => Ok(range),
        Some(_) => Err("the end is not above the start".into()),
        None => Err("START-END is needed, both hexadecimal".into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_have_suffixes() {
        assert_eq!(parse_size("1M"), Ok(1 << 20));
        assert_eq!(parse_size("0x10k"), Ok(16 << 10));
        assert_eq!(parse_size("4096"), Ok(4096));
        assert!(parse_size("M").is_err());
        assert!(parse_size("").is_err());
        assert!(parse_size("18446744073709551615K").is_err());
    }

    #[test]
    fn ranges_are_hexadecimal_and_half_open() {
        assert_eq!(parse_range("1000-2000"), Ok(0x1000..0x2000));
        assert_eq!(parse_range("0xff-0x100"), Ok(0xff..0x100));
        for bad in ["1000", "1000-", "-1000", "2000-1000", "1000-1000", "1 - 2", "+1-2", "g-h", "1-2-3"] {
            assert!(parse_range(bad).is_err(), "{bad}");
        }
    }
}
