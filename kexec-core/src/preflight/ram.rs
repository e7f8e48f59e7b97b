//! A digest of the map of RAM, to see that it changed.

use sha2::{Digest as _, Sha256};

use crate::map::{MemoryMap, RangeKind};

/// SHA-256 of the RAM that a dump of the machine holds: start and end of each range, in order, as 64-bit little-endian
/// numbers. Ranges that touch are one, so it is the same however a source cuts them.
#[must_use]
pub fn ram_digest(map: &MemoryMap<'_>) -> [u8; 32] {
    let mut hash = Sha256::new();
    for span in map.merged(RangeKind::is_dumped) {
        hash.update(span.start.0.to_le_bytes());
        hash.update(span.end.0.to_le_bytes());
    }
    hash.finalize().into()
}
