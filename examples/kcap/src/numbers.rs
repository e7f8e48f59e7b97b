//! Numbers on the command line.

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
}
