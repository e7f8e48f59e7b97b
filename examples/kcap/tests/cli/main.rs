//! The program as its users run it: files in, files and messages and exit codes out.
#![expect(
    clippy::arithmetic_side_effects,
    clippy::as_conversions,
    clippy::indexing_slicing,
    clippy::unwrap_used,
    reason = "a test that overflows fails, as it should"
)]

mod machine;
mod map_version;

mod broken;
mod hostile;
mod logs;
mod plan;
mod refused;
mod saved;
