//! A machine too large to lay out: its struct pages are made once and shown again and again, section by section.
//!
//! What grows with the machine is what leads to the struct pages: 8 bytes of page table and 16 of section table for
//! each 128 MiB. Nothing else of its memory has bytes of its own, so that a scan of 16 TiB measures the scan.

use std::collections::BTreeMap;
use std::ops::Range;

use crate::{Era, Kind, Machine, Random, Use};

const MIB: u64 = 1 << 20;
/// A section of memory: 2^27 bytes, whose struct pages fill one page of 2 MiB.
const SECTION: u64 = 128 * MIB;
const SECTION_FRAMES: u64 = SECTION >> 12;
/// Where a section's struct pages stand in it: at its end, as a node's own memory holds them.
const BLOCK_AT: u64 = 126 * MIB;
const BLOCK: u64 = 2 * MIB;
/// What page tables, section table and kernel take of the first section.
const LOW: Range<u64> = 16 * MIB..48 * MIB;
/// The hole below 4 GiB where devices are.
const DEVICES: Range<u64> = 3 << 30..4 << 30;
const IMAGE: u64 = 0xffff_ffff_8000_0000;
const LINEAR: u64 = 0xffff_8880_0000_0000;
const VMEMMAP: u64 = 0xffff_ea00_0000_0000;
const TABLE: u64 = 0x63;
const LARGE_PAGE: u64 = 0xe3;

/// What a large machine uses its memory for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mix {
    /// A server: half of it anonymous memory, most of that in huge pages; page cache, some of it in large folios; free
    /// blocks of the largest orders; slab, page tables and kernel pages in between.
    Server,
    /// The hardest case: single pages and pairs, each of another use than its neighbours.
    Scattered,
}

/// An x86_64 machine of Linux 6.12 with 1 GiB to 16 TiB of memory.
#[derive(Debug)]
pub struct LargeMachine {
    end: u64,
    low: Vec<u8>,
    /// The struct pages of the first section, where the kernel is.
    first: Vec<u8>,
    /// The struct pages of the others, in turn.
    blocks: Vec<u8>,
    /// The uses of the first section's page frames, and of those that the blocks describe, in turn.
    kinds: Vec<BTreeMap<Kind, u64>>,
    info: String,
}

impl LargeMachine {
    /// A machine of `ram` bytes, rounded up to whole sections. `blocks` is how many bytes of struct pages there are
    /// before they repeat, rounded up to 2 MiB: more than the processor's caches hold, where memory is to be measured.
    #[must_use]
    pub fn new(ram: u64, mix: Mix, blocks: u64) -> Self {
        const SEEDS: u64 = 8;
        let ram = ram.clamp(1 << 30, 16 << 40).next_multiple_of(SECTION);
        let end = if ram > DEVICES.start { ram + (DEVICES.end - DEVICES.start) } else { ram };
        let count = blocks.div_ceil(BLOCK).max(1);
        let mut pool = Vec::with_capacity((count * BLOCK) as usize);
        let first = section(mix, 0, LOW.end >> 12);
        let mut kinds = vec![kinds_of(&first)];
        for seed in 0..count.min(SEEDS) {
            let uses = section(mix, seed + 1, 0);
            kinds.push(kinds_of(&uses));
            pool.extend(struct_pages(&uses).0);
        }
        while pool.len() < (count * BLOCK) as usize {
            let again = pool.len().min((count * BLOCK) as usize - pool.len());
            pool.extend_from_within(..again);
        }
        let (first, info) = struct_pages(&first);
        let mut low = Low { bytes: Vec::new(), root: 0, next: 0 };
        let section_table = low.lay_out(end);
        let symbols = [
            format!("SYMBOL(_stext)={:x}", IMAGE + LOW.start),
            format!("SYMBOL(init_uts_ns)={:x}", IMAGE + LOW.start + 0x1000),
            format!("SYMBOL(init_top_pgt)={:x}", IMAGE + low.root),
            format!("SYMBOL(mem_section)={:x}", LINEAR + section_table),
            "NUMBER(phys_base)=0".to_owned(),
        ];
        let name = |line: &str| line.split('=').next().map(str::to_owned);
        let info = info.lines().filter(|line| !symbols.iter().any(|symbol| name(symbol) == name(line)));
        let info = info.map(str::to_owned).chain(symbols.iter().cloned()).map(|line| line + "\n").collect();
        Self { end, low: low.bytes, first, blocks: pool, kinds, info }
    }

    /// One above the last page frame.
    #[must_use]
    pub fn max_pfn(&self) -> u64 {
        self.end >> 12
    }

    /// The number of page frames.
    #[must_use]
    pub fn frames(&self) -> u64 {
        [0..DEVICES.start.min(self.end), DEVICES.end..self.end.max(DEVICES.end)]
            .iter()
            .map(|range| (range.end - range.start) >> 12)
            .sum()
    }

    /// The number of page frames of a kind, by what they were given to.
    #[must_use]
    pub fn pages(&self, kind: Kind) -> u64 {
        let blocks = self.blocks.len() as u64 / BLOCK;
        let Some((first, later)) = self.kinds.split_first() else { return 0 };
        (0..self.end / SECTION)
            .filter(|section| !DEVICES.contains(&(section * SECTION)))
            .map(|section| match section.checked_sub(1) {
                None => first,
                Some(nth) => &later[(nth % blocks) as usize % later.len()],
            })
            .map(|kinds| kinds.get(&kind).copied().unwrap_or(0))
            .sum()
    }

    /// The bytes of memory that the simulation itself takes.
    #[must_use]
    pub fn own_bytes(&self) -> usize {
        self.low.len() + self.first.len() + self.blocks.len()
    }

    /// The text of VMCOREINFO.
    #[must_use]
    pub fn vmcoreinfo(&self) -> &str {
        &self.info
    }

    /// The run of page frames at or above `pfn`.
    #[must_use]
    pub fn next_run(&self, pfn: u64) -> Option<Range<u64>> {
        [0..DEVICES.start.min(self.end), DEVICES.end..self.end.max(DEVICES.end)]
            .into_iter()
            .map(|range| pfn.max(range.start >> 12)..range.end >> 12)
            .find(|run| run.start < run.end)
    }

    /// The bytes at `addr` in place, where they are laid out and in one piece.
    #[must_use]
    pub fn view(&self, addr: u64, len: usize) -> Option<&[u8]> {
        let (bytes, at) = if LOW.contains(&addr) {
            (self.low.as_slice(), addr - LOW.start)
        } else {
            let (section, at) = (addr / SECTION, (addr % SECTION).checked_sub(BLOCK_AT)?);
            (self.block(section), at)
        };
        bytes.get(at as usize..at as usize + len)
    }

    fn block(&self, section: u64) -> &[u8] {
        let blocks = self.blocks.len() as u64 / BLOCK;
        match section.checked_sub(1) {
            None => &self.first,
            Some(later) => &self.blocks[(later % blocks * BLOCK) as usize..][..BLOCK as usize],
        }
    }

    /// Fills `buf` with the bytes at `addr`; what is not laid out is zero. `false` where there is no memory.
    #[must_use]
    pub fn read(&self, addr: u64, buf: &mut [u8]) -> bool {
        let mut at = addr;
        for part in buf.chunks_mut(0x1000) {
            if self.next_run(at >> 12).is_none_or(|run| run.start != at >> 12) {
                return false;
            }
            match self.view(at, part.len()) {
                Some(bytes) => part.copy_from_slice(bytes),
                None => part.fill(0),
            }
            at += part.len() as u64;
        }
        true
    }
}

/// The first section's tables, as they are laid out.
struct Low {
    bytes: Vec<u8>,
    root: u64,
    next: u64,
}

impl Low {
    /// Page tables and sections of memory up to `end`; answers the address of the section table.
    fn lay_out(&mut self, end: u64) -> u64 {
        // The kernel's text and names stand before the tables.
        self.next = LOW.start + 0x2000;
        self.root = self.take(0x1000);
        self.map(IMAGE + LOW.start, LOW.start, 21);
        for addr in (0..end).step_by(1 << 30) {
            self.map(LINEAR + addr, addr, 30);
        }
        let roots = self.take(4 * 0x1000);
        for section in (0..end / SECTION).filter(|section| !DEVICES.contains(&(section * SECTION))) {
            self.map(VMEMMAP + section * BLOCK, section * SECTION + BLOCK_AT, 21);
            let root = roots + section / 256 * 8;
            if self.word(root) == 0 {
                let page = self.take(0x1000);
                self.put(root, LINEAR + page);
            }
            let page = self.word(root) - LINEAR;
            self.put(page + section % 256 * 16, VMEMMAP | 0b1111);
        }
        assert!(self.next <= LOW.end, "the tables fit into the first section");
        roots
    }

    fn map(&mut self, virt: u64, phys: u64, page_shift: u32) {
        let (mut table, mut shift) = (self.root, 39);
        while shift > page_shift {
            let entry = table + (virt >> shift & 511) * 8;
            if self.word(entry) == 0 {
                let next = self.take(0x1000);
                self.put(entry, next | TABLE);
            }
            table = self.word(entry) & !0xfff;
            shift -= 9;
        }
        self.put(table + (virt >> shift & 511) * 8, phys | LARGE_PAGE);
    }

    fn take(&mut self, len: u64) -> u64 {
        let at = self.next;
        self.next += len;
        self.bytes.resize((self.next - LOW.start) as usize, 0);
        at
    }

    fn word(&self, at: u64) -> u64 {
        let bytes = &self.bytes[(at - LOW.start) as usize..][..8];
        u64::from_le_bytes(bytes.try_into().expect("eight bytes"))
    }

    fn put(&mut self, at: u64, value: u64) {
        self.bytes[(at - LOW.start) as usize..][..8].copy_from_slice(&value.to_le_bytes());
    }
}

/// The page frames of each kind.
fn kinds_of(uses: &[(u64, Use)]) -> BTreeMap<Kind, u64> {
    let mut kinds = BTreeMap::new();
    for (_, used) in uses {
        *kinds.entry(used.kind(Era::V6_12, true)).or_default() += 1 << used.order();
    }
    kinds
}

/// The struct pages of a section with these uses, as the machines of the unit tests have them, and their VMCOREINFO.
fn struct_pages(uses: &[(u64, Use)]) -> (Vec<u8>, String) {
    let room = SECTION + 32 * MIB;
    let mut machine = Machine::x86_64(Era::V6_12).ranges(&[(0, room)]).text_phys(SECTION + 2 * MIB);
    for (pfn, used) in uses {
        machine = machine.place(*pfn, *used);
    }
    let machine = machine.build();
    let block = machine.struct_page_phys(0).expect("the first frame has a struct page");
    (machine.read(block, BLOCK as usize), machine.vmcoreinfo())
}

/// The uses of a section whose first `kernel` frames are the kernel's; its own struct pages are as well.
fn section(mix: Mix, seed: u64, kernel: u64) -> Vec<(u64, Use)> {
    let random = &mut Random::new(seed + 0x5eed);
    let mut uses: Vec<(u64, Use)> = (0..kernel).map(|pfn| (pfn, Use::Text)).collect();
    let mut pfn = kernel;
    while pfn < BLOCK_AT >> 12 {
        let pageblock = match mix {
            Mix::Server => Pageblock::of_server(random.below(100)),
            Mix::Scattered => Pageblock::Scattered,
        };
        let end = pfn + 512;
        while pfn < end {
            let wanted = pageblock.next(random, pfn);
            let fits =
                pfn.is_multiple_of(1 << wanted.order()) && pfn + (1 << wanted.order()) <= BLOCK_AT >> 12;
            let used = if fits { wanted } else { Use::Anon };
            uses.push((pfn, used));
            pfn += 1 << used.order();
        }
    }
    uses.extend((pfn..SECTION_FRAMES).map(|pfn| (pfn, Use::Kernel)));
    uses
}

/// What 2 MiB of memory are used for.
#[derive(Debug, Clone, Copy)]
enum Pageblock {
    HugePages,
    Anon,
    Cache,
    CacheFolios,
    Free,
    Kernel,
    Scattered,
}

impl Pageblock {
    fn of_server(percent: u64) -> Self {
        match percent {
            0..=34 => Self::HugePages,
            35..=49 => Self::Anon,
            50..=69 => Self::Cache,
            70..=77 => Self::CacheFolios,
            78..=87 => Self::Free,
            88..=93 => Self::Kernel,
            _ => Self::Scattered,
        }
    }

    /// The next use in it.
    fn next(self, random: &mut Random, pfn: u64) -> Use {
        let one_in = |random: &mut Random, n: u64| random.below(n) == 0;
        match self {
            Self::HugePages => Use::Thp { order: 9 },
            Self::Anon if one_in(random, 32) => Use::Table,
            Self::Anon => Use::Anon,
            Self::Cache if one_in(random, 8) => Use::CachePrivate,
            Self::Cache => Use::Cache,
            Self::CacheFolios => Use::FolioCache { order: if pfn % 64 < 32 { 4 } else { 2 }, private: false },
            Self::Free if pfn.is_multiple_of(1024) && pfn + 1024 <= BLOCK_AT >> 12 => Use::Free { order: 10 },
            Self::Free => Use::Free { order: 9 },
            Self::Kernel => match random.below(8) {
                0..=1 => Use::Kernel,
                2 => Use::Slab { order: 0 },
                3 => Use::Table,
                _ => Use::Slab { order: pfn.trailing_zeros().min(3) },
            },
            Self::Scattered => match random.below(16) {
                0..=3 => Use::Anon,
                4..=7 => Use::Cache,
                8 => Use::CachePrivate,
                9 => Use::Slab { order: 0 },
                10 => Use::Slab { order: 1 },
                11 => Use::Kernel,
                12 => Use::Table,
                13 => Use::Free { order: 0 },
                14 => Use::Free { order: 1 },
                _ => Use::PcpFree,
            },
        }
    }
}
