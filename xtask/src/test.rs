//! `cargo xtask test`: everything that must hold, in stages; the first that fails ends it.

use std::process::Command;
use std::time::Instant;

use crate::run::{Outcome, command, run};
use crate::{
    capi, deb, fastboot, fuzz, header, hostile, layers, load, miri, objects, oldest, oracles, packages,
    panics, purgatory, purgatory_run, targets, vmcore,
};

const FREESTANDING: &str = "x86_64-unknown-none";
const BIG_ENDIAN: &str = "s390x-unknown-linux-gnu";
/// The crates that need no operating system.
const LIBRARIES: &[&str] = &["vmcore-format", "purgatory", "kexec-core", "page-filter"];

/// What a stage has to say at the end of everything, if anything.
type Stage = fn() -> Outcome<String>;

const STAGES: &[(&str, Stage)] = &[
    ("packages and toolchain", || prepare().map(nothing)),
    ("format", || format().map(nothing)),
    ("layers", || layers::check().map(nothing)),
    ("clippy", || clippy().map(nothing)),
    ("the oldest compiler", || oldest::check().map(nothing)),
    ("unit tests", || unit_tests().map(nothing)),
    ("the hostile corpus", || hostile::run_all().map(nothing)),
    ("libraries without an operating system", || freestanding().map(nothing)),
    ("unit tests on a big-endian machine", || big_endian().map(nothing)),
    ("the purgatory's object", || purgatory::run_task(false).map(nothing)),
    ("the purgatory under QEMU", || purgatory_run::run_all().map(nothing)),
    ("objects linked as ld links them", || objects::compare_all().map(nothing)),
    ("fuzz targets, ten seconds each", || fuzz::run_task(&["--smoke"]).map(nothing)),
    ("real vmcores", || vmcore::make(&[]).map(nothing)),
    ("crash kernels loaded by kcap", || load::run_all(false).map(nothing)),
    ("an ordinary kernel started by kcap", || fastboot::run().map(nothing)),
    ("the C header", || header::make(false).map(nothing)),
    ("C programs over the library", || capi::check(&[]).map(nothing)),
    ("panics that C could reach", panics::check),
    ("unsafe code under Miri", || miri::check(false).map(nothing)),
    ("Debian packages", || deb::build().map(nothing)),
    ("oracles", || oracles::run(&[])),
];

/// Runs every stage.
pub(crate) fn run_all() -> Outcome<()> {
    let start = Instant::now();
    let mut times = Vec::new();
    let mut last_words = String::new();
    for (name, stage) in STAGES {
        println!("\n==== {name}");
        let stage_start = Instant::now();
        let result = stage();
        times.push(format!("{:5} s  {name}", stage_start.elapsed().as_secs()));
        match result {
            Ok(text) => last_words = text,
            Err(error) => {
                println!("\n==== failed: {name}\n{}\n{error}", times.join("\n"));
                return Err(error);
            }
        }
    }
    println!("\n==== all of it: {} s\n{}", start.elapsed().as_secs(), times.join("\n"));
    println!("{last_words}");
    Ok(())
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

fn big_endian() -> Outcome<()> {
    let mut tests = of_libraries("test", BIG_ENDIAN);
    tests.args(["--lib", "--tests"]);
    tests.env("CARGO_TARGET_S390X_UNKNOWN_LINUX_GNU_LINKER", "s390x-linux-gnu-gcc");
    tests.env("CARGO_TARGET_S390X_UNKNOWN_LINUX_GNU_RUNNER", "qemu-s390x-static -L /usr/s390x-linux-gnu");
    run(tests)
}
