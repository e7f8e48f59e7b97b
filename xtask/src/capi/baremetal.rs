//! `examples/c/baremetal` under QEMU: a kernel that links the freestanding archive dumps its own memory to the debug
//! console; kcap opens what came out.

use std::fs;
use std::path::{Path, PathBuf};

use crate::run::{Outcome, command, output, run};
use crate::{packages, targets};

/// What the kernel is told to put in a page, and where it puts it.
const TEXT: &str = "kept-by-a-kernel-without-an-operating-system. ";
const KEPT: u64 = 0x180_0000;
const PAGE: usize = 4096;
/// What isa-debug-exit makes of 0.
const DUMPED: i32 = 1;

/// Builds the kernel with `archive`, boots it, and reads its dump; gives the dump.
pub(super) fn run_kernel(archive: &Path, kcap: &Path) -> Outcome<PathBuf> {
    packages::install(packages::C_PROGRAMS)?;
    let folder = targets::folder()?.join("capi/baremetal");
    let _ = fs::remove_dir_all(&folder);
    fs::create_dir_all(&folder)?;
    let sources = targets::workspace().join("examples/c/baremetal");
    let mut make = command(&["make", "--silent", "-C"]);
    make.arg(&folder).arg("-f").arg(sources.join("Makefile"));
    make.arg(format!("ARCHIVE={}", archive.display()));
    run(make.arg(format!("INCLUDE={}", targets::workspace().join("include").display())))?;
    let dump = folder.join("dump");
    let mut qemu =
        command(&["timeout", "60", "qemu-system-x86_64", "-M", "q35", "-cpu", "qemu64", "-m", "32M"]);
    qemu.args(["-display", "none", "-serial", "stdio", "-no-reboot", "-accel", "tcg", "-nic", "none"]);
    qemu.args(["-append", TEXT, "-device", "isa-debug-exit,iobase=0xf4,iosize=4"]);
    qemu.arg("-debugcon").arg(format!("file:{}", dump.display())).arg("-kernel").arg(folder.join("kernel"));
    let ended = qemu.output()?;
    let printed = String::from_utf8_lossy(&ended.stdout).into_owned();
    if ended.status.code() != Some(DUMPED) || !printed.contains("dumped") {
        let errors = String::from_utf8_lossy(&ended.stderr).into_owned();
        return Err(format!("the kernel: {:?}\n{printed}{errors}", ended.status).into());
    }
    opens(&dump, kcap)?;
    println!(
        "examples/c/baremetal: {} bytes came out of the debug console, and kcap reads them",
        fs::metadata(&dump)?.len()
    );
    Ok(dump)
}

/// The dump is what the kernel said it is, holds the page it was told to keep, and not the zeros around it.
fn opens(dump: &Path, kcap: &Path) -> Outcome<()> {
    let info = output(command(&[kcap]).arg("info").arg(dump))?;
    for wanted in
        ["kdump-compressed, version 6, flattened", "kcapture-baremetal", "x86_64, 64-bit, little-endian"]
    {
        if !info.contains(wanted) {
            return Err(format!("kcap info does not say {wanted}\n{info}").into());
        }
    }
    let page = |address: u64| {
        let place = [format!("--paddr={address:#x}"), format!("--len={PAGE}")];
        command(&[kcap]).arg("read").args(place).arg(dump).output()
    };
    let wanted: Vec<u8> = TEXT.bytes().cycle().take(PAGE).collect();
    if page(KEPT)?.stdout != wanted {
        return Err("the page that the kernel was told to keep is not in its dump".into());
    }
    for address in [KEPT - 0x1000, KEPT + 0x1000] {
        if page(address)?.stdout != [0; PAGE] {
            return Err(format!("the page of zeros at {address:#x} is not one in the dump").into());
        }
    }
    // Pages of zeros take no room: the kernel, its memory for objects and the text are 5 MiB, most of it zeros too.
    if fs::metadata(dump)?.len() > 4 << 20 {
        return Err("the dump holds the pages of zeros that it was to leave out".into());
    }
    Ok(())
}
