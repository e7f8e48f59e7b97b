//! LMBs, sets of them, and their 24 bytes in a property.

use vmcore_format::PhysAddr;
use zerocopy::byteorder::big_endian::{U32, U64};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

/// The LMB belongs to this partition: there is memory.
pub const DRCONF_MEM_ASSIGNED: u32 = 0x8;
/// The associativity index says nothing.
pub const DRCONF_MEM_AI_INVALID: u32 = 0x40;
/// The LMB is not for use, whatever else it says.
pub const DRCONF_MEM_RESERVED: u32 = 0x80;
/// The LMB may be taken away again.
pub const DRCONF_MEM_HOTREMOVABLE: u32 = 0x100;
/// The associativity index of an LMB that has none: Linux writes it when it removes an LMB.
pub const NO_ASSOCIATIVITY: u32 = u32::MAX;

/// The layout of the property.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Layout {
    /// `ibm,dynamic-memory`: an entry for each LMB.
    V1,
    /// `ibm,dynamic-memory-v2`: an entry for each set of LMBs.
    V2,
}

/// A logical memory block.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Lmb {
    /// Its first address, in bytes.
    pub base_addr: PhysAddr,
    /// Its number with the firmware's connectors (DRC); 0 for one that cannot go.
    pub drc_index: u32,
    /// Its row in `ibm,associativity-lookup-arrays`.
    pub aa_index: u32,
    /// `DRCONF_MEM_` bits, and others of the firmware's.
    pub flags: u32,
}

impl Lmb {
    /// Whether it is memory that a kernel uses: assigned and not reserved.
    #[must_use]
    pub const fn is_usable(&self) -> bool {
        self.flags & (DRCONF_MEM_ASSIGNED | DRCONF_MEM_RESERVED) == DRCONF_MEM_ASSIGNED
    }
}

/// Some LMBs one behind the other that differ in nothing but address and DRC index, which go up together. An entry of
/// `ibm,dynamic-memory` is a set of one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct LmbSet {
    /// How many LMBs; not 0.
    pub seq_lmbs: u32,
    /// The first of them.
    pub first: Lmb,
}

impl LmbSet {
    /// The LMB of number `index` in the set, from 0; `None` past the last one.
    #[must_use]
    pub fn get(&self, index: u32, lmb_size: u64) -> Option<Lmb> {
        (index < self.seq_lmbs).then_some(Lmb {
            base_addr: PhysAddr(self.first.base_addr.0.wrapping_add(u64::from(index).wrapping_mul(lmb_size))),
            drc_index: self.first.drc_index.wrapping_add(index),
            ..self.first
        })
    }

    /// The address behind the last LMB; `None` where that is no address.
    pub(super) fn end(&self, lmb_size: u64) -> Option<u64> {
        self.first.base_addr.0.checked_add(u64::from(self.seq_lmbs).checked_mul(lmb_size)?)
    }

    /// The number, in the set, of the LMB that holds `address`.
    pub(super) fn index_of(&self, address: PhysAddr, lmb_size: u64) -> Option<u32> {
        let offset = address.0.checked_sub(self.first.base_addr.0)?;
        let index = u32::try_from(offset.checked_div(lmb_size)?).ok()?;
        (index < self.seq_lmbs).then_some(index)
    }

    /// The first `count` LMBs, and the others. No set where there would be no LMB.
    pub(super) fn split(self, count: u32, lmb_size: u64) -> (Option<Self>, Option<Self>) {
        let count = count.min(self.seq_lmbs);
        let before = (count > 0).then_some(Self { seq_lmbs: count, ..self });
        let after = self
            .get(count, lmb_size)
            .map(|first| Self { seq_lmbs: self.seq_lmbs.saturating_sub(count), first });
        (before, after)
    }

    /// Both as one set, where `next` goes on as this one ends.
    pub(super) fn join(self, next: Self, lmb_size: u64) -> Option<Self> {
        let goes_on = Some(next.first.base_addr.0) == self.end(lmb_size)
            && Some(next.first.drc_index) == self.first.drc_index.checked_add(self.seq_lmbs)
            && (next.first.aa_index, next.first.flags) == (self.first.aa_index, self.first.flags);
        let seq_lmbs = self.seq_lmbs.checked_add(next.seq_lmbs).filter(|_| goes_on)?;
        Some(Self { seq_lmbs, ..self })
    }
}

/// An entry of `ibm,dynamic-memory`.
#[derive(Debug, Clone, Copy, FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
pub(super) struct CellV1 {
    pub(super) base_addr: U64,
    pub(super) drc_index: U32,
    pub(super) reserved: U32,
    pub(super) aa_index: U32,
    pub(super) flags: U32,
}

/// An entry of `ibm,dynamic-memory-v2`.
#[derive(Debug, Clone, Copy, FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
pub(super) struct CellV2 {
    pub(super) seq_lmbs: U32,
    pub(super) base_addr: U64,
    pub(super) drc_index: U32,
    pub(super) aa_index: U32,
    pub(super) flags: U32,
}

/// Bytes of an entry, in both layouts.
pub(super) const CELL: usize = size_of::<CellV2>();
const _: () = assert!(CELL == 24 && size_of::<CellV1>() == CELL);

impl From<CellV1> for LmbSet {
    fn from(cell: CellV1) -> Self {
        let first = Lmb {
            base_addr: PhysAddr(cell.base_addr.get()),
            drc_index: cell.drc_index.get(),
            aa_index: cell.aa_index.get(),
            flags: cell.flags.get(),
        };
        Self { seq_lmbs: 1, first }
    }
}

impl From<CellV2> for LmbSet {
    fn from(cell: CellV2) -> Self {
        let first = Lmb {
            base_addr: PhysAddr(cell.base_addr.get()),
            drc_index: cell.drc_index.get(),
            aa_index: cell.aa_index.get(),
            flags: cell.flags.get(),
        };
        Self { seq_lmbs: cell.seq_lmbs.get(), first }
    }
}

impl From<Lmb> for CellV1 {
    fn from(lmb: Lmb) -> Self {
        Self {
            base_addr: lmb.base_addr.0.into(),
            drc_index: lmb.drc_index.into(),
            reserved: U32::ZERO,
            aa_index: lmb.aa_index.into(),
            flags: lmb.flags.into(),
        }
    }
}

impl From<LmbSet> for CellV2 {
    fn from(set: LmbSet) -> Self {
        Self {
            seq_lmbs: set.seq_lmbs.into(),
            base_addr: set.first.base_addr.0.into(),
            drc_index: set.first.drc_index.into(),
            aa_index: set.first.aa_index.into(),
            flags: set.first.flags.into(),
        }
    }
}

/// The entries of a property.
#[derive(Debug, Clone, Copy)]
pub(super) enum Cells<'a> {
    V1(&'a [CellV1]),
    V2(&'a [CellV2]),
}

impl<'a> Cells<'a> {
    /// Takes bytes for entries: as many as are whole.
    pub(super) fn of(layout: Layout, bytes: &'a [u8]) -> Self {
        match layout {
            Layout::V1 => Self::V1(<[CellV1]>::ref_from_bytes(whole(bytes)).unwrap_or_default()),
            Layout::V2 => Self::V2(<[CellV2]>::ref_from_bytes(whole(bytes)).unwrap_or_default()),
        }
    }

    pub(super) fn len(self) -> usize {
        match self {
            Self::V1(cells) => cells.len(),
            Self::V2(cells) => cells.len(),
        }
    }

    pub(super) fn get(self, index: usize) -> Option<LmbSet> {
        match self {
            Self::V1(cells) => cells.get(index).copied().map(LmbSet::from),
            Self::V2(cells) => cells.get(index).copied().map(LmbSet::from),
        }
    }

    /// How many entries at the front have a set that `is_before`; all those come first.
    pub(super) fn partition_point(self, is_before: impl Fn(&LmbSet) -> bool) -> usize {
        match self {
            Self::V1(cells) => cells.partition_point(|cell| is_before(&(*cell).into())),
            Self::V2(cells) => cells.partition_point(|cell| is_before(&(*cell).into())),
        }
    }

    /// The number of the first entry, from entry number `from` on, that starts above `address`: in O(log of how far it is), so that
    /// a batch of many changes does not search the whole list for each.
    pub(super) fn partition_point_from(self, from: usize, address: PhysAddr) -> usize {
        let is_before = |set: &LmbSet| set.first.base_addr <= address;
        let (mut start, mut step) = (from, 1_usize);
        while self.get(start.saturating_add(step)).as_ref().is_some_and(is_before) {
            start = start.saturating_add(step);
            step = step.saturating_mul(2);
        }
        let end = start.saturating_add(step).min(self.len());
        let near = match self {
            Self::V1(cells) => Self::V1(cells.get(start..end).unwrap_or_default()),
            Self::V2(cells) => Self::V2(cells.get(start..end).unwrap_or_default()),
        };
        near.partition_point(is_before).saturating_add(start)
    }
}

fn whole(bytes: &[u8]) -> &[u8] {
    let len = bytes.len().checked_div(CELL).unwrap_or(0).saturating_mul(CELL);
    bytes.get(..len).unwrap_or_default()
}
