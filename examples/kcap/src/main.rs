//! Saves, reads and inspects Linux crash dumps.

fn main() {}
