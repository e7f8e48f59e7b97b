//! Which library this is, and what it was built with.

use core::ffi::{CStr, c_char};

use crate::ptr;

/// The version that this header describes, as `kcap_version` answers it.
pub const KCAP_VERSION: u32 = 0x0000_0100;

/// The library's version: major in bits 16 to 31, minor in bits 8 to 15, patch in bits 0 to 7.
///
/// Libraries of one major version serve programs built for an older minor one; before 1.0 the minor version counts
/// as the major.
#[unsafe(no_mangle)]
pub extern "C" fn kcap_version() -> u32 {
    KCAP_VERSION
}

/// The library's version in words, such as "0.1.0": a string of the library's own, never NULL.
#[unsafe(no_mangle)]
pub extern "C" fn kcap_version_str() -> *const c_char {
    const TEXT: &CStr = match CStr::from_bytes_with_nul(concat!(env!("CARGO_PKG_VERSION"), "\0").as_bytes()) {
        Ok(text) => text,
        Err(_) => c"",
    };
    TEXT.as_ptr()
}

/// Whether the library was built with a feature: 1 or 0 (0 for NULL too).
///
/// Features: "hosted" (files, system calls, what the running machine says of itself), "zlib", "lzo", "snappy", "zstd",
/// "load-x86_64" (the planner places kernels of this machine), "filter-x86_64" (pages of this machine are told apart).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kcap_has(feature: *const c_char) -> i32 {
    let Ok(feature) = ptr::text(feature) else { return 0 };
    const ALWAYS: [&[u8]; 6] = [b"zlib", b"lzo", b"snappy", b"zstd", b"load-x86_64", b"filter-x86_64"];
    i32::from(ALWAYS.contains(&feature) || (cfg!(feature = "hosted") && feature == b"hosted"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_numbers_say_what_the_words_say() {
        // SAFETY: the library's own string.
        let words = unsafe { CStr::from_ptr(kcap_version_str()) }.to_str().unwrap();
        let version = kcap_version();
        assert_eq!(words, std::format!("{}.{}.{}", version >> 16, version >> 8 & 0xff, version & 0xff));
    }

    #[test]
    fn features_are_known_by_name() {
        let has = |name: &CStr| {
            // SAFETY: a string of this function.
            unsafe { kcap_has(name.as_ptr()) }
        };
        assert_eq!((has(c"zlib"), has(c"zli"), has(c"zlib2"), has(c"")), (1, 0, 0, 0));
        assert_eq!(has(c"hosted"), i32::from(cfg!(feature = "hosted")));
        // SAFETY: NULL is none.
        assert_eq!(unsafe { kcap_has(core::ptr::null()) }, 0);
    }
}
