//! What the machines that load boot: RAM disks and one disk.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;

use super::cell::Cell;
use crate::boot::{self, INIT};
use crate::initramfs::Tree;
use crate::kernels::Kernel;
use crate::run::Outcome;

/// The capture kernel copies the headers and notes to the second disk; then it saves with our own program, as a stream on
/// the first.
const SAVE: &str = "\
echo \"kcapture: capture kernel $(uname -r) $(cat /proc/cmdline)\"
head -c 1048576 /proc/vmcore > /dev/vdb; sync
echo 'kcapture: headers copied'
/kcap dump -F -l -d 31 --message-level 22 /proc/vmcore > /dev/vda
echo \"kcapture: kcap ended with $?\"
sync";

/// A folder with everything that a machine needs.
#[derive(Debug)]
pub(super) struct Prepared {
    pub(super) folder: PathBuf,
    pub(super) kernel: Kernel,
    initrd: PathBuf,
}

impl Prepared {
    /// `task` is what the first kernel's init does; its programs are kcap and kexec-tools' kexec.
    pub(super) fn new(kernel: Kernel, kcap: &Path, task: &str, folder: PathBuf) -> Outcome<Self> {
        Self::with_images(kernel, kcap, task, folder, |_| Ok(()))
    }

    /// The same with more in the first kernel's RAM disk: `add` puts it into the folder, in which lie `vmlinuz` and
    /// `capture.gz`.
    pub(super) fn with_images(
        kernel: Kernel,
        kcap: &Path,
        task: &str,
        folder: PathBuf,
        add: impl FnOnce(&Path) -> Outcome<()>,
    ) -> Outcome<Self> {
        Self::with_save(kernel, kcap, task, SAVE, folder, add)
    }

    /// The same with another script `save` for the capture kernel.
    pub(super) fn with_save(
        kernel: Kernel,
        kcap: &Path,
        task: &str,
        save: &str,
        folder: PathBuf,
        add: impl FnOnce(&Path) -> Outcome<()>,
    ) -> Outcome<Self> {
        let _ = fs::remove_dir_all(&folder);
        fs::create_dir_all(&folder)?;
        let capture = boot::capture_tree(&kernel, save, &folder)?;
        capture.add(kcap, "kcap")?;
        let first = Tree::new(folder.join("boot"))?;
        first.add_modules(&kernel, true)?;
        first.add_linked("/sbin/kexec")?;
        first.add(kcap, "kcap")?;
        first.add(&kernel.image(), "vmlinuz")?;
        first.add_script("init", &format!("{INIT}mount -t tmpfs tmp /tmp\n{task}\npoweroff -f\n"))?;
        let boot = folder.join("boot");
        capture.pack(&boot.join("capture.gz"))?;
        add(&boot)?;
        let initrd = folder.join("boot.gz");
        first.pack(&initrd)?;
        let prepared = Self { folder, kernel, initrd };
        prepared.empty_disks()?;
        Ok(prepared)
    }

    /// Two disks of zeros, the second of 1 MiB.
    pub(super) fn empty_disks(&self) -> Outcome<()> {
        File::create(self.folder.join("disk"))?.set_len(256 << 20)?;
        Ok(File::create(self.folder.join("headers"))?.set_len(1 << 20)?)
    }

    /// QEMU with a cell's hardware, these RAM disks and the disks.
    pub(super) fn qemu(&self, cell: Cell) -> Command {
        let mut qemu = cell.qemu();
        qemu.arg("-kernel").arg(self.kernel.image()).arg("-initrd").arg(&self.initrd);
        qemu.args(["-append", &format!("console=ttyS0 panic=5 {}", cell.reservation())]);
        for disk in ["disk", "headers"] {
            let file = self.folder.join(disk);
            qemu.arg("-drive").arg(format!("file={},format=raw,if=virtio,cache=unsafe", file.display()));
        }
        qemu.current_dir(&self.folder);
        qemu
    }
}
