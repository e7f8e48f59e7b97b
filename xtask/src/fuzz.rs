//! `cargo xtask fuzz`: the targets of `fuzz/` under libFuzzer, each for some minutes, and what came of it.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use crate::run::{Outcome, command, output, run};
use crate::{packages, targets};

/// libFuzzer comes with the compiler; cargo-fuzz builds with it.
const TOOLCHAIN: &str = "nightly";
const CARGO_FUZZ: &str = "0.13.2";
const TRIPLE: &str = "x86_64-unknown-linux-gnu";

/// An input that takes longer, or makes a target take more memory, is a finding.
const SECONDS_PER_INPUT: &str = "-timeout=10";
const MEMORY: [&str; 2] = ["-rss_limit_mb=512", "-malloc_limit_mb=256"];

const USAGE: &str = "cargo xtask fuzz [--smoke] [--minutes N] [--jobs J] [TARGET..]";

/// What is asked for.
struct Asked {
    seconds: u64,
    jobs: usize,
    names: Vec<String>,
}

impl Asked {
    fn read(words: &[&str]) -> Outcome<Self> {
        let mut asked = Self { seconds: 600, jobs: 2, names: Vec::new() };
        let mut words = words.iter();
        while let Some(word) = words.next() {
            let mut number = || -> Outcome<u64> {
                let number: u64 = words.next().and_then(|word| word.parse().ok()).ok_or(USAGE)?;
                if number == 0 { Err(USAGE.into()) } else { Ok(number) }
            };
            match *word {
                "--smoke" => asked.seconds = 10,
                "--minutes" => asked.seconds = 60 * number()?,
                "--jobs" => asked.jobs = usize::try_from(number()?)?,
                name if name.starts_with('-') => return Err(USAGE.into()),
                name => asked.names.push(name.to_owned()),
            }
        }
        Ok(asked)
    }
}

/// A target, its longest input in bytes, and its program.
struct Target {
    name: String,
    max_len: String,
    program: PathBuf,
}

/// A target that runs.
struct Running {
    target: Target,
    start: Instant,
    child: Child,
    log: PathBuf,
}

/// A line of the table.
struct Ended {
    name: String,
    executions: String,
    per_second: String,
    coverage: String,
    corpus: String,
    /// The inputs that were findings, or why there is no such file.
    findings: Vec<String>,
}

/// Runs the targets that are named, or all of them.
pub(crate) fn run_task(words: &[&str]) -> Outcome<()> {
    let asked = Asked::read(words)?;
    prepare()?;
    let targets = build(&asked.names)?;
    println!("{} targets, {} s each, {} at a time", targets.len(), asked.seconds, asked.jobs);
    let ended = run_all(targets, &asked)?;
    print_table(&ended);
    let findings: Vec<String> = ended.iter().flat_map(|ended| ended.findings.iter().cloned()).collect();
    if findings.is_empty() {
        return Ok(());
    }
    Err(format!(
        "findings:\n{}\nAgain: {}/TARGET FILE. As a test: copy FILE to fuzz/regressions/TARGET/, cargo test -p kcapture-fuzz-targets",
        findings.join("\n"),
        programs()?.display()
    )
    .into())
}

fn folder() -> PathBuf {
    targets::workspace().join("fuzz")
}

/// Where cargo-fuzz puts what it builds: apart from what other toolchains build.
fn programs() -> Outcome<PathBuf> {
    Ok(targets::folder()?.join("fuzz").join(TRIPLE).join("release"))
}

fn cargo_fuzz() -> Command {
    command(&["rustup", "run", TOOLCHAIN, "cargo", "fuzz"])
}

/// Installs the toolchain and cargo-fuzz where they are missing.
fn prepare() -> Outcome<()> {
    packages::install(packages::FUZZ)?;
    let toolchains = output(command(&["rustup", "toolchain", "list"]))?;
    if !toolchains.lines().any(|line| line.starts_with(TOOLCHAIN)) {
        println!("installing the toolchain {TOOLCHAIN}");
        run(command(&["rustup", "toolchain", "install", TOOLCHAIN, "--profile", "minimal"])).map_err(|error| {
            format!("{error}\nfuzzing needs a nightly compiler, which cannot be installed here: rustup toolchain install {TOOLCHAIN}")
        })?;
    }
    let version = cargo_fuzz().arg("--version").stderr(Stdio::null()).output();
    if version.is_ok_and(|version| version.status.success()) {
        return Ok(());
    }
    println!("installing cargo-fuzz {CARGO_FUZZ}");
    let mut install = command(&[targets::cargo()]);
    install.args(["install", "--quiet", "--locked", "cargo-fuzz", "--version", CARGO_FUZZ]);
    run(install).map_err(|error| {
        format!("{error}\nfuzzing needs cargo-fuzz, which cannot be installed here: cargo install --locked cargo-fuzz --version {CARGO_FUZZ}").into()
    })
}

/// Builds the programs and the inputs to start from.
fn build(names: &[String]) -> Outcome<Vec<Target>> {
    let mut build = cargo_fuzz();
    // Some crates check no sums where they are built with `cfg(fuzzing)`.
    build
        .args(["build", "--no-cfg-fuzzing", "--fuzz-dir"])
        .arg(folder())
        .arg("--target-dir")
        .arg(targets::folder()?.join("fuzz"));
    run(build.current_dir(folder()))?;
    let mut seeds = command(&[targets::cargo()]);
    seeds.args(["run", "--quiet", "--package", "kcapture-fuzz-targets", "--bin", "fuzz-seeds"]);
    seeds.arg(folder().join("corpus")).args(names).current_dir(targets::workspace());
    let listed = output(seeds)?;
    let programs = programs()?;
    let targets: Vec<Target> = listed
        .lines()
        .filter_map(|line| line.split_once(' '))
        .map(|(name, max_len)| Target {
            name: name.to_owned(),
            max_len: max_len.to_owned(),
            program: programs.join(name),
        })
        .collect();
    match names.iter().find(|name| !targets.iter().any(|target| target.name == **name)) {
        Some(name) => Err(format!("no target {name}").into()),
        None => Ok(targets),
    }
}

fn run_all(targets: Vec<Target>, asked: &Asked) -> Outcome<Vec<Ended>> {
    let mut waiting = targets.into_iter();
    let mut running: Vec<Running> = Vec::new();
    let mut ended = Vec::new();
    loop {
        while running.len() < asked.jobs
            && let Some(target) = waiting.next()
        {
            running.push(start(target, asked.seconds)?);
        }
        if running.is_empty() {
            return Ok(ended);
        }
        let mut still = Vec::new();
        for mut one in running {
            match one.child.try_wait()? {
                Some(status) => ended.push(end(one, status.success())?),
                None => still.push(one),
            }
        }
        running = still;
        thread::sleep(Duration::from_millis(100));
    }
}

fn start(target: Target, seconds: u64) -> Outcome<Running> {
    let (corpus, artifacts) = (folder().join("corpus").join(&target.name), artifacts(&target.name));
    fs::create_dir_all(&corpus)?;
    fs::create_dir_all(&artifacts)?;
    let log = programs()?.join(format!("{}.log", target.name));
    // The kernel counts what the starter's memory once peaked at as the started one's own (ru_maxrss goes through execve), and
    // libFuzzer holds that against its limit: so a shell starts it, which is small, and not this task, which is not.
    let mut program = command(&["sh", "-c", r#""$@"; exit $?"#, "sh"]);
    program.arg(&target.program).args([SECONDS_PER_INPUT, "-print_final_stats=1", "-use_value_profile=0"]);
    program.args(MEMORY);
    program.arg(format!("-max_total_time={seconds}")).arg(format!("-max_len={}", target.max_len));
    program.arg(format!("-artifact_prefix={}/", artifacts.display())).arg(&corpus);
    // Memory that was freed is kept back, to find uses of it: no more than fits beside the limit.
    program.env("ASAN_OPTIONS", "detect_odr_violation=0:detect_leaks=0:quarantine_size_mb=16");
    program.stdout(Stdio::null()).stderr(fs::File::create(&log)?);
    println!("{}: {}", target.name, log.display());
    Ok(Running { child: program.spawn()?, start: Instant::now(), target, log })
}

fn artifacts(name: &str) -> PathBuf {
    folder().join("artifacts").join(name)
}

fn end(running: Running, good: bool) -> Outcome<Ended> {
    let name = running.target.name;
    let log = fs::read(&running.log)?;
    let log = String::from_utf8_lossy(&log);
    let mut findings = Vec::new();
    if !good {
        findings = written_to(&log);
        if findings.is_empty() {
            findings.push(running.log.display().to_string());
        }
        let (artifacts, name) = (artifacts(&name), &name);
        findings =
            findings.iter().map(|file| format!("  {name} {}", artifacts.join(file).display())).collect();
        println!("{name}: a finding, see {}", running.log.display());
    }
    let after = |key: &str| -> String {
        let last = log.lines().rev().find_map(|line| line.split_once(key).map(|(_, rest)| rest));
        last.and_then(|rest| rest.split_whitespace().next()).unwrap_or("-").to_owned()
    };
    let executions = after("stat::number_of_executed_units:");
    let seconds = running.start.elapsed().as_secs().max(1);
    Ok(Ended {
        per_second: executions.parse::<u64>().map_or("-".into(), |count| (count / seconds).to_string()),
        executions,
        coverage: format!("{}/{}", after(" cov: "), after(" ft: ")),
        corpus: after(" corp: "),
        findings,
        name,
    })
}

/// The files that libFuzzer says it wrote inputs to.
fn written_to(log: &str) -> Vec<String> {
    let lines = log.lines().filter_map(|line| line.split_once("Test unit written to "));
    let files = lines.map(|(_, file)| Path::new(file.trim()));
    files.filter_map(|file| Some(file.file_name()?.to_string_lossy().into_owned())).collect()
}

fn print_table(ended: &[Ended]) {
    let line = |cells: [&str; 6]| {
        let [name, executions, per_second, coverage, corpus, findings] = cells;
        println!("{name:12} {executions:>12} {per_second:>8} {coverage:>14} {corpus:>16} {findings:>8}");
    };
    line(["target", "executions", "exec/s", "cov/ft", "corpus", "findings"]);
    for ended in ended {
        let findings = ended.findings.len().to_string();
        line([&ended.name, &ended.executions, &ended.per_second, &ended.coverage, &ended.corpus, &findings]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_read_or_refused() {
        let asked = Asked::read(&["--minutes", "3", "--jobs", "4", "printk"]).expect("sound words");
        assert_eq!((asked.seconds, asked.jobs, asked.names), (180, 4, vec!["printk".to_owned()]));
        assert_eq!(Asked::read(&["--smoke"]).expect("sound words").seconds, 10);
        for words in [&["--minutes"][..], &["--jobs", "0"], &["--minutes", "x"], &["--fast"]] {
            assert!(Asked::read(words).is_err(), "{words:?}");
        }
    }

    #[test]
    fn the_files_of_findings_are_found() {
        let log = "==1== ERROR\nartifact_prefix='/a/'; Test unit written to /a/crash-12ab\nBase64: AA==\n";
        assert_eq!(written_to(log), ["crash-12ab"]);
    }
}
