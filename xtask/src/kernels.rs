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
        let folder = unpacked(&package)?;
        let release = package.trim_start_matches("linux-image-").to_owned();
        Ok(Self { release, folder })
    }

    /// The kernel image.
    pub(crate) fn image(&self) -> PathBuf {
        self.folder.join(format!("boot/vmlinuz-{}", self.release))
    }

    /// A module by its name, wherever in the tree it lies; none if the kernel has it built in or not at all.
    pub(crate) fn module(&self, name: &str) -> Outcome<Option<PathBuf>> {
        let modules = self.folder.join("lib/modules").join(&self.release).join("kernel");
        find(&modules, &[format!("{name}.ko"), format!("{name}.ko.xz")])
    }

    /// The kernel with its debug symbols: 300 MB to download.
    pub(crate) fn vmlinux(&self) -> Outcome<PathBuf> {
        let folder = unpacked(&format!("linux-image-{}-dbg", self.release))?;
        Ok(folder.join(format!("usr/lib/debug/boot/vmlinux-{}", self.release)))
    }
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

fn unpacked(package: &str) -> Outcome<PathBuf> {
    let folder = cache::folder("kernels")?.join(package);
    cache::fill(&folder, |unfinished| {
        println!("downloading {package}");
        let download = || run(command(&["apt-get", "-qq", "download", package]).current_dir(unfinished));
        if download().is_err() {
            crate::packages::refresh_lists()?;
            download()?;
        }
        for entry in fs::read_dir(unfinished)? {
            let archive = entry?.path();
            run(command(&["dpkg".as_ref(), "-x".as_ref(), archive.as_os_str(), unfinished.as_os_str()]))?;
            fs::remove_file(archive)?;
        }
        Ok(())
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
