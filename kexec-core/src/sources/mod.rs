//! Where memory maps come from: what kernels and firmware say about physical memory, as bytes.
//!
//! Every source paints into the caller's [`MemoryMap`](crate::map::MemoryMap). After an error the map is empty, so
//! that half of a description is not taken for the whole.

mod paint;

pub mod e820;
pub mod efi;
pub mod fdt;
pub mod firmware_memmap;
pub mod iomem;
