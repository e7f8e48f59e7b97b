//! The text of VMCOREINFO (`kernel/crash_core.c`, `kernel/vmcore_info.c` and the architectures' parts).

use crate::builder::Arch;
use crate::era::Compound;
use crate::mem_map::{MemMap, MemModel};
use crate::struct_page::hugetlb_flag;
use crate::uses::MAX_ORDER;
use crate::{Era, Machine};

/// Writes the keys that a kernel of the machine's era writes.
pub(crate) fn write(m: &mut Machine) {
    let uts = uts_namespace(m);
    let log_keys = core::mem::take(&mut m.keys);
    let mut keys = vec![
        format!("OSRELEASE={}", m.spec.era.release()),
        "BUILD-ID=0123456789abcdef0123456789abcdef01234567".to_owned(),
        format!("PAGESIZE={}", m.spec.page_size),
        format!("SYMBOL(init_uts_ns)={uts:x}"),
        "OFFSET(uts_namespace.name)=0".to_owned(),
        "SYMBOL(node_online_map)=ffffffff82000000".to_owned(),
    ];
    if m.spec.era < Era::V5_10 {
        keys.remove(1);
    }
    if let Some(stext) = m.symbol("_stext") {
        keys.push(format!("SYMBOL(_stext)={stext:x}"));
    }
    mem_map_keys(m, &mut keys);
    struct_keys(m, &mut keys);
    keys.extend(log_keys);
    number_keys(m, &mut keys);
    arch_keys(m, &mut keys);
    keys.push("CRASHTIME=1700000000".to_owned());
    keys.extend(m.spec.extra_keys.iter().cloned());
    keys.retain(|line| {
        let key = line.split('=').next().unwrap_or(line);
        !m.spec.without_keys.iter().any(|k| k == key)
    });
    m.keys = keys;
}

fn uts_namespace(m: &mut Machine) -> u64 {
    let phys = m.symbol_at("init_uts_ns", 6 * 65);
    let machine = match m.spec.arch {
        Arch::X86_64 => "x86_64",
        Arch::I386 => "i686",
        Arch::Arm64 => "aarch64",
        Arch::Ppc64 => "ppc64",
        Arch::Ppc64Le => "ppc64le",
        Arch::S390x => "s390x",
        Arch::Ppc => "ppc",
    };
    let fields = ["Linux", "kit", m.spec.era.release(), "#1 SMP", machine, "(none)"];
    for (i, field) in fields.iter().enumerate() {
        m.poke(phys + i as u64 * 65, field.as_bytes());
    }
    m.symbols["init_uts_ns"]
}

fn mem_map_keys(m: &Machine, keys: &mut Vec<String>) {
    if m.spec.model == MemModel::Flat {
        keys.push(format!("SYMBOL(mem_map)={:x}", m.symbols["mem_map"]));
        keys.push("SYMBOL(contig_page_data)=ffffffff82001000".to_owned());
        return;
    }
    keys.push(format!("SYMBOL(mem_section)={:x}", m.symbols["mem_section"]));
    if let Some(length) = MemMap::length(m) {
        keys.push(format!("LENGTH(mem_section)={length}"));
    }
    keys.push(format!("SIZE(mem_section)={}", MemMap::section_entry(m)));
    keys.push("OFFSET(mem_section.section_mem_map)=0".to_owned());
    if m.spec.era >= Era::V6_1 {
        keys.push(format!("NUMBER(SECTION_SIZE_BITS)={}", m.spec.section_size_bits));
    }
    if m.spec.era >= Era::V5_10 {
        keys.push(format!("NUMBER(MAX_PHYSMEM_BITS)={}", MemMap::max_physmem_bits(m)));
    }
}

fn struct_keys(m: &Machine, keys: &mut Vec<String>) {
    let wide = m.spec.arch.wide();
    let pick = |w: u64, n: u64| if wide { w } else { n };
    let size = MemMap::struct_size(m);
    let mut offset = |name: &str, at: u64| keys.push(format!("OFFSET({name})={at}"));
    offset("page.flags", 0);
    offset("page._refcount", pick(52, 28));
    offset("page.mapping", pick(24, 12));
    offset("page.lru", pick(8, 4));
    offset("page._mapcount", pick(48, 24));
    offset("page.private", pick(40, 20));
    offset(if m.spec.era >= Era::V7_1 { "page.compound_info" } else { "page.compound_head" }, pick(8, 4));
    match m.spec.era.compound() {
        Compound::Page => {
            offset("page.compound_dtor", pick(16, 8));
            offset("page.compound_order", pick(17, 9));
        }
        Compound::Folio => {
            offset("folio._folio_dtor", size + pick(16, 8));
            offset("folio._folio_order", size + pick(17, 9));
        }
        Compound::Flags => {}
    }
    offset("pglist_data.node_zones", 0);
    offset("pglist_data.nr_zones", 0x15d0);
    offset("pglist_data.node_start_pfn", 0x15d8);
    offset("pglist_data.node_spanned_pages", 0x15e8);
    offset("pglist_data.node_id", 0x15f0);
    offset("zone.free_area", 192);
    offset("zone.vm_stat", 1408);
    offset("zone.spanned_pages", 112);
    offset("free_area.free_list", 0);
    offset("list_head.next", 0);
    offset("list_head.prev", pick(8, 4));
    keys.push(format!("SIZE(page)={size}"));
    keys.push("SIZE(pglist_data)=5632".to_owned());
    keys.push("SIZE(zone)=1664".to_owned());
    keys.push("SIZE(free_area)=104".to_owned());
    keys.push(format!("SIZE(list_head)={}", pick(16, 8)));
    keys.push("SIZE(nodemask_t)=8".to_owned());
    keys.push(format!("LENGTH(zone.free_area)={}", MAX_ORDER + 1));
    keys.push("LENGTH(free_area.free_list)=6".to_owned());
    keys.push("NUMBER(NR_FREE_PAGES)=0".to_owned());
}

fn number_keys(m: &Machine, keys: &mut Vec<String>) {
    let era = m.spec.era;
    let (flags, types) = (era.flags(), era.types());
    let mut number = |name: &str, value: i64| keys.push(format!("NUMBER({name})={value}"));
    // The kernel prints the values as signed 32-bit numbers.
    let signed = |value: u32| i64::from(value as i32);
    number("PG_lru", i64::from(flags.lru));
    number("PG_private", i64::from(flags.private));
    number("PG_swapcache", i64::from(flags.swapcache));
    number("PG_swapbacked", i64::from(flags.swapbacked));
    if let Some(slab) = flags.slab {
        number("PG_slab", i64::from(slab));
    }
    if m.spec.memory_failure {
        number("PG_hwpoison", i64::from(flags.hwpoison));
    }
    number("PG_head_mask", 1 << flags.head);
    number("PAGE_BUDDY_MAPCOUNT_VALUE", signed(types.buddy));
    if let Some(slab) = types.slab {
        number("PAGE_SLAB_MAPCOUNT_VALUE", signed(slab));
    }
    match types.hugetlb {
        Some(hugetlb) => number("PAGE_HUGETLB_MAPCOUNT_VALUE", signed(hugetlb)),
        None if era.compound() == Compound::Flags => number("PG_hugetlb", i64::from(hugetlb_flag(era))),
        None => number("HUGETLB_PAGE_DTOR", 2),
    }
    if let Some(offline) = types.offline {
        number("PAGE_OFFLINE_MAPCOUNT_VALUE", signed(offline));
    }
    if let Some(unaccepted) = types.unaccepted {
        number("PAGE_UNACCEPTED_MAPCOUNT_VALUE", signed(unaccepted));
    }
}

fn arch_keys(m: &Machine, keys: &mut Vec<String>) {
    match m.spec.arch {
        Arch::X86_64 => {
            let phys_base = m.spec.text_phys.wrapping_sub(m.text_virt() - 0xffff_ffff_8000_0000) as i64;
            keys.push(format!("NUMBER(phys_base)={phys_base}"));
            keys.push(format!("SYMBOL(init_top_pgt)={:x}", m.symbols["init_top_pgt"]));
            keys.push(format!("NUMBER(pgtable_l5_enabled)={}", u8::from(m.spec.five_levels)));
            keys.push(format!("KERNELOFFSET={:x}", m.spec.kaslr));
            keys.push("NUMBER(KERNEL_IMAGE_SIZE)=1073741824".to_owned());
            if m.spec.era >= Era::V5_4 {
                keys.push(format!("NUMBER(sme_mask)={}", m.spec.sme_mask));
            }
        }
        Arch::Arm64 => {
            let offset = m.text_virt().wrapping_sub(m.spec.text_phys);
            keys.push("NUMBER(VA_BITS)=48".to_owned());
            keys.push(format!("NUMBER(kimage_voffset)=0x{offset:x}"));
            keys.push("NUMBER(PHYS_OFFSET)=0x0".to_owned());
            keys.push(format!("KERNELOFFSET={:x}", m.spec.kaslr));
        }
        _ => {}
    }
}
