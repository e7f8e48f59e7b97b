//! Ranges of page frames, put together where they touch.

use core::ops::Range;

use page_filter::{Fault, PhysMemory};
use vmcore_format::Pfn;

/// One of the two tables of a memory: frames that the machine had, or those whose bytes are there.
type Next = fn(&mut dyn PhysMemory, Pfn) -> Result<Option<Range<Pfn>>, Fault>;

/// Walks over the ranges of a memory's page frames.
pub(crate) struct Ranges {
    next: Next,
    from: Pfn,
}

impl Ranges {
    /// The frames that the machine had.
    pub(crate) fn known() -> Self {
        Self { next: |memory, from| memory.next_known(from), from: Pfn(0) }
    }

    /// The frames whose bytes are there.
    pub(crate) fn held() -> Self {
        Self { next: |memory, from| memory.next_held(from), from: Pfn(0) }
    }

    /// The next range that touches no other.
    pub(crate) fn next(&mut self, memory: &mut dyn PhysMemory) -> Result<Option<Range<Pfn>>, Fault> {
        let Some(mut range) = (self.next)(memory, self.from)? else { return Ok(None) };
        while let Some(more) = (self.next)(memory, range.end)?
            && more.start == range.end
        {
            range.end = more.end;
        }
        self.from = range.end;
        Ok(Some(range))
    }
}
