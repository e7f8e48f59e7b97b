//! What is known of a failure, and how every function answers.

use core::ffi::c_char;

use crate::ptr::{self, Growing};
use crate::status::{Failure, KCAP_OK, kcap_status};

/// Bytes of the name in `kcap_error`, its NUL among them.
pub const KCAP_FIELD_LEN: usize = 48;

/// What is known of a failure beyond its status. Set `size` before the call; on success nothing is written.
#[derive(Debug, Clone, Copy)]
#[repr(C)]
pub struct kcap_error {
    /// `sizeof(kcap_error)`.
    pub size: usize,
    /// The status that the function answered.
    pub status: kcap_status,
    /// The code of the operating system or of the callback, where there is one.
    pub code: i32,
    /// Where the field stands, in bytes from the start of the input.
    pub offset: u64,
    /// What the status says of it: bytes needed, the value of a field, a number.
    pub value: u64,
    /// The field's name in its format's own words, NUL-terminated, empty where there is none.
    pub field: [c_char; KCAP_FIELD_LEN],
}

// SAFETY: `repr(C)`, begins with a `usize`, holds nothing but integers.
unsafe impl Growing for kcap_error {}

impl Failure {
    fn describe(&self) -> kcap_error {
        kcap_error {
            size: 0,
            status: self.status,
            code: self.code,
            offset: self.offset,
            value: self.value,
            field: ptr::chars(self.field.as_bytes()),
        }
    }
}

/// Answers a call: `KCAP_OK`, or the failure, which is also described in `error` unless that is NULL.
pub(crate) fn answer(error: *mut kcap_error, call: impl FnOnce() -> Result<(), Failure>) -> kcap_status {
    match call() {
        Ok(()) => KCAP_OK,
        Err(failure) => {
            if let Ok(place) = ptr::out_growing(error) {
                place.put(&failure.describe());
            }
            failure.status
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::status::{KCAP_END, KCAP_ERR_IO, io};

    #[test]
    fn a_short_error_struct_takes_only_what_it_has() {
        let mut error = kcap_error { size: 16, status: -1, code: -1, offset: 7, value: 7, field: [7; 48] };
        let status = answer(&raw mut error, || Err(io(KCAP_ERR_IO, -5)));
        assert_eq!((status, error.status, error.code), (KCAP_ERR_IO, KCAP_ERR_IO, -5));
        assert_eq!((error.size, error.offset, error.value, error.field[0]), (16, 7, 7, 7));
        error.size = size_of::<kcap_error>();
        answer(&raw mut error, || Err(Failure::invalid("level", 99)));
        assert_eq!((error.value, error.code), (99, 0));
        assert_eq!(
            &error.field[..6],
            "level\0".bytes().map(|b| c_char::from_ne_bytes([b])).collect::<std::vec::Vec<_>>()
        );
    }

    #[test]
    fn no_error_struct_is_no_failure() {
        assert_eq!(answer(core::ptr::null_mut(), || Ok(())), KCAP_OK);
        assert_eq!(answer(core::ptr::null_mut(), || Err(KCAP_END.into())), KCAP_END);
    }
}
