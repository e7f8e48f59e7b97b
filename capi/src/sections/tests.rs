//! A machine of which a DIMM was removed.

use core::ptr::{null, null_mut};

use testkit::{Era, Machine};

use super::*;
use crate::status::*;
use crate::testing::{Setup, input, sized};

#[test]
fn removed_memory_is_named() {
    let start = if cfg!(miri) { 64 << 20 } else { 8 << 30 };
    let machine = Machine::x86_64(Era::V6_1).removed(start, start + (1 << 18)).build();
    let mut setup = Setup::new(input(machine.elf().to_vec()));
    let kernel = setup.kernel.at();
    let mut found: kcap_sections = sized();
    // SAFETY: all pointers are to what they say, or NULL.
    unsafe {
        assert_eq!(kcap_kernel_get_sections(null(), &raw mut found), KCAP_ERR_NULL);
        assert_eq!(kcap_kernel_get_sections(kernel, null_mut()), KCAP_ERR_NULL);
        assert_eq!(kcap_kernel_get_sections(kernel, &raw mut found), KCAP_OK);
    }
    assert_eq!((found.removed.frames, found.removed.count), (0x40, 1));
    assert_eq!(found.removed.named[0], kcap_pfn_range { start: start >> 12, end: (start >> 12) + 0x40 });
    assert_eq!((found.believed, found.tells_online, found.whole), (1, 1, 1));
    assert_eq!((found.offline.count, found.unreadable.count, found.missing.count), (0, 0, 0));
    assert_eq!(found.removed.named[1], kcap_pfn_range::default());
}
