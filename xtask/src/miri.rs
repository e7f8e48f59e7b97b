//! `cargo xtask miri`: the unit tests of the crates with unsafe code, interpreted by Miri, which sees undefined behaviour.

use crate::run::{Outcome, run};
use crate::targets;

const TOOLCHAIN: &str = "nightly";

/// Files, mappings and threads are the host's; a pointer may only be made of a pointer.
const FLAGS: &str = "-Zmiri-disable-isolation -Zmiri-strict-provenance";

/// A crate's tests: words for cargo, then the tests that the stage of `cargo xtask test` takes, those that go through pointers.
const CRATES: [(&[&str], &[&str]); 2] = [
    (&["--package=kcapture-capi"], &["ptr::", "text::", "source::", "memory::", "note::"]),
    (&["--package=kcapture-host"], &["syscall::", "files::"]),
];

/// Every test, or only those of the stage.
pub(crate) fn check(all: bool) -> Outcome<()> {
    targets::add_toolchain(TOOLCHAIN, &["miri", "rust-src"])?;
    for (words, selected) in CRATES {
        let mut cargo = targets::cargo_of(TOOLCHAIN);
        cargo.args(["miri", "test", "--locked", "--quiet", "--lib"]).args(words);
        cargo.arg("--target-dir").arg(targets::folder()?.join("miri")).env("MIRIFLAGS", FLAGS);
        if !all {
            cargo.arg("--").args(selected);
        }
        run(cargo)?;
    }
    Ok(())
}
