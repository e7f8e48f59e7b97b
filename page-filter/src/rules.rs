//! Which rules the crashed kernel's VMCOREINFO allows, and the fields and numbers each one reads.
//!
//! Kernels tell what a page is in ways that changed every few releases. What VMCOREINFO names decides, never a version:
//!
//! | kernel | order of a compound page | hugetlb | slab |
//! |---|---|---|---|
//! | 4.19 to 6.2 | `page.compound_order` | `page.compound_dtor` is `HUGETLB_PAGE_DTOR` | flag `PG_slab` |
//! | 6.3 to 6.5 | `folio._folio_order` | `folio._folio_dtor` is `HUGETLB_PAGE_DTOR` | flag `PG_slab` |
//! | 6.6 to 6.8 | low 8 bits of the second page's flags | flag `PG_hugetlb` of the second page | flag `PG_slab` |
//! | 6.9 | as 6.6 | page type | flag `PG_slab` |
//! | 6.10 on | as 6.6 | page type | page type |
//! | 7.1 on | as 6.6; `page.compound_head` is called `page.compound_info` | page type | page type |
//!
//! A rule that lacks a key is off: its pages are kept, and [`Rules::missing`] names the rule and the key.

use vmcore_format::{Class, Layout};

use crate::keys::{Key, Keys};
use crate::struct_page::MAX_STRUCT_PAGE;

/// One thing the filter can tell of a page.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Rule {
    /// How many page frames a compound page has. Without it only the first frame of one is judged, the others are kept.
    Compound,
    /// Slab pages. Without it user pages cannot be told from slab pages, so [`Rule::User`] is off too.
    Slab,
    /// Page cache. Without it all cache is kept.
    Cache,
    /// Which cache pages have `PG_private`. Without it all cache counts as having it.
    CachePrivate,
    /// Pages of the swap cache that are on no LRU list.
    SwapCache,
    /// Anonymous memory, KSM included.
    User,
    /// hugetlb pages. Kernels without hugetlbfs do not have the key.
    Hugetlb,
    /// Pages on the buddy lists.
    Free,
    /// Memory not yet accepted from the hypervisor (Linux 6.16). Older kernels do not have the key.
    Unaccepted,
    /// Broken memory. Kernels without `CONFIG_MEMORY_FAILURE` do not have the key.
    HwPoison,
    /// Ballooned and logically offline pages. Older kernels without hugetlbfs do not have the key.
    Offline,
}

impl Rule {
    /// Every rule, in the order of reports.
    pub const ALL: [Self; 11] = [
        Self::Compound,
        Self::Slab,
        Self::Cache,
        Self::CachePrivate,
        Self::SwapCache,
        Self::User,
        Self::Hugetlb,
        Self::Free,
        Self::Unaccepted,
        Self::HwPoison,
        Self::Offline,
    ];

    /// The rule's name in reports.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Compound => "compound",
            Self::Slab => "slab",
            Self::Cache => "cache",
            Self::CachePrivate => "cache-private",
            Self::SwapCache => "swap-cache",
            Self::User => "user",
            Self::Hugetlb => "hugetlb",
            Self::Free => "free",
            Self::Unaccepted => "unaccepted",
            Self::HwPoison => "hwpoison",
            Self::Offline => "offline",
        }
    }

    /// Whether sound kernels may lack the rule's keys: the kernel was built without the feature, or is older than it.
    #[must_use]
    pub const fn is_optional(self) -> bool {
        matches!(self, Self::Hugetlb | Self::Unaccepted | Self::HwPoison | Self::Offline)
    }
}

/// A rule that cannot run, and the key it lacks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Missing {
    /// The rule that is off.
    pub rule: Rule,
    /// The first key it would need that is missing, or whose value is out of bounds.
    pub key: Key,
}

/// A page type in the word of `_mapcount`.
///
/// From 6.12 the type is the word's top byte and the rest is the owner's; before, one of the word's bits is cleared.
#[derive(Debug, Clone, Copy)]
pub(crate) struct PageType {
    mask: u32,
    value: u32,
}

impl PageType {
    fn new(keys: &Keys, key: Key) -> Result<Self, Key> {
        let value = keys.signed(key)?;
        let value = i32::try_from(value)
            .map(i32::cast_unsigned)
            .or_else(|_| u32::try_from(value))
            .map_err(|_| key)?;
        if !is_typed(value) {
            return Err(key);
        }
        let top_byte = value & 0x00ff_ffff == 0;
        Ok(Self { mask: if top_byte { 0xff00_0000 } else { u32::MAX }, value })
    }

    pub(crate) fn is(self, mapcount: u32) -> bool {
        mapcount & self.mask == self.value
    }

    /// The bits of the word that hold the type.
    pub(crate) fn mask(self) -> u32 {
        self.mask
    }

    /// What those bits are.
    pub(crate) fn value(self) -> u32 {
        self.value
    }
}

/// Whether the word of `_mapcount` holds a page type: no count of mappings goes below -127.
///
/// The kernel's own limit was -128 up to 6.10, -65536 in 6.11 and -2^24 from 6.12 on (`PAGE_MAPCOUNT_RESERVE`,
/// `PGTY_mapcount_underflow` in `include/linux/page-flags.h`); the lowest covers all three.
pub(crate) fn is_typed(mapcount: u32) -> bool {
    mapcount.cast_signed() <= -128
}

/// Where the order of a compound page stands in its second `struct page`.
#[derive(Debug, Clone, Copy)]
pub(crate) enum OrderIn {
    /// A byte of its own.
    Byte(usize),
    /// The low 8 bits of the flags.
    Flags(usize),
}

/// What marks a compound page as hugetlb.
#[derive(Debug, Clone, Copy)]
pub(crate) enum HugetlbMark {
    /// The destructor's number, a byte of the second `struct page`.
    Dtor { offset: usize, value: u8 },
    /// A flag of the second `struct page`.
    SecondFlag { offset: usize, mask: u64 },
    /// The page type.
    Type(PageType),
}

/// What marks cache pages.
#[derive(Debug, Clone, Copy)]
pub(crate) struct CacheBits {
    pub(crate) lru: u64,
    /// Both bits are needed: `PG_swapcache` alone has other owners.
    pub(crate) swap: Option<u64>,
    /// `None`: every cache page is taken for private.
    pub(crate) private: Option<u64>,
}

/// What marks free pages.
#[derive(Debug, Clone, Copy)]
pub(crate) struct BuddyMark {
    pub(crate) buddy: PageType,
    /// Where the block's order stands: `page.private`.
    pub(crate) order: usize,
}

/// What can be told of a page from its `struct page`.
#[derive(Debug, Clone)]
pub(crate) struct Rules {
    pub(crate) layout: Layout,
    /// `SIZE(page)`, in bytes.
    pub(crate) size: usize,
    pub(crate) flags: usize,
    pub(crate) mapping: Option<usize>,
    pub(crate) mapcount: Option<usize>,
    /// The word whose bit 0 marks a tail page: `compound_head`, `compound_info`.
    pub(crate) tail: Option<usize>,
    pub(crate) head_mask: Option<u64>,
    pub(crate) order: Option<OrderIn>,
    pub(crate) hugetlb: Option<HugetlbMark>,
    pub(crate) slab_flag: Option<u64>,
    pub(crate) slab_type: Option<PageType>,
    pub(crate) cache: Option<CacheBits>,
    pub(crate) user: bool,
    pub(crate) free: Option<BuddyMark>,
    pub(crate) unaccepted: Option<PageType>,
    pub(crate) offline: Option<PageType>,
    pub(crate) hwpoison: Option<u64>,
    /// `LENGTH(zone.free_area)`: orders of the buddy allocator; 0 when unknown.
    pub(crate) orders: u32,
    missing: [Option<Key>; Rule::ALL.len()],
}

impl Rules {
    /// The rules that `keys` allow.
    ///
    /// # Errors
    /// The key without which no `struct page` can be read at all.
    pub(crate) fn new(keys: &Keys, layout: Layout) -> Result<Self, Key> {
        let size = struct_page_size(keys)?;
        let long = long_len(layout);
        let mut rules = Self {
            layout,
            size,
            flags: keys.field(Key::PageFlags, long, size)?,
            mapping: keys.field(Key::PageMapping, long, size).ok(),
            mapcount: keys.field(Key::PageMapcount, 4, size).ok(),
            tail: None,
            head_mask: None,
            order: None,
            hugetlb: None,
            slab_flag: None,
            slab_type: None,
            cache: None,
            user: false,
            free: None,
            unaccepted: None,
            offline: None,
            hwpoison: None,
            orders: keys
                .at_most(Key::FreeAreaLength, 32)
                .ok()
                .and_then(|n| u32::try_from(n).ok())
                .unwrap_or(0),
            missing: [None; Rule::ALL.len()],
        };
        let tail = rules.tail_field(keys);
        rules.tail = tail.ok();
        for (rule, slot) in Rule::ALL.into_iter().zip(0usize..) {
            let missing = rules.allow(rule, keys).err();
            if let Some(known) = rules.missing.get_mut(slot) {
                *known = missing;
            }
        }
        Ok(rules)
    }

    /// The rules that are off, each with the key it lacks.
    pub(crate) fn missing(&self) -> impl Iterator<Item = Missing> + '_ {
        Rule::ALL.into_iter().zip(self.missing).filter_map(|(rule, key)| key.map(|key| Missing { rule, key }))
    }

    /// Takes in what `rule` needs, or answers the key it lacks. Later rules build on earlier ones.
    fn allow(&mut self, rule: Rule, keys: &Keys) -> Result<(), Key> {
        match rule {
            Rule::Compound => self.compound(keys),
            Rule::Slab => self.slab(keys),
            Rule::Cache => self.cache(keys),
            Rule::CachePrivate => self.cache_private(keys),
            Rule::SwapCache => self.swap_cache(keys),
            Rule::User => self.user(keys),
            Rule::Hugetlb => self.hugetlb(keys),
            Rule::Free => self.free(keys),
            Rule::Unaccepted => self.unaccepted(keys),
            Rule::HwPoison => self.hwpoison(keys),
            Rule::Offline => self.offline(keys),
        }
    }

    fn tail_field(&self, keys: &Keys) -> Result<usize, Key> {
        let long = long_len(self.layout);
        keys.field(Key::PageCompoundHead, long, self.size)
            .or_else(|key| keys.field(Key::PageCompoundInfo, long, self.size).map_err(|_| key))
    }

    fn page_type(&self, keys: &Keys, key: Key) -> Result<PageType, Key> {
        self.mapcount.ok_or(Key::PageMapcount)?;
        PageType::new(keys, key)
    }

    fn compound(&mut self, keys: &Keys) -> Result<(), Key> {
        self.tail_field(keys)?;
        let head_mask = keys.bits(Key::PgHeadMask)?;
        self.order = Some(if keys.signed(Key::PageCompoundOrder).is_ok() {
            OrderIn::Byte(keys.field(Key::PageCompoundOrder, 1, self.size)?)
        } else if keys.signed(Key::FolioOrder).is_ok() {
            OrderIn::Byte(self.second_page_field(keys, Key::FolioOrder)?)
        } else if let Some(key) = order_key_of_destructors(keys) {
            return Err(key);
        } else {
            // 6.6 moved the order into the flags and dropped its key together with the destructors.
            OrderIn::Flags(self.flags)
        });
        self.head_mask = Some(head_mask);
        Ok(())
    }

    /// A byte that a folio has in its second `struct page`.
    fn second_page_field(&self, keys: &Keys, key: Key) -> Result<usize, Key> {
        let in_folio = keys.field(key, 1, self.size.saturating_mul(2))?;
        in_folio.checked_sub(self.size).ok_or(key)
    }

    fn slab(&mut self, keys: &Keys) -> Result<(), Key> {
        self.slab_flag = keys.flag(Key::PgSlab).ok();
        match self.page_type(keys, Key::SlabMapcount) {
            Ok(slab) => self.slab_type = Some(slab),
            Err(key) if self.slab_flag.is_none() => return Err(key),
            Err(_) => {}
        }
        Ok(())
    }

    fn cache(&mut self, keys: &Keys) -> Result<(), Key> {
        self.tail_field(keys)?;
        self.mapping.ok_or(Key::PageMapping)?;
        self.cache = Some(CacheBits { lru: keys.flag(Key::PgLru)?, swap: None, private: None });
        Ok(())
    }

    fn cache_private(&mut self, keys: &Keys) -> Result<(), Key> {
        let private = keys.flag(Key::PgPrivate)?;
        if let Some(cache) = &mut self.cache {
            cache.private = Some(private);
        }
        Ok(())
    }

    fn swap_cache(&mut self, keys: &Keys) -> Result<(), Key> {
        let both = keys.flag(Key::PgSwapcache)? | keys.flag(Key::PgSwapbacked)?;
        if let Some(cache) = &mut self.cache {
            cache.swap = Some(both);
        }
        Ok(())
    }

    fn user(&mut self, keys: &Keys) -> Result<(), Key> {
        self.tail_field(keys)?;
        self.mapping.ok_or(Key::PageMapping)?;
        if self.slab_flag.is_none() && self.slab_type.is_none() {
            // Words of a slab page stand where others have their mapping: half of them would look anonymous.
            return Err(if self.mapcount.is_none() { Key::PageMapcount } else { Key::SlabMapcount });
        }
        self.user = true;
        Ok(())
    }

    fn hugetlb(&mut self, keys: &Keys) -> Result<(), Key> {
        self.tail_field(keys)?;
        self.hugetlb = Some(if keys.signed(Key::HugetlbMapcount).is_ok() {
            HugetlbMark::Type(self.page_type(keys, Key::HugetlbMapcount)?)
        } else if keys.signed(Key::PgHugetlb).is_ok() {
            HugetlbMark::SecondFlag { offset: self.flags, mask: keys.flag(Key::PgHugetlb)? }
        } else {
            let value = keys.at_most(Key::HugetlbPageDtor, 0xff)?;
            let value = u8::try_from(value).map_err(|_| Key::HugetlbPageDtor)?;
            let offset = if keys.signed(Key::FolioDtor).is_ok() {
                self.second_page_field(keys, Key::FolioDtor)?
            } else {
                keys.field(Key::PageCompoundDtor, 1, self.size)?
            };
            HugetlbMark::Dtor { offset, value }
        });
        Ok(())
    }

    fn free(&mut self, keys: &Keys) -> Result<(), Key> {
        let buddy = self.page_type(keys, Key::BuddyMapcount)?;
        let order = keys.field(Key::PagePrivate, long_len(self.layout), self.size)?;
        if self.orders == 0 {
            return Err(Key::FreeAreaLength);
        }
        self.free = Some(BuddyMark { buddy, order });
        Ok(())
    }

    fn unaccepted(&mut self, keys: &Keys) -> Result<(), Key> {
        let unaccepted = self.page_type(keys, Key::UnacceptedMapcount)?;
        if self.orders == 0 {
            return Err(Key::FreeAreaLength);
        }
        self.unaccepted = Some(unaccepted);
        Ok(())
    }

    fn hwpoison(&mut self, keys: &Keys) -> Result<(), Key> {
        self.hwpoison = Some(keys.flag(Key::PgHwpoison)?);
        Ok(())
    }

    fn offline(&mut self, keys: &Keys) -> Result<(), Key> {
        self.offline = Some(self.page_type(keys, Key::OfflineMapcount)?);
        Ok(())
    }
}

/// The key of the order on kernels whose compound pages have a destructor (before 6.6): both were exported together.
fn order_key_of_destructors(keys: &Keys) -> Option<Key> {
    let has = |key| keys.signed(key).is_ok();
    if has(Key::FolioDtor) {
        Some(Key::FolioOrder)
    } else if has(Key::PageCompoundDtor) || has(Key::HugetlbPageDtor) {
        Some(Key::PageCompoundOrder)
    } else {
        None
    }
}

/// `SIZE(page)`, in bytes.
pub(crate) fn struct_page_size(keys: &Keys) -> Result<usize, Key> {
    let size = keys.bits(Key::PageSize).and_then(|size| usize::try_from(size).map_err(|_| Key::PageSize))?;
    if (16..=MAX_STRUCT_PAGE).contains(&size) { Ok(size) } else { Err(Key::PageSize) }
}

/// The size of `unsigned long`, in bytes.
pub(crate) fn long_len(layout: Layout) -> usize {
    match layout.class {
        Class::Bits32 => 4,
        Class::Bits64 => 8,
    }
}

#[cfg(test)]
mod tests;
