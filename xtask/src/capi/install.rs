//! `cargo xtask capi --install PREFIX [LIBDIR]`: what a program needs to build with libkcapture, as `make install` would.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use super::build::{self, Hosted};
use super::symbols;
use crate::run::Outcome;
use crate::targets;

/// The version of the library's file; programs ask for `libkcapture.so.0`.
const VERSION: &str = env!("CARGO_PKG_VERSION");

/// Builds the libraries, and puts them, the header and `kcapture.pc` below `PREFIX`, itself below `$DESTDIR`.
pub(crate) fn install(words: &[&str]) -> Outcome<()> {
    let (prefix, libdir) = match words {
        [prefix] => (prefix, "lib"),
        [prefix, libdir] => (prefix, *libdir),
        _ => return Err("cargo xtask capi --install PREFIX [LIBDIR]".into()),
    };
    let lists = symbols::Lists::read()?;
    let hosted = build::hosted(&lists.all())?;
    let freestanding = build::freestanding(&lists.freestanding, None)?;
    put(&std::env::current_dir()?.join(prefix), libdir, &hosted, &freestanding)
}

/// Puts the built libraries below `prefix`.
pub(super) fn put(prefix: &Path, libdir: &str, hosted: &Hosted, freestanding: &Path) -> Outcome<()> {
    let root = below(std::env::var_os("DESTDIR").map(PathBuf::from), prefix)?;
    let (include, lib) = (root.join("include"), root.join(libdir));
    fs::create_dir_all(&include)?;
    fs::create_dir_all(lib.join("pkgconfig"))?;
    fs::copy(targets::workspace().join("include/kcapture.h"), include.join("kcapture.h"))?;
    fs::copy(&hosted.archive, lib.join("libkcapture.a"))?;
    fs::copy(freestanding, lib.join("libkcapture-freestanding.a"))?;
    let file = format!("libkcapture.so.{VERSION}");
    fs::copy(&hosted.shared, lib.join(&file))?;
    link(&file, &lib.join("libkcapture.so.0"))?;
    link("libkcapture.so.0", &lib.join("libkcapture.so"))?;
    fs::write(lib.join("pkgconfig/kcapture.pc"), description(prefix, libdir))?;
    println!("installed below {}", root.display());
    Ok(())
}

/// `prefix` below `destdir`, where there is one.
fn below(destdir: Option<PathBuf>, prefix: &Path) -> Outcome<PathBuf> {
    match destdir {
        Some(destdir) => Ok(destdir.join(prefix.strip_prefix("/")?)),
        None => Ok(prefix.to_owned()),
    }
}

fn link(to: &str, at: &Path) -> Outcome<()> {
    if at.symlink_metadata().is_ok() {
        fs::remove_file(at)?;
    }
    Ok(symlink(to, at)?)
}

/// `kcapture.pc`. The static library needs what `std` needs of C's.
fn description(prefix: &Path, libdir: &str) -> String {
    let prefix = prefix.display();
    format!(
        "prefix={prefix}\nlibdir=${{prefix}}/{libdir}\nincludedir=${{prefix}}/include\n\n\
         Name: kcapture\nDescription: The Linux crash-capture path\nVersion: {VERSION}\n\
         Cflags: -I${{includedir}}\nLibs: -L${{libdir}} -lkcapture\n\
         Libs.private: -lgcc_s -lpthread -ldl -lm -lc\n"
    )
}
