//! The arm64 kernel image.

use super::raw::RawImage;
use crate::{Error, Field};

/// An uncompressed arm64 kernel: the header of `Documentation/arch/arm64/booting.rst` (Linux 6.12) and what follows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Arm64Image<'a> {
    raw: RawImage<'a>,
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
        let raw = RawImage::parse(file, *b"ARM\x64", Field::Arm64Header)?;
        if raw.image_size() == 0 {
            return Err(Error::Unsupported { field: Field::ImageSize, value: 0 });
        }
        // The kernel may begin anywhere in its first 2 MiB, nowhere else.
        if raw.text_offset() >= 0x20_0000 {
            return Err(Error::Corrupt { field: Field::TextOffset, offset: 8 });
        }
        raw.check_sections()?;
        Ok(Self { raw })
    }

    /// The kernel's bytes, place and size.
    #[must_use]
    pub fn raw(&self) -> &RawImage<'a> {
        &self.raw
    }

    /// Whether the kernel is big-endian.
    #[must_use]
    pub fn is_big_endian(&self) -> bool {
        self.raw.flags() & 1 != 0
    }

    /// The page size that the kernel was built for.
    #[must_use]
    pub fn page_size(&self) -> Arm64PageSize {
        match self.raw.flags() >> 1 & 3 {
            1 => Arm64PageSize::KiB4,
            2 => Arm64PageSize::KiB16,
            3 => Arm64PageSize::KiB64,
            _ => Arm64PageSize::Unspecified,
        }
    }

    /// Whether the kernel may be loaded anywhere in memory; otherwise as near to the start of memory as possible.
    #[must_use]
    pub fn may_be_anywhere(&self) -> bool {
        self.raw.flags() & 8 != 0
    }
}
