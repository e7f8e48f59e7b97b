//! Loading kernels: `kcap load`, `unload`, `exec`, `status`, `plan`.

pub(crate) mod args;
mod command_line;
mod machine;
mod planning;
mod show;
mod state;

mod file_load;
mod stamp;

use std::io::{self, Write};
use std::path::Path;

use host::kexec::{self, Call, Kind, LoadSegment, Running};
use kexec_core::preflight::ram_digest;

pub(crate) use state::{exec, status, unload};

use crate::exit::{Exit, Failure};
use args::{ImageArgs, LoadArgs, PlanArgs};
use machine::Machine;
use planning::{Files, Planned};

/// `kcap load`.
pub(crate) fn run(args: &LoadArgs) -> Result<Exit, Failure> {
    let kind = args.kind.kind();
    let line = command_line(&args.image, kind, Path::new("/"))?;
    if args.file_syscall {
        let memory = stamp::of_running(kind);
        return stamp::left(kind, memory, file_load::load(&args.image, &line, kind));
    }
    let files = Files::read(&args.image.kernel, args.image.initrd.as_deref(), line.clone())?;
    let machine = Machine::read(Path::new("/"))?;
    let memory = machine.with_maps(|map, _, _| Ok(ram_digest(map))).ok();
    let mut has_plan = false;
    let loaded = planning::with_plan(&files, kind, &args.planning, &machine, |planned| {
        has_plan = true;
        if args.auto && file_load::try_first(&args.image, &line, kind)? {
            return Ok(Exit::Done);
        }
        if !args.dry_run {
            load_segments(planned, kind)?;
        }
        if args.json {
            print(&show::json_text(planned, kind, !args.dry_run))
        } else if args.dry_run {
            print(&show::plain_text(planned))
        } else {
            // The kernel is loaded, whoever reads it.
            let _ = io::stderr().write_all(show::left_out(planned).as_bytes());
            Ok(Exit::Done)
        }
    });
    let loaded = match loaded {
        Err(why) if args.auto && !has_plan => file_load::without_a_plan(&args.image, &line, kind, why),
        loaded => loaded,
    };
    if args.dry_run { loaded } else { stamp::left(kind, memory, loaded) }
}

/// `kcap plan`.
pub(crate) fn plan(args: &PlanArgs) -> Result<Exit, Failure> {
    let kind = args.kind.kind();
    let root = args.root.as_deref();
    let line = command_line(&args.image, kind, root.unwrap_or(Path::new("/")))?;
    let files = Files::read(&args.image.kernel, args.image.initrd.as_deref(), line)?;
    let machine = Machine::of_files(
        root,
        args.iomem.as_deref(),
        args.notes.as_deref(),
        args.firmware_memmap.as_deref(),
    )?;
    planning::with_plan(&files, kind, &args.planning, &machine, |planned| {
        print(&if args.json { show::json_text(planned, kind, false) } else { show::plain_text(planned) })
    })
}

fn print(text: &str) -> Result<Exit, Failure> {
    io::stdout().write_all(text.as_bytes()).map_err(|error| Failure::stdout(&error))?;
    Ok(Exit::Done)
}

/// The command line as asked, before the loader's own additions.
fn command_line(image: &ImageArgs, kind: Kind, root: &Path) -> Result<String, Failure> {
    let asked = image.append.as_deref().unwrap_or_default();
    if !image.reuse_cmdline {
        return Ok(asked.into());
    }
    let path = root.join("proc/cmdline");
    let running = Running::below(root).command_line().map_err(|error| Failure::with_path(&path, &error))?;
    let running = String::from_utf8(running)
        .map_err(|_| Failure::new(format!("{}: not UTF-8; use --append", path.display())))?;
    Ok(command_line::joined(&command_line::reused(&running, kind == Kind::Crash), asked))
}

/// By `kexec_load`: what was planned here, and has passed the kernel's own checks.
fn load_segments(planned: &Planned<'_>, kind: Kind) -> Result<(), Failure> {
    let mut segments = Vec::new();
    for segment in planned.plan.segments() {
        let bytes = planned.plan.bytes(segment, planned.scratch);
        let bytes = bytes.map_err(|error| Failure::new(format!("the {}: {error}", segment.kind)))?;
        segments.push(LoadSegment { bytes, mem: segment.extent.mem.0, memsz: segment.extent.memsz });
    }
    let plan = planned.plan;
    kexec::kexec_load(plan.entry().0, &segments, u64::from(plan.flags())).map_err(|code| {
        let hint =
            if code == EPERM { "; -s lets the kernel load by itself, which may be allowed" } else { "" };
        state::refused(Call::Load, code, kind, hint)
    })
}

/// The errno of what is not permitted.
const EPERM: i32 = 1;
