//! The lines of VMCOREINFO that the rules stand on, one value each.

use core::fmt;

use vmcore_format::vmcoreinfo::VmcoreInfo;

macro_rules! keys {
    ($($name:ident => $lookup:ident($text:literal) $label:literal,)*) => {
        /// A line of VMCOREINFO. Source: `kernel/vmcore_info.c` (Linux 6.12; `kernel/crash_core.c` before 6.9) and
        /// `arch/x86/kernel/vmcore_info_64.c`, with the names of Linux 4.19 to 7.1.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        #[non_exhaustive]
        pub enum Key {
            $(#[doc = concat!("`", $label, "(", $text, ")`")] $name,)*
        }

        impl Key {
            const ALL: &[Self] = &[$(Self::$name,)*];

            /// The key as VMCOREINFO writes it.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$name => concat!($label, "(", $text, ")"),)*
                }
            }

            /// The key's value: addresses and unsigned numbers as the same 64 bits.
            fn value(self, info: &VmcoreInfo<'_>) -> Option<i64> {
                match self {
                    $(Self::$name => signed!($lookup, info.$lookup($text)),)*
                }
            }
        }
    };
}

macro_rules! signed {
    (number, $value:expr) => {
        $value
    };
    ($lookup:ident, $value:expr) => {
        $value.map(u64::cast_signed)
    };
}

keys! {
    InitTopPgt => symbol("init_top_pgt") "SYMBOL",
    InitLevel4Pgt => symbol("init_level4_pgt") "SYMBOL",
    SwapperPgDir => symbol("swapper_pg_dir") "SYMBOL",
    PhysBase => number("phys_base") "NUMBER",
    PgtableL5Enabled => number("pgtable_l5_enabled") "NUMBER",
    SmeMask => number("sme_mask") "NUMBER",
    Stext => symbol("_stext") "SYMBOL",
    InitUtsNs => symbol("init_uts_ns") "SYMBOL",
    UtsName => offset("uts_namespace.name") "OFFSET",
    MemSectionSymbol => symbol("mem_section") "SYMBOL",
    MemSectionLength => length("mem_section") "LENGTH",
    MemSectionSize => size("mem_section") "SIZE",
    SectionMemMap => offset("mem_section.section_mem_map") "OFFSET",
    SectionSizeBits => number("SECTION_SIZE_BITS") "NUMBER",
    MaxPhysmemBits => number("MAX_PHYSMEM_BITS") "NUMBER",
    MemMapSymbol => symbol("mem_map") "SYMBOL",
    ContigPageData => symbol("contig_page_data") "SYMBOL",
    NodeStartPfn => offset("pglist_data.node_start_pfn") "OFFSET",
    NodeSpannedPages => offset("pglist_data.node_spanned_pages") "OFFSET",
    PageSize => size("page") "SIZE",
    PageFlags => offset("page.flags") "OFFSET",
    PageMapping => offset("page.mapping") "OFFSET",
    PageMapcount => offset("page._mapcount") "OFFSET",
    PagePrivate => offset("page.private") "OFFSET",
    PageCompoundHead => offset("page.compound_head") "OFFSET",
    PageCompoundInfo => offset("page.compound_info") "OFFSET",
    PageCompoundOrder => offset("page.compound_order") "OFFSET",
    PageCompoundDtor => offset("page.compound_dtor") "OFFSET",
    FolioOrder => offset("folio._folio_order") "OFFSET",
    FolioDtor => offset("folio._folio_dtor") "OFFSET",
    FreeAreaLength => length("zone.free_area") "LENGTH",
    PgHeadMask => number("PG_head_mask") "NUMBER",
    PgLru => number("PG_lru") "NUMBER",
    PgPrivate => number("PG_private") "NUMBER",
    PgSwapcache => number("PG_swapcache") "NUMBER",
    PgSwapbacked => number("PG_swapbacked") "NUMBER",
    PgSlab => number("PG_slab") "NUMBER",
    PgHwpoison => number("PG_hwpoison") "NUMBER",
    PgHugetlb => number("PG_hugetlb") "NUMBER",
    HugetlbPageDtor => number("HUGETLB_PAGE_DTOR") "NUMBER",
    BuddyMapcount => number("PAGE_BUDDY_MAPCOUNT_VALUE") "NUMBER",
    OfflineMapcount => number("PAGE_OFFLINE_MAPCOUNT_VALUE") "NUMBER",
    SlabMapcount => number("PAGE_SLAB_MAPCOUNT_VALUE") "NUMBER",
    HugetlbMapcount => number("PAGE_HUGETLB_MAPCOUNT_VALUE") "NUMBER",
    UnacceptedMapcount => number("PAGE_UNACCEPTED_MAPCOUNT_VALUE") "NUMBER",
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// The keys' values, and which key a rule went without.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Keys([Line; Key::ALL.len()]);

/// What VMCOREINFO says of one key.
#[derive(Debug, Clone, Copy)]
struct Line {
    seen: bool,
    value: Option<i64>,
}

impl Keys {
    /// Reads VMCOREINFO once, not once for each key. Where a key stands twice the first line counts.
    pub(crate) fn new(info: &VmcoreInfo<'_>) -> Self {
        let mut keys = Self([Line { seen: false, value: None }; Key::ALL.len()]);
        for text in info.lines() {
            let Some((name, _)) = text.iter().next() else { continue };
            let known = Key::ALL.iter().zip(&mut keys.0).find(|(key, _)| key.name() == name);
            if let Some((key, line)) = known
                && !line.seen
            {
                *line = Line { seen: true, value: key.value(&text) };
            }
        }
        keys
    }

    /// The value of `key` as it stands.
    pub(crate) fn signed(&self, key: Key) -> Result<i64, Key> {
        let known = Key::ALL.iter().zip(&self.0).find(|(known, _)| **known == key);
        known.and_then(|(_, line)| line.value).ok_or(key)
    }

    /// The value of `key` as 64 bits.
    pub(crate) fn bits(&self, key: Key) -> Result<u64, Key> {
        self.signed(key).map(i64::cast_unsigned)
    }

    /// The value of `key`, no larger than `limit`: anything else is as good as missing.
    pub(crate) fn at_most(&self, key: Key, limit: u64) -> Result<u64, Key> {
        self.bits(key).and_then(|value| if value <= limit { Ok(value) } else { Err(key) })
    }

    /// The mask of the bit whose number is `key`.
    pub(crate) fn flag(&self, key: Key) -> Result<u64, Key> {
        self.at_most(key, 63).map(|bit| 1 << bit)
    }

    /// Where a field of `width` bytes, aligned to as many, stands in a structure of `size` bytes.
    pub(crate) fn field(&self, key: Key, width: usize, size: usize) -> Result<usize, Key> {
        let offset = self.bits(key).and_then(|offset| usize::try_from(offset).map_err(|_| key))?;
        match offset.checked_add(width) {
            Some(end) if end <= size && offset.is_multiple_of(width) => Ok(offset),
            _ => Err(key),
        }
    }
}
