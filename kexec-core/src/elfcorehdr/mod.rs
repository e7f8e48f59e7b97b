//! The ELF header of the dump to come (`elfcorehdr=`): the first kernel writes it, the capture kernel makes
//! `/proc/vmcore` of it.
//!
//! It lists the notes that the crashing CPUs will write and the RAM there is; every `p_offset` is a physical address.
//! Source: `fs/proc/vmcore.c`, `crash_prepare_elf64_headers` in `kernel/crash_core.c` (Linux 6.12).

mod builder;
mod direct_map;
mod words;

mod patch;
#[cfg(test)]
mod tests;

pub use builder::{Backup, Builder, KernelText, NoteBuffer, Omitted};
pub use direct_map::DirectMap;
pub use words::Words;
