//! The oldest compiler that the manifests promise: it takes the libraries and the artifact.

use std::fs;
use std::process::Command;

use crate::run::{Outcome, run};
use crate::targets;

/// The manifests that say it.
const MANIFESTS: [&str; 3] = ["Cargo.toml", "capi/dist/Cargo.toml", "purgatory/blob/Cargo.toml"];
const CRATES: [&str; 6] =
    ["vmcore-format", "purgatory", "kexec-core", "page-filter", "kcapture-host", "kcapture-capi"];

/// Checks the libraries, and the artifact hosted and freestanding.
pub(crate) fn check() -> Outcome<()> {
    let version = version()?;
    targets::add_toolchain(&version, &[])?;
    let folder = targets::folder()?.join("oldest");
    let cargo = || -> Command {
        let mut cargo = targets::cargo_of(&version);
        cargo.args(["check", "--locked", "--quiet", "--target-dir"]).arg(&folder);
        cargo.env("CARGO_PROFILE_DEV_DEBUG", "0");
        cargo
    };
    run(cargo().args(CRATES.map(|name| format!("--package={name}"))))?;
    for words in [&[][..], &["--no-default-features"]] {
        run(cargo().args(["--manifest-path", "capi/dist/Cargo.toml"]).args(words))?;
    }
    println!("rustc {version} takes {} and libkcapture", CRATES.join(", "));
    Ok(())
}

/// What every manifest gives as `rust-version`.
fn version() -> Outcome<String> {
    let mut found = Vec::new();
    for manifest in MANIFESTS {
        let text = fs::read_to_string(targets::workspace().join(manifest))?;
        let line = text.lines().find_map(|line| line.strip_prefix("rust-version = \""));
        let version = line.and_then(|rest| rest.strip_suffix('"'));
        found.push(version.ok_or_else(|| format!("{manifest}: no rust-version"))?.to_owned());
    }
    if found.iter().any(|version| *version != found[0]) {
        return Err(format!("the manifests promise different versions: {}", found.join(" ")).into());
    }
    Ok(found.swap_remove(0))
}
