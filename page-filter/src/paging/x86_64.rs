//! x86_64 page tables (Intel SDM volume 3, "4-level and 5-level paging"; `Documentation/arch/x86/x86_64/mm.rst`).

use core::ops::Range;

use vmcore_format::elf::ProgramHeader;
use vmcore_format::{PhysAddr, VirtAddr};

use super::{Mapping, VirtFault};
use crate::{Fault, PhysMemory};

/// `__START_KERNEL_map`: where the kernel's image is mapped.
const KERNEL_MAP: u64 = 0xffff_ffff_8000_0000;
/// The first address of the upper half with five levels, the larger of the two.
pub(super) const KERNEL_HALF: u64 = 0xff00_0000_0000_0000;
/// Bits 51..12 of an entry: the address of a table or page.
const ADDRESS: u64 = 0x000f_ffff_ffff_f000;
const PRESENT: u64 = 1;
/// At 1 GiB and 2 MiB: the entry maps a page, not a table.
const PSE: u64 = 1 << 7;
/// The entry's index bits in an address, by level.
const SHIFTS: [u32; 5] = [48, 39, 30, 21, 12];
/// Leaf mappings remembered.
const LEAVES: usize = 8;

/// What VMCOREINFO says about the tables.
#[derive(Debug, Clone, Copy)]
pub(crate) struct X86_64Setup {
    /// `SYMBOL(init_top_pgt)` or an older name: the virtual address of the top table, in the kernel's image.
    pub(crate) root: VirtAddr,
    /// `NUMBER(phys_base)`: what the image's physical address is above its offset in the image mapping.
    pub(crate) phys_base: i64,
    /// `NUMBER(pgtable_l5_enabled)`.
    pub(crate) five_levels: bool,
    /// `NUMBER(sme_mask)`: the bit that marks encrypted memory in every entry.
    pub(crate) sme_mask: u64,
}

#[derive(Debug, Clone, Copy, Default)]
struct Leaf {
    start: u64,
    size: u64,
    phys: u64,
}

impl Leaf {
    fn mapping(&self, addr: u64) -> Option<Mapping> {
        let offset = addr.checked_sub(self.start).filter(|offset| *offset < self.size)?;
        let phys = PhysAddr(self.phys).checked_add(offset)?;
        Some(Mapping { phys, len: self.size.saturating_sub(offset) })
    }
}

/// The kernel's page tables, with the mappings met last.
#[derive(Debug, Clone)]
pub(crate) struct X86_64 {
    root: u64,
    five_levels: bool,
    address: u64,
    linear: Leaf,
    leaves: [Leaf; LEAVES],
    oldest: usize,
    /// The 2 MiB of addresses whose table of 4 KiB pages was met last, and that table.
    last_table: Option<(u64, u64)>,
}

impl X86_64 {
    /// The tables, once they map their own root to where `phys_base` says it is.
    pub(crate) fn open(
        setup: X86_64Setup,
        loads: &[ProgramHeader],
        memory: &mut dyn PhysMemory,
    ) -> Result<Self, VirtFault> {
        let root = image_phys(setup.root.0, setup.phys_base).ok_or(VirtFault::NotMapped(setup.root))?;
        let mut tables = Self {
            root: root & ADDRESS & !setup.sme_mask,
            five_levels: setup.five_levels,
            address: ADDRESS & !setup.sme_mask,
            linear: Leaf::default(),
            leaves: [Leaf::default(); LEAVES],
            oldest: 0,
            last_table: None,
        };
        if tables.translate(memory, setup.root)?.phys.0 != root {
            return Err(VirtFault::NotMapped(setup.root));
        }
        // The shortcut holds only where the tables agree: loaders are known to write wrong virtual addresses.
        if let Some(linear) = linear_map(loads)
            && tables.translate(memory, VirtAddr(linear.start)).is_ok_and(|found| found.phys.0 == linear.phys)
        {
            tables.linear = linear;
        }
        Ok(tables)
    }

    pub(crate) fn max_physmem_bits(&self) -> u32 {
        if self.five_levels { 52 } else { 46 }
    }

    pub(crate) fn root(&self) -> PhysAddr {
        PhysAddr(self.root)
    }

    pub(crate) fn translate(
        &mut self,
        memory: &mut dyn PhysMemory,
        addr: VirtAddr,
    ) -> Result<Mapping, VirtFault> {
        let known = [&self.linear].into_iter().chain(&self.leaves).find_map(|leaf| leaf.mapping(addr.0));
        if let Some(mapping) = known {
            return Ok(mapping);
        }
        let leaf = self.walk(memory, addr)?;
        if let Some(slot) = self.leaves.get_mut(self.oldest) {
            *slot = leaf;
        }
        self.oldest = self.oldest.wrapping_add(1) & LEAVES.wrapping_sub(1);
        leaf.mapping(addr.0).ok_or(VirtFault::NotMapped(addr))
    }

    fn walk(&mut self, memory: &mut dyn PhysMemory, addr: VirtAddr) -> Result<Leaf, VirtFault> {
        let unused = if self.five_levels { 7 } else { 16 };
        if (addr.0 << unused).cast_signed() >> unused != addr.0.cast_signed() {
            return Err(VirtFault::NotMapped(addr));
        }
        let region = addr.0 >> 21;
        let (mut table, skip) = match self.last_table {
            Some((known, table)) if known == region => (table, 4),
            _ => (self.root, if self.five_levels { 0 } else { 1 }),
        };
        for shift in SHIFTS.into_iter().skip(skip) {
            if shift == 12 {
                self.last_table = Some((region, table));
            }
            let entry = read_entry(memory, table, (addr.0 >> shift) & 0x1ff)?;
            if entry & PRESENT == 0 {
                return Err(VirtFault::NotMapped(addr));
            }
            if shift == 12 || (shift <= 30 && entry & PSE != 0) {
                let offset_bits = (1u64 << shift).wrapping_sub(1);
                return Ok(Leaf {
                    start: addr.0 & !offset_bits,
                    size: 1 << shift,
                    phys: entry & self.address & !offset_bits,
                });
            }
            table = entry & self.address;
        }
        Err(VirtFault::NotMapped(addr))
    }
}

fn read_entry(memory: &mut dyn PhysMemory, table: u64, index: u64) -> Result<u64, VirtFault> {
    let addr = PhysAddr(table).checked_add(index.saturating_mul(8)).ok_or(VirtFault::Memory(Fault::Hole))?;
    let mut entry = [0; 8];
    memory.read(addr, &mut entry).map_err(VirtFault::Memory)?;
    Ok(u64::from_le_bytes(entry))
}

/// The physical address of `addr` in the kernel's image mapping.
fn image_phys(addr: u64, phys_base: i64) -> Option<u64> {
    addr.checked_sub(KERNEL_MAP)?.checked_add_signed(phys_base)
}

/// `phys_base` from the `PT_LOAD` of the kernel's image, for kernels whose VMCOREINFO does not say it (before 4.10).
pub(crate) fn phys_base(loads: &[ProgramHeader]) -> Option<i64> {
    let image = loads.iter().find(|load| load.p_vaddr >= KERNEL_MAP && load.p_vaddr != u64::MAX)?;
    Some(image.p_paddr.wrapping_sub(image.p_vaddr.wrapping_sub(KERNEL_MAP)).cast_signed())
}

/// The linear map of all memory, where every `PT_LOAD` below the image agrees on its offset.
fn linear_map(loads: &[ProgramHeader]) -> Option<Leaf> {
    let mut linear: Option<(Range<u64>, u64)> = None;
    for load in loads.iter().filter(|load| (KERNEL_HALF..KERNEL_MAP).contains(&load.p_vaddr)) {
        let offset = load.p_vaddr.checked_sub(load.p_paddr)?;
        let end = load.p_vaddr.checked_add(load.p_memsz)?;
        linear = match linear {
            None => Some((load.p_vaddr..end, offset)),
            Some((range, known)) if known == offset => {
                Some((range.start.min(load.p_vaddr)..range.end.max(end), offset))
            }
            Some(_) => return None,
        };
    }
    let (range, offset) = linear?;
    Some(Leaf {
        start: range.start,
        size: range.end.saturating_sub(range.start),
        phys: range.start.checked_sub(offset)?,
    })
}

#[cfg(test)]
mod tests;
