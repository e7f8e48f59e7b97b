//! The formats of Linux crash dumps, as bytes and values: ELF core files and their notes, VMCOREINFO,
//! kdump-compressed files and flattened streams.
//!
//! The crate knows layouts and nothing else: no policy, no allocation, no `unsafe`. The caller brings the bytes
//! (a slice, or a file through [`ReadAt`]) and the memory for tables; the machine that was dumped is a value
//! ([`Layout`]), so any host reads and writes the dumps of any machine.
//!
//! The modules stand in dependency order: a module uses only those declared above it.
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

mod sort;

mod addr;
mod error;
mod io;
mod layout;

mod fields;
mod machine;

pub mod note;

pub mod elf;

pub mod vmcoreinfo;

pub mod eraseinfo;

pub mod flattened;

pub mod kdump;

pub use addr::{PageSize, Pfn, PhysAddr, VirtAddr};
pub use error::{Error, Field};
pub use io::{END_OF_FILE, POISONED, ReadAt, WriteAt};
pub use layout::{Class, Endian, Layout};
pub use sort::sort_by_key;
