//! Debian's kernels: downloaded and unpacked into the cache folder, never installed.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use crate::cache;
use crate::run::{Outcome, command, output, run};

/// An unpacked kernel package.
#[derive(Debug, Clone)]
pub(crate) struct Kernel {
    /// As `uname -r` prints it.
    pub(crate) release: String,
    folder: PathBuf,
}

impl Kernel {
    /// The kernel that a meta-package (such as `linux-image-cloud-amd64`) stands for today. What was downloaded
    /// before is taken without asking the network.
    pub(crate) fn of(meta_package: &str) -> Outcome<Self> {
        let package = resolve(meta_package)?;
        let folder = unpacked_package(&package)?;
        // Of another architecture, a package is named with it.
        let name = package.split(':').next().unwrap_or(&package);
        let release = name.trim_start_matches("linux-image-").to_owned();
        Ok(Self { release, folder })
    }

    /// The kernel image.
    pub(crate) fn image(&self) -> PathBuf {
        self.folder.join(format!("boot/vmlinuz-{}", self.release))
    }

    /// The kernel image where it is an ELF file: on powerpc.
    pub(crate) fn elf_image(&self) -> PathBuf {
        self.folder.join(format!("boot/vmlinux-{}", self.release))
    }

    /// A module by its name, wherever in the tree it lies; none if the kernel has it built in or not at all.
    pub(crate) fn module(&self, name: &str) -> Outcome<Option<PathBuf>> {
        let modules = self.folder.join("lib/modules").join(&self.release).join("kernel");
        find(&modules, &[format!("{name}.ko"), format!("{name}.ko.xz")])
    }

    /// The kernel with its debug symbols: 300 MB to download. The modules' symbols are left out.
    pub(crate) fn vmlinux(&self) -> Outcome<PathBuf> {
        let wanted = format!("usr/lib/debug/boot/vmlinux-{}", self.release);
        let script = "set -o pipefail; dpkg --fsys-tarfile \"$1\" | tar -x -C \"$2\" \"./$3\"";
        let folder = unpacked(&format!("linux-image-{}-dbg", self.release), |archive, folder| {
            run(command(&["bash", "-c", script, "unpack"]).arg(archive).arg(folder).arg(&wanted))
        })?;
        Ok(folder.join(wanted))
    }
}

/// The folder of a package's content, `name` or `name:architecture`; it is not installed.
pub(crate) fn unpacked_package(package: &str) -> Outcome<PathBuf> {
    unpacked(package, |archive, folder| run(command(&["dpkg", "-x"]).arg(archive).arg(folder)))
}

/// The package that a meta-package depends on. The answer is kept beside the kernels, so that an update of apt's
/// lists does not make the vmcores in the cache obsolete.
fn resolve(meta_package: &str) -> Outcome<String> {
    let kept = cache::folder("kernels")?.join(format!("{meta_package}.resolved"));
    if let Ok(package) = fs::read_to_string(&kept) {
        return Ok(package.trim().to_owned());
    }
    let package = ask_apt(meta_package)?;
    fs::write(kept, &package)?;
    Ok(package)
}

fn ask_apt(meta_package: &str) -> Outcome<String> {
    let depends = || {
        let answer = output(command(&["apt-cache", "depends", meta_package]).stderr(Stdio::null())).ok()?;
        let package = answer.lines().find_map(|line| line.trim().strip_prefix("Depends: linux-image-"))?;
        Some(format!("linux-image-{package}"))
    };
    if let Some(package) = depends() {
        return Ok(package);
    }
    crate::packages::refresh_lists()?;
    Ok(depends().ok_or_else(|| format!("apt knows no package {meta_package}"))?)
}

/// The folder of a package's content, downloaded first if the cache does not have it.
fn unpacked(package: &str, unpack: impl Fn(&Path, &Path) -> Outcome<()>) -> Outcome<PathBuf> {
    let folder = cache::folder("kernels")?.join(package);
    cache::fill(&folder, |unfinished| {
        println!("downloading {package}");
        // As root apt says that it cannot switch to its own user here; that is no news.
        let sandbox = "APT::Sandbox::User=root";
        let download =
            || run(command(&["apt-get", "-qq", "-o", sandbox, "download", package]).current_dir(unfinished));
        if download().is_err() {
            crate::packages::refresh_lists()?;
            download()?;
        }
        let archive = fs::read_dir(unfinished)?.next().ok_or("apt-get downloaded nothing")??.path();
        unpack(&archive, unfinished)?;
        Ok(fs::remove_file(archive)?)
    })?;
    Ok(folder)
}

fn find(folder: &Path, names: &[String]) -> Outcome<Option<PathBuf>> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let path = entry.path();
        if entry.file_type()?.is_dir() {
            if let Some(found) = find(&path, names)? {
                return Ok(Some(found));
            }
        } else if names.iter().any(|name| entry.file_name() == name.as_str()) {
            return Ok(Some(path));
        }
    }
    Ok(None)
}
