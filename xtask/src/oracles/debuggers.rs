//! The programs that our dumps are for: crash, drgn, gdb, readelf, libkdumpfile.

use std::fs;
use std::path::{Path, PathBuf};

use super::Case;
use super::checks::{Checks, ensure, for_each_case, script};
use super::kcap::{Kcap, makedumpfile};
use crate::cache;
use crate::kernels::Kernel;
use crate::run::{Outcome, command, output, run};

const CRASH_COMMANDS: &str = "sys\nbt\nps\nkmem -i\nlog\nquit\n";

/// What crash 8.0.2 opens, each with the further parts. The first are asked of every machine.
const OPENED_BY_CRASH: [(&str, &[&str]); 11] = [
    ("lzo-31", &[]),
    ("elf", &[]),
    ("part-1", &["part-2", "part-3"]),
    ("shared-31", &[]),
    ("raw-31", &[]),
    ("zlib-31", &[]),
    ("snappy-31", &[]),
    ("zstd-31", &[]),
    ("flattened", &[]),
    ("from-level-1", &[]),
    ("shared-part-1", &["shared-part-2", "shared-part-3"]),
];
/// crash takes ten seconds a file.
const OF_EVERY_MACHINE: usize = 4;

pub(crate) fn check(checks: &Checks, _kcap: &Kcap, cases: &[Case]) -> Outcome<()> {
    let drgn = drgn()?;
    // Downloaded one after the other.
    for case in cases {
        if let Some(meta_package) = case.symbols_of {
            Kernel::of(meta_package)?.vmlinux()?;
        }
    }
    for_each_case(cases, |case| {
        if let Some(meta_package) = case.symbols_of {
            with_symbols(checks, case, meta_package, &drgn);
        }
        checks.check(&format!("{} elf: readelf", case.name), readelf(case));
        checks.check(&format!("{} elf: gdb", case.name), gdb(case));
        for form in [
            "raw-31",
            "zlib-31",
            "lzo-31",
            "snappy-31",
            "zstd-31",
            "elf",
            "shared-31",
            "shared-raw",
            "shared-1",
        ]
        .into_iter()
        .filter(|form| case.makes(form))
        {
            let finding = script("check_libkdumpfile.py", &[&case.file("vmcore"), &case.out(form)]);
            checks.check(&format!("{} {form}: libkdumpfile", case.name), finding);
        }
    });
    Ok(())
}

fn with_symbols(checks: &Checks, case: &Case, meta_package: &str, drgn: &Path) {
    let vmlinux = match Kernel::of(meta_package).and_then(|kernel| kernel.vmlinux()) {
        Ok(vmlinux) => vmlinux,
        Err(error) => return checks.check(&format!("{}: debug symbols", case.name), Err(error)),
    };
    if case.peer_is_right {
        crash(checks, case, &vmlinux);
        for form in ["lzo-31", "shared-31", "shared-1"].into_iter().filter(|form| case.makes(form)) {
            checks.check(
                &format!("{} {form}: every page by crash", case.name),
                crash_pages(case, form, &vmlinux),
            );
        }
    }
    for form in
        ["vmcore-itself", "lzo-31", "zstd-31", "elf", "shared-31"].into_iter().filter(|form| case.makes(form))
    {
        checks.check(&format!("{} {form}: drgn", case.name), drgn_lists(drgn, case, form, &vmlinux));
    }
    if case.first {
        checks.check(
            &format!("{}: a header patched in its place", case.name),
            tombstones(case, &vmlinux, drgn),
        );
    }
    for form in ["shared-31", "shared-1"].into_iter().filter(|form| case.makes(form)) {
        let dump = case.out(form);
        let arguments = [case.file("vmcore"), dump.clone()];
        let arguments = arguments.each_ref().map(String::as_str);
        let finding = run_in_drgn(drgn, &vmlinux, Path::new(&dump), "drgn_pages.py", &arguments);
        checks.check(&format!("{} {form}: every page by drgn", case.name), finding);
    }
}

/// Every form says the same to crash as makedumpfile's dump of the vmcore.
fn crash(checks: &Checks, case: &Case, vmlinux: &Path) {
    let peers = case.out("peers-for-crash");
    let expected = makedumpfile("-f -l -d 31", &[&case.file("vmcore"), &peers])
        .and_then(|()| crash_says(vmlinux, std::slice::from_ref(&peers), &case.out("crash-peers")));
    let expected = match expected {
        Ok(expected) => expected,
        Err(error) => {
            return checks.check(&format!("{}: crash opens makedumpfile's dump", case.name), Err(error));
        }
    };
    let forms = if case.first { OPENED_BY_CRASH.len() } else { OF_EVERY_MACHINE };
    for (form, further) in OPENED_BY_CRASH.into_iter().take(forms).filter(|(form, _)| case.makes(form)) {
        let mut files = vec![case.out(form)];
        files.extend(further.iter().map(|part| case.out(part)));
        let finding = crash_says(vmlinux, &files, &case.out(&format!("crash-{form}"))).and_then(|says| {
            let first = says.lines().zip(expected.lines()).find(|(ours, theirs)| ours != theirs);
            ensure(says == expected, || format!("other than of makedumpfile's dump, first: {first:?}"))?;
            Ok(format!("{} lines alike", says.lines().count()))
        });
        checks.check(&format!("{} {form}: crash", case.name), finding);
    }
}

/// Unused program headers, as a patch in place leaves them, change nothing for whoever opens a vmcore.
fn tombstones(case: &Case, vmlinux: &Path, drgn: &Path) -> Outcome<String> {
    let (vmcore, patched) = (case.file("vmcore"), case.out("tombstones"));
    let made = script("tombstones.py", &[&vmcore, &patched])?;
    let says = |file: &String| crash_says(vmlinux, std::slice::from_ref(file), &case.out("crash-tombstones"));
    ensure(says(&patched)? == says(&vmcore)?, || "crash says other than of the vmcore itself".to_owned())?;
    drgn_lists(drgn, case, "tombstones", vmlinux)?;
    script("check_libkdumpfile.py", &[&vmcore, &patched])?;
    fs::remove_file(patched)?;
    Ok(made)
}

/// Every page of a dump, as crash reads it.
fn crash_pages(case: &Case, form: &str, vmlinux: &Path) -> Outcome<String> {
    let (dump, folder) = (case.out(form), case.out(&format!("crash-pages-{form}")));
    fs::create_dir_all(&folder)?;
    let commands = script("crash_pages.py", &["commands", &dump, &folder])?;
    ask_crash(vmlinux, std::slice::from_ref(&dump), &commands, Path::new(&format!("{folder}.commands")))?;
    let finding = script("crash_pages.py", &["check", &case.file("vmcore"), &dump, &folder]);
    fs::remove_dir_all(&folder)?;
    finding
}

/// What crash prints for the commands, without what names the file.
fn crash_says(vmlinux: &Path, dump: &[String], log: &str) -> Outcome<String> {
    let says = ask_crash(vmlinux, dump, CRASH_COMMANDS, Path::new(&format!("{log}.commands")))?;
    fs::write(log, &says)?;
    ensure(says.contains("PANIC:") && says.contains("PID:") && says.contains("Linux version"), || {
        format!("crash answered not every command: {says}")
    })?;
    let names_the_file = |line: &&str| line.contains("DUMPFILE") || line.contains("[PARTIAL DUMP]");
    Ok(says.lines().filter(|line| !names_the_file(line)).map(|line| format!("{line}\n")).collect())
}

/// What crash answers; `file` is for the commands.
pub(crate) fn ask_crash(vmlinux: &Path, dump: &[String], commands: &str, file: &Path) -> Outcome<String> {
    fs::write(file, commands)?;
    let mut crash = command(&["crash", "-s", "--no_scroll"]);
    crash.arg(vmlinux).args(dump).arg("-i").arg(file).env("TERM", "dumb").env("PAGER", "cat");
    let output = crash.output()?;
    ensure(output.status.success(), || String::from_utf8_lossy(&output.stderr).into_owned())?;
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// drgn from `PyPI`, in a virtual environment of the cache.
fn drgn() -> Outcome<PathBuf> {
    let folder = cache::folder("tools")?.join("drgn");
    if !folder.join("bin/drgn").exists() {
        println!("installing drgn from PyPI");
        // An environment knows its own path: it cannot be renamed when whole, so an unfinished one is made again.
        run(command(&["/usr/bin/python3", "-m", "venv", "--clear"]).arg(&folder))?;
        run(command(&[folder.join("bin/pip")]).args(["--quiet", "install", "drgn"]))?;
    }
    Ok(folder.join("bin/drgn"))
}

/// What one of the scripts in `xtask/oracles` prints when drgn runs it on a dump.
pub(crate) fn ask_drgn(vmlinux: &Path, dump: &Path, script: &str, arguments: &[&str]) -> Outcome<String> {
    run_in_drgn(&drgn()?, vmlinux, dump, script, arguments)
}

fn run_in_drgn(
    drgn: &Path,
    vmlinux: &Path,
    dump: &Path,
    script: &str,
    arguments: &[&str],
) -> Outcome<String> {
    let script = crate::targets::workspace().join("xtask/oracles").join(script);
    let mut call = command(&[drgn]);
    call.args(["-q", "-c"]).arg(dump).arg("-s").arg(vmlinux).arg(script).args(arguments);
    // The scripts' folder is a clone's, not a cache.
    output(call.env("PYTHONDONTWRITEBYTECODE", "1"))
}

/// drgn lists the same tasks and the same log as of the vmcore itself.
fn drgn_lists(drgn: &Path, case: &Case, form: &str, vmlinux: &Path) -> Outcome<String> {
    let dump = if form == "vmcore-itself" { case.file("vmcore") } else { case.out(form) };
    let lists = run_in_drgn(drgn, vmlinux, Path::new(&dump), "list_tasks_and_log.py", &[])?;
    let kept = case.out("drgn-of-vmcore-itself");
    if form == "vmcore-itself" {
        fs::write(kept, &lists)?;
        let tasks = lists.lines().filter(|line| line.starts_with("task ")).count();
        ensure(tasks > 20 && lists.contains("Linux version"), || format!("{tasks} tasks: {lists}"))?;
        return Ok(format!("{tasks} tasks"));
    }
    let expected = fs::read_to_string(kept)?;
    ensure(lists == expected, || "other than of the vmcore itself".to_owned())?;
    Ok(format!("{} lines alike", lists.lines().count()))
}

/// readelf finds nothing to complain about, and the notes are the vmcore's.
fn readelf(case: &Case) -> Outcome<String> {
    let notes = |file: &str| -> Outcome<Vec<String>> {
        let output = command(&["readelf", "-hlnW", file]).output()?;
        let complaints = String::from_utf8_lossy(&output.stderr).into_owned();
        ensure(output.status.success() && complaints.is_empty(), || {
            format!("readelf complains: {complaints}")
        })?;
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        Ok(text.lines().skip_while(|line| !line.contains("Owner")).map(str::to_owned).collect())
    };
    let (ours, vmcores) = (notes(&case.out("elf"))?, notes(&case.file("vmcore"))?);
    ensure(ours.len() > 3 && ours == vmcores, || format!("notes {ours:?}, in the vmcore {vmcores:?}"))?;
    Ok(format!("{} lines of notes alike", ours.len()))
}

/// gdb reads memory by virtual address, and the registers of every CPU.
fn gdb(case: &Case) -> Outcome<String> {
    let places = script("virtual_addresses.py", &[&case.file("vmcore"), &case.level(31)])?;
    let says = |file: &str| -> Outcome<String> {
        let mut gdb = command(&["gdb", "-nx", "-batch", "-ex", "set confirm off", "-ex"]);
        gdb.arg(format!("target core {file}"));
        gdb.args(["-ex", "info threads", "-ex", "thread apply all info registers"]);
        for place in places.lines() {
            gdb.args(["-ex", &format!("x/8gx {place}")]);
        }
        let output = gdb.output()?;
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        ensure(output.status.success() && text.contains("rip"), || {
            format!("{text}{}", String::from_utf8_lossy(&output.stderr))
        })?;
        Ok(text)
    };
    let (ours, vmcores) = (says(&case.out("elf"))?, says(&case.file("vmcore"))?);
    ensure(ours == vmcores, || format!("gdb says: {ours}\nof the vmcore: {vmcores}"))?;
    Ok(format!("{} lines alike", ours.lines().count()))
}
