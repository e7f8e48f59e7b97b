//! Other kernel images than the bzImage: a `vmlinux`, and a unified kernel image (UKI), made by objcopy.

use std::fs;
use std::path::Path;

use super::{CAPTURE, low_memory};
use crate::initramfs::Tree;
use crate::run::{Outcome, command, run};

/// In the first kernel's RAM disk.
pub(super) const VMLINUX: &str = "/vmlinux";
pub(super) const UKI: &str = "/uki";

/// The capture kernel's first program, and where the UKI's `.ucode` has it. There is no busybox in that archive: that is
/// the one of `.initrd`, and so is what it runs last.
const FIRST: &str = "first";

/// A file of both archives: the archive that is unpacked last has it.
const WRONG_ORDER: &str = "#!/bin/busybox sh\necho 'kcapture: .ucode after .initrd'; poweroff -f\n";

/// Adds both to the first kernel's RAM disk, in which lie its bzImage and the capture kernel's RAM disk already.
pub(super) fn add(with_symbols: &Path, boot: &Path) -> Outcome<()> {
    let vmlinux = boot.join("vmlinux");
    run(command(&["objcopy", "--strip-all"]).arg(with_symbols).arg(&vmlinux))?;
    let work = boot.with_file_name("sections");
    microcode(&work.join("archive"))?;
    let line = work.join("cmdline");
    fs::write(&line, format!("{CAPTURE} rdinit=/{FIRST}"))?;
    // Firmware would run the program of a UKI: this one has none, and is not for it.
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
