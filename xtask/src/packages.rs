//! Debian packages that the tasks need: checked with dpkg, installed with apt-get as root or through sudo.

use std::process::{Command, Stdio};

use crate::run::{Outcome, command, run};

/// Boots guests and takes their memory.
pub(crate) const GUESTS: &[&str] = &[
    "qemu-system-x86",
    "ovmf",
    "busybox-static",
    "cpio",
    "gzip",
    "xz-utils",
    "e2fsprogs",
    "kexec-tools",
    "gdb",
];
/// Builds libFuzzer, and the C codecs that judge ours.
pub(crate) const FUZZ: &[&str] = &["g++", "liblzo2-2", "libsnappy1v5", "libzstd1", "zlib1g"];
/// Opens a dump with crash.
pub(crate) const DEMO: &[&str] = &["crash"];
/// Builds C programs with the library, and boots them.
pub(crate) const C_PROGRAMS: &[&str] = &[
    "gcc",
    "g++",
    "make",
    "meson",
    "ninja-build",
    "pkg-config",
    "valgrind",
    "clang",
    "mandoc",
    "qemu-system-x86",
];
/// Builds Debian packages.
pub(crate) const DEBIAN: &[&str] = &["binutils", "debhelper", "dpkg-dev", "pkg-config"];
/// Opens a dump with drgn, which comes from `PyPI`; runs the scripts that judge.
pub(crate) const DRGN: &[&str] = &["python3", "python3-venv"];
/// The other programs and libraries that judge dumps, and what measures them.
const ORACLES: &[&str] =
    &["makedumpfile", "python3-libkdumpfile", "zlib1g", "liblzo2-2", "libsnappy1v5", "libzstd1", "time"];
/// Tests on a big-endian machine.
const BIG_ENDIAN: &[&str] = &["qemu-user-static", "gcc-s390x-linux-gnu", "libc6-dev-s390x-cross"];

/// Boots a guest of powerpc, and reads its device tree.
pub(crate) const POWERPC: &[&str] = &["qemu-system-ppc", "device-tree-compiler", "cpio", "gzip"];

/// Every package of every task.
pub(crate) fn all() -> Vec<&'static str> {
    let mut all = [GUESTS, FUZZ, DEMO, DRGN, ORACLES, BIG_ENDIAN, C_PROGRAMS, DEBIAN, POWERPC].concat();
    all.sort_unstable();
    all.dedup();
    all
}

/// Installs what is missing of these packages; says what it does only if it does something.
pub(crate) fn install(packages: &[&str]) -> Outcome<()> {
    let missing: Vec<&str> = packages.iter().copied().filter(|package| !installed(package)).collect();
    if missing.is_empty() {
        return Ok(());
    }
    let list = missing.join(" ");
    println!("installing Debian packages: {list}");
    let by_hand = format!("cannot install them here; as root: apt-get install {list}");
    refresh_lists().map_err(|error| format!("{error}\n{by_hand}"))?;
    let mut words = vec!["install", "--yes", "--no-install-recommends"];
    words.extend(&missing);
    apt_get(&words).map_err(|error| format!("{error}\n{by_hand}"))?;
    Ok(())
}

/// Lets apt know the packages of another architecture.
pub(crate) fn add_architecture(name: &str) -> Outcome<()> {
    let known = crate::run::output(command(&["dpkg", "--print-foreign-architectures"]))?;
    if known.lines().any(|line| line == name) {
        return Ok(());
    }
    run(as_root().args(["dpkg", "--add-architecture", name]))?;
    refresh_lists()
}

fn installed(package: &str) -> bool {
    command(&["dpkg", "-s", package])
        .stderr(Stdio::null())
        .output()
        .is_ok_and(|output| String::from_utf8_lossy(&output.stdout).contains("Status: install ok installed"))
}

/// Fetches apt's lists of packages anew.
pub(crate) fn refresh_lists() -> Outcome<()> {
    apt_get(&["update"])
}

fn apt_get(words: &[&str]) -> Outcome<()> {
    let mut command = as_root();
    command.args(["apt-get", "--quiet", "--quiet", "-o", "DPkg::Lock::Timeout=300"]).args(words);
    run(command.stdin(Stdio::null()).stdout(Stdio::null()))
}

/// `env` as root: itself if this is root already.
fn as_root() -> Command {
    let root = command(&["id", "-u"]).output().is_ok_and(|output| output.stdout.starts_with(b"0"));
    let mut command = if root { Command::new("env") } else { Command::new("sudo") };
    if !root {
        command.args(["--non-interactive", "env"]);
    }
    command.arg("DEBIAN_FRONTEND=noninteractive");
    command
}
