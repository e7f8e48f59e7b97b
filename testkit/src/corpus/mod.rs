//! The hostile corpus: named damage of every format, the same in every run, and what must come of it.
//!
//! A case is a small file that a writer could have made, with something in it that no writer would: counts, offsets and sizes
//! that overflow, wrap, overlap or point nowhere, ends too early, streams that inflate without end, tables that lead to
//! themselves. What must come of it is said by the format's own documents: an error that names the field, or the pages that
//! the damage does not touch.

use std::collections::BTreeMap;

use crate::{Arch, Generation, LogRecord, Machine, MemModel, Population, Use};

mod crashed;
mod elf;
mod flattened;
mod kdump;
mod packed;

pub use crashed::hostile_machines;
pub use elf::hostile_elf_cores;
pub use flattened::hostile_streams;
pub use kdump::{hostile_kdump_files, hostile_sets};
pub use packed::hostile_pages;

/// Page frames and their bytes.
pub type Pages = BTreeMap<u64, Vec<u8>>;

/// What must come of a hostile dump.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Expect {
    /// It is refused, for one of these fields (in the words of the format's own documents).
    Refused(&'static [&'static str]),
    /// It opens, and these are the pages that can be read; all others are missing, and known to be.
    Pages(Pages),
    /// Parts of a split set are missing: who asks for a whole set is told so; who does not, reads these pages, and all others
    /// are lost.
    Gaps(Pages),
    /// The damage is a lie that nothing contradicts: it ends, with an error or with other pages.
    Ends,
}

/// A hostile dump.
#[derive(Debug, Clone)]
pub struct HostileDump {
    /// What is wrong with it.
    pub name: String,
    /// The file, or the parts of a set.
    pub parts: Vec<Vec<u8>>,
    /// What must come of it.
    pub expect: Expect,
}

impl HostileDump {
    fn new(name: String, bytes: Vec<u8>, expect: Expect) -> Self {
        Self { name, parts: vec![bytes], expect }
    }
}

/// Meets the cases one after the other: all of them together take a gigabyte.
pub type Meet<'m> = &'m mut dyn FnMut(HostileDump);

/// Every hostile dump.
pub fn hostile_dumps(meet: Meet<'_>) {
    hostile_elf_cores(meet);
    hostile_kdump_files(meet);
    hostile_pages(meet);
    hostile_sets(meet);
    hostile_streams(meet);
    hostile_machines(meet);
}

/// The machine of the corpus: 572 KiB in two pieces, with a kernel log.
fn machine(arch: Arch) -> Machine {
    Machine::tiny(arch)
        .ranges(&[(0x1000, 0x1_0000), (0x20_0000, 0x28_0000)])
        .model(MemModel::Flat)
        .population(Population::Only(Use::Cache))
        .log(Generation::Ringbuffer, LogRecord::sample(20))
        .build()
}

/// The pages of a machine.
fn pages_of(machine: &Machine) -> Pages {
    machine.pfns().into_iter().map(|pfn| (pfn, machine.content(pfn))).collect()
}

/// Overwrites a field of `width` bytes.
fn put(bytes: &mut [u8], at: usize, width: usize, big: bool, value: u64) {
    let field = &mut bytes[at..at + width];
    if big {
        field.copy_from_slice(&value.to_be_bytes()[8 - width..]);
    } else {
        field.copy_from_slice(&value.to_le_bytes()[..width]);
    }
}

/// The field of `width` bytes.
fn get(bytes: &[u8], at: usize, width: usize, big: bool) -> u64 {
    let field = &bytes[at..at + width];
    let byte = |sum: u64, byte: &u8| sum << 8 | u64::from(*byte);
    if big { field.iter().fold(0, byte) } else { field.iter().rev().fold(0, byte) }
}

/// All ones in `width` bytes.
fn ones(width: usize) -> u64 {
    u64::MAX >> (64 - 8 * width)
}
