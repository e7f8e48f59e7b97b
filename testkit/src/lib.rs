//! Synthetic vmcores for tests.
