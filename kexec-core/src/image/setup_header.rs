//! The setup header of an x86 kernel, by which it and its loader talk.

use crate::bytes;
use crate::{Error, Field};
use zerocopy::little_endian::{U16, U32, U64};
use zerocopy::{FromBytes, FromZeros, Immutable, IntoBytes, KnownLayout, Unaligned};

/// Where the setup header starts in the image and in `boot_params`.
pub(crate) const OFFSET: u64 = 0x1f1;
/// The protocol from which a kernel has `xloadflags`, Linux 3.8.
pub(crate) const VERSION_2_12: u16 = 0x020c;
/// The protocol from which a kernel has `kernel_info_offset`, Linux 5.5.
pub(crate) const VERSION_2_15: u16 = 0x020f;
/// The end of `handover_offset`, the last field of protocol 2.12.
const END_2_12: u64 = 0x268;
const END_2_15: u64 = 0x26c;
/// What the header's length counts from: the byte after the jump.
const JUMP_END: u64 = 0x202;

/// The bits of [`SetupHeader::xloadflags`].
pub mod xloadflags {
    /// The kernel has the 64-bit entry, 0x200 bytes into its protected-mode part.
    pub const KERNEL_64: u16 = 1 << 0;
    /// Kernel, `boot_params`, command line and initrd may lie above 4 GiB.
    pub const CAN_BE_LOADED_ABOVE_4G: u16 = 1 << 1;
    /// The 32-bit EFI handover entry.
    pub const EFI_HANDOVER_32: u16 = 1 << 2;
    /// The 64-bit EFI handover entry.
    pub const EFI_HANDOVER_64: u16 = 1 << 3;
    /// The kernel takes over EFI runtime services from the kernel before it.
    pub const EFI_KEXEC: u16 = 1 << 4;
    /// The kernel can be entered with 5-level page tables.
    pub const FIVE_LEVEL: u16 = 1 << 5;
    /// The kernel uses 5-level page tables where the machine has them.
    pub const FIVE_LEVEL_ENABLED: u16 = 1 << 6;
    /// The kernel can encrypt its memory.
    pub const MEM_ENCRYPTION: u16 = 1 << 7;
}

/// `struct setup_header`, 0x1f1 to 0x270 of the image and of `boot_params`: 127 bytes, little endian.
///
/// Source: `Documentation/arch/x86/boot.rst` (Linux 6.12), protocol 2.15. "For the kernel" and "for the loader" below
/// say who writes a field.
#[derive(Debug, Clone, Copy, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
pub struct SetupHeader {
    /// 0x1f1: sectors of 512 bytes of setup code, without the boot sector; 0 means 4. For the loader.
    pub setup_sects: u8,
    /// 0x1f2: obsolete.
    pub root_flags: U16,
    /// 0x1f4: the protected-mode part's length in units of 16 bytes. For the loader.
    pub syssize: U32,
    /// 0x1f8: obsolete.
    pub ram_size: U16,
    /// 0x1fa: the video mode to set, 0xffff for the usual one. For the kernel.
    pub vid_mode: U16,
    /// 0x1fc: obsolete.
    pub root_dev: U16,
    /// 0x1fe: 0xaa55.
    pub boot_flag: U16,
    /// 0x200: a short jump whose displacement says where the header ends: 0x202 plus the second byte.
    pub jump: [u8; 2],
    /// 0x202: `HdrS`.
    pub header: [u8; 4],
    /// 0x206: the protocol, 0x020f for 2.15.
    pub version: U16,
    /// 0x208: real mode only.
    pub realmode_swtch: U32,
    /// 0x20c: obsolete.
    pub start_sys_seg: U16,
    /// 0x20e: where the version text stands, in bytes from 0x200 of the image; 0 for none. For the loader.
    pub kernel_version: U16,
    /// 0x210: the loader's number. For the kernel, which takes 0 for a loader too old to bring an initrd.
    pub type_of_loader: u8,
    /// 0x211: bit 0 says that the protected-mode part is loaded at 1 MiB and above. For both.
    pub loadflags: u8,
    /// 0x212: real mode only.
    pub setup_move_size: U16,
    /// 0x214: the 32-bit entry when not relocated.
    pub code32_start: U32,
    /// 0x218: the initrd's physical address, low half. For the kernel.
    pub ramdisk_image: U32,
    /// 0x21c: the initrd's length in bytes, low half. For the kernel.
    pub ramdisk_size: U32,
    /// 0x220: obsolete.
    pub bootsect_kludge: U32,
    /// 0x224: real mode only.
    pub heap_end_ptr: U16,
    /// 0x226: for the kernel.
    pub ext_loader_ver: u8,
    /// 0x227: for the kernel.
    pub ext_loader_type: u8,
    /// 0x228: the command line's physical address, low half. For the kernel.
    pub cmd_line_ptr: U32,
    /// 0x22c: the highest address of an initrd's last byte where the loader knows no `ext_ramdisk_image`.
    pub initrd_addr_max: U32,
    /// 0x230: the alignment that the kernel wants, in bytes. For the loader.
    pub kernel_alignment: U32,
    /// 0x234: not 0 where the kernel may be loaded at any aligned address. For the loader.
    pub relocatable_kernel: u8,
    /// 0x235: the smallest alignment at which the kernel runs, as a power of two. For the loader.
    pub min_alignment: u8,
    /// 0x236: bits of [`xloadflags`]. For the loader.
    pub xloadflags: U16,
    /// 0x238: the longest command line, in bytes without its NUL. For the loader.
    pub cmdline_size: U32,
    /// 0x23c: the kind of machine, 0 for a PC. For the kernel.
    pub hardware_subarch: U32,
    /// 0x240: for the kernel.
    pub hardware_subarch_data: U64,
    /// 0x248: where the compressed kernel starts in the protected-mode part, in bytes. For the loader.
    pub payload_offset: U32,
    /// 0x24c: the compressed kernel's length in bytes. For the loader.
    pub payload_length: U32,
    /// 0x250: the physical address of the first `setup_data`, 0 for none. For the kernel.
    pub setup_data: U64,
    /// 0x258: the address at which the kernel runs when not relocated. For the loader.
    pub pref_address: U64,
    /// 0x260: how much memory the kernel needs from its load address on before it reads the memory map, in bytes.
    pub init_size: U32,
    /// 0x264: the EFI handover entry, in bytes from the start of the protected-mode part.
    pub handover_offset: U32,
    /// 0x268: where `kernel_info` stands in the protected-mode part, in bytes; 0 for none. For the loader.
    pub kernel_info_offset: U32,
    /// 0x26c: room that later protocols may use.
    pub reserved: [u8; 4],
}

impl SetupHeader {
    /// Reads the header of a bzImage, `file` from its start. What lies past the end that the header states is zero, as
    /// it has to be in `boot_params`: in the image, code stands there.
    ///
    /// # Errors
    /// [`Error::Corrupt`] where the file ends inside the header or the header inside a field that its version has;
    /// [`Error::Unsupported`] for a protocol before 2.12.
    pub fn of_image(file: &[u8]) -> Result<Self, Error> {
        let whole: &Self = bytes::structure(file, OFFSET, Field::SetupHeader)?;
        let version = whole.version.get();
        if version < VERSION_2_12 {
            return Err(Error::Unsupported { field: Field::SetupVersion, value: u64::from(version) });
        }
        let [_, displacement] = whole.jump;
        let end = JUMP_END.saturating_add(u64::from(displacement));
        let least = if version < VERSION_2_15 { END_2_12 } else { END_2_15 };
        if end < least {
            return Err(Error::Corrupt { field: Field::SetupJump, offset: 0x201 });
        }
        let mut header = Self::new_zeroed();
        let stated = usize::try_from(end.saturating_sub(OFFSET)).unwrap_or(usize::MAX);
        for (to, &from) in header.as_mut_bytes().iter_mut().zip(whole.as_bytes()).take(stated) {
            *to = from;
        }
        Ok(header)
    }

    /// Whether all of `flags`, bits of [`xloadflags`], are set.
    #[must_use]
    pub fn has_xloadflags(&self, flags: u16) -> bool {
        self.xloadflags.get() & flags == flags
    }
}
