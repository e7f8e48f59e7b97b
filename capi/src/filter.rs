//! What page frames were used for, and which a dump leaves out.

use core::ffi::{CStr, c_char};

use page_filter::{Counts, Doubt, Filter, Findings, Level, PageKind, PhysMemory, Witness};
use vmcore_format::Pfn;

use crate::error::{answer, kcap_error};
use crate::kernel::{kcap_kernel, kcap_missing_rule, kcap_no_mem_map};
use crate::memory::kcap_memory;
use crate::ptr::{self, Growing};
use crate::source::{self, kcap_level};
use crate::status::{Failure, KCAP_ERR_NOT_FOUND, kcap_status};

/// Kernel memory, or a use that no rule recognises: always kept.
pub const KCAP_KIND_KERNEL: u32 = 0;
/// Slab objects: always kept, counted to check the rules themselves.
pub const KCAP_KIND_SLAB: u32 = 1;
/// Every byte is zero, and no other kind applies.
pub const KCAP_KIND_ZERO: u32 = 2;
/// Page cache or swap cache without `PG_private`.
pub const KCAP_KIND_CACHE: u32 = 3;
/// Page cache or swap cache with `PG_private` (buffer heads, filesystem data).
pub const KCAP_KIND_CACHE_PRIVATE: u32 = 4;
/// Memory of user processes: anonymous, KSM, hugetlb.
pub const KCAP_KIND_USER: u32 = 5;
/// On a buddy list, or not yet accepted from the hypervisor.
pub const KCAP_KIND_FREE: u32 = 6;
/// Memory that the hardware reported broken.
pub const KCAP_KIND_HWPOISON: u32 = 7;
/// Ballooned or logically offline.
pub const KCAP_KIND_OFFLINE: u32 = 8;
/// The `struct page` could not be read: kept.
pub const KCAP_KIND_UNKNOWN: u32 = 9;
/// Memory that was removed since the input's table of memory was made: never read, never dumped.
pub const KCAP_KIND_REMOVED: u32 = 10;
/// `kcap_kernel_page_kinds`: the input does not hold the page frame.
pub const KCAP_KIND_ABSENT: u32 = 255;

/// Elements of an array of numbers by kind; those past `KCAP_KIND_REMOVED` are 0, for kinds to come.
pub const KCAP_KINDS: usize = 16;

const fn kind_number(kind: PageKind) -> u32 {
    match kind {
        PageKind::Kernel => KCAP_KIND_KERNEL,
        PageKind::Slab => KCAP_KIND_SLAB,
        PageKind::Zero => KCAP_KIND_ZERO,
        PageKind::Cache => KCAP_KIND_CACHE,
        PageKind::CachePrivate => KCAP_KIND_CACHE_PRIVATE,
        PageKind::User => KCAP_KIND_USER,
        PageKind::Free => KCAP_KIND_FREE,
        PageKind::HwPoison => KCAP_KIND_HWPOISON,
        PageKind::Offline => KCAP_KIND_OFFLINE,
        PageKind::Removed => KCAP_KIND_REMOVED,
        _ => KCAP_KIND_UNKNOWN,
    }
}

/// The name of a kind in reports, such as "cache-private": a string of the library's own, never NULL.
#[unsafe(no_mangle)]
pub extern "C" fn kcap_kind_str(kind: u32) -> *const c_char {
    let name: &CStr = match kind {
        KCAP_KIND_KERNEL => c"kernel",
        KCAP_KIND_SLAB => c"slab",
        KCAP_KIND_ZERO => c"zero",
        KCAP_KIND_CACHE => c"cache",
        KCAP_KIND_CACHE_PRIVATE => c"cache-private",
        KCAP_KIND_USER => c"user",
        KCAP_KIND_FREE => c"free",
        KCAP_KIND_HWPOISON => c"hwpoison",
        KCAP_KIND_OFFLINE => c"offline",
        KCAP_KIND_REMOVED => c"removed",
        KCAP_KIND_ABSENT => c"absent",
        _ => c"unknown",
    };
    name.as_ptr()
}

/// Page frames by kind. Set `size` before the call.
#[derive(Debug, Clone, Copy)]
#[repr(C)]
pub struct kcap_counts {
    /// `sizeof(kcap_counts)`.
    pub size: usize,
    /// Page frames of each kind, by its `KCAP_KIND_` number.
    pub pages: [u64; KCAP_KINDS],
    /// Page frames of each kind that are not dumped.
    pub left_out: [u64; KCAP_KINDS],
    /// Page frames that the filter was asked about.
    pub total: u64,
    /// Free blocks and compound pages of two page frames or more.
    pub blocks: u64,
    /// Free blocks and compound pages whose order cannot be right; they are kept.
    pub bad_orders: u64,
    /// The page frame of the first of these.
    pub first_bad_order_pfn: u64,
    /// The order found there.
    pub first_bad_order: u64,
}

// SAFETY: `repr(C)`, begins with a `usize`, holds nothing but integers.
unsafe impl Growing for kcap_counts {}

/// `of` each kind, in the order of their numbers.
pub(crate) fn by_kind(of: impl Fn(PageKind) -> u64) -> [u64; KCAP_KINDS] {
    let mut numbers = [0; KCAP_KINDS];
    for kind in PageKind::ALL {
        let slot = usize::try_from(kind_number(kind)).ok().and_then(|slot| numbers.get_mut(slot));
        if let Some(slot) = slot {
            *slot = of(kind);
        }
    }
    numbers
}

/// The pages of a kind in counts that C gave.
pub(crate) fn pages_of(counts: &kcap_counts, kind: PageKind) -> u64 {
    let slot = usize::try_from(kind_number(kind)).unwrap_or(usize::MAX);
    counts.pages.get(slot).copied().unwrap_or(0)
}

impl From<&Counts> for kcap_counts {
    fn from(counts: &Counts) -> Self {
        let (pfn, order) = counts.first_bad_order().unwrap_or((Pfn(0), 0));
        Self {
            size: 0,
            pages: by_kind(|kind| counts.pages(kind)),
            left_out: by_kind(|kind| counts.left_out(kind)),
            total: counts.total(),
            blocks: counts.blocks(),
            bad_orders: counts.bad_orders(),
            first_bad_order_pfn: pfn.0,
            first_bad_order: order,
        }
    }
}

/// Passes over the memory that tell pages apart and take out of a bitmap what a level leaves out. A `kcap_dumper` has one
/// of its own.
///
/// One thread at a time.
#[derive(Debug)]
pub struct kcap_filter {
    filter: Filter<'static>,
    counts: Counts,
}

/// The size of a `kcap_filter`, in bytes.
#[unsafe(no_mangle)]
pub extern "C" fn kcap_filter_size() -> usize {
    size_of::<kcap_filter>()
}

/// What the address of a `kcap_filter` must be a multiple of.
#[unsafe(no_mangle)]
pub extern "C" fn kcap_filter_align() -> usize {
    align_of::<kcap_filter>()
}

/// Leaves out what `level` (`KCAP_LEVEL_` bits) says of the machine that `kernel` ran on, in the `filter_len` bytes at `filter`.
///
/// `kernel` is used for as long as the object is, and by nothing else in the meantime. `error` may be NULL.
///
/// Errors: `KCAP_ERR_BUFFER_TOO_SMALL`, `KCAP_ERR_INVALID`, `KCAP_ERR_NULL`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kcap_filter_init(
    filter: *mut kcap_filter,
    filter_len: usize,
    kernel: *mut kcap_kernel,
    level: kcap_level,
    error: *mut kcap_error,
) -> kcap_status {
    answer(error, || {
        let place = ptr::object(filter, filter_len)?;
        let level = source::level(level)?;
        let filter = Filter::new(&mut ptr::get_mut(kernel)?.kernel, level);
        place.put(kcap_filter { filter, counts: Counts::default() });
        Ok(())
    })
}

/// The scratch that makes scans as fast as they get, in bytes.
pub const KCAP_FILTER_SCRATCH: usize = 0x8000;
const _: () = assert!(KCAP_FILTER_SCRATCH == Filter::SCRATCH_LEN);

/// Judges the page frames from `start` to before `end` whose bits are set in `dumpable` (bit 0 of the first word is `start`),
/// counts them by kind, and clears those that the level leaves out.
///
/// `words` is the number of words at `dumpable`: one for each 64 page frames. `scratch` has `KCAP_FILTER_SCRATCH` bytes, or at least
/// `kcap_kernel_facts.struct_page_size`. Windows come in ascending order; one that starts below the end of the one before
/// starts the next pass (see `kcap_filter_clear`). What the bits are after an error is unspecified. `error` may be NULL.
///
/// Errors: `KCAP_ERR_BUFFER_TOO_SMALL` (`field`: "dumpable" or "scratch"), `KCAP_ERR_INVALID` (`end` below `start`),
/// `KCAP_ERR_NULL`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kcap_filter_scan(
    filter: *mut kcap_filter,
    memory: *mut kcap_memory,
    start: u64,
    end: u64,
    dumpable: *mut u64,
    words: usize,
    scratch: *mut u8,
    scratch_len: usize,
    error: *mut kcap_error,
) -> kcap_status {
    answer(error, || {
        let (filter, memory) = (ptr::get_mut(filter)?, ptr::get_mut(memory)?);
        let dumpable = ptr::slice_mut(dumpable, words)?;
        let scratch = ptr::slice_mut(scratch, scratch_len)?;
        let frames = end.checked_sub(start).ok_or(Failure::invalid("end", end))?;
        if u64::try_from(words).is_ok_and(|words| words < frames.div_ceil(64)) {
            let bytes = usize::try_from(frames.div_ceil(64)).unwrap_or(usize::MAX).saturating_mul(8);
            return Err(Failure { field: "dumpable", ..Failure::too_small(bytes) });
        }
        let scanned = filter.filter.scan(memory, Pfn(start)..Pfn(end), dumpable, &mut filter.counts, scratch);
        scanned.map_err(|error| Failure { field: "scratch", ..error.into() })
    })
}

/// Sets all counts to 0, for the next pass.
///
/// Errors: `KCAP_ERR_NULL`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kcap_filter_clear(filter: *mut kcap_filter) -> kcap_status {
    answer(core::ptr::null_mut(), || {
        ptr::get_mut(filter)?.counts = Counts::default();
        Ok(())
    })
}

/// Writes how many page frames of each kind the scans met to `counts`.
///
/// Errors: `KCAP_ERR_NULL`, `KCAP_ERR_LENGTH`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kcap_filter_get_counts(
    filter: *const kcap_filter,
    counts: *mut kcap_counts,
) -> kcap_status {
    answer(core::ptr::null_mut(), || {
        let found = (&ptr::get(filter)?.counts).into();
        ptr::out_growing(counts)?.put(&found);
        Ok(())
    })
}

/// The result can be true.
pub const KCAP_DOUBT_NONE: u32 = 0;
/// No page at all is free, of `doubt_pages` asked about, though the rule could run.
pub const KCAP_DOUBT_NO_FREE_PAGE: u32 = 1;
/// No page at all is slab, of `doubt_pages` asked about, though the rule could run.
pub const KCAP_DOUBT_NO_SLAB_PAGE: u32 = 2;
/// More than half of the memory, `doubt_pages`, is said to be broken: the flags are misread.
pub const KCAP_DOUBT_MOSTLY_HWPOISON: u32 = 3;
/// More free blocks and compound pages have an order that cannot be right (`doubt_pages`) than one that can (`doubt_sound`).
pub const KCAP_DOUBT_BAD_ORDERS: u32 = 4;
/// Page frame `doubt_pfn`, which is known to hold the kernel's own data (`doubt_witness`), was to be left out as a page of kind
/// `doubt_kind`.
pub const KCAP_DOUBT_WITNESS_LEFT_OUT: u32 = 5;
/// Another reason, of a newer library.
pub const KCAP_DOUBT_OTHER: u32 = 255;

/// The kernel's top page table.
pub const KCAP_WITNESS_PAGE_TABLES: u32 = 1;
/// The start of the kernel's text, at `_stext`.
pub const KCAP_WITNESS_KERNEL_TEXT: u32 = 2;
/// `init_uts_ns`.
pub const KCAP_WITNESS_UTS_NAMESPACE: u32 = 3;
/// The start of the section table, `mem_section`.
pub const KCAP_WITNESS_SECTION_TABLE: u32 = 4;
/// Some of the mem_map.
pub const KCAP_WITNESS_MEM_MAP: u32 = 5;

/// Rules that `kcap_findings` has room for.
pub const KCAP_RULES: usize = 16;

/// What kept the filter from doing all that was asked of it. Set `size` before the call.
#[derive(Debug, Clone, Copy)]
#[repr(C)]
pub struct kcap_findings {
    /// `sizeof(kcap_findings)`.
    pub size: usize,
    /// Why the result cannot be true, one of the `KCAP_DOUBT_` numbers: every page must be kept then.
    pub doubt: u32,
    /// What the page frame holds, one of the `KCAP_WITNESS_` numbers; 0 where that is not the doubt.
    pub doubt_witness: u32,
    /// What it was taken for, one of the `KCAP_KIND_` numbers.
    pub doubt_kind: u32,
    /// The number of `missing` rules.
    pub missing_count: u32,
    /// The doubt's number of pages, or of blocks.
    pub doubt_pages: u64,
    /// The doubt's number of sound blocks.
    pub doubt_sound: u64,
    /// The doubt's page frame.
    pub doubt_pfn: u64,
    /// Why there is no mem_map, where there is none.
    pub no_mem_map: kcap_no_mem_map,
    /// The rules that could not run.
    pub missing: [kcap_missing_rule; KCAP_RULES],
}

// SAFETY: `repr(C)`, begins with a `usize`, holds nothing but integers.
unsafe impl Growing for kcap_findings {}

const fn witness_number(witness: Witness) -> u32 {
    match witness {
        Witness::PageTables => KCAP_WITNESS_PAGE_TABLES,
        Witness::KernelText => KCAP_WITNESS_KERNEL_TEXT,
        Witness::UtsNamespace => KCAP_WITNESS_UTS_NAMESPACE,
        Witness::SectionTable => KCAP_WITNESS_SECTION_TABLE,
        _ => KCAP_WITNESS_MEM_MAP,
    }
}

impl From<&Findings> for kcap_findings {
    fn from(findings: &Findings) -> Self {
        let nothing = kcap_missing_rule {
            rule: 0,
            optional: 0,
            keeps_more: 0,
            reserved: 0,
            name: [0; 16],
            key: [0; crate::kernel::KCAP_KEY_LEN],
        };
        let mut told = Self {
            size: 0,
            doubt: KCAP_DOUBT_NONE,
            doubt_witness: 0,
            doubt_kind: 0,
            missing_count: 0,
            doubt_pages: 0,
            doubt_sound: 0,
            doubt_pfn: 0,
            no_mem_map: findings.no_mem_map().into(),
            missing: [nothing; KCAP_RULES],
        };
        for (slot, missing) in told.missing.iter_mut().zip(findings.missing()) {
            let keeps_more = findings.keeps_more().any(|other| other == missing);
            *slot = kcap_missing_rule::new(missing, keeps_more);
            told.missing_count = told.missing_count.saturating_add(1);
        }
        (told.doubt, told.doubt_pages) = match findings.doubt() {
            None => (KCAP_DOUBT_NONE, 0),
            Some(Doubt::NoFreePage { frames }) => (KCAP_DOUBT_NO_FREE_PAGE, frames),
            Some(Doubt::NoSlabPage { frames }) => (KCAP_DOUBT_NO_SLAB_PAGE, frames),
            Some(Doubt::MostlyHwPoison { pages }) => (KCAP_DOUBT_MOSTLY_HWPOISON, pages),
            Some(Doubt::BadOrders { bad, sound }) => {
                told.doubt_sound = sound;
                (KCAP_DOUBT_BAD_ORDERS, bad)
            }
            Some(Doubt::WitnessLeftOut { pfn, witness, kind }) => {
                told.doubt_pfn = pfn.0;
                told.doubt_witness = witness_number(witness);
                told.doubt_kind = kind_number(kind);
                (KCAP_DOUBT_WITNESS_LEFT_OUT, 0)
            }
            Some(_) => (KCAP_DOUBT_OTHER, 0),
        };
        told
    }
}

/// Writes what to make of a complete pass to `findings`. `whole`: not 0 if the input holds every page frame that the machine
/// had; where some were left out before, missing free pages prove nothing.
///
/// Errors: `KCAP_ERR_NULL`, `KCAP_ERR_LENGTH`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kcap_filter_get_findings(
    filter: *const kcap_filter,
    whole: u32,
    findings: *mut kcap_findings,
) -> kcap_status {
    answer(core::ptr::null_mut(), || {
        let object = ptr::get(filter)?;
        let found = (&object.filter.findings(&object.counts, whole != 0)).into();
        ptr::out_growing(findings)?.put(&found);
        Ok(())
    })
}

/// Writes what each page frame from `start` on was used for, by its `struct page`, to the `count` bytes at `kinds`: `KCAP_KIND_`
/// numbers, `KCAP_KIND_ABSENT` where the input does not hold it. Zero pages are known by their content alone, and are not told
/// apart here. What the bytes at `kinds` are after an error is unspecified. `error` may be NULL.
///
/// Errors: `KCAP_ERR_NOT_FOUND` (the mem_map was not found), those of `kcap_memory_next_held`, `KCAP_ERR_NULL`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kcap_kernel_page_kinds(
    kernel: *mut kcap_kernel,
    memory: *mut kcap_memory,
    start: u64,
    kinds: *mut u8,
    count: usize,
    error: *mut kcap_error,
) -> kcap_status {
    answer(error, || {
        let (kernel, memory) = (&mut ptr::get_mut(kernel)?.kernel, ptr::get_mut(memory)?);
        let kinds = ptr::slice_mut(kinds, count)?;
        if kernel.no_mem_map().is_some() {
            return Err(KCAP_ERR_NOT_FOUND.into());
        }
        let mut filter = Filter::new(kernel, Level::empty());
        let mut scratch = [0; 1024];
        let mut held = Pfn(0)..Pfn(0);
        for (pfn, slot) in (start..=u64::MAX).map(Pfn).zip(kinds) {
            if held.end <= pfn {
                held = memory.next_held(pfn)?.unwrap_or(Pfn(u64::MAX)..Pfn(u64::MAX));
            }
            let mut counts = Counts::default();
            let mut dumpable = [u64::from(held.contains(&pfn))];
            let end = Pfn(pfn.0.saturating_add(1));
            filter.scan(memory, pfn..end, &mut dumpable, &mut counts, &mut scratch)?;
            let found = PageKind::ALL.into_iter().find(|&kind| counts.pages(kind) > 0);
            *slot = u8::try_from(found.map_or(KCAP_KIND_ABSENT, kind_number)).unwrap_or(u8::MAX);
        }
        Ok(())
    })
}

#[cfg(test)]
mod tests;
