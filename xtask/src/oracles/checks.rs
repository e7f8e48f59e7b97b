//! Counts and prints checks.

use std::path::PathBuf;

use crate::run::{Outcome, command};
use crate::targets;

/// How many checks passed, and which failed.
#[derive(Debug, Default)]
pub(crate) struct Checks {
    passed: u32,
    failed: Vec<String>,
}

impl Checks {
    /// One check: its name, and what it found; a finding that is good may say something.
    pub(crate) fn check(&mut self, name: &str, finding: Outcome<String>) {
        match finding {
            Ok(text) => {
                self.passed += 1;
                println!("ok    {name}{}", indented(&text));
            }
            Err(error) => {
                println!("FAIL  {name}{}", indented(&error.to_string()));
                self.failed.push(name.to_owned());
            }
        }
    }

    /// The sum; an error if any check failed.
    pub(crate) fn finish(&self) -> Outcome<()> {
        for name in &self.failed {
            println!("failed: {name}");
        }
        println!("{} passed, {} failed", self.passed, self.failed.len());
        if self.failed.is_empty() { Ok(()) } else { Err("the oracles disagree".into()) }
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
