//! Flattened streams: the records that rebuild a file.

use crate::Random;

/// How a file is cut into the records of a flattened stream.
#[derive(Debug, Clone)]
pub struct FlattenOptions {
    /// Bytes in a record, at most.
    pub record: usize,
    /// Shuffle the records.
    pub shuffled: bool,
    /// First send records of junk over the same bytes: the last record wins.
    pub stale: bool,
    /// Leave out records that hold only zero bytes, as a writer that seeks over gaps does.
    pub gaps: bool,
    /// Write the end record.
    pub end: bool,
}

impl Default for FlattenOptions {
    fn default() -> Self {
        Self { record: 5000, shuffled: false, stale: false, gaps: false, end: true }
    }
}

/// `file` as a flattened stream: a 4096-byte header ("makedumpfile", type 1, version 1, big-endian), records of
/// {i64 offset, i64 size, bytes} (big-endian), and the end record {-1, -1}.
#[must_use]
pub fn flatten(file: &[u8], options: &FlattenOptions) -> Vec<u8> {
    let mut out = b"makedumpfile\0\0\0\0".to_vec();
    out.extend_from_slice(&1i64.to_be_bytes());
    out.extend_from_slice(&1i64.to_be_bytes());
    out.resize(4096, 0);

    let mut record = |offset: usize, bytes: &[u8]| {
        out.extend_from_slice(&(offset as i64).to_be_bytes());
        out.extend_from_slice(&(bytes.len() as i64).to_be_bytes());
        out.extend_from_slice(bytes);
    };
    let mut random = Random::new(file.len() as u64);
    if options.stale {
        for start in (0..file.len()).step_by(options.record * 3) {
            let junk: Vec<u8> =
                (start..file.len().min(start + options.record * 2)).map(|i| i as u8 ^ 0x5a).collect();
            record(start, &junk);
        }
    }
    let mut starts: Vec<usize> = (0..file.len()).step_by(options.record).collect();
    if options.shuffled {
        for i in (1..starts.len()).rev() {
            starts.swap(i, random.below(i as u64 + 1) as usize);
        }
    }
    for start in starts {
        let bytes = &file[start..file.len().min(start + options.record)];
        let last = start + bytes.len() == file.len();
        if options.gaps && !last && bytes.iter().all(|b| *b == 0) {
            continue;
        }
        record(start, bytes);
    }
    if options.end {
        out.extend_from_slice(&[0xff; 16]);
    }
    out
}
