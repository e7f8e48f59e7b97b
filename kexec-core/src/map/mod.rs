//! What lies where in physical memory.
//!
//! [`MemoryMap`] keeps disjoint, sorted ranges in a slice of the caller's. Its arithmetic is exact for every overlap,
//! and an operation that fails changes nothing.

mod kind;
mod memory_map;

pub use kind::{Range, RangeKind, Span};
pub use memory_map::{MemoryMap, Merged};
