//! What kcapture needs of a Linux host with std: files as [`ReadAt`](vmcore_format::ReadAt) and
//! [`WriteAt`](vmcore_format::WriteAt), streams, what the kernel says about memory, the loading of kernels, the kernel's
//! events, and what a machine is doing before it is left.
//!
//! Error codes are errno values, as the kernel gave them ([`describe`] puts one into words).
#![deny(unsafe_code)]
#![cfg_attr(
    test,
    expect(
        clippy::arithmetic_side_effects,
        clippy::as_conversions,
        reason = "a test that overflows fails, as it should"
    )
)]

/// The program in the README, so that it stays one that compiles.
#[cfg(doctest)]
#[doc = include_str!("../../README.md")]
struct Readme;

mod errno;

mod syscall;
mod windows;

mod input;
mod memory;

mod output;
mod stream;
mod threads;

pub mod kexec;
pub mod uevents;

mod live_pages;

pub mod preflight;

pub use errno::{EINTR, EIO, ENOMEM, describe};
pub use input::Input;
pub use live_pages::{live_pages, pages_by_counters};
pub use memory::{available_memory, peak_memory};
pub use output::{IfExists, Output};
pub use stream::Stream;
pub use syscall::{interrupted, page_size, watch_interrupts};
pub use threads::{LendMemory, finish_on_threads};
