//! Kdump-compressed output.

use core::ops::Range;

use vmcore_format::kdump::{
    Abi, Compression, DiskDumpHeader, Geometry, PageDesc, Region, Status, SubHeader, Timestamp,
};
use vmcore_format::{Field, Pfn, WriteAt};

use super::chunk::{Chunk, Encoded, EncodedPage};
use super::workspace::{DATA_RECORD, TABLES_RECORD};
use super::{Buffer, Error, Frames, Options, Source};
use crate::Level;

/// The highest `max_mapnr` where each bit of the bitmaps is written, those of holes among them: 4 GiB for each bitmap.
const MOST_WRITTEN: u64 = 1 << 35;

/// Writes a kdump-compressed file, version 6.
///
/// On an output that can be rewritten the headers come first, marked as incomplete, and are written again when all is
/// there. On a stream they come last.
#[derive(Debug)]
pub(super) struct KdumpWriter<'a> {
    header: DiskDumpHeader,
    sub: SubHeader,
    abi: Abi,
    geometry: Geometry,
    compression: Compression,
    /// Where the shared page of zeros stands, 0 if there is none.
    zero_page: u64,
    next_desc: u64,
    /// Where the descriptors of this output must end, at the latest.
    descs_end: u64,
    next_data: u64,
    tables: Buffer<'a>,
    data: Buffer<'a>,
}

impl<'a> KdumpWriter<'a> {
    /// Writes all that stands before the pages but the bitmaps. `kept` is the number of pages to be saved in all parts,
    /// `here` in this one, `level` what is left out.
    pub(super) fn begin(
        source: &Source<'a>,
        options: &Options,
        level: Level,
        (kept, here): (u64, u64),
        buffers: (Buffer<'a>, Buffer<'a>),
        out: &mut dyn WriteAt,
    ) -> Result<Self, Error> {
        let (mut tables, mut data) = buffers;
        if !out.can_rewrite() {
            tables.limit(TABLES_RECORD);
            data.limit(DATA_RECORD);
        }
        if source.end.0 > MOST_WRITTEN && !out.starts_as_zeros() {
            return Err(Error::Unsupported { field: Field::MaxMapnr, value: source.end.0 });
        }
        let abi = Abi::of_machine(source.machine_layout(), source.e_machine);
        let notes_len = source.notes.size()?;
        let geometry = Geometry::new(abi, source.page_size, source.end.0, notes_len)?;
        let (header, sub) = headers(source, options, level, geometry, abi, notes_len);
        let data_start = geometry.data(kept)?;
        let mut writer = Self {
            header,
            sub,
            abi,
            geometry,
            compression: options.compression,
            zero_page: 0,
            next_desc: geometry.page_descs(),
            descs_end: data_start,
            next_data: data_start,
            tables,
            data,
        };
        if out.can_rewrite() {
            writer.header.status = Status(header.status.0 | Status::INCOMPLETE);
            writer.write_headers(out)?;
            writer.header.status = header.status;
        }
        writer.copy_notes(source, out)?;
        if out.can_rewrite() {
            // Descriptors come later than pages: room that is taken now is there when the storage is full.
            let end = geometry.data(here)?;
            writer.tables.zeros(writer.next_desc, end, out)?;
        }
        if level.contains(Level::ZERO) && kept > 0 {
            writer.zero_page = writer.next_data;
            writer.next_data = writer.next_data.saturating_add(source.page_size.bytes());
            writer.data.zeros(writer.zero_page, writer.next_data, out)?;
        }
        Ok(writer)
    }

    /// Says which PFNs the file holds, where it is one of a split set.
    pub(super) fn set_pfns(&mut self, pfns: Range<Pfn>) {
        (self.sub.start_pfn, self.sub.end_pfn) = (pfns.start, pfns.end);
    }

    /// Writes the part of the first bitmap that is the slice of `frames`: the frames that the machine had.
    pub(super) fn known_bitmap(&mut self, frames: &Frames<'_>, out: &mut dyn WriteAt) -> Result<(), Error> {
        self.bitmap(self.geometry.bitmap_1(), frames, frames.known(), out)
    }

    /// Writes the part of the second bitmap that is the slice of `frames`: the frames that are kept.
    pub(super) fn kept_bitmap(&mut self, frames: &Frames<'_>, out: &mut dyn WriteAt) -> Result<(), Error> {
        self.bitmap(self.geometry.bitmap_2(), frames, frames.kept(), out)
    }

    /// Writes what is held of the bitmaps: descriptors may follow them without a gap, and pages must not take their room.
    pub(super) fn end_bitmaps(&mut self, out: &mut dyn WriteAt) -> Result<(), Error> {
        self.tables.flush(out)
    }

    fn bitmap(
        &mut self,
        start: u64,
        frames: &Frames<'_>,
        words: &[u64],
        out: &mut dyn WriteAt,
    ) -> Result<(), Error> {
        let at = start.saturating_add(frames.slice().start >> 3);
        self.tables.bitmap(at, words, out)?;
        if frames.slice().end >= frames.end() {
            let len = u64::try_from(words.len()).unwrap_or(0).saturating_mul(8);
            let end = start.saturating_add(self.geometry.bitmap_len());
            self.tables.zeros(at.saturating_add(len), end, out)?;
        }
        Ok(())
    }

    /// Appends the pages of a chunk.
    ///
    /// The order of all writes is the one of a page after the other, descriptor and data, however pages are divided into
    /// chunks.
    pub(super) fn commit(
        &mut self,
        chunk: &Chunk,
        encoded: &Encoded,
        bytes: &[u8],
        out: &mut dyn WriteAt,
    ) -> Result<(), Error> {
        let page_len = u32::try_from(self.header.block_size.bytes()).unwrap_or(0);
        let mut rest = bytes;
        // Bytes of `rest` that belong to the pages that are described.
        let mut due = 0_u32;
        for page in encoded.pages().take(chunk.len()) {
            if self.tables.would_write(PageDesc::ENCODED_LEN) {
                rest = self.append(rest, due, out)?;
                due = 0;
            }
            let (offset, size, flags) = match page {
                EncodedPage::Lost => (0, 0, 0),
                EncodedPage::Zero => (self.zero_page, page_len, 0),
                EncodedPage::Data(size) => {
                    let flags = if size < page_len { self.compression.flag() } else { 0 };
                    let offset = self.next_data.saturating_add(u64::from(due));
                    due = due.saturating_add(size);
                    (offset, size, flags)
                }
            };
            self.describe(&PageDesc { offset, size, flags, page_flags: 0 }, out)?;
        }
        self.append(rest, due, out)?;
        Ok(())
    }

    /// Appends the first `len` of `bytes` to the data; the others.
    fn append<'b>(&mut self, bytes: &'b [u8], len: u32, out: &mut dyn WriteAt) -> Result<&'b [u8], Error> {
        let len = usize::try_from(len).unwrap_or(usize::MAX);
        let (now, later) = bytes.split_at(len.min(bytes.len()));
        self.data.put(self.next_data, now, out)?;
        self.next_data = self.next_data.saturating_add(u64::try_from(now.len()).unwrap_or(0));
        Ok(later)
    }

    fn describe(&mut self, desc: &PageDesc, out: &mut dyn WriteAt) -> Result<(), Error> {
        let mut bytes = [0; PageDesc::ENCODED_LEN];
        desc.encode(self.abi.endian, &mut bytes)?;
        let at = self.next_desc;
        self.next_desc = at.saturating_add(24);
        if self.next_desc > self.descs_end {
            return Err(Error::Changed);
        }
        self.tables.put(at, &bytes, out)
    }

    /// Writes what is still held, then the headers. A dump with lost pages stays marked as incomplete: so its readers
    /// know what a descriptor without data means.
    pub(super) fn finish(&mut self, incomplete: bool, out: &mut dyn WriteAt) -> Result<(), Error> {
        self.tables.flush(out)?;
        self.data.flush(out)?;
        out.sync().map_err(|code| Error::Io { code })?;
        if incomplete {
            self.header.status = Status(self.header.status.0 | Status::INCOMPLETE);
        }
        self.write_headers(out)?;
        out.sync().map_err(|code| Error::Io { code })
    }

    /// Writes what is still held of a dump that ends here. Descriptors have their room: they go where pages no longer do.
    pub(super) fn abandon(&mut self, out: &mut dyn WriteAt) -> Result<(), Error> {
        let pages = self.data.flush(out);
        self.tables.flush(out)?;
        self.header.status = Status(self.header.status.0 | Status::INCOMPLETE);
        self.write_headers(out).and(pages)
    }

    /// Bytes handed to the output so far.
    pub(super) fn written(&self) -> u64 {
        self.tables.written().saturating_add(self.data.written())
    }

    fn write_headers(&mut self, out: &mut dyn WriteAt) -> Result<(), Error> {
        let mut bytes = [0; DiskDumpHeader::MAX_LEN];
        let len = self.header.encode(self.abi, &mut bytes)?;
        self.tables.put(0, bytes.get(..len).unwrap_or_default(), out)?;
        let end = u64::try_from(len).unwrap_or(0);
        self.tables.zeros(end, self.geometry.sub_header(), out)?;
        let mut bytes = [0; SubHeader::MAX_LEN];
        let len = self.sub.encode(self.abi, &mut bytes)?;
        self.tables.put(self.geometry.sub_header(), bytes.get(..len).unwrap_or_default(), out)?;
        self.tables.flush(out)
    }

    fn copy_notes(&mut self, source: &Source<'a>, out: &mut dyn WriteAt) -> Result<(), Error> {
        let end = copy_notes(&mut self.tables, source, self.geometry.notes(self.abi), out)?;
        self.tables.zeros(end, self.geometry.bitmap_1(), out)
    }
}

/// Copies the notes of the input to `offset` of the output; where they end there.
pub(super) fn copy_notes(
    to: &mut Buffer<'_>,
    source: &Source<'_>,
    offset: u64,
    out: &mut dyn WriteAt,
) -> Result<u64, Error> {
    let mut bytes = [0; 1024];
    let mut at = offset;
    source.notes.for_each(&mut bytes, |piece| {
        to.put(at, piece, out)?;
        at = at.saturating_add(u64::try_from(piece.len()).unwrap_or(0));
        Ok::<_, Error>(())
    })?;
    Ok(at)
}

fn headers(
    source: &Source<'_>,
    options: &Options,
    level: Level,
    geometry: Geometry,
    abi: Abi,
    notes_len: u64,
) -> (DiskDumpHeader, SubHeader) {
    let header = DiskDumpHeader {
        header_version: 6,
        utsname: source.utsname,
        timestamp: Timestamp { sec: source.crash_time, usec: 0 },
        status: Status::new(options.compression),
        block_size: source.page_size,
        sub_hdr_size: geometry.sub_hdr_size(),
        bitmap_blocks: geometry.bitmap_blocks(),
        max_mapnr: u32::try_from(source.end.0).unwrap_or(u32::MAX),
        total_ram_blocks: 0,
        device_blocks: 0,
        written_blocks: 0,
        current_cpu: 0,
        nr_cpus: source.nr_cpus,
    };
    let region = |offset, len| if len == 0 { Region::default() } else { Region { offset, len } };
    let notes = geometry.notes(abi);
    let text = source.vmcoreinfo.map_or(0, |info| u64::try_from(info.text().len()).unwrap_or(0));
    let sub = SubHeader {
        phys_base: source.phys_base,
        dump_level: u32::from(level.bits()),
        split: options.split.is_some(),
        start_pfn: Pfn(0),
        end_pfn: Pfn(0),
        vmcoreinfo: region(notes.saturating_add(source.vmcoreinfo_offset), text),
        notes: region(notes, notes_len),
        eraseinfo: Region::default(),
        max_mapnr: source.end.0,
    };
    (header, sub)
}
