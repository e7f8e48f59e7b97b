//! A crashed x86_64 machine for unit tests, laid out by hand: 64 MiB from address 0, the kernel's image and the linear
//! map at their usual places, an array of `struct page` with the numbers of Linux 6.12.

use core::ops::Range;
use std::collections::BTreeSet;
use std::format;
use std::string::String;
use std::vec::Vec;

use vmcore_format::elf::EM_X86_64;
use vmcore_format::vmcoreinfo::VmcoreInfo;
use vmcore_format::{Layout, PageSize, Pfn, PhysAddr};

use crate::{Fault, Kernel, KernelError, Machine, PhysMemory};

pub(crate) const FRAMES: u64 = 16384;
pub(crate) const LINEAR: u64 = 0xffff_8880_0000_0000;
pub(crate) const IMAGE: u64 = 0xffff_ffff_8000_0000;
/// Where the array of `struct page` stands: its frames are 0x100 to 0x1ff.
pub(crate) const MEM_MAP: u64 = 0x10_0000;

pub(crate) const LRU: u64 = 1 << 5;
pub(crate) const HEAD: u64 = 1 << 6;
pub(crate) const PRIVATE: u64 = 1 << 14;
pub(crate) const POISON: u64 = 1 << 20;
pub(crate) const BUDDY: u32 = 0xf000_0000;
pub(crate) const OFFLINE: u32 = 0xf100_0000;
pub(crate) const TABLE: u32 = 0xf200_0000;
pub(crate) const HUGETLB: u32 = 0xf400_0000;
pub(crate) const SLAB: u32 = 0xf500_0000;

/// Plain bytes; some frames cannot be read.
pub(crate) struct TestMemory {
    pub(crate) bytes: Vec<u8>,
    pub(crate) faults: BTreeSet<u64>,
    /// Whether its bytes can be looked at in place.
    pub(crate) mapped: bool,
}

impl TestMemory {
    pub(crate) fn new(frames: u64) -> Self {
        Self { bytes: std::vec![0; frames as usize * 4096], faults: BTreeSet::new(), mapped: false }
    }

    pub(crate) fn put(&mut self, addr: u64, value: u64) {
        self.bytes[addr as usize..][..8].copy_from_slice(&value.to_le_bytes());
    }
}

impl PhysMemory for TestMemory {
    fn page_size(&self) -> PageSize {
        PageSize::KIB_4
    }

    fn read(&mut self, addr: PhysAddr, buf: &mut [u8]) -> Result<(), Fault> {
        let end = addr.0.checked_add(buf.len() as u64).ok_or(Fault::Hole)?;
        if end > self.bytes.len() as u64 {
            return Err(Fault::Hole);
        }
        if (addr.0 >> 12..end.div_ceil(4096)).any(|pfn| self.faults.contains(&pfn)) {
            return Err(Fault::Code(5));
        }
        buf.copy_from_slice(&self.bytes[addr.0 as usize..end as usize]);
        Ok(())
    }

    fn view(&self, addr: PhysAddr, len: usize) -> Option<&[u8]> {
        let frames = addr.0 >> 12..(addr.0 + len as u64).div_ceil(4096);
        let readable = self.mapped && self.faults.range(frames).next().is_none();
        self.bytes.get(addr.0 as usize..)?.get(..len).filter(|_| readable)
    }

    fn next_known(&mut self, from: Pfn) -> Result<Option<Range<Pfn>>, Fault> {
        let end = self.bytes.len() as u64 >> 12;
        Ok((from.0 < end).then_some(from..Pfn(end)))
    }
}

/// The fields of a `struct page` that matter.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Page {
    pub(crate) flags: u64,
    pub(crate) compound_head: u64,
    pub(crate) mapping: u64,
    pub(crate) private: u64,
    pub(crate) mapcount: u32,
}

pub(crate) const PLAIN: Page =
    Page { flags: 0, compound_head: 0, mapping: 0, private: 0, mapcount: u32::MAX };
pub(crate) const CACHE: Page = Page { flags: LRU, mapping: 0x1000, ..PLAIN };
pub(crate) const ANON: Page = Page { flags: LRU, mapping: 0x1001, ..PLAIN };

pub(crate) struct TestMachine {
    pub(crate) memory: TestMemory,
    pub(crate) info: Vec<String>,
}

impl TestMachine {
    pub(crate) fn new() -> Self {
        let mut memory = TestMemory::new(FRAMES);
        // The top table in the image at 0x1000; image: 2 MiB leaf; linear map: 1 GiB leaf.
        memory.put(0x1000 + 511 * 8, 0x2063);
        memory.put(0x2000 + 510 * 8, 0x3063);
        memory.put(0x3000, 0xe3);
        memory.put(0x1000 + 273 * 8, 0x4063);
        memory.put(0x4000, 0xe3);
        memory.put(0x5000, LINEAR + MEM_MAP);
        let info = "SYMBOL(init_top_pgt)=ffffffff80001000 NUMBER(phys_base)=0 NUMBER(pgtable_l5_enabled)=0 \
            SYMBOL(_stext)=ffffffff80010000 SYMBOL(init_uts_ns)=ffffffff80011000 OFFSET(uts_namespace.name)=4 \
            SYMBOL(mem_map)=ffffffff80005000 SIZE(page)=64 OFFSET(page.flags)=0 OFFSET(page.compound_head)=8 \
            OFFSET(page.mapping)=24 OFFSET(page.private)=40 OFFSET(page._mapcount)=48 LENGTH(zone.free_area)=11 \
            NUMBER(PG_lru)=5 NUMBER(PG_private)=14 NUMBER(PG_swapcache)=10 NUMBER(PG_swapbacked)=17 \
            NUMBER(PG_hwpoison)=20 NUMBER(PG_head_mask)=64 NUMBER(PAGE_BUDDY_MAPCOUNT_VALUE)=-268435456 \
            NUMBER(PAGE_OFFLINE_MAPCOUNT_VALUE)=-251658240 NUMBER(PAGE_HUGETLB_MAPCOUNT_VALUE)=-201326592 \
            NUMBER(PAGE_SLAB_MAPCOUNT_VALUE)=-184549376";
        let info = info.split_whitespace().map(String::from).collect();
        let mut machine = Self { memory, info };
        for pfn in 0..FRAMES {
            machine.page(pfn, PLAIN);
        }
        machine.page(0x3f0, Page { mapcount: SLAB, ..PLAIN });
        machine
    }

    /// Leaves the key out of VMCOREINFO.
    pub(crate) fn without(mut self, key: &str) -> Self {
        self.info.retain(|line| !line.starts_with(&format!("{key}=")));
        self
    }

    /// Adds lines to VMCOREINFO.
    pub(crate) fn with(mut self, lines: &str) -> Self {
        self.info.extend(lines.split_whitespace().map(String::from));
        self
    }

    pub(crate) fn page(&mut self, pfn: u64, page: Page) {
        let at = MEM_MAP + pfn * 64;
        self.memory.put(at, page.flags);
        self.memory.put(at + 8, page.compound_head);
        self.memory.put(at + 24, page.mapping);
        self.memory.put(at + 40, page.private);
        self.memory.put(at + 48, u64::from(page.mapcount));
    }

    /// A compound page: the order stands in the low byte of the second page's flags.
    pub(crate) fn compound(&mut self, pfn: u64, order: u32, head: Page) {
        self.page(pfn, Page { flags: head.flags | HEAD, ..head });
        for tail in 1..1 << order {
            let flags = if tail == 1 { u64::from(order) } else { 0 };
            let compound_head = (LINEAR + MEM_MAP + pfn * 64) | 1;
            self.page(pfn + tail, Page { flags, compound_head, ..PLAIN });
        }
    }

    pub(crate) fn free(&mut self, pfn: u64, order: u64) {
        self.page(pfn, Page { mapcount: BUDDY, private: order, ..PLAIN });
    }

    pub(crate) fn text(&self) -> String {
        self.info.iter().flat_map(|line| [line.as_str(), "\n"]).collect()
    }

    pub(crate) fn open(&mut self) -> Result<Kernel, KernelError> {
        let text = self.text();
        let machine = Machine { e_machine: EM_X86_64, layout: Layout::LE64 };
        Kernel::open(&VmcoreInfo::new(text.as_bytes()), machine, &[], &mut self.memory)
    }
}
