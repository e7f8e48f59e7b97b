//! The flattened device tree: what machines of arm64, riscv and ppc64 are told of their memory.
//!
//! Source: Devicetree specification 0.4, chapters 3 and 5; `drivers/of/fdt.c` and `drivers/of/of_reserved_mem.c`
//! (Linux 6.12). The reader is this crate's own: a tree comes from outside and may be damaged, and trees in use break
//! the specification's rules on names; the readers at hand panic on the one or refuse the other.

mod memory;
#[cfg(test)]
mod tests;
mod tree;

pub use memory::parse;
