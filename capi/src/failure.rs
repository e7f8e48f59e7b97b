//! The errors of the capture side as statuses.

use page_filter::codec::DecodeError;
use page_filter::printk::LogError;
use page_filter::redact::RedactError;
use page_filter::{Fault, KernelError, VirtFault, dump};

use crate::status::{
    Failure, KCAP_ERR_BUFFER_TOO_SMALL, KCAP_ERR_EXCLUDED, KCAP_ERR_HOLE, KCAP_ERR_IO, KCAP_ERR_LOST,
    KCAP_ERR_NOT_MAPPED, KCAP_ERR_POISON, io,
};

impl From<Fault> for Failure {
    fn from(fault: Fault) -> Self {
        match fault {
            Fault::Hole => KCAP_ERR_HOLE.into(),
            Fault::Excluded => KCAP_ERR_EXCLUDED.into(),
            Fault::Poison => KCAP_ERR_POISON.into(),
            Fault::Code(code) => io(KCAP_ERR_IO, code),
            _ => KCAP_ERR_LOST.into(),
        }
    }
}

impl From<VirtFault> for Failure {
    fn from(fault: VirtFault) -> Self {
        match fault {
            VirtFault::NotMapped(addr) => Self { value: addr.0, ..KCAP_ERR_NOT_MAPPED.into() },
            VirtFault::Memory(fault) => fault.into(),
            _ => KCAP_ERR_NOT_MAPPED.into(),
        }
    }
}

impl From<RedactError> for Failure {
    fn from(error: RedactError) -> Self {
        match error {
            RedactError::BufferTooSmall { needed } => {
                Self { value: needed, ..KCAP_ERR_BUFFER_TOO_SMALL.into() }
            }
            RedactError::Range { start, .. } => Self::invalid("start", start),
            RedactError::Bitmap { first } => Self::invalid("first", first),
            RedactError::Virt(fault) => fault.into(),
            _ => Self::invalid("name", 0),
        }
    }
}

impl From<KernelError> for Failure {
    fn from(error: KernelError) -> Self {
        let status = Self::from(error.code());
        match error {
            KernelError::Unsupported { field, value } => Self { field: field.name(), value, ..status },
            KernelError::MissingKey(key) => Self { field: key.name(), ..status },
            KernelError::PageTables(fault) => Self { status: error.code(), ..fault.into() },
            _ => status,
        }
    }
}

impl From<LogError> for Failure {
    fn from(error: LogError) -> Self {
        let status = Self::from(error.code());
        match error {
            LogError::MissingKey { key } | LogError::Corrupt { key } => Self { field: key.name(), ..status },
            LogError::Unreadable { addr, fault } => {
                Self { value: addr.0, code: Self::from(fault).code, ..status }
            }
            _ => status,
        }
    }
}

impl From<DecodeError> for Failure {
    fn from(error: DecodeError) -> Self {
        error.code().into()
    }
}

impl From<dump::Error> for Failure {
    /// A size that is too small comes in the unit that the function said: words of a workspace, or bytes.
    fn from(error: dump::Error) -> Self {
        use dump::Error;
        let status = Self::from(error.code());
        match error {
            Error::BufferTooSmall { needed } => Self { value: needed, ..status },
            Error::Corrupt { field, offset } => Self { field: field.name(), offset, ..status },
            Error::Unsupported { field, value } => Self { field: field.name(), value, ..status },
            Error::Io { code } => io(error.code(), code),
            Error::Frames(fault) => Self { status: error.code(), ..fault.into() },
            Error::OutOfOrder { expected } => Self { value: expected, ..status },
            _ => status,
        }
    }
}

#[cfg(test)]
mod tests {
    use page_filter::Key;
    use vmcore_format::{Field, VirtAddr};

    use super::*;
    use crate::status::*;

    #[test]
    fn every_error_keeps_its_number_and_what_it_knows() {
        let not_mapped = VirtFault::NotMapped(VirtAddr(0x123));
        let told = |failure: Failure| (failure.status, failure.code, failure.value, failure.field);
        assert_eq!(told(Fault::Code(-5).into()), (KCAP_ERR_IO, -5, u64::MAX - 4, ""));
        assert_eq!(told(Fault::Poison.into()), (KCAP_ERR_POISON, 0, 0, ""));
        assert_eq!(told(Fault::Lost.into()), (KCAP_ERR_LOST, 0, 0, ""));
        assert_eq!(told(not_mapped.into()), (KCAP_ERR_NOT_MAPPED, 0, 0x123, ""));
        assert_eq!(told(KernelError::PageTables(not_mapped).into()), (KCAP_ERR_PAGE_TABLES, 0, 0x123, ""));
        let missing = KernelError::MissingKey(Key::Stext).into();
        assert_eq!(told(missing), (KCAP_ERR_MISSING_KEY, 0, 0, "SYMBOL(_stext)"));
        let unreadable = LogError::Unreadable { addr: VirtAddr(9), fault: Fault::Code(3) }.into();
        assert_eq!(told(unreadable), (KCAP_ERR_LOG_UNREADABLE, 3, 9, ""));
        assert_eq!(told(dump::Error::Frames(Fault::Code(7)).into()), (KCAP_ERR_FRAMES, 7, 7, ""));
        assert_eq!(told(dump::Error::OutOfOrder { expected: 4 }.into()), (KCAP_ERR_OUT_OF_ORDER, 0, 4, ""));
        let split = dump::Error::Unsupported { field: Field::Split, value: 3 }.into();
        assert_eq!(told(split), (KCAP_ERR_UNSUPPORTED, 0, 3, Field::Split.name()));
        assert_eq!(told(DecodeError::Unsupported.into()), (KCAP_ERR_PAGE_FEATURE, 0, 0, ""));
    }
}
