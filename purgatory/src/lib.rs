//! What runs between two kernels.
#![no_std]
#![forbid(unsafe_code)]
