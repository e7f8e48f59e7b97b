//! `cargo xtask deb`: the Debian packages, built as a packager would, in a copy of the sources.

use std::fs;
use std::path::PathBuf;

use crate::run::{Outcome, command, output, run};
use crate::{packages, targets};

/// What must come out.
const PACKAGES: [&str; 3] = ["libkcapture0", "libkcapture-dev", "kcapture-tools"];

/// Builds the packages in cargo's folder, and checks that a program builds and runs with what is in them.
pub(crate) fn build() -> Outcome<()> {
    packages::install(packages::DEBIAN)?;
    let folder = targets::folder()?.join("deb");
    let source = folder.join(concat!("kcapture-", env!("CARGO_PKG_VERSION")));
    if folder.exists() {
        fs::remove_dir_all(&folder)?;
    }
    fs::create_dir_all(&source)?;
    let archive = folder.join(concat!("kcapture_", env!("CARGO_PKG_VERSION"), ".orig.tar"));
    let mut pack = command(&["tar", "--create", "--exclude-vcs", "--exclude=./target", "--file"]);
    run(pack.arg(&archive).arg(".").current_dir(targets::workspace()))?;
    run(command(&["tar", "--extract", "--file"]).arg(&archive).arg("--directory").arg(&source))?;
    let mut build = command(&["dpkg-buildpackage", "-us", "-uc", "-b", "-d"]);
    // A folder of its own: cargo takes two copies of a workspace in one folder for the same, and what it built of this one for new.
    run(build.current_dir(&source).env("CARGO_TARGET_DIR", targets::folder()?.join("deb-build")))?;
    check(&packages_in(&folder)?, folder.join("root"))
}

fn packages_in(folder: &PathBuf) -> Outcome<Vec<PathBuf>> {
    let mut found = Vec::new();
    for package in PACKAGES {
        let start = format!("{package}_");
        let mut files = fs::read_dir(folder)?.filter_map(Result::ok).map(|entry| entry.path());
        let named = |path: &PathBuf| {
            let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            name.starts_with(&start) && name.ends_with(".deb")
        };
        found.push(files.find(named).ok_or_else(|| format!("no package {package} was built"))?);
    }
    Ok(found)
}

/// Unpacks the packages and builds a program with what is in them.
fn check(packages: &[PathBuf], root: PathBuf) -> Outcome<()> {
    for package in packages {
        run(command(&["dpkg-deb", "--extract"]).arg(package).arg(&root))?;
        print!(
            "{}",
            output(command(&["dpkg-deb", "--field"]).arg(package).args([
                "Package",
                "Version",
                "Depends",
                "Installed-Size"
            ]))?
        );
    }
    let (source, program) = (root.join("version.c"), root.join("version"));
    fs::write(
        &source,
        "#include <kcapture.h>\n#include <stdio.h>\nint main(void) { return puts(kcap_version_str()) < 0; }\n",
    )?;
    let multiarch = output(command(&["gcc", "-print-multiarch"]))?;
    let libraries = root.join("usr/lib").join(multiarch.trim());
    let flags = output(
        command(&["pkg-config", "--define-variable=prefix=", "--cflags", "--libs", "kcapture"])
            .env("PKG_CONFIG_PATH", libraries.join("pkgconfig"))
            .env("PKG_CONFIG_SYSROOT_DIR", root.join("usr")),
    )?;
    run(command(&["gcc", "-Wall", "-Werror", "-o"])
        .arg(&program)
        .arg(&source)
        .args(flags.split_whitespace()))?;
    let version = output(command(&[&program]).env("LD_LIBRARY_PATH", &libraries))?;
    let tool = output(command(&[root.join("usr/bin/kcap")]).arg("--version"))?;
    println!("a program with libkcapture-dev runs with libkcapture0 {}; {}", version.trim(), tool.trim());
    Ok(())
}
