//! Where a dump goes: its free space, and whether a key is needed.

use std::ffi::CString;
use std::fs;
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;

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

/// Looks at `folder` of the machine at `root`.
pub(super) fn collect(root: &Path, folder: &Path) -> Collected {
    let name = CString::new(folder.as_os_str().as_bytes()).ok();
    let free = name.as_deref().and_then(|name| syscall::file_system_at(name).ok()).map(|(_, free)| free);
    let device = name.as_deref().and_then(|name| syscall::known_of(name).ok()).map(|known| known.file_system);
    let encrypted = device.is_some_and(|(major, minor)| {
        is_encrypted(&root.join(format!("sys/dev/block/{major}:{minor}")), DEPTH)
    });
    Collected { path: folder.to_string_lossy().into_owned(), free, encrypted, keys: has_keys(root) }
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
    fn a_folder_that_is_not_there_has_no_space() {
        let here = collect(Path::new("/"), &std::env::temp_dir());
        assert!(here.free.is_some());
        assert_eq!(collect(Path::new("/"), Path::new("/no/such/folder")).free, None);
    }
}
