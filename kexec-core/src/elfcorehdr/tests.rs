use super::*;
use crate::map::{MemoryMap, Range, RangeKind, Span};
use crate::{Error, Field};
use std::vec;
use std::vec::Vec;
use vmcore_format::elf::{
    EM_386, EM_AARCH64, EM_PPC64, EM_RISCV, EM_S390, EM_X86_64, ElfCore, Header, PF_R, PF_W, PF_X, PT_LOAD,
    PT_NOTE, ProgramHeader, ProgramHeaders,
};
use vmcore_format::{Class, Layout, PhysAddr, VirtAddr};

mod map_version;

use RangeKind::{CrashKernel, Reserved, ReservedRam, SystemRam};

fn map<'a>(table: &'a mut [Range], ranges: &[(u64, u64, RangeKind)]) -> MemoryMap<'a> {
    let mut map = MemoryMap::new(table);
    for &(start, end, kind) in ranges {
        map.set(Range::new(Span::new(start, end), kind)).unwrap();
    }
    map
}

fn notes(paddr: u64, len: u64) -> NoteBuffer {
    NoteBuffer { paddr: PhysAddr(paddr), len }
}

fn builder<'a>(layout: Layout, e_machine: u16, ram: &'a MemoryMap<'a>) -> Builder<'a> {
    Builder {
        layout,
        e_machine,
        cpu_notes: &[],
        vmcoreinfo: None,
        text: None,
        direct_map: None,
        ram,
        exclude: &[],
        backup: None,
    }
}

/// The program headers, read back by the reader of the other side, which must find nothing amiss.
fn built(builder: &Builder<'_>) -> Vec<ProgramHeader> {
    let len = usize::try_from(builder.encoded_len().unwrap()).unwrap();
    let mut bytes = vec![0xaa; len + 1];
    assert_eq!(builder.encode(&mut bytes), Ok(len));
    assert_eq!(bytes.pop(), Some(0xaa));
    let file = bytes.as_slice();
    let header = Header::read(&file).unwrap();
    assert_eq!(header, Header::core(builder.layout, builder.e_machine, builder.phnum().unwrap()));
    let mut table = [ProgramHeader::default(); 64];
    let core = ElfCore::open(&file, &mut table).unwrap();
    let phdrs: Vec<_> = ProgramHeaders::new(&file, header, 0).unwrap().map(|phdr| phdr.unwrap().0).collect();
    let count = phdrs.iter().filter(|phdr| phdr.p_type == PT_NOTE).count();
    assert_eq!(core.note_regions().count(), count);
    assert_eq!(core.loads(), &phdrs[count..]);
    for short in 0..len {
        let error = Err(Error::BufferTooSmall { needed: len as u64 });
        assert_eq!(builder.encode(&mut bytes[..short]), error);
    }
    phdrs
}

/// Virtual and physical address and length of each `PT_LOAD`.
fn loads(builder: &Builder<'_>) -> Vec<(u64, u64, u64)> {
    let phdrs = built(builder);
    let loads = phdrs.iter().filter(|phdr| phdr.p_type == PT_LOAD);
    loads.map(|load| (load.p_vaddr, load.p_paddr, load.p_memsz)).collect()
}

/// `/proc/iomem` and, from `readelf -l`, what kexec-tools made of it on the same machine: a Debian 6.1 guest with a
/// hole below 4 GiB, two crash regions, and KASLR.
#[test]
fn the_same_memory_as_kexec_tools_finds() {
    let mut table = [Range::EMPTY; 16];
    let ram = map(
        &mut table,
        &[
            (0, 0x1000, Reserved),
            (0x1000, 0x9_fc00, SystemRam),
            (0x9_fc00, 0xa_0000, Reserved),
            (0x10_0000, 0xffd_3000, SystemRam),
            (0xe00_0000, 0xf00_0000, CrashKernel),
            (0xffd_3000, 0x1000_0000, Reserved),
            (0x1_0000_0000, 0x1_1800_0000, SystemRam),
            (0x1_0400_0000, 0x1_0f00_0000, CrashKernel),
            (0xfd_0000_0000, 0x100_0000_0000, Reserved),
        ],
    );
    let text = KernelText {
        vaddr: VirtAddr(0xffff_ffff_bc60_0000),
        paddr: PhysAddr(0x1_0f60_0000),
        len: 0x283_0000,
    };
    let builder = Builder {
        text: Some(text),
        direct_map: Some(DirectMap::x86_64(VirtAddr(0xffff_8b8b_8000_0000))),
        ..builder(Layout::LE64, EM_X86_64, &ram)
    };
    let expected = [
        (0xffff_ffff_bc60_0000, 0x1_0f60_0000, 0x283_0000),
        (0xffff_8b8b_8000_1000, 0x1000, 0x9_ec00),
        (0xffff_8b8b_8010_0000, 0x10_0000, 0xdf0_0000),
        (0xffff_8b8b_8f00_0000, 0xf00_0000, 0xfd_3000),
        (0xffff_8b8c_8000_0000, 0x1_0000_0000, 0x400_0000),
        (0xffff_8b8c_8f00_0000, 0x1_0f00_0000, 0x900_0000),
    ];
    assert_eq!(loads(&builder), expected);
    let above_low = loads(&Builder { exclude: &[Builder::LOW_MEMORY], ..builder });
    assert_eq!(above_low, [&expected[..1], &expected[2..]].concat());
}

/// As kexec-tools' `-d` prints it: notes of two CPUs, VMCOREINFO, the kernel's text, and low memory found in its copy.
#[test]
fn every_field_of_a_header_with_a_backup() {
    let mut table = [Range::EMPTY; 8];
    let ram = map(
        &mut table,
        &[
            (0x1000, 0x9_fc00, SystemRam),
            (0x10_0000, 0x2fff_0000, SystemRam),
            (0x1b00_0000, 0x2700_0000, CrashKernel),
        ],
    );
    let builder = Builder {
        cpu_notes: &[notes(0x2e23_d800, 0x170), notes(0x2e33_d800, 0x170)],
        vmcoreinfo: Some(notes(0x139_8000, 0x1024)),
        text: Some(KernelText {
            vaddr: VirtAddr(0xffff_ffff_9b00_0000),
            paddr: PhysAddr(0x27e0_0000),
            len: 0x2c3_0000,
        }),
        direct_map: Some(DirectMap::x86_64(VirtAddr(0xff37_ed8a_c000_0000))),
        backup: Some(Backup { source: Span::new(0x1000, 0x9_fc00), copy: PhysAddr(0x26f6_1000) }),
        ..builder(Layout::LE64, EM_X86_64, &ram)
    };
    let note = |paddr, len| ProgramHeader {
        p_type: PT_NOTE,
        p_offset: paddr,
        p_paddr: paddr,
        p_filesz: len,
        p_memsz: len,
        ..ProgramHeader::default()
    };
    let load = |p_offset, p_vaddr, p_paddr, len| ProgramHeader {
        p_type: PT_LOAD,
        p_flags: PF_R | PF_W | PF_X,
        p_offset,
        p_vaddr,
        p_paddr,
        p_filesz: len,
        p_memsz: len,
        p_align: 0,
    };
    let expected = [
        note(0x2e23_d800, 0x170),
        note(0x2e33_d800, 0x170),
        note(0x139_8000, 0x1024),
        load(0x27e0_0000, 0xffff_ffff_9b00_0000, 0x27e0_0000, 0x2c3_0000),
        load(0x26f6_1000, 0xff37_ed8a_c000_1000, 0x1000, 0x9_ec00),
        load(0x10_0000, 0xff37_ed8a_c010_0000, 0x10_0000, 0x1af0_0000),
        load(0x2700_0000, 0xff37_ed8a_e700_0000, 0x2700_0000, 0x8ff_0000),
    ];
    assert_eq!(built(&builder), expected);
    assert_eq!(builder.omitted(), Omitted::default());
    assert!(!builder.omitted().any());
    assert_eq!(builder.encoded_len(), Ok(64 + 7 * 56));
}

#[test]
fn a_header_of_hand_laid_bytes_in_both_orders() {
    let mut table = [Range::EMPTY; 1];
    let ram = map(&mut table, &[(0x1122_3000, 0x1122_7000, SystemRam)]);
    let cpu_notes = [notes(0x0102_0304, 0x170)];
    let mut bytes = [0; 256];
    let big = Builder { cpu_notes: &cpu_notes, ..builder(Layout::BE64, EM_S390, &ram) };
    assert_eq!(big.encode(&mut bytes), Ok(176));
    let expected: [&[u8]; 18] = [
        b"\x7fELF\x02\x02\x01\0\0\0\0\0\0\0\0\0",
        b"\0\x04\0\x16\0\0\0\x01",
        b"\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\x40\0\0\0\0\0\0\0\0",
        b"\0\0\0\0\0\x40\0\x38\0\x02\0\0\0\0\0\0",
        b"\0\0\0\x04\0\0\0\0",
        b"\0\0\0\0\x01\x02\x03\x04",
        b"\0\0\0\0\0\0\0\0",
        b"\0\0\0\0\x01\x02\x03\x04",
        b"\0\0\0\0\0\0\x01\x70",
        b"\0\0\0\0\0\0\x01\x70",
        b"\0\0\0\0\0\0\0\0",
        b"\0\0\0\x01\0\0\0\x07",
        b"\0\0\0\0\x11\x22\x30\0",
        b"\0\0\0\0\0\0\0\0",
        b"\0\0\0\0\x11\x22\x30\0",
        b"\0\0\0\0\0\0\x40\0",
        b"\0\0\0\0\0\0\x40\0",
        b"\0\0\0\0\0\0\0\0",
    ];
    assert_eq!(bytes[..176], expected.concat());
    let little = Builder {
        cpu_notes: &cpu_notes,
        direct_map: Some(DirectMap::i386()),
        ..builder(Layout::LE32, EM_386, &ram)
    };
    assert_eq!(little.encode(&mut bytes), Ok(116));
    let expected: [&[u8]; 6] = [
        b"\x7fELF\x01\x01\x01\0\0\0\0\0\0\0\0\0\x04\0\x03\0\x01\0\0\0",
        b"\0\0\0\0\x34\0\0\0\0\0\0\0\0\0\0\0\x34\0\x20\0\x02\0\0\0\0\0\0\0",
        b"\x04\0\0\0\x04\x03\x02\x01\0\0\0\0\x04\x03\x02\x01",
        b"\x70\x01\0\0\x70\x01\0\0\0\0\0\0\0\0\0\0",
        b"\x01\0\0\0\0\x30\x22\x11\0\x30\x22\xd1\0\x30\x22\x11",
        b"\0\x40\0\0\0\x40\0\0\x07\0\0\0\0\0\0\0",
    ];
    assert_eq!(bytes[..116], expected.concat());
}

#[test]
fn virtual_addresses_of_each_architecture() {
    let mut table = [Range::EMPTY; 1];
    let ram = map(&mut table, &[(0x3000_0000, 0x5000_0000, SystemRam)]);
    let loads = |layout, e_machine, direct_map| {
        loads(&Builder { direct_map: Some(direct_map), ..builder(layout, e_machine, &ram) })
    };
    let x86_64 = DirectMap::x86_64(VirtAddr(0xffff_8880_0000_0000));
    let expected = [(0xffff_8880_3000_0000, 0x3000_0000, 0x2000_0000)];
    assert_eq!(loads(Layout::LE64, EM_X86_64, x86_64), expected);
    // Low memory ends at 896 MiB; what lies above has the address -1 of the class.
    let expected = [(0xf000_0000, 0x3000_0000, 0x800_0000), (0xffff_ffff, 0x3800_0000, 0x1800_0000)];
    assert_eq!(loads(Layout::LE32, EM_386, DirectMap::i386()), expected);
    let expected = [(0xf000_0000, 0x3000_0000, 0x800_0000), (u64::MAX, 0x3800_0000, 0x1800_0000)];
    assert_eq!(loads(Layout::LE64, EM_386, DirectMap::i386()), expected);
    // 48 bits, RAM from 1 GiB less 256 MiB on.
    let arm64 = DirectMap::arm64(VirtAddr(0xffff_0000_0000_0000), PhysAddr(0x3000_0000));
    let expected = [(0xffff_0000_0000_0000, 0x3000_0000, 0x2000_0000)];
    assert_eq!(loads(Layout::LE64, EM_AARCH64, arm64), expected);
    let riscv64 = DirectMap::riscv64(VirtAddr(0xff60_0000_0000_0000), PhysAddr(0x2000_0000));
    let expected = [(0xff60_0000_1000_0000, 0x3000_0000, 0x2000_0000)];
    assert_eq!(loads(Layout::LE64, EM_RISCV, riscv64), expected);
    for layout in [Layout::LE64, Layout::BE64] {
        let ppc64 = DirectMap::ppc64(PhysAddr(0x4000_0000));
        let expected =
            [(0xc000_0000_3000_0000, 0x3000_0000, 0x1000_0000), (u64::MAX, 0x4000_0000, 0x1000_0000)];
        assert_eq!(loads(layout, EM_PPC64, ppc64), expected);
    }
    // Below phys_offset there is no mapping, and none past the end of the virtual addresses.
    let above = DirectMap::arm64(VirtAddr(0xffff_0000_0000_0000), PhysAddr(0x4000_0000));
    assert_eq!(loads(Layout::LE64, EM_AARCH64, above)[0].0, u64::MAX);
    let wraps = DirectMap::x86_64(VirtAddr(u64::MAX - 1));
    assert_eq!(loads(Layout::LE64, EM_X86_64, wraps)[0].0, u64::MAX);
}

#[test]
fn without_kcore_and_text_the_header_is_whole_and_says_so() {
    let mut table = [Range::EMPTY; 5];
    let ram = map(
        &mut table,
        &[
            (0x4000_0000, 0x8000_0000, SystemRam),
            (0x4800_0000, 0x4900_0000, ReservedRam),
            (0x6000_0000, 0x7000_0000, CrashKernel),
        ],
    );
    let bare = builder(Layout::LE64, EM_AARCH64, &ram);
    let expected = [(0, 0x4000_0000, 0x2000_0000), (0, 0x7000_0000, 0x1000_0000)];
    assert_eq!(loads(&bare), expected);
    let all = Omitted { cpu_notes: true, vmcoreinfo: true, direct_map: true, text: true };
    assert_eq!(bare.omitted(), all);
    let cpu_notes = [notes(0x1000, 0x188)];
    let known = Builder { cpu_notes: &cpu_notes, vmcoreinfo: Some(notes(0x2000, 0x1024)), ..bare };
    assert_eq!(known.omitted(), Omitted { direct_map: true, text: true, ..Omitted::default() });
    // These machines have no text of its own to list.
    for e_machine in [EM_386, EM_PPC64, EM_S390] {
        assert!(!Builder { e_machine, ..known }.omitted().text);
    }
}

#[test]
fn exclusions_of_every_overlap() {
    let mut table = [Range::EMPTY; 4];
    let ram = map(&mut table, &[(0x1000, 0x5000, SystemRam), (0x8000, 0xa000, SystemRam)]);
    let ranges = |exclude: &[(u64, u64)]| {
        let exclude: Vec<Span> = exclude.iter().map(|&(start, end)| Span::new(start, end)).collect();
        let loads = loads(&Builder { exclude: &exclude, ..builder(Layout::LE64, EM_X86_64, &ram) });
        loads.iter().map(|load| (load.1, load.1 + load.2)).collect::<Vec<_>>()
    };
    assert_eq!(ranges(&[]), [(0x1000, 0x5000), (0x8000, 0xa000)]);
    assert_eq!(ranges(&[(0, 0x1000), (0x5000, 0x8000)]), [(0x1000, 0x5000), (0x8000, 0xa000)]);
    assert_eq!(ranges(&[(0, 0x2000)]), [(0x2000, 0x5000), (0x8000, 0xa000)]);
    assert_eq!(ranges(&[(0x2000, 0x3000)]), [(0x1000, 0x2000), (0x3000, 0x5000), (0x8000, 0xa000)]);
    assert_eq!(ranges(&[(0x4000, 0x9000)]), [(0x1000, 0x4000), (0x9000, 0xa000)]);
    assert_eq!(ranges(&[(0x1000, 0x5000)]), [(0x8000, 0xa000)]);
    assert_eq!(ranges(&[(0, u64::MAX)]), []);
    // In any order, touching, one in the other, empty.
    let mixed = [(0x3000, 0x4000), (0x2000, 0x3000), (0x2800, 0x2900), (0x8800, 0x8800), (0x9000, 0x100)];
    assert_eq!(ranges(&mixed), [(0x1000, 0x2000), (0x4000, 0x5000), (0x8000, 0xa000)]);
}

/// Against the memory as single units.
#[test]
fn exclusions_at_random() {
    let mut seed = 0x2545_f491_4f6c_dd1d_u64;
    let mut below = |limit: u64| {
        seed ^= seed << 13;
        seed ^= seed >> 7;
        seed ^= seed << 17;
        (seed >> 11) % limit
    };
    for _ in 0..500 {
        let (mut table, mut units) = ([Range::EMPTY; 64], [false; 32]);
        let mut ram = MemoryMap::new(&mut table);
        for _ in 0..6 {
            let (start, end) = (below(33), below(33));
            let kind = [SystemRam, ReservedRam, CrashKernel][below(3) as usize];
            ram.set(Range::new(Span::new(start, end), kind)).unwrap();
            units.get_mut(start as usize..end as usize).unwrap_or_default().fill(kind.is_dumped());
        }
        let exclude: [Span; 4] = core::array::from_fn(|_| Span::new(below(33), below(33)));
        for span in exclude {
            units.get_mut(span.start.0 as usize..span.end.0 as usize).unwrap_or_default().fill(false);
        }
        let mut found = [false; 32];
        let cut = PhysAddr(below(33));
        let direct_map = Some(DirectMap { page_offset: VirtAddr(0), phys_offset: PhysAddr(0), end: cut });
        for load in loads(&Builder { exclude: &exclude, direct_map, ..builder(Layout::LE64, EM_PPC64, &ram) })
        {
            let (vaddr, start, end) = (load.0, load.1, load.1 + load.2);
            assert!(end <= cut.0 && vaddr == start || start >= cut.0 && vaddr == u64::MAX);
            let units = &mut found[start as usize..end as usize];
            assert!(units.iter().all(|unit| !unit));
            units.fill(true);
        }
        assert_eq!(found, units);
    }
}

#[test]
fn what_class_32_cannot_hold_and_the_capture_kernel_refuses() {
    let mut table = [Range::EMPTY; 2];
    let ram = map(&mut table, &[(0x10_0000, 0x1_0000_0000, SystemRam)]);
    assert_eq!(Builder::class(EM_386, &ram), Class::Bits32);
    assert_eq!(Builder::class(EM_X86_64, &ram), Class::Bits64);
    let narrow = builder(Layout::LE32, EM_386, &ram);
    assert!(narrow.encoded_len().is_ok());
    let unsupported = |field, value| Err(Error::Unsupported { field, value });
    let high = [notes(0xffff_ffff, 2)];
    let wide = Builder { cpu_notes: &high, ..narrow };
    assert_eq!(wide.encoded_len(), unsupported(Field::PPaddr, 0xffff_ffff));
    let wide = Builder { direct_map: Some(DirectMap::ppc64(PhysAddr(u64::MAX))), ..narrow };
    assert_eq!(wide.encoded_len(), unsupported(Field::PVaddr, 0xc000_0000_0010_0000));

    let mut table = [Range::EMPTY; 2];
    let ram = map(&mut table, &[(0x10_0000, 0x1_0000_1000, SystemRam)]);
    assert_eq!(Builder::class(EM_386, &ram), Class::Bits64);
    let wide = builder(Layout::LE32, EM_386, &ram);
    assert_eq!(wide.encoded_len(), unsupported(Field::PPaddr, 0x10_0000));

    let cpu_notes = vec![notes(0x1000, 0x170); 65534];
    let many = Builder { cpu_notes: &cpu_notes[1..], ..builder(Layout::LE64, EM_X86_64, &ram) };
    assert_eq!(many.phnum(), Ok(65534));
    let too_many = Builder { cpu_notes: &cpu_notes, ..many };
    let refused = Error::Unsupported { field: Field::EPhnum, value: 65535 };
    assert_eq!(too_many.phnum(), Err(refused));
    assert_eq!(too_many.encode(&mut []), Err(refused));
}

#[test]
fn inputs_past_the_end_of_the_address_space() {
    let mut table = [Range::EMPTY; 2];
    let ram = map(&mut table, &[(0, u64::MAX, SystemRam)]);
    let plain = builder(Layout::LE64, EM_X86_64, &ram);
    assert_eq!(loads(&plain), [(0, 0, u64::MAX)]);
    let last = u64::MAX;
    let unsupported = |field| Err(Error::Unsupported { field, value: last });
    let far = [notes(last, 1)];
    assert_eq!(Builder { cpu_notes: &far, ..plain }.encoded_len(), unsupported(Field::CrashNotes));
    assert_eq!(Builder { vmcoreinfo: Some(far[0]), ..plain }.encoded_len(), unsupported(Field::Vmcoreinfo));
    let text = KernelText { vaddr: VirtAddr(last), paddr: PhysAddr(last), len: 1 };
    assert_eq!(Builder { text: Some(text), ..plain }.encoded_len(), unsupported(Field::KernelText));
    let backup = Backup { source: Span::new(0, 0x1_0000), copy: PhysAddr(last) };
    assert_eq!(Builder { backup: Some(backup), ..plain }.encoded_len(), unsupported(Field::BackupRegion));
}
