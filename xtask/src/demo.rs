//! `cargo xtask demo`: a real kernel crashes, the capture kernel saves it with our own `kcap`, crash opens the dump.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Instant;

use serde_json::Value;

use crate::guest::Guest;
use crate::kernels::Kernel;
use crate::machines::{MACHINES, Machine};
use crate::run::{Outcome, command, run as run_command};
use crate::{boot, oracles, packages, targets};

/// In the capture kernel: a file system on the disk, and one call of our own program.
const SAVE: &str = "\
mount -t ext4 /dev/vda /tmp
/kcap dump -l -d 31 --report /tmp/report.json /proc/vmcore /tmp/dump
echo \"kcapture: kcap ended with $?\"
umount /tmp && echo 'kcapture: saved'";

const QUESTIONS: &str = "sys\nbt\nps\nlog\nquit\n";
/// The log is long.
const LAST_LINES: usize = 5;

/// All of it.
pub(crate) fn run() -> Outcome<()> {
    let machine = MACHINES.first().ok_or("no machine")?;
    packages::install(&[packages::GUESTS, packages::DEMO].concat())?;
    let kernel = Kernel::of(machine.kernel)?;
    println!("kernel: Linux {} of Debian's package {}", kernel.release, machine.kernel);
    let vmlinux = kernel.vmlinux()?;
    println!("building kcap, linked statically");
    let kcap = oracles::build_kcap(Some(boot::TARGET))?;
    let folder = targets::folder()?.join("demo");
    let _ = fs::remove_dir_all(&folder);
    fs::create_dir_all(&folder)?;
    let seconds = crash_and_save(machine, &kernel, &kcap, &folder)?;
    let dump = folder.join("dump");
    take_off_disk(&folder, "dump")?;
    take_off_disk(&folder, "report.json")?;
    let report = serde_json::from_str(&fs::read_to_string(folder.join("report.json"))?)?;
    println!("from power on to power off: {seconds} s\n\n{}", summary(&report, fs::metadata(&dump)?.len()));
    let dump = dump.display().to_string();
    println!("what crash says of {dump}:\n");
    let says = oracles::ask_crash(&vmlinux, &[dump], QUESTIONS, &folder.join("questions"))?;
    let log = says.find("] Linux version").and_then(|at| says[..at].rfind('\n')).unwrap_or(says.len());
    let (answers, log) = says.split_at(log);
    let lines: Vec<&str> = log.trim().lines().collect();
    let skipped = lines.len().saturating_sub(LAST_LINES);
    println!("{answers}\n[{skipped} lines of the kernel's log]\n{}", lines[skipped..].join("\n"));
    if says.contains("PANIC:") { Ok(()) } else { Err("crash did not open the dump".into()) }
}

fn crash_and_save(machine: &Machine, kernel: &Kernel, kcap: &Path, folder: &Path) -> Outcome<u64> {
    let program = boot::guest_program()?;
    let capture = boot::capture_tree(kernel, SAVE, folder)?;
    capture.add(kcap, "kcap")?;
    let initrd = boot::initial_ram_disk(kernel, &program, &capture, folder)?;
    boot::disks(machine, &program, folder)?;
    let mke2fs = ["/sbin/mke2fs", "-q", "-F", "-t", "ext4"];
    run_command(command(&mke2fs).arg(folder.join("vmcore.disk")))?;
    let start = Instant::now();
    println!("booting it under QEMU, {} MiB of memory", machine.memory_mib);
    let mut guest = Guest::start(&mut boot::qemu(machine, kernel, &initrd, folder), folder)?;
    guest.wait_for("kcapture: ready")?;
    println!("it runs; its memory is filled; crashing it: echo c > /proc/sysrq-trigger");
    guest.type_line("crash")?;
    guest.wait_for("Kernel panic")?;
    guest.wait_for("Linux version")?;
    println!("the capture kernel boots; it runs kcap dump -l -d 31 /proc/vmcore dump");
    guest.wait_for("kcapture: kcap ended with 0")?;
    guest.wait_for("kcapture: saved")?;
    guest.wait_for_end()?;
    Ok(start.elapsed().as_secs())
}

/// Copies a file out of the ext4 image, without mounting it.
fn take_off_disk(folder: &Path, name: &str) -> Outcome<PathBuf> {
    let file = folder.join(name);
    let request = format!("dump /{name} {}", file.display());
    let output = command(&["/sbin/debugfs", "-R", &request]).arg(folder.join("vmcore.disk")).output()?;
    if file.exists() { Ok(file) } else { Err(String::from_utf8_lossy(&output.stderr).into()) }
}

/// What was kept and left out, size, time, memory, as `kcap` reported it from inside the capture kernel.
fn summary(report: &Value, size: u64) -> String {
    let number = |pointer: &str| report.pointer(pointer).and_then(Value::as_u64).unwrap_or_default();
    let mib = |bytes: u64| bytes.div_ceil(1 << 20);
    let mut text = format!("{:<14} {:>9} {:>9} {:>9}\n", "kind of page", "pages", "kept", "left out");
    for kind in report.pointer("/kinds").and_then(Value::as_array).into_iter().flatten() {
        let field = |name: &str| kind.get(name).and_then(Value::as_u64).unwrap_or_default();
        let name = kind.get("kind").and_then(Value::as_str).unwrap_or_default();
        let (pages, kept, left_out) = (field("pages"), field("kept"), field("left_out"));
        text.push_str(&format!("{name:<14} {pages:>9} {kept:>9} {left_out:>9}\n"));
    }
    let seconds: f64 = report
        .pointer("/phases")
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
        .filter_map(|phase| phase.get("seconds")?.as_f64())
        .sum();
    let (memory, kept) = (mib(number("/pages/known/bytes")), mib(number("/pages/kept/bytes")));
    let peak = mib(number("/peak_memory"));
    text.push_str(&format!(
        "\nmemory of the crashed machine {memory} MiB, kept {kept} MiB, dump {} MiB\n\
         time in the capture kernel {seconds:.1} s (software emulation), memory used by kcap {peak} MiB\n",
        mib(size)
    ));
    text
}
