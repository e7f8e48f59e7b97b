//! `cargo xtask capi`: libkcapture for C, hosted and freestanding, and what must hold of both.

mod build;
mod symbols;
mod install;
mod nulls;
mod layouts;
mod programs;
mod examples;
mod baremetal;
mod dumps;
mod crash;

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::time::Instant;

use crate::run::Outcome;
use crate::{packages, targets};

pub(crate) use install::install;

/// The bare machine that the freestanding library is built for too.
pub(crate) const BARE: &str = "x86_64-unknown-none";

type Check = fn(&Libraries) -> Outcome<()>;

/// What is checked of the built libraries, by name.
const CHECKS: [(&str, Check); 4] = [
    ("tests", |libraries| {
        programs::header_compiles()?;
        programs::links_beside_another(&[&libraries.hosted.archive, &libraries.freestanding])?;
        layouts::check()?;
        programs::readme_builds(&libraries.hosted, &libraries.kcap)?;
        programs::tests_pass(&libraries.hosted, &libraries.kcap)
    }),
    ("baremetal", |libraries| baremetal::run_kernel(&libraries.bare, &libraries.kcap).map(drop)),
    ("examples", |libraries| {
        let builds = examples::build(&libraries.hosted, &libraries.freestanding)?;
        let without_kernel = baremetal::run_kernel(&libraries.bare, &libraries.kcap)?;
        dumps::compare(&builds, &without_kernel, &libraries.kcap)
    }),
    ("crash", |libraries| {
        let builds = examples::build(&libraries.hosted, &libraries.freestanding)?;
        crash::crash(&builds.guest, &libraries.kcap)
    }),
];

/// What is built.
struct Libraries {
    hosted: build::Hosted,
    freestanding: PathBuf,
    /// Of no operating system.
    bare: PathBuf,
    kcap: PathBuf,
}

/// Builds all, checks what the libraries export and import, and runs C programs over them: the named checks, or all.
pub(crate) fn check(names: &[&str]) -> Outcome<()> {
    if let Some(unknown) = names.iter().find(|name| !CHECKS.iter().any(|(known, _)| known == *name)) {
        let known = CHECKS.map(|(name, _)| name).join(" ");
        return Err(format!("no check {unknown}; known: {known}").into());
    }
    packages::install(packages::C_PROGRAMS)?;
    let libraries = build_libraries()?;
    for (name, check) in CHECKS {
        // The kernel without an operating system is one of the examples' inputs.
        let all = names.is_empty() && name != "baremetal";
        if all || names.contains(&name) {
            let start = Instant::now();
            check(&libraries)?;
            println!("capi: {name}: {} s", start.elapsed().as_secs());
        }
    }
    Ok(())
}

fn build_libraries() -> Outcome<Libraries> {
    targets::add(BARE)?;
    let lists = symbols::Lists::read()?;
    let hosted = build::hosted(&lists.all())?;
    symbols::check_shared(&hosted.shared, &lists)?;
    symbols::check_archive(&hosted.archive, &lists.all(), None)?;
    let freestanding = build::freestanding(&lists.freestanding, None)?;
    let bare = build::freestanding(&lists.freestanding, Some(BARE))?;
    for archive in [&freestanding, &bare] {
        symbols::check_archive(archive, &lists.freestanding, Some(symbols::FREESTANDING_IMPORTS))?;
    }
    Ok(Libraries { hosted, freestanding, bare, kcap: targets::build_kcap(None)? })
}

/// The object in the freestanding library for [`BARE`], its names still in it, and the functions that it exports.
pub(crate) fn linked_bare() -> Outcome<(PathBuf, BTreeSet<String>)> {
    targets::add(BARE)?;
    let functions = symbols::Lists::read()?.freestanding;
    let archive = build::freestanding(&functions, Some(BARE))?;
    Ok((archive.with_file_name(build::LINKED), functions))
}

/// Writes the lists of exported symbols and the layouts of structs anew, from what the header declares.
pub(crate) fn write_symbols() -> Outcome<()> {
    symbols::Lists::of_header()?.write()?;
    layouts::write()
}

/// The sizes of the libraries, for people: one line each.
pub(crate) fn sizes() -> Outcome<String> {
    let libraries = build_libraries()?;
    let files = [
        ("libkcapture.so.0, hosted", &libraries.hosted.shared),
        ("libkcapture.a, hosted", &libraries.hosted.archive),
        ("libkcapture-freestanding.a", &libraries.freestanding),
        ("libkcapture.a for x86_64-unknown-none", &libraries.bare),
    ];
    let mut text = String::new();
    for (name, path) in files {
        let kib = std::fs::metadata(path)?.len() >> 10;
        text.push_str(&format!("- {name}: {kib} KiB\n"));
    }
    Ok(text)
}
