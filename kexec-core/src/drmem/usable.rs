//! What a capture kernel may use of each LMB: `linux,drconf-usable-memory`.

use super::memory::{self, DynamicMemory, USABLE_MEMORY};
use super::table::{Lmbs, Table};
use super::{Lmb, LmbSet};
use crate::bytes::{len_of, range};
use crate::fdt::corrupt;
use crate::map::{MemoryMap, RangeKind, Span};
use crate::{Error, Field};
use vmcore_format::PhysAddr;
use zerocopy::byteorder::big_endian::U64;
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

/// Bytes of a number of ranges.
const COUNT: usize = 8;
/// Bytes before a property's value: token, length, name.
const PROPERTY: usize = 12;
const FDT_PROP: usize = 3;

/// A range as the property has it.
#[derive(Debug, Clone, Copy, FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
pub struct UsableRange {
    base: U64,
    size: U64,
}

impl UsableRange {
    /// The addresses; `None` where they run past the end of the address space.
    #[must_use]
    pub fn span(&self) -> Option<Span> {
        Span::with_len(self.base.get(), self.size.get())
    }
}

/// The LMBs of a table with what may be used of each, in the order of their addresses. The property has for **every LMB**, in both
/// layouts of the list, a number of ranges (u64) and those ranges, each a base address and a size in bytes (u64 each,
/// big-endian); 0 ranges for an LMB that is not to be used. It ends after the first error.
///
/// Source: what Linux 6.1 expects of a capture kernel's tree (`arch/powerpc/mm/numa.c`).
#[derive(Debug, Clone)]
pub struct UsableMemory<'a> {
    lmbs: Lmbs<'a>,
    value: &'a [u8],
    at: usize,
    ended: bool,
}

impl<'a> UsableMemory<'a> {
    /// Reads the value of the property beside the LMBs that it is of. Offsets in errors count from the start of the value.
    #[must_use]
    pub fn new(table: &Table<'a>, value: &'a [u8]) -> Self {
        Self { lmbs: table.lmbs(), value, at: 0, ended: false }
    }

    fn entry(&mut self) -> Result<Option<(Lmb, &'a [UsableRange])>, Error> {
        let error = corrupt(Field::DrconfUsableMemory, self.at);
        let rest = self.value.get(self.at..).unwrap_or_default();
        let Some(lmb) = self.lmbs.next() else {
            return if rest.is_empty() { Ok(None) } else { Err(error) };
        };
        let (count, _) = rest.split_first_chunk::<COUNT>().ok_or(error)?;
        let len = u64::from_be_bytes(*count).checked_mul(len_of(size_of::<UsableRange>())).ok_or(error)?;
        let bytes = range(rest, len_of(COUNT), len, Field::DrconfUsableMemory, len_of(self.at))?;
        self.at = self.at.saturating_add(COUNT).saturating_add(bytes.len());
        let ranges = <[UsableRange]>::ref_from_bytes(bytes).map_err(|_| error)?;
        Ok(Some((lmb, ranges)))
    }
}

impl<'a> Iterator for UsableMemory<'a> {
    type Item = Result<(Lmb, &'a [UsableRange]), Error>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.ended {
            return None;
        }
        let entry = self.entry();
        self.ended = !matches!(entry, Ok(Some(_)));
        entry.transpose()
    }
}

impl DynamicMemory<'_> {
    /// What may be used of each LMB; `None` in a tree that does not say, which is that of a first kernel.
    ///
    /// # Errors
    /// None in a tree that was opened; the iterator says what is wrong with the property.
    pub fn usable_memory(&self) -> Result<Option<UsableMemory<'_>>, Error> {
        let found = memory::find(&self.editor.tree()?)?.usable;
        let value = found.and_then(|(at, len)| self.editor.part(at, len));
        Ok(value.map(|value| UsableMemory::new(&self.table(), value)))
    }

    /// Says that of all LMBs exactly the `System RAM` of `usable` may be used: the property is written, or written anew. O(LMBs).
    /// Changes of flags do not touch it, and neither does another layout of the list.
    ///
    /// # Errors
    /// [`Error::BufferTooSmall`]: the bytes that the buffer needs.
    pub fn set_usable_memory(&mut self, usable: &MemoryMap<'_>) -> Result<(), Error> {
        let table = self.table();
        let pairs_of = |set: &LmbSet| {
            let end = PhysAddr(set.end(table.lmb_size).unwrap_or(u64::MAX));
            let spans = spans_in(usable, Span { start: set.first.base_addr, end });
            spans.map(|span| lmbs_in(set, span, table.lmb_size)).fold(0, u64::saturating_add)
        };
        let pairs = table.sets().map(|set| pairs_of(&set)).fold(0, u64::saturating_add);
        let pairs = pairs.saturating_mul(len_of(size_of::<UsableRange>()));
        let len = table.lmb_count().saturating_mul(len_of(COUNT)).saturating_add(pairs);
        let len = usize::try_from(len).unwrap_or(usize::MAX);
        let (value_at, at_list) = self.make_room(len)?;
        self.at = at_list;
        let mut at = value_at;
        let lmb_size = self.table().lmb_size;
        let mut index = 0_usize;
        while let Some(set) = self.table().set(index) {
            index = index.saturating_add(1);
            for lmb in (0..set.seq_lmbs).filter_map(|number| set.get(number, lmb_size)) {
                self.put_lmb(&mut at, span_of(lmb, lmb_size), usable)?;
            }
        }
        Ok(())
    }

    /// Takes the property out of the tree, if it is there.
    ///
    /// # Errors
    /// None in a tree that was opened.
    pub fn clear_usable_memory(&mut self) -> Result<(), Error> {
        if let Some((at, len)) = memory::find(&self.editor.tree()?)?.usable {
            let padded = len.checked_next_multiple_of(4).unwrap_or(len);
            self.editor.remove(at.saturating_sub(PROPERTY), padded.saturating_add(PROPERTY))?;
            if at < self.at {
                self.at = self.at.saturating_sub(padded).saturating_sub(PROPERTY);
            }
        }
        Ok(())
    }

    /// Makes room for a value of `len` bytes: gives its place, and that of the list.
    fn make_room(&mut self, len: usize) -> Result<(usize, usize), Error> {
        let gone = || corrupt(Field::DrconfUsableMemory, 0);
        let tree = self.editor.tree()?;
        let old = memory::find(&tree)?.usable;
        let had =
            old.map_or(0, |(_, len)| len.checked_next_multiple_of(4).unwrap_or(len).saturating_add(PROPERTY));
        let named = tree.find_string(USABLE_MEMORY).is_some();
        let name_len = if named { 0 } else { USABLE_MEMORY.len().saturating_add(1) };
        let needed = len.saturating_add(PROPERTY);
        self.editor.check_room(needed.saturating_sub(had), name_len)?;
        self.clear_usable_memory()?;
        let name = self.editor.name(USABLE_MEMORY)?;
        self.at = memory::find(&self.editor.tree()?)?.memory_at().ok_or(gone())?;
        let at = self.at.saturating_add(self.value_len());
        self.editor.insert(at, needed)?;
        for (number, word) in [FDT_PROP, len, name].into_iter().enumerate() {
            self.editor.put(number.saturating_mul(4).saturating_add(at), word)?;
        }
        Ok((at.saturating_add(PROPERTY), self.at))
    }

    fn put_lmb(&mut self, at: &mut usize, lmb: Span, usable: &MemoryMap<'_>) -> Result<(), Error> {
        let count_at = *at;
        *at = at.saturating_add(COUNT);
        let mut count = 0_u64;
        for part in spans_in(usable, lmb) {
            let pair = UsableRange { base: part.start.0.into(), size: part.len().into() };
            self.write(*at, pair.as_bytes())?;
            *at = at.saturating_add(size_of::<UsableRange>());
            count = count.saturating_add(1);
        }
        self.write(count_at, &count.to_be_bytes())
    }

    fn write(&mut self, at: usize, bytes: &[u8]) -> Result<(), Error> {
        let place = self.editor.part_mut(at, bytes.len());
        place.ok_or(corrupt(Field::DrconfUsableMemory, at))?.copy_from_slice(bytes);
        Ok(())
    }
}

/// The RAM of `map` that lies in `span`.
fn spans_in(map: &MemoryMap<'_>, span: Span) -> impl Iterator<Item = Span> {
    let ranges = map.ranges();
    let first = ranges.partition_point(|range| range.end <= span.start);
    let ranges = ranges.get(first..).unwrap_or_default().iter();
    ranges
        .take_while(move |range| range.start < span.end)
        .filter(|range| range.kind == RangeKind::SystemRam)
        .map(move |range| range.span().intersection(span))
}

fn span_of(lmb: Lmb, lmb_size: u64) -> Span {
    Span { start: lmb.base_addr, end: PhysAddr(lmb.base_addr.0.saturating_add(lmb_size)) }
}

/// How many LMBs of `set` share a byte with `span`.
fn lmbs_in(set: &LmbSet, span: Span, lmb_size: u64) -> u64 {
    let end = PhysAddr(set.end(lmb_size).unwrap_or(u64::MAX));
    let shared = span.intersection(Span { start: set.first.base_addr, end });
    if shared.is_empty() {
        return 0;
    }
    let number =
        |address: u64| address.saturating_sub(set.first.base_addr.0).checked_div(lmb_size).unwrap_or(0);
    number(shared.end.0.saturating_sub(1)).saturating_sub(number(shared.start.0)).saturating_add(1)
}
