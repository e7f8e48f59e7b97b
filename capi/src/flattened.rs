//! Flattened streams: read in place, written, and made plain files of.

use core::ffi::c_void;

use vmcore_format::flattened::{Extent, Flattened, Rearrange, Writer};
use vmcore_format::{END_OF_FILE, ReadAt, WriteAt};

use crate::callback::{kcap_read_at, kcap_write_at, reader, writer};
use crate::error::{answer, kcap_error};
use crate::ptr;
use crate::status::{Failure, KCAP_END, KCAP_ERR_IO, KCAP_ERR_NOT_FOUND, KCAP_ERR_STATE, io, kcap_status};

/// The dump inside a flattened stream (makedumpfile -F), read in place as if it had been written plainly.
///
/// Threads may use one object at once if its input may be.
#[derive(Debug)]
pub struct kcap_flattened {
    flattened: Flattened<'static, kcap_read_at>,
}

/// The size of a `kcap_flattened`, in bytes.
#[unsafe(no_mangle)]
pub extern "C" fn kcap_flattened_size() -> usize {
    size_of::<kcap_flattened>()
}

/// What the address of a `kcap_flattened` must be a multiple of.
#[unsafe(no_mangle)]
pub extern "C" fn kcap_flattened_align() -> usize {
    align_of::<kcap_flattened>()
}

/// Opens the flattened stream that `input` holds, in the `flattened_len` bytes at `flattened`: reads every record's header, not
/// the data.
///
/// `table`, of `table_len` bytes and aligned to 8, takes 24 bytes for each record, and some more for records that overlap.
/// When `KCAP_ERR_BUFFER_TOO_SMALL` says how many bytes, a second answer may be higher than the first. `input` and `table` are used for
/// as long as the object is. `error` may be NULL.
///
/// Errors: `KCAP_ERR_BUFFER_TOO_SMALL` (bytes for `flattened`, or for `table`), `KCAP_ERR_UNSUPPORTED` (another format),
/// `KCAP_ERR_CORRUPT`, `KCAP_ERR_IO`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kcap_flattened_init(
    flattened: *mut kcap_flattened,
    flattened_len: usize,
    input: *const kcap_read_at,
    table: *mut c_void,
    table_len: usize,
    error: *mut kcap_error,
) -> kcap_status {
    answer(error, || {
        let place = ptr::object(flattened, flattened_len)?;
        let table = ptr::table(table, table_len, Extent::EMPTY)?;
        let input = reader(input)?;
        let flattened =
            Flattened::open(input, table).map_err(|error| Failure::from(error).in_entries_of::<Extent>())?;
        place.put(kcap_flattened { flattened });
        Ok(())
    })
}

/// What is known of a flattened stream. Set `size` before the call.
#[derive(Debug, Clone, Copy)]
#[repr(C)]
pub struct kcap_flattened_facts {
    /// `sizeof(kcap_flattened_facts)`.
    pub size: usize,
    /// The size of the dump inside, in bytes.
    pub dump_size: u64,
    /// The number of extents: see `kcap_flattened_get_extent`.
    pub extents: u64,
    /// 1 if the stream has its end record; 0 if its writer did not finish or it was cut off.
    pub complete: u32,
    /// 0.
    pub reserved: u32,
}

// SAFETY: `repr(C)`, begins with a `usize`, holds nothing but integers.
unsafe impl ptr::Growing for kcap_flattened_facts {}

/// Writes what is known of the stream to `facts`.
///
/// Errors: `KCAP_ERR_NULL`, `KCAP_ERR_LENGTH`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kcap_flattened_get_facts(
    flattened: *const kcap_flattened,
    facts: *mut kcap_flattened_facts,
) -> kcap_status {
    answer(core::ptr::null_mut(), || {
        let flattened = &ptr::get(flattened)?.flattened;
        ptr::out_growing(facts)?.put(&kcap_flattened_facts {
            size: 0,
            dump_size: flattened.size().unwrap_or(0),
            extents: u64::try_from(flattened.extents().len()).unwrap_or(u64::MAX),
            complete: flattened.complete().into(),
            reserved: 0,
        });
        Ok(())
    })
}

/// Bytes of a dump that stand together in a stream.
#[derive(Debug, Clone, Copy)]
#[repr(C)]
pub struct kcap_stream_extent {
    /// Where they start in the dump, in bytes.
    pub start: u64,
    /// Where they end in the dump, in bytes.
    pub end: u64,
    /// Where they start in the stream, in bytes; `UINT64_MAX` if the stream was cut off before them.
    pub source: u64,
}

/// Writes extent number `index`, in the order of the dump and from 0, to `extent`.
///
/// Errors: `KCAP_ERR_NOT_FOUND` past the last one, `KCAP_ERR_NULL`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kcap_flattened_get_extent(
    flattened: *const kcap_flattened,
    index: usize,
    extent: *mut kcap_stream_extent,
) -> kcap_status {
    answer(core::ptr::null_mut(), || {
        let flattened = &ptr::get(flattened)?.flattened;
        let place = ptr::out(extent)?;
        let found = flattened.extents().get(index).ok_or(KCAP_ERR_NOT_FOUND)?;
        let (range, source) = (found.range(), found.source().unwrap_or(u64::MAX));
        place.put(kcap_stream_extent { start: range.start, end: range.end, source });
        Ok(())
    })
}

/// Writes callbacks that read the dump inside `flattened` to `reader`, for every function that takes an input.
/// `flattened` is used for as long as they are.
///
/// Errors: `KCAP_ERR_NULL`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kcap_flattened_reader(
    flattened: *const kcap_flattened,
    reader: *mut kcap_read_at,
) -> kcap_status {
    unsafe extern "C" fn read_at(ctx: *mut c_void, offset: u64, buf: *mut u8, len: usize) -> i32 {
        let read = || -> Result<Result<(), i32>, Failure> {
            let flattened = &ptr::get(ctx.cast_const().cast::<kcap_flattened>())?.flattened;
            Ok(flattened.read_at(offset, ptr::slice_mut(buf, len)?))
        };
        match read() {
            Ok(done) => done.err().unwrap_or(0),
            Err(_) => END_OF_FILE,
        }
    }

    unsafe extern "C" fn size(ctx: *mut c_void) -> u64 {
        ptr::get(ctx.cast_const().cast::<kcap_flattened>())
            .ok()
            .and_then(|object| object.flattened.size())
            .unwrap_or(u64::MAX)
    }

    answer(core::ptr::null_mut(), || {
        ptr::get(flattened)?;
        let ctx = flattened.cast_mut().cast();
        ptr::out(reader)?.put(kcap_read_at { ctx, read_at: Some(read_at), size: Some(size) });
        Ok(())
    })
}

/// An output that becomes a flattened stream: for pipes, whose bytes are written in order only.
#[derive(Debug)]
pub struct kcap_flattened_writer {
    writer: Option<Writer<kcap_write_at>>,
}

/// The size of a `kcap_flattened_writer`, in bytes.
#[unsafe(no_mangle)]
pub extern "C" fn kcap_flattened_writer_size() -> usize {
    size_of::<kcap_flattened_writer>()
}

/// What the address of a `kcap_flattened_writer` must be a multiple of.
#[unsafe(no_mangle)]
pub extern "C" fn kcap_flattened_writer_align() -> usize {
    align_of::<kcap_flattened_writer>()
}

/// Starts a stream in `output`, in the `object_len` bytes at `object`: writes its header of 4096 bytes.
///
/// `output` is copied; it is written at offsets that grow from 0 without gaps. `error` may be NULL.
///
/// Errors: `KCAP_ERR_BUFFER_TOO_SMALL`, `KCAP_ERR_IO`, `KCAP_ERR_NULL`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kcap_flattened_writer_init(
    object: *mut kcap_flattened_writer,
    object_len: usize,
    output: *const kcap_write_at,
    error: *mut kcap_error,
) -> kcap_status {
    answer(error, || {
        let place = ptr::object(object, object_len)?;
        let inner = Writer::new(writer(output)?).map_err(|code| io(KCAP_ERR_IO, code))?;
        place.put(kcap_flattened_writer { writer: Some(inner) });
        Ok(())
    })
}

/// The size of the stream so far, in bytes; 0 for NULL and after its end.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kcap_flattened_writer_written(object: *const kcap_flattened_writer) -> u64 {
    let object = ptr::get(object).ok();
    object.and_then(|object| object.writer.as_ref()).map_or(0, Writer::stream_len)
}

fn with_stream(
    ctx: *mut c_void,
    call: impl FnOnce(&mut Writer<kcap_write_at>) -> Result<Result<(), i32>, Failure>,
) -> i32 {
    let stream =
        ptr::get_mut(ctx.cast::<kcap_flattened_writer>()).ok().and_then(|object| object.writer.as_mut());
    match stream.map(call) {
        Some(Ok(done)) => done.err().unwrap_or(0),
        _ => END_OF_FILE,
    }
}

/// Writes callbacks that append to the stream to `output`, for every function that takes an output; an offset may be written
/// once only. `object` is used for as long as they are.
///
/// Errors: `KCAP_ERR_NULL`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kcap_flattened_writer_output(
    object: *mut kcap_flattened_writer,
    output: *mut kcap_write_at,
) -> kcap_status {
    unsafe extern "C" fn write_at(ctx: *mut c_void, offset: u64, bytes: *const u8, len: usize) -> i32 {
        with_stream(ctx, |stream| Ok(stream.write_at(offset, ptr::slice(bytes, len)?)))
    }

    unsafe extern "C" fn sync(ctx: *mut c_void) -> i32 {
        with_stream(ctx, |stream| Ok(stream.sync()))
    }

    answer(core::ptr::null_mut(), || {
        ptr::get(object.cast_const())?;
        ptr::out(output)?.put(kcap_write_at {
            ctx: object.cast(),
            write_at: Some(write_at),
            sync: Some(sync),
            write_once: 1,
        });
        Ok(())
    })
}

/// Ends the stream with its end record. What it was written to is not synced. `error` may be NULL.
///
/// Errors: `KCAP_ERR_STATE` (it has ended, by an error too), `KCAP_ERR_IO`, `KCAP_ERR_NULL`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kcap_flattened_writer_finish(
    object: *mut kcap_flattened_writer,
    error: *mut kcap_error,
) -> kcap_status {
    answer(error, || {
        let stream = ptr::get_mut(object)?.writer.take().ok_or(KCAP_ERR_STATE)?;
        stream.finish().map(|_| ()).map_err(|code| io(KCAP_ERR_IO, code))
    })
}

/// The copying of the dump inside a flattened stream to a plain file.
#[derive(Debug)]
pub struct kcap_rearrange {
    rearrange: Rearrange<'static, kcap_read_at>,
}

/// The size of a `kcap_rearrange`, in bytes.
#[unsafe(no_mangle)]
pub extern "C" fn kcap_rearrange_size() -> usize {
    size_of::<kcap_rearrange>()
}

/// What the address of a `kcap_rearrange` must be a multiple of.
#[unsafe(no_mangle)]
pub extern "C" fn kcap_rearrange_align() -> usize {
    align_of::<kcap_rearrange>()
}

/// Prepares to copy the dump inside `flattened`, whose table and input are used for as long as the object is, in the
/// `rearrange_len` bytes at `rearrange`. `error` may be NULL.
///
/// Errors: `KCAP_ERR_BUFFER_TOO_SMALL`, `KCAP_ERR_NULL`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kcap_rearrange_init(
    rearrange: *mut kcap_rearrange,
    rearrange_len: usize,
    flattened: *const kcap_flattened,
    error: *mut kcap_error,
) -> kcap_status {
    answer(error, || {
        let place = ptr::object(rearrange, rearrange_len)?;
        place.put(kcap_rearrange { rearrange: Rearrange::new(&ptr::get(flattened)?.flattened) });
        Ok(())
    })
}

/// Copies at most `buf_len` bytes through `buf` to `output`, which must read as zero where nothing is written, as a new file
/// does. `KCAP_OK`: call again; `KCAP_END`: the output is whole. Bytes that the stream was cut off before are not written.
/// A failed step may be tried again. `error` may be NULL.
///
/// Errors: `KCAP_ERR_BUFFER_TOO_SMALL` (`buf` is empty), `KCAP_ERR_IO`, `KCAP_ERR_NULL`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kcap_rearrange_step(
    rearrange: *mut kcap_rearrange,
    output: *const kcap_write_at,
    buf: *mut u8,
    buf_len: usize,
    error: *mut kcap_error,
) -> kcap_status {
    answer(error, || {
        let rearrange = &mut ptr::get_mut(rearrange)?.rearrange;
        let mut output = writer(output)?;
        let buf = ptr::slice_mut(buf, buf_len)?;
        if rearrange.step(&mut output, buf)? { Err(KCAP_END.into()) } else { Ok(()) }
    })
}

/// The bytes copied so far; 0 for NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kcap_rearrange_done(rearrange: *const kcap_rearrange) -> u64 {
    ptr::get(rearrange).map_or(0, |object| object.rearrange.done())
}

#[cfg(test)]
mod tests;
