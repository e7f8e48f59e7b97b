//! Files laid out by hand. The offsets are those that gcc 12 gives for the structures of makedumpfile 1.7.9
//! (`-m64`, `-m32`, and `-m32 -malign-double` for the machines that align 64-bit integers to 8 bytes).

mod damage;
mod headers;
mod join;
mod pages;
mod split;

use std::vec::Vec;

use crate::Endian;
use crate::kdump::{Abi, DataModel};

/// Where a C ABI puts the fields.
#[derive(Debug, Clone, Copy)]
pub(super) struct Shape {
    pub(super) abi: Abi,
    long: usize,
    time: usize,
    time_field: usize,
    status: usize,
    header_len: usize,
    /// `phys_base`, `dump_level`, `split`, `start_pfn`, `end_pfn`, the three regions' offset and size, then the
    /// three 64-bit fields of version 6.
    sub: [usize; 14],
    sub_len: usize,
}

const LP64: Shape = Shape {
    abi: Abi { endian: Endian::Little, model: DataModel::Lp64 },
    long: 8,
    time: 408,
    time_field: 8,
    status: 424,
    header_len: 464,
    sub: [0, 8, 12, 16, 24, 32, 40, 48, 56, 64, 72, 80, 88, 96],
    sub_len: 104,
};
const ILP32: Shape = Shape {
    abi: Abi { endian: Endian::Little, model: DataModel::Ilp32 },
    long: 4,
    time: 404,
    time_field: 4,
    status: 412,
    header_len: 452,
    sub: [0, 4, 8, 12, 16, 24, 32, 40, 48, 56, 64, 72, 80, 88],
    sub_len: 96,
};
const I386: Shape = Shape {
    abi: Abi { endian: Endian::Little, model: DataModel::I386 },
    sub: [0, 4, 8, 12, 16, 20, 28, 32, 40, 44, 52, 56, 64, 72],
    sub_len: 80,
    ..ILP32
};
const ILP32_TIME64: Shape = Shape {
    abi: Abi { endian: Endian::Little, model: DataModel::Ilp32Time64 },
    time: 408,
    time_field: 8,
    status: 424,
    header_len: 464,
    ..ILP32
};
const I386_TIME64: Shape = Shape {
    abi: Abi { endian: Endian::Little, model: DataModel::I386Time64 },
    time: 404,
    time_field: 8,
    status: 420,
    header_len: 460,
    ..I386
};

fn big(shape: Shape) -> Shape {
    Shape { abi: Abi { endian: Endian::Big, ..shape.abi }, ..shape }
}

fn shapes() -> [Shape; 10] {
    let little = [LP64, ILP32, I386, ILP32_TIME64, I386_TIME64];
    let [a, b, c, d, e] = little.map(big);
    let [f, g, h, i, j] = little;
    [a, b, c, d, e, f, g, h, i, j]
}

/// Puts `number` into `len` bytes.
fn put(file: &mut [u8], at: usize, len: usize, endian: Endian, number: u64) {
    match endian {
        Endian::Little => file[at..at + len].copy_from_slice(&number.to_le_bytes()[..len]),
        Endian::Big => file[at..at + len].copy_from_slice(&number.to_be_bytes()[8 - len..]),
    }
}

impl Shape {
    fn int(&self, file: &mut [u8], at: usize, number: u64) {
        put(file, at, 4, self.abi.endian, number);
    }

    /// Field `number` of `sub`.
    fn sub(&self, file: &mut [u8], number: usize, value: u64) {
        let len = match number {
            1 | 2 => 4,
            0 | 3 | 4 | 6 | 8 | 10 => self.long,
            _ => 8,
        };
        put(file, 4096 + self.sub[number], len, self.abi.endian, value);
    }
}

pub(super) const NOTES: &[u8] = b"some notes, then VMCOREINFO text";
pub(super) const TEXT_AT: usize = 17;
pub(super) const MAX_MAPNR: u64 = 150;
pub(super) const KNOWN: [(u64, u64); 3] = [(0, 3), (60, 70), (127, 150)];
/// Dumped PFNs.
pub(super) const HELD: [u64; 9] = [1, 2, 60, 63, 64, 65, 127, 128, 149];
/// Where the tables are, with one block of notes and 4 KiB blocks.
pub(super) const BITMAP_1: usize = 8192;
pub(super) const BITMAP_2: usize = 12288;
pub(super) const DESCS: usize = 16384;

/// The data and flags of a page: one in four raw, the others short.
pub(super) fn data(pfn: u64) -> (Vec<u8>, u32) {
    if pfn.is_multiple_of(4) {
        (std::vec![pfn as u8; 4096], 0)
    } else {
        (std::vec![pfn as u8; 10 + pfn as usize], [1, 2, 4, 0x20][pfn as usize % 4])
    }
}

pub(super) fn set_bit(file: &mut [u8], bitmap: usize, pfn: u64) {
    file[bitmap + pfn as usize / 8] |= 1 << (pfn % 8);
}

/// A file with the fields that a version has, of which `pfns` is the part that holds data (none: not split).
pub(super) fn file(shape: Shape, version: u64, pfns: Option<(u64, u64)>) -> Vec<u8> {
    let mut file = std::vec![0; DESCS];
    headers(&mut file, shape, version, pfns);
    for pfn in KNOWN.into_iter().flat_map(|(start, end)| start..end) {
        set_bit(&mut file, BITMAP_1, pfn);
    }
    HELD.into_iter().for_each(|pfn| set_bit(&mut file, BITMAP_2, pfn));
    let (start, end) = pfns.unwrap_or((0, MAX_MAPNR));
    // Room for the descriptors of the whole set.
    file.resize(DESCS + 24 * HELD.len(), 0);
    for (index, pfn) in HELD.into_iter().filter(|pfn| (start..end).contains(pfn)).enumerate() {
        let (bytes, flags) = data(pfn);
        let (desc, offset) = (DESCS + 24 * index, file.len());
        put(&mut file, desc, 8, shape.abi.endian, offset as u64);
        shape.int(&mut file, desc + 8, bytes.len() as u64);
        shape.int(&mut file, desc + 12, flags.into());
        file.extend(bytes);
    }
    file
}

fn headers(file: &mut [u8], shape: Shape, version: u64, pfns: Option<(u64, u64)>) {
    file[..8].copy_from_slice(b"KDUMP   ");
    shape.int(file, 8, version);
    file[12..17].copy_from_slice(b"Linux");
    file[12 + 130..12 + 136].copy_from_slice(b"6.1.0-");
    put(file, shape.time, shape.time_field, shape.abi.endian, 0x6543_2100);
    let numbers = [2, 4096, 1, 2, MAX_MAPNR, 0, 0, 0, 0, 3];
    for (index, number) in numbers.into_iter().enumerate() {
        shape.int(file, shape.status + 4 * index, number);
    }
    // A negative phys_base, as with KASLR, where `long` can hold it.
    let phys_base = if shape.long == 8 { 0xffff_ffff_eec0_0000 } else { 0x40_0000 };
    let notes = 4096 + shape.sub_len;
    file[notes..notes + NOTES.len()].copy_from_slice(NOTES);
    let (start, end) = pfns.unwrap_or((0, 0));
    let (text, text_len) = ((notes + TEXT_AT) as u64, (NOTES.len() - TEXT_AT) as u64);
    let fields = [phys_base, 31, pfns.is_some().into(), start, end, text, text_len].into_iter().chain([
        notes as u64,
        NOTES.len() as u64,
        0,
        0,
        start,
        end,
        MAX_MAPNR,
    ]);
    let in_version = [0, 2, 5, 7, 9, 11, 14][version as usize];
    for (number, value) in fields.enumerate().take(in_version) {
        shape.sub(file, number, value);
    }
}
