//! SPARSEMEM: a mem_map for each section of memory (`include/linux/mmzone.h`, `mm/sparse.c`).

use core::ops::Range;

use vmcore_format::{Layout, PageSize, VirtAddr};

use super::{Described, NoMemMap, read_long};
use crate::PhysMemory;
use crate::keys::{Key, Keys};
use crate::paging::{Paging, VirtFault};
use crate::rules::{Rules, long_len};

/// Bits of `section_mem_map`, which no key of VMCOREINFO names; these three stand where they were first (Linux 2.6.13; the last
/// since 4.13, and unused before). `SECTION_MARKED_PRESENT`.
const PRESENT: u64 = 1;
/// `SECTION_HAS_MEM_MAP`.
const HAS_MEM_MAP: u64 = 1 << 1;
/// `SECTION_IS_ONLINE`.
const IS_ONLINE: u64 = 1 << 2;

/// What the table says of a section.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Section {
    /// There is no memory.
    Absent,
    /// It is present, without `struct page`s.
    Bare,
    /// Its encoded mem_map, without the flags; whether it is marked as online.
    Mapped { mem_map: u64, online: bool },
    /// The table cannot be read there.
    Unreadable,
}

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
    /// The section met last.
    last: Option<(u64, Section)>,
    /// The mem_map that all sections share.
    shared: Option<u64>,
    /// Whether sections are marked as online.
    tells_online: bool,
    /// Whether a section that is not marked as present was removed.
    believed: bool,
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
        keys: &Keys,
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
                shared: None,
                tells_online: false,
                believed: false,
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
        let until = self.end_of(pfn);
        let first = match self.section_of(paging, memory, pfn) {
            Section::Mapped { mem_map, online } if online || !self.tells_online => {
                self.struct_page(mem_map, pfn)
            }
            Section::Absent if self.believed && self.lost_struct_pages(paging, memory, pfn) => {
                return Described::Removed { until };
            }
            _ => None,
        };
        match first {
            Some(first) if paging.is_kernel(VirtAddr(first)) => {
                Described::At { first: VirtAddr(first), until }
            }
            _ => Described::Absent { until },
        }
    }

    /// The number of the section that `pfn` is in.
    pub(super) fn number(&self, pfn: u64) -> u64 {
        pfn >> self.shift
    }

    /// The first frame past the section that `pfn` is in.
    pub(super) fn end_of(&self, pfn: u64) -> u64 {
        let until =
            self.number(pfn).checked_add(1).and_then(|next| next.checked_shl(self.shift)).unwrap_or(u64::MAX);
        if until > pfn { until } else { u64::MAX }
    }

    /// The frames of a section.
    pub(super) fn frames(&self, section: u64) -> Range<u64> {
        let start = section.checked_shl(self.shift).unwrap_or(u64::MAX);
        start..self.end_of(start)
    }

    /// The address of the `struct page` of `pfn`, in a section with this mem_map. The kernel subtracts the section's first
    /// frame, so that `mem_map + pfn` is the frame's struct page.
    pub(super) fn struct_page(&self, mem_map: u64, pfn: u64) -> Option<u64> {
        Some(mem_map.wrapping_add(pfn.checked_mul(self.struct_page)?))
    }

    /// Takes note of the mem_map that all sections share, if they do, and whether sections are marked as online.
    pub(super) fn learn(&mut self, shared: Option<u64>, tells_online: bool) {
        (self.shared, self.tells_online) = (shared, tells_online);
    }

    /// Takes note whether a section that is not marked as present was removed.
    pub(super) fn believe(&mut self, believed: bool) {
        self.believed = believed;
    }

    /// Whether `mem_map` is what all sections share, if they do.
    pub(super) fn agrees(&self, mem_map: u64) -> bool {
        self.shared.is_none_or(|shared| shared == mem_map)
    }

    /// Whether the `struct page` of `pfn` lies where the section's descriptor does: in the linear map, in memory as any other. Also where
    /// that cannot be told.
    pub(super) fn is_in_linear_map(
        &self,
        paging: &mut Paging,
        memory: &mut dyn PhysMemory,
        mem_map: u64,
        pfn: u64,
    ) -> bool {
        let entry = self.entry(paging, memory, self.number(pfn)).flatten();
        let first = self.struct_page(mem_map, pfn).map(VirtAddr);
        let mut offset = |addr: Option<VirtAddr>| {
            let addr = addr?;
            paging.translate(memory, addr).ok().map(|found| addr.0.wrapping_sub(found.phys.0))
        };
        let (entry, first) = (offset(entry), offset(first));
        first.is_none() || first == entry
    }

    /// Whether the kernel unmapped the `struct page` of `pfn`, as it does when it removes memory: the second witness beside a section
    /// that says so. Only where all sections share one array is it known where the `struct page` stood.
    pub(super) fn lost_struct_pages(
        &self,
        paging: &mut Paging,
        memory: &mut dyn PhysMemory,
        pfn: u64,
    ) -> bool {
        let first = self.shared.and_then(|mem_map| self.struct_page(mem_map, pfn)).map(VirtAddr);
        // Page tables that cannot be read prove nothing.
        first.is_some_and(|first| matches!(paging.translate(memory, first), Err(VirtFault::NotMapped(_))))
    }

    /// The section that `pfn` is in.
    pub(super) fn section_of(
        &mut self,
        paging: &mut Paging,
        memory: &mut dyn PhysMemory,
        pfn: u64,
    ) -> Section {
        let section = self.number(pfn);
        if let Some((_, known)) = self.last.filter(|(last, _)| *last == section) {
            return known;
        }
        let found = self.section(paging, memory, section).unwrap_or(Section::Unreadable);
        self.last = Some((section, found));
        found
    }

    /// What the table says of a section; `None` where it cannot be read, or does not reach that far.
    fn section(&self, paging: &mut Paging, memory: &mut dyn PhysMemory, section: u64) -> Option<Section> {
        let Some(entry) = self.entry(paging, memory, section)? else { return Some(Section::Absent) };
        let encoded = read_long(entry, self.layout, paging, memory)?;
        // Flags take the low bits, more with every few releases. A mem_map and a section's share of it are whole pages.
        let flags = self.page_len.saturating_sub(1);
        Some(match (encoded & PRESENT != 0, encoded & HAS_MEM_MAP != 0) {
            (false, _) => Section::Absent,
            (true, false) => Section::Bare,
            (true, true) => Section::Mapped { mem_map: encoded & !flags, online: encoded & IS_ONLINE != 0 },
        })
    }

    /// Where `section_mem_map` of a section stands: `None` where that cannot be read, `Some(None)` where a null pointer says
    /// that there is no such section.
    fn entry(
        &self,
        paging: &mut Paging,
        memory: &mut dyn PhysMemory,
        section: u64,
    ) -> Option<Option<VirtAddr>> {
        if section >= self.sections {
            return None;
        }
        let (array, index) = match self.per_root {
            None => (self.table, section),
            Some(per_root) => {
                let array = match self.root(paging, memory, section.checked_div(per_root)?)? {
                    0 => return Some(None),
                    array => VirtAddr(array),
                };
                (Some(array).filter(|array| paging.is_kernel(*array))?, section.checked_rem(per_root)?)
            }
        };
        let entry = array.checked_add(index.checked_mul(self.section_len)?)?.checked_add(self.mem_map_at)?;
        Some(Some(entry))
    }

    /// The pointer to the page that section descriptors stand in: entry `root` of the table.
    fn root(&self, paging: &mut Paging, memory: &mut dyn PhysMemory, root: u64) -> Option<u64> {
        let offset = root.checked_mul(u64::try_from(long_len(self.layout)).ok()?)?;
        read_long(self.table.checked_add(offset)?, self.layout, paging, memory)
    }

    /// The first section from `from` on that is marked as present and has a mem_map. Each entry of the tables that is looked at
    /// takes one off `looks`; none is looked at when there are none left.
    pub(super) fn next_present(
        &mut self,
        paging: &mut Paging,
        memory: &mut dyn PhysMemory,
        from: u64,
        looks: &mut u64,
    ) -> Option<u64> {
        let per_root = self.per_root.unwrap_or(u64::MAX);
        let mut at = from;
        while at < self.sections {
            *looks = looks.checked_sub(1)?;
            if self.per_root.is_some() && at.checked_rem(per_root) == Some(0) {
                let root = at.checked_div(per_root)?;
                let next = self.next_root(paging, memory, root, looks)?;
                at = next.checked_mul(per_root)?;
            }
            let found = at.checked_shl(self.shift).map(|pfn| self.section_of(paging, memory, pfn));
            match found {
                Some(Section::Mapped { .. }) => return Some(at),
                Some(Section::Unreadable) => at = self.after_unreadable(paging, memory, at),
                Some(_) => at = at.saturating_add(1),
                None => return None,
            }
        }
        None
    }

    /// The first section after `section`, which cannot be read, that may be readable: the largest tables have millions of
    /// descriptors, and a damaged one has most of them nowhere.
    fn after_unreadable(&self, paging: &mut Paging, memory: &mut dyn PhysMemory, section: u64) -> u64 {
        let next = section.saturating_add(1);
        let per_root = self.per_root.unwrap_or(u64::MAX);
        let root_end = next.checked_next_multiple_of(per_root).unwrap_or(u64::MAX);
        let Some(Some(entry)) = self.entry(paging, memory, section) else {
            // Nor can any other behind the same pointer.
            return if self.is_extreme() { root_end } else { next };
        };
        // All that start in its page; one that reaches into the next page has none after it.
        let left = self.page_len.saturating_sub(entry.0 & self.page_len.wrapping_sub(1));
        let others = left.saturating_sub(1).checked_div(self.section_len).unwrap_or(0);
        next.saturating_add(others).min(root_end)
    }

    /// The first entry of the table of pointers from `from` on that is not null, or the number of all.
    fn next_root(
        &self,
        paging: &mut Paging,
        memory: &mut dyn PhysMemory,
        from: u64,
        looks: &mut u64,
    ) -> Option<u64> {
        /// The table takes 1 MiB on a machine with five levels of page tables: a read for each page of it.
        const AT_ONCE: u64 = 512;
        let roots = self.sections.checked_div(self.per_root?)?.max(1);
        let word = long_len(self.layout);
        let mut at = from;
        while at < roots {
            *looks = looks.checked_sub(1)?;
            let count = AT_ONCE.min(roots.saturating_sub(at));
            let mut bytes = [0; 4096];
            let bytes = bytes.get_mut(..usize::try_from(count).ok()?.checked_mul(word)?)?;
            let start = self.table.checked_add(at.checked_mul(u64::try_from(word).ok()?)?)?;
            // A table that cannot be read names no section.
            if paging.read(memory, start, bytes).is_ok()
                && let Some(set) =
                    bytes.chunks_exact(word).position(|root| root.iter().any(|byte| *byte != 0))
            {
                return at.checked_add(u64::try_from(set).ok()?);
            }
            at = at.saturating_add(count);
        }
        Some(roots)
    }
}
