//! A map that lives: changed, committed, and read by versions.

use core::ffi::c_void;
use core::ptr::{null, null_mut};

use capi::callback::{kcap_map_version, kcap_version_observer};
use capi::error::kcap_error;
use capi::map::*;
use capi::status::*;
use capi::versioned_map::*;

use super::held::Holds;
use super::{Program, about};

/// A map, and what is known of it.
pub(super) struct Versions {
    pub(super) map: *mut kcap_versioned_map,
    pub(super) holds: Holds,
    /// How many versions can be held.
    room: usize,
    work_len: usize,
    begun: bool,
    /// The changes made, and those that there was said to be work for.
    changes: usize,
    promised: usize,
}

/// An observer's `ctx`: it uses the map itself.
struct Told<'t, 'i> {
    versions: &'t mut Versions,
    program: &'t mut Program<'i>,
    times: u64,
}

unsafe extern "C" fn published(
    ctx: *mut c_void,
    before: *const kcap_map_version,
    after: *const kcap_map_version,
) {
    // SAFETY: `ctx` is what `commit` made, which leaves it alone until its call ends; versions are there until the end of this call.
    let (told, [before, after]) = unsafe { (&mut *ctx.cast::<Told<'_, '_>>(), [*before, *after]) };
    told.times += 1;
    let map = told.versions.map;
    // SAFETY: the map is one.
    unsafe {
        assert_eq!(kcap_versioned_map_epoch(map), after.epoch);
        assert_eq!(kcap_versioned_map_begin(map), KCAP_ERR_BUSY);
    }
    for version in [before, after] {
        told.versions.holds.lend(map, version, true);
    }
    for _ in 0..told.program.input.u8() & 3 {
        told.versions.read_step(told.program);
    }
    for version in [before, after] {
        told.versions.holds.lend(map, version, false);
    }
}

impl Program<'_> {
    /// Some steps, after the map was made if there is none.
    pub(super) fn versions(&mut self) {
        if self.objects.versions.is_none() || self.input.u8() & 31 == 31 {
            self.new_versions();
        }
        let Some(mut versions) = self.objects.versions.take() else { return };
        for _ in 0..=self.input.u8() & 15 {
            versions.step(self);
        }
        versions.holds.check(versions.map);
        self.objects.versions = Some(versions);
    }

    fn new_versions(&mut self) {
        let (promised, how) = (usize::from(self.input.u8() & 63), self.input.u8());
        let room = if how < 248 { 2 + usize::from(how & 3) } else { self.input.extreme() as usize };
        let needed = kcap_versioned_map_work_len(0, promised, room);
        let (work_len, map_len) =
            (about(&mut self.input, needed), about(&mut self.input, kcap_versioned_map_size()));
        let askew = if self.input.u8() == 255 { 4 } else { 0 };
        let (work, map) = (self.blocks.bytes(work_len + askew), self.blocks.bytes(map_len).cast());
        // SAFETY: all pointers are to what they say.
        let status = unsafe {
            kcap_versioned_map_init(map, map_len, room, work.add(askew).cast(), work_len, self.error)
        };
        if status == KCAP_OK {
            assert!(map_len >= kcap_versioned_map_size() && room >= 2 && askew == 0);
            let promised = if work_len < needed { 0 } else { promised };
            let holds = Holds::default();
            self.objects.versions =
                Some(Versions { map, holds, room, work_len, begun: false, changes: 0, promised });
        }
    }

    /// A range on a grid of few addresses, or any.
    fn range(&mut self) -> kcap_range {
        let how = self.input.u8();
        let (start, end) = if how < 0xe0 {
            let [start, len] = [(); 2].map(|()| u64::from(self.input.u8()) << 12);
            (start, start + len)
        } else {
            (self.input.extreme(), self.input.extreme())
        };
        let kind = match u32::from(how & 15) {
            0 => KCAP_RANGE_SYSTEM_RAM,
            15 => self.input.u32(),
            kind => kind,
        };
        kcap_range { start, end, kind, reserved: 0 }
    }

    /// An empty map with a table for so many ranges.
    pub(super) fn empty_map(&mut self, capacity: usize) -> *mut kcap_memory_map {
        let (len, table_len) = (kcap_memory_map_size(), capacity * 24);
        let (map, table) = (self.blocks.bytes(len).cast(), self.blocks.bytes(table_len).cast());
        // SAFETY: all pointers are to what they say.
        assert_eq!(unsafe { kcap_memory_map_init(map, len, table, table_len, null_mut()) }, KCAP_OK);
        map
    }
}

impl Versions {
    fn step(&mut self, program: &mut Program<'_>) {
        match program.input.u8() % 16 {
            0 | 1 => {
                let expected = if self.begun { KCAP_ERR_BUSY } else { KCAP_OK };
                // SAFETY: the map is one.
                assert_eq!(unsafe { kcap_versioned_map_begin(self.map) }, expected);
                self.begun = true;
            }
            2..8 => self.change(program),
            8..10 => self.commit(program),
            10 if program.input.u8() & 3 == 3 => {
                // SAFETY: the map is one.
                assert_eq!(unsafe { kcap_versioned_map_abandon(self.map) }, KCAP_OK);
                self.begun = false;
            }
            11 if program.input.u8() == 255 => no_map(program.error),
            _ => self.read_step(program),
        }
    }

    fn change(&mut self, program: &mut Program<'_>) {
        let (how, error, map) = (program.input.u8(), program.error, self.map);
        let range = program.range();
        let span = kcap_span { start: range.start, end: range.end };
        let [at, span] = [(&raw const range).cast::<c_void>(), (&raw const span).cast()]
            .map(|at| if how < 0xf8 { at } else { null() });
        // SAFETY: all pointers are to what they say.
        let status = unsafe {
            match how & 7 {
                0..5 => kcap_versioned_map_set(map, at.cast(), error),
                5 => kcap_versioned_map_add(map, at.cast(), error),
                _ => kcap_versioned_map_remove(map, span.cast(), error),
            }
        };
        // Each change so far made two ranges at most, and `add` fills the gaps around all.
        self.changes += if how & 7 == 5 { 2 * self.changes + 1 } else { 1 };
        let expected = match range.kind {
            _ if at.is_null() => KCAP_ERR_NULL,
            0 | 15.. if how & 7 < 6 => KCAP_ERR_INVALID,
            _ if !self.begun => KCAP_ERR_NOT_BEGUN,
            _ if status == KCAP_ERR_BUFFER_TOO_SMALL => {
                assert!(self.changes > self.promised);
                // SAFETY: NULL, or what was just filled in, as far as its size goes.
                let value = unsafe {
                    let whole = !error.is_null() && (*error).size >= size_of::<kcap_error>();
                    whole.then(|| (*error).value)
                };
                assert!(value.is_none_or(|value| value > self.work_len as u64));
                status
            }
            _ => KCAP_OK,
        };
        assert_eq!(status, expected);
    }

    fn commit(&mut self, program: &mut Program<'_>) {
        let (how, map) = (program.input.u8(), self.map);
        let epoch = if how & 1 == 0 { null_mut() } else { program.blocks.out::<u64>() };
        // SAFETY: the map is one.
        let before = unsafe { kcap_versioned_map_epoch(map) };
        let (full, begun) = (self.holds.count_with(before) >= self.room, self.begun);
        self.begun = false;
        let mut told = Told { versions: self, program, times: 0 };
        let observer = kcap_version_observer {
            ctx: (&raw mut told).cast(),
            published: (how < 0xf0).then_some(published),
        };
        let observer = if how & 6 == 0 { null() } else { &raw const observer };
        // SAFETY: all pointers are to what they say, and what `ctx` points at is the observer's alone for now.
        let (status, after) =
            unsafe { (kcap_versioned_map_commit(map, observer, epoch), kcap_versioned_map_epoch(map)) };
        let times = told.times;
        let observed = !observer.is_null();
        let expected = match (observed && how >= 0xf0, begun) {
            (true, _) => KCAP_ERR_NULL,
            (_, false) => KCAP_ERR_NOT_BEGUN,
            // What is as before needs no room.
            _ if full && status == KCAP_ERR_BUSY => KCAP_ERR_BUSY,
            _ => KCAP_OK,
        };
        assert_eq!((status, times), (expected, if observed { after - before } else { 0 }));
        self.begun = begun && status != KCAP_OK;
        assert!(after == before || (after == before + 1 && status == KCAP_OK && !full));
        // SAFETY: NULL, or a number.
        let said = unsafe { epoch.as_ref() };
        assert!(said.is_none_or(|&said| said == if status == KCAP_OK { after } else { 0 }));
    }
}

/// NULL for a map.
fn no_map(error: *mut kcap_error) {
    let (mut version, mut epoch, mut count) = (kcap_map_version::default(), 7_u64, 7_usize);
    let (range, span) = (kcap_range { kind: 1, ..kcap_range::default() }, kcap_span::default());
    let (at, map) = (&raw mut version, null::<kcap_versioned_map>());
    // SAFETY: all other pointers are to what they say.
    let statuses = unsafe {
        assert_eq!(kcap_versioned_map_epoch(map), 0);
        assert_eq!(kcap_versioned_map_count(map, at), 0);
        assert_eq!(kcap_versioned_map_kind_at(map, at, 0), 0);
        [
            kcap_versioned_map_begin(map),
            kcap_versioned_map_set(map, &raw const range, error),
            kcap_versioned_map_add(map, &raw const range, error),
            kcap_versioned_map_remove(map, &raw const span, error),
            kcap_versioned_map_commit(map, null(), &raw mut epoch),
            kcap_versioned_map_abandon(map),
            kcap_versioned_map_hold(map, at),
            kcap_versioned_map_release(map, at),
            kcap_versioned_map_read(map, at, 0, null_mut(), 0, &raw mut count),
            kcap_versioned_map_changes(map, at, at, 0, null_mut(), 0, &raw mut count),
            kcap_versioned_map_copy(map, at, null_mut(), error),
        ]
    };
    assert_eq!((statuses, epoch, count), ([KCAP_ERR_NULL; 11], 7, 7));
}
