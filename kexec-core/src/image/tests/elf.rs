//! Kernels in ELF.

use super::*;
use vmcore_format::elf::{EM_PPC64, EM_S390};
use vmcore_format::{Class, Endian, Layout, PhysAddr};

/// Writes the fields of an ELF file of `layout`.
struct Writer {
    layout: Layout,
    file: Vec<u8>,
}

impl Writer {
    fn half(&mut self, value: u16) {
        match self.layout.endian {
            Endian::Little => self.file.extend(value.to_le_bytes()),
            Endian::Big => self.file.extend(value.to_be_bytes()),
        }
    }

    fn word(&mut self, value: u32) {
        match self.layout.endian {
            Endian::Little => self.file.extend(value.to_le_bytes()),
            Endian::Big => self.file.extend(value.to_be_bytes()),
        }
    }

    fn addr(&mut self, value: u64) {
        match (self.layout.class, self.layout.endian) {
            (Class::Bits32, _) => self.word(value as u32),
            (Class::Bits64, Endian::Little) => self.file.extend(value.to_le_bytes()),
            (Class::Bits64, Endian::Big) => self.file.extend(value.to_be_bytes()),
        }
    }

    /// `p_type`, `p_offset`, `p_vaddr`, `p_paddr`, `p_filesz`, `p_memsz`.
    fn phdr(&mut self, [p_type, offset, vaddr, paddr, filesz, memsz]: [u64; 6]) {
        self.word(p_type as u32);
        if self.layout.class == Class::Bits64 {
            self.word(7);
        }
        for value in [offset, vaddr, paddr, filesz, memsz] {
            self.addr(value);
        }
        if self.layout.class == Class::Bits32 {
            self.word(7);
        }
        self.addr(4);
    }
}

const START: u64 = 0x8000_0000;

/// A kernel with two segments, the higher one first, between them a PT_NOTE with the PVH notes.
fn vmlinux(layout: Layout, e_type: u16, e_machine: u16, entry: u64) -> Vec<u8> {
    let class64 = layout.class == Class::Bits64;
    let mut elf = Writer { layout, file: b"\x7fELF".to_vec() };
    let data = if layout.endian == Endian::Little { 1 } else { 2 };
    elf.file.extend([if class64 { 2 } else { 1 }, data, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
    elf.half(e_type);
    elf.half(e_machine);
    elf.word(1);
    elf.addr(entry);
    let (ehsize, phentsize) = if class64 { (64, 56) } else { (52, 32) };
    elf.addr(ehsize);
    elf.addr(0);
    elf.word(0);
    for half in [ehsize as u16, phentsize, 4, 0, 0, 0] {
        elf.half(half);
    }
    elf.phdr([1, 0x300, START + 0x20_0000, 0x120_0000, 0x20, 0x2000]);
    elf.phdr([4, 0x200, START + 0x1000, 0x100_1000, 0x44, 0x44]);
    elf.phdr([1, 0x280, START, 0x100_0000, 0x80, 0x2000]);
    // Nothing to load.
    elf.phdr([1, 0x7fff_ffff, START, 0x100_0000, 0, 0]);
    elf.file.resize(0x200, 0);
    elf.word(4);
    elf.word(12);
    elf.word(19);
    elf.file.extend(b"Xen\0");
    for value in [0x20_0000, 0x100_0000, 0x3fff_ffff] {
        elf.word(value);
    }
    elf.word(4);
    elf.word(8);
    elf.word(18);
    elf.file.extend(b"Xen\0");
    match layout.endian {
        Endian::Little => elf.file.extend(0x100_0a30_u64.to_le_bytes()),
        Endian::Big => elf.file.extend(0x100_0a30_u64.to_be_bytes()),
    }
    elf.word(4);
    elf.word(0);
    elf.word(6);
    elf.file.extend(b"GNU\0");
    elf.file.resize(0x280, 0);
    elf.file.resize(0x300, 0xaa);
    elf.file.resize(0x320, 0xbb);
    elf.file
}

pub(super) fn x86_vmlinux() -> Vec<u8> {
    vmlinux(Layout::LE64, 2, EM_X86_64, 0x100_0b53)
}

fn parse(file: &[u8]) -> ElfKernel<'_> {
    match identify(file) {
        Ok(Image::Elf(kernel)) => kernel,
        other => panic!("{other:?}"),
    }
}

#[test]
fn kernels_of_every_class_and_byte_order() {
    for (layout, e_type, e_machine) in [
        (Layout::LE64, 2, EM_X86_64),
        (Layout::LE32, 3, EM_386),
        (Layout::BE64, 2, EM_S390),
        (Layout::BE32, 3, EM_PPC64),
    ] {
        let file = vmlinux(layout, e_type, e_machine, 0x100_0b53);
        let kernel = parse(&file);
        assert_eq!((kernel.layout(), kernel.e_machine()), (layout, e_machine));
        assert_eq!(Image::Elf(kernel).e_machine(), Some(e_machine));
        assert_eq!(kernel.is_position_independent(), e_type == 3);
        assert_eq!(kernel.memory(), PhysAddr(0x100_0000)..PhysAddr(0x120_2000));
        assert_eq!((kernel.entry(), kernel.e_entry()), (Ok(PhysAddr(0x100_0b53)), 0x100_0b53));
        assert_eq!(kernel.pvh_entry(), Some(PhysAddr(0x100_0a30)));
        let reloc = PvhReloc { align: 0x20_0000, min: PhysAddr(0x100_0000), max: PhysAddr(0x3fff_ffff) };
        assert_eq!(kernel.pvh_reloc(), Some(reloc));
        let [low, high] = kernel.loads().collect::<Vec<_>>()[..] else { panic!("{kernel:?}") };
        let data = (&file[0x280..0x300], &file[0x300..]);
        let (memsz, align) = (0x2000, 4);
        assert_eq!(low, ElfLoad { paddr: PhysAddr(0x100_0000), vaddr: START, memsz, data: data.0, align });
        let (paddr, vaddr) = (PhysAddr(0x120_0000), START + 0x20_0000);
        assert_eq!(high, ElfLoad { paddr, vaddr, memsz, data: data.1, align });
    }
}

#[test]
fn the_entry_may_be_virtual() {
    let file = vmlinux(Layout::LE64, 2, EM_AARCH64, START + 0x20_0040);
    assert_eq!(parse(&file).entry(), Ok(PhysAddr(0x120_0040)));
    for outside in [0, 0xff_ffff, 0x120_2000, START + 0x2000, START + 0x20_2000, u64::MAX] {
        let file = vmlinux(Layout::LE64, 2, EM_AARCH64, outside);
        assert_eq!(identify(&file), Err(corrupt(Field::EEntry, 24)));
    }
}

#[test]
fn an_elf_cut_anywhere_is_refused() {
    every_cut_is_refused(&x86_vmlinux());
    every_cut_is_refused(&vmlinux(Layout::BE32, 3, EM_PPC64, 0x100_0b53));
}

#[test]
fn contradictions_name_their_field() {
    const FIRST: usize = 64;
    const NOTE: usize = 64 + 56;
    const SECOND: usize = 64 + 2 * 56;
    refusals(
        &x86_vmlinux(),
        &[
            (16, &[1], unsupported(Field::EType, 1)),
            (16, &[4], unsupported(Field::EType, 4)),
            (56, &[129], unsupported(Field::EPhnum, 129)),
            (56, &[0], corrupt(Field::EPhnum, 0)),
            (FIRST, &[3], unsupported(Field::PType, 3)),
            (FIRST + 8, &[0x01, 3], corrupt(Field::POffset, 64)),
            (FIRST + 8, &[0xff; 8], corrupt(Field::POffset, 64)),
            (FIRST + 32, &[0x21], corrupt(Field::POffset, 64)),
            (FIRST + 40, &[0x1f, 0], corrupt(Field::PFilesz, 64)),
            (SECOND + 40, &[0xff; 8], corrupt(Field::PMemsz, SECOND as u64)),
            (SECOND + 40, &[1, 0, 0x20], corrupt(Field::PPaddr, SECOND as u64)),
            (SECOND + 24, &[0xff, 0x1f, 0x20, 1], corrupt(Field::PPaddr, SECOND as u64)),
            (NOTE + 32, &[0x21, 1], corrupt(Field::POffset, NOTE as u64)),
            (0x204, &[8], corrupt(Field::XenPhys32Reloc, 0x210)),
            (0x210, &[3], corrupt(Field::XenPhys32Reloc, 0x210)),
            (0x21b, &[0], corrupt(Field::XenPhys32Reloc, 0x210)),
            (0x220, &[7], corrupt(Field::XenPhys32Entry, 0x22c)),
            (0x230, &[1], corrupt(Field::XenPhys32Entry, 0x22c)),
        ],
    );
    let field = vmcore_format::Field::NNamesz;
    let note = Error::Format(vmcore_format::Error::Corrupt { field, offset: 0x200 });
    refusals(&x86_vmlinux(), &[(0x203, &[1], note)]);
}
