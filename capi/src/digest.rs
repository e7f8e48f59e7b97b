//! SHA-256, and the digest by which purgatory knows that what was loaded is still there.

use core::mem::size_of;

use kexec_core::digest::{Region, Regions};
use purgatory::Sha256;
use vmcore_format::PhysAddr;

use crate::error::{answer, kcap_error};
use crate::ptr;
use crate::segment::{fixed_of, kcap_segment_kind, number_of};
use crate::status::{Failure, KCAP_ERR_NOT_FOUND, kcap_status};

/// The length of a SHA-256, in bytes.
pub const KCAP_SHA256_LEN: usize = 32;

/// A SHA-256 in progress. It keeps nothing.
#[derive(Debug)]
pub struct kcap_sha256 {
    hash: Sha256,
}

/// The size of a `kcap_sha256`, in bytes.
#[unsafe(no_mangle)]
pub extern "C" fn kcap_sha256_size() -> usize {
    size_of::<kcap_sha256>()
}

/// What the address of a `kcap_sha256` must be a multiple of.
#[unsafe(no_mangle)]
pub extern "C" fn kcap_sha256_align() -> usize {
    align_of::<kcap_sha256>()
}

/// Begins the hash of no bytes yet, in the `hash_len` bytes at `hash`.
///
/// Errors: `KCAP_ERR_BUFFER_TOO_SMALL`, `KCAP_ERR_NULL`, `KCAP_ERR_ALIGNMENT`, `KCAP_ERR_LENGTH`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kcap_sha256_init(hash: *mut kcap_sha256, hash_len: usize) -> kcap_status {
    answer(core::ptr::null_mut(), || {
        ptr::object(hash, hash_len)?.put(kcap_sha256 { hash: Sha256::new() });
        Ok(())
    })
}

/// Takes the `len` bytes at `bytes`.
///
/// Errors: `KCAP_ERR_NULL`, `KCAP_ERR_LENGTH`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kcap_sha256_update(
    hash: *mut kcap_sha256,
    bytes: *const u8,
    len: usize,
) -> kcap_status {
    answer(core::ptr::null_mut(), || {
        let bytes = ptr::slice(bytes, len)?;
        ptr::get_mut(hash)?.hash.update(bytes);
        Ok(())
    })
}

/// Writes the digest of all bytes taken so far to the 32 bytes at `digest`. More bytes may be taken afterwards.
///
/// Errors: `KCAP_ERR_NULL`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kcap_sha256_finish(hash: *const kcap_sha256, digest: *mut u8) -> kcap_status {
    answer(core::ptr::null_mut(), || {
        let place = ptr::out(digest.cast::<[u8; KCAP_SHA256_LEN]>())?;
        place.put(ptr::get(hash)?.hash.clone().finish());
        Ok(())
    })
}

/// Bytes that must not change between the load and the crash.
#[derive(Debug, Clone, Copy)]
#[repr(C)]
pub struct kcap_region {
    /// The physical address of the first byte.
    pub start: u64,
    /// The bytes, as they are loaded; NULL for none.
    pub bytes: *const u8,
    /// Their number.
    pub len: usize,
    /// What they are: a `KCAP_SEGMENT_` number below `KCAP_SEGMENT_PURGATORY`, for bytes that stay.
    pub kind: kcap_segment_kind,
    /// 0.
    pub reserved: u32,
}

/// The regions of a load, in the order of their addresses. It keeps the bytes of every region.
#[derive(Debug)]
pub struct kcap_regions {
    pub(crate) regions: Regions<'static>,
}

/// The size of a `kcap_regions`, in bytes.
#[unsafe(no_mangle)]
pub extern "C" fn kcap_regions_size() -> usize {
    size_of::<kcap_regions>()
}

/// What the address of a `kcap_regions` must be a multiple of.
#[unsafe(no_mangle)]
pub extern "C" fn kcap_regions_align() -> usize {
    align_of::<kcap_regions>()
}

/// Makes a list of no region, in the `regions_len` bytes at `regions`.
///
/// Errors: `KCAP_ERR_BUFFER_TOO_SMALL`, `KCAP_ERR_NULL`, `KCAP_ERR_ALIGNMENT`, `KCAP_ERR_LENGTH`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kcap_regions_init(regions: *mut kcap_regions, regions_len: usize) -> kcap_status {
    answer(core::ptr::null_mut(), || {
        ptr::object(regions, regions_len)?.put(kcap_regions { regions: Regions::new() });
        Ok(())
    })
}

/// Adds `region` at the place of its address; a region without bytes is left out. Its bytes are used for as long as `regions` is.
///
/// Errors: `KCAP_ERR_BUFFER_TOO_SMALL` where there are `KCAP_SEGMENT_MAX` already (`value`: the number there would be),
/// `KCAP_ERR_INVALID` (`kind`) for a segment whose bytes change, `KCAP_ERR_NULL`, `KCAP_ERR_LENGTH`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kcap_regions_add(
    regions: *mut kcap_regions,
    region: *const kcap_region,
    error: *mut kcap_error,
) -> kcap_status {
    answer(error, || {
        let region = ptr::get(region)?;
        let bytes = ptr::slice(region.bytes, region.len)?;
        let region = Region::new(fixed_of(region.kind)?, PhysAddr(region.start), bytes);
        let regions = &mut ptr::get_mut(regions)?.regions;
        let count = regions.as_slice().len().saturating_add(1);
        regions.add(region).map_err(|_| Failure::too_small(count))
    })
}

/// The number of regions; 0 for NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kcap_regions_count(regions: *const kcap_regions) -> usize {
    ptr::get(regions).map_or(0, |regions| regions.regions.as_slice().len())
}

/// Writes region number `index`, in the order of their addresses and from 0, to `region`.
///
/// Errors: `KCAP_ERR_NOT_FOUND` past the last one, `KCAP_ERR_NULL`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kcap_regions_get(
    regions: *const kcap_regions,
    index: usize,
    region: *mut kcap_region,
) -> kcap_status {
    answer(core::ptr::null_mut(), || {
        let place = ptr::out(region)?;
        let found = ptr::get(regions)?.regions.as_slice().get(index).ok_or(KCAP_ERR_NOT_FOUND)?;
        place.put(kcap_region {
            start: found.start().0,
            bytes: found.bytes().as_ptr(),
            len: found.bytes().len(),
            kind: number_of(kexec_core::segment::SegmentKind::Fixed(found.kind())),
            reserved: 0,
        });
        Ok(())
    })
}

/// Writes the SHA-256 of all bytes of all regions, in the order of their addresses, to the 32 bytes at `digest`.
///
/// Errors: `KCAP_ERR_NULL`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kcap_regions_sha256(regions: *const kcap_regions, digest: *mut u8) -> kcap_status {
    answer(core::ptr::null_mut(), || {
        let place = ptr::out(digest.cast::<[u8; KCAP_SHA256_LEN]>())?;
        place.put(ptr::get(regions)?.regions.sha256());
        Ok(())
    })
}

#[cfg(test)]
mod tests {
    #![expect(clippy::undocumented_unsafe_blocks, reason = "pointers to values here, or wrong on purpose")]

    use core::mem::MaybeUninit;
    use core::ptr::{null, null_mut};

    use super::*;
    use crate::segment::{KCAP_SEGMENT_INITRD, KCAP_SEGMENT_KERNEL, KCAP_SEGMENT_PURGATORY};
    use crate::status::{
        KCAP_ERR_BUFFER_TOO_SMALL, KCAP_ERR_INVALID, KCAP_ERR_LENGTH, KCAP_ERR_NULL, KCAP_OK,
    };

    /// `printf abc | sha256sum`.
    const ABC: [u8; 32] = [
        0xba, 0x78, 0x16, 0xbf, 0x8f, 0x01, 0xcf, 0xea, 0x41, 0x41, 0x40, 0xde, 0x5d, 0xae, 0x22, 0x23, 0xb0,
        0x03, 0x61, 0xa3, 0x96, 0x17, 0x7a, 0x9c, 0xb4, 0x10, 0xff, 0x61, 0xf2, 0x00, 0x15, 0xad,
    ];

    fn region(start: u64, bytes: &'static [u8], kind: kcap_segment_kind) -> kcap_region {
        kcap_region { start, bytes: bytes.as_ptr(), len: bytes.len(), kind, reserved: 0 }
    }

    #[test]
    fn a_hash_takes_its_bytes_in_pieces() {
        let mut hash = MaybeUninit::<kcap_sha256>::uninit();
        let (hash, mut digest) = (hash.as_mut_ptr(), [0; 32]);
        unsafe {
            assert_eq!(kcap_sha256_init(hash, kcap_sha256_size()), KCAP_OK);
            assert_eq!(kcap_sha256_update(hash, b"ab".as_ptr(), 2), KCAP_OK);
            assert_eq!(kcap_sha256_update(hash, null(), 0), KCAP_OK);
            assert_eq!(kcap_sha256_finish(hash, digest.as_mut_ptr()), KCAP_OK);
            assert_ne!(digest, ABC);
            assert_eq!(kcap_sha256_update(hash, b"c".as_ptr(), 1), KCAP_OK);
            assert_eq!(kcap_sha256_finish(hash, digest.as_mut_ptr()), KCAP_OK);
            assert_eq!(digest, ABC);
            assert_eq!(kcap_sha256_init(null_mut(), 1), KCAP_ERR_NULL);
            assert_eq!(kcap_sha256_init(hash, 0), KCAP_ERR_BUFFER_TOO_SMALL);
            assert_eq!(kcap_sha256_init(hash, usize::MAX), KCAP_ERR_LENGTH);
            assert_eq!(kcap_sha256_update(hash, null(), 1), KCAP_ERR_NULL);
            assert_eq!(kcap_sha256_update(null_mut(), null(), 0), KCAP_ERR_NULL);
            assert_eq!(kcap_sha256_update(hash, ABC.as_ptr(), usize::MAX), KCAP_ERR_LENGTH);
            assert_eq!(kcap_sha256_finish(null(), digest.as_mut_ptr()), KCAP_ERR_NULL);
            assert_eq!(kcap_sha256_finish(hash, null_mut()), KCAP_ERR_NULL);
        }
    }

    #[test]
    fn regions_are_hashed_in_the_order_of_addresses() {
        let mut regions = MaybeUninit::<kcap_regions>::uninit();
        let (regions, mut digest) = (regions.as_mut_ptr(), [0; 32]);
        unsafe {
            assert_eq!(kcap_regions_init(regions, kcap_regions_size()), KCAP_OK);
            for new in [
                region(0x3000, b"c", KCAP_SEGMENT_INITRD),
                region(0x1000, b"ab", KCAP_SEGMENT_KERNEL),
                region(0x2000, b"", KCAP_SEGMENT_KERNEL),
            ] {
                assert_eq!(kcap_regions_add(regions, &raw const new, null_mut()), KCAP_OK);
            }
            assert_eq!(kcap_regions_count(regions), 2);
            assert_eq!(kcap_regions_sha256(regions, digest.as_mut_ptr()), KCAP_OK);
            assert_eq!(digest, ABC);
            let mut first = region(0, b"", 0);
            assert_eq!(kcap_regions_get(regions, 0, &raw mut first), KCAP_OK);
            assert_eq!((first.start, first.len, first.kind), (0x1000, 2, KCAP_SEGMENT_KERNEL));
            assert_eq!(kcap_regions_get(regions, 2, &raw mut first), KCAP_ERR_NOT_FOUND);
            let wrong = region(0, b"x", KCAP_SEGMENT_PURGATORY);
            assert_eq!(kcap_regions_add(regions, &raw const wrong, null_mut()), KCAP_ERR_INVALID);
            let more = region(0x4000, b"x", KCAP_SEGMENT_INITRD);
            for _ in 2..16 {
                assert_eq!(kcap_regions_add(regions, &raw const more, null_mut()), KCAP_OK);
            }
            let mut error = crate::testing::no_error();
            assert_eq!(kcap_regions_add(regions, &raw const more, &raw mut error), KCAP_ERR_BUFFER_TOO_SMALL);
            assert_eq!((error.value, kcap_regions_count(regions)), (17, 16));
        }
    }

    #[test]
    fn wrong_pointers_and_lengths_are_found() {
        let mut regions = MaybeUninit::<kcap_regions>::uninit();
        let regions = regions.as_mut_ptr();
        let mut one = region(0, b"x", KCAP_SEGMENT_KERNEL);
        unsafe {
            assert_eq!(kcap_regions_init(null_mut(), 1), KCAP_ERR_NULL);
            assert_eq!(kcap_regions_init(regions, 0), KCAP_ERR_BUFFER_TOO_SMALL);
            assert_eq!(kcap_regions_init(regions, kcap_regions_size()), KCAP_OK);
            assert_eq!(kcap_regions_add(null_mut(), &raw const one, null_mut()), KCAP_ERR_NULL);
            assert_eq!(kcap_regions_add(regions, null(), null_mut()), KCAP_ERR_NULL);
            one.len = usize::MAX;
            assert_eq!(kcap_regions_add(regions, &raw const one, null_mut()), KCAP_ERR_LENGTH);
            one.bytes = null();
            assert_eq!(kcap_regions_add(regions, &raw const one, null_mut()), KCAP_ERR_NULL);
            assert_eq!(kcap_regions_count(null()), 0);
            assert_eq!(kcap_regions_get(null(), 0, &raw mut one), KCAP_ERR_NULL);
            assert_eq!(kcap_regions_get(regions, 0, null_mut()), KCAP_ERR_NULL);
            assert_eq!(kcap_regions_sha256(null(), [0; 32].as_mut_ptr()), KCAP_ERR_NULL);
            assert_eq!(kcap_regions_sha256(regions, null_mut()), KCAP_ERR_NULL);
        }
    }
}
