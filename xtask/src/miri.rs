//! `cargo xtask miri`: the unit tests of the crates with unsafe code, interpreted by Miri, which sees undefined behaviour.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};
use std::sync::Mutex;
use std::thread;
use std::time::Instant;

use crate::run::{Outcome, output};
use crate::targets;

const TOOLCHAIN: &str = "nightly";

/// Files and clocks are the host's; a pointer may only be made of a pointer.
const FLAGS: &str = "-Zmiri-disable-isolation -Zmiri-strict-provenance";

/// Tests of one package.
struct Share {
    package: &'static [&'static str],
    /// A word in their names; empty for all.
    word: &'static str,
}

const SHARES: [Share; 3] = [
    Share { package: &["--package=kcapture-capi", "--features=hosted"], word: "" },
    Share { package: &["--package=kcapture-host"], word: "" },
    // No unsafe code of its own, but atomics and a lock between threads.
    Share { package: &["--package=kexec-core"], word: "versioned::shared" },
];

/// The tests of a module, which one process interprets: what Miri knows of memory it keeps until its end, and is slower for it.
struct Module {
    share: &'static Share,
    tests: Vec<String>,
}

/// Miri interprets threads one at a time.
const PROCESSES: usize = 2;

/// Interprets every share.
pub(crate) fn check() -> Outcome<()> {
    targets::add_toolchain(TOOLCHAIN, &["miri", "rust-src"])?;
    let begin = Instant::now();
    let mut modules = Vec::new();
    for share in &SHARES {
        modules.extend(modules_of(share)?);
    }
    let left = Mutex::new(modules.into_iter());
    let next = || left.lock().ok()?.next();
    let work = || {
        let mut counts = (0, 0);
        while let Some(module) = next() {
            let (passed, ignored) = interpret(&module).map_err(|error| error.to_string())?;
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

/// Miri for the tests of `share`.
fn miri(share: &Share) -> Outcome<Command> {
    let mut cargo = targets::cargo_of(TOOLCHAIN);
    cargo.args(["miri", "test", "--quiet", "--locked", "--lib"]).args(share.package);
    cargo.arg("--target-dir").arg(targets::folder()?.join("miri")).env("MIRIFLAGS", FLAGS);
    Ok(cargo)
}

/// The modules that have tests of `share`.
fn modules_of(share: &'static Share) -> Outcome<Vec<Module>> {
    let mut cargo = miri(share)?;
    cargo.args(["--", "--list", share.word]);
    let listed = output(cargo)?;
    let mut modules: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    for test in listed.lines().filter_map(|line| line.strip_suffix(": test")) {
        let (module, _) = test.rsplit_once("::").unwrap_or_default();
        modules.entry(module).or_default().push(test.to_owned());
    }
    if modules.is_empty() {
        return Err(format!("{}: there are no tests", share.package.concat()).into());
    }
    Ok(modules.into_values().map(|tests| Module { share, tests }).collect())
}

/// Runs the tests of a module and shows what they say; how many passed, and how many Miri cannot run.
fn interpret(module: &Module) -> Outcome<(usize, usize)> {
    let mut cargo = miri(module.share)?;
    cargo.args(["--", "--format=pretty", "--exact"]).args(&module.tests);
    let (passed, ignored) = outcomes(cargo)?;
    if passed + ignored != module.tests.len() {
        return Err(format!("{:?}: {passed} passed, {ignored} ignored", module.tests).into());
    }
    Ok((passed, ignored))
}

/// How many tests passed, and how many were ignored.
fn outcomes(mut cargo: Command) -> Outcome<(usize, usize)> {
    let mut child = cargo.stdout(Stdio::piped()).spawn()?;
    let (mut passed, mut ignored) = (0, 0);
    for line in BufReader::new(child.stdout.take().expect("it is piped")).lines() {
        let line = line?;
        println!("{line}");
        let Some((_, outcome)) = line.strip_prefix("test ").and_then(|line| line.split_once(" ... ")) else {
            continue;
        };
        match outcome {
            "ok" => passed += 1,
            outcome if outcome.starts_with("ignored") => ignored += 1,
            _ => {}
        }
    }
    let status = child.wait()?;
    if status.success() { Ok((passed, ignored)) } else { Err(format!("Miri: {status}").into()) }
}
