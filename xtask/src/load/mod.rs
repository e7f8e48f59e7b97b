//! `cargo xtask load [--full]`: real kernels load a crash kernel with our own program and purgatory, crash, and save
//! themselves. Without `--full` six machines in which every two factors meet, with it all 32.

pub(crate) mod cell;
mod damage;
mod guest_disks;
mod headers;

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Instant;

use crate::guest::Guest;
use crate::kernels::Kernel;
use crate::run::{Outcome, command, output, run};
use crate::{boot, oracles, packages, targets};
use cell::Cell;
use guest_disks::Prepared;

/// What a capture kernel is told.
pub(super) const CAPTURE: &str = "console=ttyS0 irqpoll nr_cpus=1 reset_devices panic=5";
/// Our line in the console once the purgatory has entered the capture kernel and kcap has saved.
pub(super) const SAVED: &str = "kcapture: kcap ended with 0";

/// The first kernel's part: compare headers, load, wait for a line, crash.
fn first_kernel(options: &str, images: &str) -> String {
    format!(
        "\
{compare}
/kcap load -p --serial ttyS0 {options} --json --initrd /capture.gz --append '{CAPTURE}' {images} > /tmp/plan || poweroff -f
echo 'kcapture: plan'; cat /tmp/plan; echo 'kcapture: end of plan'
/kcap status
rm -f /vmlinuz /capture.gz
echo 'kcapture: loaded'
read answer
echo c > /proc/sysrq-trigger",
        compare = headers::SHOW
    )
}

/// The machines, then the changed bytes.
pub(crate) fn run_all(full: bool) -> Outcome<()> {
    packages::install(&[packages::GUESTS, packages::DEMO].concat())?;
    let kcap = targets::build_kcap(Some(boot::TARGET))?;
    let own_kcap = targets::build_kcap(None)?;
    let cells = if full { Cell::all() } else { Cell::pairwise() };
    let mut failed = Vec::new();
    let start = Instant::now();
    for cell in &cells {
        let cell_start = Instant::now();
        match crash(*cell, &kcap, &own_kcap) {
            Ok(what) => println!("ok      {} ({} s): {what}", cell.name(), cell_start.elapsed().as_secs()),
            Err(error) => {
                println!("FAILED  {} ({} s): {error}", cell.name(), cell_start.elapsed().as_secs());
                failed.push(cell.name());
            }
        }
    }
    for (name, check) in damage::CHECKS {
        let check_start = Instant::now();
        match check(&kcap) {
            Ok(()) => println!("ok      {name} ({} s)", check_start.elapsed().as_secs()),
            Err(error) => {
                println!("FAILED  {name} ({} s): {error}", check_start.elapsed().as_secs());
                failed.push((*name).to_owned());
            }
        }
    }
    println!("load: {} machines, {} s", cells.len(), start.elapsed().as_secs());
    if failed.is_empty() { Ok(()) } else { Err(format!("failed: {}", failed.join(", ")).into()) }
}

/// One machine, chosen by its name.
pub(crate) fn run_named(names: &[&str]) -> Outcome<()> {
    packages::install(&[packages::GUESTS, packages::DEMO].concat())?;
    let kcap = targets::build_kcap(Some(boot::TARGET))?;
    let own_kcap = targets::build_kcap(None)?;
    for name in names {
        if let Some(cell) = Cell::all().into_iter().find(|cell| cell.name() == *name) {
            println!("ok      {name}: {}", crash(cell, &kcap, &own_kcap)?);
        } else if let Some((_, check)) = damage::CHECKS.iter().find(|(known, _)| known == name) {
            check(&kcap)?;
            println!("ok      {name}");
        } else {
            let cells = Cell::all().into_iter().map(Cell::name);
            let known: Vec<String> =
                cells.chain(damage::CHECKS.iter().map(|(name, _)| (*name).to_owned())).collect();
            return Err(format!("no machine or check {name}; known: {}", known.join(" ")).into());
        }
    }
    Ok(())
}

/// Loads, crashes, saves; compares the headers; opens what was saved.
fn crash(cell: Cell, kcap: &Path, own_kcap: &Path) -> Outcome<String> {
    let task = first_kernel(if cell.newer { "--hotplug" } else { "" }, "/vmlinuz");
    let prepared = Prepared::new(Kernel::of(cell.kernel())?, kcap, &task, folder(&cell.name())?)?;
    let mut guest = Guest::start(&mut prepared.qemu(cell), &prepared.folder)?;
    let console = guest.lines_until("kcapture: loaded")?;
    let compared = headers::compare(&console)?;
    guest.type_line("crash")?;
    guest.wait_for("Kernel panic")?;
    guest.wait_for("Linux version")?;
    guest.wait_for(SAVED)?;
    guest.wait_for_end()?;
    let dump = saved(&prepared, own_kcap)?;
    let mib = fs::metadata(&dump)?.len() >> 20;
    let seen = if cell.newer { String::new() } else { crash_sees(&prepared, cell, dump)? };
    Ok(format!("{compared}; saved {mib} MiB{seen}"))
}

/// crash 8.0.2 opens dumps of 6.1: the task that panicked, and every CPU's registers.
fn crash_sees(prepared: &Prepared, cell: Cell, dump: PathBuf) -> Outcome<String> {
    let questions = prepared.folder.join("questions");
    let dump = [dump.display().to_string()];
    let says = oracles::ask_crash(&prepared.kernel.vmlinux()?, &dump, "bt\nbt -a\nquit\n", &questions)?;
    if !says.contains("sysrq_handle_crash") {
        return Err(format!("crash shows no backtrace of the task that panicked:\n{says}").into());
    }
    let cpus = if cell.cpus4 { 4 } else { 1 };
    // A CPU's registers are where its notes say; crash prints none where they are missing.
    if let Some(cpu) = (0..cpus).find(|cpu| !says.contains(&format!("CPU: {cpu} "))) {
        return Err(format!("crash shows no task of CPU {cpu}:\n{says}").into());
    }
    let registers = says.matches("RIP: ").count();
    if registers < cpus {
        return Err(format!("crash shows registers of {registers} of {cpus} CPUs:\n{says}").into());
    }
    Ok(format!("; crash shows the panic and {cpus} CPUs"))
}

/// Where a machine's files lie.
pub(super) fn folder(name: &str) -> Outcome<PathBuf> {
    Ok(targets::folder()?.join("load").join(name))
}

/// Makes a plain dump of the stream on the disk, and asks what it is.
fn saved(prepared: &Prepared, own_kcap: &Path) -> Outcome<PathBuf> {
    let dump = prepared.folder.join("dump");
    let merge = ["merge", "-f", "--message-level", "4"];
    run(command(&[own_kcap]).args(merge).arg(&dump).arg(prepared.folder.join("disk")))?;
    let info = output(command(&[own_kcap]).arg("info").arg(&dump))?;
    if !info.contains(&prepared.kernel.release) {
        return Err(format!("the dump is not one of {}:\n{info}", prepared.kernel.release).into());
    }
    Ok(dump)
}
