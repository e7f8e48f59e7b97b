//! The simulated machine: its memory, who uses it, and what a dump of it must hold.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use crate::builder::{Arch, Builder};
use crate::mem_map::{MemMap, MemModel};
use crate::uses::{pattern, populate};
use crate::{Bytes, Era, Kind, Use, log, paging, struct_page, vmcoreinfo};

impl Builder {
    /// Lays the machine out.
    #[must_use]
    pub fn build(self) -> Machine {
        let size = self.page_size;
        let pfns: BTreeSet<u64> =
            self.ranges.iter().flat_map(|(start, end)| start / size..end.div_ceil(size)).collect();
        let mut m = Machine {
            pfns: pfns.into_iter().collect(),
            pages: HashMap::new(),
            uses: BTreeMap::new(),
            symbols: BTreeMap::new(),
            keys: Vec::new(),
            text_next: self.text_phys,
            mem_map: MemMap::default(),
            log_text: None,
            spec: self,
        };
        for pfn in 0..m.text_len() / m.spec.page_size {
            m.place(m.spec.text_phys / m.spec.page_size + pfn, Use::Text);
        }
        m.symbol_at("_stext", 0x1000);
        MemMap::reserve(&mut m);
        let tables = paging::Tables::reserve(&mut m);
        log::lay_out(&mut m);
        for (pfn, used) in m.spec.placements.clone() {
            assert!(
                (pfn..pfn + (1 << used.order())).all(|p| m.is_free(p)),
                "{used:?} does not fit at {pfn:#x}"
            );
            m.place(pfn, used);
        }
        let population = m.spec.population;
        populate(&mut m, population);
        struct_page::write_all(&mut m);
        if let Some(tables) = tables {
            tables.write(&mut m);
        }
        vmcoreinfo::write(&mut m);
        m.spec.ranges.extend(&m.spec.removed);
        m
    }
}

/// A crashed machine.
#[derive(Debug, Clone)]
pub struct Machine {
    pub(crate) spec: Builder,
    pages: HashMap<u64, Vec<u8>>,
    uses: BTreeMap<u64, (u64, Use)>,
    pub(crate) symbols: BTreeMap<String, u64>,
    pub(crate) keys: Vec<String>,
    pfns: Vec<u64>,
    text_next: u64,
    pub(crate) mem_map: MemMap,
    pub(crate) log_text: Option<String>,
}

impl Machine {
    /// An x86_64 machine: RAM below and above a hole, partial last pages, vmemmap in 2 MiB pages, four levels.
    #[must_use]
    pub fn x86_64(era: Era) -> Builder {
        let mib = 1 << 20;
        if cfg!(miri) {
            return Self::interpreted(era);
        }
        Builder::new(Arch::X86_64, era).ranges(&[
            (0x1000, 0x9_fc00),
            (mib, 28 * mib),
            (4 << 30, (4 << 30) + 12 * mib - 0x400),
        ])
    }

    /// The same in a hundred pages, vmemmap in 4 KiB pages, sections of 4 MiB below 128 MiB: Miri takes for a page, a struct
    /// page or a look at a table what a processor takes for thousands.
    fn interpreted(era: Era) -> Builder {
        let second_section = 4 << 20;
        let model = MemModel::Vmemmap { huge: false, optimised: false };
        let ranges = [(0x1000, 0x1_8c00), (0x20_0000, 0x24_0000), (second_section, second_section + 0x8c00)];
        let mut builder = Builder::new(Arch::X86_64, era)
            .model(model)
            .section_size_bits(22)
            .compact(0x1_0000)
            .ranges(&ranges)
            .place(4, Use::Free { order: 2 });
        // One page of vmemmap.
        builder.subsection = 64;
        builder.physmem_bits = Some(27);
        builder
    }

    /// A machine of any architecture: 24 MiB from address 0, its usual page size and memory model.
    #[must_use]
    pub fn of(arch: Arch, era: Era) -> Builder {
        if arch == Arch::X86_64 { Self::x86_64(era) } else { Builder::new(arch, era) }
    }

    /// The smallest machine of an architecture, for tests of formats: 4 MiB with a hole and partial last pages.
    #[must_use]
    pub fn tiny(arch: Arch) -> Builder {
        Builder::new(arch, Era::V6_1).model(MemModel::Flat).ranges(&[
            (0x1000, 0x9_fc00),
            (0x10_0000, 0x30_0000),
            (0x40_0000, 0x57_f400),
        ])
    }

    /// The architecture.
    #[must_use]
    pub fn arch(&self) -> Arch {
        self.spec.arch
    }

    /// The kernel's era.
    #[must_use]
    pub fn era(&self) -> Era {
        self.spec.era
    }

    /// The page size, in bytes.
    #[must_use]
    pub fn page_size(&self) -> u64 {
        self.spec.page_size
    }

    /// Memory as byte ranges.
    #[must_use]
    pub fn ranges(&self) -> &[(u64, u64)] {
        &self.spec.ranges
    }

    /// Every page frame that holds memory, also those that do so in part.
    #[must_use]
    pub fn pfns(&self) -> Vec<u64> {
        self.pfns.clone()
    }

    /// One above the last page frame.
    #[must_use]
    pub fn max_pfn(&self) -> u64 {
        self.pfns.last().map_or(0, |last| last + 1)
    }

    /// The use of a page frame.
    #[must_use]
    pub fn use_of(&self, pfn: u64) -> Option<Use> {
        self.uses.get(&pfn).map(|(_, used)| *used)
    }

    /// Every block: its first page frame and its use.
    #[must_use]
    pub fn blocks(&self) -> Vec<(u64, Use)> {
        self.uses
            .iter()
            .filter(|(pfn, (head, _))| *pfn == head)
            .map(|(pfn, (_, used))| (*pfn, *used))
            .collect()
    }

    /// The bytes of a page frame: what every dump that keeps it must hold. Outside memory they are zero.
    #[must_use]
    pub fn content(&self, pfn: u64) -> Vec<u8> {
        let size = self.spec.page_size;
        let mut page = if let Some(page) = self.pages.get(&pfn) {
            page.clone()
        } else if let Some((_, used)) = self.uses.get(&pfn) {
            pattern(pfn, *used, size as usize)
        } else {
            vec![if self.is_removed(pfn) { 0xee } else { 0 }; size as usize]
        };
        if !self.is_whole(pfn) {
            let first = pfn * size;
            let mut whole = vec![0; size as usize];
            for (start, end) in &self.spec.ranges {
                let (from, to) = ((*start).max(first), (*end).min(first + size));
                if from < to {
                    let bytes = (from - first) as usize..(to - first) as usize;
                    whole[bytes.clone()].copy_from_slice(&page[bytes]);
                }
            }
            page = whole;
        }
        page
    }

    fn is_removed(&self, pfn: u64) -> bool {
        self.spec.removed.iter().any(|(start, end)| (*start..*end).contains(&(pfn * self.spec.page_size)))
    }

    /// The physical bytes at `addr`; they may span pages.
    #[must_use]
    pub fn read(&self, addr: u64, len: usize) -> Vec<u8> {
        let size = self.spec.page_size;
        let mut out = Vec::with_capacity(len);
        while out.len() < len {
            let at = addr + out.len() as u64;
            let from = (at % size) as usize;
            let n = (len - out.len()).min(size as usize - from);
            out.extend_from_slice(&self.content(at / size)[from..from + n]);
        }
        out
    }

    /// Overwrites physical memory.
    pub fn poke(&mut self, addr: u64, bytes: &[u8]) {
        let size = self.spec.page_size;
        let mut done = 0;
        while done < bytes.len() {
            let at = addr + done as u64;
            let (pfn, from) = (at / size, (at % size) as usize);
            let n = (bytes.len() - done).min(size as usize - from);
            if !self.pages.contains_key(&pfn) {
                self.pages.insert(pfn, self.content(pfn));
            }
            if let Some(page) = self.pages.get_mut(&pfn) {
                page[from..from + n].copy_from_slice(&bytes[done..done + n]);
            }
            done += n;
        }
    }

    /// The virtual address of a physical one in the linear map.
    #[must_use]
    pub fn linear(&self, phys: u64) -> u64 {
        self.spec.linear_base + phys
    }

    /// The virtual address of a symbol of the kernel's image (or of the array that VMCOREINFO names instead).
    #[must_use]
    pub fn symbol(&self, name: &str) -> Option<u64> {
        self.symbols.get(name).copied()
    }

    /// The virtual address of the kernel's image.
    #[must_use]
    pub fn text_virt(&self) -> u64 {
        match self.spec.arch {
            Arch::X86_64 => 0xffff_ffff_8100_0000 + self.spec.kaslr,
            Arch::Arm64 => 0xffff_8000_0800_0000,
            _ => self.linear(self.spec.text_phys),
        }
    }

    /// The physical address of the kernel's image.
    #[must_use]
    pub fn text_phys(&self) -> u64 {
        self.spec.text_phys
    }

    /// The size of the kernel's image, in bytes.
    #[must_use]
    pub fn text_len(&self) -> u64 {
        self.spec.text_len
    }

    /// The virtual address of the struct page of `pfn`, where the kernel has one.
    #[must_use]
    pub fn struct_page_virt(&self, pfn: u64) -> Option<u64> {
        self.mem_map.virt(self, pfn)
    }

    /// The physical address behind [`Machine::struct_page_virt`], as the page tables have it.
    #[must_use]
    pub fn struct_page_phys(&self, pfn: u64) -> Option<u64> {
        self.mem_map.phys(self, pfn)
    }

    /// The text of VMCOREINFO.
    #[must_use]
    pub fn vmcoreinfo(&self) -> String {
        self.keys.iter().map(|line| format!("{line}\n")).collect()
    }

    /// The kernel log as `dmesg` prints it.
    #[must_use]
    pub fn expected_log(&self) -> Option<&str> {
        self.log_text.as_deref()
    }

    /// The kind of a page by its use alone.
    #[must_use]
    pub fn kind_by_use(&self, pfn: u64) -> Kind {
        let used = self.use_of(pfn).unwrap_or(Use::Kernel);
        used.kind(self.spec.era, self.spec.memory_failure)
    }

    /// The kind under which a dump of `level` counts a page: what leaves it out, or what it is.
    #[must_use]
    pub fn expected_kind(&self, pfn: u64, level: u8) -> Kind {
        let kind = self.kind_by_use(pfn);
        let zero = self.content(pfn).iter().all(|b| *b == 0);
        if !self.left_out(kind, level) && zero && level & 1 != 0 { Kind::Zero } else { kind }
    }

    fn left_out(&self, kind: Kind, level: u8) -> bool {
        match kind {
            Kind::Kernel | Kind::Slab => false,
            Kind::Zero => level & 1 != 0,
            Kind::Cache => level & 6 != 0,
            Kind::CachePrivate => level & 4 != 0,
            Kind::User => level & 8 != 0,
            Kind::Free => level & 16 != 0,
            Kind::HwPoison => true,
            Kind::Offline => level & 30 != 0 || self.spec.memory_failure,
        }
    }

    /// The page frames that a dump of `level` keeps, zero pages among them even at level bit 1 (kdump files hold a
    /// descriptor for each).
    #[must_use]
    pub fn expected_dumpable(&self, level: u8) -> BTreeSet<u64> {
        self.pfns().into_iter().filter(|pfn| !self.left_out(self.kind_by_use(*pfn), level)).collect()
    }

    /// The page frames whose bytes a dump of `level` keeps.
    #[must_use]
    pub fn expected_kept(&self, level: u8) -> BTreeSet<u64> {
        let mut kept = self.expected_dumpable(level);
        if level & 1 != 0 {
            kept.retain(|pfn| self.content(*pfn).iter().any(|b| *b != 0));
        }
        kept
    }

    pub(crate) fn bytes(&self) -> Bytes {
        Bytes::new(self.spec.arch.big(), self.spec.arch.wide())
    }

    fn is_whole(&self, pfn: u64) -> bool {
        let size = self.spec.page_size;
        self.spec.ranges.iter().any(|(start, end)| *start <= pfn * size && (pfn + 1) * size <= *end)
    }

    /// Whether the page frame holds memory throughout and has no use yet.
    pub(crate) fn is_free(&self, pfn: u64) -> bool {
        !self.uses.contains_key(&pfn) && self.is_whole(pfn)
    }

    pub(crate) fn place(&mut self, pfn: u64, used: Use) {
        for i in 0..1 << used.order() {
            self.uses.insert(pfn + i, (pfn, used));
        }
    }

    /// Gives a page back: its bytes are a kernel page's again.
    pub(crate) fn forget(&mut self, pfn: u64) {
        self.pages.remove(&pfn);
    }

    /// Takes `count` neighbouring page frames, aligned, zeroed, from the top of memory; answers the address.
    pub(crate) fn alloc(&mut self, count: u64, align: u64, used: Use) -> u64 {
        let size = self.spec.page_size;
        for (start, end) in self.spec.ranges.clone().into_iter().rev() {
            let Some(mut pfn) = (end / size).checked_sub(count).map(|p| p / align * align) else { continue };
            while pfn * size >= start {
                if (pfn..pfn + count).all(|p| self.is_free(p)) {
                    for p in pfn..pfn + count {
                        self.place(p, used);
                        self.pages.insert(p, vec![0; size as usize]);
                    }
                    return pfn * size;
                }
                let Some(next) = pfn.checked_sub(align) else { break };
                pfn = next;
            }
        }
        panic!("{count} pages aligned to {align} do not fit in {:x?}", self.spec.ranges);
    }

    /// Takes `len` bytes of the kernel's image for `name`; answers the physical address.
    pub(crate) fn symbol_at(&mut self, name: &str, len: u64) -> u64 {
        let align = if len >= 0x1000 { 0x1000 } else { 8 };
        let phys = self.text_next.next_multiple_of(align);
        self.text_next = phys + len;
        assert!(
            self.text_next <= self.spec.text_phys + self.text_len(),
            "the kernel's image is full at {name}"
        );
        self.poke(phys, &vec![0; len as usize]);
        self.symbols.insert(name.to_owned(), self.text_virt() + (phys - self.spec.text_phys));
        phys
    }

    /// Writes a pointer (or `long`) in the machine's own order.
    pub(crate) fn poke_word(&mut self, phys: u64, value: u64) {
        let mut word = self.bytes();
        word.word(value);
        self.poke(phys, &word.bytes);
    }
}
