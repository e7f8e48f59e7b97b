//! Loading kernels: `kcap load`, `unload`, `exec`, `status`, `plan`.

pub(crate) mod args;
mod command_line;
mod header;
mod hotplug;
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

pub(crate) use file_load::is_crash_loaded;
pub(crate) use hotplug::{is_kept, is_possible};
pub(crate) use state::{exec, status, unload};

use crate::exit::{Exit, Failure};
use args::{ImageArgs, LoadArgs, LoadingArgs, PlanArgs};
use machine::Machine;
use planning::{Files, Planned};

/// `kcap load`.
pub(crate) fn run(args: &LoadArgs) -> Result<Exit, Failure> {
    let kind = args.kind.kind();
    let is_wanted = || Ok(!args.dry_run);
    let exit = load(&args.loading, kind, is_wanted, |planned, is_loaded| {
        if args.json {
            print(&show::json_text(planned, kind, is_loaded))
        } else if is_loaded {
            say_what_is_left_out(planned);
            Ok(Exit::Done)
        } else {
            print(&show::plain_text(planned))
        }
    })?;
    if args.loading.planning.hotplug && kind == Kind::Crash && !args.dry_run {
        hotplug::must_be_kept()?;
    }
    Ok(exit)
}

/// Loads a crash kernel as `kcap load -p` does, if `is_current` still holds once all is planned; answers whether it did. A plan
/// of the kernel's own is of the moment in which it loads.
pub(crate) fn load_if(
    loading: &LoadingArgs,
    is_current: impl FnOnce() -> Result<bool, Failure>,
) -> Result<bool, Failure> {
    let mut loaded = true;
    load(loading, Kind::Crash, is_current, |planned, is_loaded| {
        loaded = is_loaded;
        if is_loaded {
            say_what_is_left_out(planned);
        }
        Ok(Exit::Done)
    })?;
    Ok(loaded)
}

/// Loads, and notes with which memory. Where the plan is ours it is loaded if it `is_wanted` once it is there, and `tell` hears
/// whether it was.
fn load(
    loading: &LoadingArgs,
    kind: Kind,
    is_wanted: impl FnOnce() -> Result<bool, Failure>,
    tell: impl FnOnce(&Planned<'_>, bool) -> Result<Exit, Failure>,
) -> Result<Exit, Failure> {
    let LoadingArgs { image, planning, .. } = loading;
    if planning.hotplug && !is_possible() {
        return Err(hotplug::refused());
    }
    let line = command_line(image, kind, Path::new("/"))?;
    if loading.file_syscall {
        let memory = stamp::of_running(kind);
        return noted(kind, memory, file_load::load(image, &line, kind));
    }
    let files = Files::read(&image.kernel, image.initrd.as_deref(), line.clone())?;
    let machine = Machine::running()?;
    let memory = machine.with_maps(|map, _, _| Ok(ram_digest(map))).ok();
    let mut has_plan = false;
    let loaded = planning::with_plan(&files, kind, planning, &machine, |planned| {
        has_plan = true;
        if loading.auto && file_load::try_first(image, &line, kind)? {
            stamp::note(kind, memory);
            return Ok(Exit::Done);
        }
        let is_wanted = is_wanted()?;
        if is_wanted {
            load_segments(planned, kind)?;
            stamp::note(kind, memory);
        }
        tell(planned, is_wanted)
    });
    match loaded {
        Err(why) if loading.auto && !has_plan => {
            noted(kind, memory, file_load::without_a_plan(image, &line, kind, why))
        }
        loaded => loaded.inspect_err(|_| stamp::forget_lost(kind)),
    }
}

/// What the kernel did by itself, with the note that belongs to it.
fn noted(kind: Kind, memory: Option<[u8; 32]>, loaded: Result<Exit, Failure>) -> Result<Exit, Failure> {
    loaded.inspect(|_| stamp::note(kind, memory)).inspect_err(|_| stamp::forget_lost(kind))
}

/// The kernel is loaded, whoever reads it.
fn say_what_is_left_out(planned: &Planned<'_>) {
    let _ = io::stderr().write_all(show::left_out(planned).as_bytes());
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
