//! What a machine boots that is to crash: RAM disks, disks, QEMU's command line. Two kernels run in it, the one that
//! crashes and the capture kernel.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::initramfs::Tree;
use crate::kernels::Kernel;
use crate::machines::Machine;
use crate::run::{Outcome, command, run};
use crate::targets;

/// Programs of the guests are linked statically for this target.
pub(crate) const TARGET: &str = "x86_64-unknown-linux-musl";

/// Both kernels begin here.
const INIT: &str = r#"#!/bin/busybox sh
/bin/busybox --install -s /bin
export PATH=/bin
mount -t proc proc /proc
mount -t sysfs sysfs /sys
mount -t devtmpfs dev /dev
for module in /modules/*.ko; do insmod $module; done
"#;

/// Dirty pages must stay dirty: nothing writes them back. A few processes are there to be listed.
const CRASH: &str = r#"
mount -t tmpfs tmp /tmp
mount -t tmpfs -o huge=always huge /huge
mount -t ext4 -o commit=600 /dev/vdc /ext4-1k
mount -t ext4 -o commit=600 /dev/vdd /ext4-4k
echo 0 > /proc/sys/vm/dirty_writeback_centisecs
/sbin/kexec -p /vmlinuz --initrd=/capture.gz --append='console=ttyS0 irqpoll nr_cpus=1 reset_devices panic=5' || poweroff -f
rm /vmlinuz /capture.gz
sleep 1000 &
cat /dev/zero > /dev/null &
dmesg > /dmesg
/guest fill
poweroff -f
"#;

/// The program that fills pages, linked statically.
pub(crate) fn guest_program() -> Outcome<PathBuf> {
    targets::add(TARGET)?;
    let package = ["build", "--quiet", "--release", "--package", "kcapture-guest", "--target", TARGET];
    run(command(&[targets::cargo()]).args(package))?;
    Ok(targets::folder()?.join(TARGET).join("release/kcapture-guest"))
}

/// The capture kernel's RAM disk, before it is packed: `save` is what its init does with `/proc/vmcore`.
pub(crate) fn capture_tree(kernel: &Kernel, save: &str, work: &Path) -> Outcome<Tree> {
    let capture = Tree::new(work.join("capture"))?;
    capture.add_modules(kernel, true)?;
    capture
        .add_script("init", &format!("{INIT}\nif [ -e /proc/vmcore ]; then\n{save}\nfi\npoweroff -f\n"))?;
    Ok(capture)
}

/// The first kernel's RAM disk, which holds the capture kernel and its own.
pub(crate) fn initial_ram_disk(
    kernel: &Kernel,
    program: &Path,
    capture: &Tree,
    work: &Path,
) -> Outcome<PathBuf> {
    let boot = Tree::new(work.join("boot"))?;
    boot.add_modules(kernel, false)?;
    boot.add_linked("/sbin/kexec")?;
    boot.add(program, "guest")?;
    boot.add(&kernel.image(), "vmlinuz")?;
    boot.add_script("init", &format!("{INIT}{CRASH}"))?;
    capture.pack(&work.join("boot/capture.gz"))?;
    let initrd = work.join("boot.gz");
    boot.pack(&initrd)?;
    Ok(initrd)
}

/// Four disks: the vmcore (holding canary pages until then), the records, ext4 with blocks of 1 KiB and of 4 KiB.
pub(crate) fn disks(machine: &Machine, program: &Path, work: &Path) -> Outcome<()> {
    let canaries =
        |kind: &str, count: &str, path: &Path| run(command(&[program]).args(["file", kind, count]).arg(path));
    canaries("bdev", "256", &work.join("vmcore.disk"))?;
    resize(&work.join("vmcore.disk"), u64::from(machine.memory_mib) + 64)?;
    resize(&work.join("records.disk"), 64)?;
    for (name, kind, block) in [("ext4-1k", "ext4-1k", "1024"), ("ext4-4k", "ext4-4k", "4096")] {
        let files = work.join(name);
        fs::create_dir(&files)?;
        canaries(kind, "512", &files.join("clean"))?;
        let mke2fs = ["/sbin/mke2fs", "-q", "-t", "ext4", "-b", block, "-d"];
        let disk = work.join(format!("{name}.disk"));
        resize(&disk, 24)?;
        run(command(&mke2fs).arg(&files).arg(&disk))?;
    }
    Ok(())
}

fn resize(disk: &Path, mib: u64) -> Outcome<()> {
    Ok(File::options().create(true).truncate(false).write(true).open(disk)?.set_len(mib << 20)?)
}

/// QEMU with the machine's hardware and disks.
pub(crate) fn qemu(machine: &Machine, kernel: &Kernel, initrd: &Path, work: &Path) -> Command {
    let mut qemu = command(&["qemu-system-x86_64"]);
    qemu.args(machine.qemu.split_whitespace()).args(["-m", &format!("{}M", machine.memory_mib)]);
    qemu.args(["-device", "vmcoreinfo", "-device", "virtio-balloon-pci", "-nic", "none"]);
    qemu.arg("-kernel").arg(kernel.image()).arg("-initrd").arg(initrd);
    qemu.args(["-append", &format!("console=ttyS0 panic=5 {}", machine.command_line)]);
    for disk in ["vmcore", "records", "ext4-1k", "ext4-4k"] {
        let file = work.join(format!("{disk}.disk"));
        qemu.arg("-drive").arg(format!("file={},format=raw,if=virtio,cache=unsafe", file.display()));
    }
    qemu
}
