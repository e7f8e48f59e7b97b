//! The structures of a relocatable ELF file, out of its bytes. Source: System V gABI chapter 4.

use crate::{Error, Field};
use vmcore_format::{Class, Endian};

const ET_REL: u16 = 1;
const EV_CURRENT: u8 = 1;

pub(super) const SHT_SYMTAB: u32 = 2;
pub(super) const SHT_RELA: u32 = 4;
pub(super) const SHT_NOBITS: u32 = 8;
pub(super) const SHT_REL: u32 = 9;

pub(super) const SHF_ALLOC: u64 = 2;
pub(super) const SHF_EXECINSTR: u64 = 4;
pub(super) const SHF_TLS: u64 = 0x400;
pub(super) const SHF_COMPRESSED: u64 = 0x800;

pub(super) const SHN_UNDEF: u16 = 0;
pub(super) const SHN_LORESERVE: u16 = 0xff00;
pub(super) const SHN_ABS: u16 = 0xfff1;

const STB_LOCAL: u8 = 0;
const STB_WEAK: u8 = 2;

/// The file as a whole.
#[derive(Debug, Clone, Copy)]
pub(super) struct File<'a> {
    bytes: &'a [u8],
    class: Class,
    pub(super) endian: Endian,
    pub(super) machine: u16,
    pub(super) entry: u64,
    section_headers: u64,
    pub(super) sections: u16,
    section_names: u16,
}

/// One section header, with the file offset of the header itself.
#[derive(Debug, Clone, Copy)]
pub(super) struct Section {
    pub(super) header: u64,
    name: u32,
    pub(super) kind: u32,
    pub(super) flags: u64,
    pub(super) addr: u64,
    pub(super) offset: u64,
    pub(super) size: u64,
    pub(super) link: u32,
    pub(super) info: u32,
    pub(super) align: u64,
    pub(super) entry_size: u64,
}

impl Section {
    pub(super) const fn is_loaded(&self) -> bool {
        self.flags & SHF_ALLOC != 0
    }

    pub(super) const fn has_bytes(&self) -> bool {
        self.kind != SHT_NOBITS
    }
}

/// One symbol, with the file offset of its entry.
#[derive(Debug, Clone, Copy)]
pub(super) struct Symbol {
    pub(super) at: u64,
    pub(super) name: u32,
    pub(super) info: u8,
    pub(super) other: u8,
    pub(super) section: u16,
    pub(super) value: u64,
    pub(super) size: u64,
}

impl Symbol {
    pub(super) const fn is_local(&self) -> bool {
        self.info >> 4 == STB_LOCAL
    }

    pub(super) const fn is_weak(&self) -> bool {
        self.info >> 4 == STB_WEAK
    }
}

/// One relocation, with the file offset of its entry.
#[derive(Debug, Clone, Copy)]
pub(super) struct Relocation {
    pub(super) at: u64,
    pub(super) offset: u64,
    pub(super) kind: u32,
    pub(super) symbol: u32,
    /// `None` where the addend stands in the bytes to be relocated.
    pub(super) addend: Option<i64>,
}

impl<'a> File<'a> {
    pub(super) fn parse(bytes: &'a [u8]) -> Result<Self, Error> {
        let ident: &[u8; 16] = bytes.first_chunk().ok_or_else(|| corrupt(Field::EIdent, 0))?;
        let [0x7f, b'E', b'L', b'F', class, data, version, ..] = *ident else {
            return Err(corrupt(Field::EIdent, 0));
        };
        let class = match class {
            1 => Class::Bits32,
            2 => Class::Bits64,
            _ => return Err(corrupt(Field::EIdent, 4)),
        };
        let endian = match data {
            1 => Endian::Little,
            2 => Endian::Big,
            _ => return Err(corrupt(Field::EIdent, 5)),
        };
        if version != EV_CURRENT {
            return Err(corrupt(Field::EIdent, 6));
        }
        let (machine, entry, section_headers, sections, section_names) = (0, 0, 0, 0, 0);
        let mut file =
            Self { bytes, class, endian, machine, entry, section_headers, sections, section_names };
        let kind = file.u16(16, Field::EType)?;
        if kind != ET_REL {
            return Err(Error::Unsupported { field: Field::EType, value: kind.into() });
        }
        file.machine = file.u16(18, Field::Machine)?;
        file.entry = file.word(24, Field::EEntry)?;
        let (shoff, shentsize, header_len) = match class {
            Class::Bits32 => (32, 46, 40),
            Class::Bits64 => (40, 58, 64),
        };
        file.section_headers = file.word(shoff, Field::EShoff)?;
        if file.u16(shentsize, Field::EShentsize)? != header_len {
            return Err(corrupt(Field::EShentsize, shentsize));
        }
        let shnum = shentsize.wrapping_add(2);
        file.sections = file.u16(shnum, Field::EShnum)?;
        file.section_names = file.u16(shnum.wrapping_add(2), Field::EShnum)?;
        // An object with more sections than e_shnum can say is nothing that runs between two kernels.
        if file.sections == 0 || file.sections >= SHN_LORESERVE {
            return Err(Error::Unsupported { field: Field::EShnum, value: file.sections.into() });
        }
        let end = u64::from(file.sections)
            .checked_mul(header_len.into())
            .and_then(|len| len.checked_add(file.section_headers));
        if end.is_none_or(|end| end > length(bytes)) {
            return Err(corrupt(Field::EShoff, shoff));
        }
        Ok(file)
    }

    pub(super) fn section(&self, index: u16) -> Result<Section, Error> {
        let (len, fields) = match self.class {
            Class::Bits32 => (40, [8, 12, 16, 20, 24, 28, 32, 36]),
            Class::Bits64 => (64, [8, 16, 24, 32, 40, 44, 48, 56]),
        };
        let header = u64::from(index).wrapping_mul(len).wrapping_add(self.section_headers);
        if index >= self.sections {
            return Err(corrupt(Field::EShnum, header));
        }
        let [flags, addr, offset, size, link, info, align, entsize] =
            fields.map(|at: u64| header.wrapping_add(at));
        Ok(Section {
            header,
            name: self.u32(header, Field::ShType)?,
            kind: self.u32(header.wrapping_add(4), Field::ShType)?,
            flags: self.word(flags, Field::ShFlags)?,
            addr: self.word(addr, Field::EEntry)?,
            offset: self.word(offset, Field::ShOffset)?,
            size: self.word(size, Field::ShSize)?,
            link: self.u32(link, Field::ShLink)?,
            info: self.u32(info, Field::ShInfo)?,
            align: self.word(align, Field::ShAddralign)?,
            entry_size: self.word(entsize, Field::ShEntsize)?,
        })
    }

    pub(super) fn len(&self) -> u64 {
        length(self.bytes)
    }

    pub(super) const fn class(&self) -> Class {
        self.class
    }

    /// Whether `section` is called `name`.
    pub(super) fn is_called(&self, section: &Section, name: &[u8]) -> bool {
        let names = self.section(self.section_names).and_then(|names| self.bytes(&names)).unwrap_or(&[]);
        has_name(names, section.name, name)
    }

    /// The bytes of a section that has some.
    pub(super) fn bytes(&self, section: &Section) -> Result<&'a [u8], Error> {
        let range = usize::try_from(section.offset).ok().and_then(|start| {
            let end = start.checked_add(usize::try_from(section.size).ok()?)?;
            self.bytes.get(start..end)
        });
        range.ok_or_else(|| corrupt(Field::ShOffset, section.header))
    }

    /// The first symbol table, with the section of its names.
    pub(super) fn symbols(&self) -> Result<Option<Symbols<'a>>, Error> {
        for index in 0..self.sections {
            if self.section(index)?.kind == SHT_SYMTAB {
                return self.symbols_of(index.into()).map(Some);
            }
        }
        Ok(None)
    }

    /// The symbol table in section `index`.
    pub(super) fn symbols_of(&self, index: u32) -> Result<Symbols<'a>, Error> {
        let index = u16::try_from(index).map_err(|_| corrupt(Field::ShLink, 0))?;
        let section = self.section(index)?;
        if section.kind != SHT_SYMTAB {
            return Err(corrupt(Field::ShLink, section.header));
        }
        let (entry, len) = match self.class {
            Class::Bits32 => (16_u64, 16),
            Class::Bits64 => (24, 24),
        };
        if section.entry_size != entry {
            return Err(corrupt(Field::ShEntsize, section.header));
        }
        let entries = self.bytes(&section)?;
        let names = u16::try_from(section.link).map_err(|_| corrupt(Field::ShLink, section.header))?;
        let names = self.section(names)?;
        let names = if names.has_bytes() { self.bytes(&names)? } else { &[] };
        let count = u32::try_from(entries.len().checked_div(len).unwrap_or(0))
            .map_err(|_| corrupt(Field::ShSize, section.header))?;
        Ok(Symbols { file: *self, at: section.offset, count, names })
    }

    /// The relocations in `section`, `None` if it holds none.
    pub(super) fn relocations(&self, section: &Section) -> Result<Option<Relocations<'a>>, Error> {
        let explicit = match section.kind {
            SHT_RELA => true,
            SHT_REL => false,
            _ => return Ok(None),
        };
        let entry = match (self.class, explicit) {
            (Class::Bits32, false) => 8,
            (Class::Bits32, true) => 12,
            (Class::Bits64, false) => 16,
            (Class::Bits64, true) => 24,
        };
        if section.entry_size != entry {
            return Err(corrupt(Field::ShEntsize, section.header));
        }
        self.bytes(section)?;
        let count = section.size.checked_div(entry).unwrap_or(0);
        Ok(Some(Relocations { file: *self, at: section.offset, count, entry, explicit }))
    }

    fn get<const N: usize>(&self, at: u64, field: Field) -> Result<[u8; N], Error> {
        let found = usize::try_from(at).ok().and_then(|at| self.bytes.get(at..)?.first_chunk());
        found.copied().ok_or_else(|| corrupt(field, at))
    }

    fn u16(&self, at: u64, field: Field) -> Result<u16, Error> {
        let bytes = self.get(at, field)?;
        Ok(match self.endian {
            Endian::Little => u16::from_le_bytes(bytes),
            Endian::Big => u16::from_be_bytes(bytes),
        })
    }

    fn u32(&self, at: u64, field: Field) -> Result<u32, Error> {
        let bytes = self.get(at, field)?;
        Ok(match self.endian {
            Endian::Little => u32::from_le_bytes(bytes),
            Endian::Big => u32::from_be_bytes(bytes),
        })
    }

    fn word(&self, at: u64, field: Field) -> Result<u64, Error> {
        if self.class == Class::Bits32 {
            return self.u32(at, field).map(u64::from);
        }
        let bytes = self.get(at, field)?;
        Ok(match self.endian {
            Endian::Little => u64::from_le_bytes(bytes),
            Endian::Big => u64::from_be_bytes(bytes),
        })
    }
}

/// A symbol table.
#[derive(Debug, Clone, Copy)]
pub(super) struct Symbols<'a> {
    file: File<'a>,
    at: u64,
    pub(super) count: u32,
    names: &'a [u8],
}

impl Symbols<'_> {
    /// The symbol `index`; `relocation` is where the index stands.
    pub(super) fn get(&self, index: u32, relocation: u64) -> Result<Symbol, Error> {
        if index >= self.count {
            return Err(corrupt(Field::RInfo, relocation));
        }
        let (len, info, shndx, value, size) = match self.file.class {
            Class::Bits32 => (16, 12, 14, 4, 8),
            Class::Bits64 => (24, 4, 6, 8, 16),
        };
        let at = u64::from(index).wrapping_mul(len).wrapping_add(self.at);
        let [info, other] = self.file.get(at.wrapping_add(info), Field::StShndx)?;
        Ok(Symbol {
            at,
            name: self.file.u32(at, Field::StName)?,
            info,
            other,
            section: self.file.u16(at.wrapping_add(shndx), Field::StShndx)?,
            value: self.file.word(at.wrapping_add(value), Field::StValue)?,
            size: self.file.word(at.wrapping_add(size), Field::StValue)?,
        })
    }

    /// Whether `symbol` is called `name`.
    pub(super) fn is_called(&self, symbol: &Symbol, name: &[u8]) -> bool {
        has_name(self.names, symbol.name, name)
    }

    /// The symbol that other files see under `name`, defined here.
    pub(super) fn named(&self, name: &[u8]) -> Result<Option<Symbol>, Error> {
        for index in 0..self.count {
            let symbol = self.get(index, self.at)?;
            if symbol.section != SHN_UNDEF && !symbol.is_local() && self.is_called(&symbol, name) {
                return Ok(Some(symbol));
            }
        }
        Ok(None)
    }
}

/// The relocations of one section.
#[derive(Debug, Clone, Copy)]
pub(super) struct Relocations<'a> {
    file: File<'a>,
    at: u64,
    pub(super) count: u64,
    entry: u64,
    explicit: bool,
}

impl Relocations<'_> {
    /// The relocation `index`, less than `count`.
    pub(super) fn get(&self, index: u64) -> Result<Relocation, Error> {
        let at = index.wrapping_mul(self.entry).wrapping_add(self.at);
        let file = &self.file;
        let offset = file.word(at, Field::ROffset)?;
        let (symbol, kind, addend) = match file.class {
            Class::Bits32 => {
                let info = file.u32(at.wrapping_add(4), Field::RInfo)?;
                (info >> 8, info & 0xff, 8)
            }
            Class::Bits64 => {
                let bytes = file.get(at.wrapping_add(8), Field::RInfo)?;
                let info = match file.endian {
                    Endian::Little => u64::from_le_bytes(bytes),
                    Endian::Big => u64::from_be_bytes(bytes),
                };
                (low32(info >> 32), low32(info), 16)
            }
        };
        let addend = at.wrapping_add(addend);
        let addend = match (self.explicit, file.class) {
            (false, _) => None,
            (true, Class::Bits32) => Some(i64::from(file.u32(addend, Field::RAddend)?.cast_signed())),
            (true, Class::Bits64) => Some(file.word(addend, Field::RAddend)?.cast_signed()),
        };
        Ok(Relocation { at, offset, kind, symbol, addend })
    }

    /// The relocation of type `kind` at `offset`, found by halves: assemblers and linkers write them in order.
    pub(super) fn find(&self, offset: u64, kind: u32) -> Result<Option<Relocation>, Error> {
        let (mut low, mut high) = (0, self.count);
        for _ in 0..u64::BITS {
            if low >= high {
                break;
            }
            let middle = low.midpoint(high);
            if self.get(middle)?.offset < offset {
                low = middle.wrapping_add(1);
            } else {
                high = middle;
            }
        }
        // An instruction has two relocations at most: the value's, and that it may be relaxed.
        for index in low..self.count.min(low.saturating_add(4)) {
            let found = self.get(index)?;
            if found.offset == offset && found.kind == kind {
                return Ok(Some(found));
            }
        }
        Ok(None)
    }
}

/// Whether the string at `at` is `name`.
fn has_name(strings: &[u8], at: u32, name: &[u8]) -> bool {
    let found = usize::try_from(at).ok().and_then(|at| strings.get(at..));
    found.and_then(|found| found.strip_prefix(name)).is_some_and(|rest| rest.first() == Some(&0))
}

/// The low 32 bits.
pub(super) const fn low32(value: u64) -> u32 {
    let [a, b, c, d, ..] = value.to_le_bytes();
    u32::from_le_bytes([a, b, c, d])
}

pub(super) fn length(bytes: &[u8]) -> u64 {
    u64::try_from(bytes.len()).unwrap_or(u64::MAX)
}

pub(super) const fn corrupt(field: Field, offset: u64) -> Error {
    Error::Corrupt { field, offset }
}
