//! What lies where in physical memory.
//!
//! [`MemoryMap`] keeps disjoint, sorted ranges in a slice of the caller's. Its arithmetic is exact for every overlap,
//! and an operation that fails changes nothing.
//!
//! ```
//! use kexec_core::map::{MemoryMap, Range, RangeKind, Span};
//!
//! let mut table = [Range::EMPTY; 8];
//! let mut map = MemoryMap::new(&mut table);
//! map.set(Range::new(Span::new(0x10_0000, 0x2000_0000), RangeKind::SystemRam))?;
//! map.set(Range::new(Span::new(0x1000_0000, 0x1800_0000), RangeKind::CrashKernel))?;
//! assert_eq!(map.ranges().len(), 3);
//! assert_eq!(map.merged(RangeKind::is_ram).count(), 1);
//! # Ok::<(), kexec_core::Error>(())
//! ```

mod kind;
mod digest;
mod memory_map;
#[cfg(test)]
mod tests;

pub(crate) use digest::sha256_of;
pub use kind::{Beneath, Range, RangeKind, Span};
pub use memory_map::{MemoryMap, Merged};
