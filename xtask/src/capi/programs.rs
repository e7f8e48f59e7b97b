//! C programs over the library: the header under every standard, the tests under sanitizers and valgrind, and two Rust
//! libraries in one program.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::build::Hosted;
use super::nulls;
use crate::kernels::Kernel;
use crate::run::{Outcome, command, output, run};
use crate::targets;

/// Debian's package of the kernel image that tests are given.
const KERNEL: &str = "linux-image-cloud-amd64";
const STRICT: [&str; 4] = ["-pedantic", "-Wall", "-Wextra", "-Werror"];

/// The header compiles alone, as each language that may include it.
pub(super) fn header_compiles() -> Outcome<()> {
    let source = folder()?.join("header.c");
    fs::write(&source, "#include <kcapture.h>\nint main(void) { return kcap_version() == 0; }\n")?;
    for (compilers, language, standards) in [
        (["gcc", "clang"], "c", &["c99", "c11", "c17"][..]),
        (["g++", "clang++"], "c++", &["c++11", "c++17"][..]),
    ] {
        for (compiler, standard) in compilers.iter().flat_map(|c| standards.iter().map(move |s| (c, s))) {
            for define in ["-UKCAPTURE_FREESTANDING", "-DKCAPTURE_FREESTANDING"] {
                let mut compile = command(&[*compiler, "-x", language, define, "-fsyntax-only"]);
                compile.arg(format!("-std={standard}")).args(STRICT).arg(include_folder()).arg(&source);
                run(compile)?;
            }
        }
    }
    println!("kcapture.h compiles as C99, C11, C17, C++11 and C++17 with gcc and clang");
    Ok(())
}

/// Every test in `capi/tests/c`, and the calls of every function: plainly and under valgrind with the shared object, with the
/// address and undefined-behaviour sanitizers over the archive.
pub(super) fn tests_pass(library: &Hosted, kcap: &Path) -> Outcome<()> {
    let folder = folder()?;
    let dynamic = folder.join("lib");
    fs::create_dir_all(&dynamic)?;
    for name in ["libkcapture.so", "libkcapture.so.0"] {
        fs::copy(&library.shared, dynamic.join(name))?;
    }
    let inputs = inputs(&folder, kcap)?;
    let opener = targets::workspace().join("examples/c/input.c");
    let nulls = folder.join("nulls.c");
    nulls::write(&nulls)?;
    for source in sources()?.into_iter().chain([nulls]) {
        let name = source.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        let start = |mut command: Command| run(command.args(&inputs).current_dir(&folder));
        let program = folder.join(&name);
        let mut link = compile(&source, &program);
        link.arg(&opener).arg("-L").arg(&dynamic).arg("-lkcapture");
        run(link.arg(format!("-Wl,-rpath,{}", dynamic.display())))?;
        start(command(&[&program]))?;
        start(valgrind(&program, name != "nulls"))?;
        let checked = folder.join(format!("{name}-sanitized"));
        let mut link = compile(&source, &checked);
        link.arg(&opener).args(["-fsanitize=address,undefined", "-fno-sanitize-recover=all"]);
        run(link.arg(&library.archive).args(STATIC_NEEDS))?;
        let mut sanitized = command(&[&checked]);
        // Leaks are for valgrind, which is told of the objects that a test keeps.
        sanitized.env("ASAN_OPTIONS", "detect_leaks=0");
        start(sanitized)?;
    }
    Ok(())
}

/// `program` under valgrind, which also looks for lost memory where `leaks` says so: children that end anywhere lose all of theirs.
fn valgrind(program: &Path, leaks: bool) -> Command {
    let mut valgrind =
        command(&["valgrind", "--quiet", "--error-exitcode=9", "--errors-for-leak-kinds=definite"]);
    valgrind.arg(if leaks { "--leak-check=full" } else { "--leak-check=no" });
    let known = targets::workspace().join("capi/tests/c/valgrind.supp");
    valgrind.arg(format!("--suppressions={}", known.display())).arg(program);
    valgrind
}

/// What tests are given: a synthetic vmcore, two dumps of it, a kernel image.
fn inputs(folder: &Path, kcap: &Path) -> Outcome<Vec<PathBuf>> {
    let (vmcore, kdump, stream) = (folder.join("vmcore"), folder.join("kdump"), folder.join("stream"));
    let mut testkit = command(&[targets::cargo()]);
    testkit.args(["run", "--quiet", "--package=kcapture-testkit", "--example=vmcore", "--manifest-path"]);
    testkit
        .arg(targets::workspace().join("Cargo.toml"))
        .args(["--", "6.1"])
        .arg(&vmcore)
        .arg(folder.join("kept"));
    run(testkit.current_dir(folder))?;
    let dump = ["dump", "--message-level", "4", "-d", "31", "-z"];
    run(command(&[kcap]).args(dump).arg("-f").arg(&vmcore).arg(&kdump))?;
    run(command(&[kcap]).args(dump).arg("-F").arg(&vmcore).stdout(fs::File::create(&stream)?))?;
    Ok(vec![vmcore, kdump, stream, Kernel::of(KERNEL)?.image()])
}

/// What the static library needs of C's.
const STATIC_NEEDS: [&str; 5] = ["-lgcc_s", "-lpthread", "-ldl", "-lm", "-lc"];

fn compile(source: &Path, program: &Path) -> Command {
    let mut compile = command(&["gcc", "-std=c11", "-D_GNU_SOURCE", "-g", "-O1", "-pthread"]);
    let workspace = targets::workspace();
    // Tests open dumps as the example programs do.
    for folder in ["capi/tests/c", "examples/c"] {
        compile.arg(format!("-I{}", workspace.join(folder).display()));
    }
    compile.args(STRICT).arg(include_folder()).arg("-o").arg(program).arg(source);
    compile
}

fn include_folder() -> String {
    format!("-I{}", targets::workspace().join("include").display())
}

/// Where the programs are built.
fn folder() -> Outcome<PathBuf> {
    let folder = targets::folder()?.join("capi/programs");
    fs::create_dir_all(&folder)?;
    Ok(folder)
}

fn sources() -> Outcome<Vec<PathBuf>> {
    let folder = targets::workspace().join("capi/tests/c");
    let mut sources = Vec::new();
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == "c") {
            sources.push(path);
        }
    }
    sources.sort();
    Ok(sources)
}

/// The program in the README builds and lists the memory of a vmcore.
pub(super) fn readme_builds(library: &Hosted, kcap: &Path) -> Outcome<()> {
    let folder = folder()?;
    let readme = fs::read_to_string(targets::workspace().join("README.md"))?;
    let text = readme.split_once("```c\n").and_then(|(_, rest)| rest.split_once("```"));
    let (source, program) = (folder.join("ram.c"), folder.join("ram"));
    fs::write(&source, text.ok_or("README.md has no program in C")?.0)?;
    run(compile(&source, &program).arg(&library.archive).args(STATIC_NEEDS))?;
    let vmcore = inputs(&folder, kcap)?.swap_remove(0);
    let listed = output(command(&[&program]).arg(vmcore))?;
    if !listed.lines().all(|line| line.starts_with("0x") && line.ends_with(" bytes")) || listed.is_empty() {
        return Err(format!("the program in README.md printed {listed:?}").into());
    }
    Ok(())
}

/// Another Rust library, with the compiler's own libraries in it, links beside ours in either order.
pub(super) fn links_beside_another(archives: &[&Path]) -> Outcome<()> {
    let folder = folder()?;
    let (other, main) = (folder.join("other.rs"), folder.join("beside.c"));
    fs::write(
        &other,
        "#[unsafe(no_mangle)] pub extern \"C\" fn other_sum() -> u64 { std::env::args().map(|a| a.len() as u64).sum() }\n",
    )?;
    fs::write(
        &main,
        "#include <kcapture.h>\nuint64_t other_sum(void);\n\
         int main(void) { return kcap_version() != KCAP_VERSION || kcap_has(\"zlib\") != 1 || other_sum() == 0; }\n",
    )?;
    let built = folder.join("libother.a");
    let mut rustc = command(&["rustc", "--edition=2024", "--crate-type=staticlib", "-Cpanic=abort"]);
    run(rustc.args(["-Copt-level=2", "-Clto=fat", "-o"]).arg(&built).arg(&other))?;
    let program = folder.join("beside");
    for archive in archives {
        for pair in [[archive, built.as_path()], [built.as_path(), archive]] {
            let mut link = compile(&main, &program);
            run(link.args(pair).args(STATIC_NEEDS))?;
            run(command(&[&program]))?;
        }
    }
    println!("another Rust library links beside each static one, before it and after it");
    Ok(())
}
