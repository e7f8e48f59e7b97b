//! A finished dump looked at: every descriptor and every page.
//!
//! [`Verifier`] goes over the pages that a dump is to hold, a few at a [`step`](Verifier::step), and decodes each of them. It writes
//! nothing, and needs no more memory than it is given.

use core::fmt;
use core::ops::Range;

use vmcore_format::kdump::{Compression, KdumpFile, PageDesc, Part};
use vmcore_format::{Error, Field, Pfn};

use crate::codec::{DecodeError, DecodeScratch, codec};
use crate::{Fault, PhysMemory};

/// Flaws that a report names one by one.
pub const NAMED_FLAWS: usize = 64;

/// Pages that one step looks at, at most.
const PAGES_PER_STEP: usize = 64;

/// What is wrong with a page.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Flaw {
    /// It is not there: the dump says so itself, ends before it, or is a set of which no file has it.
    Lost,
    /// Its descriptor contradicts the format in this field.
    Desc(Field),
    /// Its data do not decode.
    Data(DecodeError),
    /// Its data share bytes with those of another page and are not the same block.
    Overlap,
    /// The second bitmap has it and the first one does not: the machine had no such page.
    Unknown,
    /// It cannot be read: the embedder's own code.
    Code(i32),
}

impl fmt::Display for Flaw {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Lost => f.write_str("lost"),
            Self::Desc(field) => write!(f, "{field} is corrupt"),
            Self::Data(error) => write!(f, "its data do not decode: {error}"),
            Self::Overlap => f.write_str("its data overlap those of another page"),
            Self::Unknown => f.write_str("the machine had no such page"),
            Self::Code(code) => write!(f, "input/output error {code}"),
        }
    }
}

/// What was found, up to now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Verified {
    /// Pages that the dump is to hold.
    pub pages: u64,
    /// Those that are there and decode.
    pub right: u64,
    /// Those that are lost.
    pub lost: u64,
    /// Those that are there and are not right.
    pub damaged: u64,
    /// Those among the right ones whose data are another page's too.
    pub shared: u64,
    /// The first of those that are lost or damaged.
    pub flaws: [Option<(Pfn, Flaw)>; NAMED_FLAWS],
}

impl Verified {
    const NOTHING: Self =
        Self { pages: 0, right: 0, lost: 0, damaged: 0, shared: 0, flaws: [None; NAMED_FLAWS] };

    /// Whether every page is right.
    #[must_use]
    pub fn is_whole(&self) -> bool {
        self.lost == 0 && self.damaged == 0
    }

    fn add(&mut self, pfn: Pfn, finding: Result<Place, Flaw>) {
        self.pages = self.pages.saturating_add(1);
        let count = match finding {
            Ok(_) => &mut self.right,
            Err(Flaw::Lost) => &mut self.lost,
            Err(_) => &mut self.damaged,
        };
        *count = count.saturating_add(1);
        if finding == Ok(Place::Shared) {
            self.shared = self.shared.saturating_add(1);
        }
        if let Err(flaw) = finding
            && let Some(slot) = self.flaws.iter_mut().find(|slot| slot.is_none())
        {
            *slot = Some((pfn, flaw));
        }
    }
}

/// Data of a page: an entry of the table that finds data which overlap. 16 bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Block {
    offset: u64,
    len: u32,
}

impl Block {
    fn end(self) -> u64 {
        self.offset.saturating_add(self.len.into())
    }
}

/// How the data of a page stand to those before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    Own,
    Shared,
}

/// Looks at every page of a dump.
#[derive(Debug)]
pub struct Verifier<'a> {
    of: Of<'a>,
    page: &'a mut [u8],
    /// Pages that come next, and those of the whole dump that were looked at.
    run: Range<u64>,
    done: bool,
    verified: Verified,
}

#[expect(clippy::large_enum_variant, reason = "a verifier has one of them")]
enum Of<'a> {
    Kdump(Kdump<'a>),
    Memory { memory: &'a mut dyn PhysMemory, truncated: bool },
}

struct Kdump<'a> {
    file: KdumpFile<'a>,
    decode: &'a mut DecodeScratch,
    packed: &'a mut [u8],
    /// Where the descriptors end; 0 before that is known.
    descs_end: u64,
    blocks: Blocks<'a>,
}

/// Data of a file that stand before data met earlier, and are remembered all the same: each takes moving those behind it. The shared
/// page of zeros is one of them where the first page of a dump is another.
const MOST_LATE: usize = 256;

/// The data of the pages of one file, in ascending order, as far as there is room.
struct Blocks<'a> {
    table: &'a mut [Block],
    used: usize,
    /// Those that were not the highest when they came.
    late: usize,
    part: usize,
    /// The end of the highest data so far.
    high: u64,
}

impl Blocks<'_> {
    fn place(&mut self, part: usize, desc: &PageDesc) -> Result<Place, Flaw> {
        if part != self.part {
            (self.part, self.used, self.late, self.high) = (part, 0, 0, 0);
        }
        let block = Block { offset: desc.offset, len: desc.size };
        if block.offset >= self.high {
            self.high = block.end();
            self.insert(self.used, block);
            return Ok(Place::Own);
        }
        let known = self.table.get(..self.used).unwrap_or_default();
        let at = known.partition_point(|known| known.end() <= block.offset);
        match known.get(at) {
            Some(known) if *known == block => Ok(Place::Shared),
            Some(known) if known.offset < block.end() => Err(Flaw::Overlap),
            _ => {
                if self.late < MOST_LATE {
                    self.late = self.late.saturating_add(1);
                    self.insert(at, block);
                }
                Ok(Place::Own)
            }
        }
    }

    /// Remembers `block` as number `at`, if there is room.
    fn insert(&mut self, at: usize, block: Block) {
        let end = self.used.saturating_add(1);
        if let Some(behind) = self.table.get_mut(at..end) {
            let mut next = block;
            behind.iter_mut().for_each(|slot| core::mem::swap(slot, &mut next));
            self.used = end;
        }
    }
}

impl Kdump<'_> {
    /// Whether the data of the descriptor that stands at `at` come after the end of the file.
    fn is_cut(&self, pfn: Pfn, at: u64) -> bool {
        let holds = |part: &Part<'_>| part.pfns().contains(&pfn);
        let Some(part) = self.file.parts().iter().position(holds) else { return false };
        let size = self.file.parts().get(part).and_then(|part| part.input().size());
        let mut bytes = [0; PageDesc::ENCODED_LEN];
        let desc = self.file.read_raw(part, at, &mut bytes);
        let desc = desc.and_then(|()| PageDesc::parse(&bytes, self.file.abi().endian));
        let end = desc.map_or(0, |desc| desc.offset.saturating_add(desc.size.into()));
        size.is_some_and(|size| end > size)
    }

    fn check(&mut self, pfn: Pfn, page: &mut [u8]) -> Result<Place, Flaw> {
        let found = self.file.page_desc(pfn).map_err(|error| match error {
            Error::Corrupt { field: Field::PageDescOffset, offset } if self.is_cut(pfn, offset) => Flaw::Lost,
            other => flaw_of(other),
        })?;
        let (part, desc) = found.ok_or(Flaw::Desc(Field::Bitmap))?;
        if desc.offset < self.descs_end {
            return Err(Flaw::Desc(Field::PageDescOffset));
        }
        let known = self.file.next_known(pfn).map_err(flaw_of)?;
        if known.is_none_or(|run| run.start != pfn) {
            return Err(Flaw::Unknown);
        }
        let place = self.blocks.place(part, &desc)?;
        let size = usize::try_from(desc.size).unwrap_or(usize::MAX);
        let compression = desc.compression().ok_or(Flaw::Desc(Field::PageDescFlags))?;
        if compression == Compression::Raw {
            self.file.read_raw(part, desc.offset, page).map_err(flaw_of)?;
        } else {
            let packed = self.packed.get_mut(..size).ok_or(Flaw::Desc(Field::PageDescSize))?;
            self.file.read_raw(part, desc.offset, packed).map_err(flaw_of)?;
            codec(compression).decode(packed, page, self.decode).map_err(Flaw::Data)?;
        }
        Ok(place)
    }
}

/// What an error of the file says of the page that it was asked for.
fn flaw_of(error: Error) -> Flaw {
    match error {
        Error::Corrupt { field: Field::PageLost | Field::PageDesc, .. }
        | Error::Unsupported { field: Field::MissingPart, .. }
        | Error::Io { code: vmcore_format::END_OF_FILE } => Flaw::Lost,
        Error::Corrupt { field, .. } | Error::Unsupported { field, .. } => Flaw::Desc(field),
        Error::Io { code } => Flaw::Code(code),
        _ => Flaw::Desc(Field::PageDesc),
    }
}

impl<'a> Verifier<'a> {
    /// Looks at a kdump-compressed file, or a split set of them.
    ///
    /// `buffer` has two pages. `blocks` may be empty: it has an entry for each page whose data are checked for overlaps with
    /// those of others, and found when others share them: the first so many of each file, of those that stand before data of a
    /// lower page frame 256.
    ///
    /// # Errors
    /// [`Error::BufferTooSmall`] with the bytes that `buffer` needs.
    pub fn of_kdump(
        file: KdumpFile<'a>,
        decode: &'a mut DecodeScratch,
        buffer: &'a mut [u8],
        blocks: &'a mut [Block],
    ) -> Result<Self, Error> {
        let len = file.page_size().len();
        let needed = file.page_size().bytes().saturating_mul(2);
        let small = Error::BufferTooSmall { needed };
        let (packed, rest) = buffer.split_at_mut_checked(len).ok_or(small)?;
        let page = rest.get_mut(..len).ok_or(small)?;
        let blocks = Blocks { table: blocks, used: 0, late: 0, part: 0, high: 0 };
        let of = Of::Kdump(Kdump { file, decode, packed, descs_end: 0, blocks });
        Ok(Self { of, page, run: 0..0, done: false, verified: Verified::NOTHING })
    }

    /// Looks at any other memory, as that of an ELF core: whether every page that it says it holds can be read. Of a
    /// `truncated` input every known page is asked for: those that were to be there are lost.
    ///
    /// # Errors
    /// [`Error::BufferTooSmall`]: `buffer` has one page.
    pub fn of_memory(
        memory: &'a mut dyn PhysMemory,
        truncated: bool,
        buffer: &'a mut [u8],
    ) -> Result<Self, Error> {
        let needed = memory.page_size().bytes();
        let page = buffer.get_mut(..memory.page_size().len()).ok_or(Error::BufferTooSmall { needed })?;
        let of = Of::Memory { memory, truncated };
        Ok(Self { of, page, run: 0..0, done: false, verified: Verified::NOTHING })
    }

    /// What was found so far.
    #[must_use]
    pub fn verified(&self) -> &Verified {
        &self.verified
    }

    /// The frame that comes next: all pages below it were looked at.
    #[must_use]
    pub fn position(&self) -> Pfn {
        Pfn(self.run.start)
    }

    /// Looks at some pages. Returns true when all were looked at.
    ///
    /// # Errors
    /// Those of the table that says which pages there are: without it there is nothing to look at.
    pub fn step(&mut self) -> Result<bool, Error> {
        self.find_descs_end()?;
        for _ in 0..PAGES_PER_STEP {
            if self.run.is_empty() && !self.find_run()? {
                return Ok(true);
            }
            let pfn = Pfn(self.run.start);
            self.run.start = self.run.start.saturating_add(1);
            let finding = match &mut self.of {
                Of::Kdump(kdump) => Some(kdump.check(pfn, self.page)),
                Of::Memory { memory, .. } => check(&mut **memory, pfn, self.page),
            };
            if let Some(finding) = finding {
                self.verified.add(pfn, finding);
            }
        }
        Ok(false)
    }

    /// Data stand behind the descriptors: of the whole set, where the file is a part of one.
    fn find_descs_end(&mut self) -> Result<(), Error> {
        if let Of::Kdump(kdump) = &mut self.of
            && kdump.descs_end == 0
        {
            let held = kdump.file.held_below(Pfn(u64::MAX))?;
            kdump.descs_end = kdump.file.geometry().data(held)?;
        }
        Ok(())
    }

    fn find_run(&mut self) -> Result<bool, Error> {
        if self.done {
            return Ok(false);
        }
        let from = Pfn(self.run.start);
        let next = match &mut self.of {
            Of::Kdump(kdump) => kdump.file.next_held(from)?,
            Of::Memory { memory, truncated } => {
                let next = if *truncated { memory.next_known(from) } else { memory.next_held(from) };
                next.map_err(|fault| match fault {
                    Fault::Code(code) => Error::Io { code },
                    _ => Error::Corrupt { field: Field::ProgramHeader, offset: 0 },
                })?
            }
        };
        // A run that goes back would be gone through for ever.
        let next = next.map(|run| run.start.0.max(from.0)..run.end.0).filter(|run| !run.is_empty());
        self.done = next.is_none();
        if let Some(run) = next {
            self.run = run;
        }
        Ok(!self.done)
    }
}

/// `None`: the page was left out.
fn check(memory: &mut dyn PhysMemory, pfn: Pfn, page: &mut [u8]) -> Option<Result<Place, Flaw>> {
    let Some(addr) = memory.page_size().start_of(pfn) else { return Some(Err(Flaw::Unknown)) };
    match memory.read(addr, page) {
        Ok(()) => Some(Ok(Place::Own)),
        Err(Fault::Excluded | Fault::Hole) => None,
        Err(Fault::Code(code)) if code != vmcore_format::END_OF_FILE => Some(Err(Flaw::Code(code))),
        Err(_) => Some(Err(Flaw::Lost)),
    }
}

impl fmt::Debug for Of<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Kdump(_) => "Kdump",
            Self::Memory { .. } => "Memory",
        })
    }
}

#[cfg(test)]
mod tests {
    extern crate std;
    use super::*;
    use std::vec;
    use std::vec::Vec;
    use testkit::{Era, Machine, kdump_of};

    fn verify(bytes: &[u8], blocks: usize) -> Verified {
        let input = bytes;
        let mut parts = [Part::new(&input)];
        let mut index = [0; 64];
        let file = KdumpFile::open(&mut parts, &mut index).unwrap();
        let mut decode = DecodeScratch::new();
        let mut buffer = vec![0; 8192];
        let mut blocks = vec![Block::default(); blocks];
        let mut verifier = Verifier::of_kdump(file, &mut decode, &mut buffer, &mut blocks).unwrap();
        while !verifier.step().unwrap() {}
        assert_eq!(verifier.step(), Ok(true));
        *verifier.verified()
    }

    /// A dump of the test kit, and where its descriptors start and end: it has 64-bit, little-endian headers.
    fn dump() -> (Vec<u8>, usize, usize) {
        let machine = Machine::x86_64(Era::V6_12).build();
        let bytes = kdump_of(&machine, 31).to_vec();
        let word = |at: usize| u32::from_le_bytes(bytes[at..at + 4].try_into().unwrap()) as usize;
        let bitmap_2 = (1 + word(432) + word(436) / 2) * 4096;
        let descs = (1 + word(432) + word(436)) * 4096;
        let kept: u32 = bytes[bitmap_2..descs].iter().map(|byte| byte.count_ones()).sum();
        (bytes, descs, descs + 24 * kept as usize)
    }

    #[test]
    fn a_whole_dump_has_no_flaw_and_each_flaw_is_named() {
        let (bytes, descs, end) = dump();
        let whole = verify(&bytes, 1 << 16);
        let pages = ((end - descs) / 24) as u64;
        assert_eq!((whole.pages, whole.right, whole.lost, whole.damaged), (pages, pages, 0, 0));
        assert!(whole.is_whole() && whole.flaws[0].is_none());
        let first = |bytes: &[u8]| {
            let found = verify(bytes, 1 << 16);
            assert_eq!(found.right + found.lost + found.damaged, pages);
            (found.lost, found.damaged, found.flaws[0].map(|(_, flaw)| flaw))
        };
        // The third descriptor, in every way that a descriptor can be wrong.
        let at = descs + 2 * 24;
        let with = |from: usize, new: &[u8]| {
            let mut bytes = bytes.clone();
            bytes[from..from + new.len()].copy_from_slice(new);
            first(&bytes)
        };
        assert_eq!(with(at, &[0; 24]), (1, 0, Some(Flaw::Lost)));
        assert_eq!(with(at, &[0xff; 7]), (1, 0, Some(Flaw::Lost)), "data past the end of the file");
        assert_eq!(with(at, &4096_u64.to_le_bytes()), (0, 1, Some(Flaw::Desc(Field::PageDescOffset))));
        assert_eq!(with(at, &(descs as u64).to_le_bytes()), (0, 1, Some(Flaw::Desc(Field::PageDescOffset))));
        assert_eq!(with(at + 8, &8192_u32.to_le_bytes()), (0, 1, Some(Flaw::Desc(Field::PageDescSize))));
        assert_eq!(with(at + 12, &0x40_u32.to_le_bytes()), (0, 1, Some(Flaw::Desc(Field::PageDescFlags))));
        // A page of the first bitmap is not the machine's any more.
        let (bitmap_1, bitmap_2) = (2 * 4096, 2 * 4096 + (descs - 2 * 4096) / 2);
        let both = (0..bitmap_2 - bitmap_1)
            .find(|at| bytes[bitmap_1 + at] == 0xff && bytes[bitmap_2 + at] != 0)
            .unwrap();
        let held = u64::from(bytes[bitmap_2 + both].count_ones());
        assert_eq!(with(bitmap_1 + both, &[0]), (0, held, Some(Flaw::Unknown)));
    }

    #[test]
    fn a_cut_dump_is_lost_from_there_on() {
        let (bytes, _, end) = dump();
        let whole = verify(&bytes, 0);
        let half = verify(&bytes[..(end + bytes.len()) / 2], 0);
        assert!(half.right > 0 && half.right + half.lost + half.damaged == whole.pages);
        assert!(!half.is_whole() && half.right < whole.right);
    }

    #[test]
    fn data_that_overlap_are_no_shared_ones() {
        let desc = |offset, size| PageDesc { offset, size, flags: 0, page_flags: 0 };
        let mut table = [Block::default(); 3];
        let mut blocks = Blocks { table: &mut table, used: 0, late: 0, part: 0, high: 0 };
        assert_eq!(blocks.place(0, &desc(100, 10)), Ok(Place::Own));
        assert_eq!(blocks.place(0, &desc(120, 10)), Ok(Place::Own));
        assert_eq!(blocks.place(0, &desc(100, 10)), Ok(Place::Shared));
        assert_eq!(blocks.place(0, &desc(110, 10)), Ok(Place::Own));
        assert_eq!(blocks.place(0, &desc(110, 10)), Ok(Place::Shared), "met after data behind it");
        assert_eq!(blocks.place(0, &desc(80, 10)), Ok(Place::Own), "no room left");
        assert_eq!(blocks.place(0, &desc(120, 10)), Ok(Place::Shared));
        for (offset, size) in [(100, 9), (101, 9), (99, 2), (95, 30), (125, 20), (119, 2)] {
            assert_eq!(blocks.place(0, &desc(offset, size)), Err(Flaw::Overlap), "{offset} {size}");
        }
        assert_eq!(blocks.place(1, &desc(101, 9)), Ok(Place::Own), "another file");
    }
}
