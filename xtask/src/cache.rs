//! The user's cache folder, shared by every clone of the project: `$XDG_CACHE_HOME/kcapture` or `~/.cache/kcapture`.

use std::fs;
use std::path::{Path, PathBuf};

use crate::run::Outcome;

/// A folder of the cache, made if missing.
pub(crate) fn folder(name: &str) -> Outcome<PathBuf> {
    let base = match std::env::var_os("XDG_CACHE_HOME") {
        Some(base) if Path::new(&base).is_absolute() => PathBuf::from(base),
        _ => PathBuf::from(std::env::var_os("HOME").ok_or("HOME is not set")?).join(".cache"),
    };
    let folder = base.join("kcapture").join(name);
    fs::create_dir_all(&folder)?;
    Ok(folder)
}

/// Fills a folder under another name and renames it when whole: what has its final name is complete.
/// A folder that is there already is left as it is.
pub(crate) fn fill(folder: &Path, fill: impl FnOnce(&Path) -> Outcome<()>) -> Outcome<()> {
    if folder.exists() {
        return Ok(());
    }
    let name = folder.file_name().ok_or("a folder of the cache needs a name")?.to_string_lossy();
    let unfinished = folder.with_file_name(format!(".{name}.{}", std::process::id()));
    let _ = fs::remove_dir_all(&unfinished);
    fs::create_dir_all(&unfinished)?;
    let filled = fill(&unfinished);
    if filled.is_ok() {
        fs::rename(&unfinished, folder)?;
    } else {
        let _ = fs::remove_dir_all(&unfinished);
    }
    filled
}

/// Removes a folder that is no longer wanted, if it is there.
pub(crate) fn empty(folder: &Path) -> Outcome<()> {
    if folder.exists() {
        let name = folder.file_name().ok_or("a folder of the cache needs a name")?.to_string_lossy();
        let leaving = folder.with_file_name(format!(".{name}.old.{}", std::process::id()));
        fs::rename(folder, &leaving)?;
        fs::remove_dir_all(leaving)?;
    }
    Ok(())
}
