//! Relocatable ELF objects (`ET_REL`), linked to the address at which they will run.

use core::ffi::c_char;

use kexec_core::object::Object;

use crate::error::{answer, kcap_error};
use crate::ptr::{self, Growing};
use crate::status::kcap_status;

/// A relocatable object of x86_64, i386, aarch64, riscv64, ppc64le or s390x. It keeps its bytes.
///
/// Threads may use one object at once: nothing of it changes after its init.
#[derive(Debug)]
pub struct kcap_object {
    object: Object<'static>,
}

/// The size of a `kcap_object`, in bytes.
#[unsafe(no_mangle)]
pub extern "C" fn kcap_object_size() -> usize {
    size_of::<kcap_object>()
}

/// What the address of a `kcap_object` must be a multiple of.
#[unsafe(no_mangle)]
pub extern "C" fn kcap_object_align() -> usize {
    align_of::<kcap_object>()
}

/// Reads the object in the `bytes_len` bytes at `bytes`, which are used for as long as `object` is, and lays its sections
/// out. It lives in the `object_len` bytes at `object`. `error` may be NULL.
///
/// Errors: `KCAP_ERR_BUFFER_TOO_SMALL` (`value`: bytes for `object`); `KCAP_ERR_CORRUPT` for no ELF file and one that
/// contradicts itself; `KCAP_ERR_UNSUPPORTED` for another type than `ET_REL`, another machine, sections that cannot be loaded as
/// they are, and more than 256 of them.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kcap_object_init(
    object: *mut kcap_object,
    object_len: usize,
    bytes: *const u8,
    bytes_len: usize,
    error: *mut kcap_error,
) -> kcap_status {
    answer(error, || {
        let place = ptr::object(object, object_len)?;
        let object = Object::parse(ptr::slice(bytes, bytes_len)?)?;
        place.put(kcap_object { object });
        Ok(())
    })
}

/// `e_machine` of `object`, a `KCAP_EM_` number; 0 for NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kcap_object_machine(object: *const kcap_object) -> u32 {
    ptr::get(object).map_or(0, |object| object.object.machine().into())
}

/// What an object needs of the memory that it runs in. Set `size` before the call.
#[derive(Debug, Clone, Copy)]
#[repr(C)]
pub struct kcap_object_layout {
    /// `sizeof(kcap_object_layout)`.
    pub size: usize,
    /// The bytes of the image that come from the object: those that `kcap_object_link` fills.
    pub file_len: u64,
    /// The bytes of memory that the image takes, the zeros of `.bss` included.
    pub mem_len: u64,
    /// The alignment of the image in bytes, a power of two.
    pub align: u64,
    /// Where the image is entered, in bytes from its start: the symbol `purgatory_start`, or else `e_entry`.
    pub entry: u64,
}

// SAFETY: `repr(C)`, begins with a `usize`, holds nothing but integers.
unsafe impl Growing for kcap_object_layout {}

/// Writes size, alignment and entry of the image of `object` to `layout`.
///
/// Errors: `KCAP_ERR_CORRUPT` if the object has no entry, `KCAP_ERR_NULL`, `KCAP_ERR_LENGTH`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kcap_object_get_layout(
    object: *const kcap_object,
    layout: *mut kcap_object_layout,
    error: *mut kcap_error,
) -> kcap_status {
    answer(error, || {
        let place = ptr::out_growing(layout)?;
        let layout = ptr::get(object)?.object.layout()?;
        place.put(&kcap_object_layout {
            size: 0,
            file_len: layout.file_len,
            mem_len: layout.mem_len,
            align: layout.align,
            entry: layout.entry,
        });
        Ok(())
    })
}

/// Links `object` to the physical address `at`: fills the first `file_len` of the `image_len` bytes at `image`, gaps zeroed and
/// relocations applied. Bytes past them stay as they are. On an error the bytes of the image are unspecified.
///
/// Errors: `KCAP_ERR_BUFFER_TOO_SMALL` for `image`; `KCAP_ERR_UNSUPPORTED` where `at` has not the object's alignment or the
/// image would pass the end of the address space, for an unknown relocation type and a common symbol;
/// `KCAP_ERR_UNDEFINED_SYMBOL`; `KCAP_ERR_RELOCATION_OVERFLOW`; `KCAP_ERR_CORRUPT`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kcap_object_link(
    object: *const kcap_object,
    at: u64,
    image: *mut u8,
    image_len: usize,
    error: *mut kcap_error,
) -> kcap_status {
    answer(error, || {
        let image = ptr::slice_mut(image, image_len)?;
        Ok(ptr::get(object)?.object.link(at, image)?)
    })
}

/// Where a symbol stands in the image.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[repr(C)]
pub struct kcap_symbol {
    /// Bytes from the start of the image; for an absolute symbol its value.
    pub offset: u64,
    /// `st_size`, in bytes.
    pub len: u64,
    /// 1 where its bytes are part of the image, 0 where they are not (`.bss`).
    pub has_bytes: u32,
    /// 0.
    pub reserved: u32,
}

/// Writes where the global symbol `name` stands to `symbol`.
///
/// Errors: `KCAP_ERR_NO_SUCH_SYMBOL`; `KCAP_ERR_CORRUPT` if its section is not loaded or its bytes pass the section's end;
/// `KCAP_ERR_NULL`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kcap_object_get_symbol(
    object: *const kcap_object,
    name: *const c_char,
    symbol: *mut kcap_symbol,
    error: *mut kcap_error,
) -> kcap_status {
    answer(error, || {
        let place = ptr::out(symbol)?;
        let name = ptr::text(name)?;
        let found = ptr::get(object)?.object.symbol(name)?;
        place.put(kcap_symbol {
            offset: found.offset,
            len: found.size,
            has_bytes: found.has_bytes.into(),
            reserved: 0,
        });
        Ok(())
    })
}

/// Writes the `len` bytes at `bytes` over the global symbol `name` in the linked image, `image_len` bytes at `image`.
///
/// Errors: those of `kcap_object_get_symbol`; `KCAP_ERR_SYMBOL_SIZE` (`value`: its size) unless `len` is the symbol's;
/// `KCAP_ERR_SYMBOL_WITHOUT_BYTES` for one in `.bss`; `KCAP_ERR_BUFFER_TOO_SMALL` for `image`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kcap_object_set_symbol(
    object: *const kcap_object,
    image: *mut u8,
    image_len: usize,
    name: *const c_char,
    bytes: *const u8,
    len: usize,
    error: *mut kcap_error,
) -> kcap_status {
    answer(error, || {
        let image = ptr::slice_mut(image, image_len)?;
        let (name, bytes) = (ptr::text(name)?, ptr::slice(bytes, len)?);
        Ok(ptr::get(object)?.object.set_symbol(image, name, bytes)?)
    })
}

#[cfg(test)]
mod tests {
    #![expect(clippy::undocumented_unsafe_blocks, reason = "pointers to values here, or wrong on purpose")]

    use core::mem::MaybeUninit;
    use core::ptr::{null, null_mut};

    use purgatory::X86_64;

    use super::*;
    use crate::status::{
        KCAP_ERR_BUFFER_TOO_SMALL, KCAP_ERR_CORRUPT, KCAP_ERR_LENGTH, KCAP_ERR_NO_SUCH_SYMBOL, KCAP_ERR_NULL,
        KCAP_ERR_SYMBOL_SIZE, KCAP_ERR_UNSUPPORTED, KCAP_OK,
    };
    use crate::testing::{no_error, sized};

    fn with_object(test: impl FnOnce(*const kcap_object)) {
        let mut object = MaybeUninit::<kcap_object>::uninit();
        let (at, len) = (object.as_mut_ptr(), kcap_object_size());
        let status = unsafe { kcap_object_init(at, len, X86_64.as_ptr(), X86_64.len(), null_mut()) };
        assert_eq!(status, KCAP_OK);
        test(at);
    }

    #[test]
    fn our_purgatory_is_linked_and_told() {
        with_object(|object| unsafe {
            let mut layout: kcap_object_layout = sized();
            assert_eq!(kcap_object_machine(object), 62);
            assert_eq!(kcap_object_get_layout(object, &raw mut layout, null_mut()), KCAP_OK);
            let rust = Object::parse(X86_64).unwrap();
            let expected = rust.layout().unwrap();
            let found = (layout.file_len, layout.mem_len, layout.align, layout.entry);
            assert_eq!(found, (expected.file_len, expected.mem_len, expected.align, expected.entry));

            let len = usize::try_from(layout.file_len).unwrap();
            let mut image = std::vec![0x55_u8; len + 1];
            let at = image.as_mut_ptr();
            assert_eq!(kcap_object_link(object, 0x10_0000, at, len + 1, null_mut()), KCAP_OK);
            let mut same = std::vec![0x55_u8; len + 1];
            rust.link(0x10_0000, &mut same).unwrap();
            assert_eq!(image, same);

            let mut symbol = kcap_symbol::default();
            let name = c"kcapture_parameters".as_ptr();
            assert_eq!(kcap_object_get_symbol(object, name, &raw mut symbol, null_mut()), KCAP_OK);
            assert_eq!(
                (symbol.len, symbol.has_bytes),
                (u64::try_from(purgatory::Parameters::LEN).unwrap(), 1)
            );
            let bytes = std::vec![0xaa_u8; purgatory::Parameters::LEN];
            let (from, size) = (bytes.as_ptr(), bytes.len());
            assert_eq!(kcap_object_set_symbol(object, at, len, name, from, size, null_mut()), KCAP_OK);
            let start = usize::try_from(symbol.offset).unwrap();
            assert_eq!(&image[start..start + size], bytes);
            let mut error = no_error();
            let status = kcap_object_set_symbol(object, at, len, name, from, size - 1, &raw mut error);
            assert_eq!((status, error.value), (KCAP_ERR_SYMBOL_SIZE, symbol.len));
        });
    }

    #[test]
    fn wrong_pointers_and_lengths_are_found() {
        let mut place = MaybeUninit::<kcap_object>::uninit();
        let (at, size) = (place.as_mut_ptr(), kcap_object_size());
        let bytes = X86_64.as_ptr();
        with_object(|object| unsafe {
            let none = null_mut();
            let init = |at, size, bytes, len| kcap_object_init(at, size, bytes, len, null_mut());
            assert_eq!(init(null_mut(), size, bytes, X86_64.len()), KCAP_ERR_NULL);
            assert_eq!(init(at, 0, bytes, X86_64.len()), KCAP_ERR_BUFFER_TOO_SMALL);
            assert_eq!(init(at, usize::MAX, bytes, X86_64.len()), KCAP_ERR_LENGTH);
            assert_eq!(init(at, size, null(), 1), KCAP_ERR_NULL);
            assert_eq!(init(at, size, bytes, 0), KCAP_ERR_CORRUPT);
            assert_eq!(init(at, size, bytes, usize::MAX), KCAP_ERR_LENGTH);
            let mut layout: kcap_object_layout = sized();
            let mut symbol = kcap_symbol::default();
            let mut byte = 0_u8;
            let out = &raw mut byte;
            assert_eq!(kcap_object_machine(null()), 0);
            assert_eq!(kcap_object_get_layout(null(), &raw mut layout, none), KCAP_ERR_NULL);
            assert_eq!(kcap_object_get_layout(object, null_mut(), none), KCAP_ERR_NULL);
            layout.size = 0;
            assert_eq!(kcap_object_get_layout(object, &raw mut layout, none), KCAP_ERR_LENGTH);
            assert_eq!(kcap_object_link(null(), 0, out, 1, none), KCAP_ERR_NULL);
            assert_eq!(kcap_object_link(object, 0, null_mut(), 1, none), KCAP_ERR_NULL);
            assert_eq!(kcap_object_link(object, 0, out, 1, none), KCAP_ERR_BUFFER_TOO_SMALL);
            assert_eq!(kcap_object_link(object, 0, out, usize::MAX, none), KCAP_ERR_LENGTH);
            let mut image = std::vec![0_u8; 0x8000];
            let odd = kcap_object_link(object, 1, image.as_mut_ptr(), image.len(), none);
            assert_eq!(odd, KCAP_ERR_UNSUPPORTED);
            assert_eq!(kcap_object_get_symbol(null(), c"x".as_ptr(), &raw mut symbol, none), KCAP_ERR_NULL);
            assert_eq!(kcap_object_get_symbol(object, null(), &raw mut symbol, none), KCAP_ERR_NULL);
            assert_eq!(kcap_object_get_symbol(object, c"x".as_ptr(), null_mut(), none), KCAP_ERR_NULL);
            assert_eq!(
                kcap_object_get_symbol(object, c"x".as_ptr(), &raw mut symbol, none),
                KCAP_ERR_NO_SUCH_SYMBOL
            );
            let set = |object, image, len, name, bytes, bytes_len| {
                kcap_object_set_symbol(object, image, len, name, bytes, bytes_len, null_mut())
            };
            let name = c"kcapture_parameters".as_ptr();
            let len = purgatory::Parameters::LEN;
            assert_eq!(set(null(), out, 1, name, bytes, len), KCAP_ERR_NULL);
            assert_eq!(set(object, null_mut(), 1, name, bytes, len), KCAP_ERR_NULL);
            assert_eq!(set(object, out, 1, null(), bytes, len), KCAP_ERR_NULL);
            assert_eq!(set(object, out, 1, name, null(), len), KCAP_ERR_NULL);
            assert_eq!(set(object, out, 1, name, bytes, usize::MAX), KCAP_ERR_LENGTH);
            assert_eq!(set(object, out, 0, name, bytes, len), KCAP_ERR_BUFFER_TOO_SMALL);
            assert_eq!(byte, 0);
        });
    }
}
