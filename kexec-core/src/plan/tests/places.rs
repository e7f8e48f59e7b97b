//! Where segments go. The numbers are worked out by hand.

use std::string::{String, ToString};
use std::vec::Vec;

use super::inputs::*;
use crate::check;
use crate::map::{RangeKind, Span};
use crate::plan::{Plan, Upkeep};

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
        ("purgatory", 0x26ff_e000, 0x1000, 16 + 352),
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
}

#[test]
fn an_ordinary_kernel_may_have_the_crash_region_too() {
    let places = planned(&Inputs::ordinary(SMALL));
    assert_eq!(places[0], ("purgatory", 0x3ffd_b000, 0x1000, 16 + 352));
    // 0x3ffd9000, less init_size, down to 2 MiB.
    assert_eq!(places[2], ("kernel", 0x3c60_0000, 0x37d_c000, 0x400));
    let region = [SMALL[4], SMALL[5]];
    let inputs = Inputs { change: |running| running.ram_pages = 1 << 20, ..Inputs::ordinary(&region) };
    assert_eq!(planned(&inputs)[2].1, 0x2380_0000);
}

#[test]
fn ram_that_a_driver_may_take_away_is_neither_told_nor_used() {
    let driver = (0x1_4000_0000, 0x1_8000_0000, RangeKind::DriverManagedRam);
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
