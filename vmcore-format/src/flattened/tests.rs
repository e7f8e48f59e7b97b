//! Streams laid out by hand, and random ones against a plain model.

use std::vec::Vec;

use super::{Extent, Flattened, Rearrange, Writer, is_flattened};
use crate::{END_OF_FILE, Error, Field, ReadAt, WriteAt};

/// A stream's header, by hand.
fn header() -> Vec<u8> {
    let mut bytes = b"makedumpfile\0\0\0\0\0\0\0\0\0\0\0\x01\0\0\0\0\0\0\0\x01".to_vec();
    bytes.resize(4096, 0);
    bytes
}

fn record(stream: &mut Vec<u8>, offset: i64, size: i64, data: &[u8]) {
    stream.extend(offset.to_be_bytes());
    stream.extend(size.to_be_bytes());
    stream.extend(data);
}

fn end(stream: &mut Vec<u8>) {
    stream.extend([0xff; 16]);
}

/// The whole dump, and whether the stream was complete.
fn plain(stream: &[u8], entries: usize) -> Result<(Vec<u8>, bool), Error> {
    let mut table = std::vec![Extent::EMPTY; entries];
    let flattened = Flattened::open(stream, &mut table)?;
    let mut bytes = std::vec![0xee; flattened.size().unwrap() as usize];
    flattened.read_at(0, &mut bytes).map_err(|code| Error::Io { code })?;
    Ok((bytes, flattened.complete()))
}

#[test]
fn records_come_in_any_order_and_gaps_are_zero() {
    let mut stream = header();
    record(&mut stream, 6, 3, b"ghi");
    record(&mut stream, 1, 2, b"bc");
    record(&mut stream, 10, 0, b"");
    record(&mut stream, 3, 1, b"d");
    end(&mut stream);
    stream.extend(b"padding of an archive");
    assert!(is_flattened(&&stream[..]));
    assert_eq!(plain(&stream, 3), Ok((b"\0bcd\0\0ghi".to_vec(), true)));
    assert_eq!(plain(&stream, 2), Err(Error::BufferTooSmall { needed: 3 }));
}

#[test]
fn the_last_record_wins() {
    let mut stream = header();
    record(&mut stream, 0, 8, b"aaaaaaaa");
    record(&mut stream, 20, 2, b"zz");
    record(&mut stream, 2, 3, b"bbb");
    record(&mut stream, 0, 1, b"c");
    record(&mut stream, 4, 6, b"dddddd");
    end(&mut stream);
    let expected = b"cabbdddddd\0\0\0\0\0\0\0\0\0\0zz".to_vec();
    // Five records, four of which overlap another.
    assert_eq!(plain(&stream, 4), Err(Error::BufferTooSmall { needed: 5 }));
    assert_eq!(plain(&stream, 5), Err(Error::BufferTooSmall { needed: 13 }));
    assert_eq!(plain(&stream, 12), Err(Error::BufferTooSmall { needed: 13 }));
    assert_eq!(plain(&stream, 13), Ok((expected.clone(), true)));
    assert_eq!(plain(&stream, 1000), Ok((expected, true)));
    let mut table = [Extent::EMPTY; 13];
    // Of 20 bytes in records 12 are somewhere.
    assert_eq!(Flattened::open(&stream[..], &mut table).unwrap().overlapping(), 8);
}

#[test]
fn reads_are_all_or_nothing() {
    let mut stream = header();
    record(&mut stream, 2, 2, b"ab");
    record(&mut stream, 6, 2, b"cd");
    end(&mut stream);
    let mut table = [Extent::EMPTY; 2];
    let flattened = Flattened::open(&stream[..], &mut table).unwrap();
    let dump = b"\0\0ab\0\0cd";
    for start in 0..=9 {
        for end in start..=10 {
            let mut bytes = std::vec![0xee; end - start];
            match flattened.read_at(start as u64, &mut bytes) {
                Ok(()) => assert_eq!(bytes, dump[start..end]),
                Err(code) => assert!(code == END_OF_FILE && end > 8),
            }
        }
    }
    assert_eq!(flattened.read_at(u64::MAX, &mut [0; 2]), Err(END_OF_FILE));
    assert_eq!(flattened.size(), Some(8));
}

#[test]
fn a_stream_cut_at_any_length_gives_what_is_there() {
    let mut stream = header();
    let mut ends = Vec::new();
    for (offset, data) in [(8, &b"ijkl"[..]), (0, b"abcd"), (5, b"fgh"), (4, b"efgH")] {
        record(&mut stream, offset, data.len() as i64, data);
        ends.push((offset as usize, data, stream.len()));
    }
    end(&mut stream);
    for cut in 0..stream.len() {
        let mut table = [Extent::EMPTY; 20];
        let input = &stream[..cut];
        let flattened = match Flattened::open(input, &mut table) {
            Ok(flattened) => flattened,
            Err(error) => {
                assert!(cut < 4096);
                assert_eq!(error, Error::Corrupt { field: Field::FlattenedHeader, offset: 0 });
                continue;
            }
        };
        assert!(!flattened.complete());
        // Byte by byte: what was sent, what was announced and not sent, or a gap.
        let mut model = [Some(0); 12];
        let mut size = 0;
        for &(offset, data, data_end) in &ends {
            let start = data_end - data.len();
            for (index, byte) in data.iter().enumerate().filter(|_| cut >= start) {
                let there = start + index < cut;
                model[offset + index] = there.then_some(*byte);
            }
            let there = data.len().min(cut.saturating_sub(start));
            size = if there > 0 { size.max(offset + there) } else { size };
        }
        for (offset, expected) in model.iter().enumerate().take(size) {
            let mut byte = [0xee];
            let read = flattened.read_at(offset as u64, &mut byte).map(|()| byte[0]);
            assert_eq!(read, expected.ok_or(END_OF_FILE), "{cut} {offset}");
        }
        assert!(flattened.read_at(size as u64, &mut [0]).is_err());
    }
}

#[test]
fn records_that_cannot_be_end_the_stream() {
    let last = i64::MAX;
    for (offset, size) in
        [(-1, 5), (5, -1), (last, 1), (1, last), (last - 1, 2), (i64::MIN, 2), (0, 0), (0, last)]
    {
        let mut stream = header();
        record(&mut stream, 0, 2, b"ab");
        record(&mut stream, offset, size, b"cd");
        record(&mut stream, 2, 2, b"ef");
        end(&mut stream);
        let (bytes, complete) = plain(&stream, 20).unwrap();
        assert_eq!((&bytes[..2], bytes.len(), complete), (&b"ab"[..], 2, false), "{offset} {size}");
    }
    let mut zeros = header();
    record(&mut zeros, 0, 2, b"ab");
    zeros.resize(1 << 16, 0);
    assert_eq!(plain(&zeros, 1), Ok((b"ab".to_vec(), false)));
    assert_eq!(plain(&header(), 0), Ok((Vec::new(), false)));
}

#[test]
fn a_large_record_that_was_cut_off_is_no_zeros() {
    let mut stream = header();
    record(&mut stream, 1 << 40, 2, b"zz");
    record(&mut stream, 0, 1 << 30, b"ab");
    let mut table = [Extent::EMPTY; 3];
    let flattened = Flattened::open(&stream[..], &mut table).unwrap();
    assert_eq!(flattened.size(), Some((1 << 40) + 2));
    let mut two = [0; 2];
    flattened.read_at(0, &mut two).unwrap();
    assert_eq!(&two, b"ab");
    assert_eq!(flattened.read_at(1, &mut two), Err(END_OF_FILE));
    assert_eq!(flattened.read_at(1 << 29, &mut two), Err(END_OF_FILE));
    assert_eq!(flattened.read_at(1 << 30, &mut two), Ok(()));
}

#[test]
fn other_headers_are_refused() {
    let changed = |at: usize, value: u8| {
        let mut stream = header();
        stream[at] = value;
        plain(&stream, 1).unwrap_err()
    };
    assert_eq!(
        changed(0, b'M'),
        Error::Unsupported { field: Field::Signature, value: u64::from_be_bytes(*b"Makedump") }
    );
    assert_eq!(changed(23, 2), Error::Unsupported { field: Field::FlattenedType, value: 2 });
    assert_eq!(changed(31, 0), Error::Unsupported { field: Field::FlattenedVersion, value: 0 });
    assert!(!is_flattened(&&b"makedumpfile"[..]));
}

/// xorshift64: the same numbers in every run.
struct Random(u64);

impl Random {
    fn below(&mut self, end: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % end
    }
}

#[test]
fn random_streams_are_those_of_a_plain_copy() {
    let mut random = Random(0x2545_f491_4f6c_dd1d);
    for round in 0..600 {
        let (space, longest) = [(40, 20), (400, 30), (4000, 3000), (100_000, 50)][round % 4];
        let mut model = Vec::new();
        let mut stream = header();
        let records = random.below(60) as usize;
        for _ in 0..records {
            let (offset, len) = (random.below(space) as usize, random.below(longest) as usize);
            // An empty record at 0 is damage.
            let offset = if len == 0 { offset.max(1) } else { offset };
            let data: Vec<u8> = (0..len).map(|_| random.below(256) as u8).collect();
            record(&mut stream, offset as i64, len as i64, &data);
            if len > 0 {
                model.resize(model.len().max(offset + len), 0);
                model[offset..offset + len].copy_from_slice(&data);
            }
        }
        end(&mut stream);
        let mut entries = records;
        let found = loop {
            match plain(&stream, entries) {
                Err(Error::BufferTooSmall { needed }) => {
                    assert!(needed as usize > entries && needed as usize <= 3 * records);
                    entries = needed as usize;
                }
                found => break found,
            }
        };
        assert_eq!(found, Ok((model.clone(), true)));
        let mut table = std::vec![Extent::EMPTY; entries];
        let flattened = Flattened::open(&stream[..], &mut table).unwrap();
        let sorted = flattened.extents().is_sorted_by(|a, b| a.range().end <= b.range().start);
        assert!(sorted && flattened.extents().iter().all(|extent| !extent.range().is_empty()));
        for _ in 0..20 {
            let start = random.below(model.len() as u64 + 1) as usize;
            let len = random.below((model.len() - start) as u64 + 1) as usize;
            let mut bytes = std::vec![0xee; len];
            flattened.read_at(start as u64, &mut bytes).unwrap();
            assert_eq!(bytes, model[start..start + len]);
        }
        let mut copy = Sequential::anywhere();
        let mut rearrange = Rearrange::new(&flattened);
        let mut buf = std::vec![0; 1 + random.below(100) as usize];
        while !rearrange.step(&mut copy, &mut buf).unwrap() {}
        assert_eq!(copy.bytes, model);
    }
}

/// Patterns that make naive ways slow: all nested, a comb under and over one record, stairs.
#[test]
fn many_overlaps_stay_cheap() {
    const COUNT: i64 = 60_000;
    let patterns: [fn(i64) -> (i64, i64); 4] = [
        |n| (n, 2 * (COUNT - n)),
        |n| (COUNT - n, 2 * n + 1),
        |n| if n == 0 { (0, 4 * COUNT) } else { (4 * n, 1) },
        |n| (n, COUNT),
    ];
    for pattern in patterns {
        let mut at = 4096;
        let mut records = Vec::new();
        for n in 0..COUNT {
            let (offset, size) = pattern(n);
            records.push((at, offset, size));
            at += 16 + size as u64;
        }
        let input = Sparse { records, size: at + 16 };
        let mut table = std::vec![Extent::EMPTY; 3 * COUNT as usize];
        let flattened = Flattened::open(&input, &mut table).unwrap();
        assert!(flattened.complete());
        assert!(flattened.extents().len() < 2 * COUNT as usize);
    }
}

/// A stream of which only the headers are stored; data read as zero.
struct Sparse {
    records: Vec<(u64, i64, i64)>,
    size: u64,
}

impl ReadAt for Sparse {
    fn read_at(&self, offset: u64, buf: &mut [u8]) -> Result<(), i32> {
        if offset == 0 {
            buf.copy_from_slice(&header()[..buf.len()]);
            return Ok(());
        }
        let mut bytes = Vec::new();
        match self.records.binary_search_by_key(&offset, |record| record.0) {
            Ok(found) => record(&mut bytes, self.records[found].1, self.records[found].2, b""),
            Err(_) => bytes.resize(16, 0xff),
        }
        buf.copy_from_slice(&bytes);
        Ok(())
    }

    fn size(&self) -> Option<u64> {
        Some(self.size)
    }
}

/// An output that takes bytes in order only, if it is strict.
#[derive(Debug)]
struct Sequential {
    bytes: Vec<u8>,
    strict: bool,
    /// The number of writes that succeed.
    writes: u64,
}

impl Sequential {
    fn pipe(writes: u64) -> Self {
        Self { bytes: Vec::new(), strict: true, writes }
    }

    fn anywhere() -> Self {
        Self { strict: false, ..Self::pipe(u64::MAX) }
    }
}

impl WriteAt for Sequential {
    fn write_at(&mut self, offset: u64, bytes: &[u8]) -> Result<(), i32> {
        self.writes = self.writes.checked_sub(1).ok_or(32)?;
        let (start, end) = (offset as usize, offset as usize + bytes.len());
        assert!(!self.strict || start == self.bytes.len());
        self.bytes.resize(self.bytes.len().max(end), 0);
        self.bytes[start..end].copy_from_slice(bytes);
        Ok(())
    }
}

#[test]
fn the_written_stream_is_the_hand_laid_one() {
    let mut writer = Writer::new(Sequential::pipe(u64::MAX)).unwrap();
    assert!(!writer.can_rewrite());
    writer.write_at(7, b"abc").unwrap();
    writer.write_at(0, b"").unwrap();
    writer.write_at(0x1_0000_0000, b"z").unwrap();
    assert_eq!(writer.stream_len(), 4096 + 16 + 3 + 16 + 1);
    let written = writer.finish().unwrap().bytes;
    let mut stream = header();
    record(&mut stream, 7, 3, b"abc");
    record(&mut stream, 0x1_0000_0000, 1, b"z");
    end(&mut stream);
    assert_eq!(written, stream);
}

#[test]
fn large_writes_become_records_of_a_mebibyte() {
    let data: Vec<u8> = (0..(2 << 20) + 5).map(|n: u32| (n % 251) as u8).collect();
    let mut writer = Writer::new(Sequential::pipe(u64::MAX)).unwrap();
    writer.write_at(100, &data).unwrap();
    let stream = writer.finish().unwrap().bytes;
    assert_eq!(stream.len(), 4096 + 4 * 16 + data.len());
    assert_eq!(stream[4096..4112], [0, 0, 0, 0, 0, 0, 0, 100, 0, 0, 0, 0, 0, 0x10, 0, 0]);
    let (bytes, complete) = plain(&stream, 3).unwrap();
    assert!(complete && bytes[..100] == [0; 100] && bytes[100..] == data);
}

#[test]
fn a_broken_pipe_stays_broken() {
    for writes in 0..5 {
        let mut pipe = Sequential::pipe(writes);
        let written = Writer::new(&mut pipe).and_then(|mut writer| {
            let first = writer.write_at(0, b"ab");
            pipe_is_broken(&mut writer, first)?;
            writer.write_at(2, b"cd")?;
            writer.finish().map(|_| ())
        });
        assert_eq!(written, Err(32), "{writes}");
    }
    assert_eq!(Writer::new(Sequential::pipe(9)).unwrap().write_at(i64::MAX as u64, b"ab"), Err(END_OF_FILE));
}

/// After a failed write the writer fails even if the pipe would take bytes again.
fn pipe_is_broken(writer: &mut Writer<&mut Sequential>, first: Result<(), i32>) -> Result<(), i32> {
    if first.is_err() {
        assert_eq!(writer.write_at(0, b"x"), Err(32));
    }
    first
}

#[test]
fn random_damage_is_read_as_far_as_it_goes() {
    let mut random = Random(99);
    for _ in 0..3000 {
        let mut stream = header();
        for _ in 0..6 {
            let (offset, len) = (random.below(50) as i64, 1 + random.below(20) as i64);
            record(&mut stream, offset, len, &[7; 20][..len as usize]);
        }
        end(&mut stream);
        for _ in 0..1 + random.below(3) {
            let at = 4096 + random.below(stream.len() as u64 - 4096) as usize;
            stream[at] = [0, 0x7f, 0x80, 0xff][random.below(4) as usize];
        }
        let mut table = [Extent::EMPTY; 100];
        let flattened = match Flattened::open(&stream[..], &mut table) {
            Ok(flattened) => flattened,
            Err(error) => panic!("{error}"),
        };
        assert!(flattened.extents().is_sorted_by(|a, b| a.range().end <= b.range().start));
        let size = flattened.size().unwrap();
        for _ in 0..5 {
            let mut bytes = [0; 9];
            let _: Result<(), i32> = flattened.read_at(random.below(size + 1), &mut bytes);
        }
        let there = flattened.extents().iter().filter(|extent| extent.source().is_some());
        let bytes: u64 = there.map(|extent| extent.range().end - extent.range().start).sum();
        assert!(bytes <= stream.len() as u64);
    }
}
