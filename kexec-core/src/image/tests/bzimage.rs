//! bzImages.

use super::*;
use vmcore_format::PhysAddr;

/// 0x1f1 to 0x270 of Debian's vmlinuz-6.12.117+deb12-cloud-amd64.
const DEBIAN: [u8; 127] = [
    0x27, 0x01, 0x00, 0x20, 0x18, 0x0b, 0x00, 0x00, 0x00, 0xff, 0xff, 0x00, 0x00, 0x55, 0xaa, 0xeb, 0x6a,
    0x48, 0x64, 0x72, 0x53, 0x0f, 0x02, 0x00, 0x00, 0x00, 0x00, 0x00, 0x10, 0xc0, 0x42, 0x00, 0x01, 0x00,
    0x80, 0x00, 0x00, 0x10, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00,
    0x00, 0x5c, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0xff, 0xff, 0xff, 0x7f, 0x00, 0x00, 0x20, 0x00, 0x01,
    0x15, 0x7f, 0x00, 0xff, 0x07, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00,
    0x00, 0x00, 0xcc, 0x02, 0x00, 0x00, 0x92, 0x19, 0xae, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00,
    0x00, 0x00, 0x00, 0x00, 0x01, 0x00, 0x00, 0x00, 0x00, 0x00, 0xc0, 0x7d, 0x03, 0x30, 0x51, 0xb0, 0x00,
    0x1c, 0x56, 0xb1, 0x00, 0x8c, 0xd8, 0x8e, 0xc0,
];

/// A small kernel behind Debian's header: one sector of setup code, 768 bytes of protected-mode part.
pub(super) fn bzimage() -> Vec<u8> {
    let mut file = Vec::new();
    put(&mut file, 0, b"MZ");
    put(&mut file, 0x1f1, &DEBIAN[..123]);
    // What stands behind the header is code.
    put(&mut file, 0x26c, &[0x8c, 0xd8, 0x8e, 0xc0]);
    put(&mut file, 0x1f1, &[1]);
    put(&mut file, 0x1f4, &0x30_u32.to_le_bytes());
    put(&mut file, 0x20e, &0x100_u16.to_le_bytes());
    put(&mut file, 0x300, b"6.12.117+deb12-cloud-amd64 (debian)\0");
    put(&mut file, 0x248, &0x240_u32.to_le_bytes());
    put(&mut file, 0x24c, &0x40_u32.to_le_bytes());
    put(&mut file, 0x260, &0x1_0000_u32.to_le_bytes());
    put(&mut file, 0x268, &0x2c0_u32.to_le_bytes());
    put(&mut file, 0x400, &[0x90; 0x300]);
    put(&mut file, 0x400 + 0x240, b"\x28\xb5\x2f\xfd");
    put(&mut file, 0x400 + 0x2c0, b"LToP\x10\0\0\0\x14\0\0\0\x09\0\0\x80");
    file
}

fn parse(file: &[u8]) -> BzImage<'_> {
    match identify(file) {
        Ok(Image::BzImage(image)) => image,
        other => panic!("{other:?}"),
    }
}

#[test]
fn the_header_of_a_distribution_kernel() {
    let mut file = std::vec![0; 0x270];
    put(&mut file, 0x1f1, &DEBIAN);
    let header = SetupHeader::of_image(&file).unwrap();
    assert_eq!((header.setup_sects, header.syssize.get()), (39, 0xb1820));
    assert_eq!((header.version.get(), header.header, header.boot_flag.get()), (0x20f, *b"HdrS", 0xaa55));
    assert_eq!((header.vid_mode.get(), header.jump, header.loadflags), (0xffff, [0xeb, 0x6a], 1));
    assert_eq!((header.code32_start.get(), header.heap_end_ptr.get()), (0x10_0000, 0x5c00));
    assert_eq!((header.initrd_addr_max.get(), header.kernel_alignment.get()), (0x7fff_ffff, 0x20_0000));
    assert_eq!((header.relocatable_kernel, header.min_alignment), (1, 21));
    assert_eq!((header.xloadflags.get(), header.cmdline_size.get()), (0x7f, 2047));
    assert_eq!((header.payload_offset.get(), header.payload_length.get()), (0x2cc, 0xae_1992));
    assert_eq!((header.pref_address.get(), header.init_size.get()), (0x100_0000, 0x37d_c000));
    assert_eq!((header.handover_offset.get(), header.kernel_info_offset.get()), (0xb0_5130, 0xb1_561c));
    // The four bytes behind the header are code, which no loader may copy.
    assert_eq!((&DEBIAN[123..], header.reserved), (&[0x8c, 0xd8, 0x8e, 0xc0][..], [0; 4]));
    assert!(header.has_xloadflags(xloadflags::KERNEL_64 | xloadflags::EFI_KEXEC | xloadflags::FIVE_LEVEL));
    assert!(!header.has_xloadflags(xloadflags::MEM_ENCRYPTION));
}

#[test]
fn what_a_loader_needs_of_a_bzimage() {
    let mut file = bzimage();
    let len = file.len();
    // Secure Boot's signature is no part of the kernel.
    file.extend_from_slice(&[0x30; 1472]);
    let image = parse(&file);
    assert_eq!((image.version(), image.setup_len(), image.xloadflags()), (0x20f, 1024, 0x7f));
    assert_eq!(image.protected_mode(), &file[0x400..len]);
    assert_eq!(image.payload(), &file[0x640..0x680]);
    assert_eq!(image.compression(), Some(Compression::Zstd));
    assert_eq!((image.init_size(), image.cmdline_size()), (0x1_0000, 2047));
    assert_eq!((image.kernel_alignment(), image.min_alignment()), (0x20_0000, 0x20_0000));
    assert_eq!((image.pref_address(), image.is_relocatable()), (PhysAddr(0x100_0000), true));
    assert_eq!((image.entry_64(), image.can_be_loaded_above_4g()), (Ok(0x200), true));
    assert_eq!(image.kernel_version(), Some(&b"6.12.117+deb12-cloud-amd64 (debian)"[..]));
    let info = KernelInfo { size: 16, size_total: 20, setup_type_max: 0x8000_0009 };
    assert_eq!(image.kernel_info(), Some(info));
    assert_eq!(Image::BzImage(image).e_machine(), Some(EM_X86_64));
}

#[test]
fn older_and_32_bit_kernels() {
    let mut file = bzimage();
    // No 64-bit entry.
    put(&mut file, 0x236, &[0, 0]);
    let image = parse(&file);
    assert_eq!(image.entry_64(), Err(unsupported(Field::Xloadflags, 0)));
    assert_eq!(Image::BzImage(image).e_machine(), Some(EM_386));
    // Protocol 2.12, whose header ends at 0x268; setup_sects 0 means 4.
    let mut file = bzimage();
    put(&mut file, 0x206, &[0x0c]);
    put(&mut file, 0x201, &[0x66]);
    put(&mut file, 0x1f1, &[0]);
    put(&mut file, 0x20e, &[0, 0]);
    let setup = [file[..0x400].to_vec(), std::vec![0; 5 * 512 - 0x400]].concat();
    let file = [&setup[..], &file[0x400..]].concat();
    let image = parse(&file);
    assert_eq!((image.setup_len(), image.kernel_info(), image.kernel_version()), (2560, None, None));
    assert_eq!(image.header().kernel_info_offset.get(), 0);
    // A version text that would stand behind the setup code.
    let mut file = bzimage();
    put(&mut file, 0x20e, &[0, 2]);
    assert_eq!(parse(&file).kernel_version(), None);
}

#[test]
fn a_bzimage_cut_anywhere_is_refused() {
    every_cut_is_refused(&bzimage());
}

#[test]
fn contradictions_name_their_field() {
    refusals(
        &bzimage(),
        &[
            (0x206, &[0x0b, 0x02], unsupported(Field::SetupVersion, 0x020b)),
            (0x201, &[0x69], corrupt(Field::SetupJump, 0x201)),
            (0x211, &[0], unsupported(Field::Loadflags, 0)),
            (0x230, &[0, 0, 0, 0], corrupt(Field::KernelAlignment, 0x230)),
            (0x230, &[1, 0, 0x20, 0], corrupt(Field::KernelAlignment, 0x230)),
            (0x235, &[32], corrupt(Field::MinAlignment, 0x235)),
            (0x1f1, &[3], corrupt(Field::SetupSects, 0x1f1)),
            (0x1f1, &[255], corrupt(Field::SetupSects, 0x1f1)),
            (0x1f1, &[2], corrupt(Field::Syssize, 0x1f4)),
            (0x1f4, &[0, 0, 0, 0], corrupt(Field::Syssize, 0x1f4)),
            (0x1f4, &[0x20, 0, 0, 0], corrupt(Field::Syssize, 0x1f4)),
            (0x1f4, &[0x31, 0, 0, 0], corrupt(Field::Syssize, 0x1f4)),
            (0x1f4, &[0xff; 4], corrupt(Field::Syssize, 0x1f4)),
            (0x260, &[0xff, 2, 0, 0], corrupt(Field::InitSize, 0x260)),
            (0x248, &[1, 3, 0, 0], corrupt(Field::PayloadOffset, 0x248)),
            (0x248, &[0xff; 4], corrupt(Field::PayloadOffset, 0x248)),
            (0x24c, &[0xc1, 0, 0, 0], corrupt(Field::PayloadLength, 0x24c)),
            (0x24c, &[0xff; 4], corrupt(Field::PayloadLength, 0x24c)),
            (0x268, &[0xf1, 2, 0, 0], corrupt(Field::KernelInfo, 0x400 + 0x2f1)),
            (0x268, &[0xff; 4], corrupt(Field::KernelInfo, 0x400 + 0xffff_ffff)),
            (0x6c0, b"LTOP", corrupt(Field::KernelInfo, 0x6c0)),
            (0x6c4, &[15], corrupt(Field::KernelInfo, 0x6c0)),
            (0x6c8, &[15], corrupt(Field::KernelInfo, 0x6c0)),
            (0x6c8, &[0x41], corrupt(Field::KernelInfo, 0x6c0)),
        ],
    );
}
