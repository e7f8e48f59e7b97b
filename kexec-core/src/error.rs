//! The one error of this crate, and the fields it names.

use core::fmt;

/// Why an input could not be read, or a plan could not be made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Error {
    /// The caller's buffer or table is too small.
    BufferTooSmall {
        /// The size needed: bytes for a byte buffer, entries for a table.
        needed: u64,
    },
    /// A field contradicts its format or the bytes around it, or the input ends inside it.
    Corrupt {
        /// The field.
        field: Field,
        /// Where the field stands, in bytes from the start of the input.
        offset: u64,
    },
    /// A field has a value that the format allows and this library does not read.
    Unsupported {
        /// The field.
        field: Field,
        /// Its value.
        value: u64,
    },
    /// Every address of `/proc/iomem` reads 0: the kernel shows them to a reader with `CAP_SYS_ADMIN` only.
    AddressesHidden,
}

impl Error {
    /// The stable number of the error's kind, as the C ABI reports it.
    #[must_use]
    pub const fn code(self) -> i32 {
        match self {
            Self::BufferTooSmall { .. } => 1,
            Self::Corrupt { .. } => 2,
            Self::Unsupported { .. } => 3,
            Self::AddressesHidden => 4,
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::BufferTooSmall { needed } => write!(f, "the buffer is too small: {needed} needed"),
            Self::Corrupt { field, offset } => write!(f, "{field} at offset {offset:#x} is corrupt"),
            Self::Unsupported { field, value } => write!(f, "{field} {value:#x} is not supported"),
            Self::AddressesHidden => f.write_str("/proc/iomem shows no addresses without CAP_SYS_ADMIN"),
        }
    }
}

impl core::error::Error for Error {}

macro_rules! fields {
    ($($(#[$doc:meta])* $name:ident => $text:literal,)*) => {
        /// A field of one of the inputs, by the name its own documents use.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        #[non_exhaustive]
        pub enum Field {
            $(#[doc = concat!("`", $text, "`")] $(#[$doc])* $name,)*
        }

        impl Field {
            /// The field's name in its format's own words.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$name => $text,)*
                }
            }
        }
    };
}

fields! {
    Machine => "e_machine",
    IomemLine => "/proc/iomem line",
    MemmapStart => "/sys/firmware/memmap start",
    MemmapEnd => "/sys/firmware/memmap end",
    MemmapType => "/sys/firmware/memmap type",
    E820Entry => "boot_e820_entry",
    EfiDescriptor => "efi_memory_desc_t",
    /// Bytes from one EFI memory descriptor to the next.
    EfiDescriptorSize => "memdesc_size",
    EfiDescriptorVersion => "memdesc_version",
    FdtHeader => "fdt_header",
    FdtVersion => "fdt_header.last_comp_version",
    /// The memory reservation block of a device tree.
    FdtReserve => "fdt_reserve_entry",
    /// A token, or what follows it, of a device tree's structure block.
    FdtStruct => "dt_struct",
    FdtAddressCells => "#address-cells",
    FdtSizeCells => "#size-cells",
    FdtReg => "reg",
    FdtUsableMemory => "linux,usable-memory",
    FdtUsableMemoryRange => "linux,usable-memory-range",
    /// The buffer that a CPU's notes are written to when the machine crashes.
    CrashNotes => "crash_notes",
    Vmcoreinfo => "vmcoreinfo",
    /// The `PT_LOAD` of the kernel's own image.
    KernelText => "kernel text",
    /// The copy of low memory that a purgatory makes.
    BackupRegion => "backup region",
    EPhnum => "e_phnum",
    PPaddr => "p_paddr",
    PVaddr => "p_vaddr",
}

impl fmt::Display for Field {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
