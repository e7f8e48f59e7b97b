//! Memory that the input has and the kernel does not, and the other way around.

use page_filter::{FrameRanges, Sections};

use crate::error::answer;
use crate::kernel::kcap_kernel;
use crate::machine::kcap_pfn_range;
use crate::ptr::{self, Growing};
use crate::status::{KCAP_ERR_NOT_FOUND, kcap_status};

/// Ranges that `kcap_frame_ranges` has room for.
pub const KCAP_NAMED_RANGES: usize = 16;
const _: () = assert!(KCAP_NAMED_RANGES == page_filter::NAMED_RANGES);

/// Ranges of page frames in ascending order: how much there is, and the first few.
#[derive(Debug, Clone, Copy, Default)]
#[repr(C)]
pub struct kcap_frame_ranges {
    /// Page frames in all of them.
    pub frames: u64,
    /// The number of ranges.
    pub count: u64,
    /// The first of them; the others are 0.
    pub named: [kcap_pfn_range; KCAP_NAMED_RANGES],
}

impl From<&FrameRanges> for kcap_frame_ranges {
    fn from(ranges: &FrameRanges) -> Self {
        let mut named = [kcap_pfn_range::default(); KCAP_NAMED_RANGES];
        for (slot, range) in named.iter_mut().zip(ranges.named()) {
            *slot = range.into();
        }
        Self { frames: ranges.frames(), count: ranges.count(), named }
    }
}

/// Where the input's table of memory (`PT_LOAD`s, the first bitmap) and the kernel's `mem_section` disagree. What both agree on is
/// read; this is the rest. Set `size` before the call.
#[derive(Debug, Clone, Copy)]
#[repr(C)]
pub struct kcap_sections {
    /// `sizeof(kcap_sections)`.
    pub size: usize,
    /// The input has it, and both its section and its `struct page`s are gone: memory that was removed after the crash kernel was
    /// loaded. It is not read and not dumped (`KCAP_KIND_REMOVED`), where `believed`.
    pub removed: kcap_frame_ranges,
    /// The input has it, and its section is offline or has no `struct page`s: kept.
    pub offline: kcap_frame_ranges,
    /// The input has it, and its section cannot be read, contradicts the rest of the kernel, or alone says that it is gone: kept.
    pub unreadable: kcap_frame_ranges,
    /// The kernel uses it, and nothing of its section is in the input: memory that was added after the crash kernel was loaded.
    pub missing: kcap_frame_ranges,
    /// 1 if the kernel marks sections as online (Linux 4.13); if not, none is known to be offline.
    pub tells_online: u32,
    /// 1 if `removed` memory is left out; if not, the sections deny memory that is there for sure.
    pub believed: u32,
    /// 1 if all sections were looked at.
    pub whole: u32,
    /// 0.
    pub reserved: u32,
}

// SAFETY: `repr(C)`, begins with a `usize`, holds nothing but integers.
unsafe impl Growing for kcap_sections {}

impl From<&Sections> for kcap_sections {
    fn from(found: &Sections) -> Self {
        Self {
            size: 0,
            removed: (&found.removed).into(),
            offline: (&found.offline).into(),
            unreadable: (&found.unreadable).into(),
            missing: (&found.missing).into(),
            tells_online: found.tells_online.into(),
            believed: found.believed.into(),
            whole: found.whole.into(),
            reserved: 0,
        }
    }
}

/// Writes where the memory that was given to `kcap_kernel_init` and the kernel's sections disagree to `sections`.
///
/// Errors: `KCAP_ERR_NOT_FOUND` (no mem_map, or one without sections), `KCAP_ERR_NULL`, `KCAP_ERR_LENGTH`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kcap_kernel_get_sections(
    kernel: *const kcap_kernel,
    sections: *mut kcap_sections,
) -> kcap_status {
    answer(core::ptr::null_mut(), || {
        let kernel = &ptr::get(kernel)?.kernel;
        let place = ptr::out_growing(sections)?;
        place.put(&kernel.sections().ok_or(KCAP_ERR_NOT_FOUND)?.into());
        Ok(())
    })
}

#[cfg(test)]
mod tests;
