//! `cargo xtask bench`: kcap beside makedumpfile on real vmcores, in one run; the page in `docs/` is made of it.

mod codecs;
mod drmem;
mod dumps;
mod filter;
mod measure;

use std::fmt::Write as _;
use std::fs;

use crate::machines::MACHINES;
use crate::run::{Outcome, command, output};
use crate::{capi, packages, targets, vmcore};

/// The vmcores that are measured.
const VMCORES: [&str; 2] = ["6.1-5level", "6.12-5level"];

const INTRODUCTION: &str = "\
# What kcapture costs

Made by `cargo xtask bench`, which runs kcap and makedumpfile in turns, on the same files and in one run: what else the machine does
meets both alike, so the ratios hold better than the times. Times are medians; CPU time is user and system time of the whole
process; `peer` is makedumpfile with one thread, and a ratio above 1 says that kcap is faster. Where makedumpfile lacks an option, the
one that it was run with is named. Inputs are in the page cache, outputs are new files every time. kcap ends when its file is on stable
storage, makedumpfile when the kernel has it; in one row (`--no-sync`) neither waits for storage, in one both do.
";

/// Measures changes to lists of memory blocks and to maps, and prints those sections of the page.
pub(crate) fn drmem() -> Outcome<()> {
    let mut page = String::new();
    drmem::sections(&mut page)?;
    print!("{page}");
    Ok(())
}

/// Measures everything, and writes `docs/performance.md`.
pub(crate) fn run(rounds: &str) -> Outcome<()> {
    let rounds: usize = rounds.parse()?;
    packages::install(&packages::all())?;
    vmcore::make(&VMCORES)?;
    let kcap = targets::build_kcap(None)?;
    let peer = output(command(&["makedumpfile", "-v"]))?;
    let peer = peer.lines().next().unwrap_or("makedumpfile").replace(": version", "").trim().to_owned();
    let mut page = INTRODUCTION.to_owned();
    let machine = measure::machine()?;
    let day = output(command(&["date", "+%F"]))?;
    writeln!(page, "\nMachine: {machine}. Peer: {peer}. Rounds: {rounds}. Day: {}.", day.trim())?;
    let work = targets::folder()?.join("bench");
    fs::create_dir_all(&work)?;
    let mut vmcores = Vec::new();
    for machine in MACHINES.iter().filter(|machine| VMCORES.contains(&machine.name)) {
        let input = vmcore::folder_of(machine)?.join("vmcore");
        let size = fs::metadata(&input)?.len() / 1_000_000;
        // Into the page cache.
        fs::read(&input)?;
        println!("{}", machine.name);
        write!(page, "\n## Whole dumps: {} ({size} MB)\n\n{}", machine.name, dumps::HEADING)?;
        let input = input.display().to_string();
        dumps::rows(&kcap, &input, rounds, &work.join("dump"), &mut page)?;
        write!(page, "\nThe codecs alone, for a page of those that -d 31 keeps:\n\n")?;
        codecs::rows(&kcap, &input, &work, &mut page)?;
        write!(page, "\nThe first use: the log of the kernel, taken from the vmcore.\n\n{}", dumps::HEADING)?;
        dumps::first_use(&kcap, &input, rounds, &work.join("dump"), &mut page)?;
        vmcores.push((machine.name, input));
    }
    write!(
        page,
        "\n## The filter alone\n\nTelling the pages apart for level 31, one thread, 1 MiB of workspace; peak memory is that of the "
    )?;
    write!(
        page,
        "whole program, with what it simulates or has read. 2 MiB of struct pages that repeat stay in the processor's "
    )?;
    write!(page, "cache; rows that say so have 256 MiB of them.\n\n{}", filter::HEADING)?;
    let scan = filter::build()?;
    for (name, input) in vmcores {
        filter::vmcore(&scan, name, &input, &mut page)?;
    }
    filter::curve(&scan, &mut page)?;
    drmem::sections(&mut page)?;
    write!(page, "\n## Size\n\n{}", capi::sizes()?)?;
    let path = targets::workspace().join("docs/performance.md");
    fs::write(&path, page)?;
    println!("written: {}", path.display());
    Ok(())
}
