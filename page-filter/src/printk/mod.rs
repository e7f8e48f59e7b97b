//! The crashed kernel's log, read from its memory: the three generations of `kernel/printk`.
//!
//! | generation | kernels | recognised by | kept as |
//! |---|---|---|---|
//! | [`Generation::Lockless`] | 5.10 and newer | `SYMBOL(prb)` | descriptors, infos and text in three rings |
//! | [`Generation::Structured`] | 3.5 to 5.9 | `SYMBOL(log_first_idx)` | records of variable length in one ring |
//! | [`Generation::Flat`] | older | `SYMBOL(log_end)` | one ring of text |
//!
//! Where a field stands comes from VMCOREINFO, never from a kernel version. Every walk is bounded by the size of the
//! ring it walks, whatever the numbers in the crashed machine's memory say, and nothing is allocated.

mod key;
mod record;
mod words;

mod flat;
mod line;
mod lockless;
mod structured;
#[cfg(test)]
mod testing;

use vmcore_format::Layout;
use vmcore_format::vmcoreinfo::VmcoreInfo;

use key::Key;
use words::Words;

pub use key::Key as LogKey;
pub use line::write_line;
pub use record::{Generation, LogError, ReadVirt, Record, Tally};

/// The size of a text buffer, in bytes, that no record outgrows: the length is a 16-bit number.
pub const LONGEST_TEXT: usize = 0xffff;

/// Hands every record of the crashed kernel's log to `visit`, oldest first.
///
/// `layout` is the crashed machine's; `read` reads its virtual memory; `text` holds one record's text at a time
/// ([`LONGEST_TEXT`] bytes hold any; longer texts are cut to the buffer and say so). A record that cannot be read is
/// counted in [`Tally::lost`] and does not end the walk.
///
/// # Errors
/// [`LogError`] when the log cannot be found at all, or when its ring contradicts itself. Records
/// that were visited before that are good.
pub fn for_each_record(
    info: &VmcoreInfo<'_>,
    layout: Layout,
    read: &mut ReadVirt<'_>,
    text: &mut [u8],
    visit: &mut dyn FnMut(&Record<'_>),
) -> Result<Tally, LogError> {
    let mut words = Words::new(layout, read);
    if Key::Prb.find(info).is_some() {
        lockless::walk(info, &mut words, text, visit)
    } else if Key::LogFirstIdx.find(info).is_some() {
        structured::walk(info, &mut words, text, visit)
    } else {
        flat::walk(info, &mut words, text, visit)
    }
}
