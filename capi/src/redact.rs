//! Memory that a dump is not to show.

use core::ffi::{c_char, c_void};

use page_filter::redact::{Redaction, Secret, SecretPages, Secrets};
use vmcore_format::{Pfn, PhysAddr, VirtAddr};

use crate::error::{answer, kcap_error};
use crate::kernel::kcap_kernel;
use crate::memory::kcap_memory;
use crate::ptr::{self, room};
use crate::status::{Failure, kcap_status};

/// What hidden bytes become: `X`.
pub const KCAP_REDACTION_FILL: u8 = 0x58;
const _: () = assert!(KCAP_REDACTION_FILL == page_filter::redact::FILL);

/// Memory to be hidden.
#[derive(Debug, Clone, Copy)]
#[repr(C)]
pub struct kcap_secret {
    /// The address of the first byte.
    pub start: u64,
    /// The number of bytes, not 0.
    pub len: u64,
    /// Its name in the log of erased data, such as a symbol's: at most 512 visible characters of ASCII, no `@`. NULL for none.
    pub name: *const c_char,
    /// Not 0: `start` is a virtual address of the crashed kernel, and `len` at most 4 GiB.
    pub is_virtual: u32,
    /// 0.
    pub reserved: u32,
}

/// Pages to be hidden: bit `i % 8` of byte `i / 8`, counted from the least significant one, is page frame `first + i`.
#[derive(Debug, Clone, Copy)]
#[repr(C)]
pub struct kcap_secret_pages {
    /// The bitmap.
    pub bits: *const u8,
    /// Its length in bytes.
    pub len: usize,
    /// The page frame of the first bit.
    pub first: u64,
    /// Their name in the log of erased data, or NULL: see `kcap_secret`.
    pub name: *const c_char,
}

/// What a dump is to hide.
///
/// Threads may use one object at once: nothing of it changes after its init.
#[derive(Debug)]
pub struct kcap_redaction {
    pub(crate) redaction: Redaction<'static>,
}

impl kcap_redaction {
    /// What the object says; NULL says nothing.
    pub(crate) fn read(pointer: *const Self) -> Result<Redaction<'static>, Failure> {
        if pointer.is_null() { Ok(Redaction::NONE) } else { Ok(ptr::get(pointer)?.redaction) }
    }
}

/// The size of a `kcap_redaction`, in bytes.
#[unsafe(no_mangle)]
pub extern "C" fn kcap_redaction_size() -> usize {
    size_of::<kcap_redaction>()
}

/// What the address of a `kcap_redaction` must be a multiple of.
#[unsafe(no_mangle)]
pub extern "C" fn kcap_redaction_align() -> usize {
    align_of::<kcap_redaction>()
}

/// The memory that `kcap_redaction_init` needs for `count` ranges of physical memory, in bytes. A range of virtual memory needs as
/// much for each of the pieces of physical memory that it is made of: 1 for most symbols.
#[unsafe(no_mangle)]
pub extern "C" fn kcap_redaction_work(count: usize) -> usize {
    room::<Secret<'static>>(count)
}

fn name(pointer: *const c_char) -> Result<&'static str, Failure> {
    let bytes = if pointer.is_null() { &[] } else { ptr::text(pointer)? };
    core::str::from_utf8(bytes).map_err(|_| Failure::invalid("name", 0))
}

/// What a dump is to hide, in the `redaction_len` bytes at `redaction`: the `count` ranges at `secrets`, in any order, and the pages of
/// `pages`, which may be NULL.
///
/// The bytes become `KCAP_REDACTION_FILL` before anything else is done with them, so that no form of a dump has them; pages stay where they
/// are, and which ones are kept does not change. Notes (registers, VMCOREINFO) are copied as they are, wherever they stand in memory.
///
/// Virtual addresses are looked up by `kernel` in `memory`; without any both may be NULL. `work`, of `work_len` bytes (see
/// `kcap_redaction_work`) and aligned to 8, the names and the bitmap are used for as long as the object is, and the
/// object for as long as a dumper that it was given to. `error` may be NULL.
///
/// Errors, each of which means that something would not be hidden: `KCAP_ERR_BUFFER_TOO_SMALL` (bytes for `redaction`; `work`: what
/// the ranges up to the first without room need), `KCAP_ERR_INVALID` (`field`: "start" of a range of no length, or past the end
/// of the address space; "first" of a bitmap beyond page frame 2^40; "name"), `KCAP_ERR_NOT_MAPPED` and those of `kcap_memory_read` for virtual
/// addresses, `KCAP_ERR_NULL`, `KCAP_ERR_LENGTH`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kcap_redaction_init(
    redaction: *mut kcap_redaction,
    redaction_len: usize,
    secrets: *const kcap_secret,
    count: usize,
    pages: *const kcap_secret_pages,
    kernel: *mut kcap_kernel,
    memory: *mut kcap_memory,
    work: *mut c_void,
    work_len: usize,
    error: *mut kcap_error,
) -> kcap_status {
    answer(error, || {
        let place = ptr::object(redaction, redaction_len)?;
        let secrets = ptr::slice(secrets, count)?;
        let slots = ptr::table(work, work_len, Secret::EMPTY)?;
        let pages = if pages.is_null() { None } else { Some(ptr::get(pages)?) };
        let pages = pages.map(|pages| {
            let bits = ptr::slice(pages.bits, pages.len)?;
            Ok::<_, Failure>(SecretPages::new(Pfn(pages.first), bits, name(pages.name)?)?)
        });
        let pages = pages.transpose()?;
        let mut found = Secrets::new(slots);
        for secret in secrets {
            let name = name(secret.name)?;
            let added = if secret.is_virtual == 0 {
                let end = secret.start.checked_add(secret.len);
                let end = end.ok_or(Failure::invalid("start", secret.start))?;
                found.push(PhysAddr(secret.start)..PhysAddr(end), name)
            } else {
                let (kernel, memory) = (&mut ptr::get_mut(kernel)?.kernel, ptr::get_mut(memory)?);
                found.push_virt(kernel, memory, VirtAddr(secret.start), secret.len, name)
            };
            added.map_err(|error| Failure::from(error).in_entries_of::<Secret<'static>>())?;
        }
        place.put(kcap_redaction { redaction: found.into_redaction(pages) });
        Ok(())
    })
}

#[cfg(test)]
mod tests;
