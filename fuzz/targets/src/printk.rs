//! The kernel log in rings that were written over: every walk ends, and its text stays within what a ring can hold.

use page_filter::printk::{LONGEST_TEXT, for_each_record, write_line};
use page_filter::{Fault, PhysMemory};
use std::cell::RefCell;
use std::collections::BTreeSet;
use vmcore_format::vmcoreinfo::VmcoreInfo;
use vmcore_format::{PhysAddr, VirtAddr};

use crate::edits;
use crate::input::Input;
use crate::machines::{Memory, logs};

/// The log, how much damage, and the damage.
pub fn run(data: &[u8]) {
    thread_local! {
        static TEXT: RefCell<Vec<u8>> = RefCell::new(vec![0; LONGEST_TEXT]);
    }
    let mut input = Input::new(data);
    let laid = &logs()[input.below(logs().len())];
    let how = input.u8();
    let room = if how & 0x80 == 0 { LONGEST_TEXT } else { usize::from(input.u8()) };
    let info = edits::of_vmcoreinfo(&mut input, laid, usize::from(how & 3));
    let faults: BTreeSet<u64> = (0..how >> 2 & 3).map(|_| input.pick(&laid.tables)).collect();
    let edits = edits::of_tables(&mut input, laid, 100);
    let mut memory = Memory { laid, edits, faults };
    let mut read = |addr: VirtAddr, buf: &mut [u8]| {
        let phys = laid.phys(addr.0).ok_or(Fault::Hole)?;
        memory.read(PhysAddr(phys), buf)
    };
    let (mut records, mut bytes) = (0, 0);
    TEXT.with_borrow_mut(|text| {
        let result = for_each_record(
            &VmcoreInfo::new(info.as_bytes()),
            laid.as_machine().layout,
            &mut read,
            &mut text[..room],
            &mut |record| {
                assert!(record.text.len() <= room);
                records += 1;
                write_line(record, &mut |line| bytes += line.len());
            },
        );
        if let Ok(tally) = result {
            assert_eq!(tally.records, records);
        }
    });
    assert!(bytes < 64 << 20, "{bytes} bytes of {records} records");
}

/// Every log, unharmed and with a little damage.
pub fn seeds() -> Vec<Vec<u8>> {
    let mut seeds = Vec::new();
    for log in 0..logs().len() as u8 {
        for (how, len) in [(0, 0), (0x80, 1), (0, 60), (1, 90), (6, 200)] {
            let mut seed = vec![log, 0, how];
            seed.extend((0..len).map(|i: u32| (i.wrapping_mul(u32::from(log) * 8 + 91) >> 2) as u8));
            seeds.push(seed);
        }
    }
    seeds
}
