//! `/proc/PID/fd`: what a process has open.

use std::ffi::CString;
use std::fs;
use std::io;
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;

use kexec_core::preflight::{FileKind, OpenFile};

use crate::syscall;

const HUGETLBFS_MAGIC: u64 = 0x9584_58f6;

/// A special file that a process has open.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Collected {
    pid: u32,
    path: String,
    kind: FileKind,
}

impl Collected {
    pub(super) fn as_file(&self) -> OpenFile<'_> {
        OpenFile { pid: self.pid, path: &self.path, kind: self.kind, preserved: false }
    }
}

/// The special files of a process, each once. An error is one of the whole folder; a file that was closed is left out.
pub(super) fn collect(pid: u32, folder: &Path) -> io::Result<Vec<Collected>> {
    let mut files: Vec<Collected> = Vec::new();
    for entry in fs::read_dir(folder)? {
        let Ok(link) = entry.map(|entry| entry.path()) else { continue };
        let Ok(path) = fs::read_link(&link) else { continue };
        let path = path.to_string_lossy().into_owned();
        let kind = kind(&link, &path);
        let file = Collected { pid, path, kind };
        if file.as_file().class().is_some() && !files.contains(&file) {
            files.push(file);
        }
    }
    Ok(files)
}

/// What the file system says of an open file; sockets, pipes and other things without a path are asked nothing.
fn kind(link: &Path, path: &str) -> FileKind {
    let Ok(link) = CString::new(link.as_os_str().as_bytes()) else { return FileKind::Other };
    if path.starts_with("/memfd:") {
        let is_hugetlb = syscall::file_system_at(&link).is_ok_and(|(magic, _)| magic == HUGETLBFS_MAGIC);
        return if is_hugetlb { FileKind::Hugetlb } else { FileKind::Other };
    }
    if !path.starts_with('/') {
        return FileKind::Other;
    }
    match syscall::known_of(&link).map(|known| known.char_device) {
        Ok(Some((major, minor))) => FileKind::CharDevice { major, minor },
        _ => FileKind::Other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_of_a_copy_are_files_too() {
        let folder = std::env::temp_dir().join(format!("kcapture-fd-{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        let names = ["/dev/null", "pipe:[1]", "/proc/kcore", "/proc/kcore", "anon_inode:kvm-vm"];
        for (number, to) in names.into_iter().enumerate() {
            std::os::unix::fs::symlink(to, folder.join(number.to_string())).unwrap();
        }
        let mut found: Vec<String> = collect(7, &folder).unwrap().into_iter().map(|file| file.path).collect();
        fs::remove_dir_all(&folder).unwrap();
        found.sort();
        assert_eq!(found, ["/proc/kcore", "anon_inode:kvm-vm"]);
        assert!(collect(7, &folder).is_err());
    }

    #[test]
    #[cfg_attr(miri, ignore = "Miri knows no numbers of devices")]
    fn devices_have_numbers() {
        assert_eq!(kind(Path::new("/dev/null"), "/dev/null"), FileKind::CharDevice { major: 1, minor: 3 });
        assert_eq!(kind(Path::new("/"), "/"), FileKind::Other);
    }
}
