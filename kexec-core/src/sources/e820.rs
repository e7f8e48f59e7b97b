//! The E820 map: what a PC's firmware says of its memory, as boot loaders pass it in `boot_params` and `SETUP_E820_EXT`.
//!
//! Source: `struct boot_e820_entry`, `arch/x86/include/uapi/asm/setup_data.h`, and
//! `arch/x86/include/asm/e820/types.h` (Linux 6.12).

use super::paint;
use crate::map::{MemoryMap, Range, RangeKind, Span};
use crate::{Error, Field};

/// The length of an entry, in bytes.
pub const ENTRY_LEN: usize = 20;

/// Paints the map `entries` over `map`: entries of 20 bytes, each `addr` (u64), `size` (u64), `type` (u32), all
/// little-endian. Entries of size 0 say nothing; where entries overlap, the higher type holds.
///
/// # Errors
/// [`Error::Corrupt`] where the last entry is cut off or an entry runs past the end of the address space;
/// [`Error::BufferTooSmall`]: so many ranges are enough. The map is then empty.
pub fn parse(entries: &[u8], map: &mut MemoryMap<'_>) -> Result<(), Error> {
    let (whole, rest) = entries.as_chunks::<ENTRY_LEN>();
    let checked = check(whole, rest, entries.len());
    if let Err(error) = checked {
        map.clear();
        return Err(error);
    }
    paint::by_kind(map, whole.iter().filter_map(range))
}

/// The kind of memory that an E820 type stands for; types that Linux does not know are reserved.
#[must_use]
pub const fn kind(e820_type: u32) -> RangeKind {
    match e820_type {
        1 => RangeKind::SystemRam,
        3 => RangeKind::AcpiTables,
        4 => RangeKind::AcpiNvs,
        5 => RangeKind::Unusable,
        7 => RangeKind::Persistent,
        12 => RangeKind::PersistentLegacy,
        0xefff_ffff => RangeKind::SoftReserved,
        _ => RangeKind::Reserved,
    }
}

/// The E820 type that tells a kernel of this kind of memory.
#[must_use]
pub const fn e820_type(kind: RangeKind) -> u32 {
    match kind {
        RangeKind::SystemRam => 1,
        RangeKind::AcpiTables => 3,
        RangeKind::AcpiNvs => 4,
        RangeKind::Unusable => 5,
        RangeKind::Persistent => 7,
        RangeKind::PersistentLegacy => 12,
        RangeKind::SoftReserved => 0xefff_ffff,
        RangeKind::Reserved
        | RangeKind::ReservedRam
        | RangeKind::DriverManagedRam(_)
        | RangeKind::CrashKernel => 2,
    }
}

fn check(whole: &[[u8; ENTRY_LEN]], rest: &[u8], len: usize) -> Result<(), Error> {
    let wraps = whole.iter().position(|entry| range(entry).is_none());
    let at = match wraps {
        Some(number) => number.saturating_mul(ENTRY_LEN),
        None if rest.is_empty() => return Ok(()),
        None => len.saturating_sub(rest.len()),
    };
    Err(Error::Corrupt { field: Field::E820Entry, offset: u64::try_from(at).unwrap_or(u64::MAX) })
}

fn range(entry: &[u8; ENTRY_LEN]) -> Option<Range> {
    let (addr, rest) = entry.split_first_chunk::<8>()?;
    let (size, rest) = rest.split_first_chunk::<8>()?;
    let (e820_type, _) = rest.split_first_chunk::<4>()?;
    let span = Span::with_len(u64::from_le_bytes(*addr), u64::from_le_bytes(*size))?;
    Some(Range::new(span, kind(u32::from_le_bytes(*e820_type))))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::vec::Vec;

    fn entry(addr: u64, size: u64, e820_type: u32) -> Vec<u8> {
        let mut entry = addr.to_le_bytes().to_vec();
        entry.extend(size.to_le_bytes());
        entry.extend(e820_type.to_le_bytes());
        entry
    }

    fn parsed(entries: &[Vec<u8>]) -> Vec<(u64, u64, RangeKind)> {
        let mut table = [Range::EMPTY; 16];
        let mut map = MemoryMap::new(&mut table);
        parse(&entries.concat(), &mut map).unwrap();
        map.ranges().iter().map(|range| (range.start.0, range.end.0, range.kind)).collect()
    }

    #[test]
    fn the_map_of_a_pc() {
        let entries = [
            entry(0, 0x9_fc00, 1),
            entry(0x9_fc00, 0x400, 2),
            entry(0xf_0000, 0x1_0000, 2),
            entry(0x10_0000, 0x1bed_4000, 1),
            entry(0x1bfd_4000, 0x2_c000, 2),
            entry(0x1_0000_0000, 0xc00_0000, 1),
            entry(0xfd_0000_0000, 0x3_0000_0000, 2),
        ];
        let (ram, reserved) = (RangeKind::SystemRam, RangeKind::Reserved);
        let expected = [
            (0, 0x9_fc00, ram),
            (0x9_fc00, 0xa_0000, reserved),
            (0xf_0000, 0x10_0000, reserved),
            (0x10_0000, 0x1bfd_4000, ram),
            (0x1bfd_4000, 0x1c00_0000, reserved),
            (0x1_0000_0000, 0x1_0c00_0000, ram),
            (0xfd_0000_0000, 0x100_0000_0000, reserved),
        ];
        assert_eq!(parsed(&entries), expected);
    }

    #[test]
    fn the_higher_type_holds_in_either_order() {
        let mut entries = [entry(0x1000, 0x5000, 1), entry(0x2000, 0x1000, 2), entry(0x2800, 0x1000, 4)];
        let expected = [
            (0x1000, 0x2000, RangeKind::SystemRam),
            (0x2000, 0x2800, RangeKind::Reserved),
            (0x2800, 0x3800, RangeKind::AcpiNvs),
            (0x3800, 0x6000, RangeKind::SystemRam),
        ];
        assert_eq!(parsed(&entries), expected);
        entries.reverse();
        assert_eq!(parsed(&entries), expected);
    }

    #[test]
    fn types_have_kinds_and_kinds_types() {
        for e820_type in [1, 2, 3, 4, 5, 7, 12, 0xefff_ffff] {
            assert_eq!(super::e820_type(kind(e820_type)), e820_type);
        }
        assert_eq!(kind(0), RangeKind::Reserved);
        assert_eq!(kind(99), RangeKind::Reserved);
    }

    #[test]
    fn what_is_cut_off_or_wraps_is_corrupt() {
        let bytes = [entry(0x1000, 0x1000, 1), entry(0x2000, 0, 1), entry(0x4000, 0x1000, 1)].concat();
        for len in 0..=bytes.len() {
            let mut table = [Range::EMPTY; 4];
            let mut map = MemoryMap::new(&mut table);
            let parsed = parse(&bytes[..len], &mut map);
            if len % ENTRY_LEN == 0 {
                assert_eq!(parsed, Ok(()));
            } else {
                let offset = (len / ENTRY_LEN * ENTRY_LEN) as u64;
                assert_eq!(parsed, Err(Error::Corrupt { field: Field::E820Entry, offset }));
                assert!(map.is_empty());
            }
        }
        let wraps = [entry(0x1000, 0x1000, 1), entry(u64::MAX - 9, 11, 1)].concat();
        let mut table = [Range::EMPTY; 4];
        let error = parse(&wraps, &mut MemoryMap::new(&mut table));
        assert_eq!(error, Err(Error::Corrupt { field: Field::E820Entry, offset: 20 }));
    }

    #[test]
    fn every_field_with_every_extreme_is_read_or_refused() {
        let bytes = [entry(0x1000, 0x5000, 1), entry(0x2000, 0x1000, 2), entry(0x8000, 0x1000, 3)].concat();
        testkit::sweep(&bytes, 0..bytes.len(), |field, damaged| {
            let mut table = [Range::EMPTY; 16];
            let mut map = MemoryMap::new(&mut table);
            match parse(damaged, &mut map) {
                Ok(()) => assert!(map.ranges().iter().all(|range| range.start < range.end), "{field:?}"),
                Err(error) => assert!(matches!(error, Error::Corrupt { .. }) && map.is_empty(), "{field:?}"),
            }
        });
    }

    #[test]
    fn a_small_table_says_what_is_enough() {
        let bytes = [entry(0x1000, 0x5000, 1), entry(0x2000, 0x1000, 2)].concat();
        let mut table = [Range::EMPTY; 2];
        let mut map = MemoryMap::new(&mut table);
        assert_eq!(parse(&bytes, &mut map), Err(Error::BufferTooSmall { needed: 5 }));
        assert!(map.is_empty());
        let mut table = [Range::EMPTY; 5];
        assert_eq!(parse(&bytes, &mut MemoryMap::new(&mut table)), Ok(()));
    }
}
