//! The headers of kdump-compressed files as bytes.

use vmcore_format::Pfn;
use vmcore_format::kdump::{
    Abi, DataModel, DiskDumpHeader, Geometry, PageDesc, Region, Status, SubHeader, Timestamp, UtsName,
};

use crate::error::{answer, kcap_error};
use crate::kdump::{
    KCAP_MODEL_I386, KCAP_MODEL_I386_TIME64, KCAP_MODEL_ILP32, KCAP_MODEL_ILP32_TIME64, KCAP_MODEL_LP64,
    kcap_kdump_header, kcap_kdump_part, kcap_kdump_region, kcap_page_desc, model_number,
};
use crate::machine::{self, endian, layout};
use crate::ptr;
use crate::status::{Failure, kcap_status};

fn abi(big_endian: u32, model: u32) -> Result<Abi, Failure> {
    let model = match model {
        KCAP_MODEL_LP64 => DataModel::Lp64,
        KCAP_MODEL_ILP32 => DataModel::Ilp32,
        KCAP_MODEL_ILP32_TIME64 => DataModel::Ilp32Time64,
        KCAP_MODEL_I386 => DataModel::I386,
        KCAP_MODEL_I386_TIME64 => DataModel::I386Time64,
        other => return Err(Failure::invalid("model", other.into())),
    };
    Ok(Abi { endian: endian(big_endian)?, model })
}

/// The data model in which to write the dump of a machine, a `KCAP_MODEL_` number: its own, with the `struct timeval` that readers
/// expect. `KCAP_MODEL_LP64` where `bits` is not 32.
#[unsafe(no_mangle)]
pub extern "C" fn kcap_kdump_model(e_machine: u32, bits: u32) -> u32 {
    match (layout(0, bits), machine::e_machine(e_machine)) {
        (Ok(layout), Ok(number)) => model_number(Abi::of_machine(layout, number).model),
        _ => KCAP_MODEL_LP64,
    }
}

/// Where the pieces of a kdump-compressed file are to stand, in bytes from its start.
#[derive(Debug, Clone, Copy, Default)]
#[repr(C)]
pub struct kcap_kdump_places {
    /// Where the sub-header starts.
    pub sub_header: u64,
    /// Where the notes start: directly after the sub-header.
    pub notes: u64,
    /// Where bitmap 1 starts (page frames that the machine had).
    pub bitmap_1: u64,
    /// Where bitmap 2 starts (page frames that are dumped).
    pub bitmap_2: u64,
    /// The size of each bitmap.
    pub bitmap_len: u64,
    /// Where the page descriptors start.
    pub page_descs: u64,
    /// Where the first byte of the pages' data goes.
    pub data: u64,
    /// The size of sub-header and notes together, in blocks.
    pub sub_hdr_size: u32,
    /// The size of both bitmaps together, in blocks.
    pub bitmap_blocks: u32,
}

/// Writes where the pieces of a version 6 file for `max_mapnr` page frames, `notes_len` bytes of notes and `held` dumped pages stand to
/// `places`. `error` may be NULL.
///
/// Errors: `KCAP_ERR_UNSUPPORTED` (the format cannot say it), `KCAP_ERR_INVALID`, `KCAP_ERR_NULL`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kcap_kdump_get_places(
    model: u32,
    page_size: u64,
    max_mapnr: u64,
    notes_len: u64,
    held: u64,
    places: *mut kcap_kdump_places,
    error: *mut kcap_error,
) -> kcap_status {
    answer(error, || {
        let place = ptr::out(places)?;
        let abi = abi(0, model)?;
        let geometry = Geometry::new(abi, machine::page_size(page_size)?, max_mapnr, notes_len)?;
        place.put(kcap_kdump_places {
            sub_header: geometry.sub_header(),
            notes: geometry.notes(abi),
            bitmap_1: geometry.bitmap_1(),
            bitmap_2: geometry.bitmap_2(),
            bitmap_len: geometry.bitmap_len(),
            page_descs: geometry.page_descs(),
            data: geometry.data(held)?,
            sub_hdr_size: geometry.sub_hdr_size(),
            bitmap_blocks: geometry.bitmap_blocks(),
        });
        Ok(())
    })
}

/// Writes the main header to the front of the `buf_len` bytes at `buf`, and its length, at most 464 bytes, to `len`. `error` may be
/// NULL.
///
/// Of `header`, `header_version`, `status`, `block_size`, the counts, the time, `utsname`, `big_endian` and `model` are written;
/// `max_mapnr` as far as 32 bits go.
///
/// Errors: `KCAP_ERR_BUFFER_TOO_SMALL`, `KCAP_ERR_INVALID`, `KCAP_ERR_UNSUPPORTED` (the time does not fit),
/// `KCAP_ERR_NULL`, `KCAP_ERR_LENGTH`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kcap_kdump_header_encode(
    header: *const kcap_kdump_header,
    buf: *mut u8,
    buf_len: usize,
    len: *mut usize,
    error: *mut kcap_error,
) -> kcap_status {
    answer(error, || {
        let told = ptr::read_growing(header)?;
        let (buf, place) = (ptr::slice_mut(buf, buf_len)?, ptr::out(len)?);
        let main = DiskDumpHeader {
            header_version: told.header_version,
            utsname: UtsName::from(&told.utsname),
            timestamp: Timestamp { sec: told.timestamp_sec, usec: told.timestamp_usec },
            status: Status(told.status),
            block_size: machine::page_size(told.block_size.into())?,
            sub_hdr_size: told.sub_hdr_size,
            bitmap_blocks: told.bitmap_blocks,
            max_mapnr: u32::try_from(told.max_mapnr).unwrap_or(u32::MAX),
            total_ram_blocks: told.total_ram_blocks,
            device_blocks: told.device_blocks,
            written_blocks: told.written_blocks,
            current_cpu: told.current_cpu,
            nr_cpus: told.nr_cpus,
        };
        place.put(main.encode(abi(told.big_endian, told.model)?, buf)?);
        Ok(())
    })
}

/// Writes the sub-header, in version 6, to the front of the `buf_len` bytes at `buf`, and its length, at most 104 bytes, to `len`.
/// `error` may be NULL.
///
/// Of `part`, all but `input` and `pfns` is written, and of its regions what the format has: offset and length.
///
/// Errors: `KCAP_ERR_BUFFER_TOO_SMALL`, `KCAP_ERR_INVALID`, `KCAP_ERR_UNSUPPORTED` (what does not fit in a 32-bit `long`),
/// `KCAP_ERR_NULL`, `KCAP_ERR_LENGTH`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kcap_kdump_sub_header_encode(
    part: *const kcap_kdump_part,
    big_endian: u32,
    model: u32,
    buf: *mut u8,
    buf_len: usize,
    len: *mut usize,
    error: *mut kcap_error,
) -> kcap_status {
    answer(error, || {
        let told = ptr::read_growing(part)?;
        let (buf, place) = (ptr::slice_mut(buf, buf_len)?, ptr::out(len)?);
        let region = |region: kcap_kdump_region| Region { offset: region.offset, len: region.len };
        let sub = SubHeader {
            phys_base: told.phys_base,
            dump_level: told.dump_level,
            split: told.split != 0,
            start_pfn: Pfn(told.start_pfn),
            end_pfn: Pfn(told.end_pfn),
            vmcoreinfo: region(told.vmcoreinfo),
            notes: region(told.notes),
            eraseinfo: region(told.eraseinfo),
            max_mapnr: told.max_mapnr,
        };
        place.put(sub.encode(abi(big_endian, model)?, buf)?);
        Ok(())
    })
}

/// The size of a page descriptor in the file, in bytes.
pub const KCAP_PAGE_DESC_LEN: usize = 24;
const _: () = assert!(KCAP_PAGE_DESC_LEN == PageDesc::ENCODED_LEN);

/// Writes the page descriptor `desc` to the front of the `buf_len` bytes at `buf`: `KCAP_PAGE_DESC_LEN` of them. `error` may be
/// NULL.
///
/// Errors: `KCAP_ERR_BUFFER_TOO_SMALL`, `KCAP_ERR_INVALID`, `KCAP_ERR_NULL`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kcap_page_desc_encode(
    desc: *const kcap_page_desc,
    big_endian: u32,
    buf: *mut u8,
    buf_len: usize,
    error: *mut kcap_error,
) -> kcap_status {
    answer(error, || {
        let &kcap_page_desc { offset, size, flags, page_flags } = ptr::get(desc)?;
        let buf = ptr::slice_mut(buf, buf_len)?;
        PageDesc { offset, size, flags, page_flags }.encode(endian(big_endian)?, buf)?;
        Ok(())
    })
}

/// Reads the page descriptor at the front of the `len` bytes at `bytes` to `desc`, as it is. `error` may be NULL.
///
/// Errors: `KCAP_ERR_CORRUPT` (`bytes` end early), `KCAP_ERR_INVALID`, `KCAP_ERR_NULL`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kcap_page_desc_parse(
    bytes: *const u8,
    len: usize,
    big_endian: u32,
    desc: *mut kcap_page_desc,
    error: *mut kcap_error,
) -> kcap_status {
    answer(error, || {
        let (bytes, place) = (ptr::slice(bytes, len)?, ptr::out(desc)?);
        place.put(PageDesc::parse(bytes, endian(big_endian)?)?.into());
        Ok(())
    })
}

#[cfg(test)]
mod tests;
