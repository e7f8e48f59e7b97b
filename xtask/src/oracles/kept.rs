//! Which pages each level keeps: as makedumpfile where it is right about the kernel, and everywhere as
//! `/proc/kpageflags` and the canary pages demand.

use super::Case;
use super::checks::{Checks, for_each_case, script};
use super::kcap::{Kcap, makedumpfile};
use crate::run::Outcome;

const LEVELS: [u32; 8] = [0, 1, 2, 4, 8, 16, 23, 31];

pub(crate) fn check(checks: &Checks, kcap: &Kcap, cases: &[Case]) -> Outcome<()> {
    for_each_case(cases, |case| {
        for level in LEVELS {
            let dumped = kcap.dump(&format!("-l -d {level}"), &[&case.file("vmcore"), &case.level(level)]);
            checks.check(&format!("{} level {level}: dumped", case.name), dumped.map(|()| String::new()));
            if case.peer_is_right {
                let finding = as_the_peer(case, level);
                checks.check(&format!("{} level {level}: kept as makedumpfile does", case.name), finding);
            }
            let folder = case.folder.display().to_string();
            let finding = script("check_kpageflags.py", &[&folder, &level.to_string(), &case.level(level)]);
            checks.check(&format!("{} level {level}: kept as kpageflags says", case.name), finding);
        }
        checks.check(&format!("{}: canary pages", case.name), canaries(case));
    });
    Ok(())
}

fn as_the_peer(case: &Case, level: u32) -> Outcome<String> {
    let peers = case.out("peer");
    makedumpfile(&format!("-f -l -d {level}"), &[&case.file("vmcore"), &peers])?;
    script("compare_kept.py", &[&case.file("vmcore"), &case.level(level), &peers])
}

fn canaries(case: &Case) -> Outcome<String> {
    let levels: Vec<String> = LEVELS.iter().map(u32::to_string).collect();
    let folder = case.folder.display().to_string();
    let dumps = case.out("level-{}");
    let mut arguments = vec![folder.as_str(), &dumps];
    arguments.extend(levels.iter().map(String::as_str));
    script("check_canaries.py", &arguments)
}
