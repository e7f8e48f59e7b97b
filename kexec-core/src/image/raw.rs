//! The header that the uncompressed kernels of arm64 and riscv share.

use super::pe;
use crate::bytes::{self, len_of};
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
    reserved: [u8; 20],
    magic: [u8; 4],
    pe_offset: U32,
}

/// An uncompressed kernel, `Image`: where it is loaded and how much memory it needs.
///
/// Source: `Documentation/arch/arm64/booting.rst`, `Documentation/arch/riscv/boot-image-header.rst` (Linux 6.12).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RawImage<'a> {
    file: &'a [u8],
    text_offset: u64,
    image_size: u64,
    flags: u64,
    version: u32,
}

impl<'a> RawImage<'a> {
    /// Reads the header, whose last word but one is `magic`; `field` names it in errors.
    pub(super) fn parse(file: &'a [u8], magic: [u8; 4], field: Field) -> Result<Self, Error> {
        let header: &Header = bytes::structure(file, 0, field)?;
        if header.magic != magic {
            return Err(Error::Corrupt { field, offset: 56 });
        }
        Ok(Self {
            file,
            text_offset: header.text_offset.get(),
            image_size: header.image_size.get(),
            flags: header.flags.get(),
            version: header.version.get(),
        })
    }

    /// Refuses a file that ends inside the sections of its PE header.
    pub(super) fn check_sections(&self) -> Result<(), Error> {
        let header: &Header = bytes::structure(self.file, 0, Field::PeOffset)?;
        pe::check_sections_of_stub(self.file, header.pe_offset.get())
    }

    /// `flags`, which each architecture reads in its own way.
    pub(super) fn flags(&self) -> u64 {
        self.flags
    }

    /// The word after `flags`.
    pub(super) fn version(&self) -> u32 {
        self.version
    }

    /// The bytes to load. What the file holds past [`image_size`](Self::image_size) is no part of the kernel.
    #[must_use]
    pub fn kernel(&self) -> &'a [u8] {
        let len = usize::try_from(self.image_size).unwrap_or(usize::MAX);
        self.file.get(..len).unwrap_or(self.file)
    }

    /// arm64: where the kernel is loaded above an address that is a multiple of 2 MiB, in bytes: below 2 MiB, 0 since
    /// Linux 5.8. riscv: the alignment of the load address, in bytes: 2 MiB on 64-bit machines, 4 MiB on 32-bit ones.
    /// The entry is at the first byte.
    #[must_use]
    pub fn text_offset(&self) -> u64 {
        self.text_offset
    }

    /// The memory that the kernel needs from its load address on, in bytes.
    #[must_use]
    pub fn image_size(&self) -> u64 {
        self.image_size
    }

    /// The length of the file, in bytes.
    #[must_use]
    pub fn file_len(&self) -> u64 {
        len_of(self.file.len())
    }
}
