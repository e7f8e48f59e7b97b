//! The C ABI of kcapture: `include/kcapture.h` is generated from this crate, and `capi/dist` makes the libraries of it.
//!
//! # Conventions
//!
//! - A function is `kcap_<noun>_<verb>` and answers a [`kcap_status`](status::kcap_status): 0, or a number that never
//!   changes. On failure nothing is written through its pointers but its [`kcap_error`](error::kcap_error), if one was
//!   given, and memory that has no content of its own (work, scratch, tables, buffers), unless its comment says more. Getters
//!   that cannot fail answer the value.
//! - Objects live in memory of the caller: `_size()` bytes, aligned to `_align()`, filled in by `_init()`. They need no
//!   clean-up and hold no resource of the system (those of the hosted build that do have a `_close()`). They are not to be moved
//!   or copied, and what was given to an `_init()` and is kept (its comment says so) must stay until the last use of the object.
//!   An object whose `_init()` failed is none.
//! - Structs that may grow begin with their size in bytes, which the caller sets.
//! - Callback tables begin with a `ctx`, which every callback is given first. They do not grow. A callback may not use the objects of
//!   the call that called it, and may not unwind or `longjmp`.
//! - A pointer may be NULL only where it says so, and where it comes with a length of 0. Arrays come as pointer and
//!   number of elements, memory as pointer and number of bytes. What a call writes overlaps nothing else that the call is given.
//! - Numbers are of the host's byte order; byte orders of files and of the dumped machine are values.
//! - The library has no global state. Different objects may be used by different threads at the same time; one object
//!   by one thread at a time, unless its comment says more.
#![cfg_attr(not(feature = "hosted"), no_std)]
#![deny(unsafe_op_in_unsafe_fn)]
#![expect(non_camel_case_types, reason = "types have the names that C knows them by")]
#![expect(
    clippy::missing_safety_doc,
    reason = "the contract is one for all functions: the conventions above"
)]
#![cfg_attr(
    test,
    expect(
        clippy::arithmetic_side_effects,
        clippy::as_conversions,
        reason = "a test that overflows fails, as it should"
    )
)]
#[cfg(all(test, not(feature = "hosted")))]
extern crate std;

pub mod status;

mod ptr;

pub mod error;

pub mod version;

pub mod callback;

#[cfg(test)]
mod testing;

mod failure;
pub mod machine;

pub mod codec;
pub mod vmcoreinfo;

pub mod elf;
pub mod elf_encode;
pub mod elf_parts;

mod load_failure;

mod text;

pub mod map;
pub mod map_note;

pub mod versioned_map;

pub mod sources;

pub mod drmem;

pub mod image;

pub mod command_line;

pub mod boot_params;

pub mod purgatory;

pub mod object;

pub mod segment;

pub mod digest;

pub mod elfcorehdr;

pub mod elfcorehdr_patch;

pub mod check;

pub mod plan;

pub mod burst;

pub mod preflight;

pub mod flattened;
pub mod input_kind;
pub mod kdump;
pub mod kdump_encode;

pub mod note;
pub mod note_desc;
pub mod note_encode;

pub mod memory;

pub mod source;

pub mod kernel;

pub mod sections;

pub mod filter;

pub mod log;

pub mod redact;

pub mod chunk;

pub mod dump;

pub mod scan;

pub mod report;

pub mod estimate;

pub mod verify;

#[cfg(feature = "hosted")]
pub mod hosted;
