//! The x86 kernel image: setup code, then the protected-mode part that a loader places.

use super::Compression;
use super::setup_header::{OFFSET, SetupHeader, VERSION_2_15, xloadflags};
use crate::bytes::{self, len_of, until_nul};
use crate::{Error, Field};
use vmcore_format::PhysAddr;
use zerocopy::little_endian::U32;
use zerocopy::{FromBytes, Immutable, KnownLayout, Unaligned};

const SECTOR: u64 = 512;
const LOADED_HIGH: u8 = 1;
/// The 64-bit entry, in bytes from the start of the protected-mode part.
const ENTRY_64: u64 = 0x200;

/// A bzImage of boot protocol 2.12 (Linux 3.8) or later.
///
/// ```text
/// file: boot sector | setup code | protected-mode part (the payload is in it) | signature of Secure Boot
///       0           | 512        | (setup_sects + 1) * 512                    | + syssize * 16
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BzImage<'a> {
    header: SetupHeader,
    file: &'a [u8],
    protected_mode: &'a [u8],
    payload: &'a [u8],
    kernel_info: Option<KernelInfo>,
}

/// `kernel_info`, facts for the loader that no longer fit in the setup header (protocol 2.15).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KernelInfo {
    /// Its length in bytes, without the variable-length data behind it.
    pub size: u32,
    /// Its length in bytes with these.
    pub size_total: u32,
    /// The highest type of `setup_data` that the kernel knows; bit 31 says it knows `SETUP_INDIRECT`.
    pub setup_type_max: u32,
}

#[derive(FromBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
struct RawKernelInfo {
    header: [u8; 4],
    size: U32,
    size_total: U32,
    setup_type_max: U32,
}

impl<'a> BzImage<'a> {
    /// Reads a bzImage, `file` from its start to its end.
    ///
    /// # Errors
    /// [`Error::Corrupt`] where the header contradicts itself or the file is shorter than it says;
    /// [`Error::Unsupported`] for a protocol before 2.12 and for a zImage, which is loaded below 1 MiB.
    pub fn parse(file: &'a [u8]) -> Result<Self, Error> {
        let header = SetupHeader::of_image(file)?;
        if header.loadflags & LOADED_HIGH == 0 {
            return Err(Error::Unsupported { field: Field::Loadflags, value: u64::from(header.loadflags) });
        }
        check_memory(&header)?;
        let setup_len = setup_len(&header);
        let corrupt = |field, offset| Err(Error::Corrupt { field, offset });
        let behind = len_of(file.len()).checked_sub(setup_len);
        let Some(behind @ 1..) = behind else { return corrupt(Field::SetupSects, OFFSET) };
        let len = u64::from(header.syssize.get()).saturating_mul(16);
        if len <= ENTRY_64 || len > behind {
            return corrupt(Field::Syssize, 0x1f4);
        }
        let protected_mode = bytes::range(file, setup_len, len, Field::Syssize, 0x1f4)?;
        if u64::from(header.init_size.get()) < len {
            return corrupt(Field::InitSize, 0x260);
        }
        let offset = u64::from(header.payload_offset.get());
        if offset > len {
            return corrupt(Field::PayloadOffset, 0x248);
        }
        let payload_len = u64::from(header.payload_length.get());
        let payload = bytes::range(protected_mode, offset, payload_len, Field::PayloadLength, 0x24c)?;
        let kernel_info = read_kernel_info(&header, protected_mode).map_err(|error| error.at(setup_len))?;
        Ok(Self { header, file, protected_mode, payload, kernel_info })
    }

    /// The setup header, zero past its stated end.
    #[must_use]
    pub fn header(&self) -> &SetupHeader {
        &self.header
    }

    /// The boot protocol, 0x020f for 2.15.
    #[must_use]
    pub fn version(&self) -> u16 {
        self.header.version.get()
    }

    /// The length of boot sector and setup code, in bytes: where the protected-mode part starts in the file.
    #[must_use]
    pub fn setup_len(&self) -> u64 {
        setup_len(&self.header)
    }

    /// The part that is loaded. A signature that follows it in the file is left out.
    #[must_use]
    pub fn protected_mode(&self) -> &'a [u8] {
        self.protected_mode
    }

    /// The memory that the kernel needs from its load address on, in bytes: at least the length of
    /// [`protected_mode`](Self::protected_mode).
    #[must_use]
    pub fn init_size(&self) -> u64 {
        u64::from(self.header.init_size.get())
    }

    /// The alignment of the load address, in bytes, a power of two: `kernel_alignment`.
    #[must_use]
    pub fn kernel_alignment(&self) -> u64 {
        u64::from(self.header.kernel_alignment.get())
    }

    /// The smallest alignment at which the kernel runs, in bytes.
    #[must_use]
    pub fn min_alignment(&self) -> u64 {
        1_u64.checked_shl(u32::from(self.header.min_alignment)).unwrap_or(1)
    }

    /// Whether the kernel may be loaded elsewhere than at [`pref_address`](Self::pref_address).
    #[must_use]
    pub fn is_relocatable(&self) -> bool {
        self.header.relocatable_kernel != 0
    }

    /// The address at which the kernel runs when it is not relocated. Loaded below it, it moves itself up.
    #[must_use]
    pub fn pref_address(&self) -> PhysAddr {
        PhysAddr(self.header.pref_address.get())
    }

    /// The longest command line, in bytes without its NUL.
    #[must_use]
    pub fn cmdline_size(&self) -> u64 {
        u64::from(self.header.cmdline_size.get())
    }

    /// Bits of [`xloadflags`].
    #[must_use]
    pub fn xloadflags(&self) -> u16 {
        self.header.xloadflags.get()
    }

    /// Whether the kernel has a 64-bit entry.
    #[must_use]
    pub fn is_64_bit(&self) -> bool {
        self.header.has_xloadflags(xloadflags::KERNEL_64)
    }

    /// Whether kernel, `boot_params`, command line and initrd may lie above 4 GiB.
    #[must_use]
    pub fn can_be_loaded_above_4g(&self) -> bool {
        self.header.has_xloadflags(xloadflags::CAN_BE_LOADED_ABOVE_4G)
    }

    /// The 64-bit entry, in bytes from the load address: always 0x200.
    ///
    /// # Errors
    /// [`Error::Unsupported`] in [`Field::Xloadflags`] where the kernel has none.
    pub fn entry_64(&self) -> Result<u64, Error> {
        if self.is_64_bit() {
            Ok(ENTRY_64)
        } else {
            Err(Error::Unsupported { field: Field::Xloadflags, value: u64::from(self.xloadflags()) })
        }
    }

    /// The compressed kernel; empty where the image does not say where it is.
    #[must_use]
    pub fn payload(&self) -> &'a [u8] {
        self.payload
    }

    /// How the payload is compressed, by its first bytes.
    #[must_use]
    pub fn compression(&self) -> Option<Compression> {
        Compression::detect(self.payload)
    }

    /// The kernel's version, as `uname -rv` and more would say it. Text in no stated encoding.
    #[must_use]
    pub fn kernel_version(&self) -> Option<&'a [u8]> {
        let offset = usize::from(self.header.kernel_version.get()).checked_add(0x200)?;
        let setup = self.file.get(..usize::try_from(self.setup_len()).ok()?)?;
        let text = until_nul(setup.get(offset..)?);
        (offset > 0x200 && !text.is_empty()).then_some(text)
    }

    /// Facts that did not fit in the setup header; `None` before protocol 2.15.
    #[must_use]
    pub fn kernel_info(&self) -> Option<KernelInfo> {
        self.kernel_info
    }
}

fn setup_len(header: &SetupHeader) -> u64 {
    let sectors = match header.setup_sects {
        0 => 4,
        sectors => sectors,
    };
    u64::from(sectors).saturating_add(1).saturating_mul(SECTOR)
}

/// Checks what the header says of the memory that the kernel is loaded in.
fn check_memory(header: &SetupHeader) -> Result<(), Error> {
    if !header.kernel_alignment.get().is_power_of_two() {
        return Err(Error::Corrupt { field: Field::KernelAlignment, offset: 0x230 });
    }
    if header.min_alignment >= 32 {
        return Err(Error::Corrupt { field: Field::MinAlignment, offset: 0x235 });
    }
    Ok(())
}

fn read_kernel_info(header: &SetupHeader, protected_mode: &[u8]) -> Result<Option<KernelInfo>, Error> {
    let offset = u64::from(header.kernel_info_offset.get());
    if header.version.get() < VERSION_2_15 || offset == 0 {
        return Ok(None);
    }
    let raw: &RawKernelInfo = bytes::structure(protected_mode, offset, Field::KernelInfo)?;
    let info = KernelInfo {
        size: raw.size.get(),
        size_total: raw.size_total.get(),
        setup_type_max: raw.setup_type_max.get(),
    };
    let corrupt = Error::Corrupt { field: Field::KernelInfo, offset };
    if raw.header != *b"LToP" || info.size < 16 || info.size_total < info.size {
        return Err(corrupt);
    }
    bytes::range(protected_mode, offset, u64::from(info.size_total), Field::KernelInfo, offset)?;
    Ok(Some(info))
}
