//! Memory that comes and goes on pseries: the list of logical memory blocks (LMBs) in a flattened device tree, changed where it
//! lies.
//!
//! The list is one of two properties of `/ibm,dynamic-reconfiguration-memory`: `ibm,dynamic-memory`, an entry for each LMB, or
//! `ibm,dynamic-memory-v2`, an entry for each set of LMBs one behind the other that are alike.

use core::ffi::c_void;
use core::mem::size_of;

use kexec_core::drmem::{Change, DynamicMemory, Layout, Lmb, LmbSet};
use vmcore_format::PhysAddr;

use crate::error::{answer, kcap_error};
use crate::map::kcap_memory_map;
use crate::ptr;
use crate::status::{Failure, KCAP_ERR_NOT_FOUND, kcap_status};

/// The layout of the list: `KCAP_DRMEM_V1` or `KCAP_DRMEM_V2`.
pub type kcap_drmem_layout = u32;

/// `ibm,dynamic-memory`.
pub const KCAP_DRMEM_V1: kcap_drmem_layout = 1;
/// `ibm,dynamic-memory-v2`.
pub const KCAP_DRMEM_V2: kcap_drmem_layout = 2;

/// A flag of an LMB: it belongs to this partition, there is memory.
pub const KCAP_LMB_ASSIGNED: u32 = 0x8;
/// A flag of an LMB: its associativity index says nothing.
pub const KCAP_LMB_AI_INVALID: u32 = 0x40;
/// A flag of an LMB: it is not for use, whatever else it says.
pub const KCAP_LMB_RESERVED: u32 = 0x80;
/// A flag of an LMB: it may be taken away again.
pub const KCAP_LMB_HOTREMOVABLE: u32 = 0x100;
/// The associativity index of an LMB that has none: Linux writes it when it removes an LMB.
pub const KCAP_LMB_NO_ASSOCIATIVITY: u32 = 0xffff_ffff;

const _: () = assert!(
    KCAP_LMB_ASSIGNED == kexec_core::drmem::DRCONF_MEM_ASSIGNED
        && KCAP_LMB_AI_INVALID == kexec_core::drmem::DRCONF_MEM_AI_INVALID
        && KCAP_LMB_RESERVED == kexec_core::drmem::DRCONF_MEM_RESERVED
        && KCAP_LMB_HOTREMOVABLE == kexec_core::drmem::DRCONF_MEM_HOTREMOVABLE
        && KCAP_LMB_NO_ASSOCIATIVITY == kexec_core::drmem::NO_ASSOCIATIVITY
);

/// Some LMBs one behind the other: addresses go up by the size of an LMB and DRC indexes by 1, the rest is the same.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[repr(C)]
pub struct kcap_lmb_set {
    /// The address of the first LMB.
    pub base_addr: u64,
    /// How many LMBs.
    pub seq_lmbs: u32,
    /// The DRC index of the first LMB.
    pub drc_index: u32,
    /// The row in `ibm,associativity-lookup-arrays`.
    pub aa_index: u32,
    /// `KCAP_LMB_` bits, and others of the firmware's.
    pub flags: u32,
}

impl From<LmbSet> for kcap_lmb_set {
    fn from(set: LmbSet) -> Self {
        Self { seq_lmbs: set.seq_lmbs, ..set.first.into() }
    }
}

impl From<Lmb> for kcap_lmb_set {
    fn from(lmb: Lmb) -> Self {
        let Lmb { base_addr, drc_index, aa_index, flags } = lmb;
        Self { base_addr: base_addr.0, seq_lmbs: 1, drc_index, aa_index, flags }
    }
}

/// New flags for some LMBs one behind the other.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[repr(C)]
pub struct kcap_lmb_change {
    /// The address of the first LMB.
    pub base_addr: u64,
    /// How many LMBs; with 0 nothing changes.
    pub seq_lmbs: u32,
    /// `KCAP_LMB_` bits that are cleared.
    pub clear: u32,
    /// `KCAP_LMB_` bits that are set, after the others are cleared.
    pub set: u32,
    /// The new associativity index, where `has_aa_index` says so.
    pub aa_index: u32,
    /// 1 where `aa_index` holds, 0 where the index stays as it is.
    pub has_aa_index: u32,
    /// 0.
    pub reserved: u32,
}

impl From<&kcap_lmb_change> for Change {
    fn from(change: &kcap_lmb_change) -> Self {
        Self {
            base_addr: PhysAddr(change.base_addr),
            seq_lmbs: change.seq_lmbs,
            clear: change.clear,
            set: change.set,
            aa_index: (change.has_aa_index != 0).then_some(change.aa_index),
        }
    }
}

/// The LMBs of a flattened device tree, and the tree itself. It keeps the buffer of the tree, which nothing else changes meanwhile.
#[derive(Debug)]
pub struct kcap_drmem {
    memory: DynamicMemory<'static>,
}

/// The size of a `kcap_drmem`, in bytes.
#[unsafe(no_mangle)]
pub extern "C" fn kcap_drmem_size() -> usize {
    size_of::<kcap_drmem>()
}

/// What the address of a `kcap_drmem` must be a multiple of.
#[unsafe(no_mangle)]
pub extern "C" fn kcap_drmem_align() -> usize {
    align_of::<kcap_drmem>()
}

/// Opens the tree at the start of the `buffer_len` bytes at `buffer`, in the `drmem_len` bytes at `drmem`. What is behind the tree in
/// the buffer is room to grow. The tree is read once; changes do not read it again. `error` may be NULL.
///
/// Errors: `KCAP_ERR_NOT_FOUND` for a tree without such a list; `KCAP_ERR_CORRUPT` and `KCAP_ERR_UNSUPPORTED` for no tree, a damaged
/// one, a list that is not in order or has sets without LMBs; `KCAP_ERR_BUFFER_TOO_SMALL` (`value`: bytes for
/// `drmem`), `KCAP_ERR_NULL`, `KCAP_ERR_ALIGNMENT`, `KCAP_ERR_LENGTH`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kcap_drmem_init(
    drmem: *mut kcap_drmem,
    drmem_len: usize,
    buffer: *mut u8,
    buffer_len: usize,
    error: *mut kcap_error,
) -> kcap_status {
    answer(error, || {
        let place = ptr::object(drmem, drmem_len)?;
        let memory = DynamicMemory::open(ptr::slice_mut(buffer, buffer_len)?)?;
        place.put(kcap_drmem { memory });
        Ok(())
    })
}

/// The layout of the list; 0 for NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kcap_drmem_get_layout(drmem: *const kcap_drmem) -> kcap_drmem_layout {
    ptr::get(drmem).map_or(0, |drmem| match drmem.memory.table().layout() {
        Layout::V1 => KCAP_DRMEM_V1,
        Layout::V2 => KCAP_DRMEM_V2,
    })
}

/// The size of an LMB in bytes; 0 for NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kcap_drmem_lmb_size(drmem: *const kcap_drmem) -> u64 {
    ptr::get(drmem).map_or(0, |drmem| drmem.memory.table().lmb_size())
}

/// How many LMBs there are, of whatever flags; 0 for NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kcap_drmem_lmb_count(drmem: *const kcap_drmem) -> u64 {
    ptr::get(drmem).map_or(0, |drmem| drmem.memory.table().lmb_count())
}

/// How many sets there are, which is how many entries the property has; 0 for NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kcap_drmem_set_count(drmem: *const kcap_drmem) -> usize {
    ptr::get(drmem).map_or(0, |drmem| drmem.memory.table().set_count())
}

/// The bytes of the tree as it is now, from the start of its buffer; 0 for NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kcap_drmem_tree_len(drmem: *const kcap_drmem) -> usize {
    ptr::get(drmem).map_or(0, |drmem| drmem.memory.tree().map_or(0, <[u8]>::len))
}

/// Writes set number `index`, in ascending order and from 0, to `set`. In v1 a set has one LMB.
///
/// Errors: `KCAP_ERR_NOT_FOUND` past the last one, `KCAP_ERR_NULL`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kcap_drmem_get_set(
    drmem: *const kcap_drmem,
    index: usize,
    set: *mut kcap_lmb_set,
) -> kcap_status {
    answer(core::ptr::null_mut(), || {
        let drmem = ptr::get(drmem)?;
        let place = ptr::out(set)?;
        place.put(drmem.memory.table().set(index).ok_or(KCAP_ERR_NOT_FOUND)?.into());
        Ok(())
    })
}

/// Writes the LMB that holds `address` to `lmb`, as a set of one. It takes O(log entries).
///
/// Errors: `KCAP_ERR_NOT_FOUND`, `KCAP_ERR_NULL`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kcap_drmem_find(
    drmem: *const kcap_drmem,
    address: u64,
    lmb: *mut kcap_lmb_set,
) -> kcap_status {
    answer(core::ptr::null_mut(), || {
        let drmem = ptr::get(drmem)?;
        let place = ptr::out(lmb)?;
        place.put(drmem.memory.table().find(PhysAddr(address)).ok_or(KCAP_ERR_NOT_FOUND)?.into());
        Ok(())
    })
}

/// Writes the LMB of a DRC index to `lmb`, as a set of one. It takes O(log entries) where DRC indexes go up with the addresses.
///
/// Errors: `KCAP_ERR_NOT_FOUND`, `KCAP_ERR_NULL`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kcap_drmem_find_drc(
    drmem: *const kcap_drmem,
    drc_index: u32,
    lmb: *mut kcap_lmb_set,
) -> kcap_status {
    answer(core::ptr::null_mut(), || {
        let drmem = ptr::get(drmem)?;
        let place = ptr::out(lmb)?;
        place.put(drmem.memory.table().find_drc(drc_index).ok_or(KCAP_ERR_NOT_FOUND)?.into());
        Ok(())
    })
}

/// The bytes of work that `count` changes need; they are aligned to 8.
#[unsafe(no_mangle)]
pub extern "C" fn kcap_drmem_apply_work(count: usize) -> usize {
    size_of::<Change>().saturating_mul(count)
}

/// Makes the `count` changes at `changes`, in any order: all of them or, after an error, none. Sets are split and joined as needed.
/// With k changes and s sets it takes O(k log s) and the sets that change; where the number of sets changes, what is behind the first
/// of them moves, at most twice for all changes.
///
/// `work`, of `work_len` bytes, is used during the call only. `error` may be NULL.
///
/// Errors: `KCAP_ERR_NOT_FOUND` (`value`: the address) where no LMB starts; `KCAP_ERR_UNSUPPORTED` (`value`: the address) for an LMB in
/// two changes; `KCAP_ERR_BUFFER_TOO_SMALL` (`value`: bytes for the tree's buffer, or, with the field `work`, for `work`); `KCAP_ERR_NULL`,
/// `KCAP_ERR_ALIGNMENT`, `KCAP_ERR_LENGTH`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kcap_drmem_apply(
    drmem: *mut kcap_drmem,
    changes: *const kcap_lmb_change,
    count: usize,
    work: *mut c_void,
    work_len: usize,
    error: *mut kcap_error,
) -> kcap_status {
    answer(error, || {
        let changes = ptr::slice(changes, count)?;
        let drmem = ptr::get_mut(drmem)?;
        let none = Change::release(PhysAddr(0), 0);
        let table = ptr::table(work, work_len, none)?;
        let needed = kcap_drmem_apply_work(count);
        let table =
            table.get_mut(..count).ok_or_else(|| Failure { field: "work", ..Failure::too_small(needed) })?;
        for (place, change) in table.iter_mut().zip(changes) {
            *place = change.into();
        }
        Ok(drmem.memory.apply(table)?)
    })
}

/// Gives the list the other layout, and the property its name. The reserved words of v1 are lost.
///
/// Errors: `KCAP_ERR_INVALID` (`layout`), `KCAP_ERR_BUFFER_TOO_SMALL` (`value`: bytes for the tree's buffer), `KCAP_ERR_NULL`. The tree is
/// then as it was.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kcap_drmem_convert(
    drmem: *mut kcap_drmem,
    layout: kcap_drmem_layout,
    error: *mut kcap_error,
) -> kcap_status {
    answer(error, || {
        let layout = match layout {
            KCAP_DRMEM_V1 => Layout::V1,
            KCAP_DRMEM_V2 => Layout::V2,
            other => return Err(Failure::invalid("layout", other.into())),
        };
        Ok(ptr::get_mut(drmem)?.memory.convert(layout)?)
    })
}

/// Says in `linux,drconf-usable-memory` that of all LMBs exactly the `System RAM` of `usable` may be used by a capture kernel.
/// With NULL for `usable` the property is taken out of the tree.
///
/// Errors: `KCAP_ERR_BUFFER_TOO_SMALL` (`value`: bytes for the tree's buffer), `KCAP_ERR_NULL`. The tree is then as it was.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kcap_drmem_set_usable(
    drmem: *mut kcap_drmem,
    usable: *const kcap_memory_map,
    error: *mut kcap_error,
) -> kcap_status {
    answer(error, || {
        let memory = &mut ptr::get_mut(drmem)?.memory;
        if usable.is_null() {
            return Ok(memory.clear_usable_memory()?);
        }
        Ok(memory.set_usable_memory(&ptr::get(usable)?.map)?)
    })
}

#[cfg(test)]
mod tests;
