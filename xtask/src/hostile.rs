//! `cargo xtask hostile`: all that the ordinary tests take samples of. Each case of the hostile corpus meets commands of `kcap`, within
//! `ulimit -v` and a time limit, and the library; so do faults of every page and every write.

use crate::run::{Outcome, command, run};
use crate::targets;

/// Package, test binary and filter of the tests that take samples.
const SWEEPS: [[&str; 3]; 2] = [["kcap", "cli", "hostile"], ["page-filter", "machines", ""]];

/// Runs the tests with the variable that has them leave nothing out. What fails is said as it happens.
pub(crate) fn run_all() -> Outcome<()> {
    for [package, test, filter] in SWEEPS {
        let mut cargo = command(&[targets::cargo()]);
        cargo.args(["test", "--package", package, "--test", test, "--", "--nocapture", filter]);
        run(cargo.current_dir(targets::workspace()).env("KCAPTURE_HOSTILE_ALL", "1"))?;
    }
    Ok(())
}
