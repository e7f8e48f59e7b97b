//! What is refused, each refusal by its own cause.

use std::vec;
use std::vec::Vec;

use vmcore_format::PhysAddr;

use super::inputs::*;
use crate::check::Refusal;
use crate::elfcorehdr::Backup;
use crate::map::{RangeKind, Span};
use crate::plan::{Plan, PlanError, Profile, Upkeep};
use crate::segment::{Fixed, SegmentKind};
use crate::{Error, Field};

fn refused(inputs: &Inputs) -> PlanError {
    inputs.with(|request| {
        let mut line = [0; 2048];
        let plan =
            Plan::new(request, &mut line).and_then(|plan| plan.encode(&mut vec![0; plan.scratch_len()]));
        plan.unwrap_err()
    })
}

#[test]
fn another_machine_has_no_plan_yet() {
    let inputs = Inputs { change: |running| running.e_machine = 183, ..Inputs::new(SMALL) };
    let error = PlanError::Input(Error::Unsupported { field: Field::Machine, value: 183 });
    assert_eq!(refused(&inputs), error);
}

#[test]
fn a_kernel_of_another_machine() {
    // Without XLF_KERNEL_64 it is a 32-bit kernel.
    let header = Header { xloadflags: 0x7e, ..DEBIAN };
    let inputs = Inputs { kernel: bzimage(&header), ..Inputs::new(SMALL) };
    assert_eq!(refused(&inputs), Refusal::WrongMachine { machine: 3, running: 62 }.into());
}

#[test]
fn a_kernel_that_can_not_be_entered_with_5_level_page_tables() {
    let five_level = |xloadflags| Inputs {
        kernel: bzimage(&Header { xloadflags, ..DEBIAN }),
        change: |running| running.five_level = true,
        ..Inputs::new(SMALL)
    };
    assert_eq!(refused(&five_level(0x1f)), PlanError::FiveLevelPaging);
    five_level(0x3f).with(|request| assert!(Plan::new(request, &mut [0; 2048]).is_ok()));
}

#[test]
fn no_crash_region() {
    let mut inputs = Inputs::new(SMALL);
    inputs.table[5].kind = RangeKind::SystemRam;
    assert_eq!(refused(&inputs), PlanError::NoCrashRegion);
}

#[test]
fn an_elfcorehdr_that_is_none() {
    let inputs = Inputs { elfcorehdr: vec![0; 0x400], ..Inputs::new(SMALL) };
    assert_eq!(refused(&inputs), PlanError::NoElfcorehdr);
    let inputs = Inputs { elfcorehdr: vec![], ..Inputs::new(SMALL) };
    assert_eq!(refused(&inputs), PlanError::NoElfcorehdr);
}

#[test]
fn an_initrd_that_the_kernel_takes_for_the_elfcorehdr() {
    let inputs = Inputs { initrd: elfcorehdr(), ..Inputs::new(SMALL) };
    assert_eq!(refused(&inputs), PlanError::ElfMagic { kind: SegmentKind::Fixed(Fixed::Initrd) });
}

#[test]
fn a_command_line_that_is_too_long_with_what_is_added() {
    let added = " elfcorehdr=0x26fff000".len();
    let line = |len| Inputs { command_line: vec![b'x'; len], ..Inputs::new(SMALL) };
    line(2047 - added).with(|request| assert!(Plan::new(request, &mut [0; 2048]).is_ok()));
    let too_long = Error::CommandLineTooLong { len: 2048, limit: 2047 };
    assert_eq!(refused(&line(2048 - added)), too_long.into());
    assert_eq!(refused(&line(2049)), Error::BufferTooSmall { needed: 2049 }.into());
    let nul = Inputs { command_line: b"a\0b".to_vec(), ..Inputs::new(SMALL) };
    assert_eq!(refused(&nul), Error::Corrupt { field: Field::CommandLine, offset: 1 }.into());
}

#[test]
fn a_region_without_room() {
    let kind = |error| match error {
        PlanError::NoRoom { kind, .. } => kind.name(),
        other => panic!("{other:?}"),
    };
    // The region from 0x1b000000 on, up to where it holds one more segment.
    for (end, without) in [
        (0x1b04_5000, "elfcorehdr"),
        (0x1b04_6000, "purgatory"),
        (0x1b04_8000, "boot_params"),
        (0x1e00_0000, "kernel"),
        (0x1f00_0000, "initrd"),
    ] {
        let mut inputs = Inputs::new(SMALL);
        inputs.table[5].end.0 = end;
        // 64 pages to spare, one for the first 512 GiB, one for its GiB, 3 for the code: up to 0x1b045000.
        if without == "initrd" {
            inputs.initrd.resize(0x500_0000, 0);
        }
        assert_eq!(kind(refused(&inputs)), without, "{end:#x}");
    }
    let limits = Inputs { limits: Span::new(0, 0x1b00_0000), ..Inputs::new(SMALL) };
    assert_eq!(kind(refused(&limits)), "elfcorehdr");
    let room = Inputs { crash: Some(Upkeep::Kernel { room: u64::MAX }), ..Inputs::new(SMALL) };
    assert_eq!(kind(refused(&room)), "elfcorehdr");
}

#[test]
fn more_than_half_of_ram() {
    let inputs = Inputs { change: |running| running.ram_pages = 0x3000, ..Inputs::new(SMALL) };
    let refusal = Refusal::MoreThanHalfOfRam { segment: 3 };
    let kernel = PlanError::Refused { refusal, kind: Some(SegmentKind::Fixed(Fixed::Kernel)) };
    assert_eq!(refused(&inputs), kernel);
    let text = "the running kernel would refuse this: segment 3 takes more than half of RAM (segment 3 is the kernel)";
    assert_eq!(std::string::ToString::to_string(&kernel), text);
    let inputs = Inputs { change: |running| running.ram_pages = 0x7000, ..Inputs::new(SMALL) };
    assert!(matches!(
        refused(&inputs),
        PlanError::Refused { refusal: Refusal::AllMoreThanHalfOfRam { .. }, kind: None }
    ));
}

#[test]
fn a_kernel_before_6_6_keeps_no_elfcorehdr_up_to_date() {
    let crash = Some(Upkeep::Kernel { room: 0 });
    let inputs = Inputs { crash, change: |running| running.known_flags = 3, ..Inputs::new(SMALL) };
    assert_eq!(refused(&inputs), Refusal::UnknownFlags { flags: 4 }.into());
}

#[test]
fn a_purgatory_without_the_symbols_of_its_profile() {
    let missing = Inputs { object: object(&[("other", 368)]), ..Inputs::new(SMALL) };
    assert_eq!(refused(&missing), Error::NoSuchSymbol.into());
    let short = Inputs { object: object(&[("kcapture_parameters", 364)]), ..Inputs::new(SMALL) };
    assert_eq!(refused(&short), Error::SymbolSize { size: 364, given: 368 }.into());
}

#[test]
fn a_purgatory_of_another_machine() {
    let mut object = object(OURS);
    object[18] = 183;
    let inputs = Inputs { object, ..Inputs::new(SMALL) };
    assert_eq!(refused(&inputs), Refusal::WrongMachine { machine: 183, running: 62 }.into());
}

#[test]
fn an_ordinary_kernel_may_have_an_initrd_of_any_kind() {
    let inputs = Inputs { initrd: elfcorehdr(), ..Inputs::ordinary(SMALL) };
    inputs.with(|request| assert!(Plan::new(request, &mut [0; 2048]).is_ok()));
}

#[test]
fn an_elfcorehdr_of_the_callers() {
    let line = |line: &[u8]| Inputs { command_line: line.to_vec(), ..Inputs::new(SMALL) };
    for given in [&b"quiet elfcorehdr=0x1000"[..], b"elfcorehdr", b"\"elfcorehdr=1M\" quiet"] {
        assert_eq!(refused(&line(given)), PlanError::ElfcorehdrGiven);
        let ordinary = Inputs { command_line: given.to_vec(), ..Inputs::ordinary(SMALL) };
        ordinary.with(|request| assert!(Plan::new(request, &mut [0; 2048]).is_ok()));
    }
    for other in [&b"quiet -- elfcorehdr=1"[..], b"my.elfcorehdr=1", b"x=\"a elfcorehdr=1\"", b"elfcorehdrs"]
    {
        line(other).with(|request| assert!(Plan::new(request, &mut [0; 2048]).is_ok()));
    }
}

#[test]
fn an_elf_kernel_that_can_not_be_placed() {
    let with = |change: fn(&mut Vec<u8>)| {
        let mut kernel = vmlinux(true);
        change(&mut kernel);
        Inputs { kernel, ..Inputs::new(SMALL) }
    };
    // "Linux" in the first note.
    assert_eq!(refused(&with(|kernel| kernel[0x22c] = b'M')), PlanError::NoLinux);
    // The second p_paddr, and a p_memsz that leaves room for it.
    let error = Error::Unsupported { field: Field::PPaddr, value: 0x2c0_0800 };
    let moved = |kernel: &mut Vec<u8>| (kernel[64 + 56 + 25], kernel[64 + 56 + 41]) = (8, 0xc0);
    assert_eq!(refused(&with(moved)), error.into());
    let five_level = Inputs { change: |running| running.five_level = true, ..with(|_| {}) };
    assert_eq!(refused(&five_level), PlanError::FiveLevelPaging);
    let fixed = Inputs { kernel: vmlinux(false), ..Inputs::new(SMALL) };
    assert!(matches!(refused(&fixed), PlanError::NoRoom { kind: SegmentKind::Fixed(Fixed::Kernel), .. }));
    let i386 = with(|kernel| kernel[18] = 3);
    assert_eq!(refused(&i386), Refusal::WrongMachine { machine: 3, running: 62 }.into());
}

#[test]
fn a_purgatory_that_knows_no_backup() {
    let backup = Some(Backup { source: Span::new(0x1000, 0x9_fc00), copy: PhysAddr(0x26f6_1000) });
    let inputs = Inputs { backup, profile: Profile::Kernel, object: object(KERNEL), ..Inputs::new(SMALL) };
    let error = Error::Unsupported { field: Field::BackupRegion, value: 0x26f6_1000 };
    assert_eq!(refused(&inputs), error.into());
}

#[test]
fn a_backup_over_what_it_copies() {
    let copy = 0x26f6_1000;
    for (start, end) in [(copy - 0x1000, copy + 1), (copy + 0xfff, copy + 0x1000), (copy, 0x2700_0000)] {
        let backup = Some(Backup { source: Span::new(start, end), copy: PhysAddr(copy) });
        let error = Error::Unsupported { field: Field::BackupRegion, value: copy };
        assert_eq!(refused(&Inputs { backup, ..Inputs::new(SMALL) }), error.into(), "{start:#x}");
    }
}

/// Damaged and cut-off inputs are refused or planned; nothing panics.
#[test]
fn damaged_inputs() {
    let kernel = bzimage(&DEBIAN);
    let object = object(OURS);
    // The last unit of 16 bytes may be short.
    for len in 0..=kernel.len() - 16 {
        let inputs = Inputs { kernel: kernel[..len].to_vec(), ..Inputs::new(SMALL) };
        assert!(matches!(refused(&inputs), PlanError::Input(_)), "{len:#x}");
    }
    for len in 0..object.len() {
        let inputs = Inputs { object: object[..len].to_vec(), ..Inputs::new(SMALL) };
        assert!(matches!(refused(&inputs), PlanError::Input(_)), "{len:#x}");
    }
    for at in (0x1f1..0x270).chain([0, 0x400]) {
        for value in [0, 1, 0x7f, 0x80, 0xff] {
            let mut kernel = kernel.clone();
            kernel[at] = value;
            Inputs { kernel, ..Inputs::new(SMALL) }.with(|request| {
                let mut line = vec![0; 0x1_0000];
                if let Ok(plan) = Plan::new(request, &mut line) {
                    let _ = plan.encode(&mut vec![0; plan.scratch_len()]);
                }
            });
        }
    }
}
