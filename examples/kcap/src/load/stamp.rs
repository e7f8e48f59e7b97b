//! The note of the memory that a crash kernel was loaded with, by which `kcap preflight` sees that it is stale.

use std::path::Path;

use host::kexec::{Kind, State};
use host::preflight::{Memory, forget_map, note_map};

use crate::exit::{Exit, Failure};

/// The digest of the map of RAM now, if it is wanted for this kind of kernel.
pub(super) fn of_running(kind: Kind) -> Option<[u8; 32]> {
    (kind == Kind::Crash).then(|| Memory::read(Path::new("/")).digest).flatten()
}

/// Leaves the note after a crash kernel was loaded, or takes it away where none is left: a load is good without it, so that it
/// cannot be written is no failure.
pub(super) fn left(
    kind: Kind,
    memory: Option<[u8; 32]>,
    loaded: Result<Exit, Failure>,
) -> Result<Exit, Failure> {
    let root = Path::new("/");
    if kind == Kind::Crash {
        let _ = match (&loaded, memory) {
            (Ok(_), Some(digest)) => note_map(root, digest),
            (Err(_), _) if is_crash_loaded() => Ok(()),
            _ => forget_map(root),
        };
    }
    loaded
}

fn is_crash_loaded() -> bool {
    State::read().ok().and_then(|state| state.crash_loaded) == Some(true)
}
