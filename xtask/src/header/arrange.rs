//! The header in the order of capi's files. cbindgen puts all constants first, then all types, then all functions: what
//! belongs together would stand thousands of lines apart.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use super::sources::File;

/// What stands around a declaration of the hosted build.
const HOSTED: (&str, &str) = ("#if defined(KCAPTURE_HOSTED)\n", "\n#endif");

/// One declaration of cbindgen's, with its comment.
struct Item<'t> {
    text: &'t str,
    hosted: bool,
}

/// The items of cbindgen's text by name, and what stands before the first of them.
fn items(text: &str) -> (&str, BTreeMap<&str, Item<'_>>) {
    let mut items = BTreeMap::new();
    let mut preamble = text.len();
    let (mut start, mut comment, mut depth) = (0, false, 0_usize);
    let mut at = 0;
    for line in text.split_inclusive('\n') {
        comment |= line.trim_start().starts_with("/*");
        // `extern "C" {` holds all functions, and is written anew.
        if !comment && !line.starts_with("extern") {
            depth = (depth + line.matches('{').count()).saturating_sub(line.matches('}').count());
        }
        comment &= !line.trim_end().ends_with("*/");
        if line.trim().is_empty() && !comment && depth == 0 {
            let block = text[start..at].trim_end();
            let inner = block.strip_prefix(HOSTED.0).and_then(|block| block.strip_suffix(HOSTED.1));
            if let Some(name) = name(inner.unwrap_or(block)) {
                preamble = preamble.min(start);
                items.insert(name, Item { text: inner.unwrap_or(block), hosted: inner.is_some() });
            }
            start = at + line.len();
        }
        at += line.len();
    }
    (&text[..preamble], items)
}

/// The lines of a declaration without its comments.
fn code(block: &str) -> impl Iterator<Item = &str> {
    let mut comment = false;
    block.lines().filter(move |line| {
        comment |= line.trim_start().starts_with("/*");
        let is_code = !comment;
        comment &= !line.trim_end().ends_with("*/");
        is_code
    })
}

/// The name that a block declares.
fn name(block: &str) -> Option<&str> {
    let first = code(block).next()?;
    let words: Vec<&str> = first.split(|c: char| !c.is_ascii_alphanumeric() && c != '_').collect();
    let mut ours = words.into_iter().filter(|word| word.starts_with("kcap_") || word.starts_with("KCAP_"));
    if first.starts_with("typedef") || first.starts_with("#define") {
        ours.next()
    } else {
        first.split_once('(')?.0.rsplit([' ', '*']).next().filter(|name| name.starts_with("kcap_"))
    }
}

/// What is written, and what was.
struct Writer<'t> {
    items: BTreeMap<&'t str, Item<'t>>,
    literals: BTreeMap<&'t str, &'t str>,
    written: BTreeSet<&'t str>,
    out: String,
}

impl<'t> Writer<'t> {
    /// Writes the declaration of `name`, after the types that it needs.
    fn declare(&mut self, name: &'t str) {
        let Some(item) = self.items.get(name) else { return };
        if !self.written.insert(name) {
            return;
        }
        let (text, hosted) = (item.text, item.hosted);
        let words = code(text).flat_map(|line| line.split(|c: char| !c.is_ascii_alphanumeric() && c != '_'));
        let types: Vec<&str> =
            words.filter_map(|word| self.items.get_key_value(word)).map(|(name, _)| *name).collect();
        types.into_iter().for_each(|needed| self.declare(needed));
        let text = short_comments(text);
        let text = match (text.rsplit_once(' '), self.literals.get(name)) {
            (Some((before, _)), Some(literal)) if text.contains("#define") => format!("{before} {literal}"),
            _ => text,
        };
        self.separate(hosted);
        let _ = writeln!(self.out, "{text}\n");
    }

    /// Opens or closes what is for the hosted build.
    fn separate(&mut self, hosted: bool) {
        let open = self.out.rfind("#if defined(").map(|at| !self.out[at..].contains("#endif"));
        match (open == Some(true), hosted) {
            (false, true) => self.out.push_str("#if defined(KCAPTURE_HOSTED)\n\n"),
            (true, false) => self.out.push_str("#endif\n\n"),
            _ => {}
        }
    }

    fn section(&mut self, file: &'t File) {
        if !file.names.iter().any(|name| self.items.contains_key(name.as_str())) {
            return;
        }
        let hosted =
            file.names.iter().any(|name| self.items.get(name.as_str()).is_some_and(|item| item.hosted));
        self.separate(hosted);
        let rule = "=".repeat(100);
        let _ = writeln!(self.out, "/*\n {rule}\n{} {rule}\n */\n", file.comment());
        file.names.iter().for_each(|name| self.declare(name));
    }
}

/// Comments of one line stand on one line.
fn short_comments(text: &str) -> String {
    let lines: Vec<&str> = text.lines().collect();
    let mut short = Vec::new();
    let mut rest = lines.as_slice();
    while let [first, after @ ..] = rest {
        rest = match after {
            [words, end, after @ ..] if first.trim() == "/*" && end.trim() == "*/" => {
                let indent = &first[..first.len() - first.trim_start().len()];
                short.push(format!("{indent}/* {} */", words.trim()));
                after
            }
            _ => {
                short.push((*first).to_owned());
                after
            }
        };
    }
    short.join("\n")
}

/// What cbindgen made, in the order of `files`; `conventions` stand before all. It is an error if one of the
/// two declares what the other does not.
pub(super) fn arrange(made: &str, files: &[File], conventions: &str) -> Result<String, String> {
    let mut names = BTreeSet::new();
    if let Some(twice) = files.iter().flat_map(|file| &file.names).find(|name| !names.insert(*name)) {
        return Err(format!(
            "{twice} is declared twice: C has one space of names, and cbindgen takes one of the two"
        ));
    }
    let (preamble, items) = items(made);
    let literals = files.iter().flat_map(|file| &file.literals);
    let literals = literals.map(|(name, literal)| (name.as_str(), literal.as_str())).collect();
    let mut writer = Writer { items, literals, written: BTreeSet::new(), out: preamble.to_owned() };
    let _ = write!(writer.out, "/*\n{conventions} */\n\n#ifdef __cplusplus\nextern \"C\" {{\n#endif\n\n");
    files.iter().for_each(|file| writer.section(file));
    writer.separate(false);
    let lost: Vec<_> = writer.items.keys().filter(|name| !writer.written.contains(*name)).collect();
    let declared = files.iter().flat_map(|file| &file.names).map(String::as_str);
    let more: Vec<_> = declared.filter(|name| !writer.written.contains(name)).collect();
    if !lost.is_empty() || !more.is_empty() {
        return Err(format!("not found in capi/src: {lost:?}; not declared by cbindgen: {more:?}"));
    }
    writer.out.push_str("#ifdef __cplusplus\n}\n#endif\n\n#endif /* KCAPTURE_H */\n");
    Ok(writer.out)
}

#[cfg(test)]
mod tests {
    use super::*;

    const MADE: &str = "#include <stddef.h>\n\n/*\n A flag.\n */\n#define KCAP_FLAG 32\n\n\
        /*\n Two.\n */\ntypedef struct kcap_two {\n  /*\n   One.\n   */\n  struct kcap_one one;\n} kcap_two;\n\n\
        typedef struct kcap_one {\n  int number;\n} kcap_one;\n\n#ifdef __cplusplus\nextern \"C\" {\n#endif\n\n\
        /*\n Asks.\n\n Twice.\n */\nint kcap_two_ask(const struct kcap_two *two,\n                 int flags);\n\n\
        #if defined(KCAPTURE_HOSTED)\nint kcap_close(void);\n#endif\n\n#ifdef __cplusplus\n}\n#endif\n\n#endif\n";

    fn files() -> Vec<File> {
        let two = "//! Twos of a [`kcap_one`](one::kcap_one).\n\npub struct kcap_two {\n\
            pub const KCAP_FLAG: u32 = 0x2_0;\npub unsafe extern \"C\" fn kcap_two_ask(\n";
        let host = "//! Hosts.\npub struct kcap_one {\npub extern \"C\" fn kcap_close() -> i32 {\n";
        vec![File::parse(two), File::parse(host)]
    }

    #[test]
    fn what_belongs_together_stands_together() {
        let made = arrange(MADE, &files(), " Rules.\n").unwrap();
        let places = [
            "#include <stddef.h>\n\n/*\n Rules.\n */\n\n#ifdef __cplusplus\nextern \"C\" {\n#endif\n",
            " Twos of a `kcap_one`.\n",
            "typedef struct kcap_one {",
            "/* Two. */\ntypedef struct kcap_two {\n  /* One. */\n  struct",
            "/* A flag. */\n#define KCAP_FLAG 0x20\n\n",
            "/*\n Asks.\n\n Twice.\n */\nint kcap_two_ask(const struct kcap_two *two,\n                 int flags);\n\n",
            "#if defined(KCAPTURE_HOSTED)\n\n",
            " Hosts.\n",
            "int kcap_close(void);\n\n#endif\n\n#ifdef __cplusplus\n}\n",
        ]
        .map(|part| made.find(part).unwrap_or_else(|| panic!("{part:?} is not in {made}")));
        assert!(places.is_sorted(), "{places:?} {made}");
    }

    #[test]
    fn nothing_is_lost() {
        assert!(arrange(MADE, &files()[..1], "").is_err());
        assert!(arrange(&MADE.replace("kcap_close", "kcap_open"), &files(), "").is_err());
        let again = File::parse("//! Again.\npub struct kcap_one {\n");
        let twice: Vec<_> = files().into_iter().chain([again]).collect();
        assert!(arrange(MADE, &twice, "").is_err());
    }
}
