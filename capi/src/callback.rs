//! What the caller provides: bytes of files and of memory, a place for output and for a log.

// The only file that calls back into C.

use core::ffi::c_void;

use core::ops::Range;

use page_filter::{Fault, PhysMemory};
use vmcore_format::{POISONED, PageSize, Pfn, PhysAddr, ReadAt, WriteAt};

use crate::ptr;
use crate::status::{Failure, KCAP_ERR_NULL};

/// The code for a callback that is NULL: `EFAULT`. Tables are checked when they are given; they may not change afterwards.
const MISSING: i32 = 14;

/// What a callback's answer says.
const fn done(code: i32) -> Result<(), i32> {
    match code {
        0 => Ok(()),
        code => Err(code),
    }
}

/// What `kcap_phys_memory` callbacks answer where no memory is known at the address. Every other number but 0 is the caller's
/// own code.
pub const KCAP_FAULT_HOLE: i32 = 0x4000_0001;
/// As above: the memory was there and was left out.
pub const KCAP_FAULT_EXCLUDED: i32 = 0x4000_0002;
/// As above: the memory is damaged or missing in the file.
pub const KCAP_FAULT_LOST: i32 = 0x4000_0003;
/// As above, and what `kcap_read_at.read_at` answers too: the hardware reports the memory as broken (`EHWPOISON`, a machine
/// check). It is not read again.
pub const KCAP_FAULT_POISON: i32 = 0x4000_0004;
const _: () = assert!(KCAP_FAULT_POISON == POISONED);

/// Positional reads from a file, a block device or memory.
///
/// Where an object is used by several threads, its callbacks are called by several threads.
#[derive(Debug, Clone, Copy)]
#[repr(C)]
pub struct kcap_read_at {
    /// Given to every callback as it is.
    pub ctx: *mut c_void,
    /// Fills `buf` with the `len` bytes that start `offset` bytes into the input, all or nothing: 0, `KCAP_FAULT_POISON`, or the
    /// caller's own code, which comes back in `kcap_error.code`. May not be NULL.
    pub read_at: Option<unsafe extern "C" fn(ctx: *mut c_void, offset: u64, buf: *mut u8, len: usize) -> i32>,
    /// The input's size in bytes, or `UINT64_MAX` where it is not known. NULL: it is not known.
    pub size: Option<unsafe extern "C" fn(ctx: *mut c_void) -> u64>,
}

impl ReadAt for kcap_read_at {
    fn read_at(&self, offset: u64, buf: &mut [u8]) -> Result<(), i32> {
        let read_at = self.read_at.ok_or(MISSING)?;
        // SAFETY: whoever filled in the table vouches for the function; `buf` is as long as is said.
        done(unsafe { read_at(self.ctx, offset, buf.as_mut_ptr(), buf.len()) })
    }

    fn size(&self) -> Option<u64> {
        // SAFETY: whoever filled in the table vouches for the function.
        self.size.map(|size| unsafe { size(self.ctx) }).filter(|&size| size != u64::MAX)
    }
}

/// The input at `input`, with its callbacks.
pub(crate) fn reader(input: *const kcap_read_at) -> Result<&'static kcap_read_at, Failure> {
    let input = ptr::get(input)?;
    input.read_at.is_some().then_some(input).ok_or(KCAP_ERR_NULL.into())
}

/// Positional writes to a file, a block device or memory.
#[derive(Debug, Clone, Copy)]
#[repr(C)]
pub struct kcap_write_at {
    /// Given to every callback as it is.
    pub ctx: *mut c_void,
    /// Writes all of the `len` bytes at `bytes`, `offset` bytes into the output: 0, or the caller's own code, which comes
    /// back in `kcap_error.code`. May not be NULL.
    pub write_at:
        Option<unsafe extern "C" fn(ctx: *mut c_void, offset: u64, bytes: *const u8, len: usize) -> i32>,
    /// Returns when everything written so far is on stable storage: 0, or the caller's own code. NULL: nothing to do.
    pub sync: Option<unsafe extern "C" fn(ctx: *mut c_void) -> i32>,
    /// Not 0: an offset may be written once only, as on a pipe.
    pub write_once: i32,
}

impl WriteAt for kcap_write_at {
    fn write_at(&mut self, offset: u64, bytes: &[u8]) -> Result<(), i32> {
        let write_at = self.write_at.ok_or(MISSING)?;
        // SAFETY: whoever filled in the table vouches for the function; `bytes` is as long as is said.
        done(unsafe { write_at(self.ctx, offset, bytes.as_ptr(), bytes.len()) })
    }

    fn can_rewrite(&self) -> bool {
        self.write_once == 0
    }

    fn sync(&mut self) -> Result<(), i32> {
        // SAFETY: whoever filled in the table vouches for the function.
        self.sync.map_or(Ok(()), |sync| done(unsafe { sync(self.ctx) }))
    }
}

/// The output at `output`: its callbacks, by value.
pub(crate) fn writer(output: *const kcap_write_at) -> Result<kcap_write_at, Failure> {
    let output = *ptr::get(output)?;
    output.write_at.is_some().then_some(output).ok_or(KCAP_ERR_NULL.into())
}

/// Whom to tell of a new version of a `kcap_versioned_map`.
#[derive(Debug, Clone, Copy)]
#[repr(C)]
pub struct kcap_version_observer {
    /// Given to every callback as it is.
    pub ctx: *mut c_void,
    /// The map has a new version, `after`, in the place of `before`. Both are held while this runs, and the map may be used: to read them, to
    /// hold versions for longer, not for a change. May not be NULL.
    pub published: Option<
        unsafe extern "C" fn(
            ctx: *mut c_void,
            before: *const kcap_map_version,
            after: *const kcap_map_version,
        ),
    >,
}

impl kcap_version_observer {
    pub(crate) fn tell(&self, before: kcap_map_version, after: kcap_map_version) {
        if let Some(published) = self.published {
            // SAFETY: whoever filled in the table vouches for the function; the pointers are of values here.
            unsafe { published(self.ctx, &raw const before, &raw const after) }
        }
    }
}

/// The observer at `observer`, which may be NULL, by value: its callback may change what lies there.
pub(crate) fn observer(
    observer: *const kcap_version_observer,
) -> Result<Option<kcap_version_observer>, Failure> {
    if observer.is_null() {
        return Ok(None);
    }
    let observer = *ptr::get(observer)?;
    observer.published.is_some().then_some(Some(observer)).ok_or(KCAP_ERR_NULL.into())
}

/// A version of a `kcap_versioned_map` that is held.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[repr(C)]
pub struct kcap_map_version {
    /// The number of the version: a later one has a higher one.
    pub epoch: u64,
    /// Where the map keeps it.
    pub slot: u64,
}

/// Physical memory that is at hand as bytes.
#[derive(Debug, Clone, Copy)]
#[repr(C)]
pub struct kcap_physical_bytes {
    /// Given to every callback as it is.
    pub ctx: *mut c_void,
    /// The `len` bytes at the physical address `start`, which stay as they are for the call that asked; NULL where there are
    /// none. May not be NULL itself.
    pub bytes: Option<unsafe extern "C" fn(ctx: *mut c_void, start: u64, len: u64) -> *const u8>,
}

impl kcap_physical_bytes {
    /// The bytes, if they are there.
    pub(crate) fn bytes_at(&self, start: u64, len: u64) -> Option<&'static [u8]> {
        let bytes = self.bytes?;
        let count = usize::try_from(len).ok()?;
        // SAFETY: whoever filled in the table vouches for the function.
        let found = unsafe { bytes(self.ctx, start, len) };
        ptr::slice(found, count).ok()
    }
}

/// The memory at `memory`, with its callback.
pub(crate) fn memory_view(
    memory: *const kcap_physical_bytes,
) -> Result<&'static kcap_physical_bytes, Failure> {
    let memory = ptr::get(memory)?;
    memory.bytes.is_some().then_some(memory).ok_or(KCAP_ERR_NULL.into())
}

/// The memory of the crashed machine, as the caller reads it.
///
/// Where several objects are made of one table and used by several threads, its callbacks are called by several threads.
#[derive(Debug, Clone, Copy)]
#[repr(C)]
pub struct kcap_phys_memory {
    /// Given to every callback as it is.
    pub ctx: *mut c_void,
    /// The page size of the crashed machine in bytes: a power of two from 4096 to 65536.
    pub page_size: u64,
    /// Fills `buf` with the `len` bytes at physical address `addr`, which may span pages, all or nothing: 0, one of the
    /// `KCAP_FAULT_` numbers, or the caller's own code. May not be NULL.
    pub read: Option<unsafe extern "C" fn(ctx: *mut c_void, addr: u64, buf: *mut u8, len: usize) -> i32>,
    /// The `len` bytes at `addr` in place, until the next call of any of the callbacks; NULL where that cannot be done, and
    /// they are then read. NULL: never.
    pub view: Option<unsafe extern "C" fn(ctx: *mut c_void, addr: u64, len: usize) -> *const u8>,
    /// Writes the first run of page frames at or above `from` that the machine had, readable or not, to `start` and `end`, half
    /// open, and answers 0; both equal where there are no more. Otherwise a number as `read` answers. Neighbouring runs may come
    /// in pieces, never twice. May not be NULL.
    pub next_known:
        Option<unsafe extern "C" fn(ctx: *mut c_void, from: u64, start: *mut u64, end: *mut u64) -> i32>,
    /// As `next_known`, for the page frames whose bytes are there to be read. NULL: all of them.
    pub next_held:
        Option<unsafe extern "C" fn(ctx: *mut c_void, from: u64, start: *mut u64, end: *mut u64) -> i32>,
}

/// The callback that finds runs of page frames.
type NextRun = unsafe extern "C" fn(ctx: *mut c_void, from: u64, start: *mut u64, end: *mut u64) -> i32;

const fn memory_done(code: i32) -> Result<(), Fault> {
    match code {
        0 => Ok(()),
        KCAP_FAULT_HOLE => Err(Fault::Hole),
        KCAP_FAULT_EXCLUDED => Err(Fault::Excluded),
        KCAP_FAULT_LOST => Err(Fault::Lost),
        KCAP_FAULT_POISON => Err(Fault::Poison),
        code => Err(Fault::Code(code)),
    }
}

impl kcap_phys_memory {
    /// The run that `next` finds: none below `from`, and none that is empty.
    fn run(&self, next: Option<NextRun>, from: Pfn) -> Result<Option<Range<Pfn>>, Fault> {
        let next = next.ok_or(Fault::Code(MISSING))?;
        let (mut start, mut end) = (0, 0);
        // SAFETY: whoever filled in the table vouches for the function; both pointers are to numbers of this frame.
        memory_done(unsafe { next(self.ctx, from.0, &raw mut start, &raw mut end) })?;
        let start = start.max(from.0);
        Ok((start < end).then_some(Pfn(start)..Pfn(end)))
    }
}

impl PhysMemory for kcap_phys_memory {
    fn page_size(&self) -> PageSize {
        PageSize::new(self.page_size).unwrap_or(PageSize::KIB_4)
    }

    fn read(&mut self, addr: PhysAddr, buf: &mut [u8]) -> Result<(), Fault> {
        let read = self.read.ok_or(Fault::Code(MISSING))?;
        // SAFETY: whoever filled in the table vouches for the function; `buf` is as long as is said.
        memory_done(unsafe { read(self.ctx, addr.0, buf.as_mut_ptr(), buf.len()) })
    }

    fn view(&self, addr: PhysAddr, len: usize) -> Option<&[u8]> {
        // SAFETY: whoever filled in the table vouches for the function.
        let bytes = unsafe { self.view?(self.ctx, addr.0, len) };
        if bytes.is_null() { None } else { ptr::slice(bytes, len).ok() }
    }

    fn next_known(&mut self, from: Pfn) -> Result<Option<Range<Pfn>>, Fault> {
        self.run(self.next_known, from)
    }

    fn next_held(&mut self, from: Pfn) -> Result<Option<Range<Pfn>>, Fault> {
        self.run(self.next_held.or(self.next_known), from)
    }
}

/// Reads the crashed kernel's virtual memory, for its log.
#[derive(Debug, Clone, Copy)]
#[repr(C)]
pub struct kcap_log_reader {
    /// Given to the callback as it is.
    pub ctx: *mut c_void,
    /// Fills `buf` with the `len` bytes at virtual address `addr`, all or nothing: 0, one of the `KCAP_FAULT_` numbers, or the
    /// caller's own code. May not be NULL.
    pub read: Option<unsafe extern "C" fn(ctx: *mut c_void, addr: u64, buf: *mut u8, len: usize) -> i32>,
}

impl kcap_log_reader {
    pub(crate) fn read(&self, addr: u64, buf: &mut [u8]) -> Result<(), Fault> {
        let read = self.read.ok_or(Fault::Code(MISSING))?;
        // SAFETY: whoever filled in the table vouches for the function; `buf` is as long as is said.
        memory_done(unsafe { read(self.ctx, addr, buf.as_mut_ptr(), buf.len()) })
    }
}

/// The reader at `reader`, by value.
pub(crate) fn log_reader(reader: *const kcap_log_reader) -> Result<kcap_log_reader, Failure> {
    let reader = *ptr::get(reader)?;
    reader.read.is_some().then_some(reader).ok_or(KCAP_ERR_NULL.into())
}

/// The sink at `sink`, by value, if it has the callback that `has` asks for.
pub(crate) fn log_sink(
    sink: *const kcap_log_sink,
    has: impl FnOnce(&kcap_log_sink) -> bool,
) -> Result<kcap_log_sink, Failure> {
    let sink = *ptr::get(sink)?;
    has(&sink).then_some(sink).ok_or(KCAP_ERR_NULL.into())
}

/// The memory at `memory`: its callbacks, by value.
pub(crate) fn phys_memory(memory: *const kcap_phys_memory) -> Result<kcap_phys_memory, Failure> {
    let memory = *ptr::get(memory)?;
    (memory.read.is_some() && memory.next_known.is_some()).then_some(memory).ok_or(KCAP_ERR_NULL.into())
}

/// One record of the log.
#[derive(Debug, Clone, Copy)]
#[repr(C)]
pub struct kcap_log_record {
    /// The record's sequence number since boot, if `has_seq`.
    pub seq: u64,
    /// Time since boot in nanoseconds, if `has_ts`.
    pub ts_nsec: u64,
    /// The text without prefix and final newline, not NUL-terminated. It is used until the callback returns. Of a flat
    /// log, a piece of the ring that may begin and end anywhere.
    pub text: *const u8,
    /// The number of bytes at `text`.
    pub text_len: usize,
    /// The raw `caller_id`, if `has_caller`: a thread's number, or a CPU's with the top bit set.
    pub caller_id: u32,
    /// 1 if `seq` is known.
    pub has_seq: u32,
    /// 1 if `ts_nsec` is known. A flat log has its time stamps written out, if any.
    pub has_ts: u32,
    /// 1 if `caller_id` is known.
    pub has_caller: u32,
    /// 1 if the text was longer than the buffer and lacks its end.
    pub cut: u32,
    /// 0.
    pub reserved: u32,
}

/// Where the log of the crashed kernel goes. A callback that answers not 0 is called no more, and its answer comes back in
/// `kcap_error.code`.
#[derive(Debug, Clone, Copy)]
#[repr(C)]
pub struct kcap_log_sink {
    /// Given to every callback as it is.
    pub ctx: *mut c_void,
    /// Takes a record, which is used until the callback returns: 0, or the caller's own code. NULL where records are not read
    /// one by one.
    pub record: Option<unsafe extern "C" fn(ctx: *mut c_void, record: *const kcap_log_record) -> i32>,
    /// Takes `len` bytes of text: 0, or the caller's own code. NULL where no lines are written.
    pub text: Option<unsafe extern "C" fn(ctx: *mut c_void, bytes: *const u8, len: usize) -> i32>,
}

impl kcap_log_sink {
    pub(crate) fn record(&self, record: &kcap_log_record) -> i32 {
        // SAFETY: whoever filled in the table vouches for the function.
        self.record.map_or(MISSING, |take| unsafe { take(self.ctx, record) })
    }

    pub(crate) fn text(&self, bytes: &[u8]) -> i32 {
        // SAFETY: whoever filled in the table vouches for the function; `bytes` is as long as is said.
        self.text.map_or(MISSING, |take| unsafe { take(self.ctx, bytes.as_ptr(), bytes.len()) })
    }
}
