//! The EFI memory map, as `GetMemoryMap()` and a boot loader's `efi_info` hand it on.
//!
//! Source: UEFI specification 2.10, section 7.2.3; which types are RAM for Linux: `do_add_efi_memmap`,
//! `arch/x86/platform/efi/efi.c` (Linux 6.12).

use super::paint;
use crate::map::{MemoryMap, Range, RangeKind, Span};
use crate::{Error, Field};

/// The only version of the descriptor there is.
pub const DESCRIPTOR_VERSION: u32 = 1;

/// The length of a descriptor of version 1, in bytes. A map's stride may be larger, and mostly is (48).
pub const DESCRIPTOR_LEN: usize = 40;

const PAGE_LEN: u64 = 4096;
const EFI_MEMORY_WB: u64 = 8;
const EFI_MEMORY_SP: u64 = 0x4_0000;

/// Paints an EFI memory map over `map`: descriptors `memdesc_size` bytes apart, each `type` (u32), 4 bytes of padding,
/// physical address (u64), virtual address (u64), number of pages of 4 KiB (u64), attributes (u64), little-endian.
///
/// What the boot services held is RAM, as it is for the kernel once it runs. Where descriptors overlap, RAM yields.
///
/// # Errors
/// [`Error::Unsupported`]: another version than 1, or descriptors of less than 40 bytes; [`Error::Corrupt`] where the
/// last descriptor is cut off or one runs past the end of the address space; [`Error::BufferTooSmall`]: so many
/// ranges are enough. The map is then empty.
pub fn parse(
    memmap: &[u8],
    memdesc_size: u32,
    memdesc_version: u32,
    map: &mut MemoryMap<'_>,
) -> Result<(), Error> {
    let stride = match check(memmap, memdesc_size, memdesc_version) {
        Ok(stride) => stride,
        Err(error) => {
            map.clear();
            return Err(error);
        }
    };
    paint::by_kind(map, memmap.chunks(stride).filter_map(range))
}

/// Answers with the stride in bytes, which is not 0.
fn check(memmap: &[u8], memdesc_size: u32, memdesc_version: u32) -> Result<usize, Error> {
    if memdesc_version != DESCRIPTOR_VERSION {
        let value = u64::from(memdesc_version);
        return Err(Error::Unsupported { field: Field::EfiDescriptorVersion, value });
    }
    let too_small = Error::Unsupported { field: Field::EfiDescriptorSize, value: u64::from(memdesc_size) };
    let stride = usize::try_from(memdesc_size).map_err(|_| too_small)?;
    if stride < DESCRIPTOR_LEN {
        return Err(too_small);
    }
    let broken = memmap.chunks(stride).position(|entry| entry.len() < stride || range(entry).is_none());
    match broken {
        None => Ok(stride),
        Some(number) => {
            let offset = u64::try_from(number.saturating_mul(stride)).unwrap_or(u64::MAX);
            Err(Error::Corrupt { field: Field::EfiDescriptor, offset })
        }
    }
}

fn range(descriptor: &[u8]) -> Option<Range> {
    let (efi_type, rest) = descriptor.split_first_chunk::<4>()?;
    let (words, _) = rest.get(4..)?.as_chunks::<8>();
    let mut words = words.iter().copied().map(u64::from_le_bytes);
    let (physical, _virtual) = (words.next()?, words.next()?);
    let (pages, attributes) = (words.next()?, words.next()?);
    let span = Span::with_len(physical, pages.checked_mul(PAGE_LEN)?)?;
    Some(Range::new(span, kind(u32::from_le_bytes(*efi_type), attributes)))
}

fn kind(efi_type: u32, attributes: u64) -> RangeKind {
    match efi_type {
        // Loader code and data, boot services code and data, conventional memory.
        1..=4 | 7 if attributes & EFI_MEMORY_SP != 0 => RangeKind::SoftReserved,
        1..=4 | 7 if attributes & EFI_MEMORY_WB != 0 => RangeKind::SystemRam,
        8 => RangeKind::Unusable,
        9 => RangeKind::AcpiTables,
        10 => RangeKind::AcpiNvs,
        14 => RangeKind::Persistent,
        // The runtime services, I/O, memory not yet accepted from a hypervisor, and what no one knows.
        _ => RangeKind::Reserved,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::vec::Vec;

    fn descriptor(stride: usize, efi_type: u32, physical: u64, pages: u64, attributes: u64) -> Vec<u8> {
        let mut bytes = efi_type.to_le_bytes().to_vec();
        bytes.extend([0xaa; 4]);
        for word in [physical, 0xffff_ffff_0000_0000, pages, attributes] {
            bytes.extend(word.to_le_bytes());
        }
        bytes.resize(stride, 0xbb);
        bytes
    }

    fn run(bytes: &[u8], stride: u32, version: u32) -> Result<Vec<(u64, u64, RangeKind)>, Error> {
        let mut table = [Range::EMPTY; 32];
        let mut map = MemoryMap::new(&mut table);
        let parsed = parse(bytes, stride, version, &mut map);
        assert!(parsed.is_ok() || map.is_empty());
        parsed.map(|()| map.ranges().iter().map(|range| (range.start.0, range.end.0, range.kind)).collect())
    }

    #[test]
    fn types_and_attributes_say_the_kind_at_any_stride() {
        for stride in [40_u32, 48, 64, 41] {
            let bytes = |efi_type, page: u64, attributes| {
                descriptor(stride as usize, efi_type, page * 0x1000, 1, attributes)
            };
            let map: Vec<u8> = [
                bytes(7, 0, 0xf),
                bytes(1, 1, 0xf),
                bytes(2, 2, 8),
                bytes(3, 3, 8),
                bytes(4, 4, 8),
                bytes(5, 5, 0x8000_0000_0000_000f),
                bytes(6, 6, 0x8000_0000_0000_000f),
                bytes(7, 7, 0x4_0008),
                bytes(7, 8, 1),
                bytes(8, 9, 8),
                bytes(9, 10, 8),
                bytes(10, 11, 8),
                bytes(11, 12, 1),
                bytes(14, 13, 8),
                bytes(15, 14, 8),
                bytes(0x8000_0000, 15, 8),
            ]
            .concat();
            let expected = [
                (0, 0x5000, RangeKind::SystemRam),
                (0x5000, 0x7000, RangeKind::Reserved),
                (0x7000, 0x8000, RangeKind::SoftReserved),
                (0x8000, 0x9000, RangeKind::Reserved),
                (0x9000, 0xa000, RangeKind::Unusable),
                (0xa000, 0xb000, RangeKind::AcpiTables),
                (0xb000, 0xc000, RangeKind::AcpiNvs),
                (0xc000, 0xd000, RangeKind::Reserved),
                (0xd000, 0xe000, RangeKind::Persistent),
                (0xe000, 0x1_0000, RangeKind::Reserved),
            ];
            assert_eq!(run(&map, stride, 1).unwrap(), expected, "{stride}");
        }
    }

    #[test]
    fn versions_sizes_and_lengths_are_checked() {
        let one = descriptor(48, 7, 0x1000, 1, 8);
        let unsupported = |field, value| Err(Error::Unsupported { field, value });
        assert_eq!(run(&one, 48, 2), unsupported(Field::EfiDescriptorVersion, 2));
        for size in [0, 1, 39] {
            assert_eq!(run(&one, size, 1), unsupported(Field::EfiDescriptorSize, u64::from(size)));
        }
        let two = [one, descriptor(48, 7, 0x4000, 2, 8)].concat();
        for len in 0..=two.len() {
            let parsed = run(&two[..len], 48, 1);
            match len {
                0 | 48 | 96 => assert_eq!(parsed.unwrap().len(), len / 48),
                _ => {
                    let offset = (len / 48 * 48) as u64;
                    assert_eq!(parsed, Err(Error::Corrupt { field: Field::EfiDescriptor, offset }));
                }
            }
        }
        assert!(run(&two, u32::MAX, 1).is_err());
    }

    #[test]
    fn every_field_with_every_extreme_is_read_or_refused() {
        let bytes = [descriptor(48, 7, 0x1000, 1, 8), descriptor(48, 5, 0x4000, 2, 8)].concat();
        testkit::sweep(&bytes, 0..bytes.len(), |field, damaged| match run(damaged, 48, 1) {
            Ok(ranges) => assert!(ranges.iter().all(|(start, end, _)| start < end), "{field:?}"),
            Err(error) => assert!(matches!(error, Error::Corrupt { .. }), "{field:?}"),
        });
    }

    #[test]
    fn descriptors_that_wrap_are_corrupt() {
        let wraps = Err(Error::Corrupt { field: Field::EfiDescriptor, offset: 40 });
        for (physical, pages) in [(0, 1 << 52), (u64::MAX - 0xfff, 2), (0, u64::MAX), (0x1000, (1 << 52) - 1)]
        {
            let map = [descriptor(40, 7, 0x1000, 1, 8), descriptor(40, 7, physical, pages, 8)].concat();
            assert_eq!(run(&map, 40, 1), wraps, "{physical:#x} {pages:#x}");
        }
    }
}
