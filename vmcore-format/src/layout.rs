//! What decides the layout of a dump's structures: byte order and word size of the machine that wrote it.

/// Byte order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Endian {
    /// Least significant byte first (ELF: `ELFDATA2LSB`).
    Little,
    /// Most significant byte first (ELF: `ELFDATA2MSB`).
    Big,
}

/// Word size.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Class {
    /// 32-bit words (ELF: `ELFCLASS32`).
    Bits32,
    /// 64-bit words (ELF: `ELFCLASS64`).
    Bits64,
}

/// Byte order and word size together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Layout {
    /// Byte order of every multi-byte field.
    pub endian: Endian,
    /// Size of `long` and of pointers.
    pub class: Class,
}

impl Layout {
    /// 64-bit little-endian: x86_64, arm64, ppc64le, riscv64, loongarch64.
    pub const LE64: Self = Self { endian: Endian::Little, class: Class::Bits64 };
    /// 32-bit little-endian: i386, arm.
    pub const LE32: Self = Self { endian: Endian::Little, class: Class::Bits32 };
    /// 64-bit big-endian: s390x, ppc64.
    pub const BE64: Self = Self { endian: Endian::Big, class: Class::Bits64 };
    /// 32-bit big-endian: ppc, mips.
    pub const BE32: Self = Self { endian: Endian::Big, class: Class::Bits32 };
}

impl Endian {
    /// The four bytes of an unsigned number.
    #[must_use]
    pub fn u32_bytes(self, value: u32) -> [u8; 4] {
        match self {
            Self::Little => value.to_le_bytes(),
            Self::Big => value.to_be_bytes(),
        }
    }

    /// The four bytes as an unsigned number.
    #[must_use]
    pub fn u32(self, bytes: [u8; 4]) -> u32 {
        match self {
            Self::Little => u32::from_le_bytes(bytes),
            Self::Big => u32::from_be_bytes(bytes),
        }
    }

    /// The eight bytes as an unsigned number.
    #[must_use]
    pub fn u64(self, bytes: [u8; 8]) -> u64 {
        match self {
            Self::Little => u64::from_le_bytes(bytes),
            Self::Big => u64::from_be_bytes(bytes),
        }
    }
}

/// `scroll`'s name for the byte order.
impl From<Endian> for scroll::Endian {
    fn from(endian: Endian) -> Self {
        match endian {
            Endian::Little => Self::Little,
            Endian::Big => Self::Big,
        }
    }
}
