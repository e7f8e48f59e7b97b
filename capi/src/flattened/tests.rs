//! Flattened streams through callbacks.

use core::ptr::{null, null_mut};
use std::vec::Vec;

use testkit::{FlattenOptions, flatten};

use super::*;
use crate::input_kind::{KCAP_INPUT_FLATTENED, KCAP_INPUT_UNKNOWN, kcap_input_kind};
use crate::status::*;
use crate::testing::{Memory, Room, input, output};

fn plain() -> Vec<u8> {
    (0..20_000_u32).map(|i| ((i * i) >> 7) as u8).collect()
}

#[test]
fn what_testkit_flattens_reads_as_it_was() {
    let plain = plain();
    let options = FlattenOptions { shuffled: true, stale: true, ..FlattenOptions::default() };
    let stream = flatten(&plain, &options);
    let file = input(stream.clone());
    let (mut object, mut table) = (Room::<kcap_flattened>::new(), Memory::new(4096));
    let (mut reader, mut rearrange) = (Room::<kcap_read_at>::new(), Room::<kcap_rearrange>::new());
    let mut facts = Room::<kcap_flattened_facts>::new();
    let mut copied = Vec::new();
    let len = Room::<kcap_flattened>::LEN;
    // SAFETY: all pointers are to what they say, or NULL; sizes of structs are set first.
    unsafe {
        assert_eq!(kcap_input_kind(file), KCAP_INPUT_FLATTENED);
        assert_eq!(kcap_input_kind(null()), KCAP_INPUT_UNKNOWN);
        let init = |object, len, file, table, table_len| {
            kcap_flattened_init(object, len, file, table, table_len, null_mut())
        };
        let (at, memory, memory_len) = (object.at(), table.at(), table.len());
        assert_eq!(init(null_mut(), len, file, memory, memory_len), KCAP_ERR_NULL);
        assert_eq!(init(at, len, null(), memory, memory_len), KCAP_ERR_NULL);
        assert_eq!(init(at, len, file, null_mut(), memory_len), KCAP_ERR_NULL);
        assert_eq!(init(at, len, file, memory, 0), KCAP_ERR_BUFFER_TOO_SMALL);
        assert_eq!(init(at, len, file, memory, usize::MAX), KCAP_ERR_LENGTH);
        assert_eq!(init(at, 0, file, memory, memory_len), KCAP_ERR_BUFFER_TOO_SMALL);
        assert_eq!(init(at, usize::MAX, file, memory, memory_len), KCAP_ERR_LENGTH);
        assert!(object.untouched());
        assert_eq!(init(object.at(), len, file, memory, memory_len), KCAP_OK);
        (*facts.at()).size = size_of::<kcap_flattened_facts>();
        assert_eq!(kcap_flattened_get_facts(object.at(), facts.at()), KCAP_OK);
        assert_eq!(((*facts.at()).dump_size, (*facts.at()).complete), (20_000, 1));
        let mut extent = kcap_stream_extent { start: 0, end: 0, source: 0 };
        let mut pieces = Vec::new();
        for index in 0..usize::try_from((*facts.at()).extents).unwrap() {
            assert_eq!(kcap_flattened_get_extent(object.at(), index, &raw mut extent), KCAP_OK);
            assert_eq!(extent.start, pieces.len() as u64);
            let from = usize::try_from(extent.source).unwrap();
            pieces
                .extend_from_slice(&stream[from..from + usize::try_from(extent.end - extent.start).unwrap()]);
        }
        assert!(pieces == plain);
        let count = usize::try_from((*facts.at()).extents).unwrap();
        let last = extent.end;
        assert_eq!(kcap_flattened_get_extent(object.at(), count, &raw mut extent), KCAP_ERR_NOT_FOUND);
        assert_eq!(kcap_flattened_get_extent(object.at(), usize::MAX, &raw mut extent), KCAP_ERR_NOT_FOUND);
        assert_eq!(kcap_flattened_get_extent(null(), 0, &raw mut extent), KCAP_ERR_NULL);
        assert_eq!(kcap_flattened_get_extent(object.at(), 0, null_mut()), KCAP_ERR_NULL);
        assert_eq!(extent.end, last);
        assert_eq!(kcap_flattened_reader(object.at(), reader.at()), KCAP_OK);
        let mut read = std::vec![0; 20_000];
        assert_eq!((*reader.at()).read_at(0, &mut read), Ok(()));
        assert!(read == plain);
        assert_eq!((*reader.at()).read_at(1, &mut read), Err(END_OF_FILE));
        assert_eq!((*reader.at()).size(), Some(20_000));
        let begun = kcap_rearrange_init(rearrange.at(), Room::<kcap_rearrange>::LEN, object.at(), null_mut());
        assert_eq!(begun, KCAP_OK);
        let (out, mut buf) = (output(&mut copied), [0; 777]);
        let mut step =
            |len| kcap_rearrange_step(rearrange.at(), &raw const out, buf.as_mut_ptr(), len, null_mut());
        assert_eq!(step(0), KCAP_ERR_BUFFER_TOO_SMALL);
        while step(777) == KCAP_OK {}
        assert_eq!(kcap_rearrange_done(rearrange.at()), 20_000);
    }
    assert!(copied == plain);
}

#[test]
fn what_is_written_has_the_layout_of_the_format() {
    let (mut object, mut table) = (Room::<kcap_flattened_writer>::new(), Room::<kcap_write_at>::new());
    let mut stream = Vec::new();
    let out = output(&mut stream);
    // SAFETY: all pointers are to what they say, or NULL.
    unsafe {
        let len = Room::<kcap_flattened_writer>::LEN;
        assert_eq!(kcap_flattened_writer_init(object.at(), len, null(), null_mut()), KCAP_ERR_NULL);
        assert!(object.untouched());
        assert_eq!(kcap_flattened_writer_init(object.at(), len, &raw const out, null_mut()), KCAP_OK);
        assert_eq!(kcap_flattened_writer_output(object.at(), table.at()), KCAP_OK);
        let write = *table.at();
        assert_eq!(write.write_once, 1);
        assert_eq!(write.write_at.unwrap()(write.ctx, 5, b"bytes".as_ptr(), 5), 0);
        assert_eq!(kcap_flattened_writer_written(object.at()), 4096 + 16 + 5);
        assert_eq!(kcap_flattened_writer_finish(object.at(), null_mut()), KCAP_OK);
        assert_eq!(kcap_flattened_writer_finish(object.at(), null_mut()), KCAP_ERR_STATE);
        assert_eq!(write.write_at.unwrap()(write.ctx, 5, b"bytes".as_ptr(), 5), END_OF_FILE);
    }
    assert_eq!(&stream[..32], b"makedumpfile\0\0\0\0\0\0\0\0\0\0\0\x01\0\0\0\0\0\0\0\x01");
    assert_eq!(&stream[4096..4117], b"\0\0\0\0\0\0\0\x05\0\0\0\0\0\0\0\x05bytes");
    assert_eq!(stream[4117..], [0xff; 16]);
}
