//! Lists of memory blocks, changed where they lie and beside lists that are built anew; and maps that change. Examples of kexec-core
//! measure: programs of their own, because tasks are not optimised.

use crate::run::{Outcome, command, output};
use crate::targets;

/// The sections of the page.
pub(super) fn sections(page: &mut String) -> Outcome<()> {
    for example in ["drmem_growth", "versioned_growth"] {
        let mut bench = command(&[targets::cargo()]);
        bench.args(["run", "--release", "--quiet", "--package", "kexec-core", "--example", example]);
        page.push('\n');
        page.push_str(&output(bench.current_dir(targets::workspace()))?);
    }
    Ok(())
}
