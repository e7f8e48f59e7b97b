//! Memory that is removed after the crash kernel was loaded: the elfcorehdr still has it, and so has `/proc/vmcore`. It costs
//! itself and nothing else, and the report names it.
//!
//! So it is with Linux 6.12 too where it keeps the elfcorehdr up to date: it writes a new one when memory goes offline, from
//! a memory map that the memory leaves a moment later.

use std::fs;
use std::path::Path;
use std::process::Stdio;

use serde_json::{Value, json};

use super::cell::Cell;
use super::debuggers::crash_sees;
use super::guest_disks::Prepared;
use super::machine::{Programs, SAVED};
use super::{CAPTURE, folder};
use crate::guest::Guest;
use crate::kernels::Kernel;
use crate::run::{Outcome, command, run};

/// One machine.
#[derive(Debug)]
pub(super) struct Case {
    pub(super) name: &'static str,
    /// The newer kernel, which keeps the elfcorehdr up to date.
    newer: bool,
}

pub(super) const CASES: &[Case] =
    &[Case { name: "hot-removed", newer: false }, Case { name: "hot-removed-6.12", newer: true }];

/// The DIMM is memory of its own from the start, in a zone that can be emptied.
const FIRST_LINE: &str = "console=ttyS0 panic=5 crashkernel=192M memhp_default_state=online_movable";
/// Above all memory that is there without it; one section.
const DIMM: [&str; 6] = [
    "-m",
    "slots=2,maxmem=2G",
    "-object",
    "memory-backend-ram,id=m1,size=128M",
    "-device",
    "pc-dimm,id=d1,memdev=m1",
];

/// As on the other machines; the second disk takes the report.
const SAVE: &str = "\
/kcap dump -F -l -d 31 --message-level 22 --report /tmp/report /proc/vmcore > /dev/vda
echo \"kcapture: kcap ended with $?\"
cat /tmp/report > /dev/vdb
sync";

/// Loads by `kexec_load`, so that the kernel keeps the elfcorehdr up to date only with --hotplug; gives the DIMM back;
/// crashes once it is gone. The last line of `System RAM` is the DIMM, whose memory block is named by its number.
fn task(options: &str) -> String {
    format!(
        "\
ram=$(grep 'System RAM' /proc/iomem | tail -n 1)
echo \"kcapture: dimm $ram\"
block=/sys/devices/system/memory/memory$((0x${{ram%%-*}} / 0x$(cat /sys/devices/system/memory/block_size_bytes)))
echo \"kcapture: block $block $(cat $block/state)\"
/kcap load -p {options} --initrd /capture.gz --append '{CAPTURE} acpi_no_memhotplug' /vmlinuz || poweroff -f
echo offline > $block/state || poweroff -f
echo 'kcapture: offline'
while [ -e $block ]; do sleep 0.2; done
echo 'kcapture: removed'
rm -f /vmlinuz /capture.gz
echo c > /proc/sysrq-trigger"
    )
}

/// Removes memory, crashes, and looks at what is left; says what was seen.
pub(super) fn check(case: &Case, programs: &Programs) -> Outcome<String> {
    let cell = Cell { newer: case.newer, levels5: false, cpus4: false, uefi: false, large: false };
    let kernel = Kernel::of(cell.kernel())?;
    let task = task(if case.newer { "--hotplug" } else { "" });
    let prepared =
        Prepared::with_save(kernel, &programs.of_guests, &task, SAVE, folder(case.name)?, |_| Ok(()))?;
    let mut qemu = prepared.qemu(cell);
    qemu.args(["-append", FIRST_LINE]).args(DIMM);
    let mut guest = Guest::start(&mut qemu, &prepared.folder)?;
    let console = guest.lines_until("kcapture: offline")?;
    let dimm =
        console.iter().find_map(|line| frames(line)).ok_or("the kernel does not say where the DIMM is")?;
    guest.monitor(&[r#"{"execute":"device_del","arguments":{"id":"d1"}}"#.to_owned()])?;
    guest.wait_for("kcapture: removed")?;
    guest.wait_for("Kernel panic")?;
    guest.wait_for(SAVED)?;
    guest.wait_for_end()?;
    drop(guest);
    named(&fs::read(prepared.folder.join("headers"))?, &dimm)?;
    let dump = saved(&prepared.folder, &programs.own)?;
    let removed = format!("\n        the report names frames {} to {}", dimm.0, dimm.1);
    if case.newer {
        // crash (8.0.2) opens no dump of this kernel.
        run(command(&[&programs.own]).arg("verify").arg(&dump).stdout(Stdio::null()))?;
        return Ok(removed);
    }
    let vmlinux = prepared.kernel.vmlinux()?;
    let seen = crash_sees(&vmlinux, cell, &dump, &prepared.folder.join("questions"))?;
    Ok(format!("{removed}; {seen}"))
}

/// `kcapture: dimm 100000000-107ffffff : System RAM`, as page frames in the report's words.
fn frames(line: &str) -> Option<(String, String)> {
    let (start, last) = line.split_once("kcapture: dimm ")?.1.split_once(" : ")?.0.split_once('-')?;
    let number = |digits| u64::from_str_radix(digits, 16).ok();
    Some((format!("{:#x}", number(start)? >> 12), format!("{:#x}", (number(last)? + 1) >> 12)))
}

/// The report has the DIMM in `/proc/vmcore`, names it as removed and nothing else, and nothing else is lost.
fn named(disk: &[u8], dimm: &(String, String)) -> Outcome<()> {
    let end = disk.iter().position(|byte| *byte == 0).unwrap_or(disk.len());
    let report: Value = serde_json::from_slice(disk.get(..end).unwrap_or_default())?;
    let range = json!([dimm.0, dimm.1]);
    let number = |range: &Value| u64::from_str_radix(range.as_str()?.trim_start_matches("0x"), 16).ok();
    let dimm_pages = number(&range[1]).zip(number(&range[0])).map(|(end, start)| end - start);
    let known = report["ranges"].as_array().is_some_and(|ranges| ranges.contains(&range));
    let sections = &report["sections"];
    let wanted = [
        ("ranges", json!(known), json!(true)),
        ("removed", sections["removed"]["ranges"].clone(), json!([range])),
        ("pages of it", sections["removed"]["pages"].clone(), json!(dimm_pages)),
        ("offline", sections["offline"]["pages"].clone(), json!(0)),
        ("unreadable", sections["unreadable"]["pages"].clone(), json!(0)),
        ("missing", sections["missing"]["pages"].clone(), json!(0)),
        ("outcome", report["outcome"].clone(), json!("complete")),
        ("lost", report["pages"]["lost"]["pages"].clone(), json!(0)),
        ("saved", report["pages"]["saved"]["pages"].clone(), report["pages"]["kept"]["pages"].clone()),
    ];
    match wanted.iter().find(|(_, found, wanted)| found != wanted) {
        None => Ok(()),
        Some((what, found, wanted)) => {
            Err(format!("the report's {what}: {found}, not {wanted}:\n{report:#}").into())
        }
    }
}

/// A plain dump of the stream that is on the disk.
pub(super) fn saved(folder: &Path, kcap: &Path) -> Outcome<std::path::PathBuf> {
    let dump = folder.join("dump");
    let merge = ["merge", "-f", "--message-level", "4"];
    run(command(&[kcap]).args(merge).arg(&dump).arg(folder.join("disk")))?;
    Ok(dump)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_dimm_is_a_range_of_frames() {
        let frames = frames("[3.1] kcapture: dimm 100000000-107ffffff : System RAM\n");
        assert_eq!(frames, Some(("0x100000".to_owned(), "0x108000".to_owned())));
    }
}
