//! The flattened device tree: its blocks and tokens, read and changed in place.
//!
//! Source: Devicetree specification 0.4, chapter 5; `drivers/of/fdt.c` (Linux 6.12). Reader and editor are this crate's own: a
//! tree comes from outside and may be damaged, and trees in use break the specification's rules on names; the readers at hand
//! panic on the one or refuse the other. Of the editors one works in place and without an allocator (`dtoolkit` 0.4), and it
//! stops the program where the tree is not what it expects.

mod edit;
#[cfg(test)]
pub(crate) mod laid;
mod tree;

pub(crate) use edit::Editor;
pub(crate) use tree::{Property, Token, Tree, corrupt};
