//! `/sys/firmware/memmap`: the firmware's map as the running kernel got it, a directory of three files per entry.
//!
//! Source: `drivers/firmware/memmap.c`, `Documentation/ABI/testing/sysfs-firmware-memmap` (Linux 6.12).

use super::paint;
use crate::map::{MemoryMap, Range, RangeKind, Span};
use crate::{Error, Field};

/// The texts of one entry, as its files hold them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Entry<'a> {
    /// `start`: the first address, `0x` and hexadecimal digits.
    pub start: &'a [u8],
    /// `end`: the last address, which is included.
    pub end: &'a [u8],
    /// `type`: `System RAM`, `Reserved`, `ACPI Tables` ...
    pub kind: &'a [u8],
}

impl Entry<'_> {
    /// The range that the entry describes. Types that this library does not know are reserved memory.
    ///
    /// # Errors
    /// [`Error::Corrupt`] where `start` or `end` is no number, or `end` lies below `start`; its offset counts from the
    /// start of that text.
    pub fn range(&self) -> Result<Range, Error> {
        let start = number(self.start).ok_or(Error::Corrupt { field: Field::MemmapStart, offset: 0 })?;
        let last = number(self.end)
            .filter(|&last| last >= start)
            .ok_or(Error::Corrupt { field: Field::MemmapEnd, offset: 0 })?;
        let kind = kind(self.kind.trim_ascii()).unwrap_or(RangeKind::Reserved);
        Ok(Range::new(Span::inclusive(start, last), kind))
    }
}

/// Paints the entries, which come in no order, over `map`. Where they overlap, RAM yields.
///
/// # Errors
/// As [`Entry::range`]; [`Error::BufferTooSmall`]: so many ranges are enough. The map is then empty.
pub fn parse<'a>(
    entries: impl Iterator<Item = Entry<'a>> + Clone,
    map: &mut MemoryMap<'_>,
) -> Result<(), Error> {
    if let Some(error) = entries.clone().find_map(|entry| entry.range().err()) {
        map.clear();
        return Err(error);
    }
    paint::by_kind(map, entries.filter_map(|entry| entry.range().ok()))
}

/// The kind of memory that the kernel's name for an E820 type stands for, here and in `/proc/iomem`.
pub(super) fn kind(name: &[u8]) -> Option<RangeKind> {
    Some(match name {
        b"System RAM" => RangeKind::SystemRam,
        b"Reserved" | b"reserved" | b"Unknown E820 type" => RangeKind::Reserved,
        b"ACPI Tables" => RangeKind::AcpiTables,
        b"ACPI Non-volatile Storage" => RangeKind::AcpiNvs,
        b"Unusable memory" => RangeKind::Unusable,
        b"Persistent Memory" => RangeKind::Persistent,
        b"Persistent Memory (legacy)" => RangeKind::PersistentLegacy,
        b"Soft Reserved" => RangeKind::SoftReserved,
        _ => return None,
    })
}

fn number(text: &[u8]) -> Option<u64> {
    let digits = text.trim_ascii().strip_prefix(b"0x")?;
    hexadecimal(digits)
}

/// The value of 1 to 16 hexadecimal digits.
pub(super) fn hexadecimal(digits: &[u8]) -> Option<u64> {
    if digits.is_empty() || digits.len() > 16 {
        return None;
    }
    digits.iter().try_fold(0_u64, |value, &digit| {
        let digit = char::from(digit).to_digit(16)?;
        value.checked_mul(16)?.checked_add(u64::from(digit))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::vec::Vec;

    fn entry<'a>(start: &'a str, end: &'a str, kind: &'a str) -> Entry<'a> {
        Entry { start: start.as_bytes(), end: end.as_bytes(), kind: kind.as_bytes() }
    }

    #[test]
    fn entries_in_no_order() {
        let entries = [
            entry("0x100000000\n", "0x10bffffff\n", "System RAM\n"),
            entry("0x0\n", "0x9fbff\n", "System RAM\n"),
            entry("0x9fc00\n", "0x9ffff\n", "Reserved\n"),
            entry("0x100000", "0x1bfd3fff", "System RAM"),
            entry("0x1bfd4000\n", "0x1bfd4fff\n", "ACPI Tables\n"),
            entry("0x1bfd5000\n", "0x1bfd5fff\n", "something new\n"),
            entry("0x1bfd3000\n", "0x1bfd3fff\n", "ACPI Non-volatile Storage\n"),
        ];
        let mut table = [Range::EMPTY; 8];
        let mut map = MemoryMap::new(&mut table);
        parse(entries.iter().copied(), &mut map).unwrap();
        let ranges: Vec<_> =
            map.ranges().iter().map(|range| (range.start.0, range.end.0, range.kind)).collect();
        let expected = [
            (0, 0x9_fc00, RangeKind::SystemRam),
            (0x9_fc00, 0xa_0000, RangeKind::Reserved),
            (0x10_0000, 0x1bfd_3000, RangeKind::SystemRam),
            (0x1bfd_3000, 0x1bfd_4000, RangeKind::AcpiNvs),
            (0x1bfd_4000, 0x1bfd_5000, RangeKind::AcpiTables),
            (0x1bfd_5000, 0x1bfd_6000, RangeKind::Reserved),
            (0x1_0000_0000, 0x1_0c00_0000, RangeKind::SystemRam),
        ];
        assert_eq!(ranges, expected);
    }

    #[test]
    fn what_is_no_number_is_corrupt() {
        for text in ["", "0x", "12", "0x1g", "-0x1", "0x12345678901234567", "0x1 2"] {
            let start = Err(Error::Corrupt { field: Field::MemmapStart, offset: 0 });
            assert_eq!(entry(text, "0xfff", "System RAM").range(), start, "{text}");
            let end = Err(Error::Corrupt { field: Field::MemmapEnd, offset: 0 });
            assert_eq!(entry("0x0", text, "System RAM").range(), end, "{text}");
        }
        let backwards = entry("0x1000", "0xfff", "System RAM").range();
        assert_eq!(backwards, Err(Error::Corrupt { field: Field::MemmapEnd, offset: 0 }));
        let top = entry("0xffffffffffffff00", "0xffffffffffffffff", "Reserved").range().unwrap();
        assert_eq!(top.end.0, u64::MAX);

        let mut table = [Range::EMPTY; 4];
        let mut map = MemoryMap::new(&mut table);
        let entries = [entry("0x0", "0xfff", "System RAM"), entry("0x0", "", "System RAM")];
        assert!(parse(entries.iter().copied(), &mut map).is_err());
        assert!(map.is_empty());
    }
}
