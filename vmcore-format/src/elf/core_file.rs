//! An ELF core file as a whole.

use super::{ET_CORE, Header, PT_LOAD, PT_NOTE, ProgramHeader, ProgramHeaders};
use crate::note::{Note, NoteRegion, Notes};
use crate::{Error, Field, ReadAt};
use core::fmt;

/// An ELF core file of a machine, read in place.
///
/// A file that ends before its data does still opens: [`held_filesz`](Self::held_filesz) and
/// [`missing_bytes`](Self::missing_bytes) say what it lost.
#[derive(Clone, Copy)]
pub struct ElfCore<'a> {
    input: &'a dyn ReadAt,
    header: Header,
    loads: &'a [ProgramHeader],
    first_note: u32,
    note_regions: u32,
}

impl<'a> ElfCore<'a> {
    /// Opens the core file that `input` holds; `table` takes its `PT_LOAD`s.
    ///
    /// # Errors
    /// - [`Error::BufferTooSmall`]: `table` needs that many entries.
    /// - [`Error::Corrupt`]: no ELF file, headers past the end of a known [`ReadAt::size`], or a PT_LOAD or PT_NOTE
    ///   whose range wraps (`p_offset`, `p_paddr`) or whose `p_filesz` is larger than its `p_memsz` (PT_LOAD).
    /// - [`Error::Unsupported`]: another `e_type` than `ET_CORE`, an unknown class, byte order or version.
    /// - [`Error::Io`] from `input`.
    pub fn open(input: &'a dyn ReadAt, table: &'a mut [ProgramHeader]) -> Result<Self, Error> {
        let header = Header::read(input)?;
        if header.e_type != ET_CORE {
            return Err(Error::Unsupported { field: Field::EType, value: u64::from(header.e_type) });
        }
        let (mut loads, mut first_note, mut note_regions) = (0_usize, 0_u32, 0_u32);
        let mut phdrs = ProgramHeaders::new(input, header, 0)?;
        loop {
            let index = phdrs.index();
            let Some(phdr) = phdrs.next() else { break };
            let (phdr, offset) = phdr?;
            match phdr.p_type {
                PT_LOAD => {
                    check_load(&phdr, offset)?;
                    if let Some(entry) = table.get_mut(loads) {
                        *entry = phdr;
                    }
                    loads = loads.saturating_add(1);
                }
                PT_NOTE => {
                    check_file_range(&phdr, offset)?;
                    if note_regions == 0 {
                        first_note = index;
                    }
                    note_regions = note_regions.saturating_add(1);
                }
                _ => {}
            }
        }
        let needed = u64::try_from(loads).unwrap_or(u64::MAX);
        let loads = table.get(..loads).ok_or(Error::BufferTooSmall { needed })?;
        Ok(Self { input, header, loads, first_note, note_regions })
    }

    /// The file's bytes.
    #[must_use]
    pub fn input(&self) -> &'a dyn ReadAt {
        self.input
    }

    /// The ELF header.
    #[must_use]
    pub fn header(&self) -> &Header {
        &self.header
    }

    /// The `PT_LOAD`s in file order, which need not be the order of their addresses. They may overlap (x86_64 lists
    /// the kernel's text twice): where several hold a byte's file data, the first in file order wins.
    #[must_use]
    pub fn loads(&self) -> &'a [ProgramHeader] {
        self.loads
    }

    /// The end of the highest PT_LOAD: the first physical address above all memory, in bytes; 0 without `PT_LOAD`s.
    #[must_use]
    pub fn memory_end(&self) -> u64 {
        self.loads.iter().map(|load| load.memory().end).max().unwrap_or(0)
    }

    /// The regions of notes, in file order, one for each PT_NOTE.
    #[must_use]
    pub fn note_regions(&self) -> NoteRegions<'a> {
        let phdrs = ProgramHeaders::new(self.input, self.header, self.first_note);
        NoteRegions { phdrs, left: self.note_regions }
    }

    /// The notes of all regions, in file order.
    #[must_use]
    pub fn notes(&self) -> CoreNotes<'a> {
        CoreNotes { core: *self, regions: self.note_regions(), notes: None }
    }

    /// How many of the `p_filesz` bytes of a segment the file really holds; `p_filesz` itself where the input's size
    /// is not known.
    #[must_use]
    pub fn held_filesz(&self, phdr: &ProgramHeader) -> u64 {
        match self.input.size() {
            Some(size) => phdr.p_filesz.min(size.saturating_sub(phdr.p_offset)),
            None => phdr.p_filesz,
        }
    }

    /// Bytes of `PT_LOAD`s that the headers announce and the file no longer holds; 0 for a whole file.
    #[must_use]
    pub fn missing_bytes(&self) -> u64 {
        let missing = |load: &ProgramHeader| load.p_filesz.saturating_sub(self.held_filesz(load));
        self.loads.iter().map(missing).fold(0, u64::saturating_add)
    }
}

impl fmt::Debug for ElfCore<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ElfCore")
            .field("header", &self.header)
            .field("loads", &self.loads)
            .finish_non_exhaustive()
    }
}

fn check_file_range(phdr: &ProgramHeader, offset: u64) -> Result<(), Error> {
    match phdr.p_offset.checked_add(phdr.p_filesz) {
        Some(_) => Ok(()),
        None => Err(Error::Corrupt { field: Field::PFilesz, offset }),
    }
}

fn check_load(phdr: &ProgramHeader, offset: u64) -> Result<(), Error> {
    check_file_range(phdr, offset)?;
    if phdr.p_paddr.checked_add(phdr.p_memsz).is_none() || phdr.p_filesz > phdr.p_memsz {
        return Err(Error::Corrupt { field: Field::PMemsz, offset });
    }
    Ok(())
}

/// The regions of notes of an [`ElfCore`]; after an error the iterator is at its end.
#[derive(Debug)]
pub struct NoteRegions<'a> {
    phdrs: Result<ProgramHeaders<'a>, Error>,
    left: u32,
}

impl Iterator for NoteRegions<'_> {
    type Item = Result<NoteRegion, Error>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.left == 0 {
            return None;
        }
        let phdrs = match &mut self.phdrs {
            Ok(phdrs) => phdrs,
            Err(error) => {
                self.left = 0;
                return Some(Err(*error));
            }
        };
        let is_note = |phdr: &Result<(ProgramHeader, u64), Error>| {
            phdr.as_ref().map_or(true, |(phdr, _)| phdr.p_type == PT_NOTE)
        };
        let found = phdrs.find(is_note)?;
        self.left = if found.is_ok() { self.left.saturating_sub(1) } else { 0 };
        Some(found.map(|(phdr, _)| NoteRegion {
            offset: phdr.p_offset,
            len: phdr.p_filesz,
            align: phdr.p_align,
        }))
    }
}

/// The notes of an [`ElfCore`].
///
/// An error ends the region it stands in; the next region's notes follow.
#[derive(Debug)]
pub struct CoreNotes<'a> {
    core: ElfCore<'a>,
    regions: NoteRegions<'a>,
    notes: Option<Notes<'a>>,
}

impl Iterator for CoreNotes<'_> {
    type Item = Result<Note, Error>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            if let Some(note) = self.notes.as_mut().and_then(Iterator::next) {
                return Some(note);
            }
            match self.regions.next()? {
                Ok(region) => {
                    let endian = self.core.header.layout.endian;
                    self.notes = Some(Notes::new(self.core.input, region, endian));
                }
                Err(error) => return Some(Err(error)),
            }
        }
    }
}
