//! What a simulated machine is like, before it is built.

use crate::mem_map::MemModel;
use crate::{Era, Generation, LogRecord, Population, Use};
/// The architecture of the dumped machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Arch {
    /// Little-endian, 64 bits, page tables.
    X86_64,
    /// Little-endian, 32 bits; virtual addresses by the `PT_LOADs`.
    I386,
    /// Little-endian, 64 bits; virtual addresses by the `PT_LOADs`.
    Arm64,
    /// Big-endian, 64 bits; virtual addresses by the `PT_LOADs`.
    Ppc64,
    /// Little-endian, 64 bits; virtual addresses by the `PT_LOADs`.
    Ppc64Le,
    /// Big-endian, 64 bits; virtual addresses are physical ones.
    S390x,
    /// Big-endian, 32 bits; virtual addresses by the `PT_LOADs`.
    Ppc,
}

impl Arch {
    /// Whether words have 8 bytes.
    #[must_use]
    pub fn wide(self) -> bool {
        !matches!(self, Self::I386 | Self::Ppc)
    }

    /// Whether the most significant byte comes first.
    #[must_use]
    pub fn big(self) -> bool {
        matches!(self, Self::Ppc64 | Self::S390x | Self::Ppc)
    }

    /// `e_machine`.
    #[must_use]
    pub fn e_machine(self) -> u16 {
        match self {
            Self::X86_64 => 62,
            Self::I386 => 3,
            Self::Arm64 => 183,
            Self::Ppc64 | Self::Ppc64Le => 21,
            Self::S390x => 22,
            Self::Ppc => 20,
        }
    }
}

/// What a machine is like, before it is built.
#[derive(Debug, Clone)]
pub struct Builder {
    pub(crate) arch: Arch,
    pub(crate) era: Era,
    pub(crate) page_size: u64,
    pub(crate) ranges: Vec<(u64, u64)>,
    pub(crate) removed: Vec<(u64, u64)>,
    pub(crate) offline: Vec<(u64, u64)>,
    pub(crate) model: MemModel,
    pub(crate) section_size_bits: u32,
    pub(crate) five_levels: bool,
    pub(crate) kaslr: u64,
    pub(crate) text_phys: u64,
    pub(crate) text_len: u64,
    pub(crate) compact: bool,
    /// Page frames whose struct pages stand together: the kernel fills vmemmap by subsections of 2 MiB.
    pub(crate) subsection: u64,
    pub(crate) physmem_bits: Option<u32>,
    pub(crate) linear_base: u64,
    pub(crate) sme_mask: u64,
    pub(crate) memory_failure: bool,
    pub(crate) placements: Vec<(u64, Use)>,
    pub(crate) population: Population,
    pub(crate) log: Option<(Generation, Vec<LogRecord>)>,
    pub(crate) without_keys: Vec<String>,
    pub(crate) extra_keys: Vec<String>,
}

impl Builder {
    pub(crate) fn new(arch: Arch, era: Era) -> Self {
        let mib = 1 << 20;
        Self {
            arch,
            era,
            page_size: if matches!(arch, Arch::Ppc64 | Arch::Ppc64Le) { 0x1_0000 } else { 0x1000 },
            ranges: vec![(0, 24 * mib)],
            removed: Vec::new(),
            offline: Vec::new(),
            model: match arch {
                Arch::X86_64 => MemModel::Vmemmap { huge: true, optimised: false },
                Arch::Arm64 => MemModel::SparseStatic,
                Arch::Ppc64 | Arch::Ppc64Le | Arch::S390x => MemModel::SparseExtreme { pointer: false },
                Arch::I386 | Arch::Ppc => MemModel::Flat,
            },
            section_size_bits: match arch {
                Arch::X86_64 | Arch::Arm64 => 27,
                Arch::Ppc64 | Arch::Ppc64Le => 24,
                Arch::S390x => 28,
                Arch::I386 | Arch::Ppc => 26,
            },
            five_levels: false,
            kaslr: 0,
            text_phys: 2 * mib,
            text_len: 0x4_0000,
            compact: false,
            subsection: 512,
            physmem_bits: None,
            linear_base: match arch {
                Arch::X86_64 => 0xffff_8880_0000_0000,
                Arch::I386 | Arch::Ppc => 0xc000_0000,
                Arch::Arm64 => 0xffff_0000_0000_0000,
                Arch::Ppc64 | Arch::Ppc64Le => 0xc000_0000_0000_0000,
                Arch::S390x => 0,
            },
            sme_mask: 0,
            memory_failure: true,
            placements: Vec::new(),
            population: Population::Mix(1),
            log: None,
            without_keys: Vec::new(),
            extra_keys: Vec::new(),
        }
    }

    /// Memory as byte ranges, half-open, ascending; ends need not be page aligned. Default: 24 MiB from 0, on x86_64
    /// 0x1000..0x9fc00, 1..28 MiB and 12 MiB from 4 GiB, whose last page is partial.
    #[must_use]
    pub fn ranges(mut self, ranges: &[(u64, u64)]) -> Self {
        self.ranges = ranges.to_vec();
        self
    }

    /// Memory of sections of its own that `PT_LOAD`s have and the kernel has no more: garbage.
    #[must_use]
    pub fn removed(mut self, start: u64, end: u64) -> Self {
        self.removed.push((start, end));
        self
    }

    /// Sections that the kernel has taken offline; their struct pages stay.
    #[must_use]
    pub fn offline(mut self, start: u64, end: u64) -> Self {
        self.offline.push((start, end));
        self
    }

    /// Page size in bytes, 4 to 64 KiB.
    #[must_use]
    pub fn page_size(mut self, bytes: u64) -> Self {
        self.page_size = bytes;
        self
    }

    /// The memory model.
    #[must_use]
    pub fn model(mut self, model: MemModel) -> Self {
        self.model = model;
        self
    }

    /// `SECTION_SIZE_BITS`.
    #[must_use]
    pub fn section_size_bits(mut self, bits: u32) -> Self {
        self.section_size_bits = bits;
        self
    }

    /// x86_64: five levels of page tables, with the wider address space's linear map.
    #[must_use]
    pub fn five_levels(mut self) -> Self {
        self.five_levels = true;
        self.linear_base = 0xff11_0000_0000_0000;
        self
    }

    /// x86_64: the kernel's image moved by `offset` (a multiple of 2 MiB) and the linear map by 37 GiB.
    #[must_use]
    pub fn kaslr(mut self, offset: u64) -> Self {
        self.kaslr = offset;
        self.linear_base += 37 << 30;
        self
    }

    /// The physical address of the kernel's image, a multiple of 2 MiB. Default 2 MiB.
    #[must_use]
    pub fn text_phys(mut self, addr: u64) -> Self {
        self.text_phys = addr;
        self
    }

    /// As few pages as a machine of two sections can do with: a kernel's image of `text_len` bytes (a multiple of the page size;
    /// default 256 KiB, which has room for a log), hardly more page tables than are filled in.
    #[must_use]
    pub fn compact(mut self, text_len: u64) -> Self {
        self.text_len = text_len;
        self.compact = true;
        self
    }

    /// x86_64: the encryption bit, set in every page table entry.
    #[must_use]
    pub fn sme_mask(mut self, mask: u64) -> Self {
        self.sme_mask = mask;
        self
    }

    /// A kernel without `CONFIG_MEMORY_FAILURE`: no `NUMBER(PG_hwpoison)`.
    #[must_use]
    pub fn without_memory_failure(mut self) -> Self {
        self.memory_failure = false;
        self
    }

    /// Puts `used` at `pfn` (and the rest of its block).
    #[must_use]
    pub fn place(mut self, pfn: u64, used: Use) -> Self {
        self.placements.push((pfn, used));
        self
    }

    /// What fills the rest of memory.
    #[must_use]
    pub fn population(mut self, population: Population) -> Self {
        self.population = population;
        self
    }

    /// A kernel log of the given generation.
    #[must_use]
    pub fn log(mut self, generation: Generation, records: Vec<LogRecord>) -> Self {
        self.log = Some((generation, records));
        self
    }

    /// Leaves a key (what stands before `=`) out of VMCOREINFO.
    #[must_use]
    pub fn without_key(mut self, key: &str) -> Self {
        self.without_keys.push(key.to_owned());
        self
    }

    /// Adds a line to VMCOREINFO.
    #[must_use]
    pub fn extra_key(mut self, line: &str) -> Self {
        self.extra_keys.push(line.to_owned());
        self
    }
}
