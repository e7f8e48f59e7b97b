//! The crashed kernel's log.

use page_filter::printk::{Generation, Record, Tally, for_each_record, write_line};
use page_filter::{Fault, VirtFault};
use vmcore_format::{Layout, VirtAddr};

use crate::callback::{kcap_log_reader, kcap_log_record, kcap_log_sink, log_reader, log_sink};
use crate::error::{answer, kcap_error};
use crate::kernel::kcap_kernel;
use crate::machine::layout;
use crate::memory::kcap_memory;
use crate::ptr::{self, Growing};
use crate::status::{Failure, KCAP_ERR_IO, io, kcap_status};
use crate::vmcoreinfo::kcap_vmcoreinfo;

/// The size of a text buffer, in bytes, that no record outgrows.
pub const KCAP_LOG_TEXT: usize = 0xffff;
const _: () = assert!(KCAP_LOG_TEXT == page_filter::printk::LONGEST_TEXT);

impl From<&Record<'_>> for kcap_log_record {
    fn from(record: &Record<'_>) -> Self {
        Self {
            seq: record.seq.unwrap_or(0),
            ts_nsec: record.ts_nsec.unwrap_or(0),
            text: record.text.as_ptr(),
            text_len: record.text.len(),
            caller_id: record.caller_id.unwrap_or(0),
            has_seq: record.seq.is_some().into(),
            has_ts: record.ts_nsec.is_some().into(),
            has_caller: record.caller_id.is_some().into(),
            cut: record.cut.into(),
            reserved: 0,
        }
    }
}

/// The lockless ring buffer of Linux 5.10 and newer.
pub const KCAP_LOG_LOCKLESS: u32 = 0;
/// Records of variable length in `log_buf`, Linux 3.5 to 5.9.
pub const KCAP_LOG_STRUCTURED: u32 = 1;
/// Plain text in `log_buf`, before Linux 3.5.
pub const KCAP_LOG_FLAT: u32 = 2;

/// The outcome of a walk over the log. Set `size` before the call.
#[derive(Debug, Clone, Copy)]
#[repr(C)]
pub struct kcap_log_tally {
    /// `sizeof(kcap_log_tally)`.
    pub size: usize,
    /// Records visited.
    pub records: u64,
    /// Records that stand in the ring and could not be had.
    pub lost: u64,
    /// How this kernel keeps its log: one of the three numbers above.
    pub generation: u32,
    /// 0.
    pub reserved: u32,
}

// SAFETY: `repr(C)`, begins with a `usize`, holds nothing but integers.
unsafe impl Growing for kcap_log_tally {}

impl From<Tally> for kcap_log_tally {
    fn from(tally: Tally) -> Self {
        let generation = match tally.generation {
            Generation::Lockless => KCAP_LOG_LOCKLESS,
            Generation::Structured => KCAP_LOG_STRUCTURED,
            Generation::Flat => KCAP_LOG_FLAT,
        };
        Self { size: 0, records: tally.records, lost: tally.lost, generation, reserved: 0 }
    }
}

/// What reads the crashed kernel's virtual memory.
enum Reader {
    Kernel(&'static mut kcap_kernel, &'static mut kcap_memory),
    Callback(kcap_log_reader),
}

impl Reader {
    fn read(&mut self, addr: VirtAddr, buf: &mut [u8]) -> Result<(), Fault> {
        match self {
            Self::Callback(reader) => reader.read(addr.0, buf),
            Self::Kernel(kernel, memory) => {
                kernel.kernel.read_virt(*memory, addr, buf).map_err(|fault| match fault {
                    VirtFault::Memory(fault) => fault,
                    _ => Fault::Hole,
                })
            }
        }
    }
}

/// A walk over the log, each record given to `visit` until that answers a code.
fn walk(
    info: *const kcap_vmcoreinfo,
    layout: Layout,
    mut reader: Reader,
    text: *mut u8,
    text_len: usize,
    tally: *mut kcap_log_tally,
    visit: &mut dyn FnMut(&Record<'_>) -> i32,
) -> Result<(), Failure> {
    let info = &ptr::get(info)?.info;
    let text = ptr::slice_mut(text, text_len)?;
    let place = if tally.is_null() { None } else { Some(ptr::out_growing(tally)?) };
    let mut stopped = 0;
    let mut visit = |record: &Record<'_>| {
        if stopped == 0 {
            stopped = visit(record);
        }
    };
    let mut read = |addr: VirtAddr, buf: &mut [u8]| reader.read(addr, buf);
    let told = for_each_record(info, layout, &mut read, text, &mut visit)?;
    if stopped != 0 {
        return Err(io(KCAP_ERR_IO, stopped));
    }
    if let Some(place) = place {
        place.put(&told.into());
    }
    Ok(())
}

/// The reader that C names: the kernel's virtual addresses, or a callback.
fn reader_of(kernel: *mut kcap_kernel, memory: *mut kcap_memory) -> Result<(Layout, Reader), Failure> {
    let (kernel, memory) = (ptr::get_mut(kernel)?, ptr::get_mut(memory)?);
    Ok((kernel.kernel.layout(), Reader::Kernel(kernel, memory)))
}

/// Gives every record of the log of `kernel` to `sink->record`, oldest first.
///
/// `info` is the kernel's VMCOREINFO. `text`, of `text_len` bytes, holds one record's text at a time: `KCAP_LOG_TEXT` bytes hold any, longer
/// texts are cut. `tally` may be NULL. A record that cannot be read is counted as lost and does not end the walk. Records that were
/// given before an error are good. `error` may be NULL.
///
/// Errors: `KCAP_ERR_MISSING_KEY`, `KCAP_ERR_CORRUPT`, `KCAP_ERR_LOG_UNREADABLE`; `KCAP_ERR_IO` (the sink's own code);
/// `KCAP_ERR_NULL`, `KCAP_ERR_LENGTH`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kcap_log_read(
    info: *const kcap_vmcoreinfo,
    kernel: *mut kcap_kernel,
    memory: *mut kcap_memory,
    text: *mut u8,
    text_len: usize,
    sink: *const kcap_log_sink,
    tally: *mut kcap_log_tally,
    error: *mut kcap_error,
) -> kcap_status {
    answer(error, || {
        let (layout, reader) = reader_of(kernel, memory)?;
        let sink = log_sink(sink, |sink| sink.record.is_some())?;
        walk(info, layout, reader, text, text_len, tally, &mut |record| sink.record(&record.into()))
    })
}

/// As `kcap_log_read`, of any machine whose virtual memory `reader` reads: `big_endian` and `bits` are its byte order and the size
/// of its `long`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kcap_log_read_with(
    info: *const kcap_vmcoreinfo,
    reader: *const kcap_log_reader,
    big_endian: u32,
    bits: u32,
    text: *mut u8,
    text_len: usize,
    sink: *const kcap_log_sink,
    tally: *mut kcap_log_tally,
    error: *mut kcap_error,
) -> kcap_status {
    answer(error, || {
        let reader = Reader::Callback(log_reader(reader)?);
        let (layout, sink) = (layout(big_endian, bits)?, log_sink(sink, |sink| sink.record.is_some())?);
        walk(info, layout, reader, text, text_len, tally, &mut |record| sink.record(&record.into()))
    })
}

/// As `kcap_log_read`, and gives the records as text to `sink->text`, piece by piece: `[    1.234567] text` and a newline, as
/// vmcore-dmesg prints them. Bytes that are neither printable ASCII nor white space become `\xNN`. A flat log is given as it is.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kcap_log_write(
    info: *const kcap_vmcoreinfo,
    kernel: *mut kcap_kernel,
    memory: *mut kcap_memory,
    text: *mut u8,
    text_len: usize,
    sink: *const kcap_log_sink,
    tally: *mut kcap_log_tally,
    error: *mut kcap_error,
) -> kcap_status {
    answer(error, || {
        let (layout, reader) = reader_of(kernel, memory)?;
        let sink = log_sink(sink, |sink| sink.text.is_some())?;
        walk(info, layout, reader, text, text_len, tally, &mut |record| line(&sink, record))
    })
}

/// Writes one record as `kcap_log_write` does: for programs that hold back some of them.
///
/// Errors: `KCAP_ERR_IO` (the sink's own code), `KCAP_ERR_NULL`, `KCAP_ERR_LENGTH`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kcap_log_record_write(
    record: *const kcap_log_record,
    sink: *const kcap_log_sink,
) -> kcap_status {
    answer(core::ptr::null_mut(), || {
        let (record, sink) = (ptr::get(record)?, log_sink(sink, |sink| sink.text.is_some())?);
        let record = Record {
            seq: (record.has_seq != 0).then_some(record.seq),
            ts_nsec: (record.has_ts != 0).then_some(record.ts_nsec),
            caller_id: (record.has_caller != 0).then_some(record.caller_id),
            text: ptr::slice(record.text, record.text_len)?,
            cut: record.cut != 0,
        };
        match line(&sink, &record) {
            0 => Ok(()),
            code => Err(io(KCAP_ERR_IO, code)),
        }
    })
}

/// Writes a record as a line; the code of the sink, once it answers one.
fn line(sink: &kcap_log_sink, record: &Record<'_>) -> i32 {
    let mut code = 0;
    write_line(record, &mut |bytes| {
        if code == 0 {
            code = sink.text(bytes);
        }
    });
    code
}

#[cfg(test)]
mod tests;
