//! Numbers as `/sys` and `/proc` write them.

/// Decimal, white space around it.
pub(super) fn decimal(text: &str) -> Option<u64> {
    text.trim().parse().ok()
}

/// Hexadecimal, with `0x` or without.
pub(crate) fn hex(text: &str) -> Option<u64> {
    let text = text.trim();
    let digits = text.strip_prefix("0x").unwrap_or(text);
    if digits.starts_with('+') { None } else { u64::from_str_radix(digits, 16).ok() }
}

/// Hexadecimal with `0x`, else decimal.
pub(super) fn number(text: &str) -> Option<u64> {
    if text.trim().starts_with("0x") { hex(text) } else { decimal(text) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_bases_are_read() {
        assert_eq!(
            (hex("2e23d800\n"), hex("0x1000"), hex("+1"), hex("")),
            (Some(0x2e23_d800), Some(0x1000), None, None)
        );
        assert_eq!((number("0x10\n"), number("10"), number("1g")), (Some(16), Some(10), None));
    }
}
