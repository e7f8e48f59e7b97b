//! What is in the segments, read back as those do who read them.

use std::vec;
use std::vec::Vec;

use purgatory::{Parameters, Verdict};
use vmcore_format::PhysAddr;
use zerocopy::FromBytes as _;

use super::inputs::*;
use crate::boot_params::BootParams;
use crate::elfcorehdr::Backup;
use crate::map::Span;
use crate::object::Object;
use crate::plan::{Plan, PlanError, Profile, Upkeep};
use crate::{Error, segment::SegmentKind};

/// The memory of the machine after the load: address and bytes of every segment, zeros included.
type Memory = Vec<(SegmentKind, u64, Vec<u8>)>;

fn loaded(inputs: &Inputs) -> (Memory, [u8; 32]) {
    inputs.with(|request| {
        let mut line = [0; 2048];
        let plan = Plan::new(request, &mut line).unwrap();
        let mut scratch = vec![0xaa; plan.scratch_len()];
        let digest = plan.encode(&mut scratch).unwrap();
        let mut memory = Vec::new();
        for segment in plan.segments() {
            let mut bytes = plan.bytes(segment, &scratch).unwrap().to_vec();
            assert_eq!(bytes.len() as u64, segment.extent.bufsz);
            bytes.resize(segment.extent.memsz as usize, 0);
            memory.push((segment.kind, segment.extent.mem.0, bytes));
        }
        (memory, digest)
    })
}

fn read(memory: &Memory, start: u64, len: u64) -> Option<&[u8]> {
    memory.iter().find_map(|(_, mem, bytes)| {
        let at = usize::try_from(start.checked_sub(*mem)?).ok()?;
        bytes.get(at..at.checked_add(len as usize)?)
    })
}

fn find<'m>(memory: &'m Memory, name: &str) -> &'m (SegmentKind, u64, Vec<u8>) {
    memory.iter().find(|(kind, ..)| kind.name() == name).unwrap()
}

fn parameters(memory: &Memory) -> Parameters {
    let (_, _, bytes) = find(memory, "purgatory");
    let at = symbol_at(OURS, "kcapture_parameters");
    Parameters::read_from_bytes(&bytes[at..at + 368]).unwrap()
}

#[test]
fn the_kernel_finds_its_command_line_and_its_initrd() {
    for inputs in [Inputs::new(SMALL), Inputs::new(HIGH), Inputs::ordinary(HIGH)] {
        let (memory, _) = loaded(&inputs);
        let (_, at, block) = find(&memory, "boot_params");
        let params = BootParams::parse(block).unwrap();
        let line = read(&memory, params.command_line().0, 0x20).unwrap();
        assert!(line.starts_with(b"console=ttyS0"), "{line:?}");
        assert_eq!(params.command_line().0, at + 4096);
        let (initrd, len) = params.initrd().unwrap();
        assert_eq!(read(&memory, initrd.0, len).unwrap(), inputs.initrd);
        assert_eq!(params.hdr.type_of_loader, 0xd0);
    }
}

#[test]
fn the_capture_kernel_finds_the_elfcorehdr() {
    let inputs = Inputs::new(SMALL);
    let (memory, _) = loaded(&inputs);
    let (_, _, block) = find(&memory, "boot_params");
    let line = block[4096..].split(|&byte| byte == 0).next().unwrap();
    assert_eq!(line, b"console=ttyS0 elfcorehdr=0x26fff000");
    assert_eq!(read(&memory, 0x26ff_f000, 0x400).unwrap(), inputs.elfcorehdr);
}

#[test]
fn the_memory_map_is_that_of_the_plan() {
    let (memory, _) = loaded(&Inputs::new(SMALL));
    let (_, _, block) = find(&memory, "boot_params");
    let map: Vec<(u64, u64, u32)> = BootParams::parse(block)
        .unwrap()
        .e820()
        .iter()
        .map(|entry| (entry.addr.get(), entry.size.get(), entry.kind.get()))
        .collect();
    let expected = [
        (0, 0x1000, 2),
        (0x1000, 0x9_ec00, 1),
        (0x9_fc00, 0x400, 2),
        (0xf_0000, 0x1_0000, 2),
        (0x1b00_0000, 0xbff_f000, 1),
        (0x3ffd_c000, 0x2_4000, 3),
        (0xfeff_c000, 0x4000, 2),
    ];
    assert_eq!(map, expected);
}

/// Purgatory's own check, over the memory that was loaded.
#[test]
fn purgatory_notices_every_byte_that_must_not_change() {
    for (crash, kept) in [(Some(Upkeep::Reload), 0), (Some(Upkeep::Kernel { room: 0x8000 }), 1), (None, 0)] {
        let inputs = Inputs { crash, ..Inputs::new(SMALL) };
        let (mut memory, digest) = loaded(&inputs);
        let parameters = parameters(&memory);
        assert_eq!(parameters.digest, digest);
        let verdict = |memory: &Memory| purgatory::verify(&parameters, |start, len| read(memory, start, len));
        assert_eq!(verdict(&memory), Verdict::Match);
        let mut unnoticed = 0;
        for index in 0..memory.len() {
            let (kind, _, bytes) = &mut memory[index];
            let kind = *kind;
            for at in [0, bytes.iter().rposition(|&byte| byte != 0).unwrap()] {
                memory[index].2[at] ^= 1;
                let noticed = matches!(verdict(&memory), Verdict::Mismatch { .. });
                assert_eq!(noticed, matches!(kind, SegmentKind::Fixed(_)), "{kind} {at}");
                unnoticed += u32::from(!noticed && kind.name() != "purgatory");
                memory[index].2[at] ^= 1;
            }
        }
        assert_eq!(unnoticed, 2 * kept);
    }
}

#[test]
fn our_purgatory_is_told_what_to_enter() {
    let (memory, _) = loaded(&Inputs::new(SMALL));
    let parameters = parameters(&memory);
    assert!(parameters.is_set());
    assert_eq!(parameters.entry.get(), 0x2380_0200);
    assert_eq!(parameters.boot_params.get(), 0x26ff_c000);
    let regions: Vec<(u64, u64)> =
        parameters.regions.iter().map(|region| (region.start.get(), region.len.get())).collect();
    let boot_len = 4096 + 36;
    let expected = [
        (0x237b_6000, 0x4_9f00),
        (0x2380_0000, 0x400),
        (0x26ff_c000, boot_len),
        (0x26ff_f000, 0x400),
        (0, 0),
    ];
    assert_eq!(regions[..5], expected);
}

/// The object that is shipped, above 4 GiB.
#[test]
fn the_built_purgatory_is_told_the_same() {
    let inputs = Inputs { object: purgatory::X86_64.to_vec(), ..Inputs::new(HIGH) };
    let (memory, digest) = loaded(&inputs);
    let (_, mem, bytes) = find(&memory, "purgatory");
    assert!(*mem > 1 << 32 && bytes.len() <= 16 << 10);
    let object = Object::parse(purgatory::X86_64).unwrap();
    let at = object.symbol(purgatory::PARAMETERS_SYMBOL).unwrap().offset as usize;
    let parameters = Parameters::read_from_bytes(&bytes[at..at + 368]).unwrap();
    assert_eq!((parameters.is_set(), parameters.digest), (true, digest));
    assert_eq!(purgatory::verify(&parameters, |start, len| read(&memory, start, len)), Verdict::Match);
}

fn numbers(bytes: &[u8], at: usize, count: usize) -> Vec<u64> {
    let number = |bytes: &[u8]| u64::from_le_bytes(bytes.try_into().unwrap());
    bytes[at..at + 8 * count].chunks(8).map(number).collect()
}

#[test]
fn foreign_purgatories_are_told_by_their_own_names() {
    for (profile, symbols, regions, digest_name, order) in [
        (Profile::KexecTools, KEXEC_TOOLS, "sha256_regions", "sha256_digest", [4, 6]),
        (Profile::Kernel, KERNEL, "purgatory_sha_regions", "purgatory_sha256_digest", [6, 4]),
    ] {
        let inputs = Inputs { profile, object: object(symbols), ..Inputs::new(SMALL) };
        let (memory, digest) = loaded(&inputs);
        let (_, mem, bytes) = find(&memory, "purgatory");
        let at = |name| symbol_at(symbols, name);
        assert_eq!(bytes[at(digest_name)..][..32], digest);
        let table = numbers(bytes, at(regions), 32);
        assert_eq!(table[..4], [0x237b_6000, 0x4_9f00, 0x2380_0000, 0x400]);
        assert_eq!(table[8..], [0; 24]);
        let registers = numbers(bytes, at("entry64_regs"), 17);
        let (_, boot_params, _) = find(&memory, "boot_params");
        let mut expected = [0; 17];
        expected[order[0]] = *boot_params;
        expected[order[1]] = mem + at("stack_end") as u64;
        expected[16] = 0x2380_0200;
        assert_eq!(registers, expected);
    }
}

#[test]
fn a_unified_kernel_image_brings_what_the_caller_does_not() {
    let kernel = uki(&bzimage(&DEBIAN), b"");
    for (given, line, files) in [
        (false, &b"quiet elfcorehdr=0x26fff000"[..], &b"070701"[..]),
        (true, b"console=ttyS0 elfcorehdr=0x26fff000", &[0x1f; 9]),
    ] {
        let mut inputs = Inputs { kernel: kernel.clone(), initrd: vec![0x1f; 9], ..Inputs::new(SMALL) };
        if !given {
            inputs.initrd.clear();
            inputs.command_line.clear();
        }
        let (memory, _) = loaded(&inputs);
        let (.., bytes) = find(&memory, "kernel");
        assert!(bytes.starts_with(&PROTECTED_MODE));
        let (.., bytes) = find(&memory, "initrd");
        assert_eq!(bytes[..files.len()], *files);
        let (.., block) = find(&memory, "boot_params");
        assert!(block[4096..].starts_with(line));
    }
}

#[test]
fn scratch_that_is_too_small_is_refused() {
    Inputs::new(SMALL).with(|request| {
        let mut line = [0; 2048];
        let plan = Plan::new(request, &mut line).unwrap();
        let needed = plan.scratch_len();
        for len in [0, 1, 384, 385, needed - 1] {
            let error = PlanError::Input(Error::BufferTooSmall { needed: needed as u64 });
            assert_eq!(plan.encode(&mut vec![0; len]), Err(error));
        }
        assert!(plan.encode(&mut vec![0; needed + 1]).is_ok());
    });
}

#[test]
fn microcode_stands_before_the_initrd() {
    let microcode = [0x30; 0x1001];
    for (initrd, len) in [(vec![0x1f; 9], 0x2000 + 9), (vec![], 0x2000 + 6)] {
        let kernel = uki(&bzimage(&DEBIAN), &microcode);
        let inputs = Inputs { kernel, initrd: initrd.clone(), ..Inputs::new(SMALL) };
        let (memory, _) = loaded(&inputs);
        let (.., block) = find(&memory, "boot_params");
        let (at, given) = BootParams::parse(block).unwrap().initrd().unwrap();
        assert_eq!(given, len);
        let (_, mem, bytes) = find(&memory, "microcode");
        assert_eq!((*mem, &bytes[..0x1001]), (at.0, &microcode[..]));
        assert!(bytes.len() == 0x2000 && bytes[0x1001..].iter().all(|&byte| byte == 0));
        let (_, mem, bytes) = find(&memory, "initrd");
        assert_eq!(*mem, at.0 + 0x2000);
        assert!(bytes.starts_with(if initrd.is_empty() { b"070701" } else { &initrd }));
    }
}

#[test]
fn a_vmlinux_is_loaded_as_its_program_headers_say() {
    let inputs = Inputs { kernel: vmlinux(true), ..Inputs::new(SMALL) };
    let (memory, digest) = loaded(&inputs);
    for ((paddr, _), byte) in VMLINUX.iter().zip([0xe0, 0xe1, 0xe2, 0]) {
        let at = paddr - VMLINUX[0].0 + 0x23c0_0000;
        assert_eq!(read(&memory, at, 9), Some(&[byte, byte, byte, byte, byte, byte, byte, byte, 0][..]));
    }
    let (.., block) = find(&memory, "boot_params");
    let params = BootParams::parse(block).unwrap();
    assert_eq!((params.hdr.header, params.hdr.type_of_loader), (*b"HdrS", 0xd0));
    assert_eq!(params.initrd().unwrap().1, inputs.initrd.len() as u64);
    let parameters = parameters(&memory);
    assert_eq!((parameters.entry.get(), parameters.digest), (0x23c0_0b53, digest));
    assert_eq!(purgatory::verify(&parameters, |start, len| read(&memory, start, len)), Verdict::Match);
}

#[test]
fn the_purgatory_is_told_what_to_copy() {
    let backup = Some(Backup { source: Span::new(0x1000, 0x9_fc00), copy: PhysAddr(0x26f6_1000) });
    let (memory, _) = loaded(&Inputs { backup, ..Inputs::new(SMALL) });
    assert_eq!(parameters(&memory).backup(), Some((0x1000, 0x26f6_1000, 0x9_ec00)));
    let (memory, _) = loaded(&Inputs::new(SMALL));
    assert_eq!(parameters(&memory).backup(), None);

    let object = object(KEXEC_TOOLS);
    let inputs = Inputs { backup, profile: Profile::KexecTools, object, ..Inputs::new(SMALL) };
    let (memory, _) = loaded(&inputs);
    let (.., bytes) = find(&memory, "purgatory");
    let at = |name| symbol_at(KEXEC_TOOLS, name);
    assert_eq!(bytes[at("panic_kernel")], 1);
    for (name, value) in
        [("backup_start", 0x26f6_1000), ("backup_src_start", 0x1000), ("backup_src_size", 0x9_ec00)]
    {
        assert_eq!(numbers(bytes, at(name), 1), [value]);
    }
}
