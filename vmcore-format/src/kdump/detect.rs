//! Finding the ABI of a file's writer. The file does not name it; the fields make sense in one ABI only.

use super::abi::{Abi, DataModel};
use super::header::{DiskDumpHeader, SIGNATURE};
use super::sub_header::{Region, SubHeader};
use crate::{Endian, Error, Field};

/// The headers of a file, with the ABI in which they make sense.
#[derive(Debug, Clone, Copy)]
pub(super) struct Headers {
    pub(super) abi: Abi,
    pub(super) header: DiskDumpHeader,
    pub(super) sub: SubHeader,
}

/// Where the main header puts its last ten fields, and which data models put their sub-header fields where.
const SHAPES: [(DataModel, &[DataModel]); 3] = [
    (DataModel::Lp64, &[DataModel::Lp64, DataModel::Ilp32Time64]),
    (DataModel::Ilp32, &[DataModel::Ilp32, DataModel::I386]),
    (DataModel::I386Time64, &[DataModel::I386Time64]),
];

/// `main` starts at the start of the file.
///
/// The byte order is the one in which the version is 1 to 6. The main header's fields stand in three places, depending
/// on `struct timeval`; the one is taken in which the block size is a page size and no count is zero.
pub(super) fn main_header(main: &[u8]) -> Result<(Abi, DiskDumpHeader), Error> {
    let endian = endian(main)?;
    let mut found = None;
    for (model, _) in SHAPES {
        let abi = Abi { endian, model };
        let Ok(header) = DiskDumpHeader::parse(main, abi) else { continue };
        if header.sub_hdr_size == 0 || header.bitmap_blocks == 0 || header.max_mapnr == 0 {
            continue;
        }
        if found.replace((abi, header)).is_some() {
            return Err(Error::Unsupported { field: Field::DiskDumpHeader, value: 0 });
        }
    }
    found.ok_or(Error::Corrupt { field: Field::DiskDumpHeader, offset: 0 })
}

/// `bytes` start at the start of block 1; `shape` is what [`main_header`] found.
pub(super) fn sub_header(bytes: &[u8], shape: Abi, header: DiskDumpHeader) -> Result<Headers, Error> {
    let offset = header.block_size.bytes();
    let models = SHAPES.iter().find(|(model, _)| *model == shape.model).map_or(&[][..], |(_, models)| models);
    // A 64-bit time_t on a 32-bit machine is younger than version 6.
    let old_lp64 = header.header_version < 6 && shape.model == DataModel::Lp64;
    let models = if old_lp64 { &[DataModel::Lp64][..] } else { models };
    let mut found: Option<Headers> = None;
    for &model in models {
        let abi = Abi { model, ..shape };
        let Ok(sub) = SubHeader::parse(bytes, abi, header.header_version) else { continue };
        let only = models.len() == 1;
        if !only && !plausible(&sub, &header) {
            continue;
        }
        match found {
            // The older versions are the same in both 32-bit ABIs.
            Some(other) if other.sub != sub => {
                return Err(Error::Unsupported { field: Field::KdumpSubHeader, value: 0 });
            }
            Some(_) => {}
            None => found = Some(Headers { abi, header, sub }),
        }
    }
    found.ok_or(Error::Corrupt { field: Field::KdumpSubHeader, offset })
}

fn endian(main: &[u8]) -> Result<Endian, Error> {
    let short = Error::Corrupt { field: Field::DiskDumpHeader, offset: 0 };
    let (signature, rest) = main.split_first_chunk::<8>().ok_or(short)?;
    if *signature != SIGNATURE {
        return Err(Error::Unsupported { field: Field::Signature, value: u64::from_be_bytes(*signature) });
    }
    let version = *rest.first_chunk().ok_or(short)?;
    let known = |endian: &Endian| (1..=6).contains(&endian.u32(version));
    let least = Endian::Little.u32(version).min(Endian::Big.u32(version));
    let unknown = Error::Unsupported { field: Field::HeaderVersion, value: least.into() };
    [Endian::Little, Endian::Big].into_iter().find(known).ok_or(unknown)
}

/// Whether the regions lie where they can and the two numbers of PFNs agree.
fn plausible(sub: &SubHeader, header: &DiskDumpHeader) -> bool {
    let page = header.block_size;
    let end = (u64::from(header.sub_hdr_size).saturating_add(1)).saturating_mul(page.bytes());
    let none = |region: Region| region == Region::default();
    let after_headers = |region: Region| none(region) || region.offset >= page.bytes();
    let in_block_1 = |region: Region| region.offset.checked_add(region.len).is_some_and(|last| last <= end);
    let regions =
        [sub.vmcoreinfo, sub.notes].into_iter().all(|region| after_headers(region) && in_block_1(region));
    let mapnr = u32::try_from(sub.max_mapnr).unwrap_or(u32::MAX);
    let agree = header.header_version < 6 || mapnr == header.max_mapnr;
    let eraseinfo = after_headers(sub.eraseinfo) && i64::try_from(sub.eraseinfo.offset).is_ok();
    regions && eraseinfo && agree
}
