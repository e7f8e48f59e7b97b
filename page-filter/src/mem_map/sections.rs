//! What the kernel's `mem_section` says of the memory that the input has, and the other way around.
//!
//! The input's table of memory (`PT_LOAD`s, the first bitmap) was made when the crash kernel was loaded; sections are as
//! they were at the crash. Memory that was removed or added in between is in one of them only.

use core::ops::Range;

use vmcore_format::{Pfn, VirtAddr};

use super::sparse::{Section, Sparse};
use crate::classify::Look;
use crate::paging::{Paging, VirtFault};
use crate::rules::Rules;
use crate::struct_page::{MAX_STRUCT_PAGE, StructPage};
use crate::witness::Witnesses;
use crate::{PageKind, PhysMemory};

/// Ranges that [`FrameRanges`] names one by one.
pub const NAMED_RANGES: usize = 16;
/// The most sections of the input's memory that are looked at: 512 TiB of memory in sections of 128 MiB. And the most looks at entries
/// of `mem_section` and at page frames of sections that the input does not have.
const MOST_LOOKS: u64 = 1 << 22;
/// Sections after which it is known whether all share one virtual array of `struct page`.
const ENOUGH: u64 = 64;
/// Page frames of a section that are looked at to tell memory in use from memory that is set aside.
const SAMPLES: u64 = 64;

/// Ranges of page frames in ascending order: how much there is, and the first few by name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct FrameRanges {
    named: [(u64, u64); NAMED_RANGES],
    count: u64,
    frames: u64,
    end: u64,
}

impl FrameRanges {
    /// The first [`NAMED_RANGES`] of them.
    pub fn named(&self) -> impl Iterator<Item = Range<Pfn>> + '_ {
        self.named.iter().filter(|(start, end)| start < end).map(|(start, end)| Pfn(*start)..Pfn(*end))
    }

    /// The number of ranges, named or not.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.count
    }

    /// The page frames in all of them.
    #[must_use]
    pub fn frames(&self) -> u64 {
        self.frames
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.frames == 0
    }

    /// Adds frames above all others.
    fn add(&mut self, frames: Range<u64>) {
        let len = frames.end.saturating_sub(frames.start);
        if len == 0 {
            return;
        }
        self.frames = self.frames.saturating_add(len);
        let last = self.count.checked_sub(1).filter(|_| self.end == frames.start);
        self.end = frames.end;
        let slot = last.unwrap_or(self.count);
        let slot = usize::try_from(slot).ok().and_then(|slot| self.named.get_mut(slot));
        if last.is_none() {
            self.count = self.count.saturating_add(1);
        }
        match slot {
            Some((_, end)) if last.is_some() => *end = frames.end,
            Some(slot) => *slot = (frames.start, frames.end),
            None => {}
        }
    }
}

/// Where the input's table of memory and the kernel's `mem_section` disagree (SPARSEMEM, `include/linux/mmzone.h`). What
/// both agree on is read; this is the rest.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sections {
    /// The input has it, and both its section and its `struct page`s are gone: memory that was removed after the crash kernel was
    /// loaded. Reading it may stop a real machine, or give anything: it is not read and not dumped ([`PageKind::Removed`]), where
    /// [`believed`](Self::believed). Only kernels that have all `struct page`s in one virtual array (`vmemmap`) can tell.
    pub removed: FrameRanges,
    /// The input has it, and its section is offline, or has no `struct page`s: the kernel does not use it. Its `struct page`s
    /// are not looked at, and its pages are kept ([`PageKind::Unknown`]).
    pub offline: FrameRanges,
    /// The input has it, and its section cannot be read, contradicts the rest of the kernel, or alone says that it is gone:
    /// kept ([`PageKind::Unknown`]).
    pub unreadable: FrameRanges,
    /// The kernel uses it, and nothing of its section is in the input: memory that was added after the crash kernel was loaded.
    /// It cannot be dumped.
    pub missing: FrameRanges,
    /// Whether the kernel marks sections as online (Linux 4.13); if not, none is known to be offline.
    pub tells_online: bool,
    /// Whether [`removed`](Self::removed) memory is left out. It is not where a page frame of the kernel's own would be among
    /// it, or half of the memory, or where sections do not share one array after all: then the sections are misread, and it is kept.
    /// Nor is it where not all of the input's memory could be compared.
    pub believed: bool,
    /// Whether all sections were looked at.
    pub whole: bool,
}

impl Sections {
    /// Compares the tables of memory. The top page table's section is online for sure.
    pub(super) fn compare(
        sparse: &mut Sparse,
        rules: &Rules,
        paging: &mut Paging,
        memory: &mut dyn PhysMemory,
        witnesses: &Witnesses,
    ) -> Self {
        let root = memory.page_size().frame_of(paging.root()).0;
        let (own, believed) = match sparse.section_of(paging, memory, root) {
            Section::Mapped { online, .. } => (online, true),
            Section::Absent | Section::Bare | Section::Unreadable => (false, false),
        };
        let nothing = FrameRanges::default();
        let mut found = Self {
            removed: nothing,
            offline: nothing,
            unreadable: nothing,
            missing: nothing,
            tells_online: own,
            believed,
            whole: true,
        };
        let shared = one_array(sparse, paging, memory);
        sparse.learn(shared, own);
        let mut frames = 0u64;
        let walked = for_each_section(sparse, paging, memory, |sparse, paging, memory, run| {
            frames = frames.saturating_add(run.end.saturating_sub(run.start));
            let list = match sparse.section_of(paging, memory, run.start) {
                Section::Mapped { online: false, .. } if own => &mut found.offline,
                Section::Bare => &mut found.offline,
                Section::Mapped { mem_map, .. } => {
                    found.believed &= sparse.agrees(mem_map);
                    return true;
                }
                Section::Absent if sparse.lost_struct_pages(paging, memory, run.start) => {
                    found.believed &= witnesses.first_from(run.start) >= run.end;
                    &mut found.removed
                }
                Section::Absent | Section::Unreadable => &mut found.unreadable,
            };
            list.add(run);
            true
        });
        found.believed &= walked && found.removed.frames() <= frames >> 1;
        found.whole = walked && found.find_missing(sparse, rules, paging, memory);
        sparse.believe(found.believed);
        found
    }

    /// Looks for sections in use of which the input has nothing; `false` where there are too many to look at.
    fn find_missing(
        &mut self,
        sparse: &mut Sparse,
        rules: &Rules,
        paging: &mut Paging,
        memory: &mut dyn PhysMemory,
    ) -> bool {
        let (mut from, mut looks) = (0, MOST_LOOKS);
        while let Some(section) = sparse.next_present(paging, memory, from, &mut looks) {
            from = section.saturating_add(1);
            let frames = sparse.frames(section);
            let Ok(known) = memory.next_known(Pfn(frames.start)) else { return false };
            if known.is_some_and(|run| run.start.0 < frames.end) {
                continue;
            }
            looks = looks.saturating_sub(SAMPLES);
            if is_in_use(sparse, rules, paging, memory, &frames, self.tells_online) {
                self.missing.add(frames);
            }
        }
        looks > 0
    }
}

/// The `mem_map` that the first sections share, if they share one: `vmemmap`.
fn one_array(sparse: &mut Sparse, paging: &mut Paging, memory: &mut dyn PhysMemory) -> Option<u64> {
    let (mut seen, mut shared) = (0u64, None);
    let mut last = None;
    let mut linear = false;
    for_each_section(sparse, paging, memory, |sparse, paging, memory, run| {
        let Section::Mapped { mem_map, .. } = sparse.section_of(paging, memory, run.start) else {
            return true;
        };
        let section = sparse.number(run.start);
        if last.replace(section) == Some(section) {
            return true;
        }
        if shared.is_some_and(|shared| shared != mem_map) {
            seen = 0;
            return false;
        }
        shared = Some(mem_map);
        seen = seen.saturating_add(1);
        // Arrays of their own that follow one another look the same.
        linear = sparse.is_in_linear_map(paging, memory, mem_map, run.start);
        seen < ENOUGH && !linear
    });
    shared.filter(|_| seen > 1 && !linear)
}

/// Calls `visit` with the frames of each section that the input has, as long as it answers `true`; whether all were visited.
fn for_each_section(
    sparse: &mut Sparse,
    paging: &mut Paging,
    memory: &mut dyn PhysMemory,
    mut visit: impl FnMut(&mut Sparse, &mut Paging, &mut dyn PhysMemory, Range<u64>) -> bool,
) -> bool {
    let (mut from, mut looks) = (0, 0u64);
    loop {
        let run = match memory.next_known(Pfn(from)) {
            Ok(Some(run)) if run.end.0 > from => run.start.0.max(from)..run.end.0,
            Ok(None) => return true,
            _ => return false,
        };
        let mut at = run.start;
        while at < run.end {
            looks = looks.saturating_add(1);
            let until = sparse.end_of(at).min(run.end);
            if looks > MOST_LOOKS || !visit(sparse, paging, memory, at..until) {
                return false;
            }
            at = until;
        }
        from = run.end;
    }
}

/// Whether the kernel uses pages of a section that is not in the input. Memory that is set aside, as for the crash kernel itself,
/// is not in the input on purpose: nothing in it is free or of a kind that users or slabs have. Where the `struct page`s themselves
/// are in memory that the input does not have, they were added with the section.
fn is_in_use(
    sparse: &mut Sparse,
    rules: &Rules,
    paging: &mut Paging,
    memory: &mut dyn PhysMemory,
    frames: &Range<u64>,
    tells_online: bool,
) -> bool {
    let Section::Mapped { mem_map, online } = sparse.section_of(paging, memory, frames.start) else {
        return false;
    };
    if (tells_online && !online) || !sparse.agrees(mem_map) {
        return false;
    }
    let step = frames.end.saturating_sub(frames.start).checked_div(SAMPLES).unwrap_or(0).max(1);
    let mut buf = [0; MAX_STRUCT_PAGE];
    let Some(buf) = buf.get_mut(..rules.size) else { return false };
    (0..SAMPLES).map(|sample| frames.start.saturating_add(sample.saturating_mul(step))).any(|pfn| {
        let Some(addr) = sparse.struct_page(mem_map, pfn).filter(|addr| paging.is_kernel(VirtAddr(*addr)))
        else {
            return false;
        };
        match paging.read(memory, VirtAddr(addr), buf) {
            Ok(()) => {
                let look = rules.look(pfn, StructPage::new(buf, rules.layout), None);
                !matches!(look, Look::Block { kind: PageKind::Kernel | PageKind::Unknown, .. })
            }
            Err(VirtFault::Memory(_)) => paging.translate(memory, VirtAddr(addr)).is_ok(),
            Err(VirtFault::NotMapped(_)) => false,
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    extern crate std;
    use std::vec::Vec;

    #[test]
    fn ranges_join_and_the_first_are_named() {
        let mut ranges = FrameRanges::default();
        for frames in [1..2, 2..5, 5..5, 7..8] {
            ranges.add(frames);
        }
        assert!(ranges.named().eq([Pfn(1)..Pfn(5), Pfn(7)..Pfn(8)]));
        for start in 0..40 {
            ranges.add(100 + start * 2..101 + start * 2);
        }
        ranges.add(179..181);
        assert_eq!((ranges.count(), ranges.frames()), (42, 47));
        let named: Vec<Range<Pfn>> = ranges.named().collect();
        assert_eq!((named.len(), named.last().cloned()), (NAMED_RANGES, Some(Pfn(126)..Pfn(127))));
    }
}
