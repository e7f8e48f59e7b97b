//! ELF notes of a dump: registers of each CPU, VMCOREINFO, device dumps.
//!
//! [`Notes`] walks a region of a file without holding it in memory; each [`Note`] says what it is
//! ([`Note::kind`]) and where its descriptor stands. The typed views read the descriptors.
//! Source: System V gABI chapter 5, `include/uapi/linux/elf.h` (Linux 6.12).

mod device_dump;
mod map_version;
mod prstatus;
mod qemu;
mod region;
#[cfg(test)]
mod tests;
mod write;
mod x86_64;
mod xen;

pub use device_dump::{DeviceDump, encode_dump_name};
pub use map_version::{MapVersion, NT_KCAPTURE_MAP_VERSION};
pub use prstatus::{Prstatus, PrstatusLayout};
pub use qemu::{QemuCpuState, QemuSegment};
pub use region::{Note, NoteKind, NoteRegion, Notes};
pub use write::{descriptor_padding, encode, encode_head, encoded_len, head_len};
pub use x86_64::X86_64Registers;
pub use xen::{XenCrashInfo, XenCrashRegs};

/// `n_type` of a CPU's registers (name "CORE").
pub const NT_PRSTATUS: u32 = 1;
/// `n_type` of a device driver's dump (name "LINUX", Linux 4.18).
pub const NT_VMCOREDD: u32 = 0x700;
/// `n_type` of the hypervisor's facts (name "Xen").
pub const XEN_ELFNOTE_CRASH_INFO: u32 = 0x100_0001;
/// `n_type` of a CPU's control registers (name "Xen").
pub const XEN_ELFNOTE_CRASH_REGS: u32 = 0x100_0002;
