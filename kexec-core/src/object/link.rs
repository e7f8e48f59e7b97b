//! Copies the sections of an object to their places and applies its relocations.

use super::elf::{
    File, Relocation, Relocations, SHN_ABS, SHN_LORESERVE, SHN_UNDEF, SHT_REL, Section, Symbols, corrupt,
};
use super::layout::{Placed, SLOT_LEN, Sections};
use super::site::{Site, Target};
use super::{aarch64, ppc64, riscv, s390x, x86};
use crate::{Error, Field};
use vmcore_format::elf::{EM_386, EM_AARCH64, EM_PPC64, EM_RISCV, EM_S390, EM_X86_64};

/// A relocation that asks for nothing has this type on every machine.
const R_NONE: u32 = 0;

pub(super) fn link(file: &File<'_>, sections: &Sections, at: u64, image: &mut [u8]) -> Result<(), Error> {
    let needed = sections.file_len;
    let image = usize::try_from(needed).ok().and_then(|len| image.get_mut(..len));
    let image = image.ok_or(Error::BufferTooSmall { needed })?;
    let limit = if file.machine == EM_386 { u32::MAX.into() } else { u64::MAX };
    let end = at.checked_add(sections.mem_len);
    if at & sections.align.wrapping_sub(1) != 0 || end.is_none_or(|end| end > limit) {
        return Err(Error::Unsupported { field: Field::LinkAddress, value: at });
    }
    image.fill(0);
    for index in 1..file.sections {
        if let Some(placed) = sections.get(index.into()).filter(|placed| placed.has_bytes) {
            let bytes = file.bytes(&file.section(index)?)?;
            let place = bytes_of(image, &placed)?.get_mut(..bytes.len());
            place.ok_or(Error::BufferTooSmall { needed })?.copy_from_slice(bytes);
        }
    }
    let toc = toc_base(file, sections, at)?;
    let mut linker = Linker { file, sections, at, toc, slot: sections.slots };
    for index in 0..file.sections {
        let section = file.section(index)?;
        if let Some((relocations, placed)) = relocations_of(file, sections, &section)? {
            linker.relocate(&section, &relocations, &placed, image)?;
        }
    }
    Ok(())
}

/// The slots of the global offset table that the relocations of loaded sections ask for, one each.
///
/// All relocations together are no larger than the file: sections that share them would cost time without end.
pub(super) fn count_slots(file: &File<'_>, sections: &Sections) -> Result<u64, Error> {
    let (mut slots, mut bytes) = (0_u64, 0_u64);
    for index in 0..file.sections {
        let section = file.section(index)?;
        if let Some((relocations, _)) = relocations_of(file, sections, &section)? {
            bytes = bytes.saturating_add(section.size);
            if bytes > file.len() {
                return Err(corrupt(Field::ShSize, section.header));
            }
            for index in 0..relocations.count {
                if needs_slot(file.machine, relocations.get(index)?.kind) {
                    slots = slots.saturating_add(1);
                }
            }
        }
    }
    Ok(slots)
}

/// The relocations in `section` and the loaded section that they change; `None` for any other section.
fn relocations_of<'a>(
    file: &File<'a>,
    sections: &Sections,
    section: &Section,
) -> Result<Option<(Relocations<'a>, Placed)>, Error> {
    let Some(relocations) = file.relocations(section)? else { return Ok(None) };
    if section.info == 0 || section.info >= file.sections.into() {
        return Err(corrupt(Field::ShInfo, section.header));
    }
    let Some(placed) = sections.get(section.info) else { return Ok(None) };
    if !placed.has_bytes {
        return Err(corrupt(Field::ShInfo, section.header));
    }
    // In-place addends of the other machines have no fixed width.
    if section.kind == SHT_REL && file.machine != EM_386 {
        return Err(Error::Unsupported { field: Field::ShType, value: section.kind.into() });
    }
    Ok(Some((relocations, placed)))
}

const fn needs_slot(machine: u16, kind: u32) -> bool {
    match machine {
        EM_X86_64 => x86::needs_slot(kind),
        EM_S390 => s390x::needs_slot(kind),
        _ => false,
    }
}

/// ppc64le: where `.TOC.` stands: behind the first of the sections that hold the TOC, or behind the image's start.
fn toc_base(file: &File<'_>, sections: &Sections, at: u64) -> Result<u64, Error> {
    let mut start = at;
    for index in 1..file.sections {
        let section = file.section(index)?;
        let holds_toc = file.is_called(&section, b".got") || file.is_called(&section, b".toc");
        if let Some(placed) = sections.get(index.into()).filter(|_| holds_toc) {
            start = at.wrapping_add(placed.at);
            break;
        }
    }
    Ok((start & !ppc64::TOC_ALIGN.wrapping_sub(1)).wrapping_add(ppc64::TOC_BIAS))
}

fn bytes_of<'i>(image: &'i mut [u8], placed: &Placed) -> Result<&'i mut [u8], Error> {
    let end = placed.at.saturating_add(placed.size);
    let range = usize::try_from(placed.at).ok().zip(usize::try_from(end).ok());
    let bytes = range.and_then(|(start, end)| image.get_mut(start..end));
    bytes.ok_or(Error::BufferTooSmall { needed: end })
}

struct Linker<'l> {
    file: &'l File<'l>,
    sections: &'l Sections,
    at: u64,
    toc: u64,
    /// The next slot of the global offset table, in bytes from the start of the image.
    slot: u64,
}

impl Linker<'_> {
    fn relocate(
        &mut self,
        section: &Section,
        relocations: &Relocations<'_>,
        placed: &Placed,
        image: &mut [u8],
    ) -> Result<(), Error> {
        let symbols = self.file.symbols_of(section.link)?;
        for index in 0..relocations.count {
            let relocation = relocations.get(index)?;
            if relocation.kind != R_NONE {
                let target = self.target(&symbols, relocations, &relocation, section.info)?;
                self.apply(target, &relocation, placed, image)?;
            }
        }
        Ok(())
    }

    fn apply(
        &mut self,
        mut target: Target,
        relocation: &Relocation,
        placed: &Placed,
        image: &mut [u8],
    ) -> Result<(), Error> {
        if needs_slot(self.file.machine, relocation.kind) {
            target.slot = self.at.wrapping_add(self.slot);
            let slot = Relocation { offset: self.slot, addend: None, ..*relocation };
            Site::new(image, self.at, &slot, self.file.endian)?.set_u64(target.symbol)?;
            self.slot = self.slot.saturating_add(SLOT_LEN);
        }
        let address = self.at.wrapping_add(placed.at);
        let mut site = Site::new(bytes_of(image, placed)?, address, relocation, self.file.endian)?;
        if relocation.addend.is_none() {
            target.addend = site.u32()?.cast_signed().into();
        }
        match self.file.machine {
            EM_X86_64 => x86::apply(&target, &mut site),
            EM_386 => x86::apply_32(&target, &mut site),
            EM_AARCH64 => aarch64::apply(&target, &mut site),
            EM_RISCV => riscv::apply(&target, &mut site),
            EM_PPC64 => ppc64::apply(&target, &mut site),
            EM_S390 => s390x::apply(&target, &mut site),
            machine => Err(Error::Unsupported { field: Field::Machine, value: machine.into() }),
        }
    }

    /// What `relocation` of section `changed` refers to.
    fn target(
        &self,
        symbols: &Symbols<'_>,
        relocations: &Relocations<'_>,
        relocation: &Relocation,
        changed: u32,
    ) -> Result<Target, Error> {
        if self.file.machine == EM_RISCV && riscv::names_high_part(relocation.kind) {
            return self.high_part(symbols, relocations, relocation, changed);
        }
        let (symbol, other) = self.address(symbols, relocation)?;
        let local_entry = if self.file.machine == EM_PPC64 { ppc64::local_entry(other) } else { 0 };
        let addend = relocation.addend.unwrap_or(0);
        Ok(Target { symbol, addend, slot: 0, toc: self.toc, local_entry })
    }

    /// The distance that the instruction at the label holds the high part of.
    fn high_part(
        &self,
        symbols: &Symbols<'_>,
        relocations: &Relocations<'_>,
        low: &Relocation,
        changed: u32,
    ) -> Result<Target, Error> {
        let label = symbols.get(low.symbol, low.at)?;
        if u32::from(label.section) != changed || low.addend != Some(0) {
            return Err(corrupt(Field::RInfo, low.at));
        }
        let high = relocations.find(label.value, riscv::R_RISCV_PCREL_HI20)?;
        let high = high.ok_or(corrupt(Field::RInfo, low.at))?;
        let (symbol, _) = self.address(symbols, &high)?;
        let (place, _) = self.address(symbols, low)?;
        let distance = symbol.wrapping_add_signed(high.addend.unwrap_or(0)).wrapping_sub(place);
        Ok(Target { symbol: distance, addend: 0, slot: 0, toc: 0, local_entry: 0 })
    }

    /// The address of a relocation's symbol, with its `st_other`.
    fn address(&self, symbols: &Symbols<'_>, relocation: &Relocation) -> Result<(u64, u8), Error> {
        if relocation.symbol == 0 {
            return Ok((0, 0));
        }
        let symbol = symbols.get(relocation.symbol, relocation.at)?;
        let address = match symbol.section {
            SHN_UNDEF if self.file.machine == EM_PPC64 && symbols.is_called(&symbol, b".TOC.") => self.toc,
            SHN_UNDEF if symbol.is_weak() => 0,
            SHN_UNDEF => return Err(Error::UndefinedSymbol { index: relocation.symbol, offset: symbol.at }),
            SHN_ABS => symbol.value,
            section => {
                let placed = self.sections.get(section.into()).filter(|_| section < SHN_LORESERVE);
                let value = section.into();
                let placed = placed.ok_or(Error::Unsupported { field: Field::StShndx, value })?;
                self.at.wrapping_add(placed.at).wrapping_add(symbol.value)
            }
        };
        Ok((address, symbol.other))
    }
}
