//! Writes a synthetic vmcore, and the page frames a dump of each level must keep, for oracles to read.
//!
//! `cargo run -p kcapture-testkit --example vmcore -- 6.1 vmcore kept`

use std::io::Write;

use testkit::{Era, Generation, LogRecord, Machine};

fn main() -> std::io::Result<()> {
    let mut args = std::env::args().skip(1);
    let (release, vmcore, kept) = (args.next(), args.next(), args.next());
    let (Some(release), Some(vmcore), Some(kept)) = (release, vmcore, kept) else {
        eprintln!("usage: vmcore RELEASE VMCORE KEPT");
        std::process::exit(64);
    };
    let Some(era) = Era::ALL.into_iter().find(|era| era.release() == format!("{release}.0-kit")) else {
        eprintln!("{release}: no such era");
        std::process::exit(64);
    };
    let generation = if era >= Era::V5_10 { Generation::Ringbuffer } else { Generation::Records };
    let machine = Machine::x86_64(era).kaslr(0x1be0_0000).log(generation, LogRecord::sample(100)).build();
    std::fs::write(vmcore, machine.elf().to_vec())?;
    let mut out = std::fs::File::create(kept)?;
    for level in [0, 1, 2, 4, 8, 16, 31] {
        for pfn in machine.expected_dumpable(level) {
            writeln!(out, "{level} {pfn:x}")?;
        }
    }
    std::fs::write("log.txt", machine.expected_log().unwrap_or_default())
}
