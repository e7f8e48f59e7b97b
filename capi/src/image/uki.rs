//! The unified kernel image and its sections.

use core::ffi::c_char;

use kexec_core::image::{Image, PeSection, Uki};

use super::{kcap_image, of_kind, parts};
use crate::error::{answer, kcap_error};
use crate::ptr::{self, Growing};
use crate::status::{KCAP_ERR_NOT_FOUND, kcap_status};

/// What a unified kernel image holds. Set `size` before the call. Pointers are into the file, NULL where there is no such
/// section. In an image with several profiles, sections of the first go before those that all share.
#[derive(Debug, Clone, Copy)]
#[repr(C)]
pub struct kcap_uki {
    /// `sizeof(kcap_uki)`.
    pub size: usize,
    /// The kernel, an image of its own: `.linux`.
    pub linux_image: *const u8,
    /// Its length in bytes.
    pub linux_len: usize,
    /// The initrd: `.initrd`.
    pub initrd: *const u8,
    /// Its length in bytes.
    pub initrd_len: usize,
    /// The CPU microcode, an initrd that goes before the other: `.ucode`.
    pub ucode: *const u8,
    /// Its length in bytes.
    pub ucode_len: usize,
    /// The command line, without a NUL: `.cmdline`.
    pub cmdline: *const u8,
    /// Its length in bytes.
    pub cmdline_len: usize,
}

// SAFETY: `repr(C)`, begins with a `usize`, holds nothing but integers and pointers that are never followed.
unsafe impl Growing for kcap_uki {}

fn uki(image: &'static Image<'static>) -> Option<&'static Uki<'static>> {
    if let Image::Uki(uki) = image { Some(uki) } else { None }
}

/// Writes what the unified kernel image in `image` holds to `uki`.
///
/// Errors: `KCAP_ERR_STATE` for an image of another kind, `KCAP_ERR_NULL`, `KCAP_ERR_LENGTH`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kcap_image_get_uki(image: *const kcap_image, uki: *mut kcap_uki) -> kcap_status {
    answer(core::ptr::null_mut(), || {
        let place = ptr::out_growing(uki)?;
        let image = of_kind(image, self::uki)?;
        let (linux_image, linux_len) = parts(Some(image.linux()));
        let (initrd, initrd_len) = parts(image.initrd());
        let (ucode, ucode_len) = parts(image.ucode());
        let (cmdline, cmdline_len) = parts(image.cmdline());
        place.put(&kcap_uki {
            size: 0,
            linux_image,
            linux_len,
            initrd,
            initrd_len,
            ucode,
            ucode_len,
            cmdline,
            cmdline_len,
        });
        Ok(())
    })
}

/// Makes an image of the kernel in the unified kernel image `image`, in the `kernel_len` bytes at `kernel`. It keeps the
/// same file. `error` may be NULL.
///
/// Errors: `KCAP_ERR_STATE` for an image of another kind, `KCAP_ERR_BUFFER_TOO_SMALL` (`value`: bytes for `kernel`).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kcap_image_uki_kernel(
    image: *const kcap_image,
    kernel: *mut kcap_image,
    kernel_len: usize,
    error: *mut kcap_error,
) -> kcap_status {
    answer(error, || {
        let place = ptr::object(kernel, kernel_len)?;
        let image = of_kind(image, uki)?.kernel()?;
        place.put(kcap_image { image });
        Ok(())
    })
}

/// A section of an EFI program.
#[derive(Debug, Clone, Copy)]
#[repr(C)]
pub struct kcap_pe_section {
    /// The section's bytes, without the padding to the file alignment; NULL for none.
    pub data: *const u8,
    /// Their number.
    pub data_len: usize,
    /// Where they start, in bytes from the start of the file.
    pub offset: u64,
    /// `VirtualSize`: the section's length in memory, in bytes. Past `data` it is zero.
    pub virtual_size: u32,
    /// The section's name, NUL-terminated.
    pub name: [u8; 12],
}

impl From<PeSection<'static>> for kcap_pe_section {
    fn from(section: PeSection<'static>) -> Self {
        let mut name = [0; 12];
        for (to, from) in name.iter_mut().zip(section.name().iter().take(8)) {
            *to = *from;
        }
        let (data, data_len) = parts(Some(section.data).filter(|data| !data.is_empty()));
        Self { data, data_len, offset: section.offset, virtual_size: section.virtual_size, name }
    }
}

/// Writes section number `index` of the unified kernel image in `image`, in the order of their headers and from 0, to
/// `section`. `.profile` starts a profile.
///
/// Errors: `KCAP_ERR_NOT_FOUND` past the last one, `KCAP_ERR_STATE` for an image of another kind, `KCAP_ERR_NULL`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kcap_image_uki_section(
    image: *const kcap_image,
    index: usize,
    section: *mut kcap_pe_section,
) -> kcap_status {
    answer(core::ptr::null_mut(), || {
        let place = ptr::out(section)?;
        let section = of_kind(image, uki)?.sections().nth(index).ok_or(KCAP_ERR_NOT_FOUND)??;
        place.put(section.into());
        Ok(())
    })
}

/// Writes address and length of the bytes of the section called `name`, with its dot, to `data` and `len`.
///
/// Errors: `KCAP_ERR_NOT_FOUND`, `KCAP_ERR_STATE` for an image of another kind, `KCAP_ERR_NULL`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kcap_image_uki_find(
    image: *const kcap_image,
    name: *const c_char,
    data: *mut *const u8,
    len: *mut usize,
) -> kcap_status {
    answer(core::ptr::null_mut(), || {
        let (data, len) = (ptr::out(data)?, ptr::out(len)?);
        let name = ptr::text(name)?;
        let found = parts(Some(of_kind(image, uki)?.section(name).ok_or(KCAP_ERR_NOT_FOUND)?));
        data.put(found.0);
        len.put(found.1);
        Ok(())
    })
}
