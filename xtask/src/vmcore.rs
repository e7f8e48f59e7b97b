//! `cargo xtask vmcore [NAME..]`: crashes real kernels and keeps what `/proc/vmcore` held, with the kernel's own
//! records of its pages taken just before.
//!
//! Each machine has a folder `vmcores/NAME` in the cache: `vmcore` (plain, sparse), `kpageflags`, `kpagecount`, `iomem`,
//! `buddyinfo`, `zoneinfo`, `meminfo`, `version`, `dmesg` (up to the crash), `canaries` (number, name and count of the
//! pages filled, see `xtask/guest`), `info`, `console`; where wanted also QEMU's own dumps of the running machine,
//! `qemu.elf` and `qemu.kdump`.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::thread::sleep;
use std::time::{Duration, Instant};

use crate::cache;
use crate::guest::Guest;
use crate::initramfs::Tree;
use crate::kernels::Kernel;
use crate::machines::{MACHINES, Machine, RECIPE};
use crate::packages;
use crate::run::{Outcome, command, output, run};

const TARGET: &str = "x86_64-unknown-linux-musl";

/// Both kernels begin here.
const INIT: &str = r#"#!/bin/busybox sh
/bin/busybox --install -s /bin
export PATH=/bin
mount -t proc proc /proc
mount -t sysfs sysfs /sys
mount -t devtmpfs dev /dev
for module in /modules/*.ko; do insmod $module; done
"#;

const SAVE_RAW: &str = "
if [ -e /proc/vmcore ]; then
    tar cf /dev/vda -C /proc vmcore && echo 'kcapture: saved'
    sync
fi
poweroff -f
";

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

/// Makes the vmcores of the named machines, or of all; those in the cache are left as they are.
pub(crate) fn make(names: &[&str]) -> Outcome<()> {
    if let Some(unknown) = names.iter().find(|name| !MACHINES.iter().any(|machine| machine.name == **name)) {
        let known: Vec<&str> = MACHINES.iter().map(|machine| machine.name).collect();
        return Err(format!("no machine {unknown}; known: {}", known.join(" ")).into());
    }
    for machine in MACHINES.iter().filter(|machine| names.is_empty() || names.contains(&machine.name)) {
        let folder = folder_of(machine)?;
        println!("{}", folder.display());
    }
    Ok(())
}

/// The folder with a machine's vmcore, made first if the cache does not have it.
pub(crate) fn folder_of(machine: &Machine) -> Outcome<PathBuf> {
    let folder = cache::folder("vmcores")?.join(machine.name);
    let recipe = format!("recipe {RECIPE}\n");
    if !fs::read_to_string(folder.join("info")).is_ok_and(|info| info.starts_with(&recipe)) {
        cache::empty(&folder)?;
    }
    cache::fill(&folder, |unfinished| {
        packages::install(packages::GUESTS)?;
        crash(machine, unfinished)
    })?;
    Ok(folder)
}

fn crash(machine: &Machine, folder: &Path) -> Outcome<()> {
    let start = Instant::now();
    let kernel = Kernel::of(machine.kernel)?;
    println!("{}: crashing Linux {}", machine.name, kernel.release);
    let work = folder.join("work");
    fs::create_dir(&work)?;
    let program = guest_program()?;
    let initrd = initial_ram_disk(&kernel, &program, &work)?;
    disks(machine, &program, &work)?;
    let mut qemu = qemu(machine, &kernel, &initrd, &work);
    let mut guest = Guest::start(&mut qemu, &work)?;
    guest.wait_for("kcapture: ready")?;
    if machine.dump_guest_memory {
        // Stopped, so that both hold the same memory.
        guest.monitor(&[
            r#"{"execute":"stop"}"#.to_owned(),
            dump_guest_memory(&folder.join("qemu.elf"), "elf"),
            dump_guest_memory(&folder.join("qemu.kdump"), "kdump-zlib"),
            r#"{"execute":"cont"}"#.to_owned(),
        ])?;
    }
    if machine.balloon_mib > 0 {
        let left = (u64::from(machine.memory_mib) - u64::from(machine.balloon_mib)) << 20;
        guest.monitor(&[format!(r#"{{"execute":"balloon","arguments":{{"value":{left}}}}}"#)])?;
        // The guest's driver takes the pages at its own pace.
        sleep(Duration::from_secs(3));
    }
    guest.type_line("crash")?;
    guest.wait_for("kcapture: saved")?;
    guest.wait_for_end()?;
    collect(&work, folder)?;
    fs::write(folder.join("info"), info(machine, &kernel))?;
    fs::remove_dir_all(&work)?;
    println!("{}: {} s", machine.name, start.elapsed().as_secs());
    Ok(())
}

/// The program that fills pages, linked statically.
fn guest_program() -> Outcome<PathBuf> {
    crate::targets::add(TARGET)?;
    let package = ["build", "--quiet", "--release", "--package", "kcapture-guest", "--target", TARGET];
    run(command(&[crate::targets::cargo()]).args(package))?;
    Ok(crate::targets::folder()?.join(TARGET).join("release/kcapture-guest"))
}

/// The first kernel's RAM disk, which holds the capture kernel and its own.
fn initial_ram_disk(kernel: &Kernel, program: &Path, work: &Path) -> Outcome<PathBuf> {
    let capture = Tree::new(work.join("capture"))?;
    capture.add_modules(kernel, true)?;
    capture.add_script("init", &format!("{INIT}{SAVE_RAW}"))?;
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
fn disks(machine: &Machine, program: &Path, work: &Path) -> Outcome<()> {
    let canaries = |kind: &str, count: &str, path: &Path| {
        run(command(&[program]).args(["file", kind, count]).arg(path))
    };
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

fn qemu(machine: &Machine, kernel: &Kernel, initrd: &Path, work: &Path) -> std::process::Command {
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

fn dump_guest_memory(file: &Path, format: &str) -> String {
    let file = file.display();
    format!(
        r#"{{"execute":"dump-guest-memory","arguments":{{"paging":false,"protocol":"file:{file}","format":"{format}"}}}}"#
    )
}

/// Takes the vmcore and the records off their disks.
fn collect(work: &Path, folder: &Path) -> Outcome<()> {
    let script = "set -o pipefail; tar -xOf \"$1\" vmcore | cp --sparse=always /dev/stdin \"$2\"";
    run(command(&["bash", "-c", script, "collect"]).arg(work.join("vmcore.disk")).arg(folder.join("vmcore")))?;
    run(command(&["tar", "-xf"]).arg(work.join("records.disk")).arg("-C").arg(folder))?;
    fs::rename(work.join("console"), folder.join("console"))?;
    let qemus = folder.join("qemu.elf");
    if qemus.exists() {
        let sparse = work.join("qemu.elf");
        run(command(&["cp", "--sparse=always"]).arg(&qemus).arg(&sparse))?;
        fs::rename(sparse, qemus)?;
    }
    Ok(())
}

fn info(machine: &Machine, kernel: &Kernel) -> String {
    let version = output(command(&["qemu-system-x86_64", "--version"])).unwrap_or_default();
    format!(
        "recipe {RECIPE}\nmachine {}\nkernel {}\nmemory {} MiB\nqemu {}\ncommand line {}\n{}\n",
        machine.name,
        kernel.release,
        machine.memory_mib,
        machine.qemu,
        machine.command_line,
        version.lines().next().unwrap_or_default()
    )
}
