//! Files and streams of a Linux host.

use core::ffi::{c_char, c_void};
use std::ffi::OsStr;
use std::io::Stdout;
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;

use host::{IfExists, Input, Output, Stream};
use vmcore_format::{END_OF_FILE, ReadAt, WriteAt};

use super::system;
use crate::callback::{kcap_read_at, kcap_write_at};
use crate::error::{answer, kcap_error};
use crate::ptr;
use crate::status::{Failure, KCAP_ERR_IO, KCAP_ERR_STATE, io, kcap_status};

/// The code of a call of a callback whose object was closed: `EBADF`.
const CLOSED: i32 = 9;

fn path(text: *const c_char) -> Result<&'static Path, Failure> {
    Ok(Path::new(OsStr::from_bytes(ptr::text(text)?)))
}

/// Device and inode number: equal for two names of one file.
#[derive(Debug, Clone, Copy, Default)]
#[repr(C)]
pub struct kcap_file_identity {
    /// `st_dev`.
    pub device: u64,
    /// `st_ino`.
    pub inode: u64,
}

impl From<(u64, u64)> for kcap_file_identity {
    fn from((device, inode): (u64, u64)) -> Self {
        Self { device, inode }
    }
}

/// A regular file, a block device or `/proc/vmcore` that is read. It is closed by `kcap_input_close`.
///
/// Threads may use one object at once.
#[derive(Debug)]
pub struct kcap_input {
    input: Option<Input>,
}

/// The size of a `kcap_input`, in bytes.
#[unsafe(no_mangle)]
pub extern "C" fn kcap_input_size() -> usize {
    size_of::<kcap_input>()
}

/// What the address of a `kcap_input` must be a multiple of.
#[unsafe(no_mangle)]
pub extern "C" fn kcap_input_align() -> usize {
    align_of::<kcap_input>()
}

/// Opens the file at `name` for reading, in the `input_len` bytes at `input`. `error` may be NULL.
///
/// Errors: `KCAP_ERR_IO` (`code`: an `errno`; `EINVAL` for what cannot be read at an offset), `KCAP_ERR_BUFFER_TOO_SMALL`,
/// `KCAP_ERR_NULL`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kcap_input_init(
    input: *mut kcap_input,
    input_len: usize,
    name: *const c_char,
    error: *mut kcap_error,
) -> kcap_status {
    answer(error, || {
        let place = ptr::object(input, input_len)?;
        let opened = Input::open(path(name)?).map_err(|error| system(&error))?;
        place.put(kcap_input { input: Some(opened) });
        Ok(())
    })
}

/// Writes callbacks that read the file to `reader`, for every function that takes an input. `input` is used for as long as
/// they are; their codes are `errno` numbers, and -1 past the end of the file.
///
/// Errors: `KCAP_ERR_STATE` (closed), `KCAP_ERR_NULL`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kcap_input_reader(
    input: *const kcap_input,
    reader: *mut kcap_read_at,
) -> kcap_status {
    fn file(ctx: *mut c_void) -> Option<&'static Input> {
        ptr::get(ctx.cast_const().cast::<kcap_input>()).ok()?.input.as_ref()
    }
    unsafe extern "C" fn read_at(ctx: *mut c_void, offset: u64, buf: *mut u8, len: usize) -> i32 {
        match (file(ctx), ptr::slice_mut(buf, len)) {
            (Some(file), Ok(buf)) => file.read_at(offset, buf).err().unwrap_or(0),
            (None, _) => CLOSED,
            _ => END_OF_FILE,
        }
    }
    unsafe extern "C" fn size(ctx: *mut c_void) -> u64 {
        file(ctx).and_then(ReadAt::size).unwrap_or(u64::MAX)
    }
    answer(core::ptr::null_mut(), || {
        ptr::get(input)?.input.as_ref().ok_or(KCAP_ERR_STATE)?;
        let ctx = input.cast_mut().cast();
        ptr::out(reader)?.put(kcap_read_at { ctx, read_at: Some(read_at), size: Some(size) });
        Ok(())
    })
}

/// Writes which file it is to `identity`.
///
/// Errors: `KCAP_ERR_STATE` (closed), `KCAP_ERR_NULL`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kcap_input_identity(
    input: *const kcap_input,
    identity: *mut kcap_file_identity,
) -> kcap_status {
    answer(core::ptr::null_mut(), || {
        let file = ptr::get(input)?.input.as_ref().ok_or(KCAP_ERR_STATE)?;
        ptr::out(identity)?.put(file.identity().into());
        Ok(())
    })
}

/// Closes the file. A closed one may be closed again. NULL is nothing to close.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kcap_input_close(input: *mut kcap_input) {
    if let Ok(input) = ptr::get_mut(input) {
        input.input = None;
    }
}

/// Leave an existing file alone, and fail with `EEXIST`.
pub const KCAP_OUTPUT_REFUSE: u32 = 0;
/// Empty an existing file and write over it. A device is written over without being emptied.
pub const KCAP_OUTPUT_OVERWRITE: u32 = 1;

/// A regular file or a block device that is written. It is closed by `kcap_output_close` or `kcap_output_discard`.
#[derive(Debug)]
pub struct kcap_output {
    output: Option<Output>,
}

/// The size of a `kcap_output`, in bytes.
#[unsafe(no_mangle)]
pub extern "C" fn kcap_output_size() -> usize {
    size_of::<kcap_output>()
}

/// What the address of a `kcap_output` must be a multiple of.
#[unsafe(no_mangle)]
pub extern "C" fn kcap_output_align() -> usize {
    align_of::<kcap_output>()
}

/// Opens the file at `name` for writing, in the `output_len` bytes at `output`; a new one is readable by its owner alone.
///
/// `exists` is one of the `KCAP_OUTPUT_` numbers. None of the `in_use_count` files at `in_use` is ever overwritten: give the inputs.
/// `error` may be NULL.
///
/// Errors: `KCAP_ERR_IO` (`code`: an `errno`; `EEXIST`, and `EINVAL` for a file that is in use), `KCAP_ERR_INVALID`,
/// `KCAP_ERR_BUFFER_TOO_SMALL`, `KCAP_ERR_NULL`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kcap_output_init(
    output: *mut kcap_output,
    output_len: usize,
    name: *const c_char,
    exists: u32,
    in_use: *const kcap_file_identity,
    in_use_count: usize,
    error: *mut kcap_error,
) -> kcap_status {
    answer(error, || {
        let place = ptr::object(output, output_len)?;
        let in_use = ptr::slice(in_use, in_use_count)?;
        let if_exists = match exists {
            KCAP_OUTPUT_REFUSE => IfExists::Refuse,
            KCAP_OUTPUT_OVERWRITE => IfExists::Overwrite,
            other => return Err(Failure::invalid("exists", other.into())),
        };
        let in_use: Vec<_> = in_use.iter().map(|file| (file.device, file.inode)).collect();
        let opened = Output::create(path(name)?, if_exists, &in_use).map_err(|error| system(&error))?;
        place.put(kcap_output { output: Some(opened) });
        Ok(())
    })
}

/// Answers a callback that writes.
fn written(output: Option<&mut dyn WriteAt>, call: impl FnOnce(&mut dyn WriteAt) -> Result<(), i32>) -> i32 {
    output.map_or(CLOSED, |output| call(output).err().unwrap_or(0))
}

/// Answers a callback that writes `bytes` at `offset`.
fn write_at(output: Option<&mut dyn WriteAt>, offset: u64, bytes: *const u8, len: usize) -> i32 {
    written(output, |output| output.write_at(offset, ptr::slice(bytes, len).map_err(|_| END_OF_FILE)?))
}

/// Writes callbacks that write the file to `writer`, for every function that takes an output. `output` is used for as long as
/// they are; their codes are `errno` numbers. `writer->sync` brings all to stable storage.
///
/// Errors: `KCAP_ERR_STATE` (closed), `KCAP_ERR_NULL`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kcap_output_writer(
    output: *mut kcap_output,
    writer: *mut kcap_write_at,
) -> kcap_status {
    fn file(ctx: *mut c_void) -> Option<&'static mut dyn WriteAt> {
        let output = ptr::get_mut(ctx.cast::<kcap_output>()).ok()?.output.as_mut()?;
        Some(output)
    }
    unsafe extern "C" fn write(ctx: *mut c_void, offset: u64, bytes: *const u8, len: usize) -> i32 {
        write_at(file(ctx), offset, bytes, len)
    }
    unsafe extern "C" fn sync(ctx: *mut c_void) -> i32 {
        written(file(ctx), |output| output.sync())
    }
    answer(core::ptr::null_mut(), || {
        ptr::get(output.cast_const())?.output.as_ref().ok_or(KCAP_ERR_STATE)?;
        ptr::out(writer)?.put(kcap_write_at {
            ctx: output.cast(),
            write_at: Some(write),
            sync: Some(sync),
            write_once: 0,
        });
        Ok(())
    })
}

/// Writes which file it is to `identity`.
///
/// Errors: `KCAP_ERR_STATE` (closed), `KCAP_ERR_NULL`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kcap_output_identity(
    output: *const kcap_output,
    identity: *mut kcap_file_identity,
) -> kcap_status {
    answer(core::ptr::null_mut(), || {
        let file = ptr::get(output)?.output.as_ref().ok_or(KCAP_ERR_STATE)?;
        ptr::out(identity)?.put(file.identity().into());
        Ok(())
    })
}

/// Closes the file, without bringing it to stable storage. A closed one may be closed again. NULL is nothing to close.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kcap_output_close(output: *mut kcap_output) {
    if let Ok(output) = ptr::get_mut(output) {
        output.output = None;
    }
}

/// Closes the file and gives it up: a regular one is removed. `error` may be NULL.
///
/// Errors: `KCAP_ERR_STATE` (closed), `KCAP_ERR_IO` (`code`: an `errno`), `KCAP_ERR_NULL`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kcap_output_discard(
    output: *mut kcap_output,
    error: *mut kcap_error,
) -> kcap_status {
    answer(error, || {
        let file = ptr::get_mut(output)?.output.take().ok_or(KCAP_ERR_STATE)?;
        file.discard().map_err(|error| system(&error))
    })
}

/// Standard output as an output whose offsets only grow, without gaps: give it to `kcap_flattened_writer_init`. It is closed by
/// `kcap_stream_close`.
#[derive(Debug)]
pub struct kcap_stream {
    stream: Option<Stream<Stdout>>,
}

/// The size of a `kcap_stream`, in bytes.
#[unsafe(no_mangle)]
pub extern "C" fn kcap_stream_size() -> usize {
    size_of::<kcap_stream>()
}

/// What the address of a `kcap_stream` must be a multiple of.
#[unsafe(no_mangle)]
pub extern "C" fn kcap_stream_align() -> usize {
    align_of::<kcap_stream>()
}

/// Starts at the first byte of standard output, in the `stream_len` bytes at `stream`. `error` may be NULL.
///
/// Errors: `KCAP_ERR_BUFFER_TOO_SMALL`, `KCAP_ERR_NULL`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kcap_stream_init(
    stream: *mut kcap_stream,
    stream_len: usize,
    error: *mut kcap_error,
) -> kcap_status {
    answer(error, || {
        let place = ptr::object(stream, stream_len)?;
        place.put(kcap_stream { stream: Some(Stream::new(std::io::stdout())) });
        Ok(())
    })
}

/// Writes callbacks that append to the stream to `writer`. `stream` is used for as long as they are; their codes are `errno` numbers.
/// `writer->sync` sends what is held.
///
/// Errors: `KCAP_ERR_STATE` (closed), `KCAP_ERR_NULL`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kcap_stream_writer(
    stream: *mut kcap_stream,
    writer: *mut kcap_write_at,
) -> kcap_status {
    fn pipe(ctx: *mut c_void) -> Option<&'static mut dyn WriteAt> {
        let stream = ptr::get_mut(ctx.cast::<kcap_stream>()).ok()?.stream.as_mut()?;
        Some(stream)
    }
    unsafe extern "C" fn write(ctx: *mut c_void, offset: u64, bytes: *const u8, len: usize) -> i32 {
        write_at(pipe(ctx), offset, bytes, len)
    }
    unsafe extern "C" fn sync(ctx: *mut c_void) -> i32 {
        written(pipe(ctx), |stream| stream.sync())
    }
    answer(core::ptr::null_mut(), || {
        ptr::get(stream.cast_const())?.stream.as_ref().ok_or(KCAP_ERR_STATE)?;
        ptr::out(writer)?.put(kcap_write_at {
            ctx: stream.cast(),
            write_at: Some(write),
            sync: Some(sync),
            write_once: 1,
        });
        Ok(())
    })
}

/// Sends what is held, and gives the stream up. `error` may be NULL.
///
/// Errors: `KCAP_ERR_STATE` (closed), `KCAP_ERR_IO` (`code`: an `errno`), `KCAP_ERR_NULL`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kcap_stream_close(stream: *mut kcap_stream, error: *mut kcap_error) -> kcap_status {
    answer(error, || {
        let mut stream = ptr::get_mut(stream)?.stream.take().ok_or(KCAP_ERR_STATE)?;
        stream.sync().map_err(|code| io(KCAP_ERR_IO, code))
    })
}

#[cfg(test)]
mod tests;
