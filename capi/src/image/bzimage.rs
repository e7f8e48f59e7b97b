//! The x86 kernel image and its setup header.

use kexec_core::image::{BzImage, Image, SetupHeader};

use super::compression::{kcap_payload, number};
use super::{KCAP_NOT_STATED, kcap_image, of_kind, parts};
use crate::error::answer;
use crate::ptr::{self, Growing};
use crate::status::kcap_status;

/// `xloadflags`: the kernel has the 64-bit entry, 0x200 bytes into its protected-mode part.
pub const KCAP_XLF_KERNEL_64: u32 = 1;
/// `xloadflags`: kernel, `boot_params`, command line and initrd may lie above 4 GiB.
pub const KCAP_XLF_CAN_BE_LOADED_ABOVE_4G: u32 = 2;
/// `xloadflags`: the 32-bit EFI handover entry.
pub const KCAP_XLF_EFI_HANDOVER_32: u32 = 4;
/// `xloadflags`: the 64-bit EFI handover entry.
pub const KCAP_XLF_EFI_HANDOVER_64: u32 = 8;
/// `xloadflags`: the kernel takes over EFI runtime services from the kernel before it.
pub const KCAP_XLF_EFI_KEXEC: u32 = 16;
/// `xloadflags`: the kernel can be entered with 5-level page tables.
pub const KCAP_XLF_FIVE_LEVEL: u32 = 32;
/// `xloadflags`: the kernel uses 5-level page tables where the machine has them.
pub const KCAP_XLF_FIVE_LEVEL_ENABLED: u32 = 64;
/// `xloadflags`: the kernel can encrypt its memory.
pub const KCAP_XLF_MEM_ENCRYPTION: u32 = 128;

/// What a bzImage is, beyond its setup header. Set `size` before the call. Pointers are into the file, NULL for none.
#[derive(Debug, Clone, Copy)]
#[repr(C)]
pub struct kcap_bzimage {
    /// `sizeof(kcap_bzimage)`.
    pub size: usize,
    /// The part that is loaded. A signature that follows it in the file is left out.
    pub protected_mode: *const u8,
    /// Its length in bytes.
    pub protected_mode_len: usize,
    /// The compressed kernel.
    pub payload: *const u8,
    /// Its length in bytes.
    pub payload_len: usize,
    /// The kernel's version, as `uname -rv` and more would say it, without a NUL. Text in no stated encoding.
    pub kernel_version: *const u8,
    /// Its length in bytes.
    pub kernel_version_len: usize,
    /// The length of boot sector and setup code, in bytes: where the protected-mode part starts in the file.
    pub setup_len: u64,
    /// The memory that the kernel needs from its load address on, in bytes.
    pub init_size: u64,
    /// The alignment of the load address, in bytes.
    pub kernel_alignment: u64,
    /// The smallest alignment at which the kernel runs, in bytes.
    pub min_alignment: u64,
    /// The address at which the kernel runs when it is not relocated. Loaded below it, it moves itself up.
    pub pref_address: u64,
    /// The longest command line, in bytes without its NUL.
    pub cmdline_size: u64,
    /// The 64-bit entry, in bytes from the load address; `KCAP_NOT_STATED` where the kernel has none.
    pub entry_64: u64,
    /// The boot protocol, 0x020f for 2.15.
    pub version: u32,
    /// Bits of `KCAP_XLF_`.
    pub xloadflags: u32,
    /// 1 where the kernel may be loaded elsewhere than at `pref_address`, else 0.
    pub relocatable: u32,
    /// How the payload is compressed: a `KCAP_PAYLOAD_` number, 0 where that is not known.
    pub compression: kcap_payload,
    /// `kernel_info`: its length in bytes, without the variable-length data behind it; 0 before protocol 2.15.
    pub kernel_info_size: u32,
    /// `kernel_info`: its length in bytes with these.
    pub kernel_info_size_total: u32,
    /// `kernel_info`: the highest type of `setup_data` that the kernel knows; bit 31 says it knows `SETUP_INDIRECT`.
    pub setup_type_max: u32,
    /// 0.
    pub reserved: u32,
}

// SAFETY: `repr(C)`, begins with a `usize`, holds nothing but integers and pointers that are never followed.
unsafe impl Growing for kcap_bzimage {}

fn bzimage(image: &'static Image<'static>) -> Option<&'static BzImage<'static>> {
    if let Image::BzImage(image) = image { Some(image) } else { None }
}

/// Writes what the bzImage in `image` is to `bzimage`.
///
/// Errors: `KCAP_ERR_STATE` for an image of another kind, `KCAP_ERR_NULL`, `KCAP_ERR_LENGTH`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kcap_image_get_bzimage(
    image: *const kcap_image,
    bzimage: *mut kcap_bzimage,
) -> kcap_status {
    answer(core::ptr::null_mut(), || {
        let place = ptr::out_growing(bzimage)?;
        let image = of_kind(image, self::bzimage)?;
        let (protected_mode, protected_mode_len) = parts(Some(image.protected_mode()));
        let (payload, payload_len) = parts(Some(image.payload()).filter(|payload| !payload.is_empty()));
        let (kernel_version, kernel_version_len) = parts(image.kernel_version());
        let info = image.kernel_info();
        place.put(&kcap_bzimage {
            size: 0,
            protected_mode,
            protected_mode_len,
            payload,
            payload_len,
            kernel_version,
            kernel_version_len,
            setup_len: image.setup_len(),
            init_size: image.init_size(),
            kernel_alignment: image.kernel_alignment(),
            min_alignment: image.min_alignment(),
            pref_address: image.pref_address().0,
            cmdline_size: image.cmdline_size(),
            entry_64: image.entry_64().unwrap_or(KCAP_NOT_STATED),
            version: image.version().into(),
            xloadflags: image.xloadflags().into(),
            relocatable: image.is_relocatable().into(),
            compression: number(image.compression()),
            kernel_info_size: info.map_or(0, |info| info.size),
            kernel_info_size_total: info.map_or(0, |info| info.size_total),
            setup_type_max: info.map_or(0, |info| info.setup_type_max),
            reserved: 0,
        });
        Ok(())
    })
}

/// `struct setup_header` (`Documentation/arch/x86/boot.rst`), every field a number of the host's byte order; zero past the
/// end that the header states. Set `size` before the call.
#[derive(Debug, Clone, Copy)]
#[repr(C)]
pub struct kcap_setup_header {
    /// `sizeof(kcap_setup_header)`.
    pub size: usize,
    /// 0x240: for the kernel.
    pub hardware_subarch_data: u64,
    /// 0x250: the physical address of the first `setup_data`, 0 for none.
    pub setup_data: u64,
    /// 0x258: the address at which the kernel runs when not relocated.
    pub pref_address: u64,
    /// 0x1f4: the protected-mode part's length in units of 16 bytes.
    pub syssize: u32,
    /// 0x208: real mode only.
    pub realmode_swtch: u32,
    /// 0x214: the 32-bit entry when not relocated.
    pub code32_start: u32,
    /// 0x218: the initrd's physical address, low half.
    pub ramdisk_image: u32,
    /// 0x21c: the initrd's length in bytes, low half.
    pub ramdisk_size: u32,
    /// 0x220: obsolete.
    pub bootsect_kludge: u32,
    /// 0x228: the command line's physical address, low half.
    pub cmd_line_ptr: u32,
    /// 0x22c: the highest address of an initrd's last byte.
    pub initrd_addr_max: u32,
    /// 0x230: the alignment that the kernel wants, in bytes.
    pub kernel_alignment: u32,
    /// 0x238: the longest command line, in bytes without its NUL.
    pub cmdline_size: u32,
    /// 0x23c: the kind of machine, 0 for a PC.
    pub hardware_subarch: u32,
    /// 0x248: where the compressed kernel starts in the protected-mode part, in bytes.
    pub payload_offset: u32,
    /// 0x24c: the compressed kernel's length in bytes.
    pub payload_length: u32,
    /// 0x260: the memory that the kernel needs from its load address on, in bytes.
    pub init_size: u32,
    /// 0x264: the EFI handover entry, in bytes from the start of the protected-mode part.
    pub handover_offset: u32,
    /// 0x268: where `kernel_info` stands in the protected-mode part, in bytes; 0 for none.
    pub kernel_info_offset: u32,
    /// 0x1f2: obsolete.
    pub root_flags: u16,
    /// 0x1f8: obsolete.
    pub ram_size: u16,
    /// 0x1fa: the video mode to set, 0xffff for the usual one.
    pub vid_mode: u16,
    /// 0x1fc: obsolete.
    pub root_dev: u16,
    /// 0x1fe: 0xaa55.
    pub boot_flag: u16,
    /// 0x206: the protocol, 0x020f for 2.15.
    pub version: u16,
    /// 0x20c: obsolete.
    pub start_sys_seg: u16,
    /// 0x20e: where the version text stands, in bytes from 0x200 of the image; 0 for none.
    pub kernel_version: u16,
    /// 0x212: real mode only.
    pub setup_move_size: u16,
    /// 0x224: real mode only.
    pub heap_end_ptr: u16,
    /// 0x236: bits of `KCAP_XLF_`.
    pub xloadflags: u16,
    /// 0x200: a short jump over the header.
    pub jump: [u8; 2],
    /// 0x202: `HdrS`.
    pub header: [u8; 4],
    /// 0x1f1: sectors of 512 bytes of setup code, without the boot sector; 0 means 4.
    pub setup_sects: u8,
    /// 0x210: the loader's number.
    pub type_of_loader: u8,
    /// 0x211: bit 0 says that the protected-mode part is loaded at 1 MiB and above.
    pub loadflags: u8,
    /// 0x226: for the kernel.
    pub ext_loader_ver: u8,
    /// 0x227: for the kernel.
    pub ext_loader_type: u8,
    /// 0x234: not 0 where the kernel may be loaded at any aligned address.
    pub relocatable_kernel: u8,
    /// 0x235: the smallest alignment at which the kernel runs, as a power of two.
    pub min_alignment: u8,
    /// 0.
    pub reserved: [u8; 3],
}

// SAFETY: `repr(C)`, begins with a `usize`, holds nothing but integers.
unsafe impl Growing for kcap_setup_header {}

impl From<&SetupHeader> for kcap_setup_header {
    fn from(header: &SetupHeader) -> Self {
        Self {
            size: 0,
            hardware_subarch_data: header.hardware_subarch_data.get(),
            setup_data: header.setup_data.get(),
            pref_address: header.pref_address.get(),
            syssize: header.syssize.get(),
            realmode_swtch: header.realmode_swtch.get(),
            code32_start: header.code32_start.get(),
            ramdisk_image: header.ramdisk_image.get(),
            ramdisk_size: header.ramdisk_size.get(),
            bootsect_kludge: header.bootsect_kludge.get(),
            cmd_line_ptr: header.cmd_line_ptr.get(),
            initrd_addr_max: header.initrd_addr_max.get(),
            kernel_alignment: header.kernel_alignment.get(),
            cmdline_size: header.cmdline_size.get(),
            hardware_subarch: header.hardware_subarch.get(),
            payload_offset: header.payload_offset.get(),
            payload_length: header.payload_length.get(),
            init_size: header.init_size.get(),
            handover_offset: header.handover_offset.get(),
            kernel_info_offset: header.kernel_info_offset.get(),
            root_flags: header.root_flags.get(),
            ram_size: header.ram_size.get(),
            vid_mode: header.vid_mode.get(),
            root_dev: header.root_dev.get(),
            boot_flag: header.boot_flag.get(),
            version: header.version.get(),
            start_sys_seg: header.start_sys_seg.get(),
            kernel_version: header.kernel_version.get(),
            setup_move_size: header.setup_move_size.get(),
            heap_end_ptr: header.heap_end_ptr.get(),
            xloadflags: header.xloadflags.get(),
            jump: header.jump,
            header: header.header,
            setup_sects: header.setup_sects,
            type_of_loader: header.type_of_loader,
            loadflags: header.loadflags,
            ext_loader_ver: header.ext_loader_ver,
            ext_loader_type: header.ext_loader_type,
            relocatable_kernel: header.relocatable_kernel,
            min_alignment: header.min_alignment,
            reserved: [0; 3],
        }
    }
}

/// Writes the setup header of the bzImage in `image` to `header`.
///
/// Errors: `KCAP_ERR_STATE` for an image of another kind, `KCAP_ERR_NULL`, `KCAP_ERR_LENGTH`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kcap_image_setup_header(
    image: *const kcap_image,
    header: *mut kcap_setup_header,
) -> kcap_status {
    answer(core::ptr::null_mut(), || {
        let place = ptr::out_growing(header)?;
        place.put(&of_kind(image, bzimage)?.header().into());
        Ok(())
    })
}
