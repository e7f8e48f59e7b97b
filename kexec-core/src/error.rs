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
    /// An object uses a symbol that nothing defines.
    UndefinedSymbol {
        /// The symbol's index in the symbol table.
        index: u32,
        /// Where its entry stands, in bytes from the start of the object.
        offset: u64,
    },
    /// A value does not fit in the field that a relocation fills, or has bits that the field drops.
    RelocationOverflow {
        /// The relocation type, a number of the object's machine.
        kind: u32,
        /// Where the relocation's entry stands, in bytes from the start of the object.
        offset: u64,
    },
    /// An object defines no symbol of the name.
    NoSuchSymbol,
    /// The bytes for a symbol are not as many as the symbol has.
    SymbolSize {
        /// `st_size`, in bytes.
        size: u64,
        /// The bytes given.
        given: u64,
    },
    /// A symbol has no bytes in the file part of an image: it is absolute or in a section without bytes (`.bss`).
    SymbolWithoutBytes,
}

impl Error {
    /// The stable number of the error's kind, as the C ABI reports it.
    #[must_use]
    pub const fn code(self) -> i32 {
        match self {
            Self::BufferTooSmall { .. } => 1,
            Self::Corrupt { .. } => 2,
            Self::Unsupported { .. } => 3,
            Self::UndefinedSymbol { .. } => 30,
            Self::RelocationOverflow { .. } => 31,
            Self::NoSuchSymbol => 32,
            Self::SymbolSize { .. } => 33,
            Self::SymbolWithoutBytes => 34,
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::BufferTooSmall { needed } => write!(f, "the buffer is too small: {needed} needed"),
            Self::Corrupt { field, offset } => write!(f, "{field} at offset {offset:#x} is corrupt"),
            Self::Unsupported { field, value } => write!(f, "{field} {value:#x} is not supported"),
            Self::UndefinedSymbol { index, offset } => {
                write!(f, "symbol {index} (at offset {offset:#x}) is not defined")
            }
            Self::RelocationOverflow { kind, offset } => {
                write!(f, "the relocation of type {kind} at offset {offset:#x} is out of range")
            }
            Self::NoSuchSymbol => f.write_str("the object does not define the symbol"),
            Self::SymbolSize { size, given } => write!(f, "the symbol has {size} bytes, not {given}"),
            Self::SymbolWithoutBytes => f.write_str("the symbol has no bytes in the file"),
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
    EIdent => "e_ident",
    EType => "e_type",
    EEntry => "e_entry",
    EShoff => "e_shoff",
    EShentsize => "e_shentsize",
    EShnum => "e_shnum",
    ShType => "sh_type",
    ShFlags => "sh_flags",
    ShOffset => "sh_offset",
    ShSize => "sh_size",
    ShLink => "sh_link",
    ShInfo => "sh_info",
    ShAddralign => "sh_addralign",
    ShEntsize => "sh_entsize",
    StName => "st_name",
    StValue => "st_value",
    StShndx => "st_shndx",
    ROffset => "r_offset",
    RInfo => "r_info",
    RAddend => "r_addend",
    /// Where an object is linked to.
    LinkAddress => "link address",
}

impl fmt::Display for Field {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
