//! Flattened files: a dump as a stream, for outputs that cannot seek.
//!
//! A header of 4096 bytes (`makedumpfile` and zero bytes up to 16, then `type` 1 and `version` 1 as 64-bit numbers), then
//! records: `offset` and `size`, 64 bits each, and `size` bytes that belong at `offset` of the dump. A record of -1, -1 ends
//! the stream. All numbers are signed and big-endian on every machine. Records come in any order and may write a place a
//! second time (the last one counts); places that none writes are zero.
//!
//! The format is makedumpfile's (`-F`, version 1.7.9, `makedumpfile_header` and `makedumpfile_data_header`); QEMU's
//! `dump-guest-memory` writes it too.

mod format;
mod overlap;
mod read;
mod rearrange;
mod write;

pub use format::Extent;
pub use read::{Flattened, is_flattened};
pub use rearrange::Rearrange;
pub use write::Writer;

#[cfg(test)]
mod tests;
