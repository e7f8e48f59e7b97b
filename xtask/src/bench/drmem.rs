//! Lists of memory blocks: a change where the list lies, beside lists that are built anew. The example `drmem_growth` of kexec-core
//! measures; it is a program of its own because tasks are not optimised.

use crate::run::{Outcome, command, output};
use crate::targets;

/// The section of the page.
pub(super) fn section(page: &mut String) -> Outcome<()> {
    let mut bench = command(&[targets::cargo()]);
    bench.args(["run", "--release", "--quiet", "--package", "kexec-core", "--example", "drmem_growth"]);
    page.push_str(&output(bench.current_dir(targets::workspace()))?);
    Ok(())
}
