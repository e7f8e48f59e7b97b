//! Images that are EFI programs: `Image` of arm64 and riscv, zboot, UKI.

use super::bzimage::bzimage;
use super::*;

const PE_AT: usize = 0x40;
const OPTIONAL_LEN: usize = 0xa0;
/// The first section header: signature, COFF header, optional header.
pub(super) const TABLE: usize = PE_AT + 4 + 20 + OPTIONAL_LEN;

/// PE32+ headers with `sections` (name, `VirtualSize`, `SizeOfRawData`, `PointerToRawData`).
fn put_pe(file: &mut Vec<u8>, machine: u16, sections: &[(&[u8], u32, u32, u32)]) {
    put(file, 0, b"MZ");
    put(file, 0x3c, &[PE_AT as u8, 0, 0, 0]);
    put(file, PE_AT, b"PE\0\0");
    put(file, PE_AT + 4, &machine.to_le_bytes());
    put(file, PE_AT + 6, &[sections.len() as u8, 0]);
    put(file, PE_AT + 20, &[OPTIONAL_LEN as u8, 0]);
    put(file, PE_AT + 24, &[0x0b, 0x02]);
    for (number, (name, virtual_size, raw_size, pointer)) in sections.iter().enumerate() {
        let at = TABLE + 40 * number;
        put(file, at, name);
        put(file, at + 8, &virtual_size.to_le_bytes());
        put(file, at + 12, &0x1000_u32.to_le_bytes());
        put(file, at + 16, &raw_size.to_le_bytes());
        put(file, at + 20, &pointer.to_le_bytes());
        put(file, at + 39, &[0]);
    }
}

pub(super) fn arm64() -> Vec<u8> {
    let mut file = Vec::new();
    put_pe(&mut file, 0xaa64, &[(b".text\0\0\0", 0x100, 0x100, 0x200), (b".data\0\0\0", 0x900, 0x80, 0x300)]);
    put(&mut file, 16, &0x1_0000_u64.to_le_bytes());
    put(&mut file, 24, &[0x0a]);
    put(&mut file, 56, b"ARM\x64");
    put(&mut file, 0x37f, &[1]);
    file
}

pub(super) fn riscv() -> Vec<u8> {
    let mut file = Vec::new();
    put_pe(&mut file, 0x5064, &[(b".text\0\0\0", 0x100, 0x100, 0x200)]);
    put(&mut file, 8, &0x20_0000_u64.to_le_bytes());
    put(&mut file, 16, &0x1_0000_u64.to_le_bytes());
    put(&mut file, 32, &[2, 0]);
    put(&mut file, 48, b"RISCV\0\0\0RSC\x05");
    put(&mut file, 0x2ff, &[1]);
    file
}

/// 0x40 bytes of payload at 0x300, then the length that other compressions than gzip have there.
pub(super) fn zboot(compression: &[u8]) -> Vec<u8> {
    let mut file = Vec::new();
    put_pe(&mut file, 0xaa64, &[(b".text\0\0\0", 0x100, 0x100, 0x200), (b".gzdata\0", 0x44, 0x44, 0x300)]);
    put(&mut file, 4, b"zimg\0\x03\0\0\x40\0\0\0");
    put(&mut file, 24, compression);
    put(&mut file, 0x38, &[0xcd, 0x23, 0x82, 0x81]);
    put(&mut file, 0x33c, &0x0012_3456_u32.to_le_bytes());
    put(&mut file, 0x340, &0x0065_4321_u32.to_le_bytes());
    file
}

/// A UKI as ukify lays it out: data padded to 512 bytes in the file.
pub(super) fn uki() -> Vec<u8> {
    let kernel = bzimage();
    let mut file = Vec::new();
    let sections: [(&[u8], u32, u32, u32); 8] = [
        (b".text\0\0\0", 0x20, 0x200, 0x400),
        (b".bss\0\0\0\0", 0x4000, 0, 0),
        (b".osrel\0\0", 9, 0x200, 0x600),
        (b".cmdline", 14, 0x200, 0x800),
        (b".uname\0\0", 4, 0x200, 0xa00),
        (b".initrd\0", 6, 0x200, 0xc00),
        (b".linux\0\0", kernel.len() as u32, 0x800, 0xe00),
        (b".sbat\0\0\0", 5, 0x200, 0x1600),
    ];
    put_pe(&mut file, 0x8664, &sections);
    put(&mut file, 0x600, b"ID=debian");
    put(&mut file, 0x800, b"console=ttyS0\0");
    put(&mut file, 0xa00, b"6.12");
    put(&mut file, 0xc00, b"070701");
    put(&mut file, 0xe00, &kernel);
    put(&mut file, 0x1600, b"sbat,");
    file
}

fn header_of(number: usize) -> usize {
    TABLE + 40 * number
}

#[test]
fn an_arm64_image() {
    let mut file = arm64();
    let Ok(Image::Arm64(image)) = identify(&file) else { panic!() };
    assert_eq!(
        (image.raw().text_offset(), image.raw().image_size(), image.raw().file_len()),
        (0, 0x1_0000, 0x380)
    );
    assert_eq!((image.page_size(), image.may_be_anywhere()), (Arm64PageSize::KiB4, true));
    assert!(!image.is_big_endian());
    assert_eq!((image.raw().kernel(), Image::Arm64(image).e_machine()), (&file[..], Some(EM_AARCH64)));
    // Big-endian, 64 KiB pages; shorter in memory than the file.
    put(&mut file, 24, &[0x07]);
    put(&mut file, 8, &0x8_0000_u64.to_le_bytes());
    put(&mut file, 16, &0x300_u64.to_le_bytes());
    let Ok(Image::Arm64(image)) = identify(&file) else { panic!() };
    assert_eq!((image.raw().text_offset(), image.page_size()), (0x8_0000, Arm64PageSize::KiB64));
    assert_eq!((image.is_big_endian(), image.may_be_anywhere()), (true, false));
    assert_eq!(image.raw().kernel(), &file[..0x300]);
    // Without the EFI stub only the header says anything.
    let mut plain = std::vec![0; 64];
    put(&mut plain, 16, &[0x40]);
    put(&mut plain, 56, b"ARM\x64");
    assert!(matches!(identify(&plain), Ok(Image::Arm64(_))));
    assert_eq!(identify(&plain[..63]), Err(corrupt(Field::Arm64Header, 0)));

    every_cut_is_refused(&arm64());
    refusals(
        &arm64(),
        &[
            (16, &[0; 8], unsupported(Field::ImageSize, 0)),
            (8, &[0, 0, 0x20], corrupt(Field::TextOffset, 8)),
            (60, &[0, 0, 1], corrupt(Field::PeOffset, 0x3c)),
            (PE_AT, b"PF", corrupt(Field::PeSignature, 0x40)),
            (header_of(1) + 20, &[0x81, 3], corrupt(Field::PePointerToRawData, header_of(1) as u64 + 20)),
            (header_of(1) + 16, &[0x81], corrupt(Field::PeSizeOfRawData, header_of(1) as u64 + 16)),
        ],
    );
}

#[test]
fn a_riscv_image() {
    let file = riscv();
    let Ok(Image::Riscv(image)) = identify(&file) else { panic!() };
    assert_eq!(
        (image.raw().text_offset(), image.raw().image_size(), image.version()),
        (0x20_0000, 0x1_0000, 2)
    );
    assert_eq!((image.raw().kernel(), Image::Riscv(image).e_machine()), (&file[..], Some(EM_RISCV)));
    every_cut_is_refused(&file);
    refusals(
        &file,
        &[
            (16, &[0; 8], corrupt(Field::ImageSize, 16)),
            (24, &[1], unsupported(Field::ImageFlags, 1)),
            (8, &[0, 0, 0x30], corrupt(Field::TextOffset, 8)),
            (8, &[0; 8], corrupt(Field::TextOffset, 8)),
        ],
    );
}

#[test]
fn a_zboot_image() {
    let file = zboot(b"gzip");
    let Ok(Image::Zboot(image)) = identify(&file) else { panic!() };
    assert_eq!((image.payload(), image.payload_offset()), (&file[0x300..0x340], 0x300));
    assert_eq!((image.compression(), image.uncompressed_len()), (Compression::Gzip, 0x12_3456));
    assert_eq!(image.e_machine(), Some(EM_AARCH64));
    let file = zboot(b"zstd22");
    let Ok(Image::Zboot(image)) = identify(&file) else { panic!() };
    assert_eq!((image.compression(), image.uncompressed_len()), (Compression::Zstd, 0x65_4321));

    every_cut_is_refused(&file);
    refusals(
        &file,
        &[
            (8, &[0x3f, 0], corrupt(Field::ZbootPayloadOffset, 8)),
            (8, &[0x45, 3], corrupt(Field::ZbootPayloadOffset, 8)),
            (8, &[0xff; 8], corrupt(Field::ZbootPayloadOffset, 8)),
            (12, &[0x41], corrupt(Field::ZbootPayloadSize, 12)),
            (12, &[0xff; 4], corrupt(Field::ZbootPayloadSize, 12)),
            (24, b"snappy12", unsupported(Field::ZbootCompression, u64::from_le_bytes(*b"snappy12"))),
            (24, &[b'g'; 32], corrupt(Field::ZbootCompression, 24)),
            (0x38, &[0], corrupt(Field::ZbootHeader, 0x38)),
            (2, &[1], corrupt(Field::ZbootHeader, 0)),
        ],
    );
    refusals(&zboot(b"gzip"), &[(12, &[3], corrupt(Field::ZbootPayloadSize, 12))]);
}

#[test]
fn a_unified_kernel_image() {
    let file = uki();
    let Ok(Image::Uki(image)) = identify(&file) else { panic!() };
    assert_eq!(image.linux(), bzimage());
    assert!(matches!(image.kernel(), Ok(Image::BzImage(kernel)) if kernel.payload().len() == 0x40));
    assert_eq!(image.initrd(), Some(&b"070701"[..]));
    assert_eq!(image.cmdline(), Some(&b"console=ttyS0"[..]));
    assert_eq!((image.section(b".osrel"), image.ucode()), (Some(&b"ID=debian"[..]), None));
    assert_eq!(image.section(b".bss"), Some(&[][..]));
    assert_eq!(image.e_machine(), Some(EM_X86_64));
    let names: Vec<_> = image.sections().map(|section| section.unwrap().name().to_vec()).collect();
    assert_eq!((names.len(), &names[3][..], &names[4][..]), (8, &b".cmdline"[..], &b".uname"[..]));
    every_cut_is_refused(&file);
}

#[test]
fn the_first_profile_goes_before_what_all_share() {
    let mut file = uki();
    // Without .text and .bss there is room for two profiles behind the sections that they share.
    let (base, first): (Vec<_>, Vec<_>) =
        (file[header_of(2)..header_of(8)].to_vec(), file[..header_of(0)].to_vec());
    let section = |name: &[u8], len: u8, at: u32| {
        let mut header = std::vec![0; 40];
        put(&mut header, 0, name);
        put(&mut header, 8, &[len]);
        put(&mut header, 16, &[len]);
        put(&mut header, 20, &at.to_le_bytes());
        header
    };
    let headers = [
        first,
        base,
        section(b".profile", 4, 0x600),
        section(b".cmdline", 6, 0xc00),
        section(b".profile", 4, 0x600),
        section(b".cmdline", 2, 0x600),
        section(b".initrd", 2, 0x600),
    ]
    .concat();
    put(&mut file, 0, &headers);
    put(&mut file, PE_AT + 6, &[11]);
    let Ok(Image::Uki(image)) = identify(&file) else { panic!() };
    assert_eq!((image.cmdline(), image.initrd()), (Some(&b"070701"[..]), Some(&b"070701"[..])));
    assert_eq!(image.sections().count(), 11);
}

#[test]
fn damage_in_a_unified_kernel_image_names_its_field() {
    let linux = header_of(6);
    refusals(
        &uki(),
        &[
            (0x3c, &[0xff; 4], corrupt(Field::PeOffset, 0x3c)),
            (PE_AT, b"PE\0\x01", corrupt(Field::PeSignature, 0x40)),
            (PE_AT + 6, &[0xff; 2], corrupt(Field::PeSectionHeader, TABLE as u64)),
            (PE_AT + 20, &[0xff; 2], corrupt(Field::PeOptionalHeader, 0x58)),
            (PE_AT + 20, &[1, 0], corrupt(Field::PeMagic, 0x58)),
            (PE_AT + 24, &[0x0b, 0x01], corrupt(Field::PeMagic, 0x58)),
            (linux, b".linus", corrupt(Field::UkiLinux, TABLE as u64)),
            (linux + 20, &[0xff; 4], corrupt(Field::PePointerToRawData, linux as u64 + 20)),
            // The kernel's own damage, counted from the start of the UKI.
            (0xe00 + 0x230, &[3], corrupt(Field::KernelAlignment, 0xe00 + 0x230)),
            (linux + 8, &[0xf0, 6], corrupt(Field::Syssize, 0xe00 + 0x1f4)),
            (0xe00 + 0x202, b"HdrT", unsupported(Field::ImageMagic, 0x5a4d)),
        ],
    );
}
