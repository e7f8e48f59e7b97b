//! Which panics the functions of an object reach.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use super::object::Object;
use crate::run::Outcome;

/// How the functions that panic are called, in `core`, `alloc` and where they end: no name of ours begins so.
const PANICS: &[&str] = &[
    "core::panicking::",
    "core::option::unwrap_failed",
    "core::option::expect_failed",
    "core::result::unwrap_failed",
    "core::cell::panic_",
    "core::str::slice_error_fail",
    "alloc::raw_vec::",
    "alloc::alloc::handle_alloc_error",
    "std::panicking::",
    "__rustc::rust_begin_unwind",
    "rust_begin_unwind",
    "rust_panic",
];

/// Functions of `core` whose names end so do nothing but panic: `core::slice::index::slice_index_fail`,
/// `core::slice::copy_from_slice_impl::len_mismatch_fail`, `core::num::int_log10::panic_for_nonpositive_argument`.
const PANICS_OF_CORE: &[&str] =
    &["_fail", "_failed", "panic_for_nonpositive_argument", "panic_on_ord_violation"];

/// The call that ends the program, which nothing but a panic may ask for.
const ABORT: &str = "abort";

/// A function that may panic.
#[derive(Debug)]
pub(super) struct Site {
    /// `function -> panic`.
    pub(super) name: String,
    /// The shortest way there, from a root to the function.
    pub(super) chain: Vec<String>,
    /// The roots that reach it.
    pub(super) roots: BTreeSet<String>,
}

/// Whether this function does nothing but panic.
fn is_panic(function: &str) -> bool {
    function == ABORT
        || PANICS.iter().any(|known| function.starts_with(known))
        || function.starts_with("core::") && PANICS_OF_CORE.iter().any(|known| function.ends_with(known))
}

/// The functions that can be reached from `roots` and refer to a panic, or trap, themselves.
pub(super) fn sites(object: &Object, roots: &BTreeSet<String>) -> Outcome<Vec<Site>> {
    let panics = |node: usize| object.nodes[node].functions.iter().find(|name| is_panic(name));
    let mut sites: BTreeMap<String, Site> = BTreeMap::new();
    for root in roots {
        let start = *object.globals.get(root).ok_or_else(|| format!("{root} is not in the object"))?;
        let mut found = |name: String, chain: &dyn Fn() -> Vec<String>| {
            let site = sites.entry(name.clone());
            let site = site.or_insert_with(|| Site { name, chain: chain(), roots: BTreeSet::new() });
            site.roots.insert(root.clone());
            if chain().len() < site.chain.len() {
                site.chain = chain();
            }
        };
        // Nearest first, each with the one that it was reached from.
        let mut before: BTreeMap<usize, usize> = BTreeMap::from([(start, start)]);
        let mut next = VecDeque::from([start]);
        while let Some(node) = next.pop_front() {
            let chain = || {
                let mut chain = vec![name_of(object, node)];
                let mut at = node;
                while before[&at] != at {
                    at = before[&at];
                    chain.insert(0, name_of(object, at));
                }
                chain
            };
            if let Some(panic) = panics(node) {
                found(format!("{} -> {panic}", name_of(object, node)), &chain);
                continue;
            }
            if object.nodes[node].traps {
                found(format!("{} -> a trap", name_of(object, node)), &chain);
            }
            for &other in &object.nodes[node].refers_to {
                if let Some(panic) = panics(other) {
                    found(format!("{} -> {panic}", name_of(object, node)), &chain);
                }
            }
            for &other in &object.nodes[node].refers_to {
                if panics(other).is_none() && !before.contains_key(&other) {
                    before.insert(other, node);
                    next.push_back(other);
                }
            }
        }
    }
    Ok(sites.into_values().collect())
}

fn name_of(object: &Object, node: usize) -> String {
    let node = &object.nodes[node];
    node.functions.first().unwrap_or(&node.name).clone()
}
