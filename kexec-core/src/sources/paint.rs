//! Entries of a firmware's map, which may overlap.

use crate::Error;
use crate::map::{MemoryMap, Range, RangeKind};

/// Paints `entries` over `map`; where they overlap, the kind that stands later in [`RangeKind::ALL`] holds.
pub(super) fn by_kind(
    map: &mut MemoryMap<'_>,
    entries: impl Iterator<Item = Range> + Clone,
) -> Result<(), Error> {
    let count = entries.clone().count();
    let painted = RangeKind::ALL.iter().try_for_each(|&kind| {
        entries.clone().filter(|range| range.kind == kind).try_for_each(|range| map.set(range))
    });
    painted.map_err(|error| enough_for(count, map, error))
}

/// Empties the map, and asks for a table that `count` entries fit in, whatever they are.
pub(super) fn enough_for(count: usize, map: &mut MemoryMap<'_>, error: Error) -> Error {
    let before = map.ranges().len();
    map.clear();
    match error {
        // Every entry has two ends, and the ends cut the address space in at most so many ranges.
        Error::BufferTooSmall { needed } => {
            let ends = count.saturating_mul(2).saturating_add(before);
            Error::BufferTooSmall { needed: needed.max(u64::try_from(ends).unwrap_or(u64::MAX)) }
        }
        error => error,
    }
}
