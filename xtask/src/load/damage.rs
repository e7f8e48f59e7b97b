//! Bytes of the loaded kernel that change before it is needed: the purgatory finds them, and does what it was told.

use std::path::Path;
use std::time::Duration;

use serde_json::Value;

use super::cell::Cell;
use super::folder;
use super::guest_disks::Prepared;
use super::loaders::load_and_crash;
use super::machine::SAVED;
use crate::guest::Guest;
use crate::kernels::Kernel;
use crate::run::{Outcome, command};

type Check = fn(&Path) -> Outcome<()>;

/// By name.
pub(super) const CHECKS: &[(&str, Check)] = &[
    ("changed-kernel-reset", |kcap| changed(kcap, "--on-mismatch reset", "kernel", Then::Resets)),
    ("changed-initrd-halt", |kcap| changed(kcap, "--on-mismatch halt", "initrd", Then::Halts)),
    ("changed-elfcorehdr-reset", |kcap| changed(kcap, "--on-mismatch reset", "elfcorehdr", Then::Resets)),
    ("changed-seed-continue", |kcap| changed(kcap, "--on-mismatch continue", "boot_params", Then::GoesOn)),
    ("changed-elfcorehdr-hotplug", |kcap| changed(kcap, "--hotplug", "elfcorehdr", Then::Boots)),
];

/// What the machine does after the crash.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Then {
    Resets,
    Halts,
    /// The purgatory sees it, and starts the kernel.
    GoesOn,
    /// Nobody minds.
    Boots,
}

/// The purgatory's lines on the console.
const MISMATCH: &str = "purgatory: SHA-256 mismatch";
const ENTERING: &str = "purgatory: entering the kernel";
/// The purgatory speaks within a second; a kernel that starts nevertheless speaks within five.
const SILENCE: Duration = Duration::from_secs(8);

fn changed(kcap: &Path, options: &str, kind: &str, then: Then) -> Outcome<()> {
    let cell = Cell { newer: true, levels5: false, cpus4: false, uefi: false, large: false };
    let task = load_and_crash(options);
    let name = format!("changed-{kind}-{then:?}");
    let prepared = Prepared::new(Kernel::of(cell.kernel())?, kcap, &task, folder(&name)?)?;
    let stub = prepared.folder.join("gdb");
    let mut qemu = prepared.qemu(cell);
    qemu.arg("-gdb").arg(format!("unix:{},server=on,wait=off", stub.display()));
    let mut guest = Guest::start(&mut qemu, &prepared.folder)?;
    let console = guest.lines_until("kcapture: loaded")?;
    change_byte(&stub, last_byte(&console, kind)?)?;
    guest.type_line("crash")?;
    guest.wait_for("Kernel panic")?;
    let before = guest.lines_until(if then == Then::Boots { ENTERING } else { MISMATCH })?;
    match then {
        Then::Boots | Then::GoesOn => {
            if before.iter().any(|line| line.contains(MISMATCH)) {
                return Err("the purgatory minds a change of the elfcorehdr".into());
            }
            guest.wait_for(SAVED)?;
            guest.wait_for_end()
        }
        // QEMU ends where the machine would start anew.
        Then::Resets => no_kernel_in(&guest.lines_until_end()?),
        Then::Halts => {
            no_kernel_in(&guest.lines_for(SILENCE))?;
            guest.is_halted()
        }
    }
}

fn no_kernel_in(lines: &[String]) -> Outcome<()> {
    match lines.iter().find(|line| line.contains("Linux version") || line.contains("kcapture:")) {
        None => Ok(()),
        Some(line) => Err(format!("the damaged kernel runs: {line}").into()),
    }
}

/// The address of the last byte of the file in a segment of the plan.
fn last_byte(console: &[String], kind: &str) -> Outcome<u64> {
    let lines = console.iter().skip_while(|line| !line.contains("kcapture: plan")).skip(1);
    let text: String =
        lines.take_while(|line| !line.contains("kcapture: end of plan")).map(String::as_str).collect();
    let plan: Value = serde_json::from_str(&text)?;
    let segments = plan.get("segments").and_then(Value::as_array).ok_or("the plan has no segments")?;
    let segment = segments.iter().find(|segment| segment["kind"] == kind).ok_or("no such segment")?;
    let number = |name: &str| segment[name].as_u64().ok_or_else(|| format!("the segment has no {name}"));
    Ok(number("mem")? + number("bufsz")? - 1)
}

/// Through QEMU's gdb stub, in physical memory.
fn change_byte(stub: &Path, address: u64) -> Outcome<()> {
    let mut gdb = command(&["gdb", "-nx", "-batch"]);
    for line in [
        "set architecture i386:x86-64".to_owned(),
        format!("target remote {}", stub.display()),
        "maintenance packet Qqemu.PhyMemMode:1".to_owned(),
        format!("set {{unsigned char}}{address:#x} = *(unsigned char *){address:#x} ^ 0xff"),
        "detach".to_owned(),
    ] {
        gdb.args(["-ex", &line]);
    }
    let said = gdb.output()?;
    let (said, error) = (String::from_utf8_lossy(&said.stdout), String::from_utf8_lossy(&said.stderr));
    if said.contains("received: \"OK\"") { Ok(()) } else { Err(format!("gdb: {said}{error}").into()) }
}
