//! Kdump-compressed output.

use core::ops::Range;

use vmcore_format::kdump::{
    Abi, Compression, DiskDumpHeader, Geometry, PageDesc, Region, Status, SubHeader, Timestamp,
};
use vmcore_format::{Field, Pfn, WriteAt};

use super::chunk::{Chunk, Encoded, EncodedPage};
use super::duplicates::Duplicates;
use super::eraseinfo::{EraseInfo, copy};
use super::stable::{HeadersFirst, sync};
use super::workspace::{DATA_RECORD, TABLES_RECORD};
use super::{Buffer, Error, Frames, Options, Source};
use crate::Level;

/// The highest `max_mapnr` where each bit of the bitmaps is written, those of holes among them: 4 GiB for each bitmap.
const MOST_WRITTEN: u64 = 1 << 35;
/// Pages of the output whose descriptor and data are written.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct InFile {
    /// All of them, of zeros or not.
    pub(super) saved: u64,
    /// Those of zeros.
    pub(super) zero: u64,
}

/// Writes a kdump-compressed file, version 6.
///
/// What a reader needs comes first: headers, notes and bitmaps (of a file in little memory the second one comes slice by
/// slice), then the room of the descriptors, zero: a page whose descriptor is zero is lost. From then on each descriptor is
/// written after the data that it points at. A file is marked as incomplete from its first byte on, and is brought to stable
/// storage [early](HeadersFirst), and again before the mark is cleared. A stream gets each byte once: its `status` comes last.
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
    /// Once pages are written this is for descriptors alone.
    tables: Buffer<'a>,
    data: Buffer<'a>,
    is_stream: bool,
    headers_first: HeadersFirst,
    /// Whether all that stands before the pages is written.
    has_pages: bool,
    in_file: InFile,
}

impl<'a> KdumpWriter<'a> {
    /// Writes what stands before the bitmaps. `kept` is the number of pages to be saved in all parts, `level` what is left
    /// out.
    pub(super) fn begin(
        source: &Source<'a>,
        options: &Options,
        level: Level,
        kept: u64,
        erased: &EraseInfo<'a>,
        buffers: (Buffer<'a>, Buffer<'a>),
        out: &mut dyn WriteAt,
    ) -> Result<Self, Error> {
        let (mut tables, mut data) = buffers;
        let is_stream = !out.can_rewrite();
        if is_stream {
            tables.limit(TABLES_RECORD);
            data.limit(DATA_RECORD);
        }
        if source.end.0 > MOST_WRITTEN && !out.starts_as_zeros() {
            return Err(Error::Unsupported { field: Field::MaxMapnr, value: source.end.0 });
        }
        let abi = Abi::of_machine(source.machine_layout(), source.e_machine);
        let notes_len = source.notes.size()?;
        let geometry =
            Geometry::new(abi, source.page_size, source.end.0, notes_len.saturating_add(erased.len()))?;
        let (header, sub) = headers(source, options, level, geometry, abi, (notes_len, erased.len()));
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
            is_stream,
            headers_first: HeadersFirst::new(out),
            has_pages: false,
            in_file: InFile::default(),
        };
        writer.write_header(out)?;
        // The sub-header of a part of a set says which PFNs it has: that is not known yet.
        if !(is_stream && sub.split) {
            writer.write_sub_header(out)?;
        }
        writer.copy_notes(source, notes_len, erased, out)?;
        Ok(writer)
    }

    /// Ends what stands before the pages, of which there will be `here` in this output: those of `pfns`, where it is one of a
    /// split set.
    pub(super) fn begin_pages(
        &mut self,
        pfns: Option<Range<Pfn>>,
        here: u64,
        level: Level,
        out: &mut dyn WriteAt,
    ) -> Result<(), Error> {
        if let Some(pfns) = pfns {
            (self.sub.start_pfn, self.sub.end_pfn) = (pfns.start, pfns.end);
            self.write_sub_header(out)?;
        }
        if !self.is_stream {
            // Descriptors come later than pages: room that is taken now is there when the storage is full.
            let end = self.geometry.data(here)?;
            self.tables.zeros(self.next_desc, end, out)?;
        }
        self.tables.flush(out)?;
        self.headers_first.keep(0, out)?;
        self.has_pages = true;
        if level.contains(Level::ZERO) && here > 0 {
            self.zero_page = self.next_data;
            self.next_data = self.next_data.saturating_add(self.header.block_size.bytes());
            self.data.zeros(self.zero_page, self.next_data, out)?;
        }
        Ok(())
    }

    /// Writes the part of the first bitmap that is the slice of `frames`: the frames that the machine had.
    pub(super) fn known_bitmap(&mut self, frames: &Frames<'_>, out: &mut dyn WriteAt) -> Result<(), Error> {
        self.bitmap(self.geometry.bitmap_1(), frames, frames.known(), out)
    }

    /// Writes the part of the second bitmap that is the slice of `frames`: the frames that are kept.
    pub(super) fn kept_bitmap(&mut self, frames: &Frames<'_>, out: &mut dyn WriteAt) -> Result<(), Error> {
        self.flush_descs(out)?;
        self.bitmap(self.geometry.bitmap_2(), frames, frames.kept(), out)?;
        if self.has_pages { self.tables.flush(out) } else { Ok(()) }
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
    /// The order of all writes is the one of a page after the other, data and descriptor, however pages are divided into
    /// chunks. A page that `duplicates` knows has a descriptor alone.
    pub(super) fn commit(
        &mut self,
        chunk: &Chunk,
        encoded: &Encoded,
        bytes: &[u8],
        duplicates: &mut Duplicates<'_>,
        out: &mut dyn WriteAt,
    ) -> Result<(), Error> {
        let page_len = u32::try_from(self.header.block_size.bytes()).unwrap_or(0);
        let (digests, mut rest) = encoded.split(bytes);
        let mut digests = digests.iter();
        // Bytes of `rest` that belong to the pages that are described.
        let mut due = 0_u32;
        for page in encoded.pages().take(chunk.len()) {
            let digest = digests.next();
            if self.tables.would_write(PageDesc::ENCODED_LEN) {
                rest = self.append(rest, due, out)?;
                due = 0;
                self.flush_descs(out)?;
            }
            let (offset, size, flags) = match page {
                EncodedPage::Lost => (0, 0, 0),
                EncodedPage::Zero => (self.zero_page, page_len, 0),
                EncodedPage::Data(size) => {
                    let flags = if size < page_len { self.compression.flag() } else { 0 };
                    let offset = self.next_data.saturating_add(u64::from(due));
                    if let Some(earlier) = digest.and_then(|digest| duplicates.find(digest, offset, size)) {
                        rest = self.append(rest, due, out)?;
                        due = 0;
                        rest = rest.get(usize::try_from(size).unwrap_or(0)..).unwrap_or_default();
                        (earlier, size, flags)
                    } else {
                        due = due.saturating_add(size);
                        (offset, size, flags)
                    }
                }
            };
            self.describe(&PageDesc { offset, size, flags, page_flags: 0 }, out)?;
        }
        self.append(rest, due, out)?;
        self.headers_first.keep(self.data.written(), out)
    }

    /// Appends the first `len` of `bytes` to the data; the others.
    fn append<'b>(&mut self, bytes: &'b [u8], len: u32, out: &mut dyn WriteAt) -> Result<&'b [u8], Error> {
        let len = usize::try_from(len).unwrap_or(usize::MAX);
        let (now, later) = bytes.split_at(len.min(bytes.len()));
        self.data.put(self.next_data, now, out)?;
        self.next_data = self.next_data.saturating_add(u64::try_from(now.len()).unwrap_or(0));
        Ok(later)
    }

    /// Puts a descriptor to the others, which have room for it.
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

    /// Writes the descriptors that are held, and before them the data that they point at.
    fn flush_descs(&mut self, out: &mut dyn WriteAt) -> Result<(), Error> {
        if self.has_pages && !self.tables.held().is_empty() {
            self.data.flush(out)?;
            let now = self.described();
            self.tables.flush(out)?;
            self.count(now);
        }
        Ok(())
    }

    /// The pages of the descriptors that are held.
    fn described(&self) -> InFile {
        let mut pages = InFile::default();
        for bytes in self.tables.held().chunks_exact(PageDesc::ENCODED_LEN) {
            let offset = PageDesc::parse(bytes, self.abi.endian).map_or(0, |desc| desc.offset);
            pages.saved = pages.saved.saturating_add(u64::from(offset != 0));
            pages.zero = pages.zero.saturating_add(u64::from(offset != 0 && offset == self.zero_page));
        }
        pages
    }

    fn count(&mut self, now: InFile) {
        self.in_file.saved = self.in_file.saved.saturating_add(now.saved);
        self.in_file.zero = self.in_file.zero.saturating_add(now.zero);
    }

    /// Writes what is still held, then `status`. A dump with lost pages stays marked as incomplete: so its readers know what
    /// a descriptor without data means.
    pub(super) fn finish(&mut self, incomplete: bool, out: &mut dyn WriteAt) -> Result<(), Error> {
        self.flush_descs(out)?;
        self.data.flush(out)?;
        if !self.is_stream {
            sync(out)?;
        }
        if self.is_stream || !incomplete {
            self.write_status(incomplete, out)?;
        }
        sync(out)
    }

    /// Writes what is still held of a dump that ends here, and the descriptors of the pages whose data are written: they have
    /// their room.
    pub(super) fn abandon(&mut self, out: &mut dyn WriteAt) -> Result<(), Error> {
        let pages = self.data.flush_what_fits(out);
        let tables = if self.has_pages { self.abandon_descs(out) } else { self.tables.flush(out) };
        let status = if self.is_stream { self.write_status(true, out) } else { Ok(()) };
        // Pages that do not fit hide no other failure.
        tables?;
        status?;
        pages
    }

    fn abandon_descs(&mut self, out: &mut dyn WriteAt) -> Result<(), Error> {
        let (endian, written) = (self.abi.endian, self.data.start());
        for bytes in self.tables.held_mut().chunks_exact_mut(PageDesc::ENCODED_LEN) {
            let end = PageDesc::parse(bytes, endian).map(|desc| desc.offset.saturating_add(desc.size.into()));
            if end.is_ok_and(|end| end > written) {
                bytes.fill(0);
            }
        }
        let now = self.described();
        self.tables.flush(out)?;
        self.count(now);
        Ok(())
    }

    /// The pages that a reader finds, once the dump is finished or abandoned.
    pub(super) fn in_file(&self) -> InFile {
        self.in_file
    }

    /// Bytes handed to the output so far.
    pub(super) fn written(&self) -> u64 {
        self.tables.written().saturating_add(self.data.written())
    }

    /// Writes block 0; on a stream all of it but `status`.
    fn write_header(&mut self, out: &mut dyn WriteAt) -> Result<(), Error> {
        let mut header = self.header;
        header.status.0 |= Status::INCOMPLETE;
        let mut bytes = [0; DiskDumpHeader::MAX_LEN];
        let len = header.encode(self.abi, &mut bytes)?;
        let bytes = bytes.get(..len).unwrap_or_default();
        let status = DiskDumpHeader::status_offset(self.abi);
        if self.is_stream {
            let parts = usize::try_from(status).ok().and_then(|status| bytes.split_at_checked(status));
            let (before, rest) = parts.unwrap_or_default();
            self.tables.put(0, before, out)?;
            self.tables.put(status.saturating_add(4), rest.get(4..).unwrap_or_default(), out)?;
        } else {
            self.tables.put(0, bytes, out)?;
        }
        let end = u64::try_from(len).unwrap_or(0);
        self.tables.zeros(end, self.geometry.sub_header(), out)
    }

    fn write_sub_header(&mut self, out: &mut dyn WriteAt) -> Result<(), Error> {
        let mut bytes = [0; SubHeader::MAX_LEN];
        let len = self.sub.encode(self.abi, &mut bytes)?;
        self.tables.put(self.geometry.sub_header(), bytes.get(..len).unwrap_or_default(), out)
    }

    fn write_status(&mut self, incomplete: bool, out: &mut dyn WriteAt) -> Result<(), Error> {
        let mark = if incomplete { Status::INCOMPLETE } else { 0 };
        let word = self.abi.endian.u32_bytes(self.header.status.0 | mark);
        self.tables.put(DiskDumpHeader::status_offset(self.abi), &word, out)?;
        self.tables.flush(out)
    }

    /// Writes the notes, and behind them the log of erased data.
    fn copy_notes(
        &mut self,
        source: &Source<'a>,
        len: u64,
        erased: &EraseInfo<'a>,
        out: &mut dyn WriteAt,
    ) -> Result<(), Error> {
        let end = copy(&mut self.tables, &source.notes, len, self.geometry.notes(self.abi), out)?;
        let end = erased.write(&mut self.tables, end, out)?;
        self.tables.zeros(end, self.geometry.bitmap_1(), out)
    }
}

fn headers(
    source: &Source<'_>,
    options: &Options,
    level: Level,
    geometry: Geometry,
    abi: Abi,
    (notes_len, erased_len): (u64, u64),
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
        eraseinfo: region(notes.saturating_add(notes_len), erased_len),
        max_mapnr: source.end.0,
    };
    (header, sub)
}
