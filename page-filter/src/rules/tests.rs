//! The rules that the keys of real kernels allow.

use std::string::String;
use std::vec::Vec;

use vmcore_format::Layout;
use vmcore_format::vmcoreinfo::VmcoreInfo;

use super::{HugetlbMark, OrderIn, PageType, Rule, Rules, is_typed};
use crate::keys::{Key, Keys};

const COMMON: &str = "SIZE(page)=64 OFFSET(page.flags)=0 OFFSET(page.mapping)=24 OFFSET(page._mapcount)=48 \
    OFFSET(page.private)=40 LENGTH(zone.free_area)=11 NUMBER(PG_swapcache)=10";
/// Debian 6.1, cloud flavour.
const V6_1: &str = "OFFSET(page.compound_head)=8 OFFSET(page.compound_dtor)=16 OFFSET(page.compound_order)=17 \
    NUMBER(PG_lru)=4 NUMBER(PG_private)=13 NUMBER(PG_swapbacked)=19 NUMBER(PG_slab)=9 NUMBER(PG_head_mask)=65536 \
    NUMBER(PAGE_BUDDY_MAPCOUNT_VALUE)=-129 NUMBER(HUGETLB_PAGE_DTOR)=2 NUMBER(PAGE_OFFLINE_MAPCOUNT_VALUE)=-257";
/// Debian 6.12, cloud flavour.
const V6_12: &str = "OFFSET(page.compound_head)=8 NUMBER(PG_lru)=5 NUMBER(PG_private)=14 NUMBER(PG_swapbacked)=17 \
    NUMBER(PG_hwpoison)=20 NUMBER(PG_head_mask)=64 NUMBER(PAGE_BUDDY_MAPCOUNT_VALUE)=-268435456 \
    NUMBER(PAGE_SLAB_MAPCOUNT_VALUE)=-184549376 NUMBER(PAGE_HUGETLB_MAPCOUNT_VALUE)=-201326592 \
    NUMBER(PAGE_OFFLINE_MAPCOUNT_VALUE)=-251658240";

fn rules(parts: &[&str], without: &[&str]) -> Result<Rules, Key> {
    let lines = parts.iter().flat_map(|part| part.split_whitespace());
    let text: String = lines
        .filter(|line| !without.iter().any(|key| line.split('=').next() == Some(key)))
        .flat_map(|line| [line, "\n"])
        .collect();
    Rules::new(&Keys::new(&VmcoreInfo::new(text.as_bytes())), Layout::LE64)
}

fn missing(parts: &[&str], without: &[&str]) -> Vec<(Rule, &'static str)> {
    rules(parts, without).unwrap().missing().map(|missing| (missing.rule, missing.key.name())).collect()
}

#[test]
fn real_kernels_lack_what_they_do_not_have() {
    let unaccepted = (Rule::Unaccepted, "NUMBER(PAGE_UNACCEPTED_MAPCOUNT_VALUE)");
    let hwpoison = (Rule::HwPoison, "NUMBER(PG_hwpoison)");
    assert_eq!(missing(&[COMMON, V6_1], &[]), [unaccepted, hwpoison]);
    assert_eq!(missing(&[COMMON, V6_12], &[]), [unaccepted]);
    assert!(matches!(rules(&[COMMON, V6_1], &[]).unwrap().order, Some(OrderIn::Byte(17))));
    assert!(matches!(
        rules(&[COMMON, V6_1], &[]).unwrap().hugetlb,
        Some(HugetlbMark::Dtor { offset: 16, value: 2 })
    ));
    assert!(matches!(rules(&[COMMON, V6_12], &[]).unwrap().order, Some(OrderIn::Flags(0))));
}

#[test]
fn an_order_key_that_is_gone_is_not_taken_for_a_newer_kernel() {
    let compound = |key| (Rule::Compound, key);
    let found = missing(&[COMMON, V6_1], &["OFFSET(page.compound_order)"]);
    assert!(found.contains(&compound("OFFSET(page.compound_order)")));
    let folio = "OFFSET(page.compound_head)=8 OFFSET(folio._folio_dtor)=80 OFFSET(folio._folio_order)=81 \
        NUMBER(PG_head_mask)=65536 NUMBER(HUGETLB_PAGE_DTOR)=2";
    let rules = rules(&[COMMON, folio], &[]).unwrap();
    assert!(matches!(rules.order, Some(OrderIn::Byte(17))));
    assert!(matches!(rules.hugetlb, Some(HugetlbMark::Dtor { offset: 16, value: 2 })));
    let found = missing(&[COMMON, folio], &["OFFSET(folio._folio_order)"]);
    assert!(found.contains(&compound("OFFSET(folio._folio_order)")));
    // A byte of the first struct page cannot be the second's.
    let inside = folio.replace("_order)=81", "_order)=17");
    assert!(missing(&[COMMON, &inside], &[]).contains(&compound("OFFSET(folio._folio_order)")));
}

#[test]
fn compound_info_is_compound_head() {
    let renamed = "OFFSET(page.compound_info)=8";
    let found = missing(&[COMMON, V6_12, renamed], &["OFFSET(page.compound_head)"]);
    assert_eq!(found, missing(&[COMMON, V6_12], &[]));
    let found = missing(&[COMMON, V6_12], &["OFFSET(page.compound_head)"]);
    for rule in [Rule::Compound, Rule::Cache, Rule::User, Rule::Hugetlb] {
        assert!(found.contains(&(rule, "OFFSET(page.compound_head)")), "{rule:?}");
    }
}

#[test]
fn without_slab_there_is_no_user_memory() {
    let found = missing(&[COMMON, V6_1], &["NUMBER(PG_slab)"]);
    assert!(found.contains(&(Rule::Slab, "NUMBER(PAGE_SLAB_MAPCOUNT_VALUE)")));
    assert!(found.contains(&(Rule::User, "NUMBER(PAGE_SLAB_MAPCOUNT_VALUE)")));
    assert!(!rules(&[COMMON, V6_1], &["NUMBER(PG_slab)"]).unwrap().user);
}

#[test]
fn values_out_of_bounds_are_as_good_as_missing() {
    for (key, line, rule) in [
        ("NUMBER(PG_lru)", "NUMBER(PG_lru)=64", Rule::Cache),
        ("NUMBER(PG_lru)", "NUMBER(PG_lru)=-1", Rule::Cache),
        ("OFFSET(page.private)", "OFFSET(page.private)=57", Rule::Free),
        ("OFFSET(page._mapcount)", "OFFSET(page._mapcount)=18446744073709551615", Rule::Free),
        ("LENGTH(zone.free_area)", "LENGTH(zone.free_area)=33", Rule::Free),
        ("LENGTH(zone.free_area)", "LENGTH(zone.free_area)=0", Rule::Free),
        ("NUMBER(PAGE_BUDDY_MAPCOUNT_VALUE)", "NUMBER(PAGE_BUDDY_MAPCOUNT_VALUE)=-1", Rule::Free),
        ("NUMBER(PAGE_BUDDY_MAPCOUNT_VALUE)", "NUMBER(PAGE_BUDDY_MAPCOUNT_VALUE)=-4294967296", Rule::Free),
        ("OFFSET(page.compound_head)", "OFFSET(page.compound_head)=60", Rule::User),
    ] {
        let replaced: Vec<String> = [COMMON, V6_12]
            .iter()
            .flat_map(|part| part.split_whitespace())
            .map(
                |old| if old.split('=').next() == Some(key) { String::from(line) } else { String::from(old) },
            )
            .collect();
        let replaced: Vec<&str> = replaced.iter().map(String::as_str).collect();
        assert!(missing(&replaced, &[]).iter().any(|(off, _)| *off == rule), "{line}");
    }
    for size in ["SIZE(page)=0", "SIZE(page)=15", "SIZE(page)=257", "SIZE(page)=-1"] {
        assert!(matches!(rules(&[size, "OFFSET(page.flags)=0"], &[]), Err(Key::PageSize)), "{size}");
    }
    assert!(matches!(rules(&[COMMON], &["OFFSET(page.flags)"]), Err(Key::PageFlags)));
}

#[test]
fn page_types_of_three_encodings_are_matched() {
    let page_type = |value: &str| {
        let text: String = ["NUMBER(PAGE_BUDDY_MAPCOUNT_VALUE)=", value, "\n"].concat();
        PageType::new(&Keys::new(&VmcoreInfo::new(text.as_bytes())), Key::BuddyMapcount)
    };
    // Up to 6.10 a bit of the low word is cleared, in 6.11 one of the top byte, from 6.12 on the top byte counts.
    let old = page_type("-129").unwrap();
    assert!(old.is(0xffff_ff7f) && !old.is(0xffff_feff) && !old.is(0xffff_ffff) && !old.is(0xffff_fe7f));
    let v6_11 = page_type("-1073741825").unwrap();
    assert!(v6_11.is(0xbfff_ffff) && !v6_11.is(0xdfff_ffff));
    let new = page_type("-268435456").unwrap();
    assert!(new.is(0xf000_0000) && new.is(0xf000_1234) && !new.is(0xf100_0000));
    assert!(page_type("4026531840").unwrap().is(0xf000_0000));
    for value in [0xffff_ff7f, 0xbfff_ffff, 0xf000_0000, 0xfeff_ffff, 0x8000_0000] {
        assert!(is_typed(value), "{value:#x}");
    }
    for count in [0, 1, 0xffff_ffff, 0xffff_fffe, 0x7fff_ffff] {
        assert!(!is_typed(count), "{count:#x}");
    }
}
