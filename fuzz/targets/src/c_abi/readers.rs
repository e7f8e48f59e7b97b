//! A map that lives, as its readers see it.

use core::ptr::null_mut;

use capi::callback::kcap_map_version;
use capi::map::*;
use capi::status::*;
use capi::versioned_map::*;

use super::Program;
use super::held::{differences, kind_at};
use super::versions::Versions;

impl Versions {
    /// A step that changes nothing: an observer may take it.
    pub(super) fn read_step(&mut self, program: &mut Program<'_>) {
        match program.input.u8() % 8 {
            0..3 => self.hold(program),
            3 => {
                let version = program.version(&self.holds);
                self.holds.release(self.map, version);
            }
            4 | 5 => self.read(program),
            6 => self.differ(program),
            _ => self.copy(program),
        }
    }

    fn hold(&mut self, program: &mut Program<'_>) {
        let (map, version) = (self.map, program.blocks.out::<kcap_map_version>());
        // SAFETY: all pointers are to what they say.
        unsafe {
            assert_eq!(kcap_versioned_map_hold(map, version), KCAP_OK);
            assert_eq!(kcap_versioned_map_hold(map, null_mut()), KCAP_ERR_NULL);
            assert_eq!((*version).epoch, kcap_versioned_map_epoch(map));
            self.holds.hold(map, *version);
        }
    }

    fn read(&mut self, program: &mut Program<'_>) {
        let (map, version) = (self.map, program.version(&self.holds));
        let (from, capacity) = (program.input.extreme(), usize::from(program.input.u8() & 63));
        let ranges = program.blocks.bytes(capacity * size_of::<kcap_range>()).cast::<kcap_range>();
        let count = program.blocks.out::<usize>();
        let held = self.holds.find(version).map_or(&[][..], |hold| &hold.ranges);
        let mut expected: Vec<kcap_range> =
            held.iter().copied().filter(|range| range.end > from).take(capacity).collect();
        if let Some(first) = expected.first_mut() {
            first.start = first.start.max(from);
        }
        // SAFETY: all pointers are to what they say.
        unsafe {
            assert_eq!(kcap_versioned_map_count(map, version), held.len());
            assert_eq!(kcap_versioned_map_kind_at(map, version, from), kind_at(held, from));
            let status = kcap_versioned_map_read(map, version, from, ranges, capacity, count);
            assert_eq!(status, self.holds.status(version));
            assert_eq!(core::slice::from_raw_parts(ranges, *count), expected);
            assert_ne!(kcap_versioned_map_read(map, version, 0, null_mut(), 1, count), KCAP_OK);
            assert_ne!(kcap_versioned_map_read(map, version, 0, ranges, usize::MAX, count), KCAP_OK);
            assert_ne!(kcap_versioned_map_read(map, version, 0, ranges, 0, null_mut()), KCAP_OK);
        }
    }

    fn differ(&mut self, program: &mut Program<'_>) {
        let (map, before, after) = (self.map, program.version(&self.holds), program.version(&self.holds));
        let (from, capacity) = (program.input.extreme(), usize::from(program.input.u8() & 63));
        let changes = program.blocks.bytes(capacity * size_of::<kcap_map_change>()).cast();
        let count = program.blocks.out::<usize>();
        let (status, expected) = match (self.holds.find(before), self.holds.find(after)) {
            (Some(before), Some(after)) => (KCAP_OK, differences(&before.ranges, &after.ranges, from)),
            (Some(_), None) => (self.holds.status(after), Vec::new()),
            _ => (self.holds.status(before), Vec::new()),
        };
        // SAFETY: all pointers are to what they say.
        unsafe {
            let found = kcap_versioned_map_changes(map, before, after, from, changes, capacity, count);
            assert_eq!(found, status);
            let expected = &expected[..expected.len().min(capacity)];
            assert_eq!(core::slice::from_raw_parts(changes, *count), expected);
        }
    }

    fn copy(&mut self, program: &mut Program<'_>) {
        let (version, error) = (program.version(&self.holds), program.error);
        let capacity = program.input.below(48);
        let copy = match program.objects.map {
            Some(map) if capacity & 7 == 7 => map,
            _ => program.empty_map(capacity),
        };
        let range = program.blocks.out::<kcap_range>();
        let held = self.holds.find(version).map_or(&[][..], |hold| &hold.ranges);
        // SAFETY: all pointers are to what they say.
        unsafe {
            let fits = kcap_memory_map_capacity(copy) >= held.len();
            let status = kcap_versioned_map_copy(self.map, version, copy, error);
            let expected = if fits { KCAP_OK } else { KCAP_ERR_BUFFER_TOO_SMALL };
            let of_version = self.holds.status(version);
            assert_eq!(status, if of_version == KCAP_OK { expected } else { of_version });
            if status == KCAP_OK {
                assert_eq!(kcap_memory_map_count(copy), held.len());
                for (index, expected) in held.iter().enumerate() {
                    assert_eq!(kcap_memory_map_get_range(copy, index, range), KCAP_OK);
                    assert_eq!(*range, *expected);
                }
            }
            kcap_versioned_map_copy(self.map, version, null_mut(), error);
        }
    }
}
