//! Walks over the notes of synthetic vmcores.

use core::mem::MaybeUninit;
use core::ptr::{null, null_mut};
use std::vec::Vec;

use testkit::kdump_of;

use super::*;
use crate::kdump::{kcap_kdump_init, kcap_kdump_work};
use crate::note_desc::{kcap_prstatus, kcap_prstatus_parse};
use crate::note_encode::*;
use crate::status::*;
use crate::testing::Setup;
use crate::testing::{Memory, Room, input, machine, vmcore};

const LEN: usize = Room::<kcap_notes>::LEN;

#[test]
fn the_notes_of_a_core_are_walked_and_read() {
    let machine = machine();
    let mut setup = Setup::new(input(vmcore()));
    let (mut notes, mut note) = (Room::<kcap_notes>::new(), MaybeUninit::<kcap_note>::uninit());
    let mut kinds = Vec::new();
    // SAFETY: all pointers are to what they say, or NULL; a note is read after it was written.
    unsafe {
        assert_eq!(kcap_notes_init_elf(notes.at(), LEN, setup.core.at(), null_mut()), KCAP_OK);
        let at = notes.at();
        assert_eq!(kcap_notes_read(at, null_mut(), 0, null_mut()), KCAP_ERR_STATE);
        while kcap_notes_next(at, note.as_mut_ptr(), null_mut()) == KCAP_OK {
            let note = note.assume_init();
            kinds.push(note.kind);
            let mut desc = std::vec![0_u8; note.desc_len as usize];
            let mut read = |len| kcap_notes_read(at, desc.as_mut_ptr(), len, null_mut());
            assert_eq!(read(note.desc_len as usize - 1), KCAP_ERR_BUFFER_TOO_SMALL);
            assert_eq!(read(note.desc_len as usize), KCAP_OK);
            if note.kind == KCAP_NOTE_VMCOREINFO {
                assert_eq!(desc, machine.vmcoreinfo().into_bytes());
                assert_eq!(ptr::text(note.name.as_ptr()).unwrap(), b"VMCOREINFO");
            }
            if note.kind == KCAP_NOTE_PRSTATUS {
                let mut status = MaybeUninit::<kcap_prstatus>::uninit();
                let out = status.as_mut_ptr();
                let parse = |len, number| kcap_prstatus_parse(desc.as_ptr(), len, number, 0, out, null_mut());
                assert_eq!(parse(desc.len(), 0xfff), KCAP_ERR_UNSUPPORTED);
                assert_eq!(parse(100, 62), KCAP_ERR_CORRUPT);
                assert_eq!(parse(desc.len(), 62), KCAP_OK);
                let status = status.assume_init_mut();
                assert_eq!((status.pr_reg, status.pr_reg_len), (desc.as_ptr().add(112), 216));
            }
            assert_eq!(kcap_notes_get_device_dump(at, null_mut(), null_mut()), KCAP_ERR_NULL);
        }
        assert_eq!(kcap_notes_next(at, note.as_mut_ptr(), null_mut()), KCAP_END);
        assert_eq!(kcap_notes_next(null_mut(), note.as_mut_ptr(), null_mut()), KCAP_ERR_NULL);
        assert_eq!(kcap_notes_next(at, null_mut(), null_mut()), KCAP_ERR_NULL);
        assert_eq!(kcap_notes_init_elf(at, 0, setup.core.at(), null_mut()), KCAP_ERR_BUFFER_TOO_SMALL);
        assert_eq!(kcap_notes_init_elf(at, usize::MAX, setup.core.at(), null_mut()), KCAP_ERR_LENGTH);
        assert_eq!(kcap_notes_init_elf(at, LEN, null(), null_mut()), KCAP_ERR_NULL);
        assert_eq!(kcap_notes_init_kdump(at, LEN, null(), null_mut()), KCAP_ERR_NULL);
        assert_eq!(kcap_notes_init_region(at, LEN, null(), 0, 0, 0, 0, null_mut()), KCAP_ERR_NULL);
    }
    assert!(kinds.contains(&KCAP_NOTE_PRSTATUS) && kinds.contains(&KCAP_NOTE_VMCOREINFO));
}

/// A device dump as `include/uapi/linux/vmcore.h` has it: 44 bytes of name, then the driver's data.
#[test]
fn an_encoded_note_is_read_back() {
    let mut desc = b"cxgb4_0000:02:00.4".to_vec();
    desc.resize(44 + 10, 0);
    let mut file = std::vec![0_u8; 100];
    let (mut notes, mut note) = (Room::<kcap_notes>::new(), MaybeUninit::<kcap_note>::uninit());
    let mut dump = MaybeUninit::<kcap_device_dump>::uninit();
    let (mut len, name) = (0, c"LINUX".as_ptr());
    // SAFETY: all pointers are to what they say, or NULL; structs are read after they were written.
    unsafe {
        let (bytes, size) = (desc.as_ptr(), desc.len());
        let mut encode = |name, room, big| {
            let buf = file.as_mut_ptr();
            kcap_note_encode(name, KCAP_NT_VMCOREDD, bytes, size, big, buf, room, &raw mut len, null_mut())
        };
        assert_eq!(encode(null(), 100, 1), KCAP_ERR_NULL);
        assert_eq!(encode(name, 100, 2), KCAP_ERR_INVALID);
        assert_eq!(encode(name, 75, 1), KCAP_ERR_BUFFER_TOO_SMALL);
        assert_eq!(encode(name, usize::MAX, 1), KCAP_ERR_LENGTH);
        assert_eq!(encode(name, 100, 1), KCAP_OK);
        assert_eq!((len, kcap_note_encoded_len(name, 54)), (76, 76));
        assert_eq!(file[..12], [0, 0, 0, 6, 0, 0, 0, 54, 0, 0, 7, 0]);
        file.truncate(76);
        let file = input(file);
        assert_eq!(kcap_notes_init_region(notes.at(), LEN, file, 0, 76, 4, 1, null_mut()), KCAP_OK);
        assert_eq!(kcap_notes_next(notes.at(), note.as_mut_ptr(), null_mut()), KCAP_OK);
        assert_eq!(note.assume_init().kind, KCAP_NOTE_DEVICE_DUMP);
        assert_eq!(kcap_notes_get_device_dump(notes.at(), dump.as_mut_ptr(), null_mut()), KCAP_OK);
        let dump = dump.assume_init();
        assert_eq!((dump.data_offset, dump.data_len), (20 + 44, 10));
        assert_eq!(ptr::text(dump.name.as_ptr()).unwrap(), b"cxgb4_0000:02:00.4");
        assert_eq!(kcap_notes_next(notes.at(), note.as_mut_ptr(), null_mut()), KCAP_END);
    }
}

#[test]
fn the_notes_of_a_kdump_file_are_those_of_the_machine() {
    let machine = machine();
    let inputs = [&raw const *input(kdump_of(machine, 31).to_vec())];
    let (mut kdump, mut work) = (Room::<kcap_kdump>::new(), Memory::new(kcap_kdump_work(1)));
    let (mut notes, mut note) = (Room::<kcap_notes>::new(), MaybeUninit::<kcap_note>::uninit());
    let mut kinds = Vec::new();
    // SAFETY: all pointers are to what they say, or NULL; a note is read after it was written.
    unsafe {
        let len = Room::<kcap_kdump>::LEN;
        let opened =
            kcap_kdump_init(kdump.at(), len, inputs.as_ptr(), 1, 0, work.at(), work.len(), null_mut());
        assert_eq!(opened, KCAP_OK);
        assert_eq!(kcap_notes_init_kdump(notes.at(), 0, kdump.at(), null_mut()), KCAP_ERR_BUFFER_TOO_SMALL);
        assert!(notes.untouched());
        assert_eq!(kcap_notes_init_kdump(notes.at(), LEN, kdump.at(), null_mut()), KCAP_OK);
        while kcap_notes_next(notes.at(), note.as_mut_ptr(), null_mut()) == KCAP_OK {
            let note = note.assume_init();
            kinds.push(note.kind);
            if note.kind == KCAP_NOTE_VMCOREINFO {
                let mut desc = std::vec![0_u8; note.desc_len as usize];
                assert_eq!(kcap_notes_read(notes.at(), desc.as_mut_ptr(), desc.len(), null_mut()), KCAP_OK);
                assert_eq!(desc, machine.vmcoreinfo().into_bytes());
            }
        }
    }
    assert_eq!(kinds, [KCAP_NOTE_PRSTATUS, KCAP_NOTE_PRSTATUS, KCAP_NOTE_VMCOREINFO]);
}

/// A head and a padding around a descriptor are the note that `kcap_note_encode` writes: 12 bytes, the name and its NUL padded to
/// 4 bytes, 5 bytes of descriptor padded to 8.
#[test]
fn a_note_is_written_in_pieces() {
    let (mut head, mut len, name) = ([0x55_u8; 40], 7, c"CORE".as_ptr());
    // SAFETY: all pointers are to what they say, or NULL.
    unsafe {
        assert_eq!(
            (kcap_note_head_len(name), kcap_note_padding(5), kcap_note_encoded_len(name, 5)),
            (20, 3, 28)
        );
        assert_eq!((kcap_note_head_len(null()), kcap_note_encoded_len(null(), 5)), (0, 0));
        let mut encode = |name, room, big, len| {
            kcap_note_encode_head(name, 1, 5, big, head.as_mut_ptr(), room, len, null_mut())
        };
        assert_eq!(encode(null(), 40, 0, &raw mut len), KCAP_ERR_NULL);
        assert_eq!(encode(name, 19, 0, &raw mut len), KCAP_ERR_BUFFER_TOO_SMALL);
        assert_eq!(encode(name, 40, 2, &raw mut len), KCAP_ERR_INVALID);
        assert_eq!(encode(name, 40, 0, null_mut()), KCAP_ERR_NULL);
        assert_eq!(encode(name, usize::MAX, 0, &raw mut len), KCAP_ERR_LENGTH);
        assert_eq!(len, 7);
        assert_eq!(encode(name, 40, 0, &raw mut len), KCAP_OK);
        assert_eq!((len, &head[..20]), (20, &b"\x05\0\0\0\x05\0\0\0\x01\0\0\0CORE\0\0\0\0"[..]));

        let mut buf = [0x55_u8; 44];
        let long = c"a name of more than the forty-three characters that fit".as_ptr();
        assert_eq!(kcap_device_dump_name_encode(null(), buf.as_mut_ptr(), 44), KCAP_ERR_NULL);
        assert_eq!(kcap_device_dump_name_encode(long, buf.as_mut_ptr(), 43), KCAP_ERR_BUFFER_TOO_SMALL);
        assert_eq!(buf, [0x55; 44]);
        assert_eq!(kcap_device_dump_name_encode(long, buf.as_mut_ptr(), 44), KCAP_OK);
        assert_eq!(&buf, b"a name of more than the forty-three charact\0");
    }
}
