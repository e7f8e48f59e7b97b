//! Plans for arbitrary machines: what is planned, the kernel's own rules accept, the purgatory verifies, and the headers made
//! for the capture kernel read back as what they were made of.

use kexec_core::boot_params::BootParams;
use kexec_core::check::{self, kernel_would_accept};
use kexec_core::elfcorehdr::{Backup, Builder, DirectMap, KernelText, NoteBuffer};
use kexec_core::map::{MemoryMap, Range, RangeKind, Span};
use kexec_core::object::Object;
use kexec_core::plan::{
    Elfcorehdr, Load, MachineFacts, Plan, Purgatory, Request, Running, Upkeep, low_memory_backup,
};
use kexec_core::segment::Extent;
use purgatory::{PARAMETERS_SYMBOL, Parameters, Verdict, verify};
use vmcore_format::elf::{EM_X86_64, ElfCore, PT_LOAD, PT_NOTE, ProgramHeader};
use vmcore_format::{Layout, PhysAddr, VirtAddr};
use zerocopy::FromBytes;

use crate::input::Input;
use crate::kernels::{Setup, bzimage, uki, vmlinux};

const MIB: u64 = 1 << 20;
const RANGES: usize = 48;

/// The machine's memory, then the kernel, then how it is loaded.
pub fn run(data: &[u8]) {
    let mut input = Input::new(data);
    let mut table = [Range::EMPTY; RANGES];
    let mut memory = MemoryMap::new(&mut table);
    ranges(&mut input, &mut memory);
    let mut table = [Range::EMPTY; RANGES];
    let mut firmware = MemoryMap::new(&mut table);
    let kernel = kernel(&mut input);
    let how = input.u8();
    if how & 1 != 0 {
        ranges(&mut input, &mut firmware);
    }
    let limits = if how & 2 != 0 { Span::new(input.extreme(), input.extreme()) } else { Request::ANYWHERE };
    let backup = if how & 4 != 0 { low_memory_backup(&memory, limits) } else { None };
    let mut header = vec![0; 64 + 56 * (RANGES * 2 + 8)];
    let header = elfcorehdr(&mut input, &memory, backup, &mut header);
    let upkeep =
        if how & 8 == 0 { Upkeep::Reload } else { Upkeep::Kernel { room: input.u64() >> (how >> 3 & 31) } };
    let load = match header {
        Some(bytes) if how & 0x10 != 0 => Load::Crash(Elfcorehdr { bytes, upkeep, backup }),
        _ => Load::Ordinary,
    };
    let initrd = vec![0x1f; usize::from(input.u16()) >> 2];
    let len = usize::from(input.u8());
    let command_line = input.bytes(len);
    let mut running = Running::x86_64(&memory);
    running.five_level = how & 0x20 != 0;
    running.gib_pages = how & 0x40 != 0;
    let purgatory = Purgatory { check: how & 0x80 == 0, ..Purgatory::new(purgatory::X86_64) };
    let request = Request {
        load,
        kernel: &kernel,
        initrd: &initrd,
        command_line,
        memory: &memory,
        firmware: (!firmware.is_empty()).then_some(&firmware),
        limits,
        purgatory,
        running,
        machine: MachineFacts::default(),
    };
    let mut line = [0; 2048];
    if let Ok(plan) = Plan::new(request, &mut line) {
        judge(&plan, &request);
    }
}

/// Ranges one after the other, or anywhere.
fn ranges(input: &mut Input<'_>, map: &mut MemoryMap<'_>) {
    const KINDS: [RangeKind; 6] = [
        RangeKind::SystemRam,
        RangeKind::SystemRam,
        RangeKind::CrashKernel,
        RangeKind::Reserved,
        RangeKind::AcpiTables,
        RangeKind::ReservedRam,
    ];
    let mut at = 0;
    for _ in 0..input.u8() % 12 {
        let (how, len) = (input.u8(), input.u16());
        let kind = KINDS[usize::from(how % 6)];
        let span = match how >> 6 {
            0 | 1 => Span::new(at, at + u64::from(len) * MIB / 16),
            2 => Span::new(at + (u64::from(len) << 12), at + (u64::from(len) << 13) + u64::from(input.u16())),
            _ => {
                let start = input.extreme();
                Span::new(start, start.saturating_add(input.extreme() >> 1))
            }
        };
        if map.set(Range::new(span, kind)).is_err() {
            return;
        }
        at = span.end.0 & 0xffff_ffff_ffff;
    }
}

fn kernel(input: &mut Input<'_>) -> Vec<u8> {
    let how = input.u8();
    let setup = Setup {
        xloadflags: if how & 0x80 != 0 { input.u16() } else { 0x7f },
        cmdline_size: if how & 0x40 != 0 { input.u32() } else { 2047 },
        alignment: 1 << (12 + input.u8() % 16),
        relocatable: u8::from(how & 0x20 == 0),
        pref_address: u64::from(input.u16()) << 16,
        init_size: input.u32() >> (how & 7),
    };
    match how & 3 {
        0 | 1 => bzimage(&setup),
        2 => uki(&bzimage(&setup), &[0x30; 300][..usize::from(how >> 4 & 3) * 100]),
        _ => {
            let mut at = u64::from(input.u16()) << 12;
            let loads: Vec<_> = (0..=how >> 2 & 3)
                .map(|_| {
                    let load = (at, u64::from(input.u32()) >> 6);
                    at += load.1.next_multiple_of(0x1000);
                    load
                })
                .collect();
            vmlinux(&loads, how & 0x40 != 0)
        }
    }
}

/// Makes the core header and reads it back.
fn elfcorehdr<'b>(
    input: &mut Input<'_>,
    memory: &MemoryMap<'_>,
    backup: Option<Backup>,
    buf: &'b mut [u8],
) -> Option<&'b [u8]> {
    let how = input.u8();
    let notes: Vec<NoteBuffer> = (0..how & 3)
        .map(|_| NoteBuffer { paddr: PhysAddr(input.extreme()), len: u64::from(input.u16()) })
        .collect();
    let exclude = [Builder::LOW_MEMORY, Span::new(input.extreme(), input.extreme())];
    let builder = Builder {
        layout: Layout::LE64,
        e_machine: EM_X86_64,
        cpu_notes: &notes,
        vmcoreinfo: (how & 4 != 0).then(|| NoteBuffer { paddr: PhysAddr(input.extreme()), len: 0x1024 }),
        text: (how & 8 != 0).then(|| KernelText {
            vaddr: VirtAddr(0xffff_ffff_8100_0000),
            paddr: PhysAddr(input.extreme()),
            len: u64::from(input.u32()),
        }),
        direct_map: (how & 16 != 0).then(|| DirectMap::x86_64(VirtAddr(0xffff_8880_0000_0000))),
        ram: memory,
        exclude: &exclude[..usize::from(how >> 5 & 3).min(2)],
        backup,
    };
    let len = builder.encode(buf).ok()?;
    assert_eq!(builder.encoded_len(), Ok(len as u64));
    assert!(builder.encode(&mut vec![0; len - 1]).is_err());
    let bytes = &buf[..len];
    let mut table = [ProgramHeader::default(); 2 * RANGES + 8];
    let core = ElfCore::open(&bytes, &mut table).expect("the header that was made is sound");
    let noted = notes.len() + usize::from(builder.vmcoreinfo.is_some());
    assert_eq!(core.loads().len() + noted, builder.phnum().map_or(0, |phnum| phnum as usize));
    assert!(core.loads().iter().all(|load| load.p_type == PT_LOAD && load.p_filesz == load.p_memsz));
    assert!(core.note_regions().count() == noted && PT_NOTE == 4);
    // What is listed of RAM is RAM, once, and nothing that is excluded; the rest of RAM is excluded or backed up.
    let extra = usize::from(builder.text.is_some()) + usize::from(backup.is_some());
    let mut listed: u64 = 0;
    let mut end = 0;
    for load in &core.loads()[extra..] {
        let span = Span::new(load.p_paddr, load.p_paddr + load.p_memsz);
        assert!(span.start.0 >= end && !span.is_empty() && load.p_offset == load.p_paddr);
        assert!(memory.kind_at(span.start).is_some_and(RangeKind::is_dumped));
        assert!(!builder.exclude.iter().any(|exclude| exclude.overlaps(span)));
        end = span.end.0;
        listed += span.len();
    }
    let ram: u64 = memory.merged(RangeKind::is_dumped).map(Span::len).sum();
    assert!(listed <= ram);
    assert!(!builder.exclude.is_empty() || backup.is_some() || listed == ram);
    Some(bytes)
}

fn judge(plan: &Plan<'_>, request: &Request<'_>) {
    let extents: Vec<Extent> = plan.segments().iter().map(|segment| segment.extent).collect();
    let region = request.memory.iter_kind(RangeKind::CrashKernel).next_back().map(Range::span);
    let crash = matches!(request.load, Load::Crash(_));
    let kernel = check::Kernel {
        machine: EM_X86_64,
        known_flags: request.running.known_flags,
        crash_region: region.filter(|_| crash),
        ram_pages: request.running.ram_pages,
        memory_limit: if request.running.five_level { (1 << 52) - 1 } else { (1 << 46) - 1 },
        control_pages: 64,
    };
    let image = check::Image { entry: plan.entry(), flags: plan.flags(), segments: &extents };
    assert_eq!(kernel_would_accept(&image, &kernel), Ok(()));
    for (index, segment) in plan.segments().iter().enumerate() {
        let span = segment.span();
        assert!(request.limits.start <= span.start && span.end <= request.limits.end, "{segment:?}");
        assert!(plan.segments()[..index].iter().all(|other| !other.span().overlaps(span)));
        if crash {
            let region = region.expect("a crash kernel has a region");
            assert!(region.start <= span.start && span.end <= region.end);
        } else {
            let may = |kind| matches!(kind, RangeKind::SystemRam | RangeKind::CrashKernel);
            let within = |map: &MemoryMap<'_>| {
                map.merged(may).any(|ram| ram.start <= span.start && span.end <= ram.end)
            };
            assert!(within(request.memory) && request.firmware.is_none_or(within), "{segment:?}");
        }
    }
    assert!(plan.told().zip(plan.told().skip(1)).all(|(one, next)| one.end <= next.start));
    let _why = plan.explain().count();
    if plan.scratch_len() < 1 << 20 {
        bytes(plan, request);
    }
}

/// The segments as they stand in memory are what the purgatory is told to check.
fn bytes(plan: &Plan<'_>, request: &Request<'_>) {
    let mut scratch = vec![0x5a; plan.scratch_len()];
    let Ok(digest) = plan.encode(&mut scratch) else { return };
    let mut parameters = None;
    for segment in plan.segments() {
        let bytes = plan.bytes(segment, &scratch).expect("the scratch is whole");
        assert_eq!(bytes.len() as u64, segment.extent.bufsz);
        assert!(segment.extent.bufsz <= segment.extent.memsz);
        match segment.kind.name() {
            "purgatory" => {
                let object = Object::parse(request.purgatory.object).expect("it was linked");
                let place = object.symbol(PARAMETERS_SYMBOL).expect("it has parameters");
                let at = place.offset as usize;
                parameters = Some(&bytes[at..at + Parameters::LEN]);
            }
            "boot_params" => {
                let params = BootParams::parse(&bytes[..BootParams::LEN]).expect("they were made");
                let line = (params.command_line().0 - segment.extent.mem.0) as usize;
                let text = plan.command_line();
                assert_eq!(bytes[line..line + text.len()], *text);
                assert_eq!(bytes[line + text.len()], 0);
                let told: Vec<_> = plan.told().map(|range| (range.start.0, range.len())).collect();
                let listed = params.e820().iter().map(|entry| (entry.addr.get(), entry.size.get()));
                assert!(listed.eq(told.into_iter().take(128)));
            }
            _ => {}
        }
    }
    let bytes = parameters.expect("a plan has a purgatory");
    let parameters = Parameters::read_from_bytes(bytes).expect("it is as long");
    assert_eq!((parameters.entry.get(), parameters.digest), (plan.kernel_entry().0, digest));
    let verdict = verify(&parameters, |start, len| {
        let segment = plan.segments().iter().find(|segment| segment.extent.mem.0 == start)?;
        let bytes = plan.bytes(segment, &scratch).ok()?;
        bytes.get(..usize::try_from(len).ok()?)
    });
    let expected = if request.purgatory.check { Verdict::Match } else { Verdict::Skipped };
    assert_eq!(
        verdict,
        expected,
        "{:?}",
        parameters.regions.map(|region| (region.start.get(), region.len.get()))
    );
}

/// Machines with and without a crash region, and each kind of kernel.
pub fn seeds() -> Vec<Vec<u8>> {
    let mut seeds = Vec::new();
    for kernel in [0, 2, 3, 0x47, 0x4f, 0x20] {
        for how in [0_u8, 1, 0x10, 0x14, 0x18, 0x1c, 0x50] {
            let mut seed = vec![7];
            // Reserved, RAM, a hole's worth of reserved, RAM, a crash region, RAM, tables.
            for (kind, len) in [(3, 1_u16), (0, 9), (3, 6), (0, 0x2000), (2, 0x1800), (0, 0x3000), (4, 2)] {
                seed.push(kind);
                seed.extend(len.to_le_bytes());
            }
            seed.extend([kernel, 9, 0, 1, 0, 0, 0xa0, 3]);
            if kernel & 3 == 3 {
                seed.extend([0, 0x10]);
                seed.extend((0..=kernel >> 2 & 3).flat_map(|_| [0, 0, 0, 4]));
            }
            seed.push(how);
            if how & 1 != 0 {
                seed.extend([3, 3, 1, 0, 0, 9, 0, 0, 0, 0x80]);
            }
            seed.push(0x1c | how >> 2 & 1);
            seed.resize(seed.len() + 40, 3);
            seeds.push(seed);
        }
    }
    seeds
}
