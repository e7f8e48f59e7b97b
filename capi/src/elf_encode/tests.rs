//! Headers as bytes, against those that testkit lays out.

use core::ptr::{null, null_mut};

use super::*;
use crate::elf_parts::{
    kcap_elf_core_get_held, kcap_elf_core_get_note_region, kcap_elf_core_get_program_header, kcap_elf_notes,
};
use crate::status::*;
use crate::testing::input;
use crate::testing::{Setup, vmcore};

#[test]
fn headers_are_those_of_a_core() {
    let file = vmcore();
    let mut setup = Setup::new(input(file.clone()));
    let phnum = u32::from(u16::from_le_bytes([file[56], file[57]]));
    let (mut buf, mut len) = ([0x55_u8; 64], 0);
    let mut phdr = kcap_program_header::default();
    // SAFETY: all pointers are to what they say, or NULL.
    unsafe {
        let core = setup.core.at();
        let mut header = |bits, room, len| {
            kcap_elf_header_encode(0, bits, 62, 0, phnum, buf.as_mut_ptr(), room, len, null_mut())
        };
        assert_eq!(header(64, 63, &raw mut len), KCAP_ERR_BUFFER_TOO_SMALL);
        assert_eq!(header(65, 64, &raw mut len), KCAP_ERR_INVALID);
        assert_eq!(header(64, usize::MAX, &raw mut len), KCAP_ERR_LENGTH);
        assert_eq!(header(64, 64, null_mut()), KCAP_ERR_NULL);
        assert_eq!(header(64, 64, &raw mut len), KCAP_OK);
        assert_eq!((len, &buf[..32]), (64, &file[..32]));
        assert_eq!(buf[52..58], file[52..58]);
        let table = usize::try_from(u64::from_le_bytes(file[32..40].try_into().unwrap())).unwrap();
        for index in 0..phnum {
            assert_eq!(kcap_elf_core_get_program_header(core, index, &raw mut phdr, null_mut()), KCAP_OK);
            let coded = kcap_program_header_encode(
                &raw const phdr,
                0,
                64,
                buf.as_mut_ptr(),
                64,
                &raw mut len,
                null_mut(),
            );
            assert_eq!((coded, len), (KCAP_OK, 56));
            let at = table + 56 * index as usize;
            assert_eq!(buf[..56], file[at..at + 56]);
            let mut parsed = kcap_program_header::default();
            let bytes = file[at..].as_ptr();
            assert_eq!(kcap_program_header_parse(bytes, 56, 0, 64, &raw mut parsed, null_mut()), KCAP_OK);
            assert_eq!((parsed.p_offset, parsed.p_memsz), (phdr.p_offset, phdr.p_memsz));
            assert_eq!(
                kcap_program_header_parse(bytes, 55, 0, 64, &raw mut parsed, null_mut()),
                KCAP_ERR_CORRUPT
            );
        }
        assert_eq!(
            kcap_elf_core_get_program_header(core, phnum, &raw mut phdr, null_mut()),
            KCAP_ERR_NOT_FOUND
        );
        assert_eq!(kcap_elf_core_get_program_header(null(), 0, &raw mut phdr, null_mut()), KCAP_ERR_NULL);
        let (mut region, mut held) = (kcap_elf_notes::default(), 0);
        assert_eq!(kcap_elf_core_get_note_region(core, 0, &raw mut region, null_mut()), KCAP_OK);
        assert!(region.len > 0);
        assert_eq!(kcap_elf_core_get_note_region(core, 99, &raw mut region, null_mut()), KCAP_ERR_NOT_FOUND);
        assert_eq!(kcap_elf_core_get_held(core, 0, &raw mut held), KCAP_OK);
        assert!(held > 0);
        assert_eq!(kcap_elf_core_get_held(core, usize::MAX, &raw mut held), KCAP_ERR_NOT_FOUND);
    }
}

/// From 65535 program headers on their number stands in `sh_info` of a section header behind them.
#[test]
fn headers_stand_one_behind_the_other() {
    let mut places =
        kcap_elf_layout { header_len: 7, phoff: 7, phentsize: 7, shoff: 7, shentsize: 7, headers_len: 7 };
    let (mut buf, mut len) = ([0x55_u8; 64], 7);
    // SAFETY: all pointers are to what they say, or NULL.
    unsafe {
        assert_eq!(kcap_elf_get_layout(64, 3, null_mut()), KCAP_ERR_NULL);
        assert_eq!(kcap_elf_get_layout(16, 3, &raw mut places), KCAP_ERR_INVALID);
        assert_eq!(places.phoff, 7);
        for (bits, phnum, expected) in [
            (64, 3, [64, 64, 56, 0, 0, 64 + 3 * 56]),
            (32, 3, [52, 52, 32, 0, 0, 52 + 3 * 32]),
            (64, 65535, [64, 64, 56, 64 + 65535 * 56, 64, 64 + 65535 * 56 + 64]),
            (32, 65535, [52, 52, 32, 52 + 65535 * 32, 40, 52 + 65535 * 32 + 40]),
        ] {
            assert_eq!(kcap_elf_get_layout(bits, phnum, &raw mut places), KCAP_OK);
            let kcap_elf_layout { header_len, phoff, phentsize, shoff, shentsize, headers_len } = places;
            assert_eq!([header_len, phoff, phentsize, shoff, shentsize, headers_len], expected);
        }
        let mut encode = |bits, phnum, room, len| {
            kcap_elf_section_header_encode(1, bits, phnum, buf.as_mut_ptr(), room, len, null_mut())
        };
        assert_eq!(encode(64, 65535, 63, &raw mut len), KCAP_ERR_BUFFER_TOO_SMALL);
        assert_eq!(encode(16, 65535, 64, &raw mut len), KCAP_ERR_INVALID);
        assert_eq!(encode(64, 65535, usize::MAX, &raw mut len), KCAP_ERR_LENGTH);
        assert_eq!(encode(64, 65535, 64, null_mut()), KCAP_ERR_NULL);
        assert_eq!(len, 7);
        assert_eq!(encode(64, 65534, 64, &raw mut len), KCAP_OK);
        assert_eq!(len, 0);
        assert_eq!(encode(64, 0x1_2345, 64, &raw mut len), KCAP_OK);
        assert_eq!((len, &buf[44..48]), (64, &[0, 1, 0x23, 0x45][..]));
    }
}
