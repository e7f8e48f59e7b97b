//! The simulated machines as the library's memory, and a run of the filter over them.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use page_filter::{Counts, Fault, Filter, Findings, Kernel, KernelError, Level, PageKind, PhysMemory};
use testkit::{Arch, Kind};
use vmcore_format::elf::{ElfCore, ProgramHeader};
use vmcore_format::vmcoreinfo::VmcoreInfo;
use vmcore_format::{Class, Endian, Layout, PageSize, Pfn, PhysAddr};

/// Of how many cases a sweep takes one: of `few` as an ordinary test, all of them where `cargo xtask hostile` sets the variable. `few`
/// shares no factor with the numbers by which a sweep chooses formats and codecs, so that it meets them all.
pub(crate) fn every(few: usize) -> usize {
    if std::env::var_os("KCAPTURE_HOSTILE_ALL").is_some() { 1 } else { few }
}

/// A machine's memory, with pages that cannot be read and pages that were changed.
#[derive(Clone)]
pub(crate) struct KitMemory {
    page_size: u64,
    pages: BTreeMap<u64, Vec<u8>>,
    pub(crate) faults: BTreeSet<u64>,
    /// What a page that cannot be read answers.
    pub(crate) fault: Fault,
    /// Reads that were made.
    pub(crate) reads: BTreeSet<u64>,
}

impl KitMemory {
    pub(crate) fn new(machine: &testkit::Machine) -> Self {
        let pages = machine.pfns().into_iter().map(|pfn| (pfn, machine.content(pfn))).collect();
        Self {
            page_size: machine.page_size(),
            pages,
            faults: BTreeSet::new(),
            fault: Fault::Code(5),
            reads: BTreeSet::new(),
        }
    }

    /// Adds memory that `PT_LOAD`s have and the kernel does not.
    pub(crate) fn add(&mut self, pfns: Range<u64>, byte: u8) {
        self.pages.extend(pfns.map(|pfn| (pfn, vec![byte; self.page_size as usize])));
    }

    /// Takes memory away that the kernel has.
    pub(crate) fn remove(&mut self, pfns: Range<u64>) {
        self.pages.retain(|pfn, _| !pfns.contains(pfn));
    }

    /// Changes bytes behind the machine's back.
    pub(crate) fn page_mut(&mut self, pfn: u64) -> &mut Vec<u8> {
        self.pages.get_mut(&pfn).unwrap()
    }

    fn next(&self, from: u64) -> Option<Range<Pfn>> {
        let mut pfns = self.pages.range(from..).map(|(pfn, _)| *pfn);
        let first = pfns.next()?;
        let after = pfns.zip(first + 1..).take_while(|(pfn, next)| pfn == next).count();
        Some(Pfn(first)..Pfn(first + 1 + after as u64))
    }
}

impl PhysMemory for KitMemory {
    fn page_size(&self) -> PageSize {
        PageSize::new(self.page_size).unwrap()
    }

    fn read(&mut self, addr: PhysAddr, buf: &mut [u8]) -> Result<(), Fault> {
        let mut done = 0;
        while done < buf.len() {
            let at = addr.0.checked_add(done as u64).ok_or(Fault::Hole)?;
            let (pfn, from) = (at / self.page_size, (at % self.page_size) as usize);
            self.reads.insert(pfn);
            if self.faults.contains(&pfn) {
                return Err(self.fault);
            }
            let page = self.pages.get(&pfn).ok_or(Fault::Hole)?;
            let n = (buf.len() - done).min(page.len() - from);
            buf[done..done + n].copy_from_slice(&page[from..from + n]);
            done += n;
        }
        Ok(())
    }

    fn next_known(&mut self, from: Pfn) -> Result<Option<Range<Pfn>>, Fault> {
        Ok(self.next(from.0))
    }
}

/// What a run of the filter answered.
pub(crate) struct Outcome {
    pub(crate) kept: BTreeSet<u64>,
    pub(crate) counts: Counts,
    pub(crate) findings: Findings,
}

pub(crate) fn machine_of(machine: &testkit::Machine) -> page_filter::Machine {
    let arch: Arch = machine.arch();
    let layout = Layout {
        endian: if arch.big() { Endian::Big } else { Endian::Little },
        class: if arch.wide() { Class::Bits64 } else { Class::Bits32 },
    };
    page_filter::Machine { e_machine: arch.e_machine(), layout }
}

/// Opens the kernel as a reader of the machine's vmcore does.
pub(crate) fn open(machine: &testkit::Machine, memory: &mut KitMemory) -> Result<Kernel, KernelError> {
    open_with(machine, memory, &machine.vmcoreinfo(), true)
}

pub(crate) fn open_with(
    machine: &testkit::Machine,
    memory: &mut KitMemory,
    info: &str,
    with_loads: bool,
) -> Result<Kernel, KernelError> {
    let elf = machine.elf();
    let mut head = vec![0; 0x1000];
    assert!(elf.read_at(0, &mut head));
    let head = head.as_slice();
    let mut table = vec![ProgramHeader::default(); 16];
    let core = ElfCore::open(&head, &mut table).unwrap();
    let loads = if with_loads { core.loads() } else { &[] };
    Kernel::open(&VmcoreInfo::new(info.as_bytes()), machine_of(machine), loads, memory)
}

/// Runs the filter in windows of `window` page frames.
pub(crate) fn run(kernel: &mut Kernel, memory: &mut KitMemory, level: u8, window: u64) -> Outcome {
    let known: Vec<u64> = memory.pages.keys().copied().collect();
    let end = known.last().unwrap() + 1;
    let mut filter = Filter::new(kernel, Level::from_bits(level).unwrap());
    let mut counts = Counts::default();
    let mut kept = BTreeSet::new();
    let mut scratch = vec![0; Filter::SCRATCH_LEN];
    let mut start = known[0];
    while start < end {
        let stop = end.min(start + window);
        let mut dumpable = vec![0u64; window.div_ceil(64) as usize];
        for pfn in known.iter().filter(|pfn| (start..stop).contains(pfn)) {
            let bit = pfn - start;
            dumpable[bit as usize / 64] |= 1 << (bit % 64);
        }
        filter.scan(memory, Pfn(start)..Pfn(stop), &mut dumpable, &mut counts, &mut scratch).unwrap();
        kept.extend((start..stop).filter(|pfn| {
            let bit = (pfn - start) as usize;
            dumpable[bit / 64] >> (bit % 64) & 1 != 0
        }));
        // The next window with memory in it.
        start = known.iter().find(|pfn| **pfn >= stop).map_or(end, |pfn| pfn / window * window).max(stop);
    }
    let findings = filter.findings(&counts, true);
    Outcome { kept, counts, findings }
}

pub(crate) fn kind(kind: Kind) -> PageKind {
    match kind {
        Kind::Kernel => PageKind::Kernel,
        Kind::Slab => PageKind::Slab,
        Kind::Zero => PageKind::Zero,
        Kind::Cache => PageKind::Cache,
        Kind::CachePrivate => PageKind::CachePrivate,
        Kind::User => PageKind::User,
        Kind::Free => PageKind::Free,
        Kind::HwPoison => PageKind::HwPoison,
        Kind::Offline => PageKind::Offline,
    }
}

/// Says which page frames two sets do not share, with the use and the first words of their struct pages.
pub(crate) fn assert_same(machine: &testkit::Machine, got: &BTreeSet<u64>, want: &BTreeSet<u64>, what: &str) {
    if got == want {
        return;
    }
    let show = |pfn: &u64| format!("{pfn:#x} {:?}", machine.use_of(*pfn));
    let lost: Vec<_> = want.difference(got).take(8).map(show).collect();
    let extra: Vec<_> = got.difference(want).take(8).map(show).collect();
    let (lost_count, extra_count) = (want.difference(got).count(), got.difference(want).count());
    unreachable!("{what}: lost {lost_count} {lost:?}, kept {extra_count} too many {extra:?}");
}
