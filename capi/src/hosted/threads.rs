//! A dump on threads of the library's own.

use std::collections::BTreeSet;
use std::sync::{Mutex, PoisonError};

use host::finish_on_threads;

use crate::callback::{kcap_write_at, writer};
use crate::dump::kcap_dumper;
use crate::error::{answer, kcap_error};
use crate::memory::kcap_memory;
use crate::ptr::{self, Lent};
use crate::status::{Failure, kcap_status};

/// Brings `dumper` to its end on `1 + reader_count` threads, the caller's among them; the output is the same on any number.
///
/// `memory` is for the caller's thread; each other thread takes one of the `reader_count` objects at `readers`, other
/// readers of the same memory (`kcap_memory_init_again`), whose callbacks must stand being called at once. `output` is written by the
/// caller's thread alone, in order. All other threads have ended when this returns. `error` may be NULL.
///
/// Errors: as those of `kcap_dumper_step`; `KCAP_ERR_INVALID` (`readers`: one stands twice, or is `memory`); `KCAP_ERR_IO` with
/// `ENOMEM`. `kcap_dumper_abandon` is the next step then.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kcap_dumper_finish_on_threads(
    dumper: *mut kcap_dumper,
    memory: *mut kcap_memory,
    readers: *const *mut kcap_memory,
    reader_count: usize,
    output: *const kcap_write_at,
    error: *mut kcap_error,
) -> kcap_status {
    answer(error, || {
        let (dumper, memory) = (&mut ptr::get_mut(dumper)?.dumper, ptr::get_mut(memory)?);
        let mut output = writer(output)?;
        let readers = ptr::slice(readers, reader_count)?;
        let distinct: BTreeSet<_> = readers.iter().copied().chain([core::ptr::from_mut(memory)]).collect();
        if distinct.len() <= readers.len() {
            return Err(Failure::invalid("readers", u64::try_from(reader_count).unwrap_or(u64::MAX)));
        }
        let mut lent = Vec::new();
        for &reader in readers {
            lent.push(Lent(ptr::get_mut(reader)?));
        }
        let threads = lent.len().saturating_add(1);
        let lent = Mutex::new(lent);
        let lend = |take: &mut dyn FnMut(&mut dyn page_filter::PhysMemory)| {
            let reader = lent.lock().unwrap_or_else(PoisonError::into_inner).pop();
            if let Some(Lent(reader)) = reader {
                take(reader);
            }
        };
        Ok(finish_on_threads(dumper, memory, &lend, threads, &mut output, &mut |_| Ok(()))?)
    })
}

#[cfg(test)]
mod tests;
