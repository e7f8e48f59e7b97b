//! What the running kernel checks when a kernel is loaded, checked before it is asked.

use core::ffi::c_char;

use kexec_core::check::{Image, Kernel, Refusal, kernel_would_accept};
use kexec_core::segment::Extent;
use vmcore_format::PhysAddr;

use crate::elfcorehdr::machine;
use crate::error::{answer, kcap_error};
use crate::map::kcap_span;
use crate::ptr::{self, Growing};
use crate::segment::kcap_extent;
use crate::status::{Failure, kcap_status};
use crate::text::put_text;

/// `KEXEC_ON_CRASH`: the image is entered when the kernel crashes.
pub const KCAP_KEXEC_ON_CRASH: u32 = 1;
/// `KEXEC_PRESERVE_CONTEXT`: the image may return.
pub const KCAP_KEXEC_PRESERVE_CONTEXT: u32 = 2;
/// `KEXEC_UPDATE_ELFCOREHDR`: the kernel may rewrite the elfcorehdr; x86, Linux 6.6.
pub const KCAP_KEXEC_UPDATE_ELFCOREHDR: u32 = 4;
/// `KEXEC_CRASH_HOTPLUG_SUPPORT`: the kernel may rewrite what hotplug changes; Linux 6.10.
pub const KCAP_KEXEC_CRASH_HOTPLUG_SUPPORT: u32 = 8;
/// The bits of the flags that are an `e_machine`, shifted left by 16 bits.
pub const KCAP_KEXEC_ARCH_MASK: u32 = 0xffff_0000;

const _: () = {
    use kexec_core::check;
    assert!(KCAP_KEXEC_ON_CRASH == check::ON_CRASH);
    assert!(KCAP_KEXEC_PRESERVE_CONTEXT == check::PRESERVE_CONTEXT);
    assert!(KCAP_KEXEC_UPDATE_ELFCOREHDR == check::UPDATE_ELFCOREHDR);
    assert!(KCAP_KEXEC_CRASH_HOTPLUG_SUPPORT == check::CRASH_HOTPLUG_SUPPORT);
    assert!(KCAP_KEXEC_ARCH_MASK == check::ARCH_MASK);
};

/// The running kernel, as far as its checks of an image go. Set `size`.
#[derive(Debug, Clone, Copy)]
#[repr(C)]
pub struct kcap_kernel_rules {
    /// `sizeof(kcap_kernel_rules)`.
    pub size: usize,
    /// `crashk_res`: the region where a crash kernel goes; empty without `crashkernel=`.
    pub crash_region: kcap_span,
    /// The pages of RAM that the kernel uses (`totalram_pages`).
    pub ram_pages: u64,
    /// No segment may end at this address or above it (`KEXEC_DESTINATION_MEMORY_LIMIT`).
    pub memory_limit: u64,
    /// The single pages that the kernel takes from the crash region for itself.
    pub control_pages: u64,
    /// The machine, an `e_machine` number.
    pub e_machine: u32,
    /// The flags that the kernel knows, without the machine.
    pub known_flags: u32,
}

// SAFETY: `repr(C)`, begins with a `usize`, holds nothing but integers.
unsafe impl Growing for kcap_kernel_rules {}

/// An image, as `kexec_load` is given it. Set `size`.
#[derive(Debug, Clone, Copy)]
#[repr(C)]
pub struct kcap_load_image {
    /// `sizeof(kcap_load_image)`.
    pub size: usize,
    /// The segments, in any order.
    pub segments: *const kcap_extent,
    /// Their number.
    pub segment_count: usize,
    /// Where the image is entered.
    pub entry: u64,
    /// The flags of the call, the machine among them.
    pub flags: u32,
    /// 0.
    pub reserved: u32,
}

// SAFETY: `repr(C)`, begins with a `usize`, holds nothing but integers and a pointer, which is sound as NULL.
unsafe impl Growing for kcap_load_image {}

/// Why the kernel would refuse an image: one of the `KCAP_REFUSAL_` numbers.
pub type kcap_refusal_kind = u32;

/// The flags have bits that the kernel does not know: `value`.
pub const KCAP_REFUSAL_UNKNOWN_FLAGS: kcap_refusal_kind = 1;
/// There are more than `KCAP_SEGMENT_MAX` segments: `value`.
pub const KCAP_REFUSAL_TOO_MANY_SEGMENTS: kcap_refusal_kind = 2;
/// The image is for another machine: `value`, an `e_machine` number; `other` is the running kernel's.
pub const KCAP_REFUSAL_WRONG_MACHINE: kcap_refusal_kind = 3;
/// The kernel has no crash region.
pub const KCAP_REFUSAL_NO_CRASH_REGION: kcap_refusal_kind = 4;
/// The entry of a crash kernel is outside the crash region: `value`.
pub const KCAP_REFUSAL_ENTRY_OUTSIDE: kcap_refusal_kind = 5;
/// `segment` goes past the end of the address space.
pub const KCAP_REFUSAL_WRAPS: kcap_refusal_kind = 6;
/// `segment` does not begin on a page boundary, but at `value`.
pub const KCAP_REFUSAL_START_UNALIGNED: kcap_refusal_kind = 7;
/// `segment` does not end on a page boundary, but at `value`.
pub const KCAP_REFUSAL_END_UNALIGNED: kcap_refusal_kind = 8;
/// `segment` ends above the memory that the kernel can reach: `value`.
pub const KCAP_REFUSAL_ABOVE_LIMIT: kcap_refusal_kind = 9;
/// `segment` and `other` share memory.
pub const KCAP_REFUSAL_OVERLAP: kcap_refusal_kind = 10;
/// `segment` has more bytes than memory.
pub const KCAP_REFUSAL_LARGER_THAN_ITS_MEMORY: kcap_refusal_kind = 11;
/// `segment` takes more than half of RAM.
pub const KCAP_REFUSAL_MORE_THAN_HALF_OF_RAM: kcap_refusal_kind = 12;
/// All segments together take more than half of RAM: `value` pages.
pub const KCAP_REFUSAL_ALL_MORE_THAN_HALF_OF_RAM: kcap_refusal_kind = 13;
/// `segment` of a crash kernel is outside the crash region.
pub const KCAP_REFUSAL_OUTSIDE_CRASH_REGION: kcap_refusal_kind = 14;
/// The crash region has no room left for the pages that the kernel takes for itself: `value` pages.
pub const KCAP_REFUSAL_NO_CONTROL_PAGES: kcap_refusal_kind = 15;

/// What `segment` of a refusal is that is of no segment.
pub const KCAP_NO_SEGMENT: u64 = 0xffff_ffff_ffff_ffff;

/// Why the kernel would refuse an image. Set `size` before the call. Segments are counted from 0, in the order given.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(C)]
pub struct kcap_refusal {
    /// `sizeof(kcap_refusal)`.
    pub size: usize,
    /// An address, flags, a machine, or a number of segments or pages, as `kind` says.
    pub value: u64,
    /// The segment that is refused; `KCAP_NO_SEGMENT` where it is none.
    pub segment: u64,
    /// Another segment, or the running kernel's machine, as `kind` says.
    pub other: u64,
    /// A `KCAP_REFUSAL_` number.
    pub kind: kcap_refusal_kind,
    /// The `errno` that the kernel would have answered.
    pub code: i32,
}

// SAFETY: `repr(C)`, begins with a `usize`, holds nothing but integers.
unsafe impl Growing for kcap_refusal {}

fn number(value: usize) -> u64 {
    u64::try_from(value).unwrap_or(u64::MAX)
}

impl From<Refusal> for kcap_refusal {
    fn from(refusal: Refusal) -> Self {
        let (kind, value, other) = match refusal {
            Refusal::UnknownFlags { flags } => (KCAP_REFUSAL_UNKNOWN_FLAGS, flags.into(), 0),
            Refusal::TooManySegments { count } => (KCAP_REFUSAL_TOO_MANY_SEGMENTS, count, 0),
            Refusal::WrongMachine { machine, running } => {
                (KCAP_REFUSAL_WRONG_MACHINE, machine.into(), running.into())
            }
            Refusal::NoCrashRegion => (KCAP_REFUSAL_NO_CRASH_REGION, 0, 0),
            Refusal::EntryOutside { entry } => (KCAP_REFUSAL_ENTRY_OUTSIDE, entry.0, 0),
            Refusal::Wraps { .. } => (KCAP_REFUSAL_WRAPS, 0, 0),
            Refusal::StartUnaligned { mem, .. } => (KCAP_REFUSAL_START_UNALIGNED, mem.0, 0),
            Refusal::EndUnaligned { end, .. } => (KCAP_REFUSAL_END_UNALIGNED, end.0, 0),
            Refusal::AboveLimit { end, .. } => (KCAP_REFUSAL_ABOVE_LIMIT, end.0, 0),
            Refusal::Overlap { second, .. } => (KCAP_REFUSAL_OVERLAP, 0, number(second)),
            Refusal::LargerThanItsMemory { .. } => (KCAP_REFUSAL_LARGER_THAN_ITS_MEMORY, 0, 0),
            Refusal::MoreThanHalfOfRam { .. } => (KCAP_REFUSAL_MORE_THAN_HALF_OF_RAM, 0, 0),
            Refusal::AllMoreThanHalfOfRam { pages } => (KCAP_REFUSAL_ALL_MORE_THAN_HALF_OF_RAM, pages, 0),
            Refusal::OutsideCrashRegion { .. } => (KCAP_REFUSAL_OUTSIDE_CRASH_REGION, 0, 0),
            Refusal::NoControlPages { needed } => (KCAP_REFUSAL_NO_CONTROL_PAGES, needed, 0),
            _ => (0, 0, 0),
        };
        let segment = refusal.segment().map_or(KCAP_NO_SEGMENT, number);
        Self { size: 0, value, segment, other, kind, code: refusal.errno() }
    }
}

impl kcap_refusal {
    /// The refusal that was described so.
    fn read(&self) -> Result<Refusal, Failure> {
        let value = self.value;
        let index = |segment: u64| usize::try_from(segment).map_err(|_| Failure::invalid("segment", segment));
        let machine =
            |machine: u64| u16::try_from(machine).map_err(|_| Failure::invalid("e_machine", machine));
        let segment = || index(self.segment);
        Ok(match self.kind {
            KCAP_REFUSAL_UNKNOWN_FLAGS => Refusal::UnknownFlags {
                flags: u32::try_from(value).map_err(|_| Failure::invalid("flags", value))?,
            },
            KCAP_REFUSAL_TOO_MANY_SEGMENTS => Refusal::TooManySegments { count: value },
            KCAP_REFUSAL_WRONG_MACHINE => {
                Refusal::WrongMachine { machine: machine(value)?, running: machine(self.other)? }
            }
            KCAP_REFUSAL_NO_CRASH_REGION => Refusal::NoCrashRegion,
            KCAP_REFUSAL_ENTRY_OUTSIDE => Refusal::EntryOutside { entry: PhysAddr(value) },
            KCAP_REFUSAL_WRAPS => Refusal::Wraps { segment: segment()? },
            KCAP_REFUSAL_START_UNALIGNED => {
                Refusal::StartUnaligned { segment: segment()?, mem: PhysAddr(value) }
            }
            KCAP_REFUSAL_END_UNALIGNED => Refusal::EndUnaligned { segment: segment()?, end: PhysAddr(value) },
            KCAP_REFUSAL_ABOVE_LIMIT => Refusal::AboveLimit { segment: segment()?, end: PhysAddr(value) },
            KCAP_REFUSAL_OVERLAP => Refusal::Overlap { first: segment()?, second: index(self.other)? },
            KCAP_REFUSAL_LARGER_THAN_ITS_MEMORY => Refusal::LargerThanItsMemory { segment: segment()? },
            KCAP_REFUSAL_MORE_THAN_HALF_OF_RAM => Refusal::MoreThanHalfOfRam { segment: segment()? },
            KCAP_REFUSAL_ALL_MORE_THAN_HALF_OF_RAM => Refusal::AllMoreThanHalfOfRam { pages: value },
            KCAP_REFUSAL_OUTSIDE_CRASH_REGION => Refusal::OutsideCrashRegion { segment: segment()? },
            KCAP_REFUSAL_NO_CONTROL_PAGES => Refusal::NoControlPages { needed: value },
            kind => return Err(Failure::invalid("kind", kind.into())),
        })
    }
}

/// Checks `image` as the running kernel, of which `rules` tells, will check it: its first reason to refuse it goes to
/// `refusal`. A load that fails in the kernel leaves no crash kernel behind, so ask here first. Permission, signatures
/// and a lock held by somebody else are left to the kernel. `refusal` and `error` may be NULL.
///
/// Errors: `KCAP_ERR_REFUSED` (`value`: the `errno`), which is the one for which `refusal` is written; `KCAP_ERR_NULL`,
/// `KCAP_ERR_LENGTH`, `KCAP_ERR_INVALID` (`e_machine`).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kcap_kernel_would_accept(
    image: *const kcap_load_image,
    rules: *const kcap_kernel_rules,
    refusal: *mut kcap_refusal,
    error: *mut kcap_error,
) -> kcap_status {
    answer(error, || {
        let place = if refusal.is_null() { None } else { Some(ptr::out_growing(refusal)?) };
        let (image, rules) = (ptr::read_growing(image)?, ptr::read_growing(rules)?);
        let region = rules.crash_region;
        let kernel = Kernel {
            machine: machine(rules.e_machine)?,
            known_flags: rules.known_flags,
            crash_region: (region.start < region.end).then_some(region.into()),
            ram_pages: rules.ram_pages,
            memory_limit: rules.memory_limit,
            control_pages: rules.control_pages,
        };
        let segments = ptr::slice(image.segments.cast::<Extent>(), image.segment_count)?;
        let image = Image { entry: PhysAddr(image.entry), flags: image.flags, segments };
        kernel_would_accept(&image, &kernel).map_err(|refusal| {
            if let Some(place) = place {
                place.put(&refusal.into());
            }
            refusal.into()
        })
    })
}

/// Writes `refusal` in words, one line without a full stop and NUL-terminated, to the `len` bytes at `text`.
///
/// Errors: `KCAP_ERR_BUFFER_TOO_SMALL` (`value`: bytes for `text`), `KCAP_ERR_INVALID` for what is no refusal,
/// `KCAP_ERR_NULL`, `KCAP_ERR_LENGTH`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kcap_refusal_text(
    refusal: *const kcap_refusal,
    text: *mut c_char,
    len: usize,
    error: *mut kcap_error,
) -> kcap_status {
    answer(error, || put_text(text, len, ptr::read_growing(refusal)?.read()?))
}

#[cfg(test)]
mod tests {
    #![expect(clippy::undocumented_unsafe_blocks, reason = "pointers to values here, or wrong on purpose")]

    use core::ffi::CStr;
    use core::ptr::{null, null_mut};
    use std::string::ToString;

    use super::*;
    use crate::status::{
        KCAP_ERR_BUFFER_TOO_SMALL, KCAP_ERR_INVALID, KCAP_ERR_LENGTH, KCAP_ERR_NULL, KCAP_ERR_REFUSED,
        KCAP_OK,
    };
    use crate::testing::{no_error, sized};

    fn rules() -> kcap_kernel_rules {
        let mut rules: kcap_kernel_rules = sized();
        rules.crash_region = kcap_span { start: 0x1000_0000, end: 0x1800_0000 };
        (rules.ram_pages, rules.memory_limit, rules.control_pages) = (0x10_0000, (1 << 46) - 1, 64);
        (rules.e_machine, rules.known_flags) = (62, 7);
        rules
    }

    #[test]
    fn an_image_is_accepted_or_refused_with_the_reason() {
        let rules = rules();
        let mut segments = [kcap_extent { mem: 0x1700_0000, memsz: 0x1000, bufsz: 0x800 }; 2];
        segments[1].mem = 0x1600_0000;
        let mut image: kcap_load_image = sized();
        (image.segments, image.segment_count) = (segments.as_ptr(), 2);
        (image.entry, image.flags) = (0x1700_0000, 62 << 16 | KCAP_KEXEC_ON_CRASH);
        let mut refusal: kcap_refusal = sized();
        let mut error = no_error();
        unsafe {
            let none: *mut kcap_error = null_mut();
            let accept = |image: &kcap_load_image, refusal, error| {
                kcap_kernel_would_accept(&raw const *image, &raw const rules, refusal, error)
            };
            assert_eq!(accept(&image, &raw mut refusal, &raw mut error), KCAP_OK);
            assert_eq!(refusal, sized());
            image.entry = 0x1000;
            assert_eq!(accept(&image, &raw mut refusal, &raw mut error), KCAP_ERR_REFUSED);
            assert_eq!((refusal.kind, refusal.value, refusal.code), (KCAP_REFUSAL_ENTRY_OUTSIDE, 0x1000, 99));
            assert_eq!((error.value, refusal.segment), (99, KCAP_NO_SEGMENT));
            image.entry = 0x1700_0000;
            image.segment_count = usize::MAX;
            assert_eq!(accept(&image, null_mut(), none), KCAP_ERR_LENGTH);
            image.segments = null();
            assert_eq!(accept(&image, null_mut(), none), KCAP_ERR_NULL);
            image.size = 0;
            assert_eq!(accept(&image, null_mut(), none), KCAP_ERR_LENGTH);
            assert_eq!(kcap_kernel_would_accept(null(), &raw const rules, null_mut(), none), KCAP_ERR_NULL);
            image.size = size_of::<kcap_load_image>();
            assert_eq!(kcap_kernel_would_accept(&raw const image, null(), null_mut(), none), KCAP_ERR_NULL);
        }
    }

    #[test]
    fn every_refusal_comes_back_in_the_words_of_the_crate() {
        let (segment, at) = (3, PhysAddr(0x1234));
        let all = [
            Refusal::UnknownFlags { flags: 0x80 },
            Refusal::TooManySegments { count: 17 },
            Refusal::WrongMachine { machine: 183, running: 62 },
            Refusal::NoCrashRegion,
            Refusal::EntryOutside { entry: at },
            Refusal::Wraps { segment },
            Refusal::StartUnaligned { segment, mem: at },
            Refusal::EndUnaligned { segment, end: at },
            Refusal::AboveLimit { segment, end: at },
            Refusal::Overlap { first: 1, second: 2 },
            Refusal::LargerThanItsMemory { segment },
            Refusal::MoreThanHalfOfRam { segment },
            Refusal::AllMoreThanHalfOfRam { pages: 99 },
            Refusal::OutsideCrashRegion { segment },
            Refusal::NoControlPages { needed: 66 },
        ];
        for (kind, refusal) in (1..).zip(all) {
            let c = kcap_refusal { size: size_of::<kcap_refusal>(), ..refusal.into() };
            assert_eq!((c.kind, c.read().unwrap()), (kind, refusal));
            let mut text = [0; 200];
            let status = unsafe { kcap_refusal_text(&raw const c, text.as_mut_ptr(), 200, null_mut()) };
            assert_eq!(status, KCAP_OK);
            let text = unsafe { CStr::from_ptr(text.as_ptr()) };
            assert_eq!(text.to_str().unwrap(), refusal.to_string());
        }
        let mut none: kcap_refusal = sized();
        unsafe {
            let mut text = [7; 4];
            let at = text.as_mut_ptr();
            assert_eq!(kcap_refusal_text(&raw const none, at, 4, null_mut()), KCAP_ERR_INVALID);
            assert_eq!(kcap_refusal_text(null(), at, 4, null_mut()), KCAP_ERR_NULL);
            none.kind = KCAP_REFUSAL_NO_CRASH_REGION;
            assert_eq!(kcap_refusal_text(&raw const none, at, 4, null_mut()), KCAP_ERR_BUFFER_TOO_SMALL);
            assert_eq!(kcap_refusal_text(&raw const none, null_mut(), 4, null_mut()), KCAP_ERR_NULL);
            assert_eq!(kcap_refusal_text(&raw const none, at, usize::MAX, null_mut()), KCAP_ERR_LENGTH);
            assert_eq!(text, [7; 4]);
        }
    }
}
