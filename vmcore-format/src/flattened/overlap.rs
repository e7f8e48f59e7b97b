//! Records that write the same place: the last one counts.

use super::format::Extent;
use crate::{Error, sort_by_key};

/// Sorts the first `used` entries and replaces those that overlap by pieces that do not; returns the number of entries
/// then in use, which are the first ones of `table`. Records later in the stream win.
///
/// # Errors
/// [`Error::BufferTooSmall`]: overlapping records need two more entries each.
pub(super) fn resolve(table: &mut [Extent], used: usize) -> Result<usize, Error> {
    let len = table.len();
    let records = table.get_mut(..used).unwrap_or_default();
    // The stream's order decides between records with the same start, so that equal input gives equal output.
    sort_by_key(records, |record| (record.start, record.source));
    let overlapping = count_overlapping(records);
    if overlapping == 0 {
        return Ok(used);
    }
    let needed = used.saturating_add(overlapping.saturating_mul(2));
    if needed > len {
        return Err(Error::BufferTooSmall { needed: u64::try_from(needed).unwrap_or(u64::MAX) });
    }
    // From here on the records stand at the table's end and the pieces grow from its start. A cluster of m records that
    // hang together makes at most 2m - 1 pieces, so the pieces never reach the records that are still to be read.
    let mut from = len.saturating_sub(used);
    table.copy_within(..used, from);
    let mut pieces = 0;
    while from < len {
        let cluster = cluster_len(table.get(from..).unwrap_or_default());
        let (front, records) = table.split_at_mut_checked(from).unwrap_or_default();
        let mut out = Pieces { slots: front, used: pieces };
        sweep(records.get_mut(..cluster).unwrap_or_default(), &mut out);
        pieces = out.used;
        from = from.saturating_add(cluster);
    }
    Ok(pieces)
}

/// The number of records that share a place with another, in a table sorted by start.
fn count_overlapping(records: &[Extent]) -> usize {
    let mut rest = records;
    let mut count = 0_usize;
    while !rest.is_empty() {
        let cluster = cluster_len(rest);
        if cluster > 1 {
            count = count.saturating_add(cluster);
        }
        rest = rest.get(cluster..).unwrap_or_default();
    }
    count
}

/// The number of records, from the first one, each of which starts before the highest end of those before it.
fn cluster_len(records: &[Extent]) -> usize {
    let mut end = 0;
    let mut first = true;
    let joins = |record: &&Extent| {
        let joined = first || record.start < end;
        first = false;
        end = record.end.max(end);
        joined
    };
    records.iter().take_while(joins).count()
}

/// The table's front, as a list that grows.
struct Pieces<'t> {
    slots: &'t mut [Extent],
    used: usize,
}

impl Pieces<'_> {
    /// Adds a piece, or lengthens the last one when both places continue.
    fn push(&mut self, piece: Extent) {
        let last = self.used.checked_sub(1).and_then(|last| self.slots.get_mut(last));
        if let Some(last) = last
            && last.end == piece.start
            && last.source_of(piece.start) == piece.source
        {
            last.end = piece.end;
            return;
        }
        if let Some(slot) = self.slots.get_mut(self.used) {
            *slot = piece;
            self.used = self.used.saturating_add(1);
        }
    }
}

/// Goes over a cluster from its lowest place to its highest with a heap of the records at hand, the latest on top.
///
/// The heap lives in the slots of the records that were read already: `cluster[..heap]`; those still to be read are
/// `cluster[next..]`.
fn sweep(cluster: &mut [Extent], out: &mut Pieces<'_>) {
    let (mut heap, mut next) = (0_usize, 0_usize);
    let mut at = cluster.first().map_or(0, |record| record.start);
    loop {
        while let Some(&record) = cluster.get(next).filter(|record| record.start <= at) {
            next = next.saturating_add(1);
            push(cluster, &mut heap, record);
        }
        while let Some(top) = cluster.get(..heap).and_then(|heap| heap.first())
            && top.end <= at
        {
            pop(cluster, &mut heap);
        }
        let coming = cluster.get(next).map(|record| record.start);
        let until = match cluster.get(..heap).and_then(|heap| heap.first()) {
            Some(top) => {
                let until = coming.map_or(top.end, |start| start.min(top.end));
                out.push(Extent { start: at, end: until, source: top.source_of(at) });
                until
            }
            None => match coming {
                Some(start) => start,
                None => return,
            },
        };
        at = until;
    }
}

/// Puts a record into the heap in `slots[..*len]`. The record on top is the latest in the stream.
fn push(slots: &mut [Extent], len: &mut usize, record: Extent) {
    let mut place = *len;
    if let Some(slot) = slots.get_mut(place) {
        *slot = record;
    }
    *len = len.saturating_add(1);
    while let Some(parent) = place.checked_sub(1).map(|above| above >> 1) {
        if !later(slots, place, parent) {
            break;
        }
        slots.swap(place, parent);
        place = parent;
    }
}

/// Takes the top off the heap in `slots[..*len]`.
fn pop(slots: &mut [Extent], len: &mut usize) {
    let Some(last) = len.checked_sub(1) else { return };
    slots.swap(0, last);
    *len = last;
    let heap = slots.get_mut(..last).unwrap_or_default();
    let mut place = 0_usize;
    loop {
        let left = place.saturating_mul(2).saturating_add(1);
        let right = left.saturating_add(1);
        let child = if later(heap, right, left) { right } else { left };
        if !later(heap, child, place) {
            return;
        }
        heap.swap(child, place);
        place = child;
    }
}

/// Whether slot `a` exists and its record comes later in the stream than slot `b`'s.
fn later(slots: &[Extent], a: usize, b: usize) -> bool {
    match (slots.get(a), slots.get(b)) {
        (Some(a), Some(b)) => a.source > b.source,
        _ => false,
    }
}
