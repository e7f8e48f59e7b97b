//! `cargo xtask miri`: the unit tests of the crates with unsafe code, interpreted by Miri, which sees undefined behaviour.

use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};

use crate::run::Outcome;
use crate::targets;

const TOOLCHAIN: &str = "nightly";

/// Files and clocks are the host's; a pointer may only be made of a pointer.
const FLAGS: &str = "-Zmiri-disable-isolation -Zmiri-strict-provenance";

/// A crate's tests: words for cargo, then the quick ones that go through pointers.
const CRATES: [(&[&str], &[&str]); 3] = [
    (
        &["--package=kcapture-capi", "--features=hosted"],
        &["ptr::", "text::", "error::", "object::", "digest::", "segment::", "sources::", "command_line::"],
    ),
    (&["--package=kcapture-host"], &["syscall::", "stream::"]),
    // It has no unsafe code; the lock that its threads share has.
    (&["--package=kexec-core", "versioned::shared"], &["versioned::shared::"]),
];

/// Every test, or only the quick ones.
pub(crate) fn check(all: bool) -> Outcome<()> {
    targets::add_toolchain(TOOLCHAIN, &["miri", "rust-src"])?;
    for (words, selected) in CRATES {
        let mut cargo = targets::cargo_of(TOOLCHAIN);
        cargo.args(["miri", "test", "--locked", "--lib"]).args(words);
        cargo.arg("--target-dir").arg(targets::folder()?.join("miri")).env("MIRIFLAGS", FLAGS);
        let selected = if all { &[] } else { selected };
        cargo.arg("--").args(selected);
        let passed = passed(cargo)?;
        if passed.is_empty() {
            return Err(format!("{words:?}: no test ran").into());
        }
        if let Some(word) = selected.iter().find(|word| !passed.iter().any(|test| test.contains(**word))) {
            return Err(format!("{words:?}: no test ran that has `{word}` in its name").into());
        }
    }
    Ok(())
}

/// Runs tests, shows what they say, and gives the names of those that passed.
fn passed(mut cargo: Command) -> Outcome<Vec<String>> {
    let mut child = cargo.stdout(Stdio::piped()).spawn()?;
    let mut passed = Vec::new();
    for line in BufReader::new(child.stdout.take().expect("it is piped")).lines() {
        let line = line?;
        println!("{line}");
        let test = line.strip_prefix("test ").and_then(|line| line.strip_suffix(" ... ok"));
        passed.extend(test.map(str::to_string));
    }
    let status = child.wait()?;
    if status.success() { Ok(passed) } else { Err(format!("Miri: {status}").into()) }
}
