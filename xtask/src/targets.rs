//! cargo and rustup: the targets that tasks build for, where built files lie, the tool under test.

use std::ffi::OsString;
use std::path::PathBuf;
use std::process::Command;

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

/// Builds `kcap` optimised, for a target or for this host; gives the program.
pub(crate) fn build_kcap(target: Option<&str>) -> Outcome<PathBuf> {
    let mut build = command(&[cargo()]);
    build.args(["build", "--quiet", "--release", "--package", "kcap"]);
    if let Some(target) = target {
        add(target)?;
        build.args(["--target", target]);
    }
    run(build)?;
    Ok(folder()?.join(target.unwrap_or_default()).join("release/kcap"))
}

/// Installs a toolchain, by the name that rustup has for it, with these components.
pub(crate) fn add_toolchain(name: &str, components: &[&str]) -> Outcome<()> {
    let installed = output(command(&["rustup", "toolchain", "list"]))?;
    if !installed.lines().any(|line| line.starts_with(name)) {
        run(command(&["rustup", "toolchain", "install", name, "--profile", "minimal"]))?;
    }
    if !components.is_empty() {
        run(command(&["rustup", "--quiet", "component", "add", "--toolchain", name]).args(components))?;
    }
    Ok(())
}

/// The cargo of a toolchain, in the workspace.
pub(crate) fn cargo_of(toolchain: &str) -> Command {
    let mut cargo = command(&["rustup", "run", toolchain, "cargo"]);
    // What the cargo that runs this task says of itself.
    for variable in ["CARGO", "RUSTC", "RUSTDOC", "RUSTUP_TOOLCHAIN"] {
        cargo.env_remove(variable);
    }
    cargo.current_dir(workspace());
    cargo
}
