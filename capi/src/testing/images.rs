//! Kernel images laid out byte by byte, from the documents of their formats.

use std::vec;
use std::vec::Vec;

fn put(file: &mut Vec<u8>, at: usize, bytes: &[u8]) {
    if file.len() < at + bytes.len() {
        file.resize(at + bytes.len(), 0);
    }
    file[at..at + bytes.len()].copy_from_slice(bytes);
}

/// A bzImage of protocol 2.15 whose protected-mode part is 1 KiB of 0xe9, its payload the gzip magic 0x300 bytes into it.
pub(crate) fn bzimage() -> Vec<u8> {
    let mut file = vec![0; 0x400];
    put(&mut file, 0x1f1, &[1]);
    put(&mut file, 0x1f4, &0x40_u32.to_le_bytes());
    put(&mut file, 0x1fe, &[0x55, 0xaa, 0xeb, 0x6a]);
    put(&mut file, 0x202, b"HdrS\x0f\x02");
    put(&mut file, 0x20e, &[0x90, 0]);
    put(&mut file, 0x211, &[1]);
    put(&mut file, 0x22c, &0x7fff_ffff_u32.to_le_bytes());
    put(&mut file, 0x230, &0x20_0000_u32.to_le_bytes());
    put(&mut file, 0x234, &[1, 21]);
    put(&mut file, 0x236, &0x7f_u16.to_le_bytes());
    put(&mut file, 0x238, &2047_u32.to_le_bytes());
    put(&mut file, 0x248, &0x300_u32.to_le_bytes());
    put(&mut file, 0x24c, &8_u32.to_le_bytes());
    put(&mut file, 0x258, &0x100_0000_u64.to_le_bytes());
    put(&mut file, 0x260, &0x37d_c000_u32.to_le_bytes());
    put(&mut file, 0x290, b"6.12.0 (someone)\0");
    file.extend([0xe9; 0x400]);
    put(&mut file, 0x700, &[0x1f, 0x8b, 8, 0]);
    file
}

fn put_pe(file: &mut Vec<u8>, machine: u16, sections: &[(&[u8], u32, u32, u32)]) {
    put(file, 0, b"MZ");
    put(file, 0x3c, &[0x40, 0, 0, 0]);
    put(file, 0x40, b"PE\0\0");
    put(file, 0x44, &machine.to_le_bytes());
    put(file, 0x46, &u16::try_from(sections.len()).unwrap().to_le_bytes());
    put(file, 0x54, &[0xa0, 0]);
    put(file, 0x58, &[0x0b, 0x02]);
    for (number, (name, virtual_size, raw_size, pointer)) in sections.iter().enumerate() {
        let at = 0xf8 + 40 * number;
        put(file, at, name);
        put(file, at + 8, &virtual_size.to_le_bytes());
        put(file, at + 16, &raw_size.to_le_bytes());
        put(file, at + 20, &pointer.to_le_bytes());
        put(file, at + 39, &[0]);
    }
}

/// A unified kernel image of a [`bzimage`], the initrd `070701` and the command line `quiet`.
pub(crate) fn uki() -> Vec<u8> {
    let kernel = bzimage();
    let len = u32::try_from(kernel.len()).unwrap();
    let mut file = Vec::new();
    let sections: [(&[u8], u32, u32, u32); 3] =
        [(b".cmdline", 7, 0x200, 0x400), (b".initrd\0", 6, 0x200, 0x600), (b".linux\0\0", len, len, 0x800)];
    put_pe(&mut file, 0x8664, &sections);
    put(&mut file, 0x400, b"quiet\n\0");
    put(&mut file, 0x600, b"070701");
    put(&mut file, 0x800, &kernel);
    file
}

/// An arm64 `Image` of 16-KiB pages that may be anywhere.
pub(crate) fn arm64() -> Vec<u8> {
    let mut file = Vec::new();
    put_pe(&mut file, 0xaa64, &[(b".text\0\0\0", 0x100, 0x100, 0x200)]);
    put(&mut file, 16, &0x1_0000_u64.to_le_bytes());
    put(&mut file, 24, &[0x0c]);
    put(&mut file, 56, b"ARM\x64");
    put(&mut file, 0x2ff, &[1]);
    file
}

/// A riscv `Image` of header version 0.2.
pub(crate) fn riscv() -> Vec<u8> {
    let mut file = Vec::new();
    put_pe(&mut file, 0x5064, &[(b".text\0\0\0", 0x100, 0x100, 0x200)]);
    put(&mut file, 8, &0x20_0000_u64.to_le_bytes());
    put(&mut file, 16, &0x1_0000_u64.to_le_bytes());
    put(&mut file, 32, &[2, 0]);
    put(&mut file, 48, b"RISCV\0\0\0RSC\x05");
    put(&mut file, 0x2ff, &[1]);
    file
}

/// An arm64 zboot image: 0x40 bytes of payload at 0x300, then the length of what they become.
pub(crate) fn zboot() -> Vec<u8> {
    let mut file = Vec::new();
    put_pe(&mut file, 0xaa64, &[(b".gzdata\0", 0x44, 0x44, 0x300)]);
    put(&mut file, 4, b"zimg\0\x03\0\0\x40\0\0\0");
    put(&mut file, 24, b"zstd22\0");
    put(&mut file, 0x38, &[0xcd, 0x23, 0x82, 0x81]);
    put(&mut file, 0x340, &0x65_4321_u32.to_le_bytes());
    file
}

/// A `vmlinux` of one segment: 8 bytes of file at 1 MiB, 16 in memory, entered at its second byte.
pub(crate) fn vmlinux() -> Vec<u8> {
    let mut file = Vec::new();
    put(&mut file, 0, b"\x7fELF\x02\x01\x01");
    put(&mut file, 16, &[2, 0, 62, 0, 1]);
    put(&mut file, 24, &0x10_0001_u64.to_le_bytes());
    put(&mut file, 32, &64_u64.to_le_bytes());
    put(&mut file, 52, &[64, 0, 56, 0, 1, 0, 64, 0]);
    put(&mut file, 64, &[1, 0, 0, 0, 5, 0, 0, 0]);
    for (at, value) in
        [(72, 120), (80, 0xffff_ffff_8010_0000), (88, 0x10_0000), (96, 8), (104, 16), (112, 0x1000_u64)]
    {
        put(&mut file, at, &value.to_le_bytes());
    }
    put(&mut file, 120, b"KERNEL!!");
    file
}
