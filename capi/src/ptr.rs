//! Where pointers from C become references: here, and in no other file.
//!
//! The functions of the C ABI are `unsafe`: their callers vouch that a pointer is NULL or points at what its type says,
//! for as long as the function's comment says that it is used. What they vouch for is turned into references here, after
//! everything that can be checked was checked: NULL, alignment, lengths that no object can have. The lifetime is
//! `'static` because C has no other word for "longer than the object that keeps it".
//!
//! These functions are therefore not for callers of their own: they take only what came from C.

use core::ffi::{CStr, c_char, c_void};
use core::mem::{MaybeUninit, size_of};
use core::slice;

use crate::status::{Failure, KCAP_ERR_ALIGNMENT, KCAP_ERR_LENGTH, KCAP_ERR_NULL, kcap_status};

fn check<T>(pointer: *const T) -> Result<(), kcap_status> {
    if pointer.is_null() {
        Err(KCAP_ERR_NULL)
    } else if !pointer.is_aligned() {
        Err(KCAP_ERR_ALIGNMENT)
    } else {
        Ok(())
    }
}

/// What `pointer` points at.
pub(crate) fn get<T>(pointer: *const T) -> Result<&'static T, Failure> {
    check(pointer)?;
    // SAFETY: not NULL and aligned; the caller of the C function vouches for the rest.
    Ok(unsafe { &*pointer })
}

/// What `pointer` points at, to be changed.
pub(crate) fn get_mut<T>(pointer: *mut T) -> Result<&'static mut T, Failure> {
    check(pointer.cast_const())?;
    // SAFETY: as in `get`; that nothing else uses it in the meantime is the thread rule of every object.
    Ok(unsafe { &mut *pointer })
}

/// The bytes that `count` values of `T` take, if any object can be so large.
fn bytes_of<T>(count: usize) -> Result<usize, kcap_status> {
    let bytes = count.checked_mul(size_of::<T>()).filter(|&bytes| isize::try_from(bytes).is_ok());
    bytes.ok_or(KCAP_ERR_LENGTH)
}

/// `count` values at `pointer`, which may be NULL when there are none.
pub(crate) fn slice<T>(pointer: *const T, count: usize) -> Result<&'static [T], Failure> {
    if count == 0 {
        return Ok(&[]);
    }
    check(pointer)?;
    bytes_of::<T>(count)?;
    // SAFETY: not NULL, aligned, no longer than an object can be; the caller of the C function vouches for the rest.
    Ok(unsafe { slice::from_raw_parts(pointer, count) })
}

/// `count` values at `pointer`, to be changed.
pub(crate) fn slice_mut<T>(pointer: *mut T, count: usize) -> Result<&'static mut [T], Failure> {
    if count == 0 {
        return Ok(&mut []);
    }
    check(pointer.cast_const())?;
    bytes_of::<T>(count)?;
    // SAFETY: as in `slice` and `get_mut`.
    Ok(unsafe { slice::from_raw_parts_mut(pointer, count) })
}

/// The string at `pointer`, without its NUL.
pub(crate) fn text(pointer: *const c_char) -> Result<&'static [u8], Failure> {
    string(pointer).map(CStr::to_bytes)
}

/// The string at `pointer`, with its NUL. The loop is here because a freestanding library has no `strlen`.
pub(crate) fn string(pointer: *const c_char) -> Result<&'static CStr, Failure> {
    check(pointer)?;
    let mut len = 0_usize;
    // SAFETY: not NULL; the caller of the C function vouches for the NUL at its end, and `len` does not go past it.
    while unsafe { *pointer.wrapping_add(len) } != 0 {
        len = len.saturating_add(1);
    }
    let bytes = slice(pointer.cast::<u8>(), len.saturating_add(1))?;
    CStr::from_bytes_with_nul(bytes).map_err(|_| KCAP_ERR_LENGTH.into())
}

/// The open file of number `fd`, which stays open; `None` for a negative number.
#[cfg(feature = "hosted")]
pub(crate) fn file(fd: i32) -> Option<core::mem::ManuallyDrop<std::fs::File>> {
    use std::os::fd::FromRawFd as _;
    (fd >= 0).then(|| {
        // SAFETY: the caller of the C function vouches that the file is open for the call, and it is not closed here.
        core::mem::ManuallyDrop::new(unsafe { std::fs::File::from_raw_fd(fd) })
    })
}

/// A place for a value that is written only when everything else went well.
#[derive(Debug)]
pub(crate) struct Place<T: 'static>(&'static mut MaybeUninit<T>);

impl<T> Place<T> {
    /// Writes the value.
    pub(crate) fn put(self, value: T) -> &'static mut T {
        self.0.write(value)
    }
}

/// The place of an out-parameter.
pub(crate) fn out<T>(pointer: *mut T) -> Result<Place<T>, Failure> {
    get_mut(pointer.cast::<MaybeUninit<T>>()).map(Place)
}

/// The memory, `len` bytes, in which an object is to live.
pub(crate) fn object<T>(pointer: *mut T, len: usize) -> Result<Place<T>, Failure> {
    let place = out(pointer)?;
    if len < size_of::<T>() {
        return Err(Failure::too_small(size_of::<T>()));
    }
    bytes_of::<u8>(len)?;
    Ok(place)
}

/// As many values as fit in the `len` bytes at `memory`, each set to `value`. NULL is no values if `len` is 0.
pub(crate) fn table<T: Copy>(memory: *mut c_void, len: usize, value: T) -> Result<&'static mut [T], Failure> {
    bytes_of::<u8>(len)?;
    let count = len.checked_div(size_of::<T>()).unwrap_or(0);
    let table = slice_mut(memory.cast::<MaybeUninit<T>>(), count)?;
    for place in table.iter_mut() {
        place.write(value);
    }
    // SAFETY: every value was written in the loop above, and `MaybeUninit<T>` has the layout of `T`.
    Ok(unsafe { slice::from_raw_parts_mut(table.as_mut_ptr().cast::<T>(), count) })
}

/// The bytes that `count` values of `T` take in a [`Work`].
pub(crate) const fn room<T>(count: usize) -> usize {
    size_of::<T>().saturating_mul(count).saturating_add(7) & !7
}

/// Memory of the caller, divided into tables from the front. It is aligned to 8.
#[derive(Debug)]
pub(crate) struct Work(&'static mut [MaybeUninit<u64>]);

impl Work {
    /// The `len` bytes at `memory`, of which `needed` will be asked for.
    pub(crate) fn new(memory: *mut c_void, len: usize, needed: usize) -> Result<Self, Failure> {
        bytes_of::<u8>(len)?;
        let words = slice_mut(memory.cast::<MaybeUninit<u64>>(), len >> 3)?;
        if len & !7 < needed { Err(Failure::too_small(needed)) } else { Ok(Self(words)) }
    }

    /// The bytes that are left.
    pub(crate) fn left(&self) -> usize {
        size_of_val(&*self.0)
    }

    /// The next `count` values of `T`, each set to `value`.
    pub(crate) fn table<T: Copy>(&mut self, count: usize, value: T) -> Result<&'static mut [T], Failure> {
        const { assert!(align_of::<T>() <= align_of::<u64>()) };
        let bytes = room::<T>(count);
        let (taken, rest) =
            core::mem::take(&mut self.0).split_at_mut_checked(bytes >> 3).ok_or(Failure::too_small(bytes))?;
        self.0 = rest;
        table(taken.as_mut_ptr().cast(), size_of::<T>().saturating_mul(count), value)
    }

    /// The next value of `T`.
    pub(crate) fn one<T>(&mut self, value: T) -> Result<&'static mut T, Failure> {
        const { assert!(align_of::<T>() <= align_of::<u64>()) };
        let taken = self.table(room::<T>(1) >> 3, MaybeUninit::<u64>::uninit())?;
        Ok(out(taken.as_mut_ptr().cast::<T>())?.put(value))
    }
}

/// `bytes` as C has text: cut to `N` - 1 characters, NUL at the end.
pub(crate) fn chars<const N: usize>(bytes: &[u8]) -> [c_char; N] {
    let mut text = [0; N];
    let before_nul = text.iter_mut().take(N.saturating_sub(1));
    before_nul.zip(bytes).for_each(|(to, from)| *to = c_char::from_ne_bytes([*from]));
    text
}

/// A struct that may grow: its first member is its size in bytes as the caller's header knows it, and members that a
/// caller does not know yet are 0.
///
/// # Safety
/// The type is `repr(C)`, begins with a `usize`, and is sound with all bytes zero.
pub(crate) unsafe trait Growing: Copy {}

/// The struct at `pointer`, with zeros for what the caller does not know. Members that this library does not know are left
/// aside.
pub(crate) fn read_growing<T: Growing>(pointer: *const T) -> Result<T, Failure> {
    let size = *get(pointer.cast::<usize>())?;
    check(pointer)?;
    if size < size_of::<usize>() {
        return Err(KCAP_ERR_LENGTH.into());
    }
    let mut value = MaybeUninit::<T>::zeroed();
    // Whole words: of a pointer there is no half.
    let known = size.min(size_of::<T>()) & !size_of::<usize>().wrapping_sub(1);
    // SAFETY: the caller vouches for `size` bytes at `pointer`, `value` has room for `known` of them, and by the contract of
    // `Growing` zeros are sound where the caller's struct ends.
    unsafe {
        pointer.cast::<u8>().copy_to_nonoverlapping(value.as_mut_ptr().cast::<u8>(), known);
        Ok(value.assume_init())
    }
}

/// The place of a struct that may grow, whose size the caller has set.
#[derive(Debug)]
pub(crate) struct GrowingPlace<T>(*mut T, usize);

/// The place at `pointer` for a struct that may grow.
pub(crate) fn out_growing<T: Growing>(pointer: *mut T) -> Result<GrowingPlace<T>, Failure> {
    let size = *get(pointer.cast_const().cast::<usize>())?;
    check(pointer.cast_const())?;
    if size < size_of::<usize>() {
        return Err(KCAP_ERR_LENGTH.into());
    }
    Ok(GrowingPlace(pointer, size))
}

impl<T: Growing> GrowingPlace<T> {
    /// The size of the struct as the caller knows it, in bytes.
    pub(crate) fn size(&self) -> usize {
        self.1
    }

    /// Writes the members that the caller knows, but for its size.
    pub(crate) fn put(self, value: &T) {
        let first = size_of::<usize>();
        let known = self.1.min(size_of::<T>());
        // SAFETY: the caller vouches for `size` bytes at the pointer; `known` is no more than that, nor than `value` has, and
        // no less than `first`.
        unsafe {
            let from = core::ptr::from_ref(value).cast::<u8>();
            from.add(first)
                .copy_to_nonoverlapping(self.0.cast::<u8>().add(first), known.saturating_sub(first));
        }
    }
}

/// A value that C lends to other threads: its caller vouches that they may have it.
#[cfg(feature = "hosted")]
#[derive(Debug)]
pub(crate) struct Lent<T>(pub(crate) T);

// SAFETY: the caller of the C function that lends the value vouches for it.
#[cfg(feature = "hosted")]
unsafe impl<T> Send for Lent<T> {}

#[cfg(test)]
mod tests {
    use core::ptr::{null, null_mut, without_provenance_mut};

    use super::*;
    use crate::status::KCAP_ERR_BUFFER_TOO_SMALL;

    fn status<T: core::fmt::Debug>(result: Result<T, Failure>) -> kcap_status {
        result.unwrap_err().status
    }

    #[test]
    fn null_is_found() {
        assert_eq!(status(get::<u64>(null())), KCAP_ERR_NULL);
        assert_eq!(status(get_mut::<u64>(null_mut())), KCAP_ERR_NULL);
        assert_eq!(status(out::<u64>(null_mut())), KCAP_ERR_NULL);
        assert_eq!(status(object::<u64>(null_mut(), 8)), KCAP_ERR_NULL);
        assert_eq!(status(slice::<u64>(null(), 1)), KCAP_ERR_NULL);
        assert_eq!(status(table::<u64>(null_mut(), 8, 0)), KCAP_ERR_NULL);
        assert_eq!(status(text(null())), KCAP_ERR_NULL);
        assert_eq!((text(c"".as_ptr()).unwrap(), text(c"abc".as_ptr()).unwrap()), (&b""[..], &b"abc"[..]));
        assert!(slice::<u64>(null(), 0).unwrap().is_empty());
        assert!(slice_mut::<u64>(null_mut(), 0).unwrap().is_empty());
        assert!(table::<u64>(null_mut(), 7, 0).unwrap().is_empty());
    }

    #[test]
    fn what_is_not_aligned_is_found() {
        let odd = without_provenance_mut::<u64>(9);
        assert_eq!(status(get(odd.cast_const())), KCAP_ERR_ALIGNMENT);
        assert_eq!(status(object(odd, 8)), KCAP_ERR_ALIGNMENT);
        assert_eq!(status(table::<u64>(odd.cast(), 8, 0)), KCAP_ERR_ALIGNMENT);
    }

    #[test]
    fn lengths_that_no_object_has_are_found() {
        let mut word = 0_u64;
        assert_eq!(status(slice(&raw const word, usize::MAX)), KCAP_ERR_LENGTH);
        assert_eq!(status(slice_mut(&raw mut word, usize::MAX / 8)), KCAP_ERR_LENGTH);
        assert_eq!(status(table::<u64>((&raw mut word).cast(), usize::MAX, 0)), KCAP_ERR_LENGTH);
        assert_eq!(status(object(&raw mut word, usize::MAX)), KCAP_ERR_LENGTH);
        let small = object(&raw mut word, 7).unwrap_err();
        assert_eq!((small.status, small.value), (KCAP_ERR_BUFFER_TOO_SMALL, 8));
    }

    #[test]
    fn work_is_divided_in_order() {
        let mut words = [u64::MAX; 8];
        let memory = words.as_mut_ptr().cast::<c_void>();
        let mut work = Work::new(memory, 63, 56).unwrap();
        assert_eq!(work.left(), 56);
        assert_eq!(work.table(3, 7_u16).unwrap(), [7; 3]);
        assert_eq!(*work.one((1_u64, 2_u32)).unwrap(), (1, 2));
        assert_eq!(status(work.table(5, 0_u64)), KCAP_ERR_BUFFER_TOO_SMALL);
        assert_eq!((status(Work::new(memory, 63, 57)), words[7]), (KCAP_ERR_BUFFER_TOO_SMALL, u64::MAX));
        assert_eq!(status(Work::new(null_mut(), 8, 8)), KCAP_ERR_NULL);
        assert_eq!(status(Work::new(memory, usize::MAX, 8)), KCAP_ERR_LENGTH);
        assert_eq!(status(Work::new(null_mut(), 0, 8)), KCAP_ERR_BUFFER_TOO_SMALL);
        assert!(Work::new(memory, 64, 64).unwrap().table(8, 0_u64).unwrap().iter().all(|&word| word == 0));
        assert_eq!(chars::<4>(b"abcd").map(|c| c.to_ne_bytes()[0]), *b"abc\0");
    }

    #[derive(Debug, Clone, Copy, PartialEq, Eq)]
    #[repr(C)]
    struct Grown {
        size: usize,
        old: u64,
        new: u64,
    }
    // SAFETY: `repr(C)`, begins with a `usize`, holds nothing but integers.
    unsafe impl Growing for Grown {}

    #[test]
    fn a_struct_that_grew_serves_old_callers() {
        let mut old = Grown { size: 16, old: 1, new: 2 };
        assert_eq!(read_growing(&raw const old).unwrap(), Grown { size: 16, old: 1, new: 0 });
        out_growing(&raw mut old).unwrap().put(&Grown { size: 0, old: 3, new: 4 });
        assert_eq!(old, Grown { size: 16, old: 3, new: 2 });
        // A size that ends inside a word, which may be a pointer.
        old.size = 23;
        assert_eq!(read_growing(&raw const old).unwrap(), Grown { size: 23, old: 3, new: 0 });
        old.size = 7;
        assert_eq!(status(read_growing(&raw const old)), KCAP_ERR_LENGTH);
        assert_eq!(status(out_growing(&raw mut old)), KCAP_ERR_LENGTH);
        let newer = (Grown { size: 32, old: 5, new: 6 }, 7_u64);
        assert_eq!(read_growing(&raw const newer.0).unwrap().new, 6);
    }
}
