//! SPARSEMEM: a mem_map for each section of memory (`include/linux/mmzone.h`, `mm/sparse.c`).

use vmcore_format::{Layout, PageSize, VirtAddr};

use super::{Described, NoMemMap, read_long};
use crate::PhysMemory;
use crate::keys::{Key, Keys};
use crate::paging::Paging;
use crate::rules::{Rules, long_len};

/// `SECTION_MARKED_PRESENT`, bit 0 of `section_mem_map`.
const PRESENT: u64 = 1;

/// The table of sections.
#[derive(Debug, Clone)]
pub(crate) struct Sparse {
    table: VirtAddr,
    /// Sections in a page that an entry of the table points to; `None`: the table is the array of sections itself.
    per_root: Option<u64>,
    sections: u64,
    section_len: u64,
    mem_map_at: u64,
    /// `SECTION_SIZE_BITS` less the page shift.
    shift: u32,
    page_len: u64,
    struct_page: u64,
    layout: Layout,
    /// The section met last, and its encoded mem_map.
    last: Option<(u64, Option<u64>)>,
}

impl Sparse {
    /// The tables that can stand at `table`, the likeliest first; which one does is for the memory to say.
    ///
    /// Kernels export `SECTION_SIZE_BITS` from 5.13 and `MAX_PHYSMEM_BITS` from 5.9 on. The latter is the machine's own
    /// (`memory_bits`) before, and the former follows from the table's length.
    pub(super) fn candidates(
        table: VirtAddr,
        page: PageSize,
        memory_bits: u32,
        keys: &Keys<'_>,
        rules: &Rules,
    ) -> Result<[Option<Self>; 2], NoMemMap> {
        let key = |key, limit| keys.at_most(key, limit).map_err(NoMemMap::MissingKey);
        let section_len = key(Key::MemSectionSize, page.bytes())?;
        let mem_map_at = usize::try_from(section_len)
            .map_err(|_| Key::MemSectionSize)
            .and_then(|size| keys.field(Key::SectionMemMap, long_len(rules.layout), size))
            .map_err(NoMemMap::MissingKey)?;
        let length = key(Key::MemSectionLength, 1 << 40)?;
        let per_root = page.bytes().checked_div(section_len).filter(|sections| *sections > 0);
        let per_root = per_root.ok_or(NoMemMap::MissingKey(Key::MemSectionSize))?;
        let memory_bits = match keys.signed(Key::MaxPhysmemBits) {
            Ok(_) => key(Key::MaxPhysmemBits, 63)?,
            Err(_) => u64::from(memory_bits),
        };
        let section_bits = match keys.signed(Key::SectionSizeBits) {
            Ok(_) => Some(key(Key::SectionSizeBits, memory_bits)?),
            Err(_) => None,
        };
        let candidate = |per_root: Option<u64>| {
            let sections = section_bits.map(|bits| 1u64 << memory_bits.saturating_sub(bits).min(63));
            let sections = match (sections, per_root) {
                (Some(sections), None) => (sections == length).then_some(sections),
                (Some(sections), Some(per_root)) => {
                    (sections.div_ceil(per_root) == length).then_some(sections)
                }
                (None, _) => length.checked_mul(per_root.unwrap_or(1)),
            };
            let sections = sections.filter(|sections| sections.is_power_of_two())?;
            let section_bits = memory_bits.checked_sub(u64::from(sections.trailing_zeros()))?;
            Some(Self {
                table,
                per_root,
                sections,
                section_len,
                mem_map_at: u64::try_from(mem_map_at).ok()?,
                shift: u32::try_from(section_bits).ok()?.checked_sub(page.shift())?,
                page_len: page.bytes(),
                struct_page: u64::try_from(rules.size).ok()?,
                layout: rules.layout,
                last: None,
            })
        };
        let candidates = [candidate(Some(per_root)), candidate(None)];
        if candidates.iter().all(Option::is_none) { Err(NoMemMap::Model { length }) } else { Ok(candidates) }
    }

    /// The table that the pointer at this table's address leads to: the kernel exports either.
    pub(super) fn behind_pointer(&self, paging: &mut Paging, memory: &mut dyn PhysMemory) -> Option<Self> {
        let table = read_long(self.table, self.layout, paging, memory).map(VirtAddr)?;
        (self.is_extreme() && paging.is_kernel(table)).then(|| Self { table, last: None, ..self.clone() })
    }

    pub(crate) fn is_extreme(&self) -> bool {
        self.per_root.is_some()
    }

    pub(crate) fn table(&self) -> VirtAddr {
        self.table
    }

    pub(crate) fn describe(
        &mut self,
        paging: &mut Paging,
        memory: &mut dyn PhysMemory,
        pfn: u64,
    ) -> Described {
        let section = pfn >> self.shift;
        let until = section.checked_add(1).and_then(|next| next.checked_shl(self.shift)).unwrap_or(u64::MAX);
        let until = if until > pfn { until } else { u64::MAX };
        let mem_map = match self.last {
            Some((known, mem_map)) if known == section => mem_map,
            _ => {
                let mem_map = self.section_mem_map(paging, memory, section);
                self.last = Some((section, mem_map));
                mem_map
            }
        };
        // The kernel subtracts the section's first frame, so that `mem_map + pfn` is the frame's struct page.
        match mem_map.and_then(|mem_map| Some(mem_map.wrapping_add(pfn.checked_mul(self.struct_page)?))) {
            Some(first) if paging.is_kernel(VirtAddr(first)) => {
                Described::At { first: VirtAddr(first), until }
            }
            _ => Described::Absent { until },
        }
    }

    /// The encoded mem_map of a section, without its flags; `None` when the section is absent or unreadable.
    fn section_mem_map(&self, paging: &mut Paging, memory: &mut dyn PhysMemory, section: u64) -> Option<u64> {
        if section >= self.sections {
            return None;
        }
        let (array, index) = match self.per_root {
            None => (self.table, section),
            Some(per_root) => {
                let root = section.checked_div(per_root)?;
                let entry =
                    self.table.checked_add(root.checked_mul(u64::try_from(long_len(self.layout)).ok()?)?)?;
                let array = read_long(entry, self.layout, paging, memory)
                    .filter(|array| paging.is_kernel(VirtAddr(*array)))?;
                (VirtAddr(array), section.checked_rem(per_root)?)
            }
        };
        let entry = array.checked_add(index.checked_mul(self.section_len)?)?.checked_add(self.mem_map_at)?;
        let encoded = read_long(entry, self.layout, paging, memory)?;
        // Flags take the low bits, more with every few releases. A mem_map and a section's share of it are whole pages.
        let flags = self.page_len.saturating_sub(1);
        (encoded & PRESENT != 0).then_some(encoded & !flags)
    }
}
