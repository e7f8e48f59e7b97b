//! Page tables laid out by hand.

use vmcore_format::elf::{PT_LOAD, ProgramHeader};
use vmcore_format::{PhysAddr, VirtAddr};

use super::{X86_64, X86_64Setup, phys_base};
use crate::paging::{Mapping, Paging, VirtFault};
use crate::test_machine::{IMAGE, TestMemory};
use crate::{Fault, PhysMemory};

const MIB: u64 = 1 << 20;

/// 8 MiB of memory. The image stands at 2 MiB; its top table at offset 0x1000, from where the tables are neighbours.
fn memory(five_levels: bool, sme: u64) -> TestMemory {
    let mut memory = TestMemory::new(2048);
    let at = |page: u64| 2 * MIB + page * 0x1000;
    let table = |page: u64| at(page) | 0x63 | sme;
    let top = if five_levels {
        memory.put(at(1) + 511 * 8, table(9));
        memory.put(at(1) + 0x111 * 8, table(10));
        memory.put(at(10), table(4));
        at(9)
    } else {
        memory.put(at(1) + 0x111 * 8, table(4));
        at(1)
    };
    memory.put(top + 511 * 8, table(2));
    memory.put(at(2) + 510 * 8, table(3));
    // The image: 2 MiB at 2 MiB, with the PAT bit of a large page set.
    memory.put(at(3) + 8, (2 * MIB) | 0x10e3 | sme | (1 << 63));
    // The linear map: 1 GiB at 0; then a table with 2 MiB at 4 MiB and a table of 4 KiB pages.
    memory.put(at(4), 0xe3 | sme);
    memory.put(at(4) + 8, table(5));
    memory.put(at(5), (4 * MIB) | 0xe3 | sme);
    memory.put(at(5) + 8, table(6));
    memory.put(at(6), 0x60_3000 | 0x63 | sme);
    memory.put(at(6) + 8, 0x60_1000 | 0x63 | sme);
    memory.put(at(6) + 16, 0x60_2000 | 0x62 | sme);
    // A table past the end of memory.
    memory.put(at(5) + 16, 0x8000_0000 | 0x63 | sme);
    memory
}

fn setup(five_levels: bool, sme_mask: u64) -> X86_64Setup {
    // The image is linked at 2 MiB and moved up by 2 MiB.
    X86_64Setup { root: VirtAddr(IMAGE + 2 * MIB + 0x1000), phys_base: 0, five_levels, sme_mask }
}

fn linear(five_levels: bool) -> u64 {
    if five_levels { 0xff11_0000_0000_0000 } else { 0xffff_8880_0000_0000 }
}

fn load(vaddr: u64, paddr: u64, memsz: u64) -> ProgramHeader {
    ProgramHeader {
        p_type: PT_LOAD,
        p_vaddr: vaddr,
        p_paddr: paddr,
        p_memsz: memsz,
        p_filesz: memsz,
        ..ProgramHeader::default()
    }
}

#[test]
fn leaves_of_every_size_are_found() {
    for (five_levels, sme) in [(false, 0), (true, 0), (false, 1 << 47), (true, 1 << 51)] {
        let mut memory = memory(five_levels, sme);
        let mut tables = X86_64::open(setup(five_levels, sme), &[], &mut memory).unwrap();
        let base = linear(five_levels);
        let gib = base + (1 << 30);
        for _ in 0..2 {
            let mut check = |virt: u64, phys: u64, len: u64| {
                let expected = Mapping { phys: PhysAddr(phys), len };
                assert_eq!(tables.translate(&mut memory, VirtAddr(virt)), Ok(expected), "{virt:#x}");
            };
            check(base + 0x12_3456, 0x12_3456, (1 << 30) - 0x12_3456);
            check(gib + 0x1f_ffff, 4 * MIB + 0x1f_ffff, 1);
            check(gib + 2 * MIB + 8, 0x60_3008, 0xff8);
            check(gib + 2 * MIB + 0x1000, 0x60_1000, 0x1000);
            check(IMAGE + 2 * MIB + 5, 2 * MIB + 5, 2 * MIB - 5);
        }
        for unmapped in [
            gib + 2 * MIB + 0x2000,
            gib + (1 << 30),
            IMAGE,
            IMAGE + 4 * MIB,
            0,
            0x8000_0000_0000,
            u64::MAX,
            if five_levels { 0x0100_0000_0000_0000 } else { 0xff11_0000_0000_0000 },
        ] {
            let outcome = tables.translate(&mut memory, VirtAddr(unmapped));
            assert_eq!(outcome, Err(VirtFault::NotMapped(VirtAddr(unmapped))));
        }
        let outcome = tables.translate(&mut memory, VirtAddr(gib + 4 * MIB));
        assert_eq!(outcome, Err(VirtFault::Memory(Fault::Hole)));
    }
}

#[test]
fn the_root_must_map_itself() {
    let mut memory = memory(false, 0);
    let open = |setup: X86_64Setup, memory: &mut TestMemory| X86_64::open(setup, &[], memory).map(|_| ());
    assert_eq!(open(setup(false, 0), &mut memory), Ok(()));
    assert!(open(setup(true, 0), &mut memory).is_err());
    assert!(open(X86_64Setup { phys_base: 0x1000, ..setup(false, 0) }, &mut memory).is_err());
    assert!(open(X86_64Setup { phys_base: i64::MIN, ..setup(false, 0) }, &mut memory).is_err());
    assert!(open(X86_64Setup { root: VirtAddr(0x1000), ..setup(false, 0) }, &mut memory).is_err());
    let fault = open(X86_64Setup { root: VirtAddr(IMAGE + 64 * MIB), ..setup(false, 0) }, &mut memory);
    assert_eq!(fault, Err(VirtFault::Memory(Fault::Hole)));
    memory.faults.insert(0x201);
    assert_eq!(open(setup(false, 0), &mut memory), Err(VirtFault::Memory(Fault::Code(5))));
}

#[test]
fn the_image_may_lie_below_its_link_address() {
    // KASLR moves the virtual address up and not the physical one: phys_base is negative.
    let mut memory = memory(false, 0);
    let tables = 2 * MIB + 0x3000;
    memory.put(tables + 8, 0);
    memory.put(tables + 9 * 8, (2 * MIB) | 0xe3);
    let moved = X86_64Setup {
        root: VirtAddr(IMAGE + 18 * MIB + 0x1000),
        phys_base: -16 * i64::try_from(MIB).unwrap(),
        ..setup(false, 0)
    };
    assert!(X86_64::open(moved, &[], &mut memory).is_ok());
    let loads = [load(linear(false), 0, 8 * MIB), load(IMAGE + 18 * MIB, 2 * MIB, 2 * MIB)];
    assert_eq!(phys_base(&loads), Some(moved.phys_base));
    assert_eq!(phys_base(&loads[..1]), None);
}

#[test]
fn program_headers_are_believed_where_the_tables_agree() {
    let base = linear(false);
    let at = VirtAddr(base + 0x6789);
    let mapping = |loads: &[ProgramHeader]| {
        let mut memory = memory(false, 0);
        let mut tables = X86_64::open(setup(false, 0), loads, &mut memory).unwrap();
        // Without tables only the shortcut can answer.
        memory.put(2 * MIB + 0x1000 + 0x111 * 8, 0);
        let outcome = tables.translate(&mut memory, at);
        (outcome, tables.linear.size)
    };
    let right = [load(base + 0x1000, 0x1000, 0x9f000), load(base + MIB, MIB, 7 * MIB)];
    assert_eq!(
        mapping(&right),
        (Ok(Mapping { phys: PhysAddr(0x6789), len: 8 * MIB - 0x6789 }), 8 * MIB - 0x1000)
    );
    let wrong = [load(base + 0x1000, 0x2000, 0x9f000)];
    assert_eq!(mapping(&wrong).1, 0);
    let at_odds = [load(base + 0x1000, 0x1000, 0x9f000), load(base + MIB, 2 * MIB, 7 * MIB)];
    assert_eq!(mapping(&at_odds).1, 0);
    let hostile = [load(base + 0x1000, 0x1000, u64::MAX), load(0xff00_0000_0000_0000, u64::MAX, 1)];
    assert_eq!(mapping(&hostile).1, 0);
    assert_eq!(mapping(&[load(0, 0x1000, MIB), load(u64::MAX, 0, MIB)]).1, 0);
}

#[test]
fn reads_go_on_from_page_to_page() {
    let mut memory = memory(false, 0);
    let mut tables = Paging::X86_64(X86_64::open(setup(false, 0), &[], &mut memory).unwrap());
    memory.bytes[0x60_3ffe..0x60_4000].copy_from_slice(&[1, 2]);
    memory.bytes[0x60_1000..0x60_1002].copy_from_slice(&[3, 4]);
    let at = VirtAddr(linear(false) + (1 << 30) + 2 * MIB + 0xffe);
    let mut buf = [0; 4];
    assert_eq!(tables.read(&mut memory, at, &mut buf), Ok(()));
    assert_eq!(buf, [1, 2, 3, 4]);
    assert!(tables.read(&mut memory, at, &mut [0; 0x1003]).is_err());
    assert_eq!(tables.read(&mut memory, VirtAddr(u64::MAX), &mut []), Ok(()));
    assert!(tables.read(&mut memory, VirtAddr(u64::MAX - 1), &mut buf).is_err());
}

#[test]
fn tables_that_point_at_each_other_end() {
    let mut memory = TestMemory::new(2048);
    for entry in 0..512 {
        memory.put(2 * MIB + 0x1000 + entry * 8, (2 * MIB + 0x1000) | 0x63);
    }
    // Every walk ends in the table itself, taken for a page.
    let mut tables = X86_64::open(setup(false, 0), &[], &mut memory).unwrap();
    assert_eq!(tables.translate(&mut memory, VirtAddr(0x1234)).unwrap().phys, PhysAddr(2 * MIB + 0x1234));
    assert_eq!(memory.read(PhysAddr(u64::MAX), &mut [0; 2]), Err(Fault::Hole));
}
