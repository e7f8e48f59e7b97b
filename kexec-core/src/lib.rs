//! Plans the kernel that boots next: memory map, kernel images, placement, relocation, digest, core headers.
//!
//! The modules stand in dependency order: a module uses only those declared above it.
#![no_std]
#![forbid(unsafe_code)]
#![cfg_attr(
    test,
    expect(
        clippy::arithmetic_side_effects,
        clippy::as_conversions,
        reason = "a test that overflows fails, as it should"
    )
)]

#[cfg(test)]
extern crate std;

mod error;

mod bytes;

mod fdt;

pub mod map;

pub mod versioned;

pub mod sources;

pub mod drmem;

pub mod image;

pub mod command_line;

pub mod boot_params;

pub mod object;

pub mod segment;

pub mod digest;

pub mod elfcorehdr;

pub mod check;

mod hole;

pub mod plan;

pub mod burst;

pub mod preflight;

pub use error::{Error, Field};
