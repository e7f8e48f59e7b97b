//! Page frames by kind.

use vmcore_format::Pfn;

use crate::PageKind;

/// How many page frames of each kind a pass over the memory met, and how many of them it left out.
///
/// What a page is does not depend on the level: every frame that the bitmap held counts once, as its kind. Kinds that
/// come from `struct page` are counted by the filter; [`PageKind::Zero`] only by whoever reads the pages' bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Counts {
    pages: [u64; PageKind::ALL.len()],
    left_out: [u64; PageKind::ALL.len()],
    blocks: u64,
    bad_orders: u64,
    first_bad_order: Option<(Pfn, u64)>,
}

impl Counts {
    /// Page frames of `kind`.
    #[must_use]
    pub fn pages(&self, kind: PageKind) -> u64 {
        self.pages.get(slot(kind)).copied().unwrap_or(0)
    }

    /// Page frames of `kind` that are not dumped.
    #[must_use]
    pub fn left_out(&self, kind: PageKind) -> u64 {
        self.left_out.get(slot(kind)).copied().unwrap_or(0)
    }

    /// Page frames of all kinds but [`PageKind::Zero`]: those the filter was asked about.
    #[must_use]
    pub fn total(&self) -> u64 {
        PageKind::ALL
            .into_iter()
            .filter(|kind| *kind != PageKind::Zero)
            .fold(0, |sum, kind| sum.saturating_add(self.pages(kind)))
    }

    /// Free blocks and compound pages of two page frames or more.
    #[must_use]
    pub fn blocks(&self) -> u64 {
        self.blocks
    }

    /// Free blocks and compound pages whose order cannot be right; they are kept.
    #[must_use]
    pub fn bad_orders(&self) -> u64 {
        self.bad_orders
    }

    /// The first of [`bad_orders`](Self::bad_orders): its page frame, and the order found.
    #[must_use]
    pub fn first_bad_order(&self) -> Option<(Pfn, u64)> {
        self.first_bad_order
    }

    /// Counts `pages` page frames of `kind`.
    pub fn add(&mut self, kind: PageKind, pages: u64, left_out: bool) {
        let count = |counts: &mut [u64]| {
            if let Some(count) = counts.get_mut(slot(kind)) {
                *count = count.saturating_add(pages);
            }
        };
        count(&mut self.pages);
        if left_out {
            count(&mut self.left_out);
        }
    }

    /// Adds what a pass over the memory that comes next met.
    pub(crate) fn add_all(&mut self, later: &Self) {
        let add = |counts: &mut [u64], more: &[u64]| {
            for (count, more) in counts.iter_mut().zip(more) {
                *count = count.saturating_add(*more);
            }
        };
        add(&mut self.pages, &later.pages);
        add(&mut self.left_out, &later.left_out);
        self.blocks = self.blocks.saturating_add(later.blocks);
        self.bad_orders = self.bad_orders.saturating_add(later.bad_orders);
        self.first_bad_order = self.first_bad_order.or(later.first_bad_order);
    }

    pub(crate) fn add_block(&mut self) {
        self.blocks = self.blocks.saturating_add(1);
    }

    pub(crate) fn add_bad_order(&mut self, pfn: u64, order: u64) {
        self.bad_orders = self.bad_orders.saturating_add(1);
        self.first_bad_order = self.first_bad_order.or(Some((Pfn(pfn), order)));
    }
}

/// The place of a kind in the arrays.
const fn slot(kind: PageKind) -> usize {
    match kind {
        PageKind::Kernel => 0,
        PageKind::Slab => 1,
        PageKind::Zero => 2,
        PageKind::Cache => 3,
        PageKind::CachePrivate => 4,
        PageKind::User => 5,
        PageKind::Free => 6,
        PageKind::HwPoison => 7,
        PageKind::Offline => 8,
        PageKind::Unknown => 9,
        PageKind::Removed => 10,
    }
}
