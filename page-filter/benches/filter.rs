//! The first pass of a dump: pages told apart and counted, nothing written.
#![expect(clippy::unwrap_used, reason = "a program that measures")]

#[path = "../examples/scan/simulated.rs"]
mod simulated;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use page_filter::{Kernel, Level};
use testkit::{LargeMachine, Mix};

use simulated::{Simulated, WORDS, X86_64, scan, source};

/// The memory of the machine, and the struct pages it has before they repeat: more than the caches of a processor.
const RAM: u64 = 8 << 30;
const BLOCKS: u64 = 128 << 20;

fn pages(criterion: &mut Criterion) {
    for (mix, name) in [(Mix::Server, "server"), (Mix::Scattered, "scattered")] {
        let machine = LargeMachine::new(RAM, mix, BLOCKS);
        let source = source(&machine);
        let mut group = criterion.benchmark_group(name);
        group.throughput(Throughput::Elements(machine.frames()));
        for (in_place, how) in [(true, "in place"), (false, "read")] {
            let mut memory = Simulated { machine: &machine, in_place };
            let info = source.vmcoreinfo.unwrap();
            let mut kernel = Kernel::open(&info, X86_64, &[], &mut memory).unwrap();
            let mut workspace = vec![0; WORDS];
            for level in [0, 31] {
                let level = Level::from_bits(level).unwrap();
                group.bench_function(format!("level {} {how}", level.bits()), |bencher| {
                    bencher.iter(|| scan(source, &mut kernel, &mut memory, level, &mut workspace));
                });
            }
        }
        group.finish();
    }
}

criterion_group!(benches, pages);
criterion_main!(benches);
