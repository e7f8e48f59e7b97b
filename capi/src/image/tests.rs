#![expect(clippy::undocumented_unsafe_blocks, reason = "pointers to values here, or wrong on purpose")]

use core::ffi::CStr;
use core::mem::MaybeUninit;
use core::ptr::{null, null_mut};
use std::vec::Vec;

use kexec_core::image::Compression;

use super::*;
use crate::status::{
    KCAP_ERR_BUFFER_TOO_SMALL, KCAP_ERR_CORRUPT, KCAP_ERR_LENGTH, KCAP_ERR_NOT_FOUND, KCAP_ERR_NULL,
    KCAP_ERR_UNSUPPORTED, KCAP_OK,
};
use crate::testing::images;
use crate::testing::{no_error, sized};

fn with_image(file: &[u8], test: impl FnOnce(*const kcap_image)) {
    let mut image = MaybeUninit::<kcap_image>::uninit();
    let (at, len) = (image.as_mut_ptr(), kcap_image_size());
    let status = unsafe { kcap_image_init(at, len, file.as_ptr(), file.len(), null_mut()) };
    assert_eq!(status, KCAP_OK);
    test(at);
}

fn bytes<'a>(at: *const u8, len: usize) -> &'a [u8] {
    unsafe { core::slice::from_raw_parts(at, len) }
}

#[test]
fn a_bzimage_is_described() {
    with_image(&images::bzimage(), |image| unsafe {
        assert_eq!((kcap_image_kind_of(image), kcap_image_e_machine(image)), (KCAP_IMAGE_BZIMAGE, 62));
        let mut found: kcap_bzimage = sized();
        assert_eq!(kcap_image_get_bzimage(image, &raw mut found), KCAP_OK);
        assert_eq!(bytes(found.protected_mode, found.protected_mode_len).len(), 0x400);
        assert_eq!(bytes(found.payload, found.payload_len), [0x1f, 0x8b, 8, 0, 0xe9, 0xe9, 0xe9, 0xe9]);
        assert_eq!(bytes(found.kernel_version, found.kernel_version_len), b"6.12.0 (someone)");
        let numbers = (found.setup_len, found.init_size, found.kernel_alignment, found.min_alignment);
        assert_eq!(numbers, (0x400, 0x37d_c000, 0x20_0000, 0x20_0000));
        let more = (found.pref_address, found.cmdline_size, found.entry_64, found.version);
        assert_eq!(more, (0x100_0000, 2047, 0x200, 0x20f));
        assert_eq!((found.xloadflags, found.relocatable, found.compression), (0x7f, 1, KCAP_PAYLOAD_GZIP));
        assert_eq!(found.kernel_info_size, 0);

        let mut header: kcap_setup_header = sized();
        assert_eq!(kcap_image_setup_header(image, &raw mut header), KCAP_OK);
        assert_eq!((header.setup_sects, header.syssize, &header.header), (1, 0x40, b"HdrS"));
        assert_eq!((header.initrd_addr_max, header.boot_flag), (0x7fff_ffff, 0xaa55));
        assert_eq!((header.payload_offset, header.payload_length, header.kernel_version), (0x300, 8, 0x90));
    });
}

#[test]
fn the_other_kinds_are_described() {
    with_image(&images::vmlinux(), |image| unsafe {
        let mut kernel: kcap_elf_kernel = sized();
        assert_eq!(kcap_image_get_elf(image, &raw mut kernel), KCAP_OK);
        assert_eq!((kernel.memory.start, kernel.memory.end), (0x10_0000, 0x10_0010));
        assert_eq!((kernel.entry, kernel.pvh_entry, kernel.bits), (0x10_0001, KCAP_NOT_STATED, 64));
        let mut load = MaybeUninit::<kcap_elf_load>::uninit();
        assert_eq!(kcap_image_elf_load(image, 0, load.as_mut_ptr()), KCAP_OK);
        let load = load.assume_init();
        assert_eq!(bytes(load.data, load.data_len), b"KERNEL!!");
        assert_eq!((load.paddr, load.memsz, load.vaddr), (0x10_0000, 16, 0xffff_ffff_8010_0000));
        assert_eq!(kcap_image_elf_load(image, 1, &mut { load }), KCAP_ERR_NOT_FOUND);
    });
    with_image(&images::arm64(), |image| unsafe {
        let mut found: kcap_arm64_image = sized();
        assert_eq!(kcap_image_get_arm64(image, &raw mut found), KCAP_OK);
        assert_eq!((found.page_size, found.anywhere, found.image_size), (0x4000, 1, 0x1_0000));
        assert_eq!((found.kernel_len, found.file_len), (0x300, 0x300));
    });
    with_image(&images::riscv(), |image| unsafe {
        let mut found: kcap_riscv_image = sized();
        assert_eq!(kcap_image_get_riscv(image, &raw mut found), KCAP_OK);
        assert_eq!((found.text_offset, found.version, found.kernel_len), (0x20_0000, 2, 0x300));
    });
    with_image(&images::zboot(), |image| unsafe {
        let mut found: kcap_zboot = sized();
        assert_eq!(kcap_image_get_zboot(image, &raw mut found), KCAP_OK);
        assert_eq!((found.payload_offset, found.payload_len), (0x300, 0x40));
        assert_eq!((found.compression, found.uncompressed_len), (KCAP_PAYLOAD_ZSTD, 0x65_4321));
        assert_eq!(kcap_image_e_machine(image), 183);
    });
}

#[test]
fn a_uki_is_taken_apart() {
    with_image(&images::uki(), |image| unsafe {
        let mut found: kcap_uki = sized();
        assert_eq!(kcap_image_get_uki(image, &raw mut found), KCAP_OK);
        assert_eq!(bytes(found.cmdline, found.cmdline_len), b"quiet\n");
        assert_eq!(bytes(found.initrd, found.initrd_len), b"070701");
        assert_eq!(bytes(found.linux_image, found.linux_len), images::bzimage());
        assert!(found.ucode.is_null() && found.ucode_len == 0);
        let mut kernel = MaybeUninit::<kcap_image>::uninit();
        let (at, len) = (kernel.as_mut_ptr(), kcap_image_size());
        assert_eq!(kcap_image_uki_kernel(image, at, len, null_mut()), KCAP_OK);
        assert_eq!(kcap_image_kind_of(at), KCAP_IMAGE_BZIMAGE);
        let mut names = Vec::new();
        let mut section = MaybeUninit::<kcap_pe_section>::uninit();
        while kcap_image_uki_section(image, names.len(), section.as_mut_ptr()) == KCAP_OK {
            let section = section.assume_init();
            names.push(CStr::from_bytes_until_nul(&section.name).unwrap().to_bytes().to_vec());
        }
        assert_eq!(names, [&b".cmdline"[..], b".initrd", b".linux"]);
        let (mut data, mut len) = (null(), 7);
        let find = |name: &CStr, data, len| kcap_image_uki_find(image, name.as_ptr(), data, len);
        assert_eq!(find(c".none", &raw mut data, &raw mut len), KCAP_ERR_NOT_FOUND);
        assert!(data.is_null() && len == 7);
        assert_eq!(find(c".initrd", null_mut(), &raw mut len), KCAP_ERR_NULL);
        assert_eq!(find(c".initrd", &raw mut data, null_mut()), KCAP_ERR_NULL);
        assert_eq!(find(c".initrd", &raw mut data, &raw mut len), KCAP_OK);
        assert_eq!(bytes(data, len), b"070701");
        assert_eq!(kcap_image_uki_find(image, null(), &raw mut data, &raw mut len), KCAP_ERR_NULL);
        assert_eq!(kcap_image_uki_section(image, 0, null_mut()), KCAP_ERR_NULL);
        assert_eq!(kcap_image_uki_kernel(image, at, 0, null_mut()), KCAP_ERR_BUFFER_TOO_SMALL);
        assert_eq!(kcap_image_uki_kernel(image, null_mut(), len, null_mut()), KCAP_ERR_NULL);
    });
}

#[test]
fn an_image_of_another_kind_says_so() {
    macro_rules! each {
        ($image:expr, $expected:expr, $($function:ident($description:ty)),*) => {
            $({
                let mut out: $description = sized();
                assert_eq!(unsafe { $function($image, &raw mut out) }, $expected);
                assert_eq!(unsafe { $function($image, null_mut()) }, KCAP_ERR_NULL);
            })*
        };
    }
    with_image(&images::bzimage(), |image| {
        each!(
            image,
            KCAP_ERR_STATE,
            kcap_image_get_elf(kcap_elf_kernel),
            kcap_image_get_arm64(kcap_arm64_image),
            kcap_image_get_riscv(kcap_riscv_image),
            kcap_image_get_zboot(kcap_zboot),
            kcap_image_get_uki(kcap_uki)
        );
    });
    with_image(&images::vmlinux(), |image| {
        each!(
            image,
            KCAP_ERR_STATE,
            kcap_image_get_bzimage(kcap_bzimage),
            kcap_image_setup_header(kcap_setup_header)
        );
    });
    each!(
        null(),
        KCAP_ERR_NULL,
        kcap_image_get_elf(kcap_elf_kernel),
        kcap_image_get_arm64(kcap_arm64_image),
        kcap_image_get_riscv(kcap_riscv_image),
        kcap_image_get_zboot(kcap_zboot),
        kcap_image_get_uki(kcap_uki),
        kcap_image_get_bzimage(kcap_bzimage),
        kcap_image_setup_header(kcap_setup_header)
    );
}

#[test]
fn wrong_pointers_lengths_and_files_are_found() {
    let file = images::bzimage();
    let mut place = MaybeUninit::<kcap_image>::uninit();
    let (at, size) = (place.as_mut_ptr(), kcap_image_size());
    let mut error = no_error();
    unsafe {
        let init = |at, size, file, len| kcap_image_init(at, size, file, len, null_mut());
        assert_eq!(init(null_mut(), size, file.as_ptr(), file.len()), KCAP_ERR_NULL);
        assert_eq!(init(at, 0, file.as_ptr(), file.len()), KCAP_ERR_BUFFER_TOO_SMALL);
        assert_eq!(init(at, usize::MAX, file.as_ptr(), file.len()), KCAP_ERR_LENGTH);
        assert_eq!(init(at, size, null(), file.len()), KCAP_ERR_NULL);
        assert_eq!(init(at, size, null(), 0), KCAP_ERR_UNSUPPORTED);
        assert_eq!(init(at, size, file.as_ptr(), usize::MAX), KCAP_ERR_LENGTH);
        let status = kcap_image_init(at, size, file.as_ptr(), 0x500, &raw mut error);
        assert_eq!((status, error.offset), (KCAP_ERR_CORRUPT, 0x1f4));
        assert_eq!(CStr::from_ptr(error.field.as_ptr()), c"syssize");
        assert_eq!((kcap_image_kind_of(null()), kcap_image_e_machine(null())), (0, 0));
    }
}

#[test]
fn compressions_have_the_names_of_the_crate() {
    let all = [
        Compression::Gzip,
        Compression::Bzip2,
        Compression::Lzma,
        Compression::Xz,
        Compression::Lzo,
        Compression::Lz4,
        Compression::Zstd,
    ];
    for (payload, compression) in (KCAP_PAYLOAD_GZIP..).zip(all) {
        let name = kcap_payload_str(payload);
        unsafe {
            assert_eq!(CStr::from_ptr(name).to_str().unwrap(), compression.name());
            assert_eq!(kcap_payload_of_name(name), payload);
        }
    }
    unsafe {
        assert_eq!(kcap_payload_detect(b"BZh9".as_ptr(), 4), KCAP_PAYLOAD_BZIP2);
        assert_eq!(kcap_payload_detect(null(), 4), 0);
        assert_eq!(kcap_payload_of_name(null()), 0);
        assert_eq!(CStr::from_ptr(kcap_payload_str(99)), c"unknown");
    }
}
