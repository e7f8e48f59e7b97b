//! Changes to a flattened tree, in the buffer that holds it.

use super::tree::be32;
use super::{Tree, corrupt};
use crate::bytes::{len_of, move_within, too_small};
use crate::{Error, Field};

/// Blocks of the tree begin at multiples of it.
const ALIGNMENT: usize = 8;
/// The fields of `fdt_header` that change: offsets in the header.
const TOTALSIZE: usize = 4;
const OFF_DT_STRUCT: usize = 8;
const OFF_DT_STRINGS: usize = 12;
const SIZE_DT_STRINGS: usize = 32;
const SIZE_DT_STRUCT: usize = 36;
/// The first version with `size_dt_struct`.
const VERSION: usize = 20;
const WITH_STRUCT_SIZE: u32 = 17;

/// A tree in a buffer that may be longer than the tree: what is behind it is room to grow.
///
/// Room that a change leaves within the tree stays there, behind its block, and is used first. Where it does not do, the
/// blocks behind move, and `totalsize` grows. Offsets count from the start of the buffer.
#[derive(Debug)]
pub(crate) struct Editor<'a> {
    buffer: &'a mut [u8],
    /// Where the structure block ends: version 16, which Linux makes when it boots from Open Firmware, does not say it.
    struct_end: usize,
}

/// One of the two blocks that grow: the fields of its offset and size, where it starts and ends.
struct Block {
    size_field: usize,
    start: usize,
    end: usize,
}

impl<'a> Editor<'a> {
    /// The tree at the start of `buffer`. Its reservations come first, and no block overlaps another one.
    pub(crate) fn new(buffer: &'a mut [u8]) -> Result<Self, Error> {
        let tree = Tree::new(buffer)?;
        let mut reservations_end = 0_usize;
        for entry in tree.reservations() {
            reservations_end = entry?.2.saturating_add(16);
        }
        // The entry that ends the block has no offset of its own here.
        reservations_end = reservations_end.max(tree.reserve_at()).saturating_add(16);
        let (struct_at, (strings_at, strings_end)) = (tree.struct_at(), tree.strings_block());
        let struct_end = match be32(tree.bytes(), VERSION) {
            Some(WITH_STRUCT_SIZE..) => tree.struct_end(),
            _ => tree.tokens().end()?,
        };
        let apart = struct_end <= strings_at || strings_end <= struct_at;
        let first = reservations_end <= struct_at.min(strings_at);
        if !apart || !first {
            return Err(Error::Unsupported { field: Field::FdtBlocks, value: len_of(struct_at) });
        }
        Ok(Self { buffer, struct_end })
    }

    /// The tree as it is now.
    pub(crate) fn tree(&self) -> Result<Tree<'_>, Error> {
        Tree::new(self.buffer)
    }

    /// `len` bytes from `at` on.
    pub(crate) fn part(&self, at: usize, len: usize) -> Option<&[u8]> {
        self.buffer.get(at..at.checked_add(len)?)
    }

    /// `len` bytes from `at` on, to be changed.
    pub(crate) fn part_mut(&mut self, at: usize, len: usize) -> Option<&mut [u8]> {
        self.buffer.get_mut(at..at.checked_add(len)?)
    }

    /// Writes a number of 32 bits.
    pub(crate) fn put(&mut self, at: usize, value: usize) -> Result<(), Error> {
        let value = u32::try_from(value).map_err(|_| too_small(value))?;
        let place = self.buffer.get_mut(at..).and_then(|rest| rest.first_chunk_mut::<4>());
        *place.ok_or(corrupt(Field::FdtStruct, at))? = value.to_be_bytes();
        Ok(())
    }

    /// Says whether the tree can take so many bytes more: the bytes that the buffer needs, if not.
    pub(crate) fn check_room(&self, in_struct: usize, in_strings: usize) -> Result<(), Error> {
        let tree = self.tree()?;
        let more = |block: &Block, len: usize| {
            len.saturating_sub(self.slack(&tree, block)).next_multiple_of_alignment()
        };
        let (structure, strings) = (self.struct_block(&tree), strings_block(&tree));
        let needed = tree
            .total_size()
            .saturating_add(more(&structure, in_struct))
            .saturating_add(more(&strings, in_strings));
        // Offsets in the tree have 32 bits.
        let fits = u32::try_from(needed).is_ok() && needed <= self.buffer.len();
        if fits { Ok(()) } else { Err(too_small(needed)) }
    }

    /// Makes room for `len` bytes, which are a multiple of 4, at `at` in the structure block. Their content is not specified.
    pub(crate) fn insert(&mut self, at: usize, len: usize) -> Result<(), Error> {
        self.check_room(len, 0)?;
        let block = self.grow(self.struct_block(&self.tree()?), len)?;
        self.shift(at, block.end, at.saturating_add(len))
    }

    /// Takes the `len` bytes, which are a multiple of 4, at `at` out of the structure block.
    pub(crate) fn remove(&mut self, at: usize, len: usize) -> Result<(), Error> {
        if len == 0 {
            return Ok(());
        }
        let block = self.struct_block(&self.tree()?);
        self.shift(at.saturating_add(len), block.end, at)?;
        let end = block.end.saturating_sub(len);
        if let Some(left) = self.buffer.get_mut(end..block.end) {
            left.fill(0);
        }
        self.set_end(&block, end)
    }

    /// Where `name` stands in the strings block, in bytes from its start; it is added if it is not there.
    pub(crate) fn name(&mut self, name: &[u8]) -> Result<usize, Error> {
        if let Some(at) = self.tree()?.find_string(name) {
            return Ok(at);
        }
        let len = name.len().saturating_add(1);
        self.check_room(0, len)?;
        let block = self.grow(strings_block(&self.tree()?), len)?;
        let place = self.buffer.get_mut(block.end..).and_then(|rest| rest.split_at_mut_checked(name.len()));
        if let Some((text, [nul, ..])) = place {
            text.copy_from_slice(name);
            *nul = 0;
        }
        Ok(block.end.saturating_sub(block.start))
    }

    /// The bytes behind a block that are free.
    fn slack(&self, tree: &Tree<'_>, block: &Block) -> usize {
        self.next_block(tree, block).unwrap_or(tree.total_size()).saturating_sub(block.end)
    }

    /// Gives a block `len` bytes more, behind its end as it was, which is in the answer.
    fn grow(&mut self, block: Block, len: usize) -> Result<Block, Error> {
        let tree = self.tree()?;
        let (total, next) = (tree.total_size(), self.next_block(&tree, &block));
        let more = len.saturating_sub(self.slack(&tree, &block)).next_multiple_of_alignment();
        if more > 0 {
            if let Some(next) = next {
                self.shift(next, total, next.saturating_add(more))?;
                if self.struct_end > next {
                    self.struct_end = self.struct_end.saturating_add(more);
                }
                for field in [OFF_DT_STRUCT, OFF_DT_STRINGS] {
                    let at = be32(self.buffer, field).and_then(|at| usize::try_from(at).ok());
                    if let Some(at) = at.filter(|&at| at >= next) {
                        self.put(field, at.saturating_add(more))?;
                    }
                }
            }
            self.put(TOTALSIZE, total.saturating_add(more))?;
        }
        self.set_end(&block, block.end.saturating_add(len))?;
        Ok(block)
    }

    fn set_end(&mut self, block: &Block, end: usize) -> Result<(), Error> {
        if block.size_field == SIZE_DT_STRUCT {
            self.struct_end = end;
            if be32(self.buffer, VERSION) < Some(WITH_STRUCT_SIZE) {
                return Ok(());
            }
        }
        self.put(block.size_field, end.saturating_sub(block.start))
    }

    fn struct_block(&self, tree: &Tree<'_>) -> Block {
        Block { size_field: SIZE_DT_STRUCT, start: tree.struct_at(), end: self.struct_end }
    }

    /// Where the block behind `block` starts, if one does.
    fn next_block(&self, tree: &Tree<'_>, block: &Block) -> Option<usize> {
        let other = match block.size_field {
            SIZE_DT_STRUCT => tree.strings_block().0,
            _ => tree.struct_at(),
        };
        (other >= block.end).then_some(other)
    }

    /// Moves the bytes from `from` up to `end` to `to`.
    fn shift(&mut self, from: usize, end: usize, to: usize) -> Result<(), Error> {
        move_within(self.buffer, from, end, to).ok_or(corrupt(Field::FdtStruct, from))
    }
}

fn strings_block(tree: &Tree<'_>) -> Block {
    let (start, end) = tree.strings_block();
    Block { size_field: SIZE_DT_STRINGS, start, end }
}

trait Aligned {
    fn next_multiple_of_alignment(self) -> Self;
}

impl Aligned for usize {
    fn next_multiple_of_alignment(self) -> Self {
        self.checked_next_multiple_of(ALIGNMENT).unwrap_or(Self::MAX)
    }
}
