//! `kcap status`, `kcap unload`, `kcap exec`.

use std::io::{self, Write};
use std::path::Path;

use host::kexec::{self, Call, Kind, State};
use host::preflight::forget_map;
use serde_json::json;

use super::args::{ExecArgs, StatusArgs, UnloadArgs};
use crate::exit::{Exit, Failure};
use crate::words;

/// `KEXEC_ON_CRASH` of kexec_load.
const ON_CRASH: u64 = 1;
/// `KEXEC_FILE_UNLOAD` of kexec_file_load.
const FILE_UNLOAD: u64 = 1;
/// `KEXEC_FILE_ON_CRASH`
pub(crate) const FILE_ON_CRASH: u64 = 2;
/// `KEXEC_FILE_NO_INITRAMFS`
pub(crate) const FILE_NO_INITRAMFS: u64 = 4;

/// The version of the JSON object's shape: it grows when a key changes its meaning or goes.
const VERSION: u32 = 1;

/// What the kernel has loaded.
pub(crate) fn status(args: &StatusArgs) -> Result<Exit, Failure> {
    let state = state()?;
    let text = if args.json { json_text(&state) } else { plain_text(&state) };
    io::stdout().write_all(text.as_bytes()).map_err(|error| Failure::stdout(&error))?;
    Ok(Exit::Done)
}

/// The kernel's state, or why it has none.
pub(crate) fn state() -> Result<State, Failure> {
    State::read().map_err(|error| Failure::with_path(Path::new("/sys/kernel"), &error))
}

/// Forgets an image. The other call does it where the first is not there or not allowed.
pub(crate) fn unload(args: &UnloadArgs) -> Result<Exit, Failure> {
    let crash = args.kind.kind() == Kind::Crash;
    let unloaded = kexec::kexec_load(0, &[], if crash { ON_CRASH } else { 0 });
    unloaded
        .or_else(|first| {
            let flags = FILE_UNLOAD | if crash { FILE_ON_CRASH } else { 0 };
            kexec::kexec_file_load(None, None, c"", flags).map_err(|_| first)
        })
        .map_err(|code| Failure::new(kexec::explain(Call::Load, code)))?;
    if crash {
        // What it was about is gone; that it cannot be taken away matters to nobody.
        let _ = forget_map(Path::new("/"));
    }
    Ok(Exit::Done)
}

/// Starts the loaded kernel, at once.
pub(crate) fn exec(_: &ExecArgs) -> Result<Exit, Failure> {
    if state()?.loaded == Some(false) {
        return Err(Failure::new("no kernel is loaded: kcap load -l KERNEL loads one"));
    }
    kexec::reboot_into_loaded().map_err(|code| Failure::new(kexec::explain(Call::Reboot, code)))?;
    Ok(Exit::Done)
}

/// What the kernel refused, and whether the crash kernel that was loaded is gone with it.
pub(super) fn refused(call: Call, code: i32, kind: Kind, hint: &str) -> Failure {
    let loaded = State::read().ok().and_then(|state| state.crash_loaded);
    let lost = match (kind, loaded) {
        (Kind::Crash, Some(false)) => "; no crash kernel is loaded now",
        _ => "",
    };
    Failure::new(format!("{}{hint}{lost}", kexec::explain(call, code)))
}

fn json_text(state: &State) -> String {
    let object = json!({
        "schema": "kcapture.status",
        "version": VERSION,
        "loaded": state.loaded,
        "crash_loaded": state.crash_loaded,
        "crash_size": state.crash_size,
        "hotplug": { "cpu": state.hotplug_cpu, "memory": state.hotplug_memory },
        "elfcorehdr_size": state.elfcorehdr_size,
        "load_disabled": state.load_disabled,
    });
    format!("{object:#}\n")
}

fn plain_text(state: &State) -> String {
    let yes = |value: Option<bool>| match value {
        Some(true) => "yes",
        Some(false) => "no",
        None => "the kernel does not say",
    };
    let loaded = |value: Option<bool>| match value {
        Some(true) => "loaded",
        Some(false) => "not loaded",
        None => "the kernel does not say",
    };
    let size = match state.crash_size {
        Some(0) => "nothing: boot with crashkernel=SIZE".into(),
        Some(bytes) => words::size(bytes),
        None => "the kernel does not say".into(),
    };
    let mut lines = vec![
        ("crash kernel", loaded(state.crash_loaded).to_owned()),
        ("reserved", size),
        ("ordinary", loaded(state.loaded).to_owned()),
        ("hotplug", format!("CPUs {}, memory {}", yes(state.hotplug_cpu), yes(state.hotplug_memory))),
    ];
    if state.load_disabled == Some(true) {
        lines.push(("loading", "switched off until reboot (kexec_load_disabled)".into()));
    }
    lines.into_iter().map(|(name, value)| format!("{name:<14}{value}\n")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_machine_without_a_reservation_is_told_what_to_do() {
        let state =
            State { loaded: Some(false), crash_loaded: Some(false), crash_size: Some(0), ..State::default() };
        let text = plain_text(&state);
        assert!(text.contains("crash kernel  not loaded\n") && text.contains("crashkernel=SIZE"), "{text}");
        assert!(json_text(&state).contains("\"crash_size\": 0"));
    }
}
