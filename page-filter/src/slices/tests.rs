//! Slices say of 64 pages what is said of each page alone.

use std::vec::Vec;

use vmcore_format::vmcoreinfo::VmcoreInfo;
use vmcore_format::{Class, Endian, Layout};

use super::{Slicer, Slices};
use crate::PageKind;
use crate::classify::Look;
use crate::keys::Keys;
use crate::rules::Rules;
use crate::struct_page::StructPage;
use crate::test_machine::{BUDDY, HUGETLB, OFFLINE, SLAB, TABLE};

const TYPES: &str = "NUMBER(PAGE_BUDDY_MAPCOUNT_VALUE)=-268435456 NUMBER(PAGE_OFFLINE_MAPCOUNT_VALUE)=-251658240 \
    NUMBER(PAGE_HUGETLB_MAPCOUNT_VALUE)=-201326592 NUMBER(PAGE_SLAB_MAPCOUNT_VALUE)=-184549376 \
    NUMBER(PAGE_UNACCEPTED_MAPCOUNT_VALUE)=-150994944";
const FLAGS: &str = "NUMBER(PG_lru)=5 NUMBER(PG_private)=14 NUMBER(PG_swapcache)=10 NUMBER(PG_swapbacked)=17 \
    NUMBER(PG_hwpoison)=20 NUMBER(PG_head_mask)=64 NUMBER(PG_slab)=9 LENGTH(zone.free_area)=11";

/// Random numbers (xorshift).
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    fn one_of<T: Copy>(&mut self, all: &[T]) -> T {
        all[(self.next() >> 20) as usize % all.len()]
    }
}

/// 64 pages whose fields take values that rules know, and some that they do not.
fn pages(random: &mut Random, layout: Layout, size: usize) -> Vec<u8> {
    let mut bytes = Vec::new();
    for _ in 0..64 {
        let mut page: Vec<u8> = (0..size).map(|_| random.next() as u8).collect();
        let wide = layout.class == Class::Bits64;
        let mut put = |word: usize, value: u64| {
            let big = layout.endian == Endian::Big;
            if wide {
                let value = if big { value.to_be_bytes() } else { value.to_le_bytes() };
                page[word * 8..][..8].copy_from_slice(&value);
            } else {
                let value = if big { (value as u32).to_be_bytes() } else { (value as u32).to_le_bytes() };
                page[word * 4..][..4].copy_from_slice(&value);
            }
        };
        let some = random.next() & random.next() & 0x12_4660;
        let any = random.next();
        let flags = random.one_of(&[0, 0x20, 0x2_0400, 0x4020, some, some, any, u64::MAX]);
        put(0, flags);
        let tail = random.next();
        put(1, if random.next() & 3 == 0 { tail } else { tail & !1 });
        put(3, random.next());
        put(5, random.next() & 15);
        let own = random.next() as u32 & 0xff_ffff;
        let mapcount = random.one_of(&[
            u32::MAX,
            0,
            7,
            BUDDY,
            SLAB | own,
            TABLE,
            HUGETLB,
            OFFLINE | own,
            0xf700_0000,
            any as u32,
        ]);
        let mapcount =
            if layout.endian == Endian::Big { mapcount.to_be_bytes() } else { mapcount.to_le_bytes() };
        page[if wide { 48 } else { 24 }..][..4].copy_from_slice(&mapcount);
        bytes.extend(page);
    }
    bytes
}

/// What the slices say of the page at bit `at`.
fn kind(slices: &Slices, at: u32) -> PageKind {
    let kinds = [
        (slices.slab, PageKind::Slab),
        (slices.cache, PageKind::Cache),
        (slices.cache_private, PageKind::CachePrivate),
        (slices.user, PageKind::User),
        (slices.offline, PageKind::Offline),
        (slices.unknown, PageKind::Unknown),
    ];
    let mut said = kinds.iter().filter(|(slice, _)| slice >> at & 1 == 1);
    let kind = said.next().map_or(PageKind::Kernel, |(_, kind)| *kind);
    assert_eq!(said.next(), None, "a page is of one kind");
    assert_eq!(slices.kernel() >> at & 1 == 1, kind == PageKind::Kernel);
    kind
}

fn check(text: &str, layout: Layout, size: usize, random: &mut Random) {
    let text = text.replace(' ', "\n");
    let info = VmcoreInfo::new(text.as_bytes());
    let rules = Rules::new(&Keys::new(&info), layout).unwrap();
    let slicer = Slicer::new(&rules);
    let bytes = pages(random, layout, size);
    for count in [64, 1, 17, 63] {
        let slices = slicer.slices(&bytes[..count * size]);
        for (at, bytes) in (0..).zip(bytes.chunks(size).take(count)) {
            let page = StructPage::new(bytes, layout);
            let is = |slice: u64| slice >> at & 1 == 1;
            let head = rules.is_head(page) && rules.order.is_some();
            assert_eq!(is(slices.poison), rules.is_poisoned(page));
            // The frame that every order fits.
            match rules.look(0, page, None) {
                Look::Tail { .. } => assert!(is(slices.tails) && !is(slices.heads | slices.free)),
                Look::Block { kind: PageKind::Free, .. } => {
                    assert!(is(slices.free) && !is(slices.tails | slices.heads))
                }
                Look::Block { kind: looked, order: 0 } => {
                    assert!(!is(slices.tails | slices.heads | slices.free), "{looked:?}");
                    assert_eq!(kind(&slices, at), looked, "{text}");
                }
                Look::BadOrder { .. } => {
                    assert!(is(slices.heads) != is(slices.free) && (head || is(slices.free)))
                }
                other => panic!("{other:?} without a second page"),
            }
        }
        let above = u64::MAX.checked_shl(count as u32).unwrap_or(0);
        assert_eq!((slices.tails | slices.heads | slices.free | slices.poison) & above, 0);
    }
}

#[test]
fn slices_say_of_each_page_what_is_said_of_it_alone() {
    let mut random = Random(0x1234_5678_9abc_def1);
    for _ in 0..20 {
        for (layout, size) in [
            (Layout { endian: Endian::Little, class: Class::Bits64 }, 64),
            (Layout { endian: Endian::Little, class: Class::Bits64 }, 80),
            (Layout { endian: Endian::Big, class: Class::Bits64 }, 64),
            (Layout { endian: Endian::Little, class: Class::Bits32 }, 40),
            (Layout { endian: Endian::Big, class: Class::Bits32 }, 40),
        ] {
            let word = if layout.class == Class::Bits64 { 8 } else { 4 };
            let text = std::format!(
                "SIZE(page)={size} OFFSET(page.flags)=0 OFFSET(page.compound_head)={} OFFSET(page.mapping)={} \
                 OFFSET(page.private)={} OFFSET(page._mapcount)={} {FLAGS} {TYPES}",
                word,
                3 * word,
                5 * word,
                6 * word
            );
            check(&text, layout, size, &mut random);
            let keys: Vec<&str> = text.split_whitespace().collect();
            for without in keys.iter().skip(2) {
                let rest: Vec<&str> = keys.iter().filter(|key| *key != without).copied().collect();
                check(&rest.join(" "), layout, size, &mut random);
            }
        }
    }
}
