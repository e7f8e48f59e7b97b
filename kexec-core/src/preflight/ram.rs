//! A digest of the map of RAM, to see that it changed.

use crate::map::{MemoryMap, RangeKind, sha256_of};

/// SHA-256 of the RAM that a dump of the machine holds: start and end of each range, in order, as 64-bit little-endian
/// numbers. Ranges that touch are one, so it is the same however a source cuts them.
#[must_use]
pub fn ram_digest(map: &MemoryMap<'_>) -> [u8; 32] {
    sha256_of(map.merged(RangeKind::is_dumped))
}
