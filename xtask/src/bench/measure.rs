//! What a program costs: CPU time, wall time, memory, and the size of what it writes.

use std::fs::{self, File};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use nix::sys::resource::{UsageWho, getrusage};

use crate::run::{Outcome, command, output};

/// A program and its words; `OUT` among them is the file it writes, or its standard output goes there.
#[derive(Debug, Clone)]
pub(super) struct Program {
    pub(super) path: String,
    pub(super) words: Vec<String>,
    pub(super) to_stdout: bool,
}

/// One run.
#[derive(Debug, Clone, Copy)]
pub(super) struct Run {
    pub(super) cpu: Duration,
    pub(super) wall: Duration,
}

/// The medians of many runs, and what does not change between them.
#[derive(Debug, Clone, Copy)]
pub(super) struct Cost {
    pub(super) cpu: Duration,
    pub(super) wall: Duration,
    /// The most memory that the program had at once, in bytes.
    pub(super) peak: u64,
    /// The size of its output, in bytes.
    pub(super) size: u64,
}

/// The CPU time of all children that have ended.
fn children() -> Outcome<Duration> {
    let usage = getrusage(UsageWho::RUSAGE_CHILDREN)?;
    let micros = |time: nix::sys::time::TimeVal| {
        u64::try_from(time.tv_sec() * 1_000_000 + time.tv_usec()).unwrap_or(0)
    };
    Ok(Duration::from_micros(micros(usage.user_time()) + micros(usage.system_time())))
}

impl Program {
    fn command(&self, out: &Path, before: &[String]) -> Outcome<Command> {
        let mut words: Vec<String> = before.to_vec();
        words.push(self.path.clone());
        words.extend(self.words.iter().map(|word| match word.as_str() {
            "OUT" => out.display().to_string(),
            _ => word.clone(),
        }));
        let mut command = command(&words);
        command.stdout(if self.to_stdout { File::create(out)?.into() } else { Stdio::null() });
        command.stderr(Stdio::null());
        Ok(command)
    }

    /// Runs once; the output is new every time.
    pub(super) fn run(&self, out: &Path) -> Outcome<Run> {
        if out.exists() {
            fs::remove_file(out)?;
        }
        let mut command = self.command(out, &[])?;
        let (start, cpu) = (Instant::now(), children()?);
        let status = command.status()?;
        let run = Run { wall: start.elapsed(), cpu: children()? - cpu };
        if status.success() { Ok(run) } else { Err(format!("{command:?}: {status}").into()) }
    }

    /// The most memory that a run has at once, in bytes, by GNU time.
    pub(super) fn peak(&self, out: &Path) -> Outcome<u64> {
        if out.exists() {
            fs::remove_file(out)?;
        }
        let report = out.with_extension("time");
        let before = ["time".to_owned(), "-f%M".to_owned(), "-o".to_owned(), report.display().to_string()];
        self.command(out, &before)?.status()?;
        let text = fs::read_to_string(&report)?;
        Ok(text.lines().last().unwrap_or_default().trim().parse::<u64>()? << 10)
    }
}

/// The median cost of each program, run in turns, so that what else the machine does meets all of them alike.
pub(super) fn interleaved(programs: &[&Program], rounds: usize, out: &Path) -> Outcome<Vec<Cost>> {
    let mut runs = vec![Vec::new(); programs.len()];
    let mut costs = Vec::new();
    for program in programs {
        let peak = program.peak(out)?;
        let size = fs::metadata(out)?.len();
        costs.push(Cost { cpu: Duration::ZERO, wall: Duration::ZERO, peak, size });
    }
    for round in 0..rounds {
        // Who goes first changes: the first writes into a page cache that the second has to share.
        for at in 0..programs.len() {
            let at = (at + round) % programs.len();
            runs[at].push(programs[at].run(out)?);
        }
    }
    for (cost, runs) in costs.iter_mut().zip(&runs) {
        cost.cpu = median(runs.iter().map(|run| run.cpu));
        cost.wall = median(runs.iter().map(|run| run.wall));
    }
    fs::remove_file(out)?;
    Ok(costs)
}

fn median(values: impl Iterator<Item = Duration>) -> Duration {
    let mut values: Vec<Duration> = values.collect();
    values.sort();
    values.get(values.len() / 2).copied().unwrap_or_default()
}

/// What this machine is, for whoever reads the figures.
pub(super) fn machine() -> Outcome<String> {
    let text = fs::read_to_string("/proc/cpuinfo")?;
    let model = text.lines().find_map(|line| line.strip_prefix("model name")).unwrap_or(":  unknown CPU");
    let model = model.split_once(':').map_or(model, |(_, model)| model).trim().to_owned();
    let cpus = text.lines().filter(|line| line.starts_with("processor")).count();
    let memory = fs::read_to_string("/proc/meminfo")?;
    let kib = memory.split_whitespace().nth(1).and_then(|kib| kib.parse::<u64>().ok()).unwrap_or(0);
    let kernel = output(command(&["uname", "-sr"]))?;
    let gib = kib >> 20;
    Ok(format!("{cpus} CPUs ({model}), {gib} GiB, {}", kernel.trim()))
}
