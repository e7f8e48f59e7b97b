//! Loading kernels: `kcap load`, `unload`, `exec`, `status`.

pub(crate) mod args;
mod command_line;
mod state;

use std::ffi::CString;
use std::fs::File;
use std::path::Path;

use host::kexec::{self, Call, Kind, Running};

pub(crate) use state::{exec, status, unload};

use crate::exit::{Exit, Failure};
use args::{ImageArgs, LoadArgs};

/// Runs the command.
pub(crate) fn run(args: &LoadArgs) -> Result<Exit, Failure> {
    let crash = args.kind.kind() == Kind::Crash;
    let line = command_line(&args.image, crash)?;
    if args.file_syscall || args.auto {
        match load_files(&args.image, &line, crash)? {
            Ok(()) => return Ok(Exit::Done),
            Err(code) if args.auto && kexec::is_worth_another_way(code) => {}
            Err(code) => return Err(Failure::new(kexec::explain(Call::FileLoad, code))),
        }
    }
    Err(Failure::new("kexec_load is not built in yet"))
}

/// The command line as asked, before the loader's own additions.
fn command_line(image: &ImageArgs, crash: bool) -> Result<String, Failure> {
    let asked = image.append.as_deref().unwrap_or_default();
    if !image.reuse_cmdline {
        return Ok(asked.into());
    }
    let path = Path::new("/proc/cmdline");
    let running = Running::here().command_line().map_err(|error| Failure::with_path(path, &error))?;
    let running =
        String::from_utf8(running).map_err(|_| Failure::new("/proc/cmdline: not UTF-8; use --append"))?;
    Ok(command_line::joined(&command_line::reused(&running, crash), asked))
}

/// By kexec_file_load; the errno if the kernel refuses.
fn load_files(image: &ImageArgs, line: &str, crash: bool) -> Result<Result<(), i32>, Failure> {
    let open = |path: &Path| File::open(path).map_err(|error| Failure::with_path(path, &error));
    let kernel = open(&image.kernel)?;
    let initrd = image.initrd.as_deref().map(open).transpose()?;
    let line = CString::new(line).map_err(|_| Failure::new("the command line holds a zero byte"))?;
    Ok(state::load_files(&kernel, initrd.as_ref(), &line, crash))
}
