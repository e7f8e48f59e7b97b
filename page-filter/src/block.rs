//! The block of page frames that a frame belongs to: a free block, a compound page, or the frame alone.

use core::ops::Range;

use vmcore_format::VirtAddr;

use crate::classify::Look;
use crate::kernel::Kernel;
use crate::rules::Rules;
use crate::struct_page::{MAX_STRUCT_PAGE, StructPage};
use crate::{PageKind, PhysMemory};

/// Compound pages of more than 2^10 frames are believed only when their last frame is a tail: an order that is wrong by
/// one bit could otherwise take gigabytes with it.
pub(crate) const CONFIRMED_ORDER: u32 = 10;
/// How far back in the mem_map a tail can name its head: the largest compound page there is.
const MAX_TAILS: u64 = 1 << 22;

/// Page frames that share a kind.
#[derive(Debug, Clone)]
pub(crate) struct Block {
    pub(crate) frames: Range<u64>,
    pub(crate) kind: PageKind,
    /// The order found, where it cannot be right; the block is then one frame, and kept.
    pub(crate) bad_order: Option<u64>,
}

impl Block {
    /// One frame.
    fn alone(pfn: u64, kind: PageKind) -> Self {
        Self { frames: pfn..pfn.saturating_add(1), kind, bad_order: None }
    }

    /// One frame whose block cannot be told.
    fn broken(pfn: u64, order: u64) -> Self {
        Self { bad_order: Some(order), ..Self::alone(pfn, PageKind::Kernel) }
    }
}

/// The mem_map, and the rules to read it by.
pub(crate) struct Blocks<'a> {
    pub(crate) kernel: &'a mut Kernel,
    pub(crate) memory: &'a mut dyn PhysMemory,
    pub(crate) rules: &'a Rules,
}

impl Blocks<'_> {
    /// The block that `pfn` belongs to. Where the frame before was judged (`known`), no earlier block reaches here.
    pub(crate) fn block_of(
        &mut self,
        pfn: u64,
        addr: VirtAddr,
        page: StructPage<'_>,
        next: Option<StructPage<'_>>,
        known: bool,
    ) -> Block {
        let mut buf = [0; MAX_STRUCT_PAGE];
        let next = next.or_else(|| self.second_page(pfn, page, &mut buf));
        let earlier = match self.rules.look(pfn, page, next) {
            Look::Block { kind, order } if order > 0 || kind != PageKind::Kernel => {
                let block = self.block(pfn, kind, order, page, next);
                return block.unwrap_or_else(|| Block::broken(pfn, u64::from(order)));
            }
            Look::BadOrder { order } => return Block::broken(pfn, order),
            Look::FakeHead { order } if known => return Block::broken(pfn, u64::from(order)),
            _ if known => None,
            Look::Block { .. } => self.free_block_over(pfn),
            Look::Tail { word } => self.block_of_tail(pfn, addr, word),
            Look::FakeHead { order } => {
                let block = self.block_at(pfn & !below(order), pfn);
                Some(block.unwrap_or_else(|| Block::broken(pfn, u64::from(order))))
            }
        };
        earlier.unwrap_or_else(|| Block::alone(pfn, PageKind::Kernel))
    }

    /// The block that starts before `pfn` and covers it, as far as memory alone says.
    pub(crate) fn block_over(&mut self, pfn: u64) -> Option<Block> {
        let mut buf = [0; MAX_STRUCT_PAGE];
        let (addr, page) = self.kernel.struct_page(self.memory, pfn, &mut buf)?;
        let block = self.block_of(pfn, addr, page, None, false);
        (block.frames.start < pfn).then_some(block)
    }

    /// The `struct page` after that of a head.
    fn second_page<'b>(
        &mut self,
        pfn: u64,
        page: StructPage<'_>,
        buf: &'b mut [u8],
    ) -> Option<StructPage<'b>> {
        if !self.rules.is_head(page) {
            return None;
        }
        self.kernel.struct_page(self.memory, pfn.checked_add(1)?, buf).map(|(_, page)| page)
    }

    /// The block of 2^`order` frames at `pfn`; `None` when it is too large to be believed.
    fn block(
        &mut self,
        pfn: u64,
        kind: PageKind,
        order: u32,
        page: StructPage<'_>,
        next: Option<StructPage<'_>>,
    ) -> Option<Block> {
        let last = pfn.checked_add(below(order))?;
        if order > CONFIRMED_ORDER && kind != PageKind::Free {
            let mut buf = [0; MAX_STRUCT_PAGE];
            let (_, last) = self.kernel.struct_page(self.memory, last, &mut buf)?;
            if !self.rules.is_tail(last) {
                return None;
            }
        }
        let broken = order > 0 && self.rules.is_poisoned(page) && self.rules.is_hugetlb(page, next);
        let kind = if broken { PageKind::HwPoison } else { kind };
        Some(Block { frames: pfn..last.saturating_add(1), kind, bad_order: None })
    }

    /// The block that starts at `head`, where it covers `pfn`.
    fn block_at(&mut self, head: u64, pfn: u64) -> Option<Block> {
        let mut buf = [0; MAX_STRUCT_PAGE];
        let mut next_buf = [0; MAX_STRUCT_PAGE];
        let (_, page) = self.kernel.struct_page(self.memory, head, &mut buf)?;
        let next = self.second_page(head, page, &mut next_buf);
        let Look::Block { kind, order } = self.rules.look(head, page, next) else { return None };
        self.block(head, kind, order, page, next).filter(|block| block.frames.contains(&pfn))
    }

    /// The free block that starts before `pfn` and covers it: frames of a free block do not name its first.
    fn free_block_over(&mut self, pfn: u64) -> Option<Block> {
        let mut tried = pfn;
        for order in 1..self.rules.orders {
            let head = pfn & !below(order);
            if head == tried {
                continue;
            }
            tried = head;
            if let Some(block) = self.block_at(head, pfn).filter(|block| block.kind == PageKind::Free) {
                return Some(block);
            }
        }
        None
    }

    /// The compound page of a tail, whose word is the head's address, or from 7.1 on the mask that leads to it.
    fn block_of_tail(&mut self, pfn: u64, addr: VirtAddr, word: u64) -> Option<Block> {
        let size = u64::try_from(self.rules.size).ok()?;
        let named = word & !1;
        [named, addr.0 & named].into_iter().find_map(|head_addr| {
            let distance = addr.0.checked_sub(head_addr)?;
            let tails = distance.checked_div(size).filter(|tails| (1..MAX_TAILS).contains(tails))?;
            if tails.checked_mul(size)? != distance {
                return None;
            }
            self.block_at(pfn.checked_sub(tails)?, pfn)
        })
    }
}

/// 2^`order` - 1.
fn below(order: u32) -> u64 {
    1u64.checked_shl(order).map_or(u64::MAX, |frames| frames.wrapping_sub(1))
}
