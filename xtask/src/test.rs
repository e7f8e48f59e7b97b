//! `cargo xtask test`: everything that must hold, in stages; the first that fails ends it. Guests and oracles run beside what is built.

use std::process::Command;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Instant;

use crate::run::{Outcome, command, run};
use crate::{
    capi, deb, fastboot, fuzz, header, layers, load, objects, oldest, oracles, packages, panics, preflight,
    purgatory, purgatory_run, targets, vmcore,
};

const FREESTANDING: &str = "x86_64-unknown-none";
const BIG_ENDIAN: &str = "s390x-unknown-linux-gnu";
/// The crates that need no operating system.
const LIBRARIES: &[&str] = &["vmcore-format", "purgatory", "kexec-core", "page-filter"];

/// What a stage has to say at the end of everything, if anything.
type Stage = fn() -> Outcome<String>;

type Stages = &'static [(&'static str, Stage)];

const FIRST: Stages = &[
    ("packages and toolchain", || prepare().map(nothing)),
    ("format", || format().map(nothing)),
    ("layers", || layers::check().map(nothing)),
    ("clippy", || clippy().map(nothing)),
];

/// What takes one processor at a time for the most part: guests, and programs that judge dumps one after the other. The packages, so that
/// both lanes are of one length.
const MACHINES: Stages = &[
    ("crash kernels loaded by kcap", || load::run_all(false).map(nothing)),
    ("an ordinary kernel started by kcap", || fastboot::run().map(nothing)),
    ("real vmcores", || vmcore::make(&[]).map(nothing)),
    ("oracles", || oracles::run(&[])),
    ("what is in the way, on a Debian with systemd", || preflight::run_task().map(nothing)),
    ("Debian packages", || deb::build().map(nothing)),
];

/// What is built and run beside them.
const BUILT: Stages = &[
    ("unit tests", || unit_tests().map(nothing)),
    ("libraries without an operating system", || freestanding().map(nothing)),
    ("unit tests on a big-endian machine", || big_endian().map(nothing)),
    ("the oldest compiler", || oldest::check().map(nothing)),
    ("the purgatory's object", || purgatory::run_task(false).map(nothing)),
    ("the purgatory under QEMU", || purgatory_run::run_all().map(nothing)),
    ("objects linked as ld links them", || objects::compare_all().map(nothing)),
    ("the C header", || header::make(false).map(nothing)),
    ("C programs over the library", || capi::check(&[]).map(nothing)),
    ("panics that C could reach", panics::check),
    ("fuzz targets, ten seconds each", || fuzz::run_task(&["--smoke"]).map(nothing)),
];

/// Runs every stage.
pub(crate) fn run_all() -> Outcome<()> {
    let start = Instant::now();
    let done = Done::default();
    let result = done.run(FIRST).and_then(|()| {
        thread::scope(|scope| {
            let machines = scope.spawn(|| done.run(MACHINES).map_err(|error| error.to_string()));
            let built = done.run(BUILT);
            machines.join().map_err(|_| "the guests' thread panicked")??;
            built
        })
    });
    let Done { times, last_words, .. } = done;
    println!("\n{}", times.into_inner()?.join("\n"));
    result?;
    println!("==== all of it: {} s\n{}", start.elapsed().as_secs(), last_words.into_inner()?.join("\n"));
    Ok(())
}

/// What the stages so far took and said, and whether one has failed.
#[derive(Default)]
struct Done {
    times: Mutex<Vec<String>>,
    last_words: Mutex<Vec<String>>,
    failed: AtomicBool,
}

impl Done {
    /// Runs stages in turn; the first that fails, here or beside, is the last.
    fn run(&self, stages: Stages) -> Outcome<()> {
        for (name, stage) in stages {
            if self.failed.load(Ordering::Relaxed) {
                break;
            }
            println!("\n==== {name}");
            let start = Instant::now();
            let result = stage();
            let ended = if result.is_ok() { "" } else { ": failed" };
            let time = format!("{:5} s  {name}{ended}", start.elapsed().as_secs());
            self.times.lock().map_err(|error| error.to_string())?.push(time);
            let text = result.inspect_err(|error| {
                self.failed.store(true, Ordering::Relaxed);
                println!("\n==== failed: {name}\n{error}");
            })?;
            if !text.is_empty() {
                self.last_words.lock().map_err(|error| error.to_string())?.push(text);
            }
        }
        Ok(())
    }
}

fn nothing((): ()) -> String {
    String::new()
}

fn cargo(words: &[&str]) -> Command {
    let mut cargo = command(&[targets::cargo()]);
    cargo.args(words).current_dir(targets::workspace());
    cargo
}

fn prepare() -> Outcome<()> {
    packages::install(&packages::all())?;
    run(command(&["rustup", "--quiet", "component", "add", "rustfmt", "clippy"]))?;
    targets::add(FREESTANDING)?;
    targets::add(BIG_ENDIAN)
}

fn format() -> Outcome<()> {
    run(cargo(&["fmt", "--all", "--check"]))
}

/// The C ABI with what a host adds to it.
const HOSTED: [&str; 4] = ["--package", "kcapture-capi", "--features", "hosted"];

/// The artifacts, by manifest and by what they are built for.
const ARTIFACTS: &[&[&str]] = &[
    &["--manifest-path=capi/dist/Cargo.toml"],
    &["--manifest-path=capi/dist/Cargo.toml", "--no-default-features"],
    &["--manifest-path=purgatory/blob/Cargo.toml", "--target", FREESTANDING],
];

fn clippy() -> Outcome<()> {
    for crates in [&["--workspace"][..], &HOSTED] {
        let mut clippy = cargo(&["clippy", "--all-targets", "--quiet"]);
        run(clippy.args(crates).args(["--", "-D", "warnings"]))?;
    }
    // The crates that are no members of the workspace.
    for words in ARTIFACTS {
        let mut clippy = cargo(&["clippy", "--quiet", "--target-dir"]);
        clippy.arg(targets::folder()?.join("clippy")).args(*words);
        run(clippy.args(["--", "-D", "warnings"]))?;
    }
    Ok(())
}

fn unit_tests() -> Outcome<()> {
    run(cargo(&["test", "--workspace"]))?;
    run(cargo(&["test"]).args(HOSTED))
}

fn of_libraries(verb: &str, target: &str) -> Command {
    let mut cargo = cargo(&[verb, "--target", target]);
    for library in LIBRARIES {
        cargo.args(["--package", library]);
    }
    cargo
}

fn freestanding() -> Outcome<()> {
    run(&mut of_libraries("build", FREESTANDING))
}

/// Words of tests that take minutes where each instruction is translated, and say nothing of the order of bytes that the others,
/// above all the goldens, do not.
const SWEEPS: [&str; 20] = [
    "extreme",
    "any_changed_byte",
    "salvage",
    "injection",
    "corpus",
    "traps",
    "sections",
    "redact",
    "hostile",
    "large",
    "damaged",
    "filtered_again",
    "every_codec",
    "every_era",
    "every_layout",
    "are_lost",
    "far_from_each_other",
    "split_sets_are_read",
    "any_order",
    "whatever_the_memory",
];

fn big_endian() -> Outcome<()> {
    let mut tests = of_libraries("test", BIG_ENDIAN);
    tests.args(["--lib", "--tests", "--"]).args(SWEEPS.map(|word| format!("--skip={word}")));
    tests.env("CARGO_TARGET_S390X_UNKNOWN_LINUX_GNU_LINKER", "s390x-linux-gnu-gcc");
    tests.env("CARGO_TARGET_S390X_UNKNOWN_LINUX_GNU_RUNNER", "qemu-s390x-static -L /usr/s390x-linux-gnu");
    run(tests)
}
