//! The libraries: built by cargo, then reduced to what C may see.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use crate::run::{Outcome, command, run};
use crate::targets;

/// The libraries of the hosted build.
#[derive(Debug)]
pub(super) struct Hosted {
    pub(super) archive: PathBuf,
    pub(super) shared: PathBuf,
}

/// The hosted build: std, files, system calls.
pub(super) fn hosted(functions: &BTreeSet<String>) -> Outcome<Hosted> {
    let folder = cargo(&["build"], "hosted", None)?;
    let archive = one_object(&folder.join("libkcapture.a"), functions)?;
    Ok(Hosted { archive, shared: folder.join("libkcapture.so") })
}

/// The freestanding build: no operating system, for the host's own ABI or for a bare machine.
pub(super) fn freestanding(functions: &BTreeSet<String>, target: Option<&str>) -> Outcome<PathBuf> {
    let words = ["rustc", "--crate-type=staticlib", "--no-default-features"];
    let folder = cargo(&words, "freestanding", target)?;
    one_object(&folder.join("libkcapture.a"), functions)
}

fn cargo(words: &[&str], name: &str, target: Option<&str>) -> Outcome<PathBuf> {
    let folder = targets::folder()?.join("capi").join(name);
    let mut cargo = command(&[targets::cargo()]);
    cargo.args(words).args(["--release", "--locked", "--quiet", "--manifest-path"]);
    cargo.arg(targets::workspace().join("capi/dist/Cargo.toml")).arg("--target-dir").arg(&folder);
    if let Some(target) = target {
        cargo.args(["--target", target]);
    }
    run(cargo)?;
    Ok(folder.join(target.unwrap_or_default()).join("release"))
}

/// The object before its names are taken, beside the archive.
pub(super) const LINKED: &str = "linked.o";

/// The archive with one object, in which only the functions of the C ABI can be seen: two Rust libraries in one program then do
/// not meet in the symbols of the compiler's own libraries.
fn one_object(archive: &Path, functions: &BTreeSet<String>) -> Outcome<PathBuf> {
    let folder = archive.with_file_name("one-object");
    fs::create_dir_all(&folder)?;
    let (linked, object, result) =
        (folder.join(LINKED), folder.join("kcapture.o"), folder.join("libkcapture.a"));
    // Groups are for the linker to take once: with local names in them, those of two libraries would be taken for one.
    let mut ld = command(&["ld", "-r", "--gc-sections", "--force-group-allocation", "--build-id=none"]);
    ld.args(functions.iter().map(|name| format!("--undefined={name}"))).arg("-o").arg(&linked).arg(archive);
    run(ld)?;
    let list = folder.join("functions");
    fs::write(&list, functions.iter().map(|name| format!("{name}\n")).collect::<String>())?;
    // Bitcode of the compiler's own libraries: an `ar` with a plugin for it stumbles over another version's.
    let mut objcopy = command(&["objcopy", "--strip-unneeded", "-R", ".llvmbc", "-R", ".llvmcmd"]);
    // The compiler asks for bcmp where memcmp's order does not matter; a program without C's library has memcmp alone.
    objcopy.args(["--redefine-sym", "bcmp=memcmp"]);
    objcopy.arg(format!("--keep-global-symbols={}", list.display())).arg(&linked).arg(&object);
    run(objcopy)?;
    if result.exists() {
        fs::remove_file(&result)?;
    }
    run(command(&["ar", "rcsD"]).arg(&result).arg(&object))?;
    Ok(result)
}
