//! Gives the shared object its name: programs that link it ask for the ABI, not for the file.

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rustc-cdylib-link-arg=-Wl,-soname,libkcapture.so.0");
}
