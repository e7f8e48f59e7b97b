//! Kernel images, recognised and described from their bytes.

mod bzimage;
mod compression;
mod elf;
mod flat;
#[cfg(test)]
mod tests;
mod uki;
mod zboot;

pub use bzimage::*;
pub use compression::*;
pub use elf::*;
pub use flat::*;
pub use uki::*;
pub use zboot::*;

use kexec_core::image::{self, Image};

use crate::error::{answer, kcap_error};
use crate::ptr;
use crate::status::{Failure, KCAP_ERR_STATE, kcap_status};

/// What kernel image a file is: one of the `KCAP_IMAGE_` numbers.
pub type kcap_image_kind = u32;

/// An x86 kernel behind its setup code, as installed in `/boot`: `kcap_image_get_bzimage`.
pub const KCAP_IMAGE_BZIMAGE: kcap_image_kind = 1;
/// `vmlinux`, or another kernel in ELF: `kcap_image_get_elf`.
pub const KCAP_IMAGE_ELF: kcap_image_kind = 2;
/// An uncompressed arm64 kernel: `kcap_image_get_arm64`.
pub const KCAP_IMAGE_ARM64: kcap_image_kind = 3;
/// An uncompressed riscv kernel: `kcap_image_get_riscv`.
pub const KCAP_IMAGE_RISCV: kcap_image_kind = 4;
/// An EFI program that holds a compressed kernel: `kcap_image_get_zboot`. Decompress the payload and identify that.
pub const KCAP_IMAGE_ZBOOT: kcap_image_kind = 5;
/// A unified kernel image, an EFI program that holds kernel, initrd and command line: `kcap_image_get_uki`.
pub const KCAP_IMAGE_UKI: kcap_image_kind = 6;

/// What an address or a length is that an image does not state.
pub const KCAP_NOT_STATED: u64 = 0xffff_ffff_ffff_ffff;

/// A kernel image. It keeps the bytes of its file.
///
/// Threads may use one object at once: nothing of it changes after its init.
#[derive(Debug)]
pub struct kcap_image {
    pub(crate) image: Image<'static>,
}

/// The size of a `kcap_image`, in bytes.
#[unsafe(no_mangle)]
pub extern "C" fn kcap_image_size() -> usize {
    size_of::<kcap_image>()
}

/// What the address of a `kcap_image` must be a multiple of.
#[unsafe(no_mangle)]
pub extern "C" fn kcap_image_align() -> usize {
    align_of::<kcap_image>()
}

/// Tells what kernel image the `file_len` bytes at `file`, the whole file, are, and checks them to the last byte that a
/// loader will use. The object lives in the `image_len` bytes at `image`. `file` is used for as long as `image` is, and so is
/// every pointer that a description of the image holds. Nothing is decompressed. `error` may be NULL.
///
/// Errors: `KCAP_ERR_UNSUPPORTED` for no kernel image (`value`: its first 8 bytes) or a variant that cannot be loaded;
/// `KCAP_ERR_CORRUPT` where a header contradicts itself or the file; `KCAP_ERR_BUFFER_TOO_SMALL` (`value`: bytes for `image`).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kcap_image_init(
    image: *mut kcap_image,
    image_len: usize,
    file: *const u8,
    file_len: usize,
    error: *mut kcap_error,
) -> kcap_status {
    answer(error, || {
        let place = ptr::object(image, image_len)?;
        let image = image::identify(ptr::slice(file, file_len)?)?;
        place.put(kcap_image { image });
        Ok(())
    })
}

/// What `image` is: a `KCAP_IMAGE_` number; 0 for NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kcap_image_kind_of(image: *const kcap_image) -> kcap_image_kind {
    ptr::get(image).map_or(0, |image| match image.image {
        Image::BzImage(_) => KCAP_IMAGE_BZIMAGE,
        Image::Elf(_) => KCAP_IMAGE_ELF,
        Image::Arm64(_) => KCAP_IMAGE_ARM64,
        Image::Riscv(_) => KCAP_IMAGE_RISCV,
        Image::Zboot(_) => KCAP_IMAGE_ZBOOT,
        Image::Uki(_) => KCAP_IMAGE_UKI,
        _ => 0,
    })
}

/// The machine that the kernel runs on, as an ELF `e_machine`; 0 for NULL and where the image does not say.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kcap_image_e_machine(image: *const kcap_image) -> u32 {
    ptr::get(image).ok().and_then(|image| image.image.e_machine()).map_or(0, u32::from)
}

/// The image at `image` if it is of the kind that `part` takes; `KCAP_ERR_STATE` if it is of another.
fn of_kind<T>(
    image: *const kcap_image,
    part: impl FnOnce(&'static Image<'static>) -> Option<T>,
) -> Result<T, Failure> {
    part(&ptr::get(image)?.image).ok_or(KCAP_ERR_STATE.into())
}

/// Address and length of bytes for C; NULL and 0 for none.
pub(crate) fn parts(bytes: Option<&'static [u8]>) -> (*const u8, usize) {
    bytes.map_or((core::ptr::null(), 0), |bytes| (bytes.as_ptr(), bytes.len()))
}
