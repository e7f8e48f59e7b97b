//! Counts and prints checks.

use std::path::PathBuf;
use std::sync::Mutex;
use std::thread;

use super::Case;
use crate::run::{Outcome, command};
use crate::targets;

/// How many checks passed, and which failed.
#[derive(Debug, Default)]
pub(crate) struct Checks {
    sums: Mutex<Sums>,
}

#[derive(Debug, Default)]
struct Sums {
    passed: u32,
    failed: Vec<String>,
}

impl Checks {
    /// One check: its name, and what it found; a finding that is good may say something.
    pub(crate) fn check(&self, name: &str, finding: Outcome<String>) {
        let mut sums = self.sums.lock().expect("no check panics while it counts");
        match finding {
            Ok(text) => {
                sums.passed += 1;
                println!("ok    {name}{}", indented(&text));
            }
            Err(error) => {
                println!("FAIL  {name}{}", indented(&error.to_string()));
                sums.failed.push(name.to_owned());
            }
        }
    }

    /// The sum as a line, printed as well; an error if any check failed.
    pub(crate) fn finish(&self) -> Outcome<String> {
        let sums = self.sums.lock().expect("no check panics while it counts");
        for name in &sums.failed {
            println!("failed: {name}");
        }
        let sum = format!("{} passed, {} failed", sums.passed, sums.failed.len());
        println!("{sum}");
        if sums.failed.is_empty() { Ok(sum) } else { Err(sum.into()) }
    }
}

fn indented(text: &str) -> String {
    text.trim_end().lines().map(|line| format!("\n      {line}")).collect()
}

/// Runs one of the scripts in `xtask/oracles`; what it prints is the finding.
pub(crate) fn script(name: &str, arguments: &[&str]) -> Outcome<String> {
    let script: PathBuf = targets::workspace().join("xtask/oracles").join(name);
    let output = command(&["/usr/bin/python3", "-B"]).arg(script).args(arguments).output()?;
    let mut text = String::from_utf8_lossy(&output.stdout).into_owned();
    text.push_str(&String::from_utf8_lossy(&output.stderr));
    if output.status.success() { Ok(text) } else { Err(text.into()) }
}

/// Fails with a text unless a condition holds.
pub(crate) fn ensure(condition: bool, text: impl FnOnce() -> String) -> Outcome<()> {
    if condition { Ok(()) } else { Err(text().into()) }
}

/// Two machines' vmcores at a time: most of the work is done by programs that use one core.
pub(crate) fn for_each_case<'a>(
    cases: impl IntoIterator<Item = &'a Case, IntoIter: Send>,
    each: impl Fn(&Case) + Sync,
) {
    let waiting = Mutex::new(cases.into_iter());
    let next = || waiting.lock().ok()?.next();
    thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                while let Some(case) = next() {
                    each(case);
                }
            });
        }
    });
}
