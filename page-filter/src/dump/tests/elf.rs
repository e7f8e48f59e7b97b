//! ELF output, read back at the offsets of `Elf64_Ehdr` and `Elf64_Phdr`.

use super::*;

/// A program header: type, offset, virtual and physical address, size in the file and in memory.
type Phdr = (u32, u64, u64, u64, u64, u64);

fn phdrs(file: &File) -> Vec<Phdr> {
    let (start, count) = (file.u64(32) as usize, file.u16(56) as usize);
    (0..count)
        .map(|number| {
            let at = start + 56 * number;
            let word = |field: usize| file.u64(at + 8 * field);
            (file.u32(at), word(1), word(2), word(3), word(4), word(5))
        })
        .collect()
}

fn load(p_vaddr: u64, p_paddr: u64, p_memsz: u64) -> ProgramHeader {
    ProgramHeader {
        p_type: 1,
        p_flags: 7,
        p_vaddr,
        p_paddr,
        p_filesz: p_memsz,
        p_memsz,
        ..ProgramHeader::default()
    }
}

fn filled(frames: Range<u64>) -> impl Iterator<Item = (u64, Frame)> {
    frames.map(|pfn| (pfn, Frame::Bytes((pfn % 250 + 1) as u8)))
}

/// Every kept page is where each of its program headers says.
fn check_pages(file: &File, machine: &Machine) {
    for &(_, offset, _, paddr, filesz, memsz) in &phdrs(file)[1..] {
        assert!(filesz <= memsz);
        assert_eq!(offset % PAGE, paddr % PAGE, "pages can be mapped");
        for addr in (paddr..paddr + filesz).step_by(512) {
            let byte = file.bytes[(offset + addr - paddr) as usize];
            match machine.0[&(addr / PAGE)] {
                Frame::Bytes(expected) => assert!(byte == expected || byte == 0),
                _ => assert_eq!(byte, 0),
            }
        }
    }
}

#[test]
fn overlapping_loads_share_the_bytes_of_the_file() {
    // Memory of 0x9 pages and a bit from 0x10, and kernel text listed first, over part of it.
    let mut machine = Machine::new(filled(0x10..0x1a));
    let loads = [load(0xffff_8000, 0x1_4000, 0x3000), load(0xf000_0000, 0x1_0000, 0x9c00)];
    let mut source = source(&machine, 0x1a);
    source.loads = &loads;
    let mut out = File::default();
    let report = dump(source, options(0, Format::Elf), 1 << 16, &mut machine, &mut out);
    assert_eq!(&out.bytes[..6], b"\x7fELF\x02\x01");
    assert_eq!((out.u16(16), out.u16(18), out.u32(48)), (4, 62, 0));
    let notes = 64 + 3 * 56;
    let expected = [
        (4, notes, 0, 0, 40, 40),
        (1, 0x1000, 0xf000_0000, 0x1_0000, 0x9c00, 0x9c00),
        (1, 0x5000, 0xffff_8000, 0x1_4000, 0x3000, 0x3000),
    ];
    assert_eq!(phdrs(&out), expected);
    assert_eq!(&out.bytes[notes as usize..][..40], NOTES);
    assert_eq!(out.bytes.len(), 0xb000);
    check_pages(&out, &machine);
    assert_eq!((report.kept, report.saved), (10, 10));
}

#[test]
fn zero_pages_and_what_was_left_out_are_excluded() {
    let mut machine = Machine::new(filled(0..1000));
    machine.0.extend((0..2).chain(10..20).chain(400..800).map(|pfn| (pfn, Frame::Bytes(0))));
    machine.0.extend((990..1000).map(|pfn| (pfn, Frame::Excluded)));
    machine.0.remove(&900);
    let source = source(&machine, 1000);
    let mut out = File::default();
    let report = dump(source, options(1, Format::Elf), 1 << 16, &mut machine, &mut out);
    let at = |page: u64| 0x1000 * page;
    let expected: Vec<Phdr> = vec![
        (4, 64 + 5 * 56, 0, 0, 40, 40),
        // Leading zeros hold no data, ten in the middle are written, four hundred end the segment.
        (1, at(1), 0, 0, 0, at(2)),
        (1, at(1), 0, at(2), at(398), at(798)),
        (1, at(399), 0, at(800), at(100), at(100)),
        (1, at(499), 0, at(901), at(89), at(99)),
    ];
    assert_eq!(phdrs(&out), expected);
    assert_eq!(out.bytes.len() as u64, at(588));
    check_pages(&out, &machine);
    assert_eq!((report.zero, report.kept, report.saved), (412, 577, 577));
    assert!(out.bytes[at(9) as usize..at(19) as usize].iter().all(|&byte| byte == 0));
}

#[test]
fn a_hole_takes_no_steps_however_large_it_is() {
    let far = 1 << 39;
    let mut machine = Machine::new(filled(3..5).chain(filled(far..far + 2)));
    let mut words = vec![0; 1 << 16];
    let source = source(&machine, far + 2);
    let mut dumper = Dumper::new(source, None, options(1, Format::Elf), &mut words).unwrap();
    let mut out = File::default();
    let steps = (1..100).find(|_| dumper.step(&mut machine, &mut out).unwrap().phase == Phase::Finished);
    assert!(steps.is_some());
    assert_eq!(dumper.report().saved, 4);
    check_pages(&out, &machine);
}

#[test]
fn a_page_that_cannot_be_read_is_zero_and_the_dump_incomplete() {
    let mut machine = Machine::new(filled(0..4));
    machine.0.insert(2, Frame::Broken(5));
    let mut out = File::default();
    let source = source(&machine, 4);
    let report = dump(source, options(1, Format::Elf), 1 << 16, &mut machine, &mut out);
    assert_eq!((report.kept, report.saved, report.lost, report.zero), (4, 3, 1, 0));
    assert_eq!(report.outcome(), Outcome::Incomplete);
    assert_eq!(out.u32(48), 1);
    assert!(out.bytes[0x3000..0x4000].iter().all(|&byte| byte == 0));
    check_pages(&out, &machine);
}

#[test]
fn on_machines_with_a_use_for_the_flag_it_is_left_alone() {
    let mut machine = Machine::new([(0, Frame::Broken(5))]);
    for flags in [0, 1, 5] {
        let mut source = source(&machine, 1);
        (source.e_machine, source.e_flags) = (243, flags);
        let mut out = File::default();
        dump(source, options(1, Format::Elf), 1 << 16, &mut machine, &mut out);
        assert_eq!(out.u32(48), flags);
    }
}

#[test]
fn more_segments_than_e_phnum_can_say() {
    // Every other frame: each is a segment of its own.
    const SEGMENTS: u64 = 70_000;
    let mut machine = Machine::new((0..SEGMENTS).map(|i| (2 * i, Frame::Bytes(1))));
    let mut out = File::default();
    let source = source(&machine, 2 * SEGMENTS);
    dump(source, options(0, Format::Elf), 1 << 17, &mut machine, &mut out);
    assert_eq!((out.u16(56), out.u16(60)), (0xffff, 1));
    let section = out.u64(40) as usize;
    assert_eq!(section as u64, 64 + (SEGMENTS + 1) * 56);
    assert_eq!(u64::from(out.u32(section + 44)), SEGMENTS + 1);
    let last = 64 + SEGMENTS as usize * 56;
    assert_eq!(
        (out.u64(last + 24), out.u64(last + 8)),
        ((SEGMENTS - 1) * 0x2000, out.bytes.len() as u64 - 0x1000)
    );
}

#[test]
fn class_and_byte_order_are_those_of_the_input() {
    let mut machine = Machine::new([(1, Frame::Bytes(7))]);
    let mut source = source(&machine, 2);
    source.layout = Layout::BE32;
    source.e_machine = 20;
    let mut out = File::default();
    dump(source, options(0, Format::Elf), 1 << 16, &mut machine, &mut out);
    assert_eq!(&out.bytes[..6], b"\x7fELF\x01\x02");
    assert_eq!(out.bytes[44..46], [0, 2]);
    // p_offset, p_vaddr, p_paddr, p_filesz of the second Elf32_Phdr.
    let phdr = &out.bytes[52 + 32..][..32];
    assert_eq!(phdr[..20], [0, 0, 0, 1, 0, 0, 0x10, 0, 0, 0, 0, 0, 0, 0, 0x10, 0, 0, 0, 0x10, 0]);
    assert!(out.bytes[0x1000..].iter().all(|&byte| byte == 7));
}
