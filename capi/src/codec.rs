//! Page codecs: one page of a dump packed and unpacked, each page by itself.

use core::ffi::c_void;

use page_filter::codec::{DecodeScratch, codec};
use vmcore_format::kdump::Compression;

use crate::error::{answer, kcap_error};
use crate::ptr;
use crate::status::{Failure, kcap_status};

/// How pages are packed: one of the `KCAP_COMPRESSION_` numbers, which are the bits of `page_desc.flags`.
pub type kcap_compression = u32;

/// Not at all: the page's bytes.
pub const KCAP_COMPRESSION_RAW: kcap_compression = 0;
/// A zlib stream (RFC 1950), with its header and checksum.
pub const KCAP_COMPRESSION_ZLIB: kcap_compression = 1;
/// An LZO1X block.
pub const KCAP_COMPRESSION_LZO: kcap_compression = 2;
/// A snappy block, without framing.
pub const KCAP_COMPRESSION_SNAPPY: kcap_compression = 4;
/// One Zstandard frame (RFC 8878).
pub const KCAP_COMPRESSION_ZSTD: kcap_compression = 0x20;

/// The longest page that is packed, in bytes.
pub const KCAP_PAGE_MAX: usize = 0x1_0000;
const _: () = assert!(KCAP_PAGE_MAX == page_filter::codec::MAX_PAGE_LEN);

pub(crate) fn compression(number: kcap_compression) -> Result<Compression, Failure> {
    Compression::from_flags(number).ok_or(Failure::invalid("compression", number.into()))
}

/// The scratch that `kcap_page_encode` needs for pages of `page_len` bytes, in bytes: at most 64 KiB for 4 KiB. 0 for an
/// unknown compression, and where none is needed.
#[unsafe(no_mangle)]
pub extern "C" fn kcap_page_encode_scratch(compression: kcap_compression, page_len: usize) -> usize {
    // The largest page decides what longer ones, which are never packed, would need.
    let words = Compression::from_flags(compression)
        .map_or(0, |known| codec(known).encode_scratch_words(page_len.min(KCAP_PAGE_MAX)));
    words.saturating_mul(size_of::<u32>())
}

/// Packs the `page_len` bytes at `page` into the front of the `out_len` bytes at `out`, and writes their number to `packed`.
///
/// 0 in `packed`: the result does not fit, store the page as it is. Give `out` the length that is still worth
/// storing, at most the page's. `scratch`, aligned to 4, has `kcap_page_encode_scratch` bytes and no content that matters. The result
/// depends on the page and on `out_len` alone. Threads may call it at once, with a scratch each. `error` may be NULL.
///
/// Errors: `KCAP_ERR_INVALID` (compression, or more than `KCAP_PAGE_MAX` bytes), `KCAP_ERR_BUFFER_TOO_SMALL` (scratch),
/// `KCAP_ERR_NULL`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kcap_page_encode(
    compression: kcap_compression,
    page: *const u8,
    page_len: usize,
    out: *mut u8,
    out_len: usize,
    scratch: *mut c_void,
    scratch_len: usize,
    packed: *mut usize,
    error: *mut kcap_error,
) -> kcap_status {
    answer(error, || {
        let place = ptr::out(packed)?;
        let codec = codec(self::compression(compression)?);
        let page = ptr::slice(page, page_len)?;
        let out = ptr::slice_mut(out, out_len)?;
        if page_len > KCAP_PAGE_MAX {
            return Err(Failure::invalid("page_len", u64::try_from(page_len).unwrap_or(u64::MAX)));
        }
        let needed = kcap_page_encode_scratch(compression, page_len);
        let scratch = ptr::table(scratch, scratch_len.min(needed), 0_u32)?;
        if size_of_val(scratch) < needed {
            return Err(Failure::too_small(needed));
        }
        place.put(codec.encode(page, out, scratch).unwrap_or(0));
        Ok(())
    })
}

/// What unpacking pages needs: tables of one page's codes, below 24 KiB. Of any compression, and with nothing kept from one
/// page to the next.
#[derive(Debug)]
pub struct kcap_page_decoder {
    scratch: DecodeScratch,
}

/// The size of a `kcap_page_decoder`, in bytes.
#[unsafe(no_mangle)]
pub extern "C" fn kcap_page_decoder_size() -> usize {
    size_of::<kcap_page_decoder>()
}

/// What the address of a `kcap_page_decoder` must be a multiple of.
#[unsafe(no_mangle)]
pub extern "C" fn kcap_page_decoder_align() -> usize {
    align_of::<kcap_page_decoder>()
}

/// Makes a decoder in the `decoder_len` bytes at `decoder`. `error` may be NULL.
///
/// Errors: `KCAP_ERR_BUFFER_TOO_SMALL`, `KCAP_ERR_NULL`, `KCAP_ERR_ALIGNMENT`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kcap_page_decoder_init(
    decoder: *mut kcap_page_decoder,
    decoder_len: usize,
    error: *mut kcap_error,
) -> kcap_status {
    answer(error, || {
        ptr::object(decoder, decoder_len)?.put(kcap_page_decoder { scratch: DecodeScratch::new() });
        Ok(())
    })
}

/// Unpacks the `packed_len` bytes at `packed` to the whole of the `page_len` bytes at `page`, whose content is unspecified
/// after an error. `error` may be NULL.
///
/// Errors: one of the `KCAP_ERR_PAGE_` statuses unless `packed` holds exactly one page; `KCAP_ERR_INVALID` (compression),
/// `KCAP_ERR_NULL`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kcap_page_decode(
    decoder: *mut kcap_page_decoder,
    compression: kcap_compression,
    packed: *const u8,
    packed_len: usize,
    page: *mut u8,
    page_len: usize,
    error: *mut kcap_error,
) -> kcap_status {
    answer(error, || {
        let decoder = ptr::get_mut(decoder)?;
        let packed = ptr::slice(packed, packed_len)?;
        let page = ptr::slice_mut(page, page_len)?;
        Ok(codec(self::compression(compression)?).decode(packed, page, &mut decoder.scratch)?)
    })
}

#[cfg(test)]
mod tests;
