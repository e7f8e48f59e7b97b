//! VMCOREINFO: what the dumped kernel says about its own structures.

use core::ffi::c_char;
use core::str;

use vmcore_format::vmcoreinfo::VmcoreInfo;

use crate::error::{answer, kcap_error};
use crate::ptr;
use crate::status::{Failure, KCAP_END, KCAP_ERR_NOT_FOUND, kcap_status};

/// The text of a VMCOREINFO note, looked up in place: lines of the form `KEY=value`. Where a key stands twice the first line
/// counts. A value that is not of the asked form counts as missing.
///
/// Threads may use one object at once.
#[derive(Debug)]
pub struct kcap_vmcoreinfo {
    pub(crate) info: VmcoreInfo<'static>,
}

/// The size of a `kcap_vmcoreinfo`, in bytes.
#[unsafe(no_mangle)]
pub extern "C" fn kcap_vmcoreinfo_size() -> usize {
    size_of::<kcap_vmcoreinfo>()
}

/// What the address of a `kcap_vmcoreinfo` must be a multiple of.
#[unsafe(no_mangle)]
pub extern "C" fn kcap_vmcoreinfo_align() -> usize {
    align_of::<kcap_vmcoreinfo>()
}

/// The VMCOREINFO whose text are the `text_len` bytes at `text` (the descriptor of the note), which are used for as long as
/// the object is; in the `info_len` bytes at `info`. `error` may be NULL.
///
/// Errors: `KCAP_ERR_BUFFER_TOO_SMALL`, `KCAP_ERR_NULL`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kcap_vmcoreinfo_init(
    info: *mut kcap_vmcoreinfo,
    info_len: usize,
    text: *const u8,
    text_len: usize,
    error: *mut kcap_error,
) -> kcap_status {
    answer(error, || {
        let place = ptr::object(info, info_len)?;
        place.put(kcap_vmcoreinfo { info: VmcoreInfo::new(ptr::slice(text, text_len)?) });
        Ok(())
    })
}

/// A piece of a text that is not NUL-terminated.
#[derive(Debug, Clone, Copy)]
#[repr(C)]
pub struct kcap_text {
    /// The first byte, in the memory of the object that gave it. Never NULL.
    pub bytes: *const c_char,
    /// The number of bytes.
    pub len: usize,
}

impl From<&[u8]> for kcap_text {
    fn from(text: &[u8]) -> Self {
        Self { bytes: text.as_ptr().cast(), len: text.len() }
    }
}

/// Writes the whole text to `text`.
///
/// Errors: `KCAP_ERR_NULL`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kcap_vmcoreinfo_text(
    info: *const kcap_vmcoreinfo,
    text: *mut kcap_text,
) -> kcap_status {
    answer(core::ptr::null_mut(), || {
        let info = &ptr::get(info)?.info;
        ptr::out(text)?.put(info.text().into());
        Ok(())
    })
}

/// A name that is no UTF-8 is in no VMCOREINFO.
fn name(text: *const c_char) -> Result<&'static str, Failure> {
    Ok(str::from_utf8(ptr::text(text)?).map_err(|_| KCAP_ERR_NOT_FOUND)?)
}

/// Answers a look-up of `name` by `find`.
fn look_up<T: 'static>(
    info: *const kcap_vmcoreinfo,
    key: *const c_char,
    value: *mut T,
    find: impl FnOnce(&VmcoreInfo<'static>, &str) -> Option<T>,
) -> kcap_status {
    answer(core::ptr::null_mut(), || {
        let info = &ptr::get(info)?.info;
        let place = ptr::out(value)?;
        place.put(find(info, name(key)?).ok_or(KCAP_ERR_NOT_FOUND)?);
        Ok(())
    })
}

/// Writes the value of `key`, such as `OSRELEASE`, `BUILD-ID` or `SYMBOL(init_uts_ns)`, to `value`.
///
/// Errors: `KCAP_ERR_NOT_FOUND`, `KCAP_ERR_NULL`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kcap_vmcoreinfo_get(
    info: *const kcap_vmcoreinfo,
    key: *const c_char,
    value: *mut kcap_text,
) -> kcap_status {
    look_up(info, key, value, |info, key| info.get(key).map(|found| found.as_bytes().into()))
}

/// Writes `SYMBOL(name)`, the virtual address of a kernel symbol, KASLR included, to `value`.
///
/// Errors: `KCAP_ERR_NOT_FOUND`, `KCAP_ERR_NULL`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kcap_vmcoreinfo_get_symbol(
    info: *const kcap_vmcoreinfo,
    name: *const c_char,
    value: *mut u64,
) -> kcap_status {
    look_up(info, name, value, VmcoreInfo::symbol)
}

/// Writes `SIZE(name)`, the size of a type in bytes, to `value`.
///
/// Errors: `KCAP_ERR_NOT_FOUND`, `KCAP_ERR_NULL`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kcap_vmcoreinfo_get_size(
    info: *const kcap_vmcoreinfo,
    name: *const c_char,
    value: *mut u64,
) -> kcap_status {
    look_up(info, name, value, VmcoreInfo::size)
}

/// Writes `OFFSET(name)`, where a member such as "page.flags" stands in its structure, in bytes, to `value`.
///
/// Errors: `KCAP_ERR_NOT_FOUND`, `KCAP_ERR_NULL`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kcap_vmcoreinfo_get_offset(
    info: *const kcap_vmcoreinfo,
    name: *const c_char,
    value: *mut u64,
) -> kcap_status {
    look_up(info, name, value, VmcoreInfo::offset)
}

/// Writes `LENGTH(name)`, the number of elements of an array, to `value`.
///
/// Errors: `KCAP_ERR_NOT_FOUND`, `KCAP_ERR_NULL`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kcap_vmcoreinfo_get_length(
    info: *const kcap_vmcoreinfo,
    name: *const c_char,
    value: *mut u64,
) -> kcap_status {
    look_up(info, name, value, VmcoreInfo::length)
}

/// Writes `NUMBER(name)`, a constant of the kernel, to `value`. Numbers from 2^63 on come as the same 64 bits, so negative.
///
/// Errors: `KCAP_ERR_NOT_FOUND`, `KCAP_ERR_NULL`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kcap_vmcoreinfo_get_number(
    info: *const kcap_vmcoreinfo,
    name: *const c_char,
    value: *mut i64,
) -> kcap_status {
    look_up(info, name, value, VmcoreInfo::number)
}

/// What VMCOREINFO says of the machine, by the flags that say what is known. Set `size` before the call.
#[derive(Debug, Clone, Copy)]
#[repr(C)]
pub struct kcap_vmcoreinfo_facts {
    /// `sizeof(kcap_vmcoreinfo_facts)`.
    pub size: usize,
    /// `PAGESIZE`: bytes of a page; 0 if unknown.
    pub page_size: u64,
    /// `CRASHTIME`: when the machine crashed, in seconds since 1970.
    pub crash_time: i64,
    /// `KERNELOFFSET`: how far KASLR moved the kernel's image, in bytes.
    pub kernel_offset: u64,
    /// 1 if `crash_time` is known: the dump was not taken of a running machine.
    pub has_crash_time: u32,
    /// 1 if `kernel_offset` is known.
    pub has_kernel_offset: u32,
}

// SAFETY: `repr(C)`, begins with a `usize`, holds nothing but integers.
unsafe impl ptr::Growing for kcap_vmcoreinfo_facts {}

/// Writes what VMCOREINFO says of the machine to `facts`.
///
/// Errors: `KCAP_ERR_NULL`, `KCAP_ERR_LENGTH`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kcap_vmcoreinfo_get_facts(
    info: *const kcap_vmcoreinfo,
    facts: *mut kcap_vmcoreinfo_facts,
) -> kcap_status {
    answer(core::ptr::null_mut(), || {
        let info = &ptr::get(info)?.info;
        let (time, offset) = (info.crash_time(), info.kernel_offset());
        ptr::out_growing(facts)?.put(&kcap_vmcoreinfo_facts {
            size: 0,
            page_size: info.page_size().map_or(0, |size| size.bytes()),
            crash_time: time.unwrap_or(0),
            kernel_offset: offset.unwrap_or(0),
            has_crash_time: time.is_some().into(),
            has_kernel_offset: offset.is_some().into(),
        });
        Ok(())
    })
}

/// Writes the next line's key and value to `key` and `value`, unknown keys too. `position` is 0 for the first line and is set
/// to that of the line after it.
///
/// Errors: `KCAP_END` after the last line, `KCAP_ERR_NULL`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kcap_vmcoreinfo_next(
    info: *const kcap_vmcoreinfo,
    position: *mut usize,
    key: *mut kcap_text,
    value: *mut kcap_text,
) -> kcap_status {
    answer(core::ptr::null_mut(), || {
        let info = &ptr::get(info)?.info;
        let position = ptr::get_mut(position)?;
        let (key, value) = (ptr::out(key)?, ptr::out(value)?);
        let rest = info.text().get(*position..).unwrap_or_default();
        let (found, text) = VmcoreInfo::new(rest).iter().next().ok_or(KCAP_END)?;
        let before = text.as_ptr().addr().saturating_sub(info.text().as_ptr().addr());
        *position = before.saturating_add(text.len());
        key.put(found.as_bytes().into());
        value.put(text.as_bytes().into());
        Ok(())
    })
}

#[cfg(test)]
mod tests {
    use core::mem::MaybeUninit;
    use core::ptr::{null, null_mut};
    use std::slice;
    use std::vec::Vec;

    use super::*;
    use crate::status::{KCAP_ERR_BUFFER_TOO_SMALL, KCAP_ERR_LENGTH, KCAP_ERR_NULL, KCAP_OK};

    const TEXT: &[u8] = b"OSRELEASE=6.1\nno line\nPAGESIZE=4096\nSYMBOL(s)=ff\nSIZE(t)=64\nOFFSET(t.m)=8\n\
        LENGTH(a)=11\nNUMBER(n)=-3\nKERNELOFFSET=1000\n";

    fn bytes(text: kcap_text) -> &'static [u8] {
        // SAFETY: what the library gave, of a static text.
        unsafe { slice::from_raw_parts(text.bytes.cast(), text.len) }
    }

    #[test]
    fn every_kind_of_line_is_found() {
        let mut object = MaybeUninit::<kcap_vmcoreinfo>::uninit();
        let info = object.as_mut_ptr();
        let mut text = kcap_text { bytes: null(), len: 0 };
        let (mut number, mut signed) = (7_u64, 7_i64);
        // SAFETY: all pointers are to what they say, or NULL.
        unsafe {
            let len = kcap_vmcoreinfo_size();
            assert_eq!(kcap_vmcoreinfo_init(info, len, TEXT.as_ptr(), TEXT.len(), null_mut()), KCAP_OK);
            assert_eq!(kcap_vmcoreinfo_get(info, c"OSRELEASE".as_ptr(), &raw mut text), KCAP_OK);
            assert_eq!(bytes(text), b"6.1");
            assert_eq!(kcap_vmcoreinfo_get_size(info, c"s".as_ptr(), &raw mut number), KCAP_ERR_NOT_FOUND);
            assert_eq!(kcap_vmcoreinfo_get_size(info, c"\xff".as_ptr(), &raw mut number), KCAP_ERR_NOT_FOUND);
            assert_eq!(number, 7);
            assert_eq!(kcap_vmcoreinfo_get_symbol(info, c"s".as_ptr(), &raw mut number), KCAP_OK);
            assert_eq!(number, 255);
            assert_eq!(kcap_vmcoreinfo_get_size(info, c"t".as_ptr(), &raw mut number), KCAP_OK);
            assert_eq!(number, 64);
            assert_eq!(kcap_vmcoreinfo_get_offset(info, c"t.m".as_ptr(), &raw mut number), KCAP_OK);
            assert_eq!(number, 8);
            assert_eq!(kcap_vmcoreinfo_get_length(info, c"a".as_ptr(), &raw mut number), KCAP_OK);
            assert_eq!(number, 11);
            assert_eq!(kcap_vmcoreinfo_get_number(info, c"n".as_ptr(), &raw mut signed), KCAP_OK);
            assert_eq!(signed, -3);
            let mut facts = MaybeUninit::<kcap_vmcoreinfo_facts>::zeroed().assume_init();
            assert_eq!(kcap_vmcoreinfo_get_facts(info, &raw mut facts), KCAP_ERR_LENGTH);
            facts.size = size_of::<kcap_vmcoreinfo_facts>();
            assert_eq!(kcap_vmcoreinfo_get_facts(info, &raw mut facts), KCAP_OK);
            assert_eq!((facts.page_size, facts.has_crash_time), (4096, 0));
            assert_eq!((facts.kernel_offset, facts.has_kernel_offset), (0x1000, 1));
            let (mut at, mut key, mut keys) = (0, text, Vec::new());
            while kcap_vmcoreinfo_next(info, &raw mut at, &raw mut key, &raw mut text) == KCAP_OK {
                keys.push(bytes(key));
            }
            assert_eq!(
                (keys.len(), keys[1], *keys.last().unwrap()),
                (8, &b"PAGESIZE"[..], &b"KERNELOFFSET"[..])
            );
            at = usize::MAX;
            assert_eq!(kcap_vmcoreinfo_next(info, &raw mut at, &raw mut key, &raw mut text), KCAP_END);
            assert_eq!(at, usize::MAX);
        }
    }

    #[test]
    fn null_and_lengths_are_found() {
        let mut object = MaybeUninit::<kcap_vmcoreinfo>::uninit();
        let info = object.as_mut_ptr();
        let mut number = 7;
        // SAFETY: all pointers are to what they say, or NULL.
        unsafe {
            let len = kcap_vmcoreinfo_size();
            assert_eq!(kcap_vmcoreinfo_init(null_mut(), len, null(), 0, null_mut()), KCAP_ERR_NULL);
            assert_eq!(kcap_vmcoreinfo_init(info, 0, null(), 0, null_mut()), KCAP_ERR_BUFFER_TOO_SMALL);
            assert_eq!(kcap_vmcoreinfo_init(info, usize::MAX, null(), 0, null_mut()), KCAP_ERR_LENGTH);
            assert_eq!(kcap_vmcoreinfo_init(info, len, null(), 1, null_mut()), KCAP_ERR_NULL);
            assert_eq!(
                kcap_vmcoreinfo_init(info, len, TEXT.as_ptr(), usize::MAX, null_mut()),
                KCAP_ERR_LENGTH
            );
            assert_eq!(kcap_vmcoreinfo_init(info, len, null(), 0, null_mut()), KCAP_OK);
            assert_eq!(kcap_vmcoreinfo_get_size(null(), c"t".as_ptr(), &raw mut number), KCAP_ERR_NULL);
            assert_eq!(kcap_vmcoreinfo_get_size(info, null(), &raw mut number), KCAP_ERR_NULL);
            assert_eq!(kcap_vmcoreinfo_get_size(info, c"t".as_ptr(), null_mut()), KCAP_ERR_NULL);
            assert_eq!(kcap_vmcoreinfo_text(info, null_mut()), KCAP_ERR_NULL);
            assert_eq!(kcap_vmcoreinfo_next(info, null_mut(), null_mut(), null_mut()), KCAP_ERR_NULL);
            assert_eq!(kcap_vmcoreinfo_get_facts(info, null_mut()), KCAP_ERR_NULL);
        }
    }
}
