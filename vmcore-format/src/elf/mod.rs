//! ELF core files of whole machines: `/proc/vmcore`, what dump tools make of it, and what hypervisors write.
//!
//! [`ElfCore`] reads one; [`Header`] and [`ProgramHeader`] read and write the structures of both classes and both
//! byte orders. Source: System V gABI chapters 4 and 5; `include/uapi/linux/elf.h` (Linux 6.12) for `PN_XNUM`.

mod core_file;
mod header;
mod program_header;
#[cfg(test)]
mod tests;

pub use core_file::{CoreNotes, ElfCore, NoteRegions};
pub use header::{Header, INCOMPLETE};
pub use program_header::{ProgramHeader, ProgramHeaders};

pub use crate::machine::{
    EM_386, EM_AARCH64, EM_ARM, EM_LOONGARCH, EM_MIPS, EM_PPC, EM_PPC64, EM_RISCV, EM_S390, EM_X86_64,
};

/// `e_type` of a core file.
pub const ET_CORE: u16 = 4;

/// `p_type` of an entry that describes nothing.
pub const PT_NULL: u32 = 0;
/// `p_type` of a range of memory.
pub const PT_LOAD: u32 = 1;
/// `p_type` of a region of notes.
pub const PT_NOTE: u32 = 4;

/// `p_flags`: the memory may be executed.
pub const PF_X: u32 = 1;
/// `p_flags`: the memory may be written.
pub const PF_W: u32 = 2;
/// `p_flags`: the memory may be read.
pub const PF_R: u32 = 4;

/// `e_phnum` of a file whose number of program headers stands in `sh_info` of section header 0.
pub const PN_XNUM: u16 = 0xffff;
