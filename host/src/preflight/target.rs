//! Where a dump goes: its free space, and whether a key is needed.

use std::ffi::CString;
use std::fs;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};

use super::in_time::in_time;
use super::mounts;
use crate::syscall;

/// A folder for dumps.
#[derive(Debug)]
pub(super) struct Collected {
    pub(super) path: String,
    pub(super) free: Option<u64>,
    pub(super) encrypted: bool,
    pub(super) keys: bool,
}

/// Devices that a file system lies on, one above another, are no more than this.
const DEPTH: u32 = 8;

/// Looks at `folder` of the machine at `root`. One of a server that does not answer cannot be reached.
pub(super) fn collect(root: &Path, folder: &Path) -> Collected {
    let path = folder.to_string_lossy().into_owned();
    let (root_there, folder) = (root.to_owned(), folder.to_owned());
    let (free, encrypted) = in_time(move || look(&root_there, &folder)).unwrap_or_default();
    Collected { path, free, encrypted, keys: has_keys(root) }
}

/// Whether `path` is a folder, or is of a server that does not say so in half a second.
#[must_use]
pub fn may_be_folder(path: &Path) -> bool {
    let path = path.to_owned();
    in_time(move || path.is_dir()).unwrap_or(true)
}

/// The free bytes, and whether they are encrypted.
fn look(root: &Path, folder: &Path) -> (Option<u64>, bool) {
    let name = CString::new(folder.as_os_str().as_bytes()).ok();
    let free = name.as_deref().and_then(|name| syscall::file_system_at(name).ok()).map(|(_, free)| free);
    let device = name.as_deref().and_then(|name| syscall::known_of(name).ok()).map(|known| known.file_system);
    let device = match device {
        Some((0, _)) => device_by_mount(root, folder),
        Some((major, minor)) => Some(root.join(format!("sys/dev/block/{major}:{minor}"))),
        None => None,
    };
    (free, device.is_some_and(|device| is_encrypted(&device, DEPTH)))
}

/// The folder of `/sys` of the device that `folder` is mounted from; a link such as `/dev/mapper/x` leads to the kernel's own
/// name.
fn device_by_mount(root: &Path, folder: &Path) -> Option<PathBuf> {
    let mountinfo = fs::read(root.join("proc/self/mountinfo")).ok()?;
    let source = mounts::source_of(&mountinfo, &fs::canonicalize(folder).ok()?)?;
    let node = fs::canonicalize(root.join(source.strip_prefix("/").ok()?)).ok()?;
    Some(root.join("sys/class/block").join(node.file_name()?))
}

/// Whether `device`, a folder of `/sys`, is one of dm-crypt or lies on one.
fn is_encrypted(device: &Path, depth: u32) -> bool {
    let uuid = fs::read_to_string(device.join("dm/uuid")).unwrap_or_default();
    if uuid.starts_with("CRYPT-") {
        return true;
    }
    let (Some(depth), Ok(below)) = (depth.checked_sub(1), fs::read_dir(device.join("slaves"))) else {
        return false;
    };
    below.filter_map(Result::ok).any(|entry| is_encrypted(&entry.path(), depth))
}

/// Whether the crash kernel is given a key: each is a folder (`Documentation/admin-guide/kdump`, Linux 6.16).
fn has_keys(root: &Path) -> bool {
    let Ok(entries) = fs::read_dir(root.join("sys/kernel/config/crash_dm_crypt_keys")) else { return false };
    entries.filter_map(Result::ok).any(|entry| entry.path().is_dir())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_volume_on_an_encrypted_disk_is_encrypted() {
        let root = std::env::temp_dir().join(format!("kcapture-target-{}", std::process::id()));
        let crypt = root.join("slaves/dm-0/dm");
        fs::create_dir_all(&crypt).unwrap();
        fs::create_dir_all(root.join("dm")).unwrap();
        fs::write(root.join("dm/uuid"), "LVM-abc\n").unwrap();
        assert!(!is_encrypted(&root, DEPTH));
        fs::write(crypt.join("uuid"), "CRYPT-LUKS2-0123-root\n").unwrap();
        assert!(is_encrypted(&root, DEPTH));
        assert!(!is_encrypted(&root, 0));
        assert!(!has_keys(&root));
        fs::create_dir_all(root.join("sys/kernel/config/crash_dm_crypt_keys/disk")).unwrap();
        assert!(has_keys(&root));
        fs::remove_dir_all(&root).unwrap();
    }

    #[test]
    fn a_file_system_of_no_device_lies_on_what_it_was_mounted_from() {
        let root = std::env::temp_dir().join(format!("kcapture-anonymous-{}", std::process::id()));
        for folder in ["proc/self", "dev/mapper", "sys/class/block/dm-3/dm", "dumps"] {
            fs::create_dir_all(root.join(folder)).unwrap();
        }
        let dumps = fs::canonicalize(root.join("dumps")).unwrap();
        let mount = format!("9 1 0:40 / {} rw - btrfs /dev/mapper/luks rw\n", dumps.display());
        fs::write(root.join("proc/self/mountinfo"), mount).unwrap();
        fs::write(root.join("dev/dm-3"), "").unwrap();
        std::os::unix::fs::symlink("../dm-3", root.join("dev/mapper/luks")).unwrap();
        fs::write(root.join("sys/class/block/dm-3/dm/uuid"), "CRYPT-LUKS2-1-luks\n").unwrap();
        let device = device_by_mount(&root, &dumps);
        let encrypted = device.as_deref().map(|device| is_encrypted(device, DEPTH));
        let elsewhere = device_by_mount(&root, Path::new("/"));
        fs::remove_dir_all(&root).unwrap();
        assert_eq!((encrypted, elsewhere), (Some(true), None));
    }

    #[test]
    #[cfg_attr(miri, ignore = "Miri has no statfs")]
    fn a_folder_that_is_not_there_has_no_space() {
        let here = collect(Path::new("/"), &std::env::temp_dir());
        assert!(here.free.is_some());
        assert_eq!(collect(Path::new("/"), Path::new("/no/such/folder")).free, None);
        assert!(may_be_folder(Path::new("/")) && !may_be_folder(Path::new("/no/such/folder")));
    }
}
