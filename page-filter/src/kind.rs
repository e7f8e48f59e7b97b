//! What a page frame was used for when the machine crashed, and which uses a dump leaves out.

use bitflags::bitflags;

/// What a page frame was used for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum PageKind {
    /// Kernel memory, or a use that no rule recognises: always kept.
    Kernel,
    /// Every byte is zero, and no other kind applies.
    Zero,
    /// Page cache or swap cache without `PG_private`.
    Cache,
    /// Page cache or swap cache with `PG_private` (buffer heads, filesystem data).
    CachePrivate,
    /// Memory of user processes: anonymous, KSM, hugetlb.
    User,
    /// On a buddy list, or not yet accepted from the hypervisor.
    Free,
    /// Memory that the hardware reported broken.
    HwPoison,
    /// Ballooned or logically offline.
    Offline,
    /// Slab objects: always kept, counted to check the rules themselves.
    Slab,
    /// The struct page could not be read: kept.
    Unknown,
    /// Memory that was removed since the input's table of memory was made, as the kernel's `mem_section` says: never
    /// read, never dumped.
    Removed,
}

impl PageKind {
    /// Every kind, in the order of reports.
    pub const ALL: [Self; 11] = [
        Self::Kernel,
        Self::Slab,
        Self::Zero,
        Self::Cache,
        Self::CachePrivate,
        Self::User,
        Self::Free,
        Self::HwPoison,
        Self::Offline,
        Self::Unknown,
        Self::Removed,
    ];
}

bitflags! {
    /// Which kinds a dump leaves out: makedumpfile's `-d` bits, with its meaning.
    #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
    pub struct Level: u8 {
        /// Zero pages.
        const ZERO = 1;
        /// Cache pages without `PG_private`.
        const CACHE = 2;
        /// All cache pages. Implies [`Level::CACHE`].
        const CACHE_PRIVATE = 4;
        /// User pages.
        const USER = 8;
        /// Free pages.
        const FREE = 16;
    }
}
