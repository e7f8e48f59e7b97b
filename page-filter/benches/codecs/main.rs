//! The page codecs beside the C libraries, page by page: `cargo bench -p page-filter --bench codecs`.
//!
//! `KCAPTURE_PAGES` names a file of whole pages of 4 KiB to use instead of generated ones.
#![expect(
    clippy::arithmetic_side_effects,
    clippy::as_conversions,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a bench that panics fails, as it should"
)]

mod c_libraries;
#[path = "../../tests/codecs/corpus.rs"]
#[expect(dead_code, reason = "the tests use the rest")]
mod corpus;

use core::hint::black_box;

use c_libraries::CCodec;
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use page_filter::codec::{DecodeScratch, Lzo1x, PageCodec, Snappy, Zlib, Zstd};

const PAGE: usize = 4096;

fn codecs() -> [(&'static dyn PageCodec, CCodec); 4] {
    [
        (&Lzo1x, CCodec::lzo1x_1()),
        (&Snappy, CCodec::snappy()),
        (&Zlib, CCodec::zlib(1)),
        (&Zstd, CCodec::zstd(1)),
    ]
}

/// Pages that are not all zeros.
fn pages() -> Vec<Vec<u8>> {
    let pages: Vec<Vec<u8>> = match std::env::var_os("KCAPTURE_PAGES") {
        Some(file) => std::fs::read(file).unwrap().chunks_exact(PAGE).map(<[u8]>::to_vec).collect(),
        None => corpus::memory(PAGE, 64),
    };
    let pages: Vec<_> = pages.into_iter().filter(|page| page.iter().any(|&byte| byte != 0)).collect();
    assert!(!pages.is_empty(), "no page that is not zero");
    pages
}

fn encode(criterion: &mut Criterion) {
    let pages = pages();
    let mut out = vec![0; 2 * PAGE];
    for (codec, by_c) in codecs() {
        let mut group = criterion.benchmark_group(format!("encode/{codec:?}"));
        group.throughput(Throughput::Bytes((pages.len() * PAGE) as u64));
        let mut scratch = vec![0; codec.encode_scratch_words(PAGE)];
        group.bench_function("ours", |bencher| {
            bencher.iter(|| {
                for page in &pages {
                    black_box(codec.encode(black_box(page), &mut out[..PAGE - 1], &mut scratch));
                }
            });
        });
        group.bench_function("C", |bencher| {
            bencher.iter(|| {
                for page in &pages {
                    black_box(by_c.encode(black_box(page), &mut out));
                }
            });
        });
    }
}

/// Pages that the C libraries compressed.
fn decode(criterion: &mut Criterion) {
    let pages = pages();
    let mut out = vec![0; 2 * PAGE];
    let mut page = vec![0; PAGE];
    let mut scratch = DecodeScratch::new();
    for (codec, by_c) in codecs() {
        let compress = |page: &Vec<u8>| {
            let mut out = vec![0; 2 * PAGE];
            let len = by_c.encode(page, &mut out);
            out.truncate(len);
            out
        };
        let streams: Vec<_> = pages.iter().map(compress).filter(|stream| stream.len() < PAGE).collect();
        for stream in &streams {
            codec.decode(stream, &mut page, &mut scratch).unwrap();
            assert_eq!(by_c.decode(stream, &mut out), PAGE);
            assert!(out[..PAGE] == page);
        }
        let mut group = criterion.benchmark_group(format!("decode/{codec:?}"));
        group.throughput(Throughput::Bytes((streams.len() * PAGE) as u64));
        group.bench_function("ours", |bencher| {
            bencher.iter(|| {
                for stream in &streams {
                    codec.decode(black_box(stream), &mut page, &mut scratch).unwrap();
                }
            });
        });
        group.bench_function("C", |bencher| {
            bencher.iter(|| {
                for stream in &streams {
                    black_box(by_c.decode(black_box(stream), &mut out));
                }
            });
        });
    }
}

criterion_group!(benches, encode, decode);
criterion_main!(benches);
