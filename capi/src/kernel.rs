//! The crashed kernel: its virtual addresses, and what can be told of its pages.

use core::ffi::c_char;

use page_filter::{Kernel, Machine, MemoryModel, Missing, NoMemMap, Rule};
use vmcore_format::VirtAddr;
use vmcore_format::elf::ProgramHeader;
use vmcore_format::vmcoreinfo::VmcoreInfo;

use crate::elf::kcap_elf_core;
use crate::error::{answer, kcap_error};
use crate::machine::{self, kcap_utsname, layout};
use crate::memory::kcap_memory;
use crate::ptr::{self, Growing};
use crate::source::kcap_source;
use crate::status::{Failure, KCAP_ERR_NOT_FOUND, kcap_status};
use crate::vmcoreinfo::kcap_vmcoreinfo;

/// What is known of the crashed kernel, found through its VMCOREINFO.
///
/// It keeps nothing that it was made of. One thread at a time.
#[derive(Debug)]
pub struct kcap_kernel {
    pub(crate) kernel: Kernel,
}

/// The size of a `kcap_kernel`, in bytes.
#[unsafe(no_mangle)]
pub extern "C" fn kcap_kernel_size() -> usize {
    size_of::<kcap_kernel>()
}

/// What the address of a `kcap_kernel` must be a multiple of.
#[unsafe(no_mangle)]
pub extern "C" fn kcap_kernel_align() -> usize {
    align_of::<kcap_kernel>()
}

fn open(
    kernel: *mut kcap_kernel,
    kernel_len: usize,
    info: Option<VmcoreInfo<'static>>,
    machine: Machine,
    loads: &[ProgramHeader],
    memory: *mut kcap_memory,
) -> Result<(), Failure> {
    let place = ptr::object(kernel, kernel_len)?;
    let memory = ptr::get_mut(memory)?;
    let info = info.ok_or(KCAP_ERR_NOT_FOUND)?;
    place.put(kcap_kernel { kernel: Kernel::open(&info, machine, loads, memory)? });
    Ok(())
}

/// Finds the page tables and the mem_map of the kernel that `source` says of, reading `memory`; in the `kernel_len` bytes at
/// `kernel`. `error` may be NULL.
///
/// A mem_map that cannot be found is no error: virtual addresses can still be read, and `kcap_kernel_get_facts` says why.
///
/// Errors, which each mean that no virtual address can be read (all memory can still be saved): `KCAP_ERR_NOT_FOUND` (no
/// VMCOREINFO), `KCAP_ERR_UNSUPPORTED` (the machine), `KCAP_ERR_MISSING_KEY`, `KCAP_ERR_PAGE_TABLES`;
/// `KCAP_ERR_BUFFER_TOO_SMALL`, `KCAP_ERR_NULL`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kcap_kernel_init(
    kernel: *mut kcap_kernel,
    kernel_len: usize,
    source: *const kcap_source,
    memory: *mut kcap_memory,
    error: *mut kcap_error,
) -> kcap_status {
    answer(error, || {
        let source = ptr::get(source)?.source;
        let machine = Machine { e_machine: source.e_machine, layout: source.machine_layout() };
        open(kernel, kernel_len, source.vmcoreinfo, machine, source.loads, memory)
    })
}

/// As `kcap_kernel_init`, of a VMCOREINFO and a machine by themselves. `core` may be NULL: its `PT_LOAD`s save page table
/// walks.
///
/// Errors: as there, and `KCAP_ERR_INVALID`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kcap_kernel_init_vmcoreinfo(
    kernel: *mut kcap_kernel,
    kernel_len: usize,
    info: *const kcap_vmcoreinfo,
    e_machine: u32,
    big_endian: u32,
    bits: u32,
    core: *const kcap_elf_core,
    memory: *mut kcap_memory,
    error: *mut kcap_error,
) -> kcap_status {
    answer(error, || {
        let info = ptr::get(info)?.info;
        let machine =
            Machine { e_machine: machine::e_machine(e_machine)?, layout: layout(big_endian, bits)? };
        let loads = if core.is_null() { &[] } else { ptr::get(core)?.core.loads() };
        open(kernel, kernel_len, Some(info), machine, loads, memory)
    })
}

/// The mem_map was not found: `kcap_kernel_facts.no_mem_map` says why.
pub const KCAP_MEMORY_MODEL_NONE: u32 = 0;
/// One array of `struct page` for all page frames.
pub const KCAP_MEMORY_MODEL_FLAT: u32 = 1;
/// A static array of sections.
pub const KCAP_MEMORY_MODEL_SPARSE: u32 = 2;
/// Sections behind an array of pointers.
pub const KCAP_MEMORY_MODEL_SPARSE_EXTREME: u32 = 3;

/// There is a mem_map.
pub const KCAP_MEM_MAP_FOUND: u32 = 0;
/// VMCOREINFO lacks a key, or its value is out of bounds: `key` names it.
pub const KCAP_MEM_MAP_MISSING_KEY: u32 = 1;
/// `LENGTH(mem_section)`, in `value`, fits no memory model.
pub const KCAP_MEM_MAP_NO_MODEL: u32 = 2;
/// No section of the memory that exists has a readable mem_map.
pub const KCAP_MEM_MAP_NOT_CREDIBLE: u32 = 3;

/// Bytes of the name of a VMCOREINFO key, its NUL among them.
pub const KCAP_KEY_LEN: usize = 48;

/// Why there is no mem_map.
#[derive(Debug, Clone, Copy)]
#[repr(C)]
pub struct kcap_no_mem_map {
    /// `LENGTH(mem_section)` where that is the reason.
    pub value: u64,
    /// One of the `KCAP_MEM_MAP_` numbers.
    pub reason: u32,
    /// 0.
    pub reserved: u32,
    /// The key of VMCOREINFO where that is the reason; empty otherwise.
    pub key: [c_char; KCAP_KEY_LEN],
}

impl From<Option<NoMemMap>> for kcap_no_mem_map {
    fn from(found: Option<NoMemMap>) -> Self {
        let (reason, value, key) = match found {
            None => (KCAP_MEM_MAP_FOUND, 0, ""),
            Some(NoMemMap::MissingKey(key)) => (KCAP_MEM_MAP_MISSING_KEY, 0, key.name()),
            Some(NoMemMap::Model { length }) => (KCAP_MEM_MAP_NO_MODEL, length, ""),
            Some(_) => (KCAP_MEM_MAP_NOT_CREDIBLE, 0, ""),
        };
        Self { value, reason, reserved: 0, key: ptr::chars(key.as_bytes()) }
    }
}

/// What is known of a kernel. Set `size` before the call.
#[derive(Debug, Clone, Copy)]
#[repr(C)]
pub struct kcap_kernel_facts {
    /// `sizeof(kcap_kernel_facts)`.
    pub size: usize,
    /// The size of a `struct page` in bytes; 0 where there is no mem_map.
    pub struct_page_size: u64,
    /// One of the `KCAP_MEMORY_MODEL_` numbers.
    pub memory_model: u32,
    /// The byte order of the machine: 1 for big-endian, 0 for little-endian.
    pub big_endian: u32,
    /// The bits of its `long`: 32 or 64.
    pub bits: u32,
    /// The number of rules that are off: see `kcap_kernel_get_missing_rule`.
    pub missing_rules: u32,
    /// Why there is no mem_map, where there is none: every page is kept then.
    pub no_mem_map: kcap_no_mem_map,
}

// SAFETY: `repr(C)`, begins with a `usize`, holds nothing but integers.
unsafe impl Growing for kcap_kernel_facts {}

/// Writes what is known of `kernel` to `facts`.
///
/// Errors: `KCAP_ERR_NULL`, `KCAP_ERR_LENGTH`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kcap_kernel_get_facts(
    kernel: *const kcap_kernel,
    facts: *mut kcap_kernel_facts,
) -> kcap_status {
    answer(core::ptr::null_mut(), || {
        let kernel = &ptr::get(kernel)?.kernel;
        let size = kernel.struct_page_size().unwrap_or(0);
        ptr::out_growing(facts)?.put(&kcap_kernel_facts {
            size: 0,
            struct_page_size: u64::try_from(size).unwrap_or(0),
            memory_model: match kernel.memory_model() {
                None => KCAP_MEMORY_MODEL_NONE,
                Some(MemoryModel::Flat) => KCAP_MEMORY_MODEL_FLAT,
                Some(MemoryModel::Sparse) => KCAP_MEMORY_MODEL_SPARSE,
                Some(_) => KCAP_MEMORY_MODEL_SPARSE_EXTREME,
            },
            big_endian: machine::big_endian(kernel.layout().endian),
            bits: machine::bits(kernel.layout().class),
            missing_rules: u32::try_from(kernel.missing_rules().count()).unwrap_or(u32::MAX),
            no_mem_map: kernel.no_mem_map().into(),
        });
        Ok(())
    })
}

/// How many page frames a compound page has. Without it only the first frame of one is judged, the others are kept.
pub const KCAP_RULE_COMPOUND: u32 = 0;
/// Slab pages. Without it user pages cannot be told from slab pages.
pub const KCAP_RULE_SLAB: u32 = 1;
/// Page cache. Without it all cache is kept.
pub const KCAP_RULE_CACHE: u32 = 2;
/// Which cache pages have `PG_private`. Without it all cache counts as having it.
pub const KCAP_RULE_CACHE_PRIVATE: u32 = 3;
/// Pages of the swap cache that are on no LRU list.
pub const KCAP_RULE_SWAP_CACHE: u32 = 4;
/// Anonymous memory, KSM included.
pub const KCAP_RULE_USER: u32 = 5;
/// hugetlb pages. Kernels without hugetlbfs do not have the key.
pub const KCAP_RULE_HUGETLB: u32 = 6;
/// Pages on the buddy lists.
pub const KCAP_RULE_FREE: u32 = 7;
/// Memory not yet accepted from the hypervisor (Linux 6.16). Older kernels do not have the key.
pub const KCAP_RULE_UNACCEPTED: u32 = 8;
/// Broken memory. Kernels without `CONFIG_MEMORY_FAILURE` do not have the key.
pub const KCAP_RULE_HWPOISON: u32 = 9;
/// Ballooned and logically offline pages. Older kernels without hugetlbfs do not have the key.
pub const KCAP_RULE_OFFLINE: u32 = 10;

const fn rule_number(rule: Rule) -> u32 {
    match rule {
        Rule::Compound => KCAP_RULE_COMPOUND,
        Rule::Slab => KCAP_RULE_SLAB,
        Rule::Cache => KCAP_RULE_CACHE,
        Rule::CachePrivate => KCAP_RULE_CACHE_PRIVATE,
        Rule::SwapCache => KCAP_RULE_SWAP_CACHE,
        Rule::User => KCAP_RULE_USER,
        Rule::Hugetlb => KCAP_RULE_HUGETLB,
        Rule::Free => KCAP_RULE_FREE,
        Rule::Unaccepted => KCAP_RULE_UNACCEPTED,
        Rule::HwPoison => KCAP_RULE_HWPOISON,
        Rule::Offline => KCAP_RULE_OFFLINE,
        _ => u32::MAX,
    }
}

/// A rule that cannot run.
#[derive(Debug, Clone, Copy)]
#[repr(C)]
pub struct kcap_missing_rule {
    /// One of the `KCAP_RULE_` numbers.
    pub rule: u32,
    /// 1 if sound kernels may lack the key: they were built without the feature, or are older than it.
    pub optional: u32,
    /// 1 if more is kept than was asked because of it; 0 where no level was given.
    pub keeps_more: u32,
    /// 0.
    pub reserved: u32,
    /// The rule's name in reports.
    pub name: [c_char; 16],
    /// The first key of VMCOREINFO it would need that is missing, or whose value is out of bounds.
    pub key: [c_char; KCAP_KEY_LEN],
}

impl kcap_missing_rule {
    pub(crate) fn new(missing: Missing, keeps_more: bool) -> Self {
        Self {
            rule: rule_number(missing.rule),
            optional: missing.rule.is_optional().into(),
            keeps_more: keeps_more.into(),
            reserved: 0,
            name: ptr::chars(missing.rule.name().as_bytes()),
            key: ptr::chars(missing.key.name().as_bytes()),
        }
    }
}

/// Writes rule number `index`, from 0, of those that are off to `rule`.
///
/// Errors: `KCAP_ERR_NOT_FOUND` past the last one, `KCAP_ERR_NULL`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kcap_kernel_get_missing_rule(
    kernel: *const kcap_kernel,
    index: usize,
    rule: *mut kcap_missing_rule,
) -> kcap_status {
    answer(core::ptr::null_mut(), || {
        let kernel = &ptr::get(kernel)?.kernel;
        let place = ptr::out(rule)?;
        let missing = kernel.missing_rules().nth(index).ok_or(KCAP_ERR_NOT_FOUND)?;
        place.put(kcap_missing_rule::new(missing, false));
        Ok(())
    })
}

/// Where a run of kernel virtual addresses lies in physical memory.
#[derive(Debug, Clone, Copy, Default)]
#[repr(C)]
pub struct kcap_mapping {
    /// The physical address of the first byte.
    pub phys: u64,
    /// How many bytes from there on are contiguous in both; at least 1.
    pub len: u64,
}

/// Writes where the kernel's virtual address `addr` lies in physical memory to `mapping`. `error` may be NULL.
///
/// Errors: `KCAP_ERR_NOT_MAPPED`; those of `kcap_memory_read` for the page tables; `KCAP_ERR_NULL`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kcap_kernel_translate(
    kernel: *mut kcap_kernel,
    memory: *mut kcap_memory,
    addr: u64,
    mapping: *mut kcap_mapping,
    error: *mut kcap_error,
) -> kcap_status {
    answer(error, || {
        let (kernel, memory) = (&mut ptr::get_mut(kernel)?.kernel, ptr::get_mut(memory)?);
        let place = ptr::out(mapping)?;
        let found = kernel.translate(memory, VirtAddr(addr))?;
        place.put(kcap_mapping { phys: found.phys.0, len: found.len });
        Ok(())
    })
}

/// Fills the `len` bytes at `buf` with the bytes at the kernel's virtual address `addr`; they may span pages. What `buf`
/// holds after an error is unspecified. `error` may be NULL.
///
/// Errors, of the first page that has one: `KCAP_ERR_NOT_MAPPED`, those of `kcap_memory_read`; `KCAP_ERR_NULL`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kcap_kernel_read(
    kernel: *mut kcap_kernel,
    memory: *mut kcap_memory,
    addr: u64,
    buf: *mut u8,
    len: usize,
    error: *mut kcap_error,
) -> kcap_status {
    answer(error, || {
        let (kernel, memory) = (&mut ptr::get_mut(kernel)?.kernel, ptr::get_mut(memory)?);
        Ok(kernel.read_virt(memory, VirtAddr(addr), ptr::slice_mut(buf, len)?)?)
    })
}

/// Writes the crashed kernel's names, from `init_uts_ns`, to `name`. `error` may be NULL.
///
/// Errors: `KCAP_ERR_NOT_FOUND` (VMCOREINFO does not say where they stand, or they cannot be read), `KCAP_ERR_NULL`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kcap_kernel_get_utsname(
    kernel: *mut kcap_kernel,
    memory: *mut kcap_memory,
    name: *mut kcap_utsname,
    error: *mut kcap_error,
) -> kcap_status {
    answer(error, || {
        let (kernel, memory) = (&mut ptr::get_mut(kernel)?.kernel, ptr::get_mut(memory)?);
        let place = ptr::out(name)?;
        let found = kernel.utsname(memory).ok_or(KCAP_ERR_NOT_FOUND)?;
        place.put((&found).into());
        Ok(())
    })
}

#[cfg(test)]
mod tests;
