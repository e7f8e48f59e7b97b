//! The one error of a dump.

use core::fmt;

use vmcore_format::Field;

use crate::Fault;

/// Why a dump cannot go on. A page that cannot be read is no such reason: it is counted as lost.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Error {
    /// The caller's workspace, buffer or table is too small.
    BufferTooSmall {
        /// The size needed: words of 8 bytes for a workspace or scratch, bytes for a byte buffer.
        needed: u64,
    },
    /// A field of the input contradicts its format.
    Corrupt {
        /// The field.
        field: Field,
        /// Where the field stands, in bytes from the start of the input.
        offset: u64,
    },
    /// A value that the format of the output cannot hold, or that this library does not write.
    Unsupported {
        /// The field.
        field: Field,
        /// Its value.
        value: u64,
    },
    /// The caller's [`ReadAt`](vmcore_format::ReadAt) or [`WriteAt`](vmcore_format::WriteAt) failed.
    Io {
        /// The caller's own code, passed through.
        code: i32,
    },
    /// The table that says which page frames the input holds cannot be read.
    Frames(Fault),
    /// A chunk was committed out of order.
    OutOfOrder {
        /// The sequence number of the chunk that is due.
        expected: u64,
    },
    /// The memory is not what it was when the pages were counted: more pages are to be kept than there is room for.
    Changed,
    /// The output would be larger than [`Options::limit`](super::Options::limit).
    Limit,
}

impl Error {
    /// The stable number of the error's kind, as the C ABI reports it.
    #[must_use]
    pub const fn code(self) -> i32 {
        match self {
            Self::BufferTooSmall { .. } => 1,
            Self::Corrupt { .. } => 2,
            Self::Unsupported { .. } => 3,
            Self::Io { .. } => 4,
            Self::Frames(_) => 5,
            Self::OutOfOrder { .. } => 6,
            Self::Changed => 7,
            Self::Limit => 8,
        }
    }
}

impl From<vmcore_format::Error> for Error {
    fn from(error: vmcore_format::Error) -> Self {
        match error {
            vmcore_format::Error::BufferTooSmall { needed } => Self::BufferTooSmall { needed },
            vmcore_format::Error::Corrupt { field, offset } => Self::Corrupt { field, offset },
            vmcore_format::Error::Unsupported { field, value } => Self::Unsupported { field, value },
            vmcore_format::Error::Io { code } => Self::Io { code },
            // The format's errors are these four; a fifth would be a read that went wrong in a new way.
            _ => Self::Io { code: vmcore_format::END_OF_FILE },
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::BufferTooSmall { needed } => write!(f, "the buffer is too small: {needed} needed"),
            Self::Corrupt { field, offset } => write!(f, "{field} at offset {offset:#x} is corrupt"),
            Self::Unsupported { field, value } => write!(f, "{field} {value:#x} is not supported"),
            Self::Io { code } => write!(f, "input/output error {code}"),
            Self::Frames(fault) => write!(f, "the table of page frames cannot be read: {fault:?}"),
            Self::OutOfOrder { expected } => write!(f, "chunk {expected} is due"),
            Self::Changed => f.write_str("the memory changed while it was being saved"),
            Self::Limit => f.write_str("the size limit is reached"),
        }
    }
}

impl core::error::Error for Error {}
