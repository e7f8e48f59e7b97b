//! Writes one kdump-compressed file for each codec and one flattened stream, for oracles to read.
//!
//! `cargo run -p kcapture-testkit --example kdump -- FOLDER`

use std::io::Write;

use testkit::{Codec, Era, FlattenOptions, Machine, flatten, kdump_of};

fn main() -> std::io::Result<()> {
    let folder = std::path::PathBuf::from(std::env::args().nth(1).unwrap_or_else(|| ".".to_owned()));
    let machine = Machine::x86_64(Era::V6_1).kaslr(0x1be0_0000).build();
    for level in [0, 31] {
        for codec in [Codec::Raw, Codec::Zlib, Codec::Lzo, Codec::Snappy, Codec::Zstd, Codec::Mixed] {
            let mut kdump = kdump_of(&machine, level);
            kdump.codec = codec;
            std::fs::write(folder.join(format!("{codec:?}-{level}").to_lowercase()), kdump.to_vec())?;
        }
    }
    let options = FlattenOptions { shuffled: true, stale: true, ..FlattenOptions::default() };
    std::fs::write(folder.join("flattened"), flatten(&kdump_of(&machine, 31).to_vec(), &options))?;
    let mut pages = std::fs::File::create(folder.join("pages"))?;
    let kept = machine.expected_dumpable(31);
    for pfn in machine.pfns() {
        writeln!(pages, "{pfn:x} {}", u8::from(kept.contains(&pfn)))?;
    }
    std::fs::write(folder.join("vmcore"), machine.elf().to_vec())
}
