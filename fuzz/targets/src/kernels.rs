//! Kernel images, laid out byte by byte from their formats' documents.

pub(crate) fn put(file: &mut Vec<u8>, at: usize, bytes: &[u8]) {
    file.resize(file.len().max(at + bytes.len()), 0);
    file[at..at + bytes.len()].copy_from_slice(bytes);
}

/// The fields of a bzImage's setup header that decide where it goes.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Setup {
    pub(crate) xloadflags: u16,
    pub(crate) cmdline_size: u32,
    pub(crate) alignment: u32,
    pub(crate) relocatable: u8,
    pub(crate) pref_address: u64,
    pub(crate) init_size: u32,
}

/// As Debian's 6.12 kernel says.
pub(crate) const DEBIAN: Setup = Setup {
    xloadflags: 0x7f,
    cmdline_size: 2047,
    alignment: 0x20_0000,
    relocatable: 1,
    pref_address: 0x100_0000,
    init_size: 0x37d_c000,
};

/// A bzImage of protocol 2.15: boot sector, one sector of setup code, 1 KiB of kernel (`Documentation/arch/x86/boot.rst`).
pub(crate) fn bzimage(setup: &Setup) -> Vec<u8> {
    let mut file = vec![0; 0x400];
    put(&mut file, 0x1f1, &[1]);
    put(&mut file, 0x1f4, &0x40_u32.to_le_bytes());
    put(&mut file, 0x1fe, &[0x55, 0xaa, 0xeb, 0x6a]);
    put(&mut file, 0x202, b"HdrS\x0f\x02");
    put(&mut file, 0x20e, &0x80_u16.to_le_bytes());
    put(&mut file, 0x211, &[1]);
    put(&mut file, 0x22c, &0x7fff_ffff_u32.to_le_bytes());
    put(&mut file, 0x230, &setup.alignment.to_le_bytes());
    put(&mut file, 0x234, &[setup.relocatable, 21]);
    put(&mut file, 0x236, &setup.xloadflags.to_le_bytes());
    put(&mut file, 0x238, &setup.cmdline_size.to_le_bytes());
    put(&mut file, 0x248, &0x20_u32.to_le_bytes());
    put(&mut file, 0x24c, &0x40_u32.to_le_bytes());
    put(&mut file, 0x258, &setup.pref_address.to_le_bytes());
    put(&mut file, 0x260, &setup.init_size.to_le_bytes());
    put(&mut file, 0x268, &0x100_u32.to_le_bytes());
    put(&mut file, 0x280, b"6.1.0-kit #1\0");
    put(&mut file, 0x400, &[0xe9; 0x400]);
    put(&mut file, 0x420, b"\x28\xb5\x2f\xfd");
    put(&mut file, 0x500, b"LToP\x10\0\0\0\x10\0\0\0\0\0\0\0");
    file
}

fn note(name: &[u8], kind: u32, desc: &[u32]) -> Vec<u8> {
    let mut note = (name.len() as u32).to_le_bytes().to_vec();
    note.extend((4 * desc.len() as u32).to_le_bytes());
    note.extend(kind.to_le_bytes());
    note.extend(name);
    note.resize(note.len().next_multiple_of(4), 0);
    note.extend(desc.iter().flat_map(|word| word.to_le_bytes()));
    note
}

/// A `vmlinux` of x86_64 with a `PT_LOAD` of 8 bytes for each (`p_paddr`, `p_memsz`), a note of Linux, and one that says that it
/// may be moved.
pub(crate) fn vmlinux(loads: &[(u64, u64)], movable: bool) -> Vec<u8> {
    let mut notes = note(b"Linux\0", 0x100, &[0]);
    if movable {
        notes.extend(note(b"Xen\0", 19, &[0x20_0000, 0x100_0000, 0x3fff_ffff]));
    }
    let mut file = vec![0; 0x200];
    put(&mut file, 0, b"\x7fELF\x02\x01\x01");
    put(&mut file, 16, &[2, 0, 62, 0, 1, 0, 0, 0]);
    put(&mut file, 24, &(loads[0].0 + 0x53).to_le_bytes());
    put(&mut file, 32, &[64]);
    put(&mut file, 52, &[64, 0, 56, 0, loads.len() as u8 + 1]);
    let data = |index: usize| 0x200 + 8 * index as u64;
    let of_notes = [4, data(loads.len()), 0, 0, notes.len() as u64, notes.len() as u64, 4];
    let phdrs = loads
        .iter()
        .enumerate()
        .map(|(index, (paddr, memsz))| [1, data(index), *paddr, *paddr, 8, *memsz, 0x20_0000])
        .chain([of_notes]);
    for (index, phdr) in phdrs.enumerate() {
        let at = 64 + 56 * index;
        put(&mut file, at, &(phdr[0] as u32).to_le_bytes());
        put(&mut file, at + 4, &7_u32.to_le_bytes());
        for (field, value) in phdr[1..].iter().enumerate() {
            put(&mut file, at + 8 + 8 * field, &value.to_le_bytes());
        }
    }
    file.resize(0x200 + 8 * loads.len(), 0xe0);
    file.extend(notes);
    file
}

/// An EFI program: PE32+ headers with `sections`, name and bytes.
fn pe(machine: u16, sections: &[(&[u8], &[u8])]) -> Vec<u8> {
    let mut file = vec![0; 0x200];
    put(&mut file, 0, b"MZ");
    put(&mut file, 0x3c, &[0x40]);
    put(&mut file, 0x40, b"PE\0\0");
    put(&mut file, 0x44, &machine.to_le_bytes());
    put(&mut file, 0x46, &[sections.len() as u8]);
    put(&mut file, 0x54, &[0xa0, 0, 0, 0, 0x0b, 0x02]);
    for (number, (name, bytes)) in sections.iter().enumerate() {
        let (at, start) = (0xf8 + 40 * number, file.len());
        file.extend(*bytes);
        file.resize(file.len().next_multiple_of(0x100), 0);
        let raw_size = (file.len() - start) as u32;
        put(&mut file, at, name);
        put(&mut file, at + 8, &(bytes.len() as u32).to_le_bytes());
        put(&mut file, at + 12, &0x1000_u32.to_le_bytes());
        put(&mut file, at + 16, &raw_size.to_le_bytes());
        put(&mut file, at + 20, &(start as u32).to_le_bytes());
    }
    file
}

pub(crate) fn uki(kernel: &[u8], microcode: &[u8]) -> Vec<u8> {
    let sections: [(&[u8], &[u8]); 4] =
        [(b".cmdline", b"quiet\n\0"), (b".initrd", b"070701"), (b".linux", kernel), (b".ucode", microcode)];
    pe(0x8664, &sections[..if microcode.is_empty() { 3 } else { 4 }])
}

pub(crate) fn arm64() -> Vec<u8> {
    let mut file = pe(0xaa64, &[(b".text", &[0xa0; 0x100]), (b".data", &[0xda; 0x80])]);
    put(&mut file, 16, &0x1_0000_u64.to_le_bytes());
    put(&mut file, 24, &[0x0a]);
    put(&mut file, 56, b"ARM\x64");
    file
}

pub(crate) fn riscv() -> Vec<u8> {
    let mut file = pe(0x5064, &[(b".text", &[0xa0; 0x100])]);
    put(&mut file, 8, &0x20_0000_u64.to_le_bytes());
    put(&mut file, 16, &0x1_0000_u64.to_le_bytes());
    put(&mut file, 32, &[2, 0]);
    put(&mut file, 48, b"RISCV\0\0\0RSC\x05");
    file
}

pub(crate) fn zboot(compression: &[u8]) -> Vec<u8> {
    let mut file = pe(0xaa64, &[(b".gzdata", &[0x33; 0x44])]);
    put(&mut file, 4, b"zimg\0\x02\0\0\x40\0\0\0");
    put(&mut file, 24, compression);
    put(&mut file, 0x38, &[0xcd, 0x23, 0x82, 0x81]);
    file
}
