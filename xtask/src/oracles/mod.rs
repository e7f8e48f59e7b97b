//! `cargo xtask oracles`: what other programs, and the crashed kernels themselves, say of our dumps.
//!
//! `KCAPTURE_KCAP` names a `kcap` to judge in place of the one built here.

mod checks;
mod kcap;
mod kept;
mod estimate;
mod bytes;
mod duplicates;
mod reading;
mod debuggers;
mod redaction;
mod bad_input;
mod faults;
mod qemu;

pub(crate) use checks::script;
pub(crate) use debuggers::{ask_crash, ask_drgn};

use std::fs;
use std::path::PathBuf;
use std::time::Instant;

use crate::machines::MACHINES;
use crate::packages;
use crate::run::Outcome;
use crate::targets;
use crate::vmcore;
use checks::Checks;
use kcap::Kcap;

/// The vmcore of one machine, and where its dumps go.
#[derive(Debug)]
pub(crate) struct Case {
    /// The machine's name.
    pub(crate) name: &'static str,
    /// Whether it stands for all where checks are slow.
    pub(crate) first: bool,
    /// Whether makedumpfile 1.7.2 is right about this kernel.
    pub(crate) peer_is_right: bool,
    /// Whether it stands for all machines with its kernel, where it says nothing how memory lies: for duplicate pages and redaction.
    pub(crate) for_kernel: bool,
    /// Debian's meta-package of its kernel, where debug symbols of a bearable size exist.
    pub(crate) symbols_of: Option<&'static str>,
    /// The machine's folder in the cache.
    pub(crate) folder: PathBuf,
    /// For dumps; empty at first.
    pub(crate) work: PathBuf,
}

impl Case {
    /// A file of the machine's folder, as an argument.
    pub(crate) fn file(&self, name: &str) -> String {
        self.folder.join(name).display().to_string()
    }

    /// A file for a dump, as an argument.
    pub(crate) fn out(&self, name: &str) -> String {
        self.work.join(name).display().to_string()
    }

    /// Whether the dump of that name is made of this machine.
    pub(crate) fn makes(&self, name: &str) -> bool {
        self.for_kernel || !name.starts_with("shared")
    }

    /// The dump of a level that the first group of checks leaves.
    pub(crate) fn level(&self, level: u32) -> String {
        self.out(&format!("level-{level}"))
    }
}

/// Runs the named groups, or all.
pub(crate) fn run(groups: &[&str]) -> Outcome<String> {
    packages::install(&packages::all())?;
    let kcap = Kcap::find()?;
    let cases = cases()?;
    let checks = Checks::default();
    type Group = fn(&Checks, &Kcap, &[Case]) -> Outcome<()>;
    let all: [(&str, Group); 10] = [
        ("kept", kept::check),
        ("estimate", estimate::check),
        ("bytes", bytes::check),
        ("duplicates", duplicates::check),
        ("reading", reading::check),
        ("debuggers", debuggers::check),
        ("redaction", redaction::check),
        ("bad-input", bad_input::check),
        ("faults", faults::check),
        ("qemu", qemu::check),
    ];
    if let Some(unknown) = groups.iter().find(|name| !all.iter().any(|(known, _)| known == *name)) {
        let known: Vec<&str> = all.iter().map(|(name, _)| *name).collect();
        return Err(format!("no group {unknown}; known: {}", known.join(" ")).into());
    }
    for (name, group) in all {
        // The other groups look at the dumps that the first three leave.
        if groups.is_empty() || groups.contains(&name) || ["kept", "bytes", "duplicates"].contains(&name) {
            let start = Instant::now();
            println!("oracles: {name}");
            group(&checks, &kcap, &cases)?;
            println!("oracles: {name}: {} s", start.elapsed().as_secs());
        }
    }
    checks.finish()
}

fn cases() -> Outcome<Vec<Case>> {
    let work = targets::folder()?.join("oracles");
    let _ = fs::remove_dir_all(&work);
    let mut cases = Vec::new();
    for machine in MACHINES {
        let work = work.join(machine.name);
        fs::create_dir_all(&work)?;
        let peer_is_right = machine.name.starts_with("6.1-");
        cases.push(Case {
            name: machine.name,
            first: cases.is_empty(),
            peer_is_right,
            for_kernel: !cases.iter().any(|case: &Case| case.peer_is_right == peer_is_right),
            symbols_of: machine.kernel.contains("cloud").then_some(machine.kernel),
            folder: vmcore::folder_of(machine)?,
            work,
        });
    }
    Ok(cases)
}
