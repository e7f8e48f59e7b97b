//! The riscv kernel image.

use super::raw::RawImage;
use crate::{Error, Field};

/// An uncompressed riscv kernel: the header of `Documentation/arch/riscv/boot-image-header.rst` (Linux 6.12), version
/// 0.2 and later, and what follows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RiscvImage<'a> {
    raw: RawImage<'a>,
}

impl<'a> RiscvImage<'a> {
    /// Reads an `Image`, `file` from its start to its end.
    ///
    /// # Errors
    /// [`Error::Corrupt`] where the file ends inside its header, or inside the sections of its PE header, or gives no
    /// size; [`Error::Unsupported`] in [`Field::ImageFlags`] for a big-endian kernel.
    pub fn parse(file: &'a [u8]) -> Result<Self, Error> {
        let raw = RawImage::parse(file, *b"RSC\x05", Field::RiscvHeader)?;
        if raw.flags() & 1 != 0 {
            return Err(Error::Unsupported { field: Field::ImageFlags, value: raw.flags() });
        }
        if !raw.text_offset().is_power_of_two() {
            return Err(Error::Corrupt { field: Field::TextOffset, offset: 8 });
        }
        if raw.image_size() == 0 {
            return Err(Error::Corrupt { field: Field::ImageSize, offset: 16 });
        }
        raw.check_sections()?;
        Ok(Self { raw })
    }

    /// The kernel's bytes, place and size.
    #[must_use]
    pub fn raw(&self) -> &RawImage<'a> {
        &self.raw
    }

    /// The header's version: major in the upper 16 bits, minor in the lower.
    #[must_use]
    pub fn version(&self) -> u32 {
        self.raw.version()
    }
}
