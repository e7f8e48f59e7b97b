//! The uncompressed kernels of arm64 and riscv.

use kexec_core::image::{Arm64PageSize, Image};

use super::{kcap_image, of_kind, parts};
use crate::error::answer;
use crate::ptr::{self, Growing};
use crate::status::kcap_status;

/// What an arm64 `Image` is. Set `size` before the call. The pointer is into the file.
#[derive(Debug, Clone, Copy)]
#[repr(C)]
pub struct kcap_arm64_image {
    /// `sizeof(kcap_arm64_image)`.
    pub size: usize,
    /// The bytes to load. The entry is at the first.
    pub kernel: *const u8,
    /// Their number.
    pub kernel_len: usize,
    /// Where the kernel is loaded above an address that is a multiple of 2 MiB, in bytes.
    pub text_offset: u64,
    /// The memory that the kernel needs from its load address on, in bytes.
    pub image_size: u64,
    /// The length of the file, in bytes.
    pub file_len: u64,
    /// 1 for a big-endian kernel, else 0.
    pub big_endian: u32,
    /// The page size that the kernel was built for, in bytes: 4096, 16384 or 65536; 0 where the image does not say.
    pub page_size: u32,
    /// 1 where the kernel may be loaded anywhere in memory; 0: as near to the start of memory as possible.
    pub anywhere: u32,
    /// 0.
    pub reserved: u32,
}

// SAFETY: `repr(C)`, begins with a `usize`, holds nothing but integers and a pointer that is never followed.
unsafe impl Growing for kcap_arm64_image {}

/// Writes what the arm64 kernel in `image` is to `arm64`.
///
/// Errors: `KCAP_ERR_STATE` for an image of another kind, `KCAP_ERR_NULL`, `KCAP_ERR_LENGTH`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kcap_image_get_arm64(
    image: *const kcap_image,
    arm64: *mut kcap_arm64_image,
) -> kcap_status {
    answer(core::ptr::null_mut(), || {
        let place = ptr::out_growing(arm64)?;
        let image = of_kind(image, |image| if let Image::Arm64(image) = image { Some(image) } else { None })?;
        let (kernel, kernel_len) = parts(Some(image.raw().kernel()));
        place.put(&kcap_arm64_image {
            size: 0,
            kernel,
            kernel_len,
            text_offset: image.raw().text_offset(),
            image_size: image.raw().image_size(),
            file_len: image.raw().file_len(),
            big_endian: image.is_big_endian().into(),
            page_size: match image.page_size() {
                Arm64PageSize::Unspecified => 0,
                Arm64PageSize::KiB4 => 0x1000,
                Arm64PageSize::KiB16 => 0x4000,
                Arm64PageSize::KiB64 => 0x1_0000,
            },
            anywhere: image.may_be_anywhere().into(),
            reserved: 0,
        });
        Ok(())
    })
}

/// What a riscv `Image` is. Set `size` before the call. The pointer is into the file.
#[derive(Debug, Clone, Copy)]
#[repr(C)]
pub struct kcap_riscv_image {
    /// `sizeof(kcap_riscv_image)`.
    pub size: usize,
    /// The bytes to load. The entry is at the first.
    pub kernel: *const u8,
    /// Their number.
    pub kernel_len: usize,
    /// The alignment of the load address, in bytes.
    pub text_offset: u64,
    /// The memory that the kernel needs from its load address on, in bytes.
    pub image_size: u64,
    /// The header's version: major in the upper 16 bits, minor in the lower.
    pub version: u32,
    /// 0.
    pub reserved: u32,
}

// SAFETY: `repr(C)`, begins with a `usize`, holds nothing but integers and a pointer that is never followed.
unsafe impl Growing for kcap_riscv_image {}

/// Writes what the riscv kernel in `image` is to `riscv`.
///
/// Errors: `KCAP_ERR_STATE` for an image of another kind, `KCAP_ERR_NULL`, `KCAP_ERR_LENGTH`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kcap_image_get_riscv(
    image: *const kcap_image,
    riscv: *mut kcap_riscv_image,
) -> kcap_status {
    answer(core::ptr::null_mut(), || {
        let place = ptr::out_growing(riscv)?;
        let image = of_kind(image, |image| if let Image::Riscv(image) = image { Some(image) } else { None })?;
        let (kernel, kernel_len) = parts(Some(image.raw().kernel()));
        place.put(&kcap_riscv_image {
            size: 0,
            kernel,
            kernel_len,
            text_offset: image.raw().text_offset(),
            image_size: image.raw().image_size(),
            version: image.version(),
            reserved: 0,
        });
        Ok(())
    })
}
