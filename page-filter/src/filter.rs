//! Goes through the mem_map and takes out of the dump's bitmap what the level leaves out.
//!
//! Differences from makedumpfile 1.7, on purpose:
//! - Broken memory (`PG_hwpoison`) is left out at every level, also where it is a tail of a compound page, and all of a
//!   hugetlb page whose head is marked: the mark does not say which of its frames is broken, and reading it stops the machine.
//! - Offline pages hold no data and are left out whenever any kind but zero pages is, or where the kernel has the key
//!   `PG_hwpoison`: at levels 0 and 1 makedumpfile looks at pages only then.
//! - Compound pages of every era are left out with their tails, and a page whose type no rule knows is kept.
//! - Memory whose section the kernel has removed is never read and left out at every level ([`Sections`](crate::Sections)), and
//!   `struct page`s of sections that are offline are not looked at: nobody keeps them up to date.
//! - A block whose first frame is not in the bitmap (left out before, or in no `PT_LOAD`) is still found from its later ones.

use core::ops::Range;

use vmcore_format::{Error, Pfn};

use crate::bits;
use crate::counts::Counts;
use crate::judge::{Carry, Judged};
use crate::kernel::Kernel;
use crate::mem_map::Described;
use crate::pass::{BATCH, Pass};
use crate::sanity::Findings;
use crate::witness::Witness;
use crate::{Level, PageKind, PhysMemory};

/// Passes over the memory, each window by window in ascending order.
///
/// The result does not depend on where the windows end. A window that starts below the end of the one before starts
/// the next pass.
#[derive(Debug)]
pub struct Filter<'k> {
    kernel: &'k mut Kernel,
    level: Level,
    /// Where the last window ended.
    scanned: u64,
    carry: Carry,
    witness: Option<(Pfn, Witness, PageKind)>,
}

/// Page frames to be judged, and what those before leave to them.
#[derive(Debug)]
pub(crate) struct Window<'b> {
    pub(crate) frames: Range<u64>,
    /// `None` where those before are not judged yet.
    pub(crate) carry: Option<Carry>,
    /// Bit 0 of word 0 is the first frame; there is a bit for each.
    pub(crate) dumpable: &'b mut [u64],
}

impl<'k> Filter<'k> {
    /// The size of a scratch buffer that makes scans as fast as they get, in bytes: 512 `struct page`s of 64 bytes.
    pub const SCRATCH_LEN: usize = BATCH * 64;

    /// Leaves out what `level` says of the machine that `kernel` ran on.
    #[must_use]
    pub fn new(kernel: &'k mut Kernel, level: Level) -> Self {
        Self { kernel, level, scanned: 0, carry: Carry::NONE, witness: None }
    }

    /// The kernel whose pages are told apart.
    #[must_use]
    pub fn kernel(&mut self) -> &mut Kernel {
        self.kernel
    }

    /// Judges the page frames of `window` that are set in `dumpable` (bit 0 of word 0 is `window.start`), counts them by
    /// kind, and clears those that the level leaves out.
    ///
    /// `scratch` is for `struct page`s: [`Kernel::struct_page_size`] bytes at least, [`SCRATCH_LEN`](Self::SCRATCH_LEN)
    /// for speed. Pages whose `struct page` cannot be read are kept.
    ///
    /// # Errors
    /// [`Error::BufferTooSmall`] with the bytes needed when `scratch` does not hold one `struct page`, or with the words
    /// needed when `dumpable` is shorter than the window.
    pub fn scan(
        &mut self,
        memory: &mut dyn PhysMemory,
        window: Range<Pfn>,
        dumpable: &mut [u64],
        counts: &mut Counts,
        scratch: &mut [u8],
    ) -> Result<(), Error> {
        let frames = window.end.0.saturating_sub(window.start.0);
        let needed = frames.div_ceil(64);
        if u64::try_from(dumpable.len()).is_ok_and(|words| words < needed) {
            return Err(Error::BufferTooSmall { needed });
        }
        if window.start.0 < self.scanned {
            (self.carry, self.witness) = (Carry::NONE, None);
        }
        let (start, end) = (window.start.0, window.end.0);
        let window = Window { frames: start..end, carry: Some(self.carry), dumpable };
        let (_, judged) = judge(self.kernel, self.level, memory, window, scratch)?;
        self.scanned = end;
        counts.add_all(&judged.counts);
        self.witness = self.witness.or(judged.witness);
        self.carry = judged.carry;
        Ok(())
    }

    /// What to make of a complete pass. `whole` says that the input holds every page frame the machine had.
    #[must_use]
    pub fn findings(&self, counts: &Counts, whole: bool) -> Findings {
        Findings::new(self.kernel, self.level, counts, whole, self.witness)
    }
}

/// Judges the frames of a window that are set in its bitmap, and clears those that `level` leaves out. Answers what was
/// taken for the state that the frames before leave, too.
///
/// # Errors
/// [`Error::BufferTooSmall`] with the bytes needed when `scratch` does not hold one `struct page`.
pub(crate) fn judge(
    kernel: &mut Kernel,
    level: Level,
    memory: &mut dyn PhysMemory,
    window: Window<'_>,
    scratch: &mut [u8],
) -> Result<(Carry, Judged), Error> {
    let Window { frames, carry, dumpable } = window;
    let Some(rules) = kernel.rules().cloned() else {
        let carry = carry.unwrap_or(Carry::NONE);
        let mut judged = Judged { counts: Counts::default(), witness: None, carry };
        let held = bits::count(dumpable, 0..frames.end.saturating_sub(frames.start));
        judged.counts.add(PageKind::Unknown, held, false);
        return Ok((carry, judged));
    };
    if scratch.len() < rules.size {
        return Err(Error::BufferTooSmall { needed: u64::try_from(rules.size).unwrap_or(u64::MAX) });
    }
    let mut pass = Pass { kernel, memory, rules: &rules, window: frames, scratch };
    let carry = match carry {
        Some(carry) => carry,
        None => pass.guess(),
    };
    Ok((carry, pass.run(level, carry, dumpable)))
}

/// Clears the frames of `dumpable` whose memory was removed, whatever else the kernel says: the first bit is `frames.start`.
pub(crate) fn leave_out_removed(
    kernel: &mut Kernel,
    memory: &mut dyn PhysMemory,
    frames: &Range<u64>,
    dumpable: &mut [u64],
) {
    let bit = |pfn: u64| pfn.min(frames.end).saturating_sub(frames.start);
    let mut at = frames.start;
    while let Some(held) = bits::next_set(dumpable, bit(at)..bit(frames.end)) {
        let pfn = held.saturating_add(frames.start);
        at = match kernel.describe(memory, pfn) {
            Described::Removed { until } => {
                bits::clear(dumpable, bit(pfn)..bit(until));
                until
            }
            Described::At { until, .. } | Described::Absent { until } => until,
        };
    }
}

#[cfg(test)]
mod tests;
