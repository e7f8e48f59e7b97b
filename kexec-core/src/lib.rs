//! Plans the kernel that boots next: memory map, kernel images, placement, relocation, digest, core headers.
//!
//! The modules stand in dependency order: a module uses only those declared above it.
#![no_std]
#![forbid(unsafe_code)]

#[cfg(test)]
extern crate std;

mod error;

pub mod object;

pub use error::{Error, Field};
