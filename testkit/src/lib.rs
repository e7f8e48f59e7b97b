//! Synthetic vmcores for tests.
//!
//! A [`Machine`] is a crashed Linux machine small enough for a unit test: its page tables, its `mem_map`, its log and
//! the contents of every page are laid out here, byte by byte, from the kernel's and the formats' documents. Nothing
//! is shared with the library under test, so that a wrong layout there cannot agree with itself. What a dump must keep
//! is computed from the [`Use`] each page frame was given, never from the struct pages.
//!
//! ```
//! use testkit::{Era, Machine};
//! let machine = Machine::x86_64(Era::V6_1).build();
//! let vmcore = machine.elf().to_vec();
//! assert_eq!(&vmcore[..4], b"\x7fELF");
//! assert!(machine.expected_kept(31).len() < machine.expected_kept(0).len());
//! ```
#![forbid(unsafe_code)]

mod bytes;
mod codec;
mod corpus;
mod elf;
mod era;
mod flattened;
mod hostile;
mod kdump;
mod large;
mod log;
mod builder;
mod machine;
mod mem_map;
mod paging;
mod struct_page;
mod uses;
mod vmcoreinfo;

pub use builder::{Arch, Builder};
pub use bytes::Bytes;
pub use codec::{lzo, snappy, zlib, zstd};
pub use corpus::{
    Expect, HostileDump, Meet, Pages, hostile_dumps, hostile_elf_cores, hostile_kdump_files,
    hostile_machines, hostile_pages, hostile_sets, hostile_streams,
};
pub use elf::{Elf, ElfOptions, Loads};
pub use era::Era;
pub use flattened::{FlattenOptions, flatten};
pub use hostile::{Random, Swept, sweep};
pub use kdump::{Abi, Codec, Kdump, kdump_of};
pub use large::{LargeMachine, Mix};
pub use log::{Generation, LogRecord};
pub use machine::Machine;
pub use mem_map::{MemMap, MemModel};
pub use uses::{Kind, Population, Use};

#[cfg(test)]
mod tests;
