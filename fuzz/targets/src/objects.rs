//! Relocatable objects of every machine, linked: the same bytes each time, and none outside of the image.

use kexec_core::object::Object;
use purgatory::PARAMETERS_SYMBOL;

use crate::input::Input;

/// The longest image that is linked.
const IMAGE: u64 = 1 << 16;

/// The first byte says what to link for: the object starts after the link address, in 64 bits of which the low byte is 0.
pub fn run(data: &[u8]) {
    let mut input = Input::new(data);
    let at = input.u64() & !0xff;
    let Ok(object) = Object::parse(input.rest()) else { return };
    let _machine = object.machine();
    for name in [PARAMETERS_SYMBOL, b"local", b"", b"zero"] {
        if let Ok(place) = object.symbol(name) {
            let mut image = [0; 256];
            let bytes = vec![0x11; place.size.min(256) as usize];
            let _set = object.set_symbol(&mut image, name, &bytes);
        }
    }
    let Ok(layout) = object.layout() else { return };
    assert!(layout.file_len <= layout.mem_len && layout.align.is_power_of_two());
    assert!(layout.entry < layout.mem_len.max(1));
    if layout.file_len > IMAGE {
        return;
    }
    let len = layout.file_len as usize;
    let (mut image, mut again) = (vec![0x55; len + 16], vec![0xaa; len + 16]);
    let linked = object.link(at, &mut image);
    assert_eq!(linked, object.link(at, &mut again));
    assert_eq!((&image[len..], &again[len..]), (&[0x55; 16][..], &[0xaa; 16][..]));
    if linked.is_ok() {
        assert!(image[..len] == again[..len]);
        assert!(len == 0 || object.link(at, &mut image[..len - 1]).is_err());
    }
}

/// The sections of a seed: text, what has no bytes, relocations, symbols, strings.
const TEXT_LEN: usize = 128;

/// An object with one relocation for each of `kinds`, 8 bytes apart, in turn against a local symbol, `.bss`, an absolute one
/// and an undefined weak one.
fn object(machine: u16, kinds: &[u32]) -> Vec<u8> {
    let (big, wide) = (machine == 22, machine != 3);
    let mut out = testkit::Bytes::new(big, wide);
    out.raw(b"\x7fELF").u8(if wide { 2 } else { 1 }).u8(if big { 2 } else { 1 }).u8(1).pad_to(16);
    let header = if wide { 64 } else { 52 };
    let relocations = header + TEXT_LEN;
    let relocation_len = if wide { 24 } else { 8 };
    let symbols = (relocations + relocation_len * kinds.len()).next_multiple_of(8);
    let symbol_len = if wide { 24 } else { 16 };
    let strings = symbols + 6 * symbol_len;
    let names = b"\0local\0zero\0far\0maybe\0purgatory_start\0";
    let sections = (strings + names.len()).next_multiple_of(8);
    out.u16(1).u16(machine).u32(1).word(0).word(0).word(sections as u64).u32(0);
    for half in [header, 0, 0, if wide { 64 } else { 40 }, 6, 5] {
        out.u16(half as u16);
    }
    out.raw(&[0x13; TEXT_LEN]);
    for (number, kind) in kinds.iter().enumerate() {
        let (symbol, at) = (1 + number as u64 % 4, 8 * number as u64 % TEXT_LEN as u64);
        out.word(at);
        if wide {
            out.u64(symbol << 32 | u64::from(*kind)).u64(4);
        } else {
            out.u32((symbol << 8) as u32 | kind);
        }
    }
    out.pad_to(symbols + symbol_len);
    // name, info, section, value, size
    for (name, info, section, value, size) in [
        (1, 0, 1, 4, 4),
        (7, 0x10, 2, 0, 8),
        (12, 0x10, 0xfff1, 0x1000, 0),
        (16, 0x20, 0, 0, 0),
        (22, 0x10, 1, 0, 4),
    ] {
        out.u32(name);
        if wide {
            out.u8(info).u8(0).u16(section).u64(value).u64(size);
        } else {
            out.u32(value as u32).u32(size as u32).u8(info).u8(0).u16(section);
        }
    }
    out.raw(names).pad_to(sections);
    let rel = if wide { 4 } else { 9 };
    let text = [0, 1, 6, 0, header, TEXT_LEN, 0, 0, 16, 0];
    let bss = [0, 8, 3, 0, relocations, 8, 0, 0, 32, 0];
    let rel = [0, rel, 0x40, 0, relocations, relocation_len * kinds.len(), 4, 1, 8, relocation_len];
    let symtab = [0, 2, 0, 0, symbols, 6 * symbol_len, 5, 2, 8, symbol_len];
    let strtab = [0, 3, 0, 0, strings, names.len(), 0, 0, 1, 0];
    for fields in [[0; 10], text, bss, rel, symtab, strtab] {
        for (at, field) in fields.into_iter().enumerate() {
            if [0, 1, 6, 7].contains(&at) {
                out.u32(field as u32)
            } else {
                out.word(field as u64)
            };
        }
    }
    out.bytes
}

/// Objects with relocations of each machine, and our own purgatory's.
pub fn seeds() -> Vec<Vec<u8>> {
    let machines: [(u16, &[u32]); 6] = [
        (62, &[1, 2, 4, 9, 10, 11, 24, 41, 42]),
        (3, &[1, 2, 4, 10]),
        (183, &[257, 258, 260, 261, 275, 277, 278, 282, 283, 284, 285, 286, 299, 311, 312]),
        (243, &[2, 16, 17, 18, 19, 23, 24, 26, 27, 28, 35, 36, 39, 40, 51]),
        (21, &[1, 10, 26, 38, 44, 47, 48, 50, 51, 249, 250, 252]),
        (22, &[4, 5, 9, 19, 20, 22, 23, 26]),
    ];
    let at = 0x1234_5600_u64.to_le_bytes();
    let mut seeds: Vec<Vec<u8>> =
        machines.iter().map(|(machine, kinds)| [&at[..], &object(*machine, kinds)].concat()).collect();
    // One relocation at a time: the first that cannot be applied ends the linking.
    for (machine, kinds) in machines {
        seeds.extend(kinds.iter().map(|kind| [&at[..], &object(machine, &[*kind])].concat()));
    }
    seeds.push([&at[..], purgatory::X86_64].concat());
    seeds
}
