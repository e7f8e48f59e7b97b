//! What `kcap estimate` says of a machine, by what its kernel said of its pages just before it crashed, against the dumps of its
//! vmcore: the pages of each level, and whether the size lies in the range.

use std::fs;
use std::os::unix::fs::symlink;

use serde_json::Value;

use super::Case;
use super::checks::{Checks, ensure, for_each_case};
use super::kcap::Kcap;
use crate::run::Outcome;

/// Those of which the first group of checks leaves dumps, packed with LZO.
const LEVELS: [u32; 8] = [0, 1, 2, 4, 8, 16, 23, 31];
/// Between the reading of kpageflags and the crash a handful of pages are allocated and freed.
const MAY_DIFFER: u64 = 128;

pub(crate) fn check(checks: &Checks, kcap: &Kcap, cases: &[Case]) -> Outcome<()> {
    for_each_case(cases, |case| {
        let found = estimated(kcap, case).and_then(|estimate| compare(kcap, case, &estimate));
        checks.check(&format!("{}: estimated before the crash, saved after", case.name), found);
    });
    Ok(())
}

fn estimated(kcap: &Kcap, case: &Case) -> Outcome<Value> {
    let root = case.work.join("root");
    fs::create_dir_all(root.join("proc"))?;
    for name in ["kpageflags", "iomem", "meminfo"] {
        symlink(case.folder.join(name), root.join("proc").join(name))?;
    }
    let root = root.display().to_string();
    let said = kcap.run(&["estimate", "-l", "--json", "--root", &root])?.expect(0)?;
    Ok(serde_json::from_slice(&said)?)
}

fn compare(kcap: &Kcap, case: &Case, estimate: &Value) -> Outcome<String> {
    ensure(estimate["source"] == "kpageflags", || format!("by {}", estimate["source"]))?;
    let mut seen = Vec::new();
    for level in LEVELS {
        let row = &estimate["levels"][usize::try_from(level)?];
        let number = |value: &Value| value.as_u64().ok_or("no number");
        let pages = number(&row["pages"])?;
        let (least, most) = (number(&row["bytes"][0])?, number(&row["bytes"][1])?);
        let dump = case.level(level);
        let kept = kept(kcap, &dump)?;
        ensure(pages.abs_diff(kept) <= MAY_DIFFER, || format!("level {level}: {pages} pages, not {kept}"))?;
        let size = fs::metadata(&dump)?.len();
        ensure((least..=most).contains(&size), || {
            format!("level {level}: {size} bytes are not in {least} to {most}")
        })?;
        let mib = |bytes: u64| bytes >> 20;
        seen.push(format!("-d {level}: {} MiB of {} to {}", mib(size), mib(least), mib(most)));
    }
    Ok(seen.join(", "))
}

/// The pages that a dump has.
fn kept(kcap: &Kcap, dump: &str) -> Outcome<u64> {
    let info: Value = serde_json::from_slice(&kcap.run(&["info", "--json", dump])?.expect(0)?)?;
    Ok(info["pages"]["held"]["pages"].as_u64().ok_or_else(|| format!("no held pages in {info}"))?)
}
