//! Where segments go. The numbers are worked out by hand.

use std::string::{String, ToString};
use std::vec::Vec;

use super::inputs::*;
use vmcore_format::PhysAddr;

use crate::check;
use crate::elfcorehdr::Backup;
use crate::map::{Beneath, RangeKind, Span};
use crate::plan::{Placement, Plan, Upkeep, low_memory_backup};

/// The name, address, memory and bytes of every segment.
fn places(plan: &Plan<'_>) -> Vec<(&'static str, u64, u64, u64)> {
    let place =
        |s: &crate::plan::Segment<'_>| (s.kind.name(), s.extent.mem.0, s.extent.memsz, s.extent.bufsz);
    plan.segments().iter().map(place).collect()
}

fn planned(inputs: &Inputs) -> Vec<(&'static str, u64, u64, u64)> {
    inputs.with(|request| places(&Plan::new(request, &mut [0; 2048]).unwrap()))
}

/// The kernel goes where the running kernel's own loader puts it on this machine: 0x23800000.
#[test]
fn a_crash_kernel_fills_its_region_from_the_top() {
    let boot_len = 4096 + "console=ttyS0 elfcorehdr=0x26fff000".len() as u64 + 1;
    let expected = [
        ("elfcorehdr", 0x26ff_f000, 0x1000, 0x400),
        ("purgatory", 0x26ff_e000, 0x1000, 16 + 368),
        ("boot_params", 0x26ff_c000, 0x2000, boot_len),
        ("kernel", 0x2380_0000, 0x37d_c000, 0x400),
        ("initrd", 0x237b_6000, 0x4_a000, 0x4_9f00),
    ];
    Inputs::new(SMALL).with(|request| {
        let mut line = [0; 2048];
        let plan = Plan::new(request, &mut line).unwrap();
        assert_eq!(places(&plan), expected);
        assert_eq!(plan.entry().0, 0x26ff_e004);
        assert_eq!(plan.kernel_entry().0, 0x2380_0200);
        assert_eq!(plan.flags(), 0x3e_0001);
        assert_eq!(plan.command_line(), b"console=ttyS0 elfcorehdr=0x26fff000");
    });
}

#[test]
fn the_highest_of_several_regions_is_used() {
    let places = planned(&Inputs::new(HIGH));
    assert!(places.iter().all(|&(_, mem, memsz, _)| mem >= 0x1_ef00_0000 && mem + memsz <= 0x1_ff00_0000));
    assert_eq!(places[0], ("elfcorehdr", 0x1_feff_f000, 0x1000, 0x400));
}

#[test]
fn a_kernel_that_must_lie_below_4_gib_has_no_place_in_a_high_region() {
    let below = Header { xloadflags: 0x7d, ..DEBIAN };
    let high = Inputs { kernel: bzimage(&below), ..Inputs::new(HIGH) };
    high.with(|request| {
        let error = Plan::new(request, &mut [0; 2048]).unwrap_err();
        assert!(matches!(error, crate::plan::PlanError::NoRoom { .. }), "{error:?}");
    });
    let low = Inputs { kernel: bzimage(&below), ..Inputs::ordinary(HIGH) };
    for (name, mem, memsz, _) in planned(&low) {
        assert!(name == "purgatory" || mem + memsz <= 1 << 32, "{name} at {mem:#x}");
    }
    assert!(planned(&Inputs::ordinary(HIGH)).iter().all(|&(_, mem, ..)| mem > 1 << 32));
}

#[test]
fn the_kernel_keeps_an_elfcorehdr_that_has_room_to_grow() {
    let inputs = Inputs { crash: Some(Upkeep::Kernel { room: 917_616 }), ..Inputs::new(SMALL) };
    assert_eq!(planned(&inputs)[0], ("elfcorehdr", 0x26f1_f000, 0xe_1000, 0x400));
    // The room counts program headers alone, and these fill their pages.
    let full = Inputs { crash: Some(Upkeep::Kernel { room: 0xe_0000 }), ..Inputs::new(SMALL) };
    assert_eq!(planned(&full)[0].2, 0xe_1000);
    inputs.with(|request| {
        let mut line = [0; 2048];
        assert_eq!(Plan::new(request, &mut line).unwrap().flags(), 0x3e_0000 | check::ON_CRASH | 4);
    });
    // From Linux 6.10 on by the flag of all machines.
    let newer =
        Inputs { crash: inputs.crash, change: |running| running.known_flags |= 8, ..Inputs::new(SMALL) };
    newer.with(|request| {
        let mut line = [0; 2048];
        assert_eq!(Plan::new(request, &mut line).unwrap().flags(), 0x3e_0000 | check::ON_CRASH | 8);
    });
}

#[test]
fn an_ordinary_kernel_may_have_the_crash_region_too() {
    let places = planned(&Inputs::ordinary(SMALL));
    assert_eq!(places[0], ("purgatory", 0x3ffd_b000, 0x1000, 16 + 368));
    // 0x3ffd9000, less init_size, down to 2 MiB.
    assert_eq!(places[2], ("kernel", 0x3c60_0000, 0x37d_c000, 0x400));
    let region = [SMALL[4], SMALL[5]];
    let inputs = Inputs { change: |running| running.ram_pages = 1 << 20, ..Inputs::ordinary(&region) };
    assert_eq!(planned(&inputs)[2].1, 0x2380_0000);
}

#[test]
fn ram_that_a_driver_may_take_away_is_neither_told_nor_used() {
    let driver = (0x1_4000_0000, 0x1_8000_0000, RangeKind::DriverManagedRam(Beneath::Nothing));
    let ranges: Vec<_> = SMALL.iter().copied().chain([driver]).collect();
    for inputs in [Inputs::new(&ranges), Inputs::ordinary(&ranges)] {
        assert!(planned(&inputs).iter().all(|&(_, mem, ..)| mem < driver.0));
        inputs.with(|request| {
            let mut line = [0; 2048];
            let plan = Plan::new(request, &mut line).unwrap();
            assert!(plan.told().all(|range| range.end.0 <= driver.0), "{:?}", inputs.crash);
        });
    }
}

#[test]
fn the_callers_limits_hold() {
    for limits in [Span::new(0x200_0000, 0x900_0000), Span::new(0x2800_0800, 0x3000_0800)] {
        let inputs = Inputs { limits, ..Inputs::ordinary(SMALL) };
        for (name, mem, memsz, _) in planned(&inputs) {
            assert!(limits.start.0 <= mem && mem + memsz <= limits.end.0, "{name}");
        }
    }
}

#[test]
fn a_kernel_is_placed_by_its_header() {
    let place = |header: Header| {
        let inputs = Inputs { kernel: bzimage(&header), ..Inputs::ordinary(SMALL) };
        inputs.with(|request| Plan::new(request, &mut [0; 2048]).map(|plan| places(&plan)[2].1))
    };
    assert_eq!(place(Header { alignment: 0x100_0000, ..DEBIAN }), Ok(0x3c00_0000));
    assert_eq!(place(Header { pref_address: 0x3c60_0000, ..DEBIAN }), Ok(0x3c60_0000));
    assert!(place(Header { pref_address: 0x3c60_0001, ..DEBIAN }).is_err());
    assert_eq!(place(Header { relocatable: false, ..DEBIAN }), Ok(0x100_0000));
    assert!(place(Header { relocatable: false, pref_address: 0x3f00_0000, ..DEBIAN }).is_err());
}

#[test]
fn the_kernel_is_told_of_what_it_may_use() {
    let told = |inputs: &Inputs| {
        inputs.with(|request| {
            let mut line = [0; 2048];
            let plan = Plan::new(request, &mut line).unwrap();
            plan.told().map(|range| (range.start.0, range.end.0, range.kind)).collect::<Vec<_>>()
        })
    };
    let ram = RangeKind::SystemRam;
    let mut capture = SMALL.to_vec();
    capture.remove(6);
    capture.remove(4);
    capture[4] = (0x1b00_0000, 0x26ff_f000, ram);
    assert_eq!(told(&Inputs::new(SMALL)), capture);

    let mut ordinary = SMALL.to_vec();
    ordinary.drain(5..7);
    ordinary[4].1 = 0x3ffd_c000;
    assert_eq!(told(&Inputs::ordinary(SMALL)), ordinary);

    let high =
        [(0x1000, 0x9_fc00, ram), (0x6f00_0000, 0x7f00_0000, ram), (0x1_ef00_0000, 0x1_feff_f000, ram)];
    assert_eq!(told(&Inputs::new(HIGH)), high);
}

/// An elfcorehdr in the middle of a region cuts it in two.
#[test]
fn the_elfcorehdr_is_not_usable() {
    let inputs = Inputs { limits: Span::new(0, 0x26f0_0000), ..Inputs::new(SMALL) };
    inputs.with(|request| {
        let mut line = [0; 2048];
        let plan = Plan::new(request, &mut line).unwrap();
        let ram: Vec<_> =
            plan.told().filter(|range| range.start.0 >= 0x1b00_0000).map(|r| (r.start.0, r.end.0)).collect();
        assert_eq!(ram[..2], [(0x1b00_0000, 0x26ef_f000), (0x26f0_0000, 0x2700_0000)]);
    });
}

#[test]
fn every_decision_is_explained() {
    Inputs::new(HIGH).with(|request| {
        let mut line = [0; 2048];
        let plan = Plan::new(request, &mut line).unwrap();
        let text: Vec<String> = plan.explain().map(|line| line.to_string()).collect();
        let expected = [
            "crash region: 0x1ef000000..0x1ff000000, the highest of 2: the kernel takes segments there only",
            // 64 to spare, a page for the first 512 GiB, a page for each of 8 GiB where there is RAM, 3 for the code.
            "left free: 0x1ef000000..0x1ef04c000, for the running kernel's own code and page tables (a page per GiB of \
             RAM: no 1 GiB pages)",
            "elfcorehdr: 0x1fefff000..0x1ff000000, 0x400 bytes of 0x1000, highest free multiple of 0x1000 in \
             0x1ef000000..0x1ff000000: elfcorehdr= names its first byte",
        ];
        assert_eq!(text[..3], expected);
        assert_eq!(text.last().unwrap(), "entry: 0x1feffe004 in the purgatory, which enters the kernel at 0x1fb800200");
        for segment in plan.segments() {
            let start = std::format!("{}: {}", segment.kind, segment.span());
            assert!(text.iter().any(|line| line.starts_with(&start)), "{start}");
        }
    });
}

/// The kernel counts all from its first byte to its last as its own, so each segment reaches to the next.
#[test]
fn a_vmlinux_is_placed_by_its_program_headers() {
    let sizes = [0x1c0_0000, 0x6d_d000, 0x3_9000, 0xee_b000];
    let kernels = |inputs: &Inputs| -> Vec<(u64, u64, u64)> {
        let kernel = planned(inputs).into_iter().filter(|(name, ..)| *name == "kernel");
        kernel.map(|(_, mem, memsz, bufsz)| (mem, memsz, bufsz)).collect()
    };
    let at = |base: u64| {
        let starts = VMLINUX.map(|(paddr, _)| paddr - VMLINUX[0].0 + base);
        let places = starts.iter().zip(sizes).zip([8, 8, 8, 0]);
        places.map(|((start, memsz), bufsz)| (*start, memsz, bufsz)).collect::<Vec<_>>()
    };
    let fixed = Inputs { kernel: vmlinux(false), ..Inputs::ordinary(SMALL) };
    assert_eq!(kernels(&fixed), at(0x100_0000));
    // 0x3ffd9000 (purgatory and boot_params above), less 0x3201000, down to 2 MiB.
    let movable = Inputs { kernel: vmlinux(true), ..Inputs::ordinary(SMALL) };
    assert_eq!(kernels(&movable), at(0x3cc0_0000));
    // 0x26ffc000, less the same.
    let crash = Inputs { kernel: vmlinux(true), ..Inputs::new(SMALL) };
    assert_eq!(kernels(&crash), at(0x23c0_0000));
    crash.with(|request| {
        let mut line = [0; 2048];
        let plan = Plan::new(request, &mut line).unwrap();
        assert_eq!(plan.kernel_entry().0, 0x23c0_0b53);
        let text: Vec<String> = plan.explain().map(|line| line.to_string()).collect();
        let second = "kernel: 0x25800000..0x25edd000, 0x8 bytes of 0x6dd000, lowest free multiple of 0x1000 in \
            0x25800000..0x27000000: it goes with the segment before it";
        assert!(text.iter().any(|line| line == second), "{text:#?}");
        // What is explained is so.
        let explained = |s: &crate::plan::Segment<'_>| {
            let Placement { align, limits, .. } = s.placement;
            s.extent.mem.0.is_multiple_of(align) && limits.intersection(s.span()) == s.span()
        };
        assert!(plan.segments().iter().all(explained), "{text:#?}");
    });
    let high = Inputs { kernel: vmlinux(true), ..Inputs::new(HIGH) };
    assert!(kernels(&high)[0].0 > 1 << 32);
}

#[test]
fn low_memory_has_its_copy_at_the_top_of_the_region() {
    let source = Span::new(0x1000, 0x9_fc00);
    let backup = Inputs::new(SMALL).with(|request| low_memory_backup(request.memory, request.limits));
    assert_eq!(backup, Some(Backup { source, copy: PhysAddr(0x26f6_1000) }));
    let inputs = Inputs { backup, ..Inputs::new(SMALL) };
    let places = planned(&inputs);
    assert_eq!(places[0], ("backup", 0x26f6_1000, 0x9_f000, 0));
    assert_eq!(places[1], ("elfcorehdr", 0x26f6_0000, 0x1000, 0x400));
    inputs.with(|request| {
        let mut line = [0; 2048];
        let plan = Plan::new(request, &mut line).unwrap();
        let ram: Vec<_> = plan.told().filter(|range| range.kind == RangeKind::SystemRam).collect();
        let spans: Vec<_> = ram.iter().map(|range| (range.start.0, range.end.0)).collect();
        assert_eq!(spans, [(0x1000, 0x9_fc00), (0x1b00_0000, 0x26f6_0000)]);
    });
    // Where its place is not free, nothing takes its place.
    let elsewhere =
        Inputs { backup: Some(Backup { source, copy: PhysAddr(0x2000_0000) }), ..Inputs::new(SMALL) };
    assert!(planned(&elsewhere).contains(&("backup", 0x2000_0000, 0x9_f000, 0)));
    for copy in [0x2000_0800, 0x1000, 0x26f6_2000, u64::MAX - 5] {
        let outside = Inputs { backup: Some(Backup { source, copy: PhysAddr(copy) }), ..Inputs::new(SMALL) };
        outside.with(|request| assert!(Plan::new(request, &mut [0; 2048]).is_err(), "{copy:#x}"));
    }
}

/// Low memory in pieces, as UEFI leaves it, is copied from the first byte to the last.
#[test]
fn low_memory_in_pieces_is_one_copy() {
    let pieces = [
        (0x1000, 0x8_7000, RangeKind::SystemRam),
        (0x8_7000, 0x8_8000, RangeKind::AcpiNvs),
        (0x8_8000, 0xa_0000, RangeKind::SystemRam),
    ];
    let backup = |ranges: &[(u64, u64, RangeKind)]| {
        Inputs::new(ranges).with(|request| low_memory_backup(request.memory, request.limits))
    };
    let uefi: Vec<_> = pieces.iter().chain(&SMALL[4..]).copied().collect();
    let source = Span::new(0x1000, 0xa_0000);
    assert_eq!(backup(&uefi), Some(Backup { source, copy: PhysAddr(0x26f6_1000) }));
    assert_eq!(backup(&SMALL[4..]), None);
    assert_eq!(backup(&pieces), None);
    let small = [SMALL[1], (0x1b00_0000, 0x1b09_e000, RangeKind::CrashKernel)];
    assert_eq!(backup(&small), None);
}

#[test]
fn an_ordinary_kernel_is_told_what_firmware_says() {
    // The running kernel was told mem=768M, and its driver made RAM of soft-reserved memory.
    let kmem = RangeKind::DriverManagedRam(Beneath::SoftReserved);
    let mut running = SMALL.to_vec();
    running[6].1 = 0x3000_0000;
    running.push((0x1_0000_0000, 0x1_4000_0000, kmem));
    let told = |inputs: &Inputs| {
        inputs.with(|request| {
            let mut line = [0; 2048];
            let plan = Plan::new(request, &mut line).unwrap();
            plan.told().map(|range| (range.start.0, range.end.0, range.kind)).collect::<Vec<_>>()
        })
    };
    let soft = (0x1_0000_0000, 0x1_4000_0000, RangeKind::SoftReserved);
    let firmware = [
        (0x1000, 0x9_fc00, RangeKind::SystemRam),
        (0x10_0000, 0x2e00_0000, RangeKind::SystemRam),
        (0x2e00_0000, 0x2e10_0000, RangeKind::AcpiNvs),
        (0x2e10_0000, 0x3ffd_c000, RangeKind::SystemRam),
        soft,
    ];
    let inputs = Inputs { firmware: table(&firmware), ..Inputs::ordinary(&running) };
    assert_eq!(told(&inputs), firmware);
    // Segments lie in what both kernels have: below mem=, and not in ACPI's.
    let places = planned(&inputs);
    assert_eq!(places[0].1, 0x2fff_f000);
    assert!(places.iter().all(|&(_, mem, memsz, _)| mem + memsz <= 0x2e00_0000 || mem >= 0x2e10_0000));
    // Without the firmware's map what lies beneath the driver's RAM is told all the same.
    let told = told(&Inputs::ordinary(&running));
    assert_eq!(told.last(), Some(&soft));
    assert!(!told.contains(&firmware[2]));
}

/// The crashed kernel's RAM lies where firmware reserves memory for a driver: a driver in the capture kernel would write
/// over it. Of persistent memory a driver makes RAM only where it is told to.
#[test]
fn a_capture_kernel_is_not_told_of_memory_that_a_driver_takes() {
    let persistent = (0x1_0000_0000, 0x1_4000_0000, RangeKind::Persistent);
    let kmem = |(start, end, kind)| (start, end, RangeKind::DriverManagedRam(Beneath::of(Some(kind))));
    let soft = (0x1_4000_0000, 0x1_8000_0000, RangeKind::SoftReserved);
    for (ranges, told) in [
        ([persistent, soft], Some(persistent)),
        ([kmem(persistent), kmem(soft)], Some(persistent)),
        ([kmem(soft), (soft.1, soft.1 + 0x1000, soft.2)], None),
    ] {
        let running: Vec<_> = SMALL.iter().copied().chain(ranges).collect();
        Inputs { firmware: table(&running), ..Inputs::new(&running) }.with(|request| {
            let mut line = [0; 2048];
            let plan = Plan::new(request, &mut line).unwrap();
            let high = plan.told().filter(|range| range.start.0 >= 1 << 32);
            let high: Vec<_> = high.map(|range| (range.start.0, range.end.0, range.kind)).collect();
            assert_eq!(high, Vec::from_iter(told));
        });
    }
}

/// The boot protocol takes an initrd or a command line at address 0 for none, and a purgatory reads nothing from there.
#[test]
fn nothing_is_placed_at_address_0() {
    let mut inputs = Inputs::ordinary(&[(0, 0x4000_0000, RangeKind::SystemRam)]);
    inputs.limits = Span::new(0, 0x4000_0000);
    assert!(planned(&inputs).iter().all(|(_, start, ..)| *start >= 0x1000));
    inputs.kernel = bzimage(&Header { relocatable: false, pref_address: 0, ..DEBIAN });
    let refused = inputs.with(|request| Plan::new(request, &mut [0; 2048]).is_err());
    assert!(refused);
}
