//! The programs of `examples/c`, built as any program that uses the library: by make and by meson, which find it through
//! pkg-config, with the shared object and with the archive.

use std::fs;
use std::path::{Path, PathBuf};

use super::build::Hosted;
use super::install;
use crate::run::{Outcome, command, run};
use crate::{packages, targets};

/// In the order of the Makefile.
const PROGRAMS: [&str; 4] = ["mkdump", "crashload", "coredesc", "threads"];

/// One build: a folder with the programs, which start as they are.
#[derive(Debug)]
pub(super) struct Built {
    pub(super) folder: PathBuf,
}

impl Built {
    pub(super) fn program(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }
}

/// Every build.
#[derive(Debug)]
pub(super) struct Builds {
    /// By make: shared, static.
    pub(super) make: [Built; 2],
    /// By meson: shared, static.
    pub(super) meson: [Built; 2],
    /// With C's library static too: for guests that have none.
    pub(super) guest: Built,
}

/// Installs the library in cargo's folder and builds the programs with what is there.
pub(super) fn build(hosted: &Hosted, freestanding: &Path) -> Outcome<Builds> {
    packages::install(packages::C_PROGRAMS)?;
    let prefix = targets::folder()?.join("capi/prefix");
    install::put(&prefix, "lib", hosted, freestanding)?;
    let shared = format!("-Wl,-rpath,{}", prefix.join("lib").display());
    let builds = Builds {
        make: [
            make("shared", &["LDFLAGS=".to_owned() + &shared])?,
            make("static", &["STATIC=1".to_owned()])?,
        ],
        meson: [
            meson("shared", &[format!("-Dc_link_args={shared}")])?,
            meson("static", &["-Dstatic=true".to_owned()])?,
        ],
        guest: make("guest", &["STATIC=all".to_owned()])?,
    };
    for (built, needs) in [(&builds.make, [true, false]), (&builds.meson, [true, false])] {
        for (built, needs) in built.iter().zip(needs) {
            check(built, needs)?;
        }
    }
    println!("examples/c: built by make and by meson, with libkcapture.so and with libkcapture.a");
    Ok(builds)
}

/// Whether every program was built, and needs the shared object if and only if it is to.
fn check(built: &Built, needs_shared: bool) -> Outcome<()> {
    for name in PROGRAMS {
        let program = built.program(name);
        let dynamic = crate::run::output(command(&["readelf", "--dynamic", "--wide"]).arg(&program))?;
        if dynamic.contains("[libkcapture.so.0]") != needs_shared {
            return Err(format!("{}: linked with the wrong library\n{dynamic}", program.display()).into());
        }
    }
    Ok(())
}

/// An empty folder of cargo's for one build.
fn folder(tool: &str, name: &str) -> Outcome<PathBuf> {
    let folder = targets::folder()?.join("capi/examples").join(format!("{tool}-{name}"));
    let _ = fs::remove_dir_all(&folder);
    fs::create_dir_all(&folder)?;
    Ok(folder)
}

fn sources() -> PathBuf {
    targets::workspace().join("examples/c")
}

/// Where pkg-config finds the library.
fn package_path() -> Outcome<PathBuf> {
    Ok(targets::folder()?.join("capi/prefix/lib/pkgconfig"))
}

fn make(name: &str, words: &[String]) -> Outcome<Built> {
    let folder = folder("make", name)?;
    let mut make = command(&["make", "--silent", "CFLAGS=-O2 -g -Werror", "-C"]);
    make.arg(&folder).arg("-f").arg(sources().join("Makefile")).args(words);
    run(make.env("PKG_CONFIG_PATH", package_path()?))?;
    Ok(Built { folder })
}

fn meson(name: &str, words: &[String]) -> Outcome<Built> {
    let folder = folder("meson", name)?;
    let log = fs::File::create(folder.join("log"))?;
    let mut setup = command(&["meson", "setup", "--werror"]);
    setup.args(words).arg(&folder).arg(sources()).stdout(log.try_clone()?);
    run(setup.env("PKG_CONFIG_PATH", package_path()?))?;
    run(command(&["ninja", "--quiet", "-C"]).arg(&folder).stdout(log))?;
    Ok(Built { folder })
}
