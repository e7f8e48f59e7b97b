//! Inputs with pages that cannot be read: libkdumpfile opens what is made of them, and misses those pages alone.

use std::fs;

use super::Case;
use super::checks::{Checks, ensure, script};
use super::kcap::Kcap;
use crate::run::{Outcome, command, run};
use crate::targets;

/// Every codec and format, on one thread and on several.
const OUTPUTS: [&str; 7] = ["--raw", "-c", "-l", "-p --num-threads 3", "-z", "-E", "-E --num-threads 2"];

pub(crate) fn check(checks: &Checks, kcap: &Kcap, _cases: &[Case]) -> Outcome<()> {
    let folder = targets::folder()?.join("broken");
    let _ = fs::remove_dir_all(&folder);
    fs::create_dir_all(&folder)?;
    let mut inputs = command(&[targets::cargo()]);
    inputs.args(["run", "--quiet", "--package", "kcapture-testkit", "--example", "broken", "--"]);
    run(inputs.arg(&folder).current_dir(targets::workspace()))?;
    let file = |name: &str| folder.join(name).display().to_string();
    for number in 0..8 {
        for options in OUTPUTS {
            let (input, out) = (file(&format!("broken-{number}")), file("out"));
            let finding = saved(kcap, options, &input, &out).and_then(|lost| {
                ensure(fs::read_to_string(format!("{input}.lost"))?.lines().count() == lost, || {
                    format!("the report says that {lost} pages are lost")
                })?;
                script("check_faults.py", &[&file("vmcore"), &out, &format!("{input}.lost")])
            });
            checks.check(&format!("pages that cannot be read, {number}, {options}"), finding);
        }
    }
    fs::remove_dir_all(folder)?;
    Ok(())
}

/// Dumps `input`; the number of lost pages that the report says.
fn saved(kcap: &Kcap, options: &str, input: &str, out: &str) -> Outcome<usize> {
    let report = format!("{out}.report");
    let words = ["dump", "-f", "--report", &report].into_iter().chain(options.split_whitespace());
    let words: Vec<&str> = words.chain([input, out]).collect();
    let ended = kcap.run(&words)?;
    ensure(ended.code == Some(3), || format!("exit code {:?}: {}", ended.code, ended.stderr))?;
    let text = fs::read_to_string(report)?;
    let after = text.split("\"lost\"").nth(1).ok_or("the report has no lost pages")?;
    let number: String =
        after.chars().skip_while(|c| !c.is_ascii_digit()).take_while(char::is_ascii_digit).collect();
    Ok(number.parse()?)
}
