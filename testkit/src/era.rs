//! What changed in struct page and in VMCOREINFO from kernel to kernel.

/// A kernel release whose struct page and VMCOREINFO differ from those before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Era {
    /// 4.19: `compound_dtor` and `compound_order` in the first tail, no offline pages, no sizes of sections.
    V4_19,
    /// 5.4: offline pages; `PG_error` moves.
    V5_4,
    /// 5.10: lockless printk ring buffer, `MAX_PHYSMEM_BITS`.
    V5_10,
    /// 6.1: `SECTION_SIZE_BITS`, vmemmap-optimised hugetlb with fake heads.
    V6_1,
    /// 6.3: `folio._folio_dtor`, `folio._folio_order`.
    V6_3,
    /// 6.6: order and `PG_hugetlb` in the flags of the first tail.
    V6_6,
    /// 6.9: hugetlb is a page type.
    V6_9,
    /// 6.10: slab is a page type; no `PG_slab`.
    V6_10,
    /// 6.12: the page type is the top byte of `_mapcount`.
    V6_12,
    /// 6.16: unaccepted memory in VMCOREINFO.
    V6_16,
    /// 7.1: `compound_head` is `compound_info`, which holds a mask.
    V7_1,
}

/// The bit numbers of `enum pageflags`.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Flags {
    pub lru: u32,
    pub head: u32,
    pub waiters: u32,
    pub active: u32,
    pub slab: Option<u32>,
    pub owner_priv_1: u32,
    pub swapcache: u32,
    pub reserved: u32,
    pub private: u32,
    pub swapbacked: u32,
    pub hwpoison: u32,
}

/// The values of `_mapcount` that mark a page's type.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Types {
    pub buddy: u32,
    pub offline: Option<u32>,
    pub table: u32,
    pub hugetlb: Option<u32>,
    pub slab: Option<u32>,
    pub unaccepted: Option<u32>,
}

/// Where the order and the hugetlb mark of a compound page stand.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Compound {
    /// `compound_dtor` and `compound_order`, one byte each, in the first tail.
    Page,
    /// The same bytes under the name of `struct folio`.
    Folio,
    /// The low byte of the first tail's flags.
    Flags,
}

impl Era {
    /// Every era, oldest first.
    pub const ALL: [Self; 11] = [
        Self::V4_19,
        Self::V5_4,
        Self::V5_10,
        Self::V6_1,
        Self::V6_3,
        Self::V6_6,
        Self::V6_9,
        Self::V6_10,
        Self::V6_12,
        Self::V6_16,
        Self::V7_1,
    ];

    /// OSRELEASE of the era.
    #[must_use]
    pub fn release(self) -> &'static str {
        match self {
            Self::V4_19 => "4.19.0-kit",
            Self::V5_4 => "5.4.0-kit",
            Self::V5_10 => "5.10.0-kit",
            Self::V6_1 => "6.1.0-kit",
            Self::V6_3 => "6.3.0-kit",
            Self::V6_6 => "6.6.0-kit",
            Self::V6_9 => "6.9.0-kit",
            Self::V6_10 => "6.10.0-kit",
            Self::V6_12 => "6.12.0-kit",
            Self::V6_16 => "6.16.0-kit",
            Self::V7_1 => "7.1.0-kit",
        }
    }

    pub(crate) fn flags(self) -> Flags {
        // include/linux/page-flags.h of the release.
        match self {
            Self::V4_19 => Flags {
                lru: 5,
                active: 6,
                waiters: 7,
                slab: Some(8),
                owner_priv_1: 9,
                swapcache: 9,
                reserved: 11,
                private: 12,
                head: 15,
                swapbacked: 18,
                hwpoison: 22,
            },
            Self::V5_4 | Self::V5_10 | Self::V6_1 | Self::V6_3 => Flags {
                lru: 4,
                active: 5,
                waiters: 7,
                slab: Some(9),
                owner_priv_1: 10,
                swapcache: 10,
                reserved: 12,
                private: 13,
                head: 16,
                swapbacked: 19,
                hwpoison: if self <= Self::V5_10 { 23 } else { 22 },
            },
            Self::V6_6 | Self::V6_9 => Flags {
                lru: 5,
                head: 6,
                waiters: 7,
                active: 8,
                slab: Some(11),
                owner_priv_1: 12,
                swapcache: 12,
                reserved: 14,
                private: 15,
                swapbacked: 19,
                hwpoison: 22,
            },
            Self::V6_10 => Flags {
                lru: 5,
                head: 6,
                waiters: 7,
                active: 8,
                slab: None,
                owner_priv_1: 11,
                swapcache: 11,
                reserved: 13,
                private: 14,
                swapbacked: 18,
                hwpoison: 21,
            },
            Self::V6_12 | Self::V6_16 | Self::V7_1 => Flags {
                lru: 5,
                head: 6,
                waiters: 7,
                active: 8,
                slab: None,
                owner_priv_1: 10,
                swapcache: 10,
                reserved: 13,
                private: 14,
                swapbacked: 17,
                hwpoison: 20,
            },
        }
    }

    pub(crate) fn types(self) -> Types {
        let old = |bit: u32| !bit;
        match self {
            Self::V4_19 => Types {
                buddy: old(0x80),
                offline: None,
                table: old(0x200),
                hugetlb: None,
                slab: None,
                unaccepted: None,
            },
            Self::V5_4 | Self::V5_10 | Self::V6_1 | Self::V6_3 | Self::V6_6 => Types {
                buddy: old(0x80),
                offline: Some(old(0x100)),
                table: old(if self <= Self::V5_10 { 0x400 } else { 0x200 }),
                hugetlb: None,
                slab: None,
                unaccepted: None,
            },
            Self::V6_9 | Self::V6_10 => Types {
                buddy: old(0x80),
                offline: Some(old(0x100)),
                table: old(0x200),
                hugetlb: Some(old(0x800)),
                slab: (self == Self::V6_10).then_some(old(0x1000)),
                unaccepted: None,
            },
            Self::V6_12 | Self::V6_16 | Self::V7_1 => Types {
                buddy: 0xf000_0000,
                offline: Some(0xf100_0000),
                table: 0xf200_0000,
                hugetlb: Some(0xf400_0000),
                slab: Some(0xf500_0000),
                unaccepted: (self >= Self::V6_16).then_some(0xf700_0000),
            },
        }
    }

    pub(crate) fn compound(self) -> Compound {
        match self {
            Self::V4_19 | Self::V5_4 | Self::V5_10 | Self::V6_1 => Compound::Page,
            Self::V6_3 => Compound::Folio,
            _ => Compound::Flags,
        }
    }
}
