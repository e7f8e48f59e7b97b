//! What page frames are used for, and what a dump must do with each use.

use crate::{Era, Machine, Random};

/// What a page frame (or the block of them that starts there) is used for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Use {
    /// An ordinary page of the kernel.
    Kernel,
    /// The kernel's image: `PG_reserved`.
    Text,
    /// A page table: a page type that no rule names.
    Table,
    /// A kernel page of zero bytes.
    Zero,
    /// Slab objects.
    Slab {
        /// Block of 2^order pages.
        order: u32,
    },
    /// A compound page of the kernel (not slab, not on the LRU).
    KernelCompound {
        /// Block of 2^order pages.
        order: u32,
    },
    /// Clean page cache.
    Cache,
    /// Page cache with buffers.
    CachePrivate,
    /// tmpfs: page cache that swaps.
    Shmem,
    /// Swap cache, read ahead and not mapped yet: off the LRU, no `mapping`.
    SwapCache,
    /// Page cache in a large folio.
    FolioCache {
        /// Block of 2^order pages.
        order: u32,
        /// With `PG_private`.
        private: bool,
    },
    /// Anonymous memory; some of it isolated from the LRU, some with waiters.
    Anon,
    /// Memory merged by KSM.
    Ksm,
    /// A transparent huge page of anonymous memory.
    Thp {
        /// Block of 2^order pages.
        order: u32,
    },
    /// A hugetlb page, in use or in the pool.
    Hugetlb {
        /// Block of 2^order pages.
        order: u32,
    },
    /// On a buddy list.
    Free {
        /// Block of 2^order pages.
        order: u32,
    },
    /// Free on a per-CPU list: nothing in VMCOREINFO tells, so it is kept.
    PcpFree,
    /// Not accepted from the hypervisor yet: a block of the largest buddy order.
    Unaccepted,
    /// Broken memory.
    HwPoison,
    /// Ballooned or logically offline.
    Offline,
    /// A movable page of the kernel (zsmalloc): `mapping` bit 1 without bit 0.
    Movable,
    /// A kernel page that uses the flag which swap cache shares (`PG_owner_priv_1`).
    OwnerPriv,
}

/// The kinds that a dump tells apart, under the names of the library's own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Kind {
    /// Always kept.
    Kernel,
    /// Always kept.
    Slab,
    /// Bit 1.
    Zero,
    /// Bits 2 and 4.
    Cache,
    /// Bit 4.
    CachePrivate,
    /// Bit 8.
    User,
    /// Bit 16.
    Free,
    /// Never kept, where VMCOREINFO tells.
    HwPoison,
    /// Never kept, where VMCOREINFO tells.
    Offline,
}

/// What the builder puts where nothing else was placed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Population {
    /// Every use, mixed by the seed.
    Mix(u64),
    /// One use everywhere; blocks where they fit, kernel pages elsewhere.
    Only(Use),
}

/// The largest buddy order of every era: `LENGTH(zone.free_area)` is one more.
pub(crate) const MAX_ORDER: u32 = 10;

impl Use {
    /// The block has 2^order pages.
    #[must_use]
    pub fn order(self) -> u32 {
        match self {
            Self::Slab { order }
            | Self::KernelCompound { order }
            | Self::FolioCache { order, .. }
            | Self::Thp { order }
            | Self::Hugetlb { order }
            | Self::Free { order } => order,
            Self::Unaccepted => MAX_ORDER,
            _ => 0,
        }
    }

    /// The kind of its pages, where the contents do not matter.
    #[must_use]
    pub fn kind(self, era: Era, memory_failure: bool) -> Kind {
        match self {
            Self::Kernel
            | Self::Text
            | Self::Table
            | Self::Zero
            | Self::KernelCompound { .. }
            | Self::PcpFree
            | Self::Movable
            | Self::OwnerPriv => Kind::Kernel,
            Self::Slab { .. } => Kind::Slab,
            Self::Cache | Self::Shmem | Self::SwapCache | Self::FolioCache { private: false, .. } => {
                Kind::Cache
            }
            Self::CachePrivate | Self::FolioCache { private: true, .. } => Kind::CachePrivate,
            Self::Anon | Self::Ksm | Self::Thp { .. } | Self::Hugetlb { .. } => Kind::User,
            Self::Free { .. } => Kind::Free,
            Self::Unaccepted if era.types().unaccepted.is_some() => Kind::Free,
            Self::Unaccepted => Kind::Kernel,
            Self::HwPoison if memory_failure => Kind::HwPoison,
            Self::HwPoison => Kind::Kernel,
            Self::Offline if era.types().offline.is_some() => Kind::Offline,
            Self::Offline => Kind::Kernel,
        }
    }

    /// A use for the mixed population.
    fn random(random: &mut Random) -> Self {
        let order = 1 + random.below(4) as u32;
        match random.below(40) {
            0..=5 => Self::Kernel,
            6..=7 => Self::Zero,
            8..=9 => Self::Slab { order: 0 },
            10 => Self::Slab { order: 1 + random.below(3) as u32 },
            11 => Self::KernelCompound { order },
            12..=15 => Self::Cache,
            16..=17 => Self::CachePrivate,
            18 => Self::Shmem,
            19 => Self::SwapCache,
            20 => Self::FolioCache { order, private: false },
            21 => Self::FolioCache { order, private: true },
            22..=25 => Self::Anon,
            26 => Self::Ksm,
            27 => Self::Thp { order: if random.below(4) == 0 { 9 } else { 2 } },
            28 => Self::Hugetlb { order: 9 },
            29..=30 => Self::Free { order: 0 },
            31..=32 => Self::Free { order },
            33 => Self::Free { order: random.below(u64::from(MAX_ORDER) + 1) as u32 },
            34 => Self::PcpFree,
            35 => Self::HwPoison,
            36 => Self::Offline,
            37 => Self::Movable,
            38 => Self::OwnerPriv,
            _ if random.below(8) == 0 => Self::Unaccepted,
            _ => Self::Table,
        }
    }
}

/// Gives every page frame that has no use yet one of `population`'s.
pub(crate) fn populate(machine: &mut Machine, population: Population) {
    let mut random = Random::new(match population {
        Population::Mix(seed) => seed,
        Population::Only(_) => 0,
    });
    for pfn in machine.pfns() {
        if machine.use_of(pfn).is_some() {
            continue;
        }
        let wanted = match population {
            Population::Mix(_) => Use::random(&mut random),
            Population::Only(one) => one,
        };
        let fits = pfn.is_multiple_of(1 << wanted.order())
            && (pfn..pfn + (1 << wanted.order())).all(|p| machine.is_free(p));
        machine.place(pfn, if fits { wanted } else { Use::Kernel });
    }
}

/// The bytes of a page that holds nothing the tests lay out: told apart by its number, some zero, some that no
/// encoder shrinks.
pub(crate) fn pattern(pfn: u64, used: Use, page_size: usize) -> Vec<u8> {
    let zero = match used {
        Use::Zero => true,
        Use::Free { .. } | Use::Unaccepted => pfn.is_multiple_of(3),
        Use::Anon | Use::Cache | Use::Thp { .. } => pfn.is_multiple_of(11),
        _ => false,
    };
    if zero {
        return vec![0; page_size];
    }
    // Not byte by byte, nor a page at a time: that would be slow where every step is interpreted.
    let words = if cfg!(miri) { 8 } else { 64 };
    let mut bytes = Vec::with_capacity(page_size);
    if pfn % 16 == 5 && !cfg!(miri) {
        let mut random = Random::new(pfn);
        (0..page_size / 8).for_each(|_| bytes.extend_from_slice(&random.number().to_be_bytes()));
        return bytes;
    }
    (0..words).for_each(|i| bytes.extend_from_slice(&(0x6b63_0000_0000_0000 | pfn << 12 | i).to_be_bytes()));
    bytes.repeat(page_size / bytes.len())
}
