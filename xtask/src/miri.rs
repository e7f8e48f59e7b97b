//! `cargo xtask miri`: the unit tests of the crates with unsafe code, interpreted by Miri, which sees undefined behaviour.

use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};
use std::sync::Mutex;
use std::thread;
use std::time::Instant;

use crate::run::Outcome;
use crate::targets;

const TOOLCHAIN: &str = "nightly";

/// Files and clocks are the host's; a pointer may only be made of a pointer.
const FLAGS: &str = "-Zmiri-disable-isolation -Zmiri-strict-provenance";

const CAPI: &[&str] = &["--package=kcapture-capi", "--features=hosted"];

/// The tests of capi that dump whole machines, and those that read them: they take most of its time.
const DUMPS: &[&str] = &["dump::", "hosted::"];
const MACHINES: &[&str] = &["scan::", "filter::", "verify::", "redact::", "sections::", "log::"];
/// `DUMPS` and `MACHINES`.
const LONG: &[&str] =
    &["dump::", "hosted::", "scan::", "filter::", "verify::", "redact::", "sections::", "log::"];

/// Tests that one process interprets, one after the other.
struct Share {
    package: &'static [&'static str],
    /// Words in their names; none for all. Each must be in the name of a test that passed.
    selected: &'static [&'static str],
    skipped: &'static [&'static str],
}

/// The longest first.
const SHARES: [Share; 5] = [
    Share { package: CAPI, selected: DUMPS, skipped: &[] },
    Share { package: CAPI, selected: MACHINES, skipped: DUMPS },
    Share { package: CAPI, selected: &[], skipped: LONG },
    Share { package: &["--package=kcapture-host"], selected: &[], skipped: &[] },
    // No unsafe code of its own, but atomics and a lock between threads.
    Share { package: &["--package=kexec-core"], selected: &["versioned::shared"], skipped: &[] },
];

/// Miri interprets threads one at a time, and the shares are not of one length: three processes keep two processors busy.
const PROCESSES: usize = 3;

/// Interprets every share.
pub(crate) fn check() -> Outcome<()> {
    targets::add_toolchain(TOOLCHAIN, &["miri", "rust-src"])?;
    let begin = Instant::now();
    let left = Mutex::new(SHARES.iter());
    let next = || left.lock().ok()?.next();
    let work = || {
        let mut counts = (0, 0);
        while let Some(share) = next() {
            let (passed, ignored) = interpret(share).map_err(|error| error.to_string())?;
            counts = (counts.0 + passed, counts.1 + ignored);
        }
        Ok(counts)
    };
    let found: Vec<Result<(usize, usize), String>> = thread::scope(|scope| {
        let workers: Vec<_> = (0..PROCESSES).map(|_| scope.spawn(work)).collect();
        workers.into_iter().map(|worker| worker.join().expect("it does not panic")).collect()
    });
    let (mut passed, mut ignored) = (0, 0);
    for counts in found {
        let counts = counts?;
        passed += counts.0;
        ignored += counts.1;
    }
    println!("Miri: {passed} passed, {ignored} ignored, {} s", begin.elapsed().as_secs());
    Ok(())
}

/// Runs a share and shows what it says; how many tests passed, and how many Miri cannot run.
fn interpret(share: &Share) -> Outcome<(usize, usize)> {
    let mut cargo = targets::cargo_of(TOOLCHAIN);
    cargo.args(["miri", "test", "--locked", "--lib"]).args(share.package);
    cargo.arg("--target-dir").arg(targets::folder()?.join("miri")).env("MIRIFLAGS", FLAGS);
    cargo.arg("--").args(share.selected).args(share.skipped.iter().flat_map(|word| ["--skip", word]));
    let (passed, ignored) = outcomes(cargo)?;
    let package = share.package.concat();
    if passed.is_empty() {
        return Err(format!("{package}: no test ran").into());
    }
    if let Some(word) = share.selected.iter().find(|word| !passed.iter().any(|test| test.contains(**word))) {
        return Err(format!("{package}: no test ran that has `{word}` in its name").into());
    }
    Ok((passed.len(), ignored))
}

/// The names of the tests that passed, and the number of those that were ignored.
fn outcomes(mut cargo: Command) -> Outcome<(Vec<String>, usize)> {
    let mut child = cargo.stdout(Stdio::piped()).spawn()?;
    let (mut passed, mut ignored) = (Vec::new(), 0);
    for line in BufReader::new(child.stdout.take().expect("it is piped")).lines() {
        let line = line?;
        println!("{line}");
        let Some((test, outcome)) = line.strip_prefix("test ").and_then(|line| line.split_once(" ... "))
        else {
            continue;
        };
        match outcome {
            "ok" => passed.push(test.to_string()),
            outcome if outcome.starts_with("ignored") => ignored += 1,
            _ => {}
        }
    }
    let status = child.wait()?;
    if status.success() { Ok((passed, ignored)) } else { Err(format!("Miri: {status}").into()) }
}
