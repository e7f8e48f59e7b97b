//! What the libraries export and import. The committed lists are `include/symbols` (both builds) and
//! `include/symbols-hosted` (the hosted one besides).

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use crate::run::{Outcome, command, output};
use crate::targets;

/// All that a freestanding library may ask of the program.
pub(super) const FREESTANDING_IMPORTS: &[&str] = &["abort", "memcmp", "memcpy", "memmove", "memset"];

/// Libraries that the shared object may need: C's, and the unwinder that std prints backtraces with.
const NEEDED: &[&str] = &["libc.so.6", "libgcc_s.so.1", "ld-linux-x86-64.so.2"];

/// The functions of the C ABI.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Lists {
    pub(super) freestanding: BTreeSet<String>,
    pub(super) hosted: BTreeSet<String>,
}

impl Lists {
    /// The committed lists.
    pub(super) fn read() -> Outcome<Self> {
        let lists = Self { freestanding: read("symbols")?, hosted: read("symbols-hosted")? };
        if lists != Self::of_header()? {
            return Err("include/symbols* are not what the header declares: cargo xtask capi --write".into());
        }
        Ok(lists)
    }

    /// What the header declares; hosted functions stand inside `#if defined(KCAPTURE_HOSTED)`.
    pub(super) fn of_header() -> Outcome<Self> {
        let header = fs::read_to_string(targets::workspace().join("include/kcapture.h"))?;
        let mut lists = Self { freestanding: BTreeSet::new(), hosted: BTreeSet::new() };
        let (mut inside, mut comment) = (false, false);
        for line in header.lines() {
            comment |= line.trim_start().starts_with("/*");
            if line.starts_with("#if") {
                inside = line == "#if defined(KCAPTURE_HOSTED)";
            } else if line.starts_with("#endif") {
                inside = false;
            } else if !comment
                && !line.starts_with(' ')
                && let Some((before, _)) = line.split_once('(')
                && let Some(name) = before.rsplit([' ', '*']).next().filter(|name| name.starts_with("kcap_"))
            {
                let list = if inside { &mut lists.hosted } else { &mut lists.freestanding };
                list.insert(name.to_owned());
            }
            comment &= !line.trim_end().ends_with("*/");
        }
        Ok(lists)
    }

    /// Everything that the hosted build exports.
    pub(super) fn all(&self) -> BTreeSet<String> {
        self.freestanding.union(&self.hosted).cloned().collect()
    }

    /// Writes the committed lists.
    pub(super) fn write(&self) -> Outcome<()> {
        for (name, list) in [("symbols", &self.freestanding), ("symbols-hosted", &self.hosted)] {
            let lines: String = list.iter().map(|symbol| format!("{symbol}\n")).collect();
            fs::write(targets::workspace().join("include").join(name), lines)?;
        }
        Ok(())
    }
}

fn read(name: &str) -> Outcome<BTreeSet<String>> {
    let text = fs::read_to_string(targets::workspace().join("include").join(name))?;
    Ok(text.lines().map(str::to_owned).collect())
}

/// The symbols that `nm` lists with these words, without versions.
fn nm(words: &[&str], file: &Path) -> Outcome<BTreeSet<String>> {
    let listing = output(command(&["nm", "--format=posix"]).args(words).arg(file))?;
    let name =
        |line: &str| line.split(' ').next().map(|name| name.split('@').next().unwrap_or(name).to_owned());
    Ok(listing
        .lines()
        .filter(|line| !line.ends_with(':'))
        .filter_map(name)
        .filter(|name| !name.is_empty())
        .collect())
}

fn compare(file: &Path, found: &BTreeSet<String>, wanted: &BTreeSet<String>) -> Outcome<()> {
    let missing: Vec<_> = wanted.difference(found).cloned().collect();
    let more: Vec<_> = found.difference(wanted).cloned().collect();
    if missing.is_empty() && more.is_empty() {
        return Ok(());
    }
    let file = file.display();
    Err(format!("{file}: does not export {}; exports besides {}", missing.join(" "), more.join(" ")).into())
}

/// The shared object exports the functions and nothing else, is called libkcapture.so.0, and needs C's library only.
pub(super) fn check_shared(file: &Path, lists: &Lists) -> Outcome<()> {
    compare(file, &nm(&["--dynamic", "--defined-only"], file)?, &lists.all())?;
    let dynamic = output(command(&["readelf", "--dynamic", "--wide"]).arg(file))?;
    if !dynamic.contains("Library soname: [libkcapture.so.0]") {
        return Err(format!("{}: its soname is not libkcapture.so.0", file.display()).into());
    }
    for line in dynamic.lines().filter(|line| line.contains("(NEEDED)")) {
        if !NEEDED.iter().any(|name| line.contains(&format!("[{name}]"))) {
            return Err(format!("{}: {}", file.display(), line.trim()).into());
        }
    }
    let imports = nm(&["--dynamic", "--undefined-only"], file)?;
    println!("{}: {} bytes, {} functions", file.display(), fs::metadata(file)?.len(), lists.all().len());
    println!("  imports {}", imports.into_iter().collect::<Vec<_>>().join(" "));
    Ok(())
}

/// The archive defines the functions and nothing else, and imports no more than it may.
pub(super) fn check_archive(
    file: &Path,
    wanted: &BTreeSet<String>,
    may_import: Option<&[&str]>,
) -> Outcome<()> {
    compare(file, &nm(&["--defined-only", "--extern-only"], file)?, wanted)?;
    let imports = nm(&["--undefined-only"], file)?;
    if let Some(may) = may_import
        && let Some(other) = imports.iter().find(|name| !may.contains(&name.as_str()))
    {
        return Err(format!("{}: imports {other}", file.display()).into());
    }
    println!("{}: {} bytes, {} functions", file.display(), fs::metadata(file)?.len(), wanted.len());
    println!("  imports {}", imports.into_iter().collect::<Vec<_>>().join(" "));
    Ok(())
}
