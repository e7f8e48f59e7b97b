//! Damaged files: nothing panics, nothing runs for ever.
#![expect(
    clippy::indexing_slicing,
    clippy::as_conversions,
    clippy::arithmetic_side_effects,
    reason = "a test that goes wrong panics, as it should"
)]

use testkit::{Arch, ElfOptions, FlattenOptions, Machine, Random, flatten, kdump_of};
use vmcore_format::elf::{ElfCore, ProgramHeader};
use vmcore_format::flattened::{Extent, Flattened};
use vmcore_format::kdump::{KdumpFile, Part};
use vmcore_format::note::{NoteKind, Prstatus};
use vmcore_format::vmcoreinfo::VmcoreInfo;
use vmcore_format::{Pfn, ReadAt};

fn walk_elf(file: &[u8]) {
    let mut table = [ProgramHeader::default(); 16];
    let Ok(core) = ElfCore::open(&file, &mut table) else { return };
    let mut buf = [0; 8192];
    for note in core.notes().take(10_000).flatten() {
        let Ok(desc) = note.read_desc(core.input(), &mut buf) else { continue };
        match note.kind() {
            NoteKind::Prstatus => {
                let _status = Prstatus::parse(desc, core.header().e_machine, core.header().layout.endian);
            }
            NoteKind::VmcoreInfo => walk_vmcoreinfo(desc),
            _ => {}
        }
    }
    let _held: Vec<u64> = core.loads().iter().map(|load| core.held_filesz(load)).collect();
    let _ends = (core.memory_end(), core.missing_bytes());
}

fn walk_vmcoreinfo(text: &[u8]) {
    let info = VmcoreInfo::new(text);
    assert!(info.iter().count() <= text.len() + 1);
    let _numbers =
        (info.number("phys_base"), info.symbol("mem_section"), info.size("page"), info.page_size());
    let _texts = (info.os_release(), info.build_id(), info.crash_time(), info.kernel_offset());
}

fn walk_kdump(file: &dyn ReadAt) {
    let mut parts = [Part::new(file)];
    let mut index = [0; 32];
    let Ok(mut kdump) = KdumpFile::open(&mut parts, &mut index) else { return };
    let mut from = Pfn(0);
    for _ in 0..200 {
        let Ok(Some(run)) = kdump.next_held(from) else { break };
        assert!(run.start >= from && run.end > run.start);
        for pfn in [run.start, Pfn(run.end.0 - 1)] {
            let Ok(Some((part, desc))) = kdump.page_desc(pfn) else { continue };
            assert!(u64::from(desc.size) <= kdump.page_size().bytes());
            let mut bytes = vec![0; desc.size as usize];
            let _read = kdump.read_raw(part, desc.offset, &mut bytes);
        }
        from = run.end;
    }
    let _far =
        (kdump.page_desc(Pfn(u64::MAX)), kdump.next_known(Pfn(u64::MAX)), kdump.held_below(Pfn(u64::MAX)));
    for region in [kdump.notes(), kdump.vmcoreinfo(), kdump.eraseinfo()].into_iter().flatten() {
        let mut bytes = vec![0; region.1.len.min(1 << 16) as usize];
        let _read = kdump.read_raw(region.0, region.1.offset, &mut bytes);
    }
}

/// Damages the first `head` bytes, where the structures are.
fn rounds(file: &[u8], head: usize, rounds: u64, walk: impl Fn(&[u8])) {
    for seed in 0..rounds {
        let mut random = Random::new(seed);
        let mut damaged = file[..head.min(file.len())].to_vec();
        let len = damaged.len();
        for _ in 0..=random.below(4) {
            random.damage(&mut damaged);
        }
        if damaged.len() == len {
            damaged.extend_from_slice(&file[len..]);
        }
        walk(&damaged);
    }
}

#[test]
fn damaged_elf_cores() {
    for (arch, options) in [
        (Arch::X86_64, ElfOptions::default()),
        (Arch::X86_64, ElfOptions { xnum: true, split_notes: true, ..ElfOptions::default() }),
        (Arch::Ppc, ElfOptions { qemu: true, ..ElfOptions::default() }),
    ] {
        let m = Machine::tiny(arch).build();
        let file = m.elf_with(&options).to_vec();
        // The headers, then headers and notes.
        rounds(&file[..0x2000], 0x180, 4000, walk_elf);
        rounds(&file[..0x3000], 0x2000, 4000, walk_elf);
    }
}

#[test]
fn damaged_kdump_files() {
    for arch in [Arch::X86_64, Arch::S390x, Arch::Ppc] {
        let kdump = kdump_of(&Machine::tiny(arch).build(), 31);
        let file = kdump.to_vec();
        rounds(&file, 464, 500, |file| walk_kdump(&file));
        // The sub-header alone, then everything up to the data.
        for seed in 0..500 {
            let mut damaged = file.clone();
            Random::new(seed).extreme(&mut damaged[0x1000..0x1068]);
            walk_kdump(&damaged.as_slice());
        }
        rounds(&file, 0x1_0000, 500, |file| walk_kdump(&file));
    }
}

#[test]
fn damaged_flattened_files() {
    let file = kdump_of(&Machine::tiny(Arch::X86_64).build(), 31).to_vec();
    let file = &file[..0x8000];
    for options in [
        FlattenOptions { record: 200, ..FlattenOptions::default() },
        FlattenOptions { record: 900, shuffled: true, stale: true, ..FlattenOptions::default() },
    ] {
        let stream = flatten(file, &options);
        let positions: Vec<usize> = (0..30).map(|i| 4096 + i * (options.record + 16)).collect();
        for seed in 0..3000 {
            let mut random = Random::new(seed);
            let mut damaged = stream.clone();
            for _ in 0..=random.below(3) {
                let at = positions[random.below(positions.len() as u64) as usize];
                random.extreme(&mut damaged[at..at + 16]);
            }
            if seed % 5 == 0 {
                random.truncate(&mut damaged);
            }
            let damaged = damaged.as_slice();
            let mut table = vec![Extent::EMPTY; 3 * (file.len() / options.record) + 64];
            let Ok(flat) = Flattened::open(&damaged, &mut table) else { continue };
            let mut buf = [0; 1000];
            for offset in [0, 1, 500, 0x4321, u64::MAX - 999, i64::MAX as u64] {
                let _read = flat.read_at(offset, &mut buf);
            }
            walk_kdump(&flat);
        }
    }
}

#[test]
fn damaged_vmcoreinfo() {
    let text = Machine::tiny(Arch::X86_64).build().vmcoreinfo();
    rounds(text.as_bytes(), text.len(), 3000, walk_vmcoreinfo);
}
