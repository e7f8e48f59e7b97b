//! `cargo xtask fastboot`: leaves a running kernel for another one, without firmware: how long it takes, beside a cold
//! boot of the same machine.

use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use crate::boot::{self, INIT};
use crate::guest::Guest;
use crate::initramfs::Tree;
use crate::kernels::Kernel;
use crate::load::cell::Cell;
use crate::run::Outcome;
use crate::{packages, targets};

const LINE: &str = "console=ttyS0 panic=5 kcapture=next";

/// BIOS and UEFI machine, the older kernel starts the newer one.
pub(crate) fn run() -> Outcome<()> {
    packages::install(packages::GUESTS)?;
    let kcap = targets::build_kcap(Some(boot::TARGET))?;
    println!("firmware  cold boot to init  exec to init  saved");
    for uefi in [false, true] {
        let (cold, exec) = measure(uefi, &kcap)?;
        let saved = 100.0 * (1.0 - exec.as_secs_f64() / cold.as_secs_f64());
        println!(
            "{:<8} {:>16.1} s {:>11.1} s {saved:>5.0} %",
            if uefi { "UEFI" } else { "BIOS" },
            cold.as_secs_f64(),
            exec.as_secs_f64()
        );
    }
    println!("QEMU's firmware has no hardware to set up: of a large server's boot it is most");
    Ok(())
}

/// A cold boot of the kernel; then the other kernel starts it.
fn measure(uefi: bool, kcap: &Path) -> Outcome<(Duration, Duration)> {
    let cell = |newer| Cell { newer, levels5: false, cpus4: false, uefi, large: false };
    let folder = targets::folder()?.join("fastboot").join(if uefi { "uefi" } else { "bios" });
    let _ = fs::remove_dir_all(&folder);
    fs::create_dir_all(&folder)?;
    let (old, new) = (Kernel::of(cell(false).kernel())?, Kernel::of(cell(true).kernel())?);
    let next = Tree::new(folder.join("next"))?;
    next.add_script(
        "init",
        &format!("{INIT}echo \"kcapture: init of $(uname -r) $(cat /proc/cmdline)\"\npoweroff -f\n"),
    )?;
    next.pack(&folder.join("next.gz"))?;
    let first = Tree::new(folder.join("first"))?;
    first.add(kcap, "kcap")?;
    first.add(&new.image(), "vmlinuz")?;
    first.add(&folder.join("next.gz"), "next.gz")?;
    first.add_script(
        "init",
        &format!(
            "{INIT}/kcap load -l --serial ttyS0 --initrd /next.gz --append '{LINE}' /vmlinuz || poweroff -f
/kcap status
echo 'kcapture: exec'
/kcap exec
poweroff -f
"
        ),
    )?;
    first.pack(&folder.join("first.gz"))?;
    let init = format!("kcapture: init of {} {LINE}", new.release);

    let start = Instant::now();
    let mut qemu = cell(true).qemu();
    qemu.arg("-kernel").arg(new.image()).arg("-initrd").arg(folder.join("next.gz")).args(["-append", LINE]);
    let mut guest = Guest::start(&mut qemu, &folder)?;
    guest.wait_for(&init)?;
    let cold = start.elapsed();
    guest.wait_for_end()?;

    let mut qemu = cell(false).qemu();
    qemu.arg("-kernel").arg(old.image()).arg("-initrd").arg(folder.join("first.gz"));
    qemu.args(["-append", "console=ttyS0 panic=5"]);
    let mut guest = Guest::start(&mut qemu, &folder)?;
    guest.wait_for("kcapture: exec")?;
    let start = Instant::now();
    guest.wait_for(&init)?;
    let exec = start.elapsed();
    guest.wait_for_end()?;
    Ok((cold, exec))
}
