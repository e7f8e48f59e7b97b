//! kdump-compressed files (`struct disk_dump_header`, `kdump_sub_header`, `page_desc`) as writers of every ABI lay
//! them out.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use crate::elf::{note, prstatus};
use crate::{Bytes, Machine, lzo, snappy, zlib, zstd};

/// The writer's C ABI: the size of `long` and `time_t`, and the alignment of 8-byte fields.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Abi {
    /// 64-bit words.
    Lp64,
    /// 32-bit words, 8-byte fields aligned to 8 (ARM, MIPS, PowerPC).
    Ilp32 {
        /// `time_t` has 8 bytes.
        time64: bool,
    },
    /// 32-bit words, 8-byte fields aligned to 4 (i386).
    I386 {
        /// `time_t` has 8 bytes.
        time64: bool,
    },
}

/// How pages are stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Codec {
    /// As they are.
    Raw,
    /// zlib streams.
    Zlib,
    /// LZO1X streams of literals.
    Lzo,
    /// snappy raw blocks.
    Snappy,
    /// zstd frames of raw and run-length blocks.
    Zstd,
    /// Each of the above in turn.
    Mixed,
}

/// What a kdump-compressed file is to hold.
#[derive(Debug, Clone)]
pub struct Kdump {
    /// `header_version`, 1 to 6.
    pub version: u32,
    /// The writer's ABI.
    pub abi: Abi,
    /// Most significant byte first.
    pub big: bool,
    /// `block_size`: the page size, in bytes.
    pub block_size: usize,
    /// Page frames (one more than the last).
    pub max_mapnr: u64,
    /// Bitmap 1: page frames the machine had.
    pub known: BTreeSet<u64>,
    /// Bitmap 2: page frames the file holds, and their bytes.
    pub pages: BTreeMap<u64, Vec<u8>>,
    /// Page frames of bitmap 2 whose descriptor says "lost" (offset 0).
    pub lost: BTreeSet<u64>,
    /// `dump_level`.
    pub dump_level: u32,
    /// How pages are stored.
    pub codec: Codec,
    /// The notes (version 4 and later), and where VMCOREINFO's text stands in them.
    pub notes: Vec<u8>,
    /// VMCOREINFO (version 3 and later).
    pub vmcoreinfo: Vec<u8>,
    /// Text of the erase log (version 5 and later).
    pub eraseinfo: Vec<u8>,
    /// `phys_base`.
    pub phys_base: u64,
    /// Set the "incomplete" bit of `status`.
    pub incomplete: bool,
}

/// The kdump-compressed file of `machine` at `level`: version 6 in the machine's own layout, zlib.
#[must_use]
pub fn kdump_of(machine: &Machine, level: u8) -> Kdump {
    let mut notes: Vec<u8> =
        (0..2).flat_map(|cpu| note(machine.bytes(), "CORE", 1, &prstatus(machine, cpu))).collect();
    let vmcoreinfo = machine.vmcoreinfo().into_bytes();
    notes.extend(note(machine.bytes(), "VMCOREINFO", 0, &vmcoreinfo));
    Kdump {
        version: 6,
        abi: match machine.arch() {
            crate::Arch::I386 => Abi::I386 { time64: false },
            arch if arch.wide() => Abi::Lp64,
            _ => Abi::Ilp32 { time64: false },
        },
        big: machine.arch().big(),
        block_size: machine.page_size() as usize,
        max_mapnr: machine.max_pfn(),
        known: machine.pfns().into_iter().collect(),
        pages: machine.expected_dumpable(level).into_iter().map(|pfn| (pfn, machine.content(pfn))).collect(),
        lost: BTreeSet::new(),
        dump_level: u32::from(level),
        // Miri takes seconds for a page of zlib's.
        codec: if cfg!(miri) { Codec::Raw } else { Codec::Zlib },
        notes,
        vmcoreinfo,
        eraseinfo: Vec::new(),
        phys_base: 0,
        incomplete: false,
    }
}

impl Kdump {
    /// The file.
    #[must_use]
    pub fn to_vec(&self) -> Vec<u8> {
        self.part(None)
    }

    /// A split set: one file for each range of page frames.
    #[must_use]
    pub fn split(&self, ranges: &[Range<u64>]) -> Vec<Vec<u8>> {
        ranges.iter().map(|range| self.part(Some(range.clone()))).collect()
    }

    /// Where the descriptors start in the file, in bytes.
    pub(crate) fn descs_at(&self) -> usize {
        let block = self.block_size;
        let trailer = if self.version >= 4 { &self.notes } else { &self.vmcoreinfo };
        let trailer_len = if self.version >= 3 { trailer.len() } else { 0 };
        let sub_blocks = (self.sub_header_len() + trailer_len).div_ceil(block);
        let bitmap_blocks = (self.max_mapnr as usize).div_ceil(8).div_ceil(block);
        block * (1 + sub_blocks + 2 * bitmap_blocks)
    }

    fn out(&self) -> Bytes {
        Bytes::new(self.big, self.abi == Abi::Lp64)
    }

    /// Alignment of 8-byte fields.
    fn align8(&self) -> usize {
        if matches!(self.abi, Abi::I386 { .. }) { 4 } else { 8 }
    }

    /// Offset of the bytes that follow the sub header in its block.
    fn sub_header_len(&self) -> usize {
        // Each version adds fields to the one before.
        let offsets = self.sub_header_offsets();
        let end = |i: usize| offsets.get(i).copied().unwrap_or(0);
        match self.version {
            1 => end(2),
            2 => end(5),
            3 => end(7),
            4 => end(9),
            5 => end(11),
            _ => end(14),
        }
        .next_multiple_of(self.align8().min(if self.abi == Abi::Lp64 { 8 } else { 4 }))
    }

    /// `phys_base`, `dump_level`, split, `start_pfn`, `end_pfn`, `offset_vmcoreinfo`, `size_vmcoreinfo`, `offset_note`, `size_note`,
    /// `offset_eraseinfo`, `size_eraseinfo`, `start_pfn_64`, `end_pfn_64`, `max_mapnr_64`, end.
    pub(crate) fn sub_header_offsets(&self) -> Vec<usize> {
        let long = if self.abi == Abi::Lp64 { 8 } else { 4 };
        let sizes = [long, 4, 4, long, long, 8, long, 8, long, 8, long, 8, 8, 8];
        let mut at = 0usize;
        let mut offsets = Vec::new();
        for size in sizes {
            at = at.next_multiple_of(if size == 8 { self.align8() } else { size });
            offsets.push(at);
            at += size;
        }
        offsets.push(at);
        offsets
    }

    fn part(&self, range: Option<Range<u64>>) -> Vec<u8> {
        let block = self.block_size;
        let sub_len = self.sub_header_len();
        let trailer = if self.version >= 4 { &self.notes } else { &self.vmcoreinfo };
        let trailer_len = if self.version >= 3 { trailer.len() } else { 0 };
        let sub_blocks = (sub_len + trailer_len).div_ceil(block);
        let bitmap_blocks = (self.max_mapnr as usize).div_ceil(8).div_ceil(block);

        let mut out = self.main_header(sub_blocks, 2 * bitmap_blocks);
        out.pad_to(block);
        let mut bitmap = |set: &mut dyn Iterator<Item = u64>, at: usize| {
            let mut bits = vec![0u8; bitmap_blocks * block];
            for pfn in set {
                bits[pfn as usize / 8] |= 1 << (pfn % 8);
            }
            out.at(at, |b| {
                b.raw(&bits);
            });
        };
        let bitmap_at = block * (1 + sub_blocks);
        bitmap(&mut self.known.iter().copied(), bitmap_at);
        bitmap(&mut self.pages.keys().copied(), bitmap_at + bitmap_blocks * block);

        let descs_at = bitmap_at + 2 * bitmap_blocks * block;
        let data_at = descs_at + 24 * self.pages.len();
        let (descs, data) = self.page_data(data_at, range.as_ref());
        let erase_at = data_at + data.len();
        out.at(descs_at, |b| {
            b.raw(&descs);
        });
        out.pad_to(data_at).raw(&data);
        if self.version >= 5 {
            out.raw(&self.eraseinfo);
        }
        let sub = self.sub_header(range.as_ref(), block + sub_len, erase_at);
        out.at(block, |b| {
            b.raw(&sub);
        });
        if trailer_len > 0 {
            out.at(block + sub_len, |b| {
                b.raw(trailer);
            });
        }
        out.bytes
    }

    fn main_header(&self, sub_blocks: usize, bitmap_blocks: usize) -> Bytes {
        let mut out = self.out();
        out.raw(b"KDUMP   ").u32(self.version);
        for name in ["Linux", "kit", "6.1.0-kit", "#1 SMP", "x86_64", "(none)"] {
            let end = out.len() + 65;
            out.raw(name.as_bytes()).pad_to(end);
        }
        let (time64, align) = match self.abi {
            Abi::Lp64 => (true, 8),
            Abi::Ilp32 { time64 } => (time64, if time64 { 8 } else { 4 }),
            Abi::I386 { time64 } => (time64, 4),
        };
        out.align(align);
        if time64 {
            out.u64(1_700_000_000).u64(0);
        } else {
            out.u32(1_700_000_000).u32(0);
        }
        let status = match self.codec {
            Codec::Raw => 0,
            Codec::Zlib | Codec::Mixed => 1,
            Codec::Lzo => 2,
            Codec::Snappy => 4,
            Codec::Zstd => 0x20,
        };
        out.u32(status | if self.incomplete { 8 } else { 0 });
        out.u32(self.block_size as u32).u32(sub_blocks as u32).u32(bitmap_blocks as u32);
        out.u32(self.max_mapnr.min(u64::from(u32::MAX)) as u32);
        out.u32(0).u32(0).u32(0).u32(0).u32(2);
        out.align(align);
        out
    }

    fn sub_header(&self, range: Option<&Range<u64>>, trailer_at: usize, erase_at: usize) -> Vec<u8> {
        let (start, end) = range.map_or((0, 0), |r| (r.start, r.end));
        let find = |text: &[u8]| {
            let at = self.notes.windows(text.len().max(1)).position(|w| w == text);
            at.filter(|_| !text.is_empty())
        };
        let info = match self.version {
            3 => Some(0),
            _ => find(&self.vmcoreinfo),
        };
        let or_zero = |there: bool, value: usize| if there { value as u64 } else { 0 };
        let values = [
            self.phys_base,
            u64::from(self.dump_level),
            u64::from(range.is_some()),
            start & 0xffff_ffff,
            end & 0xffff_ffff,
            info.map_or(0, |at| (trailer_at + at) as u64),
            or_zero(info.is_some(), self.vmcoreinfo.len()),
            or_zero(!self.notes.is_empty(), trailer_at),
            self.notes.len() as u64,
            or_zero(!self.eraseinfo.is_empty(), erase_at),
            self.eraseinfo.len() as u64,
            start,
            end,
            self.max_mapnr,
        ];
        let offsets = self.sub_header_offsets();
        let mut out = self.out();
        for (i, value) in values.iter().enumerate() {
            if offsets[i + 1].min(offsets[i] + 8) > self.sub_header_len() {
                break;
            }
            out.pad_to(offsets[i]);
            match (i, self.abi) {
                (1 | 2, _) => out.u32(*value as u32),
                (0 | 3 | 4 | 6 | 8 | 10, _) => out.word(*value),
                _ => out.u64(*value),
            };
        }
        out.bytes.truncate(self.sub_header_len());
        out.bytes
    }

    fn page_data(&self, data_at: usize, range: Option<&Range<u64>>) -> (Vec<u8>, Vec<u8>) {
        let mut descs = self.out();
        let mut data = Vec::new();
        let mut zero_at = None;
        let mut desc = |offset: usize, size: usize, flags: u32| {
            descs.u64(offset as u64).u32(size as u32).u32(flags).u64(0);
        };
        if self.dump_level & 1 != 0 {
            zero_at = Some(data_at);
            data = vec![0; self.block_size];
        }
        for (pfn, page) in &self.pages {
            if range.is_some_and(|r| !r.contains(pfn)) {
                continue;
            }
            if self.lost.contains(pfn) {
                desc(0, 0, 0);
                continue;
            }
            if let Some(at) = zero_at.filter(|_| page.iter().all(|b| *b == 0)) {
                desc(at, self.block_size, 0);
                continue;
            }
            let (flags, bytes) = self.encode(*pfn, page);
            desc(data_at + data.len(), bytes.len(), flags);
            data.extend_from_slice(&bytes);
        }
        (descs.bytes, data)
    }

    fn encode(&self, pfn: u64, page: &[u8]) -> (u32, Vec<u8>) {
        let all = [Codec::Raw, Codec::Zlib, Codec::Lzo, Codec::Snappy, Codec::Zstd];
        let codec = if self.codec == Codec::Mixed { all[pfn as usize % all.len()] } else { self.codec };
        let (flags, bytes) = match codec {
            Codec::Raw | Codec::Mixed => (0, page.to_vec()),
            Codec::Zlib => (1, zlib(page)),
            Codec::Lzo => (2, lzo(page)),
            Codec::Snappy => (4, snappy(page)),
            Codec::Zstd => (0x20, zstd(page)),
        };
        // A page that does not shrink is stored as it is.
        let grows = bytes.len() >= page.len();
        if grows { (0, page.to_vec()) } else { (flags, bytes) }
    }
}
