//! Notes as bytes.

use core::ffi::c_char;

use vmcore_format::note;

use crate::error::{answer, kcap_error};
use crate::machine::endian;
use crate::ptr;
use crate::status::{Failure, kcap_status};

/// `n_type` of a CPU's registers (name "CORE").
pub const KCAP_NT_PRSTATUS: u32 = 1;
/// `n_type` of a device driver's dump (name "LINUX").
pub const KCAP_NT_VMCOREDD: u32 = 0x700;
/// `n_type` of the hypervisor's facts (name "Xen").
pub const KCAP_XEN_ELFNOTE_CRASH_INFO: u32 = 0x100_0001;
/// `n_type` of a CPU's control registers (name "Xen").
pub const KCAP_XEN_ELFNOTE_CRASH_REGS: u32 = 0x100_0002;

/// The length of a note of this name and of a descriptor of `desc_len` bytes, in bytes: a multiple of 4. 0 for NULL, and for
/// what is too large for a note.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kcap_note_encoded_len(name: *const c_char, desc_len: u32) -> u64 {
    ptr::text(name).ok().and_then(|name| note::encoded_len(name, desc_len)).unwrap_or(0)
}

/// The length of a note of this name up to its descriptor, in bytes; 0 for NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kcap_note_head_len(name: *const c_char) -> usize {
    ptr::text(name).ok().and_then(note::head_len).unwrap_or(0)
}

/// How many zero bytes follow a descriptor of `desc_len` bytes: 0 to 3.
#[unsafe(no_mangle)]
pub extern "C" fn kcap_note_padding(desc_len: u32) -> usize {
    note::descriptor_padding(desc_len)
}

/// Writes a whole note, whose descriptor are the `desc_len` bytes at `desc`, to the front of the `buf_len` bytes at `buf`, and
/// its length to `len`. `name` is NUL-terminated. `error` may be NULL.
///
/// Errors: `KCAP_ERR_BUFFER_TOO_SMALL`, `KCAP_ERR_UNSUPPORTED` (4 GiB), `KCAP_ERR_INVALID`, `KCAP_ERR_NULL`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kcap_note_encode(
    name: *const c_char,
    n_type: u32,
    desc: *const u8,
    desc_len: usize,
    big_endian: u32,
    buf: *mut u8,
    buf_len: usize,
    len: *mut usize,
    error: *mut kcap_error,
) -> kcap_status {
    answer(error, || {
        let (name, desc) = (ptr::text(name)?, ptr::slice(desc, desc_len)?);
        let (buf, place) = (ptr::slice_mut(buf, buf_len)?, ptr::out(len)?);
        place.put(note::encode(name, n_type, desc, endian(big_endian)?, buf)?);
        Ok(())
    })
}

/// Writes a note up to its descriptor to the front of the `buf_len` bytes at `buf`, and the length of that to `len`. `desc_len` bytes
/// and `kcap_note_padding` zeros are to follow: so is a descriptor written that does not fit in memory. `error` may be NULL.
///
/// Errors: as of `kcap_note_encode`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kcap_note_encode_head(
    name: *const c_char,
    n_type: u32,
    desc_len: u32,
    big_endian: u32,
    buf: *mut u8,
    buf_len: usize,
    len: *mut usize,
    error: *mut kcap_error,
) -> kcap_status {
    answer(error, || {
        let name = ptr::text(name)?;
        let (buf, place) = (ptr::slice_mut(buf, buf_len)?, ptr::out(len)?);
        place.put(note::encode_head(name, n_type, desc_len, endian(big_endian)?, buf)?);
        Ok(())
    })
}

/// Bytes of the name that a device dump's descriptor starts with.
pub const KCAP_DEVICE_DUMP_NAME_LEN: usize = 44;

/// Writes `name` as the descriptor of a device dump starts with it to the `KCAP_DEVICE_DUMP_NAME_LEN` bytes at `buf`: cut after 43 bytes,
/// padded with NULs.
///
/// Errors: `KCAP_ERR_BUFFER_TOO_SMALL`, `KCAP_ERR_NULL`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kcap_device_dump_name_encode(
    name: *const c_char,
    buf: *mut u8,
    buf_len: usize,
) -> kcap_status {
    answer(core::ptr::null_mut(), || {
        let (name, buf) = (ptr::text(name)?, ptr::slice_mut(buf, buf_len)?);
        let encoded = note::encode_dump_name(name);
        let place = buf.get_mut(..encoded.len()).ok_or(Failure::too_small(encoded.len()))?;
        place.copy_from_slice(&encoded);
        Ok(())
    })
}
