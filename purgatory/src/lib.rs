//! What runs between two kernels: it checks that the loaded kernel is still the one that was loaded, and enters it.
//!
//! This crate is the logic, tested on the host: the [`Parameters`] that the loader fills in, the SHA-256 check
//! ([`verify`]), and the lines that it prints ([`message`]). The freestanding object around it is in `blob/`; its
//! built bytes are `X86_64`.
//!
//! Everything here runs where an SSE instruction or a panic would be the end of the machine: plain integers only,
//! bounded loops, no calls into allocation or formatting.
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

mod parameters;
mod sha256;

mod verify;

pub mod message;

pub mod console;

pub use parameters::{
    ENTRY_SYMBOL, MAGIC, OnMismatch, PARAMETERS_SYMBOL, Parameters, REGIONS, Region, VERSION,
};
pub use sha256::Sha256;
pub use verify::{Verdict, digest, verify};

/// The purgatory for x86_64: a relocatable ELF object (`ET_REL`, `EM_X86_64`) that runs at any address.
///
/// Its entry is [`ENTRY_SYMBOL`], its [`Parameters`] stand at [`PARAMETERS_SYMBOL`]. It uses no memory but its own
/// sections, the regions that it reads, the backup that it copies, and the console that the parameters name.
#[cfg(feature = "object")]
pub const X86_64: &[u8] = include_bytes!("../blob/x86_64.o");
