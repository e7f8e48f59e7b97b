//! The compression of a payload. Decompression is the caller's.

use core::ffi::{CStr, c_char};

use kexec_core::image::Compression;

use crate::ptr;

/// How the payload of an image is compressed: one of the `KCAP_PAYLOAD_` numbers, 0 where that is not known.
pub type kcap_payload = u32;

/// gzip: `1f 8b`.
pub const KCAP_PAYLOAD_GZIP: kcap_payload = 1;
/// bzip2: `BZh`.
pub const KCAP_PAYLOAD_BZIP2: kcap_payload = 2;
/// lzma alone: `5d 00 00`.
pub const KCAP_PAYLOAD_LZMA: kcap_payload = 3;
/// xz: `fd 37 7a 58 5a 00`.
pub const KCAP_PAYLOAD_XZ: kcap_payload = 4;
/// lzop: `89 4c 5a 4f`.
pub const KCAP_PAYLOAD_LZO: kcap_payload = 5;
/// LZ4, the legacy frame that the kernel build makes: `02 21 4c 18`.
pub const KCAP_PAYLOAD_LZ4: kcap_payload = 6;
/// Zstandard: `28 b5 2f fd`.
pub const KCAP_PAYLOAD_ZSTD: kcap_payload = 7;

/// The number of a compression, 0 for none.
pub(super) fn number(compression: Option<Compression>) -> kcap_payload {
    match compression {
        Some(Compression::Gzip) => KCAP_PAYLOAD_GZIP,
        Some(Compression::Bzip2) => KCAP_PAYLOAD_BZIP2,
        Some(Compression::Lzma) => KCAP_PAYLOAD_LZMA,
        Some(Compression::Xz) => KCAP_PAYLOAD_XZ,
        Some(Compression::Lzo) => KCAP_PAYLOAD_LZO,
        Some(Compression::Lz4) => KCAP_PAYLOAD_LZ4,
        Some(Compression::Zstd) => KCAP_PAYLOAD_ZSTD,
        _ => 0,
    }
}

/// What the first of the `len` bytes at `data` say of their compression: a `KCAP_PAYLOAD_` number, 0 for none that is known.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kcap_payload_detect(data: *const u8, len: usize) -> kcap_payload {
    ptr::slice(data, len).map_or(0, |data| number(Compression::detect(data)))
}

/// The compression of the name that EFI zboot images use (`comp_type`), one of its names where it has several; 0 for none
/// that is known.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kcap_payload_of_name(name: *const c_char) -> kcap_payload {
    ptr::text(name).map_or(0, |name| number(Compression::from_name(name)))
}

/// The name of a compression: a string of the library's own, "unknown" for a number that is none.
#[unsafe(no_mangle)]
pub extern "C" fn kcap_payload_str(payload: kcap_payload) -> *const c_char {
    let name: &CStr = match payload {
        KCAP_PAYLOAD_GZIP => c"gzip",
        KCAP_PAYLOAD_BZIP2 => c"bzip2",
        KCAP_PAYLOAD_LZMA => c"lzma",
        KCAP_PAYLOAD_XZ => c"xzkern",
        KCAP_PAYLOAD_LZO => c"lzo",
        KCAP_PAYLOAD_LZ4 => c"lz4",
        KCAP_PAYLOAD_ZSTD => c"zstd",
        _ => c"unknown",
    };
    name.as_ptr()
}
