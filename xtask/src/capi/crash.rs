//! `crashload` and `mkdump` in their own trade: a real kernel loads a crash kernel with one, crashes, and is saved by the other.

use std::fs::{self, File};

use super::examples::Built;
use crate::boot::{self, INIT};
use crate::guest::Guest;
use crate::initramfs::Tree;
use crate::kernels::Kernel;
use crate::load::cell::Cell;
use crate::run::{Outcome, command, output, run};
use crate::{packages, targets};

/// The first kernel: an ordinary kernel is loaded and forgotten, then the crash kernel is.
const TASK: &str = "\
loaded() { echo \"kcapture: $(cat /sys/kernel/kexec_loaded) $(cat /sys/kernel/kexec_crash_loaded)\"; }
loaded
/crashload -l --initrd=/capture.gz --append='console=ttyS0' /vmlinuz || poweroff -f
loaded
/crashload -u || poweroff -f
/crashload -p --initrd=/capture.gz --command-line=irqpoll /vmlinuz || poweroff -f
loaded
/crashload -u -p || poweroff -f
loaded
/crashload -p --initrd=/capture.gz --reuse-cmdline --append='irqpoll nr_cpus=1 reset_devices' /vmlinuz || poweroff -f
loaded
rm -f /vmlinuz /capture.gz
echo c > /proc/sysrq-trigger";
/// Ordinary and crash kernel, after each of its steps.
const LOADED: [&str; 5] = ["0 0", "1 0", "0 1", "0 0", "0 1"];

/// The capture kernel.
const SAVE: &str = "\
echo \"kcapture: capture kernel: $(cat /proc/cmdline)\"
/coredesc /proc/vmcore | grep -v vmcoreinfo
/mkdump -F -l -d 31 /proc/vmcore > /dev/vda
echo \"kcapture: mkdump ended with $?\"
sync";

/// Crashes and saves; kcap opens what was saved.
pub(super) fn crash(programs: &Built, kcap: &std::path::Path) -> Outcome<()> {
    packages::install(packages::GUESTS)?;
    let cell = Cell { newer: false, levels5: false, cpus4: false, uefi: false, large: false };
    let kernel = Kernel::of(cell.kernel())?;
    let folder = targets::folder()?.join("capi/crash");
    let _ = fs::remove_dir_all(&folder);
    fs::create_dir_all(&folder)?;
    let capture = boot::capture_tree(&kernel, SAVE, &folder)?;
    for name in ["mkdump", "coredesc"] {
        capture.add(&programs.program(name), name)?;
    }
    let first = Tree::new(folder.join("boot"))?;
    first.add(&programs.program("crashload"), "crashload")?;
    first.add(&kernel.image(), "vmlinuz")?;
    first.add_script("init", &format!("{INIT}{TASK}\npoweroff -f\n"))?;
    capture.pack(&folder.join("boot/capture.gz"))?;
    first.pack(&folder.join("boot.gz"))?;
    let disk = folder.join("disk");
    File::create(&disk)?.set_len(256 << 20)?;

    let mut qemu = cell.qemu();
    qemu.arg("-kernel").arg(kernel.image()).arg("-initrd").arg(folder.join("boot.gz"));
    qemu.args(["-append", &format!("console=ttyS0 panic=5 {}", cell.reservation())]);
    qemu.arg("-drive").arg(format!("file={},format=raw,if=virtio,cache=unsafe", disk.display()));
    let mut guest = Guest::start(&mut qemu, &folder)?;
    let steps = guest.lines_until("Kernel panic")?;
    let steps: Vec<&str> =
        steps.iter().filter_map(|line| Some(line.split_once("kcapture: ")?.1.trim())).collect();
    if steps != LOADED {
        return Err(format!("crashload: the kernel had loaded {steps:?}, not {LOADED:?}").into());
    }
    guest.wait_for("Linux version")?;
    let capture = guest.lines_until("kcapture: mkdump ended with 0")?.concat();
    guest.wait_for_end()?;
    // The line of the first kernel without what is only its own, then what was asked for, then what the plan added.
    for wanted in [
        "capture kernel: console=ttyS0 panic=5 irqpoll nr_cpus=1 reset_devices elfcorehdr=",
        "note       CORE type 0x1",
    ] {
        if !capture.contains(wanted) {
            return Err(format!("the capture kernel does not say '{wanted}'\n{capture}").into());
        }
    }
    let dump = folder.join("dump");
    run(command(&[kcap]).args(["merge", "-f", "--message-level", "4"]).arg(&dump).arg(&disk))?;
    let log = output(command(&[kcap]).arg("dmesg").arg(&dump))?;
    let info = output(command(&[kcap]).arg("info").arg(&dump))?;
    if !info.contains(&kernel.release) || !log.contains("sysrq: Trigger a crash") {
        return Err(format!("{}: not a dump of the crash\n{info}", dump.display()).into());
    }
    println!(
        "crashload, a crash, mkdump: saved {} KiB of Linux {}",
        fs::metadata(&dump)?.len() >> 10,
        kernel.release
    );
    Ok(())
}
