//! What debuggers see in a dump: the stack of the task that panicked, and every CPU's registers.

use std::path::Path;

use super::cell::Cell;
use crate::oracles::{ask_crash, ask_drgn};
use crate::run::Outcome;

/// drgn opens dumps of every kernel. `headers` is the beginning of the `/proc/vmcore` that was saved.
pub(super) fn drgn_sees(vmlinux: &Path, cell: Cell, dump: &Path, headers: &str) -> Outcome<String> {
    let cpus = cell.cpus();
    ask_drgn(vmlinux, dump, "panic_and_registers.py", &[&cpus.to_string(), headers])?;
    Ok(format!("drgn shows the panic, CPUs: {cpus}"))
}

/// crash 8.0.2 opens dumps of 6.1, not of 6.12.
pub(super) fn crash_sees(vmlinux: &Path, cell: Cell, dump: &Path, questions: &Path) -> Outcome<String> {
    let says = ask_crash(vmlinux, &[dump.display().to_string()], "bt\nbt -a\nquit\n", questions)?;
    if !says.contains("sysrq_handle_crash") {
        return Err(format!("crash shows no backtrace of the task that panicked:\n{says}").into());
    }
    let cpus = cell.cpus();
    // A CPU's registers are where its notes say; crash prints none where they are missing.
    if let Some(cpu) = (0..cpus).find(|cpu| !says.contains(&format!("CPU: {cpu} "))) {
        return Err(format!("crash shows no task of CPU {cpu}:\n{says}").into());
    }
    let registers = says.matches("RIP: ").count();
    if registers < cpus {
        return Err(format!("crash shows registers of {registers} of {cpus} CPUs:\n{says}").into());
    }
    Ok(format!("crash shows the panic, CPUs: {cpus}"))
}
