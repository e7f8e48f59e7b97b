//! The command line of the kernel that boots next, built in the caller's buffer.

use core::ffi::c_char;

use kexec_core::command_line::CommandLine;

use crate::error::{answer, kcap_error};
use crate::ptr;
use crate::status::kcap_status;
use crate::text::utf8;

/// A command line: the user's text and the parameters that a loader adds. It keeps its buffer.
///
/// Nothing is ever cut off: what does not fit is refused, and the command line is then as it was. Parameters are added at the
/// end, but before a ` -- `: what stands behind it the kernel hands to init unread.
#[derive(Debug)]
pub struct kcap_command_line {
    line: CommandLine<'static>,
}

/// The size of a `kcap_command_line`, in bytes.
#[unsafe(no_mangle)]
pub extern "C" fn kcap_command_line_size() -> usize {
    size_of::<kcap_command_line>()
}

/// What the address of a `kcap_command_line` must be a multiple of.
#[unsafe(no_mangle)]
pub extern "C" fn kcap_command_line_align() -> usize {
    align_of::<kcap_command_line>()
}

/// Starts a command line with the user's `text`, in the `line_len` bytes at `line`. White space at the ends of `text` is
/// left out, so `/proc/cmdline` may be given as it is read.
///
/// The `buf_len` bytes at `buf` take the command line, and are used for as long as `line` is. `error` may be NULL.
///
/// Errors: `KCAP_ERR_BUFFER_TOO_SMALL` (`value`: bytes for `line`, or for `buf`), `KCAP_ERR_NULL`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kcap_command_line_init(
    line: *mut kcap_command_line,
    line_len: usize,
    buf: *mut c_char,
    buf_len: usize,
    text: *const c_char,
    error: *mut kcap_error,
) -> kcap_status {
    answer(error, || {
        let place = ptr::object(line, line_len)?;
        let text = ptr::text(text)?;
        let buf = ptr::slice_mut(buf.cast::<u8>(), buf_len)?;
        place.put(kcap_command_line { line: CommandLine::new(buf, text)? });
        Ok(())
    })
}

/// Adds `name=value`, both in UTF-8.
///
/// Errors: `KCAP_ERR_BUFFER_TOO_SMALL` (`value`: bytes for the buffer), `KCAP_ERR_INVALID` for what is not UTF-8,
/// `KCAP_ERR_NULL`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kcap_command_line_add(
    line: *mut kcap_command_line,
    name: *const c_char,
    value: *const c_char,
    error: *mut kcap_error,
) -> kcap_status {
    answer(error, || {
        let line = ptr::get_mut(line)?;
        Ok(line.line.add(utf8(name, "name")?, utf8(value, "value")?)?)
    })
}

/// Adds a parameter as it stands in `text`, or several with spaces between them, in UTF-8.
///
/// Errors: as for `kcap_command_line_add`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kcap_command_line_add_text(
    line: *mut kcap_command_line,
    text: *const c_char,
    error: *mut kcap_error,
) -> kcap_status {
    answer(error, || {
        let line = ptr::get_mut(line)?;
        Ok(line.line.add_text(utf8(text, "text")?)?)
    })
}

/// The command line so far, without a NUL: its first byte in the buffer, and the number of bytes in `len`. NULL where
/// one of the two is NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kcap_command_line_bytes(
    line: *const kcap_command_line,
    len: *mut usize,
) -> *const c_char {
    let (Ok(line), Ok(place)) = (ptr::get(line), ptr::out(len)) else { return core::ptr::null() };
    let bytes = line.line.as_bytes();
    place.put(bytes.len());
    bytes.as_ptr().cast()
}

/// Whether the kernel reads a parameter of this name, in UTF-8, with or without a value: 1 or 0 (0 for NULL too).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kcap_command_line_has(line: *const kcap_command_line, name: *const c_char) -> i32 {
    let (Ok(line), Ok(name)) = (ptr::get(line), utf8(name, "name")) else { return 0 };
    line.line.has(name).into()
}

/// Refuses a command line that a kernel would cut off: `cmdline_size` bytes at most, its NUL not counted.
///
/// Errors: `KCAP_ERR_COMMAND_LINE_TOO_LONG` (`value`: its length), `KCAP_ERR_NULL`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kcap_command_line_check(
    line: *const kcap_command_line,
    cmdline_size: u64,
    error: *mut kcap_error,
) -> kcap_status {
    answer(error, || Ok(ptr::get(line)?.line.check(cmdline_size)?))
}

#[cfg(test)]
mod tests {
    #![expect(clippy::undocumented_unsafe_blocks, reason = "pointers to values here, or wrong on purpose")]

    use core::mem::MaybeUninit;
    use core::ptr::{null, null_mut};

    use super::*;
    use crate::status::{
        KCAP_ERR_BUFFER_TOO_SMALL, KCAP_ERR_COMMAND_LINE_TOO_LONG, KCAP_ERR_INVALID, KCAP_ERR_LENGTH,
        KCAP_ERR_NULL, KCAP_OK,
    };
    use crate::testing::no_error;

    #[test]
    fn parameters_stand_before_what_is_for_init() {
        let mut line = MaybeUninit::<kcap_command_line>::uninit();
        let mut buf = [0; 40];
        let mut error = no_error();
        let (at, size) = (line.as_mut_ptr(), kcap_command_line_size());
        let (buf, len) = (buf.as_mut_ptr(), buf.len());
        unsafe {
            let init = kcap_command_line_init(at, size, buf, len, c"quiet -- 1\n".as_ptr(), null_mut());
            assert_eq!(init, KCAP_OK);
            assert_eq!(
                kcap_command_line_add(at, c"elfcorehdr".as_ptr(), c"0x1000".as_ptr(), null_mut()),
                KCAP_OK
            );
            assert_eq!(kcap_command_line_add_text(at, c"a b".as_ptr(), null_mut()), KCAP_OK);
            let long = kcap_command_line_add_text(at, c"0123456789".as_ptr(), &raw mut error);
            assert_eq!((long, error.value), (KCAP_ERR_BUFFER_TOO_SMALL, 43));
            assert_eq!(kcap_command_line_add_text(at, c"\xff".as_ptr(), null_mut()), KCAP_ERR_INVALID);
            assert_eq!(kcap_command_line_add(at, c"a".as_ptr(), null(), null_mut()), KCAP_ERR_NULL);
            assert_eq!(kcap_command_line_add(at, null(), c"a".as_ptr(), null_mut()), KCAP_ERR_NULL);
            let mut len = 0;
            let text = kcap_command_line_bytes(at, &raw mut len);
            let text = core::slice::from_raw_parts(text.cast::<u8>(), len);
            assert_eq!(text, b"quiet elfcorehdr=0x1000 a b -- 1");
            assert_eq!(kcap_command_line_check(at, 32, null_mut()), KCAP_OK);
            let long = kcap_command_line_check(at, 31, &raw mut error);
            assert_eq!((long, error.value), (KCAP_ERR_COMMAND_LINE_TOO_LONG, 32));
            assert!(kcap_command_line_bytes(at, null_mut()).is_null());
            let has = |line, name| kcap_command_line_has(line, name);
            assert_eq!((has(at, c"elfcorehdr".as_ptr()), has(at, c"1".as_ptr())), (1, 0));
            assert_eq!((has(null(), c"a".as_ptr()), has(at, null())), (0, 0));
        }
    }

    #[test]
    fn wrong_pointers_and_lengths_are_found() {
        let mut line = MaybeUninit::<kcap_command_line>::uninit();
        let (at, size) = (line.as_mut_ptr(), kcap_command_line_size());
        let mut buf = [0; 4];
        let (buf, text) = (buf.as_mut_ptr(), c"quiet".as_ptr());
        unsafe {
            let init =
                |at, size, buf, len, text| kcap_command_line_init(at, size, buf, len, text, null_mut());
            assert_eq!(init(null_mut(), size, buf, 4, text), KCAP_ERR_NULL);
            assert_eq!(init(at, 0, buf, 4, text), KCAP_ERR_BUFFER_TOO_SMALL);
            assert_eq!(init(at, usize::MAX, buf, 4, text), KCAP_ERR_LENGTH);
            assert_eq!(init(at, size, null_mut(), 4, text), KCAP_ERR_NULL);
            assert_eq!(init(at, size, buf, 0, text), KCAP_ERR_BUFFER_TOO_SMALL);
            assert_eq!(init(at, size, buf, usize::MAX, text), KCAP_ERR_LENGTH);
            assert_eq!(init(at, size, buf, 4, null()), KCAP_ERR_NULL);
            assert_eq!(init(at, size, buf, 4, text), KCAP_ERR_BUFFER_TOO_SMALL);
            let mut len = 7;
            assert_eq!(kcap_command_line_add(null_mut(), text, text, null_mut()), KCAP_ERR_NULL);
            assert_eq!(kcap_command_line_add_text(null_mut(), text, null_mut()), KCAP_ERR_NULL);
            assert_eq!(kcap_command_line_check(null(), 1, null_mut()), KCAP_ERR_NULL);
            assert!(kcap_command_line_bytes(null(), &raw mut len).is_null());
        }
    }
}
