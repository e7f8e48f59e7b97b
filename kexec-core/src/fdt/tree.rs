//! The tree's blocks and tokens.

use crate::{Error, Field};

const MAGIC: u32 = 0xd00d_feed;
/// The version that every tree of today is compatible with, and the one that brought `size_dt_struct`.
const LAST_COMP_VERSION: u32 = 17;
const WITH_STRUCT_SIZE: u32 = 17;
const OLDEST_VERSION: u32 = 16;

/// Bytes of a property's name that are searched for its end. The specification allows 31; trees in use have more.
const LONGEST_NAME: usize = 255;

const FDT_BEGIN_NODE: u32 = 1;
const FDT_END_NODE: u32 = 2;
const FDT_PROP: u32 = 3;
const FDT_NOP: u32 = 4;
const FDT_END: u32 = 9;

/// The blocks of a flattened tree. All numbers are big-endian; offsets in errors count from the start of the blob.
#[derive(Clone, Copy)]
pub(crate) struct Tree<'a> {
    blob: &'a [u8],
    reserve_at: usize,
    struct_at: usize,
    struct_end: usize,
    strings_at: usize,
    strings: &'a [u8],
}

/// A property: the name, and the value with its offset in the blob.
#[derive(Clone, Copy)]
pub(crate) struct Property<'a> {
    pub(crate) name: &'a [u8],
    pub(crate) value: &'a [u8],
    pub(crate) offset: u64,
}

pub(crate) enum Token<'a> {
    BeginNode { name: &'a [u8] },
    EndNode,
    Property(Property<'a>),
}

pub(crate) fn corrupt(field: Field, at: usize) -> Error {
    Error::Corrupt { field, offset: u64::try_from(at).unwrap_or(u64::MAX) }
}

pub(super) fn be32(bytes: &[u8], at: usize) -> Option<u32> {
    bytes.get(at..)?.first_chunk::<4>().copied().map(u32::from_be_bytes)
}

impl<'a> Tree<'a> {
    /// Reads the header. `blob` may be longer than the tree.
    pub(crate) fn new(blob: &'a [u8]) -> Result<Self, Error> {
        let word = |at: usize| be32(blob, at).ok_or(corrupt(Field::FdtHeader, at));
        let size = |at: usize| {
            let value = word(at)?;
            usize::try_from(value).map_err(|_| corrupt(Field::FdtHeader, at))
        };
        if word(0)? != MAGIC {
            return Err(corrupt(Field::FdtHeader, 0));
        }
        let (version, last_comp_version) = (word(20)?, word(24)?);
        if version < OLDEST_VERSION || last_comp_version > LAST_COMP_VERSION {
            return Err(Error::Unsupported { field: Field::FdtVersion, value: u64::from(last_comp_version) });
        }
        let blob = blob.get(..size(4)?).ok_or(corrupt(Field::FdtHeader, 4))?;
        let (struct_at, strings_at, reserve_at) = (size(8)?, size(12)?, size(16)?);
        let strings_end = strings_at.checked_add(size(32)?);
        let strings = strings_end.and_then(|end| blob.get(strings_at..end));
        let strings = strings.ok_or(corrupt(Field::FdtHeader, 12))?;
        let struct_end = match version {
            WITH_STRUCT_SIZE.. => struct_at.checked_add(size(36)?),
            _ => Some(blob.len()),
        };
        let struct_end = struct_end.filter(|&end| end <= blob.len()).ok_or(corrupt(Field::FdtHeader, 8))?;
        Ok(Self { blob, reserve_at, struct_at, struct_end, strings_at, strings })
    }

    /// Where the memory reservation block starts, in bytes.
    pub(crate) fn reserve_at(&self) -> usize {
        self.reserve_at
    }

    /// Where the structure block starts, in bytes.
    pub(crate) fn struct_at(&self) -> usize {
        self.struct_at
    }

    /// Where the structure block ends; in version 16 it is somewhere before that.
    pub(crate) fn struct_end(&self) -> usize {
        self.struct_end
    }

    /// The tree's bytes.
    pub(crate) fn bytes(&self) -> &'a [u8] {
        self.blob
    }

    /// The strings block: its offset, and that of its end.
    pub(crate) fn strings_block(&self) -> (usize, usize) {
        (self.strings_at, self.strings_at.saturating_add(self.strings.len()))
    }

    /// Where `name` stands among the strings, in bytes from their start.
    pub(crate) fn find_string(&self, name: &[u8]) -> Option<usize> {
        let len = name.len().checked_add(1)?;
        self.strings.windows(len).position(|window| window.split_last() == Some((&0, name)))
    }

    /// The bytes of the tree, as many as its header says.
    pub(crate) fn total_size(&self) -> usize {
        self.blob.len()
    }

    /// The memory reservation block: addresses, lengths, and the offset of each entry.
    pub(crate) fn reservations(&self) -> impl Iterator<Item = Result<(u64, u64, usize), Error>> + use<'a> {
        let (blob, mut at) = (self.blob, self.reserve_at);
        let mut ended = false;
        core::iter::from_fn(move || {
            if ended {
                return None;
            }
            let entry = blob.get(at..).and_then(|rest| rest.first_chunk::<16>());
            let (words, _) = entry.map_or(&[][..], |entry| entry.as_slice()).as_chunks::<8>();
            let [address, len] = words else {
                ended = true;
                return Some(Err(corrupt(Field::FdtReserve, at)));
            };
            let (address, len) = (u64::from_be_bytes(*address), u64::from_be_bytes(*len));
            let offset = at;
            at = at.saturating_add(16);
            ended = address == 0 && len == 0;
            (!ended).then_some(Ok((address, len, offset)))
        })
    }

    pub(crate) fn tokens(&self) -> Tokens<'a> {
        Tokens { tree: *self, at: self.struct_at, depth: 0 }
    }

    fn string(&self, nameoff: u32) -> Option<&'a [u8]> {
        let rest = self.strings.get(usize::try_from(nameoff).ok()?..)?;
        let end = rest.iter().take(LONGEST_NAME.saturating_add(1)).position(|&byte| byte == 0)?;
        rest.get(..end)
    }
}

/// The tokens of the structure block, in order. They balance; after an error the iterator is at its end.
pub(crate) struct Tokens<'a> {
    tree: Tree<'a>,
    at: usize,
    depth: usize,
}

impl<'a> Tokens<'a> {
    /// Where the tokens end: behind the last one.
    pub(crate) fn end(mut self) -> Result<usize, Error> {
        for token in self.by_ref() {
            token?;
        }
        Ok(self.at)
    }

    fn block(&self) -> &'a [u8] {
        self.tree.blob.get(..self.tree.struct_end).unwrap_or_default()
    }

    fn u32(&mut self) -> Option<u32> {
        let value = be32(self.block(), self.at)?;
        self.at = self.at.checked_add(4)?;
        Some(value)
    }

    /// Takes `len` bytes, and the padding to the next token.
    fn bytes(&mut self, len: usize) -> Option<&'a [u8]> {
        let end = self.at.checked_add(len)?;
        let taken = self.block().get(self.at..end)?;
        // Tokens are aligned in the block, which itself need not be.
        let padded = len.checked_next_multiple_of(4)?;
        self.at = self.at.checked_add(padded)?;
        Some(taken)
    }

    /// The next token; `Some(None)` at the end of the tree, `None` where there is no token.
    fn token(&mut self) -> Option<Option<Token<'a>>> {
        loop {
            return match self.u32()? {
                FDT_NOP => continue,
                FDT_BEGIN_NODE => {
                    let rest = self.block().get(self.at..)?;
                    let len = rest.iter().position(|&byte| byte == 0)?;
                    let name = self.bytes(len.checked_add(1)?)?.get(..len)?;
                    self.depth = self.depth.checked_add(1)?;
                    Some(Some(Token::BeginNode { name }))
                }
                FDT_END_NODE => {
                    self.depth = self.depth.checked_sub(1)?;
                    Some(Some(Token::EndNode))
                }
                FDT_PROP if self.depth > 0 => {
                    let (len, nameoff) = (self.u32()?, self.u32()?);
                    let offset = u64::try_from(self.at).ok()?;
                    let value = self.bytes(usize::try_from(len).ok()?)?;
                    let name = self.tree.string(nameoff)?;
                    Some(Some(Token::Property(Property { name, value, offset })))
                }
                FDT_END if self.depth == 0 => Some(None),
                _ => None,
            };
        }
    }
}

impl<'a> Iterator for Tokens<'a> {
    type Item = Result<Token<'a>, Error>;

    fn next(&mut self) -> Option<Self::Item> {
        let start = self.at;
        match self.token() {
            Some(token) => token.map(Ok),
            None => {
                self.at = usize::MAX;
                (start != usize::MAX).then_some(Err(corrupt(Field::FdtStruct, start)))
            }
        }
    }
}
