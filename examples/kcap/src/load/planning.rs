//! A plan and its bytes, from a machine and files.

use std::fs;
use std::io::Read;
use std::path::Path;

use host::kexec::Kind;
use kexec_core::boot_params::SetupData;
use kexec_core::map::{MemoryMap, Span};
use kexec_core::plan::{Elfcorehdr, Load, MachineFacts, Plan, Purgatory, Request, Running, Upkeep};

use super::args::{OnMismatch, PlanningArgs};
use super::header::CoreHeader;
use super::hotplug;
use super::machine::Machine;
use crate::exit::Failure;

/// What is to be started.
#[derive(Debug)]
pub(crate) struct Files {
    kernel: Vec<u8>,
    initrd: Vec<u8>,
    line: String,
}

impl Files {
    /// Reads them.
    pub(crate) fn read(kernel: &Path, initrd: Option<&Path>, line: String) -> Result<Self, Failure> {
        let read = |path: &Path| fs::read(path).map_err(|error| Failure::with_path(path, &error));
        Ok(Self { kernel: read(kernel)?, initrd: initrd.map(read).transpose()?.unwrap_or_default(), line })
    }
}

/// A plan, checked, with all its bytes.
#[derive(Debug)]
pub(crate) struct Planned<'a> {
    pub(crate) plan: &'a Plan<'a>,
    /// What the plan wrote.
    pub(crate) scratch: &'a [u8],
    pub(crate) digest: [u8; 32],
    /// The elfcorehdr; empty for an ordinary kernel.
    pub(super) elfcorehdr: &'a CoreHeader,
}

/// What a unified kernel image may bring of a command line, and what a plan adds: the kernels of x86 take 2047 bytes.
const LINE_LEN: usize = 4096;

/// Plans, and calls `work` with the plan.
pub(crate) fn with_plan<T>(
    files: &Files,
    kind: Kind,
    options: &PlanningArgs,
    machine: &Machine,
    work: impl FnOnce(&Planned<'_>) -> Result<T, Failure>,
) -> Result<T, Failure> {
    machine.with_maps(|map, firmware, kernel| {
        let upkeep = upkeep(options, machine)?;
        let limits = Span::new(options.mem_min.unwrap_or(0), options.mem_max.unwrap_or(u64::MAX));
        let (mut header, mut backup) = (CoreHeader::default(), None);
        if kind == Kind::Crash {
            backup = machine.backup(map, limits)?;
            header = CoreHeader::of(&machine.elfcorehdr(map, kernel, backup), upkeep)?;
        }
        let seed = random()?;
        let setup_data = [SetupData::rng_seed(&seed)];
        let request = Request {
            load: Load::Ordinary,
            kernel: &files.kernel,
            initrd: &files.initrd,
            command_line: files.line.as_bytes(),
            memory: map,
            firmware,
            limits,
            purgatory: purgatory(options),
            running: running(machine, map),
            machine: MachineFacts {
                boot_params: machine.boot_params()?,
                acpi_rsdp: machine.acpi_rsdp,
                efi: machine.efi()?,
                setup_data: &setup_data,
            },
        };
        let refused = |error| Failure::new(format!("{error}; nothing was loaded"));
        let mut line = vec![0; LINE_LEN.saturating_add(files.line.len())];
        if kind == Kind::Crash {
            let load = Load::Crash(Elfcorehdr { bytes: &header.bytes, upkeep, backup });
            let place = Plan::new(Request { load, ..request }, &mut line).map_err(refused)?.elfcorehdr();
            header.place(place.unwrap_or_default(), &machine.elfcorehdr(map, kernel, backup))?;
        }
        let load = match kind {
            Kind::Crash => Load::Crash(Elfcorehdr { bytes: &header.bytes, upkeep, backup }),
            Kind::Ordinary => Load::Ordinary,
        };
        let plan = Plan::new(Request { load, ..request }, &mut line).map_err(refused)?;
        let mut scratch = vec![0; plan.scratch_len()];
        let digest = plan.encode(&mut scratch).map_err(refused)?;
        work(&Planned { plan: &plan, scratch: &scratch, digest, elfcorehdr: &header })
    })
}

/// Who keeps the elfcorehdr up to date.
fn upkeep(options: &PlanningArgs, machine: &Machine) -> Result<Upkeep, Failure> {
    match (options.hotplug, machine.elfcorehdr_size) {
        (false, _) => Ok(Upkeep::Reload),
        (true, Some(room)) => Ok(Upkeep::Kernel { room }),
        (true, None) => Err(hotplug::refused()),
    }
}

fn purgatory(options: &PlanningArgs) -> Purgatory<'static> {
    Purgatory {
        on_mismatch: match options.on_mismatch {
            None | Some(OnMismatch::Halt) => purgatory::OnMismatch::Halt,
            Some(OnMismatch::Reset) => purgatory::OnMismatch::Reset,
            Some(OnMismatch::Continue) => purgatory::OnMismatch::Continue,
        },
        check: !options.no_checks,
        serial_port: options.serial.unwrap_or(0),
        vga: options.console_vga,
        ..Purgatory::new(purgatory::X86_64)
    }
}

fn running(machine: &Machine, map: &MemoryMap<'_>) -> Running {
    let assumed = Running::x86_64(map);
    Running {
        known_flags: machine.known_flags(),
        ram_pages: machine.ram_pages.unwrap_or(assumed.ram_pages),
        five_level: machine.five_level,
        gib_pages: machine.gib_pages,
        ..assumed
    }
}

/// Random bytes for the next kernel's generator.
fn random() -> Result<[u8; 32], Failure> {
    let mut seed = [0; 32];
    let path = Path::new("/dev/urandom");
    let read = fs::File::open(path).and_then(|mut file| file.read_exact(&mut seed));
    read.map_err(|error| Failure::with_path(path, &error))?;
    Ok(seed)
}
