//! Up to 64 `struct page`s told apart at once: a word for each thing that can be said of a page, with a bit for each page.
//!
//! Reading a `struct page` takes four loads and no branch; what the rules make of them is worked out for all 64 together.
//! It says the same as [`Rules::look`] of each page alone. Blocks are left to that.

use vmcore_format::Layout;

use crate::rules::{HugetlbMark, Rules, is_typed};
use crate::struct_page::StructPage;

/// What pages are, by bit: the first page is bit 0. A page with no bit at all is the kernel's.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Slices {
    /// Later pages of compound pages.
    pub(crate) tails: u64,
    /// First pages of compound pages; what they are is for [`Rules::look`] to say.
    pub(crate) heads: u64,
    /// First pages of free blocks; their order is for [`Rules::look`] to say.
    pub(crate) free: u64,
    /// Broken, as far as each page's own flags say.
    pub(crate) poison: u64,
    // What pages are that are none of these:
    pub(crate) slab: u64,
    pub(crate) cache: u64,
    pub(crate) cache_private: u64,
    pub(crate) user: u64,
    pub(crate) offline: u64,
    pub(crate) unknown: u64,
}

/// The words of a `struct page` of 64 bytes.
type Words = [[u8; 8]; 8];

/// Where to look for what, with masks that find nothing where a rule is off.
#[derive(Debug, Clone)]
pub(crate) struct Slicer<'r> {
    rules: &'r Rules,
    all_ones: u64,
    tail: (usize, u64),
    mapping: (usize, u64),
    mapcount: (usize, u32),
    head: u64,
    slab_flag: u64,
    slab_type: (u32, u32),
    lru: u64,
    swap: u64,
    private: u64,
    poison: u64,
    /// Whether each field is a word, or half of one, of a little-endian `struct page` of 64 bytes.
    in_words: bool,
}

/// What the loads of a page say, by bit.
#[derive(Debug, Clone, Copy)]
struct Raw {
    tail: u64,
    anonymous: u64,
    typed: u64,
    slab: u64,
    cache: u64,
    private: u64,
    head: u64,
    poison: u64,
    uninitialised: u64,
}

impl<'r> Slicer<'r> {
    pub(crate) fn new(rules: &'r Rules) -> Self {
        let masked = |field: Option<usize>| field.map_or((0, 0), |offset| (offset, 1));
        let mapcount = rules.mapcount.map_or((0, 0), |offset| (offset, u32::MAX));
        let (tail, mapping) = (masked(rules.tail), masked(rules.mapping));
        let cache = rules.cache;
        let words = [rules.flags, tail.0, mapping.0].into_iter().all(|offset| offset & 7 == 0);
        Self {
            rules,
            all_ones: match rules.layout.class {
                vmcore_format::Class::Bits32 => u64::from(u32::MAX),
                vmcore_format::Class::Bits64 => u64::MAX,
            },
            tail,
            mapping,
            mapcount,
            head: rules.order.and(rules.head_mask).unwrap_or(0),
            slab_flag: rules.slab_flag.unwrap_or(0),
            // No word under an empty mask is 1.
            slab_type: rules.slab_type.map_or((0, 1), |slab| (slab.mask(), slab.value())),
            lru: cache.map_or(0, |cache| cache.lru),
            // Flags that are all ones were never set up, and are none of these.
            swap: cache.and_then(|cache| cache.swap).unwrap_or(u64::MAX),
            private: cache.and_then(|cache| cache.private).unwrap_or(u64::MAX),
            poison: rules.hwpoison.unwrap_or(0),
            in_words: rules.layout == Layout::LE64 && rules.size == 64 && words && mapcount.0 & 3 == 0,
        }
    }

    /// What the `struct page`s in `bytes` say, 64 at most.
    pub(crate) fn slices(&self, bytes: &[u8]) -> Slices {
        let raw = if self.in_words {
            let pages = bytes.as_chunks::<8>().0.as_chunks::<8>().0;
            self.raw(pages.iter(), word, half)
        } else {
            let layout = self.rules.layout;
            let pages =
                bytes.chunks_exact(self.rules.size.max(1)).map(|bytes| StructPage::new(bytes, layout));
            self.raw(
                pages,
                |page, offset| page.long(offset).unwrap_or(0),
                |page, offset| page.int(offset).unwrap_or(0),
            )
        };
        self.told(raw, bytes)
    }

    #[inline(always)]
    fn raw<P: Copy>(
        &self,
        pages: impl Iterator<Item = P> + Clone,
        long: impl Fn(P, usize) -> u64,
        int: impl Fn(P, usize) -> u32,
    ) -> Raw {
        let mut codes = [0u8; 64];
        let mut most = 0;
        for (code, page) in codes.iter_mut().zip(pages.clone()) {
            let flags = long(page, self.rules.flags);
            let mapcount = int(page, self.mapcount.0) & self.mapcount.1;
            let slab = (flags & self.slab_flag != 0) | (mapcount & self.slab_type.0 == self.slab_type.1);
            let cache = (flags & self.lru != 0) | (flags & self.swap == self.swap);
            *code = byte([
                long(page, self.tail.0) & self.tail.1 != 0,
                long(page, self.mapping.0) & self.mapping.1 != 0,
                is_typed(mapcount),
                slab,
                cache,
                flags & self.private != 0,
                flags & self.head != 0,
                flags & self.poison != 0,
            ]);
            most = flags.max(most);
        }
        let mut uninitialised = 0;
        if most == self.all_ones {
            for (at, page) in (0u32..64).zip(pages) {
                uninitialised |= u64::from(long(page, self.rules.flags) == self.all_ones).wrapping_shl(at);
            }
        }
        let [tail, anonymous, typed, slab, cache, private, head, poison] = transpose(codes);
        Raw { tail, anonymous, typed, slab, cache, private, head, poison, uninitialised }
    }

    /// What the rules make of the loads: the order of [`Rules::look`].
    fn told(&self, raw: Raw, bytes: &[u8]) -> Slices {
        let tails = raw.tail & !raw.uninitialised;
        let base = !(raw.uninitialised | raw.tail);
        let slab = raw.slab & base;
        let typed = raw.typed & base & !slab;
        let untyped = base & !slab & !typed;
        let anonymous = raw.anonymous & untyped;
        let user = if self.rules.user { anonymous } else { 0 };
        let no_private = self.rules.cache.is_some_and(|cache| cache.private.is_none());
        let private = if no_private { u64::MAX } else { raw.private };
        let cache = if self.rules.cache.is_some() { untyped & !anonymous & raw.cache } else { 0 };
        let mut slices = Slices {
            tails,
            heads: raw.head & base,
            free: 0,
            poison: raw.poison & !raw.uninitialised,
            slab,
            cache: cache & !private,
            cache_private: cache & private,
            user,
            offline: 0,
            unknown: raw.uninitialised,
        };
        if typed != 0 {
            self.tell_types(typed, bytes, &mut slices);
        }
        slices
    }

    /// Tells the pages of `typed` apart by their types.
    fn tell_types(&self, typed: u64, bytes: &[u8], slices: &mut Slices) {
        let rules = self.rules;
        let mut left = typed;
        while left != 0 {
            let at = left.trailing_zeros();
            let bit = left & left.wrapping_neg();
            left ^= bit;
            let start = usize::try_from(at).unwrap_or(0).saturating_mul(rules.size);
            let page = StructPage::new(bytes.get(start..).unwrap_or_default(), rules.layout);
            let Some(mapcount) = page.int(self.mapcount.0) else { continue };
            if rules.free.is_some_and(|free| free.buddy.is(mapcount))
                || rules.unaccepted.is_some_and(|unaccepted| unaccepted.is(mapcount))
            {
                slices.free |= bit;
                slices.heads &= !bit;
            } else if matches!(rules.hugetlb, Some(HugetlbMark::Type(hugetlb)) if hugetlb.is(mapcount)) {
                slices.user |= bit;
            } else if rules.offline.is_some_and(|offline| offline.is(mapcount)) {
                slices.offline |= bit;
            }
        }
    }
}

impl Slices {
    /// The same, with the first page at bit `at`.
    pub(crate) fn shifted(self, at: u32) -> Self {
        let up = |slice: u64| slice.wrapping_shl(at);
        Self {
            tails: up(self.tails),
            heads: up(self.heads),
            free: up(self.free),
            poison: up(self.poison),
            slab: up(self.slab),
            cache: up(self.cache),
            cache_private: up(self.cache_private),
            user: up(self.user),
            offline: up(self.offline),
            unknown: up(self.unknown),
        }
    }

    /// The pages that are the kernel's as far as they themselves say; free blocks may hide some.
    pub(crate) fn kernel(&self) -> u64 {
        let Self { slab, cache, cache_private, user, offline, unknown, .. } = *self;
        !(slab | cache | cache_private | user | offline | unknown)
    }
}

/// The word at `offset`, which is a multiple of 8 below 64.
#[inline(always)]
fn word(page: &Words, offset: usize) -> u64 {
    u64::from_le_bytes(page.get((offset >> 3) & 7).copied().unwrap_or_default())
}

/// The half of a word at `offset`, which is a multiple of 4 below 64.
#[inline(always)]
fn half(page: &Words, offset: usize) -> u32 {
    let word = word(page, offset);
    let half = if offset & 4 == 0 { word & u64::from(u32::MAX) } else { word >> 32 };
    u32::try_from(half).unwrap_or(0)
}

/// Eight bits, the lowest first.
#[inline(always)]
fn byte(bits: [bool; 8]) -> u8 {
    bits.iter().rev().fold(0, |byte: u8, bit| byte.wrapping_shl(1) | u8::from(*bit))
}

/// Bit `k` of byte `i` becomes bit `i` of word `k`.
fn transpose(bytes: [u8; 64]) -> [u64; 8] {
    let mut words = [0; 8];
    for (eight, at) in bytes.as_chunks::<8>().0.iter().zip((0u32..).step_by(8)) {
        let square = transpose_square(u64::from_le_bytes(*eight));
        for (word, byte) in words.iter_mut().zip(square.to_le_bytes()) {
            *word |= u64::from(byte).wrapping_shl(at);
        }
    }
    words
}

/// A square of eight bits by eight, mirrored on its diagonal: pairs of bits change places, then of pairs, then of fours.
fn transpose_square(square: u64) -> u64 {
    [(7, 0x00aa_00aa_00aa_00aa), (14, 0x0000_cccc_0000_cccc), (28, 0x0000_0000_f0f0_f0f0)].iter().fold(
        square,
        |square, (distance, lower)| {
            let differ = (square ^ square.wrapping_shr(*distance)) & lower;
            square ^ differ ^ differ.wrapping_shl(*distance)
        },
    )
}

#[cfg(test)]
mod tests;
