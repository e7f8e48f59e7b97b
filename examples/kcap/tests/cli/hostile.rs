//! The hostile corpus, given to the program itself within limits of memory and time.
//!
//! Each run ends by itself, with an exit code of the manual, and leaves no output that looks whole and is not. As an ordinary
//! test every third case meets one command; `cargo xtask hostile` sets the variable that has each case meet a third of them.

use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;
use std::process::{Command, Output};
use std::sync::Mutex;
use std::sync::mpsc::sync_channel;

use serde_json::Value;
use testkit::{Expect, HostileDump, hostile_dumps};

use crate::machine::{Folder, stderr};

/// Address space, in KiB: 256 MiB.
const SPACE: u32 = 1 << 18;
/// Processor and wall-clock time of one run, in seconds.
const SECONDS: u32 = 10;
/// Storage that an output may take, in bytes: what the bitmap of 1 TiB and a piece taken ahead need.
const STORAGE: u64 = 128 << 20;
/// Page frames of the machine that the split sets are of.
const MACHINE_PAGES: usize = 143;
/// Of so many cases one is taken, where not all are.
const EVERY: usize = 3;
/// Every case, and every command for one of three in a row.
const ALL: &str = "KCAPTURE_HOSTILE_ALL";

/// What is done with a case; `@in` are its files, `@out` is an output that is not there yet.
const COMMANDS: [&str; 12] = [
    "info @in",
    "pages @in",
    "dump -d 31 -c @in @out",
    "dmesg @in",
    "dump -d 0 --raw @in @out",
    "info --json @in",
    "dump -E -d 31 --num-threads 2 @in @out",
    "read @in --paddr 0x200000 --len 0x80000",
    "dump -F -d 1 -l @in",
    "dump -d 31 -z --num-threads 2 --memory 200K @in @out",
    "merge @out @parts",
    "dump --split -p @in @out @out2",
];

/// Runs a command over a case, in a folder of its own.
fn run(folder: &Folder, inputs: &[PathBuf], line: &str) -> Output {
    let mut words = Vec::new();
    for word in line.split_whitespace() {
        match word {
            // A split set is one file and its further parts.
            "@in" => {
                words.push(inputs[0].clone().into_os_string());
                for further in &inputs[1..] {
                    words.push("--input".into());
                    words.push(further.clone().into_os_string());
                }
            }
            "@parts" => words.extend(inputs.iter().map(|path| path.clone().into_os_string())),
            "@out" | "@out2" => words.push(folder.path(&word[1..]).into_os_string()),
            other => words.push(other.into()),
        }
    }
    let limits = format!("ulimit -v {SPACE}; ulimit -t {SECONDS}; exec timeout -s KILL {SECONDS} \"$@\"");
    let mut shell = Command::new("sh");
    shell.args(["-c", &limits, "sh", env!("CARGO_BIN_EXE_kcap")]).args(words).output().unwrap()
}

/// What is wrong with how a run ended, if anything.
fn judge(folder: &Folder, case: &HostileDump, line: &str, output: &Output) -> Result<(), String> {
    let said = stderr(output);
    let Some(code) = output.status.code() else { return Err(format!("ended by {}", output.status)) };
    if said.contains("panicked") || !matches!(code, 0 | 1 | 3 | 4) {
        return Err(format!("exit code {code}: {said}"));
    }
    if code != 0 && said.trim().is_empty() {
        return Err(format!("exit code {code}, and not a word"));
    }
    let merge = line.starts_with("merge");
    match &case.expect {
        Expect::Refused(_) if code != 1 && !merge => return Err(format!("taken, with exit code {code}")),
        Expect::Refused(fields) if !merge && !fields.is_empty() => {
            let named = fields.iter().any(|field| said.contains(field));
            let other =
                ["not a dump", "table of page frames", "the kernel log", "damaged or missing in the file"];
            if !named && !other.iter().any(|words| said.contains(words)) {
                return Err(format!("refused for another reason: {said}"));
            }
        }
        Expect::Gaps(pages) if !merge => {
            // `read` and `dmesg` may have no need of what is lost.
            if code == 1 && line.starts_with("dump") {
                return Err(format!("not dumped: {said}"));
            }
            if code == 0 && line.starts_with("dump") && pages.len() < MACHINE_PAGES {
                return Err("pages are lost, and the exit code does not say so".to_owned());
            }
            if code != 1 && !said.contains("missing part") {
                return Err(format!("not a word of the missing part: {said}"));
            }
        }
        Expect::Pages(_) if (line.starts_with("info") || line.starts_with("pages")) && code != 0 => {
            return Err(format!("exit code {code}: {said}"));
        }
        Expect::Pages(_) if line.starts_with("dump") && code == 1 && !said.contains("max_mapnr") => {
            return Err(format!("not dumped: {said}"));
        }
        _ => {}
    }
    if case.parts.len() == 1 && !line.contains("--split") {
        judge_output(folder, line, code)?;
    }
    Ok(())
}

/// What is left of a run that ended with `code`: nothing, or a dump that says what it lacks.
fn judge_output(folder: &Folder, line: &str, code: i32) -> Result<(), String> {
    let path = folder.path("out");
    let Ok(metadata) = std::fs::metadata(&path) else { return Ok(()) };
    if metadata.blocks() * 512 > STORAGE {
        return Err(format!("{} bytes of storage are taken", metadata.blocks() * 512));
    }
    if code == 1 {
        return Err("an output is left of a run that failed".to_owned());
    }
    let output = run(folder, core::slice::from_ref(&path), "info --json @in");
    if output.status.code() != Some(0) {
        // A stream may be cut off before its bitmaps are whole.
        let cut = code == 3 && line.starts_with("merge");
        return if cut { Ok(()) } else { Err(format!("the output does not open: {}", stderr(&output))) };
    }
    let info: Value = serde_json::from_slice(&output.stdout).map_err(|error| error.to_string())?;
    match (code, info["input"]["incomplete"].as_bool()) {
        // ELF cores of some machines have no room for the mark.
        (3, Some(false)) if info["input"]["format"] == "kdump" => Err("it looks whole".to_owned()),
        _ => Ok(()),
    }
}

/// Gives a case to some of the commands.
fn check(case: &HostileDump, commands: &[&str], failed: &Mutex<Vec<String>>) {
    let folder = Folder::new();
    let write = |(part, bytes): (usize, &Vec<u8>)| folder.write(&format!("in{part}"), bytes);
    let inputs: Vec<PathBuf> = case.parts.iter().enumerate().map(write).collect();
    for line in commands {
        let output = run(&folder, &inputs, line);
        if let Err(wrong) = judge(&folder, case, line, &output) {
            let wrong = format!("{} | {line}: {wrong}", case.name);
            // Seen at once where the test's output is.
            eprintln!("{wrong}");
            failed.lock().unwrap().push(wrong);
        }
        for out in ["out", "out2"] {
            let _ = std::fs::remove_file(folder.path(out));
        }
    }
}

/// The commands that a case meets: as an ordinary test every `EVERY`th case meets one, else each case meets a third of them, and
/// three cases in a row all of them.
fn commands_of(number: usize, all: bool) -> Vec<&'static str> {
    if all {
        COMMANDS.into_iter().skip(number % EVERY).step_by(EVERY).collect()
    } else if number.is_multiple_of(EVERY) {
        vec![COMMANDS[number / EVERY % COMMANDS.len()]]
    } else {
        Vec::new()
    }
}

#[test]
fn the_corpus_is_met_within_limits() {
    let all = std::env::var_os(ALL).is_some();
    let failed = Mutex::new(Vec::new());
    let mut count = 0;
    let (give, take) = sync_channel::<(usize, HostileDump)>(4);
    let take = Mutex::new(take);
    std::thread::scope(|scope| {
        for _ in 0..std::thread::available_parallelism().map_or(1, usize::from) {
            scope.spawn(|| {
                loop {
                    // The lock is free again before the case is met.
                    let next = take.lock().unwrap().recv();
                    let Ok((number, case)) = next else { break };
                    check(&case, &commands_of(number, all), &failed);
                }
            });
        }
        hostile_dumps(&mut |case| {
            if all || count % EVERY == 0 {
                give.send((count, case)).unwrap();
            }
            count += 1;
        });
        drop(give);
    });
    assert!(count > 1500, "{count}");
    let failed = failed.into_inner().unwrap();
    assert!(failed.is_empty(), "{}:\n{}", failed.len(), failed.join("\n"));
}

/// Kernels and memory maps that no machine has.
fn hostile_plans() -> Vec<(String, Vec<u8>, Vec<u8>)> {
    use crate::plan::{IOMEM, bzimage};
    let (kernel, iomem) = (bzimage(), IOMEM.as_bytes());
    let mut all = Vec::new();
    for at in (0x1f0..0x26c).step_by(4) {
        for value in [0, 1, 0x8000_0000, 0xffff_ffff_u32] {
            let mut damaged = kernel.clone();
            damaged[at..at + 4].copy_from_slice(&value.to_le_bytes());
            all.push((format!("bzImage {at:#x} {value:#x}"), damaged, iomem.to_vec()));
        }
    }
    for len in [0, 1, 0x1f1, 0x202, 0x264, 0x3ff, 0x400, 0x1000] {
        all.push((format!("bzImage cut to {len} bytes"), kernel[..len].to_vec(), iomem.to_vec()));
    }
    for (what, text) in [
        ("nothing", String::new()),
        ("all of it", "0-ffffffffffffffff : System RAM\n".to_owned()),
        ("backwards", "ffffffff-0 : System RAM\n".to_owned()),
        ("again and again", "00001000-0fffffff : System RAM\n".repeat(50_000)),
        (
            "in pieces",
            (0..50_000_u64)
                .map(|i| format!("{:x}-{:x} : System RAM\n", i << 13, (i << 13) + 0xfff))
                .collect(),
        ),
        ("one long line", "0".repeat(1 << 20)),
        ("numbers too long", format!("{}-{} : System RAM\n", "f".repeat(100), "f".repeat(200))),
        (
            "a crash kernel everywhere",
            "00000000-ffffffffff : System RAM\n  00000000-ffffffffff : Crash kernel\n".to_owned(),
        ),
        (
            "nested",
            (0..20_000)
                .map(|i| format!("{}00000000-{:x} : System RAM\n", " ".repeat(i % 400), u32::MAX))
                .collect(),
        ),
    ] {
        all.push((format!("iomem: {what}"), kernel.clone(), text.into_bytes()));
    }
    all.push(("iomem: no text".to_owned(), kernel, (0..100_000_u32).map(|i| (i * 7) as u8).collect()));
    all
}

#[test]
fn hostile_kernels_and_maps_are_planned_or_refused_within_limits() {
    let mut failed = Vec::new();
    let mut planned = 0;
    for (number, (name, kernel, iomem)) in hostile_plans().into_iter().enumerate() {
        let folder = Folder::new();
        folder.write("in", &kernel);
        folder.write("iomem", &iomem);
        let line = if number.is_multiple_of(2) {
            "plan -p --iomem @iomem @in"
        } else {
            "plan --json --iomem @iomem @in"
        };
        let line = line.replace("@iomem", &folder.path("iomem").display().to_string());
        let output = run(&folder, &[folder.path("in")], &line);
        let said = stderr(&output);
        planned += usize::from(output.status.code() == Some(0));
        let refused = output.status.code() == Some(1) && !said.trim().is_empty();
        if said.contains("panicked") || !(refused || output.status.code() == Some(0)) {
            failed.push(format!("{name}: {}: {said}", output.status));
        }
    }
    assert!(failed.is_empty(), "{}:\n{}", failed.len(), failed.join("\n"));
    assert!(planned > 20, "{planned}");
}
