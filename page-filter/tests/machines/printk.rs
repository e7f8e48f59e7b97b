//! The kernel log of every generation, laid out without this crate.

use crate::kit::{KitMemory, machine_of};
use page_filter::Fault;
use page_filter::printk::{LONGEST_TEXT, for_each_record, write_line};
use testkit::{Arch, Era, Generation, LogRecord, Machine, Population, Random, Use};
use vmcore_format::VirtAddr;
use vmcore_format::vmcoreinfo::VmcoreInfo;

const ARCHS: [Arch; 5] = [Arch::X86_64, Arch::I386, Arch::Ppc64, Arch::S390x, Arch::Ppc];

/// The kit's virtual addresses, without page tables.
fn phys(machine: &Machine, virt: u64) -> Option<u64> {
    match virt.checked_sub(machine.text_virt()).filter(|offset| *offset < machine.text_len()) {
        Some(offset) => Some(machine.text_phys() + offset),
        None => virt.checked_sub(machine.linear(0)),
    }
}

fn print(machine: &Machine, memory: &mut KitMemory, info: &str) -> (Vec<u8>, bool) {
    use page_filter::PhysMemory;
    let mut out = Vec::new();
    let mut text = vec![0; LONGEST_TEXT];
    let mut read = |addr: VirtAddr, buf: &mut [u8]| {
        let phys = phys(machine, addr.0).ok_or(Fault::Hole)?;
        memory.read(vmcore_format::PhysAddr(phys), buf)
    };
    let info = VmcoreInfo::new(info.as_bytes());
    let result = for_each_record(&info, machine_of(machine).layout, &mut read, &mut text, &mut |record| {
        write_line(record, &mut |bytes| out.extend_from_slice(bytes));
    });
    (out, result.is_ok_and(|tally| tally.lost == 0))
}

fn machine(arch: Arch, generation: Generation, records: Vec<LogRecord>) -> Machine {
    Machine::tiny(arch).population(Population::Only(Use::Kernel)).log(generation, records).build()
}

#[test]
fn every_generation_is_printed_as_it_was_logged() {
    for generation in [Generation::Ringbuffer, Generation::Records, Generation::Flat] {
        for arch in ARCHS {
            for count in [0, 1, 5, 40, 63, 64, 65, 100, 257] {
                let machine = machine(arch, generation, LogRecord::sample(count));
                let (text, whole) = print(&machine, &mut KitMemory::new(&machine), &machine.vmcoreinfo());
                let text = String::from_utf8(text).unwrap();
                let what = format!("{generation:?} {arch:?} {count}");
                assert_eq!(text, machine.expected_log().unwrap(), "{what}");
                assert!(whole, "{what}");
            }
        }
    }
}

#[test]
fn every_length_of_text_wraps() {
    for generation in [Generation::Ringbuffer, Generation::Records] {
        for len in 0..130 {
            let records = (0..90).map(|i| LogRecord::new(i, &"y".repeat(len))).collect();
            let machine = machine(Arch::X86_64, generation, records);
            let (text, _) = print(&machine, &mut KitMemory::new(&machine), &machine.vmcoreinfo());
            assert_eq!(
                String::from_utf8(text).unwrap(),
                machine.expected_log().unwrap(),
                "{generation:?} {len}"
            );
        }
    }
}

#[test]
fn the_log_is_found_through_the_page_tables() {
    let machine = Machine::x86_64(Era::V6_12)
        .five_levels()
        .kaslr(0x20_0000)
        .log(Generation::Ringbuffer, LogRecord::sample(50))
        .build();
    let mut memory = KitMemory::new(&machine);
    let mut kernel = crate::kit::open(&machine, &mut memory).unwrap();
    let (info, mut text, mut out) = (machine.vmcoreinfo(), vec![0; LONGEST_TEXT], Vec::new());
    let info = VmcoreInfo::new(info.as_bytes());
    let mut read =
        |addr: VirtAddr, buf: &mut [u8]| kernel.read_virt(&mut memory, addr, buf).map_err(|_| Fault::Hole);
    for_each_record(&info, machine_of(&machine).layout, &mut read, &mut text, &mut |record| {
        write_line(record, &mut |bytes| out.extend_from_slice(bytes));
    })
    .unwrap();
    assert_eq!(String::from_utf8(out).unwrap(), machine.expected_log().unwrap());
}

#[test]
fn a_damaged_log_ends() {
    for generation in [Generation::Ringbuffer, Generation::Records, Generation::Flat] {
        let machine = machine(Arch::X86_64, generation, LogRecord::sample(80));
        let clean = KitMemory::new(&machine);
        let info = machine.vmcoreinfo();
        let text_pfn = machine.text_phys() / 0x1000;
        // The log's pages are the last that the kit took, and its symbols stand in the image.
        let pfns: Vec<u64> =
            (text_pfn..text_pfn + 3).chain(machine.pfns().into_iter().rev().take(40)).collect();
        for seed in 0..600 {
            let mut random = Random::new(seed);
            let mut memory = clean.clone();
            for _ in 0..=random.below(40) {
                let pfn = pfns[random.below(pfns.len() as u64) as usize];
                random.extreme(memory.page_mut(pfn));
            }
            let mut info = info.clone().into_bytes();
            if seed % 3 == 0 {
                random.flip(&mut info);
            }
            let (text, _) = print(&machine, &mut memory, &String::from_utf8_lossy(&info));
            assert!(text.len() < 64 << 20);
        }
    }
}
