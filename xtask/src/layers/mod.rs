//! `cargo xtask layers`: who may import whom. Between crates, a table; inside a crate, the order of the `mod` lines: a
//! file uses only modules declared above its own.

mod paths;

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use crate::run::Outcome;
use crate::targets;

/// Our crates by folder, and what each may import. Only tests import `testkit`.
const CRATES: &[(&str, &[&str])] = &[
    ("vmcore-format", &[]),
    ("purgatory", &[]),
    ("kexec-core", &["vmcore-format", "purgatory"]),
    ("page-filter", &["vmcore-format"]),
    ("host", &["vmcore-format", "purgatory", "kexec-core", "page-filter"]),
    ("capi", &["vmcore-format", "purgatory", "kexec-core", "page-filter", "host"]),
    ("examples/kcap", &["vmcore-format", "purgatory", "kexec-core", "page-filter", "host"]),
    ("fuzz/targets", &["vmcore-format", "purgatory", "kexec-core", "page-filter", "capi", "testkit"]),
    ("testkit", &[]),
    ("xtask", &[]),
    ("xtask/guest", &[]),
];

/// A crate whose modules know each other: testkit's simulated machine is one thing, cut into files.
const UNORDERED: &str = "testkit";

/// Checks both rules in every crate that is there; all faults are named. The order is that of the crate's root: below
/// it, the modules of one folder may use each other.
pub(crate) fn check() -> Outcome<()> {
    let mut faults = Vec::new();
    for (folder, may_import) in CRATES {
        let root = targets::workspace().join(folder);
        if !root.exists() {
            continue;
        }
        imports(&root, folder, may_import, &mut faults)?;
        for name in ["src/lib.rs", "src/main.rs"] {
            if root.join(name).exists() && *folder != UNORDERED {
                let modules = Modules::read(&root.join(name))?;
                for module in &modules.order {
                    let path = file_of(&root.join(name), module);
                    path.map_or(Ok(()), |path| {
                        file(&path, std::slice::from_ref(module), &modules, &mut faults)
                    })?;
                }
            }
        }
    }
    if faults.is_empty() {
        println!("layers: every crate and module imports only what lies below it");
        return Ok(());
    }
    Err(faults.join("\n").into())
}

/// The first rule, by the dependencies in Cargo.toml.
fn imports(root: &Path, folder: &str, may_import: &[&str], faults: &mut Vec<String>) -> Outcome<()> {
    let manifest = fs::read_to_string(root.join("Cargo.toml"))?;
    let mut section = "";
    for line in manifest.lines() {
        if line.starts_with('[') {
            section = line;
        }
        let name = line.split(['.', ' ', '=']).next().unwrap_or_default().trim_start_matches("kcapture-");
        let ours = CRATES.iter().any(|(folder, _)| folder.rsplit('/').next() == Some(name));
        if section.ends_with("dependencies]")
            && !section.contains("dev-")
            && ours
            && !may_import.contains(&name)
        {
            faults.push(format!("{folder}/Cargo.toml: {folder} may not import {name}"));
        }
    }
    Ok(())
}

/// The modules that a file declares, without those that only tests have.
#[derive(Debug, Default)]
struct Modules {
    /// In the order of their `mod` lines.
    order: Vec<String>,
    /// What the file gives other names: the module by the name it re-exports.
    reexported: BTreeMap<String, String>,
}

impl Modules {
    fn read(file: &Path) -> Outcome<Self> {
        let source = paths::without_tests_and_comments(&fs::read_to_string(file)?);
        let mut modules = Self::default();
        let mut of_tests = false;
        for line in source.lines().map(str::trim) {
            if let Some(name) = declared(line).filter(|_| !of_tests) {
                modules.order.push(name);
            }
            of_tests = line.starts_with("#[cfg(test)]") || (of_tests && line.starts_with("#["));
        }
        for path in
            paths::after("pub use ", &source).into_iter().chain(paths::after("pub(crate) use ", &source))
        {
            if let (Some(first), Some(last)) = (path.first(), path.last())
                && modules.order.contains(first)
            {
                modules.reexported.insert(last.clone(), first.clone());
            }
        }
        Ok(modules)
    }

    /// Where a name of this file stands in the order, be it a module or something re-exported from one.
    fn position(&self, name: &str) -> Option<usize> {
        let module = self.reexported.get(name).map_or(name, String::as_str);
        self.order.iter().position(|declared| declared == module)
    }
}

/// The name in a line such as `pub(crate) mod name;`.
fn declared(line: &str) -> Option<String> {
    let words: Vec<&str> = line.strip_suffix(';')?.split_whitespace().collect();
    match words.as_slice() {
        ["mod", name] => Some((*name).to_owned()),
        [visibility, "mod", name] if visibility.starts_with("pub") => Some((*name).to_owned()),
        _ => None,
    }
}

/// Checks a file and those of the modules it declares. `module` is its path from the crate's root, `modules` are the
/// root's.
fn file(path: &Path, module: &[String], modules: &Modules, faults: &mut Vec<String>) -> Outcome<()> {
    let source = paths::without_tests_and_comments(&fs::read_to_string(path)?);
    let own = module.first().and_then(|name| modules.position(name));
    for used in paths::used(&source, module) {
        let other = used.first().and_then(|name| modules.position(name));
        if let (Some(own), Some(other)) = (own, other)
            && own < other
        {
            let shown = path.strip_prefix(targets::workspace()).unwrap_or(path).display();
            faults.push(format!("{shown}: uses {}, declared below it", used.join("::")));
        }
    }
    for name in Modules::read(path)?.order {
        if let Some(child) = file_of(path, &name) {
            file(&child, &[module, &[name]].concat(), modules, faults)?;
        }
    }
    Ok(())
}

/// The file of a module that another declares.
fn file_of(parent: &Path, name: &str) -> Option<std::path::PathBuf> {
    let folder = parent.parent()?;
    let stem = parent.file_stem()?.to_str()?;
    let folder = if ["lib", "main", "mod"].contains(&stem) { folder.to_owned() } else { folder.join(stem) };
    [folder.join(format!("{name}.rs")), folder.join(name).join("mod.rs")]
        .into_iter()
        .find(|file| file.exists())
}
