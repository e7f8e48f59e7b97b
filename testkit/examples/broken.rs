//! Writes a vmcore, and kdump-compressed files of the same machine in which pages are lost or broken, for oracles to read.
//!
//! `cargo run -p kcapture-testkit --example broken -- FOLDER`: `vmcore`, `broken-N`, and `broken-N.lost` with the page frames
//! that cannot be read.

use std::fs::write;

use testkit::{Codec, Era, Machine, MemModel, Population, Use, kdump_of};

fn main() -> std::io::Result<()> {
    let folder = std::path::PathBuf::from(std::env::args().nth(1).unwrap_or_else(|| ".".to_owned()));
    let machine = Machine::x86_64(Era::V6_12)
        .model(MemModel::Vmemmap { huge: false, optimised: false })
        .population(Population::Only(Use::Cache))
        .ranges(&[(0x1000, 0x9_f800), (0x10_0000, 0x50_0000)])
        .build();
    write(folder.join("vmcore"), machine.elf().to_vec())?;
    let pfns = machine.pfns();
    for (number, every) in [1, 2, 3, 5, 7, 31, 256, 1000].into_iter().enumerate() {
        let mut kdump = kdump_of(&machine, 0);
        kdump.codec = Codec::Mixed;
        kdump.lost = pfns.iter().copied().skip(every - 1).step_by(every).collect();
        write(folder.join(format!("broken-{number}")), kdump.to_vec())?;
        let lost: String = kdump.lost.iter().map(|pfn| format!("{pfn:x}\n")).collect();
        write(folder.join(format!("broken-{number}.lost")), lost)?;
    }
    Ok(())
}
