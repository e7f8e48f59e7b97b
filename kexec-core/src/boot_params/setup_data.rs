//! Items of the `setup_data` chain: facts for which `boot_params` has no room.

use vmcore_format::PhysAddr;
use zerocopy::little_endian::{U32, U64};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

/// `type` of an item with more entries of the memory map.
pub const SETUP_E820_EXT: u32 = 1;
/// `type` of an item with a flattened device tree.
pub const SETUP_DTB: u32 = 2;
/// `type` of an item with EFI tables' addresses.
pub const SETUP_EFI: u32 = 4;
/// `type` of an item with random bytes.
pub const SETUP_RNG_SEED: u32 = 9;

/// `struct setup_data`, 16 bytes before an item's data.
///
/// Source: `arch/x86/include/uapi/asm/setup_data.h` (Linux 6.12).
#[derive(Debug, Clone, Copy, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
pub struct SetupDataHeader {
    /// The physical address of the next item, 0 at the end.
    pub next: U64,
    /// One of the `SETUP_` numbers.
    pub kind: U32,
    /// The length of the data that follows, in bytes.
    pub len: U32,
}

/// An item of the chain as the loader gives it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SetupData<'a> {
    /// One of the `SETUP_` numbers.
    pub kind: u32,
    /// The data, at most 4 GiB.
    pub data: &'a [u8],
}

impl<'a> SetupData<'a> {
    /// Random bytes for the kernel's generator. The kernel erases them once it has read them. Linux 6.0.
    #[must_use]
    pub fn rng_seed(seed: &'a [u8; 32]) -> Self {
        Self { kind: SETUP_RNG_SEED, data: seed }
    }

    /// A flattened device tree.
    #[must_use]
    pub fn dtb(fdt: &'a [u8]) -> Self {
        Self { kind: SETUP_DTB, data: fdt }
    }
}

/// `efi_memory_desc_t`, 40 bytes: a range of the runtime map, as in `/sys/firmware/efi/runtime-map`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
pub struct EfiMemoryDescriptor {
    /// The `EFI_MEMORY_TYPE`.
    pub kind: U32,
    /// Unused.
    pub pad: U32,
    /// The first byte's physical address.
    pub phys_addr: U64,
    /// The virtual address at which the firmware was told that its range is.
    pub virt_addr: U64,
    /// The length in pages of 4 KiB.
    pub num_pages: U64,
    /// `EFI_MEMORY_` bits.
    pub attribute: U64,
}

impl EfiMemoryDescriptor {
    /// The descriptor of these values.
    #[must_use]
    pub fn new(kind: u32, phys_addr: PhysAddr, virt_addr: u64, num_pages: u64, attribute: u64) -> Self {
        Self {
            kind: U32::new(kind),
            pad: U32::new(0),
            phys_addr: U64::new(phys_addr.0),
            virt_addr: U64::new(virt_addr),
            num_pages: U64::new(num_pages),
            attribute: U64::new(attribute),
        }
    }
}

/// EFI's runtime services as the next kernel takes them over: firmware may be moved to virtual addresses once only, so
/// the next kernel must use the same ones.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EfiRuntime<'a> {
    /// `EL64` or `EL32`: the running kernel's `efi_info.loader_signature`.
    pub loader_signature: [u8; 4],
    /// The system table: the running kernel's `efi_info.systab`.
    pub systab: PhysAddr,
    /// `/sys/firmware/efi/fw_vendor`.
    pub fw_vendor: PhysAddr,
    /// `/sys/firmware/efi/runtime`; newer kernels do not read it.
    pub runtime: PhysAddr,
    /// `/sys/firmware/efi/config_table`.
    pub config_table: PhysAddr,
    /// `SMBIOS=` in `/sys/firmware/efi/systab`, 0 where it is not there.
    pub smbios: PhysAddr,
    /// `/sys/firmware/efi/runtime-map`, not empty.
    pub runtime_map: &'a [EfiMemoryDescriptor],
}

/// The data of [`SETUP_EFI`]: `struct efi_setup_data`.
#[derive(FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
pub(super) struct EfiSetupData {
    fw_vendor: U64,
    runtime: U64,
    tables: U64,
    smbios: U64,
    reserved: [U64; 8],
}

impl EfiSetupData {
    pub(super) fn new(efi: &EfiRuntime<'_>) -> Self {
        Self {
            fw_vendor: U64::new(efi.fw_vendor.0),
            runtime: U64::new(efi.runtime.0),
            tables: U64::new(efi.config_table.0),
            smbios: U64::new(efi.smbios.0),
            reserved: [U64::new(0); 8],
        }
    }
}
