//! Page tables, sections and struct pages over damaged memory: every walk ends, and every page is counted once.

use std::collections::BTreeSet;

use page_filter::{Counts, Filter, Kernel, Level, PhysMemory};
use vmcore_format::vmcoreinfo::VmcoreInfo;
use vmcore_format::{Pfn, VirtAddr};

use crate::edits;
use crate::input::Input;
use crate::machines::{Laid, Memory, machines};

/// The machine, how much damage, and the damage.
pub fn run(data: &[u8]) {
    let mut input = Input::new(data);
    let laid = &machines()[input.below(machines().len())];
    let (how, level, window) = (input.u8(), input.u8() & 31, input.u16());
    let info = edits::of_vmcoreinfo(&mut input, laid, usize::from(how & 3));
    let faults: BTreeSet<u64> = (0..how >> 2 & 3).map(|_| input.pick(&laid.tables)).collect();
    let edits = edits::of_tables(&mut input, laid, 200);
    let mut memory = Memory { laid, edits, faults };
    let loads = if how & 16 == 0 { laid.loads.as_slice() } else { &[] };
    let info = VmcoreInfo::new(info.as_bytes());
    let Ok(mut kernel) = Kernel::open(&info, laid.as_machine(), loads, &mut memory) else { return };
    addresses(&mut kernel, laid, &mut memory);
    let size = memory.page_size();
    let _names = kernel.utsname(&mut memory);
    let end = laid.runs.last().map_or(0, |run| run.end);
    let window = u64::from(window) + 1;
    let mut counts = Counts::default();
    let mut filter = Filter::new(&mut kernel, Level::from_bits_truncate(level));
    let mut scratch = vec![0; Filter::SCRATCH_LEN];
    let mut start = 0;
    while start < end {
        let stop = end.min(start + window);
        let mut dumpable = vec![0_u64; window.div_ceil(64) as usize];
        let known: Vec<u64> = laid
            .runs
            .iter()
            .flat_map(|run| run.start.max(start)..run.end.min(stop))
            .map(|pfn| pfn - start)
            .collect();
        known.iter().for_each(|bit| dumpable[*bit as usize / 64] |= 1 << (bit % 64));
        let before = dumpable.clone();
        let scanned =
            filter.scan(&mut memory, Pfn(start)..Pfn(stop), &mut dumpable, &mut counts, &mut scratch);
        if scanned.is_err() {
            // A struct page larger than the scratch.
            return;
        }
        assert!(before.iter().zip(&dumpable).all(|(before, after)| after & !before == 0));
        start = stop;
    }
    assert_eq!(counts.total(), laid.frames(), "pages of {} bytes", size.bytes());
    let findings = filter.findings(&counts, true);
    let _said = (findings.doubt(), findings.missing().count(), findings.no_mem_map());
}

fn addresses(kernel: &mut Kernel, laid: &Laid, memory: &mut Memory<'_>) {
    let machine = &laid.machine;
    let linear = machine.linear(laid.runs[0].start * machine.page_size());
    let symbols =
        ["init_top_pgt", "mem_map", "mem_section", "_stext"].map(|name| machine.symbol(name).unwrap_or(0));
    for addr in symbols.into_iter().chain([linear, linear + 0x20_0000, u64::MAX - 7, 0, 0x7fff_ffff_ffff]) {
        let mut buf = [0; 64];
        if let Ok(mapping) = kernel.translate(memory, VirtAddr(addr)) {
            assert!(mapping.len > 0);
        }
        let _read = kernel.read_virt(memory, VirtAddr(addr), &mut buf);
    }
}

/// Every machine, unharmed and with a little damage.
pub fn seeds() -> Vec<Vec<u8>> {
    let mut seeds = Vec::new();
    for machine in 0..machines().len() as u8 {
        for (how, len) in [(0, 0), (16, 0), (0, 60), (1, 90), (5, 200)] {
            let mut seed = vec![machine, 0, how, 31, 0xff, if len == 0 { 0xff } else { 0 }];
            seed.extend((0..len).map(|i: u32| (i.wrapping_mul(u32::from(machine) * 8 + 97) >> 2) as u8));
            seeds.push(seed);
        }
    }
    seeds
}
