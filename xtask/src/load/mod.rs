//! `cargo xtask load [--full]`: real kernels load a crash kernel with our own program and purgatory, crash, and save
//! themselves. Without `--full` six machines in which every two factors meet, with it all 32.
//!
//! From the same state each machine crashes again into a kernel that kexec-tools loaded, for `/proc/vmcore` to be compared,
//! and some into one that the running kernel loaded itself; one machine also into a `vmlinux` and a unified kernel image.
//! Others are changed between the load and the crash: loaded bytes, memory that goes, memory that comes.

pub(crate) mod cell;
mod headers;
mod steps;
mod low_memory;
mod images;
mod loaders;
mod guest_disks;
mod debuggers;
mod machine;
mod damage;
mod hot_removed;
mod hot_added;

use std::path::PathBuf;
use std::time::Instant;

use crate::run::Outcome;
use crate::{boot, packages, targets};
use cell::Cell;
use machine::Programs;

/// What a capture kernel is told.
const CAPTURE: &str = "console=ttyS0 irqpoll nr_cpus=1 reset_devices panic=5";

/// The machines, then the changed bytes, the removed memory and the added one.
pub(crate) fn run_all(full: bool) -> Outcome<()> {
    let programs = prepare()?;
    let cells = if full { Cell::all() } else { Cell::pairwise() };
    let mut failed = Vec::new();
    let start = Instant::now();
    for cell in &cells {
        let by_kernel = full || cell.loads_by_kernel();
        report(&cell.name(), &mut failed, || machine::check(*cell, by_kernel, &programs));
    }
    for (name, check) in damage::CHECKS {
        report(name, &mut failed, || check(&programs.of_guests).map(|()| String::new()));
    }
    for case in hot_removed::CASES {
        report(case.name, &mut failed, || hot_removed::check(case, &programs));
    }
    for case in hot_added::CASES {
        report(case.name, &mut failed, || hot_added::check(case, &programs));
    }
    println!("load: {} machines, {} s", cells.len(), start.elapsed().as_secs());
    if failed.is_empty() { Ok(()) } else { Err(format!("failed: {}", failed.join(", ")).into()) }
}

/// The same, chosen by their names.
pub(crate) fn run_named(names: &[&str]) -> Outcome<()> {
    let programs = prepare()?;
    let mut failed = Vec::new();
    for name in names {
        if let Some(cell) = Cell::all().into_iter().find(|cell| cell.name() == *name) {
            report(name, &mut failed, || machine::check(cell, true, &programs));
        } else if let Some(case) = hot_removed::CASES.iter().find(|case| case.name == *name) {
            report(name, &mut failed, || hot_removed::check(case, &programs));
        } else if let Some(case) = hot_added::CASES.iter().find(|case| case.name == *name) {
            report(name, &mut failed, || hot_added::check(case, &programs));
        } else if let Some((_, check)) = damage::CHECKS.iter().find(|(known, _)| known == name) {
            report(name, &mut failed, || check(&programs.of_guests).map(|()| String::new()));
        } else {
            let cells = Cell::all().into_iter().map(Cell::name);
            let others = damage::CHECKS.iter().map(|(name, _)| *name);
            let others = others.chain(hot_removed::CASES.iter().map(|case| case.name));
            let others = others.chain(hot_added::CASES.iter().map(|case| case.name));
            let known: Vec<String> = cells.chain(others.map(str::to_owned)).collect();
            return Err(format!("no machine or check {name}; known: {}", known.join(" ")).into());
        }
    }
    if failed.is_empty() { Ok(()) } else { Err(format!("failed: {}", failed.join(", ")).into()) }
}

fn prepare() -> Outcome<Programs> {
    packages::install(&[packages::GUESTS, packages::DEMO, packages::DRGN, &["binutils"]].concat())?;
    let boot::Programs { guest, kcap } = boot::Programs::build()?;
    Ok(Programs { of_guests: kcap, guest, own: targets::build_kcap(None)? })
}

/// Runs a check and prints what it saw, or why it failed.
fn report(name: &str, failed: &mut Vec<String>, check: impl FnOnce() -> Outcome<String>) {
    let start = Instant::now();
    let finding = check();
    let seconds = start.elapsed().as_secs();
    match finding {
        Ok(seen) => println!("ok      {name} ({seconds} s){seen}"),
        Err(error) => {
            println!("FAILED  {name} ({seconds} s): {error}");
            failed.push(name.to_owned());
        }
    }
}

/// Where a machine's files lie.
pub(super) fn folder(name: &str) -> Outcome<PathBuf> {
    Ok(targets::folder()?.join("load").join(name))
}
