//! Which format a file has, by its first bytes.

use vmcore_format::ReadAt;
use vmcore_format::flattened::is_flattened;
use vmcore_format::kdump::is_kdump;

use crate::callback::{kcap_read_at, reader};

/// Another file, or one that cannot be read.
pub const KCAP_INPUT_UNKNOWN: u32 = 0;
/// An ELF file: see `kcap_elf_core_init`.
pub const KCAP_INPUT_ELF: u32 = 1;
/// A kdump-compressed file: see `kcap_kdump_init`.
pub const KCAP_INPUT_KDUMP: u32 = 2;
/// A flattened stream of either: see `kcap_flattened_init`.
pub const KCAP_INPUT_FLATTENED: u32 = 3;

/// Which format `input` has: one of the `KCAP_INPUT_` numbers, `KCAP_INPUT_UNKNOWN` for NULL too.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kcap_input_kind(input: *const kcap_read_at) -> u32 {
    let Ok(input) = reader(input) else { return KCAP_INPUT_UNKNOWN };
    let mut magic = [0; 4];
    if is_kdump(input) {
        KCAP_INPUT_KDUMP
    } else if is_flattened(input) {
        KCAP_INPUT_FLATTENED
    } else if input.read_at(0, &mut magic).is_ok() && magic == *b"\x7fELF" {
        KCAP_INPUT_ELF
    } else {
        KCAP_INPUT_UNKNOWN
    }
}
