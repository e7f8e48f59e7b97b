//! Codes of the operating system in words.

use core::ffi::c_char;

use crate::error::answer;
use crate::status::kcap_status;
use crate::text::put_text;

/// Writes what a code of this library's files and system calls means, in English, to the `buf_len` bytes at `buf`,
/// NUL-terminated: an `errno`, or -1 past the end of a file. 128 bytes do.
///
/// Errors: `KCAP_ERR_BUFFER_TOO_SMALL`, `KCAP_ERR_NULL`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kcap_errno_str(code: i32, buf: *mut c_char, buf_len: usize) -> kcap_status {
    answer(core::ptr::null_mut(), || put_text(buf, buf_len, host::describe(code)))
}

#[cfg(test)]
mod tests {
    use core::ffi::CStr;
    use core::ptr::null_mut;

    use super::*;
    use crate::status::{KCAP_ERR_BUFFER_TOO_SMALL, KCAP_ERR_LENGTH, KCAP_ERR_NULL, KCAP_OK};

    #[test]
    fn codes_are_told() {
        let mut text = [0x55; 128];
        // SAFETY: all pointers are to what they say, or NULL.
        unsafe {
            assert_eq!(kcap_errno_str(28, text.as_mut_ptr(), 128), KCAP_OK);
            let told = CStr::from_ptr(text.as_ptr()).to_str().unwrap();
            assert!(told.starts_with("No space left on device"), "{told}");
            text = [0x55; 128];
            assert_eq!(kcap_errno_str(-1, text.as_mut_ptr(), 11), KCAP_ERR_BUFFER_TOO_SMALL);
            assert_eq!(text, [0x55; 128]);
            assert_eq!(kcap_errno_str(-1, text.as_mut_ptr(), 12), KCAP_OK);
            assert_eq!(CStr::from_ptr(text.as_ptr()), c"end of file");
            assert_eq!(kcap_errno_str(1, null_mut(), 128), KCAP_ERR_NULL);
            assert_eq!(kcap_errno_str(1, text.as_mut_ptr(), usize::MAX), KCAP_ERR_LENGTH);
        }
    }
}
