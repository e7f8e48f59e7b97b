//! Page frames that must be kept whatever the level: where they are about to be left out, the rules misread this kernel.

use core::ops::Range;

/// Why a page frame must be kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Witness {
    /// It holds the kernel's top page table.
    PageTables,
    /// It holds the start of the kernel's text, at `_stext`.
    KernelText,
    /// It holds `init_uts_ns`.
    UtsNamespace,
    /// It holds the start of the section table, `mem_section`.
    SectionTable,
    /// It holds some of the mem_map.
    MemMap,
}

const WITNESSES: usize = 64;

/// A bounded sample of such page frames, sorted.
#[derive(Debug, Clone)]
pub(crate) struct Witnesses {
    list: [(u64, Witness); WITNESSES],
    len: usize,
}

impl Witnesses {
    pub(crate) const fn new() -> Self {
        Self { list: [(u64::MAX, Witness::MemMap); WITNESSES], len: 0 }
    }

    /// Adds a page frame; a full sample stays as it is.
    pub(crate) fn add(&mut self, pfn: u64, witness: Witness) {
        if self.len == WITNESSES {
            return;
        }
        self.len = self.len.saturating_add(1);
        let mut entry = (pfn, witness);
        let at = self.list.partition_point(|known| *known <= entry);
        // Each moves one place up; the last is free.
        self.list.iter_mut().take(self.len).skip(at).for_each(|known| core::mem::swap(known, &mut entry));
    }

    /// The first of their page frames at or above `pfn`; `u64::MAX` if there is none.
    pub(crate) fn first_from(&self, pfn: u64) -> u64 {
        let at = self.list.partition_point(|(known, _)| *known < pfn);
        self.list.get(at).map_or(u64::MAX, |(known, _)| *known)
    }

    /// The first of them in a run of page frames.
    pub(crate) fn first_in(&self, run: Range<u64>) -> Option<(u64, Witness)> {
        let at = self.list.partition_point(|(pfn, _)| *pfn < run.start);
        self.list.get(at).copied().filter(|(pfn, _)| *pfn < run.end)
    }
}
