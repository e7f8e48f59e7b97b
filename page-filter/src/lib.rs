//! Reads a crashed Linux machine, tells its pages apart and writes the dump.
#![no_std]
#![forbid(unsafe_code)]
#![cfg_attr(
    test,
    expect(
        clippy::arithmetic_side_effects,
        clippy::as_conversions,
        reason = "a test that overflows fails, as it should"
    )
)]

#[cfg(test)]
extern crate std;

mod kind;

pub mod codec;

mod phys;

mod bits;
mod keys;
mod paging;
mod struct_page;

mod rules;

mod classify;
mod slices;

mod witness;

mod mem_map;

mod counts;
mod kernel;

pub mod redact;

mod block;
mod sanity;

mod judge;
mod pass;

mod filter;

pub mod printk;

#[cfg(test)]
mod test_machine;

pub mod dump;

pub mod estimate;

pub mod verify;

pub use counts::Counts;
pub use filter::Filter;
pub use kernel::{Kernel, KernelError, Machine};
pub use keys::Key;
pub use kind::{Level, PageKind};
pub use mem_map::{FrameRanges, MemoryModel, NAMED_RANGES, NoMemMap, Sections};
pub use paging::{Mapping, VirtFault};
pub use phys::{ElfMemory, Fault, KdumpMemory, LoadIndex, LoadSlot, PhysMemory, Regions};
pub use rules::{Missing, Rule};
pub use sanity::{Doubt, Findings, SMALL_MACHINE};
pub use witness::Witness;
