//! kdump-compressed files: what makedumpfile and QEMU write, what crash, drgn and libkdumpfile read.
//!
//! In file order, everything in the byte order and C ABI ([`Abi`]) of the machine that wrote the file:
//!
//! | block (of `block_size` bytes) | content |
//! |---|---|
//! | 0 | [`DiskDumpHeader`] |
//! | 1 | [`SubHeader`], then the contents of the `PT_NOTE` segment |
//! | 1 + `sub_hdr_size` | bitmap 1: one bit for each PFN the machine had, lowest PFN in the lowest bit of the first byte |
//! | + `bitmap_blocks` / 2 | bitmap 2: one bit for each PFN that was dumped |
//! | + `bitmap_blocks` / 2 | one [`PageDesc`] for each bit set in bitmap 2, in PFN order |
//! | after them, unaligned | the pages' data, each page compressed on its own; then the erase information |
//!
//! [`Geometry`] computes these places for readers and writers alike. The format is a dump of C structures without a
//! specification; layouts are those of makedumpfile 1.7.9 (`diskdump_mod.h`) and QEMU 8 (`include/sysemu/dump.h`).

mod abi;
mod bitmap;
mod detect;
mod file;
mod geometry;
mod header;
mod join;
mod page_desc;
mod part;
mod sub_header;
mod window;

pub use abi::{Abi, DataModel};
pub use file::{KdumpFile, is_kdump};
pub use geometry::Geometry;
pub use header::{DiskDumpHeader, Status, Timestamp, UtsField, UtsName};
pub use join::Join;
pub use page_desc::{Compression, PageDesc};
pub use part::Part;
pub use sub_header::{Region, SubHeader};

#[cfg(test)]
mod tests;
