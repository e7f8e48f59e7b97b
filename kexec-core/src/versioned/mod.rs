//! A map of memory that lives: changes are published as a whole, and readers keep the version that they hold.
//!
//! ```
//! use kexec_core::map::{Range, RangeKind, Span};
//! use kexec_core::versioned::{Node, Slot, VersionedMap};
//!
//! let (mut nodes, mut slots) = ([Node::EMPTY; 256], [Slot::EMPTY; 4]);
//! let mut map = VersionedMap::new(&mut nodes, &mut slots)?;
//! map.begin()?;
//! map.set(Range::new(Span::new(0x10_0000, 0x8000_0000), RangeKind::SystemRam))?;
//! map.commit(&mut |_, _| {})?;
//! let held = map.hold();
//! map.begin()?;
//! map.remove(Span::new(0x4000_0000, 0x5000_0000))?;
//! let epoch = map.commit(&mut |now, changes| {
//!     assert_eq!((now.epoch(), now.len()), (2, 2));
//!     assert_eq!(changes.count(), 1);
//! })?;
//! assert_eq!((epoch, map.view(&held).len()), (2, 1));
//! map.release(held);
//! # Ok::<(), kexec_core::Error>(())
//! ```

mod arena;

mod tree;

mod edit;

mod view;

mod changes;

mod versioned_map;

mod shared;

#[cfg(test)]
mod tests;

pub use arena::Node;
pub use changes::{Change, Changes};
pub use shared::{Published, SharedMap, Snapshot};
pub use versioned_map::{Held, Slot, VersionedMap};
pub use view::{Ranges, View};
