//! Files through the C functions.

use core::ptr::{null, null_mut};
use std::ffi::CString;
use std::fs;

use super::*;
use crate::error::*;
use crate::status::*;
use crate::testing::Room;

fn scratch(name: &str) -> CString {
    let path = std::env::temp_dir().join(format!("kcapture-capi-{name}-{}", std::process::id()));
    CString::new(path.into_os_string().into_encoded_bytes()).unwrap()
}

#[test]
#[cfg_attr(miri, ignore = "Miri has no fstatfs")]
fn a_file_is_written_read_and_removed() {
    let name = scratch("file");
    let (mut output, mut input) = (Room::<kcap_output>::new(), Room::<kcap_input>::new());
    let (mut writer, mut reader) = (Room::<kcap_write_at>::new(), Room::<kcap_read_at>::new());
    let (out_len, in_len) = (Room::<kcap_output>::LEN, Room::<kcap_input>::LEN);
    let (mut written, mut read) = (kcap_file_identity::default(), kcap_file_identity::default());
    // SAFETY: all pointers are to what they say, or NULL.
    unsafe {
        let create = |output, exists, in_use, count| {
            kcap_output_init(output, out_len, name.as_ptr(), exists, in_use, count, null_mut())
        };
        assert_eq!(create(output.at(), KCAP_OUTPUT_REFUSE, null(), 0), KCAP_OK);
        assert_eq!(kcap_output_writer(output.at(), writer.at()), KCAP_OK);
        let table = *writer.at();
        let write = table.write_at.unwrap();
        assert_eq!(write(table.ctx, 2, b"bytes".as_ptr(), 5), 0);
        assert_eq!(table.sync.unwrap()(table.ctx), 0);
        assert_eq!(kcap_output_identity(output.at(), &raw mut written), KCAP_OK);
        kcap_output_close(output.at());
        assert_eq!(write(table.ctx, 0, b"x".as_ptr(), 1), CLOSED);
        assert_eq!(kcap_output_discard(output.at(), null_mut()), KCAP_ERR_STATE);

        assert_eq!(kcap_input_init(input.at(), in_len, name.as_ptr(), null_mut()), KCAP_OK);
        assert_eq!(kcap_input_reader(input.at(), reader.at()), KCAP_OK);
        assert_eq!(kcap_input_identity(input.at(), &raw mut read), KCAP_OK);
        assert_eq!((read.device, read.inode), (written.device, written.inode));
        let table = *reader.at();
        let mut buf = [9; 7];
        assert_eq!(table.size.unwrap()(table.ctx), 7);
        assert_eq!(table.read_at.unwrap()(table.ctx, 0, buf.as_mut_ptr(), 7), 0);
        assert_eq!(&buf, b"\0\0bytes");
        assert_eq!(table.read_at.unwrap()(table.ctx, 1, buf.as_mut_ptr(), 7), END_OF_FILE);

        let mut again = Room::<kcap_output>::new();
        assert_eq!(create(again.at(), KCAP_OUTPUT_REFUSE, null(), 0), KCAP_ERR_IO);
        assert_eq!(create(again.at(), KCAP_OUTPUT_OVERWRITE, &raw const read, 1), KCAP_ERR_IO);
        assert_eq!(create(again.at(), 2, null(), 0), KCAP_ERR_INVALID);
        assert!(again.untouched());
        assert_eq!(fs::metadata(name.to_str().unwrap()).unwrap().len(), 7);
        assert_eq!(create(again.at(), KCAP_OUTPUT_OVERWRITE, null(), 0), KCAP_OK);
        assert_eq!(kcap_output_discard(again.at(), null_mut()), KCAP_OK);
        assert!(!fs::exists(name.to_str().unwrap()).unwrap());

        kcap_input_close(input.at());
        kcap_input_close(input.at());
        assert_eq!(table.read_at.unwrap()(table.ctx, 0, buf.as_mut_ptr(), 7), CLOSED);
        assert_eq!(kcap_input_reader(input.at(), reader.at()), KCAP_ERR_STATE);
    }
}

#[test]
fn null_and_lengths_are_found() {
    let (mut output, mut input) = (Room::<kcap_output>::new(), Room::<kcap_input>::new());
    let mut stream = Room::<kcap_stream>::new();
    let name = c"/dev/null".as_ptr();
    let mut error = Room::<kcap_error>::new();
    // SAFETY: all pointers are to what they say, or NULL; the error's size is set first.
    unsafe {
        (*error.at()).size = size_of::<kcap_error>();
        for (len, status) in [(0, KCAP_ERR_BUFFER_TOO_SMALL), (usize::MAX, KCAP_ERR_LENGTH)] {
            assert_eq!(kcap_input_init(input.at(), len, name, null_mut()), status);
            assert_eq!(kcap_output_init(output.at(), len, name, 1, null(), 0, null_mut()), status);
            assert_eq!(kcap_stream_init(stream.at(), len, null_mut()), status);
        }
        let (in_len, out_len) = (Room::<kcap_input>::LEN, Room::<kcap_output>::LEN);
        assert_eq!(kcap_input_init(null_mut(), in_len, name, null_mut()), KCAP_ERR_NULL);
        assert_eq!(kcap_input_init(input.at(), in_len, null(), null_mut()), KCAP_ERR_NULL);
        let missing = c"/nonexistent/vmcore".as_ptr();
        assert_eq!(kcap_input_init(input.at(), in_len, missing, error.at()), KCAP_ERR_IO);
        assert_eq!((*error.at()).code, 2);
        assert_eq!(kcap_output_init(output.at(), out_len, null(), 1, null(), 0, null_mut()), KCAP_ERR_NULL);
        assert_eq!(kcap_output_init(output.at(), out_len, name, 1, null(), 1, null_mut()), KCAP_ERR_NULL);
        let endless =
            kcap_output_init(output.at(), out_len, name, 1, &raw const IDENTITY, usize::MAX, null_mut());
        assert_eq!(endless, KCAP_ERR_LENGTH);
        assert!(input.untouched() && output.untouched() && stream.untouched());
        assert_eq!(kcap_input_reader(null(), null_mut()), KCAP_ERR_NULL);
        assert_eq!(kcap_input_identity(null(), null_mut()), KCAP_ERR_NULL);
        assert_eq!(kcap_output_writer(null_mut(), null_mut()), KCAP_ERR_NULL);
        assert_eq!(kcap_output_identity(null(), null_mut()), KCAP_ERR_NULL);
        assert_eq!(kcap_output_discard(null_mut(), null_mut()), KCAP_ERR_NULL);
        assert_eq!(kcap_stream_writer(null_mut(), null_mut()), KCAP_ERR_NULL);
        assert_eq!(kcap_stream_close(null_mut(), null_mut()), KCAP_ERR_NULL);
        kcap_input_close(null_mut());
        kcap_output_close(null_mut());
    }
}

static IDENTITY: kcap_file_identity = kcap_file_identity { device: 0, inode: 0 };

#[test]
fn a_stream_takes_bytes_in_order_and_closes_once() {
    let mut stream = Room::<kcap_stream>::new();
    let mut writer = Room::<kcap_write_at>::new();
    // SAFETY: all pointers are to what they say, or NULL.
    unsafe {
        assert_eq!(kcap_stream_init(stream.at(), Room::<kcap_stream>::LEN, null_mut()), KCAP_OK);
        assert_eq!(kcap_stream_writer(stream.at(), writer.at()), KCAP_OK);
        let table = *writer.at();
        assert_eq!(table.write_once, 1);
        assert_eq!(table.write_at.unwrap()(table.ctx, 1, b"x".as_ptr(), 1), 22);
        assert_eq!(table.write_at.unwrap()(table.ctx, 0, null(), 0), 0);
        assert_eq!(kcap_stream_close(stream.at(), null_mut()), KCAP_OK);
        assert_eq!(kcap_stream_close(stream.at(), null_mut()), KCAP_ERR_STATE);
        assert_eq!(table.sync.unwrap()(table.ctx), CLOSED);
    }
}
