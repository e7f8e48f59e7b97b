//! What is fuzzed: one function for each target, and the inputs from which a fuzzer starts.
//!
//! A target is a plain function of bytes. It panics when something is wrong; input that is refused is fine. libFuzzer calls it
//! (`fuzz/fuzz_targets`), and so does an ordinary test, over its seeds and over every input that once was a finding
//! (`fuzz/regressions/TARGET/*`).
#![deny(unsafe_code)]

mod input;
mod files;
mod kernels;
mod c_libraries;
mod machines;

mod edits;

pub mod encoders;

pub mod c_abi;
pub mod decoders;
pub mod drmem;
pub mod elf_core;
pub mod flattened;
pub mod images;
pub mod kdump_file;
pub mod memory;
pub mod objects;
pub mod pipeline;
pub mod plan;
pub mod printk;
pub mod sources;

/// One target.
#[derive(Debug, Clone, Copy)]
pub struct Target {
    /// Its name, that of its folders and of its program.
    pub name: &'static str,
    /// What is called with each input.
    pub run: fn(&[u8]),
    /// Inputs to start from.
    pub seeds: fn() -> Vec<Vec<u8>>,
    /// The longest input worth trying, in bytes.
    pub max_len: usize,
}

macro_rules! targets {
    ($($name:ident: $max_len:expr,)*) => {
        /// Every target.
        pub const TARGETS: &[Target] = &[
            $(Target { name: stringify!($name), run: $name::run, seeds: $name::seeds, max_len: $max_len },)*
        ];
    };
}

targets! {
    elf_core: 0x3000,
    kdump_file: 0xc000,
    flattened: 0x3000,
    images: 0x2000,
    objects: 0x4000,
    sources: 0x1000,
    decoders: 0x1000,
    drmem: 0x400,
    encoders: 0x1000,
    memory: 0x800,
    printk: 0x400,
    pipeline: 0x200,
    plan: 0x200,
    c_abi: 0x400,
}
