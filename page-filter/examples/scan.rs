//! Tells the pages of a machine apart and does nothing else: how fast, and in how much memory.
//!
//! `cargo run --release -p page-filter --example scan -- 16T server 31 256M` scans a simulated machine of 16 TiB whose
//! struct pages repeat every 256 MiB; `-- vmcore 31` scans an ELF core that is held in memory. Options that follow:
//! `read` copies struct pages instead of looking at them in place.
#![expect(
    clippy::arithmetic_side_effects,
    clippy::as_conversions,
    clippy::unwrap_used,
    clippy::panic,
    reason = "a program that measures"
)]

use std::ops::Range;
use std::time::{Duration, Instant};

use page_filter::{Counts, ElfMemory, Fault, Filter, Kernel, Level, LoadSlot, Machine, PageKind, PhysMemory};
use testkit::{LargeMachine, Mix};
use vmcore_format::elf::{EM_X86_64, ElfCore, ProgramHeader};
use vmcore_format::vmcoreinfo::VmcoreInfo;
use vmcore_format::{Layout, PageSize, Pfn, PhysAddr};

const WINDOW: u64 = 1 << 15;

/// A machine, looked at in place or copied.
struct Simulated<'a> {
    machine: &'a LargeMachine,
    in_place: bool,
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

/// An ELF core in memory, looked at in place.
struct Mapped<'a> {
    elf: ElfMemory<'a>,
    file: &'a [u8],
    loads: &'a [ProgramHeader],
    in_place: bool,
}

impl PhysMemory for Mapped<'_> {
    fn page_size(&self) -> PageSize {
        self.elf.page_size()
    }

    fn read(&mut self, addr: PhysAddr, buf: &mut [u8]) -> Result<(), Fault> {
        self.elf.read(addr, buf)
    }

    fn view(&self, addr: PhysAddr, len: usize) -> Option<&[u8]> {
        let load =
            self.loads.iter().find(|load| addr.0 >= load.p_paddr && addr.0 - load.p_paddr < load.p_filesz)?;
        let at = addr.0 - load.p_paddr;
        let fits = self.in_place && load.p_filesz - at >= len as u64;
        self.file.get((load.p_offset + at) as usize..)?.get(..len).filter(|_| fits)
    }

    fn next_known(&mut self, from: Pfn) -> Result<Option<Range<Pfn>>, Fault> {
        self.elf.next_known(from)
    }

    fn next_held(&mut self, from: Pfn) -> Result<Option<Range<Pfn>>, Fault> {
        self.elf.next_held(from)
    }
}

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let in_place = !arguments.iter().any(|argument| argument == "read");
    let words: Vec<&str> = arguments.iter().map(String::as_str).filter(|word| *word != "read").collect();
    match *words.as_slice() {
        [size, mix, level, pool] => {
            let mix = match mix {
                "server" => Mix::Server,
                "scattered" => Mix::Scattered,
                other => panic!("no mix is called {other}"),
            };
            let machine = LargeMachine::new(bytes(size), mix, bytes(pool));
            let before = peak_kib();
            let mut memory = Simulated { machine: &machine, in_place };
            let info = VmcoreInfo::new(machine.vmcoreinfo().as_bytes());
            let kernel = Kernel::open(&info, X86_64, &[], &mut memory).unwrap();
            report(size, kernel, &mut memory, level, machine.max_pfn());
            println!("  peak memory {} KiB, of it {before} KiB of the simulation", peak_kib());
        }
        [path, level] => {
            let file = std::fs::read(path).unwrap();
            let mut loads = vec![ProgramHeader::default(); 4096];
            let bytes = file.as_slice();
            let core = ElfCore::open(&bytes, &mut loads).unwrap();
            let mut text = vec![0; 1 << 20];
            let source = page_filter::dump::Source::of_elf(&core, &mut text).unwrap();
            let loads = core.loads();
            let mut slots = vec![LoadSlot::default(); loads.len()];
            let elf = ElfMemory::new(&bytes, loads, &mut slots, source.page_size).unwrap();
            let end = elf.index().end().0;
            let mut memory = Mapped { elf, file: &file, loads, in_place };
            let kernel = Kernel::open(&source.vmcoreinfo.unwrap(), X86_64, loads, &mut memory).unwrap();
            report(path, kernel, &mut memory, level, end);
        }
        _ => panic!("scan SIZE server|scattered LEVEL POOL [read], or scan VMCORE LEVEL [read]"),
    }
}

const X86_64: Machine = Machine { e_machine: EM_X86_64, layout: Layout::LE64 };

/// Scans all of memory several times: the fastest one counts.
fn report(name: &str, mut kernel: Kernel, memory: &mut dyn PhysMemory, level: &str, end: u64) {
    let level = Level::from_bits(level.parse().unwrap()).unwrap();
    let start = Instant::now();
    let mut times: Vec<Duration> = Vec::new();
    let mut counts = Counts::default();
    while times.len() < 3 || (start.elapsed() < Duration::from_secs(1) && times.len() < 1000) {
        let run = cpu_time();
        counts = scan(&mut kernel, memory, level, end);
        times.push(cpu_time() - run);
        if start.elapsed() > Duration::from_secs(60) {
            break;
        }
    }
    times.sort();
    let (least, median) = (times[0], times[times.len() / 2]);
    let rate = |time: Duration| counts.total() as f64 / time.as_secs_f64() / 1e6;
    println!(
        "{name} level {}: {} pages, CPU time {least:.3?}, {:.0} M pages/s (median {median:.3?}, {:.0}) of {} runs",
        level.bits(),
        counts.total(),
        rate(least),
        rate(median),
        times.len()
    );
    let kinds: Vec<String> = PageKind::ALL
        .into_iter()
        .filter(|kind| counts.pages(*kind) > 0)
        .map(|kind| format!("{kind:?} {} (left out {})", counts.pages(kind), counts.left_out(kind)))
        .collect();
    println!("  {}, blocks {}", kinds.join(", "), counts.blocks());
}

/// One pass, window by window, as in a workspace that holds no bitmap of all memory.
fn scan(kernel: &mut Kernel, memory: &mut dyn PhysMemory, level: Level, end: u64) -> Counts {
    let mut filter = Filter::new(kernel, level);
    let mut counts = Counts::default();
    let mut bitmap = vec![0; WINDOW as usize / 64];
    let mut scratch = vec![0; Filter::SCRATCH_LEN];
    let mut at = 0;
    while at < end {
        let Some(run) = memory.next_held(Pfn(at)).unwrap() else { break };
        let start = run.start.0 / 64 * 64;
        let window = start..(start / WINDOW * WINDOW + WINDOW).min(end);
        bitmap.fill(0);
        let mut from = window.start;
        while let Some(run) = memory.next_held(Pfn(from)).unwrap().filter(|run| run.start.0 < window.end) {
            let bits = run.start.0 - window.start..run.end.0.min(window.end) - window.start;
            for (word, first) in bitmap.iter_mut().zip((0..).step_by(64)) {
                let (low, high) = (bits.start.clamp(first, first + 64), bits.end.clamp(first, first + 64));
                let below = |bit: u64| u64::MAX.checked_shr((64 - (bit - first)) as u32).unwrap_or(0);
                *word |= below(high) & !below(low);
            }
            from = run.end.0;
        }
        let frames = Pfn(window.start)..Pfn(window.end);
        filter.scan(memory, frames, &mut bitmap, &mut counts, &mut scratch).unwrap();
        at = window.end;
    }
    let findings = filter.findings(&counts, true);
    assert_eq!(findings.doubt(), None);
    counts
}

/// The time this process used the processor; its threads are one.
fn cpu_time() -> Duration {
    let schedstat = std::fs::read_to_string("/proc/self/schedstat").unwrap();
    Duration::from_nanos(schedstat.split(' ').next().unwrap().parse().unwrap())
}

/// The most memory the process ever had, in KiB.
fn peak_kib() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("VmHWM")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}

/// A size such as `64G`.
fn bytes(size: &str) -> u64 {
    let (digits, unit) = size.split_at(size.find(|c: char| !c.is_ascii_digit()).unwrap_or(size.len()));
    let shift = match unit {
        "" => 0,
        "M" => 20,
        "G" => 30,
        "T" => 40,
        other => panic!("no unit is called {other}"),
    };
    digits.parse::<u64>().unwrap() << shift
}
