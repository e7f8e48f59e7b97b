use super::parse;
use crate::fdt::laid::Laid;
use crate::map::{MemoryMap, Range, RangeKind};
use crate::{Error, Field};
use std::vec::Vec;

use RangeKind::{Reserved, ReservedRam, SystemRam};

/// Compiled by dtc 1.6.1 from the texts beside them.
const MEMORY: &[u8] = include_bytes!("../../../testdata/memory.dtb");
const CAPTURE: &[u8] = include_bytes!("../../../testdata/capture.dtb");

fn read(blob: &[u8]) -> Result<Vec<(u64, u64, RangeKind)>, Error> {
    let mut table = [Range::EMPTY; 32];
    let mut map = MemoryMap::new(&mut table);
    let parsed = parse(blob, &mut map);
    assert!(parsed.is_ok() || map.is_empty());
    parsed.map(|()| map.ranges().iter().map(|range| (range.start.0, range.end.0, range.kind)).collect())
}

#[test]
fn memory_and_what_is_reserved_of_it() {
    let expected = [
        (0x4000_0000, 0x4800_0000, SystemRam),
        (0x4800_0000, 0x4801_0000, ReservedRam),
        (0x4801_0000, 0x5000_0000, SystemRam),
        (0x5000_0000, 0x5030_0000, Reserved),
        (0x5030_0000, 0x5200_0000, SystemRam),
        (0x5200_0000, 0x5210_0000, ReservedRam),
        (0x5210_0000, 0x5300_0000, SystemRam),
        (0x5300_0000, 0x5310_0000, ReservedRam),
        (0x5310_0000, 0xbfff_0000, SystemRam),
        (0xbfff_0000, 0xc000_0000, ReservedRam),
        (0x8_8000_0000, 0x9_8000_0000, SystemRam),
        (0xa_1000_0000, 0xa_2000_0000, SystemRam),
    ];
    assert_eq!(read(MEMORY).unwrap(), expected);
}

#[test]
fn a_capture_kernels_memory_is_bounded() {
    let expected = [
        (0x5000_0000, 0x5030_0000, Reserved),
        (0x5100_0000, 0x5200_0000, SystemRam),
        (0x5200_0000, 0x5210_0000, ReservedRam),
        (0x5210_0000, 0x5300_0000, SystemRam),
        (0x8_9000_0000, 0x8_a000_0000, SystemRam),
    ];
    assert_eq!(read(CAPTURE).unwrap(), expected);
}

#[test]
fn cells_of_one_and_two_in_every_combination() {
    let cases: [(u32, u32, &[u32]); 4] = [
        (1, 1, &[0x1000, 0x2000, 0x8000_0000, 0x7fff_f000]),
        (2, 1, &[0, 0x1000, 0x2000, 0, 0x8000_0000, 0x7fff_f000]),
        (1, 2, &[0x1000, 0, 0x2000, 0x8000_0000, 0, 0x7fff_f000]),
        (2, 2, &[0, 0x1000, 0, 0x2000, 0, 0x8000_0000, 0, 0x7fff_f000]),
    ];
    for (address, size, reg) in cases {
        let mut laid = Laid::with_cells(address, size);
        laid.u32(4);
        laid.memory(reg);
        let expected = [(0x1000, 0x3000, SystemRam), (0x8000_0000, 0xffff_f000, SystemRam)];
        assert_eq!(read(&laid.blob()).unwrap(), expected);
    }
}

#[test]
fn cells_and_properties_that_make_no_sense() {
    for cells in [0, 3, u32::MAX] {
        let mut laid = Laid::with_cells(cells, 1);
        laid.memory(&[0, 0]);
        let value = u64::from(cells);
        assert_eq!(read(&laid.blob()), Err(Error::Unsupported { field: Field::FdtAddressCells, value }));
        let mut laid = Laid::with_cells(1, cells);
        laid.memory(&[0, 0]);
        assert_eq!(read(&laid.blob()), Err(Error::Unsupported { field: Field::FdtSizeCells, value }));
    }
    let mut laid = Laid::root();
    laid.memory(&[0, 0x1000]);
    assert_eq!(read(&laid.blob()), Err(Error::Corrupt { field: Field::FdtAddressCells, offset: 56 }));
    let mut laid = Laid::root();
    laid.property("#address-cells", &[0, 1]);
    laid.memory(&[0, 0x1000]);
    assert_eq!(read(&laid.blob()), Err(Error::Corrupt { field: Field::FdtAddressCells, offset: 76 }));
    // Not a multiple of the cells; past the end of the address space.
    for reg in [&[0, 0, 0, 0, 0][..], &[u32::MAX, u32::MAX, 0, 2], &[0, 1, u32::MAX, u32::MAX]] {
        let mut laid = Laid::with_cells(2, 2);
        laid.memory(reg);
        let found = read(&laid.blob());
        assert!(matches!(found, Err(Error::Corrupt { field: Field::FdtReg, .. })), "{found:?}");
    }
}

#[test]
fn reservations_that_wrap_or_do_not_end() {
    let mut laid = Laid::with_cells(1, 1);
    laid.reserve.extend(u64::MAX.to_be_bytes());
    laid.reserve.extend(2_u64.to_be_bytes());
    assert_eq!(read(&laid.blob()), Err(Error::Corrupt { field: Field::FdtReserve, offset: 40 }));
    let mut blob = Laid::with_cells(1, 1).blob();
    let last = blob.len() as u32 - 15;
    blob[16..20].copy_from_slice(&last.to_be_bytes());
    assert_eq!(read(&blob), Err(Error::Corrupt { field: Field::FdtReserve, offset: u64::from(last) }));
}

#[test]
fn more_usable_ranges_than_the_kernel_reads() {
    let mut laid = Laid::with_cells(1, 1);
    laid.begin("chosen");
    laid.property("linux,usable-memory-range", &[0; 24]);
    laid.u32(2);
    let error = Error::Unsupported { field: Field::FdtUsableMemoryRange, value: 0 };
    assert_eq!(read(&laid.blob()), Err(error));
}

#[test]
fn tokens_that_do_not_balance() {
    let structure = |offset| Err(Error::Corrupt { field: Field::FdtStruct, offset });
    // 56 bytes of header and reservations, 8 of the root's beginning.
    assert_eq!(read(&Laid::root().unended()), structure(64));
    let tokens = |values: &[u32]| {
        let mut laid = Laid::root();
        values.iter().for_each(|&value| laid.u32(value));
        read(&laid.unended())
    };
    assert_eq!(tokens(&[2, 9]), Ok(Vec::new()));
    assert_eq!(tokens(&[9]), structure(64));
    assert_eq!(tokens(&[2, 2, 9]), structure(68));
    assert_eq!(tokens(&[5]), structure(64));
    assert_eq!(tokens(&[2, 3, 0, 0, 9]), structure(68));
    assert_eq!(tokens(&[3, u32::MAX, 0]), structure(64));
    assert_eq!(tokens(&[3, 0, 0]), structure(64));
    assert_eq!(tokens(&[1, u32::from_be_bytes(*b"name")]), structure(64));
}

#[test]
fn names_end_and_are_not_searched_for_long() {
    let named = |len| {
        let mut laid = Laid::root();
        laid.property(&"x".repeat(len), &[]);
        read(&laid.blob())
    };
    assert_eq!(named(255), Ok(Vec::new()));
    assert_eq!(named(256), Err(Error::Corrupt { field: Field::FdtStruct, offset: 64 }));
    let mut laid = Laid::root();
    laid.property("name", &[]);
    laid.strings.pop();
    assert_eq!(read(&laid.blob()), Err(Error::Corrupt { field: Field::FdtStruct, offset: 64 }));
}

#[test]
fn a_million_open_nodes_need_no_stack() {
    let mut laid = Laid::root();
    for _ in 0..1_000_000 {
        laid.begin("");
    }
    assert!(matches!(read(&laid.unended()), Err(Error::Corrupt { field: Field::FdtStruct, .. })));
}

#[test]
fn headers_are_checked() {
    let mut blob = MEMORY.to_vec();
    blob.extend([0xaa; 32]);
    assert_eq!(read(&blob), read(MEMORY));
    let changed = |at: usize, value: u32| {
        let mut blob = MEMORY.to_vec();
        blob[at..at + 4].copy_from_slice(&value.to_be_bytes());
        read(&blob)
    };
    let corrupt = |offset| Err(Error::Corrupt { field: Field::FdtHeader, offset });
    assert_eq!(changed(0, 0xd00d_feee), corrupt(0));
    assert_eq!(changed(4, MEMORY.len() as u32 + 1), corrupt(4));
    assert_eq!(changed(8, u32::MAX), corrupt(8));
    assert_eq!(changed(12, u32::MAX), corrupt(12));
    assert_eq!(changed(32, u32::MAX), corrupt(12));
    assert_eq!(changed(36, u32::MAX), corrupt(8));
    assert_eq!(changed(20, 15), Err(Error::Unsupported { field: Field::FdtVersion, value: 16 }));
    assert_eq!(changed(24, 18), Err(Error::Unsupported { field: Field::FdtVersion, value: 18 }));
    // Version 16 says nothing of the structure block's length.
    assert_eq!(changed(20, 16), read(MEMORY));
    for len in 0..MEMORY.len() {
        let found = read(&MEMORY[..len]);
        assert!(matches!(found, Err(Error::Corrupt { field: Field::FdtHeader, .. })), "{len}");
    }
}

#[test]
fn cut_off_or_changed_anywhere_nothing_panics_or_runs_on() {
    for whole in [MEMORY, CAPTURE] {
        let word = |at: usize| u32::from_be_bytes(whole[at..at + 4].try_into().unwrap());
        for len in 0..word(36) {
            let mut blob = whole.to_vec();
            blob[36..40].copy_from_slice(&len.to_be_bytes());
            let end = u64::from(word(8) + len.next_multiple_of(4));
            match read(&blob) {
                Err(Error::Corrupt { field: Field::FdtStruct, offset }) => assert!(offset <= end),
                found => panic!("{len}: {found:?}"),
            }
        }
        for at in 0..whole.len() {
            for value in [0, 1, 2, 3, 4, 9, 0x7f, 0x80, 0xff] {
                let mut blob = whole.to_vec();
                blob[at] = value;
                let _ = read(&blob);
            }
        }
    }
}

#[test]
fn every_field_with_every_extreme_is_read_or_refused() {
    for whole in [MEMORY, CAPTURE] {
        let (mut taken, mut refused) = (0, 0);
        testkit::sweep(whole, 0..whole.len(), |_, blob| match read(blob) {
            Ok(_) => taken += 1,
            Err(_) => refused += 1,
        });
        assert!(taken > 1000 && refused > 1000, "{taken} {refused}");
    }
}

#[test]
fn a_small_table_says_what_is_enough() {
    let mut table = [Range::EMPTY; 5];
    let mut map = MemoryMap::new(&mut table);
    let Err(Error::BufferTooSmall { needed }) = parse(MEMORY, &mut map) else { panic!() };
    assert!(map.is_empty());
    let mut table = std::vec![Range::EMPTY; needed as usize];
    assert!(parse(MEMORY, &mut MemoryMap::new(&mut table)).is_ok());
    assert!(needed <= 32, "{needed}");
}
