//! Damaged images: nothing panics, and nothing outside of the file is answered.

use super::*;
use testkit::{Random, sweep};

fn inside(part: &[u8], file: &[u8]) {
    assert!(part.is_empty() || file.as_ptr_range().contains(&part.as_ptr()));
    assert!(part.len() <= file.len());
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
        }
        Image::Elf(kernel) => {
            let mut end = 0;
            for load in kernel.loads() {
                inside(load.data, file);
                assert!(load.paddr.0 >= end && load.memsz >= load.data.len() as u64);
                end = load.paddr.0 + load.memsz;
            }
            assert_eq!(kernel.memory().end.0, end);
            assert!(kernel.memory().contains(&kernel.entry().unwrap()));
        }
        Image::Arm64(image) => inside(image.raw().kernel(), file),
        Image::Riscv(image) => inside(image.raw().kernel(), file),
        Image::Zboot(image) => inside(image.payload(), file),
        Image::Uki(image) => {
            for section in image.sections() {
                inside(section.unwrap().data, file);
            }
            inside(image.cmdline().unwrap_or_default(), file);
            walk(image.kernel().unwrap(), image.linux());
        }
    }
}

fn images() -> [Vec<u8>; 7] {
    [
        bzimage::bzimage(),
        elf::x86_vmlinux(),
        efi::arm64(),
        efi::riscv(),
        efi::zboot(b"zstd"),
        efi::zboot(b"gzip"),
        efi::uki(),
    ]
}

#[test]
fn every_field_of_the_headers_with_every_extreme() {
    for image in images() {
        let (mut taken, mut refused) = (0, 0);
        sweep(&image, 0..0x280, |_, damaged| match identify(damaged) {
            Ok(image) => {
                walk(image, damaged);
                taken += 1;
            }
            Err(_) => refused += 1,
        });
        assert!(taken > 1000 && refused > 200, "{taken} {refused}");
    }
}

#[test]
fn images_cut_anywhere() {
    for image in images() {
        for len in (0..image.len()).step_by(7).chain(0..0x300.min(image.len())) {
            if let Ok(cut) = identify(&image[..len]) {
                walk(cut, &image[..len]);
            }
        }
    }
}

#[test]
fn damaged_images() {
    for image in images() {
        let mut taken = 0;
        for seed in 0..6000 {
            let mut random = Random::new(seed);
            let mut damaged = image.clone();
            // Half of them in the headers, where a change is felt.
            let head = if seed % 2 == 0 { 0x280 } else { damaged.len() };
            for _ in 0..=random.below(4) {
                if random.below(2) == 0 {
                    random.extreme(&mut damaged[..head]);
                } else {
                    random.flip(&mut damaged[..head]);
                }
            }
            if let Ok(image) = identify(&damaged) {
                walk(image, &damaged);
                taken += 1;
            }
        }
        assert!((300..5900).contains(&taken), "{taken}");
    }
}
