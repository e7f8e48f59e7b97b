//! The EFI zboot image.

use kexec_core::image::Image;

use super::compression::{kcap_payload, number};
use super::{kcap_image, of_kind, parts};
use crate::error::answer;
use crate::ptr::{self, Growing};
use crate::status::kcap_status;

/// What an EFI zboot image holds. Set `size` before the call. The pointer is into the file.
#[derive(Debug, Clone, Copy)]
#[repr(C)]
pub struct kcap_zboot {
    /// `sizeof(kcap_zboot)`.
    pub size: usize,
    /// The compressed kernel. Decompressed it is an image of its own.
    pub payload: *const u8,
    /// Its length in bytes.
    pub payload_len: usize,
    /// Where the payload starts, in bytes from the start of the file.
    pub payload_offset: u64,
    /// The length of the decompressed kernel as the image states it, in bytes.
    pub uncompressed_len: u32,
    /// How the payload is compressed: a `KCAP_PAYLOAD_` number.
    pub compression: kcap_payload,
}

// SAFETY: `repr(C)`, begins with a `usize`, holds nothing but integers and a pointer that is never followed.
unsafe impl Growing for kcap_zboot {}

/// Writes what the zboot image in `image` holds to `zboot`.
///
/// Errors: `KCAP_ERR_STATE` for an image of another kind, `KCAP_ERR_NULL`, `KCAP_ERR_LENGTH`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kcap_image_get_zboot(
    image: *const kcap_image,
    zboot: *mut kcap_zboot,
) -> kcap_status {
    answer(core::ptr::null_mut(), || {
        let place = ptr::out_growing(zboot)?;
        let image = of_kind(image, |image| if let Image::Zboot(image) = image { Some(image) } else { None })?;
        let (payload, payload_len) = parts(Some(image.payload()));
        place.put(&kcap_zboot {
            size: 0,
            payload,
            payload_len,
            payload_offset: image.payload_offset(),
            uncompressed_len: image.uncompressed_len(),
            compression: number(Some(image.compression())),
        });
        Ok(())
    })
}
