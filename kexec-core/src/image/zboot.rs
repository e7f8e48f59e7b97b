//! The EFI zboot image: a small EFI program around a compressed kernel.

use super::Compression;
use super::pe::Pe;
use crate::bytes::{self, len_of, until_nul};
use crate::{Error, Field};
use zerocopy::little_endian::U32;
use zerocopy::{FromBytes, Immutable, KnownLayout, Unaligned};

const LINUX_PE_MAGIC: u32 = 0x8182_23cd;
const PAYLOAD_OFFSET_AT: u64 = 8;
const PAYLOAD_SIZE_AT: u64 = 12;
const COMPRESSION_AT: u64 = 24;

#[derive(FromBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
struct Header {
    mz: [u8; 4],
    zimg: [u8; 4],
    payload_offset: U32,
    payload_size: U32,
    reserved: [u8; 8],
    compression: [u8; 32],
    linux_magic: U32,
    pe_offset: U32,
}

/// An EFI zboot image (`vmlinuz.efi` of arm64, riscv and loongarch): where its payload is and how it is compressed.
///
/// Source: `drivers/firmware/efi/libstub/zboot-header.S` (Linux 6.12).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Zboot<'a> {
    payload: &'a [u8],
    payload_offset: u64,
    compression: Compression,
    uncompressed_len: u32,
    e_machine: Option<u16>,
}

impl<'a> Zboot<'a> {
    /// Reads a zboot image, `file` from its start to its end.
    ///
    /// # Errors
    /// [`Error::Corrupt`] where the payload, or the length behind it, or a section of the PE headers does not lie in the
    /// file; [`Error::Unsupported`] for an unknown compression, whose first 8 letters are the value, first letter lowest.
    pub fn parse(file: &'a [u8]) -> Result<Self, Error> {
        let header: &Header = bytes::structure(file, 0, Field::ZbootHeader)?;
        let corrupt = |field, offset| Error::Corrupt { field, offset };
        if header.mz != *b"MZ\0\0" || header.zimg != *b"zimg" {
            return Err(corrupt(Field::ZbootHeader, 0));
        }
        if header.linux_magic.get() != LINUX_PE_MAGIC {
            return Err(corrupt(Field::ZbootHeader, 0x38));
        }
        let compression = parse_compression(&header.compression)?;
        let payload_offset = u64::from(header.payload_offset.get());
        if payload_offset < len_of(size_of::<Header>()) || payload_offset > len_of(file.len()) {
            return Err(corrupt(Field::ZbootPayloadOffset, PAYLOAD_OFFSET_AT));
        }
        let len = u64::from(header.payload_size.get());
        let payload = bytes::range(file, payload_offset, len, Field::ZbootPayloadSize, PAYLOAD_SIZE_AT)?;
        // gzip ends in this length itself; the build appends it to all others, and does not count it.
        let end = payload_offset.saturating_add(len);
        let len_at = if compression == Compression::Gzip { end.checked_sub(4) } else { Some(end) };
        let uncompressed_len = len_at
            .filter(|&at| at >= payload_offset)
            .and_then(|at| bytes::range(file, at, 4, Field::ZbootPayloadSize, PAYLOAD_SIZE_AT).ok())
            .and_then(|bytes| U32::ref_from_bytes(bytes).ok())
            .ok_or(corrupt(Field::ZbootPayloadSize, PAYLOAD_SIZE_AT))?
            .get();
        let pe = Pe::parse(file)?;
        pe.sections().try_for_each(|section| section.map(drop))?;
        let e_machine = pe.e_machine();
        Ok(Self { payload, payload_offset, compression, uncompressed_len, e_machine })
    }

    /// The compressed kernel. Decompressed it is an image of its own ([`identify`](super::identify) it again).
    #[must_use]
    pub fn payload(&self) -> &'a [u8] {
        self.payload
    }

    /// Where the payload starts, in bytes from the start of the file.
    #[must_use]
    pub fn payload_offset(&self) -> u64 {
        self.payload_offset
    }

    /// How the payload is compressed.
    #[must_use]
    pub fn compression(&self) -> Compression {
        self.compression
    }

    /// The length of the decompressed kernel as the image states it, in bytes.
    #[must_use]
    pub fn uncompressed_len(&self) -> u32 {
        self.uncompressed_len
    }

    /// The machine, as an ELF `e_machine`.
    #[must_use]
    pub fn e_machine(&self) -> Option<u16> {
        self.e_machine
    }
}

fn parse_compression(name: &[u8; 32]) -> Result<Compression, Error> {
    if !name.contains(&0) {
        return Err(Error::Corrupt { field: Field::ZbootCompression, offset: COMPRESSION_AT });
    }
    let name = until_nul(name);
    let value = || name.iter().take(8).rev().fold(0, |value: u64, &byte| value << 8 | u64::from(byte));
    Compression::from_name(name)
        .ok_or_else(|| Error::Unsupported { field: Field::ZbootCompression, value: value() })
}
