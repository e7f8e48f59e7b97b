//! Headers as bytes, against a file that testkit lays out.

use core::ptr::{null, null_mut};
use std::vec::Vec;

use testkit::kdump_of;

use super::*;
use crate::kdump::{
    kcap_kdump, kcap_kdump_get_header, kcap_kdump_get_page_desc, kcap_kdump_get_part, kcap_kdump_init,
    kcap_kdump_work,
};
use crate::status::*;
use crate::testing::{Memory, Room, input, machine, sized};

/// A number of the file, little-endian, where `diskdump_mod.h` puts it.
fn at(file: &[u8], offset: usize, len: usize) -> u64 {
    let mut bytes = [0; 8];
    bytes[..len].copy_from_slice(&file[offset..offset + len]);
    u64::from_le_bytes(bytes)
}

#[test]
fn headers_are_those_of_a_file() {
    let machine = machine();
    let whole = kdump_of(machine, 31);
    let file = whole.to_vec();
    let inputs = [&raw const *input(file.clone())];
    let (mut kdump, mut work) = (Room::<kcap_kdump>::new(), Memory::new(kcap_kdump_work(1)));
    let (mut header, mut part): (kcap_kdump_header, kcap_kdump_part) = (sized(), sized());
    let (mut desc, mut number) = (kcap_page_desc::default(), 0);
    let (mut buf, mut len) = ([0x55_u8; 512], 7);
    // SAFETY: all pointers are to what they say, or NULL.
    unsafe {
        let (object, size) = (kdump.at(), Room::<kcap_kdump>::LEN);
        let opened = kcap_kdump_init(object, size, inputs.as_ptr(), 1, 0, work.at(), work.len(), null_mut());
        assert_eq!(opened, KCAP_OK);
        assert_eq!(kcap_kdump_get_header(object, &raw mut header), KCAP_OK);
        assert_eq!(kcap_kdump_get_part(object, 0, &raw mut part), KCAP_OK);
        let mut encode = |header: *const kcap_kdump_header, room, len| {
            kcap_kdump_header_encode(header, buf.as_mut_ptr(), room, len, null_mut())
        };
        assert_eq!(encode(&raw const header, 463, &raw mut len), KCAP_ERR_BUFFER_TOO_SMALL);
        assert_eq!(encode(&raw const header, usize::MAX, &raw mut len), KCAP_ERR_LENGTH);
        assert_eq!(encode(&raw const header, 512, null_mut()), KCAP_ERR_NULL);
        assert_eq!(encode(null(), 512, &raw mut len), KCAP_ERR_NULL);
        assert_eq!(encode(&kcap_kdump_header { model: 5, ..header }, 512, &raw mut len), KCAP_ERR_INVALID);
        assert_eq!(
            encode(&kcap_kdump_header { block_size: 5, ..header }, 512, &raw mut len),
            KCAP_ERR_INVALID
        );
        assert_eq!(len, 7);
        assert_eq!(encode(&raw const header, 512, &raw mut len), KCAP_OK);
        assert_eq!((len, &buf[..464]), (464, &file[..464]));

        buf.fill(0x55);
        let mut encode = |part: *const kcap_kdump_part, model, room, len| {
            kcap_kdump_sub_header_encode(part, 0, model, buf.as_mut_ptr(), room, len, null_mut())
        };
        let lp64 = KCAP_MODEL_LP64;
        assert_eq!(encode(&raw const part, lp64, 103, &raw mut len), KCAP_ERR_BUFFER_TOO_SMALL);
        assert_eq!(encode(&raw const part, 5, 512, &raw mut len), KCAP_ERR_INVALID);
        assert_eq!(encode(null(), lp64, 512, &raw mut len), KCAP_ERR_NULL);
        assert_eq!(encode(&raw const part, lp64, 512, null_mut()), KCAP_ERR_NULL);
        assert_eq!(encode(&raw const part, lp64, usize::MAX, &raw mut len), KCAP_ERR_LENGTH);
        assert_eq!(encode(&raw const part, lp64, 512, &raw mut len), KCAP_OK);
        assert_eq!((len, &buf[..104]), (104, &file[4096..4200]));

        let pfn = *whole.pages.keys().next().unwrap();
        assert_eq!(
            kcap_kdump_get_page_desc(object, pfn, &raw mut number, &raw mut desc, null_mut()),
            KCAP_OK
        );
    }
    let first = usize::try_from(4096 * (1 + at(&file, 432, 4) + at(&file, 436, 4))).unwrap();
    let bytes = &file[first..first + KCAP_PAGE_DESC_LEN];
    let mut read = kcap_page_desc::default();
    // SAFETY: all pointers are to what they say, or NULL.
    unsafe {
        let mut encode =
            |desc, big, room| kcap_page_desc_encode(desc, big, buf.as_mut_ptr(), room, null_mut());
        assert_eq!(encode(&raw const desc, 0, 23), KCAP_ERR_BUFFER_TOO_SMALL);
        assert_eq!(encode(&raw const desc, 2, 24), KCAP_ERR_INVALID);
        assert_eq!(encode(null(), 0, 24), KCAP_ERR_NULL);
        assert_eq!(encode(&raw const desc, 0, usize::MAX), KCAP_ERR_LENGTH);
        assert_eq!(encode(&raw const desc, 0, 24), KCAP_OK);
        assert_eq!(&buf[..24], bytes);
        let mut parse = |len, big| kcap_page_desc_parse(bytes.as_ptr(), len, big, &raw mut read, null_mut());
        assert_eq!(parse(23, 0), KCAP_ERR_CORRUPT);
        assert_eq!(parse(24, 2), KCAP_ERR_INVALID);
        assert_eq!(parse(usize::MAX, 0), KCAP_ERR_LENGTH);
        assert_eq!(parse(24, 0), KCAP_OK);
        assert_eq!(kcap_page_desc_parse(null(), 24, 0, &raw mut read, null_mut()), KCAP_ERR_NULL);
        assert_eq!(kcap_page_desc_parse(bytes.as_ptr(), 24, 0, null_mut(), null_mut()), KCAP_ERR_NULL);
    }
    assert_eq!((read.offset, read.size), (at(bytes, 0, 8), u32::try_from(at(bytes, 8, 4)).unwrap()));
    assert_eq!((read.flags, read.page_flags), (u32::try_from(at(bytes, 12, 4)).unwrap(), at(bytes, 16, 8)));
}

/// 100 000 frames of 4 KiB: 12 500 bytes of bitmap are 4 blocks. 104 bytes of sub-header and 5000 of notes are 2 blocks.
#[test]
fn the_pieces_stand_one_behind_the_other() {
    let mut places = kcap_kdump_places::default();
    let get = |model, page_size, places| {
        // SAFETY: the pointer is to what it says, or NULL.
        unsafe { kcap_kdump_get_places(model, page_size, 100_000, 5000, 10, places, null_mut()) }
    };
    assert_eq!(get(KCAP_MODEL_LP64, 4096, null_mut()), KCAP_ERR_NULL);
    assert_eq!(get(5, 4096, &raw mut places), KCAP_ERR_INVALID);
    assert_eq!(get(KCAP_MODEL_LP64, 4000, &raw mut places), KCAP_ERR_INVALID);
    assert_eq!(places.data, 0);
    assert_eq!(get(KCAP_MODEL_LP64, 4096, &raw mut places), KCAP_OK);
    assert_eq!((places.sub_header, places.notes), (4096, 4200));
    assert_eq!((places.sub_hdr_size, places.bitmap_blocks, places.bitmap_len), (2, 8, 4 * 4096));
    assert_eq!((places.bitmap_1, places.bitmap_2), (3 * 4096, 7 * 4096));
    assert_eq!((places.page_descs, places.data), (11 * 4096, 11 * 4096 + 240));
}

#[test]
fn a_machine_has_a_model() {
    let models: Vec<_> = [(62, 64), (183, 64), (22, 64), (62, 7), (usize::MAX as u32, 32)]
        .map(|(machine, bits)| kcap_kdump_model(machine, bits))
        .to_vec();
    assert_eq!(models, [KCAP_MODEL_LP64; 5]);
    assert_eq!(kcap_kdump_model(3, 32), KCAP_MODEL_I386);
}
