//! Failures of the load side: what they say to C.

use kexec_core::Error;
use kexec_core::check::Refusal;
use kexec_core::plan::PlanError;

use crate::status::{Failure, KCAP_ERR_REFUSED};

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        let status = Self::from(error.code());
        match error {
            Error::BufferTooSmall { needed } => Self { value: needed, ..status },
            Error::Corrupt { field, offset } => Self { field: field.name(), offset, ..status },
            Error::Unsupported { field, value } | Error::NotFound { field, value } => {
                Self { field: field.name(), value, ..status }
            }
            Error::CommandLineTooLong { len, .. } => Self { value: len, ..status },
            Error::UndefinedSymbol { index, offset } => Self { value: index.into(), offset, ..status },
            Error::RelocationOverflow { kind, offset } => Self { value: kind.into(), offset, ..status },
            Error::SymbolSize { size, .. } => Self { value: size, ..status },
            Error::Format(error) => error.into(),
            _ => status,
        }
    }
}

impl From<Refusal> for Failure {
    fn from(refusal: Refusal) -> Self {
        let errno = refusal.errno();
        Self { code: errno, value: i64::from(errno).cast_unsigned(), ..KCAP_ERR_REFUSED.into() }
    }
}

impl From<PlanError> for Failure {
    fn from(error: PlanError) -> Self {
        let status = Self::from(error.code());
        match error {
            PlanError::Input(error) => error.into(),
            PlanError::NoRoom { kind, size, .. } => Self { value: size, field: kind.name(), ..status },
            PlanError::ElfMagic { kind } => Self { field: kind.name(), ..status },
            PlanError::Refused { refusal, kind } => {
                Self { field: kind.map_or("", |kind| kind.name()), ..refusal.into() }
            }
            _ => status,
        }
    }
}

#[cfg(test)]
mod tests {
    use core::ffi::CStr;

    use kexec_core::Field;
    use kexec_core::map::Span;
    use kexec_core::segment::{Fixed, SegmentKind};

    use super::*;
    use crate::status::{KCAP_ERR_CORRUPT, KCAP_ERR_NO_ROOM, KCAP_ERR_SYMBOL_SIZE, kcap_status_str};

    fn known(failure: Failure) -> Failure {
        // SAFETY: the library's own string.
        let meaning = unsafe { CStr::from_ptr(kcap_status_str(failure.status)) };
        assert_ne!(meaning, c"unknown status", "{}", failure.status);
        failure
    }

    #[test]
    fn every_error_has_a_status_with_a_meaning() {
        let field = Field::Syssize;
        let corrupt = known(Error::Corrupt { field, offset: 0x1f4 }.into());
        assert_eq!((corrupt.status, corrupt.field, corrupt.offset), (KCAP_ERR_CORRUPT, "syssize", 0x1f4));
        let size = known(Error::SymbolSize { size: 344, given: 1 }.into());
        assert_eq!((size.status, size.value), (KCAP_ERR_SYMBOL_SIZE, 344));
        for error in [
            Error::BufferTooSmall { needed: 1 },
            Error::Unsupported { field, value: 1 },
            Error::CommandLineTooLong { len: 3, limit: 2 },
            Error::AddressesHidden,
            Error::UndefinedSymbol { index: 1, offset: 2 },
            Error::RelocationOverflow { kind: 1, offset: 2 },
            Error::NoSuchSymbol,
            Error::SymbolWithoutBytes,
            Error::Busy,
            Error::NotBegun,
            Error::NotFound { field, value: 1 },
            Error::Format(vmcore_format::Error::BufferTooSmall { needed: 1 }),
        ] {
            assert_eq!(known(error.into()).status, error.code());
        }
    }

    #[test]
    fn a_plan_says_which_segment() {
        let kind = SegmentKind::Fixed(Fixed::Initrd);
        let room = PlanError::NoRoom { kind, size: 4096, align: 1, limits: Span::new(0, 1) };
        let failure = known(room.into());
        assert_eq!((failure.status, failure.value, failure.field), (KCAP_ERR_NO_ROOM, 4096, "initrd"));
        let refused = PlanError::Refused { refusal: Refusal::NoCrashRegion, kind: Some(kind) };
        let failure = known(refused.into());
        assert_eq!((failure.value, failure.code, failure.field), (99, 99, "initrd"));
        for error in [
            PlanError::NoCrashRegion,
            PlanError::NoElfcorehdr,
            PlanError::KernelKind,
            PlanError::FiveLevelPaging,
            PlanError::NoLinux,
            PlanError::ElfcorehdrGiven,
            PlanError::ElfMagic { kind },
        ] {
            assert_eq!(known(error.into()).status, error.code());
        }
    }
}
