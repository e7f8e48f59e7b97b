//! FLATMEM: one array of `struct page` from frame 0 on.

use vmcore_format::VirtAddr;

use super::{Described, NoMemMap, read_long};
use crate::PhysMemory;
use crate::keys::{Key, Keys};
use crate::paging::Paging;
use crate::rules::Rules;

/// The one array.
#[derive(Debug, Clone)]
pub(crate) struct Flat {
    mem_map: VirtAddr,
    struct_page: u64,
    /// The first frame past the array, where the node's size can be read.
    end: u64,
}

impl Flat {
    /// The array that the pointer at `symbol` (`SYMBOL(mem_map)`) names.
    pub(crate) fn open(
        symbol: VirtAddr,
        keys: &Keys,
        rules: &Rules,
        paging: &mut Paging,
        memory: &mut dyn PhysMemory,
    ) -> Result<Self, NoMemMap> {
        let mem_map = read_long(symbol, rules.layout, paging, memory).ok_or(NoMemMap::NotCredible)?;
        let mut node = |key| {
            let member = VirtAddr(keys.bits(Key::ContigPageData).ok()?).checked_add(keys.bits(key).ok()?)?;
            read_long(member, rules.layout, paging, memory)
        };
        let end = match (node(Key::NodeStartPfn), node(Key::NodeSpannedPages)) {
            (Some(start), Some(spanned)) => start.saturating_add(spanned),
            // Only frames that hold memory are asked for, and the array describes them all.
            _ => u64::MAX,
        };
        Ok(Self {
            mem_map: VirtAddr(mem_map),
            struct_page: u64::try_from(rules.size).unwrap_or(u64::MAX),
            end,
        })
    }

    pub(crate) fn describe(&self, pfn: u64) -> Described {
        let first = pfn.checked_mul(self.struct_page).and_then(|offset| self.mem_map.checked_add(offset));
        match first {
            Some(first) if pfn < self.end => Described::At { first, until: self.end },
            _ => Described::Absent { until: u64::MAX },
        }
    }
}
