//! Other kernel images than the bzImage: a `vmlinux`, and a unified kernel image (UKI), made by objcopy.

use std::fs;
use std::path::Path;

use super::{CAPTURE, low_memory};
use crate::initramfs::Tree;
use crate::run::{Outcome, command, run};

/// What the command line of the UKI has the capture kernel run, from `.ucode`. It needs busybox and ends in `/init`, which
/// are in `.initrd`.
const FIRST: &str = "first";
/// `/init` is in both archives, and the kernel keeps that of the later one.
const WRONG_ORDER: &str = "#!/bin/busybox sh\necho 'kcapture: .ucode after .initrd'; poweroff -f\n";

/// Makes `vmlinux` and `uki` in the folder of the first kernel's RAM disk, the second of `vmlinuz` and `capture.gz` there.
pub(super) fn add(with_symbols: &Path, boot: &Path) -> Outcome<()> {
    let vmlinux = boot.join("vmlinux");
    run(command(&["objcopy", "--strip-all"]).arg(with_symbols).arg(&vmlinux))?;
    let work = boot.with_file_name("sections");
    microcode(&work.join("archive"))?;
    let line = work.join("cmdline");
    fs::write(&line, format!("{CAPTURE} rdinit=/{FIRST}"))?;
    // The program of a UKI is for firmware to run; nobody does here, and this one has none.
    let mut objcopy = command(&["objcopy", "-O", "pei-x86-64", "--only-section", "none"]);
    let sections = [
        (".cmdline", line),
        (".ucode", work.join("archive.cpio")),
        (".initrd", boot.join("capture.gz")),
        (".linux", boot.join("vmlinuz")),
    ];
    for (name, file) in sections {
        objcopy.arg("--add-section").arg(format!("{name}={}", file.display()));
    }
    run(objcopy.arg(&vmlinux).arg(boot.join("uki")))
}

/// An archive in the place of microcode, as that is: not compressed.
fn microcode(folder: &Path) -> Outcome<()> {
    fs::create_dir_all(folder)?;
    let tree = Tree::empty(folder.to_owned());
    tree.add_script(FIRST, low_memory::SUM)?;
    tree.add_script("init", WRONG_ORDER)?;
    run(command(&["bash", "-c", "set -o pipefail; find . | cpio --quiet -o -H newc > ../archive.cpio"])
        .current_dir(folder))
}
