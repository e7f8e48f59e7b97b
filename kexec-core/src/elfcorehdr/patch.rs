//! Memory that comes and goes, in a header that stays in its place.

use super::{Builder, Words};
use crate::map::{RangeKind, Span};
use crate::versioned::Change;
use crate::{Error, Field};
use vmcore_format::elf::{Header, PT_LOAD, PT_NOTE, PT_NULL, ProgramHeader};
use vmcore_format::{Class, Layout};

/// `Elf64_Ehdr` and `Elf64_Phdr`, in words.
const HEADER_WORDS: usize = 8;
const PHDR_WORDS: usize = 7;
const HEADER_LEN: usize = 8 * HEADER_WORDS;
const PHDR_LEN: usize = 8 * PHDR_WORDS;

/// Where words stand in an `Elf64_Phdr`: `p_type` with `p_flags`, and the sizes.
const TYPE: usize = 0;
const FILESZ: usize = 4;
const MEMSZ: usize = 5;
/// The order in which an unused slot is filled: the sizes after what they are sizes of, `p_type` last.
const FILL: [usize; PHDR_WORDS] = [1, 2, 3, 6, MEMSZ, FILESZ, TYPE];
/// The order in which a slot is emptied.
const EMPTY: [usize; 3] = [TYPE, FILESZ, MEMSZ];

impl Builder<'_> {
    /// Makes the changes of a map in a header that lies where the capture kernel will read it, safe against a crash between any
    /// two stores: what stands there is a whole header at every moment, no memory is in it twice, and none that is in neither
    /// the old map nor the new one. (For memory that the caller may write: a hypervisor's, a firmware's, a kernel's own. Linux
    /// keeps user space from a loaded crash segment.)
    ///
    /// `self` is what [`encode_with_spare`](Self::encode_with_spare) made the header of, but for `ram`, which is not read. `changes` are in
    /// ascending order: all that differs between the version that the header shows and the one it is to show
    /// ([`VersionedMap::changes`](crate::versioned::VersionedMap::changes)). Memory that comes gets a `PT_LOAD` of its own, even next to another:
    /// build the header anew at a convenient time, and the neighbours become one.
    ///
    /// A header with a note of the map's version ([`map_version`](Self::map_version)) still has the note of the version that it was built
    /// of: take the note away first, by a zero in the first 4 bytes of it.
    ///
    /// No more than ten stores for each program header that changes. Each is looked at four times at most, and each look is for the changes that
    /// touch it: O(p log k) for p program headers and k changes, and a step for each piece of memory that is left or comes. First all
    /// memory that goes is taken out: `p_type` becomes `PT_NULL`, then the sizes 0, which tools that pass over `p_type` (crash)
    /// read as nothing. A range that loses its end only gets smaller; one that loses its start, or its middle, is out of the header, in part, for
    /// a few stores. Then what is new is put in `PT_NULL` slots, `p_type` last.
    ///
    /// # Errors
    /// Before the first store:
    /// - [`Error::BufferTooSmall`]: the number of program headers that are needed, the `PT_NULL` ones counted. Build the header anew.
    /// - [`Error::Unsupported`] with `p_type`: the first `PT_LOAD` would become unused or move. It has to stay, since crash takes
    ///   the page size from it. Build the header anew. (Where there is one of the kernel's text, that is the first.)
    /// - [`Error::Unsupported`] with `e_ident` for class 32, with `p_paddr` for changes out of order.
    /// - [`Error::Corrupt`]: the header is not of this builder (`e_ident`, `e_phnum`, `p_type`, `p_paddr`), or lists memory already that comes
    ///   (`p_paddr`).
    pub fn patch(&self, words: &mut dyn Words, changes: &[Change]) -> Result<(), Error> {
        let mut table = Table::open(self, words)?;
        in_order(changes)?;
        self.check(&table, changes)?;
        for at in table.slots() {
            let phdr = table.get(at);
            if phdr.p_type == PT_LOAD && kept(span_of(&phdr), changes).next().is_none() {
                table.empty(at);
            }
        }
        for at in table.slots() {
            let phdr = table.get(at);
            if phdr.p_type == PT_LOAD {
                self.cut(&mut table, at, span_of(&phdr), changes);
            }
        }
        for change in changes.iter().filter(|change| comes(change)) {
            self.loads_of(change.span).for_each(|phdr| table.add(&phdr));
        }
        Ok(())
    }

    /// Whether all changes can be made.
    fn check(&self, table: &Table<'_>, changes: &[Change]) -> Result<(), Error> {
        let (mut unused, mut needed) = (0_usize, 0_usize);
        for at in table.slots() {
            let phdr = table.get(at);
            if phdr.p_type == PT_NULL {
                unused = unused.saturating_add(1);
                continue;
            }
            let span = span_of(&phdr);
            if phdr.p_type != PT_LOAD {
                return Err(Error::Corrupt { field: Field::PType, offset: offset_of(at) });
            }
            let as_built = self.loads_of(span).eq(core::iter::once(phdr));
            if !as_built || overlapping(span, changes).any(comes) {
                return Err(Error::Corrupt { field: Field::PPaddr, offset: offset_of(at) });
            }
            let mut pieces = kept(span, changes);
            let first = pieces.next();
            if at == table.first_load && first.is_none_or(|piece| piece.start != span.start) {
                return Err(Error::Unsupported { field: Field::PType, value: u64::from(PT_NULL) });
            }
            unused = unused.saturating_add(usize::from(first.is_none()));
            needed = needed.saturating_add(pieces.count());
        }
        for change in changes.iter().filter(|change| comes(change)) {
            needed = needed.saturating_add(self.loads_of(change.span).count());
        }
        match needed.checked_sub(unused) {
            None | Some(0) => Ok(()),
            Some(missing) => {
                let needed = u64::try_from(table.phnum.saturating_add(missing)).unwrap_or(u64::MAX);
                Err(Error::BufferTooSmall { needed })
            }
        }
    }

    /// Takes out of a `PT_LOAD` of `span` what goes.
    fn cut(&self, table: &mut Table<'_>, at: usize, span: Span, changes: &[Change]) {
        let mut pieces = kept(span, changes);
        let Some(first) = pieces.next() else { return };
        if first.start == span.start {
            if first.end != span.end {
                table.shrink(at, first.len());
            }
        } else {
            table.empty(at);
            self.loads_of(first).for_each(|phdr| table.fill(at, &phdr));
        }
        // The pieces of what was one `PT_LOAD` are one each.
        pieces.flat_map(|piece| self.loads_of(piece)).for_each(|phdr| table.add(&phdr));
    }
}

fn is_dumped(kind: Option<RangeKind>) -> bool {
    kind.is_some_and(RangeKind::is_dumped)
}

fn comes(change: &Change) -> bool {
    !is_dumped(change.before) && is_dumped(change.after)
}

fn goes(change: &Change) -> bool {
    is_dumped(change.before) && !is_dumped(change.after)
}

fn in_order(changes: &[Change]) -> Result<(), Error> {
    let mut end = 0;
    for Change { span, .. } in changes {
        if span.is_empty() || span.start.0 < end {
            return Err(Error::Unsupported { field: Field::PPaddr, value: span.start.0 });
        }
        end = span.end.0;
    }
    Ok(())
}

/// The changes that touch `span`.
fn overlapping(span: Span, changes: &[Change]) -> impl Iterator<Item = &Change> {
    let first = changes.partition_point(|change| change.span.end <= span.start);
    let rest = changes.get(first..).unwrap_or_default();
    rest.iter().take_while(move |change| change.span.start < span.end)
}

/// What is left of `span` after the changes, in ascending order.
fn kept(span: Span, changes: &[Change]) -> impl Iterator<Item = Span> {
    let mut gone = overlapping(span, changes).filter(|change| goes(change)).map(|change| change.span);
    let mut start = span.start;
    core::iter::from_fn(move || {
        while start < span.end {
            let next = gone.next().unwrap_or(Span { start: span.end, end: span.end });
            let piece = Span { start, end: next.start };
            start = next.end;
            if !piece.is_empty() {
                return Some(piece);
            }
        }
        None
    })
}

fn span_of(phdr: &ProgramHeader) -> Span {
    let memory = phdr.memory();
    Span::new(memory.start, memory.end)
}

/// Where a program header stands, in bytes.
fn offset_of(at: usize) -> u64 {
    let offset = at.saturating_mul(PHDR_LEN).saturating_add(HEADER_LEN);
    u64::try_from(offset).unwrap_or(u64::MAX)
}

/// The program headers of RAM, and the unused ones.
struct Table<'w> {
    words: &'w mut dyn Words,
    layout: Layout,
    phnum: usize,
    /// The first of RAM.
    first: usize,
    /// The first `PT_LOAD` of all.
    first_load: usize,
    /// None below is unused.
    unused: usize,
}

impl<'w> Table<'w> {
    fn open(builder: &Builder<'_>, words: &'w mut dyn Words) -> Result<Self, Error> {
        let (layout, (first_load, first)) = (builder.layout, builder.before_ram());
        if layout.class != Class::Bits64 {
            return Err(Error::Unsupported { field: Field::EIdent, value: 1 });
        }
        let mut bytes = [0; HEADER_LEN];
        for (at, place) in bytes.chunks_exact_mut(8).enumerate() {
            place.copy_from_slice(&words.load(at).to_ne_bytes());
        }
        let header = Header::read(&bytes.as_slice())?;
        let expected = Header::core(layout, builder.e_machine, header.phnum);
        if header != expected {
            return Err(Error::Corrupt { field: Field::EIdent, offset: 0 });
        }
        let phnum = usize::try_from(header.phnum).unwrap_or(usize::MAX);
        let fits = phnum.checked_mul(PHDR_WORDS).and_then(|table| table.checked_add(HEADER_WORDS));
        if fits.is_none_or(|fits| fits > words.count()) || phnum < first {
            return Err(Error::Corrupt { field: Field::EPhnum, offset: 56 });
        }
        let table = Self { words, layout, phnum, first, first_load, unused: first };
        for at in 0..first {
            let expected = if at < first_load { PT_NOTE } else { PT_LOAD };
            if table.get(at).p_type != expected {
                return Err(Error::Corrupt { field: Field::PType, offset: offset_of(at) });
            }
        }
        Ok(table)
    }

    fn slots(&self) -> core::ops::Range<usize> {
        self.first..self.phnum
    }

    fn get(&self, at: usize) -> ProgramHeader {
        let mut bytes = [0; PHDR_LEN];
        for (word, place) in bytes.chunks_exact_mut(8).enumerate() {
            place.copy_from_slice(&self.words.load(word_of(at, word)).to_ne_bytes());
        }
        ProgramHeader::parse(&bytes, self.layout).unwrap_or_default()
    }

    fn store(&mut self, at: usize, phdr: &ProgramHeader, order: &[usize]) {
        let mut bytes = [0; PHDR_LEN];
        // There is room, and class 64 holds every value.
        let _ = phdr.encode(self.layout, &mut bytes);
        let (encoded, _) = bytes.as_chunks::<8>();
        for &word in order {
            let bytes = encoded.get(word).copied().unwrap_or_default();
            self.words.store(word_of(at, word), u64::from_ne_bytes(bytes));
        }
    }

    fn empty(&mut self, at: usize) {
        self.store(at, &ProgramHeader::default(), &EMPTY);
    }

    fn fill(&mut self, at: usize, phdr: &ProgramHeader) {
        self.store(at, phdr, &FILL);
    }

    /// `p_filesz` is never above `p_memsz`, which is what the capture kernel reads.
    fn shrink(&mut self, at: usize, len: u64) {
        let phdr = ProgramHeader { p_filesz: len, p_memsz: len, ..ProgramHeader::default() };
        self.store(at, &phdr, &[FILESZ, MEMSZ]);
    }

    /// Puts a `PT_LOAD` in the next unused slot, of which there are enough.
    fn add(&mut self, phdr: &ProgramHeader) {
        while self.unused < self.phnum && self.get(self.unused).p_type != PT_NULL {
            self.unused = self.unused.saturating_add(1);
        }
        if self.unused < self.phnum {
            self.fill(self.unused, phdr);
        }
    }
}

fn word_of(at: usize, word: usize) -> usize {
    at.saturating_mul(PHDR_WORDS).saturating_add(HEADER_WORDS).saturating_add(word)
}

#[cfg(test)]
mod tests;
