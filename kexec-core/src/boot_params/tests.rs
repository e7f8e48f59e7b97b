//! The structure against the kernel's own debug information, the segment walked as the kernel walks it.

use super::*;
use crate::image::{Image, SetupHeader, identify, xloadflags};
use crate::{Error, Field};
use core::mem::offset_of;
use std::vec::Vec;
use vmcore_format::PhysAddr;
use zerocopy::little_endian::{U16, U32};
use zerocopy::{FromBytes, IntoBytes};

type Segment<'a> = BootParamsSegment<'a, std::vec::IntoIter<E820Entry>>;

/// `count` ranges of 1 MiB, one behind the other.
fn map(count: u64) -> std::vec::IntoIter<E820Entry> {
    let entries = (0..count).map(|number| E820Entry {
        start: PhysAddr(number << 20),
        end: PhysAddr((number + 1) << 20),
        kind: 1 + (number % 2) as u32,
    });
    entries.collect::<Vec<_>>().into_iter()
}

fn plain(boot_params: &BootParams) -> Segment<'_> {
    BootParamsSegment {
        boot_params,
        command_line: b"console=ttyS0 elfcorehdr=0x26f5d000",
        initrd: None,
        e820: map(2),
        efi: None,
        setup_data: &[],
    }
}

fn encode(segment: &Segment<'_>, at: u64) -> Vec<u8> {
    let len = segment.encoded_len().unwrap();
    let mut out = std::vec![0xaa; len + 1];
    assert_eq!(segment.encode(PhysAddr(at), &mut out), Ok(len));
    assert_eq!(out.pop(), Some(0xaa));
    for short in [0, 1, 4096, len - 1] {
        let mut out = std::vec![0; short];
        let error = segment.encode(PhysAddr(at), &mut out);
        assert_eq!(error, Err(Error::BufferTooSmall { needed: len as u64 }));
    }
    out
}

fn u32_at(bytes: &[u8], at: usize) -> u64 {
    u64::from(u32::from_le_bytes(bytes[at..at + 4].try_into().unwrap()))
}

fn u64_at(bytes: &[u8], at: usize) -> u64 {
    u64::from_le_bytes(bytes[at..at + 8].try_into().unwrap())
}

/// The items of a segment loaded at `at`: kind and data, following the addresses.
fn items(segment: &[u8], at: u64) -> Vec<(u64, Vec<u8>)> {
    let mut next = u64_at(segment, 0x250);
    let mut found = Vec::new();
    while next != 0 {
        assert_eq!(next % 16, 0);
        let item = &segment[(next - at) as usize..];
        let len = u32_at(item, 12) as usize;
        found.push((u32_at(item, 8), item[16..16 + len].to_vec()));
        next = u64_at(item, 0);
    }
    found
}

/// Offsets as gdb prints them (`ptype /o`) from Debian's vmlinux 6.12.117.
#[test]
fn the_structures_lie_as_the_kernel_has_them() {
    let params = [
        (offset_of!(BootParams, apm_bios_info), 64),
        (offset_of!(BootParams, tboot_addr), 88),
        (offset_of!(BootParams, ist_info), 96),
        (offset_of!(BootParams, acpi_rsdp_addr), 112),
        (offset_of!(BootParams, hd0_info), 128),
        (offset_of!(BootParams, sys_desc_table), 160),
        (offset_of!(BootParams, olpc_ofw_header), 176),
        (offset_of!(BootParams, ext_ramdisk_image), 192),
        (offset_of!(BootParams, ext_ramdisk_size), 196),
        (offset_of!(BootParams, ext_cmd_line_ptr), 200),
        (offset_of!(BootParams, cc_blob_address), 316),
        (offset_of!(BootParams, edid_info), 320),
        (offset_of!(BootParams, efi_info), 448),
        (offset_of!(BootParams, alt_mem_k), 480),
        (offset_of!(BootParams, e820_entries), 488),
        (offset_of!(BootParams, eddbuf_entries), 489),
        (offset_of!(BootParams, edd_mbr_sig_buf_entries), 490),
        (offset_of!(BootParams, secure_boot), 492),
        (offset_of!(BootParams, sentinel), 495),
        (offset_of!(BootParams, hdr), 497),
        (offset_of!(BootParams, edd_mbr_sig_buffer), 656),
        (offset_of!(BootParams, e820_table), 720),
        (offset_of!(BootParams, eddbuf), 3328),
        (size_of::<BootParams>(), 4096),
    ];
    let header = [
        (offset_of!(SetupHeader, version), 21),
        (offset_of!(SetupHeader, type_of_loader), 31),
        (offset_of!(SetupHeader, code32_start), 35),
        (offset_of!(SetupHeader, ramdisk_image), 39),
        (offset_of!(SetupHeader, cmd_line_ptr), 55),
        (offset_of!(SetupHeader, kernel_alignment), 63),
        (offset_of!(SetupHeader, xloadflags), 69),
        (offset_of!(SetupHeader, hardware_subarch), 75),
        (offset_of!(SetupHeader, payload_offset), 87),
        (offset_of!(SetupHeader, setup_data), 95),
        (offset_of!(SetupHeader, pref_address), 103),
        (offset_of!(SetupHeader, kernel_info_offset), 119),
    ];
    let screen = [
        (offset_of!(ScreenInfo, orig_video_is_vga), 15),
        (offset_of!(ScreenInfo, lfb_base), 24),
        (offset_of!(ScreenInfo, cl_magic), 32),
        (offset_of!(ScreenInfo, lfb_linelength), 36),
        (offset_of!(ScreenInfo, vesapm), 46),
        (offset_of!(ScreenInfo, capabilities), 54),
        (offset_of!(ScreenInfo, ext_lfb_base), 58),
        (size_of::<ScreenInfo>(), 64),
    ];
    for (ours, the_kernels) in params.into_iter().chain(header).chain(screen) {
        assert_eq!(ours, the_kernels);
    }
}

#[test]
fn the_plainest_segment() {
    let params = BootParams::of_vmlinux();
    let at = 0x26f4_e000;
    let out = encode(&plain(&params), at);
    let line = b"console=ttyS0 elfcorehdr=0x26f5d000\0";
    assert_eq!(out[0x1000..], *line);
    // Everything else than these bytes is zero.
    let mut expected = std::vec![0; 4096];
    let set: [(usize, &[u8]); 16] = [
        (0x020, &[0x3f, 0xa3, 0x00, 0x10]),
        (0x1e8, &[2]),
        (0x1fe, &[0x55, 0xaa]),
        (0x202, b"HdrS\x0f\x02"),
        (0x210, &[0xd0]),
        (0x228, &[0x00, 0xf0, 0xf4, 0x26]),
        (0x236, &[0x13, 0x00]),
        (0x238, &[0xff, 0x07]),
        (0x2d0, &[0; 8]),
        (0x2d8, &[0, 0, 0x10, 0, 0, 0, 0, 0]),
        (0x2e0, &[1, 0, 0, 0]),
        (0x2e4, &[0, 0, 0x10, 0, 0, 0, 0, 0]),
        (0x2ec, &[0, 0, 0x10, 0, 0, 0, 0, 0]),
        (0x2f4, &[2, 0, 0, 0]),
        (0x250, &[0; 8]),
        (0x211, &[0]),
    ];
    for (at, bytes) in set {
        expected[at..at + bytes.len()].copy_from_slice(bytes);
    }
    assert_eq!(out[..4096], expected);
}

#[test]
fn the_setup_header_of_an_image_is_copied() {
    let mut file = std::vec![0x90; 0x800];
    file[0x1f1..0x26c].fill(0x11);
    file[0x1f1] = 1;
    file[0x1f4..0x1f8].copy_from_slice(&[0x40, 0, 0, 0]);
    file[0x1fe..0x208].copy_from_slice(b"\x55\xaa\xeb\x6aHdrS\x0f\x02");
    file[0x230..0x236].copy_from_slice(&[0, 0, 0x20, 0, 1, 21]);
    file[0x248..0x250].fill(0);
    file[0x268..0x26c].fill(0);
    let Ok(Image::BzImage(image)) = identify(&file) else { panic!() };
    let params = BootParams::of_bzimage(&image);
    let bytes = params.as_bytes();
    assert_eq!((bytes[0x210], bytes[0x211]), (0xd0, 0));
    assert_eq!((&bytes[0x1f1..0x210], &bytes[0x212..0x26c]), (&file[0x1f1..0x210], &file[0x212..0x26c]));
    // Neither the boot sector before the header nor the code behind it.
    assert!(bytes[..0x1f1].iter().chain(&bytes[0x26c..]).all(|&byte| byte == 0));
}

#[test]
fn addresses_above_4_gib_are_split() {
    let params = BootParams::of_vmlinux();
    let mut segment = plain(&params);
    segment.initrd = Some((PhysAddr(0x1_ef00_0000), 0x2_0000_4000));
    segment.setup_data = &[SetupData { kind: 77, data: b"odd" }];
    let at = 0x1_fe00_0000;
    let out = encode(&segment, at);
    assert_eq!((u32_at(&out, 0x228), u32_at(&out, 0xc8)), (0xfe00_1000, 1));
    assert_eq!((u32_at(&out, 0x218), u32_at(&out, 0xc0)), (0xef00_0000, 1));
    assert_eq!((u32_at(&out, 0x21c), u32_at(&out, 0xc4)), (0x4000, 2));
    assert_eq!(items(&out, at), [(77, b"odd".to_vec())]);
    let read = BootParams::parse(&out).unwrap();
    assert_eq!(read.initrd(), Some((PhysAddr(0x1_ef00_0000), 0x2_0000_4000)));
    assert_eq!(read.command_line(), PhysAddr(0x1_fe00_1000));

    // A kernel that cannot be told of addresses above 4 GiB.
    let mut old = params;
    old.hdr.xloadflags = U16::new(xloadflags::KERNEL_64);
    segment.boot_params = &old;
    let refused = Err(Error::Unsupported { field: Field::Xloadflags, value: 1 });
    let mut buf = [0; 8192];
    assert_eq!(segment.encode(PhysAddr(at), &mut buf), refused);
    assert_eq!(segment.encode(PhysAddr(0x100_0000), &mut buf), refused);
    segment.initrd = Some((PhysAddr(0xffff_f000), 0x1000));
    assert_eq!(segment.encode(PhysAddr(at), &mut buf), refused);
    let len = segment.encoded_len().unwrap();
    assert_eq!(segment.encode(PhysAddr((1 << 32) - len as u64), &mut buf), Ok(len));
    assert_eq!(segment.encode(PhysAddr((1 << 32) - len as u64 + 1), &mut buf), refused);
    segment.initrd = Some((PhysAddr(0xffff_f000), 0x1001));
    assert_eq!(segment.encode(PhysAddr(0x100_0000), &mut buf), refused);
}

#[test]
fn a_long_memory_map_goes_on_in_setup_data() {
    let params = BootParams::of_vmlinux();
    for (count, extra) in [(2, 0), (127, 0), (128, 0), (129, 1), (1000, 872)] {
        let segment = Segment { e820: map(count), ..plain(&params) };
        let at = 0x1000_0000;
        let out = encode(&segment, at);
        let read = BootParams::parse(&out).unwrap();
        let mut bytes = read.e820().as_bytes().to_vec();
        assert_eq!(read.e820().len() as u64, count - extra);
        let items = items(&out, at);
        assert_eq!(items.len(), usize::from(extra > 0));
        for (kind, data) in items {
            assert_eq!((kind, data.len() as u64), (1, 20 * extra));
            bytes.extend(data);
        }
        for (number, entry) in bytes.chunks(20).enumerate() {
            let number = number as u64;
            assert_eq!((u64_at(entry, 0), u64_at(entry, 8)), (number << 20, 1 << 20));
            assert_eq!(u32_at(entry, 16), 1 + number % 2);
        }
        assert_eq!(bytes.len() as u64, 20 * count);
    }
}

#[test]
fn efi_rng_seed_and_others_are_chained() {
    let mut params = BootParams::of_vmlinux();
    params.sentinel = 0xff;
    params.hdr.setup_data.set(0xdead);
    let descriptors = [
        EfiMemoryDescriptor::new(6, PhysAddr(0x7f00_0000), 0xffff_fffe_f000_0000, 16, 0x8000_0000_0000_000f),
        EfiMemoryDescriptor::new(5, PhysAddr(0x7f10_0000), 0xffff_fffe_f010_0000, 2, 0xf),
    ];
    let seed = [7; 32];
    let fdt = [0xd0, 0x0d, 0xfe, 0xed, 1];
    let segment = Segment {
        e820: map(130),
        efi: Some(EfiRuntime {
            loader_signature: *b"EL64",
            systab: PhysAddr(0x1_7f2e_c018),
            fw_vendor: PhysAddr(0x7f2e_cf98),
            runtime: PhysAddr(0xffff_fffe_f001_2b98),
            config_table: PhysAddr(0x7e8e_de98),
            smbios: PhysAddr(0x7e96_9000),
            runtime_map: &descriptors,
        }),
        setup_data: &[SetupData::rng_seed(&seed), SetupData::dtb(&fdt), SetupData { kind: 3, data: b"" }],
        ..plain(&params)
    };
    let at = 0x1_0000_3000;
    let out = encode(&segment, at);
    assert_eq!(out[0x1ef], 0);
    let [ext, efi, rng, dtb, empty] = &items(&out, at)[..] else { panic!() };
    assert_eq!((ext.0, ext.1.len(), efi.0, efi.1.len()), (1, 40, 4, 96));
    let words: Vec<u64> = (0..12).map(|number| u64_at(&efi.1, 8 * number)).collect();
    assert_eq!(words[..4], [0x7f2e_cf98, 0xffff_fffe_f001_2b98, 0x7e8e_de98, 0x7e96_9000]);
    assert_eq!(words[4..], [0; 8]);
    assert_eq!((rng, dtb, empty), (&(9, seed.to_vec()), &(2, fdt.to_vec()), &(3, Vec::new())));

    // efi_info: signature, system table, 40 bytes for a descriptor, version 1, the map.
    assert_eq!(out[0x1c0..0x1c4], *b"EL64");
    assert_eq!((u32_at(&out, 0x1c4), u32_at(&out, 0x1d8)), (0x7f2e_c018, 1));
    assert_eq!((u32_at(&out, 0x1c8), u32_at(&out, 0x1cc), u32_at(&out, 0x1d4)), (40, 1, 80));
    let map_at = (u32_at(&out, 0x1dc) << 32 | u32_at(&out, 0x1d0)) - at;
    let map = &out[map_at as usize..][..80];
    assert_eq!((u32_at(map, 0), u32_at(map, 4), u64_at(map, 8)), (6, 0, 0x7f00_0000));
    assert_eq!((u64_at(map, 16), u64_at(map, 24)), (0xffff_fffe_f000_0000, 16));
    assert_eq!((u64_at(map, 32), u32_at(map, 40)), (0x8000_0000_0000_000f, 5));
    let info = BootParams::parse(&out).unwrap().efi_info;
    assert_eq!((info.systab(), info.memmap().0 - at), (PhysAddr(0x1_7f2e_c018), map_at));
}

#[test]
fn what_the_kernel_would_not_take_is_refused() {
    let mut params = BootParams::of_vmlinux();
    params.hdr.cmdline_size = U32::new(35);
    let mut buf = [0; 16384];
    let at = PhysAddr(0x100_0000);
    let mut try_it = |segment: Segment<'_>, at| segment.encode(at, &mut buf).err();
    let unsupported = |field, value| Some(Error::Unsupported { field, value });

    assert_eq!(try_it(plain(&params), at), None);
    let command_line = b"console=ttyS0 elfcorehdr=0x26f5d000K";
    let too_long = Some(Error::CommandLineTooLong { len: 36, limit: 35 });
    assert_eq!(try_it(Segment { command_line, ..plain(&params) }, at), too_long);
    let nul = Some(Error::Corrupt { field: Field::CommandLine, offset: 1 });
    assert_eq!(try_it(Segment { command_line: b"a\0b", ..plain(&params) }, at), nul);
    for count in [0, 1] {
        let few = unsupported(Field::E820Entries, count);
        assert_eq!(try_it(Segment { e820: map(count), ..plain(&params) }, at), few);
    }
    for (start, end) in [(5, 5), (6, 5)] {
        let mut entries: Vec<_> = map(200).collect();
        entries[130].start = PhysAddr(start);
        entries[130].end = PhysAddr(end);
        let empty = Some(Error::Corrupt { field: Field::E820Entry, offset: 130 });
        assert_eq!(try_it(Segment { e820: entries.into_iter(), ..plain(&params) }, at), empty);
    }
    let initrd = Some((PhysAddr(u64::MAX), 2));
    let past_end = unsupported(Field::RamdiskSize, 2);
    assert_eq!(try_it(Segment { initrd, ..plain(&params) }, at), past_end);
    let high = u64::MAX - 0xfff;
    assert_eq!(try_it(plain(&params), PhysAddr(high)), unsupported(Field::LoadAddress, high));

    let none = PhysAddr(0);
    let mut runtime = EfiRuntime {
        loader_signature: *b"EL64",
        systab: none,
        fw_vendor: none,
        runtime: none,
        config_table: none,
        smbios: none,
        runtime_map: &[],
    };
    let no_map = unsupported(Field::EfiMemmapSize, 0);
    assert_eq!(try_it(Segment { efi: Some(runtime), ..plain(&params) }, at), no_map);
    let descriptor = [EfiMemoryDescriptor::new(6, none, 0, 1, 0)];
    runtime.runtime_map = &descriptor;
    assert_eq!(try_it(Segment { efi: Some(runtime), ..plain(&params) }, at), None);
    let mut no_efi = params;
    no_efi.hdr.xloadflags = U16::new(3);
    let refused = unsupported(Field::Xloadflags, 3);
    assert_eq!(try_it(Segment { efi: Some(runtime), ..plain(&no_efi) }, at), refused);
}

#[test]
fn facts_of_the_running_kernel_are_taken_over() {
    // Each byte tells where it stands, so that a wrong copy shows.
    let bytes: Vec<u8> = (0..4096_u32).map(|at| (at % 251) as u8 + 1).collect();
    for len in 0..4096 {
        let error = Error::Corrupt { field: Field::BootParams, offset: 0 };
        assert_eq!(BootParams::parse(&bytes[..len]), Err(error));
    }
    let running = BootParams::parse(&bytes).unwrap();
    let fresh = BootParams::of_vmlinux();
    let mut params = fresh;
    params.take_over(running);
    let taken = [
        (0x000, 0x040),
        (0x070, 0x078),
        (0x140, 0x1c0),
        (0x1e9, 0x1eb),
        (0x1ec, 0x1ed),
        (0x23c, 0x248),
        (0x290, 0x2d0),
        (0xd00, 0xeec),
    ];
    for at in 0..4096 {
        let from = if taken.iter().any(|&(start, end)| (start..end).contains(&at)) {
            &bytes[..]
        } else {
            fresh.as_bytes()
        };
        assert_eq!(params.as_bytes()[at], from[at], "{at:#x}");
    }
    // A count that the kernel would not write.
    let mut full = BootParams::read_from_bytes(&bytes).unwrap();
    full.e820_entries = 255;
    assert_eq!(full.e820().len(), 128);
}
