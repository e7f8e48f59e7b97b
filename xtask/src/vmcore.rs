//! `cargo xtask vmcore [NAME..]`: crashes real kernels and keeps what `/proc/vmcore` held, with the kernel's own
//! records of its pages taken just before.
//!
//! Each machine has a folder `vmcores/NAME` in the cache: `vmcore` (plain, sparse), `kpageflags`, `kpagecount`, `iomem`,
//! `buddyinfo`, `zoneinfo`, `meminfo`, `version`, `dmesg` (up to the crash), `canaries` (number, name and count of the
//! pages filled, see `xtask/guest`), `info`, `console`; where wanted also QEMU's own dumps of the running machine,
//! `qemu.elf` and `qemu.kdump`.

use std::fs;
use std::path::{Path, PathBuf};
use std::thread::sleep;
use std::time::{Duration, Instant};

use crate::boot;
use crate::cache;
use crate::guest::Guest;
use crate::kernels::Kernel;
use crate::machines::{MACHINES, Machine, RECIPE};
use crate::packages;
use crate::run::{Outcome, command, output, run};

/// The vmcore as it is.
const SAVE_RAW: &str = "tar cf /dev/vda -C /proc vmcore && echo 'kcapture: saved'; sync";

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
    let program = boot::guest_program()?;
    let capture = boot::capture_tree(&kernel, SAVE_RAW, &work)?;
    let initrd = boot::initial_ram_disk(&kernel, &program, &capture, &work)?;
    boot::disks(machine, &program, &work)?;
    let mut qemu = boot::qemu(machine, &kernel, &initrd, &work);
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

fn dump_guest_memory(file: &Path, format: &str) -> String {
    let file = file.display();
    format!(
        r#"{{"execute":"dump-guest-memory","arguments":{{"paging":false,"protocol":"file:{file}","format":"{format}"}}}}"#
    )
}

/// Takes the vmcore and the records off their disks.
fn collect(work: &Path, folder: &Path) -> Outcome<()> {
    let script = "set -o pipefail; tar -xOf \"$1\" vmcore | cp --sparse=always /dev/stdin \"$2\"";
    run(command(&["bash", "-c", script, "collect"])
        .arg(work.join("vmcore.disk"))
        .arg(folder.join("vmcore")))?;
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
