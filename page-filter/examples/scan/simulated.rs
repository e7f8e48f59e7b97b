//! A simulated machine as the library's memory, and the first pass over it.

use core::ops::Range;

use page_filter::dump::{Dumper, NoteBytes, Options, Phase, Report, Source};
use page_filter::{Fault, Kernel, Level, Machine, PhysMemory};
use testkit::LargeMachine;
use vmcore_format::elf::EM_X86_64;
use vmcore_format::kdump::UtsName;
use vmcore_format::vmcoreinfo::VmcoreInfo;
use vmcore_format::{Layout, PageSize, Pfn, PhysAddr, WriteAt};

/// The workspace: 1 MiB, whatever the size of the machine.
pub(crate) const WORDS: usize = 1 << 17;
pub(crate) const X86_64: Machine = Machine { e_machine: EM_X86_64, layout: Layout::LE64 };

/// A machine, looked at in place or copied.
pub(crate) struct Simulated<'a> {
    pub(crate) machine: &'a LargeMachine,
    pub(crate) in_place: bool,
}

impl PhysMemory for Simulated<'_> {
    fn page_size(&self) -> PageSize {
        PageSize::KIB_4
    }

    fn read(&mut self, addr: PhysAddr, buf: &mut [u8]) -> Result<(), Fault> {
        if self.machine.read(addr.0, buf) { Ok(()) } else { Err(Fault::Hole) }
    }

    fn view(&self, addr: PhysAddr, len: usize) -> Option<&[u8]> {
        self.machine.view(addr.0, len).filter(|_| self.in_place)
    }

    fn next_known(&mut self, from: Pfn) -> Result<Option<Range<Pfn>>, Fault> {
        Ok(self.machine.next_run(from.0).map(|run| Pfn(run.start)..Pfn(run.end)))
    }
}

/// What the simulated machine says of itself.
pub(crate) fn source(machine: &LargeMachine) -> Source<'_> {
    Source {
        layout: Layout::LE64,
        e_machine: EM_X86_64,
        e_flags: 0,
        page_size: PageSize::KIB_4,
        end: Pfn(machine.max_pfn()),
        notes: NoteBytes::None,
        erased: NoteBytes::None,
        vmcoreinfo: Some(VmcoreInfo::new(machine.vmcoreinfo().as_bytes())),
        map_version: None,
        vmcoreinfo_offset: 0,
        crash_time: 0,
        nr_cpus: 1,
        utsname: UtsName::from_bytes([0; UtsName::LEN]),
        phys_base: 0,
        loads: &[],
        left_out: Level::empty(),
        incomplete: false,
    }
}

/// Where nothing is kept.
struct Nowhere;

impl WriteAt for Nowhere {
    fn write_at(&mut self, _offset: u64, _bytes: &[u8]) -> Result<(), i32> {
        Ok(())
    }
}

/// The first pass of a dump.
pub(crate) fn scan(
    source: Source<'_>,
    kernel: &mut Kernel,
    memory: &mut dyn PhysMemory,
    level: Level,
    workspace: &mut [u64],
) -> Report {
    let options = Options { level, ..Options::default() };
    let mut dumper = Dumper::new(source, Some(kernel), options, workspace).unwrap();
    while dumper.progress().phase == Phase::Scan {
        dumper.next_chunk(memory, &mut Nowhere).unwrap();
    }
    assert_eq!(dumper.report().more_kept, None);
    *dumper.report()
}
