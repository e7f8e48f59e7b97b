//! Which device a folder lies on where the file system hides it: btrfs and others give their files numbers of no device.

use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt as _;
use std::path::{Path, PathBuf};

/// The source of the mount that holds `folder`, a path without links, by the text of `/proc/PID/mountinfo`; the later of two at
/// the same place hides the other.
pub(super) fn source_of(mountinfo: &[u8], folder: &Path) -> Option<PathBuf> {
    let mounts = mountinfo.split(|byte| *byte == b'\n').filter_map(mount);
    let holding = mounts.filter(|(point, _)| folder.starts_with(point));
    holding.max_by_key(|(point, _)| point.components().count()).map(|(_, source)| source)
}

/// Mount point and source of a line: `ID PARENT MAJOR:MINOR ROOT POINT OPTIONS [TAG...] - TYPE SOURCE SUPER`.
fn mount(line: &[u8]) -> Option<(PathBuf, PathBuf)> {
    let mut words = line.split(|byte| *byte == b' ');
    let point = words.nth(4)?;
    words.find(|word| *word == b"-")?;
    Some((unescaped(point), unescaped(words.nth(1)?)))
}

/// Blanks, tabs, newlines and backslashes are written as `\` and three octal digits.
fn unescaped(mut text: &[u8]) -> PathBuf {
    let mut path = Vec::new();
    while let Some((first, rest)) = text.split_first() {
        let octal = rest.first_chunk::<3>().filter(|_| *first == b'\\');
        let byte = octal
            .and_then(|digits| core::str::from_utf8(digits).ok())
            .and_then(|digits| u8::from_str_radix(digits, 8).ok());
        path.push(byte.unwrap_or(*first));
        text = byte.and(rest.get(3..)).unwrap_or(rest);
    }
    PathBuf::from(OsString::from_vec(path))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_innermost_mount_holds_a_folder() {
        let text = b"22 1 0:20 / / rw,relatime shared:1 - btrfs /dev/sda2 rw,subvol=/root\n\
            23 22 0:21 / /var rw - btrfs /dev/mapper/old rw\n\
            24 22 0:22 / /var rw shared:3 master:1 - btrfs /dev/mapper/luks-1 rw,space_cache\n\
            25 22 0:23 / /my\\040dumps rw - nfs host:/a\\134b rw\n\
            broken\n26 22 0:24 / /cut rw -\n";
        let source = |folder: &str| source_of(text, Path::new(folder)).unwrap();
        assert_eq!(source("/var/crash"), Path::new("/dev/mapper/luks-1"));
        assert_eq!(source("/variable"), Path::new("/dev/sda2"));
        assert_eq!(source("/my dumps"), Path::new("host:/a\\b"));
        assert_eq!(source("/cut"), Path::new("/dev/sda2"));
        assert_eq!(source_of(b"", Path::new("/")), None);
        for len in 0..text.len() {
            source_of(&text[..len], Path::new("/var/crash"));
        }
    }
}
