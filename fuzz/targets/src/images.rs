//! Kernel images of every kind: nothing that they say lies outside of the file.

use kexec_core::boot_params::BootParams;
use kexec_core::image::{Compression, Image, SetupHeader, identify};

use crate::kernels::{DEBIAN, arm64, bzimage, riscv, uki, vmlinux, zboot};

/// The input is the file.
pub fn run(data: &[u8]) {
    let _header = SetupHeader::of_image(data);
    let _compression = (Compression::detect(data), Compression::from_name(data));
    let _params = BootParams::parse(data).map(|params| (params.e820().len(), params.initrd()));
    if let Ok(image) = identify(data) {
        walk(image, data);
    }
}

fn inside(part: &[u8], file: &[u8]) {
    assert!(part.is_empty() || file.as_ptr_range().contains(&part.as_ptr()));
    assert!(part.as_ptr_range().end <= file.as_ptr_range().end || part.is_empty());
}

fn walk(image: Image<'_>, file: &[u8]) {
    let _machine = image.e_machine();
    match image {
        Image::BzImage(image) => {
            inside(image.protected_mode(), file);
            inside(image.payload(), file);
            inside(image.kernel_version().unwrap_or_default(), file);
            assert!(image.init_size() >= image.protected_mode().len() as u64);
            assert!(image.kernel_alignment().is_power_of_two() && image.min_alignment().is_power_of_two());
            let _facts = (image.entry_64(), image.compression(), image.kernel_info(), image.pref_address());
            let params = BootParams::of_bzimage(&image);
            let _told = (params.e820().len(), params.initrd(), params.command_line());
        }
        Image::Elf(kernel) => {
            let mut end = 0;
            for load in kernel.loads() {
                inside(load.data, file);
                assert!(load.paddr.0 >= end && load.memsz >= load.data.len() as u64);
                end = load.paddr.0 + load.memsz;
            }
            assert_eq!(kernel.memory().end.0, end);
            assert!(kernel.entry().is_ok_and(|entry| kernel.memory().contains(&entry)));
            let _notes = (kernel.is_linux(), kernel.pvh_entry(), kernel.pvh_reloc());
        }
        Image::Arm64(image) => {
            inside(image.raw().kernel(), file);
            assert!(image.raw().file_len() <= file.len() as u64);
        }
        Image::Riscv(image) => {
            inside(image.raw().kernel(), file);
            assert!(image.raw().file_len() <= file.len() as u64);
        }
        Image::Zboot(image) => inside(image.payload(), file),
        Image::Uki(image) => {
            for section in image.sections() {
                inside(section.expect("a parsed image has sound sections").data, file);
            }
            for part in [image.cmdline(), image.initrd(), image.ucode()].into_iter().flatten() {
                inside(part, file);
            }
            inside(image.linux(), file);
            walk(image.kernel().expect("a parsed image has a sound kernel"), image.linux());
        }
        _ => {}
    }
}

/// An image of each kind.
pub fn seeds() -> Vec<Vec<u8>> {
    let bzimage = bzimage(&DEBIAN);
    vec![
        vmlinux(&[(0x100_0000, 0x1000), (0x120_0000, 0x20_0000)], true),
        uki(&bzimage, &[]),
        uki(&vmlinux(&[(0x100_0000, 0x1000)], false), b"microcode"),
        bzimage,
        arm64(),
        riscv(),
        zboot(b"gzip"),
        zboot(b"zstd22"),
    ]
}
