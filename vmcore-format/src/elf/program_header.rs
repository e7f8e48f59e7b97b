//! `Elf32_Phdr` and `Elf64_Phdr`, one and many.

use super::Header;
use crate::fields::{self, FieldReader, FieldWriter};
use crate::{Class, Error, Field, Layout, ReadAt};
use core::fmt;
use core::ops::Range;

/// Bytes of program headers that are read at once: 64 of class 64.
const BATCH_LEN: usize = 3584;
const LARGEST_LEN: usize = 56;

/// A program header: 32 bytes in class 32, 56 bytes in class 64 (where `p_flags` stands second).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ProgramHeader {
    /// `p_type`: [`PT_LOAD`](super::PT_LOAD), [`PT_NOTE`](super::PT_NOTE) or another.
    pub p_type: u32,
    /// `p_flags`: `PF_` bits.
    pub p_flags: u32,
    /// `p_offset`: where the segment's bytes start in the file.
    pub p_offset: u64,
    /// `p_vaddr`: the kernel virtual address of the first byte; 0 in dumps of firmware and hypervisors.
    pub p_vaddr: u64,
    /// `p_paddr`: the physical address of the first byte.
    pub p_paddr: u64,
    /// `p_filesz`: bytes of the segment in the file.
    pub p_filesz: u64,
    /// `p_memsz`: bytes of the segment in memory; those past `p_filesz` were left out of the file.
    pub p_memsz: u64,
    /// `p_align`: alignment in bytes; 0 and 1 mean none.
    pub p_align: u64,
}

impl ProgramHeader {
    /// The length of a program header, in bytes: 32 or 56.
    #[must_use]
    pub fn encoded_len(class: Class) -> usize {
        match class {
            Class::Bits32 => 32,
            Class::Bits64 => LARGEST_LEN,
        }
    }

    /// Reads the program header at the front of `bytes`.
    ///
    /// # Errors
    /// [`Error::Corrupt`] where `bytes` ends early; its offset counts from the start of `bytes`.
    pub fn parse(bytes: &[u8], layout: Layout) -> Result<Self, Error> {
        Self::parse_at(bytes, layout, 0)
    }

    fn parse_at(bytes: &[u8], layout: Layout, offset: u64) -> Result<Self, Error> {
        let mut fields = FieldReader::new(bytes, layout, Field::ProgramHeader, offset);
        let mut phdr = Self { p_type: fields.u32()?, ..Self::default() };
        if layout.class == Class::Bits64 {
            phdr.p_flags = fields.u32()?;
        }
        phdr.p_offset = fields.word()?;
        phdr.p_vaddr = fields.word()?;
        phdr.p_paddr = fields.word()?;
        phdr.p_filesz = fields.word()?;
        phdr.p_memsz = fields.word()?;
        if layout.class == Class::Bits32 {
            phdr.p_flags = fields.u32()?;
        }
        phdr.p_align = fields.word()?;
        Ok(phdr)
    }

    /// Writes the program header to the front of `buf` and answers with its length in bytes.
    ///
    /// # Errors
    /// [`Error::BufferTooSmall`]; [`Error::Unsupported`] for an address or size that class 32 cannot hold.
    pub fn encode(&self, layout: Layout, buf: &mut [u8]) -> Result<usize, Error> {
        let mut fields = FieldWriter::new(buf, layout, Self::encoded_len(layout.class))?;
        fields.u32(self.p_type)?;
        if layout.class == Class::Bits64 {
            fields.u32(self.p_flags)?;
        }
        fields.word(Field::POffset, self.p_offset)?;
        fields.word(Field::PVaddr, self.p_vaddr)?;
        fields.word(Field::PPaddr, self.p_paddr)?;
        fields.word(Field::PFilesz, self.p_filesz)?;
        fields.word(Field::PMemsz, self.p_memsz)?;
        if layout.class == Class::Bits32 {
            fields.u32(self.p_flags)?;
        }
        fields.word(Field::PAlign, self.p_align)?;
        Ok(fields.finish())
    }

    /// The physical addresses of the segment, half open, in bytes.
    #[must_use]
    pub fn memory(&self) -> Range<u64> {
        self.p_paddr..self.p_paddr.saturating_add(self.p_memsz)
    }

    /// The physical addresses whose bytes the file holds, half open: the front of [`memory`](Self::memory).
    #[must_use]
    pub fn file_data(&self) -> Range<u64> {
        self.p_paddr..self.p_paddr.saturating_add(self.p_filesz.min(self.p_memsz))
    }
}

/// The program headers of a file, in its order, read in batches.
///
/// An item is the header and where it stands in the file; after an error the iterator is at its end.
pub struct ProgramHeaders<'a> {
    input: &'a dyn ReadAt,
    header: Header,
    next: u32,
    batch: [u8; BATCH_LEN],
    batch_start: u32,
    batch_end: u32,
}

impl<'a> ProgramHeaders<'a> {
    /// The program headers of `input` that `header` announces, from number `first` on.
    ///
    /// # Errors
    /// [`Error::Corrupt`] where `e_phentsize` is smaller than a program header or the table cannot lie in `input`.
    pub fn new(input: &'a dyn ReadAt, header: Header, first: u32) -> Result<Self, Error> {
        check_table(input, &header)?;
        let empty = Self { input, header, next: first, batch: [0; BATCH_LEN], batch_start: 0, batch_end: 0 };
        Ok(empty)
    }

    /// The number of the header that comes next.
    #[must_use]
    pub fn index(&self) -> u32 {
        self.next
    }

    fn offset_of(&self, index: u32) -> u64 {
        let table = u64::from(index).saturating_mul(u64::from(self.header.e_phentsize));
        self.header.e_phoff.saturating_add(table)
    }

    /// The bytes of header `next`, reading a batch of them where it is not at hand.
    fn bytes(&mut self) -> Result<&[u8], Error> {
        let len = ProgramHeader::encoded_len(self.header.layout.class);
        let stride = usize::from(self.header.e_phentsize);
        if !(self.batch_start..self.batch_end).contains(&self.next) {
            let whole = BATCH_LEN.checked_div(stride).unwrap_or(1).max(1);
            let left = self.header.phnum.saturating_sub(self.next);
            let count = u32::try_from(whole).unwrap_or(1).min(left);
            let before_last = usize::try_from(count.saturating_sub(1)).unwrap_or(0);
            let filled = before_last.saturating_mul(stride).saturating_add(len);
            let offset = self.offset_of(self.next);
            let batch = self.batch.get_mut(..filled).unwrap_or_default();
            fields::read(self.input, Field::ProgramHeader, offset, batch)?;
            self.batch_start = self.next;
            self.batch_end = self.next.saturating_add(count);
        }
        let number = usize::try_from(self.next.saturating_sub(self.batch_start)).unwrap_or(0);
        Ok(self.batch.get(number.saturating_mul(stride)..).unwrap_or_default())
    }
}

impl Iterator for ProgramHeaders<'_> {
    type Item = Result<(ProgramHeader, u64), Error>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.next >= self.header.phnum {
            return None;
        }
        let layout = self.header.layout;
        let offset = self.offset_of(self.next);
        let phdr = self.bytes().and_then(|bytes| ProgramHeader::parse_at(bytes, layout, offset));
        self.next = if phdr.is_ok() { self.next.saturating_add(1) } else { self.header.phnum };
        Some(phdr.map(|phdr| (phdr, offset)))
    }
}

impl fmt::Debug for ProgramHeaders<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ProgramHeaders").field("header", &self.header).field("next", &self.next).finish()
    }
}

fn check_table(input: &dyn ReadAt, header: &Header) -> Result<(), Error> {
    if header.phnum == 0 {
        return Ok(());
    }
    let len = ProgramHeader::encoded_len(header.layout.class);
    if usize::from(header.e_phentsize) < len {
        let value = u64::from(header.e_phentsize);
        return Err(Error::Unsupported { field: Field::EPhentsize, value });
    }
    let before_last = u64::from(header.phnum.saturating_sub(1)).checked_mul(u64::from(header.e_phentsize));
    let end = before_last
        .and_then(|bytes| header.e_phoff.checked_add(bytes))
        .and_then(|last| last.checked_add(u64::try_from(len).ok()?))
        .filter(|&end| input.size().is_none_or(|size| end <= size));
    match end {
        Some(_) => Ok(()),
        None => Err(Error::Corrupt { field: Field::EPhnum, offset: header.e_phoff }),
    }
}
