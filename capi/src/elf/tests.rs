//! What the header and the `PT_LOAD`s of a core say, against the bytes that testkit lays out.

use core::ptr::{null, null_mut};

use super::*;
use crate::status::*;
use crate::testing::{Setup, input, sized, vmcore};

fn at(file: &[u8], offset: usize) -> u64 {
    u64::from_le_bytes(file[offset..offset + 8].try_into().unwrap())
}

#[test]
fn a_core_says_what_stands_in_it() {
    let file = vmcore();
    let phdrs = file[64..].chunks(56).take(usize::from(u16::from_le_bytes([file[56], file[57]])));
    let loads: std::vec::Vec<_> = phdrs.clone().filter(|phdr| phdr[0] == 1).collect();
    let mut setup = Setup::new(input(file.clone()));
    let core = setup.core.at();
    let mut header: kcap_elf_header = sized();
    let mut load = kcap_program_header::default();
    // SAFETY: all pointers are to what they say, or NULL.
    unsafe {
        assert_eq!(kcap_elf_core_get_header(core, &raw mut header), KCAP_OK);
        for (index, phdr) in loads.iter().enumerate() {
            assert_eq!(kcap_elf_core_get_load(core, index, &raw mut load), KCAP_OK);
            assert_eq!((load.p_type, load.p_offset, load.p_vaddr), (1, at(phdr, 8), at(phdr, 16)));
            assert_eq!(
                (load.p_paddr, load.p_filesz, load.p_memsz),
                (at(phdr, 24), at(phdr, 32), at(phdr, 40))
            );
        }
        assert_eq!(kcap_elf_core_get_load(core, loads.len(), &raw mut load), KCAP_ERR_NOT_FOUND);
        assert_eq!(kcap_elf_core_get_load(core, usize::MAX, &raw mut load), KCAP_ERR_NOT_FOUND);
        assert_eq!(kcap_elf_core_get_load(null(), 0, &raw mut load), KCAP_ERR_NULL);
        assert_eq!(kcap_elf_core_get_load(core, 0, null_mut()), KCAP_ERR_NULL);
        assert_eq!(kcap_elf_core_get_header(null(), &raw mut header), KCAP_ERR_NULL);
        assert_eq!(kcap_elf_core_get_header(core, null_mut()), KCAP_ERR_NULL);
        let mut short: kcap_elf_header = sized();
        short.size = 7;
        assert_eq!(kcap_elf_core_get_header(core, &raw mut short), KCAP_ERR_LENGTH);
    }
    assert_eq!((header.bits, header.big_endian, header.e_machine), (64, 0, 62));
    assert_eq!((header.phnum as usize, header.load_count as usize), (phdrs.count(), loads.len()));
    let end = loads.iter().map(|phdr| at(phdr, 24) + at(phdr, 40)).max();
    assert_eq!((Some(header.memory_end), header.missing_bytes), (end, 0));

    let mut setup = Setup::new(input(file[..file.len() - 100].to_vec()));
    // SAFETY: both pointers are to what they say.
    assert_eq!(unsafe { kcap_elf_core_get_header(setup.core.at(), &raw mut header) }, KCAP_OK);
    assert_eq!(header.missing_bytes, 100);
}
