//! Whether what the filter found can be true, asked before anything is written.
//!
//! Kernels move what marks a page about twice a year, and a filter that reads the old place fails silently: it keeps
//! everything, or leaves live data out. A live machine always has free pages and slab pages, and some of its page frames
//! are known to be the kernel's own.

use vmcore_format::Pfn;

use crate::counts::Counts;
use crate::kernel::Kernel;
use crate::mem_map::NoMemMap;
use crate::rules::{Missing, Rule};
use crate::witness::Witness;
use crate::{Level, PageKind};

/// Below this many page frames (64 MiB of 4 KiB pages) a machine may have no free page, or no slab page, in its dump.
pub const SMALL_MACHINE: u64 = 1 << 14;

/// Why the result of a scan must not be used: the dump keeps every page then.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Doubt {
    /// No page at all is free, though the rule could run.
    NoFreePage {
        /// Page frames asked about.
        frames: u64,
    },
    /// No page at all is slab, though the rule could run.
    NoSlabPage {
        /// Page frames asked about.
        frames: u64,
    },
    /// More than half of the memory is said to be broken: the flags are misread.
    MostlyHwPoison {
        /// Page frames said to be broken.
        pages: u64,
    },
    /// More free blocks and compound pages have an order that cannot be right than one that can.
    BadOrders {
        /// Blocks whose order cannot be right.
        bad: u64,
        /// Blocks whose order can.
        sound: u64,
    },
    /// A page frame that is known to hold the kernel's own data was to be left out.
    WitnessLeftOut {
        /// The page frame.
        pfn: Pfn,
        /// What it holds.
        witness: Witness,
        /// What it was taken for.
        kind: PageKind,
    },
}

/// What kept the filter from doing all that was asked of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Findings {
    level: Level,
    no_mem_map: Option<NoMemMap>,
    missing: [Option<Missing>; Rule::ALL.len()],
    doubt: Option<Doubt>,
}

impl Findings {
    /// Judges a complete scan. `whole` says that the input holds every page frame the machine had: where some were left
    /// out before, missing free pages prove nothing.
    pub(crate) fn new(
        kernel: &Kernel,
        level: Level,
        counts: &Counts,
        whole: bool,
        left_out: Option<(Pfn, Witness, PageKind)>,
    ) -> Self {
        let mut missing = [None; Rule::ALL.len()];
        for (slot, found) in missing.iter_mut().zip(kernel.missing_rules()) {
            *slot = Some(found);
        }
        let runs =
            |rule| kernel.rules().is_some() && !missing.iter().flatten().any(|missing| missing.rule == rule);
        let frames = counts.total().saturating_sub(counts.pages(PageKind::Unknown));
        let large = frames >= SMALL_MACHINE;
        let nothing_asked = level.difference(Level::ZERO).is_empty();
        let nothing_done = PageKind::ALL.into_iter().all(|kind| counts.left_out(kind) == 0);
        let broken = counts.pages(PageKind::HwPoison);
        let doubt = if nothing_asked && nothing_done {
            None
        } else if let Some((pfn, witness, kind)) = left_out {
            Some(Doubt::WitnessLeftOut { pfn, witness, kind })
        } else if large && broken > frames >> 1 {
            Some(Doubt::MostlyHwPoison { pages: broken })
        } else if large && counts.bad_orders() > counts.blocks() {
            Some(Doubt::BadOrders { bad: counts.bad_orders(), sound: counts.blocks() })
        } else if large && whole && runs(Rule::Free) && counts.pages(PageKind::Free) == 0 {
            Some(Doubt::NoFreePage { frames })
        } else if large && runs(Rule::Slab) && counts.pages(PageKind::Slab) == 0 {
            Some(Doubt::NoSlabPage { frames })
        } else {
            None
        };
        Self { level, no_mem_map: kernel.no_mem_map(), missing, doubt }
    }

    /// Why there is no mem_map, where there is none.
    #[must_use]
    pub fn no_mem_map(&self) -> Option<NoMemMap> {
        self.no_mem_map
    }

    /// The rules that could not run, whatever the level.
    pub fn missing(&self) -> impl Iterator<Item = Missing> + '_ {
        self.missing.iter().flatten().copied()
    }

    /// The rules that could not run and whose pages the level leaves out, so that more was kept than asked. Rules whose
    /// keys sound kernels may lack ([`Rule::is_optional`]) are not among them.
    pub fn keeps_more(&self) -> impl Iterator<Item = Missing> + '_ {
        self.missing().filter(|missing| !missing.rule.is_optional() && concerns(missing.rule, self.level))
    }

    /// Why the result cannot be true. The dump must keep every page then.
    #[must_use]
    pub fn doubt(&self) -> Option<Doubt> {
        self.doubt
    }
}

/// Whether a rule decides what `level` leaves out.
fn concerns(rule: Rule, level: Level) -> bool {
    let all_cache = level.contains(Level::CACHE_PRIVATE);
    let cache = all_cache || level.contains(Level::CACHE);
    match rule {
        Rule::Cache | Rule::SwapCache => cache,
        Rule::CachePrivate => cache && !all_cache,
        Rule::User | Rule::Slab | Rule::Hugetlb => level.contains(Level::USER),
        Rule::Compound => cache || level.contains(Level::USER),
        Rule::Free | Rule::Unaccepted => level.contains(Level::FREE),
        Rule::HwPoison | Rule::Offline => true,
    }
}
