//! `cargo xtask hostile`: each case of the hostile corpus, each command of `kcap`, within `ulimit -v` and a time limit.

use crate::run::{Outcome, command, run};
use crate::targets;

/// Runs the tests of `kcap` over the corpus, with the variable that leaves no command out.
pub(crate) fn run_all() -> Outcome<()> {
    let mut cargo = command(&[targets::cargo()]);
    cargo.args(["test", "--package", "kcap", "--test", "cli", "hostile"]).current_dir(targets::workspace());
    run(cargo.env("KCAPTURE_HOSTILE_ALL", "1"))
}
