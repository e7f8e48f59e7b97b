//! Memory that comes and goes, in an elfcorehdr that stays in its place.

use core::ffi::c_void;
use core::sync::atomic::AtomicU64;

use kexec_core::versioned::Change;
use vmcore_format::PhysAddr;

use crate::callback::kcap_map_version;
use crate::elfcorehdr::{builder, kcap_elfcorehdr};
use crate::error::{answer, kcap_error};
use crate::ptr;
use crate::status::{Failure, kcap_status};
use crate::versioned_map::{held, kcap_versioned_map};

const _: () = assert!(size_of::<Change>() <= 24);

/// Makes the changes from one version of `map` to another in a header that lies where the capture kernel will read it, safe against a
/// crash between any two stores: what stands there is a whole header at every moment, no memory is in it twice, and none
/// that is in neither version. Linux keeps user space from a loaded crash segment: this is for who owns the memory, such as a
/// hypervisor, a firmware, a kernel.
///
/// `words`: the `words_count` words of 64 bits of the header, aligned to 8. Each store is of one whole word: the
/// function is there on machines that have atomic stores of 64 bits.
/// `header`: what `kcap_elfcorehdr_encode_with_spare` made it of; its `memory` may not be NULL and is not read.
/// `before`: the version that the header shows. `after`: the one that it is to show. Both must be held.
/// `work`: `work_len` bytes, aligned to 8, for this call; 24 for each change do. `error` may be NULL.
///
/// Memory that comes gets a `PT_LOAD` of its own, even next to another: build the header anew at a convenient time, and the neighbours
/// become one.
///
/// A header with a note of the map's version still has the note of the version that it was built of: take the note away first, by a zero in
/// the first 4 bytes of it.
///
/// Errors, all before the first store:
/// - `KCAP_ERR_BUFFER_TOO_SMALL`: `work` (`kcap_error.field` is empty, `value` bytes for it), or the header has too few spare program headers
///   (`field` is `e_phnum`, `value` their number with those in use): build it anew.
/// - `KCAP_ERR_UNSUPPORTED`: `p_type` where the first `PT_LOAD` would become unused or move: build the header anew. `e_ident` for 32 bits.
/// - `KCAP_ERR_CORRUPT`: the header is not of `header`, or does not show `before`.
/// - `KCAP_ERR_INVALID`: `version` where nobody holds `before` or `after` (`value` is its epoch), else a field of `header`.
/// - `KCAP_ERR_NULL`, `KCAP_ERR_ALIGNMENT`, `KCAP_ERR_LENGTH`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kcap_elfcorehdr_patch(
    header: *const kcap_elfcorehdr,
    words: *mut u64,
    words_count: usize,
    map: *const kcap_versioned_map,
    before: *const kcap_map_version,
    after: *const kcap_map_version,
    work: *mut c_void,
    work_len: usize,
    error: *mut kcap_error,
) -> kcap_status {
    answer(error, || {
        let map = ptr::get(map)?;
        let (before, after) = (held(map, before)?, held(map, after)?);
        let builder = builder(header)?;
        let mut words = ptr::slice(words.cast::<AtomicU64>().cast_const(), words_count)?;
        let changes = ptr::table(work, work_len, Change::EMPTY)?;
        let mut found = map.map.changes(&before, &after, PhysAddr(0), changes);
        let fits = found;
        let mut more = [Change::EMPTY; 16];
        let mut from = changes.last().map_or(PhysAddr(0), |change| change.span.end);
        while fits == changes.len() {
            let count = map.map.changes(&before, &after, from, &mut more);
            let Some(last) = more.get(..count).and_then(<[_]>::last) else { break };
            from = last.span.end;
            found = found.saturating_add(count);
        }
        if found > fits {
            return Err(Failure::too_small(found.saturating_mul(size_of::<Change>())));
        }
        let changes = changes.get(..found).unwrap_or_default();
        builder.patch(&mut words, changes).map_err(|error| match error {
            kexec_core::Error::BufferTooSmall { .. } => Failure { field: "e_phnum", ..error.into() },
            error => error.into(),
        })
    })
}

#[cfg(test)]
mod tests;
