//! The one error of this crate, and the fields it names.

use core::fmt;

/// Why an input could not be read, or a plan could not be made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Error {
    /// The caller's buffer or table is too small.
    BufferTooSmall {
        /// The size needed: bytes for a byte buffer, entries for a table.
        needed: u64,
    },
    /// A field contradicts its format or the bytes around it, or the input ends inside it.
    Corrupt {
        /// The field.
        field: Field,
        /// Where the field stands, in bytes from the start of the input.
        offset: u64,
    },
    /// A field has a value that the format allows and this library does not read.
    Unsupported {
        /// The field.
        field: Field,
        /// Its value.
        value: u64,
    },
}

impl Error {
    /// The stable number of the error's kind, as the C ABI reports it.
    #[must_use]
    pub const fn code(self) -> i32 {
        match self {
            Self::BufferTooSmall { .. } => 1,
            Self::Corrupt { .. } => 2,
            Self::Unsupported { .. } => 3,
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::BufferTooSmall { needed } => write!(f, "the buffer is too small: {needed} needed"),
            Self::Corrupt { field, offset } => write!(f, "{field} at offset {offset:#x} is corrupt"),
            Self::Unsupported { field, value } => write!(f, "{field} {value:#x} is not supported"),
        }
    }
}

impl core::error::Error for Error {}

macro_rules! fields {
    ($($(#[$doc:meta])* $name:ident => $text:literal,)*) => {
        /// A field of one of the inputs, by the name its own documents use.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        #[non_exhaustive]
        pub enum Field {
            $(#[doc = concat!("`", $text, "`")] $(#[$doc])* $name,)*
        }

        impl Field {
            /// The field's name in its format's own words.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$name => $text,)*
                }
            }
        }
    };
}

fields! {
    Machine => "e_machine",
}

impl fmt::Display for Field {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
