//! Changes the list of memory blocks in a flattened device tree: `drmem_edit TREE`, with one change in each line of standard
//! input, and writes what the list is after each. Then the file has the changed tree.
//!
//! ```text
//! assign DRC COUNT AA | release DRC COUNT | layout v1 | layout v2 | show
//! ```
#![expect(clippy::unwrap_used, reason = "a program for tests")]

use std::io::BufRead as _;

use kexec_core::drmem::{Change, DynamicMemory, Layout};

fn main() {
    let path = std::env::args().nth(1).unwrap();
    let mut buffer = std::fs::read(&path).unwrap();
    buffer.resize(buffer.len().saturating_add(1 << 20), 0);
    let mut memory = DynamicMemory::open(&mut buffer).unwrap();
    for line in std::io::stdin().lock().lines() {
        let line = line.unwrap();
        let words: Vec<&str> = line.split_whitespace().collect();
        let at = |drc: &str| {
            let drc = u32::from_str_radix(drc.trim_start_matches("0x"), 16).unwrap();
            memory.table().find_drc(drc).unwrap().base_addr
        };
        match *words.as_slice() {
            ["assign", drc, count, aa] => {
                let change = Change::assign(at(drc), count.parse().unwrap(), aa.parse().unwrap());
                memory.apply(&mut [change]).unwrap();
            }
            ["release", drc, count] => {
                let change = Change::release(at(drc), count.parse().unwrap());
                memory.apply(&mut [change]).unwrap();
            }
            ["layout", "v1"] => memory.convert(Layout::V1).unwrap(),
            ["layout", _] => memory.convert(Layout::V2).unwrap(),
            _ => {}
        }
        let list: String = memory.value().iter().map(|byte| format!("{byte:02x}")).collect();
        println!("{list}");
    }
    std::fs::write(path, memory.tree().unwrap()).unwrap();
}
