//! struct page as the kernel of each era fills it (`include/linux/mm_types.h`, page-flags.h, `mm/page_alloc.c`).

use std::collections::BTreeSet;

use crate::era::Compound;
use crate::mem_map::{MemMap, MemModel};
use crate::{Bytes, Era, Machine, Use};

/// A hugetlb page on x86_64 that spans one page table: what vmemmap optimisation is for.
const HUGETLB_ORDER: u32 = 9;
const NOT_MAPPED: u32 = u32::MAX;

#[derive(Debug, Clone, Copy)]
struct Page {
    flags: u64,
    /// `lru.next`, or `compound_head` of a tail.
    first: u64,
    second: u64,
    mapping: u64,
    index: u64,
    private: u64,
    mapcount: u32,
    refcount: u32,
}

/// Writes the struct page of every page frame, holes of `mem_map` included.
pub(crate) fn write_all(m: &mut Machine) {
    for pfn in hole_pfns(m) {
        let page = Page { flags: 1 << m.spec.era.flags().reserved, ..plain() };
        write(m, pfn, page, |_| ());
    }
    for (head, used) in m.blocks() {
        write_block(m, head, used);
    }
}

/// Page frames without memory that share a page of struct pages with others.
fn hole_pfns(m: &Machine) -> Vec<u64> {
    let known = m.pfns();
    let size = m.spec.subsection;
    let groups: BTreeSet<u64> = known.iter().flat_map(|pfn| [pfn / size, pfn / size + 1]).collect();
    let mut holes: Vec<u64> = groups.iter().flat_map(|group| group * size..(group + 1) * size).collect();
    holes.retain(|pfn| known.binary_search(pfn).is_err() && m.struct_page_phys(*pfn).is_some());
    holes
}

fn plain() -> Page {
    Page {
        flags: 0,
        first: 0,
        second: 0,
        mapping: 0,
        index: 0,
        private: 0,
        mapcount: NOT_MAPPED,
        refcount: 1,
    }
}

fn write_block(m: &mut Machine, head: u64, used: Use) {
    let count = 1u64 << used.order();
    let compound = used.order() > 0 && !matches!(used, Use::Free { .. } | Use::Unaccepted);
    let mut first = head_page(m, head, used);
    if compound {
        first.flags |= 1 << m.spec.era.flags().head;
    }
    let optimised = is_optimised(m, used);
    write(m, head, first, |_| ());
    let in_first_page = if optimised { m.spec.page_size / MemMap::struct_size(m) } else { count };
    for i in 1..in_first_page {
        if compound {
            write_tail(m, head, i, used);
        } else {
            // What lies behind a buddy block's first page was cleared when it was freed.
            write(m, head + i, Page { refcount: 0, ..plain() }, |_| ());
        }
    }
    if optimised {
        share_tails(m, head, used);
    }
}

fn is_optimised(m: &Machine, used: Use) -> bool {
    matches!(m.spec.model, MemModel::Vmemmap { optimised: true, .. })
        && used == Use::Hugetlb { order: HUGETLB_ORDER }
}

/// Since 5.18 all vmemmap pages of a hugetlb page but the first show that first one again: heads appear among the
/// tails. 7.1 shows one page of tails instead. The pages so won are the kernel's to use.
fn share_tails(m: &mut Machine, head: u64, used: Use) {
    let per_page = m.spec.page_size / MemMap::struct_size(m);
    let mut shared = m.struct_page_phys(head).expect("the head has a struct page");
    for (i, pfn) in (head + per_page..head + (1 << used.order())).step_by(per_page as usize).enumerate() {
        if i == 0 && m.spec.era >= Era::V7_1 {
            shared = m.struct_page_phys(pfn).expect("the tail has a struct page");
            for tail in per_page..2 * per_page {
                write_tail(m, head, tail, used);
            }
            continue;
        }
        let freed = MemMap::remap(m, pfn, shared);
        m.forget(freed / m.spec.page_size);
    }
}

fn head_page(m: &Machine, pfn: u64, used: Use) -> Page {
    let (flags, types) = (m.spec.era.flags(), m.spec.era.types());
    let bit = |n: u32| 1u64 << n;
    let object = m.linear(0x5_a000 + pfn % 64 * 64);
    let on_lru = Page { first: object + 8, second: object + 16, index: pfn, ..plain() };
    match used {
        Use::Kernel | Use::Zero | Use::KernelCompound { .. } => Page { private: pfn % 5, ..plain() },
        Use::Text => Page { flags: bit(flags.reserved), ..plain() },
        Use::Table => Page { mapcount: types.table, ..plain() },
        Use::Slab { .. } => Page {
            flags: flags.slab.map_or(0, bit),
            first: object,
            second: object,
            // Since 6.2 the word is the allocator's own list: it may look like an anonymous mapping.
            mapping: if m.spec.era > Era::V6_1 { object | (pfn & 1) } else { object },
            index: object,
            private: 0x20_0003,
            mapcount: types.slab.unwrap_or(NOT_MAPPED),
            ..plain()
        },
        Use::Cache | Use::FolioCache { private: false, .. } => Page {
            flags: bit(flags.lru),
            mapping: object,
            mapcount: (pfn as u32 % 3).wrapping_sub(1),
            ..on_lru
        },
        Use::CachePrivate | Use::FolioCache { private: true, .. } => Page {
            flags: bit(flags.lru) | bit(flags.private) | bit(flags.active),
            mapping: object,
            private: object,
            refcount: 3,
            ..on_lru
        },
        Use::Shmem => Page { flags: bit(flags.lru) | bit(flags.swapbacked), mapping: object, ..on_lru },
        Use::SwapCache => {
            Page { flags: bit(flags.swapcache) | bit(flags.swapbacked), private: 0x1234, ..on_lru }
        }
        Use::Anon | Use::Thp { .. } => {
            let lru = if pfn.is_multiple_of(7) { 0 } else { bit(flags.lru) };
            let waiters = if pfn.is_multiple_of(5) { bit(flags.waiters) } else { 0 };
            let swap = if pfn.is_multiple_of(13) { bit(flags.swapcache) } else { 0 };
            let flags = lru | waiters | swap | bit(flags.swapbacked);
            Page { flags, mapping: object | 1, mapcount: pfn as u32 % 4, ..on_lru }
        }
        Use::Ksm => {
            Page { flags: bit(flags.lru) | bit(flags.swapbacked), mapping: object | 3, mapcount: 5, ..on_lru }
        }
        Use::Hugetlb { .. } => Page {
            mapping: if pfn & 0x200 == 0 { 0 } else { object | 1 },
            private: 2,
            mapcount: types.hugetlb.unwrap_or(NOT_MAPPED),
            ..plain()
        },
        Use::Free { order } => {
            let private = u64::from(order);
            Page { first: object, second: object, private, mapcount: types.buddy, refcount: 0, ..plain() }
        }
        Use::PcpFree => Page { first: object, second: object, index: 1, refcount: 0, ..plain() },
        Use::Unaccepted => {
            let mapcount = if m.spec.era >= Era::V6_12 { 0xf700_0000 } else { NOT_MAPPED };
            Page { first: object, second: object, mapcount, refcount: 0, ..plain() }
        }
        Use::HwPoison => Page { flags: bit(flags.hwpoison), refcount: 2, ..plain() },
        Use::Offline => {
            let mapcount = types.offline.unwrap_or(!0x100);
            Page { flags: bit(flags.reserved), first: object, second: object, mapcount, ..plain() }
        }
        Use::Movable => Page { mapping: object | 2, ..plain() },
        Use::OwnerPriv => Page { flags: bit(flags.owner_priv_1), private: object, ..plain() },
    }
}

fn write_tail(m: &mut Machine, head: u64, i: u64, used: Use) {
    let era = m.spec.era;
    let size = MemMap::struct_size(m);
    let head_virt = m.struct_page_virt(head).expect("the head has a struct page");
    let compound_head = if era >= Era::V7_1 {
        // A mask instead of a pointer, where the size of struct page is a power of two.
        u64::MAX << (used.order() + size.trailing_zeros()) | 1
    } else {
        head_virt | 1
    };
    // TAIL_MAPPING, and counters of the folio in the first tails that may look like an anonymous mapping.
    let mapping = if i <= 2 { 0x1_0000_0001 + i } else { 0xdead_0000_0000_0400 };
    let mut tail = Page { first: compound_head, mapping, refcount: 0, ..plain() };
    let hugetlb = matches!(used, Use::Hugetlb { .. });
    let (mut dtor, mut order) = (0u8, 0u8);
    if i == 1 {
        match era.compound() {
            Compound::Page | Compound::Folio => {
                order = used.order() as u8;
                dtor = match used {
                    Use::Hugetlb { .. } => 2,
                    Use::Thp { .. } | Use::FolioCache { .. } => 3,
                    _ => 1,
                };
            }
            Compound::Flags => {
                tail.flags = u64::from(used.order());
                if hugetlb && era.types().hugetlb.is_none() {
                    tail.flags |= 1 << hugetlb_flag(era);
                }
                if matches!(used, Use::Thp { .. } | Use::FolioCache { .. }) {
                    // PG_large_rmappable
                    tail.flags |= 1 << 9;
                }
            }
        }
    }
    let wide = m.spec.arch.wide();
    write(m, head + i, tail, |bytes| {
        if dtor != 0 {
            bytes.at(if wide { 16 } else { 8 }, |b| {
                b.u8(dtor).u8(order);
            });
        }
    });
}

/// `PG_hugetlb` of 6.6 to 6.8 shares the number of `PG_active`.
pub(crate) fn hugetlb_flag(era: Era) -> u32 {
    era.flags().active
}

fn write(m: &mut Machine, pfn: u64, page: Page, more: impl FnOnce(&mut Bytes)) {
    let Some(phys) = m.struct_page_phys(pfn) else { panic!("page frame {pfn:#x} has no struct page") };
    // Node and zone (ZONE_NORMAL) fill the flags from the top; sections too where mem_map is not one array.
    let mut flags = page.flags;
    let mut out = m.bytes();
    if m.spec.arch.wide() {
        flags |= 2 << 62;
        if matches!(m.spec.model, MemModel::SparseStatic | MemModel::SparseExtreme { .. }) {
            flags |= ((pfn * m.spec.page_size) >> m.spec.section_size_bits) << 43;
        }
        out.word(flags).word(page.first).word(page.second).word(page.mapping);
        out.word(page.index).word(page.private).u32(page.mapcount).u32(page.refcount);
        out.pad_to(64);
    } else {
        flags |= 1 << 30;
        out.word(flags).word(page.first).word(page.second).word(page.mapping);
        out.word(page.index).word(page.private).u32(page.mapcount).u32(page.refcount);
    }
    more(&mut out);
    m.poke(phys, &out.bytes);
}
