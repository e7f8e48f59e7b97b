//! The parameter block: what the loader tells the object.

use zerocopy::little_endian::{U16, U32, U64};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

/// The most regions that a digest covers: as many as `kexec_load` takes segments.
pub const REGIONS: usize = 16;
/// The first eight bytes of [`Parameters`], "kcappurg" in memory.
pub const MAGIC: u64 = u64::from_le_bytes(*b"kcappurg");
/// The layout of [`Parameters`] that this version of the crate and of the object agree on.
pub const VERSION: u32 = 2;
/// The global symbol of [`Parameters`] in the object; its `st_size` is the size of the structure.
pub const PARAMETERS_SYMBOL: &[u8] = b"kcapture_parameters";
/// The global symbol at which the object is entered.
pub const ENTRY_SYMBOL: &[u8] = b"purgatory_start";

/// Physical memory that the digest covers. A length of 0 says that the entry is unused.
#[derive(
    Debug, Clone, Copy, Default, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned,
)]
#[repr(C)]
pub struct Region {
    /// Physical address of the first byte; never 0 in a used entry.
    pub start: U64,
    /// Length in bytes.
    pub len: U64,
}

impl Region {
    /// The region of `len` bytes from the physical address `start`.
    #[must_use]
    pub const fn new(start: u64, len: u64) -> Self {
        Self { start: U64::new(start), len: U64::new(len) }
    }
}

/// What happens when the digest is not the one that was recorded.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum OnMismatch {
    /// Say so and stop every instruction: `cli; hlt`. Number 0, and every number not named here.
    #[default]
    Halt,
    /// Say so and reset the machine. Number 1.
    Reset,
    /// Say so and enter the kernel all the same. Number 2.
    Continue,
}

impl OnMismatch {
    /// The number in [`Parameters::on_mismatch`].
    #[must_use]
    pub const fn number(self) -> u8 {
        match self {
            Self::Halt => 0,
            Self::Reset => 1,
            Self::Continue => 2,
        }
    }

    /// The policy of a number; an unknown one is [`Halt`](Self::Halt), which does the least.
    #[must_use]
    pub const fn of_number(number: u8) -> Self {
        match number {
            1 => Self::Reset,
            2 => Self::Continue,
            _ => Self::Halt,
        }
    }
}

/// What the loader tells the object: 368 bytes, every integer little-endian, no padding.
///
/// The loader writes its bytes over [`PARAMETERS_SYMBOL`]. The block is not covered by the digest, which it carries.
#[derive(Debug, Clone, Copy, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
pub struct Parameters {
    /// [`MAGIC`]. Without it the object halts: nobody told it what to enter.
    pub magic: U64,
    /// [`VERSION`].
    pub version: U32,
    /// The size of this structure in bytes.
    pub size: U32,
    /// Physical address of the kernel's 64-bit entry: the load address of a bzImage's protected-mode part plus 0x200.
    pub entry: U64,
    /// Physical address of the `boot_params` page, which the kernel gets in rsi.
    pub boot_params: U64,
    /// The rsp that the kernel starts with: 0 for the end of the object's own stack.
    pub stack: U64,
    /// SHA-256 over the bytes of all [`regions`](Self::regions), in their order.
    pub digest: [u8; 32],
    /// What the digest covers.
    pub regions: [Region; REGIONS],
    /// The number of an [`OnMismatch`].
    pub on_mismatch: u8,
    /// Not 0: enter the kernel without reading a region.
    pub skip_check: u8,
    /// Not 0: print to the VGA text screen at 0xb8000.
    pub vga: u8,
    /// 0.
    pub reserved: u8,
    /// First I/O port of the 8250 to print to (0x3f8 for ttyS0); 0 for none.
    pub serial_port: U16,
    /// 0.
    pub reserved2: U16,
    /// The rate to set, in bits per second, as 115200 divided by a whole number; 0 leaves the UART as it is.
    pub serial_baud: U32,
    /// 0.
    pub reserved3: U32,
    /// Memory that the kernel uses and that must not be lost: it is copied after the check. A length of 0 says none.
    pub backup_source: Region,
    /// The physical address that it is copied to.
    pub backup_copy: U64,
}

impl Parameters {
    /// Its size in bytes, the `st_size` of [`PARAMETERS_SYMBOL`].
    pub const LEN: usize = size_of::<Self>();

    /// What the object is built with: no parameters.
    pub const UNSET: Self = Self { magic: U64::ZERO, ..Self::new(0, 0) };

    /// The block that enters `entry` with `boot_params`, and checks nothing yet: no regions, the digest of no bytes,
    /// [`OnMismatch::Halt`], no console, no backup.
    #[must_use]
    pub const fn new(entry: u64, boot_params: u64) -> Self {
        Self {
            magic: U64::new(MAGIC),
            version: U32::new(VERSION),
            size: U32::new(368),
            entry: U64::new(entry),
            boot_params: U64::new(boot_params),
            stack: U64::new(0),
            digest: [
                0xe3, 0xb0, 0xc4, 0x42, 0x98, 0xfc, 0x1c, 0x14, 0x9a, 0xfb, 0xf4, 0xc8, 0x99, 0x6f, 0xb9,
                0x24, 0x27, 0xae, 0x41, 0xe4, 0x64, 0x9b, 0x93, 0x4c, 0xa4, 0x95, 0x99, 0x1b, 0x78, 0x52,
                0xb8, 0x55,
            ],
            regions: [Region::new(0, 0); REGIONS],
            on_mismatch: OnMismatch::Halt.number(),
            skip_check: 0,
            vga: 0,
            reserved: 0,
            serial_port: U16::new(0),
            reserved2: U16::new(0),
            serial_baud: U32::new(0),
            reserved3: U32::new(0),
            backup_source: Region::new(0, 0),
            backup_copy: U64::new(0),
        }
    }

    /// Whether this is a block of this version, and not what the object was built with.
    #[must_use]
    pub fn is_set(&self) -> bool {
        self.magic.get() == MAGIC && self.version.get() == VERSION && self.size.get() == 368
    }

    /// What to do when the digest is not [`digest`](Self::digest).
    #[must_use]
    pub const fn policy(&self) -> OnMismatch {
        OnMismatch::of_number(self.on_mismatch)
    }

    /// What to copy before the kernel is entered: from, to, and the number of bytes. `None` for nothing, and for what
    /// can not be a copy: memory that runs past the address space, or overlaps.
    #[must_use]
    pub const fn backup(&self) -> Option<(u64, u64, u64)> {
        let (from, to) = (self.backup_source.start.get(), self.backup_copy.get());
        let len = self.backup_source.len.get();
        match (from.checked_add(len), to.checked_add(len)) {
            (Some(from_end), Some(to_end)) if len > 0 && (from_end <= to || to_end <= from) => {
                Some((from, to, len))
            }
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::mem::offset_of;

    #[test]
    fn the_layout_is_fixed() {
        assert_eq!(Parameters::LEN, 368);
        assert_eq!(Parameters::new(1, 2).size.get(), 368);
        assert_eq!(offset_of!(Parameters, entry), 16);
        assert_eq!(offset_of!(Parameters, digest), 40);
        assert_eq!(offset_of!(Parameters, regions), 72);
        assert_eq!(offset_of!(Parameters, on_mismatch), 328);
        assert_eq!(offset_of!(Parameters, serial_port), 332);
        assert_eq!(offset_of!(Parameters, serial_baud), 336);
        assert_eq!(offset_of!(Parameters, backup_source), 344);
        assert_eq!(offset_of!(Parameters, backup_copy), 360);
    }

    #[test]
    fn bytes_are_little_endian_on_every_host() {
        let mut parameters = Parameters::new(0x0102_0304_0506_0708, 0x1000);
        parameters.serial_port = U16::new(0x3f8);
        let bytes = parameters.as_bytes();
        assert_eq!(&bytes[..8], b"kcappurg");
        assert_eq!(&bytes[16..24], &[8, 7, 6, 5, 4, 3, 2, 1]);
        assert_eq!(&bytes[332..334], &[0xf8, 3]);
        assert_eq!(Parameters::read_from_bytes(bytes), Ok(parameters));
    }

    #[test]
    fn zeros_are_no_parameters() {
        assert!(Parameters::new(0, 0).is_set());
        assert!(!Parameters::UNSET.is_set());
        assert!(!Parameters::read_from_bytes(&[0; 368]).unwrap().is_set());
        let mut next = Parameters::new(0, 0);
        next.version = U32::new(1);
        assert!(!next.is_set());
    }

    #[test]
    fn a_backup_is_copied_where_it_is_not() {
        let mut parameters = Parameters::new(1, 2);
        assert_eq!(parameters.backup(), None);
        let mut backup = |start, len, copy| {
            parameters.backup_source = Region::new(start, len);
            parameters.backup_copy = U64::new(copy);
            parameters.backup()
        };
        assert_eq!(backup(0x1000, 0x9_ec00, 0x26f6_1000), Some((0x1000, 0x26f6_1000, 0x9_ec00)));
        assert_eq!(backup(0x1000, 0x1000, 0x2000), Some((0x1000, 0x2000, 0x1000)));
        assert_eq!(backup(0x2000, 0x1000, 0x1000), Some((0x2000, 0x1000, 0x1000)));
        for (start, len, copy) in [
            (0x1000, 0, 0x2000),
            (0x1000, 0x1001, 0x2000),
            (0x2000, 0x1000, 0x1001),
            (0x1000, 0x1000, 0x1000),
            (u64::MAX, 2, 0x1000),
            (0x1000, 2, u64::MAX),
        ] {
            assert_eq!(backup(start, len, copy), None, "{start:#x} {len:#x} {copy:#x}");
        }
    }

    #[test]
    fn an_unknown_policy_halts() {
        for policy in [OnMismatch::Halt, OnMismatch::Reset, OnMismatch::Continue] {
            assert_eq!(OnMismatch::of_number(policy.number()), policy);
        }
        assert_eq!(OnMismatch::of_number(3), OnMismatch::Halt);
        assert_eq!(OnMismatch::of_number(0xff), OnMismatch::Halt);
    }
}
