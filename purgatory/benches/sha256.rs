//! The digest beside the compact C one: `cargo bench -p purgatory --bench sha256`. Needs `cc`.
#![expect(clippy::unwrap_used, reason = "a bench that panics fails, as it should")]

use std::env;
use std::path::Path;
use std::process::Command;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use libloading::Library;
use purgatory::Sha256;

type Blocks = unsafe extern "C" fn(*mut u32, *const u8, usize);

const LEN: usize = 1 << 20;

fn digest(criterion: &mut Criterion) {
    let bytes: Vec<u8> = (0..LEN).map(|at| (at.wrapping_mul(0x9e37_79b1) >> 13).to_le_bytes()[0]).collect();
    let mut group = criterion.benchmark_group("sha256");
    group.throughput(Throughput::Bytes(u64::try_from(LEN).unwrap()));
    group.bench_function("ours", |bencher| {
        bencher.iter(|| {
            let mut hash = Sha256::new();
            hash.update(&bytes);
            hash.finish()
        });
    });
    let compact = build();
    // SAFETY: this is the function's type in sha256_compact.c.
    let blocks = unsafe { compact.get::<Blocks>(b"sha256_blocks") }.unwrap();
    group.bench_function("compact C", |bencher| {
        bencher.iter(|| {
            let mut state = [0u32; 8];
            // SAFETY: there are as many blocks of 64 bytes.
            unsafe { blocks(state.as_mut_ptr(), bytes.as_ptr(), LEN / 64) };
            state
        });
    });
}

/// The C function, compiled as a purgatory is: optimised, without vector registers.
fn build() -> Library {
    let source = concat!(env!("CARGO_MANIFEST_DIR"), "/benches/sha256_compact.c");
    let library = Path::new(env!("CARGO_TARGET_TMPDIR")).join("libsha256_compact.so");
    let mut cc = Command::new(env::var_os("CC").unwrap_or_else(|| "cc".into()));
    if cfg!(target_arch = "x86_64") {
        cc.arg("-mgeneral-regs-only");
    }
    let status = cc.args(["-O2", "-shared", "-fPIC", source, "-o"]).arg(&library).status();
    assert!(status.is_ok_and(|status| status.success()), "cc failed: install the package gcc");
    // SAFETY: the library has no initialiser.
    unsafe { Library::new(&library) }.unwrap()
}

criterion_group!(benches, digest);
criterion_main!(benches);
