//! What inputs say, against the synthetic machine they came from.

use core::ptr::{null, null_mut};

use testkit::{Machine, kdump_of};

use super::*;
use crate::elf_parts::{kcap_elf_core_get_note_region, kcap_elf_notes};
use crate::kdump::{kcap_kdump_init, kcap_kdump_work};
use crate::status::*;
use crate::testing::{Memory, Room, Setup, input, machine, sized, vmcore};

const LEN: usize = Room::<kcap_source>::LEN;

fn facts(source: *const kcap_source) -> kcap_source_facts {
    let mut facts: kcap_source_facts = sized();
    // SAFETY: both pointers are to what they say.
    assert_eq!(unsafe { kcap_source_get_facts(source, &raw mut facts, null_mut()) }, KCAP_OK);
    facts
}

fn release(facts: &kcap_source_facts) -> &[u8] {
    ptr::text(facts.utsname.release.as_ptr()).unwrap()
}

/// What does not depend on how the machine was dumped.
fn check(facts: &kcap_source_facts, machine: &Machine) {
    assert_eq!((facts.page_size, facts.end), (4096, machine.max_pfn()));
    assert_eq!((facts.e_machine, facts.bits, facts.machine_bits, facts.big_endian), (62, 64, 64, 0));
    assert_eq!((facts.has_vmcoreinfo, facts.incomplete), (1, 0));
    assert_eq!((facts.crash_time, facts.nr_cpus), (1_700_000_000, 2));
    assert_eq!(release(facts), machine.era().release().as_bytes());
}

#[test]
fn an_elf_core_says_what_the_machine_was() {
    let machine = machine();
    let mut setup = Setup::new(input(vmcore()));
    let told = facts(setup.source.at());
    check(&told, machine);
    assert_eq!(told.left_out, 0);
    let mut short: kcap_source_facts = sized();
    // SAFETY: all pointers are to what they say, or NULL.
    unsafe {
        assert_eq!(kcap_source_get_facts(null(), &raw mut short, null_mut()), KCAP_ERR_NULL);
        assert_eq!(kcap_source_get_facts(setup.source.at(), null_mut(), null_mut()), KCAP_ERR_NULL);
        short.size = 0;
        assert_eq!(kcap_source_get_facts(setup.source.at(), &raw mut short, null_mut()), KCAP_ERR_LENGTH);
    }
}

#[test]
fn a_kdump_file_says_the_same_and_what_it_left_out() {
    let machine = machine();
    let inputs = [&raw const *input(kdump_of(machine, 31).to_vec())];
    let (mut kdump, mut work) = (Room::<kcap_kdump>::new(), Memory::new(kcap_kdump_work(1)));
    let (mut source, mut text) = (Room::<kcap_source>::new(), Memory::new(0x2000));
    // SAFETY: all pointers are to what they say, or NULL.
    unsafe {
        let len = Room::<kcap_kdump>::LEN;
        let opened =
            kcap_kdump_init(kdump.at(), len, inputs.as_ptr(), 1, 0, work.at(), work.len(), null_mut());
        assert_eq!(opened, KCAP_OK);
        let (at, text, kdump) = (source.at(), text.at().cast::<u8>(), kdump.at());
        let init = |source, len, kdump, text, text_len| {
            kcap_source_init_kdump(source, len, kdump, text, text_len, null_mut())
        };
        assert_eq!(init(null_mut(), LEN, kdump, text, 0x2000), KCAP_ERR_NULL);
        assert_eq!(init(at, 0, kdump, text, 0x2000), KCAP_ERR_BUFFER_TOO_SMALL);
        assert_eq!(init(at, usize::MAX, kdump, text, 0x2000), KCAP_ERR_LENGTH);
        assert_eq!(init(at, LEN, null_mut(), text, 0x2000), KCAP_ERR_NULL);
        assert_eq!(init(at, LEN, kdump, null_mut(), 0x2000), KCAP_ERR_NULL);
        assert_eq!(init(at, LEN, kdump, text, 8), KCAP_ERR_BUFFER_TOO_SMALL);
        assert_eq!(init(at, LEN, kdump, text, usize::MAX), KCAP_ERR_LENGTH);
        assert!(source.untouched());
        assert_eq!(init(source.at(), LEN, kdump, text, 0x2000), KCAP_OK);
    }
    let told = facts(source.at());
    check(&told, machine);
    assert_eq!((told.left_out, told.loads), (31, 0));
}

#[test]
fn a_machine_is_told_by_its_own_program() {
    let machine = machine();
    let file = input(vmcore());
    let mut setup = Setup::new(file);
    let mut region = kcap_elf_notes::default();
    let (mut source, mut text) = (Room::<kcap_source>::new(), Memory::new(0x2000));
    let mut given: kcap_source_facts = sized();
    (given.bits, given.e_machine, given.end) = (64, 62, 0x1234);
    // SAFETY: all pointers are to what they say, or NULL.
    unsafe {
        let (at, core, text) = (source.at(), setup.core.at(), text.at().cast::<u8>());
        assert_eq!(kcap_elf_core_get_note_region(core, 0, &raw mut region, null_mut()), KCAP_OK);
        let kcap_elf_notes { offset, len, align } = region;
        let notes = kcap_note_region { input: file, offset, len, align };
        let init =
            |source, len, facts: *const kcap_source_facts, notes: *const kcap_note_region, core, text| {
                kcap_source_init(source, len, facts, notes, core, text, 0x2000, null_mut())
            };
        let (told, noted) = (&raw const given, &raw const notes);
        assert_eq!(init(null_mut(), LEN, told, noted, core, text), KCAP_ERR_NULL);
        assert_eq!(init(at, 0, told, noted, core, text), KCAP_ERR_BUFFER_TOO_SMALL);
        assert_eq!(init(at, LEN, null(), noted, core, text), KCAP_ERR_NULL);
        assert_eq!(init(at, LEN, told, noted, core, null_mut()), KCAP_ERR_NULL);
        for wrong in [
            kcap_source_facts { bits: 0, ..given },
            kcap_source_facts { big_endian: 2, ..given },
            kcap_source_facts { e_machine: 0x1_0000, ..given },
            kcap_source_facts { left_out: 32, ..given },
            kcap_source_facts { page_size: 5, ..given },
        ] {
            assert_eq!(init(at, LEN, &raw const wrong, noted, core, text), KCAP_ERR_INVALID);
        }
        let no_input = kcap_note_region { input: null(), ..notes };
        assert_eq!(init(at, LEN, told, &raw const no_input, core, text), KCAP_ERR_NULL);
        assert!(source.untouched());

        assert_eq!(init(source.at(), LEN, told, noted, core, text), KCAP_OK);
        let found = facts(source.at());
        assert_eq!((found.end, found.page_size, found.has_vmcoreinfo), (0x1234, 4096, 1));
        assert_eq!((found.crash_time, found.nr_cpus), (1_700_000_000, 2));
        assert_eq!(release(&found), machine.era().release().as_bytes());

        // What the caller knows counts more, and neither notes nor a core are needed.
        (given.crash_time, given.nr_cpus, given.page_size, given.phys_base) = (5, 9, 0x1_0000, 0x100);
        given.utsname.release[0] = given.utsname.release[0].wrapping_add(b'7'.cast_signed());
        assert_eq!(init(source.at(), LEN, &raw const given, noted, null_mut(), text), KCAP_OK);
        let found = facts(source.at());
        assert_eq!(
            (found.crash_time, found.nr_cpus, found.page_size, found.phys_base),
            (5, 9, 0x1_0000, 0x100)
        );
        assert_eq!((release(&found), found.loads), (&b"7"[..], 0));
        assert_eq!(init(source.at(), LEN, &raw const given, null(), null_mut(), text), KCAP_OK);
        assert_eq!((facts(source.at()).has_vmcoreinfo, facts(source.at()).notes_len), (0, 0));
    }
}
