//! The initial RAM disks of the two kernels: busybox, our own programs, modules, kexec.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use crate::kernels::Kernel;
use crate::run::{Outcome, command, output, run};

/// In the order in which they load; a kernel that has one built in ships no file of it.
const MODULES: &[&str] = &[
    "virtio_ring",
    "virtio",
    "virtio_pci_modern_dev",
    "virtio_pci_legacy_dev",
    "virtio_pci",
    "virtio_blk",
    "virtio_balloon",
    "qemu_fw_cfg",
    "crc16",
    "mbcache",
    "jbd2",
    "crc32c_generic",
    "ext4",
];
/// The capture kernel needs a disk and nothing else.
const MODULES_OF_CAPTURE: usize = 6;

/// A folder that becomes an initial RAM disk.
#[derive(Debug)]
pub(crate) struct Tree {
    root: PathBuf,
}

impl Tree {
    /// A folder with busybox and the mount points that every init needs.
    pub(crate) fn new(root: PathBuf) -> Outcome<Self> {
        let tree = Self { root };
        for folder in ["bin", "dev", "proc", "sys", "tmp", "modules", "huge", "ext4-1k", "ext4-4k"] {
            fs::create_dir_all(tree.root.join(folder))?;
        }
        tree.add(Path::new("/bin/busybox"), "bin/busybox")?;
        Ok(tree)
    }

    /// An empty folder, which must be there.
    pub(crate) fn empty(root: PathBuf) -> Self {
        Self { root }
    }

    /// Adds a file.
    pub(crate) fn add(&self, from: &Path, to: &str) -> Outcome<()> {
        let to = self.root.join(to);
        fs::create_dir_all(to.parent().ok_or("a file lies in a folder")?)?;
        fs::copy(from, &to).map_err(|error| format!("{}: {error}", from.display()))?;
        Ok(())
    }

    /// Adds a script.
    pub(crate) fn add_script(&self, to: &str, text: &str) -> Outcome<()> {
        let path = self.root.join(to);
        fs::write(&path, text)?;
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755))?;
        Ok(())
    }

    /// Adds a kernel's modules, unpacked, numbered in the order in which they load.
    pub(crate) fn add_modules(&self, kernel: &Kernel, capture: bool) -> Outcome<()> {
        let count = if capture { MODULES_OF_CAPTURE } else { MODULES.len() };
        for (position, name) in MODULES.iter().take(count).enumerate() {
            let Some(module) = kernel.module(name)? else { continue };
            let to = format!("modules/{position:02}-{name}.ko");
            self.add(&module, &to)?;
            if module.extension().is_some_and(|extension| extension == "xz") {
                let packed = self.root.join(format!("{to}.xz"));
                fs::rename(self.root.join(&to), &packed)?;
                run(command(&["xz".as_ref(), "--decompress".as_ref(), packed.as_os_str()]))?;
            }
        }
        Ok(())
    }

    /// Adds a dynamically linked program with its loader and libraries at the paths they have here.
    pub(crate) fn add_linked(&self, program: &str) -> Outcome<()> {
        self.add(Path::new(program), program.trim_start_matches('/'))?;
        for word in output(command(&["ldd", program]))?.split_whitespace() {
            if word.starts_with('/') {
                self.add(Path::new(word), word.trim_start_matches('/'))?;
            }
        }
        Ok(())
    }

    /// Packs the folder: cpio, compressed.
    pub(crate) fn pack(&self, archive: &Path) -> Outcome<()> {
        let script = "set -o pipefail; find . | cpio --quiet -o -H newc | gzip -1 > \"$1\"";
        run(command(&["bash", "-c", script, "pack"]).arg(archive).current_dir(&self.root))
    }
}
