//! Memory that is added after the crash kernel was loaded: a DIMM, and memory of virtio-mem. A running kernel that keeps the
//! elfcorehdr up to date is left alone; elsewhere `kcap watch` loads again. What a program wrote to the new memory is in the
//! dump, at the physical addresses where it lay.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use serde_json::{Value, json};

use super::cell::Cell;
use super::guest_disks::Prepared;
use super::hot_removed::saved;
use super::machine::{Programs, SAVED};
use super::{CAPTURE, folder};
use crate::guest::Guest;
use crate::kernels::Kernel;
use crate::run::{Outcome, command, run};

/// One machine.
#[derive(Debug)]
pub(super) struct Case {
    pub(super) name: &'static str,
    newer: bool,
    /// Lines of the shell that load, and what they must say on the console, in this order.
    load: &'static str,
    says: &'static [&'static str],
    /// Lines between the arrival of the memory and the crash.
    wait: &'static str,
}

/// LOAD stands for the images and the command line.
pub(super) const CASES: &[Case] = &[
    Case {
        name: "hot-added-6.12",
        newer: true,
        load: "\
/kcap load -s -p --hotplug LOAD; echo \"kcapture: by the kernel $?\"
/kcap load -p --hotplug --json LOAD > /tmp/plan || poweroff -f
echo \"kcapture: $(grep '\"flags\"' /tmp/plan)\"
/kcap watch --hotplug LOAD; echo \"kcapture: watch ended with $?\"",
        // KEXEC_ARCH_X86_64 << 16 | KEXEC_CRASH_HOTPLUG_SUPPORT | KEXEC_ON_CRASH
        says: &[
            "kcapture: by the kernel 0",
            "\"flags\": 4063241",
            "nothing to watch: ",
            "kcapture: watch ended with 0",
        ],
        wait: "",
    },
    Case {
        name: "hot-added-6.1",
        newer: false,
        load: "\
/kcap load -p --hotplug LOAD; echo \"kcapture: refused with $?\"
/kcap load -s -p --hotplug LOAD; echo \"kcapture: refused with $?\"
/kcap load -p LOAD || poweroff -f
touch /tmp/watch
/kcap watch --hotplug LOAD > /tmp/watch &
while ! grep -q ^loaded: /tmp/watch; do sleep 0.1; done",
        says: &["kcap watch", "kcapture: refused with 1", "kcap watch", "kcapture: refused with 1"],
        wait: "\
blocks=$(ls -d /sys/devices/system/memory/memory* | wc -l)
while ! grep -q \"again after .*: $blocks memory blocks\" /tmp/watch; do sleep 0.1; done
cat /tmp/watch",
    },
];

/// What is added goes to a zone that nothing but user memory uses, which uses it first.
const FIRST_LINE: &str = "console=ttyS0 panic=5 crashkernel=192M memhp_default_state=online_movable";
const MEMORY: [&str; 6] = [
    "-m",
    "slots=2,maxmem=2G",
    "-object",
    "memory-backend-ram,id=vm,size=128M",
    "-device",
    "virtio-mem-pci,id=virtio-mem,memdev=vm,requested-size=0",
];
const ADD: [&str; 3] = [
    r#"{"execute":"object-add","arguments":{"qom-type":"memory-backend-ram","id":"m1","size":134217728}}"#,
    r#"{"execute":"device_add","arguments":{"driver":"pc-dimm","id":"d1","memdev":"m1"}}"#,
    r#"{"execute":"qom-set","arguments":{"path":"/machine/peripheral/virtio-mem","property":"requested-size",
"value":134217728}}"#,
];

/// What is saved: all but free pages, the page cache and pages of zeros. The second disk takes the report.
const SAVE: &str = "\
/kcap dump -F -l -d 23 --message-level 22 --report /tmp/report /proc/vmcore > /dev/vda
echo \"kcapture: kcap ended with $?\"
cat /tmp/report > /dev/vdb
sync";

/// Takes more memory than either brings.
const MIB: u32 = 160;

/// The memory has come when there are two lines more of `System RAM`, and each one's block is online.
fn task(case: &Case) -> String {
    let load = format!("--initrd /capture.gz --append '{CAPTURE} acpi_no_memhotplug' /vmlinuz");
    format!(
        "\
{load}
grep 'System RAM' /proc/iomem > /tmp/before
echo 'kcapture: loaded'
new() {{ grep 'System RAM' /proc/iomem | grep -v -x -F -f /tmp/before; }}
while [ $(new | wc -l) != 2 ]; do sleep 0.1; done
ranges=$(new | sed 's/^ *//; s/ .*//')
for range in $ranges; do
block=/sys/devices/system/memory/memory$((0x${{range%%-*}} / 0x$(cat /sys/devices/system/memory/block_size_bytes)))
while [ $(cat $block/state) != online ]; do sleep 0.1; done
done
new
{wait}
/guest place {MIB} $ranges
echo 'kcapture: no crash'",
        load = case.load.replace("LOAD", &load),
        wait = case.wait,
    )
}

/// Adds memory, crashes, and looks for what was in it; says what was seen.
pub(super) fn check(case: &Case, programs: &Programs) -> Outcome<String> {
    let cell = Cell { newer: case.newer, levels5: false, cpus4: false, uefi: false, large: false };
    let kernel = Kernel::of(cell.kernel())?;
    let module = kernel.module("virtio_mem")?.ok_or("the kernel has no virtio_mem")?;
    let prepared =
        Prepared::with_save(kernel, &programs.of_guests, &task(case), SAVE, folder(case.name)?, |boot| {
            fs::copy(&programs.guest, boot.join("guest"))?;
            unpack(&module, &boot.join("modules/99-virtio_mem.ko"))
        })?;
    let mut qemu = prepared.qemu(cell);
    qemu.args(["-append", FIRST_LINE]).args(MEMORY);
    let mut guest = Guest::start(&mut qemu, &prepared.folder)?;
    said(&guest.lines_until("kcapture: loaded")?, case.says)?;
    guest.monitor(&ADD.map(|command| command.replace('\n', "")))?;
    let console = guest.lines_until("Kernel panic")?;
    guest.wait_for(SAVED)?;
    guest.wait_for_end()?;
    drop(guest);
    nothing_is_missing(&fs::read(prepared.folder.join("headers"))?)?;
    let dump = saved(&prepared.folder, &programs.own)?;
    let found = canaries(&console, &dump, &programs.own)?;
    let added = console.iter().filter(|line| line.contains("System RAM")).map(|line| line.trim());
    let added: Vec<&str> = added.collect();
    Ok(format!("\n        {found} pages as they were written; added: {}", added.join(", ")))
}

/// A module as the kernel loads it.
fn unpack(module: &Path, to: &PathBuf) -> Outcome<()> {
    if module.extension().is_some_and(|extension| extension == "xz") {
        let file = fs::File::create(to)?;
        return run(command(&["xz", "--decompress", "--stdout"]).arg(module).stdout(Stdio::from(file)));
    }
    fs::copy(module, to)?;
    Ok(())
}

/// The console has these texts in this order.
fn said(console: &[String], wanted: &[&str]) -> Outcome<()> {
    let mut lines = console.iter();
    for text in wanted {
        if !lines.any(|line| line.contains(text)) {
            return Err(format!("the console does not say '{text}':\n{}", console.concat()).into());
        }
    }
    Ok(())
}

/// The report has no memory that the capture kernel was not told of, and none that is not there.
fn nothing_is_missing(disk: &[u8]) -> Outcome<()> {
    let end = disk.iter().position(|byte| *byte == 0).unwrap_or(disk.len());
    let report: Value = serde_json::from_slice(disk.get(..end).unwrap_or_default())?;
    let sections = &report["sections"];
    let wanted = ["missing", "removed", "unreadable", "offline"].map(|what| (what, &sections[what]["pages"]));
    for (what, found) in wanted.into_iter().chain([("lost", &report["pages"]["lost"]["pages"])]) {
        if *found != json!(0) {
            return Err(format!("the report's {what}: {found} pages\n{report:#}").into());
        }
    }
    if report["outcome"] == json!("complete") { Ok(()) } else { Err(format!("{report:#}").into()) }
}

/// Every page that the guest named is in the dump as it was written; says how many.
fn canaries(console: &[String], dump: &Path, kcap: &Path) -> Outcome<usize> {
    let written: Vec<(u32, u64)> = console.iter().filter_map(|line| canary(line)).collect();
    // Eight in the DIMM, eight in virtio-mem's.
    if written.len() != 16 {
        return Err(format!("{} pages were written:\n{}", written.len(), console.concat()).into());
    }
    for (index, paddr) in &written {
        let mut read = command(&[kcap]);
        read.args(["read", "--paddr", &paddr.to_string(), "--len", "4096"]).arg(dump);
        if read.stderr(Stdio::inherit()).output()?.stdout != page(*index) {
            return Err(format!("page {index} at {paddr:#x} is not as it was written").into());
        }
    }
    Ok(written.len())
}

/// `kcapture: canary INDEX 0xADDRESS`
fn canary(line: &str) -> Option<(u32, u64)> {
    let (index, paddr) = line.split_once("kcapture: canary ")?.1.trim().split_once(' ')?;
    Some((index.parse().ok()?, u64::from_str_radix(paddr.strip_prefix("0x")?, 16).ok()?))
}

/// An anonymous canary page, as the guest's program documents it.
fn page(index: u32) -> Vec<u8> {
    const ANONYMOUS: u32 = 1;
    let words = (2..512).map(|word| u64::from(ANONYMOUS) << 48 | u64::from(index) << 16 | word);
    let start = b"kcCANARY".iter().copied().chain(ANONYMOUS.to_le_bytes()).chain(index.to_le_bytes());
    start.chain(words.flat_map(u64::to_le_bytes)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_canary_is_an_index_and_an_address() {
        assert_eq!(canary("[3.1] kcapture: canary 17 0x108001000\r\n"), Some((17, 0x1_0800_1000)));
        assert_eq!(canary("kcapture: canary 17"), None);
        assert_eq!(page(3).len(), 4096);
    }
}
