use std::vec;
use std::vec::Vec;

use super::*;

const MIB: u64 = 1 << 20;

/// 1 GiB of RAM, 64 MiB of it for the crash kernel.
fn kernel() -> Kernel {
    Kernel {
        machine: 62,
        known_flags: ON_CRASH | PRESERVE_CONTEXT | UPDATE_ELFCOREHDR | CRASH_HOTPLUG_SUPPORT,
        crash_region: Some(Span { start: PhysAddr(0x1000_0000), end: PhysAddr(0x1400_0000) }),
        ram_pages: (1 << 30) / PAGE,
        memory_limit: (1 << 46) - 1,
        control_pages: 64,
    }
}

fn extent(mem: u64, memsz: u64) -> Extent {
    Extent { mem: PhysAddr(mem), memsz, bufsz: memsz }
}

fn crash(segments: &[Extent]) -> Result<(), Refusal> {
    let image = Image { entry: PhysAddr(0x1000_0000), flags: ON_CRASH | 62 << 16, segments };
    kernel_would_accept(&image, &kernel())
}

fn ordinary(segments: &[Extent]) -> Result<(), Refusal> {
    let image = Image { entry: PhysAddr(0), flags: 62 << 16, segments };
    kernel_would_accept(&image, &kernel())
}

#[test]
fn a_sound_image_is_accepted() {
    assert_eq!(crash(&[extent(0x1200_0000, MIB), extent(0x1000_0000, PAGE)]), Ok(()));
    assert_eq!(ordinary(&[extent(0x20_0000, MIB), extent(0x10_0000, MIB)]), Ok(()));
    assert_eq!(ordinary(&[]), Ok(()));
}

#[test]
fn flags_that_the_kernel_does_not_know() {
    let image = Image { entry: PhysAddr(0), flags: 0x10 | 62 << 16, segments: &[] };
    let refusal = kernel_would_accept(&image, &kernel()).unwrap_err();
    assert_eq!(refusal, Refusal::UnknownFlags { flags: 0x10 });
    assert_eq!(refusal.errno(), 22);
}

#[test]
fn a_seventeenth_segment() {
    let segments: Vec<Extent> = (0..17).map(|n| extent(0x1000_0000 + n * PAGE, PAGE)).collect();
    assert_eq!(crash(&segments[..16]), Ok(()));
    assert_eq!(crash(&segments), Err(Refusal::TooManySegments { count: 17 }));
}

#[test]
fn another_machine() {
    for (flags, result) in [
        (0, Ok(())),
        (62 << 16, Ok(())),
        (183 << 16, Err(Refusal::WrongMachine { machine: 183, running: 62 })),
        (0xffff << 16, Err(Refusal::WrongMachine { machine: 0xffff, running: 62 })),
    ] {
        let image = Image { entry: PhysAddr(0), flags, segments: &[] };
        assert_eq!(kernel_would_accept(&image, &kernel()), result);
    }
}

#[test]
fn no_crash_region() {
    let image = Image { entry: PhysAddr(0), flags: ON_CRASH, segments: &[] };
    let kernel = Kernel { crash_region: None, ..kernel() };
    assert_eq!(kernel_would_accept(&image, &kernel), Err(Refusal::NoCrashRegion));
}

#[test]
fn an_entry_outside_the_crash_region() {
    let segments = [extent(0x1000_0000, MIB)];
    for (entry, inside) in
        [(0xfff_ffff, false), (0x1000_0000, true), (0x13ff_ffff, true), (0x1400_0000, false)]
    {
        let entry = PhysAddr(entry);
        let result = kernel_would_accept(&Image { entry, flags: ON_CRASH, segments: &segments }, &kernel());
        assert_eq!(result, if inside { Ok(()) } else { Err(Refusal::EntryOutside { entry }) });
    }
}

#[test]
fn a_segment_that_wraps() {
    let segments = [extent(0x10_0000, PAGE), extent(u64::MAX - 0xfff, 0x2000)];
    assert_eq!(ordinary(&segments), Err(Refusal::Wraps { segment: 1 }));
}

#[test]
fn a_segment_off_its_pages() {
    let start = [extent(0x10_0000, PAGE), extent(0x20_0800, 0x800)];
    assert_eq!(ordinary(&start), Err(Refusal::StartUnaligned { segment: 1, mem: PhysAddr(0x20_0800) }));
    let end = [extent(0x10_0000, 0x1001)];
    assert_eq!(ordinary(&end), Err(Refusal::EndUnaligned { segment: 0, end: PhysAddr(0x10_1001) }));
}

#[test]
fn a_segment_above_what_the_kernel_reaches() {
    assert_eq!(ordinary(&[extent((1 << 46) - 2 * PAGE, PAGE)]), Ok(()));
    let refusal = Refusal::AboveLimit { segment: 0, end: PhysAddr(1 << 46) };
    assert_eq!(ordinary(&[extent((1 << 46) - PAGE, PAGE)]), Err(refusal));
    assert_eq!(refusal.errno(), 99);
}

#[test]
fn two_segments_that_overlap() {
    let a = extent(0x20_0000, 0x3000);
    for (other, overlap) in [
        (extent(0x1f_f000, 0x1000), false),
        (extent(0x1f_f000, 0x2000), true),
        (extent(0x20_1000, 0x1000), true),
        (extent(0x20_2000, 0x9000), true),
        (extent(0x20_3000, 0x1000), false),
    ] {
        let refused = Err(Refusal::Overlap { first: 0, second: 2 });
        let expected = if overlap { refused } else { Ok(()) };
        assert_eq!(ordinary(&[a, extent(0x80_0000, PAGE), other]), expected);
    }
}

#[test]
fn more_bytes_than_memory() {
    let segment = Extent { mem: PhysAddr(0x20_0000), memsz: PAGE, bufsz: PAGE + 1 };
    assert_eq!(ordinary(&[segment]), Err(Refusal::LargerThanItsMemory { segment: 0 }));
}

#[test]
fn more_than_half_of_ram() {
    assert_eq!(ordinary(&[extent(0x10_0000, 512 * MIB)]), Ok(()));
    let one = [extent(0x1000, PAGE), extent(0x10_0000, 512 * MIB + PAGE)];
    assert_eq!(ordinary(&one), Err(Refusal::MoreThanHalfOfRam { segment: 1 }));
    let both = [extent(0x1000, PAGE), extent(0x10_0000, 512 * MIB)];
    assert_eq!(ordinary(&both), Err(Refusal::AllMoreThanHalfOfRam { pages: 131_073 }));
}

#[test]
fn a_segment_outside_the_crash_region() {
    let inside = extent(0x1000_0000, PAGE);
    for (other, outside) in [
        (extent(0xfff_f000, PAGE), true),
        (extent(0x13ff_f000, PAGE), false),
        (extent(0x13ff_f000, 2 * PAGE), true),
        (extent(0x10_0000, PAGE), true),
    ] {
        let expected = if outside { Err(Refusal::OutsideCrashRegion { segment: 1 }) } else { Ok(()) };
        assert_eq!(crash(&[inside, other]), expected);
    }
}

#[test]
fn no_room_for_the_pages_that_the_kernel_takes() {
    let refusal = Refusal::NoControlPages { needed: 66 };
    let size = 64 * MIB;
    assert_eq!(crash(&[extent(0x1000_0000, size - 66 * PAGE)]), Ok(()));
    assert_eq!(crash(&[extent(0x1000_0000, size - 65 * PAGE)]), Err(refusal));
    assert_eq!(crash(&[extent(0x1000_0000, size)]), Err(refusal));
    assert_eq!(refusal.errno(), 12);
    // 66 free pages, but no two of them together on an even page.
    let odd = [extent(0x1000_0000, PAGE), extent(0x1000_2000, size - 66 * PAGE)];
    assert_eq!(crash(&odd), Err(refusal));
    assert_eq!(crash(&[odd[0], extent(0x1000_2000, size - 68 * PAGE)]), Ok(()));
}

/// The checks again, page by page: every page of a small crash region is a letter.
fn model(entry: u64, segments: &[Extent], kernel: &Kernel) -> bool {
    let region = kernel.crash_region.unwrap();
    let (first, last) = (region.start.0 / PAGE, region.end.0 / PAGE);
    let mut pages = vec![b'.'; (last - first) as usize];
    let mut total = 0;
    for segment in segments {
        if segment.mem.0 % PAGE != 0 || segment.memsz % PAGE != 0 || segment.bufsz > segment.memsz {
            return false;
        }
        for page in segment.mem.0 / PAGE..(segment.mem.0 + segment.memsz) / PAGE {
            if page < first || page >= last || pages[(page - first) as usize] != b'.' {
                return false;
            }
            pages[(page - first) as usize] = b'S';
            total += 1;
        }
    }
    // What the kernel takes for itself goes upwards: it does not come back to what it passed.
    let Some(code) = (0..pages.len().saturating_sub(1))
        .find(|&at| (first as usize + at).is_multiple_of(2) && pages[at] == b'.' && pages[at + 1] == b'.')
    else {
        return false;
    };
    let free = pages[code + 2..].iter().filter(|&&page| page == b'.').count() as u64;
    segments.len() <= 16
        && region.start.0 <= entry
        && entry < region.end.0
        && total <= kernel.ram_pages / 2
        && free >= kernel.control_pages
}

#[test]
fn agrees_with_a_model_that_looks_at_every_page() {
    let mut seed = 7_u64;
    let mut random = |below: u64| {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (seed >> 33) % below
    };
    let mut accepted = 0;
    for _ in 0..20_000 {
        let start = 0x10_0000 + random(2) * PAGE;
        let kernel = Kernel {
            crash_region: Some(Span { start: PhysAddr(start), end: PhysAddr(start + 40 * PAGE) }),
            ram_pages: 40 + random(40),
            control_pages: random(12),
            ..kernel()
        };
        let segments: Vec<Extent> = (0..random(5))
            .map(|_| {
                let odd = if random(40) == 0 { 0x200 } else { 0 };
                let memsz = (1 + random(8)) * PAGE + odd;
                let bufsz = random(memsz + 0x80);
                Extent { mem: PhysAddr(start + random(38) * PAGE), memsz, bufsz }
            })
            .collect();
        let entry = start + random(41) * PAGE;
        let result = kernel_would_accept(
            &Image { entry: PhysAddr(entry), flags: ON_CRASH, segments: &segments },
            &kernel,
        );
        assert_eq!(result.is_ok(), model(entry, &segments, &kernel), "{segments:x?} {kernel:x?} {result:?}");
        accepted += u32::from(result.is_ok());
    }
    assert!(accepted > 1000, "{accepted}");
}

/// Numbers at the ends of their range, in every place.
#[test]
fn no_number_makes_it_panic() {
    let numbers = [0, 1, PAGE, u64::MAX / 2 + 1, u64::MAX - 0xfff, u64::MAX];
    for &mem in &numbers {
        for &memsz in &numbers {
            for &bufsz in &numbers {
                for &end in &numbers {
                    let segments = [Extent { mem: PhysAddr(mem), memsz, bufsz }, extent(0, PAGE)];
                    let kernel = Kernel {
                        crash_region: Some(Span { start: PhysAddr(0), end: PhysAddr(end) }),
                        memory_limit: u64::MAX,
                        ram_pages: u64::MAX,
                        control_pages: u64::MAX,
                        ..kernel()
                    };
                    for flags in [0, ON_CRASH] {
                        let _ = kernel_would_accept(
                            &Image { entry: PhysAddr(mem), flags, segments: &segments },
                            &kernel,
                        );
                    }
                }
            }
        }
    }
}
