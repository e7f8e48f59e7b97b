//! The headers of EFI programs: PE/COFF.

use crate::bytes::{self, len_of, until_nul};
use crate::{Error, Field};
use vmcore_format::elf::{EM_386, EM_AARCH64, EM_ARM, EM_LOONGARCH, EM_RISCV, EM_X86_64};
use zerocopy::little_endian::{U16, U32};
use zerocopy::{FromBytes, Immutable, KnownLayout, Unaligned};

/// Where `e_lfanew`, the offset of the PE signature, stands.
const PE_OFFSET_AT: u64 = 0x3c;
const SIGNATURE_LEN: u64 = 4;
const PE32_PLUS: u16 = 0x20b;

#[derive(FromBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
struct CoffHeader {
    machine: U16,
    number_of_sections: U16,
    time_date_stamp: U32,
    pointer_to_symbol_table: U32,
    number_of_symbols: U32,
    size_of_optional_header: U16,
    characteristics: U16,
}

#[derive(Debug, FromBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
struct SectionHeader {
    name: [u8; 8],
    virtual_size: U32,
    virtual_address: U32,
    size_of_raw_data: U32,
    pointer_to_raw_data: U32,
    unused: [u8; 16],
}

/// The PE headers of a file: what a loader of kernels needs of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Pe<'a> {
    file: &'a [u8],
    machine: u16,
    magic: u16,
    magic_at: u64,
    /// Where the section headers start in the file, and their number.
    table: u64,
    count: u16,
}

impl<'a> Pe<'a> {
    /// Reads the headers of `file`, a file from its start to its end, and checks that the section headers lie in it.
    pub(super) fn parse(file: &'a [u8]) -> Result<Self, Error> {
        if !file.starts_with(b"MZ") {
            return Err(Error::Corrupt { field: Field::DosHeader, offset: 0 });
        }
        let offset: &U32 = bytes::structure(file, PE_OFFSET_AT, Field::DosHeader)?;
        Self::parse_at(file, offset.get())
    }

    /// The same where `e_lfanew` is at hand and there may be no DOS header.
    fn parse_at(file: &'a [u8], pe_offset: u32) -> Result<Self, Error> {
        let start = u64::from(pe_offset);
        let signature = bytes::range(file, start, SIGNATURE_LEN, Field::PeOffset, PE_OFFSET_AT)?;
        if signature != b"PE\0\0" {
            return Err(Error::Corrupt { field: Field::PeSignature, offset: start });
        }
        let coff_at = start.saturating_add(SIGNATURE_LEN);
        let coff: &CoffHeader = bytes::structure(file, coff_at, Field::CoffHeader)?;
        let optional_at = coff_at.saturating_add(len_of(size_of::<CoffHeader>()));
        let optional_len = u64::from(coff.size_of_optional_header.get());
        let optional = bytes::range(file, optional_at, optional_len, Field::PeOptionalHeader, optional_at)?;
        let magic: &U16 =
            bytes::structure(optional, 0, Field::PeMagic).map_err(|error| error.at(optional_at))?;
        let pe = Self {
            file,
            machine: coff.machine.get(),
            magic: magic.get(),
            magic_at: optional_at,
            table: optional_at.saturating_add(optional_len),
            count: coff.number_of_sections.get(),
        };
        let table_len = u64::from(pe.count).saturating_mul(len_of(size_of::<SectionHeader>()));
        bytes::range(file, pe.table, table_len, Field::PeSectionHeader, pe.table)?;
        Ok(pe)
    }

    /// Refuses a file that is not for 64-bit firmware.
    pub(super) fn check_pe32_plus(&self) -> Result<(), Error> {
        if self.magic == PE32_PLUS {
            Ok(())
        } else {
            Err(Error::Corrupt { field: Field::PeMagic, offset: self.magic_at })
        }
    }

    /// Where the section headers start, in bytes from the start of the file.
    pub(super) fn table(&self) -> u64 {
        self.table
    }

    /// The machine as an ELF `e_machine`.
    pub(super) fn e_machine(&self) -> Option<u16> {
        match self.machine {
            0x014c => Some(EM_386),
            0x8664 => Some(EM_X86_64),
            0x01c2 | 0x01c4 => Some(EM_ARM),
            0xaa64 => Some(EM_AARCH64),
            0x5032 | 0x5064 => Some(EM_RISCV),
            0x6232 | 0x6264 => Some(EM_LOONGARCH),
            _ => None,
        }
    }

    /// The sections, in the order of their headers.
    pub(super) fn sections(&self) -> PeSections<'a> {
        PeSections { file: self.file, next: self.table, left: self.count }
    }
}

/// Checks the sections of a kernel that is an EFI program too: this alone tells that an `Image` was cut off.
/// `pe_offset` 0 says that the kernel was built without the EFI stub.
pub(super) fn check_sections_of_stub(file: &[u8], pe_offset: u32) -> Result<(), Error> {
    if pe_offset == 0 || !file.starts_with(b"MZ") {
        return Ok(());
    }
    Pe::parse_at(file, pe_offset)?.sections().try_for_each(|section| section.map(drop))
}

/// A section of an EFI program.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PeSection<'a> {
    name: [u8; 8],
    /// Where the section's bytes start, in bytes from the start of the file.
    pub offset: u64,
    /// `VirtualSize`: the section's length in memory, in bytes. Past [`data`](Self::data) it is zero.
    pub virtual_size: u32,
    /// The section's bytes: `VirtualSize` of them, or fewer where the file holds fewer (`SizeOfRawData`). The padding to
    /// the file alignment is left out.
    pub data: &'a [u8],
}

impl PeSection<'_> {
    /// The section's name without padding.
    #[must_use]
    pub fn name(&self) -> &[u8] {
        until_nul(&self.name)
    }
}

/// The sections of an EFI program, in the order of their headers.
///
/// A section whose bytes do not all lie in the file is [`Error::Corrupt`], and the iterator is then at its end.
#[derive(Debug, Clone)]
pub struct PeSections<'a> {
    file: &'a [u8],
    next: u64,
    left: u16,
}

impl<'a> PeSections<'a> {
    fn read(&self) -> Result<PeSection<'a>, Error> {
        let at = self.next;
        let header: &SectionHeader = bytes::structure(self.file, at, Field::PeSectionHeader)?;
        let raw = u64::from(header.size_of_raw_data.get());
        let virtual_size = header.virtual_size.get();
        let offset = u64::from(header.pointer_to_raw_data.get());
        // Some linkers leave VirtualSize 0 and mean the raw size.
        let len = if virtual_size == 0 { raw } else { raw.min(u64::from(virtual_size)) };
        if len == 0 {
            return Ok(PeSection { name: header.name, offset, virtual_size, data: &[] });
        }
        let pointer_at = at.saturating_add(20);
        bytes::range(self.file, offset, 0, Field::PePointerToRawData, pointer_at)?;
        let data = bytes::range(self.file, offset, len, Field::PeSizeOfRawData, at.saturating_add(16))?;
        Ok(PeSection { name: header.name, offset, virtual_size, data })
    }
}

impl<'a> Iterator for PeSections<'a> {
    type Item = Result<PeSection<'a>, Error>;

    fn next(&mut self) -> Option<Self::Item> {
        self.left = self.left.checked_sub(1)?;
        let section = self.read();
        self.next = self.next.saturating_add(len_of(size_of::<SectionHeader>()));
        if section.is_err() {
            self.left = 0;
        }
        Some(section)
    }
}
