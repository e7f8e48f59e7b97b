//! What an x86 kernel is told: `boot_params`, the command line and the `setup_data` chain, in one segment.
//!
//! [`BootParams`] is the structure, [`BootParamsSegment`] the segment: kexec has 16 segments, each of whole pages, so
//! everything goes in one. Source: `Documentation/arch/x86/boot.rst`, `arch/x86/include/uapi/asm/bootparam.h` and
//! `setup_data.h` (Linux 6.12).

mod layout;
mod segment;
mod setup_data;
#[cfg(test)]
mod tests;

pub use layout::{BootE820Entry, BootParams, EfiInfo, ScreenInfo};
pub use segment::{BootParamsSegment, E820Entry};
pub use setup_data::{
    EfiMemoryDescriptor, EfiRuntime, SETUP_DTB, SETUP_E820_EXT, SETUP_EFI, SETUP_RNG_SEED, SetupData,
    SetupDataHeader,
};
