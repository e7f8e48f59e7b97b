//! Joining a split set into one file: headers written anew, everything else copied.

use super::file::KdumpFile;
use super::geometry::Geometry;
use super::header::{DiskDumpHeader, Status};
use super::page_desc::PageDesc;
use super::sub_header::{Region, SubHeader};
use crate::{Error, Field, Pfn, WriteAt};

/// The least buffer, in bytes: the header is encoded in it.
const BUF_MIN: usize = DiskDumpHeader::MAX_LEN;

/// Writes the dump of a [`KdumpFile`] as one version 6 file, step by step: the caller sees the progress and may stop
/// after any step.
///
/// Pages whose descriptor is damaged, or whose part is missing, become lost pages, and the file's `status` then says that it is
/// incomplete. Pages are copied as they are, compressed. The headers are written last, so that a file left half-written does
/// not claim to be a dump.
#[derive(Debug)]
pub struct Join<'a> {
    file: KdumpFile<'a>,
    plan: Plan,
    phase: Phase,
    incomplete: bool,
    done: u64,
    total: u64,
}

/// Where the pieces go, known once every descriptor was looked at.
#[derive(Debug, Clone, Copy, Default)]
struct Plan {
    geometry: Option<Geometry>,
    sub: SubHeader,
    /// The number of descriptors.
    held: u64,
}

#[derive(Debug, Clone, Copy)]
enum Phase {
    /// Look at the descriptors of `part` to find where its data start and end.
    Measure {
        part: usize,
        rank: u64,
    },
    /// Write the descriptors from `rank` on.
    Descs {
        part: usize,
        rank: u64,
    },
    /// Copy a region.
    Copy {
        piece: usize,
        at: u64,
    },
    Headers,
    Done,
}

/// A region to copy.
#[derive(Debug, Clone, Copy)]
struct Piece {
    part: usize,
    from: Region,
    to: u64,
}

/// The pieces before those of the parts' data.
const PIECES_BEFORE_DATA: usize = 5;

impl<'a> Join<'a> {
    /// Nothing is read or written yet.
    #[must_use]
    pub fn new(file: KdumpFile<'a>) -> Self {
        let incomplete = file.incomplete();
        let phase = Phase::Measure { part: 0, rank: 0 };
        Self { file, plan: Plan::default(), phase, incomplete, done: 0, total: 0 }
    }

    /// The bytes copied and the bytes to copy; the latter is 0 until every descriptor was looked at.
    #[must_use]
    pub fn progress(&self) -> (u64, u64) {
        (self.done, self.total)
    }

    /// Whether pages are lost, as known so far.
    #[must_use]
    pub fn incomplete(&self) -> bool {
        self.incomplete
    }

    /// Reads or writes at most `buf.len()` bytes. Returns true when the output is whole.
    ///
    /// `out` must read as zero where nothing is written, as a new file does. A [`Writer`](crate::flattened::Writer) will do.
    ///
    /// # Errors
    /// [`Error::BufferTooSmall`] below 464 bytes; [`Error::Corrupt`] when the input ends in a bitmap, the notes or the data;
    /// [`Error::Unsupported`] when the sizes do not fit in the format; [`Error::Io`]. A failed step can be tried again.
    pub fn step(&mut self, out: &mut dyn WriteAt, buf: &mut [u8]) -> Result<bool, Error> {
        if buf.len() < BUF_MIN {
            return Err(Error::BufferTooSmall { needed: u64::try_from(BUF_MIN).unwrap_or(u64::MAX) });
        }
        match self.phase {
            Phase::Measure { part, rank } => self.measure(part, rank, buf.len())?,
            Phase::Descs { part, rank } => self.write_descs(part, rank, out, buf)?,
            Phase::Copy { piece, at } => self.copy(piece, at, out, buf)?,
            Phase::Headers => self.write_headers(out, buf)?,
            Phase::Done => {}
        }
        Ok(matches!(self.phase, Phase::Done))
    }

    fn measure(&mut self, part: usize, rank: u64, budget: usize) -> Result<(), Error> {
        let Some((first, end)) = self.file.ranks(part)? else { return self.make_plan() };
        let rank = rank.max(first);
        let until = end.min(rank.saturating_add(descs_in(budget)));
        for rank in rank..until {
            match self.file.desc_of(part, rank.saturating_sub(first)) {
                Ok(desc) => self.extend_data(part, &desc),
                Err(error) => self.lost(error)?,
            }
        }
        let next = if until < end { part } else { part.saturating_add(1) };
        self.phase = Phase::Measure { part: next, rank: until };
        Ok(())
    }

    fn extend_data(&mut self, part: usize, desc: &PageDesc) {
        if let Some(part) = self.file.parts_mut().get_mut(part) {
            let Region { offset, len } = part.data;
            let (start, end) = if len == 0 { (desc.offset, 0) } else { (offset, offset.saturating_add(len)) };
            let (start, end) =
                (start.min(desc.offset), end.max(desc.offset.saturating_add(desc.size.into())));
            part.data = Region { offset: start, len: end.saturating_sub(start) };
        }
    }

    /// A page that cannot be had is lost; a read that failed is the caller's to judge.
    fn lost(&mut self, error: Error) -> Result<(), Error> {
        if let Error::Io { .. } = error {
            return Err(error);
        }
        self.incomplete = true;
        Ok(())
    }

    fn make_plan(&mut self) -> Result<(), Error> {
        let (abi, old) = (self.file.abi(), self.file.sub_header());
        let notes = self.file.notes().map_or(0, |(_, region)| region.len);
        let vmcoreinfo = self.file.vmcoreinfo().map_or(0, |(_, region)| region.len);
        let apart = self.vmcoreinfo_apart().map_or(0, |(_, region)| region.len);
        let block_1 = notes.saturating_add(apart);
        let geometry = Geometry::new(abi, self.file.page_size(), self.file.max_mapnr(), block_1)?;
        let held = self.file.held_below(Pfn(u64::MAX))?;
        let mut end = geometry.data(held)?;
        for part in self.file.parts_mut() {
            part.joined_at = end;
            end = end.checked_add(part.data.len).ok_or(too_large(held))?;
        }
        let at = geometry.notes(abi);
        let region =
            |offset: u64, len: u64| if len == 0 { Region::default() } else { Region { offset, len } };
        let eraseinfo = self.file.eraseinfo().map_or(0, |(_, region)| region.len);
        let sub = SubHeader {
            phys_base: old.phys_base,
            dump_level: old.dump_level,
            max_mapnr: self.file.max_mapnr(),
            notes: region(at, notes),
            vmcoreinfo: region(at.saturating_add(self.vmcoreinfo_in_notes().unwrap_or(notes)), vmcoreinfo),
            eraseinfo: region(end, eraseinfo),
            ..SubHeader::default()
        };
        self.incomplete |= self.ranks_missing()?;
        self.plan = Plan { geometry: Some(geometry), sub, held };
        self.total = held.saturating_mul(u64::try_from(PageDesc::ENCODED_LEN).unwrap_or_default());
        let mut number = 0_usize;
        while let Some(piece) = self.piece(number)? {
            self.total = self.total.saturating_add(piece.from.len);
            number = number.saturating_add(1);
        }
        self.phase = Phase::Descs { part: 0, rank: 0 };
        Ok(())
    }

    /// Where in the notes the VMCOREINFO text starts; `None` when it is not in them.
    fn vmcoreinfo_in_notes(&self) -> Option<u64> {
        let ((_, notes), (_, text)) = (self.file.notes()?, self.file.vmcoreinfo()?);
        let into = text.offset.checked_sub(notes.offset)?;
        (into.checked_add(text.len)? <= notes.len).then_some(into)
    }

    /// The VMCOREINFO text when the notes do not bring it along.
    fn vmcoreinfo_apart(&self) -> Option<(usize, Region)> {
        self.file.vmcoreinfo().filter(|_| self.vmcoreinfo_in_notes().is_none())
    }

    /// Whether a part of the set that holds pages is missing.
    fn ranks_missing(&mut self) -> Result<bool, Error> {
        let mut next = 0;
        for part in 0..self.file.parts().len() {
            let Some((first, end)) = self.file.ranks(part)? else { break };
            if first > next {
                return Ok(true);
            }
            next = next.max(end);
        }
        Ok(next < self.file.held_below(Pfn(u64::MAX))?)
    }

    fn geometry(&self) -> Result<Geometry, Error> {
        self.plan.geometry.ok_or(too_large(0))
    }

    fn write_descs(
        &mut self,
        part: usize,
        rank: u64,
        out: &mut dyn WriteAt,
        buf: &mut [u8],
    ) -> Result<(), Error> {
        let held = self.plan.held;
        if rank >= held {
            self.phase = Phase::Copy { piece: 0, at: 0 };
            return Ok(());
        }
        // Past the last part, and before the next one in a set with gaps, the pages are lost.
        let (first, end) = self.file.ranks(part)?.unwrap_or((held, held));
        let until = if rank < first { first } else { end }.min(rank.saturating_add(descs_in(buf.len())));
        let endian = self.file.abi().endian;
        let slots = buf.chunks_exact_mut(PageDesc::ENCODED_LEN);
        let mut len = 0_usize;
        for (rank, slot) in (rank..until).zip(slots) {
            let desc = if rank < first {
                PageDesc { offset: 0, size: 0, flags: 0, page_flags: 0 }
            } else {
                self.joined_desc(part, rank.saturating_sub(first))?
            };
            len = len.saturating_add(desc.encode(endian, slot)?);
        }
        let at = self.geometry()?.page_desc(rank).ok_or(too_large(rank))?;
        self.copied(out, at, buf.get(..len).unwrap_or_default())?;
        let next = if until >= end { part.saturating_add(1) } else { part };
        self.phase = Phase::Descs { part: next, rank: until };
        Ok(())
    }

    fn joined_desc(&mut self, part: usize, rank: u64) -> Result<PageDesc, Error> {
        match self.file.desc_of(part, rank) {
            Ok(desc) => {
                let place = self.file.parts().get(part).map(|part| (part.data.offset, part.joined_at));
                let (from, to) = place.unwrap_or_default();
                Ok(PageDesc { offset: desc.offset.saturating_sub(from).saturating_add(to), ..desc })
            }
            Err(error) => {
                self.lost(error)?;
                Ok(PageDesc { offset: 0, size: 0, flags: 0, page_flags: 0 })
            }
        }
    }

    fn copy(&mut self, piece: usize, at: u64, out: &mut dyn WriteAt, buf: &mut [u8]) -> Result<(), Error> {
        let Some(Piece { part, from, to }) = self.piece(piece)? else {
            self.phase = Phase::Headers;
            return Ok(());
        };
        if from.len == 0 {
            self.phase = Phase::Copy { piece: piece.saturating_add(1), at: 0 };
            return Ok(());
        }
        let left = from.len.saturating_sub(at);
        let len = usize::try_from(left).unwrap_or(usize::MAX).min(buf.len());
        let bytes = buf.get_mut(..len).unwrap_or_default();
        self.file.read_raw(part, from.offset.saturating_add(at), bytes)?;
        self.copied(out, to.saturating_add(at), bytes)?;
        let at = at.saturating_add(u64::try_from(len).unwrap_or_default());
        self.phase = if at < from.len {
            Phase::Copy { piece, at }
        } else {
            Phase::Copy { piece: piece.saturating_add(1), at: 0 }
        };
        Ok(())
    }

    /// The regions to copy, in order; `None` after the last one.
    fn piece(&self, number: usize) -> Result<Option<Piece>, Error> {
        let (old, new) = (self.file.geometry(), self.geometry()?);
        let bitmap = |offset, to| Some(Piece { part: 0, from: Region { offset, len: new.bitmap_len() }, to });
        let moved = |found: Option<(usize, Region)>, to| {
            let (part, from) = found.unwrap_or_default();
            Some(Piece { part, from, to })
        };
        Ok(match number {
            0 => moved(self.file.notes(), self.plan.sub.notes.offset),
            1 => moved(self.vmcoreinfo_apart(), self.plan.sub.vmcoreinfo.offset),
            2 => moved(self.file.eraseinfo(), self.plan.sub.eraseinfo.offset),
            3 => bitmap(old.bitmap_1(), new.bitmap_1()),
            4 => bitmap(old.bitmap_2(), new.bitmap_2()),
            _ => {
                let part = number.saturating_sub(PIECES_BEFORE_DATA);
                let source = self.file.parts().get(part);
                source.map(|source| Piece { part, from: source.data, to: source.joined_at })
            }
        })
    }

    fn write_headers(&mut self, out: &mut dyn WriteAt, buf: &mut [u8]) -> Result<(), Error> {
        let (abi, geometry) = (self.file.abi(), self.geometry()?);
        let mut header = *self.file.header();
        header.header_version = 6;
        header.sub_hdr_size = geometry.sub_hdr_size();
        header.bitmap_blocks = geometry.bitmap_blocks();
        header.max_mapnr = u32::try_from(self.file.max_mapnr()).unwrap_or(u32::MAX);
        if self.incomplete {
            header.status.0 |= Status::INCOMPLETE;
        }
        let len = self.plan.sub.encode(abi, buf)?;
        write(out, geometry.sub_header(), buf.get(..len).unwrap_or_default())?;
        let len = header.encode(abi, buf)?;
        write(out, 0, buf.get(..len).unwrap_or_default())?;
        self.phase = Phase::Done;
        Ok(())
    }

    fn copied(&mut self, out: &mut dyn WriteAt, at: u64, bytes: &[u8]) -> Result<(), Error> {
        write(out, at, bytes)?;
        self.done = self.done.saturating_add(u64::try_from(bytes.len()).unwrap_or_default());
        Ok(())
    }
}

fn write(out: &mut dyn WriteAt, at: u64, bytes: &[u8]) -> Result<(), Error> {
    out.write_at(at, bytes).map_err(|code| Error::Io { code })
}

/// The descriptors that `bytes` hold.
fn descs_in(bytes: usize) -> u64 {
    let count = bytes.checked_div(PageDesc::ENCODED_LEN).unwrap_or_default();
    u64::try_from(count).unwrap_or(u64::MAX)
}

fn too_large(held: u64) -> Error {
    Error::Unsupported { field: Field::PageDesc, value: held }
}
