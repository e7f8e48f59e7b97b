//! Reading a flattened file in place.

use core::fmt;

use super::format::{CUT_OFF, END, Extent, HEADER_LEN, RECORD_LEN, SIGNATURE, TYPE_FLAT, VERSION_FLAT};
use super::overlap;
use crate::{END_OF_FILE, Endian, Error, Field, ReadAt};

/// The dump inside a flattened file, as if it had been written plainly.
///
/// Bytes that no record wrote read as zero up to the dump's [`size`](ReadAt::size), the highest end of a record. Bytes that
/// the stream was cut off before fail with [`END_OF_FILE`]. A read costs a binary search and one read of the input
/// for each extent it touches.
///
/// It can be shared by threads when `R` can.
pub struct Flattened<'a, R: ReadAt + ?Sized = dyn ReadAt + 'a> {
    input: &'a R,
    extents: &'a [Extent],
    size: u64,
    complete: bool,
    overlapping: u64,
}

/// Whether the input starts with the signature of a flattened file. An input that cannot be read does not.
#[must_use]
pub fn is_flattened(input: &dyn ReadAt) -> bool {
    let mut signature = [0; SIGNATURE.len()];
    input.read_at(0, &mut signature).is_ok() && signature == SIGNATURE
}

/// What a walk over the records found.
struct Scan {
    /// The entries the table needs.
    entries: u64,
    complete: bool,
    /// The bytes of the dump that all records have together.
    bytes: u64,
}

impl<'a, R: ReadAt + ?Sized> Flattened<'a, R> {
    /// Opens a flattened file: reads every record's header, not the data.
    ///
    /// `table` needs an entry for each record, one more for a stream that was cut off, and two more for each record that
    /// overlaps another (makedumpfile before 1.7.6 writes some). [`Error::BufferTooSmall`] says how many entries; when the
    /// table had not even one for each record, the second answer may be higher than the first. Takes O(n log n) time for n
    /// records, whatever they are.
    ///
    /// A record with a negative offset or size ends the stream as a cut does: what came before it is there,
    /// and [`complete`](Self::complete) is false.
    ///
    /// # Errors
    /// [`Error::Unsupported`] for another signature, type or version; [`Error::Corrupt`] when the input is shorter than a
    /// header; [`Error::BufferTooSmall`], in entries; [`Error::Io`].
    pub fn open(input: &'a R, table: &'a mut [Extent]) -> Result<Self, Error> {
        check_header(input)?;
        let Scan { entries, complete, bytes } = scan(input, table)?;
        let used = usize::try_from(entries).ok().filter(|&used| used <= table.len());
        let used = used.ok_or(Error::BufferTooSmall { needed: entries })?;
        let used = overlap::resolve(table, used)?;
        let table: &'a [Extent] = table;
        let extents = table.get(..used).unwrap_or_default();
        let there = extents.iter().rfind(|extent| extent.source != CUT_OFF);
        let once = extents
            .iter()
            .fold(0_u64, |sum, extent| sum.saturating_add(extent.end.saturating_sub(extent.start)));
        let overlapping = bytes.saturating_sub(once);
        Ok(Self { input, extents, size: there.map_or(0, |extent| extent.end), complete, overlapping })
    }

    /// Whether the stream has its end record: without it, the writer did not finish or the stream was cut off.
    #[must_use]
    pub fn complete(&self) -> bool {
        self.complete
    }

    /// How many bytes records write that a later one writes again; 0 in a stream that every reader understands.
    #[must_use]
    pub fn overlapping(&self) -> u64 {
        self.overlapping
    }

    /// The extents, in the order of the dump; they do not overlap.
    #[must_use]
    pub fn extents(&self) -> &'a [Extent] {
        self.extents
    }

    /// The flattened file itself.
    #[must_use]
    pub fn input(&self) -> &'a R {
        self.input
    }
}

fn check_header<R: ReadAt + ?Sized>(input: &R) -> Result<(), Error> {
    let mut header = [0; 32];
    let short = Error::Corrupt { field: Field::FlattenedHeader, offset: 0 };
    if input.size().is_some_and(|size| usize::try_from(size).is_ok_and(|size| size < HEADER_LEN)) {
        return Err(short);
    }
    input.read_at(0, &mut header).map_err(|code| Error::Io { code })?;
    let (signature, numbers) = header.split_first_chunk().ok_or(short)?;
    if *signature != SIGNATURE {
        let value = signature.first_chunk().map_or(0, |first| u64::from_be_bytes(*first));
        return Err(Error::Unsupported { field: Field::Signature, value });
    }
    let (kind, version) = two_numbers(numbers).ok_or(short)?;
    if kind != TYPE_FLAT {
        return Err(Error::Unsupported { field: Field::FlattenedType, value: kind });
    }
    if version != VERSION_FLAT {
        return Err(Error::Unsupported { field: Field::FlattenedVersion, value: version });
    }
    Ok(())
}

fn two_numbers(bytes: &[u8]) -> Option<(u64, u64)> {
    let (first, rest) = bytes.split_first_chunk()?;
    Some((Endian::Big.u64(*first), Endian::Big.u64(*rest.first_chunk()?)))
}

/// Puts an extent for each record into `table` as long as there is room, and goes on counting.
fn scan<R: ReadAt + ?Sized>(input: &R, table: &mut [Extent]) -> Result<Scan, Error> {
    let size = input.size().unwrap_or(u64::MAX);
    let mut slots = table.iter_mut();
    let (mut entries, mut bytes) = (0_u64, 0_u64);
    let mut put = |extent: Extent| {
        if extent.start < extent.end {
            entries = entries.saturating_add(1);
            bytes = bytes.saturating_add(extent.end.saturating_sub(extent.start));
            if let Some(slot) = slots.next() {
                *slot = extent;
            }
        }
    };
    let mut at = u64::try_from(HEADER_LEN).unwrap_or_default();
    let complete = loop {
        let Some((offset, len, data)) = record(input, at, size)? else { break false };
        if (offset, len) == (END, END) {
            break true;
        }
        let Some((end, next)) = ends(offset, len, data) else { break false };
        let there = len.min(size.saturating_sub(data));
        let middle = offset.saturating_add(there);
        put(Extent { start: offset, end: middle, source: data });
        put(Extent { start: middle, end, source: CUT_OFF });
        at = next;
    };
    Ok(Scan { entries, complete, bytes })
}

/// The record at `at`: its offset, its size, and where its data start. `None`: the input ends before.
fn record<R: ReadAt + ?Sized>(input: &R, at: u64, size: u64) -> Result<Option<(u64, u64, u64)>, Error> {
    let mut header = [0; RECORD_LEN];
    let data =
        u64::try_from(RECORD_LEN).ok().and_then(|len| at.checked_add(len)).filter(|&data| data <= size);
    let Some(data) = data else { return Ok(None) };
    match input.read_at(at, &mut header) {
        Ok(()) => Ok(two_numbers(&header).map(|(offset, len)| (offset, len, data))),
        // An input of unknown size ends where it cannot be read.
        Err(_) if size == u64::MAX => Ok(None),
        Err(code) => Err(Error::Io { code }),
    }
}

/// The end of a record's bytes in the dump and in the stream, or `None` when its numbers are none that a writer can mean.
///
/// A run of zero bytes, as a file system leaves after a crash, is no run of empty records.
fn ends(offset: u64, len: u64, data: u64) -> Option<(u64, u64)> {
    let signed = |number: u64| i64::try_from(number).is_ok();
    let end = offset.checked_add(len)?;
    let next = data.checked_add(len)?;
    (signed(offset) && signed(len) && signed(end) && signed(next) && (offset, len) != (0, 0))
        .then_some((end, next))
}

impl<R: ReadAt + ?Sized> ReadAt for Flattened<'_, R> {
    fn read_at(&self, offset: u64, buf: &mut [u8]) -> Result<(), i32> {
        let len = u64::try_from(buf.len()).map_err(|_| END_OF_FILE)?;
        let end = offset.checked_add(len).filter(|&end| end <= self.size).ok_or(END_OF_FILE)?;
        let first = self.extents.partition_point(|extent| extent.end <= offset);
        let touched =
            self.extents.get(first..).unwrap_or_default().iter().take_while(|extent| extent.start < end);
        let (mut at, mut rest) = (offset, buf);
        for extent in touched {
            let gap = take(&mut rest, extent.start.saturating_sub(at))?;
            gap.fill(0);
            at = at.max(extent.start);
            let until = extent.end.min(end);
            let bytes = take(&mut rest, until.saturating_sub(at))?;
            if extent.source == CUT_OFF {
                return Err(END_OF_FILE);
            }
            self.input.read_at(extent.source_of(at), bytes)?;
            at = until;
        }
        rest.fill(0);
        Ok(())
    }

    fn size(&self) -> Option<u64> {
        Some(self.size)
    }

    fn next_data(&self, offset: u64) -> u64 {
        let first = self.extents.partition_point(|extent| extent.end <= offset);
        let next = self.extents.get(first).map_or(self.size, |extent| extent.start);
        next.max(offset)
    }
}

/// Splits the first `len` bytes off `rest`.
fn take<'b>(rest: &mut &'b mut [u8], len: u64) -> Result<&'b mut [u8], i32> {
    let len = usize::try_from(len).map_err(|_| END_OF_FILE)?;
    let (first, others) = core::mem::take(rest).split_at_mut_checked(len).ok_or(END_OF_FILE)?;
    *rest = others;
    Ok(first)
}

impl<R: ReadAt + ?Sized> fmt::Debug for Flattened<'_, R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { extents, size, complete, .. } = self;
        write!(f, "Flattened({size} bytes in {} extents, complete: {complete})", extents.len())
    }
}
