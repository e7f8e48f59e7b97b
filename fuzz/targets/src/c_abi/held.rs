//! Versions of a map that were held, beside what each said when it was held first.

use capi::callback::kcap_map_version;
use capi::map::*;
use capi::status::*;
use capi::versioned_map::*;

use super::Program;

/// A version that was held, and may be held still.
pub(super) struct Hold {
    pub(super) version: kcap_map_version,
    /// The holds that the program may release.
    times: usize,
    /// Whether the map holds it for an observer, whose call is going on.
    lent: bool,
    pub(super) ranges: Vec<kcap_range>,
}

impl Hold {
    fn is_held(&self) -> bool {
        self.times > 0 || self.lent
    }
}

/// All versions that ever were.
#[derive(Default)]
pub(super) struct Holds(Vec<Hold>);

impl Holds {
    /// What is known of a version that is held.
    pub(super) fn find(&self, version: *const kcap_map_version) -> Option<&Hold> {
        // SAFETY: NULL, or a version of the program's.
        let version = unsafe { version.as_ref() }?;
        self.0.iter().find(|hold| hold.version == *version && hold.is_held())
    }

    /// What a function answers of a version.
    pub(super) fn status(&self, version: *const kcap_map_version) -> kcap_status {
        match self.find(version) {
            Some(_) => KCAP_OK,
            None if version.is_null() => KCAP_ERR_NULL,
            None => KCAP_ERR_INVALID,
        }
    }

    /// The versions that there is no room for others in, the current one counted.
    pub(super) fn count_with(&self, current: u64) -> usize {
        1 + self.0.iter().filter(|hold| hold.is_held() && hold.version.epoch != current).count()
    }

    /// The place of a version, which is as it was if it was held before.
    fn place(&mut self, map: *const kcap_versioned_map, version: kcap_map_version) -> &mut Hold {
        let ranges = read_all(map, &version, 1 + self.0.len() * 7);
        let known = self.0.iter().position(|hold| hold.version.epoch == version.epoch);
        let at = known.unwrap_or(self.0.len());
        if known.is_none() {
            self.0.push(Hold { version, times: 0, lent: false, ranges: ranges.clone() });
        }
        let hold = &mut self.0[at];
        assert_eq!((hold.version, &hold.ranges), (version, &ranges));
        hold
    }

    pub(super) fn hold(&mut self, map: *const kcap_versioned_map, version: kcap_map_version) {
        self.place(map, version).times += 1;
    }

    /// The map holds a version for an observer, or no longer.
    pub(super) fn lend(&mut self, map: *const kcap_versioned_map, version: kcap_map_version, lent: bool) {
        self.place(map, version).lent = lent;
    }

    /// Gives up a version, but for one that only the map holds: that hold is not the program's.
    pub(super) fn release(&mut self, map: *const kcap_versioned_map, version: *const kcap_map_version) {
        let expected = self.status(version);
        // SAFETY: NULL, or a version of the program's.
        let known = unsafe { version.as_ref() }
            .and_then(|version| self.0.iter_mut().find(|hold| hold.version == *version && hold.is_held()));
        match known {
            Some(Hold { times: 0, .. }) => return,
            Some(hold) => hold.times -= 1,
            None => {}
        }
        // SAFETY: the map is one.
        assert_eq!(unsafe { kcap_versioned_map_release(map, version) }, expected);
    }

    /// No version is another than it was.
    pub(super) fn check(&self, map: *const kcap_versioned_map) {
        for hold in self.0.iter().filter(|hold| hold.is_held()) {
            assert_eq!(read_all(map, &hold.version, 5), hold.ranges);
        }
    }
}

impl Program<'_> {
    /// A version that was held, any other, or NULL.
    pub(super) fn version(&mut self, holds: &Holds) -> *const kcap_map_version {
        let version = self.blocks.out::<kcap_map_version>();
        let of = match (self.input.u8(), holds.0.len()) {
            (0..232, len @ 1..) => holds.0[self.input.below(len)].version,
            (255, _) => return core::ptr::null(),
            (232..244, len @ 1..) => kcap_map_version { epoch: len as u64, slot: self.input.extreme() },
            _ => kcap_map_version { epoch: self.input.extreme(), slot: u64::from(self.input.u8() & 3) },
        };
        // SAFETY: the block has room for it.
        unsafe { version.write(of) };
        version
    }
}

/// The ranges of a version that is held, `capacity` at a time.
fn read_all(map: *const kcap_versioned_map, version: &kcap_map_version, capacity: usize) -> Vec<kcap_range> {
    let (mut all, mut count, mut from) = (Vec::new(), capacity, 0);
    while count == capacity {
        let mut page = vec![kcap_range::default(); capacity];
        let (at, place) = (page.as_mut_ptr(), &raw mut count);
        // SAFETY: all pointers are to what they say.
        assert_eq!(unsafe { kcap_versioned_map_read(map, version, from, at, capacity, place) }, KCAP_OK);
        all.extend_from_slice(&page[..count]);
        from = all.last().map_or(0, |range| range.end);
    }
    // SAFETY: as above.
    assert_eq!(unsafe { kcap_versioned_map_count(map, version) }, all.len());
    assert!(all.iter().all(|range| range.start < range.end && (1..=14).contains(&range.kind)));
    let apart = |two: &[kcap_range]| {
        two[0].end < two[1].start || (two[0].end == two[1].start && two[0].kind != two[1].kind)
    };
    assert!(all.windows(2).all(apart));
    all
}

pub(super) fn kind_at(ranges: &[kcap_range], address: u64) -> kcap_range_kind {
    let at = ranges.partition_point(|range| range.end <= address);
    ranges.get(at).filter(|range| range.start <= address).map_or(0, |range| range.kind)
}

/// What differs, from an address on.
pub(super) fn differences(before: &[kcap_range], after: &[kcap_range], from: u64) -> Vec<kcap_map_change> {
    let both = before.iter().chain(after);
    let mut borders: Vec<u64> = both.flat_map(|range| [range.start, range.end]).chain([from]).collect();
    borders.retain(|&border| border >= from);
    borders.sort_unstable();
    borders.dedup();
    let mut changes: Vec<kcap_map_change> = Vec::new();
    for span in borders.windows(2) {
        let (before, after) = (kind_at(before, span[0]), kind_at(after, span[0]));
        if before != after {
            changes.push(kcap_map_change { start: span[0], end: span[1], before, after });
        }
    }
    changes.dedup_by(|next, last| {
        let one = last.end == next.start && (last.before, last.after) == (next.before, next.after);
        if one {
            last.end = next.end;
        }
        one
    });
    changes
}
