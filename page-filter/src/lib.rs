//! Reads a crashed Linux machine, tells its pages apart and writes the dump.
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

pub mod codec;
mod kind;
mod phys;

pub use kind::{Level, PageKind};
pub use phys::{Fault, PhysMemory};
