//! The memory of a crashed machine in a kdump-compressed file, or a split set of them.

use core::fmt;
use core::ops::Range;

use vmcore_format::kdump::{Compression, KdumpFile, PageDesc};
use vmcore_format::{END_OF_FILE, Error, PageSize, Pfn, PhysAddr};

use super::{Fault, PhysMemory, fault_of_code};
use crate::codec::{DecodeScratch, codec};

/// The most decoded pages that are kept.
const MOST_PAGES: usize = 16;

/// [`PhysMemory`] over a kdump-compressed file.
///
/// Whole pages are decoded into the reader's buffer. Smaller reads, as of page tables, come from a few decoded pages that are
/// kept in the caller's memory.
pub struct KdumpMemory<'a> {
    file: KdumpFile<'a>,
    decode: &'a mut DecodeScratch,
    /// A page as the file has it.
    packed: &'a mut [u8],
    /// Decoded pages, and which they are.
    pages: &'a mut [u8],
    kept: [Option<Pfn>; MOST_PAGES],
    next: usize,
}

impl<'a> KdumpMemory<'a> {
    /// The memory in `file`. `buffer` holds a page as the file has it and decoded pages: two pages at least, of which
    /// seventeen are used.
    ///
    /// # Errors
    /// [`Error::BufferTooSmall`] with the bytes needed.
    pub fn new(
        file: KdumpFile<'a>,
        decode: &'a mut DecodeScratch,
        buffer: &'a mut [u8],
    ) -> Result<Self, Error> {
        let page = file.page_size().len();
        let needed = file.page_size().bytes().saturating_mul(2);
        let (packed, pages) = buffer.split_at_mut_checked(page).ok_or(Error::BufferTooSmall { needed })?;
        if pages.len() < page {
            return Err(Error::BufferTooSmall { needed });
        }
        Ok(Self { file, decode, packed, pages, kept: [None; MOST_PAGES], next: 0 })
    }

    /// The file.
    #[must_use]
    pub fn file(&self) -> &KdumpFile<'a> {
        &self.file
    }

    /// Decodes page `pfn` into `page`.
    fn decode(&mut self, pfn: Pfn, page: &mut [u8]) -> Result<(), Fault> {
        let found = self.file.page_desc(pfn).map_err(fault_of)?;
        let Some((part, PageDesc { offset, size, flags, .. })) = found else {
            let known = self.file.next_known(pfn).map_err(fault_of)?;
            let known = known.is_some_and(|run| run.start == pfn);
            return Err(if known { Fault::Excluded } else { Fault::Hole });
        };
        let size = usize::try_from(size).map_err(|_| Fault::Lost)?;
        if flags == 0 && size == page.len() {
            return self.file.read_raw(part, offset, page).map_err(fault_of);
        }
        let compression = Compression::from_flags(flags).ok_or(Fault::Lost)?;
        let packed = self.packed.get_mut(..size).ok_or(Fault::Lost)?;
        self.file.read_raw(part, offset, packed).map_err(fault_of)?;
        codec(compression).decode(packed, page, self.decode).map_err(|_| Fault::Lost)
    }

    /// The decoded page `pfn` among those kept.
    fn page(&mut self, pfn: Pfn) -> Result<&[u8], Fault> {
        let page_len = self.file.page_size().len();
        let slot = match self.kept.iter().position(|kept| *kept == Some(pfn)) {
            Some(slot) => slot,
            None => self.load(pfn, page_len)?,
        };
        self.pages.chunks_exact(page_len).nth(slot).ok_or(Fault::Lost)
    }

    /// Decodes page `pfn` in place of the one that was decoded longest ago; its slot.
    fn load(&mut self, pfn: Pfn, page_len: usize) -> Result<usize, Fault> {
        let slots = self.pages.chunks_exact(page_len).len().min(MOST_PAGES);
        let slot = if self.next < slots { self.next } else { 0 };
        self.next = slot.saturating_add(1);
        if let Some(kept) = self.kept.get_mut(slot) {
            *kept = None;
        }
        let pages = core::mem::take(&mut self.pages);
        let result = match pages.chunks_exact_mut(page_len).nth(slot) {
            Some(page) => self.decode(pfn, page),
            None => Err(Fault::Lost),
        };
        self.pages = pages;
        result?;
        if let Some(kept) = self.kept.get_mut(slot) {
            *kept = Some(pfn);
        }
        Ok(slot)
    }
}

/// What an error of the file means for the page it was asked about.
fn fault_of(error: Error) -> Fault {
    match error {
        // A stream was cut off before the bytes.
        Error::Io { code: END_OF_FILE } => Fault::Lost,
        Error::Io { code } => fault_of_code(code),
        _ => Fault::Lost,
    }
}

impl PhysMemory for KdumpMemory<'_> {
    fn page_size(&self) -> PageSize {
        self.file.page_size()
    }

    fn read(&mut self, addr: PhysAddr, mut buf: &mut [u8]) -> Result<(), Fault> {
        let page_size = self.page_size();
        let mut addr = addr;
        while !buf.is_empty() {
            let pfn = page_size.frame_of(addr);
            let skip = usize::try_from(page_size.offset_in_page(addr)).map_err(|_| Fault::Hole)?;
            let len = page_size.len().saturating_sub(skip).min(buf.len());
            let (part, rest) = buf.split_at_mut(len);
            if len == page_size.len() {
                self.decode(pfn, part)?;
            } else {
                let page = self.page(pfn)?.get(skip..).and_then(|page| page.get(..len));
                part.copy_from_slice(page.ok_or(Fault::Lost)?);
            }
            buf = rest;
            if !buf.is_empty() {
                addr = u64::try_from(len).ok().and_then(|len| addr.checked_add(len)).ok_or(Fault::Hole)?;
            }
        }
        Ok(())
    }

    fn next_known(&mut self, from: Pfn) -> Result<Option<Range<Pfn>>, Fault> {
        self.file.next_known(from).map_err(fault_of)
    }

    fn next_held(&mut self, from: Pfn) -> Result<Option<Range<Pfn>>, Fault> {
        self.file.next_held(from).map_err(fault_of)
    }
}

impl fmt::Debug for KdumpMemory<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KdumpMemory").field("file", &self.file).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
