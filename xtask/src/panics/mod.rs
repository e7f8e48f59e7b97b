//! `cargo xtask panics`: which exported functions of the freestanding library can reach a panic, and how. The committed list
//! `include/panics` has those that may, each with its reason; one more is a failure.
//!
//! A function reaches what its code and its constants refer to, by the relocations of the linked object: calls through tables of
//! methods and stored function pointers count as calls of all that is in the table. Calls that the embedder's own functions
//! make do not.

mod object;
mod reach;
mod planted;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use crate::run::{Outcome, command, run};
use crate::{capi, purgatory, targets};

const LIST: &str = "include/panics";

/// Builds both freestanding artifacts, searches them, and compares with the list.
pub(crate) fn check() -> Outcome<String> {
    let folder = targets::folder()?.join("panics");
    planted::check(&folder.join("planted"), capi::BARE)?;
    let (linked, functions) = capi::linked_bare()?;
    let mut sites = search("libkcapture", &linked, &functions)?;
    let archive = purgatory::archive()?;
    let roots = purgatory::SYMBOLS.map(str::to_owned).into_iter().collect();
    let linked = folder.join("purgatory.o");
    link(&archive, &roots, &linked)?;
    sites.extend(search("purgatory", &linked, &roots)?);
    compare(&sites)?;
    Ok(format!("panics that an exported function can reach: {}", sites.len()))
}

/// One object of all that `roots` need of an archive, each function in a section of its own.
fn link(archive: &Path, roots: &BTreeSet<String>, linked: &Path) -> Outcome<()> {
    let mut ld = command(&["ld", "-r", "--gc-sections", "--force-group-allocation", "--build-id=none"]);
    ld.args(roots.iter().map(|name| format!("--undefined={name}")));
    run(ld.arg("-o").arg(linked).arg(archive))
}

fn search(name: &str, linked: &Path, roots: &BTreeSet<String>) -> Outcome<Vec<reach::Site>> {
    let object = object::read(linked)?;
    let sites = reach::sites(&object, roots)?;
    println!(
        "{name}: {} exported, {} sections, {} references, {} panics within reach",
        roots.len(),
        object.nodes.len(),
        object.nodes.iter().map(|node| node.refers_to.len()).sum::<usize>(),
        sites.len()
    );
    for site in &sites {
        println!("  {}", site.name);
        println!("    {}", site.chain.join(" -> "));
        println!("    from {}", site.roots.iter().cloned().collect::<Vec<_>>().join(" "));
    }
    Ok(sites)
}

/// Fails for a site that is not in the list; says which lines of the list nothing needs.
fn compare(sites: &[reach::Site]) -> Outcome<()> {
    let known = list()?;
    let new: Vec<&str> =
        sites.iter().map(|site| site.name.as_str()).filter(|name| !known.contains_key(*name)).collect();
    for name in known.keys().filter(|name| !sites.iter().any(|site| site.name == **name)) {
        println!("{LIST} can be shorter: nothing reaches {name}");
    }
    println!("{} panics within reach, {} in {LIST}", sites.len(), known.len());
    if new.is_empty() {
        return Ok(());
    }
    Err(format!("{} panics are within reach that are not in {LIST}:\n{}", new.len(), new.join("\n")).into())
}

/// The committed list: a line each, `function -> panic # reason`; lines that begin with `#` are for people.
fn list() -> Outcome<BTreeMap<String, String>> {
    let text = fs::read_to_string(targets::workspace().join(LIST))?;
    let mut list = BTreeMap::new();
    for line in text.lines().filter(|line| !line.is_empty() && !line.starts_with('#')) {
        let (name, reason) = line.split_once(" # ").ok_or_else(|| format!("{LIST}: no reason: {line}"))?;
        if reason.trim().is_empty() || list.insert(name.to_owned(), reason.to_owned()).is_some() {
            return Err(format!("{LIST}: no reason, or twice: {line}").into());
        }
    }
    Ok(list)
}
