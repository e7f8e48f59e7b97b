//! `cargo xtask purgatory [--write]`: builds the freestanding object anew and compares it with the committed one, then
//! checks that the committed one is fit to run between two kernels.

use std::fs;
use std::path::{Path, PathBuf};

use crate::run::{Outcome, command, output, run};
use crate::targets;

/// The compiler whose bytes are committed. Another one may be as good and give others.
const COMPILER: &str = "rustc 1.95.0 ";
const TARGET: &str = "x86_64-unknown-none";
pub(crate) const SYMBOLS: [&str; 2] = ["purgatory_start", "kcapture_parameters"];
const SECTIONS: [&str; 4] = [".text", ".rodata", ".data", ".bss"];
const RELOCATIONS: [&str; 3] = ["R_X86_64_64", "R_X86_64_PC32", "R_X86_64_PLT32"];
/// What the loaded sections may take together, in bytes.
const LARGEST: u64 = 16 << 10;

/// Builds, compares (or writes) and checks.
pub(crate) fn run_task(write: bool) -> Outcome<()> {
    let committed = targets::workspace().join("purgatory/blob/x86_64.o");
    let compiler = output(command(&["rustc", "--version"]))?;
    if compiler.starts_with(COMPILER) {
        let built = link(&archive()?, &committed)?;
        if write {
            fs::copy(&built, &committed)?;
        } else if fs::read(&built)? != fs::read(&committed)? {
            let (built, committed) = (built.display(), committed.display());
            return Err(
                format!("{built} is not {committed}: after a change, cargo xtask purgatory --write").into()
            );
        }
        println!("{} is what {COMPILER}builds", committed.display());
    } else {
        println!("not built: this is {}, and the object is built by {COMPILER}", compiler.trim());
    }
    check(&committed)
}

/// The archive of the object and what it needs, in cargo's folder: the same bytes for every folder that the sources lie in. The names of its functions,
/// and by them their order, carry a hash of where cargo found the package: so the library is built as a member of the
/// workspace, by its name in it, and the crate of the object by the compiler itself.
pub(crate) fn archive() -> Outcome<PathBuf> {
    targets::add(TARGET)?;
    let (workspace, folder) = (targets::workspace(), targets::folder()?.join("purgatory"));
    let home = std::env::var("CARGO_HOME").or_else(|_| std::env::var("HOME").map(|home| home + "/.cargo"))?;
    let flags = [
        "-Crelocation-model=static".to_owned(),
        "-Ccode-model=large".to_owned(),
        "-Cforce-unwind-tables=no".to_owned(),
        format!("--remap-path-prefix={}=/kcapture", workspace.display()),
        format!("--remap-path-prefix={home}=/cargo"),
    ];
    let mut cargo = command(&[targets::cargo()]);
    cargo.args(["build", "--package=purgatory", "--no-default-features", "--release", "--locked", "--quiet"]);
    cargo.args(["--target", TARGET, "--target-dir"]).arg(&folder).current_dir(&workspace);
    for (key, value) in [("OPT_LEVEL", "s"), ("LTO", "off"), ("CODEGEN_UNITS", "1"), ("PANIC", "abort")] {
        cargo.env(format!("CARGO_PROFILE_RELEASE_{key}"), value);
    }
    run(cargo.env("CARGO_ENCODED_RUSTFLAGS", flags.join("\x1f")))?;

    let release = folder.join(TARGET).join("release");
    let archive = folder.join("x86_64.a");
    let mut rustc =
        command(&["rustc", "--edition=2024", "--crate-name=purgatory_x86_64", "--crate-type=staticlib"]);
    rustc.args(["-Cmetadata=kcapture", "-Copt-level=s", "-Ccodegen-units=1", "-Cpanic=abort", "-Dwarnings"]);
    rustc.args(&flags).args(["--target", TARGET, "-o"]).arg(&archive);
    rustc.arg(format!("--extern=purgatory={}", release.join("libpurgatory.rlib").display()));
    // The derive macros of zerocopy are built for the host.
    rustc.arg(format!("-Ldependency={}", folder.join("release/deps").display()));
    rustc.arg(format!("-Ldependency={}", release.join("deps").display())).arg("purgatory/blob/src/lib.rs");
    run(rustc.current_dir(&workspace))?;
    Ok(archive)
}

/// The object, its sections put together and its names taken but two.
fn link(archive: &Path, committed: &Path) -> Outcome<PathBuf> {
    let folder = archive.parent().ok_or("the archive lies in a folder")?;
    let (linked, built) = (folder.join("linked.o"), folder.join("x86_64.o"));
    let blob = committed.parent().ok_or("the object lies in a folder")?;
    let mut ld = command(&["ld", "-r", "--gc-sections", "--build-id=none"]);
    ld.args(["-u", SYMBOLS[1], "-T"]).arg(blob.join("x86_64.ld")).arg("-o").arg(&linked).arg(archive);
    run(ld)?;
    let mut objcopy = command(&["objcopy", "--strip-unneeded"]);
    objcopy.args(SYMBOLS.map(|symbol| format!("--keep-global-symbol={symbol}"))).arg(&linked).arg(&built);
    run(objcopy)?;
    Ok(built)
}

fn check(object: &Path) -> Outcome<()> {
    let mut faults = Vec::new();
    let loaded = sections(object, &mut faults)?;
    let types = relocations(object, &mut faults)?;
    symbols(object, &mut faults)?;
    instructions(object, &mut faults)?;
    if loaded > LARGEST {
        faults.push(format!("its loaded sections take {loaded} bytes, more than {LARGEST}"));
    }
    if !faults.is_empty() {
        return Err(format!("{}:\n{}", object.display(), faults.join("\n")).into());
    }
    println!("{loaded} bytes loaded; {types}; nothing undefined, no SSE, no x87");
    Ok(())
}

/// Only the four sections are loaded; gives their size together.
fn sections(object: &Path, faults: &mut Vec<String>) -> Outcome<u64> {
    let header = output(command(&["readelf", "-hW"]).arg(object))?;
    if !header.contains("REL (Relocatable file)") {
        faults.push("it is not ET_REL".to_owned());
    }
    let mut loaded = 0;
    for line in output(command(&["readelf", "-SW"]).arg(object))?.lines() {
        // [ 1] .text PROGBITS address offset size entry-size flags link info align
        let Some((_, fields)) = line.split_once("] ") else { continue };
        let fields: Vec<&str> = fields.split_whitespace().collect();
        let &[name, _, address, _, size, _, flags, ..] = fields.as_slice() else { continue };
        if !flags.contains('A') {
            continue;
        }
        if !SECTIONS.contains(&name) || address.contains(|digit| digit != '0') {
            faults.push(format!("section {name} at {address} is loaded"));
        }
        loaded += u64::from_str_radix(size, 16)?;
    }
    Ok(loaded)
}

/// Only the three types; gives how many there are of each.
fn relocations(object: &Path, faults: &mut Vec<String>) -> Outcome<String> {
    let text = output(command(&["readelf", "-rW"]).arg(object))?;
    let types: Vec<&str> = text.split_whitespace().filter(|word| word.starts_with("R_X86_64_")).collect();
    for kind in &types {
        if !RELOCATIONS.contains(kind) {
            faults.push(format!("it has a relocation {kind}"));
        }
    }
    let count = |kind: &str| types.iter().filter(|word| **word == kind).count();
    Ok(RELOCATIONS.map(|kind| format!("{} {kind}", count(kind))).join(", "))
}

/// Nothing undefined, and the two symbols that the loader asks for.
fn symbols(object: &Path, faults: &mut Vec<String>) -> Outcome<()> {
    let mut global = Vec::new();
    for line in output(command(&["readelf", "-sW"]).arg(object))?.lines() {
        // 13: value size type binding visibility section name
        let fields: Vec<&str> = line.split_whitespace().collect();
        let &[_, _, _, _, binding, _, section, name] = fields.as_slice() else { continue };
        if section == "UND" || section == "COM" {
            faults.push(format!("symbol {name} is undefined"));
        }
        if binding == "GLOBAL" {
            global.push(name.to_owned());
        }
    }
    for symbol in SYMBOLS {
        if !global.iter().any(|name| name == symbol) {
            faults.push(format!("it has no symbol {symbol}"));
        }
    }
    Ok(())
}

/// No instruction that faults while SSE is off or that has x87 or MMX state.
fn instructions(object: &Path, faults: &mut Vec<String>) -> Outcome<()> {
    let text = output(command(&["objdump", "-d", "--no-show-raw-insn", "-j", ".text"]).arg(object))?;
    let code: Vec<&str> =
        text.lines().filter_map(|line| line.split_once(":\t").map(|(_, code)| code)).collect();
    if code.len() < 100 {
        faults.push("objdump shows no code".to_owned());
    }
    for instruction in code {
        let mnemonic = instruction.split_whitespace().next().unwrap_or("");
        let floating =
            mnemonic.starts_with('f') || ["emms", "ldmxcsr", "stmxcsr", "wait"].contains(&mnemonic);
        let registers = ["%xmm", "%ymm", "%zmm", "%mm", "%st"];
        if floating || mnemonic == "(bad)" || registers.iter().any(|register| instruction.contains(register))
        {
            faults.push(format!("instruction {instruction}"));
        }
    }
    Ok(())
}
