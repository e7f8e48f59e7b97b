//! `page_desc`: where the data of one page are, and how they are compressed.

use super::abi::{Abi, DataModel, StructReader, StructWriter};
use crate::{Endian, Error, Field};

/// How the data of a page are compressed. Each page is compressed on its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Compression {
    /// Not at all: the page's bytes.
    Raw,
    /// A zlib stream (RFC 1950), with its header and checksum.
    Zlib,
    /// An LZO1X block.
    Lzo,
    /// A snappy block, without framing.
    Snappy,
    /// One Zstandard frame (RFC 8878).
    Zstd,
}

/// The descriptor of one dumped page: 24 bytes in every ABI.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PageDesc {
    /// Where the page's data start, in bytes from the start of the file. 0: the data were not written.
    pub offset: u64,
    /// The size of the data in bytes, compressed.
    pub size: u32,
    /// The compression, as [`Compression::flag`] gives it.
    pub flags: u32,
    /// Meant for the kernel's page flags; every known writer puts 0.
    pub page_flags: u64,
}

impl Compression {
    /// The bit of `page_desc.flags` and of the header's `status`; 0 for [`Raw`](Self::Raw).
    #[must_use]
    pub const fn flag(self) -> u32 {
        match self {
            Self::Raw => 0,
            Self::Zlib => 1,
            Self::Lzo => 2,
            Self::Snappy => 4,
            Self::Zstd => 0x20,
        }
    }

    /// The compression that `page_desc.flags` names, or `None` when it is unknown or there are several.
    #[must_use]
    pub const fn from_flags(flags: u32) -> Option<Self> {
        match flags {
            0 => Some(Self::Raw),
            1 => Some(Self::Zlib),
            2 => Some(Self::Lzo),
            4 => Some(Self::Snappy),
            0x20 => Some(Self::Zstd),
            _ => None,
        }
    }
}

impl PageDesc {
    /// The size of a descriptor in the file, in bytes.
    pub const ENCODED_LEN: usize = 24;

    /// The compression of the page's data, or `None` when the flags name none that is known.
    #[must_use]
    pub const fn compression(&self) -> Option<Compression> {
        Compression::from_flags(self.flags)
    }

    /// Reads a descriptor from its 24 bytes, as they are.
    ///
    /// # Errors
    /// [`Error::Corrupt`] when `bytes` is shorter; the offset counts from the start of `bytes`.
    pub fn parse(bytes: &[u8], endian: Endian) -> Result<Self, Error> {
        let mut fields = StructReader::new(bytes, abi(endian));
        let mut read = || {
            Some(Self {
                offset: fields.long_long()?,
                size: fields.int()?,
                flags: fields.int()?,
                page_flags: fields.long_long()?,
            })
        };
        read().ok_or(Error::Corrupt { field: Field::PageDesc, offset: 0 })
    }

    /// Writes the descriptor into the first 24 bytes of `out` and returns 24.
    ///
    /// # Errors
    /// [`Error::BufferTooSmall`].
    pub fn encode(&self, endian: Endian, out: &mut [u8]) -> Result<usize, Error> {
        let out = out.get_mut(..Self::ENCODED_LEN).ok_or(Error::BufferTooSmall { needed: 24 })?;
        let mut fields = StructWriter::new(out, abi(endian));
        let mut write = || {
            fields.long_long(self.offset)?;
            fields.int(self.size)?;
            fields.int(self.flags)?;
            fields.long_long(self.page_flags)
        };
        write().map(|()| Self::ENCODED_LEN).ok_or(Error::BufferTooSmall { needed: 24 })
    }
}

/// `page_desc` has no `long` and no padding: any data model describes it.
fn abi(endian: Endian) -> Abi {
    Abi { endian, model: DataModel::Lp64 }
}
