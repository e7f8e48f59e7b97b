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
        let exact = estimated(kcap, case, "root", &["kpageflags", "iomem", "meminfo"]);
        let found = exact.and_then(|exact| Ok((compare(kcap, case, &exact)?, exact)));
        let (said, exact) =
            found.map_or_else(|error| (Err(error), None), |(said, exact)| (Ok(said), Some(exact)));
        checks.check(&format!("{}: estimated before the crash, saved after", case.name), said);
        if let Some(exact) = exact {
            let counted = estimated(kcap, case, "root-counters", &["meminfo", "zoneinfo"]);
            let found = counted.and_then(|counted| compare_counters(kcap, case, &exact, &counted));
            checks.check(&format!("{}: estimated by counters", case.name), found);
        }
    });
    Ok(())
}

fn estimated(kcap: &Kcap, case: &Case, name: &str, files: &[&str]) -> Outcome<Value> {
    let root = case.work.join(name);
    fs::create_dir_all(root.join("proc"))?;
    for name in files {
        symlink(case.folder.join(name), root.join("proc").join(name))?;
    }
    // The guest did not write it down, but where the reservation lies.
    fs::create_dir_all(root.join("sys/kernel"))?;
    let reserved = reserved(&fs::read_to_string(case.folder.join("iomem"))?)?;
    fs::write(root.join("sys/kernel/kexec_crash_size"), reserved.to_string())?;
    let root = root.display().to_string();
    let said = kcap.run(&["estimate", "-l", "--json", "--root", &root])?.expect(0)?;
    Ok(serde_json::from_slice(&said)?)
}

/// The bytes of `Crash kernel` in a copy of `/proc/iomem`.
fn reserved(iomem: &str) -> Outcome<u64> {
    let mut sum = 0;
    for line in iomem.lines().filter(|line| line.ends_with(": Crash kernel")) {
        let (start, end) = line.split(' ').find_map(|word| word.split_once('-')).ok_or("no range")?;
        sum += u64::from_str_radix(end, 16)? + 1 - u64::from_str_radix(start.trim(), 16)?;
    }
    Ok(sum)
}

fn number(value: &Value) -> Outcome<u64> {
    Ok(value.as_u64().ok_or("no number")?)
}

/// What everybody may read tells a hundredth of the machine wrong at most, and not which memory a balloon has.
fn compare_counters(kcap: &Kcap, case: &Case, exact: &Value, counted: &Value) -> Outcome<String> {
    ensure(counted["source"] == "counters", || format!("by {}", counted["source"]))?;
    let kinds = exact["kinds"].as_array().ok_or("no kinds")?;
    let offline = kinds.iter().find(|kind| kind["kind"] == "offline");
    let offline = offline.map_or(Ok(0), |kind| number(&kind["pages"]))?;
    let (all, mut most) = (number(&exact["levels"][0]["pages"])?, 0);
    for level in LEVELS {
        let pages = number(&counted["levels"][usize::try_from(level)?]["pages"])?;
        let kept = kept(kcap, &case.level(level))?;
        let off = pages.abs_diff(kept + offline);
        ensure(off <= all / 100, || {
            format!("level {level}: {pages} pages, not {kept} and {offline} that are offline")
        })?;
        most = most.max(off);
    }
    Ok(format!("{most} pages off at most, besides {offline} that are offline"))
}

fn compare(kcap: &Kcap, case: &Case, estimate: &Value) -> Outcome<String> {
    ensure(estimate["source"] == "kpageflags", || format!("by {}", estimate["source"]))?;
    let mut seen = Vec::new();
    for level in LEVELS {
        let row = &estimate["levels"][usize::try_from(level)?];
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
