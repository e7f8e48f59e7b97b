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
    /// The command line, with everything that was appended, is longer than the kernel takes (`cmdline_size`).
    CommandLineTooLong {
        /// Its length in bytes, without the terminating NUL.
        len: u64,
        /// The longest that the kernel takes, in bytes without the terminating NUL.
        limit: u64,
    },
    /// Every address of `/proc/iomem` reads 0: the kernel shows them to a reader with `CAP_SYS_ADMIN` only.
    AddressesHidden,
    /// An object uses a symbol that nothing defines.
    UndefinedSymbol {
        /// The symbol's index in the symbol table.
        index: u32,
        /// Where its entry stands, in bytes from the start of the object.
        offset: u64,
    },
    /// A value does not fit in the field that a relocation fills, or has bits that the field drops.
    RelocationOverflow {
        /// The relocation type, a number of the object's machine.
        kind: u32,
        /// Where the relocation's entry stands, in bytes from the start of the object.
        offset: u64,
    },
    /// An object defines no symbol of the name.
    NoSuchSymbol,
    /// The bytes for a symbol are not as many as the symbol has.
    SymbolSize {
        /// `st_size`, in bytes.
        size: u64,
        /// The bytes given.
        given: u64,
    },
    /// A symbol has no bytes in the file part of an image: it is absolute or in a section without bytes (`.bss`).
    SymbolWithoutBytes,
    /// A change is being made already, or readers hold every version there is room for. Try again.
    Busy,
    /// No version is in the making: `begin` comes first.
    NotBegun,
    /// What was asked for is not there.
    NotFound {
        /// What it was to be found by.
        field: Field,
        /// The value that was asked for; 0 where a name was.
        value: u64,
    },
    /// An ELF structure could not be read or written.
    Format(vmcore_format::Error),
}

impl Error {
    /// The stable number of the error's kind, as the C ABI reports it.
    #[must_use]
    pub const fn code(self) -> i32 {
        match self {
            Self::BufferTooSmall { .. } => 1,
            Self::Corrupt { .. } => 2,
            Self::Unsupported { .. } => 3,
            Self::CommandLineTooLong { .. } => 20,
            Self::AddressesHidden => 21,
            Self::UndefinedSymbol { .. } => 30,
            Self::RelocationOverflow { .. } => 31,
            Self::NoSuchSymbol => 32,
            Self::SymbolSize { .. } => 33,
            Self::SymbolWithoutBytes => 34,
            Self::Busy => 35,
            Self::NotBegun => 36,
            Self::NotFound { .. } => 64,
            // The kinds have the same numbers there as here; `Io` does not come from bytes in memory.
            Self::Format(error) => error.code(),
        }
    }

    /// The error of a part of an input, as an error of the input: `base` is where the part starts, in bytes.
    pub(crate) fn at(self, base: u64) -> Self {
        match self {
            Self::Corrupt { field, offset } => Self::Corrupt { field, offset: offset.saturating_add(base) },
            Self::Format(vmcore_format::Error::Corrupt { field, offset }) => {
                let offset = offset.saturating_add(base);
                Self::Format(vmcore_format::Error::Corrupt { field, offset })
            }
            other => other,
        }
    }
}

impl From<vmcore_format::Error> for Error {
    fn from(error: vmcore_format::Error) -> Self {
        Self::Format(error)
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::BufferTooSmall { needed } => write!(f, "the buffer is too small: {needed} needed"),
            Self::Corrupt { field, offset } => write!(f, "{field} at offset {offset:#x} is corrupt"),
            Self::Unsupported { field, value } => write!(f, "{field} {value:#x} is not supported"),
            Self::CommandLineTooLong { len, limit } => {
                write!(f, "the command line has {len} bytes and the kernel takes {limit}")
            }
            Self::AddressesHidden => f.write_str("/proc/iomem shows no addresses without CAP_SYS_ADMIN"),
            Self::UndefinedSymbol { index, offset } => {
                write!(f, "symbol {index} (at offset {offset:#x}) is not defined")
            }
            Self::RelocationOverflow { kind, offset } => {
                write!(f, "the relocation of type {kind} at offset {offset:#x} is out of range")
            }
            Self::NoSuchSymbol => f.write_str("the object does not define the symbol"),
            Self::SymbolSize { size, given } => write!(f, "the symbol has {size} bytes, not {given}"),
            Self::SymbolWithoutBytes => f.write_str("the symbol has no bytes in the file"),
            Self::Busy => {
                f.write_str("the map is being changed, or readers hold every version there is room for")
            }
            Self::NotBegun => f.write_str("no version of the map is in the making"),
            Self::NotFound { field, value } => write!(f, "{field} {value:#x} is not there"),
            Self::Format(error) => error.fmt(f),
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
    /// The first bytes of a file that is no kernel image of a known kind.
    ImageMagic => "magic of a kernel image",
    SetupHeader => "setup_header",
    SetupSects => "setup_sects",
    /// The displacement of the jump over the setup header: it says where the header ends.
    SetupJump => "jump",
    SetupVersion => "setup_header.version",
    Syssize => "syssize",
    Loadflags => "loadflags",
    KernelAlignment => "kernel_alignment",
    MinAlignment => "min_alignment",
    Xloadflags => "xloadflags",
    PayloadOffset => "payload_offset",
    PayloadLength => "payload_length",
    InitSize => "init_size",
    KernelInfo => "kernel_info",
    EType => "e_type",
    EEntry => "e_entry",
    EPhnum => "e_phnum",
    PType => "p_type",
    POffset => "p_offset",
    PFilesz => "p_filesz",
    PMemsz => "p_memsz",
    PPaddr => "p_paddr",
    /// The PVH entry of an ELF kernel.
    XenPhys32Entry => "XEN_ELFNOTE_PHYS32_ENTRY",
    /// Where a PVH kernel may be moved to.
    XenPhys32Reloc => "XEN_ELFNOTE_PHYS32_RELOC",
    Arm64Header => "arm64 image header",
    RiscvHeader => "riscv image header",
    TextOffset => "text_offset",
    ImageSize => "image_size",
    ImageFlags => "image flags",
    ZbootHeader => "zboot header",
    ZbootPayloadOffset => "zboot payload_offset",
    ZbootPayloadSize => "zboot payload_size",
    ZbootCompression => "zboot compression type",
    DosHeader => "MS-DOS header",
    PeOffset => "e_lfanew",
    PeSignature => "PE signature",
    CoffHeader => "COFF header",
    PeOptionalHeader => "PE optional header",
    PeMagic => "PE optional header magic",
    PeSectionHeader => "PE section header",
    PeSizeOfRawData => "SizeOfRawData",
    PePointerToRawData => "PointerToRawData",
    /// The section of a unified kernel image that holds the kernel.
    UkiLinux => ".linux",
    CommandLine => "command line",
    BootParams => "boot_params",
    E820Entries => "e820_entries",
    E820Entry => "boot_e820_entry",
    SetupDataLen => "setup_data.len",
    EfiMemmapSize => "efi_memmap_size",
    RamdiskSize => "ramdisk_size",
    /// The physical address at which a segment is to be loaded.
    LoadAddress => "load address",
    IomemLine => "/proc/iomem line",
    MemmapStart => "/sys/firmware/memmap start",
    MemmapEnd => "/sys/firmware/memmap end",
    MemmapType => "/sys/firmware/memmap type",
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
    FdtStrings => "dt_strings",
    FdtAddressCells => "#address-cells",
    FdtSizeCells => "#size-cells",
    FdtReg => "reg",
    FdtUsableMemory => "linux,usable-memory",
    FdtUsableMemoryRange => "linux,usable-memory-range",
    /// The layout of a device tree in which the reservations do not come first, or blocks overlap.
    FdtBlocks => "blocks of the device tree",
    /// The node of memory that can come and go.
    DrmemNode => "ibm,dynamic-reconfiguration-memory",
    LmbSize => "ibm,lmb-size",
    DynamicMemory => "ibm,dynamic-memory",
    DynamicMemoryV2 => "ibm,dynamic-memory-v2",
    SeqLmbs => "seq_lmbs",
    LmbBaseAddr => "base_addr",
    LmbDrcIndex => "drc_index",
    DrconfUsableMemory => "linux,drconf-usable-memory",
    /// The buffer that a CPU's notes are written to when the machine crashes.
    CrashNotes => "crash_notes",
    Vmcoreinfo => "vmcoreinfo",
    /// The `PT_LOAD` of the kernel's own image.
    KernelText => "kernel text",
    /// The copy of low memory that a purgatory makes.
    BackupRegion => "backup region",
    PVaddr => "p_vaddr",
    EIdent => "e_ident",
    EShoff => "e_shoff",
    EShentsize => "e_shentsize",
    EShnum => "e_shnum",
    ShType => "sh_type",
    ShFlags => "sh_flags",
    ShOffset => "sh_offset",
    ShSize => "sh_size",
    ShLink => "sh_link",
    ShInfo => "sh_info",
    ShAddralign => "sh_addralign",
    ShEntsize => "sh_entsize",
    StName => "st_name",
    StValue => "st_value",
    StShndx => "st_shndx",
    ROffset => "r_offset",
    RInfo => "r_info",
    RAddend => "r_addend",
    /// Where an object is linked to.
    LinkAddress => "link address",
}

impl fmt::Display for Field {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
