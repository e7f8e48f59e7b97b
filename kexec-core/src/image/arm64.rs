//! The arm64 kernel image.

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
    reserved: [u8; 24],
    magic: [u8; 4],
    pe_offset: U32,
}

/// An uncompressed arm64 kernel: the header of `Documentation/arch/arm64/booting.rst` (Linux 6.12) and what follows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Arm64Image<'a> {
    file: &'a [u8],
    text_offset: u64,
    image_size: u64,
    flags: u64,
}

/// The page size that an arm64 kernel was built for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Arm64PageSize {
    /// The image does not say (before Linux 4.6).
    Unspecified,
    /// 4 KiB.
    KiB4,
    /// 16 KiB.
    KiB16,
    /// 64 KiB.
    KiB64,
}

impl<'a> Arm64Image<'a> {
    /// Reads an `Image`, `file` from its start to its end.
    ///
    /// # Errors
    /// [`Error::Corrupt`] where the file ends inside its header, or inside the sections of its PE header;
    /// [`Error::Unsupported`] in [`Field::ImageSize`] for a kernel before Linux 3.17, which does not say its size.
    pub fn parse(file: &'a [u8]) -> Result<Self, Error> {
        let header: &Header = bytes::structure(file, 0, Field::Arm64Header)?;
        if header.magic != *b"ARM\x64" {
            return Err(Error::Corrupt { field: Field::Arm64Header, offset: 56 });
        }
        let image_size = header.image_size.get();
        if image_size == 0 {
            return Err(Error::Unsupported { field: Field::ImageSize, value: 0 });
        }
        // The kernel may begin anywhere in its first 2 MiB, nowhere else.
        let text_offset = header.text_offset.get();
        if text_offset >= 0x20_0000 {
            return Err(Error::Corrupt { field: Field::TextOffset, offset: 8 });
        }
        pe::check_sections_of_stub(file, header.pe_offset.get())?;
        Ok(Self { file, text_offset, image_size, flags: header.flags.get() })
    }

    /// The bytes to load. What the file holds past [`image_size`](Self::image_size) is no part of the kernel.
    #[must_use]
    pub fn kernel(&self) -> &'a [u8] {
        let len = usize::try_from(self.image_size).unwrap_or(usize::MAX);
        self.file.get(..len).unwrap_or(self.file)
    }

    /// Where the kernel is loaded above an address that is a multiple of 2 MiB, in bytes: below 2 MiB, 0 since Linux
    /// 5.8. The entry is at the first byte.
    #[must_use]
    pub fn text_offset(&self) -> u64 {
        self.text_offset
    }

    /// The memory that the kernel needs from its load address on, in bytes.
    #[must_use]
    pub fn image_size(&self) -> u64 {
        self.image_size
    }

    /// Whether the kernel is big-endian.
    #[must_use]
    pub fn is_big_endian(&self) -> bool {
        self.flags & 1 != 0
    }

    /// The page size that the kernel was built for.
    #[must_use]
    pub fn page_size(&self) -> Arm64PageSize {
        match self.flags >> 1 & 3 {
            1 => Arm64PageSize::KiB4,
            2 => Arm64PageSize::KiB16,
            3 => Arm64PageSize::KiB64,
            _ => Arm64PageSize::Unspecified,
        }
    }

    /// Whether the kernel may be loaded anywhere in memory; otherwise as near to the start of memory as possible.
    #[must_use]
    pub fn may_be_anywhere(&self) -> bool {
        self.flags & 8 != 0
    }

    /// The length of the file, in bytes.
    #[must_use]
    pub fn file_len(&self) -> u64 {
        len_of(self.file.len())
    }
}
