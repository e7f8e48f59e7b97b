#![expect(clippy::undocumented_unsafe_blocks, reason = "pointers to values here, or wrong on purpose")]

use core::mem::MaybeUninit;
use core::ptr::{null, null_mut};

use kexec_core::image;

use super::*;
use crate::image::{kcap_image_init, kcap_image_size};
use crate::map::KCAP_RANGE_SYSTEM_RAM;
use crate::status::{
    KCAP_ERR_BUFFER_TOO_SMALL, KCAP_ERR_INVALID, KCAP_ERR_LENGTH, KCAP_ERR_NULL, KCAP_ERR_UNSUPPORTED,
    KCAP_OK,
};
use crate::testing::{images, no_error, sized};

fn of_image(file: &[u8], params: &mut [u8; 4096]) -> kcap_status {
    let mut image = MaybeUninit::<kcap_image>::uninit();
    let (at, len) = (image.as_mut_ptr(), kcap_image_size());
    unsafe {
        assert_eq!(kcap_image_init(at, len, file.as_ptr(), file.len(), null_mut()), KCAP_OK);
        kcap_boot_params_of_image(at, params.as_mut_ptr())
    }
}

fn bzimage_params() -> [u8; 4096] {
    let mut params = [0x55; 4096];
    assert_eq!(of_image(&images::bzimage(), &mut params), KCAP_OK);
    params
}

const E820: [kcap_e820_entry; 2] = [
    kcap_e820_entry { start: 0x1000, end: 0x9_f000, kind: 1, reserved: 0 },
    kcap_e820_entry { start: 0x10_0000, end: 0x4000_0000, kind: 1, reserved: 0 },
];

#[test]
fn params_start_from_an_image() {
    use zerocopy::IntoBytes as _;
    let file = images::bzimage();
    let Ok(image::Image::BzImage(bzimage)) = image::identify(&file) else { unreachable!() };
    assert_eq!(bzimage_params(), BootParams::of_bzimage(&bzimage).as_bytes());
    let mut params = [0x55; 4096];
    assert_eq!(of_image(&images::vmlinux(), &mut params), KCAP_OK);
    assert_eq!(params, BootParams::of_vmlinux().as_bytes());
    params = [0x55; 4096];
    assert_eq!(of_image(&images::arm64(), &mut params), KCAP_ERR_STATE);
    assert_eq!(params, [0x55; 4096]);
}

#[test]
fn places_are_set_and_read() {
    let mut params = bzimage_params();
    let mut running = [0; 4096];
    (running[0x70], running[0x1ec]) = (0x52, 3);
    let at = params.as_mut_ptr();
    unsafe {
        assert_eq!(kcap_boot_params_take_over(at, running.as_ptr()), KCAP_OK);
        assert_eq!(kcap_boot_params_set_initrd(at, 0x1_2345_6000, 0x1_0000_0001), KCAP_OK);
        assert_eq!(kcap_boot_params_set_command_line(at, 0x2_0000_1000), KCAP_OK);
        assert_eq!(kcap_boot_params_set_efi(at, 0x3_0000_0018, 0x4_0000_0000), KCAP_OK);
        let mut places: kcap_boot_places = sized();
        assert_eq!(kcap_boot_params_get_places(at, &raw mut places), KCAP_OK);
        assert_eq!((places.initrd, places.initrd_len), (0x1_2345_6000, 0x1_0000_0001));
        assert_eq!((places.command_line, places.efi_systab), (0x2_0000_1000, 0x3_0000_0018));
        assert_eq!((places.efi_memmap, places.e820_count), (0x4_0000_0000, 0));
    }
    assert_eq!((params[0x70], params[0x1ec]), (0x52, 3));
}

#[test]
fn a_segment_is_what_the_crate_writes() {
    let params = bzimage_params();
    let seed = [0x5a_u8; 32];
    let item = kcap_setup_data { data: seed.as_ptr(), len: 32, kind: KCAP_SETUP_RNG_SEED, reserved: 0 };
    let descriptor = [7_u8; 40];
    let mut efi: kcap_efi_runtime = sized();
    (efi.runtime_map, efi.runtime_map_count) = (descriptor.as_ptr(), 1);
    (efi.systab, efi.fw_vendor, efi.runtime) = (1, 2, 3);
    (efi.config_table, efi.smbios, efi.loader_signature) = (4, 5, *b"EL64");
    let mut segment: kcap_boot_segment = sized();
    segment.boot_params = params.as_ptr();
    segment.command_line = c"quiet".as_ptr();
    (segment.e820, segment.e820_count) = (E820.as_ptr(), 2);
    (segment.efi, segment.setup_data, segment.setup_data_count) = (&raw const efi, &raw const item, 1);
    (segment.initrd, segment.initrd_len) = (0x200_0000, 99);

    let runtime_map = [EfiMemoryDescriptor::new(
        0x0707_0707,
        PhysAddr(0x0707_0707_0707_0707),
        0x0707_0707_0707_0707,
        0x0707_0707_0707_0707,
        0x0707_0707_0707_0707,
    )];
    let mut pad = runtime_map;
    pad[0].pad = 0x0707_0707.into();
    let rust = BootParamsSegment {
        boot_params: BootParams::parse(&params).unwrap(),
        command_line: b"quiet",
        initrd: Some((PhysAddr(0x200_0000), 99)),
        e820: E820.iter().map(|entry| E820Entry {
            start: PhysAddr(entry.start),
            end: PhysAddr(entry.end),
            kind: entry.kind,
        }),
        efi: Some(EfiRuntime {
            loader_signature: *b"EL64",
            systab: PhysAddr(1),
            fw_vendor: PhysAddr(2),
            runtime: PhysAddr(3),
            config_table: PhysAddr(4),
            smbios: PhysAddr(5),
            runtime_map: &pad,
        }),
        setup_data: &[SetupData::rng_seed(&seed)],
    };
    let mut expected = std::vec![0; rust.encoded_len().unwrap()];
    rust.encode(PhysAddr(0x1000_0000), &mut expected).unwrap();

    let mut len = 0;
    unsafe {
        assert_eq!(kcap_boot_segment_len(&raw const segment, &raw mut len, null_mut()), KCAP_OK);
        assert_eq!(len, expected.len());
        let mut out = std::vec![0x55; len];
        let encode = |out: *mut u8, out_len, len, error| {
            kcap_boot_segment_encode(&raw const segment, 0x1000_0000, out, out_len, len, error)
        };
        let mut error = no_error();
        let short = encode(out.as_mut_ptr(), len - 1, null_mut(), &raw mut error);
        assert_eq!((short, error.value), (KCAP_ERR_BUFFER_TOO_SMALL, u64::try_from(len).unwrap()));
        assert_eq!(encode(out.as_mut_ptr(), out.len(), &raw mut len, null_mut()), KCAP_OK);
        assert_eq!((out.as_slice(), len), (expected.as_slice(), expected.len()));

        let mut range = kcap_range::default();
        assert_eq!(kcap_boot_params_get_e820(out.as_ptr(), 1, &raw mut range), KCAP_OK);
        assert_eq!((range.start, range.end, range.kind), (0x10_0000, 0x4000_0000, KCAP_RANGE_SYSTEM_RAM));
        assert_eq!(kcap_boot_params_get_e820(out.as_ptr(), 2, &raw mut range), KCAP_ERR_NOT_FOUND);
    }
}

#[test]
fn wrong_pointers_lengths_and_numbers_are_found() {
    let params = bzimage_params();
    let mut good: kcap_boot_segment = sized();
    (good.boot_params, good.e820, good.e820_count) = (params.as_ptr(), E820.as_ptr(), 2);
    let encode = |segment: &kcap_boot_segment| {
        let mut out = std::vec![0_u8; 0x2000];
        let mut len = 7;
        let at = out.as_mut_ptr();
        let status = unsafe {
            kcap_boot_segment_encode(&raw const *segment, 0x1000, at, 0x2000, &raw mut len, null_mut())
        };
        assert_eq!(status == KCAP_OK, len != 7);
        status
    };
    assert_eq!(encode(&good), KCAP_OK);
    assert_eq!(encode(&kcap_boot_segment { size: 0, ..good }), KCAP_ERR_LENGTH);
    assert_eq!(encode(&kcap_boot_segment { boot_params: null(), ..good }), KCAP_ERR_NULL);
    assert_eq!(encode(&kcap_boot_segment { e820: null(), ..good }), KCAP_ERR_NULL);
    assert_eq!(encode(&kcap_boot_segment { e820_count: usize::MAX, ..good }), KCAP_ERR_LENGTH);
    assert_eq!(encode(&kcap_boot_segment { e820_count: 1, ..good }), KCAP_ERR_UNSUPPORTED);
    assert_eq!(encode(&kcap_boot_segment { setup_data_count: 1, ..good }), KCAP_ERR_NULL);
    let item = kcap_setup_data { data: null(), len: 1, kind: 9, reserved: 0 };
    let items = [item; KCAP_SETUP_DATA_MAX + 1];
    let many = kcap_boot_segment { setup_data: items.as_ptr(), setup_data_count: items.len(), ..good };
    assert_eq!(encode(&many), KCAP_ERR_INVALID);
    assert_eq!(encode(&kcap_boot_segment { setup_data_count: 1, ..many }), KCAP_ERR_NULL);
    let efi: kcap_efi_runtime = sized();
    let no_map = kcap_boot_segment { efi: &raw const efi, ..good };
    assert_eq!(encode(&no_map), KCAP_ERR_UNSUPPORTED);
    let mut own = params;
    let (at, mut len) = (own.as_mut_ptr(), 7);
    unsafe {
        assert_eq!(kcap_boot_segment_len(null(), &raw mut len, null_mut()), KCAP_ERR_NULL);
        assert_eq!(kcap_boot_segment_len(&raw const good, null_mut(), null_mut()), KCAP_ERR_NULL);
        assert_eq!(kcap_boot_segment_encode(null(), 0, at, 1, null_mut(), null_mut()), KCAP_ERR_NULL);
        assert_eq!(kcap_boot_params_of_image(null(), at), KCAP_ERR_NULL);
        assert_eq!(kcap_boot_params_take_over(null_mut(), at), KCAP_ERR_NULL);
        assert_eq!(kcap_boot_params_take_over(at, null()), KCAP_ERR_NULL);
        assert_eq!(kcap_boot_params_set_initrd(null_mut(), 0, 0), KCAP_ERR_NULL);
        assert_eq!(kcap_boot_params_set_command_line(null_mut(), 0), KCAP_ERR_NULL);
        assert_eq!(kcap_boot_params_set_efi(null_mut(), 0, 0), KCAP_ERR_NULL);
        assert_eq!(kcap_boot_params_get_places(null(), &mut sized::<kcap_boot_places>()), KCAP_ERR_NULL);
        assert_eq!(kcap_boot_params_get_places(at, null_mut()), KCAP_ERR_NULL);
        assert_eq!(kcap_boot_params_get_e820(null(), 0, &mut kcap_range::default()), KCAP_ERR_NULL);
        assert_eq!(kcap_boot_params_get_e820(at, 0, null_mut()), KCAP_ERR_NULL);
    }
    assert_eq!((own, len), (params, 7));
}
