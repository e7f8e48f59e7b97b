//! Memory that comes and goes on pseries: the node `/ibm,dynamic-reconfiguration-memory` of a device tree, read and changed in
//! place.
//!
//! Memory is handed out in *logical memory blocks* (LMBs) of `ibm,lmb-size` bytes. One property lists them all, whether they are
//! there or not, in the order of their addresses, in one of two layouts (all numbers big-endian):
//!
//! - `ibm,dynamic-memory`: the number of LMBs (u32), then for each its base address (u64), DRC index, a reserved word,
//!   associativity index and flags (u32 each): 24 bytes.
//! - `ibm,dynamic-memory-v2`: the number of sets (u32), then for each how many LMBs it has (u32), and of the first one base
//!   address (u64), DRC index, associativity index and flags (u32 each): 24 bytes. In a set addresses and DRC indexes go up by
//!   one LMB and by 1, and the rest is the same.
//!
//! A [`Table`] reads such a property wherever it lies; [`DynamicMemory`] changes it in a flattened tree. What it costs, with n
//! LMBs in s sets (v1: s = n) and a batch of k changes:
//!
//! - Opening reads every set once: O(s). It is done once, and not again for a batch.
//! - An LMB is found in O(log s), by its address, and by its DRC index where these go up with the addresses.
//! - A batch that leaves the number of sets as it is (always in v1): O(k log s + LMBs changed in v1 or sets in v2); no
//!   other byte is touched.
//! - A batch that splits or joins sets (v2): the same, and the sets behind the first change, and what follows them in the tree,
//!   move: at most twice for a batch, however many changes it has. That is O(size of the tree) in bytes moved, as a flattened tree is
//!   one piece.
//!
//! Nothing is allocated and nothing is kept beside the tree. Source: Power Architecture Platform Requirements, "Dynamic
//! Reconfiguration Memory"; `arch/powerpc/include/asm/drmem.h` (Linux 6.1); what a kernel writes was observed on Linux 6.1
//! (Debian) under QEMU.

mod change;
mod lmb;
mod memory;
mod table;
#[cfg(test)]
mod tests;
mod usable;

pub use change::Change;
pub use lmb::{
    DRCONF_MEM_AI_INVALID, DRCONF_MEM_ASSIGNED, DRCONF_MEM_HOTREMOVABLE, DRCONF_MEM_RESERVED, Layout, Lmb,
    LmbSet, NO_ASSOCIATIVITY,
};
pub use memory::DynamicMemory;
pub use table::{Lmbs, Table};
pub use usable::{UsableMemory, UsableRange};
