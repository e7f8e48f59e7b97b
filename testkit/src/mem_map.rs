//! Where the struct pages are: the memory models (include/linux/mmzone.h, mm/sparse.c, mm/sparse-vmemmap.c).

use std::collections::{BTreeMap, BTreeSet};

use crate::{Era, Machine, Use};

/// How the kernel finds the struct page of a page frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MemModel {
    /// One array from page frame 0, behind the pointer `mem_map`.
    Flat,
    /// `mem_section` is an array of sections, each with its own array in the linear map.
    SparseStatic,
    /// `mem_section` is an array of pointers to pages of sections.
    SparseExtreme {
        /// VMCOREINFO names the pointer to the array instead of the array.
        pointer: bool,
    },
    /// `SparseExtreme`, with all struct pages in one virtual array.
    Vmemmap {
        /// The array is mapped by 2 MiB pages; otherwise by 4 KiB pages, only where there is memory.
        huge: bool,
        /// Tails of hugetlb pages share one page of struct pages (needs 6.1 or newer and 4 KiB pages).
        optimised: bool,
    },
}

/// Where the struct pages were put.
#[derive(Debug, Clone, Default)]
pub struct MemMap {
    /// Sections with memory, and the physical address of their own array (sparse models).
    arrays: BTreeMap<u64, u64>,
    /// Flat: the physical address of the array.
    flat: u64,
    /// Vmemmap: virtual page address to physical page address.
    vmemmap: BTreeMap<u64, u64>,
}

const HAS_MEM_MAP: u64 = 0b1011;
const ONLINE: u64 = 0b0100;

impl MemMap {
    pub(crate) fn struct_size(m: &Machine) -> u64 {
        if m.spec.arch.wide() { 64 } else { 32 }
    }

    pub(crate) fn max_physmem_bits(m: &Machine) -> u32 {
        m.spec.physmem_bits.unwrap_or(match (m.spec.arch.wide(), m.spec.five_levels) {
            (false, _) => 32,
            (true, true) => 52,
            (true, false) => 46,
        })
    }

    fn mem_section_size(m: &Machine) -> u64 {
        if m.spec.arch.wide() { 16 } else { 8 }
    }

    fn per_root(m: &Machine) -> u64 {
        m.spec.page_size / Self::mem_section_size(m)
    }

    fn pages_per_section(m: &Machine) -> u64 {
        (1 << m.spec.section_size_bits) / m.spec.page_size
    }

    fn vmemmap_base(m: &Machine) -> u64 {
        let base: u64 = if m.spec.five_levels { 0xffd4_0000_0000_0000 } else { 0xffff_ea00_0000_0000 };
        if m.spec.kaslr == 0 { base } else { base + (0x53 << 30) }
    }

    pub(crate) fn sections(&self) -> u64 {
        self.arrays.len() as u64
    }

    /// Takes the memory for the struct pages and writes the tables that lead to them.
    pub(crate) fn reserve(m: &mut Machine) {
        let size = Self::struct_size(m);
        let per_section = Self::pages_per_section(m);
        let sections: BTreeSet<u64> = m.pfns().into_iter().map(|pfn| pfn / per_section).collect();
        match m.spec.model {
            MemModel::Flat => {
                let bytes = m.max_pfn() * size;
                let flat = m.alloc(bytes.div_ceil(m.spec.page_size), 1, Use::Kernel);
                m.mem_map.flat = flat;
                let pointer = m.symbol_at("mem_map", 8);
                let virt = m.linear(flat);
                m.poke_word(pointer, virt);
                m.mem_map.arrays = sections.iter().map(|nr| (*nr, 0)).collect();
            }
            MemModel::SparseStatic | MemModel::SparseExtreme { .. } => {
                for nr in &sections {
                    let pages = (per_section * size).div_ceil(m.spec.page_size);
                    let array = m.alloc(pages, 1, Use::Kernel);
                    m.mem_map.arrays.insert(*nr, array);
                }
                Self::write_sections(m);
            }
            MemModel::Vmemmap { huge, optimised } => {
                assert!(!(optimised && (huge || m.spec.era < Era::V6_1)), "no such kernel");
                m.mem_map.arrays = sections.iter().map(|nr| (*nr, 0)).collect();
                Self::reserve_vmemmap(m, huge);
                Self::write_sections(m);
            }
        }
    }

    fn reserve_vmemmap(m: &mut Machine, huge: bool) {
        let (base, size) = (Self::vmemmap_base(m), Self::struct_size(m));
        let page = m.spec.page_size;
        let wanted: BTreeSet<u64> = if huge {
            // A section's struct pages fill exactly one 2 MiB page.
            m.pfns().iter().map(|pfn| (base + pfn * size) >> 21 << 21).collect()
        } else {
            let together = m.spec.subsection;
            m.pfns()
                .iter()
                .map(|pfn| pfn / together * together)
                .collect::<BTreeSet<u64>>()
                .into_iter()
                .flat_map(|first| (0..together * size / page).map(move |i| base + first * size + i * page))
                .collect()
        };
        for virt in wanted {
            let pages = if huge { 512 } else { 1 };
            let phys = m.alloc(pages, pages, Use::Kernel);
            for i in 0..pages {
                m.mem_map.vmemmap.insert(virt + i * page, phys + i * page);
            }
        }
    }

    fn write_sections(m: &mut Machine) {
        let (size, per_section) = (Self::struct_size(m), Self::pages_per_section(m));
        let entry = Self::mem_section_size(m);
        let count = 1 << (Self::max_physmem_bits(m) - m.spec.section_size_bits);
        let per_root = Self::per_root(m);
        let roots = if m.spec.model == MemModel::SparseStatic { 0 } else { count / per_root };
        let table = if m.spec.model == MemModel::SparseStatic {
            let highest = m.mem_map.arrays.keys().last().map_or(0, |nr| nr + 1);
            // The whole array would be larger than the machine; what is never read is not laid out.
            m.symbol_at("mem_section", highest * entry)
        } else {
            let word = if m.spec.arch.wide() { 8 } else { 4 };
            let highest = m.mem_map.arrays.keys().last().map_or(0, |nr| nr / per_root + 1);
            let bytes = (roots.clamp(1, 1 << 11) * word).max(highest * word);
            let phys = m.alloc(bytes.div_ceil(m.spec.page_size), 1, Use::Kernel);
            let virt = m.linear(phys);
            if m.spec.model == (MemModel::SparseExtreme { pointer: true }) {
                let pointer = m.symbol_at("mem_section", 8);
                m.poke_word(pointer, virt);
            } else {
                m.symbols.insert("mem_section".to_owned(), virt);
            }
            phys
        };
        let word = if m.spec.arch.wide() { 8 } else { 4 };
        let mut root_pages: BTreeMap<u64, u64> = BTreeMap::new();
        for (nr, array) in m.mem_map.arrays.clone() {
            let at = if m.spec.model == MemModel::SparseStatic {
                table + nr * entry
            } else {
                let root = nr / per_root;
                let page = match root_pages.get(&root) {
                    Some(page) => *page,
                    None => {
                        let page = m.alloc(1, 1, Use::Slab { order: 0 });
                        root_pages.insert(root, page);
                        let virt = m.linear(page);
                        m.poke_word(table + root * word, virt);
                        page
                    }
                };
                page + nr % per_root * entry
            };
            let first = if matches!(m.spec.model, MemModel::Vmemmap { .. }) {
                Self::vmemmap_base(m)
            } else {
                // The array's address less that of the section's first page frame in it.
                m.linear(array).wrapping_sub(nr * per_section * size)
            };
            let start = nr << m.spec.section_size_bits;
            let offline = m.spec.offline.iter().any(|(from, to)| (*from..*to).contains(&start));
            m.poke_word(at, first | if offline { HAS_MEM_MAP } else { HAS_MEM_MAP | ONLINE });
            m.poke_word(at + word, 0x1230 + nr);
        }
    }

    /// `LENGTH(mem_section)`, where the model has one.
    pub(crate) fn length(m: &Machine) -> Option<u64> {
        let count = 1u64 << (Self::max_physmem_bits(m) - m.spec.section_size_bits);
        match m.spec.model {
            MemModel::Flat => None,
            MemModel::SparseStatic => Some(count),
            _ => Some(count.div_ceil(Self::per_root(m))),
        }
    }

    /// `SIZE(mem_section)`.
    pub(crate) fn section_entry(m: &Machine) -> u64 {
        Self::mem_section_size(m)
    }

    pub(crate) fn vmemmap_pages(&self) -> Vec<(u64, u64)> {
        self.vmemmap.iter().map(|(virt, phys)| (*virt, *phys)).collect()
    }

    /// Maps the vmemmap page that holds the struct page of `pfn` to the page at `phys`; answers what it was.
    pub(crate) fn remap(m: &mut Machine, pfn: u64, phys: u64) -> u64 {
        let virt = Self::vmemmap_base(m) + pfn * Self::struct_size(m);
        m.mem_map.vmemmap.insert(virt & !0xfff, phys).expect("the struct page is mapped")
    }

    pub(crate) fn virt(&self, m: &Machine, pfn: u64) -> Option<u64> {
        let (size, per_section) = (Self::struct_size(m), Self::pages_per_section(m));
        match m.spec.model {
            MemModel::Flat => (pfn < m.max_pfn()).then(|| m.linear(self.flat) + pfn * size),
            MemModel::Vmemmap { .. } => {
                let virt = Self::vmemmap_base(m) + pfn * size;
                self.vmemmap.contains_key(&(virt & !0xfff)).then_some(virt)
            }
            _ => self.arrays.get(&(pfn / per_section)).map(|a| m.linear(*a) + pfn % per_section * size),
        }
    }

    pub(crate) fn phys(&self, m: &Machine, pfn: u64) -> Option<u64> {
        let virt = self.virt(m, pfn)?;
        match m.spec.model {
            MemModel::Vmemmap { .. } => Some(self.vmemmap.get(&(virt & !0xfff))? + (virt & 0xfff)),
            _ => Some(virt - m.spec.linear_base),
        }
    }
}
