//! What goes where in memory, so that the kernel that boots next finds all it needs.

mod request;
#[cfg(test)]
mod tests;

pub use request::*;

use core::ffi::{CStr, c_char, c_void};

use kexec_core::boot_params::SetupData;
use kexec_core::image::Image;
use kexec_core::plan::{Direction, Kernel, Placement, Plan, PlanError, Reason, Segment, low_memory_backup};

use crate::boot_params::{KCAP_SETUP_DATA_MAX, items};
use crate::check::kcap_refusal;
use crate::digest::{KCAP_SHA256_LEN, kcap_regions};
use crate::elfcorehdr::kcap_backup;
use crate::error::{answer, kcap_error};
use crate::image::kcap_image;
use crate::map::{kcap_memory_map, kcap_range, kcap_span};
use crate::ptr::{self, Growing};
use crate::segment::{kcap_extent, kcap_segment_kind, number_of};
use crate::status::{Failure, KCAP_ERR_BUFFER_TOO_SMALL, KCAP_ERR_NOT_FOUND, kcap_status};
use crate::text::put_text;

/// Bytes of memory that are enough for a plan of every Linux of today, whatever its command line.
pub const KCAP_PLAN_MEMORY: usize = 8192;

/// The part of a plan's memory that holds the items of `setup_data`.
const ITEMS_LEN: usize = size_of::<SetupData<'static>>().saturating_mul(KCAP_SETUP_DATA_MAX);

/// A kernel with its place in memory. It keeps the bytes that its request named, the memory map, and its memory.
///
/// Threads may use one object at once: nothing of it changes after its init.
#[derive(Debug)]
pub struct kcap_plan {
    pub(crate) plan: Plan<'static>,
}

/// The size of a `kcap_plan`, in bytes.
#[unsafe(no_mangle)]
pub extern "C" fn kcap_plan_size() -> usize {
    size_of::<kcap_plan>()
}

/// What the address of a `kcap_plan` must be a multiple of.
#[unsafe(no_mangle)]
pub extern "C" fn kcap_plan_align() -> usize {
    align_of::<kcap_plan>()
}

/// Plans what `request` asks for, in the `plan_len` bytes at `plan`: every place and every size, checked as the running kernel will
/// check them. A plan is made for x86_64 only.
///
/// The `memory_len` bytes at `memory`, aligned to 8, take the command line and the list of `setup_data`, and are used for as long as
/// `plan` is: `KCAP_PLAN_MEMORY` of them are enough. Where the running kernel would refuse the plan, the reason goes to
/// `refusal`. `refusal` and `error` may be NULL.
///
/// Errors: `KCAP_ERR_REFUSED` (`value`: the `errno`, `field`: the segment); `KCAP_ERR_NO_ROOM` (`value`: bytes, `field`: the
/// segment); `KCAP_ERR_NO_CRASH_REGION`; `KCAP_ERR_NO_ELFCOREHDR`; `KCAP_ERR_KERNEL_KIND`; `KCAP_ERR_FIVE_LEVEL_PAGING`;
/// `KCAP_ERR_ELF_MAGIC`; `KCAP_ERR_NO_LINUX`; `KCAP_ERR_ELFCOREHDR_GIVEN`; `KCAP_ERR_COMMAND_LINE_TOO_LONG`; those of the image and of the purgatory;
/// `KCAP_ERR_BUFFER_TOO_SMALL` (`value`: bytes for `plan`, or for `memory`); `KCAP_ERR_INVALID`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kcap_plan_init(
    plan: *mut kcap_plan,
    plan_len: usize,
    request: *const kcap_plan_request,
    memory: *mut c_void,
    memory_len: usize,
    refusal: *mut kcap_refusal,
    error: *mut kcap_error,
) -> kcap_status {
    answer(error, || {
        let place = ptr::object(plan, plan_len)?;
        let refused = if refusal.is_null() { None } else { Some(ptr::out_growing(refusal)?) };
        let request = ptr::read_growing(request)?;
        let (found, count) = items(request.setup_data, request.setup_data_count)?;
        request.read(&[])?;
        if memory_len < ITEMS_LEN {
            return Err(Failure::too_small(KCAP_PLAN_MEMORY));
        }
        ptr::slice_mut(memory.cast::<u8>(), memory_len)?;
        let table = ptr::table(memory, ITEMS_LEN, SetupData { kind: 0, data: &[] })?;
        for (to, from) in table.iter_mut().zip(found) {
            *to = from;
        }
        let line = memory.cast::<u8>().wrapping_add(ITEMS_LEN);
        let line = ptr::slice_mut(line, memory_len.saturating_sub(ITEMS_LEN))?;
        let request = request.read(table.get(..count).unwrap_or_default())?;
        let plan = Plan::new(request, line).map_err(|error| {
            if let (PlanError::Refused { refusal, .. }, Some(place)) = (error, refused) {
                place.put(&refusal.into());
            }
            with_items(error.into())
        })?;
        place.put(kcap_plan { plan });
        Ok(())
    })
}

/// A command line that does not fit needs its bytes behind the items.
fn with_items(failure: Failure) -> Failure {
    let items = u64::try_from(ITEMS_LEN).unwrap_or(u64::MAX);
    match failure.status {
        KCAP_ERR_BUFFER_TOO_SMALL => Failure { value: failure.value.saturating_add(items), ..failure },
        _ => failure,
    }
}

/// The plan at `plan`, with what a C function asks it.
fn of<T>(plan: *const kcap_plan, otherwise: T, ask: impl FnOnce(&'static Plan<'static>) -> T) -> T {
    ptr::get(plan).map_or(otherwise, |plan| ask(&plan.plan))
}

/// The physical address at which the image is entered: purgatory's. 0 for NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kcap_plan_entry(plan: *const kcap_plan) -> u64 {
    of(plan, 0, |plan| plan.entry().0)
}

/// The physical address at which purgatory enters the kernel. 0 for NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kcap_plan_kernel_entry(plan: *const kcap_plan) -> u64 {
    of(plan, 0, |plan| plan.kernel_entry().0)
}

/// The flags of `kexec_load`, the machine among them. 0 for NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kcap_plan_flags(plan: *const kcap_plan) -> u32 {
    of(plan, 0, Plan::flags)
}

/// The length in bytes of the scratch that `kcap_plan_encode` needs. 0 for NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kcap_plan_scratch_len(plan: *const kcap_plan) -> usize {
    of(plan, 0, Plan::scratch_len)
}

/// The command line of the kernel, with all that was added, without a NUL: its first byte, and the number of bytes in `len`.
/// NULL where one of the two is NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kcap_plan_command_line(plan: *const kcap_plan, len: *mut usize) -> *const c_char {
    let (Ok(plan), Ok(place)) = (ptr::get(plan), ptr::out(len)) else { return core::ptr::null() };
    let line = plan.plan.command_line();
    place.put(line.len());
    line.as_ptr().cast()
}

/// Makes an image of the kernel, also where it came in a unified kernel image, in the `image_len` bytes at `image`. It keeps the file that
/// the request named.
///
/// Errors: `KCAP_ERR_BUFFER_TOO_SMALL` (`value`: bytes for `image`), `KCAP_ERR_NULL`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kcap_plan_kernel(
    plan: *const kcap_plan,
    image: *mut kcap_image,
    image_len: usize,
    error: *mut kcap_error,
) -> kcap_status {
    answer(error, || {
        let place = ptr::object(image, image_len)?;
        let image = match ptr::get(plan)?.plan.kernel() {
            Kernel::BzImage(kernel) => Image::BzImage(*kernel),
            Kernel::Vmlinux(kernel) => Image::Elf(*kernel),
            _ => return Err(KCAP_ERR_NOT_FOUND.into()),
        };
        place.put(kcap_image { image });
        Ok(())
    })
}

/// The longest command line that the kernel takes, in bytes without its NUL. 0 for NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kcap_plan_cmdline_size(plan: *const kcap_plan) -> u64 {
    of(plan, 0, |plan| plan.kernel().cmdline_size())
}

/// Writes to `backup` memory at the top of the crash region for what the kernel keeps in its first 640 KiB, where a capture kernel
/// boots: needed where the running kernel does not keep that memory out of its own use (x86 before Linux 5.5). `limits` are
/// the addresses that the caller allows. Give it to the elfcorehdr and to the plan.
///
/// Errors: `KCAP_ERR_NOT_FOUND` where there is no such RAM, no crash region, or no room in it, `KCAP_ERR_NULL`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kcap_plan_low_memory_backup(
    memory: *const kcap_memory_map,
    limits: *const kcap_span,
    backup: *mut kcap_backup,
) -> kcap_status {
    answer(core::ptr::null_mut(), || {
        let place = ptr::out(backup)?;
        let limits = *ptr::get(limits)?;
        let found = low_memory_backup(&ptr::get(memory)?.map, limits.into()).ok_or(KCAP_ERR_NOT_FOUND)?;
        place.put(kcap_backup { source: found.source.into(), copy: found.copy.0 });
        Ok(())
    })
}

/// Why a segment may only be at some places: `elfcorehdr=` gives its address.
pub const KCAP_PLACEMENT_HEADER_ADDRESS: u32 = 1;
/// The object is linked at its own address.
pub const KCAP_PLACEMENT_LINKED_IN_PLACE: u32 = 2;
/// The kernel reads it before it has page tables of its own.
pub const KCAP_PLACEMENT_EARLY_BOOT: u32 = 3;
/// The kernel's `kernel_alignment`, and its `pref_address`: below it the kernel would move itself up.
pub const KCAP_PLACEMENT_KERNEL_HEADER: u32 = 4;
/// The kernel can not be moved: it runs at its `pref_address` only.
pub const KCAP_PLACEMENT_NOT_RELOCATABLE: u32 = 5;
/// Anywhere above the memory of old boot loaders.
pub const KCAP_PLACEMENT_ABOVE_LOW_MEMORY: u32 = 6;
/// A `vmlinux` that does not say that it may be moved.
pub const KCAP_PLACEMENT_PROGRAM_HEADERS: u32 = 7;
/// A `vmlinux` that says by how much it may be moved.
pub const KCAP_PLACEMENT_PHYSICAL_ALIGNMENT: u32 = 8;
/// The elfcorehdr has its address.
pub const KCAP_PLACEMENT_BACKUP: u32 = 9;

const REASONS: [(u32, Reason, &CStr); 9] = [
    (KCAP_PLACEMENT_HEADER_ADDRESS, Reason::HeaderAddress, c"elfcorehdr= names its first byte"),
    (KCAP_PLACEMENT_LINKED_IN_PLACE, Reason::LinkedInPlace, c"it is linked to run where it lies"),
    (KCAP_PLACEMENT_EARLY_BOOT, Reason::EarlyBoot, c"above the real-mode vectors, in one block"),
    (
        KCAP_PLACEMENT_KERNEL_HEADER,
        Reason::KernelHeader,
        c"kernel_alignment, and not below pref_address, where it would move itself up",
    ),
    (KCAP_PLACEMENT_NOT_RELOCATABLE, Reason::NotRelocatable, c"it runs at its pref_address only"),
    (
        KCAP_PLACEMENT_ABOVE_LOW_MEMORY,
        Reason::AboveLowMemory,
        c"above 16 MiB, which the kernel may want for itself",
    ),
    (KCAP_PLACEMENT_PROGRAM_HEADERS, Reason::ProgramHeaders, c"its p_paddr, where it was linked to run"),
    (
        KCAP_PLACEMENT_PHYSICAL_ALIGNMENT,
        Reason::PhysicalAlignment,
        c"as its note XEN_ELFNOTE_PHYS32_RELOC says that it may be moved, as a whole",
    ),
    (KCAP_PLACEMENT_BACKUP, Reason::Backup, c"the elfcorehdr says that low memory is there"),
];

/// A `KCAP_PLACEMENT_` number in words: a string of the library's own, "unknown" for another number.
#[unsafe(no_mangle)]
pub extern "C" fn kcap_placement_str(reason: u32) -> *const c_char {
    let known = REASONS.iter().find(|(number, _, _)| *number == reason);
    known.map_or(c"unknown", |&(_, _, words)| words).as_ptr()
}

/// A segment of a plan. Set `size` before the call.
#[derive(Debug, Clone, Copy)]
#[repr(C)]
pub struct kcap_plan_segment {
    /// `sizeof(kcap_plan_segment)`.
    pub size: usize,
    /// Its memory.
    pub extent: kcap_extent,
    /// Where it had to be: what the caller, the crash region and the segment itself allow.
    pub limits: kcap_span,
    /// What its address is a multiple of, in bytes.
    pub alignment: u64,
    /// What it holds: a `KCAP_SEGMENT_` number.
    pub kind: kcap_segment_kind,
    /// What set the alignment and the limits: a `KCAP_PLACEMENT_` number.
    pub reason: u32,
    /// 1 where its bytes are in the digest, else 0.
    pub in_digest: u32,
    /// 1 where the lowest place that fits was taken, 0 for the highest.
    pub bottom_up: u32,
}

// SAFETY: `repr(C)`, begins with a `usize`, holds nothing but integers.
unsafe impl Growing for kcap_plan_segment {}

impl From<&Segment<'_>> for kcap_plan_segment {
    fn from(segment: &Segment<'_>) -> Self {
        let Placement { align, limits, direction, reason } = segment.placement;
        let known = REASONS.iter().find(|(_, known, _)| *known == reason);
        Self {
            size: 0,
            extent: segment.extent.into(),
            limits: limits.into(),
            alignment: align,
            kind: number_of(segment.kind),
            reason: known.map_or(0, |&(number, _, _)| number),
            in_digest: matches!(segment.kind, kexec_core::segment::SegmentKind::Fixed(_)).into(),
            bottom_up: (direction == Direction::BottomUp).into(),
        }
    }
}

/// The number of segments; 0 for NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kcap_plan_segment_count(plan: *const kcap_plan) -> usize {
    of(plan, 0, |plan| plan.segments().len())
}

/// Writes segment number `index`, in the order in which they were placed and from 0, to `segment`.
///
/// Errors: `KCAP_ERR_NOT_FOUND` past the last one, `KCAP_ERR_NULL`, `KCAP_ERR_LENGTH`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kcap_plan_get_segment(
    plan: *const kcap_plan,
    index: usize,
    segment: *mut kcap_plan_segment,
) -> kcap_status {
    answer(core::ptr::null_mut(), || {
        let place = ptr::out_growing(segment)?;
        place.put(&ptr::get(plan)?.plan.segments().get(index).ok_or(KCAP_ERR_NOT_FOUND)?.into());
        Ok(())
    })
}

/// Writes the purgatory and the boot parameters in the `scratch_len` bytes at `scratch`, and the digest that purgatory checks to the
/// 32 bytes at `digest`, which may be NULL. On an error the bytes at `scratch` are unspecified.
///
/// Errors: `KCAP_ERR_BUFFER_TOO_SMALL` (`value`: bytes for `scratch`), those of the purgatory's relocations and symbols,
/// `KCAP_ERR_ELF_MAGIC`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kcap_plan_encode(
    plan: *const kcap_plan,
    scratch: *mut u8,
    scratch_len: usize,
    digest: *mut u8,
    error: *mut kcap_error,
) -> kcap_status {
    answer(error, || {
        let place = match digest.is_null() {
            true => None,
            false => Some(ptr::out(digest.cast::<[u8; KCAP_SHA256_LEN]>())?),
        };
        let scratch = ptr::slice_mut(scratch, scratch_len)?;
        let found = ptr::get(plan)?.plan.encode(scratch)?;
        if let Some(place) = place {
            place.put(found);
        }
        Ok(())
    })
}

/// Writes address and length of the bytes of segment number `index` to `bytes` and `len`, `scratch` being what
/// `kcap_plan_encode` filled: they are in `scratch`, or in one of the files that the request named.
///
/// Errors: `KCAP_ERR_NOT_FOUND` past the last segment, `KCAP_ERR_BUFFER_TOO_SMALL` for `scratch`, `KCAP_ERR_NULL`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kcap_plan_bytes(
    plan: *const kcap_plan,
    index: usize,
    scratch: *const u8,
    scratch_len: usize,
    bytes: *mut *const u8,
    len: *mut usize,
) -> kcap_status {
    answer(core::ptr::null_mut(), || {
        let (bytes, len) = (ptr::out(bytes)?, ptr::out(len)?);
        let scratch = ptr::slice(scratch, scratch_len)?;
        let plan = &ptr::get(plan)?.plan;
        let found = plan.bytes(plan.segments().get(index).ok_or(KCAP_ERR_NOT_FOUND)?, scratch)?;
        bytes.put(found.as_ptr());
        len.put(found.len());
        Ok(())
    })
}

/// Makes a list of what the digest covers, in the `regions_len` bytes at `regions`, `scratch` being what `kcap_plan_encode`
/// filled. The list keeps the bytes of the plan.
///
/// Errors: `KCAP_ERR_BUFFER_TOO_SMALL` (`value`: bytes for `regions`, or for `scratch`), `KCAP_ERR_NULL`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kcap_plan_regions(
    plan: *const kcap_plan,
    scratch: *const u8,
    scratch_len: usize,
    regions: *mut kcap_regions,
    regions_len: usize,
    error: *mut kcap_error,
) -> kcap_status {
    answer(error, || {
        let place = ptr::object(regions, regions_len)?;
        let scratch = ptr::slice(scratch, scratch_len)?;
        place.put(kcap_regions { regions: ptr::get(plan)?.plan.regions(scratch)? });
        Ok(())
    })
}

/// Writes range number `index`, in ascending order and from 0, of the memory that the kernel is told of to `range`.
///
/// Errors: `KCAP_ERR_NOT_FOUND` past the last one, `KCAP_ERR_NULL`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kcap_plan_told(
    plan: *const kcap_plan,
    index: usize,
    range: *mut kcap_range,
) -> kcap_status {
    answer(core::ptr::null_mut(), || {
        let place = ptr::out(range)?;
        place.put(ptr::get(plan)?.plan.told().nth(index).ok_or(KCAP_ERR_NOT_FOUND)?.into());
        Ok(())
    })
}

/// Writes decision number `index` of the plan, in the order in which they were made and from 0, to the `len` bytes at `text`: one
/// line without a full stop, NUL-terminated. 512 bytes are enough for each.
///
/// Errors: `KCAP_ERR_NOT_FOUND` past the last one, `KCAP_ERR_BUFFER_TOO_SMALL` (`value`: bytes for `text`), `KCAP_ERR_NULL`,
/// `KCAP_ERR_LENGTH`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kcap_plan_explain(
    plan: *const kcap_plan,
    index: usize,
    text: *mut c_char,
    len: usize,
    error: *mut kcap_error,
) -> kcap_status {
    answer(error, || {
        put_text(text, len, ptr::get(plan)?.plan.explain().nth(index).ok_or(KCAP_ERR_NOT_FOUND)?)
    })
}
