//! The note of the memory that a crash kernel was loaded with: `/run/kcapture/loaded-map`, which is gone after a boot as the
//! crash kernel is. One line: `sha256 ` and the digest of [`ram_digest`](kexec_core::preflight::ram_digest) in hexadecimal.

use std::fs;
use std::io;
use std::path::Path;

const FOLDER: &str = "run/kcapture";
const FILE: &str = "run/kcapture/loaded-map";

/// Leaves the note: `digest` is that of the map of RAM that a crash kernel was loaded with.
///
/// # Errors
/// The operating system's.
pub fn note_map(root: &Path, digest: [u8; 32]) -> io::Result<()> {
    fs::create_dir_all(root.join(FOLDER))?;
    let hex: String = digest.iter().map(|byte| format!("{byte:02x}")).collect();
    fs::write(root.join(FILE), format!("sha256 {hex}\n"))
}

/// Takes the note away: what is loaded, if anything, is not what it was about.
///
/// # Errors
/// The operating system's, but none if there is no note.
pub fn forget_map(root: &Path) -> io::Result<()> {
    match fs::remove_file(root.join(FILE)) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

/// What the note says, if there is one that can be read.
pub(super) fn read(root: &Path) -> Option<[u8; 32]> {
    let text = fs::read_to_string(root.join(FILE)).ok()?;
    let hex = text.trim_end().strip_prefix("sha256 ")?;
    let mut digest = [0; 32];
    if hex.len() != 64 || !hex.bytes().all(|digit| digit.is_ascii_hexdigit()) {
        return None;
    }
    for (byte, pair) in digest.iter_mut().zip(hex.as_bytes().chunks(2)) {
        *byte = u8::from_str_radix(core::str::from_utf8(pair).ok()?, 16).ok()?;
    }
    Some(digest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_note_is_read_back_and_forgotten() {
        let root = std::env::temp_dir().join(format!("kcapture-stamp-{}", std::process::id()));
        assert_eq!(read(&root), None);
        assert!(forget_map(&root).is_ok());
        let mut digest = [0xa5; 32];
        digest[0] = 1;
        note_map(&root, digest).unwrap();
        assert_eq!(read(&root), Some(digest));
        for damaged in ["", "sha256 \n", "sha256 01\n", "md5 0", &format!("sha256 {}\n", "+1".repeat(32))] {
            fs::write(root.join(FILE), damaged).unwrap();
            assert_eq!(read(&root), None, "{damaged}");
        }
        forget_map(&root).unwrap();
        assert_eq!(read(&root), None);
        fs::remove_dir_all(&root).unwrap();
    }
}
