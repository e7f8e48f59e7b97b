//! The files of capi/src in the order of their `mod` lines, each with what it says of itself and what it declares.

use std::fs;
use std::path::Path;

use crate::run::Outcome;

/// A file that declares a part of the C ABI.
#[derive(Debug)]
pub(super) struct File {
    /// Its `//!` lines, without these signs.
    doc: Vec<String>,
    /// What it declares, in order.
    pub(super) names: Vec<String>,
    /// Constants that it writes in hexadecimal, which cbindgen does not keep.
    pub(super) literals: Vec<(String, String)>,
}

impl File {
    pub(super) fn parse(text: &str) -> Self {
        let doc = text.lines().map_while(|line| line.strip_prefix("//!"));
        let doc = doc.map(|line| without_links(line.strip_prefix(' ').unwrap_or(line))).collect();
        let (mut names, mut literals) = (Vec::new(), Vec::new());
        for line in text.lines() {
            let Some(name) = declared(line) else { continue };
            names.push(name.to_owned());
            if let Some((_, value)) = line.split_once("= 0x") {
                let digits = value.trim_end_matches(';').replace('_', "");
                let suffix = if line.contains("u64") { "ull" } else { "" };
                literals.push((name.to_owned(), format!("0x{digits}{suffix}")));
            }
        }
        Self { doc, names, literals }
    }

    /// What it says of itself, as it stands in a C comment.
    pub(super) fn comment(&self) -> String {
        self.doc.iter().map(|line| format!(" {line}").trim_end().to_owned() + "\n").collect()
    }
}

/// The name of C's that a line declares.
fn declared(line: &str) -> Option<&str> {
    let starts =
        ["pub const ", "pub struct ", "pub type ", "pub extern \"C\" fn ", "pub unsafe extern \"C\" fn "];
    let after = starts.iter().find_map(|start| line.strip_prefix(start))?;
    let name = after.split(|c: char| !c.is_ascii_alphanumeric() && c != '_').next()?;
    (name.starts_with("kcap_") || name.starts_with("KCAP_")).then_some(name)
}

/// Rust's links as the names that they show: `[x](y)` and `[x]` as x.
fn without_links(line: &str) -> String {
    let mut text = line.to_owned();
    while let Some(start) = text.find("[`") {
        let Some(end) = text[start..].find(']').map(|end| start + end) else { break };
        let after = &text[end + 1..];
        let target = if after.starts_with('(') { after.find(')').map_or(0, |end| end + 1) } else { 0 };
        text = format!("{}{}{}", &text[..start], &text[start + 1..end], &after[target..]);
    }
    text
}

/// The files below `folder` in the order of the `mod` lines of `root`: a file, then those that it declares.
pub(super) fn files(folder: &Path, root: &str) -> Outcome<Vec<File>> {
    let text = fs::read_to_string(folder.join(root))?;
    let mut files = vec![File::parse(&text)];
    let modules = text.lines().map(|line| line.trim_start_matches("pub "));
    for name in modules.filter_map(|line| line.strip_prefix("mod ")?.strip_suffix(';')) {
        if name == "tests" {
            continue;
        }
        if folder.join(name).join("mod.rs").exists() {
            files.extend(self::files(&folder.join(name), "mod.rs")?);
        } else {
            files.extend(self::files(folder, &format!("{name}.rs"))?);
        }
    }
    Ok(files)
}

/// What `root` says after `# Conventions`, as it stands in a C comment.
pub(super) fn conventions(files: &[File]) -> String {
    let Some(root) = files.first() else { return String::new() };
    let text = root.comment();
    text.split_once(" # Conventions\n\n")
        .map_or(String::new(), |(_, rules)| format!(" Conventions\n\n{rules}"))
}
