//! Paths in Rust source, found by reading the text: `crate::`, `super::`, and the trees of `use`.

/// The source without comments and without what only tests have: the rules are about the code itself.
pub(crate) fn without_tests_and_comments(source: &str) -> String {
    let mut kept = String::new();
    for line in source.lines() {
        if line.starts_with("mod tests {") {
            break;
        }
        kept.push_str(line.split("//").next().unwrap_or_default());
        kept.push('\n');
    }
    kept
}

/// Every path that the source of a module uses, from the root of the crate.
pub(crate) fn used(source: &str, module: &[String]) -> Vec<Vec<String>> {
    let mut used = after("crate::", source);
    let parent = module.split_last().map_or(&[][..], |(_, parent)| parent);
    let grandparent = parent.split_last().map_or(&[][..], |(_, grandparent)| grandparent);
    for mut path in after("super::", source) {
        if path.first().is_some_and(|first| first == "super") {
            continue;
        }
        path.splice(0..0, parent.iter().cloned());
        used.push(path);
    }
    for mut path in after("super::super::", source) {
        path.splice(0..0, grandparent.iter().cloned());
        used.push(path);
    }
    used
}

/// Every path that follows a word, trees in braces unfolded.
pub(crate) fn after(word: &str, source: &str) -> Vec<Vec<String>> {
    let mut paths = Vec::new();
    for (at, _) in source.match_indices(word) {
        // The end of another name, or the second of two `super`: that path was or will be found by its beginning.
        let before = source[..at].chars().next_back();
        if before.is_some_and(|before| before.is_alphanumeric() || before == '_' || before == ':') {
            continue;
        }
        tree(&source[at + word.len()..], &[], &mut paths);
    }
    paths
}

/// Unfolds one tree; gives what follows it.
fn tree<'a>(text: &'a str, prefix: &[String], paths: &mut Vec<Vec<String>>) -> &'a str {
    let mut path = prefix.to_vec();
    let mut rest = text.trim_start();
    loop {
        if let Some(group) = rest.strip_prefix('{') {
            rest = group.trim_start();
            while !rest.is_empty() && !rest.starts_with('}') {
                let after = tree(rest, &path, paths).trim_start();
                rest = after.strip_prefix(',').unwrap_or(after).trim_start();
                if after.len() == rest.len() && !rest.starts_with('}') {
                    return rest;
                }
            }
            return rest.strip_prefix('}').unwrap_or(rest);
        }
        let end = rest.find(|next: char| !(next.is_alphanumeric() || next == '_')).unwrap_or(rest.len());
        let (name, after) = rest.split_at(end);
        if !name.is_empty() {
            path.push(name.to_owned());
        }
        match after.strip_prefix("::") {
            Some(more) if !name.is_empty() => rest = more,
            _ => {
                paths.push(path);
                // `as NAME` belongs to this path.
                let after = after.trim_start();
                return after.strip_prefix("as ").map_or(after, |name| {
                    name.trim_start_matches(|next: char| next.is_alphanumeric() || next == '_')
                });
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn joined(paths: Vec<Vec<String>>) -> Vec<String> {
        paths.iter().map(|path| path.join("::")).collect()
    }

    #[test]
    fn trees_unfold() {
        let source = "use crate::{a::b, c::{self, D as E}, f};\nlet x = crate::g::h(1);";
        assert_eq!(joined(after("crate::", source)), ["a::b", "c::self", "c::D", "f", "g::h"]);
    }

    #[test]
    fn super_is_the_module_above() {
        let module = ["dump".to_owned(), "elf".to_owned()];
        let source = "use super::super::kind::Level; use super::chunk; use crate::phys;";
        assert_eq!(joined(used(source, &module)), ["phys", "dump::chunk", "kind::Level"]);
    }

    #[test]
    fn tests_and_comments_do_not_count() {
        let source = "use crate::a; // crate::b\n#[cfg(test)]\nmod tests {\n    use crate::c;\n}\n";
        assert_eq!(joined(used(&without_tests_and_comments(source), &[])), ["a"]);
    }
}
