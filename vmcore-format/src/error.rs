//! The one error of this crate, and the fields it names.

use core::fmt;

/// Why bytes could not be read as, or written in, a dump format.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Error {
    /// The caller's buffer or table is too small.
    BufferTooSmall {
        /// The size needed: bytes for a byte buffer, entries for a table.
        needed: u64,
    },
    /// A field contradicts the format or the bytes around it, or the input ends inside it.
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
    /// The caller's [`ReadAt`](crate::ReadAt) or [`WriteAt`](crate::WriteAt) failed.
    Io {
        /// The caller's own code, passed through.
        code: i32,
    },
}

impl Error {
    /// The stable number of the error's kind, as the C ABI reports it.
    #[must_use]
    pub const fn code(self) -> i32 {
        match self {
            Self::BufferTooSmall { .. } => 1,
            Self::Corrupt { .. } => 2,
            Self::Unsupported { .. } => 3,
            Self::Io { .. } => 4,
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::BufferTooSmall { needed } => write!(f, "the buffer is too small: {needed} needed"),
            Self::Corrupt { field, offset } => write!(f, "{field} at offset {offset:#x} is corrupt"),
            Self::Unsupported { field, value } => write!(f, "{field} {value:#x} is not supported"),
            Self::Io { code } => write!(f, "input/output error {code}"),
        }
    }
}

impl core::error::Error for Error {}

macro_rules! fields {
    ($($(#[$doc:meta])* $name:ident => $text:literal,)*) => {
        /// A field of one of the formats, by the name the format's own documents use.
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
    ElfIdent => "e_ident",
    ElfHeader => "Elf_Ehdr",
    ProgramHeader => "Elf_Phdr",
    SectionHeader => "Elf_Shdr",
    EiClass => "EI_CLASS",
    EiData => "EI_DATA",
    EiVersion => "EI_VERSION",
    EType => "e_type",
    EMachine => "e_machine",
    EVersion => "e_version",
    EEntry => "e_entry",
    EPhoff => "e_phoff",
    EShoff => "e_shoff",
    EPhentsize => "e_phentsize",
    EPhnum => "e_phnum",
    ShInfo => "sh_info",
    POffset => "p_offset",
    PVaddr => "p_vaddr",
    PPaddr => "p_paddr",
    PFilesz => "p_filesz",
    PMemsz => "p_memsz",
    PAlign => "p_align",
    NoteHeader => "Elf_Nhdr",
    NNamesz => "n_namesz",
    NDescsz => "n_descsz",
    NoteDesc => "note descriptor",
    Prstatus => "elf_prstatus",
    PrReg => "pr_reg",
    XenCrashInfo => "crash_xen_info_t",
    XenCrashRegs => "crash_xen_core_t",
    QemuCpuState => "QEMUCPUState",
    VmcoreddHeader => "vmcoredd_header",
    Signature => "signature",
    /// The version of a kdump-compressed file's structures, 1 to 6.
    HeaderVersion => "header_version",
    /// The main header as a whole: its fields make sense under none, or several, of the writers' ABIs.
    DiskDumpHeader => "disk_dump_header",
    BlockSize => "block_size",
    BitmapBlocks => "bitmap_blocks",
    MaxMapnr => "max_mapnr",
    Utsname => "utsname",
    Timestamp => "timestamp",
    /// The sub-header as a whole: its fields make sense under none, or several, of the writers' ABIs.
    KdumpSubHeader => "kdump_sub_header",
    PhysBase => "phys_base",
    Split => "split",
    /// The first PFN of a part of a split set; it is below the end of the part before.
    StartPfn => "start_pfn",
    EndPfn => "end_pfn",
    /// The PFN from which no part of a split set was given.
    MissingPart => "missing part of the split set, from PFN",
    OffsetNote => "offset_note",
    OffsetVmcoreinfo => "offset_vmcoreinfo",
    OffsetEraseinfo => "offset_eraseinfo",
    Bitmap => "bitmap",
    PageDesc => "page_desc",
    /// The page was to be dumped and its data were not written: an incomplete dump says so by offset 0 (or size 0).
    PageLost => "page_desc of a lost page",
    PageDescOffset => "page_desc.offset",
    PageDescSize => "page_desc.size",
    PageDescFlags => "page_desc.flags",
    FlattenedHeader => "makedumpfile_header",
    FlattenedType => "makedumpfile_header.type",
    FlattenedVersion => "makedumpfile_header.version",
}

impl fmt::Display for Field {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
