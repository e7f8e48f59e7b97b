//! Damaged files: dumped or refused, without a panic and without an end that does not come.

use crate::files::{MIB, Refused, dump_steps};
use page_filter::Level;
use page_filter::dump::{Format, Options};
use testkit::{Arch, Codec, ElfOptions, Machine, Population, Random, kdump_of};
use vmcore_format::ReadAt;
use vmcore_format::kdump::Compression;

fn save(file: &dyn ReadAt, seed: u64) -> bool {
    let codecs =
        [Compression::Raw, Compression::Zlib, Compression::Lzo, Compression::Snappy, Compression::Zstd];
    let format = if seed.is_multiple_of(3) { Format::Elf } else { Format::Kdump };
    let options = Options {
        level: Level::all(),
        compression: codecs[seed as usize % 5],
        fast: seed & 8 != 0,
        share_duplicates: seed & 16 != 0,
        format,
        ..Options::default()
    };
    match dump_steps(&[file], options, MIB / 2, 3000) {
        Ok((out, report)) => {
            // Holes of the bitmaps are not written.
            assert!(report.written > 0 && !out.is_empty());
            true
        }
        Err(Refused::Format(_) | Refused::Dump(_) | Refused::TooManySteps) => false,
    }
}

#[test]
fn damaged_elf_cores_are_dumped_or_refused() {
    let machine = Machine::tiny(Arch::X86_64).build();
    let split = ElfOptions { split_notes: true, xnum: true, ..ElfOptions::default() };
    for options in [ElfOptions::default(), split] {
        let file = machine.elf_with(&options).to_vec();
        let mut saved = 0;
        for seed in 0..150 {
            let mut random = Random::new(seed);
            let mut damaged = file.clone();
            for _ in 0..=random.below(3) {
                random.extreme(&mut damaged[..0x180]);
            }
            if seed.is_multiple_of(4) {
                random.truncate(&mut damaged);
            }
            saved += u32::from(save(&damaged.as_slice(), seed));
        }
        assert!(saved > 20, "damage that ends everything tests little: {saved}");
    }
}

#[test]
fn damaged_kdump_files_are_dumped_or_refused() {
    let machine = Machine::tiny(Arch::X86_64).population(Population::Mix(3)).build();
    let mut kdump = kdump_of(&machine, 0);
    kdump.codec = Codec::Mixed;
    let file = kdump.to_vec();
    let mut saved = 0;
    for seed in 0..200 {
        let mut random = Random::new(seed);
        let mut damaged = file.clone();
        // Headers, bitmaps and descriptors, or any byte at all.
        let head = if seed.is_multiple_of(2) { 0x9000 } else { damaged.len() };
        for _ in 0..=random.below(50) {
            random.flip(&mut damaged[..head]);
            random.extreme(&mut damaged[..head]);
        }
        if seed.is_multiple_of(7) {
            random.truncate(&mut damaged);
        }
        // Most runs keep the signature and the version, or nothing else is reached.
        if seed % 5 != 0 && damaged.len() > 0x1100 {
            damaged[..464].copy_from_slice(&file[..464]);
            damaged[0x1000..0x1068].copy_from_slice(&file[0x1000..0x1068]);
        }
        saved += u32::from(save(&damaged.as_slice(), seed));
    }
    assert!(saved > 100, "damage that ends everything tests little: {saved}");
}
