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
    ("testkit", &[]),
    ("xtask", &[]),
    ("xtask/guest", &[]),
];

/// Checks both rules in every crate that is there; all faults are named.
pub(crate) fn check() -> Outcome<()> {
    let mut faults = Vec::new();
    for (folder, may_import) in CRATES {
        let root = targets::workspace().join(folder);
        if !root.exists() {
            continue;
        }
        imports(&root, folder, may_import, &mut faults)?;
        for name in ["src/lib.rs", "src/main.rs"] {
            if root.join(name).exists() {
                let order = Modules::read(&root.join(name))?;
                file(&root.join(name), &[], &BTreeMap::from([(Vec::new(), order)]), &mut faults)?;
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

/// The modules that a file declares.
#[derive(Debug, Clone, Default)]
struct Modules {
    /// In the order of their `mod` lines.
    order: Vec<String>,
    /// Those that only tests have.
    tests: Vec<String>,
    /// What the file gives other names: the module by the name it re-exports.
    reexported: BTreeMap<String, String>,
}

impl Modules {
    fn read(file: &Path) -> Outcome<Self> {
        let source = paths::without_tests_and_comments(&fs::read_to_string(file)?);
        let mut modules = Self::default();
        let mut of_tests = false;
        for line in source.lines().map(str::trim) {
            if let Some(name) = declared(line) {
                if of_tests { modules.tests.push(name) } else { modules.order.push(name) }
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

/// Checks a file and those of the modules it declares. `module` is its path from the crate's root; `above` are the
/// modules of every file on the way to it and of itself.
fn file(
    path: &Path,
    module: &[String],
    above: &BTreeMap<Vec<String>, Modules>,
    faults: &mut Vec<String>,
) -> Outcome<()> {
    let source = paths::without_tests_and_comments(&fs::read_to_string(path)?);
    for used in paths::used(&source, module) {
        if let Some(fault) = upward(&used, module, above) {
            let shown = path.strip_prefix(targets::workspace()).unwrap_or(path).display();
            faults.push(format!("{shown}: uses {} though {fault}", used.join("::")));
        }
    }
    let own = above.get(module).cloned().unwrap_or_default();
    for name in own.order {
        let Some(child) = file_of(path, &name) else { continue };
        let mut child_module = module.to_vec();
        child_module.push(name);
        let mut child_above = above.clone();
        child_above.insert(child_module.clone(), Modules::read(&child)?);
        file(&child, &child_module, &child_above, faults)?;
    }
    Ok(())
}

/// Why a use breaks the order, if it does: where the two paths part, the used one must have been declared first.
fn upward(used: &[String], module: &[String], above: &BTreeMap<Vec<String>, Modules>) -> Option<String> {
    for depth in 0..module.len().min(used.len()) {
        let (own, other) = (&module[depth], &used[depth]);
        let modules = above.get(&module[..depth])?;
        let (own_position, other_position) = (modules.position(own)?, modules.position(other)?);
        if own_position < other_position {
            return Some(format!("{other} is declared below {own}"));
        }
        if own != other {
            return None;
        }
    }
    None
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
