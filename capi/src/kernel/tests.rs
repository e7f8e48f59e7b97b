//! Virtual addresses, names and rules, against the synthetic machine.

use core::ffi::CStr;
use core::mem::MaybeUninit;
use core::ptr::{null, null_mut};

use testkit::{Era, Machine};

use super::*;
use crate::source::kcap_source_vmcoreinfo;
use crate::status::*;
use crate::testing::{Room, Setup, input, machine, no_error, sized, vmcore};

const LEN: usize = Room::<kcap_kernel>::LEN;

#[test]
fn virtual_addresses_are_those_of_the_machine() {
    let machine = machine();
    let mut setup = Setup::new(input(vmcore()));
    let (kernel, memory) = (setup.kernel.at(), setup.memory.at());
    let mut mapping = kcap_mapping::default();
    let phys = machine.text_phys();
    let mut bytes = [0_u8; 5000];
    let mut name = MaybeUninit::<kcap_utsname>::uninit();
    let mut error = no_error();
    // SAFETY: all pointers are to what they say, or NULL; the name is read after it was written.
    unsafe {
        let translate = |kernel, memory, addr, mapping, error| {
            kcap_kernel_translate(kernel, memory, addr, mapping, error)
        };
        for virt in [machine.text_virt(), machine.linear(phys)] {
            assert_eq!(translate(kernel, memory, virt + 5, &raw mut mapping, null_mut()), KCAP_OK);
            assert!(mapping.phys == phys + 5 && mapping.len > 0);
            assert_eq!(kcap_kernel_read(kernel, memory, virt, bytes.as_mut_ptr(), 5000, null_mut()), KCAP_OK);
            assert_eq!(bytes[..], machine.read(phys, 5000));
        }
        mapping = kcap_mapping::default();
        assert_eq!(translate(kernel, memory, 0x1000, &raw mut mapping, &raw mut error), KCAP_ERR_NOT_MAPPED);
        assert_eq!((error.value, mapping.len), (0x1000, 0));
        assert_eq!(translate(null_mut(), memory, 0, &raw mut mapping, null_mut()), KCAP_ERR_NULL);
        assert_eq!(translate(kernel, null_mut(), 0, &raw mut mapping, null_mut()), KCAP_ERR_NULL);
        assert_eq!(translate(kernel, memory, 0, null_mut(), null_mut()), KCAP_ERR_NULL);
        let read =
            |kernel, memory, addr, buf, len| kcap_kernel_read(kernel, memory, addr, buf, len, null_mut());
        let (virt, buf) = (machine.text_virt(), bytes.as_mut_ptr());
        assert_eq!(read(null_mut(), memory, virt, buf, 1), KCAP_ERR_NULL);
        assert_eq!(read(kernel, null_mut(), virt, buf, 1), KCAP_ERR_NULL);
        assert_eq!(read(kernel, memory, virt, null_mut(), 1), KCAP_ERR_NULL);
        assert_eq!(read(kernel, memory, virt, null_mut(), 0), KCAP_OK);
        assert_eq!(read(kernel, memory, virt, buf, usize::MAX), KCAP_ERR_LENGTH);
        assert_eq!(read(kernel, memory, u64::MAX, buf, 2), KCAP_ERR_NOT_MAPPED);

        assert_eq!(kcap_kernel_get_utsname(null_mut(), memory, name.as_mut_ptr(), null_mut()), KCAP_ERR_NULL);
        assert_eq!(kcap_kernel_get_utsname(kernel, memory, null_mut(), null_mut()), KCAP_ERR_NULL);
        assert_eq!(kcap_kernel_get_utsname(kernel, memory, name.as_mut_ptr(), null_mut()), KCAP_OK);
        let release = CStr::from_ptr(name.assume_init_ref().release.as_ptr());
        assert_eq!(release.to_str().unwrap(), machine.era().release());
    }
}

#[test]
fn a_kernel_is_found_by_its_vmcoreinfo_alone() {
    let machine = machine();
    let mut setup = Setup::new(input(vmcore()));
    let (mut info, mut kernel) = (Room::<kcap_vmcoreinfo>::new(), Room::<kcap_kernel>::new());
    let mut mapping = kcap_mapping::default();
    // SAFETY: all pointers are to what they say, or NULL.
    unsafe {
        let (source, memory, core, info) = (setup.source.at(), setup.memory.at(), setup.core.at(), info.at());
        assert_eq!(kcap_source_vmcoreinfo(source, info, Room::<kcap_vmcoreinfo>::LEN), KCAP_OK);
        let init = |kernel, len, info, machine, bits, core, memory| {
            kcap_kernel_init_vmcoreinfo(kernel, len, info, machine, 0, bits, core, memory, null_mut())
        };
        let at = kernel.at();
        assert_eq!(init(null_mut(), LEN, info, 62, 64, core, memory), KCAP_ERR_NULL);
        assert_eq!(init(at, 0, info, 62, 64, core, memory), KCAP_ERR_BUFFER_TOO_SMALL);
        assert_eq!(init(at, usize::MAX, info, 62, 64, core, memory), KCAP_ERR_LENGTH);
        assert_eq!(init(at, LEN, null_mut(), 62, 64, core, memory), KCAP_ERR_NULL);
        assert_eq!(init(at, LEN, info, 62, 64, core, null_mut()), KCAP_ERR_NULL);
        assert_eq!(init(at, LEN, info, 0x1_0000, 64, core, memory), KCAP_ERR_INVALID);
        assert_eq!(init(at, LEN, info, 62, 16, core, memory), KCAP_ERR_INVALID);
        assert_eq!(init(at, LEN, info, 8, 64, core, memory), KCAP_ERR_UNSUPPORTED);
        assert!(kernel.untouched());
        for core in [core, null_mut()] {
            assert_eq!(init(kernel.at(), LEN, info, 62, 64, core, memory), KCAP_OK);
            let virt = machine.text_virt();
            let found = kcap_kernel_translate(kernel.at(), memory, virt, &raw mut mapping, null_mut());
            assert_eq!((found, mapping.phys), (KCAP_OK, machine.text_phys()));
        }
    }
}

#[test]
fn a_missing_key_turns_its_rule_off() {
    let machine = Machine::x86_64(Era::V6_1).without_key("NUMBER(PG_hwpoison)").build();
    let mut setup = Setup::new(input(machine.elf().to_vec()));
    let kernel = setup.kernel.at();
    let mut facts: kcap_kernel_facts = sized();
    let mut rule = MaybeUninit::<kcap_missing_rule>::uninit();
    let mut rules = std::vec::Vec::new();
    // SAFETY: all pointers are to what they say, or NULL; a rule is read after it was written.
    unsafe {
        assert_eq!(kcap_kernel_get_facts(kernel, &raw mut facts), KCAP_OK);
        while kcap_kernel_get_missing_rule(kernel, rules.len(), rule.as_mut_ptr()) == KCAP_OK {
            rules.push(rule.assume_init());
        }
        assert_eq!(kcap_kernel_get_missing_rule(kernel, usize::MAX, rule.as_mut_ptr()), KCAP_ERR_NOT_FOUND);
        assert_eq!(kcap_kernel_get_missing_rule(null(), 0, rule.as_mut_ptr()), KCAP_ERR_NULL);
        assert_eq!(kcap_kernel_get_missing_rule(kernel, 0, null_mut()), KCAP_ERR_NULL);
    }
    assert_eq!(facts.missing_rules as usize, rules.len());
    let hwpoison = rules.iter().find(|rule| rule.rule == KCAP_RULE_HWPOISON).unwrap();
    assert_eq!(ptr::text(hwpoison.key.as_ptr()).unwrap(), b"NUMBER(PG_hwpoison)");
    assert_eq!((ptr::text(hwpoison.name.as_ptr()).unwrap(), hwpoison.optional), (&b"hwpoison"[..], 1));
}
