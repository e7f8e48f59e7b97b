//! `cargo xtask purgatory --run`: the object under QEMU, between a kernel that enters it as Linux does and one that
//! tells how it was entered, and whether memory was copied before; with the new kernel as it was loaded, and with one bit
//! of it changed, by every policy.

use std::fs;
use std::process::Stdio;

use crate::packages;
use crate::run::{Outcome, command, run};
use crate::targets;

/// What isa-debug-exit makes of the 0x10 that the new kernel writes.
const ENTERED: i32 = 0x21;
/// What `timeout` says of a machine that stands still.
const STOPPED: i32 = 124;
const KERNEL: &str = "KB@HC";

/// Policy, whether a bit is changed, the exit code, what must be printed.
const CASES: &[(&str, bool, i32, &[&str])] = &[
    ("halt", false, ENTERED, &["entering the kernel", KERNEL]),
    ("continue", true, ENTERED, &["SHA-256 mismatch", "going on all the same", KERNEL]),
    ("reset", true, 0, &["SHA-256 mismatch", "resetting the machine"]),
    ("halt", true, STOPPED, &["SHA-256 mismatch", "halted"]),
];

/// Runs every case.
pub(crate) fn run_all() -> Outcome<()> {
    packages::install(&["gcc", "binutils", "qemu-system-x86"])?;
    let folder = targets::folder()?.join("purgatory-run");
    fs::create_dir_all(&folder)?;
    let sources = targets::workspace().join("xtask/purgatory");
    let (kernel, object) = (folder.join("kernel.bin"), folder.join("kernel.o"));
    for (policy, damaged, code, texts) in CASES {
        run(command(&["gcc", "-c"]).arg(sources.join("kernel.S")).arg("-o").arg(&object))?;
        run(command(&["objcopy", "-O", "binary", "-j", ".text"]).arg(&object).arg(&kernel))?;
        let mut cargo = command(&[targets::cargo()]);
        cargo.args(["run", "--quiet", "--package=kexec-core", "--example=link_purgatory", "--", "400000"]);
        cargo.arg(&kernel).args(["600000", policy]).current_dir(targets::workspace());
        let image = cargo.stderr(Stdio::inherit()).output()?;
        fs::write(folder.join("image.bin"), image.stdout)?;
        if *damaged {
            let mut bytes = fs::read(&kernel)?;
            *bytes.last_mut().ok_or("the kernel is empty")? ^= 4;
            fs::write(&kernel, bytes)?;
        }
        run(command(&["gcc", "-c", "-o", "machine.o"]).arg(sources.join("machine.S")).current_dir(&folder))?;
        let mut ld =
            command(&["ld", "-nostdlib", "--no-warn-rwx-segments", "-o", "machine", "machine.o", "-T"]);
        run(ld.arg(sources.join("machine.ld")).current_dir(&folder))?;

        let mut qemu =
            command(&["timeout", "20", "qemu-system-x86_64", "-M", "q35", "-cpu", "max", "-m", "64"]);
        qemu.args(["-display", "none", "-serial", "stdio", "-no-reboot", "-kernel", "machine"]);
        let qemu =
            qemu.args(["-device", "isa-debug-exit,iobase=0xf4,iosize=4"]).current_dir(&folder).output()?;
        let printed = String::from_utf8_lossy(&qemu.stdout).into_owned();
        let entered = printed.contains(KERNEL);
        let complete = texts.iter().all(|text| printed.contains(text)) && entered == texts.contains(&KERNEL);
        if qemu.status.code() != Some(*code) || !complete {
            return Err(format!("{policy}, damaged {damaged}: {:?}\n{printed}", qemu.status).into());
        }
        println!("{policy}, {}: as it should be", if *damaged { "one bit changed" } else { "unchanged" });
    }
    Ok(())
}
