//! The filter alone: simulated machines from 1 GiB to 16 TiB, and real vmcores, in a workspace of 1 MiB.

use std::fmt::Write as _;
use std::path::PathBuf;

use crate::run::{Outcome, command, output, run};
use crate::targets;

const SIZES: [&str; 8] = ["1G", "4G", "16G", "64G", "256G", "1T", "4T", "16T"];

pub(super) const HEADING: &str = "\
| machine | pages | time | M pages/s | peak MiB |
|---|---:|---:|---:|---:|
";

/// The program that scans and does nothing else.
pub(super) fn build() -> Outcome<PathBuf> {
    let mut build = command(&[targets::cargo()]);
    build.args(["build", "--release", "--quiet", "--package", "page-filter", "--example", "scan"]);
    run(build.current_dir(targets::workspace()))?;
    Ok(targets::folder()?.join("release/examples/scan"))
}

/// The curve over simulated machines, in place; struct pages repeat, so that the simulation itself stays small.
pub(super) fn curve(scan: &PathBuf, page: &mut String) -> Outcome<()> {
    for size in SIZES {
        let text = output(command(&[scan]).args([size, "server", "31", "2M"]))?;
        row(&format!("simulated, {size}iB"), &text, page)?;
    }
    for (mix, pool) in [("server", "256M"), ("scattered", "256M")] {
        let text = output(command(&[scan]).args(["64G", mix, "31", pool]))?;
        row(&format!("simulated, 64GiB, {mix}, not in the processor's cache"), &text, page)?;
    }
    Ok(())
}

/// A real vmcore, held in memory.
pub(super) fn vmcore(scan: &PathBuf, name: &str, input: &str, page: &mut String) -> Outcome<()> {
    row(name, &output(command(&[scan]).args([input, "31"]))?, page)
}

/// `NAME: N pages; CPU time T (R M pages/s), ...; peak memory P KiB`
fn row(name: &str, text: &str, page: &mut String) -> Outcome<()> {
    let between = |before: &str, after: &str| {
        let rest = text.split_once(before)?.1;
        Some(rest.split_once(after)?.0.trim().to_owned())
    };
    let unknown = || format!("scan said: {text}");
    let pages = between(": ", " pages").ok_or_else(unknown)?;
    let time = between("median ", " ").ok_or_else(unknown)?;
    let rate =
        between("CPU time", "M pages/s").and_then(|text| Some(text.split_once('(')?.1.trim().to_owned()));
    let peak: f64 = between("peak memory ", " KiB").ok_or_else(unknown)?.parse()?;
    let line =
        format!("| {name} | {pages} | {time} | **{}** | {:.1} |", rate.ok_or_else(unknown)?, peak / 1024.0);
    println!("{line}");
    Ok(writeln!(page, "{line}")?)
}
