//! The flattened device tree: what machines of arm64, riscv and ppc64 are told of their memory.
//!
//! Source: Devicetree specification 0.4, chapter 3; `drivers/of/fdt.c` and `drivers/of/of_reserved_mem.c` (Linux 6.12).

mod memory;
#[cfg(test)]
mod tests;

pub use memory::parse;
