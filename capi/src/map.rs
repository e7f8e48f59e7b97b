//! The memory map: what lies where in physical memory.

use core::ffi::{CStr, c_char, c_void};

use kexec_core::map::{Beneath, MemoryMap, Range, RangeKind, Span};
use vmcore_format::PhysAddr;

use crate::error::{answer, kcap_error};
use crate::ptr;
use crate::status::{Failure, KCAP_ERR_NOT_FOUND, kcap_status};

/// What a range of physical memory is: one of the `KCAP_RANGE_` numbers.
pub type kcap_range_kind = u32;

/// RAM that the kernel uses freely: `System RAM`.
pub const KCAP_RANGE_SYSTEM_RAM: kcap_range_kind = 1;
/// RAM that a driver brought and may take away: `System RAM (kmem)`, `System RAM (virtio_mem)`. Part of a dump, no place
/// for a kernel.
pub const KCAP_RANGE_DRIVER_MANAGED_RAM: kcap_range_kind = 2;
/// RAM that holds what must stay in place: part of a dump, no place for a kernel.
pub const KCAP_RANGE_RESERVED_RAM: kcap_range_kind = 3;
/// RAM that was set aside for a crash kernel (`Crash kernel`): the place for one, no part of a dump.
pub const KCAP_RANGE_CRASH_KERNEL: kcap_range_kind = 4;
/// No RAM, or RAM of the firmware (`Reserved`).
pub const KCAP_RANGE_RESERVED: kcap_range_kind = 5;
/// Tables of the firmware, free once they were read (`ACPI Tables`).
pub const KCAP_RANGE_ACPI_TABLES: kcap_range_kind = 6;
/// Memory of the firmware that must outlive sleep (`ACPI Non-volatile Storage`).
pub const KCAP_RANGE_ACPI_NVS: kcap_range_kind = 7;
/// Memory with errors (`Unusable memory`).
pub const KCAP_RANGE_UNUSABLE: kcap_range_kind = 8;
/// Persistent memory (`Persistent Memory`, E820 type 7).
pub const KCAP_RANGE_PERSISTENT: kcap_range_kind = 9;
/// Persistent memory of the kind before NFIT (`Persistent Memory (legacy)`, E820 type 12).
pub const KCAP_RANGE_PERSISTENT_LEGACY: kcap_range_kind = 10;
/// Memory set aside for a purpose of its own (`Soft Reserved`).
pub const KCAP_RANGE_SOFT_RESERVED: kcap_range_kind = 11;
/// `KCAP_RANGE_DRIVER_MANAGED_RAM` that the driver `kmem` made of `KCAP_RANGE_PERSISTENT`, as firmware tells of it.
pub const KCAP_RANGE_DRIVER_MANAGED_PERSISTENT: kcap_range_kind = 12;
/// `KCAP_RANGE_DRIVER_MANAGED_RAM` that the driver `kmem` made of `KCAP_RANGE_PERSISTENT_LEGACY`.
pub const KCAP_RANGE_DRIVER_MANAGED_PERSISTENT_LEGACY: kcap_range_kind = 13;
/// `KCAP_RANGE_DRIVER_MANAGED_RAM` that the driver `kmem` made of `KCAP_RANGE_SOFT_RESERVED`.
pub const KCAP_RANGE_DRIVER_MANAGED_SOFT_RESERVED: kcap_range_kind = 14;

/// Kinds as a set, bit n for kind n: all that the kernel counts as its RAM.
pub const KCAP_RANGES_RAM: u32 = 0x701e;
/// Kinds as a set, bit n for kind n: the RAM that a dump of the machine holds.
pub const KCAP_RANGES_DUMPED: u32 = 0x700e;

const KINDS: [(kcap_range_kind, RangeKind); 14] = [
    (KCAP_RANGE_SYSTEM_RAM, RangeKind::SystemRam),
    (KCAP_RANGE_DRIVER_MANAGED_RAM, RangeKind::DriverManagedRam(Beneath::Nothing)),
    (KCAP_RANGE_RESERVED_RAM, RangeKind::ReservedRam),
    (KCAP_RANGE_CRASH_KERNEL, RangeKind::CrashKernel),
    (KCAP_RANGE_RESERVED, RangeKind::Reserved),
    (KCAP_RANGE_ACPI_TABLES, RangeKind::AcpiTables),
    (KCAP_RANGE_ACPI_NVS, RangeKind::AcpiNvs),
    (KCAP_RANGE_UNUSABLE, RangeKind::Unusable),
    (KCAP_RANGE_PERSISTENT, RangeKind::Persistent),
    (KCAP_RANGE_PERSISTENT_LEGACY, RangeKind::PersistentLegacy),
    (KCAP_RANGE_SOFT_RESERVED, RangeKind::SoftReserved),
    (KCAP_RANGE_DRIVER_MANAGED_PERSISTENT, RangeKind::DriverManagedRam(Beneath::Persistent)),
    (KCAP_RANGE_DRIVER_MANAGED_PERSISTENT_LEGACY, RangeKind::DriverManagedRam(Beneath::PersistentLegacy)),
    (KCAP_RANGE_DRIVER_MANAGED_SOFT_RESERVED, RangeKind::DriverManagedRam(Beneath::SoftReserved)),
];

/// The kind of a number that C gave as `kind`.
pub(crate) fn kind_of(number: kcap_range_kind) -> Result<RangeKind, Failure> {
    let known = KINDS.iter().find(|(known, _)| *known == number);
    known.map(|&(_, kind)| kind).ok_or(Failure::invalid("kind", number.into()))
}

/// The number of a kind.
pub(crate) fn number_of(kind: RangeKind) -> kcap_range_kind {
    KINDS.iter().find(|(_, known)| *known == kind).map_or(0, |&(number, _)| number)
}

/// The name of a kind of memory, as in `/proc/iomem`: a string of the library's own, "unknown" for a number that is no kind.
#[unsafe(no_mangle)]
pub extern "C" fn kcap_range_kind_str(kind: kcap_range_kind) -> *const c_char {
    let name: &CStr = match kind {
        KCAP_RANGE_SYSTEM_RAM => c"System RAM",
        KCAP_RANGE_DRIVER_MANAGED_RAM
        | KCAP_RANGE_DRIVER_MANAGED_PERSISTENT
        | KCAP_RANGE_DRIVER_MANAGED_PERSISTENT_LEGACY
        | KCAP_RANGE_DRIVER_MANAGED_SOFT_RESERVED => c"driver-managed RAM",
        KCAP_RANGE_RESERVED_RAM => c"reserved RAM",
        KCAP_RANGE_CRASH_KERNEL => c"Crash kernel",
        KCAP_RANGE_RESERVED => c"Reserved",
        KCAP_RANGE_ACPI_TABLES => c"ACPI Tables",
        KCAP_RANGE_ACPI_NVS => c"ACPI Non-volatile Storage",
        KCAP_RANGE_UNUSABLE => c"Unusable memory",
        KCAP_RANGE_PERSISTENT => c"Persistent Memory",
        KCAP_RANGE_PERSISTENT_LEGACY => c"Persistent Memory (legacy)",
        KCAP_RANGE_SOFT_RESERVED => c"Soft Reserved",
        _ => c"unknown",
    };
    name.as_ptr()
}

/// Physical addresses, half open: from `start` up to, and not including, `end`. Empty where `end` is not above `start`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[repr(C)]
pub struct kcap_span {
    /// The first address.
    pub start: u64,
    /// The first address past the end.
    pub end: u64,
}

const _: () = assert!(size_of::<kcap_span>() == size_of::<Span>());

impl From<Span> for kcap_span {
    fn from(span: Span) -> Self {
        Self { start: span.start.0, end: span.end.0 }
    }
}

impl From<kcap_span> for Span {
    fn from(span: kcap_span) -> Self {
        Self::new(span.start, span.end)
    }
}

/// A range of physical memory that is all of one kind.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[repr(C)]
pub struct kcap_range {
    /// The first address.
    pub start: u64,
    /// The first address past the end.
    pub end: u64,
    /// What the memory is: a `KCAP_RANGE_` number.
    pub kind: kcap_range_kind,
    /// 0.
    pub reserved: u32,
}

impl From<Range> for kcap_range {
    fn from(range: Range) -> Self {
        Self { start: range.start.0, end: range.end.0, kind: number_of(range.kind), reserved: 0 }
    }
}

impl kcap_range {
    pub(crate) fn read(self) -> Result<Range, Failure> {
        Ok(Range::new(Span::new(self.start, self.end), kind_of(self.kind)?))
    }
}

/// The physical memory of a machine: ranges in ascending order, none empty, none overlapping, and no two that touch of the
/// same kind. It keeps the memory for its ranges.
#[derive(Debug)]
pub struct kcap_memory_map {
    pub(crate) map: MemoryMap<'static>,
}

/// A failure of an operation on the map, the room needed in bytes.
pub(crate) fn failure(error: kexec_core::Error) -> Failure {
    Failure::from(error).in_entries_of::<Range>()
}

/// The size of a `kcap_memory_map`, in bytes.
#[unsafe(no_mangle)]
pub extern "C" fn kcap_memory_map_size() -> usize {
    size_of::<kcap_memory_map>()
}

/// What the address of a `kcap_memory_map` must be a multiple of.
#[unsafe(no_mangle)]
pub extern "C" fn kcap_memory_map_align() -> usize {
    align_of::<kcap_memory_map>()
}

/// Makes an empty map, in the `map_len` bytes at `map`.
///
/// `table`, of `table_len` bytes and aligned to 8, takes the ranges: 24 bytes do for each. It is used for as long as `map` is.
/// `error` may be NULL.
///
/// Errors: `KCAP_ERR_BUFFER_TOO_SMALL` (`value`: bytes for `map`), `KCAP_ERR_NULL`, `KCAP_ERR_ALIGNMENT`, `KCAP_ERR_LENGTH`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kcap_memory_map_init(
    map: *mut kcap_memory_map,
    map_len: usize,
    table: *mut c_void,
    table_len: usize,
    error: *mut kcap_error,
) -> kcap_status {
    answer(error, || {
        let place = ptr::object(map, map_len)?;
        let table = ptr::table(table, table_len, Range::EMPTY)?;
        place.put(kcap_memory_map { map: MemoryMap::new(table) });
        Ok(())
    })
}

/// The number of ranges in `map`; 0 for NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kcap_memory_map_count(map: *const kcap_memory_map) -> usize {
    ptr::get(map).map_or(0, |map| map.map.ranges().len())
}

/// The number of ranges that `map` has room for; 0 for NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kcap_memory_map_capacity(map: *const kcap_memory_map) -> usize {
    ptr::get(map).map_or(0, |map| map.map.capacity())
}

/// Writes range number `index` of `map`, in ascending order and from 0, to `range`.
///
/// Errors: `KCAP_ERR_NOT_FOUND` past the last one, `KCAP_ERR_NULL`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kcap_memory_map_get_range(
    map: *const kcap_memory_map,
    index: usize,
    range: *mut kcap_range,
) -> kcap_status {
    answer(core::ptr::null_mut(), || {
        let map = ptr::get(map)?;
        let place = ptr::out(range)?;
        let found = *map.map.ranges().get(index).ok_or(KCAP_ERR_NOT_FOUND)?;
        place.put(found.into());
        Ok(())
    })
}

/// What lies at `address`: a `KCAP_RANGE_` number, 0 where `map` says nothing.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kcap_memory_map_kind_at(
    map: *const kcap_memory_map,
    address: u64,
) -> kcap_range_kind {
    let map = ptr::get(map).ok();
    map.and_then(|map| map.map.kind_at(PhysAddr(address))).map_or(0, number_of)
}

/// How many bytes are of this kind; 0 for NULL and for a number that is no kind.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kcap_memory_map_total(map: *const kcap_memory_map, kind: kcap_range_kind) -> u64 {
    let map = ptr::get(map);
    map.and_then(|map| Ok(map.map.total(kind_of(kind)?))).unwrap_or(0)
}

/// Writes to `span` the first addresses from `from` on that are of the kinds in `kinds` (bit n for kind n, as in
/// `KCAP_RANGES_RAM`). Ranges that touch come as one.
///
/// All of them, in ascending order: `for (from = 0; kcap_memory_map_next(map, kinds, from, &span) == KCAP_OK; from = span.end)`.
///
/// Errors: `KCAP_END` where there are none left, `KCAP_ERR_NULL`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kcap_memory_map_next(
    map: *const kcap_memory_map,
    kinds: u32,
    from: u64,
    span: *mut kcap_span,
) -> kcap_status {
    answer(core::ptr::null_mut(), || {
        let map = ptr::get(map)?;
        let place = ptr::out(span)?;
        let wanted = |range: &&Range| kinds.checked_shr(number_of(range.kind)).unwrap_or(0) & 1 != 0;
        let ranges = map.map.ranges();
        let first = ranges.partition_point(|range| range.end.0 <= from);
        let mut left = ranges.get(first..).unwrap_or_default().iter().skip_while(|range| !wanted(range));
        let mut found = left.next().ok_or(crate::status::KCAP_END)?.span();
        found.start = found.start.max(PhysAddr(from));
        for range in left.take_while(wanted) {
            if range.start != found.end {
                break;
            }
            found.end = range.end;
        }
        place.put(found.into());
        Ok(())
    })
}

/// Says that `range` is of its kind, whatever `map` said of it before. An empty range changes nothing.
///
/// Errors: `KCAP_ERR_BUFFER_TOO_SMALL` (`value`: bytes for the table), `KCAP_ERR_INVALID` (`kind`), `KCAP_ERR_NULL`. `map` is
/// then as it was.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kcap_memory_map_set(
    map: *mut kcap_memory_map,
    range: *const kcap_range,
    error: *mut kcap_error,
) -> kcap_status {
    answer(error, || {
        let range = ptr::get(range)?.read()?;
        ptr::get_mut(map)?.map.set(range).map_err(failure)
    })
}

/// Says that `range` is of its kind where `map` says nothing yet.
///
/// Errors: as for `kcap_memory_map_set`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kcap_memory_map_add(
    map: *mut kcap_memory_map,
    range: *const kcap_range,
    error: *mut kcap_error,
) -> kcap_status {
    answer(error, || {
        let range = ptr::get(range)?.read()?;
        ptr::get_mut(map)?.map.add(range).map_err(failure)
    })
}

/// Forgets what lies in `span`.
///
/// Errors: `KCAP_ERR_BUFFER_TOO_SMALL` where a range is split and the table is full, `KCAP_ERR_NULL`. `map` is then as it was.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kcap_memory_map_remove(
    map: *mut kcap_memory_map,
    span: *const kcap_span,
    error: *mut kcap_error,
) -> kcap_status {
    answer(error, || {
        let span = *ptr::get(span)?;
        ptr::get_mut(map)?.map.remove(span.into()).map_err(failure)
    })
}

/// Says that all memory of the kind `from` is of the kind `to`.
///
/// Errors: `KCAP_ERR_INVALID` (`kind`), `KCAP_ERR_NULL`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kcap_memory_map_replace_kind(
    map: *mut kcap_memory_map,
    from: kcap_range_kind,
    to: kcap_range_kind,
) -> kcap_status {
    answer(core::ptr::null_mut(), || {
        let (from, to) = (kind_of(from)?, kind_of(to)?);
        ptr::get_mut(map)?.map.replace_kind(from, to);
        Ok(())
    })
}

/// Forgets every range.
///
/// Errors: `KCAP_ERR_NULL`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kcap_memory_map_clear(map: *mut kcap_memory_map) -> kcap_status {
    answer(core::ptr::null_mut(), || {
        ptr::get_mut(map)?.map.clear();
        Ok(())
    })
}

#[cfg(test)]
mod tests;
