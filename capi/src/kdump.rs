//! Kdump-compressed files, and split sets of them.

use core::ffi::c_void;

use vmcore_format::kdump::{DataModel, Join, KdumpFile, PageDesc, Part, Region};
use vmcore_format::{Pfn, ReadAt};

use crate::callback::{kcap_read_at, kcap_write_at, reader, writer};
use crate::error::{answer, kcap_error};
use crate::machine::{big_endian, bits, kcap_pfn_range, kcap_utsname};
use crate::ptr::{self, Growing, Work, room};
use crate::status::{Failure, KCAP_END, KCAP_ERR_NOT_FOUND, kcap_status};

/// `flags` of `kcap_kdump_init`: files of the split set may be missing. Their pages are lost.
pub const KCAP_KDUMP_GAPS: u32 = 1;

/// A kdump-compressed file, or a split set of them.
///
/// One thread at a time: it keeps the last bytes read of each table. Threads that read pages make a `kcap_memory` each.
#[derive(Debug)]
pub struct kcap_kdump {
    pub(crate) file: KdumpFile<'static>,
    gaps: bool,
}

/// Opens the files `inputs` with tables in `work`, of which the rest becomes the index.
fn open(
    inputs: impl Iterator<Item = &'static dyn ReadAt> + Clone,
    gaps: bool,
    work: &mut Work,
    index: usize,
) -> Result<KdumpFile<'static>, Failure> {
    let first = inputs.clone().next().ok_or(Failure::invalid("input_count", 0))?;
    let parts = work.table(inputs.clone().count(), Part::new(first))?;
    parts.iter_mut().zip(inputs).for_each(|(part, input)| *part = Part::new(input));
    let index = work.table(index.min(work.left() >> 3), 0)?;
    Ok(if gaps { KdumpFile::open_with_gaps(parts, index) } else { KdumpFile::open(parts, index) }?)
}

/// Words of an index that makes looking back fast.
pub(crate) const INDEX: usize = 1024;

impl kcap_kdump {
    /// The bytes that [`again`](Self::again) takes without an index.
    pub(crate) fn tables(&self) -> usize {
        room::<Part<'static>>(self.file.parts().len())
    }

    /// Another reader of the same files, whose tables stand in `work`.
    pub(crate) fn again(&self, work: &mut Work) -> Result<KdumpFile<'static>, Failure> {
        open(self.file.parts().iter().map(Part::input), self.gaps, work, INDEX)
    }

    /// An object that is a second reader of what `file` reads.
    pub(crate) fn gaps(&self) -> bool {
        self.gaps
    }
}

/// The bytes that reading the files of `file` once more takes, and a reader of them.
pub(crate) fn reopen(
    file: &KdumpFile<'static>,
    gaps: bool,
    work: &mut Work,
) -> Result<KdumpFile<'static>, Failure> {
    open(file.parts().iter().map(Part::input), gaps, work, INDEX)
}

/// The size of a `kcap_kdump`, in bytes.
#[unsafe(no_mangle)]
pub extern "C" fn kcap_kdump_size() -> usize {
    size_of::<kcap_kdump>()
}

/// What the address of a `kcap_kdump` must be a multiple of.
#[unsafe(no_mangle)]
pub extern "C" fn kcap_kdump_align() -> usize {
    align_of::<kcap_kdump>()
}

/// The memory that a `kcap_kdump` of `input_count` files is best given, in bytes. It opens with 8 KiB less, and is slower
/// then.
#[unsafe(no_mangle)]
pub extern "C" fn kcap_kdump_work(input_count: usize) -> usize {
    room::<Part<'static>>(input_count).saturating_add(room::<u64>(INDEX))
}

/// Opens the `input_count` files at `inputs`, in any order: one kdump-compressed file, or all of a split set, in the
/// `kdump_len` bytes at `kdump`.
///
/// `work`, of `work_len` bytes (see `kcap_kdump_work`) and aligned to 8, and what `inputs` point at are used for as long as the
/// object is; `inputs` themselves are not. `flags`: 0 or `KCAP_KDUMP_GAPS`. `error` may be NULL.
///
/// Errors: `KCAP_ERR_BUFFER_TOO_SMALL` (bytes for `kdump`, or for `work`), `KCAP_ERR_INVALID`, `KCAP_ERR_UNSUPPORTED` (no
/// kdump-compressed file; "missing part": a file of the set was not given, `value` has its first page frame), `KCAP_ERR_CORRUPT`
/// (headers that make no sense, files of different dumps), `KCAP_ERR_IO`, `KCAP_ERR_NULL`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kcap_kdump_init(
    kdump: *mut kcap_kdump,
    kdump_len: usize,
    inputs: *const *const kcap_read_at,
    input_count: usize,
    flags: u32,
    work: *mut c_void,
    work_len: usize,
    error: *mut kcap_error,
) -> kcap_status {
    answer(error, || {
        let place = ptr::object(kdump, kdump_len)?;
        let inputs = ptr::slice(inputs, input_count)?;
        for input in inputs {
            reader(*input)?;
        }
        if flags & !KCAP_KDUMP_GAPS != 0 {
            return Err(Failure::invalid("flags", flags.into()));
        }
        let mut work = Work::new(work, work_len, room::<Part<'static>>(input_count))?;
        let dynamic = |input: &'static kcap_read_at| -> &'static dyn ReadAt { input };
        let readers = inputs.iter().filter_map(|input| reader(*input).ok()).map(dynamic);
        let gaps = flags & KCAP_KDUMP_GAPS != 0;
        let file = open(readers, gaps, &mut work, usize::MAX)?;
        place.put(kcap_kdump { file, gaps });
        Ok(())
    })
}

/// The data model of the program that wrote a file: 64-bit `long`.
pub const KCAP_MODEL_LP64: u32 = 0;
/// 32-bit `long`, 64-bit integers aligned to 8 bytes, `struct timeval` of 8 bytes.
pub const KCAP_MODEL_ILP32: u32 = 1;
/// As `KCAP_MODEL_ILP32`, with a `struct timeval` of 16 bytes.
pub const KCAP_MODEL_ILP32_TIME64: u32 = 2;
/// 32-bit `long`, 64-bit integers aligned to 4 bytes, `struct timeval` of 8 bytes.
pub const KCAP_MODEL_I386: u32 = 3;
/// As `KCAP_MODEL_I386`, with a `struct timeval` of 16 bytes.
pub const KCAP_MODEL_I386_TIME64: u32 = 4;

pub(crate) const fn model_number(model: DataModel) -> u32 {
    match model {
        DataModel::Lp64 => KCAP_MODEL_LP64,
        DataModel::Ilp32 => KCAP_MODEL_ILP32,
        DataModel::Ilp32Time64 => KCAP_MODEL_ILP32_TIME64,
        DataModel::I386 => KCAP_MODEL_I386,
        DataModel::I386Time64 => KCAP_MODEL_I386_TIME64,
    }
}

/// `kcap_kdump_header.status`: the dump was cut short.
pub const KCAP_KDUMP_INCOMPLETE: u32 = 8;
/// `kcap_kdump_header.status`: pages of `vmemmap` that describe only excluded pages were left out.
pub const KCAP_KDUMP_EXCLUDED_VMEMMAP: u32 = 0x10;

/// What the headers of a kdump-compressed file say; of a split set, those of its first file. Set `size` before the call.
#[derive(Debug, Clone, Copy)]
#[repr(C)]
pub struct kcap_kdump_header {
    /// `sizeof(kcap_kdump_header)`.
    pub size: usize,
    /// The number of page frames that the bitmaps describe: all of the dump are below it.
    pub max_mapnr: u64,
    /// When the kernel crashed, in seconds since 1970.
    pub timestamp_sec: i64,
    /// And microseconds; makedumpfile writes 0.
    pub timestamp_usec: i64,
    /// The kernel's `phys_base` as a two's complement number. QEMU writes a wrong one.
    pub phys_base: u64,
    /// Where bitmap 1 (page frames that the machine had) starts in each file, in bytes.
    pub bitmap_1: u64,
    /// Where bitmap 2 (page frames that were dumped) starts in each file, in bytes.
    pub bitmap_2: u64,
    /// The size of each bitmap, in bytes.
    pub bitmap_len: u64,
    /// Where the page descriptors start in each file, in bytes.
    pub page_descs: u64,
    /// The number of files.
    pub parts: u64,
    /// The version of the file's structures, 1 to 6.
    pub header_version: u32,
    /// A `KCAP_COMPRESSION_` number (what was asked for: single pages may be stored raw), and `KCAP_KDUMP_` bits of all files.
    pub status: u32,
    /// The page size of the dumped machine, in bytes.
    pub block_size: u32,
    /// The size of sub-header and notes together, in blocks.
    pub sub_hdr_size: u32,
    /// The size of both bitmaps together, in blocks.
    pub bitmap_blocks: u32,
    /// The number of CPUs that left an `NT_PRSTATUS` note.
    pub nr_cpus: u32,
    /// The dump level: `KCAP_LEVEL_` bits of what was left out.
    pub dump_level: u32,
    /// 1 if the file is one of a split set.
    pub split: u32,
    /// The byte order of the program that wrote the file: 1 for big-endian, 0 for little-endian.
    pub big_endian: u32,
    /// The bits of its `long`: 32 or 64.
    pub bits: u32,
    /// Its data model, a `KCAP_MODEL_` number.
    pub model: u32,
    /// `total_ram_blocks`; 0 in kdump files.
    pub total_ram_blocks: u32,
    /// `device_blocks`; 0 in kdump files.
    pub device_blocks: u32,
    /// `written_blocks`; 0 in kdump files.
    pub written_blocks: u32,
    /// `current_cpu`; 0 in kdump files.
    pub current_cpu: u32,
    /// The dumped kernel's name. QEMU fills in the machine only.
    pub utsname: kcap_utsname,
    /// 0.
    pub reserved: [u8; 6],
}

// SAFETY: `repr(C)`, begins with a `usize`, holds nothing but integers.
unsafe impl Growing for kcap_kdump_header {}

/// Writes what the headers of `kdump` say to `header`.
///
/// Errors: `KCAP_ERR_NULL`, `KCAP_ERR_LENGTH`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kcap_kdump_get_header(
    kdump: *const kcap_kdump,
    header: *mut kcap_kdump_header,
) -> kcap_status {
    answer(core::ptr::null_mut(), || {
        let file = &ptr::get(kdump)?.file;
        let (main, sub, abi, geometry) = (file.header(), file.sub_header(), file.abi(), file.geometry());
        ptr::out_growing(header)?.put(&kcap_kdump_header {
            size: 0,
            max_mapnr: file.max_mapnr(),
            timestamp_sec: main.timestamp.sec,
            timestamp_usec: main.timestamp.usec,
            phys_base: sub.phys_base,
            bitmap_1: geometry.bitmap_1(),
            bitmap_2: geometry.bitmap_2(),
            bitmap_len: geometry.bitmap_len(),
            page_descs: geometry.page_descs(),
            parts: u64::try_from(file.parts().len()).unwrap_or(u64::MAX),
            header_version: main.header_version,
            status: main.status.0,
            block_size: u32::try_from(main.block_size.bytes()).unwrap_or(0),
            sub_hdr_size: main.sub_hdr_size,
            bitmap_blocks: main.bitmap_blocks,
            nr_cpus: main.nr_cpus,
            dump_level: sub.dump_level,
            split: sub.split.into(),
            big_endian: big_endian(abi.endian),
            bits: bits(abi.layout().class),
            model: model_number(abi.model),
            total_ram_blocks: main.total_ram_blocks,
            device_blocks: main.device_blocks,
            written_blocks: main.written_blocks,
            current_cpu: main.current_cpu,
            utsname: (&main.utsname).into(),
            reserved: [0; 6],
        });
        Ok(())
    })
}

/// A region of one file of a set.
#[derive(Debug, Clone, Copy, Default)]
#[repr(C)]
pub struct kcap_kdump_region {
    /// Where it starts, in bytes from the start of the file.
    pub offset: u64,
    /// Its size in bytes.
    pub len: u64,
    /// The number of the file, in the order of page frames.
    pub part: u64,
}

/// The contents of the `PT_NOTE` segment.
pub const KCAP_KDUMP_NOTES: u32 = 0;
/// The VMCOREINFO text, which is also part of the notes.
pub const KCAP_KDUMP_VMCOREINFO: u32 = 1;
/// The text that says what was erased.
pub const KCAP_KDUMP_ERASEINFO: u32 = 2;

/// Writes where the region `which`, one of the three above, stands to `region`.
///
/// Errors: `KCAP_ERR_NOT_FOUND` where the dump has none, `KCAP_ERR_INVALID`, `KCAP_ERR_NULL`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kcap_kdump_get_region(
    kdump: *const kcap_kdump,
    which: u32,
    region: *mut kcap_kdump_region,
) -> kcap_status {
    answer(core::ptr::null_mut(), || {
        let file = &ptr::get(kdump)?.file;
        let place = ptr::out(region)?;
        let found = match which {
            KCAP_KDUMP_NOTES => file.notes(),
            KCAP_KDUMP_VMCOREINFO => file.vmcoreinfo(),
            KCAP_KDUMP_ERASEINFO => file.eraseinfo(),
            _ => return Err(Failure::invalid("which", which.into())),
        };
        let (part, Region { offset, len }) = found.ok_or(KCAP_ERR_NOT_FOUND)?;
        place.put(kcap_kdump_region { offset, len, part: u64::try_from(part).unwrap_or(u64::MAX) });
        Ok(())
    })
}

/// One file of a set. Set `size` before the call.
#[derive(Debug, Clone, Copy)]
#[repr(C)]
pub struct kcap_kdump_part {
    /// `sizeof(kcap_kdump_part)`.
    pub size: usize,
    /// The input that `kcap_kdump_init` was given for it.
    pub input: *const kcap_read_at,
    /// The page frames whose pages it holds. A file without any has its start at `max_mapnr`.
    pub pfns: kcap_pfn_range,
    /// `phys_base` of its own sub-header.
    pub phys_base: u64,
    /// `start_pfn` as its own sub-header has it.
    pub start_pfn: u64,
    /// `end_pfn` as its own sub-header has it.
    pub end_pfn: u64,
    /// `max_mapnr` as its own sub-header has it.
    pub max_mapnr: u64,
    /// The VMCOREINFO text, all zero where it has none; `part` is `index`.
    pub vmcoreinfo: kcap_kdump_region,
    /// The notes, as above.
    pub notes: kcap_kdump_region,
    /// What says what was erased, as above.
    pub eraseinfo: kcap_kdump_region,
    /// `dump_level` of its own sub-header.
    pub dump_level: u32,
    /// `split` of its own sub-header: 1 or 0.
    pub split: u32,
}

// SAFETY: `repr(C)`, begins with a `usize`, holds nothing but integers and a pointer that may be NULL.
unsafe impl Growing for kcap_kdump_part {}

/// Writes what is known of file number `index`, in the order of page frames, to `part`.
///
/// Errors: `KCAP_ERR_NOT_FOUND` past the last one, `KCAP_ERR_NULL`, `KCAP_ERR_LENGTH`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kcap_kdump_get_part(
    kdump: *const kcap_kdump,
    index: usize,
    part: *mut kcap_kdump_part,
) -> kcap_status {
    answer(core::ptr::null_mut(), || {
        let file = &ptr::get(kdump)?.file;
        let place = ptr::out_growing(part)?;
        let found = file.parts().get(index).ok_or(KCAP_ERR_NOT_FOUND)?;
        let sub = found.sub_header();
        let number = u64::try_from(index).unwrap_or(u64::MAX);
        let region = |Region { offset, len }: Region| kcap_kdump_region { offset, len, part: number };
        place.put(&kcap_kdump_part {
            size: 0,
            input: core::ptr::from_ref(found.input()).cast(),
            pfns: found.pfns().into(),
            phys_base: sub.phys_base,
            start_pfn: sub.start_pfn.0,
            end_pfn: sub.end_pfn.0,
            max_mapnr: sub.max_mapnr,
            vmcoreinfo: region(sub.vmcoreinfo),
            notes: region(sub.notes),
            eraseinfo: region(sub.eraseinfo),
            dump_level: sub.dump_level,
            split: sub.split.into(),
        });
        Ok(())
    })
}

/// Writes the first run of page frames at or above `from` that the machine had (bitmap 1) to `run`. `error` may be NULL.
///
/// Errors: `KCAP_END` if there are no more, `KCAP_ERR_CORRUPT`, `KCAP_ERR_IO`, `KCAP_ERR_NULL`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kcap_kdump_next_known(
    kdump: *mut kcap_kdump,
    from: u64,
    run: *mut kcap_pfn_range,
    error: *mut kcap_error,
) -> kcap_status {
    answer(error, || {
        let file = &mut ptr::get_mut(kdump)?.file;
        let place = ptr::out(run)?;
        place.put(file.next_known(Pfn(from))?.ok_or(KCAP_END)?.into());
        Ok(())
    })
}

/// Writes the first run of page frames at or above `from` that were dumped (bitmap 2) to `run`. `error` may be NULL.
///
/// Errors: `KCAP_END` if there are no more, `KCAP_ERR_CORRUPT`, `KCAP_ERR_IO`, `KCAP_ERR_NULL`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kcap_kdump_next_held(
    kdump: *mut kcap_kdump,
    from: u64,
    run: *mut kcap_pfn_range,
    error: *mut kcap_error,
) -> kcap_status {
    answer(error, || {
        let file = &mut ptr::get_mut(kdump)?.file;
        let place = ptr::out(run)?;
        place.put(file.next_held(Pfn(from))?.ok_or(KCAP_END)?.into());
        Ok(())
    })
}

/// Writes the number of dumped page frames below `pfn` to `count`; `UINT64_MAX` asks for all. `error` may be NULL.
///
/// Errors: `KCAP_ERR_CORRUPT`, `KCAP_ERR_IO`, `KCAP_ERR_NULL`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kcap_kdump_held_below(
    kdump: *mut kcap_kdump,
    pfn: u64,
    count: *mut u64,
    error: *mut kcap_error,
) -> kcap_status {
    answer(error, || {
        let file = &mut ptr::get_mut(kdump)?.file;
        let place = ptr::out(count)?;
        place.put(file.held_below(Pfn(pfn))?);
        Ok(())
    })
}

/// The descriptor of one dumped page.
#[derive(Debug, Clone, Copy, Default)]
#[repr(C)]
pub struct kcap_page_desc {
    /// Where the page's data start, in bytes from the start of the file.
    pub offset: u64,
    /// The size of the data in bytes, packed.
    pub size: u32,
    /// A `KCAP_COMPRESSION_` number.
    pub flags: u32,
    /// Meant for the kernel's page flags; every known writer puts 0.
    pub page_flags: u64,
}

impl From<PageDesc> for kcap_page_desc {
    fn from(PageDesc { offset, size, flags, page_flags }: PageDesc) -> Self {
        Self { offset, size, flags, page_flags }
    }
}

/// Writes the descriptor of page `pfn` to `desc`, and the number of the file that has its data to `part`. `error` may be
/// NULL.
///
/// Errors: `KCAP_ERR_NOT_FOUND` (the page was not dumped), `KCAP_ERR_CORRUPT` and `KCAP_ERR_UNSUPPORTED` (of this page alone; "page
/// data": it was to be dumped and its data are not there), `KCAP_ERR_IO`, `KCAP_ERR_NULL`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kcap_kdump_get_page_desc(
    kdump: *mut kcap_kdump,
    pfn: u64,
    part: *mut usize,
    desc: *mut kcap_page_desc,
    error: *mut kcap_error,
) -> kcap_status {
    answer(error, || {
        let file = &mut ptr::get_mut(kdump)?.file;
        let (part, place) = (ptr::out(part)?, ptr::out(desc)?);
        let (number, desc) = file.page_desc(Pfn(pfn))?.ok_or(KCAP_ERR_NOT_FOUND)?;
        part.put(number);
        place.put(desc.into());
        Ok(())
    })
}

/// Fills the `len` bytes at `buf` with bytes of file number `part`, as they are: a page's packed data, or a region. What
/// `buf` holds after an error is unspecified. `error` may be NULL.
///
/// Errors: `KCAP_ERR_CORRUPT` (the file ends before, or there is no such file), `KCAP_ERR_IO`, `KCAP_ERR_NULL`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kcap_kdump_read(
    kdump: *const kcap_kdump,
    part: usize,
    offset: u64,
    buf: *mut u8,
    len: usize,
    error: *mut kcap_error,
) -> kcap_status {
    answer(error, || {
        let file = &ptr::get(kdump)?.file;
        Ok(file.read_raw(part, offset, ptr::slice_mut(buf, len)?)?)
    })
}

/// The joining of a split set into one version 6 file. Pages are copied as they are, packed.
#[derive(Debug)]
pub struct kcap_kdump_join {
    join: Join<'static>,
}

/// The size of a `kcap_kdump_join`, in bytes.
#[unsafe(no_mangle)]
pub extern "C" fn kcap_kdump_join_size() -> usize {
    size_of::<kcap_kdump_join>()
}

/// What the address of a `kcap_kdump_join` must be a multiple of.
#[unsafe(no_mangle)]
pub extern "C" fn kcap_kdump_join_align() -> usize {
    align_of::<kcap_kdump_join>()
}

/// Prepares to join the files of `kdump`, in the `join_len` bytes at `join`.
///
/// `work`, of `work_len` bytes (`kcap_kdump_work` of the number of files) and aligned to 8, and the inputs of `kdump` are used for
/// as long as the object is; `kdump` itself is not. `error` may be NULL.
///
/// Errors: those of `kcap_kdump_init`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kcap_kdump_join_init(
    join: *mut kcap_kdump_join,
    join_len: usize,
    kdump: *const kcap_kdump,
    work: *mut c_void,
    work_len: usize,
    error: *mut kcap_error,
) -> kcap_status {
    answer(error, || {
        let place = ptr::object(join, join_len)?;
        let kdump = ptr::get(kdump)?;
        let mut work = Work::new(work, work_len, kdump.tables())?;
        place.put(kcap_kdump_join { join: Join::new(kdump.again(&mut work)?) });
        Ok(())
    })
}

/// Reads or writes at most `buf_len` bytes, through `buf` of 464 bytes at least. `KCAP_OK`: call again; `KCAP_END`: the output is
/// whole.
///
/// `output` must read as zero where nothing is written, as a new file does; the headers are written last. A failed step may
/// be tried again. `error` may be NULL.
///
/// Errors: `KCAP_ERR_BUFFER_TOO_SMALL`, `KCAP_ERR_CORRUPT` (the input ends in a bitmap, the notes or the data),
/// `KCAP_ERR_UNSUPPORTED` (the sizes do not fit in the format), `KCAP_ERR_IO`, `KCAP_ERR_NULL`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kcap_kdump_join_step(
    join: *mut kcap_kdump_join,
    output: *const kcap_write_at,
    buf: *mut u8,
    buf_len: usize,
    error: *mut kcap_error,
) -> kcap_status {
    answer(error, || {
        let join = &mut ptr::get_mut(join)?.join;
        let mut output = writer(output)?;
        let buf = ptr::slice_mut(buf, buf_len)?;
        if join.step(&mut output, buf)? { Err(KCAP_END.into()) } else { Ok(()) }
    })
}

/// How far joining is. Set `size` before the call.
#[derive(Debug, Clone, Copy)]
#[repr(C)]
pub struct kcap_join_progress {
    /// `sizeof(kcap_join_progress)`.
    pub size: usize,
    /// Bytes copied.
    pub done: u64,
    /// Bytes to copy; 0 until every descriptor was looked at.
    pub total: u64,
    /// 1 if pages are lost, as known so far.
    pub incomplete: u32,
    /// 0.
    pub reserved: u32,
}

// SAFETY: `repr(C)`, begins with a `usize`, holds nothing but integers.
unsafe impl Growing for kcap_join_progress {}

/// Writes how far joining is to `progress`.
///
/// Errors: `KCAP_ERR_NULL`, `KCAP_ERR_LENGTH`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kcap_kdump_join_get_progress(
    join: *const kcap_kdump_join,
    progress: *mut kcap_join_progress,
) -> kcap_status {
    answer(core::ptr::null_mut(), || {
        let join = &ptr::get(join)?.join;
        let (done, total) = join.progress();
        let incomplete = join.incomplete().into();
        ptr::out_growing(progress)?.put(&kcap_join_progress {
            size: 0,
            done,
            total,
            incomplete,
            reserved: 0,
        });
        Ok(())
    })
}

#[cfg(test)]
mod tests;
