//! `disk_dump_header`: block 0 of a kdump-compressed file.

use core::fmt;

use super::abi::{Abi, DataModel, StructReader, StructWriter};
use super::page_desc::Compression;
use crate::{Error, Field, PageSize};

pub(super) const SIGNATURE: [u8; 8] = *b"KDUMP   ";

/// One of the six strings of `struct new_utsname`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum UtsField {
    /// `Linux`.
    Sysname,
    /// The host's name.
    Nodename,
    /// The kernel's release, as in `uname -r`.
    Release,
    /// The kernel's build, as in `uname -v`.
    Version,
    /// The machine, as in `uname -m`.
    Machine,
    /// The NIS domain.
    Domainname,
}

/// `struct new_utsname` of the dumped kernel: six strings of 65 bytes, each padded with zero bytes.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct UtsName {
    bytes: [u8; Self::LEN],
}

/// A moment: seconds and microseconds since 1970.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Timestamp {
    /// Seconds.
    pub sec: i64,
    /// Microseconds; makedumpfile writes 0.
    pub usec: i64,
}

/// The header's `status` word: the compression that was asked for, and what the dump lacks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Status(pub u32);

/// The main header.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DiskDumpHeader {
    /// The version of the file's structures, 1 to 6.
    pub header_version: u32,
    /// The dumped kernel's name. QEMU fills in the machine only.
    pub utsname: UtsName,
    /// When the kernel crashed (VMCOREINFO's `CRASHTIME`).
    pub timestamp: Timestamp,
    /// Compression and completeness.
    pub status: Status,
    /// The unit of the three counts below, which is the page size of the dumped machine.
    pub block_size: PageSize,
    /// The size of sub-header and notes together, in blocks.
    pub sub_hdr_size: u32,
    /// The size of both bitmaps together, in blocks.
    pub bitmap_blocks: u32,
    /// The number of PFNs that a bitmap describes, at most `u32::MAX`: [`SubHeader`](super::SubHeader) has it whole.
    pub max_mapnr: u32,
    /// 0 in kdump files.
    pub total_ram_blocks: u32,
    /// 0 in kdump files.
    pub device_blocks: u32,
    /// 0 in kdump files.
    pub written_blocks: u32,
    /// 0 in kdump files.
    pub current_cpu: u32,
    /// The number of CPUs that left an `NT_PRSTATUS` note.
    pub nr_cpus: u32,
}

impl UtsName {
    /// The size of the structure in bytes.
    pub const LEN: usize = 390;
    /// The size of one string in bytes, with its terminating zero byte.
    pub const FIELD_LEN: usize = 65;

    /// No name at all.
    pub const EMPTY: Self = Self { bytes: [0; Self::LEN] };

    /// The name from the bytes of the kernel's `struct new_utsname`.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; Self::LEN]) -> Self {
        Self { bytes }
    }

    /// The bytes of `struct new_utsname`.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; Self::LEN] {
        &self.bytes
    }

    /// One string, without its terminating zero byte; a kernel's strings are ASCII as a rule.
    #[must_use]
    pub fn get(&self, field: UtsField) -> &[u8] {
        let text = self.bytes.chunks_exact(Self::FIELD_LEN).nth(field.position()).unwrap_or_default();
        text.split(|&byte| byte == 0).next().unwrap_or_default()
    }

    /// Puts one string, cut to 64 bytes.
    pub fn set(&mut self, field: UtsField, text: &[u8]) {
        if let Some(slot) = self.bytes.chunks_exact_mut(Self::FIELD_LEN).nth(field.position()) {
            slot.fill(0);
            slot.iter_mut().take(64).zip(text).for_each(|(to, from)| *to = *from);
        }
    }
}

impl UtsField {
    const fn position(self) -> usize {
        match self {
            Self::Sysname => 0,
            Self::Nodename => 1,
            Self::Release => 2,
            Self::Version => 3,
            Self::Machine => 4,
            Self::Domainname => 5,
        }
    }
}

impl Status {
    /// The dump was cut short: pages are missing, and their descriptors say so by offset 0.
    pub const INCOMPLETE: u32 = 8;
    /// Pages of `vmemmap` that describe only excluded pages were left out.
    pub const EXCLUDED_VMEMMAP: u32 = 0x10;

    /// The status of a whole dump with pages compressed this way.
    #[must_use]
    pub const fn new(compression: Compression) -> Self {
        Self(compression.flag())
    }

    /// The compression that was asked for (single pages may be stored raw), or `None` when the bits name several.
    #[must_use]
    pub const fn compression(self) -> Option<Compression> {
        Compression::from_flags(self.0 & !(Self::INCOMPLETE | Self::EXCLUDED_VMEMMAP))
    }

    /// Whether the dump was cut short.
    #[must_use]
    pub const fn incomplete(self) -> bool {
        self.0 & Self::INCOMPLETE != 0
    }
}

impl DiskDumpHeader {
    /// The most bytes that the header has in any ABI.
    pub const MAX_LEN: usize = 464;

    /// The size of the header in the file, in bytes.
    #[must_use]
    pub const fn encoded_len(abi: Abi) -> usize {
        match abi.model {
            DataModel::Lp64 | DataModel::Ilp32Time64 => 464,
            DataModel::I386Time64 => 460,
            DataModel::Ilp32 | DataModel::I386 => 452,
        }
    }

    /// Where `status` stands, in bytes from the start of the file: 4 bytes in the ABI's byte order.
    #[must_use]
    pub fn status_offset(abi: Abi) -> u64 {
        block_size_offset(abi).saturating_sub(4)
    }

    /// Reads the header of a file whose ABI is known.
    ///
    /// # Errors
    /// [`Error::Corrupt`] when `bytes` is too short or the block size is no page size, [`Error::Unsupported`] for another signature
    /// or a version outside 1 to 6; offsets count from the start of the file.
    pub fn parse(bytes: &[u8], abi: Abi) -> Result<Self, Error> {
        let mut fields = StructReader::new(bytes, abi);
        let short = Error::Corrupt { field: Field::DiskDumpHeader, offset: 0 };
        let signature: [u8; 8] = fields.bytes().ok_or(short)?;
        if signature != SIGNATURE {
            return Err(Error::Unsupported { field: Field::Signature, value: u64::from_be_bytes(signature) });
        }
        let header_version = fields.int().ok_or(short)?;
        if !(1..=6).contains(&header_version) {
            return Err(Error::Unsupported { field: Field::HeaderVersion, value: header_version.into() });
        }
        let utsname = UtsName { bytes: fields.bytes().ok_or(short)? };
        let timestamp = timestamp(&mut fields, abi).ok_or(short)?;
        let status = Status(fields.int().ok_or(short)?);
        let block_size = PageSize::new(fields.int().ok_or(short)?.into());
        let mut rest = || {
            Some(Self {
                header_version,
                utsname,
                timestamp,
                status,
                block_size: PageSize::KIB_4,
                sub_hdr_size: fields.int()?,
                bitmap_blocks: fields.int()?,
                max_mapnr: fields.int()?,
                total_ram_blocks: fields.int()?,
                device_blocks: fields.int()?,
                written_blocks: fields.int()?,
                current_cpu: fields.int()?,
                nr_cpus: fields.int()?,
            })
        };
        let header = rest().ok_or(short)?;
        let block_size =
            block_size.ok_or(Error::Corrupt { field: Field::BlockSize, offset: block_size_offset(abi) })?;
        Ok(Self { block_size, ..header })
    }

    /// Writes the header into the start of `out` and returns its size in bytes.
    ///
    /// # Errors
    /// [`Error::BufferTooSmall`]; [`Error::Unsupported`] when the time does not fit in the ABI's `struct timeval`.
    pub fn encode(&self, abi: Abi, out: &mut [u8]) -> Result<usize, Error> {
        let len = Self::encoded_len(abi);
        let small = Error::BufferTooSmall { needed: u64::try_from(len).unwrap_or(u64::MAX) };
        let out = out.get_mut(..len).ok_or(small)?;
        out.fill(0);
        let mut fields = StructWriter::new(out, abi);
        let mut names = || {
            fields.bytes(&SIGNATURE)?;
            fields.int(self.header_version)?;
            fields.bytes(&self.utsname.bytes)
        };
        names().ok_or(small)?;
        put_timestamp(&mut fields, abi, self.timestamp)?;
        let block_size = u32::try_from(self.block_size.bytes()).unwrap_or_default();
        let mut numbers = [self.status.0, block_size, self.sub_hdr_size, self.bitmap_blocks, self.max_mapnr]
            .into_iter()
            .chain([self.total_ram_blocks, self.device_blocks, self.written_blocks, self.current_cpu])
            .chain([self.nr_cpus]);
        numbers.try_for_each(|number| fields.int(number)).ok_or(small)?;
        Ok(len)
    }
}

/// The offset of `block_size` in the file: `status` and it come before the last eight fields.
pub(super) fn block_size_offset(abi: Abi) -> u64 {
    match abi.model {
        DataModel::Lp64 | DataModel::Ilp32Time64 => 428,
        DataModel::I386Time64 => 424,
        DataModel::Ilp32 | DataModel::I386 => 416,
    }
}

fn timestamp(fields: &mut StructReader<'_>, abi: Abi) -> Option<Timestamp> {
    if abi.model.wide_timeval() {
        Some(Timestamp { sec: fields.long_long()?.cast_signed(), usec: fields.long_long()?.cast_signed() })
    } else {
        Some(Timestamp { sec: fields.int()?.cast_signed().into(), usec: fields.int()?.cast_signed().into() })
    }
}

fn put_timestamp(fields: &mut StructWriter<'_>, abi: Abi, time: Timestamp) -> Result<(), Error> {
    let unsupported = Error::Unsupported { field: Field::Timestamp, value: time.sec.cast_unsigned() };
    for part in [time.sec, time.usec] {
        let put = if abi.model.wide_timeval() {
            fields.long_long(part.cast_unsigned())
        } else {
            fields.int(i32::try_from(part).map_err(|_| unsupported)?.cast_unsigned())
        };
        put.ok_or(unsupported)?;
    }
    Ok(())
}

impl fmt::Debug for UtsName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [release, machine] =
            [UtsField::Release, UtsField::Machine].map(|field| self.get(field).escape_ascii());
        write!(f, "UtsName({release} {machine})")
    }
}
