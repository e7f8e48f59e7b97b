//! Small crashed machines of testkit's, built once.

use std::collections::BTreeSet;
use std::ops::Range;
use std::sync::OnceLock;

use page_filter::{Fault, PhysMemory};
use testkit::{
    Arch, Builder, Codec, Era, Generation, LogRecord, Machine, MemModel, Population, Use, kdump_of,
};
use vmcore_format::elf::{ElfCore, ProgramHeader};
use vmcore_format::{Class, Endian, Layout, PageSize, Pfn, PhysAddr};

use crate::files::overlay;

/// A machine, its memory from address 0 on, and its files.
#[derive(Debug)]
pub(crate) struct Laid {
    pub(crate) machine: Machine,
    /// Bytes of all memory, holes as zeros.
    image: Vec<u8>,
    /// Frames with memory.
    pub(crate) runs: Vec<Range<u64>>,
    /// Frames that tell pages apart or lead to those that do: page tables, sections, struct pages, symbols, the log.
    pub(crate) tables: Vec<u64>,
    pub(crate) info: String,
    pub(crate) loads: Vec<ProgramHeader>,
    /// Its vmcore, and kdump-compressed files of all of it: by every codec in turn, and by none, which is read sooner.
    pub(crate) elf: Vec<u8>,
    pub(crate) kdump: Vec<u8>,
    pub(crate) raw_kdump: Vec<u8>,
}

impl Laid {
    fn new(builder: Builder) -> Self {
        let machine = builder.build();
        let size = machine.page_size();
        let pfns = machine.pfns();
        let mut image = vec![0; (machine.max_pfn() * size) as usize];
        let mut runs: Vec<Range<u64>> = Vec::new();
        for pfn in &pfns {
            let at = (pfn * size) as usize;
            image[at..at + size as usize].copy_from_slice(&machine.content(*pfn));
            match runs.last_mut() {
                Some(run) if run.end == *pfn => run.end += 1,
                _ => runs.push(*pfn..pfn + 1),
            }
        }
        let mut tables: BTreeSet<u64> =
            pfns.iter().filter_map(|pfn| machine.struct_page_phys(*pfn)).map(|phys| phys / size).collect();
        tables.extend(pfns.iter().filter(|pfn| machine.use_of(**pfn) == Some(Use::Table)));
        let text = machine.text_phys() / size;
        tables.extend((text..text + 4).chain(pfns.iter().rev().take(40).copied()));
        tables.retain(|pfn| pfns.contains(pfn));
        let elf = machine.elf().to_vec();
        let mut kdump = kdump_of(&machine, 0);
        kdump.codec = Codec::Raw;
        let raw_kdump = kdump.to_vec();
        kdump.codec = Codec::Mixed;
        let mut table = [ProgramHeader::default(); 16];
        let file = elf.as_slice();
        let loads = ElfCore::open(&file, &mut table).expect("testkit's files are sound").loads().to_vec();
        Self {
            image,
            runs,
            tables: tables.into_iter().collect(),
            info: machine.vmcoreinfo(),
            loads,
            kdump: kdump.to_vec(),
            raw_kdump,
            elf,
            machine,
        }
    }

    pub(crate) fn as_machine(&self) -> page_filter::Machine {
        let arch = self.machine.arch();
        let layout = Layout {
            endian: if arch.big() { Endian::Big } else { Endian::Little },
            class: if arch.wide() { Class::Bits64 } else { Class::Bits32 },
        };
        page_filter::Machine { e_machine: arch.e_machine(), layout }
    }

    pub(crate) fn frames(&self) -> u64 {
        self.runs.iter().map(|run| run.end - run.start).sum()
    }

    /// Where virtual addresses of the image and of the linear map lie, without page tables.
    pub(crate) fn phys(&self, virt: u64) -> Option<u64> {
        match virt.checked_sub(self.machine.text_virt()).filter(|offset| *offset < self.machine.text_len()) {
            Some(offset) => Some(self.machine.text_phys() + offset),
            None => virt.checked_sub(self.machine.linear(0)),
        }
    }
}

/// The memory of a machine with some bytes changed and some pages that cannot be read.
#[derive(Debug)]
pub(crate) struct Memory<'a> {
    pub(crate) laid: &'a Laid,
    pub(crate) edits: Vec<(u64, Vec<u8>)>,
    pub(crate) faults: BTreeSet<u64>,
}

impl PhysMemory for Memory<'_> {
    fn page_size(&self) -> PageSize {
        PageSize::new(self.laid.machine.page_size()).expect("testkit's page sizes are sound")
    }

    fn read(&mut self, addr: PhysAddr, buf: &mut [u8]) -> Result<(), Fault> {
        if buf.is_empty() {
            return Ok(());
        }
        let size = self.laid.machine.page_size();
        let end = addr.0.checked_add(buf.len() as u64).ok_or(Fault::Hole)?;
        let (first, past) = (addr.0 / size, end.div_ceil(size));
        if !self.laid.runs.iter().any(|run| run.start <= first && past <= run.end) {
            return Err(Fault::Hole);
        }
        if self.faults.range(first..past).next().is_some() {
            return Err(Fault::Code(5));
        }
        buf.copy_from_slice(&self.laid.image[addr.0 as usize..end as usize]);
        overlay(&self.edits, addr.0, buf);
        Ok(())
    }

    fn next_known(&mut self, from: Pfn) -> Result<Option<Range<Pfn>>, Fault> {
        let run = self.laid.runs.iter().find(|run| run.end > from.0);
        Ok(run.map(|run| Pfn(run.start.max(from.0))..Pfn(run.end)))
    }
}

/// Three pieces of three dozen pages, the last one in part: each page that is packed and unpacked costs a fuzzer time.
fn small(machine: Builder) -> Builder {
    machine
        .compact(0x4000)
        .ranges(&[(0x1000, 0x8c00), (0x20_0000, 0x21_c000), (0x22_8000, 0x22_a400)])
        .text_phys(0x20_0000)
}

/// The machines that are dumped: several memory models, eras, byte orders, word and page sizes.
pub(crate) fn machines() -> &'static [Laid] {
    static MACHINES: OnceLock<Vec<Laid>> = OnceLock::new();
    MACHINES.get_or_init(|| {
        let x86_64 = |era, model| small(Machine::x86_64(era).model(model));
        [
            x86_64(Era::V6_1, MemModel::Flat),
            // Struct pages and sections take 21 pages.
            x86_64(Era::V6_6, MemModel::Vmemmap { huge: false, optimised: false }).ranges(&[
                (0x1000, 0xcc00),
                (0x20_0000, 0x22_c000),
                (0x23_0000, 0x23_2400),
            ]),
            x86_64(Era::V7_1, MemModel::Flat).five_levels().population(Population::Mix(3)),
            // Pages of 64 KiB.
            Machine::tiny(Arch::Ppc64)
                .compact(0x1_0000)
                .ranges(&[(0x1_0000, 0x3_fc00), (0x20_0000, 0x23_f400)])
                .text_phys(0x20_0000)
                .population(Population::Mix(5)),
            small(Machine::tiny(Arch::S390x)),
            small(Machine::tiny(Arch::I386)),
            // The last one is large: a section of memory has struct pages for 128 MiB.
            Machine::x86_64(Era::V5_4)
                .model(MemModel::SparseExtreme { pointer: true })
                .ranges(&[(0x1000, 0x9_f800), (0x10_0000, 0x90_0000)]),
        ]
        .into_iter()
        .map(Laid::new)
        .collect()
    })
}

/// The machines whose log is read: three generations, several layouts.
pub(crate) fn logs() -> &'static [Laid] {
    static LOGS: OnceLock<Vec<Laid>> = OnceLock::new();
    LOGS.get_or_init(|| {
        let archs = [Arch::X86_64, Arch::Ppc, Arch::S390x];
        let generations = [Generation::Ringbuffer, Generation::Records, Generation::Flat];
        let of = |arch, generation| {
            Machine::tiny(arch)
                .compact(0x4_0000)
                .ranges(&[(0x1000, 0x8c00), (0x20_0000, 0x26_0000)])
                .text_phys(0x20_0000)
                .population(Population::Only(Use::Kernel))
                .log(generation, LogRecord::sample(80))
        };
        archs
            .into_iter()
            .flat_map(|arch| generations.map(|generation| Laid::new(of(arch, generation))))
            .collect()
    })
}
