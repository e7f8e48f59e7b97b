//! Objects laid by hand, our own purgatory, and damage. That whole objects are linked as ld links them is the task
//! `cargo xtask objects`.
#![expect(
    clippy::arithmetic_side_effects,
    clippy::as_conversions,
    reason = "a test that overflows fails, as it should"
)]

use super::{Layout, Object};
use crate::{Error, Field};
use purgatory::{ENTRY_SYMBOL, PARAMETERS_SYMBOL, Parameters, X86_64};
use std::vec;
use std::vec::Vec;

const SHT_PROGBITS: u32 = 1;
const SHT_NOBITS: u32 = 8;
const LINK: u64 = 0x1_2345_6000;

/// An object of `machine` with sections: 1 `.text` (16 bytes, 0xa0..), 2 `.bss` (8 bytes), 3 the relocation given, 4
/// symbols, 5 strings. Symbols: 1 `local` (`.text` + 4), 2 `outer` (undefined), 3 `maybe` (weak, undefined), 4 `far`
/// (absolute -64 KiB), 5 `zero` (`.bss`, 8 bytes), 6 `shared` (common), 7 `purgatory_start` (`.text`, 4
/// bytes), 8 `near` (absolute, 2 GiB - 1).
fn object(machine: u16, relocation: (u64, u32, u32, i64)) -> Vec<u8> {
    let big = machine == 22;
    let mut out = Writer { bytes: vec![0x7f, b'E', b'L', b'F', 2, if big { 2 } else { 1 }, 1], big };
    out.bytes.resize(16, 0);
    out.u16(1);
    out.u16(machine);
    out.u32(1);
    for word in [0, 0, SECTIONS as u64] {
        out.u64(word);
    }
    out.u32(0);
    for half in [64, 0, 0, 64, 6, 5] {
        out.u16(half);
    }
    out.bytes.extend((0xa0..0xb0).collect::<Vec<u8>>());
    let (offset, kind, symbol, addend) = relocation;
    out.u64(offset);
    out.u64((u64::from(symbol) << 32) | u64::from(kind));
    out.u64(addend as u64);
    let symbols: [(u32, u8, u16, u64, u64); 9] = [
        (0, 0, 0, 0, 0),
        (1, 0x00, 1, 4, 4),
        (7, 0x10, 0, 0, 0),
        (13, 0x20, 0, 0, 0),
        (19, 0x10, 0xfff1, 0xffff_ffff_ffff_0000, 0),
        (23, 0x10, 2, 0, 8),
        (28, 0x10, 0xfff2, 8, 8),
        (35, 0x10, 1, 0, 4),
        (51, 0x10, 0xfff1, 0x7fff_ffff, 0),
    ];
    for (name, info, section, value, size) in symbols {
        out.u32(name);
        out.bytes.extend([info, 0]);
        out.u16(section);
        out.u64(value);
        out.u64(size);
    }
    out.bytes.extend(b"\0local\0outer\0maybe\0far\0zero\0shared\0purgatory_start\0near\0\0\0\0\0\0\0\0\0");
    assert_eq!(out.bytes.len(), SECTIONS);
    out.section([0; 10]);
    out.section([0, SHT_PROGBITS.into(), 6, 0, 64, 16, 0, 0, 16, 0]);
    out.section([0, SHT_NOBITS.into(), 3, 0, 80, 8, 0, 0, 32, 0]);
    out.section([0, 4, 0x40, 0, 80, 24, 4, 1, 8, 24]);
    out.section([0, 2, 0, 0, 104, 216, 5, 2, 8, 24]);
    out.section([0, 3, 0, 0, 320, 64, 0, 0, 1, 0]);
    out.bytes
}

/// Where the section headers of [`object`] stand, and some of their fields.
const SECTIONS: usize = 384;

struct Writer {
    bytes: Vec<u8>,
    big: bool,
}

impl Writer {
    fn u16(&mut self, value: u16) {
        self.bytes.extend(if self.big { value.to_be_bytes() } else { value.to_le_bytes() });
    }

    fn u32(&mut self, value: u32) {
        self.bytes.extend(if self.big { value.to_be_bytes() } else { value.to_le_bytes() });
    }

    fn u64(&mut self, value: u64) {
        self.bytes.extend(if self.big { value.to_be_bytes() } else { value.to_le_bytes() });
    }

    /// name, type, flags, addr, offset, size, link, info, align, entry size
    fn section(&mut self, fields: [u64; 10]) {
        for (at, field) in fields.into_iter().enumerate() {
            if [0, 1, 6, 7].contains(&at) { self.u32(field as u32) } else { self.u64(field) }
        }
    }
}

fn link(machine: u16, relocation: (u64, u32, u32, i64)) -> Result<Vec<u8>, Error> {
    let bytes = object(machine, relocation);
    let object = Object::parse(&bytes)?;
    let mut image = vec![0x55; 64];
    object.link(LINK, &mut image)?;
    image.truncate(object.layout()?.file_len as usize);
    Ok(image)
}

fn overflow(machine: u16, kind: u32, symbol: u32, addend: i64) {
    let expected = Err(Error::RelocationOverflow { kind, offset: 80 });
    assert_eq!(link(machine, (0, kind, symbol, addend)), expected, "machine {machine} type {kind}");
}

fn u32_at(image: &[u8], at: usize) -> u32 {
    u32::from_le_bytes(image[at..at + 4].try_into().unwrap())
}

#[test]
fn sections_without_bytes_come_last() {
    let bytes = object(62, (0, 0, 0, 0));
    let layout = Object::parse(&bytes).unwrap().layout().unwrap();
    assert_eq!(layout, Layout { file_len: 16, mem_len: 40, align: 32, entry: 0 });
}

#[test]
fn x86_64() {
    let image = link(62, (8, 1, 1, 0x10)).unwrap();
    assert_eq!(image[8..], (LINK + 4 + 0x10).to_le_bytes());
    assert_eq!(image[..8], [0xa0, 0xa1, 0xa2, 0xa3, 0xa4, 0xa5, 0xa6, 0xa7]);
    assert_eq!(u32_at(&link(62, (8, 2, 5, -4)).unwrap(), 8), 32 - 8 - 4);
    assert_eq!(link(62, (8, 24, 1, 0)).unwrap()[8..], (-4_i64).to_le_bytes());
    assert_eq!(u32_at(&link(62, (0, 11, 8, 0)).unwrap(), 0), 0x7fff_ffff);
    assert_eq!(u32_at(&link(62, (0, 11, 4, 0)).unwrap(), 0), 0xffff_0000);
    assert_eq!(u32_at(&link(62, (0, 10, 8, 1)).unwrap(), 0), 0x8000_0000);
    // A 32-bit field holds no address above 4 GiB, no distance of more than 2 GiB, and no sign that is not its own.
    overflow(62, 10, 1, 0);
    overflow(62, 10, 4, 0);
    overflow(62, 11, 1, 0);
    overflow(62, 11, 8, 1);
    overflow(62, 2, 4, 0);
    overflow(62, 4, 8, 0);
    overflow(62, 2, 1, 0x8000_0000);
}

#[test]
fn a_slot_holds_the_address_of_its_symbol() {
    for kind in [9, 41, 42] {
        let image = link(62, (4, kind, 1, -4)).unwrap();
        assert_eq!(image.len(), 24);
        assert_eq!(u32_at(&image, 4), 16 - 4 - 4);
        assert_eq!(image[16..], (LINK + 4).to_le_bytes());
    }
    let image = link(22, (2, 26, 1, 2)).unwrap();
    assert_eq!(image[2..6], 8_u32.to_be_bytes());
    assert_eq!(image[16..], (LINK + 4).to_be_bytes());
}

#[test]
fn aarch64_replaces_immediates() {
    // The fixture's word at 4 is 0xa7a6a5a4: only its immediate bits change.
    let word = 0xa7a6_a5a4_u32;
    let immediate = |kind, symbol, addend| u32_at(&link(183, (4, kind, symbol, addend)).unwrap(), 4);
    assert_eq!(immediate(264, 1, 0), (word & !0x1f_ffe0) | (0x6004 << 5));
    assert_eq!(immediate(266, 1, 0), (word & !0x1f_ffe0) | (0x2345 << 5));
    assert_eq!(immediate(268, 1, 0), (word & !0x1f_ffe0) | (1 << 5));
    assert_eq!(immediate(269, 4, 0), (word & !0x1f_ffe0) | (0xffff << 5));
    assert_eq!(immediate(277, 1, 0), (word & !0x3f_fc00) | (4 << 10));
    assert_eq!(immediate(286, 1, 4), (word & !0x3f_fc00) | (1 << 10));
    assert_eq!(immediate(283, 1, -4), (word & !0x3ff_ffff) | 0x3ff_ffff);
    assert_eq!(immediate(275, 1, 0x5000), (word & !0x60ff_ffe0) | (1 << 29) | (1 << 5));
    overflow(183, 283, 8, 1);
    overflow(183, 282, 1, 0x800_0000);
    overflow(183, 282, 1, 2);
    overflow(183, 275, 4, 0);
    overflow(183, 274, 1, 0x10_0000);
    overflow(183, 273, 1, 1);
    overflow(183, 286, 1, 0);
    overflow(183, 299, 1, 4);
    overflow(183, 263, 1, 0);
    overflow(183, 265, 1, 0);
    overflow(183, 261, 4, 0);
}

#[test]
fn riscv64() {
    overflow(243, 16, 1, 0x1000);
    overflow(243, 16, 1, 1);
    overflow(243, 17, 1, 0x10_0000);
    overflow(243, 18, 4, 0);
    overflow(243, 23, 4, 0);
    overflow(243, 26, 1, 0);
    overflow(243, 44, 1, 0x100);
    overflow(243, 45, 1, 0x800);
    overflow(243, 1, 1, 0);
    assert_eq!(link(243, (0, 51, 0, 0)).unwrap()[..4], [0xa0, 0xa1, 0xa2, 0xa3]);
    // Six bytes of padding from 2 on end at 8; from 4 on they do not.
    assert!(link(243, (2, 43, 0, 6)).is_ok());
    assert_eq!(link(243, (4, 43, 0, 6)), Err(Error::Unsupported { field: Field::RInfo, value: 43 }));
    assert_eq!(link(243, (4, 43, 0, -1)), Err(Error::RelocationOverflow { kind: 43, offset: 80 }));
    // The low part of a distance whose high part is nowhere.
    assert_eq!(link(243, (8, 24, 1, 0)), Err(Error::Corrupt { field: Field::RInfo, offset: 80 }));
    assert_eq!(link(243, (8, 24, 8, 0)), Err(Error::Corrupt { field: Field::RInfo, offset: 80 }));
}

#[test]
fn ppc64le() {
    overflow(21, 10, 8, 0);
    overflow(21, 10, 1, 2);
    overflow(21, 47, 4, 0);
    overflow(21, 6, 1, 0);
    overflow(21, 57, 1, 1);
    overflow(21, 26, 4, 0);
    overflow(21, 1, 1, 0);
    assert_eq!(link(21, (0, 39, 1, 0)).unwrap()[..2], [1, 0]);
    assert_eq!(link(21, (0, 4, 1, 0)).unwrap()[..2], [0x04, 0x60]);
    assert_eq!(link(21, (0, 51, 0, 0)).unwrap()[..8], (LINK + 0x8000).to_le_bytes());
}

#[test]
fn s390x() {
    overflow(22, 19, 1, 1);
    overflow(22, 17, 1, 0x1_0000);
    overflow(22, 4, 1, 0);
    overflow(22, 1, 1, 0);
    overflow(22, 57, 1, 0);
    overflow(22, 2, 1, 0);
    overflow(22, 26, 1, 1);
    assert_eq!(link(22, (0, 22, 1, 0)).unwrap()[..8], (LINK + 4).to_be_bytes());
    assert_eq!(link(22, (0, 57, 0, 0x12345)).unwrap()[..4], [0xa3, 0x45, 0x12, 0xa3]);
}

#[test]
fn symbols_that_are_not_there() {
    assert_eq!(link(62, (0, 1, 2, 0)), Err(Error::UndefinedSymbol { index: 2, offset: 104 + 48 }));
    assert_eq!(link(62, (0, 1, 3, 0)).unwrap()[..8], [0; 8]);
    assert_eq!(link(62, (0, 1, 6, 0)), Err(Error::Unsupported { field: Field::StShndx, value: 0xfff2 }));
    assert_eq!(link(62, (0, 1, 9, 0)), Err(Error::Corrupt { field: Field::RInfo, offset: 80 }));
    assert_eq!(link(62, (0, 99, 1, 0)), Err(Error::Unsupported { field: Field::RInfo, value: 99 }));
}

#[test]
fn a_relocation_stays_in_its_section() {
    for (offset, kind) in [(9, 1), (16, 1), (13, 2), (u64::MAX, 1), (17, 2)] {
        let expected = Err(Error::Corrupt { field: Field::ROffset, offset: 80 });
        assert_eq!(link(62, (offset, kind, 1, 0)), expected, "{offset:#x}");
    }
}

#[test]
fn where_an_image_may_lie() {
    let bytes = object(62, (0, 0, 0, 0));
    let object = Object::parse(&bytes).unwrap();
    let unsupported = |value| Err(Error::Unsupported { field: Field::LinkAddress, value });
    assert_eq!(object.link(LINK + 16, &mut [0; 16]), unsupported(LINK + 16));
    assert_eq!(object.link(u64::MAX - 31, &mut [0; 16]), unsupported(u64::MAX - 31));
    assert_eq!(object.link(LINK, &mut [0; 15]), Err(Error::BufferTooSmall { needed: 16 }));
}

#[test]
fn symbols_are_set_by_name_and_exact_size() {
    let bytes = object(62, (0, 0, 0, 0));
    let object = Object::parse(&bytes).unwrap();
    let mut image = [0; 16];
    object.link(LINK, &mut image).unwrap();
    object.set_symbol(&mut image, b"purgatory_start", &[1, 2, 3, 4]).unwrap();
    assert_eq!(image[..6], [1, 2, 3, 4, 0xa4, 0xa5]);
    let size = |given| Err(Error::SymbolSize { size: 4, given });
    assert_eq!(object.set_symbol(&mut image, b"purgatory_start", &[1; 3]), size(3));
    assert_eq!(object.set_symbol(&mut image, b"purgatory_start", &[1; 5]), size(5));
    assert_eq!(object.set_symbol(&mut image, b"zero", &[1; 8]), Err(Error::SymbolWithoutBytes));
    for name in [b"local".as_slice(), b"outer", b"none", b"purgatory_star", b"purgatory_start2"] {
        assert_eq!(object.set_symbol(&mut image, name, &[1; 4]), Err(Error::NoSuchSymbol));
    }
}

#[test]
fn an_entry_is_in_the_bytes_of_the_image() {
    // `purgatory_start`, symbol 7: where it stands, its section, its value and size.
    const AT: usize = 104 + 7 * 24;
    let entry = |section: u16, value: u64, size: u64| {
        let mut bytes = object(62, (0, 0, 0, 0));
        bytes[AT + 6..AT + 8].copy_from_slice(&section.to_le_bytes());
        bytes[AT + 8..AT + 16].copy_from_slice(&value.to_le_bytes());
        bytes[AT + 16..AT + 24].copy_from_slice(&size.to_le_bytes());
        Object::parse(&bytes).unwrap().layout().map(|layout| layout.entry)
    };
    assert_eq!(entry(1, 15, 1), Ok(15));
    let corrupt = Err(Error::Corrupt { field: Field::StValue, offset: AT as u64 });
    // Behind its section, in `.bss`, and at an address of its own.
    for (section, value, size) in [(1, 16, 0), (2, 0, 8), (0xfff1, 4, 0), (0xfff1, u64::MAX, 0)] {
        assert_eq!(entry(section, value, size), corrupt, "{section:#x} {value:#x}");
    }
}

#[test]
fn our_purgatory() {
    let object = Object::parse(X86_64).unwrap();
    let layout = object.layout().unwrap();
    assert!(layout.mem_len <= 16 << 10 && layout.file_len < layout.mem_len, "{layout:?}");
    assert_eq!(object.symbol(ENTRY_SYMBOL).unwrap().offset, layout.entry);
    let place = object.symbol(PARAMETERS_SYMBOL).unwrap();
    assert_eq!((place.size, place.has_bytes), (Parameters::LEN as u64, true));
    for at in [0x10_0000, LINK, 0x7fff_ffff_f000] {
        let mut image = vec![0; layout.file_len as usize];
        object.link(at, &mut image).unwrap();
        object.set_symbol(&mut image, PARAMETERS_SYMBOL, &[0x77; Parameters::LEN]).unwrap();
    }
}

/// Links at one address whatever parses.
fn try_all(bytes: &[u8]) -> Result<(), Error> {
    let object = Object::parse(bytes)?;
    object.layout()?;
    let mut image = vec![0; 0x4000];
    object.link(LINK, &mut image)?;
    object.set_symbol(&mut image, PARAMETERS_SYMBOL, &[0; Parameters::LEN])
}

#[test]
fn truncated_at_every_length() {
    for len in 0..X86_64.len() {
        assert!(try_all(&X86_64[..len]).is_err(), "{len}");
    }
}

#[test]
fn any_changed_byte_is_linked_or_refused() {
    for at in 0..X86_64.len() {
        let mut bytes = X86_64.to_vec();
        for value in [0, 1, 0x7f, 0x80, 0xff] {
            bytes[at] = value;
            let _ = try_all(&bytes);
        }
    }
}

#[test]
fn every_field_with_every_extreme_is_linked_or_refused() {
    for machine in [22, 21, 62, 183, 243] {
        let bytes = object(machine, (0, 1, 1, 0));
        let mut refused = 0;
        testkit::sweep(&bytes, 0..bytes.len(), |_, damaged| refused += u32::from(try_all(damaged).is_err()));
        assert!(refused > 1000, "{machine}: {refused}");
    }
}

#[test]
fn hostile_headers() {
    let good = object(62, (0, 1, 1, 0));
    assert!(link(62, (0, 1, 1, 0)).is_ok());
    let relocations = SECTIONS + 3 * 64;
    // Offset in the file, bytes put there, the answer.
    let cases: [(usize, &[u8], Error); 13] = [
        (16, &[2], Error::Unsupported { field: Field::EType, value: 2 }),
        (18, &[40], Error::Unsupported { field: Field::Machine, value: 40 }),
        (5, &[3], Error::Corrupt { field: Field::EIdent, offset: 5 }),
        (58, &[40], Error::Corrupt { field: Field::EShentsize, offset: 58 }),
        (60, &[7], Error::Corrupt { field: Field::EShoff, offset: 40 }),
        (60, &[0], Error::Unsupported { field: Field::EShnum, value: 0 }),
        (40, &[0xff; 8], Error::Corrupt { field: Field::EShoff, offset: 40 }),
        (relocations + 44, &[6], Error::Corrupt { field: Field::ShInfo, offset: relocations as u64 }),
        (relocations + 44, &[2], Error::Corrupt { field: Field::ShInfo, offset: relocations as u64 }),
        (relocations + 40, &[1], Error::Corrupt { field: Field::ShLink, offset: SECTIONS as u64 + 64 }),
        (relocations + 24, &[0xff; 8], Error::Corrupt { field: Field::ShOffset, offset: relocations as u64 }),
        (relocations + 56, &[16], Error::Corrupt { field: Field::ShEntsize, offset: relocations as u64 }),
        (
            SECTIONS + 64 + 48,
            &[24],
            Error::Corrupt { field: Field::ShAddralign, offset: SECTIONS as u64 + 64 },
        ),
    ];
    for (at, patch, error) in cases {
        let mut bytes = good.clone();
        bytes[at..at + patch.len()].copy_from_slice(patch);
        let linked = Object::parse(&bytes).and_then(|object| object.link(LINK, &mut [0; 64]));
        assert_eq!(linked, Err(error), "{at}");
    }
}

#[test]
fn relocations_that_sections_share_are_refused() {
    let mut bytes = object(62, (0, 1, 1, 0));
    // Sections 2 and 3 both say that most of the file is relocations of section 1.
    let header = SECTIONS + 3 * 64;
    bytes[header + 24..header + 32].copy_from_slice(&[0; 8]);
    bytes[header + 32..header + 34].copy_from_slice(&600_u16.to_le_bytes());
    bytes.copy_within(header..header + 64, SECTIONS + 2 * 64);
    let expected = Error::Corrupt { field: Field::ShSize, offset: header as u64 };
    assert_eq!(Object::parse(&bytes).err(), Some(expected));
}
