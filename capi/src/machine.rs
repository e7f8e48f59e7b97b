//! How a machine is named: byte order, bits of an address, page size, names of its kernel.

use core::ffi::c_char;

use vmcore_format::kdump::{UtsField, UtsName};
use vmcore_format::{Class, Endian, Layout, PageSize};

use crate::ptr;
use crate::status::Failure;

/// `e_machine`: 32-bit x86.
pub const KCAP_EM_386: u32 = 3;
/// `e_machine`: MIPS, 32- and 64-bit.
pub const KCAP_EM_MIPS: u32 = 8;
/// `e_machine`: 32-bit PowerPC.
pub const KCAP_EM_PPC: u32 = 20;
/// `e_machine`: 64-bit PowerPC, either byte order.
pub const KCAP_EM_PPC64: u32 = 21;
/// `e_machine`: S/390 and z/Architecture.
pub const KCAP_EM_S390: u32 = 22;
/// `e_machine`: 32-bit Arm.
pub const KCAP_EM_ARM: u32 = 40;
/// `e_machine`: 64-bit x86.
pub const KCAP_EM_X86_64: u32 = 62;
/// `e_machine`: 64-bit Arm.
pub const KCAP_EM_AARCH64: u32 = 183;
/// `e_machine`: RISC-V, 32- and 64-bit.
pub const KCAP_EM_RISCV: u32 = 243;
/// `e_machine`: `LoongArch`.
pub const KCAP_EM_LOONGARCH: u32 = 258;

/// Bytes of one string of a `kcap_utsname`, its NUL among them.
pub const KCAP_UTSNAME_LEN: usize = 65;

/// `struct new_utsname` of a kernel: NUL-terminated strings, empty where unknown.
#[derive(Debug, Clone, Copy)]
#[repr(C)]
pub struct kcap_utsname {
    /// "Linux".
    pub sysname: [c_char; KCAP_UTSNAME_LEN],
    /// The host's name.
    pub nodename: [c_char; KCAP_UTSNAME_LEN],
    /// The kernel's release, as in `uname -r`.
    pub release: [c_char; KCAP_UTSNAME_LEN],
    /// The kernel's build, as in `uname -v`.
    pub version: [c_char; KCAP_UTSNAME_LEN],
    /// The machine, as in `uname -m`.
    pub machine: [c_char; KCAP_UTSNAME_LEN],
    /// The NIS domain.
    pub domainname: [c_char; KCAP_UTSNAME_LEN],
}

impl From<&UtsName> for kcap_utsname {
    fn from(name: &UtsName) -> Self {
        let text = |field| ptr::chars(name.get(field));
        Self {
            sysname: text(UtsField::Sysname),
            nodename: text(UtsField::Nodename),
            release: text(UtsField::Release),
            version: text(UtsField::Version),
            machine: text(UtsField::Machine),
            domainname: text(UtsField::Domainname),
        }
    }
}

impl From<&kcap_utsname> for UtsName {
    fn from(name: &kcap_utsname) -> Self {
        let mut told = Self::EMPTY;
        let fields = [
            (UtsField::Sysname, &name.sysname),
            (UtsField::Nodename, &name.nodename),
            (UtsField::Release, &name.release),
            (UtsField::Version, &name.version),
            (UtsField::Machine, &name.machine),
            (UtsField::Domainname, &name.domainname),
        ];
        for (field, text) in fields {
            let bytes = text.map(|character| u8::from_ne_bytes(character.to_ne_bytes()));
            told.set(field, bytes.split(|&byte| byte == 0).next().unwrap_or_default());
        }
        told
    }
}

/// A run of page frames, half open.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[repr(C)]
pub struct kcap_pfn_range {
    /// The first page frame.
    pub start: u64,
    /// The page frame after the last one.
    pub end: u64,
}

impl From<core::ops::Range<vmcore_format::Pfn>> for kcap_pfn_range {
    fn from(run: core::ops::Range<vmcore_format::Pfn>) -> Self {
        Self { start: run.start.0, end: run.end.0 }
    }
}

/// The byte order that C names by `big_endian`.
pub(crate) fn endian(big_endian: u32) -> Result<Endian, Failure> {
    match big_endian {
        0 => Ok(Endian::Little),
        1 => Ok(Endian::Big),
        other => Err(Failure::invalid("big_endian", other.into())),
    }
}

/// The word size that C names by its bits.
pub(crate) fn class(bits: u32) -> Result<Class, Failure> {
    match bits {
        32 => Ok(Class::Bits32),
        64 => Ok(Class::Bits64),
        other => Err(Failure::invalid("bits", other.into())),
    }
}

pub(crate) fn layout(big_endian: u32, bits: u32) -> Result<Layout, Failure> {
    Ok(Layout { endian: endian(big_endian)?, class: class(bits)? })
}

pub(crate) fn big_endian(endian: Endian) -> u32 {
    u32::from(endian == Endian::Big)
}

pub(crate) const fn bits(class: Class) -> u32 {
    match class {
        Class::Bits32 => 32,
        Class::Bits64 => 64,
    }
}

pub(crate) fn e_machine(number: u32) -> Result<u16, Failure> {
    u16::try_from(number).map_err(|_| Failure::invalid("e_machine", number.into()))
}

pub(crate) fn page_size(bytes: u64) -> Result<PageSize, Failure> {
    PageSize::new(bytes).ok_or(Failure::invalid("page_size", bytes))
}
