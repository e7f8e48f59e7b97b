//! The list of LMBs in the bytes of a property.

use super::lmb::{CELL, CellV1, CellV2, Cells, Layout, Lmb, LmbSet};
use crate::bytes::{len_of, too_small};
use crate::{Error, Field};
use vmcore_format::PhysAddr;
use zerocopy::IntoBytes;

/// Bytes of the number of entries, at the start of a property.
pub(super) const COUNT: usize = 4;

/// The LMBs of a machine, in the bytes of `ibm,dynamic-memory` or `ibm,dynamic-memory-v2`. They were checked when the table was
/// read: LMBs do not overlap and come in the order of their addresses.
#[derive(Debug, Clone, Copy)]
pub struct Table<'a> {
    pub(super) layout: Layout,
    pub(super) lmb_size: u64,
    pub(super) cells: Cells<'a>,
    pub(super) facts: Facts,
}

/// What is known of the entries once they were read; changes of flags do not change it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Facts {
    /// How many LMBs.
    pub(super) lmbs: u64,
    /// Whether DRC indexes go up with the addresses.
    pub(super) drc_rising: bool,
}

impl Layout {
    /// The property's name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::V1 => "ibm,dynamic-memory",
            Self::V2 => "ibm,dynamic-memory-v2",
        }
    }

    pub(super) const fn field(self) -> Field {
        match self {
            Self::V1 => Field::DynamicMemory,
            Self::V2 => Field::DynamicMemoryV2,
        }
    }
}

impl<'a> Table<'a> {
    /// Reads the value of a property, and of `ibm,lmb-size`, 8 bytes. All of it is looked at once: O(entries).
    ///
    /// # Errors
    /// - [`Error::Corrupt`]: the value is cut off or longer than its entries, LMBs overlap or are not in order, addresses or DRC
    ///   indexes run past their end, the LMB size is 0. Offsets count from the start of the value.
    /// - [`Error::Unsupported`]: a set without LMBs.
    pub fn read(layout: Layout, lmb_size: u64, value: &'a [u8]) -> Result<Self, Error> {
        let corrupt = |field, offset| Error::Corrupt { field, offset };
        if lmb_size == 0 {
            return Err(corrupt(Field::LmbSize, 0));
        }
        let (count, rest) = value.split_first_chunk::<COUNT>().ok_or(corrupt(layout.field(), 0))?;
        let cells = Cells::of(layout, rest);
        let count = usize::try_from(u32::from_be_bytes(*count)).ok();
        if count != Some(cells.len()) || cells.len().checked_mul(CELL) != Some(rest.len()) {
            return Err(corrupt(layout.field(), 0));
        }
        let (base_at, drc_at) = match layout {
            Layout::V1 => (0, 8),
            Layout::V2 => (4, 12),
        };
        let (mut end, mut lmbs) = (0_u64, 0_u64);
        let (mut drc_end, mut drc_rising) = (0_u64, true);
        for index in 0..cells.len() {
            let at = len_of(index.saturating_mul(CELL).saturating_add(COUNT));
            let set = cells.get(index).ok_or(corrupt(layout.field(), at))?;
            if set.seq_lmbs == 0 {
                return Err(Error::Unsupported { field: Field::SeqLmbs, value: 0 });
            }
            let base = corrupt(Field::LmbBaseAddr, at.saturating_add(base_at));
            if set.first.base_addr.0 < end {
                return Err(base);
            }
            end = set.end(lmb_size).ok_or(base)?;
            let drc = u64::from(set.first.drc_index);
            drc_rising &= drc >= drc_end;
            drc_end = drc.saturating_add(u64::from(set.seq_lmbs));
            if drc_end > u64::from(u32::MAX).saturating_add(1) {
                return Err(corrupt(Field::LmbDrcIndex, at.saturating_add(drc_at)));
            }
            lmbs = lmbs.saturating_add(u64::from(set.seq_lmbs));
        }
        Ok(Self { layout, lmb_size, cells, facts: Facts { lmbs, drc_rising } })
    }

    /// The layout that it was read from.
    #[must_use]
    pub const fn layout(&self) -> Layout {
        self.layout
    }

    /// The bytes of an LMB.
    #[must_use]
    pub const fn lmb_size(&self) -> u64 {
        self.lmb_size
    }

    /// How many LMBs there are, of whatever flags.
    #[must_use]
    pub const fn lmb_count(&self) -> u64 {
        self.facts.lmbs
    }

    /// How many entries the property has: LMBs in v1, sets in v2.
    #[must_use]
    pub fn set_count(&self) -> usize {
        self.cells.len()
    }

    /// The sets, in ascending order; in v1 each has one LMB.
    pub fn sets(&self) -> impl Iterator<Item = LmbSet> + use<'a> {
        let cells = self.cells;
        (0..cells.len()).filter_map(move |index| cells.get(index))
    }

    /// Set number `index`, from 0.
    #[must_use]
    pub fn set(&self, index: usize) -> Option<LmbSet> {
        self.cells.get(index)
    }

    /// Every LMB, in ascending order. There can be 2^32 of them in 24 bytes.
    #[must_use]
    pub fn lmbs(&self) -> Lmbs<'a> {
        Lmbs { cells: self.cells, lmb_size: self.lmb_size, set: 0, index: 0 }
    }

    /// The LMB that holds `address`, in O(log entries).
    #[must_use]
    pub fn find(&self, address: PhysAddr) -> Option<Lmb> {
        let behind = self.cells.partition_point(|set| set.first.base_addr <= address);
        let set = self.cells.get(behind.checked_sub(1)?)?;
        set.get(set.index_of(address, self.lmb_size)?, self.lmb_size)
    }

    /// The LMB of a DRC index, in O(log entries) where these go up with the addresses, as firmware gives them; in O(entries)
    /// where they do not.
    #[must_use]
    pub fn find_drc(&self, drc_index: u32) -> Option<Lmb> {
        let of = |set: &LmbSet| set.get(drc_index.checked_sub(set.first.drc_index)?, self.lmb_size);
        if !self.facts.drc_rising {
            return self.sets().find_map(|set| of(&set));
        }
        let behind = self.cells.partition_point(|set| set.first.drc_index <= drc_index);
        of(&self.cells.get(behind.checked_sub(1)?)?)
    }

    /// The bytes that the property takes in a layout: O(entries). In v2 sets that can be one are one.
    #[must_use]
    pub fn encoded_len(&self, layout: Layout) -> u64 {
        let entries = match layout {
            Layout::V1 => self.facts.lmbs,
            Layout::V2 => len_of(Joined::new(self).count()),
        };
        entries.saturating_mul(len_of(CELL)).saturating_add(len_of(COUNT))
    }

    /// Writes the property's value in a layout to the front of `out`, and gives its length in bytes. The reserved words of v1 become
    /// 0.
    ///
    /// # Errors
    /// [`Error::BufferTooSmall`]: the bytes needed.
    pub fn encode(&self, layout: Layout, out: &mut [u8]) -> Result<usize, Error> {
        let needed = self.encoded_len(layout);
        let len = usize::try_from(needed).map_err(|_| Error::BufferTooSmall { needed })?;
        let (count, rest) = out.split_first_chunk_mut::<COUNT>().ok_or(too_small(len))?;
        let entries = len.saturating_sub(COUNT).checked_div(CELL).unwrap_or(0);
        let number = u32::try_from(entries).map_err(|_| too_small(len))?;
        let places = rest.get_mut(..len.saturating_sub(COUNT)).ok_or(too_small(len))?;
        *count = number.to_be_bytes();
        let places = places.as_chunks_mut::<CELL>().0.iter_mut();
        match layout {
            Layout::V1 => {
                places.zip(self.lmbs()).for_each(|(place, lmb)| copy(place, CellV1::from(lmb).as_bytes()));
            }
            Layout::V2 => {
                let sets = Joined::new(self);
                places.zip(sets).for_each(|(place, set)| copy(place, CellV2::from(set).as_bytes()));
            }
        }
        Ok(len)
    }
}

fn copy(place: &mut [u8; CELL], bytes: &[u8]) {
    if let Some(bytes) = bytes.first_chunk::<CELL>() {
        *place = *bytes;
    }
}

/// The LMBs of a table, in ascending order.
#[derive(Debug, Clone)]
pub struct Lmbs<'a> {
    cells: Cells<'a>,
    lmb_size: u64,
    set: usize,
    index: u32,
}

impl Iterator for Lmbs<'_> {
    type Item = Lmb;

    fn next(&mut self) -> Option<Lmb> {
        let set = self.cells.get(self.set)?;
        let lmb = set.get(self.index, self.lmb_size);
        self.index = self.index.saturating_add(1);
        if self.index >= set.seq_lmbs {
            (self.set, self.index) = (self.set.saturating_add(1), 0);
        }
        lmb
    }
}

/// The sets of a table, those that can be one joined.
struct Joined<'a> {
    cells: Cells<'a>,
    lmb_size: u64,
    next: usize,
}

impl<'a> Joined<'a> {
    fn new(table: &Table<'a>) -> Self {
        Self { cells: table.cells, lmb_size: table.lmb_size, next: 0 }
    }
}

impl Iterator for Joined<'_> {
    type Item = LmbSet;

    fn next(&mut self) -> Option<LmbSet> {
        let mut set = self.cells.get(self.next)?;
        self.next = self.next.saturating_add(1);
        while let Some(both) = self.cells.get(self.next).and_then(|next| set.join(next, self.lmb_size)) {
            set = both;
            self.next = self.next.saturating_add(1);
        }
        Some(set)
    }
}
