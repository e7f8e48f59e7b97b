//! The riscv kernel image.

use super::pe;
use crate::bytes;
use crate::{Error, Field};
use zerocopy::little_endian::{U32, U64};
use zerocopy::{FromBytes, Immutable, KnownLayout, Unaligned};

#[derive(FromBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
struct Header {
    code: [u8; 8],
    text_offset: U64,
    image_size: U64,
    flags: U64,
    version: U32,
    reserved: [u8; 12],
    magic: [u8; 8],
    magic2: [u8; 4],
    pe_offset: U32,
}

/// An uncompressed riscv kernel: the header of `Documentation/arch/riscv/boot-image-header.rst` (Linux 6.12), version
/// 0.2 and later, and what follows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RiscvImage<'a> {
    file: &'a [u8],
    text_offset: u64,
    image_size: u64,
    version: u32,
}

impl<'a> RiscvImage<'a> {
    /// Reads an `Image`, `file` from its start to its end.
    ///
    /// # Errors
    /// [`Error::Corrupt`] where the file ends inside its header, or inside the sections of its PE header, or gives no
    /// size; [`Error::Unsupported`] in [`Field::ImageFlags`] for a big-endian kernel.
    pub fn parse(file: &'a [u8]) -> Result<Self, Error> {
        let header: &Header = bytes::structure(file, 0, Field::RiscvHeader)?;
        if header.magic2 != *b"RSC\x05" {
            return Err(Error::Corrupt { field: Field::RiscvHeader, offset: 56 });
        }
        let flags = header.flags.get();
        if flags & 1 != 0 {
            return Err(Error::Unsupported { field: Field::ImageFlags, value: flags });
        }
        let text_offset = header.text_offset.get();
        if !text_offset.is_power_of_two() {
            return Err(Error::Corrupt { field: Field::TextOffset, offset: 8 });
        }
        let image_size = header.image_size.get();
        if image_size == 0 {
            return Err(Error::Corrupt { field: Field::ImageSize, offset: 16 });
        }
        pe::check_sections_of_stub(file, header.pe_offset.get())?;
        Ok(Self { file, text_offset, image_size, version: header.version.get() })
    }

    /// The bytes to load. What the file holds past [`image_size`](Self::image_size) is no part of the kernel.
    #[must_use]
    pub fn kernel(&self) -> &'a [u8] {
        let len = usize::try_from(self.image_size).unwrap_or(usize::MAX);
        self.file.get(..len).unwrap_or(self.file)
    }

    /// The alignment of the load address, in bytes: 2 MiB on 64-bit machines, 4 MiB on 32-bit ones. The entry is at the
    /// first byte.
    #[must_use]
    pub fn text_offset(&self) -> u64 {
        self.text_offset
    }

    /// The memory that the kernel needs from its load address on, in bytes.
    #[must_use]
    pub fn image_size(&self) -> u64 {
        self.image_size
    }

    /// The header's version: major in the upper 16 bits, minor in the lower.
    #[must_use]
    pub fn version(&self) -> u32 {
        self.version
    }
}
