//! Where each loaded section of an object comes to stand.

use super::elf::{File, SHF_COMPRESSED, SHF_EXECINSTR, SHF_TLS, SHN_ABS, SHN_LORESERVE, Symbol, corrupt};
use super::{MAX_SECTIONS, Place, link};
use crate::{Error, Field};
use heapless::Vec;
use vmcore_format::sort_by_key;

/// What an object needs of the memory that it runs in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Layout {
    /// The bytes of the image that come from the object: those that [`link`](super::Object::link) fills.
    pub file_len: u64,
    /// The bytes of memory that the image takes, the zeros of `.bss` included.
    pub mem_len: u64,
    /// The alignment of the image in bytes, a power of two.
    pub align: u64,
    /// Where the image is entered, in bytes from its start.
    pub entry: u64,
}

/// A section that is loaded.
#[derive(Debug, Clone, Copy)]
pub(super) struct Placed {
    pub(super) index: u16,
    /// Bytes from the start of the image.
    pub(super) at: u64,
    pub(super) size: u64,
    pub(super) has_bytes: bool,
}

/// All loaded sections, in section order.
#[derive(Debug, Clone)]
pub(super) struct Sections {
    placed: Vec<Placed, MAX_SECTIONS>,
    /// The first slot of the global offset table, in bytes from the start of the image.
    pub(super) slots: u64,
    pub(super) file_len: u64,
    pub(super) mem_len: u64,
    pub(super) align: u64,
}

/// A slot holds one address.
pub(super) const SLOT_LEN: u64 = 8;

impl Sections {
    pub(super) fn place(file: &File<'_>) -> Result<Self, Error> {
        let mut sections = Self { placed: Vec::new(), slots: 0, file_len: 0, mem_len: 0, align: 1 };
        let mut end = sections.append(file, 0, true)?;
        // Which sections are relocated is known now, and no section has moved when the slots are appended.
        let slots = link::count_slots(file, &sections)?;
        if slots != 0 {
            end = align_up(end, SLOT_LEN).ok_or(corrupt(Field::ShSize, 0))?;
            sections.align = sections.align.max(SLOT_LEN);
            sections.slots = end;
            let len = slots.checked_mul(SLOT_LEN).ok_or(corrupt(Field::ShSize, 0))?;
            end = end.checked_add(len).ok_or(corrupt(Field::ShSize, 0))?;
        }
        sections.file_len = end;
        sections.mem_len = sections.append(file, end, false)?;
        sort_by_key(&mut sections.placed, |placed| placed.index);
        Ok(sections)
    }

    /// Appends the sections with bytes, or those without, from `end` on; answers with the new end.
    fn append(&mut self, file: &File<'_>, mut end: u64, has_bytes: bool) -> Result<u64, Error> {
        for index in 1..file.sections {
            let section = file.section(index)?;
            if !section.is_loaded() || section.has_bytes() != has_bytes {
                continue;
            }
            if section.flags & (SHF_TLS | SHF_COMPRESSED) != 0 {
                return Err(Error::Unsupported { field: Field::ShFlags, value: section.flags });
            }
            let align = section.align.max(1);
            if !align.is_power_of_two() {
                return Err(corrupt(Field::ShAddralign, section.header));
            }
            if has_bytes {
                file.bytes(&section)?;
            }
            let at = align_up(end, align).ok_or(corrupt(Field::ShAddralign, section.header))?;
            end = at.checked_add(section.size).ok_or(corrupt(Field::ShSize, section.header))?;
            self.align = self.align.max(align);
            let placed = Placed { index, at, size: section.size, has_bytes };
            self.placed
                .push(placed)
                .map_err(|_| Error::Unsupported { field: Field::EShnum, value: file.sections.into() })?;
        }
        Ok(end)
    }

    /// Where section `index` stands, if it is loaded.
    pub(super) fn get(&self, index: u32) -> Option<Placed> {
        let index = u16::try_from(index).ok()?;
        let found = self.placed.binary_search_by_key(&index, |placed| placed.index).ok()?;
        self.placed.get(found).copied()
    }

    pub(super) fn layout(&self, file: &File<'_>) -> Result<Layout, Error> {
        Ok(Layout {
            file_len: self.file_len,
            mem_len: self.mem_len,
            align: self.align,
            entry: self.entry(file)?,
        })
    }

    fn entry(&self, file: &File<'_>) -> Result<u64, Error> {
        let named = file.symbols()?.map_or(Ok(None), |symbols| symbols.named(purgatory::ENTRY_SYMBOL))?;
        if let Some(symbol) = named {
            let place = self.place_of(&symbol)?;
            // An absolute symbol, one in `.bss` or one behind its section is nothing to be entered.
            let inside = place.has_bytes && place.offset < self.file_len;
            return inside.then_some(place.offset).ok_or(corrupt(Field::StValue, symbol.at));
        }
        for placed in &self.placed {
            let section = file.section(placed.index)?;
            if section.flags & SHF_EXECINSTR == 0 {
                continue;
            }
            if let Some(inside) = file.entry.checked_sub(section.addr)
                && inside < placed.size
            {
                return Ok(placed.at.saturating_add(inside));
            }
        }
        Err(corrupt(Field::EEntry, 24))
    }

    /// Where a defined symbol stands, its bytes inside its section.
    pub(super) fn place_of(&self, symbol: &Symbol) -> Result<Place, Error> {
        if symbol.section == SHN_ABS {
            return Ok(Place { offset: symbol.value, size: symbol.size, has_bytes: false });
        }
        if symbol.section >= SHN_LORESERVE {
            return Err(Error::Unsupported { field: Field::StShndx, value: symbol.section.into() });
        }
        let placed = self.get(symbol.section.into()).ok_or(corrupt(Field::StShndx, symbol.at))?;
        if symbol.value.checked_add(symbol.size).is_none_or(|end| end > placed.size) {
            return Err(corrupt(Field::StValue, symbol.at));
        }
        let offset = placed.at.saturating_add(symbol.value);
        Ok(Place { offset, size: symbol.size, has_bytes: placed.has_bytes })
    }
}

fn align_up(value: u64, align: u64) -> Option<u64> {
    let mask = align.wrapping_sub(1);
    value.checked_add(mask).map(|value| value & !mask)
}
