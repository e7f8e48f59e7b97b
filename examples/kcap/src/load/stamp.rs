//! The note of the memory that a crash kernel was loaded with, by which `kcap preflight` sees that it is stale.

use std::path::Path;

use host::kexec::Kind;
use host::preflight::{Memory, forget_map, note_map};

use super::file_load::is_crash_loaded;

/// The digest of the map of RAM now, if it is wanted for this kind of kernel.
pub(super) fn of_running(kind: Kind) -> Option<[u8; 32]> {
    (kind == Kind::Crash).then(|| Memory::read(Path::new("/")).digest).flatten()
}

/// Leaves the note, at once after a crash kernel was loaded: what is said of it later may fail. A load is good without the note,
/// so that it cannot be written is no failure.
pub(super) fn note(kind: Kind, memory: Option<[u8; 32]>) {
    let root = Path::new("/");
    if kind == Kind::Crash {
        let _ = memory.map_or_else(|| forget_map(root), |digest| note_map(root, digest));
    }
}

/// Takes the note away after a failure, where no crash kernel is left.
pub(super) fn forget_lost(kind: Kind) {
    if kind == Kind::Crash && !is_crash_loaded() {
        let _ = forget_map(Path::new("/"));
    }
}
