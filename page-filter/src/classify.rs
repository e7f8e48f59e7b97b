//! What a page frame is, from its `struct page` and the next one.
//!
//! The order of the tests is makedumpfile's: slab, free, hugetlb, cache, anonymous, offline. A page type that no rule
//! knows (page tables, zsmalloc, large kmalloc, types of later kernels) is the kernel's own, whatever its other words look like.

use crate::PageKind;
use crate::rules::{HugetlbMark, OrderIn, Rules, is_typed};
use crate::struct_page::StructPage;

/// Bit 0 of `page.mapping`: anonymous memory; with bit 1, KSM (`include/linux/page-flags.h`, `FOLIO_MAPPING_ANON`).
const MAPPING_ANON: u64 = 1;
/// Bit 0 of `page.compound_head`: a tail page.
const TAIL: u64 = 1;
/// The largest order a compound page can have, in any kernel: 16 GiB in pages of 4 KiB.
const MAX_COMPOUND_ORDER: u32 = 22;

/// What one `struct page` says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Look {
    /// A page frame for itself, or the first of 2^`order` that share its kind.
    Block { kind: PageKind, order: u32 },
    /// A later page frame of a compound page; the word names the first.
    Tail { word: u64 },
    /// The first of a block whose order cannot be right: out of range, or the frame is not aligned to it.
    BadOrder { order: u64 },
    /// The head of a compound page, at a frame that no compound page of that order starts at: hugetlb pages without
    /// tails of their own in the mem_map show their head again and again.
    FakeHead { order: u32 },
}

impl Rules {
    /// What `page`, the `struct page` of frame `pfn`, says; `next` is the one after it, needed for heads only.
    pub(crate) fn look(&self, pfn: u64, page: StructPage<'_>, next: Option<StructPage<'_>>) -> Look {
        let (Some(flags), tail) = (page.long(self.flags), self.tail_word(page)) else {
            return Look::Block { kind: PageKind::Unknown, order: 0 };
        };
        if self.is_uninitialised(flags) {
            return Look::Block { kind: PageKind::Unknown, order: 0 };
        }
        if let Some(word) = tail.filter(|word| word & TAIL != 0) {
            return Look::Tail { word };
        }
        let mapcount = self.mapcount.and_then(|offset| page.int(offset));
        if self.is_slab(flags, mapcount) {
            return self.compound_block(pfn, flags, next, |_| PageKind::Slab);
        }
        if let Some(mapcount) = mapcount.filter(|mapcount| is_typed(*mapcount)) {
            if let Some(free) = self.free_block(pfn, page, mapcount) {
                return free;
            }
            return self.compound_block(pfn, flags, next, |_| self.typed_kind(mapcount));
        }
        self.compound_block(pfn, flags, next, |second| self.untyped_kind(page, flags, second))
    }

    /// Whether `page` is the first of a compound page.
    pub(crate) fn is_head(&self, page: StructPage<'_>) -> bool {
        match (self.head_mask, page.long(self.flags)) {
            (Some(mask), Some(flags)) => flags & mask != 0,
            _ => false,
        }
    }

    /// Whether the hardware reported the memory of `page` broken.
    pub(crate) fn is_poisoned(&self, page: StructPage<'_>) -> bool {
        match (self.hwpoison, page.long(self.flags)) {
            (Some(mask), Some(flags)) => flags & mask != 0 && !self.is_uninitialised(flags),
            _ => false,
        }
    }

    /// Whether the page is the head of a hugetlb page.
    pub(crate) fn is_hugetlb(&self, page: StructPage<'_>, second: Option<StructPage<'_>>) -> bool {
        match self.hugetlb {
            Some(HugetlbMark::Type(hugetlb)) => {
                self.mapcount.and_then(|offset| page.int(offset)).is_some_and(|word| hugetlb.is(word))
            }
            Some(HugetlbMark::Dtor { offset, value }) => {
                second.and_then(|second| second.byte(offset)).is_some_and(|dtor| dtor == value)
            }
            Some(HugetlbMark::SecondFlag { offset, mask }) => {
                second.and_then(|second| second.long(offset)).is_some_and(|flags| flags & mask != 0)
            }
            None => false,
        }
    }

    /// Whether bit 0 of the tail word is set.
    pub(crate) fn is_tail(&self, page: StructPage<'_>) -> bool {
        self.tail_word(page).is_some_and(|word| word & TAIL != 0)
    }

    fn tail_word(&self, page: StructPage<'_>) -> Option<u64> {
        page.long(self.tail?)
    }

    /// All ones in every word of the flags: a debugging kernel's `struct page` that was never set up.
    fn is_uninitialised(&self, flags: u64) -> bool {
        match self.layout.class {
            vmcore_format::Class::Bits32 => flags == u64::from(u32::MAX),
            vmcore_format::Class::Bits64 => flags == u64::MAX,
        }
    }

    fn is_slab(&self, flags: u64, mapcount: Option<u32>) -> bool {
        self.slab_flag.is_some_and(|mask| flags & mask != 0)
            || matches!((self.slab_type, mapcount), (Some(slab), Some(word)) if slab.is(word))
    }

    fn free_block(&self, pfn: u64, page: StructPage<'_>, mapcount: u32) -> Option<Look> {
        let order = match (self.free, self.unaccepted) {
            (Some(free), _) if free.buddy.is(mapcount) => page.long(free.order)?,
            (_, Some(unaccepted)) if unaccepted.is(mapcount) => u64::from(self.orders.saturating_sub(1)),
            _ => return None,
        };
        Some(match u32::try_from(order) {
            Ok(order) if order < self.orders && is_aligned(pfn, order) => {
                Look::Block { kind: PageKind::Free, order }
            }
            _ => Look::BadOrder { order },
        })
    }

    fn typed_kind(&self, mapcount: u32) -> PageKind {
        match (self.hugetlb, self.offline) {
            (Some(HugetlbMark::Type(hugetlb)), _) if hugetlb.is(mapcount) => PageKind::User,
            (_, Some(offline)) if offline.is(mapcount) => PageKind::Offline,
            _ => PageKind::Kernel,
        }
    }

    fn untyped_kind(&self, page: StructPage<'_>, flags: u64, second: Option<StructPage<'_>>) -> PageKind {
        if second.is_some() && self.is_hugetlb(page, second) {
            return PageKind::User;
        }
        let anonymous = match self.mapping.and_then(|offset| page.long(offset)) {
            Some(mapping) => mapping & MAPPING_ANON != 0,
            None => return PageKind::Kernel,
        };
        if anonymous {
            return if self.user { PageKind::User } else { PageKind::Kernel };
        }
        let Some(cache) = self.cache else { return PageKind::Kernel };
        if flags & cache.lru == 0 && cache.swap.is_none_or(|both| flags & both != both) {
            return PageKind::Kernel;
        }
        match cache.private {
            Some(mask) if flags & mask == 0 => PageKind::Cache,
            _ => PageKind::CachePrivate,
        }
    }

    /// The frames that share the kind of a page: those of the compound page it is the head of, or itself.
    fn compound_block<'n>(
        &self,
        pfn: u64,
        flags: u64,
        next: Option<StructPage<'n>>,
        kind: impl FnOnce(Option<StructPage<'n>>) -> PageKind,
    ) -> Look {
        let is_head = self.head_mask.is_some_and(|mask| flags & mask != 0);
        if !is_head || self.order.is_none() {
            return Look::Block { kind: kind(None), order: 0 };
        }
        // A head is followed by a tail, whatever the order; where it is not, this is no compound page after all.
        let second = next.filter(|next| self.is_tail(*next));
        let order = second.and_then(|second| self.compound_order(second)).unwrap_or(0);
        if !(1..=MAX_COMPOUND_ORDER).contains(&order) {
            return Look::BadOrder { order: u64::from(order) };
        }
        if !is_aligned(pfn, order) {
            return Look::FakeHead { order };
        }
        Look::Block { kind: kind(second), order }
    }

    fn compound_order(&self, second: StructPage<'_>) -> Option<u32> {
        match self.order? {
            OrderIn::Byte(offset) => second.byte(offset).map(u32::from),
            OrderIn::Flags(offset) => second.long(offset).map(|flags| {
                let [order, ..] = flags.to_le_bytes();
                u32::from(order)
            }),
        }
    }
}

/// Whether a block of 2^`order` frames can start at `pfn`.
pub(crate) fn is_aligned(pfn: u64, order: u32) -> bool {
    pfn.trailing_zeros() >= order
}
