use super::*;
use std::format;
use std::string::String;
use std::vec::Vec;

use RangeKind::{CrashKernel, Persistent, Reserved, ReservedRam, SystemRam};

type Found = Vec<(u64, u64, RangeKind)>;

fn read(text: &str) -> Result<(KernelImage, Found), Error> {
    let mut table = [Range::EMPTY; 64];
    let mut map = MemoryMap::new(&mut table);
    let parsed = parse(text.as_bytes(), &mut map);
    assert!(parsed.is_ok() || map.is_empty());
    let found = map.ranges().iter().map(|range| (range.start.0, range.end.0, range.kind)).collect();
    Ok((parsed?, found))
}

/// A Debian 6.1 guest with a hole below 4 GiB, `crashkernel=176M,high crashkernel=16M,low`, devices left out.
const HOLE: &str = "\
00000000-00000fff : Reserved
00001000-0009fbff : System RAM
0009fc00-0009ffff : Reserved
000a0000-000bffff : PCI Bus 0000:00
000c0000-000c9bff : Video ROM
000f0000-000fffff : Reserved
  000f0000-000fffff : System ROM
00100000-0ffd2fff : System RAM
  0e000000-0effffff : Crash kernel
0ffd3000-0fffffff : Reserved
10000000-afffffff : PCI Bus 0000:00
b0000000-bfffffff : PCI MMCONFIG 0000 [bus 00-ff]
  b0000000-bfffffff : Reserved
fffc0000-ffffffff : Reserved
100000000-117ffffff : System RAM
  104000000-10effffff : Crash kernel
  10f600000-110401ef1 : Kernel code
  110600000-110e26fff : Kernel rodata
  111000000-111245dff : Kernel data
  1118b1000-111dfffff : Kernel bss
140000000-93fffffff : PCI Bus 0000:00
fd00000000-ffffffffff : Reserved
";

#[test]
fn a_pc_with_crash_regions_above_and_below_4_gib() {
    let (kernel, found) = read(HOLE).unwrap();
    let expected = [
        (0, 0x1000, Reserved),
        (0x1000, 0x9_fc00, SystemRam),
        (0x9_fc00, 0xa_0000, Reserved),
        (0xf_0000, 0x10_0000, Reserved),
        (0x10_0000, 0xe00_0000, SystemRam),
        (0xe00_0000, 0xf00_0000, CrashKernel),
        (0xf00_0000, 0xffd_3000, SystemRam),
        (0xffd_3000, 0x1000_0000, Reserved),
        (0xb000_0000, 0xc000_0000, Reserved),
        (0xfffc_0000, 0x1_0000_0000, Reserved),
        (0x1_0000_0000, 0x1_0400_0000, SystemRam),
        (0x1_0400_0000, 0x1_0f00_0000, CrashKernel),
        (0x1_0f00_0000, 0x1_1800_0000, SystemRam),
        (0xfd_0000_0000, 0x100_0000_0000, Reserved),
    ];
    assert_eq!(found, expected);
    let expected = KernelImage {
        image: None,
        code: Some(Span::new(0x1_0f60_0000, 0x1_1040_1ef2)),
        rodata: Some(Span::new(0x1_1060_0000, 0x1_10e2_7000)),
        data: Some(Span::new(0x1_1100_0000, 0x1_1124_5e00)),
        bss: Some(Span::new(0x1_118b_1000, 0x1_11e0_0000)),
    };
    assert_eq!(kernel, expected);
}

/// What the kernel's documentation and drivers print for memory that came later: a DIMM, virtio-mem two levels
/// deep, and persistent memory given to dax/kmem.
#[test]
fn ram_at_any_depth() {
    let (_, found) = read(
        "00100000-1fffffff : System RAM\n\
         140000000-17fffffff : virtio0\n\
         \u{20} 140000000-147ffffff : System RAM (virtio_mem)\n\
         180000000-1bfffffff : Persistent Memory\n\
         \u{20} 180000000-18fffffff : namespace0.0\n\
         \u{20} 190000000-1bfffffff : dax0.0\n\
         \u{20}   190000000-1bfffffff : System RAM (kmem)\n\
         1c0000000-1ffffffff : System RAMbling\n\
         200000000-2ffffffff : System RAM\n\
         300000000-3ffffffff : Soft Reserved\n\
         \u{20} 300000000-3ffffffff : dax1.0\n\
         \u{20}   300000000-3ffffffff : dax1.0\n\
         \u{20}     300000000-37fffffff : System RAM (kmem)\n",
    )
    .unwrap();
    let expected = [
        (0x10_0000, 0x2000_0000, SystemRam),
        (0x1_4000_0000, 0x1_4800_0000, RangeKind::DriverManagedRam(Beneath::Nothing)),
        (0x1_8000_0000, 0x1_9000_0000, Persistent),
        (0x1_9000_0000, 0x1_c000_0000, RangeKind::DriverManagedRam(Beneath::Persistent)),
        (0x2_0000_0000, 0x3_0000_0000, SystemRam),
        (0x3_0000_0000, 0x3_8000_0000, RangeKind::DriverManagedRam(Beneath::SoftReserved)),
        (0x3_8000_0000, 0x4_0000_0000, RangeKind::SoftReserved),
    ];
    assert_eq!(found, expected);
}

/// As arm64 and riscv print reservations: inside RAM they are RAM, beside it they are not, and a crash kernel stays one.
#[test]
fn reservations_inside_ram_are_ram() {
    let (kernel, found) = read(
        "40000000-7fffffff : System RAM\n\
         \u{20} 40210000-418fffff : Kernel code\n\
         \u{20} 41900000-4204ffff : reserved\n\
         \u{20} 42050000-4261ffff : Kernel data\n\
         \u{20} 48000000-480fffff : reserved\n\
         \u{20} 60000000-6fffffff : Crash kernel\n\
         \u{20}   60000000-600fffff : reserved\n\
         80000000-800fffff : reserved\n",
    )
    .unwrap();
    let expected = [
        (0x4000_0000, 0x4190_0000, SystemRam),
        (0x4190_0000, 0x4205_0000, ReservedRam),
        (0x4205_0000, 0x4800_0000, SystemRam),
        (0x4800_0000, 0x4810_0000, ReservedRam),
        (0x4810_0000, 0x6000_0000, SystemRam),
        (0x6000_0000, 0x7000_0000, CrashKernel),
        (0x7000_0000, 0x8000_0000, SystemRam),
        (0x8000_0000, 0x8010_0000, Reserved),
    ];
    assert_eq!(found, expected);
    assert_eq!(kernel.code, Some(Span::new(0x4021_0000, 0x4190_0000)));
    assert_eq!(kernel.data, Some(Span::new(0x4205_0000, 0x4262_0000)));
    let (kernel, _) = read("80200000-81ffffff : Kernel image\n  80202000-80ffffff : Kernel code\n").unwrap();
    assert_eq!(kernel.image, Some(Span::new(0x8020_0000, 0x8200_0000)));
}

#[test]
fn an_aperture_inside_ram_is_none() {
    let (_, found) = read("00100000-1fffffff : System RAM\n  04000000-07ffffff : GART\n").unwrap();
    let expected = [
        (0x10_0000, 0x400_0000, SystemRam),
        (0x400_0000, 0x800_0000, Reserved),
        (0x800_0000, 0x2000_0000, SystemRam),
    ];
    assert_eq!(found, expected);
}

#[test]
fn without_privilege_every_address_is_hidden() {
    let hidden: String = HOLE
        .lines()
        .map(|line| {
            let name = line.trim_start().split_once(' ').unwrap().1;
            format!("{}00000000-00000000 {name}\n", &line[..line.len() - line.trim_start().len()])
        })
        .collect();
    assert_eq!(read(&hidden), Err(Error::AddressesHidden));
    assert_eq!(read("00000000-00000000 : PCI Bus 0000:00\n"), Err(Error::AddressesHidden));
    let (kernel, found) = read("").unwrap();
    assert_eq!((kernel, found), (KernelImage::default(), Vec::new()));
}

#[test]
fn a_line_that_is_none_is_corrupt_and_says_where() {
    let first = "00100000-1fffffff : System RAM\n";
    for line in [
        "x",
        "-",
        " : ",
        "00100000",
        "00100000-",
        "00100000-1fffffff",
        "00100000-1fffffff :",
        "00100000-1fffffff:System RAM",
        "-1fffffff : System RAM",
        "1fffffff-00100000 : System RAM",
        "0x100000-0x1fffff : System RAM",
        "00000000000100000-1fffffff : System RAM",
        "00100000-1fffffff0000000000 : System RAM",
        "\u{fffd}-1fffffff : System RAM",
    ] {
        let corrupt = Err(Error::Corrupt { field: Field::IomemLine, offset: first.len() as u64 });
        assert_eq!(read(&format!("{first}{line}\n{first}")), corrupt, "{line}");
    }
    assert_eq!(read(&format!("{first}\n  \r\n")), read(first));
}

#[test]
fn cut_off_anywhere_the_text_is_read_or_refused() {
    let whole = read(HOLE).unwrap().1;
    for len in 0..HOLE.len() {
        match read(&HOLE[..len]) {
            // What was read of a line's numbers alone may be less memory, never more.
            Ok((_, found)) => assert!(found.len() <= whole.len()),
            Err(Error::Corrupt { field: Field::IomemLine, offset }) => assert!(offset < len as u64),
            Err(error) => panic!("{len}: {error}"),
        }
    }
}

#[test]
fn a_small_table_says_what_is_enough() {
    let mut table = [Range::EMPTY; 3];
    let mut map = MemoryMap::new(&mut table);
    let Err(Error::BufferTooSmall { needed }) = parse(HOLE.as_bytes(), &mut map) else { panic!() };
    assert!(map.is_empty());
    let mut table = std::vec![Range::EMPTY; needed as usize];
    assert!(parse(HOLE.as_bytes(), &mut MemoryMap::new(&mut table)).is_ok());
    assert!((14..=64).contains(&needed), "{needed}");
}
