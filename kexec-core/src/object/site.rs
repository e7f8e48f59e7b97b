//! The bytes that one relocation changes, and what it puts there.

use super::elf::{Relocation, corrupt, low32};
use crate::{Error, Field};
use vmcore_format::Endian;

/// What a relocation refers to.
#[derive(Debug, Clone, Copy)]
pub(super) struct Target {
    /// The symbol's address ("S").
    pub(super) symbol: u64,
    /// "A".
    pub(super) addend: i64,
    /// The address of the relocation's slot of the global offset table ("G + GOT"), if it has one.
    pub(super) slot: u64,
    /// ppc64le: the TOC base (".TOC.").
    pub(super) toc: u64,
    /// ppc64le: from the symbol to its local entry, in bytes.
    pub(super) local_entry: u64,
}

impl Target {
    /// "S + A".
    pub(super) const fn sum(&self) -> u64 {
        self.symbol.wrapping_add_signed(self.addend)
    }

    /// "S + A - P".
    pub(super) const fn relative(&self, site: &Site<'_>) -> u64 {
        self.sum().wrapping_sub(site.place)
    }

    /// "G + GOT + A - P".
    pub(super) const fn slot_relative(&self, site: &Site<'_>) -> u64 {
        self.slot.wrapping_add_signed(self.addend).wrapping_sub(site.place)
    }
}

/// Where a relocation applies.
#[derive(Debug)]
pub(super) struct Site<'i> {
    bytes: &'i mut [u8],
    endian: Endian,
    kind: u32,
    entry: u64,
    /// The address of the bytes ("P").
    place: u64,
}

impl<'i> Site<'i> {
    /// The site of `relocation` in the bytes of its section, which will run at `address`.
    pub(super) fn new(
        section: &'i mut [u8],
        address: u64,
        relocation: &Relocation,
        endian: Endian,
    ) -> Result<Self, Error> {
        let at = usize::try_from(relocation.offset).ok();
        let bytes = at.and_then(|at| section.get_mut(at..)).ok_or(corrupt(Field::ROffset, relocation.at))?;
        let place = address.wrapping_add(relocation.offset);
        Ok(Self { bytes, endian, kind: relocation.kind, entry: relocation.at, place })
    }

    pub(super) const fn kind(&self) -> u32 {
        self.kind
    }

    pub(super) const fn place(&self) -> u64 {
        self.place
    }

    /// The type is not one that is linked.
    pub(super) fn unknown(&self) -> Error {
        Error::Unsupported { field: Field::RInfo, value: self.kind.into() }
    }

    pub(super) const fn overflow(&self) -> Error {
        Error::RelocationOverflow { kind: self.kind, offset: self.entry }
    }

    /// `value` if `bits` bits hold it as a signed number.
    pub(super) fn signed(&self, value: u64, bits: u32) -> Result<u64, Error> {
        let unused = 64_u32.saturating_sub(bits);
        let back = value.wrapping_shl(unused).cast_signed().wrapping_shr(unused).cast_unsigned();
        if back == value { Ok(value) } else { Err(self.overflow()) }
    }

    /// `value` if `bits` bits hold it as an unsigned number.
    pub(super) fn unsigned(&self, value: u64, bits: u32) -> Result<u64, Error> {
        let unused = 64_u32.saturating_sub(bits);
        let back = value.wrapping_shl(unused).wrapping_shr(unused);
        if back == value { Ok(value) } else { Err(self.overflow()) }
    }

    /// `value` if `bits` bits hold it either way.
    pub(super) fn either(&self, value: u64, bits: u32) -> Result<u64, Error> {
        self.unsigned(value, bits).or_else(|_| self.signed(value, bits))
    }

    /// `value` if it is a multiple of `align`, a power of two.
    pub(super) const fn aligned(&self, value: u64, align: u64) -> Result<u64, Error> {
        if value & align.wrapping_sub(1) == 0 { Ok(value) } else { Err(self.overflow()) }
    }

    fn field<const N: usize>(&mut self) -> Result<&mut [u8; N], Error> {
        self.bytes.first_chunk_mut().ok_or(corrupt(Field::ROffset, self.entry))
    }

    /// The site `skip` bytes further on.
    pub(super) fn after(&mut self, skip: usize) -> Result<Site<'_>, Error> {
        let at = corrupt(Field::ROffset, self.entry);
        let bytes = self.bytes.get_mut(skip..).ok_or(at)?;
        Ok(Site { bytes, endian: self.endian, kind: self.kind, entry: self.entry, place: self.place })
    }

    pub(super) fn u8(&mut self) -> Result<u8, Error> {
        let [byte] = *self.field()?;
        Ok(byte)
    }

    pub(super) fn u16(&mut self) -> Result<u16, Error> {
        let bytes = *self.field()?;
        Ok(match self.endian {
            Endian::Little => u16::from_le_bytes(bytes),
            Endian::Big => u16::from_be_bytes(bytes),
        })
    }

    pub(super) fn u32(&mut self) -> Result<u32, Error> {
        let bytes = *self.field()?;
        Ok(match self.endian {
            Endian::Little => u32::from_le_bytes(bytes),
            Endian::Big => u32::from_be_bytes(bytes),
        })
    }

    pub(super) fn u64(&mut self) -> Result<u64, Error> {
        let bytes = *self.field()?;
        Ok(match self.endian {
            Endian::Little => u64::from_le_bytes(bytes),
            Endian::Big => u64::from_be_bytes(bytes),
        })
    }

    /// Stores the low byte of `value`.
    pub(super) fn set_u8(&mut self, value: u64) -> Result<(), Error> {
        let [low, ..] = value.to_le_bytes();
        *self.field()? = [low];
        Ok(())
    }

    /// Stores the low 16 bits of `value`.
    pub(super) fn set_u16(&mut self, value: u64) -> Result<(), Error> {
        let value = low16(value);
        *self.field()? = match self.endian {
            Endian::Little => value.to_le_bytes(),
            Endian::Big => value.to_be_bytes(),
        };
        Ok(())
    }

    /// Stores the low 32 bits of `value`.
    pub(super) fn set_u32(&mut self, value: u64) -> Result<(), Error> {
        let value = low32(value);
        *self.field()? = match self.endian {
            Endian::Little => value.to_le_bytes(),
            Endian::Big => value.to_be_bytes(),
        };
        Ok(())
    }

    pub(super) fn set_u64(&mut self, value: u64) -> Result<(), Error> {
        *self.field()? = match self.endian {
            Endian::Little => value.to_le_bytes(),
            Endian::Big => value.to_be_bytes(),
        };
        Ok(())
    }

    /// Replaces the bits of `mask` in a half-word.
    pub(super) fn set_bits16(&mut self, mask: u16, value: u64) -> Result<(), Error> {
        let kept = self.u16()? & !mask;
        self.set_u16(u64::from(kept | (low16(value) & mask)))
    }

    /// Replaces the bits of `mask` in a word.
    pub(super) fn set_bits32(&mut self, mask: u32, value: u64) -> Result<(), Error> {
        let kept = self.u32()? & !mask;
        self.set_u32(u64::from(kept | (low32(value) & mask)))
    }
}

const fn low16(value: u64) -> u16 {
    let [a, b, ..] = value.to_le_bytes();
    u16::from_le_bytes([a, b])
}

/// `count` bits of `value` from bit `from` up, moved to bit `to`.
pub(super) const fn bits(value: u64, from: u32, count: u32, to: u32) -> u64 {
    let mask = u64::MAX.wrapping_shr(64_u32.saturating_sub(count));
    (value.wrapping_shr(from) & mask).wrapping_shl(to)
}
