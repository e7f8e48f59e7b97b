//! Texts and bytes in buffers of the caller's.

use core::ffi::c_char;
use core::fmt::{self, Write as _};

use crate::ptr;
use crate::status::{Failure, KCAP_ERR_CORRUPT};

/// Counts the bytes of a text, and writes those that fit.
struct Line<'b> {
    buf: &'b mut [u8],
    len: usize,
}

impl fmt::Write for Line<'_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let free = self.buf.get_mut(self.len..).unwrap_or_default();
        if let Some(place) = free.get_mut(..text.len()) {
            place.copy_from_slice(text.as_bytes());
        }
        self.len = self.len.saturating_add(text.len());
        Ok(())
    }
}

/// Writes `text` and its NUL to the `len` bytes at `buf`, or nothing.
pub(crate) fn put_text(buf: *mut c_char, len: usize, text: impl fmt::Display) -> Result<(), Failure> {
    let buf = ptr::slice_mut(buf.cast::<u8>(), len)?;
    let mut counted = Line { buf: &mut [], len: 0 };
    let unwritable = Failure::from(KCAP_ERR_CORRUPT);
    write!(counted, "{text}\0").map_err(|_| unwritable)?;
    if counted.len > len {
        return Err(Failure::too_small(counted.len));
    }
    write!(Line { buf, len: 0 }, "{text}\0").map_err(|_| unwritable)
}

/// Text in UTF-8 from C; `parameter` is its name.
pub(crate) fn utf8(text: *const c_char, parameter: &'static str) -> Result<&'static str, Failure> {
    core::str::from_utf8(ptr::text(text)?)
        .map_err(|error| Failure::invalid(parameter, u64::try_from(error.valid_up_to()).unwrap_or(u64::MAX)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::status::{KCAP_ERR_BUFFER_TOO_SMALL, KCAP_ERR_INVALID, KCAP_ERR_LENGTH, KCAP_ERR_NULL};

    #[test]
    fn a_text_is_written_whole_or_not_at_all() {
        let mut buf = [0x55_u8; 8];
        for len in 0..5 {
            let failure = put_text(buf.as_mut_ptr().cast(), len, 1234).unwrap_err();
            assert_eq!((failure.status, failure.value), (KCAP_ERR_BUFFER_TOO_SMALL, 5));
            assert_eq!(buf, [0x55; 8]);
        }
        put_text(buf.as_mut_ptr().cast(), 5, 1234).unwrap();
        assert_eq!(&buf, b"1234\0\x55\x55\x55");
        let failure = put_text(core::ptr::null_mut(), 0, "").unwrap_err();
        assert_eq!((failure.status, failure.value), (KCAP_ERR_BUFFER_TOO_SMALL, 1));
        assert_eq!(put_text(core::ptr::null_mut(), 1, "").unwrap_err().status, KCAP_ERR_NULL);
        assert_eq!(put_text(buf.as_mut_ptr().cast(), usize::MAX, "").unwrap_err().status, KCAP_ERR_LENGTH);
    }

    #[test]
    fn what_is_no_text_says_where() {
        assert_eq!(utf8(c"a=b".as_ptr(), "value").unwrap(), "a=b");
        let failure = utf8(c"ab\xff".as_ptr(), "value").unwrap_err();
        assert_eq!((failure.status, failure.value, failure.field), (KCAP_ERR_INVALID, 2, "value"));
    }
}
