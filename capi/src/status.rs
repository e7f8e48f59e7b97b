//! What every function answers with.

use core::ffi::{CStr, c_char};

/// What became of a call: `KCAP_OK`, or one of the `KCAP_ERR_` numbers. Numbers never change; new ones may come.
pub type kcap_status = i32;

/// Done.
pub const KCAP_OK: kcap_status = 0;
/// A buffer or a piece of memory is too small: `kcap_error.value` has the bytes needed (or elements, where a function's comment
/// says so).
pub const KCAP_ERR_BUFFER_TOO_SMALL: kcap_status = 1;
/// The input contradicts its format, or ends inside a field: `kcap_error` names the field and its offset.
pub const KCAP_ERR_CORRUPT: kcap_status = 2;
/// The format allows it and this library does not: `kcap_error` names the field and its value.
pub const KCAP_ERR_UNSUPPORTED: kcap_status = 3;
/// A callback or the operating system failed: `kcap_error.code` has its own code, and `value` the same in two's complement.
pub const KCAP_ERR_IO: kcap_status = 4;
/// The table that says which page frames the input holds cannot be read.
pub const KCAP_ERR_FRAMES: kcap_status = 5;
/// A chunk was committed out of order: `kcap_error.value` has the number of the one that is due.
pub const KCAP_ERR_OUT_OF_ORDER: kcap_status = 6;
/// The memory changed while it was being saved.
pub const KCAP_ERR_CHANGED: kcap_status = 7;
/// The output would be larger than the limit that was set.
pub const KCAP_ERR_LIMIT: kcap_status = 8;
/// VMCOREINFO lacks a key: `kcap_error.field` names it.
pub const KCAP_ERR_MISSING_KEY: kcap_status = 16;
/// The page tables of the crashed kernel do not map themselves.
pub const KCAP_ERR_PAGE_TABLES: kcap_status = 17;
/// The log of the crashed kernel cannot be read.
pub const KCAP_ERR_LOG_UNREADABLE: kcap_status = 18;
/// The command line is longer than the kernel takes: `kcap_error.value` has its length.
pub const KCAP_ERR_COMMAND_LINE_TOO_LONG: kcap_status = 20;
/// `/proc/iomem` shows no addresses without `CAP_SYS_ADMIN`.
pub const KCAP_ERR_ADDRESSES_HIDDEN: kcap_status = 21;
/// An object uses a symbol that nothing defines.
pub const KCAP_ERR_UNDEFINED_SYMBOL: kcap_status = 30;
/// A value does not fit in the field that a relocation fills.
pub const KCAP_ERR_RELOCATION_OVERFLOW: kcap_status = 31;
/// An object defines no symbol of the name.
pub const KCAP_ERR_NO_SUCH_SYMBOL: kcap_status = 32;
/// The bytes for a symbol are not as many as the symbol has: `kcap_error.value` has its size.
pub const KCAP_ERR_SYMBOL_SIZE: kcap_status = 33;
/// A symbol has no bytes in the file.
pub const KCAP_ERR_SYMBOL_WITHOUT_BYTES: kcap_status = 34;
/// A version of the map is in the making, or readers hold as many as there is room for: try again.
pub const KCAP_ERR_BUSY: kcap_status = 35;
/// No version of the map is in the making.
pub const KCAP_ERR_NOT_BEGUN: kcap_status = 36;
/// No memory is set aside for a crash kernel (`crashkernel=`).
pub const KCAP_ERR_NO_CRASH_REGION: kcap_status = 40;
/// The elfcorehdr does not begin with the ELF magic.
pub const KCAP_ERR_NO_ELFCOREHDR: kcap_status = 41;
/// The kernel image is of a kind that cannot be placed.
pub const KCAP_ERR_KERNEL_KIND: kcap_status = 42;
/// The kernel cannot be entered with 5-level page tables, and the machine runs with them.
pub const KCAP_ERR_FIVE_LEVEL_PAGING: kcap_status = 43;
/// No free memory is left for a segment: `kcap_error.value` has the bytes that it needs, `field` its name.
pub const KCAP_ERR_NO_ROOM: kcap_status = 44;
/// A segment begins with the ELF magic: the kernel would take it for the elfcorehdr. `kcap_error.field` names it.
pub const KCAP_ERR_ELF_MAGIC: kcap_status = 45;
/// The running kernel would refuse the plan: `kcap_error.value` has the `errno` that it would answer.
pub const KCAP_ERR_REFUSED: kcap_status = 46;
/// The kernel is an ELF kernel of which nothing says that it is Linux: how it is entered is not known.
pub const KCAP_ERR_NO_LINUX: kcap_status = 47;
/// The command line has an `elfcorehdr=`, and the plan has to add its own.
pub const KCAP_ERR_ELFCOREHDR_GIVEN: kcap_status = 48;
/// A compressed page ends too early.
pub const KCAP_ERR_PAGE_TRUNCATED: kcap_status = 50;
/// A compressed page is corrupt.
pub const KCAP_ERR_PAGE_CORRUPT: kcap_status = 51;
/// A compressed page does not decompress to one page.
pub const KCAP_ERR_PAGE_LENGTH: kcap_status = 52;
/// Bytes follow a compressed page.
pub const KCAP_ERR_PAGE_TRAILING_BYTES: kcap_status = 53;
/// A compressed page has a wrong checksum.
pub const KCAP_ERR_PAGE_CHECKSUM: kcap_status = 54;
/// A compressed page needs a feature of its format that this library does not have.
pub const KCAP_ERR_PAGE_FEATURE: kcap_status = 55;
/// A pointer is NULL that may not be.
pub const KCAP_ERR_NULL: kcap_status = 60;
/// A pointer is not aligned for what it points at.
pub const KCAP_ERR_ALIGNMENT: kcap_status = 61;
/// A length or a struct's own size is one that no object can have.
pub const KCAP_ERR_LENGTH: kcap_status = 62;
/// A number is none of those that the parameter takes: `kcap_error.value` has it, `field` names the parameter.
pub const KCAP_ERR_INVALID: kcap_status = 63;
/// What was asked for is not there.
pub const KCAP_ERR_NOT_FOUND: kcap_status = 64;
/// The object is not in the state that the call needs.
pub const KCAP_ERR_STATE: kcap_status = 65;
/// There is nothing left: the end of a list, not a failure.
pub const KCAP_END: kcap_status = 66;
/// No memory is known at the address.
pub const KCAP_ERR_HOLE: kcap_status = 70;
/// The memory was left out when the dump was made.
pub const KCAP_ERR_EXCLUDED: kcap_status = 71;
/// The page was to be saved, and is damaged or missing in the file.
pub const KCAP_ERR_LOST: kcap_status = 72;
/// A virtual address is not mapped: `kcap_error.value` has the address.
pub const KCAP_ERR_NOT_MAPPED: kcap_status = 73;
/// The hardware reports the memory as broken.
pub const KCAP_ERR_POISON: kcap_status = 74;
/// The data of a page overlap those of another one, and are not the same.
pub const KCAP_ERR_OVERLAP: kcap_status = 75;

/// What a status means, in English: a string of the library's own, NUL-terminated, never NULL.
#[unsafe(no_mangle)]
pub extern "C" fn kcap_status_str(status: kcap_status) -> *const c_char {
    meaning(status).as_ptr()
}

const fn meaning(status: kcap_status) -> &'static CStr {
    match status {
        KCAP_OK => c"done",
        KCAP_ERR_BUFFER_TOO_SMALL => c"the buffer is too small",
        KCAP_ERR_CORRUPT => c"the input is corrupt",
        KCAP_ERR_UNSUPPORTED => c"not supported",
        KCAP_ERR_IO => c"input/output error",
        KCAP_ERR_FRAMES => c"the table of page frames cannot be read",
        KCAP_ERR_OUT_OF_ORDER => c"another chunk is due",
        KCAP_ERR_CHANGED => c"the memory changed while it was being saved",
        KCAP_ERR_LIMIT => c"the size limit is reached",
        KCAP_ERR_MISSING_KEY => c"VMCOREINFO lacks a key",
        KCAP_ERR_PAGE_TABLES => c"the page tables do not map themselves",
        KCAP_ERR_LOG_UNREADABLE => c"the kernel log cannot be read",
        KCAP_ERR_COMMAND_LINE_TOO_LONG => c"the command line is longer than the kernel takes",
        KCAP_ERR_ADDRESSES_HIDDEN => c"/proc/iomem shows no addresses without CAP_SYS_ADMIN",
        KCAP_ERR_UNDEFINED_SYMBOL => c"the object uses a symbol that nothing defines",
        KCAP_ERR_RELOCATION_OVERFLOW => c"a relocation is out of range",
        KCAP_ERR_NO_SUCH_SYMBOL => c"the object does not define the symbol",
        KCAP_ERR_SYMBOL_SIZE => c"the symbol has another size",
        KCAP_ERR_SYMBOL_WITHOUT_BYTES => c"the symbol has no bytes in the file",
        KCAP_ERR_BUSY => c"the map is being changed, or readers hold all versions there is room for",
        KCAP_ERR_NOT_BEGUN => c"no version of the map is in the making",
        KCAP_ERR_NO_CRASH_REGION => c"no memory is set aside for a crash kernel (crashkernel=)",
        KCAP_ERR_NO_ELFCOREHDR => c"the elfcorehdr does not begin with the ELF magic",
        KCAP_ERR_KERNEL_KIND => c"the kernel image is of a kind that cannot be placed",
        KCAP_ERR_FIVE_LEVEL_PAGING => c"the kernel cannot be entered with 5-level page tables",
        KCAP_ERR_NO_ROOM => c"no room for a segment",
        KCAP_ERR_ELF_MAGIC => c"a segment begins with the ELF magic",
        KCAP_ERR_REFUSED => c"the running kernel would refuse this",
        KCAP_ERR_NO_LINUX => c"the ELF kernel does not say that it is Linux",
        KCAP_ERR_ELFCOREHDR_GIVEN => c"the command line has an elfcorehdr= of its own",
        KCAP_ERR_PAGE_TRUNCATED => c"the compressed page ends too early",
        KCAP_ERR_PAGE_CORRUPT => c"the compressed page is corrupt",
        KCAP_ERR_PAGE_LENGTH => c"the compressed page is not one page long",
        KCAP_ERR_PAGE_TRAILING_BYTES => c"bytes follow the compressed page",
        KCAP_ERR_PAGE_CHECKSUM => c"the compressed page has a wrong checksum",
        KCAP_ERR_PAGE_FEATURE => c"the compressed page needs a feature that is not supported",
        KCAP_ERR_NULL => c"a pointer is NULL",
        KCAP_ERR_ALIGNMENT => c"a pointer is not aligned",
        KCAP_ERR_LENGTH => c"a length that no object can have",
        KCAP_ERR_INVALID => c"a number that the parameter does not take",
        KCAP_ERR_NOT_FOUND => c"not there",
        KCAP_ERR_STATE => c"not in the state for this call",
        KCAP_END => c"the end",
        KCAP_ERR_HOLE => c"no memory at the address",
        KCAP_ERR_EXCLUDED => c"left out when the dump was made",
        KCAP_ERR_LOST => c"the page is lost",
        KCAP_ERR_NOT_MAPPED => c"the virtual address is not mapped",
        KCAP_ERR_POISON => c"the memory is broken",
        KCAP_ERR_OVERLAP => c"the data of the page overlap those of another",
        _ => c"unknown status",
    }
}

/// Why a function failed.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Failure {
    pub(crate) status: kcap_status,
    pub(crate) code: i32,
    pub(crate) offset: u64,
    pub(crate) value: u64,
    pub(crate) field: &'static str,
}

impl Failure {
    /// Too few bytes were given.
    pub(crate) fn too_small(needed: usize) -> Self {
        Self { value: u64::try_from(needed).unwrap_or(u64::MAX), ..KCAP_ERR_BUFFER_TOO_SMALL.into() }
    }

    /// A parameter has a value that it does not take.
    pub(crate) fn invalid(parameter: &'static str, value: u64) -> Self {
        Self { value, field: parameter, ..KCAP_ERR_INVALID.into() }
    }

    /// A table of `T` is too small: entries become bytes.
    pub(crate) fn in_entries_of<T>(self) -> Self {
        let entry = u64::try_from(size_of::<T>()).unwrap_or(u64::MAX);
        match self.status {
            KCAP_ERR_BUFFER_TOO_SMALL => Self { value: self.value.saturating_mul(entry), ..self },
            _ => self,
        }
    }
}

impl From<kcap_status> for Failure {
    fn from(status: kcap_status) -> Self {
        Self { status, code: 0, offset: 0, value: 0, field: "" }
    }
}

/// The code of a callback, and the same in two's complement.
pub(crate) fn io(status: kcap_status, code: i32) -> Failure {
    Failure { code, value: i64::from(code).cast_unsigned(), ..status.into() }
}

impl From<vmcore_format::Error> for Failure {
    fn from(error: vmcore_format::Error) -> Self {
        use vmcore_format::Error;
        let status = Self::from(error.code());
        match error {
            Error::BufferTooSmall { needed } => Self { value: needed, ..status },
            Error::Corrupt { field, offset } => Self { field: field.name(), offset, ..status },
            Error::Unsupported { field, value } => Self { field: field.name(), value, ..status },
            Error::Io { code } => io(error.code(), code),
            _ => status,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_status_has_a_meaning_of_its_own() {
        let known: std::vec::Vec<_> = (-10..1000).filter(|&s| meaning(s) != c"unknown status").collect();
        assert_eq!(known.len(), 49);
        let meanings: std::collections::BTreeSet<_> = known.iter().map(|&s| meaning(s)).collect();
        assert_eq!(meanings.len(), known.len());
    }
}
