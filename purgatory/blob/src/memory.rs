//! Physical memory as bytes.

use core::ptr::with_exposed_provenance;

/// The `len` bytes at physical address `start`, which is mapped at the same virtual address.
pub(crate) fn physical(start: u64, len: u64) -> Option<&'static [u8]> {
    let (start, len) = (usize::try_from(start).ok()?, usize::try_from(len).ok()?);
    if start == 0 || isize::try_from(len).is_err() || start.checked_add(len).is_none() {
        return None;
    }
    // SAFETY: not null, not longer than isize::MAX, does not wrap. The kernel maps every segment of the image one to
    // one before it enters this object, and the loader lists only segments, never the one of this object: no other
    // CPU and nothing here writes to them. A list that lies costs a page fault, which resets the machine.
    Some(unsafe { core::slice::from_raw_parts(with_exposed_provenance(start), len) })
}
