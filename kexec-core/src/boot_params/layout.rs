//! `struct boot_params` and the structures in it.

use crate::bytes;
use crate::image::{BzImage, SetupHeader};
use crate::{Error, Field};
use vmcore_format::PhysAddr;
use zerocopy::little_endian::{U16, U32, U64};
use zerocopy::{FromBytes, FromZeros, Immutable, IntoBytes, KnownLayout, Unaligned};

/// `type_of_loader` of kexec, version 0.
const LOADER_KEXEC: u8 = 0xd0;
/// The longest command line of an x86 kernel whose image does not say: `COMMAND_LINE_SIZE` without the NUL.
const CMDLINE_SIZE: u32 = 2047;

/// `struct screen_info`, 64 bytes: the screen that firmware or the kernel before set up.
///
/// Source: `include/uapi/linux/screen_info.h` (Linux 6.12).
#[derive(Debug, Clone, Copy, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
pub struct ScreenInfo {
    /// The cursor's column.
    pub orig_x: u8,
    /// The cursor's row.
    pub orig_y: u8,
    /// KiB of memory from 1 MiB on, for kernels without a memory map.
    pub ext_mem_k: U16,
    /// The page that is shown.
    pub orig_video_page: U16,
    /// The video mode.
    pub orig_video_mode: u8,
    /// Columns of text.
    pub orig_video_cols: u8,
    /// `VIDEO_FLAGS_`.
    pub flags: u8,
    /// Unused.
    pub unused2: u8,
    /// What the EGA BIOS says.
    pub orig_video_ega_bx: U16,
    /// Unused.
    pub unused3: U16,
    /// Rows of text.
    pub orig_video_lines: u8,
    /// The kind of screen: 1 VGA, 0x23 VESA linear frame buffer, 0x70 EFI.
    pub orig_video_is_vga: u8,
    /// The height of a letter in pixels.
    pub orig_video_points: U16,
    /// Width of the frame buffer in pixels.
    pub lfb_width: U16,
    /// Its height in pixels.
    pub lfb_height: U16,
    /// Bits for each pixel.
    pub lfb_depth: U16,
    /// Its physical address, low half.
    pub lfb_base: U32,
    /// Its length, in units of 64 KiB for VESA and in bytes for EFI.
    pub lfb_size: U32,
    /// 0xa33f where [`cl_offset`](Self::cl_offset) says where the command line is (boot protocol before 2.02).
    pub cl_magic: U16,
    /// Where the command line stands, in bytes from the start of `boot_params`.
    pub cl_offset: U16,
    /// Bytes from one line of pixels to the next.
    pub lfb_linelength: U16,
    /// Size and position in bits of red, green, blue and the reserved part of a pixel.
    pub pixel: [u8; 8],
    /// VESA's protected-mode interface: segment, offset.
    pub vesapm: [U16; 2],
    /// VESA's number of pages.
    pub pages: U16,
    /// VESA's attributes.
    pub vesa_attributes: U16,
    /// `VIDEO_CAPABILITY_`.
    pub capabilities: U32,
    /// The frame buffer's physical address, high half.
    pub ext_lfb_base: U32,
    /// Unused.
    pub reserved: [u8; 2],
}

/// `struct efi_info`, 32 bytes: what the kernel takes over of EFI.
#[derive(Debug, Clone, Copy, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
pub struct EfiInfo {
    /// `EL64` for 64-bit firmware, `EL32` for 32-bit firmware, zero for none.
    pub loader_signature: [u8; 4],
    /// The system table's physical address, low half.
    pub systab: U32,
    /// The length of a memory descriptor in bytes.
    pub memdesc_size: U32,
    /// The descriptors' version, 1.
    pub memdesc_version: U32,
    /// The memory map's physical address, low half.
    pub memmap: U32,
    /// The memory map's length in bytes.
    pub memmap_size: U32,
    /// The system table's physical address, high half.
    pub systab_hi: U32,
    /// The memory map's physical address, high half.
    pub memmap_hi: U32,
}

/// `struct boot_e820_entry`, 20 bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
pub struct BootE820Entry {
    /// The first byte's physical address.
    pub addr: U64,
    /// The length in bytes.
    pub size: U64,
    /// One of the `E820_TYPE_` numbers: 1 RAM, 2 reserved, 3 ACPI, 4 NVS, 5 unusable, 7 persistent, 12 PRAM.
    pub kind: U32,
}

/// `struct boot_params`, 4096 bytes, little endian: what the kernel is told at its 32- and 64-bit entries, by the address
/// in `esi` or `rsi`. Numbers before the fields are offsets.
///
/// Source: `arch/x86/include/uapi/asm/bootparam.h` (Linux 6.12).
#[derive(Debug, Clone, Copy, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
pub struct BootParams {
    /// 0x000: the screen.
    pub screen_info: ScreenInfo,
    /// 0x040: `apm_bios_info`.
    pub apm_bios_info: [u8; 20],
    /// 0x054: unused.
    pub pad2: [u8; 4],
    /// 0x058: the physical address of tboot's shared page.
    pub tboot_addr: U64,
    /// 0x060: `ist_info`.
    pub ist_info: [u8; 16],
    /// 0x070: the physical address of ACPI's RSDP, 0 to search for it.
    pub acpi_rsdp_addr: U64,
    /// 0x078: unused.
    pub pad3: [u8; 8],
    /// 0x080: obsolete.
    pub hd0_info: [u8; 16],
    /// 0x090: obsolete.
    pub hd1_info: [u8; 16],
    /// 0x0a0: obsolete.
    pub sys_desc_table: [u8; 16],
    /// 0x0b0: OLPC.
    pub olpc_ofw_header: [u8; 16],
    /// 0x0c0: the initrd's physical address, high half.
    pub ext_ramdisk_image: U32,
    /// 0x0c4: the initrd's length in bytes, high half.
    pub ext_ramdisk_size: U32,
    /// 0x0c8: the command line's physical address, high half.
    pub ext_cmd_line_ptr: U32,
    /// 0x0cc: unused.
    pub pad4: [u8; 112],
    /// 0x13c: the physical address of the confidential-computing blob.
    pub cc_blob_address: U32,
    /// 0x140: what the monitor says.
    pub edid_info: [u8; 128],
    /// 0x1c0: EFI.
    pub efi_info: EfiInfo,
    /// 0x1e0: KiB of memory from 1 MiB on, for kernels without a memory map.
    pub alt_mem_k: U32,
    /// 0x1e4: for the setup code.
    pub scratch: U32,
    /// 0x1e8: used entries of [`e820_table`](Self::e820_table).
    pub e820_entries: u8,
    /// 0x1e9: used entries of [`eddbuf`](Self::eddbuf).
    pub eddbuf_entries: u8,
    /// 0x1ea: used entries of [`edd_mbr_sig_buffer`](Self::edd_mbr_sig_buffer).
    pub edd_mbr_sig_buf_entries: u8,
    /// 0x1eb: for the setup code.
    pub kbd_status: u8,
    /// 0x1ec: the state of Secure Boot: 0 unset, 1 unknown, 2 disabled, 3 enabled.
    pub secure_boot: u8,
    /// 0x1ed: unused.
    pub pad5: [u8; 2],
    /// 0x1ef: must be 0; otherwise the kernel takes all that is not the setup header for garbage.
    pub sentinel: u8,
    /// 0x1f0: unused.
    pub pad6: u8,
    /// 0x1f1: the setup header.
    pub hdr: SetupHeader,
    /// 0x270: unused.
    pub pad7: [u8; 32],
    /// 0x290: signatures of the BIOS's disks.
    pub edd_mbr_sig_buffer: [U32; 16],
    /// 0x2d0: the memory map.
    pub e820_table: [BootE820Entry; 128],
    /// 0xcd0: unused.
    pub pad8: [u8; 48],
    /// 0xd00: the BIOS's disks, `edd_info`.
    pub eddbuf: [[u8; 82]; 6],
    /// 0xeec: unused.
    pub pad9: [u8; 276],
}

const _: () = assert!(size_of::<BootParams>() == BootParams::LEN);

impl BootParams {
    /// The length in bytes.
    pub const LEN: usize = 4096;

    /// What a loader starts from for a bzImage: zeros, the image's setup header, `type_of_loader` 0xd0 (kexec),
    /// `loadflags` 0.
    #[must_use]
    pub fn of_bzimage(image: &BzImage<'_>) -> Self {
        Self::with_header(*image.header())
    }

    /// What a loader starts from for an x86 `vmlinux`, which brings no setup header: one of protocol 2.15 whose kernel may
    /// lie above 4 GiB and takes a command line of 2047 bytes.
    #[must_use]
    pub fn of_vmlinux() -> Self {
        use crate::image::xloadflags::{CAN_BE_LOADED_ABOVE_4G, EFI_KEXEC, KERNEL_64};
        let mut header = SetupHeader::new_zeroed();
        header.boot_flag = U16::new(0xaa55);
        header.header = *b"HdrS";
        header.version = U16::new(0x020f);
        header.xloadflags = U16::new(KERNEL_64 | CAN_BE_LOADED_ABOVE_4G | EFI_KEXEC);
        header.cmdline_size = U32::new(CMDLINE_SIZE);
        Self::with_header(header)
    }

    fn with_header(hdr: SetupHeader) -> Self {
        let mut params = Self { hdr, ..Self::new_zeroed() };
        params.hdr.type_of_loader = LOADER_KEXEC;
        params.hdr.loadflags = 0;
        params
    }

    /// Reads the `boot_params` of a running kernel: `/sys/kernel/boot_params/data`. A kernel that UEFI started has only
    /// parts of a setup header there, and no `HdrS` (`efi_pe_entry`, `drivers/firmware/efi/libstub/x86-stub.c`).
    ///
    /// # Errors
    /// [`Error::Corrupt`] where `bytes` is shorter than 4096 bytes.
    pub fn parse(bytes: &[u8]) -> Result<&Self, Error> {
        bytes::structure(bytes, 0, Field::BootParams)
    }

    /// Takes over what only the setup code could find out, from the running kernel: screen, monitor, the BIOS's disks,
    /// the kind of machine, Secure Boot, ACPI's RSDP. EFI is not: see [`EfiRuntime`](super::EfiRuntime).
    pub fn take_over(&mut self, running: &Self) {
        self.screen_info = running.screen_info;
        self.edid_info = running.edid_info;
        self.eddbuf_entries = running.eddbuf_entries;
        self.eddbuf = running.eddbuf;
        self.edd_mbr_sig_buf_entries = running.edd_mbr_sig_buf_entries;
        self.edd_mbr_sig_buffer = running.edd_mbr_sig_buffer;
        self.hdr.hardware_subarch = running.hdr.hardware_subarch;
        self.hdr.hardware_subarch_data = running.hdr.hardware_subarch_data;
        self.secure_boot = running.secure_boot;
        self.acpi_rsdp_addr = running.acpi_rsdp_addr;
    }

    /// The initrd's physical address and length in bytes; `None` where there is none.
    #[must_use]
    pub fn initrd(&self) -> Option<(PhysAddr, u64)> {
        let len = joined(self.hdr.ramdisk_size, self.ext_ramdisk_size);
        let addr = joined(self.hdr.ramdisk_image, self.ext_ramdisk_image);
        (len > 0).then_some((PhysAddr(addr), len))
    }

    /// Says where the initrd is: `len` bytes from `addr`. Length 0 is none.
    pub fn set_initrd(&mut self, addr: PhysAddr, len: u64) {
        (self.hdr.ramdisk_image, self.ext_ramdisk_image) = halves(addr.0);
        (self.hdr.ramdisk_size, self.ext_ramdisk_size) = halves(len);
    }

    /// The command line's physical address; 0 for none.
    #[must_use]
    pub fn command_line(&self) -> PhysAddr {
        PhysAddr(joined(self.hdr.cmd_line_ptr, self.ext_cmd_line_ptr))
    }

    /// Says where the command line is.
    pub fn set_command_line(&mut self, addr: PhysAddr) {
        (self.hdr.cmd_line_ptr, self.ext_cmd_line_ptr) = halves(addr.0);
    }

    /// The memory map, those entries of it that are here.
    #[must_use]
    pub fn e820(&self) -> &[BootE820Entry] {
        self.e820_table.get(..usize::from(self.e820_entries)).unwrap_or(&self.e820_table)
    }
}

impl EfiInfo {
    /// The system table's physical address.
    #[must_use]
    pub fn systab(&self) -> PhysAddr {
        PhysAddr(joined(self.systab, self.systab_hi))
    }

    /// The memory map's physical address.
    #[must_use]
    pub fn memmap(&self) -> PhysAddr {
        PhysAddr(joined(self.memmap, self.memmap_hi))
    }

    /// Says where the system table is.
    pub fn set_systab(&mut self, addr: PhysAddr) {
        (self.systab, self.systab_hi) = halves(addr.0);
    }

    /// Says where the memory map is.
    pub fn set_memmap(&mut self, addr: PhysAddr) {
        (self.memmap, self.memmap_hi) = halves(addr.0);
    }
}

/// The low and the high half.
fn halves(value: u64) -> (U32, U32) {
    let half = |value: u64| U32::new(u32::try_from(value & 0xffff_ffff).unwrap_or(0));
    (half(value), half(value >> 32))
}

fn joined(low: U32, high: U32) -> u64 {
    u64::from(high.get()) << 32 | u64::from(low.get())
}
