//! Reads a crashed Linux machine, tells its pages apart and writes the dump.
#![no_std]
#![forbid(unsafe_code)]

pub mod codec;
mod kind;
mod phys;

pub use kind::{Level, PageKind};
pub use phys::{Fault, PhysMemory};
