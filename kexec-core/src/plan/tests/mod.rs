//! Plans of small kernels on machines laid out by hand.

mod bytes;
mod inputs;
mod places;
mod random;
mod refusals;
