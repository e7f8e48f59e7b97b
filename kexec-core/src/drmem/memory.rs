//! The list of LMBs in a flattened tree, and changes to it where it lies.

use super::change::{self, Change};
use super::lmb::{CELL, CellV1, CellV2, Cells, Layout, LmbSet};
use super::table::{COUNT, Facts, Table};
use crate::bytes::len_of;
use crate::fdt::{Editor, Property, Token, Tree, corrupt};
use crate::{Error, Field};
use vmcore_format::sort_by_key;
use zerocopy::{FromBytes as _, IntoBytes as _};

const NODE: &[u8] = b"ibm,dynamic-reconfiguration-memory";
pub(super) const USABLE_MEMORY: &[u8] = b"linux,drconf-usable-memory";

/// The LMBs of a flattened device tree, and the tree itself, in a buffer of the caller's.
///
/// What is behind the tree in the buffer is room to grow (`totalsize` in its header says how long the tree is); without it,
/// changes that need more say how many bytes do. A change that fails leaves the tree as it was.
#[derive(Debug)]
pub struct DynamicMemory<'a> {
    pub(super) editor: Editor<'a>,
    layout: Layout,
    lmb_size: u64,
    facts: Facts,
    /// Where the property's value starts, in bytes from the start of the buffer.
    pub(super) at: usize,
    sets: usize,
}

/// What the node says: the places of values in the buffer, in bytes, and their lengths.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Found {
    /// Whether the tree has the node.
    there: bool,
    lmb_size: Option<u64>,
    memory: Option<(Layout, usize, usize)>,
    pub(super) usable: Option<(usize, usize)>,
}

impl<'a> DynamicMemory<'a> {
    /// Opens the tree at the start of `buffer`. The tree is read once, and so is every entry: O(size of the tree).
    ///
    /// # Errors
    /// - [`Error::NotFound`]: the tree has no such node, or the node lists no LMBs.
    /// - [`Error::Corrupt`], [`Error::Unsupported`]: as [`Table::read`] says, with offsets from the start of the buffer; no tree, a
    ///   damaged one, one whose blocks overlap or whose reservations do not come first; a node with both
    ///   layouts.
    pub fn open(buffer: &'a mut [u8]) -> Result<Self, Error> {
        let editor = Editor::new(buffer)?;
        let found = find(&editor.tree()?)?;
        let missing = |field| Error::NotFound { field, value: 0 };
        if !found.there {
            return Err(missing(Field::DrmemNode));
        }
        let lmb_size = found.lmb_size.ok_or(missing(Field::LmbSize))?;
        let (layout, at, len) = found.memory.ok_or(missing(Field::DynamicMemory))?;
        let value = editor.part(at, len).ok_or(corrupt(layout.field(), at))?;
        let table = Table::read(layout, lmb_size, value).map_err(|error| error.at(len_of(at)))?;
        let (facts, sets) = (table.facts, table.set_count());
        Ok(Self { editor, layout, lmb_size, facts, at, sets })
    }

    /// The LMBs as they are now.
    #[must_use]
    pub fn table(&self) -> Table<'_> {
        let cells = Cells::of(self.layout, self.cell_bytes(0).unwrap_or_default());
        Table { layout: self.layout, lmb_size: self.lmb_size, cells, facts: self.facts }
    }

    /// The value of the property as it is now.
    #[must_use]
    pub fn value(&self) -> &[u8] {
        self.editor.part(self.at, self.value_len()).unwrap_or_default()
    }

    /// The tree as it is now, without what is behind it.
    ///
    /// # Errors
    /// None in a tree that was opened.
    pub fn tree(&self) -> Result<&[u8], Error> {
        let len = self.editor.tree()?.total_size();
        self.editor.part(0, len).ok_or(corrupt(Field::FdtHeader, 4))
    }

    /// Changes flags of LMBs: all the changes or, after an error, none. They come in any order, and are sorted by address here;
    /// two that name the same LMB are an error. Sets are split and joined as needed; a set beside a change that can be one with
    /// it becomes one.
    ///
    /// With k changes and s sets it takes O(k log s) and the sets or entries that change; see the module's comment on what moves.
    ///
    /// # Errors
    /// - [`Error::NotFound`] (`base_addr`): no LMB starts there.
    /// - [`Error::Unsupported`] (`base_addr`): an LMB is in two changes.
    /// - [`Error::BufferTooSmall`]: the bytes that the buffer needs.
    pub fn apply(&mut self, changes: &mut [Change]) -> Result<(), Error> {
        sort_by_key(changes, |change| change.base_addr);
        let extent = change::plan(self.table().cells, changes, self.lmb_size)?;
        if self.layout == Layout::V1 {
            let cells = self.editor.part_mut(self.cells_at(), self.sets.saturating_mul(CELL));
            let cells = cells.and_then(|bytes| <[CellV1]>::mut_from_bytes(bytes).ok());
            change::perform_v1(cells.unwrap_or_default(), changes);
            return Ok(());
        }
        let place = extent.first.saturating_mul(CELL).saturating_add(self.cells_at());
        self.editor.insert(place, extent.ahead.saturating_mul(CELL))?;
        let behind = self.sets.saturating_add(extent.ahead).saturating_sub(extent.first);
        let cells = self.editor.part_mut(place, behind.saturating_mul(CELL));
        let cells = cells.and_then(|bytes| <[CellV2]>::mut_from_bytes(bytes).ok());
        change::perform(cells.unwrap_or_default(), extent.ahead, changes, self.lmb_size)?;
        let unused = extent.read.saturating_add(extent.ahead).saturating_sub(extent.written);
        let written_end = extent.written.saturating_mul(CELL).saturating_add(place);
        self.editor.remove(written_end, unused.saturating_mul(CELL))?;
        self.sets = self.sets.saturating_add(extent.written).saturating_sub(extent.read);
        self.put_length()
    }

    /// Gives the list the other layout, and the property its name: O(size of the tree). The reserved words of v1 are lost.
    ///
    /// # Errors
    /// [`Error::BufferTooSmall`]: the bytes that the buffer needs.
    pub fn convert(&mut self, layout: Layout) -> Result<(), Error> {
        if layout == self.layout {
            return Ok(());
        }
        let named = self.editor.tree()?.find_string(layout.name().as_bytes()).is_some();
        let name_len = if named { 0 } else { layout.name().len().saturating_add(1) };
        let (sets, lmbs) = (self.sets, self.facts.lmbs);
        let more = match layout {
            Layout::V1 => lmbs.saturating_sub(len_of(sets)),
            Layout::V2 => 0,
        };
        let more = usize::try_from(more).unwrap_or(usize::MAX);
        self.editor.check_room(more.saturating_mul(CELL), name_len)?;
        let name = self.editor.name(layout.name().as_bytes())?;
        // The strings may stand before the list.
        self.at = find(&self.editor.tree()?)?.memory.ok_or(corrupt(self.layout.field(), self.at))?.1;
        self.editor.insert(self.cells_at(), more.saturating_mul(CELL))?;
        let room = sets.saturating_add(more).saturating_mul(CELL);
        let bytes = self.editor.part_mut(self.cells_at(), room).unwrap_or_default();
        let written = match layout {
            Layout::V1 => spread(bytes.as_chunks_mut::<CELL>().0, more, self.lmb_size),
            Layout::V2 => gather(bytes.as_chunks_mut::<CELL>().0, self.lmb_size),
        };
        let unused = sets.saturating_add(more).saturating_sub(written);
        let end = written.saturating_mul(CELL).saturating_add(self.cells_at());
        self.editor.remove(end, unused.saturating_mul(CELL))?;
        (self.layout, self.sets) = (layout, written);
        self.editor.put(self.at.saturating_sub(4), name)?;
        self.put_length()
    }

    fn cells_at(&self) -> usize {
        self.at.saturating_add(COUNT)
    }

    pub(super) fn value_len(&self) -> usize {
        self.sets.saturating_mul(CELL).saturating_add(COUNT)
    }

    fn cell_bytes(&self, first: usize) -> Option<&[u8]> {
        let at = first.checked_mul(CELL)?.checked_add(self.cells_at())?;
        self.editor.part(at, self.sets.checked_sub(first)?.checked_mul(CELL)?)
    }

    fn put_length(&mut self) -> Result<(), Error> {
        self.editor.put(self.at.saturating_sub(8), self.value_len())?;
        self.editor.put(self.at, self.sets)
    }
}

/// Makes an entry of every LMB: the sets stand behind `gap` entries of room. Gives the number of entries.
fn spread(cells: &mut [[u8; CELL]], gap: usize, lmb_size: u64) -> usize {
    let (mut read, mut written) = (gap, 0_usize);
    while let Some(cell) = cells.get(read) {
        read = read.saturating_add(1);
        let Ok(cell) = CellV2::read_from_bytes(cell) else { break };
        let set = LmbSet::from(cell);
        for lmb in (0..set.seq_lmbs).filter_map(|index| set.get(index, lmb_size)) {
            put(cells, &mut written, CellV1::from(lmb).as_bytes());
        }
    }
    written
}

/// Makes sets of entries. Gives the number of sets.
fn gather(cells: &mut [[u8; CELL]], lmb_size: u64) -> usize {
    let mut written = 0_usize;
    let mut pending: Option<LmbSet> = None;
    for read in 0..cells.len() {
        let Some(Ok(cell)) = cells.get(read).map(|cell| CellV1::read_from_bytes(cell)) else { break };
        let set = LmbSet::from(cell);
        let joined = pending.and_then(|pending| pending.join(set, lmb_size));
        if let (None, Some(pending)) = (joined, pending) {
            put(cells, &mut written, CellV2::from(pending).as_bytes());
        }
        pending = Some(joined.unwrap_or(set));
    }
    if let Some(pending) = pending {
        put(cells, &mut written, CellV2::from(pending).as_bytes());
    }
    written
}

fn put(cells: &mut [[u8; CELL]], written: &mut usize, bytes: &[u8]) {
    if let (Some(place), Some(bytes)) = (cells.get_mut(*written), bytes.first_chunk::<CELL>()) {
        *place = *bytes;
    }
    *written = written.saturating_add(1);
}

/// Finds the node's properties.
pub(super) fn find(tree: &Tree<'_>) -> Result<Found, Error> {
    let mut found = Found::default();
    let (mut depth, mut inside) = (0_usize, false);
    for token in tree.tokens() {
        match token? {
            Token::BeginNode { name } => {
                depth = depth.saturating_add(1);
                if depth == 2 {
                    inside = name == NODE;
                    found.there |= inside;
                }
            }
            Token::EndNode => depth = depth.saturating_sub(1),
            Token::Property(property) if depth == 2 && inside => found.take(&property)?,
            Token::Property(_) => {}
        }
    }
    Ok(found)
}

impl Found {
    /// Where the list of LMBs starts.
    pub(super) fn memory_at(&self) -> Option<usize> {
        self.memory.map(|(_, at, _)| at)
    }

    fn take(&mut self, property: &Property<'_>) -> Result<(), Error> {
        let at = usize::try_from(property.offset).unwrap_or(usize::MAX);
        let layout = match property.name {
            b"ibm,lmb-size" => {
                let size = <[u8; 8]>::try_from(property.value).map_err(|_| corrupt(Field::LmbSize, at))?;
                let size = u64::from_be_bytes(size);
                self.lmb_size = Some(size);
                return if size == 0 { Err(corrupt(Field::LmbSize, at)) } else { Ok(()) };
            }
            USABLE_MEMORY => {
                self.usable = Some((at, property.value.len()));
                return Ok(());
            }
            name if name == Layout::V1.name().as_bytes() => Layout::V1,
            name if name == Layout::V2.name().as_bytes() => Layout::V2,
            _ => return Ok(()),
        };
        if self.memory.replace((layout, at, property.value.len())).is_some() {
            return Err(Error::Unsupported { field: layout.field(), value: property.offset });
        }
        Ok(())
    }
}
