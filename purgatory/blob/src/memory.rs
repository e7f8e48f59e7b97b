//! Physical memory as bytes.

use core::arch::asm;
use core::ptr::with_exposed_provenance;

/// The `len` bytes at physical address `start`, which is mapped at the same virtual address.
pub(crate) fn physical(start: u64, len: u64) -> Option<&'static [u8]> {
    let (start, len) = (usize::try_from(start).ok()?, usize::try_from(len).ok()?);
    if start == 0 || isize::try_from(len).is_err() || start.checked_add(len).is_none() {
        return None;
    }
    // SAFETY: not null, not longer than isize::MAX, does not wrap. The kernel maps every segment of the image one to
    // one before it enters this object, and the loader lists only segments, never the one of this object: nothing here
    // writes to them while the slice lives, for the backup is copied after the check, to memory that is no region. No
    // other CPU runs: the kernel has stopped them all. A device whose DMA the dead kernel began may still write, and a
    // byte that changes under a shared slice is a data race. The memory is the crash region, or was allocated for the
    // image, so that no driver gave it to a device; one that writes there all the same is what the check is for. Every
    // byte is read once, into the hash, and neither a bound nor an address comes of it: such a write can change the
    // digest and nothing else. A list that lies costs a page fault, which resets the machine.
    Some(unsafe { core::slice::from_raw_parts(with_exposed_provenance(start), len) })
}

/// Copies `len` bytes of physical memory; the two places do not overlap.
pub(crate) fn copy(from: u64, to: u64, len: u64) {
    // SAFETY: both are mapped one to one: the source is RAM of the dead kernel, the copy a segment of the image. No Rust
    // object lies in either: the loader gives the copy a segment of its own, and the source is memory below 1 MiB, where
    // it places none. Devices may still write to the source, which the instruction, unlike a slice, may read. The
    // direction flag is clear, since the entry.
    unsafe {
        asm!(
            "rep movsb",
            inout("rsi") from => _,
            inout("rdi") to => _,
            inout("rcx") len => _,
            options(nostack, preserves_flags)
        );
    }
}
