use core::ptr::null_mut;

use super::*;
use crate::status::{KCAP_ERR_INVALID, KCAP_ERR_NULL, KCAP_OK};

#[test]
fn pages_are_counted_and_estimated() {
    let mut memory = core::mem::MaybeUninit::<kcap_live_pages>::uninit();
    let pages = memory.as_mut_ptr();
    // Two free, two of the kernel, one that is not there.
    let words = [1_u64 << 10, 1 << 10, 0, 0, 1 << 20];
    // SAFETY: all bytes zero are a value of these structs.
    let (mut counts, mut found): (kcap_counts, kcap_estimate) = unsafe { core::mem::zeroed() };
    counts.size = size_of::<kcap_counts>();
    found.size = size_of::<kcap_estimate>();
    let mut end = 0;
    // SAFETY: every pointer is to something that lives for the call.
    unsafe {
        assert_eq!(kcap_live_pages_init(pages, kcap_live_pages_size()), KCAP_OK);
        assert_eq!(kcap_live_pages_add(pages, 256, words.as_ptr(), words.len()), KCAP_OK);
        assert_eq!(kcap_live_pages_get(pages, &raw mut counts, &raw mut end), KCAP_OK);
        assert_eq!((counts.total, end), (4, 260));
        let estimate = |size, level, compression, found| {
            kcap_dump_estimate(&raw const counts, end, size, level, compression, found, null_mut())
        };
        assert_eq!(estimate(4096, 16, 0, &raw mut found), KCAP_OK);
        assert_eq!(found.pages, 2);
        assert!(found.least_bytes < found.most_bytes && found.most_bytes > 2 * 4096);
        assert_eq!(estimate(4095, 16, 0, &raw mut found), KCAP_ERR_INVALID);
        assert_eq!(estimate(4096, 32, 0, &raw mut found), KCAP_ERR_INVALID);
        assert_eq!(estimate(4096, 31, 3, &raw mut found), KCAP_ERR_INVALID);
        assert_eq!(estimate(4096, 31, 0, null_mut()), KCAP_ERR_NULL);
        let (mut least, mut safe) = (0, 0);
        assert_eq!(kcap_crash_kernel_needs(8 << 30, 48 << 20, &raw mut least, &raw mut safe), KCAP_OK);
        assert_eq!((least, safe), (96 << 20, 256 << 20));
    }
}
