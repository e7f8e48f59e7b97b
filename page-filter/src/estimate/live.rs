//! `/proc/kpageflags`: what a running kernel says of its page frames.

use vmcore_format::Pfn;

use crate::{Counts, Level, PageKind};

/// Bits of a word of `/proc/kpageflags` (`include/uapi/linux/kernel-page-flags.h`, and `include/linux/kernel-page-flags.h` for
/// [`PRIVATE`](flags::PRIVATE); Linux 6.12).
mod flags {
    pub(super) const LRU: u64 = 1 << 5;
    pub(super) const SLAB: u64 = 1 << 7;
    pub(super) const BUDDY: u64 = 1 << 10;
    pub(super) const ANON: u64 = 1 << 12;
    pub(super) const SWAPCACHE: u64 = 1 << 13;
    pub(super) const SWAPBACKED: u64 = 1 << 14;
    pub(super) const COMPOUND_HEAD: u64 = 1 << 15;
    pub(super) const COMPOUND_TAIL: u64 = 1 << 16;
    pub(super) const HUGE: u64 = 1 << 17;
    pub(super) const HWPOISON: u64 = 1 << 19;
    pub(super) const NOPAGE: u64 = 1 << 20;
    pub(super) const OFFLINE: u64 = 1 << 23;
    pub(super) const PRIVATE: u64 = 1 << 35;
}

/// Counts the pages of a running machine by kind, from words of `/proc/kpageflags`: 64 bits a page frame, in the byte order of
/// the machine.
#[derive(Debug, Clone, Copy, Default)]
pub struct LivePages {
    counts: Counts,
    /// The flags of the last first page of a compound one.
    head: u64,
    next: u64,
    end: u64,
}

impl LivePages {
    /// Nothing counted yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Counts the page frames from `start` on, whose words are `words`. Ranges come in order of their addresses.
    pub fn add(&mut self, start: Pfn, words: impl IntoIterator<Item = u64>) {
        if start.0 != self.next {
            self.head = 0;
        }
        self.next = start.0;
        for own in words {
            self.next = self.next.saturating_add(1);
            let flags = self.with_head(own);
            if let Some(kind) = kind(flags) {
                self.counts.add(kind, 1, false);
                self.end = self.next;
            }
        }
    }

    /// The pages of each kind. [`PageKind::Zero`] is none of them: what is in a page is not known.
    #[must_use]
    pub fn counts(&self) -> &Counts {
        &self.counts
    }

    /// The page frame after the last one that is there.
    #[must_use]
    pub fn end(&self) -> Pfn {
        Pfn(self.end)
    }

    /// The other pages of a compound one share what only its first says.
    fn with_head(&mut self, own: u64) -> u64 {
        if own & flags::COMPOUND_HEAD != 0 {
            self.head = own & !flags::COMPOUND_HEAD;
        } else if own & flags::COMPOUND_TAIL != 0 {
            return own | self.head;
        }
        own
    }
}

/// What a page with these flags is, by the rules of a dump; `None` where there is no page.
fn kind(flags: u64) -> Option<PageKind> {
    let has = |bits: u64| flags & bits == bits;
    let kind = if has(flags::NOPAGE) {
        return None;
    } else if has(flags::OFFLINE) {
        PageKind::Offline
    } else if has(flags::HWPOISON) {
        PageKind::HwPoison
    } else if has(flags::BUDDY) {
        PageKind::Free
    } else if has(flags::SLAB) {
        PageKind::Slab
    } else if has(flags::ANON) || has(flags::HUGE) {
        PageKind::User
    } else if has(flags::LRU) || has(flags::SWAPCACHE | flags::SWAPBACKED) {
        if has(flags::PRIVATE) { PageKind::CachePrivate } else { PageKind::Cache }
    } else {
        PageKind::Kernel
    };
    Some(kind)
}

/// Whether a dump of this level leaves out pages of this kind because of what they are used for.
pub(super) fn leaves_out(level: Level, kind: PageKind) -> bool {
    match kind {
        PageKind::Cache => level.intersects(Level::CACHE | Level::CACHE_PRIVATE),
        PageKind::CachePrivate => level.contains(Level::CACHE_PRIVATE),
        PageKind::User => level.contains(Level::USER),
        PageKind::Free => level.contains(Level::FREE),
        PageKind::HwPoison | PageKind::Removed => true,
        // At levels 0 and 1 only a kernel that tells broken pages apart has them looked at; all that are built today can.
        PageKind::Offline => true,
        PageKind::Kernel | PageKind::Slab | PageKind::Unknown | PageKind::Zero => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counted(words: &[u64]) -> LivePages {
        let mut pages = LivePages::new();
        pages.add(Pfn(0), words.iter().copied());
        pages
    }

    fn kinds(words: &[u64]) -> std::vec::Vec<(PageKind, u64)> {
        let counts = *counted(words).counts();
        let all = PageKind::ALL.into_iter().map(|kind| (kind, counts.pages(kind)));
        all.filter(|(_, pages)| *pages > 0).collect()
    }

    #[test]
    fn flags_are_kinds() {
        for (bits, kind) in [
            (&[][..], PageKind::Kernel),
            (&[10], PageKind::Free),
            (&[7], PageKind::Slab),
            (&[12, 5, 14], PageKind::User),
            (&[17, 15], PageKind::User),
            (&[5], PageKind::Cache),
            (&[5, 35], PageKind::CachePrivate),
            (&[13, 14], PageKind::Cache),
            // A slab page of a kernel that uses the bit of the swap cache for something else.
            (&[13], PageKind::Kernel),
            (&[23, 10], PageKind::Offline),
            (&[19, 12], PageKind::HwPoison),
            (&[32], PageKind::Kernel),
            (&[26], PageKind::Kernel),
        ] {
            let word = bits.iter().fold(0, |word, bit| word | 1_u64 << bit);
            assert_eq!(kinds(&[word]), [(kind, 1)], "{bits:?}");
        }
        assert_eq!(kinds(&[1 << 20]), []);
    }

    #[test]
    fn tails_share_their_heads_flags() {
        let (head, tail) = (1 << 15 | 1 << 12, 1 << 16);
        assert_eq!(kinds(&[head, tail, tail, 0]), [(PageKind::Kernel, 1), (PageKind::User, 3)]);
        let mut pages = LivePages::new();
        pages.add(Pfn(8), [head]);
        pages.add(Pfn(9), [tail]);
        // Its head is not known.
        pages.add(Pfn(100), [tail, 1 << 20]);
        assert_eq!(pages.counts().pages(PageKind::User), 2);
        assert_eq!((pages.counts().total(), pages.end()), (3, Pfn(101)));
    }

    #[test]
    fn a_level_leaves_out_its_kinds() {
        let left_out = |level: u8| {
            let level = Level::from_bits_truncate(level);
            let asked =
                [PageKind::Kernel, PageKind::Cache, PageKind::CachePrivate, PageKind::User, PageKind::Free];
            asked.map(|kind| leaves_out(level, kind))
        };
        assert_eq!(left_out(1), [false; 5]);
        assert_eq!(left_out(2), [false, true, false, false, false]);
        assert_eq!(left_out(4), [false, true, true, false, false]);
        assert_eq!(left_out(8), [false, false, false, true, false]);
        assert_eq!(left_out(31), [false, true, true, true, true]);
    }
}
