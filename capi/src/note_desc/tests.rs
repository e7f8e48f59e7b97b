//! Descriptors laid out byte by byte, from the structures of Linux, Xen and QEMU.

use core::mem::MaybeUninit;
use core::ptr::{null, null_mut};
use std::vec::Vec;

use super::*;
use crate::status::*;

/// The numbers 1, 2, 3 ... as `count` words of `len` bytes.
fn words(count: u64, len: usize, big: bool) -> Vec<u8> {
    let word = |number: u64| {
        if big { number.to_be_bytes()[8 - len..].to_vec() } else { number.to_le_bytes()[..len].to_vec() }
    };
    (1..=count).flat_map(word).collect()
}

#[test]
fn registers_of_x86_64_are_27_words() {
    let bytes = words(27, 8, false);
    let mut found = kcap_x86_64_registers::default();
    let (mut buf, mut len) = ([0x55_u8; 217], 7);
    // SAFETY: all pointers are to what they say, or NULL.
    unsafe {
        let mut parse = |bytes, len| kcap_x86_64_registers_parse(bytes, len, &raw mut found, null_mut());
        assert_eq!(parse(bytes.as_ptr(), 215), KCAP_ERR_CORRUPT);
        assert_eq!(parse(bytes.as_ptr(), usize::MAX), KCAP_ERR_LENGTH);
        assert_eq!(parse(null(), 216), KCAP_ERR_NULL);
        assert_eq!(parse(bytes.as_ptr(), 216), KCAP_OK);
        assert_eq!(kcap_x86_64_registers_parse(bytes.as_ptr(), 216, null_mut(), null_mut()), KCAP_ERR_NULL);
        assert_eq!((found.r15, found.rbp, found.rax, found.rip, found.rsp, found.gs), (1, 5, 11, 17, 20, 27));
        let mut encode =
            |from, room, len| kcap_x86_64_registers_encode(from, buf.as_mut_ptr(), room, len, null_mut());
        assert_eq!(encode(&raw const found, 215, &raw mut len), KCAP_ERR_BUFFER_TOO_SMALL);
        assert_eq!(encode(null(), 216, &raw mut len), KCAP_ERR_NULL);
        assert_eq!(encode(&raw const found, 216, null_mut()), KCAP_ERR_NULL);
        assert_eq!(len, 7);
        assert_eq!(encode(&raw const found, 217, &raw mut len), KCAP_OK);
    }
    assert_eq!((len, &buf[..216], buf[216]), (216, &bytes[..], 0x55));
}

/// `struct elf_prstatus` of x86_64: 336 bytes, `pr_cursig` at 12, `pr_pid` at 32, `pr_reg` at 112.
#[test]
fn a_prstatus_is_encoded_as_the_kernel_lays_it_out() {
    let registers = words(27, 8, false);
    let status = kcap_prstatus { pr_reg: registers.as_ptr(), pr_reg_len: 216, pr_pid: 4321, pr_cursig: 11 };
    let (mut buf, mut len) = ([0x55_u8; 336], 7);
    let mut layout = kcap_prstatus_layout::default();
    // SAFETY: all pointers are to what they say, or NULL.
    unsafe {
        let mut encode = |status: *const kcap_prstatus, machine, room, len| {
            kcap_prstatus_encode(status, machine, 0, 64, buf.as_mut_ptr(), room, len, null_mut())
        };
        let at = &raw mut len;
        assert_eq!(encode(&raw const status, 62, 335, at), KCAP_ERR_BUFFER_TOO_SMALL);
        assert_eq!(encode(&raw const status, 0xfff, 336, at), KCAP_ERR_UNSUPPORTED);
        assert_eq!(encode(&raw const status, 0x1_0000, 336, at), KCAP_ERR_INVALID);
        assert_eq!(encode(&kcap_prstatus { pr_cursig: 0x1_0000, ..status }, 62, 336, at), KCAP_ERR_INVALID);
        assert_eq!(encode(&kcap_prstatus { pr_reg_len: 208, ..status }, 62, 336, at), KCAP_ERR_UNSUPPORTED);
        assert_eq!(encode(&kcap_prstatus { pr_reg: null(), ..status }, 62, 336, at), KCAP_ERR_NULL);
        assert_eq!(encode(null(), 62, 336, at), KCAP_ERR_NULL);
        assert_eq!(encode(&raw const status, 62, 336, null_mut()), KCAP_ERR_NULL);
        assert_eq!(len, 7);
        assert_eq!(encode(&raw const status, 62, 336, &raw mut len), KCAP_OK);
        let get = |machine, bits, layout| kcap_prstatus_get_layout(machine, bits, layout, null_mut());
        assert_eq!(get(62, 64, null_mut()), KCAP_ERR_NULL);
        assert_eq!(get(62, 16, &raw mut layout), KCAP_ERR_INVALID);
        assert_eq!(get(0xfff, 64, &raw mut layout), KCAP_ERR_UNSUPPORTED);
        assert_eq!(get(62, 64, &raw mut layout), KCAP_OK);
        assert_eq!((layout.len, layout.reg_offset, layout.reg_len, layout.bits), (336, 112, 216, 64));
        layout = kcap_prstatus_layout::default();
        assert_eq!(kcap_prstatus_get_layout_of_desc(62, 336, null_mut(), null_mut()), KCAP_ERR_NULL);
        assert_eq!(kcap_prstatus_get_layout_of_desc(62, 336, &raw mut layout, null_mut()), KCAP_OK);
        assert_eq!((layout.len, layout.reg_offset), (336, 112));
    }
    assert_eq!((len, &buf[112..328]), (336, &registers[..]));
    assert_eq!((&buf[12..14], &buf[32..36]), (&11_u16.to_le_bytes()[..], &4321_u32.to_le_bytes()[..]));
}

/// `QEMUCPUState` of QEMU's `target/i386/arch_dump.c`: version, size, 18 words, 10 segments of 24 bytes, 5 and 1 words.
#[test]
fn a_cpu_of_qemu_is_read() {
    let mut desc = [1_u32.to_le_bytes(), 440_u32.to_le_bytes()].concat();
    desc.extend(words(18, 8, false));
    for segment in 1..=10_u32 {
        desc.extend([segment, segment + 100, segment + 200, 0].map(u32::to_le_bytes).concat());
        desc.extend((u64::from(segment) << 32).to_le_bytes());
    }
    desc.extend(words(6, 8, false));
    assert_eq!(desc.len(), 440);
    let mut state = MaybeUninit::<kcap_qemu_cpu_state>::uninit();
    // SAFETY: all pointers are to what they say, or NULL; the state is read after it was written.
    unsafe {
        let at = state.as_mut_ptr();
        let parse =
            |desc: &[u8], len, big, at| kcap_qemu_cpu_state_parse(desc.as_ptr(), len, big, at, null_mut());
        assert_eq!(parse(&desc, 440, 2, at), KCAP_ERR_INVALID);
        assert_eq!(parse(&desc, 100, 0, at), KCAP_ERR_CORRUPT);
        assert_eq!(parse(&desc, usize::MAX, 0, at), KCAP_ERR_LENGTH);
        assert_eq!(parse(&desc, 440, 0, null_mut()), KCAP_ERR_NULL);
        assert_eq!(kcap_qemu_cpu_state_parse(null(), 440, 0, at, null_mut()), KCAP_ERR_NULL);
        assert_eq!(parse(&desc, 440, 1, at), KCAP_ERR_UNSUPPORTED);
        assert_eq!(parse(&desc, 440, 0, at), KCAP_OK);
        let state = state.assume_init();
        assert_eq!((state.general[0], state.general[15], state.rip, state.rflags), (1, 16, 17, 18));
        let told = |segment: &kcap_qemu_segment| {
            (segment.selector, segment.limit, segment.flags, segment.base >> 32)
        };
        assert_eq!(told(&state.segments[0]), (1, 101, 201, 1));
        assert_eq!(told(&state.segments[5]), (6, 106, 206, 6));
        assert_eq!([&state.ldt, &state.tr, &state.gdt, &state.idt].map(|s| s.selector), [7, 8, 9, 10]);
        assert_eq!((state.cr, state.kernel_gs_base, state.has_kernel_gs_base), ([1, 2, 3, 4, 5], 6, 1));
    }
}

/// `crash_xen_info_t` and `crash_xen_core_t` of Xen's `include/xen/elfcore.h`: words of `unsigned long`.
#[test]
fn what_xen_says_is_read_in_any_byte_order_and_size() {
    let mut info = MaybeUninit::<kcap_xen_crash_info>::uninit();
    let mut regs = kcap_xen_crash_regs::default();
    // SAFETY: all pointers are to what they say, or NULL; the facts are read after they were written.
    unsafe {
        for (bits, len, big) in [(64, 8, 0), (32, 4, 0), (64, 8, 1), (32, 4, 1)] {
            let desc = words(10, len, big == 1);
            let at = info.as_mut_ptr();
            let parse =
                |len, bits, at| kcap_xen_crash_info_parse(desc.as_ptr(), len, big, bits, at, null_mut());
            assert_eq!(parse(8 * len - 1, bits, at), KCAP_ERR_CORRUPT);
            assert_eq!(parse(10 * len, 16, at), KCAP_ERR_INVALID);
            assert_eq!(parse(10 * len, bits, null_mut()), KCAP_ERR_NULL);
            assert_eq!(parse(usize::MAX, bits, at), KCAP_ERR_LENGTH);
            assert_eq!(parse(10 * len, bits, at), KCAP_OK);
            let told = info.assume_init();
            assert_eq!((told.major_version, told.minor_version, told.changeset, told.tainted), (1, 2, 4, 8));
            assert_eq!((told.xen_phys_start, told.has_xen_phys_start), (9, 1));
            assert_eq!((told.dom0_pfn_to_mfn_frame_list_list, told.has_frame_list_list), (10, 1));
            assert_eq!(parse(9 * len, bits, at), KCAP_OK);
            let told = info.assume_init();
            assert_eq!((told.has_xen_phys_start, told.dom0_pfn_to_mfn_frame_list_list), (0, 9));

            let parse = |desc, len, at| kcap_xen_crash_regs_parse(desc, len, big, bits, at, null_mut());
            assert_eq!(parse(desc.as_ptr(), 4 * len - 1, &raw mut regs), KCAP_ERR_CORRUPT);
            assert_eq!(parse(null(), 4 * len, &raw mut regs), KCAP_ERR_NULL);
            assert_eq!(parse(desc.as_ptr(), 4 * len, null_mut()), KCAP_ERR_NULL);
            assert_eq!(parse(desc.as_ptr(), 4 * len, &raw mut regs), KCAP_OK);
            assert_eq!((regs.cr0, regs.cr2, regs.cr3, regs.cr4), (1, 2, 3, 4));
        }
        assert_eq!(
            kcap_xen_crash_info_parse(null(), 80, 0, 64, info.as_mut_ptr(), null_mut()),
            KCAP_ERR_NULL
        );
    }
}
