//! cargo and rustup: the targets that tasks build for, where built files lie.

use std::ffi::OsString;
use std::path::PathBuf;

use crate::run::{Outcome, command, output, run};

/// The cargo that runs this task.
pub(crate) fn cargo() -> OsString {
    std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into())
}

/// Adds a target to the toolchain in use.
pub(crate) fn add(target: &str) -> Outcome<()> {
    let installed = output(command(&["rustup", "target", "list", "--installed"]))?;
    if installed.lines().any(|line| line == target) {
        return Ok(());
    }
    run(command(&["rustup", "target", "add", target]))
}

/// The root of the workspace.
pub(crate) fn workspace() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).parent().map_or_else(PathBuf::new, PathBuf::from)
}

/// Where cargo puts what it builds.
pub(crate) fn folder() -> Outcome<PathBuf> {
    Ok(match std::env::var_os("CARGO_TARGET_DIR") {
        Some(folder) => std::env::current_dir()?.join(folder),
        None => workspace().join("target"),
    })
}
