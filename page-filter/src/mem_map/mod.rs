//! Where the `struct page` of a page frame stands, by memory model. Whether `vmemmap` or not makes no difference: the
//! address that comes out is virtual and is read through the page tables, so that remapped tails (hugetlb) read right.

mod flat;
mod sparse;

mod sections;

use core::fmt;
use core::ops::Range;

use vmcore_format::{Layout, Pfn, VirtAddr};

use crate::PhysMemory;
use crate::keys::{Key, Keys};
use crate::paging::Paging;
use crate::rules::{Rules, long_len};
use crate::struct_page::StructPage;
use crate::witness::Witnesses;
use flat::Flat;
use sparse::Sparse;

pub use sections::{FrameRanges, NAMED_RANGES, Sections};

/// Why no `struct page` can be found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum NoMemMap {
    /// VMCOREINFO lacks a key, or its value is out of bounds.
    MissingKey(Key),
    /// `LENGTH(mem_section)` fits neither a static nor an extreme section table.
    Model {
        /// `LENGTH(mem_section)`.
        length: u64,
    },
    /// No section of the memory that exists has a readable mem_map.
    NotCredible,
}

impl fmt::Display for NoMemMap {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::MissingKey(key) => write!(f, "VMCOREINFO has no usable {key}"),
            Self::Model { length } => write!(f, "a section table of {length} entries fits no memory model"),
            Self::NotCredible => f.write_str("the mem_map describes none of the memory"),
        }
    }
}

/// The memory model of the crashed kernel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum MemoryModel {
    /// One array for all page frames.
    Flat,
    /// A static array of sections.
    Sparse,
    /// Sections behind an array of pointers.
    SparseExtreme,
}

/// The `struct page`s of a run of page frames.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Described {
    /// From `first` on, one after the other, until frame `until`.
    At { first: VirtAddr, until: u64 },
    /// None, or none to be trusted, until frame `until`.
    Absent { until: u64 },
    /// None until frame `until`, and no memory either: it was removed.
    Removed { until: u64 },
}

/// The crashed kernel's array, or arrays, of `struct page`.
#[derive(Debug, Clone)]
pub(crate) enum MemMap {
    Flat(Flat),
    Sparse(Sparse),
}

impl MemMap {
    /// The mem_map that VMCOREINFO names, once it proved to describe the memory that exists.
    pub(crate) fn open(
        keys: &Keys,
        rules: &Rules,
        paging: &mut Paging,
        memory: &mut dyn PhysMemory,
    ) -> Result<Self, NoMemMap> {
        let symbol = match (keys.bits(Key::MemSectionSymbol), keys.bits(Key::MemMapSymbol)) {
            (Ok(symbol), _) => VirtAddr(symbol),
            (Err(_), Ok(symbol)) => {
                let mut flat = Self::Flat(Flat::open(VirtAddr(symbol), keys, rules, paging, memory)?);
                let readable = flat.readable_runs(paging, memory);
                return if readable == 0 { Err(NoMemMap::NotCredible) } else { Ok(flat) };
            }
            (Err(key), Err(_)) => return Err(NoMemMap::MissingKey(key)),
        };
        let tables = Sparse::candidates(symbol, memory.page_size(), paging.max_physmem_bits(), keys, rules)?;
        let mut best: Option<(u32, Self)> = None;
        for table in tables.into_iter().flatten() {
            let behind = table.behind_pointer(paging, memory);
            for table in [Some(table), behind].into_iter().flatten() {
                let mut map = Self::Sparse(table);
                let readable = map.readable_runs(paging, memory);
                if readable > best.as_ref().map_or(0, |(most, _)| *most) {
                    best = Some((readable, map));
                }
            }
        }
        best.map(|(_, map)| map).ok_or(NoMemMap::NotCredible)
    }

    pub(crate) fn model(&self) -> MemoryModel {
        match self {
            Self::Flat(_) => MemoryModel::Flat,
            Self::Sparse(sparse) if sparse.is_extreme() => MemoryModel::SparseExtreme,
            Self::Sparse(_) => MemoryModel::Sparse,
        }
    }

    /// The address of the section table, where there is one.
    pub(crate) fn section_table(&self) -> Option<VirtAddr> {
        match self {
            Self::Flat(_) => None,
            Self::Sparse(sparse) => Some(sparse.table()),
        }
    }

    /// Compares the sections with the memory that there is, and takes note of what was removed; `None` without sections.
    pub(crate) fn compare_sections(
        &mut self,
        rules: &Rules,
        paging: &mut Paging,
        memory: &mut dyn PhysMemory,
        witnesses: &Witnesses,
    ) -> Option<Sections> {
        match self {
            Self::Flat(_) => None,
            Self::Sparse(sparse) => Some(Sections::compare(sparse, rules, paging, memory, witnesses)),
        }
    }

    /// Where the `struct page`s from `pfn` on are.
    pub(crate) fn describe(
        &mut self,
        paging: &mut Paging,
        memory: &mut dyn PhysMemory,
        pfn: u64,
    ) -> Described {
        match self {
            Self::Flat(flat) => flat.describe(pfn),
            Self::Sparse(sparse) => sparse.describe(paging, memory, pfn),
        }
    }

    /// In how many of the first runs of memory the first frame's `struct page` can be read.
    fn readable_runs(&mut self, paging: &mut Paging, memory: &mut dyn PhysMemory) -> u32 {
        let mut readable = 0u32;
        for_first_runs(memory, |memory, run| {
            if let Described::At { first, .. } = self.describe(paging, memory, run.start)
                && paging.is_kernel(first)
                && paging.read(memory, first, &mut [0; 8]).is_ok()
            {
                readable = readable.saturating_add(1);
            }
        });
        readable
    }
}

/// The `unsigned long` or pointer at `addr`.
fn read_long(
    addr: VirtAddr,
    layout: Layout,
    paging: &mut Paging,
    memory: &mut dyn PhysMemory,
) -> Option<u64> {
    let mut bytes = [0; 8];
    let bytes = bytes.get_mut(..long_len(layout))?;
    paging.read(memory, addr, bytes).ok()?;
    StructPage::new(bytes, layout).long(0)
}

/// Calls `visit` with the first runs of page frames that the machine had.
pub(crate) fn for_first_runs(
    memory: &mut dyn PhysMemory,
    mut visit: impl FnMut(&mut dyn PhysMemory, Range<u64>),
) {
    const RUNS: usize = 64;
    let mut from = Pfn(0);
    for _ in 0..RUNS {
        let Ok(Some(run)) = memory.next_known(from) else { return };
        if run.end <= from {
            return;
        }
        from = run.end;
        visit(memory, run.start.0..run.end.0);
    }
}

#[cfg(test)]
mod tests;
