//! ELF core files that were laid out without this crate.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::as_conversions,
    clippy::arithmetic_side_effects,
    reason = "a test that goes wrong panics, as it should"
)]

use testkit::{Arch, ElfOptions, Loads, Machine};
use vmcore_format::elf::{ElfCore, PT_LOAD, ProgramHeader};
use vmcore_format::note::{NoteKind, Prstatus};
use vmcore_format::vmcoreinfo::VmcoreInfo;
use vmcore_format::{Class, Endian, Error};

const ARCHS: [Arch; 7] =
    [Arch::X86_64, Arch::I386, Arch::Arm64, Arch::Ppc64, Arch::Ppc64Le, Arch::S390x, Arch::Ppc];

fn variants() -> Vec<ElfOptions> {
    let plain = ElfOptions::default;
    vec![
        plain(),
        ElfOptions { loads: Loads::Unsorted, ..plain() },
        ElfOptions { loads: Loads::Split(0x3456), ..plain() },
        ElfOptions { text: false, zero_vaddrs: true, ..plain() },
        ElfOptions { vmcoreinfo: false, cpus: 0, ..plain() },
        ElfOptions { split_notes: true, cpus: 5, ..plain() },
        ElfOptions { xnum: true, ..plain() },
        ElfOptions { qemu: true, ..plain() },
        ElfOptions { qemu: true, xnum: true, ..plain() },
        ElfOptions { missing: 0x2800, ..plain() },
        ElfOptions { extra_notes: vec![("OTHER".into(), 77, vec![1, 2, 3, 4, 5])], ..plain() },
    ]
}

#[test]
fn every_machine_and_variant_is_read() {
    for arch in ARCHS {
        let m = Machine::tiny(arch).build();
        for options in variants() {
            let file = m.elf_with(&options).to_vec();
            check(&m, &options, &file);
        }
    }
}

fn check(m: &Machine, options: &ElfOptions, file: &[u8]) {
    let input: &[u8] = file;
    let needed = match ElfCore::open(&input, &mut []) {
        Err(Error::BufferTooSmall { needed }) => needed as usize,
        other => unreachable!("{other:?}"),
    };
    let mut table = vec![ProgramHeader::default(); needed];
    assert!(matches!(
        ElfCore::open(&input, &mut table[1..]),
        Err(Error::BufferTooSmall { needed: n }) if n as usize == needed
    ));
    let core = ElfCore::open(&input, &mut table).unwrap();
    let wide = core.header().layout.class == Class::Bits64;
    assert_eq!((wide, core.header().layout.endian == Endian::Big), (m.arch().wide(), m.arch().big()));
    assert_eq!(core.header().e_machine, m.arch().e_machine());
    assert_eq!(core.missing_bytes(), 0);
    assert_eq!(core.memory_end(), m.ranges().last().unwrap().1);

    let mut ram = 0;
    for load in core.loads() {
        assert_eq!(load.p_type, PT_LOAD);
        let data = &file[load.p_offset as usize..][..load.p_filesz as usize];
        assert_eq!(data, m.read(load.p_paddr, data.len()));
        ram += load.p_memsz;
        let text = options.text && load.p_paddr == m.text_phys() && load.p_memsz == m.text_len();
        let virt = if text { m.text_virt() } else { m.linear(load.p_paddr) };
        assert_eq!(load.p_vaddr, if options.zero_vaddrs { 0 } else { virt });
    }
    let all: u64 = m.ranges().iter().map(|(start, end)| end - start).sum();
    assert_eq!(ram, all + if options.text { m.text_len() } else { 0 });
    check_notes(m, options, &core);
}

fn check_notes(m: &Machine, options: &ElfOptions, core: &ElfCore<'_>) {
    let (mut cpus, mut infos, mut others) = (0u32, 0, 0);
    let mut buf = vec![0; 0x1_0000];
    for note in core.notes() {
        let note = note.unwrap();
        let desc = note.read_desc(core.input(), &mut buf).unwrap();
        match note.kind() {
            NoteKind::Prstatus => {
                let endian = core.header().layout.endian;
                let status = Prstatus::parse(desc, m.arch().e_machine(), endian).unwrap();
                assert_eq!(status.pr_pid, 100 + cpus as i32);
                // The kit numbers the registers: 0x1000 * cpu + i.
                let word = if m.arch().wide() { 8 } else { 4 };
                let low = |bytes: &[u8]| if m.arch().big() { bytes[word - 1] } else { bytes[0] };
                for (i, register) in status.pr_reg.chunks(word).enumerate() {
                    assert_eq!(usize::from(low(register)), i);
                }
                cpus += 1;
            }
            NoteKind::VmcoreInfo => {
                assert_eq!(desc, m.vmcoreinfo().as_bytes());
                check_vmcoreinfo(m, &VmcoreInfo::new(desc));
                infos += 1;
            }
            kind => {
                assert_eq!((kind, note.n_type, note.name()), (NoteKind::Other, 77, b"OTHER".as_slice()));
                assert_eq!(*desc, [1, 2, 3, 4, 5]);
                others += 1;
            }
        }
    }
    assert_eq!(cpus, options.cpus);
    assert_eq!((infos, others), (u32::from(options.vmcoreinfo), options.extra_notes.len()));
}

fn check_vmcoreinfo(m: &Machine, info: &VmcoreInfo<'_>) {
    assert_eq!(info.os_release(), Some("6.1.0-kit"));
    assert_eq!(info.page_size().unwrap().bytes(), m.page_size());
    assert_eq!(info.crash_time(), Some(1_700_000_000));
    assert_eq!(info.symbol("mem_map"), m.symbol("mem_map"));
    assert_eq!(info.number("PAGE_BUDDY_MAPCOUNT_VALUE"), Some(-129));
    assert_eq!(info.size("page"), Some(if m.arch().wide() { 64 } else { 32 }));
    assert_eq!(info.length("zone.free_area"), Some(11));
    assert_eq!(info.iter().count(), m.vmcoreinfo().lines().count());
}

#[test]
fn a_file_cut_anywhere_says_what_it_lost() {
    let m = Machine::tiny(Arch::X86_64).build();
    let file = m.elf().to_vec();
    let whole: &[u8] = &file;
    let mut table = [ProgramHeader::default(); 8];
    let core = ElfCore::open(&whole, &mut table).unwrap();
    let data = core.loads().iter().map(|l| l.p_offset).min().unwrap() as usize;
    for len in (0..data).chain((data..file.len()).step_by(0x1357)) {
        let cut: &[u8] = &file[..len];
        let mut table = [ProgramHeader::default(); 8];
        match ElfCore::open(&cut, &mut table) {
            Ok(core) => {
                let lost: u64 = core
                    .loads()
                    .iter()
                    .map(|l| (l.p_offset + l.p_filesz).saturating_sub(l.p_offset.max(len as u64)))
                    .sum();
                assert_eq!(core.missing_bytes(), lost, "{len}");
                for note in core.notes() {
                    assert!(note.is_ok() || len < data, "{len}");
                }
            }
            Err(error) => assert!(len < 64 + 5 * 56, "{len}: {error}"),
        }
    }
}
