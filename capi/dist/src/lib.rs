//! libkcapture: what a library needs beyond its functions, which are all in `capi`.
#![cfg_attr(not(feature = "hosted"), no_std)]

pub use capi::*;

#[cfg(not(feature = "hosted"))]
mod freestanding;
