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

mod simulated;

use core::ops::Range;
use core::time::Duration;
use std::time::Instant;

use page_filter::dump::Source;
use page_filter::{ElfMemory, Fault, Kernel, Level, LoadSlot, PageKind, PhysMemory};
use testkit::{LargeMachine, Mix};
use vmcore_format::elf::{ElfCore, ProgramHeader};
use vmcore_format::{PageSize, Pfn, PhysAddr};

use simulated::{Simulated, WORDS, X86_64, scan, source};

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
            let mut memory = Simulated { machine: &machine, in_place };
            let source = source(&machine);
            let kernel = Kernel::open(&source.vmcoreinfo.unwrap(), X86_64, &[], &mut memory).unwrap();
            report(&arguments.join(" "), source, kernel, &mut memory, level);
            println!("  of the peak, {} KiB are the simulation's", machine.own_bytes() / 1024);
        }
        [path, level] => {
            let file = std::fs::read(path).unwrap();
            let mut loads = vec![ProgramHeader::default(); 4096];
            let bytes = file.as_slice();
            let core = ElfCore::open(&bytes, &mut loads).unwrap();
            let mut text = vec![0; 1 << 20];
            let source = Source::of_elf(&core, &mut text).unwrap();
            let loads = core.loads();
            let mut slots = vec![LoadSlot::default(); loads.len()];
            let elf = ElfMemory::new(&bytes, loads, &mut slots, source.page_size).unwrap();
            let mut memory = Mapped { elf, file: &file, loads, in_place };
            let kernel = Kernel::open(&source.vmcoreinfo.unwrap(), X86_64, loads, &mut memory).unwrap();
            report(&arguments.join(" "), source, kernel, &mut memory, level);
        }
        _ => panic!("scan SIZE server|scattered LEVEL POOL [read], or scan VMCORE LEVEL [read]"),
    }
}

/// Scans all of memory again and again for a second: the median counts.
fn report(name: &str, source: Source<'_>, mut kernel: Kernel, memory: &mut dyn PhysMemory, level: &str) {
    let level = Level::from_bits(level.parse().unwrap()).unwrap();
    let mut workspace = vec![0; WORDS];
    let mut wall: Vec<Duration> = Vec::new();
    let (start, cpu_start) = (Instant::now(), cpu_time());
    let found = loop {
        let run = Instant::now();
        let found = scan(source, &mut kernel, memory, level, &mut workspace);
        wall.push(run.elapsed());
        if start.elapsed() > Duration::from_secs(1) {
            break found;
        }
    };
    let runs = u32::try_from(wall.len()).unwrap();
    let cpu = (cpu_time() - cpu_start) / runs;
    wall.sort();
    let (least, median) = (wall.first().unwrap(), wall.get(wall.len() / 2).unwrap());
    let rate = |time: Duration| found.held as f64 / time.as_secs_f64() / 1e6;
    println!(
        "{name}: {} pages; CPU time {cpu:.3?} ({:.0} M pages/s), wall least {least:.3?} ({:.0}), median {median:.3?} \
         ({:.0}), {runs} runs; peak memory {} KiB",
        found.held,
        rate(cpu),
        rate(*least),
        rate(*median),
        peak_kib()
    );
    let counts = found.counts;
    let kinds: Vec<String> = PageKind::ALL
        .into_iter()
        .filter(|kind| counts.pages(*kind) > 0)
        .map(|kind| format!("{kind:?} {}", counts.pages(kind)))
        .collect();
    println!("  {}; blocks {}; kept {}", kinds.join(", "), counts.blocks(), found.kept);
}

/// The time that this process, which has one thread, used the processor: with the grain of the scheduler's clock.
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
