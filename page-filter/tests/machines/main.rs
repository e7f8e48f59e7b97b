//! The library on simulated machines of every kernel era, memory model and file format, laid out without it.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::as_conversions,
    clippy::arithmetic_side_effects,
    clippy::std_instead_of_core,
    reason = "a test that goes wrong panics, as it should"
)]

#[path = "../codecs/c_libraries.rs"]
#[expect(
    dead_code,
    clippy::panic,
    reason = "pages are not compressed here; without python3 the test cannot run"
)]
mod c_libraries;
mod files;
mod kit;
#[path = "../../examples/scan/simulated.rs"]
mod simulated;

mod corpus;
mod damaged_files;
mod dump;
mod golden;
mod hostile;
mod injection;
mod kinds;
mod large;
mod printk;
mod redact;
mod sections;
mod traps;
